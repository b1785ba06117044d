"""Imports from and exports to other tools' formats: round trips, what is told, what is refused."""

import csv
import json
import pickle
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from emoset_cli.corpora import load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.exchange import FORMATS, Options
from emoset_cli.exchange.checks import seconds
from emoset_cli.exchange.exporting import export_corpora
from emoset_cli.exchange.importing import Imported, import_corpora
from emoset_cli.exchange.speakers import Speakers
from emoset_cli.files import write_json
from emoset_cli.partition import read_partition, write_partition
from emoset_cli.prepare import corpus_folder, prepare_corpus, read_utterances
from emoset_cli.protocols import default_spec, make_partition

DEMO = ("demo-aria", "demo-brio", "demo-cora")


def prepare(workspace: Path, key: str, audio: Path, spec: str = "") -> pd.DataFrame:
    """Prepare a corpus with its partition, as `emoset prepare` does; answer the utterances with a column a fold."""
    user = workspace / "corpora.yaml"
    known = load_corpora(user if user.is_file() else None)
    table = prepare_corpus(known[key], audio, workspace, workers=1).utterances
    partition = make_partition(spec or default_spec(known[key]), table, known)
    folder = corpus_folder(workspace, key)
    write_partition(folder / "partition.csv", partition, table)
    write_json(folder / "partition.json", {"name": partition.name})
    return with_folds(workspace, key)


def with_folds(workspace: Path, key: str) -> pd.DataFrame:
    table = read_utterances(workspace, key)
    folds = read_partition(corpus_folder(workspace, key) / "partition.csv", table).table
    folds = folds.rename(columns=lambda name: f"in_fold_{name}").reset_index(drop=True)
    return pd.concat([table.reset_index(drop=True), folds], axis=1)


def by_file(table: pd.DataFrame, *without: str) -> pd.DataFrame:
    """What must be equal after a round trip: all but the key, the ids made of it and the order of the columns."""
    ours = {"utterance", "corpus", "shard", "offset", "split", *without}
    order = [name for name in ("path", "start_s") if name in table]
    kept = sorted(name for name in table if name not in ours and not name.startswith("fold_"))
    return table[kept].sort_values(order).reset_index(drop=True)


def round_trip(prepared: Path, tmp: Path, key: str, audio: Path, format: str, **options: Any) -> tuple[Imported, Path]:
    export_corpora([key], load_corpora(), prepared, format, tmp / "out")
    source = tmp / "out" / key
    (made,) = import_corpora(
        "back", source if source.exists() else tmp / "out", tmp, tmp / "corpora.yaml", audio=audio, **options
    )
    return made, tmp


def table_of(folder: Path, header: str, *lines: str, name: str = "files.csv", encoding: str = "utf-8") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding=encoding)
    return path


def sounds(folder: Path, *names: str, seconds: float = 0.3) -> Path:
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(folder / name, 0.1 * rng.standard_normal(int(16000 * seconds)), 16000)
    return folder


def imported(tmp: Path, source: Path, key: str = "mine", **options: Any) -> Imported:
    (made,) = import_corpora(key, source, tmp / "ws", tmp / "ws" / "corpora.yaml", **options)
    return made


@pytest.fixture(scope="module")
def few(recordings: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first sentence of demo-cora, 18 utterances of 6 speakers."""
    folder = tmp_path_factory.mktemp("few") / "demo-cora"
    return Path(shutil.copytree(recordings["demo-cora"], folder, ignore=shutil.ignore_patterns("*_p0[2-9]_*")))


# Round trips


@pytest.mark.parametrize("key", DEMO)
def test_audformat_round_trip_loses_nothing(
    key: str, prepared: Path, recordings: dict[str, Path], tmp_path: Path
) -> None:
    made, workspace = round_trip(prepared, tmp_path, key, recordings[key], "audformat")
    back = prepare(workspace, "back", recordings[key])
    pd.testing.assert_frame_equal(by_file(back), by_file(with_folds(prepared, key)))
    assert made.format == "audformat" and made.warnings == []


@pytest.mark.parametrize("key", DEMO)
def test_emonet_round_trip_loses_nothing(key: str, prepared: Path, recordings: dict[str, Path], tmp_path: Path) -> None:
    """A setup holds files, labels and partition; with the grammar of the corpus all comes back."""
    made, workspace = round_trip(
        prepared, tmp_path, key, recordings[key], "emonet", speakers=Speakers(corpus=load_corpora()[key])
    )
    back = prepare(workspace, "back", recordings[key])
    pd.testing.assert_frame_equal(by_file(back), by_file(with_folds(prepared, key)))
    assert made.format == "emonet" and made.warnings == []


def test_emonet_without_speakers_keeps_them_unknown(
    prepared: Path, recordings: dict[str, Path], tmp_path: Path
) -> None:
    made, workspace = round_trip(prepared, tmp_path, "demo-brio", recordings["demo-brio"], "emonet")
    (warning,) = made.warnings
    assert warning.startswith(
        "128 of 128 utterances have no speaker: speaker-independent partitions cannot be made, only"
    )
    back = prepare(workspace, "back", recordings["demo-brio"])
    left = ("speaker", "gender", "language", "text", "take")
    pd.testing.assert_frame_equal(by_file(back, *left), by_file(with_folds(prepared, "demo-brio"), *left))
    assert set(back["speaker"]) == set(back["gender"]) == {""} and set(back["language"]) == {"und"}

    known = load_corpora(workspace / "corpora.yaml")
    partition = make_partition("imported", read_utterances(workspace, "back"), known)
    assert partition.gaps[0] == (
        "128 utterances have no speaker: whether speakers are in several partitions cannot be checked"
    )
    for spec in ("speakers", "loso", "folds:3"):
        with pytest.raises(EmosetError, match=r"128 utterances have no speaker.*\n  mend: use --partition imported"):
            make_partition(spec, read_utterances(workspace, "back"), known)


@pytest.mark.parametrize("format", ["emonet", "audformat"])
@pytest.mark.parametrize("spec", ["folds:3", "loso"])
def test_folds_come_back(format: str, spec: str, few: Path, tmp_path: Path) -> None:
    before = prepare(tmp_path / "a", "demo-cora", few, spec)
    grammar = Speakers(corpus=load_corpora()["demo-cora"])
    round_trip(tmp_path / "a", tmp_path, "demo-cora", few, format, speakers=grammar)
    after = prepare(tmp_path, "back", few)
    pd.testing.assert_frame_equal(by_file(after), by_file(before))
    assert sum(name.startswith("in_fold_") for name in after) == (3 if spec == "folds:3" else 6)


@pytest.mark.parametrize("format", ["emonet", "audformat"])
def test_utterances_that_the_partition_does_not_use_come_back(format: str, few: Path, tmp_path: Path) -> None:
    key, audio = "demo-cora", few
    table = prepare(tmp_path / "a", key, audio)
    path = corpus_folder(tmp_path / "a", key) / "partition.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:1] + lines[8:]))  # 7 utterances are in no partition
    round_trip(tmp_path / "a", tmp_path, key, audio, format)
    back = prepare(tmp_path, "back", audio)
    assert len(back) == len(table) and (back["in_fold_1"] == "").sum() == 7


def test_segments_come_back(tmp_path: Path) -> None:
    audio = sounds(tmp_path / "audio", "long.wav", "other.wav", seconds=3.0)
    source = table_of(
        tmp_path, "file,label,speaker,start,end,split,remark",
        "long.wav,joy,a,0.1,1.05,train,01", "long.wav,anger,b,1.5,2.123456,test,02", "other.wav,joy,b,,,test,",
        "long.wav,joy,c,2.2,2.7,devel,03",
    )  # fmt: skip
    made = imported(tmp_path, source, audio=audio)
    before = prepare(tmp_path / "ws", "mine", audio)
    assert before.sort_values(["path", "start_s"])["duration_s"].round(4).tolist() == [0.95, 0.6234, 0.5, 3.0]
    assert made.warnings == [] and made.listing.columns == [
        "file", "label", "speaker", "start_s", "end_s", "split", "remark"
    ]  # fmt: skip
    export_corpora(
        ["mine"], load_corpora(tmp_path / "ws" / "corpora.yaml"), tmp_path / "ws", "audformat", tmp_path / "o"
    )
    imported(tmp_path / "two", tmp_path / "o" / "mine", audio=audio)
    after = prepare(tmp_path / "two" / "ws", "mine", audio)
    pd.testing.assert_frame_equal(by_file(after), by_file(before))
    assert after["remark"].tolist() == before["remark"].tolist()
    with pytest.raises(
        EmosetError, match=r"mine has several utterances in one recording.*\n  mend: --format audformat"
    ):
        export_corpora(["mine"], {}, tmp_path / "ws", "emonet", tmp_path / "p")


@pytest.mark.real
@pytest.mark.parametrize("format", ["emonet", "audformat"])
def test_round_trip_of_the_real_emodb(format: str, real: Path, tmp_path: Path) -> None:
    before = prepare(tmp_path / "a", "emodb", real / "emodb")
    grammar = Speakers(corpus=load_corpora()["emodb"])
    round_trip(tmp_path / "a", tmp_path, "emodb", real / "emodb", format, speakers=grammar)
    after = prepare(tmp_path, "back", real / "emodb")
    pd.testing.assert_frame_equal(by_file(after), by_file(before))
    assert len(after) == 535 and after["speaker"].nunique() == 10


# The commands


def test_commands(emoset: Callable, prepared: Path, recordings: dict[str, Path], tmp_path: Path) -> None:
    both, workspace = recordings["demo-aria"].parent, shutil.copytree(prepared, tmp_path / "ws")
    out = emoset(
        "corpora", "export", "demo-aria", "demo-brio", tmp_path / "out", "--format", "emonet", "--audio", both,
        "-d", workspace, "--json",
    )  # fmt: skip
    assert out.code == 0 and [row["corpus"] for row in out.json()] == ["demo-aria", "demo-brio"]
    with (tmp_path / "out" / "demo-aria" / "val.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "label"] and all((both / row["file"]).is_file() for row in rows)
    again = emoset("corpora", "export", "demo-aria", tmp_path / "out", "--format", "emonet", "-d", workspace)
    assert again.code == 1 and again.out == ""
    assert f"error: {tmp_path}/out/demo-aria is there already\n  mend: give another folder, or --force" in again.err

    made = emoset("corpora", "import", "emonet-{}", tmp_path / "out", "--audio", both, "-d", workspace, "--json")
    assert made.code == 0
    assert [(row["corpus"], row["utterances"], row["speakers"]) for row in made.json()] == [
        ("emonet-demo-aria", 200, None),
        ("emonet-demo-brio", 128, None),
    ]
    assert "WARNING: emonet-demo-aria: 200 of 200 utterances have no speaker" in made.err
    assert f"next: emoset prepare emonet-demo-aria={both}" in made.err
    quiet = emoset("corpora", "import", "emonet-{}", tmp_path / "out", "--audio", both, "-d", workspace, "-q")
    assert quiet.code == 0 and "note" not in quiet.err and "WARNING" in quiet.err
    done = emoset("prepare", f"emonet-demo-brio={recordings['demo-brio'].parent}", "-d", workspace, "--json")
    assert done.code == 0 and "is not known to be speaker-independent" in done.err
    (row,) = done.json()["corpora"]
    assert (row["utterances"], row["partition"]["name"]) == (128, "imported")


def test_several_corpora_need_a_key_for_each(tmp_path: Path, prepared: Path) -> None:
    export_corpora(DEMO, load_corpora(), prepared, "audformat", tmp_path / "out")
    with pytest.raises(EmosetError, match=r"holds 3 corpora \(demo-aria, .*\)\n  mend: give a key for all with {}"):
        imported(tmp_path, tmp_path / "out")
    made = import_corpora("a-{}", tmp_path / "out", tmp_path, tmp_path / "corpora.yaml")
    assert [one.key for one in made] == ["a-demo-aria", "a-demo-brio", "a-demo-cora"]
    assert set(load_corpora(tmp_path / "corpora.yaml")) >= {one.key for one in made}


# Tables


def test_a_table_in_each_form(tmp_path: Path) -> None:
    audio = sounds(tmp_path / "audio", "a/1.wav", "a/2.flac", "b/3.wav")
    header = "Path;Emotion;SPK;Sex;lang;Start Time;arousal;Votes;Code"
    lines = [
        "a/1.wav;fröhlich;01;F;German;;0.5;3;007",
        "a/2.wav;Zorn;01;f;German;;-1;2;01",
        "b/3.wav;Zorn;02;M;German;;0;1;1",
    ]
    source = table_of(tmp_path, header, *lines, encoding="latin-1")
    with pytest.raises(EmosetError, match=r"files.csv is not a text table in UTF-8 .*\n  mend: .*--encoding latin-1"):
        imported(tmp_path, source, audio=audio)
    made = imported(tmp_path, source, audio=audio, options=Options(encoding="latin-1"))
    entry = load_corpora(tmp_path / "ws" / "corpora.yaml")["mine"]
    assert entry.languages == ("deu",) and entry.dimensions == ("arousal",) and not entry.partitions
    table = prepare_corpus(entry, audio, tmp_path / "ws", 1).utterances.set_index("path")
    assert table["label"].tolist() == ["fröhlich", "Zorn", "Zorn"] and table["speaker"].tolist() == ["01", "01", "02"]
    assert table["gender"].tolist() == ["female", "female", "male"] and table["arousal"].tolist() == [0.5, -1, 0]
    assert table["votes"].tolist() == [3, 2, 1] and table["code"].tolist() == ["007", "01", "1"]

    frame = pd.read_csv(source, sep=";", encoding="latin-1", dtype=str)
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    for number, name in enumerate(("t.parquet", "t.tsv")):
        other = imported(tmp_path, tmp_path / name, f"t{number}", audio=audio)
        assert other.listing.rows == made.listing.rows
    assert "votes" in imported(tmp_path, tmp_path / "t.parquet", "t0", audio=audio).listing.texts


def test_a_workbook(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["nothing"])
    sheet = book.create_sheet("labels")
    for row in (["file", "label", "speaker"], ["1.wav", "joy", 3], ["2.wav", "anger", 4]):
        sheet.append(row)
    book.save(tmp_path / "t.xlsx")
    made = imported(tmp_path, tmp_path / "t.xlsx", options=Options(sheet="labels"))
    assert [row["speaker"] for row in made.listing.rows] == ["3", "4"] and made.audio is None
    with pytest.raises(EmosetError, match=r"t.xlsx has no sheet 'other' .*Sheet, labels"):
        imported(tmp_path, tmp_path / "t.xlsx", options=Options(sheet="other"))


def test_columns_by_option_and_speakers_by_pattern(tmp_path: Path) -> None:
    source = table_of(tmp_path, "clip,label,emotion,set", "s1_a.wav,x,joy,dev", "s2_b.wav,y,anger,train")
    with pytest.raises(
        EmosetError, match=r"no column for the file .*it has clip, label.*\n  mend: say which with --file-"
    ):
        imported(tmp_path, source)
    clip = {"file": "clip"}
    with pytest.raises(
        EmosetError, match=r"label and emotion could each be the label\n  mend: say which with --label-"
    ):
        imported(tmp_path, source, options=Options(clip))
    with pytest.raises(EmosetError, match=r"has no column 'feeling' .*\n  mend: give one of them with --label-column"):
        imported(tmp_path, source, options=Options(clip | {"label": "feeling"}))
    columns = clip | {"label": "emotion", "split": "set"}
    with pytest.raises(EmosetError, match=r"finds no speaker in 1 of 2 names, the first is s2_b.wav"):
        imported(tmp_path, source, options=Options(columns), speakers=Speakers("(s1)_"))
    with pytest.raises(EmosetError, match=r"--speaker-pattern '\(' does not compile"):
        imported(tmp_path, source, options=Options(columns), speakers=Speakers("("))
    made = imported(tmp_path, source, options=Options(columns), speakers=Speakers("^(?P<speaker>[^_]+)_"))
    assert [row["speaker"] for row in made.listing.rows] == ["s1", "s2"] and made.warnings == []
    assert [row["split"] for row in made.listing.rows] == ["devel", "train"]
    assert "label_" in made.listing.columns  # the other column of this name is carried


def test_a_column_split_that_is_none_is_carried(tmp_path: Path) -> None:
    source = table_of(tmp_path, "file,label,subset", "1.wav,joy,clean", "2.wav,joy,train")
    made = imported(tmp_path, source)
    assert made.listing.folds == {} and "only carried: it holds 'clean'" in made.listing.notes[0]
    with pytest.raises(
        EmosetError, match=r"column subset holds 'clean', which is no partition\n  mend: use dev, devel"
    ):
        imported(tmp_path, source, options=Options({"split": "subset"}))


def test_a_partition_with_shared_speakers_says_so_loudly(tmp_path: Path) -> None:
    names = [f"{n}.wav" for n in range(30)]
    audio = sounds(tmp_path / "audio", *names)
    lines = [
        f"{name},{'joy' if n % 2 else 'anger'},s{n % 3},{'test' if n > 20 else 'train'}" for n, name in enumerate(names)
    ]
    made = imported(tmp_path, table_of(tmp_path, "file,label,speaker,split", *lines), audio=audio)
    assert made.warnings == [
        "fold 1: 3 speakers are in several partitions (s0, s1, s2): results on it are NOT speaker-independent"
    ]
    known = load_corpora(tmp_path / "ws" / "corpora.yaml")
    assert known["mine"].partitions["imported"].speakers_cross
    table = prepare_corpus(known["mine"], audio, tmp_path / "ws", 1).utterances
    partition = make_partition("imported", table, known)
    assert partition.notes == ["fold 1: no devel is published; training speakers s0 serve as devel"]
    assert partition.gaps[0] == "fold 1: 3 speakers are in several partitions, as published"
    where = dict(zip(table["path"], partition.table["1"], strict=True))
    assert where["0.wav"] == "devel" and where["21.wav"] == "test"  # s0 both: its test rows stay there


# EmoBox


def emobox(folder: Path) -> Path:
    """Two folds as EmoBox writes them: no devel, no speakers, the names below downloads/, a list left over."""

    def lines(numbers: range) -> str:
        return "".join(
            json.dumps(
                {"key": f"mini-{n}", "dataset": "mini", "wav": f"downloads/mini/wav/s{n % 4}_{n}.wav", "type": "raw",
                 "sample_rate": 16000, "length": 0.3, "task": "category", "emo": "hj"[n % 2], "channel": 1}
            ) + "\n"
            for n in numbers
        )  # fmt: skip

    for fold, test in (("1", range(0, 20)), ("2", range(20, 40))):
        place = folder / "data" / "mini" / f"fold_{fold}"
        place.mkdir(parents=True)
        train = range(20, 40) if fold == "1" else range(0, 20)
        (place / f"mini_test_fold_{fold}.jsonl").write_text(lines(test))
        (place / f"mini_train_fold_{fold}.jsonl").write_text(lines(train))
        (place / f"mini_test_fold{fold}.jsonl").write_text(lines(train))
    (folder / "data" / "mini" / "label_map.json").write_text('{"h": "Happy", "j": "Angry"}')
    return folder / "data"


def test_emobox_folds(tmp_path: Path) -> None:
    data = emobox(tmp_path)
    audio = sounds(tmp_path / "audio", *(f"wav/s{n % 4}_{n}.wav" for n in range(40)))
    made = imported(tmp_path, data, audio=audio)
    assert made.format == "emobox" and list(made.listing.folds) == ["1", "2"]
    assert f"downloads/mini/ is cut off the listed names: {audio} is that folder" in made.listing.notes
    table = prepare(tmp_path / "ws", "mine", audio)
    assert set(table["label"]) == {"Happy", "Angry"} and len(table) == 40
    tested = table.set_index("path")[["in_fold_1", "in_fold_2"]] == "test"
    assert (tested.sum(axis=1) == 1).all() and tested.loc["wav/s0_0.wav"].tolist() == [True, False]
    known = load_corpora(tmp_path / "ws" / "corpora.yaml")
    notes = make_partition("imported", read_utterances(tmp_path / "ws", "mine"), known).notes
    assert notes[0].startswith("fold 1: no devel is published; every 7th training utterance of each label, without")

    speakers = imported(tmp_path, data, "theirs", audio=audio, speakers=Speakers("(s.)_"))
    assert len(speakers.warnings) == 2 and "4 speakers are in several partitions" in speakers.warnings[0]


@pytest.mark.parametrize(
    "line, match",
    [
        ("{", "mini_test_fold_1.jsonl, record 21 is not JSON .*\n  mend: get this list again"),
        ("[1]", "mini_test_fold_1.jsonl, record 21 has no 'wav' and 'emo'"),
        ('{"wav": "x.wav", "emo": ""}', "1 rows have no label, the first is row .*x.wav"),
        ('{"wav": "downloads/mini/wav/s0_0.wav", "emo": "j"}', "s0_0.wav is listed twice, with both Happy and Angry"),
        ('{"wav": "downloads/mini/wav/s0_20.wav", "emo": "h"}', "s0_20.wav is in both test and train of fold 1"),
    ],
)  # fmt: skip
def test_bad_emobox_lists(line: str, match: str, tmp_path: Path) -> None:
    data = emobox(tmp_path)
    with (data / "mini" / "fold_1" / "mini_test_fold_1.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(EmosetError, match=match):
        imported(tmp_path, data)


# audformat


def audformat_db(folder: Path, **more: Callable[[Any], None]) -> Path:
    """A database as audEERING's emodb is: emotion, files, gold-standard tables of a split, speakers as a scheme."""
    import audformat

    files = [f"wav/{n}.wav" for n in range(6)]
    db = audformat.Database("mini", source="me", languages=["de"])
    db.schemes["emotion"] = audformat.Scheme(labels=["anger", "joy"])
    db.schemes["confidence"] = audformat.Scheme("float")
    db.schemes["duration"] = audformat.Scheme("time")
    db.schemes["transcription"] = audformat.Scheme("str")
    db.schemes["speaker"] = audformat.Scheme("int", labels={3: {"gender": "male", "age": 31}, 8: {"gender": "female"}})
    for split in ("train", "test"):
        db.splits[split] = audformat.Split(split)

    def add(name: str, index: Any, split: str | None = None, **columns: tuple[str, list]) -> None:
        db[name] = audformat.Table(index, split_id=split)
        for column, (scheme, values) in columns.items():
            db[name][column.replace("__", ".")] = audformat.Column(scheme_id=scheme)
            db[name][column.replace("__", ".")].set(values)

    everything = audformat.filewise_index(files)
    labels = ["anger", "joy", "anger", "joy", None, "joy"]
    add("emotion", everything, emotion=("emotion", labels), emotion__confidence=("confidence", [0.9] * 6))
    add(
        "files", everything, duration=("duration", [pd.Timedelta("300ms")] * 6),
        speaker=("speaker", [3, 3, 8, 8, 8, 3]), transcription=("transcription", ["a01", "a02"] * 3),
    )  # fmt: skip
    gold = (
        ("emotion.categories.train.gold_standard", "train", [0, 1]),
        ("emotion.categories.test.gold_standard", "test", [2, 3]),
    )
    for name, split, rows in gold:
        add(name, everything[rows], split, emotion=("emotion", [labels[row] for row in rows]))
    for change in more.values():
        change(db)
    db.save(str(folder), storage_format="csv")
    return folder


def test_an_audformat_database(tmp_path: Path) -> None:
    made = imported(tmp_path, audformat_db(tmp_path / "db"))
    assert [row["file"] for row in made.listing.rows] == [f"wav/{n}.wav" for n in range(4)]
    assert any(note.startswith("1 more files have labels in other tables than") for note in made.listing.notes)
    first, *_, last = made.listing.rows
    assert {name: value for name, value in first.items() if value} == {
        "file": "wav/0.wav", "label": "anger", "split": "train", "speaker": "3", "gender": "male", "age": "31",
        "text": "a01",
    }  # fmt: skip
    assert last["gender"] == "female" and last["split"] == "test"
    entry = load_corpora(tmp_path / "ws" / "corpora.yaml")["mine"]
    assert (entry.name, entry.languages) == ("mini", ("deu",)) and not entry.partitions["imported"].speakers_cross

    every = imported(tmp_path, tmp_path / "db", "every", options=Options(table="emotion"))
    assert (
        len(every.listing.rows) == 5 and "1 rows of these tables have no label and are left out" in every.listing.notes
    )
    assert every.listing.rows[-1]["emotion_confidence"] == "0.9" and every.listing.rows[-1]["split"] == ""
    with pytest.raises(
        EmosetError, match=r"unknown table with emotion categories in .*'emotions'\n  mend: did you mean"
    ):
        imported(tmp_path, tmp_path / "db", options=Options(table="emotions"))


class Bomb:
    """Unpickling it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_pickles_and_tags_of_a_database_are_never_loaded(tmp_path: Path) -> None:
    folder, trap = audformat_db(tmp_path / "db"), tmp_path / "trap"
    for table in ("emotion", "files"):
        (folder / f"db.{table}.pkl").write_bytes(pickle.dumps(Bomb(trap)))
    assert len(imported(tmp_path, folder).listing.rows) == 4 and not trap.exists()
    (folder / "db.files.csv").unlink()
    with pytest.raises(
        EmosetError, match=r"db.files.pkl is a pickle, which can run code and is not read.*\n  mend: get the"
    ):
        imported(tmp_path, folder, "other")
    header = folder / "db.yaml"
    header.write_text(header.read_text() + f'trap: !!python/object/apply:os.system ["touch {trap}"]\n')
    with pytest.raises(EmosetError, match=r"db.yaml is not a plain YAML file"):
        imported(tmp_path, folder, "other")
    assert not trap.exists()


def test_an_audformat_database_in_parquet(tmp_path: Path) -> None:
    import audformat

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        db = audformat.Database.load(str(audformat_db(tmp_path / "db")))
        db.save(str(tmp_path / "parquet"), storage_format="parquet")
    assert not list((tmp_path / "parquet").glob("*.csv"))
    rows = [imported(tmp_path, tmp_path / name, name).listing.rows for name in ("db", "parquet")]
    assert rows[0] == rows[1]


def test_bad_audformat_databases(tmp_path: Path) -> None:
    folder = audformat_db(tmp_path / "db")
    (folder / "db.files.csv").unlink()
    with pytest.raises(EmosetError, match=r"db.files.csv \(or .parquet\) is missing"):
        imported(tmp_path, folder)
    (folder / "db.files.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(EmosetError, match=r"is not a database that audformat can load"):
        imported(tmp_path, folder)
    (folder / "db.yaml").write_text("name: x\n")
    with pytest.raises(EmosetError, match=r"db.yaml names no tables"):
        imported(tmp_path, folder)

    def rename(db: Any) -> None:
        for table in list(db.tables):
            if "emotion" in table:
                del db.tables[table]

    with pytest.raises(
        EmosetError, match=r"no table has a column for the emotion \(files\)\n  mend: say which with --ta"
    ):
        imported(tmp_path, audformat_db(tmp_path / "none", change=rename))


# Bad input


@pytest.mark.parametrize(
    "header, lines, match",
    [
        ("file,label", [], "files.csv lists no files\n  mend: give a table with a header"),
        ("", [], "files.csv lists no files"),
        ("file,label", ["a.wav,"], r"1 rows have no label, the first is row 1 \(a.wav\)\n  mend: fill them in"),
        ("file,label", [",joy"], "1 rows have no file, the first is row 1"),
        ("file,label", ["a.wav,joy", "./a.wav,anger"], "a.wav is listed twice, with both joy and anger as its label"),
        ("file,label,split", ["a.wav,joy,dev", "a.wav,joy,test"], "a.wav is in both devel and test\n  mend: leave"),
        ("file,label", ["a.wav,joy,x"], "line 2: 3 cells, but the header has 2\n  mend: correct this line"),
        ("file,file", ["a.wav,joy"], "two columns 'file'"),
        ("file,label", ['"a.wav,joy'], "is not a text table .*\n  mend: look at its quotes"),
        ("file,label", ["/else/where/a.wav,joy"], "lists absolute names .*\n  mend: say which folder .* --audio"),
        ("file,label", ["../a.wav,joy"], "1 files lie outside the audio folder: .*a.wav"),
        ("file,label,start,end", ["a.wav,joy,2,1"], "a.wav is said to run from '2' to '1'"),
        ("file,label,start,end", ["a.wav,joy,x,1"], "a.wav is said to run from 'x' to '1'"),
        ("file,label,start,end", ["a.wav,joy,2,"], r"a.wav has a start \(2\) but no end"),
        ("file,label,language", ["a.wav,joy,klingonish"], "'klingonish' is no language\n  mend: use the three letters"),
    ],
)  # fmt: skip
def test_bad_tables(header: str, lines: list[str], match: str, tmp_path: Path) -> None:
    with pytest.raises(EmosetError, match=match):
        imported(tmp_path, table_of(tmp_path, header, *lines))
    assert not (tmp_path / "ws").exists()


def test_files_that_are_not_there(tmp_path: Path) -> None:
    audio = sounds(tmp_path / "audio", "a.wav", "b.wav")
    source = table_of(tmp_path, "file,label", "a.wav,joy", *(f"x{n}.wav,joy" for n in range(7)))
    made = imported(tmp_path, source, audio=audio)
    assert made.listing.notes[-2:] == [
        f"7 of 8 listed files are not in {audio}: x0.wav, x1.wav, x2.wav, x3.wav, x4.wav and 2 more",
        "the language is not known (und); --language tells it",
    ]
    with pytest.raises(
        EmosetError, match=r"none of the 1 files that .* lists is in .*the first is z.wav\n  mend: give the"
    ):
        imported(tmp_path, table_of(tmp_path, "file,label", "z.wav,joy", name="z.csv"), "z", audio=audio)
    inside = table_of(tmp_path, "file,label", f"{audio}/a.wav,joy", name="inside.csv")
    assert imported(tmp_path, inside, "inside", audio=audio).listing.rows[0]["file"] == "a.wav"
    outside = table_of(tmp_path, "file,label", "/else/a.wav,joy", name="outside.csv")
    with pytest.raises(EmosetError, match=r"1 files lie outside the audio folder .*audio: /else/a.wav"):
        imported(tmp_path, outside, "outside", audio=audio)


def test_unknown_sources(tmp_path: Path) -> None:
    with pytest.raises(EmosetError, match=r"nowhere is not there\n  mend: give the file or folder"):
        imported(tmp_path, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmosetError, match=r"empty is in no known format\n  mend: give EmoNet setup: .*; or a CSV"):
        imported(tmp_path, tmp_path / "empty")
    with pytest.raises(EmosetError, match=r"empty is not in the format emobox\n  mend: give EmoBox file lists"):
        imported(tmp_path, tmp_path / "empty", format="emobox")
    with pytest.raises(EmosetError, match=r"unknown format 'emobocks'\n  mend: did you mean 'emobox'"):
        imported(tmp_path, tmp_path / "empty", format="emobocks")
    source = table_of(tmp_path, "file,label", "a.wav,joy")
    with pytest.raises(EmosetError, match=r"the audio folder .*gone is not there"):
        imported(tmp_path, source, audio=tmp_path / "gone")
    with pytest.raises(
        EmosetError, match=r"1 of 1 names do not fit emodb, the first is a.wav .*\n  mend: give the corpus"
    ):
        imported(tmp_path, source, speakers=Speakers(corpus=load_corpora()["emodb"]))


def test_exports_that_cannot_be(prepared: Path, tmp_path: Path) -> None:
    with pytest.raises(EmosetError, match=r"unknown format to write 'emobox'\n  mend: .*known: audformat, emonet"):
        export_corpora(["demo-aria"], {}, prepared, "emobox", tmp_path)
    with pytest.raises(
        EmosetError, match=r"the audio of demo-aria .* does not lie in .*\n  mend: give a folder that holds"
    ):
        export_corpora(["demo-aria"], {}, prepared, "emonet", tmp_path, base=tmp_path)


def test_a_corpus_without_partition(few: Path, tmp_path: Path) -> None:
    prepare_corpus(load_corpora()["demo-cora"], few, tmp_path, 1)
    with pytest.raises(EmosetError, match=r"demo-cora has no partition.*\n  mend: emoset prepare demo-cora=FOLDER"):
        export_corpora(["demo-cora"], {}, tmp_path, "emonet", tmp_path / "out")
    (made,) = [export_corpora(["demo-cora"], {}, tmp_path, "audformat", tmp_path / "out")[0]]
    assert {path.name for path in made["demo-cora"]} == {"db.yaml", "db.emotion.csv", "db.speaker.csv"}


# The registry of the user


def test_the_rest_of_the_registry_stays_as_it_is(tmp_path: Path) -> None:
    registry = tmp_path / "ws" / "corpora.yaml"
    registry.parent.mkdir()
    before = "# mine\r\nemodb:  # as I have it\n  notes: [unpacked in spring]\n\n# the end"
    registry.write_bytes(before.encode())
    source = table_of(tmp_path, "file,label", "a.wav,03", "b.wav,no")
    assert imported(tmp_path, source).written
    text = registry.read_bytes().decode()
    assert text.startswith(before + "\n\n# Imported by emoset from ")
    assert load_corpora(registry)["mine"].label_names == ("03", "no")
    assert not imported(tmp_path, source).written and registry.read_bytes().decode() == text

    imported(tmp_path, source, "next")
    both = registry.read_text()
    source.write_text("file,label\na.wav,joy\n")
    with pytest.raises(
        EmosetError, match=r"corpora.yaml has another entry 'mine', .*\n  mend: choose another key, or give --"
    ):
        imported(tmp_path, source)
    assert registry.read_text() == both
    assert imported(tmp_path, source, force=True).written
    after = registry.read_bytes().decode()
    assert after.startswith(before) and after.count("\nmine:") == after.count("\nnext:") == 1
    known = load_corpora(registry)
    assert known["mine"].label_names == ("joy",) and known["next"].label_names == ("03", "no")
    with pytest.raises(
        EmosetError, match=r"'emodb' is in the built-in registry.*\n  mend: choose another key, for example"
    ):
        imported(tmp_path, source, "emodb")


def test_a_table_completes_an_entry_whose_file_names_are_not_documented(tmp_path: Path) -> None:
    builtin = load_corpora()
    key = next(key for key, corpus in builtin.items() if not corpus.path and not corpus.tables)
    audio = sounds(tmp_path / "audio", "a.wav", "b.wav")
    source = table_of(tmp_path, "file,label,speaker", "a.wav,joy,x", "b.wav,anger,y")
    imported(tmp_path, source, key, audio=audio)
    entry = load_corpora(tmp_path / "ws" / "corpora.yaml")[key]
    assert (entry.name, entry.languages, entry.licence) == (
        builtin[key].name, builtin[key].languages, builtin[key].licence
    )  # fmt: skip
    assert prepare_corpus(entry, audio, tmp_path / "ws", 1).utterances["label"].tolist() == ["joy", "anger"]


def test_a_registry_that_would_not_load_is_left_alone(tmp_path: Path) -> None:
    source = table_of(tmp_path, "file,label", "a.wav,joy")
    with pytest.raises(EmosetError, match=r"would not load with the entry Mine: .*'Mine' is no key of a corpus"):
        imported(tmp_path, source, "Mine")
    assert not (tmp_path / "ws" / "corpora.yaml").exists() and not (tmp_path / "ws" / "imports").exists()
    registry = tmp_path / "ws" / "corpora.yaml"
    registry.parent.mkdir(exist_ok=True)
    registry.write_text("{}")
    with pytest.raises(EmosetError, match=r"corpora.yaml"):
        imported(tmp_path, source)
    assert registry.read_text() == "{}"


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_says_what_it_is_and_finds_nothing_in_an_empty_folder(name: str, tmp_path: Path) -> None:
    assert FORMATS[name].told and FORMATS[name].find(tmp_path) == {} and FORMATS[name].find(tmp_path / "gone") == {}


def test_times() -> None:
    assert [seconds(text) for text in ("0", ".5", "1e-2", "2:03", "0 days 00:01:02.5")] == [0, 0.5, 0.01, 123, 62.5]
    assert all(seconds(text) is None for text in ("", "x", "-1", "inf", "1:2:3:4"))


def test_a_corpus_without_speakers_can_be_trained_on(emoset: Callable, tmp_path: Path) -> None:
    names = [f"{n}.wav" for n in range(30)]
    audio, workspace = sounds(tmp_path / "audio", *names), tmp_path / "ws"
    parts = ["train"] * 18 + ["dev"] * 6 + ["test"] * 6
    lines = [
        f"{name},{'joy' if n % 2 else 'anger'},{part}" for n, (name, part) in enumerate(zip(names, parts, strict=True))
    ]
    imported(tmp_path, table_of(tmp_path, "file,label,split", *lines), audio=audio)
    done = emoset("prepare", f"mine={audio}", "-d", workspace)
    assert done.code == 0 and "unknown (0/0)" in done.out
    refused = emoset("prepare", f"mine={audio}", "-d", workspace, "--partition", "loso")
    assert refused.code == 1 and "mend: use --partition imported, which came with the corpus" in refused.err
    assert emoset("extract", "egemaps", "-d", workspace, "-q").code == 0
    refused = emoset("train", "svm", "-t", "mine", "-d", workspace, "--normalise", "speaker")
    assert refused.code == 1 and "error: 30 utterances have no speaker: they cannot be normalised" in refused.err
    assert emoset("train", "svm", "-t", "mine", "-d", workspace, "-q").code == 0
    (run,) = (workspace / "runs").iterdir()
    result = emoset("evaluate", run.name, "-d", workspace)
    told = " ".join(result.out.split())  # the note below the table is wrapped
    assert result.code == 0 and "No interval: the speakers are not known: mine test" in told
