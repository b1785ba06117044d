"""Partitions: speakers never cross, everything is tested once, the seed alone decides, and what is wrong is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoset_cli.balance import deal, speaker_features
from emoset_cli.corpora import Corpus, Fold, Published, load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.partition import PARTITIONS, Partition, checked, read_partition, write_partition
from emoset_cli.protocols import PROTOCOLS, default_spec, make_partition

CORPORA = load_corpora()
LABELS = ["anger", "fear", "joy", "sadness"]


def table(speakers: dict[str, str], utterances: Any = 8, corpus: str = "own", language: str = "deu") -> pd.DataFrame:
    """An utterance table: speakers -> gender; ``utterances`` of each, or a function of its number."""
    count = utterances if callable(utterances) else lambda number: utterances
    rows = [
        (corpus, f"{corpus}/{speaker}_{take}", speaker, gender, language, LABELS[take % 4], f"t{take % 2}",
         f"{corpus}{speaker}{take}")
        for number, (speaker, gender) in enumerate(speakers.items())
        for take in range(count(number))
    ]  # fmt: skip
    return pd.DataFrame(
        rows, columns=["corpus", "utterance", "speaker", "gender", "language", "label", "text", "audio"]
    )


def people(women: int, men: int) -> dict[str, str]:
    return {f"f{n:02d}": "female" for n in range(women)} | {f"m{n:02d}": "male" for n in range(men)}


def corpus(key: str = "own", **fields: Any) -> Corpus:
    return replace(CORPORA["emodb"], **({"key": key, "partitions": {}, "default_partition": None} | fields))


def published(**fields: Any) -> Published:
    empty = {
        "name": "paper", "folds": {}, "labels": (), "by": {}, "values": {}, "speakers_cross": False,
        "source": "a paper",
    }  # fmt: skip
    return Published(**(empty | fields))


def make(spec: str, utterances: pd.DataFrame, seed: int = 0, **fields: Any) -> Partition:
    keys = utterances["corpus"].unique()
    return make_partition(spec, utterances, {key: corpus(key, **fields) for key in keys}, seed)


def speakers_of(partition: Partition, utterances: pd.DataFrame, fold: str, part: str) -> set[str]:
    """Corpus and speaker of a partition's members, by utterance id: the rows of the two may be in any order."""
    names = partition.table.index[partition.members(fold, part)]
    rows = utterances[utterances["utterance"].isin(names)]
    return set(rows["corpus"] + "/" + rows["speaker"])


def assert_sound(partition: Partition, utterances: pd.DataFrame) -> None:
    """No speaker in two partitions of a fold; none empty; every utterance in one."""
    assert sorted(partition.table.index) == sorted(utterances["utterance"])
    for fold in partition.folds:
        parts = [speakers_of(partition, utterances, fold, part) for part in PARTITIONS]
        assert all(parts)
        assert sum(map(len, parts)) == len(set.union(*parts))
        assert set(partition.table[fold]) == set(PARTITIONS)


def assert_tested_once(partition: Partition) -> None:
    assert ((partition.table == "test").sum(axis=1) == 1).all()


@st.composite
def tables(draw: Callable, most: int = 9) -> pd.DataFrame:
    """Random utterance tables of 3 and more speakers, in random order."""
    names = draw(st.lists(st.text("ab01", min_size=1, max_size=3), min_size=3, max_size=most, unique=True))
    rows = []
    for name in names:
        gender = draw(st.sampled_from(["female", "male", ""]))
        for take, label in enumerate(draw(st.lists(st.sampled_from(LABELS), min_size=1, max_size=5))):
            rows.append(("own", f"own/{name}_{take}", name, gender, "deu", label, "", f"{name}{take}"))
    frame = pd.DataFrame(draw(st.permutations(rows)), columns=list(table({"a": ""}).columns))
    return frame


@settings(max_examples=25, deadline=None)
@given(tables(), st.data())
def test_every_protocol_is_sound(utterances: pd.DataFrame, data: st.DataObject) -> None:
    groups = data.draw(st.integers(3, utterances["speaker"].nunique()))
    seed = data.draw(st.integers(0, 3))
    for spec in ("speakers", "speakers:2/1/1", "loso", f"losgo:{groups}", f"folds:{groups}"):
        partition = make(spec, utterances, seed)
        assert_sound(partition, utterances)
        assert (partition.name, partition.gaps is not None) == (spec, True)
        if not spec.startswith("speakers"):
            assert_tested_once(partition)
            assert len(partition.folds) == (utterances["speaker"].nunique() if spec == "loso" else groups)
        shuffled = utterances.sample(frac=1, random_state=seed)
        again = make(spec, shuffled, seed)
        assert again.hash == partition.hash and again.gaps == partition.gaps
        assert again.table.index.tolist() == shuffled["utterance"].tolist()


@settings(max_examples=25, deadline=None)
@given(st.lists(tables(4), min_size=2, max_size=3), st.integers(0, 3))
def test_leaving_corpora_and_languages_out_is_sound(frames: list[pd.DataFrame], seed: int) -> None:
    for number, frame in enumerate(frames):  # the same speaker ids occur in several corpora
        frame["corpus"], frame["language"] = f"c{number}", "deu" if number == 0 else "eng"
        frame["utterance"] = frame["corpus"] + "/" + frame["utterance"]
    utterances = pd.concat(frames, ignore_index=True)
    for spec, column in (("loco", "corpus"), ("lolo", "language")):
        partition = make(spec, utterances, seed)
        assert_sound(partition, utterances)
        assert_tested_once(partition)
        assert partition.folds == sorted(utterances[column].unique())
        for fold in partition.folds:
            assert set(utterances[column][partition.members(fold, "test")]) == {fold}
        backward = pd.concat(frames[::-1], ignore_index=True)
        assert make(spec, backward, seed).hash == partition.hash


@pytest.mark.parametrize("spec", ["speakers", "folds:4", "losgo:4", "loco"])
def test_the_seed_alone_decides(spec: str) -> None:
    utterances = table(people(10, 10))
    if spec == "loco":
        utterances = pd.concat([utterances, table(people(9, 9), corpus="other")], ignore_index=True)
    assert make(spec, utterances, 1).hash == make(spec, utterances, 1).hash
    assert len({make(spec, utterances, seed).hash for seed in range(5)}) > 1
    assert make(spec, utterances, 1).seed == 1


def test_hash_is_of_who_is_where() -> None:
    utterances = table(people(4, 4))
    partition = make("speakers", utterances)
    other = partition.table.copy()
    other.iloc[0, 0] = "devel" if other.iloc[0, 0] != "devel" else "test"
    assert replace(partition, table=other).hash != partition.hash
    assert replace(partition, table=partition.table.rename(columns={"1": "2"})).hash != partition.hash
    assert replace(partition, table=partition.table.iloc[::-1], notes=["x"]).hash == partition.hash


def test_ratio_is_near_70_15_15_and_balanced() -> None:
    utterances = table(people(10, 10))
    partition = make("speakers", utterances)
    sizes = {part: int(partition.members("1", part).sum()) for part in PARTITIONS}
    assert sizes == {"train": 14 * 8, "devel": 3 * 8, "test": 3 * 8}
    for part, women in (("train", {7}), ("devel", {1, 2}), ("test", {1, 2})):
        found = speakers_of(partition, utterances, "1", part)
        assert sum("/f" in speaker for speaker in found) in women
        labels = utterances["label"][partition.members("1", part)].value_counts(normalize=True)
        assert np.allclose(labels, 0.25)
    many = make("speakers", table(people(20, 20)))
    assert [float(many.members("1", part).mean()) for part in PARTITIONS] == pytest.approx([0.7, 0.15, 0.15], abs=0.001)


@pytest.mark.parametrize(
    "spec, shares", [("speakers:60/20/20", (0.6, 0.2, 0.2)), ("speakers:1/1/2", (0.25, 0.25, 0.5))]
)
def test_shares_are_kept_for_unequal_speakers(spec: str, shares: tuple[float, ...]) -> None:
    partition = make(spec, table(people(12, 12), lambda number: 4 + 4 * (number % 5)))
    for part, share in zip(PARTITIONS, shares, strict=True):
        assert partition.members("1", part).mean() == pytest.approx(share, abs=0.05)


@pytest.mark.parametrize("spec", ["folds:5", "losgo:5"])
def test_groups_hold_equally_many_of_each_gender(spec: str) -> None:
    utterances = table(people(10, 10))
    partition = make(spec, utterances)
    for number, fold in enumerate(partition.folds):
        test = speakers_of(partition, utterances, fold, "test")
        assert len(test) == 4 and sum("/f" in speaker for speaker in test) == 2
        following = partition.folds[(number + 1) % 5]
        assert speakers_of(partition, utterances, fold, "devel") == speakers_of(
            partition, utterances, following, "test"
        )


def test_a_rare_label_reaches_all_groups() -> None:
    utterances = table(people(6, 6), 3)  # anger, fear, joy
    for speaker in ("f00", "f01", "m00"):
        utterances.loc[utterances["utterance"] == f"own/{speaker}_0", "label"] = "boredom"
    assert make("speakers", utterances).gaps == []


def test_loso_takes_devel_speakers_in_turn() -> None:
    utterances = table(people(12, 12))
    partition = make("loso", utterances)
    assert partition.folds == sorted(people(12, 12))
    served: dict[str, int] = {}
    for fold in partition.folds:
        assert speakers_of(partition, utterances, fold, "test") == {f"own/{fold}"}
        devel = speakers_of(partition, utterances, fold, "devel")
        assert len(devel) == 3 and {speaker[4] for speaker in devel} == {"f", "m"}
        for speaker in devel:
            served[speaker] = served.get(speaker, 0) + 1
    assert len(served) == 24 and max(served.values()) - min(served.values()) <= 2


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(1, 100), min_size=3, max_size=8),
    st.lists(st.floats(0.001, 1), min_size=2, max_size=8),
    st.integers(0, 9),
)
def test_deal_fills_every_group(sizes: list[float], shares: list[float], seed: int) -> None:
    shares = shares[: len(sizes)]
    groups = deal(np.array(sizes)[:, None], tuple(share / sum(shares) for share in shares), seed)
    assert groups.shape == (len(sizes),) and set(groups) == set(range(len(shares)))
    assert np.array_equal(groups, deal(np.array(sizes)[:, None], tuple(s / sum(shares) for s in shares), seed))


def test_deal_of_equal_speakers_is_exact() -> None:
    features = speaker_features(table(people(8, 8)), sorted(people(8, 8)))
    assert features.tolist() == [[8, 2, 2, 2, 2, *([1, 0] if n < 8 else [0, 1])] for n in range(16)]
    groups = deal(features, (0.25,) * 4, 0)
    assert [features[groups == group].sum(axis=0).tolist() for group in range(4)] == [[32, 8, 8, 8, 8, 2, 2]] * 4


@pytest.mark.parametrize(
    "spec, speakers, problem",
    [
        ("speakers", 2, r"2 speakers \(f00, f01\) cannot make train, devel and test\n  mend: use the"),
        ("loso", 2, r"loso needs at least 3 speakers, there are 2\n  mend: --partition loco with other corpora"),
        ("losgo:3", 2, r"losgo needs at least 3 speakers, there are 2\n  mend: --partition loco"),
        ("folds:2", 1, r"folds needs at least 3 speakers, there are 1\n"),
        ("folds:9", 8, r"'folds:9' needs a number of groups from 3 to 8 \(the .*\)\n  mend: for .*folds:5"),
        ("losgo:2", 4, r"'losgo:2' needs a number of groups from 3 to 4 .*\n  mend: for example --partition losgo:4"),
        ("folds", 8, r"'folds:' needs a number of groups"),
        ("folds:x", 8, r"'folds:x' needs a number of groups"),
        ("folds:²", 8, r"'folds:²' needs a number of groups"),
        ("folds:-3", 8, r"'folds:-3' needs a number of groups"),
        ("speakers:70/30", 8, r"'speakers:70/30' does not give three shares\n  mend: for .*speakers:70/15/15"),
        ("speakers:70/30/0", 8, r"'speakers:70/30/0' does not give three shares"),
        ("speakers:a/b/c", 8, r"'speakers:a/b/c' does not give three shares"),
        ("speakers:nan/1/1", 8, r"'speakers:nan/1/1' does not give three shares"),
        ("speakers:inf/1/1", 8, r"'speakers:inf/1/1' does not give three shares"),
        ("loso:3", 8, r"'loso:3': loso takes no argument\n  mend: --partition loso, or losgo:K"),
        ("loco:3", 8, r"'loco:3': loco takes no argument"),
        ("published:x", 8, r"'published:x': published takes no argument"),
        ("speaker", 8, r"unknown partition of own 'speaker'\n  mend: did you mean 'speakers'\? known: folds, "),
        ("papier", 8, r"unknown partition of own 'papier'\n  mend: did you mean 'paper'\?"),
        ("", 8, r"unknown partition of own ''\n  mend: known: folds"),
        ("published", 8, r"own has no default published partition \(named ones: paper\)\n  mend: --partition"),
        ("loco", 8, r"loco needs at least two corpora, not \['own'\]\n  mend: name more corpora with -t"),
        ("lolo", 8, r"lolo needs at least two languages, not \['deu'\]"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(spec: str, speakers: int, problem: str) -> None:
    with pytest.raises(EmosetError, match=problem):
        make(spec, table(people(speakers, 0)), partitions={"paper": published()})


def test_utterances_without_a_speaker_are_refused() -> None:
    utterances = table(people(4, 4))
    utterances.loc[3, "speaker"] = ""
    with pytest.raises(EmosetError, match="1 utterances have no speaker, the first is own/f00_3\n  mend: let `path`"):
        make("speakers", utterances)


def test_published_lists() -> None:
    utterances = table(people(3, 3))
    partition = make(
        "paper", utterances, partitions={"paper": published(folds={"1": Fold(None, ("f01",), ("f02", "m02"))})}
    )
    assert_sound(partition, utterances)
    assert speakers_of(partition, utterances, "1", "train") == {"own/f00", "own/m00", "own/m01"}
    assert speakers_of(partition, utterances, "1", "devel") == {"own/f01"}
    assert (partition.name, partition.source, partition.notes, partition.gaps) == ("paper", "a paper", [], [])
    given = published(folds={"1": Fold(("f00",), ("f01",), ("f02",))})
    partial = make("published", utterances, partitions={"paper": given}, default_partition="paper")
    assert (partial.table["1"] == "").sum() == 3 * 8
    assert make("paper", utterances, 7, partitions={"paper": given}).hash == partial.hash


def test_published_folds_without_devel_take_it_from_train() -> None:
    utterances = table(people(5, 5))
    folds = {"1": Fold(None, (), ("f00", "m00")), "2": Fold(("f00", "m00", "f01"), (), ("f02",))}
    partition = make("paper", utterances, partitions={"paper": published(folds=folds)})
    assert [speakers_of(partition, utterances, fold, "devel") for fold in "12"] == [{"own/f01"}, {"own/m00"}]
    assert partition.notes == [
        "fold 1: no devel is published; training speakers f01 serve as devel",
        "fold 2: no devel is published; training speakers m00 serve as devel",
    ]
    for fold in "12":
        parts = [speakers_of(partition, utterances, fold, part) for part in PARTITIONS]
        assert all(parts) and sum(map(len, parts)) == len(set.union(*parts))


def test_published_labels_leave_the_others_out() -> None:
    utterances = table(people(3, 0))
    fold = Fold(None, ("f01",), ("f02",))
    partition = make("paper", utterances, partitions={"paper": published(folds={"1": fold}, labels=("anger", "joy"))})
    used = partition.table["1"].to_numpy() != ""
    assert set(utterances["label"][used]) == {"anger", "joy"} and used.sum() == 12
    assert partition.gaps == []


def test_published_by_a_column() -> None:
    utterances = table(people(3, 3)).assign(session=lambda t: t["speaker"].str[1:])
    by = published(by={"1": "session"}, values={"00": "train", "01": "devel", "02": "test"})
    partition = make("paper", utterances, partitions={"paper": by})
    assert_sound(partition, utterances)
    assert speakers_of(partition, utterances, "1", "test") == {"own/f02", "own/m02"}
    with pytest.raises(
        EmosetError, match="partition paper needs 'session', which the file names do not hold\n  mend: use"
    ):
        make("paper", utterances.drop(columns="session"), partitions={"paper": by})


def test_crossing_speakers_are_refused_unless_so_published() -> None:
    utterances = table(people(4, 0))
    values = {"t0": "train", "t1": "test"}
    crossing = published(by={"1": "text"}, values=values)
    utterances.loc[utterances["speaker"] == "f03", "text"] = "t2"
    crossing.values["t2"] = "devel"
    problem = (
        r"partition paper, fold 1: 3 speakers are in two partitions: own/f00 \(test and train\), own/f01 .*\n"
        r"  mend: give each speaker to one partition: a shared speaker inflates the results"
    )
    with pytest.raises(EmosetError, match=problem):
        make("paper", utterances, partitions={"paper": crossing})
    partition = make("paper", utterances, partitions={"paper": replace(crossing, speakers_cross=True)})
    assert partition.gaps[0] == "fold 1: 3 speakers are in several partitions, as published"


def test_gaps_are_noted() -> None:
    utterances = table(people(4, 4))
    utterances = utterances[(utterances["speaker"] != "f03") | (utterances["label"] == "joy")].reset_index(drop=True)
    fold = Fold(None, ("f02",), ("f03",))
    partition = make("paper", utterances, partitions={"paper": published(folds={"1": fold})})
    assert partition.gaps == ["fold 1: test has no anger, fear, sadness"]


def test_an_empty_partition_is_refused() -> None:
    utterances = table(people(3, 0))
    fold = Fold(None, ("f01",), ("gone",))
    with pytest.raises(EmosetError, match="partition paper, fold 1: test is empty\n  mend: choose another partition"):
        make("paper", utterances, partitions={"paper": published(folds={"1": fold})})


@pytest.mark.parametrize("spec", ["speakers", "loso", "folds:3"])
def test_file_round_trip(tmp_path: Path, spec: str) -> None:
    utterances = table({"01": "female", "02": "male", "no": "", "3e1": "male"})
    partition = make(spec, utterances)
    path = tmp_path / "own.csv"
    write_partition(path, partition, utterances)
    again = make(str(path), utterances)
    assert again.hash == partition.hash and again.gaps == partition.gaps
    assert (again.name, again.source, again.notes) == ("own.csv", "file own.csv", [])
    head = path.read_text().splitlines()[0]
    assert head == "corpus,utterance,speaker,label," + (
        "partition" if spec == "speakers" else ",".join(partition.folds)
    )
    assert read_partition(path, utterances.iloc[::-1]).hash == partition.hash


LINES = [f"own/f0{n}_{take},{part}" for n, part in enumerate(PARTITIONS) for take in range(8)]


STRANGER = "own.csv: 1 utterances are not in the corpus: own/f09_7\n  mend: correct or remove"
ODD_WORD = "own.csv holds 'dev' where a partition is expected\n  mend: use train, devel, test"


@pytest.mark.parametrize(
    "lines, problem",
    [
        (["utterance,partition", *LINES[:-1], "own/f02_7,train"], r"fold 1: 1 speakers .*: own/f02 \(test and train\)"),
        (["utterance,partition", *LINES, "own/f09_7,train"], STRANGER),
        (["utterance,partition", *LINES[:-1], "own/f02_7,dev"], ODD_WORD),
        (["utterance,partition", *LINES, LINES[0]], "own.csv lists own/f00_0 twice\n  mend: remove one"),
        (["utterance,partition", *LINES[:8]], "own.csv, fold 1: devel is empty"),
        (["file,partition", *LINES], "own.csv has columns file, partition\n  mend: it needs utterance and partition"),
        (["utterance", *LINES], r"own.csv (has columns|is not a CSV table)"),
        (["utterance;partition", *LINES], r"own.csv (has columns|is not a CSV table)"),
        ([], "own.csv is not a CSV table"),
        (["utterance,partition", "a,b,c,d", '"'], "own.csv is not a CSV table"),
        (["utterance,partition,gender", *(line + ",female" for line in LINES)], "own.csv holds 'female' where"),
    ],
    ids=["cross", "stranger", "odd", "twice", "empty", "column", "no fold", "semicolon", "void", "ragged", "more"],
)  # fmt: skip
def test_files_that_are_wrong(tmp_path: Path, lines: list[str], problem: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text("\n".join(lines))
    with pytest.raises(EmosetError, match=problem):
        make(str(path), table(people(3, 0)))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(EmosetError, match=r"there is no partition file .*gone\.csv\n  mend: give a CSV with columns"):
        make(str(tmp_path / "gone.csv"), table(people(3, 0)))
    (tmp_path / "own.csv").write_bytes(b"utterance,partition\n\xff\xfe,train\n")
    with pytest.raises(EmosetError, match=r"own\.csv is not a CSV table"):
        make(str(tmp_path / "own.csv"), table(people(3, 0)))


def test_utterances_a_file_leaves_out_are_noted(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("\n".join(["utterance,partition", *LINES[:-2], "own/f02_6,"]))
    partition = make(str(tmp_path / "own.csv"), table(people(4, 0)))
    assert partition.notes == ["9 utterances are not in own.csv and not used"]
    assert (partition.table["1"] == "").sum() == 10


@pytest.mark.parametrize(
    "key, name", [(key, name) for key, entry in CORPORA.items() for name in entry.partitions if entry.genders]
)
def test_partitions_of_the_registry(key: str, name: str) -> None:
    entry = CORPORA[key]
    rows = [
        (key, f"{key}/{speaker}_{label}", speaker, gender, "deu", label, "", f"{speaker}{label}")
        for speaker, gender in entry.genders.items()
        for label in entry.label_names
    ]
    utterances = pd.DataFrame(rows, columns=list(table({"a": ""}).columns))
    if (by := entry.partitions[name].by) and (missing := set(by.values()) - set(utterances)):
        pytest.skip(f"needs the columns {missing}")
    partition = make_partition(name, utterances, CORPORA)
    assert partition.source and set(partition.table.to_numpy().ravel()) >= set(PARTITIONS)
    assert default_spec(entry) in {*entry.partitions, *PROTOCOLS}


def test_the_check_can_be_given_any_table() -> None:
    utterances = table(people(3, 0))
    where = pd.DataFrame({"1": ["train"] * 8 + ["devel"] * 8 + ["test"] * 8}, index=utterances["utterance"])
    assert checked(Partition("mine", 0, where), utterances).gaps == []
    where.iloc[0, 0] = "test"
    with pytest.raises(EmosetError, match=r"partition mine, fold 1: 1 speakers .*: own/f00 \(test and train\)"):
        checked(Partition("mine", 0, where), utterances)
