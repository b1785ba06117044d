"""Whole corpora that are only tested: who is where, what is left alone, the table, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_deep import ARIA, BRIO, CORA, TINY
from test_languages import A, S, rows_of
from test_partition import make, people, table

from emoset_cli import runs
from emoset_cli.aggregate import balance
from emoset_cli.corpora import load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.files import read_json, write_json
from emoset_cli.leaks import in_partition
from emoset_cli.partition import WITHIN, checked, pooled, with_unseen
from emoset_cli.prepare import data_hash, read_utterances
from emoset_cli.protocols import make_partition
from emoset_cli.report.html import write_report
from emoset_cli.report.languages import domain_scores, domains_table, language_scores
from emoset_cli.report.scores import score_runs

LINE = ["--unseen", CORA, "--labels", "three-class"]
QUICK = ["--preset", "quick", "-p", 1, "-e", 1, *TINY]


def train(emoset, workspace, model, *words):
    answer = emoset("train", model, *words, "--workers", 1, "-d", workspace, "--json", "-q")
    assert answer.code == 0, answer.err
    return runs.read_run(Path(answer.json()[0]["folder"]))


# ---------------- who is where


@pytest.fixture
def three():
    """Utterances of two corpora and, without speakers, of a third, and the partition that tests the third."""
    frames = {key: table(people(4, 4), 8, corpus=key) for key in "abc"}
    tables = {key: one.assign(utterance=key + "/" + one["utterance"]) for key, one in frames.items()}
    tables["c"]["speaker"] = ""
    own = {key: make("folds:4", tables[key]) for key in "ab"}
    return pd.concat(tables.values(), ignore_index=True), with_unseen(pooled(own), tables["c"]), own


def test_the_unseen_are_tested_and_the_test_of_the_others_is_within(three):
    utterances, partition, own = three
    assert (partition.name, partition.unseen, partition.folds) == ("pool-folds:4", ("c",), ["1", "2", "3", "4"])
    unseen = (utterances["corpus"] == "c").to_numpy()
    assert (partition.table[unseen] == "test").all(axis=None)
    for one in own.values():
        assert (partition.table.loc[one.table.index].replace(WITHIN, "test") == one.table).all(axis=None)
    gaps = checked(partition, utterances).gaps
    assert any(gap.startswith(f"{unseen.sum()} utterances have no speaker") for gap in gaps)
    utterances.loc[0, "speaker"] = ""
    with pytest.raises(EmosetError, match="1 utterances have no speaker, the first is a/"):
        checked(partition, utterances)


def test_equal_recordings_in_train_and_the_unseen_are_a_leak(three):
    utterances, partition, _ = three
    row = int(np.flatnonzero(partition.members("1", "train"))[0])
    utterances.loc[len(utterances) - 1, "audio"] = utterances["audio"][row]
    (leak,) = in_partition(partition, utterances, {})
    assert leak.kind == "audio" and "(test)" in leak.text and "the same samples in" in leak.text


def test_aggregation_leaves_the_unseen_whole(three):
    utterances, partition, _ = three
    labels = [None if n % 5 == 0 else label for n, label in enumerate(utterances["label"])]
    cut, cuts = balance(partition, utterances, labels)
    unseen = (utterances["corpus"] == "c").to_numpy()
    assert (cut.table[unseen] == "test").all(axis=None) and {one.corpus for one in cuts} == {"a", "b"}
    assert {one.partition for one in cuts} == {"train", "devel", WITHIN}
    assert (cut.table[~unseen] != partition.table[~unseen]).any(axis=None)


def test_only_runs_with_unseen_corpora_say_so_in_their_settings(three):
    _, partition, own = three
    assert list(own["a"].facts) == ["name", "seed", "hash", "source"] and partition.facts["unseen"] == ["c"]


# ---------------- scores


@pytest.fixture
def run(tmp_path):
    """Trained on two corpora in two folds; hand-made predictions."""
    test = rows_of("1", "eng", [(A, A), (A, S), (S, S), (S, S)], "test")  # UAR .75, WA .75
    test += rows_of("2", "eng", [(A, S), (A, S), (S, S), (S, A)], "test")  # UAR .25, WA .25
    within = rows_of("1", "deu", [(A, A), (S, A)], WITHIN) + rows_of("2", "deu", [(A, A), (S, S)], WITHIN, 10)
    within += [row | {"corpus": "cafe"} for row in rows_of("1", "deu", [(A, A), (A, A), (S, S)], WITHIN, 20)]
    devel = rows_of("1", "deu", [(A, A), (S, S)], "devel", 10)
    corpora = ["emodb", "cafe", "ravdess"]
    config = {
        "emoset": "0.1.0", "model": "svm", "feature": "egemaps-v02", "corpora": corpora, "seed": 0, "chosen": {},
        "labels": {key: [A, "fear", S] for key in corpora}, "label_space": "iemocap4", "data": {},
        "partition": {"name": "pool-folds:2", "seed": 0, "unseen": ["ravdess"], "folds": ["1", "2"]},
    }  # fmt: skip
    folder = tmp_path / "runs" / "emodb+cafe_svm_00000000"
    return runs.finish(folder, config, pd.DataFrame(devel + test), {WITHIN: pd.DataFrame(within)})


def test_hand_worked_table(run):
    rows = domain_scores([run])
    told = [(row["tested_on"], row["domain"], row["n"], row["folds"]) for row in rows]
    assert told == [(["emodb"], "in", 4, 2), (["cafe"], "in", 3, 1), (["emodb", "cafe"], "in", 7, 2),
                    (["ravdess"], "out", 4, 2)]  # fmt: skip
    assert [row["uar"]["mean"] for row in rows] == pytest.approx([0.75, 1, 0.875, 0.5])  # 3: (3/3 + 1/2) / 2 and 1
    assert [row["wa"]["mean"] for row in rows] == pytest.approx([0.75, 1, 0.9, 0.5])
    assert rows[3]["uar"]["sd"] == pytest.approx(0.5 / 2**0.5) and rows[1]["uar"]["sd"] is None
    assert {row["chance"] for row in rows} == {0.5} and language_scores([run]) == []
    assert domains_table(rows).cells()[2] == [
        run.name, "emodb + cafe", "in", "7", "2", "50.0", "87.5 ± 17.7", "90.0 ± 14.1"
    ]  # fmt: skip


def test_the_table_is_in_every_format(run, tmp_path):
    rows = domain_scores([run])
    page = write_report(tmp_path / "report", [run], score_runs([run]), domains=rows)
    assert 'id="domains"' in page.read_text("utf-8") and 'href="#domains"' in page.read_text("utf-8")
    assert "## In and out of domain" in (page.parent / "results.md").read_text("utf-8")
    facts = json.loads((page.parent / "metrics.json").read_text("utf-8"))
    assert facts["domains"] == rows and "languages" not in facts
    plain = runs.finish(tmp_path / "plain", run.config | {"partition": {"name": "standard"}}, run.predictions())
    assert domain_scores([plain]) == [] and plain.unseen == []


# ---------------- from end to end


def test_from_training_to_the_comparison(emoset, workspace):
    """Whose unseen corpus has unknown speakers, and a label that the space does not map."""
    folder = workspace / "corpora" / CORA
    utterances = read_utterances(workspace, CORA).assign(speaker="")
    utterances.to_parquet(folder / "utterances.parquet", index=False)
    write_json(folder / "prepare.json", read_json(folder / "prepare.json") | {"data": data_hash(utterances)})
    space = ["--unseen", CORA, "--labels", "arousal"]
    svm, forest = (train(emoset, workspace, model, "--pool", *space) for model in ("svm", "forest"))
    alone = train(emoset, workspace, "svm", "-t", ARIA, *space)
    assert svm.name.startswith(f"{ARIA}+{BRIO}_svm-egemaps-v02_pool-standard-unseen-{CORA}-arousal_")
    assert alone.name.startswith(f"{ARIA}_svm-egemaps-v02_standard-unseen-{CORA}-arousal_")
    config = svm.config
    assert config["corpora"] == [ARIA, BRIO, CORA] and config["partition"]["unseen"] == [CORA] == svm.unseen
    assert set(config["data"]) == set(config["entries"]) == {ARIA, BRIO, CORA}
    assert config["left_out"] == {f"{CORA}/calm": 36} and config["counts"]["test"] == 72
    tested, inside = svm.predictions().query("partition == 'test'"), svm.within()
    assert set(tested["corpus"]) == {CORA} and len(tested) == 72
    for key in (ARIA, BRIO):
        own = make_partition("standard", read_utterances(workspace, key), load_corpora()).table["1"]
        assert set(inside["utterance"][inside["corpus"] == key]) == set(own.index[own == "test"])
    answer = emoset("evaluate", svm.name, "-d", workspace, "--json", "-q").json()
    assert answer["domains"] == domain_scores([svm]) and answer["languages"] == []
    parts = {key: list(part) for key, part in answer["scores"][0]["corpora"].items()}
    assert parts == {ARIA: ["devel"], BRIO: ["devel"], CORA: ["test"]}
    assert "In and out of domain" in emoset("evaluate", svm.name, "-d", workspace, "-q").out
    answer = emoset("compare", svm.name, forest.name, alone.name, "-d", workspace, "--json", "-q")
    assert answer.code == 0 and len(answer.json()["domains"]) == 4 + 4 + 2
    for one in answer.json()["comparisons"]:
        assert list(one["corpora"]) == [CORA] and one["corpora"][CORA]["n"] == 72
        assert not any(one["left_out"].values())


def test_each_fold_tests_all_of_the_unseen(emoset, workspace):
    words = ["-t", ARIA, "--unseen", f"{CORA},{BRIO}", "--labels", "three-class", "--partition", "losgo:3"]
    first, second = (train(emoset, workspace, model, *words, "--aggregate") for model in ("svm", "forest"))
    assert f"_losgo-3-unseen-{CORA}+{BRIO}-three-class-aggregate_" in first.name
    score = emoset("evaluate", first.name, "-d", workspace, "--json", "-q").json()["scores"][0]
    tested = {key: score["corpora"][key]["test"] for key in (CORA, BRIO)}
    assert {key: (part["n"], part["how"]) for key, part in tested.items()} == {
        CORA: (108, "mean over folds"), BRIO: (128, "mean over folds")
    }  # fmt: skip
    assert {cut["corpus"] for cut in first.config["cuts"]} == {ARIA}
    for row in domain_scores([first])[1:]:
        part = tested[row["tested_on"][0]]
        assert row["domain"] == "out" and row["uar"]["mean"] == pytest.approx(part["uar"]["value"])
    answer = emoset("compare", first.name, second.name, "-d", workspace)
    assert answer.code == 1 and "occur more than once" in answer.err
    assert "mend: train it with a partition of one fold, such as --partition speakers" in answer.err


@pytest.mark.slow
def test_a_network_has_one_head_and_can_be_looked_at(emoset, prepared, tmp_path, one_thread):
    place = Path(shutil.copytree(prepared, tmp_path / "w"))
    run = train(emoset, place, "cnn", "--pool", *LINE, *QUICK)
    assert run.name.startswith(f"{ARIA}+{BRIO}_cnn-scratch_pool-standard-unseen-{CORA}-three-class-quick_")
    assert list(run.config["heads"]) == ["three-class"] and set(run.config["entries"]) == {ARIA, BRIO, CORA}
    assert set(pd.read_csv(run.folder / "seen.csv")["corpus"]) == {ARIA, BRIO}
    rows = emoset("evaluate", run.name, f"{run.name}:final", "-d", place, "--json", "-q").json()["domains"]
    assert [(row["domain"], row["n"]) for row in rows] == [("in", 40), ("in", 32), ("in", 72), ("out", 108)] * 2
    for on, count in (("test", 108), ("within", 72)):
        words = ["plot", "embedding", run.name, "--method", "pca", "--on", on, "--device", "cpu"]
        answer = emoset(*words, "-d", place, "--json", "-q")
        assert answer.code == 0 and answer.json()["n"] == count, answer.err
    answer = emoset("evaluate", run.name, "--cross", "-d", place)
    assert answer.code == 1 and f"across corpora already: it tests {CORA}, unseen in training" in answer.err
    tuned = [*QUICK, "--labels", "three-class", "-m", "finetune", "-im", run.name, "-d", place]
    (made,) = emoset("train", "cnn", "-t", CORA, *tuned, "--json").json()
    assert made["setting"] == "three-class > finetune"
    answer = emoset("plot", "embedding", made["run"], "--on", "within", "--device", "cpu", "-d", place)
    assert answer.code == 1 and f"{made['run']} has no utterances in within\n  mend: --on test, devel" in answer.err
    answer = emoset("train", "cnn", "-t", BRIO, "--unseen", ARIA, *tuned)
    assert answer.code == 1 and "was trained on" in answer.err  # what it heard cannot be unseen


@pytest.mark.slow
def test_a_run_that_leaves_languages_out_can_be_looked_at(emoset, prepared, tmp_path, one_thread):
    place = Path(shutil.copytree(prepared, tmp_path / "w"))
    run = train(emoset, place, "cnn", "-t", f"{ARIA},{CORA}", "--partition", "lolo:folds:3", *LINE[2:], *QUICK)
    plot = ["plot", "embedding", run.name, "--fold", "qac/2", "--method", "pca", "--device", "cpu", "-d", place]
    for on in ("test", "within"):
        answer = emoset(*plot, "--on", on, "--json", "-q")
        tested = run.predictions().query("partition == 'test'") if on == "test" else run.within()
        assert answer.code == 0 and answer.json()["n"] == (tested["fold"] == "qac/2").sum(), answer.err
    answer = emoset("evaluate", run.name, "--cross", "-d", place)
    assert answer.code == 1 and "its partition lolo:folds:3 tests what was left out of the training" in answer.err


# ---------------- what is refused


@pytest.mark.parametrize(
    ("words", "problem", "mend"),
    [
        (["-t", f"{ARIA},{CORA}", "--pool", *LINE], f"{CORA} cannot be both trained on and unseen", "leave it out of"),
        (["-t", f"{ARIA},{BRIO}", *LINE], f"{ARIA}, {BRIO} do not share one classifier", "add --pool and a label"),
        (LINE, f"{ARIA}, {BRIO} do not share one classifier", "or name one corpus by -t"),
        (["-t", ARIA, *LINE[:2]], f"the corpora {ARIA}, {CORA} have different labels", "--labels three-class"),
        (["--pool", *LINE[:2]], "have different labels, and this partition tests across", "--labels three-class"),
        (["-t", ARIA, *LINE, "--partition", "loco"], "--unseen and --partition loco both choose", "leave one of them"),
        (["--unseen", f"{ARIA},{BRIO},{CORA}"], "all prepared corpora are unseen", "name fewer by --unseen"),
        (["-t", ARIA, "--unseen", "demo-kora"], "unknown prepared corpus (in", f"did you mean '{CORA}'"),
        (["-t", ARIA, *LINE[:2], "--labels", "arousal,valence"], "are several domains", "name one of them"),
        (["-t", ARIA, *LINE, "--repeat"], f"{ARIA} is trained alone: --repeat", "leave it out"),
    ],
)  # fmt: skip
def test_what_cannot_be_tested_is_refused(emoset, done, words, problem, mend):
    answer = emoset("train", "svm", *words, "-d", done)
    assert (answer.code, answer.out) == (1, "")
    told = answer.err.rstrip("\n").split("\n")[-2:]
    assert problem in told[0] and mend in told[1]


def test_an_unseen_corpus_of_which_nothing_is_in_the_space_is_refused(emoset, workspace):
    space = "warmth:\n  map: {warm: [neutral], cold: [sadness]}\n  source: mine\n"
    (workspace / "label_spaces.yaml").write_text(space, "utf-8")
    answer = emoset("train", "svm", "-t", ARIA, "--unseen", CORA, "--labels", "warmth", "-d", workspace)
    assert answer.code == 1 and f"no utterance of {CORA} is in label space warmth: there is nothing" in answer.err
    assert f"mend: choose another --labels, or leave {CORA} out of --unseen" in answer.err


def test_a_shared_network_with_own_labels_has_no_unseen(emoset, prepared):
    answer = emoset("train", "cnn", "-t", f"{ARIA},{BRIO}", "-mt", "--unseen", CORA, *QUICK, "-d", prepared)
    assert answer.code == 1 and "do not share one classifier, which --unseen demo-cora needs" in answer.err
