"""Networks in use: their own predictions again, other corpora's heads, and what of it is scored, worked by hand."""

import json
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_report import Page

from emoset_cli import labels, runs
from emoset_cli.errors import EmosetError
from emoset_cli.prepare import read_utterances
from emoset_cli.report import cross_pairs
from emoset_cli.report.cross import confusion, cross, in_space, on_common, summary
from emoset_cli.report.cross_published import with_published
from emoset_cli.report.cross_tables import cross_tables, summary_tables
from emoset_cli.report.kinds import KINDS
from emoset_cli.report.plots import confusion_plot
from emoset_cli.train.deep import use
from emoset_cli.train.deep.cross import crossing, predict_crossing
from emoset_cli.train.deep.initial import known_to
from emoset_cli.train.deep.members import heads_of, members, taught_heads

ARIA, BRIO, CORA = "demo-aria", "demo-brio", "demo-cora"
ALL = f"{ARIA}+{CORA}_cnn"


@pytest.fixture
def own(crossed, tmp_path):
    """A copy of `crossed` to write to."""
    return Path(shutil.copytree(crossed, tmp_path / "crossed"))


# ---------------------------------------------------------------- a network in use


def alone(workspace, corpus):
    """The network trained on one corpus."""
    return runs.find_run(workspace, next(name for name in runs.list_runs(workspace) if name.startswith(f"{corpus}_")))


@pytest.mark.parametrize("name", [ALL, f"{ALL}:final", f"{CORA}_cnn"])
def test_a_network_in_use_predicts_what_its_training_predicted(crossed, name):
    run = runs.find_run(crossed, name) if name.startswith(ALL) else alone(crossed, CORA)
    network = use.open_network(run, "1", "cpu")
    table = run.predictions()
    for corpus in run.config["corpora"]:
        whole = read_utterances(crossed, corpus).set_index("utterance", drop=False)
        words = network.labels(corpus)
        for part in ("devel", "test"):
            kept = table[(table["corpus"] == corpus) & (table["partition"] == part)]
            shares = use.probabilities(network, crossed, whole.loc[kept["utterance"]], corpus)
            assert shares.dtype == np.float32 and shares.shape == (len(kept), len(words))
            written = [[float(f"{value:.6g}") for value in row] for row in shares.tolist()]
            assert written == kept[[f"probability_{label}" for label in words]].to_numpy(float).tolist()
            assert np.array(words)[shares.argmax(1)].tolist() == kept["prediction"].tolist()


def test_any_prepared_utterance_goes_through_any_head(crossed):
    network = use.open_network(runs.find_run(crossed, ALL), "1", "cpu")
    strangers = read_utterances(crossed, BRIO)
    for head in (ARIA, CORA):
        shares = use.probabilities(network, crossed, strangers, head)
        assert np.allclose(shares.sum(1), 1, atol=1e-5)
        order = np.random.default_rng(0).permutation(len(strangers))
        turned = use.probabilities(network, crossed, strangers.iloc[order], head)
        assert np.abs(turned - shares[order]).max() < 1e-3


def test_embeddings_are_what_the_head_reads(crossed):
    import torch

    network = use.open_network(runs.find_run(crossed, ALL), "1", "cpu")
    rows = read_utterances(crossed, CORA).head(7)
    found = use.embeddings(network, crossed, rows, CORA)
    assert found.shape == (7, 8 * 4) and found.dtype == np.float32
    with torch.no_grad():
        shares = network.model.heads.pick(CORA)(torch.from_numpy(found)).softmax(1).numpy()
    assert np.allclose(shares, use.probabilities(network, crossed, rows, CORA), atol=1e-6)
    other = use.embeddings(network, crossed, rows, ARIA)  # adapters and attention of the other corpus
    assert np.abs(other - found).max() > 1e-4


def test_what_no_network_can_do_is_said(own):
    run = runs.find_run(own, ALL)
    made = run.folder / "model.json"
    text = made.read_text()
    made.write_text('{"model": "svm", "columns": []}')
    with pytest.raises(EmosetError, match=r"holds no network, it is of a svm\n  mend: name a run of emoset train cnn"):
        use.open_network(run)
    made.write_text(text)
    with pytest.raises(EmosetError, match=r"unknown fold of .*'2'\n.*known: 1"):
        use.open_network(run, "2")
    network = use.open_network(run)
    with pytest.raises(EmosetError, match=f"unknown head of {run.folder.name.replace('+', '.')} 'demo-brio'"):
        use.probabilities(network, own, read_utterances(own, BRIO), BRIO)
    with pytest.raises(EmosetError, match=f"known: {ARIA}, {CORA}"):
        use.embeddings(network, own, read_utterances(own, BRIO), BRIO)
    weights = run.folder / "model.safetensors"
    whole = weights.read_bytes()
    other = alone(own, CORA).folder / "model.safetensors"
    for damaged in (whole[: len(whole) // 2], b"", other.read_bytes()):
        weights.write_bytes(damaged)
        with pytest.raises(EmosetError, match=r"model.safetensors is damaged: .*\n.*train the run again with --force"):
            use.open_network(run)
    weights.unlink()
    with pytest.raises(EmosetError, match=r"model.safetensors is missing"):
        use.open_network(run)


# ---------------------------------------------------------------- the utterances of a run


def test_members_are_those_of_the_partition(crossed):
    run = runs.find_run(crossed, ALL)
    table = members(run, crossed)
    said = run.predictions()
    for part in ("devel", "test"):
        ours = table[table["partition"] == part].set_index("utterance")
        theirs = said[said["partition"] == part].set_index("utterance")
        assert set(ours.index) == set(theirs.index)
        assert (ours["truth"] == theirs["truth"].reindex(ours.index)).all()
    assert heads_of(run) == {ARIA: [ARIA], CORA: [CORA]}


def test_members_must_be_as_they_were(own, recordings):
    file = own / "corpora" / CORA / "utterances.parquet"
    table = pd.read_parquet(file).iloc[1:]
    table.to_parquet(file, index=False)
    made = file.with_name("prepare.json")
    from emoset_cli.prepare import data_hash

    made.write_text(json.dumps(json.loads(made.read_text()) | {"data": data_hash(table)}))
    with pytest.raises(EmosetError, match=r"demo-cora was prepared anew since .* was trained"):
        members(runs.find_run(own, ALL), own)


def test_runs_without_corpora_of_their_own_are_refused(crossed):
    from dataclasses import replace

    run = runs.find_run(crossed, ALL)
    domains = replace(run, config=run.config | {"label_space": "arousal,valence"})
    with pytest.raises(EmosetError, match=r"the heads of .* are of label spaces"):
        heads_of(domains)
    for name, unseen, told in (
        ("loco", [], "its partition loco tests what was left out of the training"),
        ("lolo:folds:3", [], "its partition lolo:folds:3 tests what was left out"),
        ("standard", [CORA], f"it tests {CORA}, unseen in training"),
    ):
        partition = run.config["partition"] | {"name": name, "unseen": unseen}
        out = replace(run, config=run.config | {"partition": partition})
        assert heads_of(out) == heads_of(run)  # its utterances can be looked at, but not sent across
        with pytest.raises(EmosetError, match=f"across corpora already: {told}"):
            taught_heads(out)


# ---------------------------------------------------------------- predictions across corpora


def test_what_a_network_knows_is_recognised_by_name_and_by_voice(crossed):
    run = runs.find_run(crossed, ALL)
    table = members(run, crossed)
    by_name, by_voice = known_to(run.folder, table["corpus"], table["utterance"], table["speaker"])
    learnt = table["partition"].isin(["train", "devel"]).to_numpy()
    assert (by_name == learnt).all() and (by_voice == learnt).all()
    assert not known_to(run.folder, ["x"], ["y"], [""]).any()


def test_utterances_of_another_corpus_are_predicted_once(own, monkeypatch):
    run = runs.find_run(own, ALL)
    one = crossing(run, CORA, ARIA, own)
    assert one.source == "test of pool-standard" or one.source.startswith("test of pool")
    assert set(one.rows["partition"]) == {"test"} and not one.known
    file = predict_crossing(one, own, "cpu")
    facts = json.loads(file.read_text())
    table = pd.read_csv(file.with_suffix(".csv"), dtype={"fold": str})
    assert file.name.startswith(f"{CORA}_{ARIA}_") and facts["head_labels"] == run.config["labels"][CORA]
    assert facts["labels"] == run.config["labels"][ARIA]
    assert [c for c in table if c.startswith("prob")] == [f"probability_{x}" for x in facts["head_labels"]]
    network = use.open_network(run, "1", "cpu")
    shares = use.probabilities(network, own, one.rows, CORA)
    assert np.allclose(table.filter(like="probability_").to_numpy(), shares, rtol=1e-5, atol=1e-9)
    stamp = file.with_suffix(".csv").stat().st_mtime_ns
    assert predict_crossing(one, own, "cpu") == file and file.with_suffix(".csv").stat().st_mtime_ns == stamp
    file.with_suffix(".csv").write_text("damaged")
    assert predict_crossing(one, own, "cpu") == file and file.with_suffix(".csv").stat().st_mtime_ns != stamp
    final = predict_crossing(crossing(run.final_epoch(), CORA, ARIA, own), own, "cpu")
    assert final != file and final.parent == file.parent


def test_a_corpus_the_run_does_not_have_is_tested_as_prepared_or_whole(own):
    run = runs.find_run(own, ALL)
    one = crossing(run, CORA, BRIO, own)
    assert one.source.endswith(", as prepared") and 0 < len(one.rows) < len(read_utterances(own, BRIO))
    (own / "corpora" / BRIO / "partition.csv").unlink()
    whole = crossing(run, CORA, BRIO, own)
    assert whole.source == "all utterances, for want of a partition"
    assert len(whole.rows) == len(read_utterances(own, BRIO))
    theirs = crossing(alone(own, CORA), CORA, ARIA, own, run)
    assert theirs.rows["utterance"].tolist() == crossing(run, CORA, ARIA, own).rows["utterance"].tolist()


def test_what_the_network_has_heard_is_left_out(own):
    run = alone(own, CORA)
    rows = crossing(run, CORA, ARIA, own).rows
    voice = rows["speaker"].iloc[0]
    seen = pd.read_csv(run.folder / "seen.csv", dtype=str)
    seen.loc[len(seen)] = [ARIA, "another utterance", voice]
    seen.to_csv(run.folder / "seen.csv", index=False)
    left = crossing(run, CORA, ARIA, own)
    assert left.known == {"utterances": int((rows["speaker"] == voice).sum()), "speakers": [voice]}
    assert voice not in set(left.rows["speaker"])
    (run.folder / "seen.csv").unlink()
    with pytest.raises(EmosetError, match=r"seen.csv is missing"):
        crossing(run, CORA, ARIA, own)


# ---------------------------------------------------------------- scores of made-up predictions, worked by hand

HERE, THERE = ["anger", "joy", "calm"], ["joy", "anger", "fear", "boredom"]
SPACE = labels.Space(
    "mood", ("bad", "good"), {"anger": "bad", "fear": "bad", "joy": "good", "calm": "good"}, "this test"
)


def said(*rows):
    """A table of predictions through the head of `THERE`: truth, then the probability of each label of the head."""
    made = []
    for number, (truth, *shares) in enumerate(rows):
        row = dict.fromkeys(runs.PREDICTION_COLUMNS, "") | {"utterance": f"a/{number}", "speaker": f"s{number % 2}"}
        row |= {"corpus": "a", "fold": "1", "partition": "test", "truth": truth, "gender": "female"}
        row |= {"prediction": THERE[int(np.argmax(shares))]}
        made.append(row | {f"probability_{label}": one for label, one in zip(THERE, shares, strict=True)})
    return pd.DataFrame(made)


TABLE = said(
    ("anger", 0.1, 0.7, 0.1, 0.1),  # anger
    ("anger", 0.2, 0.3, 0.5, 0.0),  # fear; among joy and anger: anger
    ("joy", 0.3, 0.1, 0.0, 0.6),  # boredom; among joy and anger: joy
    ("joy", 0.1, 0.2, 0.3, 0.4),  # boredom; among joy and anger: anger
    ("calm", 0.9, 0.1, 0.0, 0.0),  # joy
)


def test_truth_and_prediction_are_mapped_and_what_has_no_entry_is_named():
    found = in_space(TABLE, SPACE, SPACE.map, SPACE.map)
    assert found["uar"]["value"] == pytest.approx((2 / 2 + 1 / 3) / 2) and found["wa"]["value"] == pytest.approx(3 / 5)
    assert (found["n"], found["chance"], found["n_speakers"]) == (5, 0.5, 2)
    assert (found["left_out"], found["errors"]) == ({}, {"boredom": 2})
    without = {label: to for label, to in SPACE.map.items() if label != "calm"}
    found = in_space(TABLE, SPACE, without, SPACE.map)
    assert found["n"] == 4 and found["left_out"] == {"calm": 1} and found["uar"]["value"] == pytest.approx(0.5)
    assert in_space(TABLE, SPACE, {}, SPACE.map) == "none of its labels has an entry in mood"


def test_common_labels_restrict_utterances_and_where_asked_the_prediction():
    common = [label for label in HERE if label in THERE]
    among = on_common(TABLE, common, THERE, restricted=True)
    assert among["n"] == 4 and among["left_out"] == {"calm": 1} and among["errors"] == {}
    assert among["uar"]["value"] == pytest.approx((2 / 2 + 1 / 2) / 2)
    any_of = on_common(TABLE, common, THERE, restricted=False)
    assert any_of["uar"]["value"] == pytest.approx((1 / 2 + 0 / 2) / 2) and any_of["wa"]["value"] == pytest.approx(
        1 / 4
    )
    assert any_of["errors"] == {"boredom": 2, "fear": 1} and any_of["chance"] == 0.5
    for few, told in ((["joy"], "only 'joy'"), ([], "no label")):
        assert on_common(TABLE, few, THERE, True) == f"corpus and head share {told}, and at least 2 labels are needed"
    assert on_common(TABLE[TABLE["truth"] == "calm"], common, THERE, True).startswith("none of its test utterances")


def test_a_confusion_of_two_corpora_is_a_rectangle():
    found = confusion(TABLE, ["anger", "joy", "calm", "shame"], THERE)
    assert found == {
        "labels": ["anger", "joy", "calm"],
        "columns": THERE,
        "counts": [[0, 1, 1, 0], [0, 0, 0, 2], [1, 0, 0, 0]],
    }
    svg = confusion_plot(found, "a through b")
    cells = list(ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"))
    assert len(cells) == 12 and "anger → fear: 1 of 2 (50.0 %)" in svg and "other" not in svg


@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_rows_may_stand_in_any_order_and_a_restriction_never_leaves_the_common_labels(data):
    count = data.draw(st.integers(2, 12))
    shares = data.draw(st.lists(st.permutations([0.1, 0.2, 0.3, 0.4]), min_size=count, max_size=count))
    truths = data.draw(st.lists(st.sampled_from(HERE), min_size=count, max_size=count))
    table = said(*[(truth, *row) for truth, row in zip(truths, shares, strict=True)])
    order = data.draw(st.permutations(range(count)))
    common = ["anger", "joy"]
    for score in (
        lambda rows: in_space(rows, SPACE, SPACE.map, SPACE.map),
        lambda rows: on_common(rows, common, THERE, True),
        lambda rows: on_common(rows, common, THERE, False),
    ):
        first, second = score(table), score(table.iloc[order])
        assert first == second
    among, any_of = (on_common(table, common, THERE, restricted) for restricted in (True, False))
    if not isinstance(among, str):
        assert among["errors"] == {} and among["wa"]["value"] >= any_of["wa"]["value"]
        assert among["n"] + sum(among["left_out"].values()) == count


def test_the_standard_deviation_over_pairs_is_that_of_the_paper():
    """Alisamir et al. 2022: the four UARs of Table II give mean and deviation of Table III (common, within)."""
    uars = {"single": [0.637, 0.575, 0.398, 0.604], "tuned": [0.762, 0.725, 0.528, 0.714]}
    rows = [{"method": name, "kind": "within", "uar": {"value": uar}} for name, of in uars.items() for uar in of]
    told = [KINDS["pairs"].text(summary(name, rows)["within"]) for name in uars]
    assert told == ["55.4 (10.7)", "68.2 (10.5)"]  # the paper writes 55.3 for 55.35
    assert KINDS["pairs"].text({"mean": 0.5, "sd": None, "n": 1}) == "50.0" and summary("x", rows)["cross"] is None


# ---------------------------------------------------------------- the command


@pytest.fixture(scope="module")
def answered(crossed, tmp_path_factory):
    """A workspace after ``evaluate --cross``, what it said, and its report."""
    import contextlib
    import io

    from emoset_cli.cli.main import main

    place = Path(shutil.copytree(crossed, tmp_path_factory.mktemp("answered") / "w"))
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["evaluate", "--cross", "--on", BRIO, "--device", "cpu", "-d", str(place), "--json", "-q"]) == 0
    return place, json.loads(out.getvalue())


def test_the_command_scores_single_and_shared_networks_side_by_side(answered):
    _, found = answered
    assert [one["name"] for one in found["methods"]] == ["single-corpus: scratch", "multi-corpus: all"]
    assert [one["corpora"] for one in found["methods"]] == [[ARIA, CORA]] * 2
    for name, scoring in found["scorings"].items():
        kinds = {
            kind: [row for row in scoring["pairs"] if row["kind"] == kind] for kind in ("within", "cross", "unseen")
        }
        assert [len(rows) for rows in kinds.values()] == [4, 4, 4 if name == "space" else 2]
        for line in scoring["methods"]:
            uars = [row["uar"]["value"] for row in kinds["cross"] if row["method"] == line["method"]]
            assert line["cross"] == {"mean": np.mean(uars), "sd": pytest.approx(np.std(uars, ddof=1)), "n": 2}
    assert len(found["confusions"]) == 8 and {one["head"] for one in found["confusions"]} == {ARIA, CORA}
    reasons = {(one["corpus"], one["head"], one["scoring"]): one["why"] for one in found["left_out"]}
    assert set(reasons) == {(BRIO, CORA, "common"), (BRIO, CORA, "common_any")}
    assert {one["utterances"] for one in found["utterances"] if one["corpus"] == BRIO} == {
        "test of standard, as prepared"
    }


def test_within_a_corpus_it_is_what_evaluate_says(answered, emoset):
    place, found = answered
    run = runs.find_run(place, ALL)
    scores = emoset("evaluate", ALL, "-d", place, "--json", "-q").json()["scores"][0]["corpora"]
    for row in found["scorings"]["common"]["pairs"]:
        if row["run"] == run.name and row["kind"] == "within":
            assert row["uar"] == scores[row["corpus"]]["test"]["uar"] and row["n"] == scores[row["corpus"]]["test"]["n"]


def test_a_score_is_that_of_the_kept_predictions(answered):
    place, found = answered
    run = runs.find_run(place, ALL)
    (file,) = (run.folder / "cross").glob(f"{ARIA}_{CORA}_*.csv")
    table = pd.read_csv(file)
    to = labels.spaces()["three-class"].map
    recalls = (table["prediction"].map(to) == table["truth"].map(to)).groupby(table["truth"].map(to)).mean()
    (row,) = (row for row in found["scorings"]["space"]["pairs"]
              if (row["run"], row["corpus"], row["head"]) == (run.name, CORA, ARIA))  # fmt: skip
    assert row["uar"]["value"] == pytest.approx(recalls.mean())
    (matrix,) = (one for one in found["confusions"]
                 if (one["run"], one["corpus"], one["head"]) == (run.name, CORA, ARIA))  # fmt: skip
    assert matrix["counts"] == [
        [int(((table["truth"] == a) & (table["prediction"] == b)).sum()) for b in matrix["columns"]]
        for a in matrix["labels"]
    ]


def test_the_page_and_the_files_beside_it(answered):
    _, found = answered
    page = Path(found["report"])
    text = page.read_text(encoding="utf-8")
    read = Page(text)
    assert not read.open and all(link.startswith("#") and link[1:] in read.ids for link in read.links)
    assert re.findall(r"""(?:https?:)?//[^\s"'<]+""", text.replace("http://www.w3.org/2000/svg", "")) == []
    assert "within-corpus" in text and f"emoset evaluate --cross --on {BRIO} --space three-class" in text
    assert json.loads((page.parent / "cross.json").read_text()) == {k: v for k, v in found.items() if k != "report"}
    first = (page.parent / "results.csv").read_text().splitlines()
    assert first[0].startswith("method,within_mean,within_sd,within_n,cross_mean,cross_sd,cross_n,corpora,pairs")
    assert len(list((page.parent / "figures").glob("confusion_*.svg"))) == 8
    matrices = [path for path in (page.parent / "tables").iterdir() if "through" in path.name and "csv" in path.name]
    assert any("anger_count,anger_share" in path.read_text().replace("truth,", "") for path in matrices)
    assert r"\begin{tabular}" in (page.parent / "results.tex").read_text()


def test_it_goes_on_where_it_was_and_a_changed_file_is_made_anew(answered, emoset):
    place, found = answered
    run = runs.find_run(place, ALL)
    kept = {path: path.stat().st_mtime_ns for path in (place / "runs").glob("*/cross/*.csv")}
    spoilt = next((run.folder / "cross").glob("*.csv"))
    whole = spoilt.read_bytes()
    spoilt.write_text("spoilt")
    again = emoset("evaluate", "--cross", "--on", BRIO, "--device", "cpu", "-d", place, "--json")
    assert again.code == 0 and again.json() == found and "demo-aria through the head demo-cora of" in again.err
    assert spoilt.read_bytes() == whole
    changed = {path for path, stamp in kept.items() if path.stat().st_mtime_ns != stamp}
    assert changed == {spoilt}


def test_a_file_that_is_changed_before_it_is_read_is_refused(answered):
    place, _ = answered
    able = [(run := runs.find_run(place, ALL), heads_of(run))]
    (method,) = cross_pairs.methods(able)
    files = {}
    for pair in cross_pairs.pairs(method):
        if pair.kind != "within":
            files[pair.key] = predict_crossing(crossing(run, pair.member.head, pair.corpus, place), place, "cpu")
    table = next(iter(files.values())).with_suffix(".csv")
    whole = table.read_bytes()
    table.write_bytes(whole + b"\n")
    with pytest.raises(EmosetError, match="was changed after it was written"):
        cross(cross_pairs.methods(able), files, labels.spaces()["three-class"])
    table.write_bytes(whole)
    empty = crossing(run, CORA, ARIA, place)
    from dataclasses import replace

    files[(run.name, CORA, ARIA)] = predict_crossing(replace(empty, rows=empty.rows[:0]), place, "cpu")
    found = cross([method], files, labels.spaces()["three-class"])
    assert {one["why"] for one in found["left_out"]} == {"the network knows all test utterances or speakers"}
    assert "Left out, because the network knows all" in cross_tables(found)[0].note


def test_published_figures_stand_beside_runs_of_the_same_corpora_only(answered, emoset):
    place, found = answered
    answer = emoset("evaluate", "--cross", "--published", "alisamir2022", "--device", "cpu", "-d", place, "--json")
    told = answer.json()["published"]
    assert answer.code == 0 and not told["same"] and "ACII 2022, Table III" in told["source"]
    assert told["rows"]["space"]["Multi-corpus"]["cross"] == {"mean": 0.508, "sd": 0.116, "n": 12}
    assert told["rows"]["common"] == told["rows"]["common_any"]
    page = Path(answer.json()["report"]).read_text("utf-8")
    assert "Other corpora than here, not to be subtracted." in page and "--published alisamir2022" in page
    blocks = [table for table in summary_tables(answer.json()) if table.title.startswith("Published")]
    assert [block.title for block in blocks] == [
        "Published: alisamir2022, Table III, UAR [%]: label space three-class",
        "Published: alisamir2022, Table III, UAR [%]: common labels",
    ]
    assert blocks[1].cells()[-1] == ["Multi-corpus + FT", "65.3 (13.8)", "32.1 (25.1)"]
    same = found | {"further": [], "methods": [one | {"corpora": told["corpora"]} for one in found["methods"]]}
    beside = summary_tables(with_published(same, "alisamir2022"))
    assert len(beside) == 3 and [len(table.rows) for table in beside] == [6] * 3
    assert beside[0].cells()[2] == ["paper: Single-corpus", "67.2 (4.7)", "42.0 (8.3)", "4", "12"]
    assert beside[2].cells()[4][:3] == ["paper: Multi-corpus", "56.8 (12.1)", "47.5 (10.7)"]
    assert "does not say" in beside[1].note and "does not say" not in beside[0].note
    elsewhere = with_published(same | {"space": "arousal"}, "alisamir2022")
    assert [len(table.rows) for table in summary_tables(elsewhere)] == [2, 6, 6]


def test_what_of_a_paper_is_not_known_or_needs_cross(answered, emoset):
    place, _ = answered
    strange = emoset("evaluate", "--cross", "--published", "alisami", "-d", place)
    assert strange.code == 1 and strange.out == ""
    assert (
        "error: unknown paper with figures across corpora 'alisami'\n  mend: did you mean 'alisamir2022'?"
        in strange.err
    )
    alone_ = emoset("evaluate", "--published", "alisamir2022", "-d", place)
    assert alone_.code == 1 and "--published is about corpora through other heads" in alone_.err


def test_runs_that_make_no_pair_or_count_twice(answered, emoset):
    place, _ = answered
    single = alone(place, CORA)
    refused = emoset("evaluate", single.name, "--cross", "-d", place)
    assert refused.code == 1 and refused.out == ""
    assert "error: these runs make no pair of corpora\n  mend: name a run of emoset train --multi-task" in refused.err
    assert f"{CORA} alone makes no pair" in refused.err
    assert emoset("evaluate", single.name, "--cross", "--on", ARIA, "-d", place, "-q").code == 0
    with pytest.raises(EmosetError, match=rf"are both 'single-corpus: scratch' on {CORA}\n.*one for each corpus"):
        cross_pairs.methods([(single, {CORA: [CORA]}), (renamed(single), {CORA: [CORA]})])


def renamed(run):
    """The same run in a folder of another name."""
    from dataclasses import replace

    return replace(run, folder=run.folder.with_name("other"))


def test_seeds_are_methods_of_their_own(crossed):
    from dataclasses import replace

    first = alone(crossed, CORA)
    second = replace(renamed(first), config=first.config | {"seed": 1})
    found = cross_pairs.methods([(first, {CORA: [CORA]}), (second, {CORA: [CORA]})])
    assert [one.name for one in found] == ["single-corpus: scratch, seed 0", "single-corpus: scratch, seed 1"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--space", "mood"], "unknown label space 'mood'"),
        (["--on", "emodb"], "unknown prepared corpus"),
        (["nosuchrun"], "unknown run 'nosuchrun'"),
        (["--device", "tpu"], "unknown device 'tpu'"),
    ],
)
def test_a_mistake_is_told_in_two_lines(own, emoset, words, told):
    answer = emoset("evaluate", "--cross", *words, "-d", own)
    assert (answer.code, answer.out) == (1, "") and f"error: {told}" in answer.err and "\n  mend: " in answer.err


def test_options_of_cross_need_it(own, emoset, tmp_path):
    for words in (["--on", BRIO], ["--space", "arousal"], ["--device", "cpu"]):
        answer = emoset("evaluate", *words, "-d", own)
        assert answer.code == 1 and f"error: {words[0]} is about corpora through other heads" in answer.err
    answer = emoset("evaluate", "--cross", "-d", tmp_path)
    assert answer.code == 1 and "holds no finished run of a network" in answer.err


def test_a_run_in_another_label_space_needs_that_space(crossed):
    from dataclasses import replace

    run = runs.find_run(crossed, ALL)
    (method,) = cross_pairs.methods([(replace(run, config=run.config | {"label_space": "arousal"}), heads_of(run))])
    with pytest.raises(EmosetError, match=r"was trained in label space arousal.*\n  mend: --space arousal"):
        cross([method], {}, labels.spaces()["three-class"])


@pytest.mark.slow
def test_folds_test_their_own_and_a_shared_head_is_across_only_beyond_its_corpora(own, emoset):
    tiny = ["-nf", 4, "-N", 1, "-nm", 16, "-w", 1.5, "-bs", 16, "--precision", "fp32", "--workers", 1, "-d", own, "-q"]
    tiny += ["--preset", "quick", "-p", 1, "-e", 1]
    assert emoset("train", "cnn", "-t", CORA, "--partition", "folds:3", *tiny).code == 0
    assert emoset("train", "cnn", "-t", f"{ARIA},{CORA}", "--pool", "--labels", "three-class", *tiny).code == 0
    found = emoset("evaluate", "folds-3", "--cross", "--on", ARIA, "-d", own, "-q", "--json").json()
    within, unseen = found["scorings"]["space"]["pairs"]
    assert (within["how"], within["n"]) == ("pooled", len(read_utterances(own, CORA)))
    assert (unseen["how"], unseen["uar"]["low"]) == ("mean over folds", None)
    run = runs.find_run(own, "folds-3")
    table = pd.read_csv(next((run.folder / "cross").glob("*.csv")), dtype={"fold": str})
    assert table["fold"].value_counts().tolist() == [unseen["n"]] * 3
    second = table[table["fold"] == "2"].filter(like="probability_").to_numpy()
    rows = crossing(run, CORA, ARIA, own).rows
    expected = use.probabilities(use.open_network(run, "2", "cpu"), own, rows[rows["fold"] == "2"], CORA)
    assert np.allclose(second, expected, rtol=1e-5, atol=1e-9)
    found = emoset("evaluate", "three-class", "--cross", "--on", BRIO, "-d", own, "-q", "--json").json()
    assert set(found["scorings"]) == {"space", "common", "common_any"} and not found["scorings"]["common"]["pairs"]
    kinds = [(one["corpus"], one["head"], one["kind"]) for one in found["scorings"]["space"]["pairs"]]
    assert kinds == [(ARIA, "three-class", "within"), (CORA, "three-class", "within"), (BRIO, "three-class", "unseen")]
    scores = emoset("evaluate", "three-class", "-d", own, "-q", "--json").json()["scores"][0]["corpora"]
    for one in found["scorings"]["space"]["pairs"][:2]:
        assert one["uar"] == scores[one["corpus"]]["test"]["uar"]
