"""What lies in two partitions, two corpora or under two speakers: found, told, and an exit code."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from hypothesis import given
from hypothesis import strategies as st

from emoset_cli.leaks import anywhere, find, in_partition, with_leaks
from emoset_cli.partition import Partition, pooled


class Entry:
    """What of a registry entry is asked for here."""

    def __init__(self, take: tuple[str, ...] = (), shares_speakers: tuple[str, ...] = ()) -> None:
        self.take, self.shares_speakers = take, shares_speakers


def table(*rows: tuple[str, str, str, str, str]) -> pd.DataFrame:
    """Utterances from (corpus/id, speaker, label, text, audio)."""
    names = ["utterance", "speaker", "label", "text", "audio"]
    found = pd.DataFrame(rows, columns=names)
    return found.assign(corpus=found["utterance"].str.partition("/")[0])


def split(utterances: pd.DataFrame, *parts: str, name: str = "made") -> Partition:
    """One fold for each word such as ``train train test``; - is not used."""
    folds = {str(n): [w.replace("-", "") for w in words.split()] for n, words in enumerate(parts, 1)}
    return Partition(name, 0, pd.DataFrame(folds, index=pd.Index(utterances["utterance"], name="utterance"), dtype=str))


FOUR = table(
    ("a/1", "s1", "anger", "t1", "x"),
    ("a/2", "s1", "anger", "t1", "y"),
    ("a/3", "s2", "anger", "t1", "x"),
    ("a/4", "s2", "fear", "", "z"),
)


def test_equal_samples_in_two_partitions_of_a_fold() -> None:
    found = in_partition(split(FOUR, "train train test devel", "train - - test"), FOUR, {})
    assert [(leak.kind, leak.partition, leak.groups) for leak in found] == [("audio", "made", [["a/1", "a/3"]])]
    assert found[0].text == "fold 1: the same samples in a/1 (train) and a/3 (test)"
    assert in_partition(split(FOUR, "train test train devel"), FOUR, {}) == []
    assert in_partition(split(FOUR, "train train - test"), FOUR, {}) == []


def test_takes_belong_together_where_the_registry_says_so() -> None:
    partition = split(FOUR, "train test train devel")
    by_speaker = in_partition(partition, FOUR, {"a": Entry(take=("speaker", "text", "label"))})
    assert [leak.text for leak in by_speaker] == ["fold 1: takes of one sentence in a/1 (train) and a/2 (test)"]
    by_text = in_partition(partition, FOUR, {"a": Entry(take=("text",))})
    assert by_text[0].groups == [["a/1", "a/2", "a/3"]]  # a/4 has no text: nobody knows what it says
    assert in_partition(partition, FOUR, {"a": Entry(take=("session",))}) == []  # a column that is not there


def test_takes_of_two_corpora_are_not_one() -> None:
    both = table(("a/1", "s", "fear", "t", "x"), ("b/1", "s", "fear", "t", "y"))
    entry = Entry(take=("speaker", "text", "label"))
    assert in_partition(split(both, "train test"), both, {"a": entry, "b": entry}) == []


def test_several_groups_are_one_leak_with_all_groups() -> None:
    many = table(*((f"a/{n}", f"s{n}", "fear", "", f"x{n % 3}") for n in range(6)))
    found = in_partition(split(many, "train train train test test test", "devel " * 6), many, {})
    assert [len(leak.groups) for leak in found] == [3]
    assert found[0].text == "fold 1: the same samples in a/0 (train) and a/3 (test); 2 more such groups"
    assert found[0].facts()["count"] == 3


SHARED = table(
    ("a/1", "s1", "fear", "", "1"),
    ("a/2", "s2", "fear", "", "2"),
    ("b/1", "s1", "fear", "", "3"),
    ("b/2", "s2", "fear", "", "4"),
)


def test_speakers_that_two_corpora_share_when_declared() -> None:
    crossed = split(SHARED, "train train test train")
    registry = {"a": Entry(shares_speakers=("b",)), "b": Entry()}
    found = in_partition(crossed, SHARED, registry)
    assert [(leak.kind, leak.groups) for leak in found] == [("speaker", [["a/s1", "b/s1"]])]
    assert found[0].text == "fold 1: speaker s1 in a (train) and b (test), which share speakers by the registry"
    assert in_partition(crossed, SHARED, {"a": Entry(), "b": Entry(shares_speakers=("a",))})[0].groups
    assert in_partition(crossed, SHARED, {}) == []  # equal ids alone say nothing
    assert in_partition(split(SHARED, "train test train test"), SHARED, registry) == []


def test_shared_speakers_whose_ids_differ() -> None:
    other = SHARED.assign(speaker=["s1", "s2", "x1", "x2"])
    registry = {"a": Entry(shares_speakers=("b",)), "b": Entry()}
    found = in_partition(split(other, "train train test test"), other, registry)
    assert found[0].text == (
        "fold 1: speakers, whom their ids do not tell, in a (train) and b (test), which share speakers by the registry"
    )
    assert in_partition(split(other, "train train train train"), other, registry) == []


def test_equal_recordings_of_two_speakers_and_of_two_corpora() -> None:
    rows = table(
        ("a/1", "s1", "fear", "", "x"), ("a/2", "s2", "fear", "", "x"), ("a/3", "s1", "fear", "", "y"),
        ("a/4", "s1", "joy", "", "y"), ("a/5", "s1", "joy", "", "z"), ("b/1", "s1", "joy", "", "z"),
    )  # fmt: skip
    assert [(leak.text, leak.groups) for leak in anywhere(rows)] == [
        ("the same samples in two corpora: a/5 and b/1", [["a/5", "b/1"]]),
        ("the same samples in two speakers: a/1 and a/2", [["a/1", "a/2"]]),
    ]
    assert [leak.groups for leak in anywhere(rows, [frozenset(("a/5", "b/1"))])] == [[["a/1", "a/2"]]]
    crossing = split(rows, "train test train train - -")
    assert [leak.text for leak in find([crossing], rows, {})] == [
        "fold 1: the same samples in a/1 (train) and a/2 (test)",
        "the same samples in two corpora: a/5 and b/1",
    ]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["train", "devel", "test", ""])), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_leaks_are_what_a_loop_over_pairs_finds(rows: list[tuple[int, str]], random: Any) -> None:
    made = table(*((f"a/{n}", f"s{n}", "fear", "", str(sound)) for n, (sound, _) in enumerate(rows)))
    partition = Partition("p", 0, pd.DataFrame({"1": [part for _, part in rows]}, made["utterance"], dtype=str))
    pairs = {
        sound for sound, part in rows for other, elsewhere in rows
        if sound == other and part and elsewhere and part != elsewhere
    }  # fmt: skip
    order = random.sample(range(len(rows)), len(rows))
    found = in_partition(partition, made.iloc[order], {})
    assert sum(len(leak.groups) for leak in found) == len(pairs)
    assert with_leaks(partition, made, {}).leaks == [leak.text for leak in found]


def test_pooled_partitions_keep_who_is_where() -> None:
    a, b = SHARED[:2], SHARED[2:]
    both = pooled({"a": split(a, "train test", name="x"), "b": split(b, "devel -", name="y")})
    assert (both.name, both.folds, both.table["1"].tolist()) == ("pool-x+y", ["1"], ["train", "test", "devel", ""])
    assert both.notes == ["a: partition x, seed 0", "b: partition y, seed 0"]


# ------------------------------------------------------------------------------------------------ commands

ENTRY = """
mini:
  language: deu
  path: '(?P<speaker>[fm]\\d)_(?P<text>s\\d)_(?P<label>[WN])(?P<take>\\d)$'
  labels: {W: anger, N: neutral}
  gender: {}
  take: [speaker, text, label]
  partitions:
    by-take: {by: take, values: {"1": train, "2": devel, "3": test}, speakers_cross: true, source: nobody}
""".replace("  gender: {}\n", "")


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """Six speakers with three takes of one sentence in two labels; f1_s1_W1 and m2_s1_N3 hold the same samples."""
    folder = tmp_path / "mini"
    folder.mkdir()
    random = np.random.default_rng(0)
    for speaker in ("f1", "f2", "f3", "m1", "m2", "m3"):
        for take in "123":
            for label in "WN":
                soundfile.write(folder / f"{speaker}_s1_{label}{take}.wav", random.normal(0, 0.1, 8000), 16000)
    (folder / "m2_s1_N3.wav").write_bytes((folder / "f1_s1_W1.wav").read_bytes())
    (tmp_path / "own.yaml").write_text(ENTRY)
    return folder


def test_the_command_tells_leaks_and_exits_with_1(emoset: Callable, mini: Path, tmp_path: Path) -> None:
    common = ("-d", tmp_path / "ws", "--registry", tmp_path / "own.yaml")
    result = emoset("prepare", f"mini={mini}", "--partition", "by-take", *common)
    told = "WARNING: mini: LEAK in partition by-take: fold 1: takes of one sentence in mini/f1_s1_W1 (train)"
    assert told in result.err
    result = emoset("corpora", "leaks", "--json", *common)
    assert result.code == 1
    assert [(leak["kind"], leak["count"]) for leak in result.json()["leaks"]] == [("audio", 1), ("take", 12)]
    result = emoset("corpora", "leaks", "mini", *common)
    assert result.code == 1 and "11 more such groups" in result.out and "by-take (36 utterances)" in result.out


def test_equal_recordings_of_two_speakers_leak_in_any_partition(emoset: Callable, mini: Path, tmp_path: Path) -> None:
    common = ("-d", tmp_path / "ws", "--registry", tmp_path / "own.yaml")
    assert emoset("prepare", f"mini={mini}", *common).code == 0
    result = emoset("corpora", "leaks", "--partition", "loso", *common)
    assert result.code == 1 and "the same samples in mini/f1_s1_W1" in result.out
    (mini / "m2_s1_N3.wav").unlink()
    assert emoset("prepare", f"mini={mini}", *common).code == 0
    result = emoset("corpora", "leaks", "--partition", "loso", *common)
    assert (result.code, result.err) == (0, "") and "none" in result.out


def test_a_partition_that_is_not_possible_is_an_error_only_if_asked_for(
    emoset: Callable, mini: Path, tmp_path: Path
) -> None:
    for path in mini.iterdir():
        if path.name[:2] not in {"f1", "m1"}:
            path.unlink()
    common = ("-d", tmp_path / "ws", "--registry", tmp_path / "own.yaml")
    emoset("prepare", f"mini={mini}", *common)
    result = emoset("corpora", "leaks", *common)
    assert result.code == 0 and "note: mini: no partition: 2 speakers" in result.err and "no partition" in result.out
    result = emoset("corpora", "leaks", "--partition", "loso", *common)
    assert result.code == 1 and "error: mini: loso needs at least 3 speakers" in result.err and not result.out


def test_training_on_a_leaking_partition_warns_and_writes_it_down(emoset: Callable, workspace: Path) -> None:
    folder = workspace / "corpora" / "demo-aria"
    utterances = pd.read_parquet(folder / "utterances.parquet")
    parts = pd.read_csv(folder / "partition.csv")
    where = dict(zip(parts["utterance"], parts["partition"], strict=True))
    first, second = (next(u for u in utterances["utterance"] if where[u] == part) for part in ("train", "test"))
    columns = ["audio", "shard", "offset", "samples"]
    utterances.loc[utterances["utterance"] == second, columns] = utterances.loc[
        utterances["utterance"] == first, columns
    ].to_numpy()
    from emoset_cli.files import read_json, write_json
    from emoset_cli.prepare import data_hash

    utterances.to_parquet(folder / "utterances.parquet", index=False)
    write_json(folder / "prepare.json", read_json(folder / "prepare.json") | {"data": data_hash(utterances)})
    result = emoset("train", "svm", "-t", "demo-aria", "-d", workspace, "-q", "--json")
    told = f"fold 1: the same samples in {first} (train) and {second} (test)"
    assert result.code == 0 and f"WARNING: demo-aria: LEAK in partition standard: {told}\n" in result.err
    config = yaml.safe_load((Path(result.json()[0]["folder"]) / "config.yaml").read_text())
    assert config["partition"]["leaks"] == [told]
