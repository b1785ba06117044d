"""Aggregated corpora: labels equal in size in each corpus and partition, drawn by seed and id alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from emoset_cli.aggregate import Cut, balance, domains, ranks
from emoset_cli.errors import EmosetError
from emoset_cli.labels import left_out, order, own_file, relabel
from emoset_cli.partition import PARTITIONS, Partition


def utterances(rows: list[tuple[str, str]]) -> pd.DataFrame:
    """Utterances from (corpus, label), with ids by their place."""
    found = pd.DataFrame(rows, columns=["corpus", "label"])
    return found.assign(utterance=[f"{corpus}/{n:03}" for n, (corpus, _) in enumerate(rows)])


def split(table: pd.DataFrame, *folds: list[str]) -> Partition:
    index = pd.Index(table["utterance"], name="utterance")
    return Partition("made", 0, pd.DataFrame({str(n): fold for n, fold in enumerate(folds, 1)}, index, dtype="str"))


def test_a_case_by_hand() -> None:
    table = utterances([("a", "high")] * 5 + [("a", "low")] * 3 + [("a", "calm")] * 2 + [("b", "high")] * 2)
    parts = ["train"] * 4 + ["test"] + ["train", "train", "test"] + ["train"] * 2 + ["train", "test"]
    mapped = [None if label == "calm" else label for label in table["label"]]
    drawn, cuts = balance(split(table, parts), table, mapped)
    assert cuts == [
        Cut("a", "1", "train", {"high": 4, "low": 2}, {"high": 2, "low": 2}),
        Cut("a", "1", "test", {"high": 1, "low": 1}, {"high": 1, "low": 1}),
        Cut("b", "1", "train", {"high": 1}, {"high": 0}),  # nothing to balance it with
        Cut("b", "1", "test", {"high": 1}, {"high": 0}),
    ]
    where = drawn.table["1"].to_numpy()
    assert list(where[4:12]) == ["test", "train", "train", "test", "", "", "", ""]
    assert sorted(where[:4]) == ["", "", "train", "train"]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.sampled_from(["low", "high", "other", None]),
        st.sampled_from([*PARTITIONS, ""]),
    ), min_size=1, max_size=60,
)  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(ROWS, st.integers(0, 3), st.randoms(use_true_random=False))
def test_labels_are_equal_in_size_and_the_draw_depends_on_ids_alone(rows: list[Any], seed: int, random: Any) -> None:
    table = utterances([(corpus, label or "none") for corpus, label, _ in rows])
    mapped, parts = [label for _, label, _ in rows], [part for *_, part in rows]
    partition = split(table, parts)
    drawn, cuts = balance(partition, table, mapped, seed)
    where = drawn.table["1"].to_numpy()
    assert all(after in {"", before} for before, after in zip(parts, where, strict=True))  # a subset, none moved
    assert not any(part for part, label in zip(where, mapped, strict=True) if label is None)
    kept = pd.DataFrame({"corpus": table["corpus"], "part": where, "label": mapped})[where != ""]
    for (corpus, part), group in kept.groupby(["corpus", "part"]):
        counts = group["label"].value_counts()
        whole = [label for (c, label, p) in rows if (c, p) == (corpus, part) and label]
        assert counts.nunique() == 1 and len(counts) >= 2  # equal in size
        assert counts.min() == min(whole.count(label) for label in set(whole))  # and as many as there are
    assert sum(sum(cut.after.values()) for cut in cuts) == len(kept)
    places = random.sample(range(len(rows)), len(rows))
    shuffled = table.iloc[places].reset_index(drop=True)
    again, _ = balance(split(shuffled, [parts[i] for i in places]), shuffled, [mapped[i] for i in places], seed)
    assert again.table["1"].reindex(table["utterance"]).tolist() == list(where)


def test_another_seed_draws_others_and_another_corpus_changes_nothing() -> None:
    table = utterances([("a", "high")] * 40 + [("a", "low")] * 20 + [("b", "high")] * 9 + [("b", "low")] * 5)
    parts = ["train"] * len(table)
    first, second = (balance(split(table, parts), table, table["label"], seed)[0].hash for seed in (0, 1))
    assert first != second
    alone = table[:60]
    small, _ = balance(split(alone, parts[:60]), alone, alone["label"], 0)
    both, _ = balance(split(table, parts), table, table["label"], 0)
    assert small.table["1"].tolist() == both.table["1"].tolist()[:60]
    assert sorted(ranks(table["utterance"], 3)) == list(range(len(table)))


def test_each_fold_is_balanced_by_itself() -> None:
    table = utterances([("a", "high")] * 6 + [("a", "low")] * 3)
    folds = [["train"] * 4 + ["test"] * 2 + ["train"] * 2 + ["test"], ["test"] * 4 + ["train"] * 3 + ["test"] * 2]
    drawn, cuts = balance(split(table, *folds), table, table["label"])
    assert [(cut.fold, cut.partition, cut.after) for cut in cuts] == [
        ("1", "train", {"high": 2, "low": 2}), ("1", "test", {"high": 1, "low": 1}),
        ("2", "train", {"high": 1, "low": 1}), ("2", "test", {"high": 2, "low": 2}),
    ]  # fmt: skip
    assert (drawn.table != "").sum().tolist() == [6, 6]


def test_domains_are_both_tables() -> None:
    table = utterances([("a", label) for label in ("anger", "joy", "sadness", "neutral", "pain")] * 2)
    parts = ["train"] * 5 + ["test"] * 5
    own = {"a": table["label"].tolist()}
    mapped = {space: relabel(own, space) for space in ("arousal", "valence")}
    drawn, cuts = domains({"a": split(table, parts)}, {"a": table}, mapped)
    assert list(drawn.columns) == ["domain", "corpus", "utterance", "partition", "label", "mapped"]
    assert drawn.groupby("domain").size().to_dict() == {"arousal": 8, "valence": 6}
    assert set(drawn["mapped"]) == {"low", "high", "negative", "neutral", "positive"}
    assert drawn["partition"].tolist().count("train") == 7 and not (drawn["label"] == "pain").any()
    assert {domain: len(found) for domain, found in cuts.items()} == {"arousal": 2, "valence": 2}
    assert left_out(own, mapped["arousal"]) == {"a/pain": 2}
    assert left_out(own, mapped["arousal"], {"a": [True] * 5 + [False] * 5}) == {"a/pain": 1}


def test_what_cannot_be_aggregated() -> None:
    table = utterances([("a", "joy"), ("a", "sadness")] * 3)
    parts = ["train", "train", "devel", "devel", "test", "test"]
    mapped = {"arousal": relabel({"a": table["label"].tolist()}, "arousal")}
    with pytest.raises(
        EmosetError, match=r"partition made of a has 2 folds, an aggregated corpus has one\n  mend: .*spe"
    ):
        domains({"a": split(table, parts, parts)}, {"a": table}, mapped)
    joy = table[table["label"] == "joy"]
    alone = {"arousal": relabel({"a": joy["label"].tolist()}, "arousal")}
    with pytest.raises(EmosetError, match=r"no corpus has two labels of arousal in a partition\n  mend: choose other"):
        domains({"a": split(joy, parts[::2])}, {"a": joy}, alone)


def test_users_label_spaces_are_read_from_the_workspace(tmp_path: Path) -> None:
    assert own_file(tmp_path) is None
    (tmp_path / "label_spaces.yaml").write_text("heat:\n  map: {hot: [anger, joy], cold: [sadness]}\n  source: mine\n")
    labels = {"a": ["anger", "pain", "sadness"]}
    assert relabel(labels, "heat", own_file(tmp_path)) == {"a": ["hot", None, "cold"]}
    assert order("heat", {}, own_file(tmp_path)) == ["hot", "cold"] and order("common", labels) == sorted(labels["a"])
    with pytest.raises(EmosetError, match=r"unknown label space 'heat'\n  mend: .*arousal, common"):
        relabel(labels, "heat")


# ------------------------------------------------------------------------------------------------ commands


def test_the_command_writes_both_domains_and_says_what_is_left_out(emoset: Callable, workspace: Path) -> None:
    arguments = ("corpora", "aggregate", "--labels", "arousal,valence", "-d", workspace)
    result = emoset(*arguments, "--json")
    value = result.json()
    table = pd.read_parquet(value["table"])
    assert set(table["domain"]) == {"arousal", "valence"} and set(table["corpus"]) == set(value["corpora"])
    sizes = table.groupby(["domain", "corpus", "partition", "mapped"]).size()
    assert (sizes.groupby(["domain", "corpus", "partition"]).nunique() == 1).all()
    for cut in value["cuts"]:
        for label, n in cut["after"].items():
            assert sizes.get((cut["domain"], cut["corpus"], cut["partition"], label), 0) == n
    made = yaml.safe_load(Path(value["table"]).with_suffix(".json").read_text())
    assert made["seed"] == 0 and made["cuts"] == value["cuts"] and made["left_out"] == value["left_out"]
    for space, counts in value["left_out"].items():
        for label, count in counts.items():
            assert f"note: {label} has no entry in label space {space}: {count} utterances left out\n" in result.err
    again = emoset(*arguments)
    assert again.code == 0 and "Aggregated: arousal" in again.out and " → " in again.out


def test_another_aggregate_of_the_same_name_is_not_overwritten(emoset: Callable, workspace: Path) -> None:
    common = ("corpora", "aggregate", "--labels", "arousal", "--name", "mine", "-d", workspace, "-q")
    assert emoset(*common).code == 0 and emoset(*common).code == 0
    result = emoset(*common, "--seed", "1")
    assert result.code == 1 and "mine.parquet holds another aggregate" in result.err and result.out == ""
    assert "mend: choose another --name, or overwrite it with --force" in result.err
    assert emoset(*common, "--seed", "1", "--force").code == 0
    result = emoset("corpora", "aggregate", "--labels", "own", "-d", workspace)
    assert result.code == 1 and "corpora cannot be aggregated in their own labels" in result.err


def test_training_on_aggregated_utterances(emoset: Callable, workspace: Path) -> None:
    common = ("train", "svm", "-t", "demo-aria", "--labels", "arousal", "-d", workspace, "--json")
    whole = emoset(*common).json()[0]
    result = emoset(*common, "--aggregate")
    run = result.json()[0]
    assert "-arousal-aggregate_" in run["run"] and run["run"] != whole["run"]
    assert "note: demo-aria: aggregated, " in result.err and "in test too" in result.err
    config = yaml.safe_load((Path(run["folder"]) / "config.yaml").read_text())
    predictions = pd.read_csv(Path(run["folder"]) / "predictions.csv")
    tested = predictions[predictions["partition"] == "test"]["truth"].value_counts()
    cut = next(cut for cut in config["cuts"] if cut["partition"] == "test")
    assert tested.to_dict() == cut["after"] and tested.nunique() == 1
    other = emoset(*common, "--aggregate", "--seed", "1").json()[0]
    assert other["run"] != run["run"]


def test_pooled_training_keeps_each_corpus_own_partition(emoset: Callable, workspace: Path) -> None:
    common = ("train", "svm", "-d", workspace, "--json", "--pool")
    result = emoset(*common, "--labels", "arousal", "--aggregate")
    assert result.code == 0
    (run,) = result.json()
    config = yaml.safe_load((Path(run["folder"]) / "config.yaml").read_text())
    assert len(run["corpora"]) == 3 and config["partition"]["name"] == "pool-standard"
    predictions = pd.read_csv(Path(run["folder"]) / "predictions.csv", dtype=str)
    for key in run["corpora"]:
        own = pd.read_csv(workspace / "corpora" / key / "partition.csv").set_index("utterance")["partition"]
        mine = predictions[predictions["corpus"] == key]
        assert (own[mine["utterance"]].to_numpy() == mine["partition"]).all()
    assert emoset("evaluate", run["run"], "-d", workspace, "-q").code == 0
    result = emoset(*common)
    assert result.code == 1 and "have different labels, and they are trained together" in result.err
    result = emoset(*common, "--partition", "loco", "--labels", "arousal")
    assert result.code == 1 and "--pool keeps each corpus's own partition, loco divides by corpus" in result.err
    result = emoset("train", "svm", "-t", "demo-aria", "--aggregate", "-d", workspace)
    assert result.code == 1 and "there is nothing to aggregate in demo-aria's own labels" in result.err


def test_a_users_label_space_is_part_of_the_signature(emoset: Callable, workspace: Path) -> None:
    own = workspace / "label_spaces.yaml"
    names = []
    for cold in ("[neutral, sadness]", "[sadness]"):
        own.write_text(f"heat:\n  map: {{hot: [anger, happiness], cold: {cold}}}\n  source: mine\n")
        result = emoset("train", "svm", "-t", "demo-aria", "--labels", "heat", "-d", workspace, "--json")
        names.append(result.json()[0]["run"])
    assert names[0] != names[1] and "has no entry in label space heat" in result.err
