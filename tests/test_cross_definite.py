"""Corpus-definite and corpus-ambiguous utterances through the heads of other corpora, worked by hand and by command."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from attribute_runs import finish, heard, utterances
from test_cross import ALL, ARIA, CORA
from test_report import Page

from emoset_cli import runs
from emoset_cli.report.cross_definite import ambiguity, corpus_posteriors, split


def test_the_posterior_of_an_utterance_is_the_mean_of_its_rows(tmp_path):
    rows = utterances("emodb", [1, 1, 1])
    corpus = ["emodb"] * 3
    said = heard(rows, "corpus", corpus, [0.9, 0.2, 0.8]) + heard(rows[:1], "corpus", corpus[:1], [0.5])  # in two folds
    said += heard(rows, "corpus", corpus, [0.1] * 3, unit="segment") + heard(rows, "gender", ["female"] * 3, [0.3] * 3)
    devel = utterances("emodb", [1], partition="devel")
    said += heard(devel, "corpus", ["emodb"], [0.4])
    common = {"approach": "train", "classes": {"corpus": ["emodb", "x"], "gender": ["female", "male"]}}
    run = finish(tmp_path / "a", "all", rows + devel, attributes=said, **common)
    assert corpus_posteriors(run) == {
        "emodb/test000": pytest.approx(0.7), "emodb/test001": 0.2, "emodb/test002": 0.8,
    }  # fmt: skip
    pieces = [one | {"unit": "segment", "start_s": 0.0} for one in said[:4]]
    run = finish(tmp_path / "b", "all", rows + devel, attributes=pieces, **common)
    assert corpus_posteriors(run)["emodb/test000"] == pytest.approx(0.7)
    assert corpus_posteriors(finish(tmp_path / "c", "all", rows)) == {}
    run = finish(tmp_path / "d", "all", rows, attributes=heard(rows, "gender", ["female"] * 3, [1] * 3), **common)
    assert corpus_posteriors(run) == {}


def test_shares_of_ambiguous_utterances_by_label():
    table = pd.DataFrame({
        "utterance": list("abcdefg"), "truth": ["joy", "anger", "anger", "anger", "anger", "joy", "joy"],
    })  # fmt: skip
    parts = split(table, {"a": 0.8, "b": 0.79, "c": 0.9, "d": 0.1, "e": 1.0, "f": 0.2})
    assert {name: "".join(part["utterance"]) for name, part in parts.items()} == {
        "definite": "ace", "ambiguous": "bdf", "unknown": "g",
    }  # fmt: skip
    found = ambiguity(parts, ["fear", "joy", "anger"])
    assert found == {
        "labels": [{"label": "joy", "n": 2, "ambiguous": 1, "share": 0.5},
                   {"label": "anger", "n": 4, "ambiguous": 2, "share": 0.5}],
        "most_ambiguous": "joy", "n": 6, "share": 0.5, "n_unknown": 1,
    }  # fmt: skip
    all_definite = ambiguity(split(table, dict.fromkeys("abcdefg", 0.95)), ["joy", "anger"])
    assert all_definite["most_ambiguous"] is None and all_definite["share"] == 0
    assert ambiguity(split(table, {}), ["joy"])["share"] is None


def test_the_command_splits_the_confusions_and_draws_them(crossed, tmp_path, emoset):
    place = Path(shutil.copytree(crossed, tmp_path / "w"))
    run = runs.find_run(place, ALL)
    table, final = run.predictions(), run.final_epoch().predictions()
    test = table[table["partition"] == "test"].to_dict("records")
    posteriors = [0.5 if row["corpus"] == CORA and row["truth"] == "calm" else 0.9 for row in test]
    said = pd.DataFrame(heard(test, "corpus", [row["corpus"] for row in test], posteriors))
    config = run.config | {"attributes": {"approach": "adversarial", "classes": {"corpus": [ARIA, CORA]}}}
    runs.finish(run.folder, config, table, {"final": final, "attributes": said[runs.ATTRIBUTE_COLUMNS]})
    answer = emoset("evaluate", ALL, "--cross", "--device", "cpu", "-d", place, "--json", "-q")
    assert answer.code == 0, answer.err
    found = answer.json()
    told = {one["corpus"]: one for one in found["ambiguity"]}
    of_cora = [row["truth"] for row in test if row["corpus"] == CORA]
    calm = {"label": "calm", "n": of_cora.count("calm"), "ambiguous": of_cora.count("calm"), "share": 1.0}
    assert calm["n"] and calm in told[CORA]["labels"] and told[CORA]["most_ambiguous"] == "calm"
    assert told[ARIA]["most_ambiguous"] is None and told[ARIA]["share"] == 0 and told[ARIA]["n_unknown"] == 0
    (one,) = (one for one in found["confusions"] if one["corpus"] == CORA)
    assert one["ambiguous"]["labels"] == ["calm"] and "calm" not in one["definite"]["labels"]
    whole = dict(zip(one["labels"], one["counts"], strict=True))
    parts = [dict(zip(one[name]["labels"], one[name]["counts"], strict=True)) for name in ("definite", "ambiguous")]
    assert whole == parts[0] | parts[1]
    page = Path(found["report"])
    text = page.read_text(encoding="utf-8")
    assert not Page(text).open and "Most ambiguous of demo-cora (multi-corpus: all): calm." in text
    assert json.loads((page.parent / "cross.json").read_text())["ambiguity"] == found["ambiguity"]
    drawn = {path.name for path in (page.parent / "figures").iterdir()}
    kinds = {f"{CORA}-through-{ARIA}-corpus-{kind}" for kind in ("definite", "ambiguous")}
    assert all(any(kind in name for name in drawn) for kind in kinds)
    assert not any(f"{ARIA}-through-{CORA}-corpus-ambiguous" in name for name in drawn)
    shown = emoset("evaluate", ALL, "--cross", "--device", "cpu", "-d", place, "-q").out
    assert "Corpus-ambiguous utterances" in shown and f"{calm['n']} (100.0)" in shown
