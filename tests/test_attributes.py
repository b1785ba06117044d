"""Segments and heads for attributes: what `emoset evaluate` tells of them, worked by hand."""

import csv
import io
import json
import math

import pandas as pd
import pytest
from attribute_runs import finish, heard, segments, utterances
from test_report import Page

from emoset_cli import runs
from emoset_cli.errors import EmosetError
from emoset_cli.report.attributes import attribute_scores, attributes_table
from emoset_cli.report.scores import score_runs
from emoset_cli.report.segments import segment_scores, segments_table
from emoset_cli.report.settings import group


@pytest.fixture
def run(tmp_path):
    """Six utterances of emodb and two of crema-d, with segments and what heads for corpus and speaker say of them."""
    emodb = utterances("emodb", [True, True, True, True, False, True])
    crema = utterances("crema-d", [True, True], language="eng")
    rows = emodb + crema
    pieces = segments(emodb, [[1, 0], [1], [1, 1, 1], [0, 0], [0], [1]]) + segments(crema, [[1], [0]])
    posteriors = [0.9, 0.8, 0.79, 0.3, 0.99, 0.85, 0.81, 0.4]
    said = heard(rows, "corpus", [row["corpus"] for row in rows], posteriors)
    said += heard(rows, "corpus", [row["corpus"] for row in rows], [0.9] * 4 + [0.1] * 4, unit="segment")
    said += heard(rows, "speaker", [""] * 8, [0.9] * 8)
    devel = utterances("emodb", [True, False, True], partition="devel")
    said += heard(devel, "corpus", ["emodb"] * 3, [0.9, 0.9, 0.1])
    classes = {"corpus": ["crema-d", "emodb"], "speaker": [str(number) for number in range(5)]}
    further = {"segments": pieces + segments(devel, [[1], [0], [1]])}
    folder = tmp_path / "w" / "runs" / "crema-d+emodb_acrnn-all_00000000"
    return finish(folder, "acrnn all + adversarial corpus", rows + devel, attributes=said, approach="adversarial",
                  classes=classes, further=further)  # fmt: skip


# The files


def test_the_further_tables_are_read_as_they_were_written(run):
    assert runs.read_run(run.folder).segments()["start_s"].tolist()[:4] == [0.0, 1.0, 0.0, 0.0]
    table = run.attributes()
    assert list(table) == runs.ATTRIBUTE_COLUMNS and len(table) == 27
    assert table["posterior"].tolist()[:2] == [0.9, 0.8] and table["posterior"].isna().sum() == 8
    assert set(table["unit"]) == {"utterance", "segment"} and table["start_s"].isna().sum() == 19
    assert set(table["truth"]) == {"emodb", "crema-d", ""}
    assert run.within() is None


def test_a_run_without_them_has_none_and_no_table(tmp_path):
    plain = finish(tmp_path / "plain", "acrnn scratch", utterances("emodb", [True] * 4))
    assert plain.segments() is None and plain.attributes() is None
    assert segment_scores([plain], score_runs([plain])) == [] == attribute_scores([plain])


def test_the_final_epoch_has_its_own(run, tmp_path):
    tables = {"final": run.predictions(), "segments-final": run.segments().head(3).assign(partition="test"),
              "attributes-final": run.attributes().head(2)}  # fmt: skip
    both = runs.finish(run.folder, run.config, run.predictions(), tables)
    assert both.segments() is None and len(both.final_epoch().segments()) == 3
    assert both.attributes() is None and len(both.final_epoch().attributes()) == 2
    assert {"predictions-segments-final.csv", "attributes-final.csv"} <= {path.name for path in run.folder.iterdir()}


@pytest.mark.parametrize("name", ["attributes.csv", "predictions-segments.csv"])
def test_a_table_changed_after_the_training_is_refused(run, name):
    (run.folder / name).write_text("changed", encoding="utf-8")
    with pytest.raises(EmosetError, match=rf"{name} was changed after the training wrote it\n.*--force"):
        (attribute_scores if name == "attributes.csv" else lambda found: segment_scores(found, score_runs(found)))(
            [run]
        )


def test_what_the_heads_know_is_no_part_of_the_setting(tmp_path):
    """Runs on other corpora have other classes: they are one setting all the same."""
    made = []
    for corpus in ("emodb", "crema-d"):
        rows = utterances(corpus, [True] * 4)
        said = heard(rows, "corpus", [corpus] * 4, [0.9] * 4)
        made.append(finish(tmp_path / corpus, "acrnn all + train corpus", rows, attributes=said, approach="train",
                           classes={"corpus": [corpus, "x"]}))  # fmt: skip
    assert [setting.name for setting in group(made)] == ["acrnn all + train corpus"]


# Segments


def test_segments_stand_beside_utterances(run):
    rows = segment_scores([run], score_runs([run]))
    assert [(row["partition"], row["corpus"]) for row in rows] == [
        ("test", "emodb"), ("test", "crema-d"), ("devel", "emodb"),
    ]  # fmt: skip
    emodb = rows[0]
    # anger: 1 of 2, then 0 of 2; fear: 1 of 1, 0 of 1; sadness: 3 of 3, 1 of 1
    assert emodb["segments"]["n"] == 10 and emodb["segments"]["wa"]["value"] == pytest.approx(0.6)
    assert emodb["segments"]["uar"]["value"] == pytest.approx((1 / 4 + 1 / 2 + 1) / 3)
    assert emodb["segments"]["uar"]["low"] <= emodb["segments"]["uar"]["value"] <= emodb["segments"]["uar"]["high"]
    assert emodb["segments"]["wa"]["low"] is None and emodb["utterances"]["wa"]["low"] is not None
    assert emodb["utterances"]["n"] == 6 and emodb["utterances"]["uar"]["value"] == pytest.approx((1 + 1 / 2 + 1) / 3)
    table = segments_table(rows)
    assert table.cells()[1][:6] == [run.name, "crema-d", "test", "50.0", "2", "50.0 [0.0, 100.0]"]
    assert "3 s every 1 s" in table.note and "overlap" in table.note
    (first, *_) = csv.DictReader(io.StringIO(table.csv()))
    assert float(first["segments_wa"]) == pytest.approx(0.6) and float(first["utterances_n"]) == 6


def test_segments_of_folds_are_pooled_where_each_is_tested_once(tmp_path):
    one, two = utterances("crema-d", [1, 1]), utterances("crema-d", [1, 1], fold="2", start=2)
    pieces = segments(one, [[1, 1], [1]]) + segments(two, [[0], [0]])
    devel = [row | {"fold": fold} for fold in "12" for row in utterances("crema-d", [1, 0], partition="devel")]
    pieces += segments(devel, [[1], [1], [1], [0]])
    run = finish(tmp_path / "run", "acrnn scratch", one + two + devel, further={"segments": pieces})
    test, of_devel = segment_scores([run], score_runs([run]))
    assert test["how"] == "pooled" and test["segments"]["uar"]["value"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert of_devel["how"] == "mean over folds" and of_devel["segments"]["uar"]["value"] == 0.75


# Attributes


def test_shares_of_definite_and_right_rows(run):
    rows = attribute_scores([run])
    told = {(row["partition"], row["attribute"], row["unit"], row["corpus"]): row for row in rows}
    everything = told["test", "corpus", "utterance", "all"]
    assert (everything["n"], everything["n_unknown"], everything["classes"], everything["chance"]) == (8, 0, 2, 0.5)
    assert everything["accuracy"] == 6 / 8 and everything["definite"] == 5 / 8  # 0.8 itself is definite
    assert told["test", "corpus", "utterance", "emodb"]["definite"] == 4 / 6
    assert told["test", "corpus", "utterance", "crema-d"]["definite"] == 1 / 2
    assert told["test", "corpus", "segment", "all"]["definite"] == 4 / 8
    assert told["devel", "corpus", "utterance", "emodb"]["definite"] == 2 / 3
    speakers = told["test", "speaker", "utterance", "all"]
    assert (speakers["n"], speakers["n_unknown"]) == (0, 8) and speakers["chance"] == pytest.approx(1 / 5)
    assert speakers["accuracy"] is None and speakers["definite"] is None
    assert [row["corpus"] for row in rows[:3]] == ["all", "crema-d", "emodb"]


def test_the_table_says_what_is_the_r_cor_of_the_paper(run):
    table = attributes_table(attribute_scores([run]))
    assert "r_cor of Zhu & Sato 2020" in table.note
    assert {row[2] for row in table.cells()} == {"test"}  # devel only where there is no test
    assert table.cells()[0] == [
        run.name, "adversarial", "test", "corpus", "utterance", "all", "8", "0", "2", "50.0", "75.0", "62.5",
    ]  # fmt: skip
    devel = [row for row in attribute_scores([run]) if row["partition"] == "devel"]
    assert len(attributes_table(devel).rows) == 1


# The command


def test_evaluate_tells_of_both(emoset, run):
    place = run.folder.parents[1]
    answer = emoset("evaluate", "-d", place, "--json")
    assert answer.code == 0, answer.err
    found = answer.json()
    assert found["attributes"] == attribute_scores([run])
    assert found["segments"] == segment_scores([run], score_runs([run]))
    shown = emoset("evaluate", "-d", place, "-q").out
    assert "Segments" in shown and "Attributes" in shown and "62.5" in shown
    folder = next((place / "reports").iterdir())
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert {"segments", "attributes"} <= page.ids and {"#segments", "#attributes"} <= set(page.links)
    assert "adversarial: corpus (2 classes), speaker (5 classes)" in (folder / "report.html").read_text("utf-8")
    facts = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert facts["segments"] == found["segments"] and facts["attributes"] == found["attributes"]
    written = pd.read_csv(next((folder / "tables").glob("*-attributes.csv")))
    assert math.isclose(written["definite"][0], 0.625)
    results = (folder / "results.md").read_text(encoding="utf-8")
    assert "## Segments" in results and "## Attributes" in results
