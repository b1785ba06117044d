"""`emoset prepare`: every fault is named, none stops the rest, recordings are only read, what is done stays done."""

import csv
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import soundfile

from emoset_cli import audio
from emoset_cli.checks import judge_audio
from emoset_cli.corpora import load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.prepare import (
    AUDIO_COLUMNS,
    data_hash,
    identical_across,
    prepare_corpus,
    prepared_corpora,
    read_utterances,
)
from emoset_cli.store import AudioStore

REGISTRY = r"""
mini:
  name: Mini
  language: deu
  path: '(?:^|/)(?P<speaker>[a-z]\d)_(?P<text>s\d\d)_(?P<label>[A-Z])$'
  labels: {W: anger, N: neutral}
  speakers: {female: [f1, f2], male: [m1, m2]}
  count: {utterances: 40, speakers: 4, labels: {anger: 1, neutral: 39}}
  exclude: {f1_s22_W: it is a door}
  tables:
    ratings:
      file: ratings.txt
      encoding: latin-1
      separator: "\t"
      decimal: ","
      key: Satz
      columns: {recognised: erkannt}
twin:
  language: eng
  path: '(?:^|/)(?P<speaker>[a-z]\d)_(?P<text>s\d\d)_(?P<label>[A-Z])$'
  labels: {W: anger, N: neutral}
"""
RATINGS = "Satz\terkannt\r\nf1_s01_W\xa0\t\xa097,5 \r\nf1_s01_N\t80\r\n"


def speech(seed: int, seconds: float = 0.2, rate: int = 16000, level: float = 0.1) -> np.ndarray:
    """Noise that starts and ends softly."""
    count = int(seconds * rate)
    edge = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / rate / 0.02 - 1).clip(0)
    return np.random.default_rng(seed).normal(0, level, count) * edge


def good(folder: Path, texts: tuple[int, ...] = (1, 2), offset: int = 0) -> Path:
    """A corpus without faults: 4 speakers, 2 labels."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(f"{s}_s{t:02d}_{w}" for s in ("f1", "f2", "m1", "m2") for t in texts for w in "WN"):
        soundfile.write(folder / f"{name}.wav", speech(number + offset), 16000)
    return folder


def spoil(folder: Path) -> None:
    """Put every fault into a corpus."""
    write = soundfile.write
    (folder / "f1_s11_W.wav").write_bytes(b"no audio")
    (folder / "f1_s12_W.wav").write_bytes(b"")
    write(folder / "f1_s13_W.wav", np.zeros(0), 16000)
    write(folder / "f1_s14_W.wav", speech(14, 0.4), 16000)
    os.truncate(folder / "f1_s14_W.wav", 44 + 2 * 3200)
    write(folder / "f1_s15_W.wav", np.zeros(3200), 16000)
    write(folder / "f1_s16_W.wav", np.where(np.arange(3200) == 9, np.nan, speech(16)), 16000, subtype="FLOAT")
    write(folder / "f1_s17_W.wav", speech(17, 0.08), 16000)
    write(folder / "f1_s18_W.wav", (9 * speech(18)).clip(-0.9, 0.9), 16000)
    write(folder / "f1_s19_W.wav", speech(19) + 0.05 * (speech(1) != 0), 16000)
    write(folder / "f1_s20_W.wav", speech(20)[:2400], 16000)
    write(folder / "notes.wav", speech(21), 16000)
    write(folder / "f1_s21_Q.wav", speech(21), 16000)
    write(folder / "z9_s21_W.wav", speech(21), 16000)
    write(folder / "f1_s22_W.wav", speech(22), 16000)
    (folder / "sub").mkdir()
    write(folder / "sub/f1_s01_W.wav", speech(23), 16000)
    shutil.copy(folder / "f1_s01_W.wav", folder / "f1_s23_W.wav")
    write(folder / "m1_s23_N.flac", *soundfile.read(folder / "f1_s01_W.wav", dtype="int16"))
    write(folder / "f1_s24_W.wav", 12 * speech(24), 16000, subtype="FLOAT")
    write(folder / "f1_s25_W.wav", np.stack([speech(25, rate=44100)] * 2, axis=1), 44100)
    (folder / "f1_s26_W.wav").symlink_to("gone.wav")
    (folder / "f1_s27_W.flac").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    write(folder / "f1_s28_W.wav", 32768 * speech(28), 16000, subtype="FLOAT")
    (folder / "._f1_s29_W.wav").write_bytes(b"\0\5\x16\7")
    (folder / "loop").symlink_to(folder)


# path -> kind, what was done, beginning of the detail, beginning of the mend
FAULTS = {
    "f1_s11_W.wav": ("unreadable", "left out", "it cannot be decoded (", "get this file again from the corpus"),
    "f1_s12_W.wav": ("empty", "left out", "the file has 0 bytes", "get this file again"),
    "f1_s13_W.wav": ("empty", "left out", "it holds no samples", "get this file again"),
    "f1_s14_W.wav": ("truncated", "left out", "its header promises 0.40 s, the file holds 0.20 s", "get this file"),
    "f1_s15_W.wav": ("silent", "left out", "all 0.20 s are silent", "get this file again"),
    "f1_s16_W.wav": ("NaN or infinite samples", "left out", "it holds NaN or infinite samples", "get this file again"),
    "f1_s17_W.wav": ("too short", "left out", "80 ms of speech", "lower --min-duration if you want it"),
    "f1_s18_W.wav": ("clipped", "kept", "", "judge it by ear"),
    "f1_s19_W.wav": ("DC offset", "kept", "mean +0.0", "nothing for features that ignore DC"),
    "f1_s20_W.wav": ("may be cut off", "kept", "its last 20 ms are at ", "listen to its end"),
    "notes.wav": ("name not understood", "left out", "the name does not fit (?:^|/)", "rename or remove it"),
    "f1_s21_Q.wav": ("unknown label", "left out", "label code 'Q' is none of W, N", "add 'Q' to `labels` of mini"),
    "z9_s21_W.wav": ("unknown speaker", "left out", "speaker 'z9' is not in the registry", "add 'z9' to `speakers`"),
    "f1_s22_W.wav": ("excluded", "left out", "it is a door", "nothing: the registry names this file"),
    "sub/f1_s01_W.wav": ("repeated id", "left out", "the same utterance as f1_s01_W.wav", "remove one of the two"),
    "f1_s23_W.wav": ("identical recording", "kept", "the same samples as mini/f1_s01_W", "remove one of the two if"),
    "m1_s23_N.flac": (
        "identical recording", "kept", "the same samples as mini/f1_s01_W, under another speaker and label",
        "remove one of the two: it leaks between partitions",
    ),
    "f1_s24_W.wav": ("over full scale", "kept", "its peak is ", "scale the recording down"),
    "f1_s25_W.wav": ("odd format", "kept", "44100 Hz, 2 channels; most are 16000 Hz, 1 channels", "nothing: it"),
    "f1_s26_W.wav": ("unreadable", "left out", "it cannot be opened (No such file or directory)", "get this file"),
    "f1_s27_W.flac": ("unreadable", "left out", "it is a git-lfs pointer, not audio (run `git lfs pull`", "get"),
    "f1_s28_W.wav": ("unreadable", "left out", "its samples reach ", "get this file again"),
    "ratings.txt": ("table missing", "kept", "ratings.txt is not in ", "copy ratings.txt into the corpus folder"),
}  # fmt: skip
USABLE = 16 + sum(kept == "kept" for path, (_, kept, _, _) in FAULTS.items() if path != "ratings.txt")


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    path = tmp_path / "own.yaml"
    path.write_text(REGISTRY)
    return path


@pytest.fixture
def prepare(emoset: Callable, registry: Path, tmp_path: Path) -> Callable:
    """Run ``emoset prepare`` with the registry and workspace of this test."""

    def run(*arguments: object) -> Any:
        return emoset("prepare", *arguments, "--registry", registry, "-d", tmp_path / "work")

    return run


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the recordings that are decoded."""
    names: list[str] = []
    whole = audio.read

    def read(path: Path, write: Any) -> Any:
        names.append(path.name)
        return whole(path, write)

    monkeypatch.setattr(audio, "read", read)
    return names


class Stamp(NamedTuple):
    """What changes when a file or folder is written to."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int


def listing(folder: Path) -> list[Stamp]:
    stats = ((str(path), path.lstat()) for path in [folder, *sorted(folder.glob("**/*"))])
    return [Stamp(path, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in stats]


def problems(workspace: Path, key: str = "mini") -> list[dict[str, str]]:
    with (workspace / "corpora" / key / "problems.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_fault_is_named_and_none_stops_the_rest(prepare: Callable, tmp_path: Path) -> None:
    source = good(tmp_path / "mini")
    spoil(source)
    before = listing(source)
    result = prepare(f"mini={source}", "--partition", "speakers")
    assert result.code == 0
    assert listing(source) == before

    found = {row["path"]: row for row in problems(tmp_path / "work") if row["path"]}
    assert sorted(found) == sorted(FAULTS)
    for path, (kind, action, detail, mend) in FAULTS.items():
        row = found[path]
        assert (row["corpus"], row["problem"], row["action"]) == ("mini", kind, action), path
        assert row["detail"].startswith(detail) and row["mend"].startswith(mend), path
        assert f"problem: mini: {kind}, " in result.err
    for path, rest in {
        "f1_s18_W.wav": r"\d+ samples lie at its extreme \(0\.90 of full scale\)",
        "f1_s19_W.wav": r"mean \+0\.04\d of full scale, \d\d% of its rms",
        "f1_s20_W.wav": r"its last 20 ms are at \d+% of its rms; half of the corpus ends below 5%",
        "f1_s24_W.wav": r"its peak is \d\.\d\d of full scale, and what passes 1 is cut",
        "f1_s28_W.wav": r"its samples reach 1\.\d+e\+04 times full scale; float samples belong into -1\.\.1",
    }.items():
        assert re.fullmatch(rest, found[path]["detail"])
    against_count = {row["detail"]: row for row in problems(tmp_path / "work") if not row["path"]}
    assert {detail: (row["problem"], row["mend"]) for detail, row in against_count.items()} == {
        f"{USABLE} utterances found, 40 published": ("missing", "check that the folder holds the whole corpus"),
        f"{USABLE - 9} utterances of anger found, 1 published": ("surplus", "check for files of another release"),
        "9 utterances of neutral found, 39 published": ("missing", "check that the folder holds the whole corpus"),
    }
    assert f"  all of them: {tmp_path / 'work/corpora/mini/problems.csv'}\n" in result.err
    assert "unreadable, 4 left out; f1_s11_W.wav: it cannot be decoded (" in result.err

    utterances = read_utterances(tmp_path / "work", "mini")
    assert len(utterances) == USABLE
    left_out = {path for path, (_, action, _, _) in FAULTS.items() if action == "left out"}
    assert not left_out & set(utterances["path"])
    assert {path for path in FAULTS if path != "ratings.txt"} - left_out <= set(utterances["path"])
    assert prepare(f"mini={source}", "--strict").code == 1
    assert prepare(f"mini={source}", "--strict", "--quiet").err == ""


def test_a_good_corpus_has_no_problem(prepare: Callable, tmp_path: Path, registry: Path) -> None:
    count = "count: {utterances: 16, speakers: 4, labels: {anger: 8, neutral: 8}}"
    registry.write_text(re.sub("count: .*", count, REGISTRY))
    source = good(tmp_path / "mini")
    (source / "ratings.txt").write_bytes(RATINGS.encode("latin-1"))
    result = prepare(f"mini={source}", "--partition", "speakers", "--strict")
    assert (result.code, result.err) == (0, "")
    assert problems(tmp_path / "work") == []
    assert "Mini" in result.out or "mini" in result.out


def test_the_table(prepare: Callable, tmp_path: Path) -> None:
    source = good(tmp_path / "mini")
    (source / "ratings.txt").write_bytes(RATINGS.encode("latin-1"))
    soundfile.write(source / "m2_s02_N.wav", speech(99, 0.3, 44100), 44100)
    prepare(f"mini={source}", "--partition", "speakers")
    table = pd.read_parquet(tmp_path / "work/corpora/mini/utterances.parquet")
    named = ["utterance", "corpus", "speaker", "gender", "language", "label", "text", "path", "recognised"]
    assert list(table.columns) == named + AUDIO_COLUMNS
    assert table["utterance"].tolist() == sorted(table["utterance"]) and len(table) == 16
    first = table.set_index("utterance").loc["mini/f1_s01_W"]
    assert first[["corpus", "speaker", "gender", "language", "label", "text", "path"]].tolist() == [
        "mini", "f1", "female", "deu", "anger", "s01", "f1_s01_W.wav",
    ]  # fmt: skip
    assert (first["recognised"], first["native_sample_rate"], first["channels"], first["duration_s"]) == (
        97.5,
        16000,
        1,
        0.2,
    )
    assert table["recognised"].isna().sum() == 14
    other = table.set_index("utterance").loc["mini/m2_s02_N"]
    assert (other["native_sample_rate"], other["samples"], other["duration_s"]) == (44100, 4800, 0.3)
    store = AudioStore(tmp_path / "work/corpora/mini/audio")
    for row in table.itertuples():
        found = store.verified(row.utterance, row.shard, row.offset, row.samples, row.audio)
        if row.native_sample_rate == 16000:
            assert np.array_equal(found, soundfile.read(source / row.path, dtype="int16")[0])
    assert read_utterances(tmp_path / "work", "mini").equals(table)
    assert prepared_corpora(tmp_path / "work") == ["mini"] and prepared_corpora(tmp_path) == []


def test_twice_is_once(prepare: Callable, tmp_path: Path, decoded: list[str]) -> None:
    source = good(tmp_path / "mini")
    spoil(source)
    first = prepare(f"mini={source}", "--partition", "speakers", "--json")
    folder = tmp_path / "work/corpora/mini"
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(decoded) > 16
    decoded.clear()
    again = prepare(f"mini={source}", "--partition", "speakers", "--json")
    assert (again.code, again.out, again.err) == (first.code, first.out, first.err)
    assert {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert decoded == []
    prepare(f"mini={source}", "--force")
    assert len(decoded) > 16


def test_only_what_changed_is_decoded(prepare: Callable, tmp_path: Path, decoded: list[str]) -> None:
    source = good(tmp_path / "mini")
    prepare(f"mini={source}")
    table = read_utterances(tmp_path / "work", "mini").set_index("utterance")
    decoded.clear()
    soundfile.write(source / "f2_s03_W.wav", speech(50), 16000)
    prepare(f"mini={source}")
    assert decoded == ["f2_s03_W.wav"]
    time.sleep(0.01)
    (source / "f2_s03_W.wav").unlink()
    prepare(f"mini={source}")
    assert read_utterances(tmp_path / "work", "mini").set_index("utterance").equals(table)


def test_another_registry_entry_needs_no_decoding(
    prepare: Callable, tmp_path: Path, registry: Path, decoded: list[str]
) -> None:
    source = good(tmp_path / "mini")
    prepare(f"mini={source}")
    before = read_utterances(tmp_path / "work", "mini")
    decoded.clear()
    registry.write_text(REGISTRY.replace("anger", "rage").replace("female: [f1, f2]", "female: [f1], unknown: [f2]"))
    prepare(f"mini={source}")
    after = read_utterances(tmp_path / "work", "mini")
    assert decoded == [] and set(after["label"]) == {"rage", "neutral"}
    assert after["gender"][after["speaker"] == "f2"].tolist() == [""] * 4
    assert after["audio"].equals(before["audio"]) and data_hash(after) != data_hash(before)


def test_the_parent_folder_gives_the_same_ids(prepare: Callable, tmp_path: Path) -> None:
    source = good(tmp_path / "release/wav")
    prepare(f"mini={source}")
    inner = read_utterances(tmp_path / "work", "mini")
    prepare(f"mini={source.parent}")
    outer = read_utterances(tmp_path / "work", "mini")
    assert outer["utterance"].equals(inner["utterance"]) and outer["audio"].equals(inner["audio"])
    assert outer["path"].tolist() == [f"wav/{path}" for path in inner["path"]]
    assert data_hash(outer) == data_hash(inner)


def test_a_relative_folder_and_a_link_are_the_folder(
    prepare: Callable, tmp_path: Path, monkeypatch: Any, decoded: list
) -> None:
    good(tmp_path / "mini")
    (tmp_path / "link").symlink_to("mini")
    monkeypatch.chdir(tmp_path)
    prepare("mini=mini")
    decoded.clear()
    assert prepare("mini=link").code == prepare(f"mini={tmp_path}/./mini").code == 0
    assert decoded == []


def test_min_duration(prepare: Callable, tmp_path: Path) -> None:
    source = good(tmp_path / "mini")
    soundfile.write(source / "f1_s17_W.wav", speech(17, 0.08), 16000)
    prepare(f"mini={source}")
    assert len(read_utterances(tmp_path / "work", "mini")) == 16
    prepare(f"mini={source}", "--min-duration", "0.05")
    assert len(read_utterances(tmp_path / "work", "mini")) == 17
    result = prepare(f"mini={source}", "--min-duration", "5")
    assert (result.code, result.out) == (1, "")
    assert f"error: no recording of mini in {source} is usable: " in result.err
    assert len(read_utterances(tmp_path / "work", "mini")) == 17  # as it was


def test_identical_recordings_in_two_corpora_are_said(prepare: Callable, tmp_path: Path) -> None:
    good(tmp_path / "mini")
    twin = good(tmp_path / "twin", offset=1000)
    where = [f"mini={tmp_path / 'mini'}", f"twin={twin}"]
    assert "LEAK" not in prepare(*where).err
    shutil.copy(tmp_path / "mini/f1_s01_W.wav", twin / "m2_s09_N.wav")
    result = prepare(*where, "--json", "--quiet")
    warning = "WARNING: LEAK across corpora: mini/f1_s01_W and twin/m2_s09_N hold the same samples\n"
    assert (result.code, result.err) == (0, warning)
    assert result.json()["identical_across_corpora"] == [["mini/f1_s01_W", "twin/m2_s09_N"]]
    assert prepare(where[1], "--quiet").err == warning  # the other one was prepared before
    assert prepare(where[1], "--strict", "-q").code == 1


def test_many_identical_recordings_are_counted(prepare: Callable, tmp_path: Path) -> None:
    good(tmp_path / "mini")
    result = prepare(f"mini={tmp_path / 'mini'}", f"twin={shutil.copytree(tmp_path / 'mini', tmp_path / 'twin')}", "-q")
    assert result.err.count("WARNING: LEAK across corpora: ") == 5 and "WARNING: and 11 more such pairs" in result.err


def test_identical_across_compares_all_pairs() -> None:
    tables = {key: pd.DataFrame({"utterance": [f"{key}/1", f"{key}/2"], "audio": sounds}) for key, sounds in
              {"a": ["x", "y"], "b": ["z", "z"], "c": ["y", "z"]}.items()}  # fmt: skip
    assert identical_across(tables) == [("a/2", "c/1"), ("b/2", "c/2")]


def test_a_leak_between_partitions_is_said(prepare: Callable, tmp_path: Path) -> None:
    source = good(tmp_path / "mini")
    shutil.copy(source / "f1_s01_W.wav", source / "f2_s08_W.wav")
    for part in ("loso", "folds:4"):
        result = prepare(f"mini={source}", "--partition", part, "--quiet")
        assert f"WARNING: mini: LEAK in partition {part}: fold " in result.err
        assert "the same samples in mini/f1_s01_W (" in result.err and " and mini/f2_s08_W (" in result.err


def test_partition_files(prepare: Callable, tmp_path: Path) -> None:
    source = good(tmp_path / "mini")
    prepare(f"mini={source}", "--partition", "folds:4", "--seed", "3")
    folder = tmp_path / "work/corpora/mini"
    facts = json.loads((folder / "partition.json").read_text())
    assert {key: facts[key] for key in ("spec", "seed", "folds")} == {"spec": "folds:4", "seed": 3, "folds": 4}
    table = pd.read_csv(folder / "partition.csv", dtype=str)
    assert list(table.columns) == ["corpus", "utterance", "speaker", "label", "1", "2", "3", "4"] and len(table) == 16
    result = prepare(f"mini={source}", "--partition", "folds:9")
    assert (result.code, (folder / "partition.csv").exists()) == (1, False)
    assert "error: mini: 'folds:9' needs a number of groups from 3 to 4" in result.err
    assert len(read_utterances(tmp_path / "work", "mini")) == 16


@pytest.mark.parametrize(
    "arguments, code, error",
    [
        (["nomini=mini"], 1, "error: unknown corpus 'nomini'\n  mend: did you mean 'mini'? known: abc"),
        (["mini"], 1, "error: 'mini' is not CORPUS=FOLDER\n  mend: for example: emoset prepare emodb=mini\n"),
        (["mini="], 1, "error: 'mini=' is not CORPUS=FOLDER\n"),
        (["mini=gone"], 1, "gone is not a folder\n  mend: give the folder that holds the corpus, as in emodb=FOLDER\n"),
        (["mini=empty"], 1, "empty holds no audio (aif, aifc, "),
        (["mini=mini", "mini=mini"], 1, "error: mini is given 2 times\n"),
        (["emodb=mini"], 1, "error: none of the names in "),
        (["mini=mini", "--partition", "speaker"], 1, "unknown partition of mini 'speaker'\n  mend: did you mean"),
        (["mini=mini", "--partition", "loco"], 1, "loco goes across corpora"),
        (["mini=mini", "--stric"], 2, "No such option: --stric"),
        (["mini=mini", "--min-duration", "-1"], 2, "--min-duration"),
        ([], 2, "Missing argument"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", [[], ["--json"], ["--quiet"]], ids=["table", "json", "quiet"])
def test_wrong_commands(
    prepare: Callable, tmp_path: Path, monkeypatch: Any, arguments: list[str], code: int, error: str, form: list[str]
) -> None:
    good(tmp_path / "mini", texts=(1,))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    result = prepare(*arguments, *form)
    assert result.code == code and error in result.err
    assert "Traceback" not in result.err
    if "--partition" not in arguments:
        assert result.out == ""


def test_one_bad_corpus_does_not_stop_the_others(prepare: Callable, tmp_path: Path) -> None:
    good(tmp_path / "twin")
    result = prepare(f"mini={tmp_path / 'gone'}", f"twin={tmp_path / 'twin'}", "--json")
    assert result.code == 1 and result.err.startswith("error: ")
    assert [row["corpus"] for row in result.json()["corpora"]] == ["twin"]
    assert prepared_corpora(tmp_path / "work") == ["twin"]


def test_json_is_one_value_of_the_same_facts(prepare: Callable, tmp_path: Path) -> None:
    source = good(tmp_path / "mini")
    soundfile.write(source / "f1_s17_W.wav", speech(17, 0.05), 16000)
    (row,) = prepare(f"mini={source}", "--json", "--partition", "speakers").json()["corpora"]
    assert (row["corpus"], row["utterances"], row["left_out"], row["other_material"]) == ("mini", 16, 1, 0)
    assert row["problems"] == {"missing": 2, "surplus": 1, "table missing": 1, "too short": 1}
    assert row["partition"]["name"] == "speakers" and len(row["partition"]["hash"]) == 16
    table = prepare(f"mini={source}").out
    assert "mini" in table and "16" in table and "{" not in table


def damage(folder: Path, how: str) -> None:
    table, made = folder / "utterances.parquet", folder / "prepare.json"
    if how == "truncated":
        os.truncate(table, table.stat().st_size // 2)
    elif how == "gone":
        table.unlink()
    elif how == "empty":
        table.write_bytes(b"")
    elif how == "edited":
        frame = pd.read_parquet(table)
        frame.loc[0, "speaker"] = "m2"
        frame.to_parquet(table, index=False)
    elif how == "no hash":
        made.write_text("{}")
    else:
        made.write_text(json.dumps(json.loads(made.read_text()) | {"data": "0"}))


@pytest.mark.parametrize("how", ["truncated", "gone", "empty", "edited", "no hash", "other hash"])
def test_a_damaged_table_is_never_used(prepare: Callable, tmp_path: Path, decoded: list[str], how: str) -> None:
    source = good(tmp_path / "mini")
    prepare(f"mini={source}")
    decoded.clear()
    damage(tmp_path / "work/corpora/mini", how)
    with pytest.raises(EmosetError, match="mini is half written or damaged\n  mend: give the `emoset prepare` command"):
        read_utterances(tmp_path / "work", "mini")
    prepare(f"mini={source}")
    assert len(read_utterances(tmp_path / "work", "mini")) == 16 and decoded == []


def test_what_was_not_prepared_is_told(prepare: Callable, tmp_path: Path) -> None:
    with pytest.raises(EmosetError, match="work holds no prepared corpus\n  mend: emoset prepare mini=FOLDER"):
        read_utterances(tmp_path / "work", "mini")
    prepare(f"mini={good(tmp_path / 'mini')}")
    with pytest.raises(EmosetError, match=r"unknown corpus \(in .*work\) 'minni'\n  mend: did you mean 'mini'\?"):
        read_utterances(tmp_path / "work", "minni")


def test_a_table_of_another_registry_entry_is_refused(prepare: Callable, tmp_path: Path, registry: Path) -> None:
    prepare(f"mini={good(tmp_path / 'mini')}")
    same = load_corpora(registry)["mini"]
    assert len(read_utterances(tmp_path / "work", "mini", same)) == 16
    problem = "the registry says other things of mini now than when it was prepared\n  mend: emoset prepare mini=.*mini"
    for change in ({"labels": {"W": "rage", "N": "neutral"}}, {"genders": {}}, {"exclude": {"f1_s01_W": "a door"}}):
        with pytest.raises(EmosetError, match=problem):
            read_utterances(tmp_path / "work", "mini", replace(same, **change))
    assert len(read_utterances(tmp_path / "work", "mini", replace(same, notes=("a word",), count=None))) == 16


def test_an_entry_without_grammar_is_told(tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.wav").touch()
    with pytest.raises(EmosetError, match=r"no path grammar for x\n  mend: add `path` or `tables` to it in your corp"):
        prepare_corpus(
            replace(load_corpora()["emodb"], key="x", path=None, tables={}), tmp_path / "corpus", tmp_path / "work"
        )


@pytest.mark.parametrize("other", [16000, 48000])
def test_ends_are_judged_against_the_corpus(other: int) -> None:
    """Where half of the corpus ends loudly, a loud end says nothing."""
    condition = audio.Condition(
        native_sample_rate=other, channels=1, samples=16000, rms=0.1, peak=0.3, span=99, end=0.09
    )
    soft = audio.Condition(**{**vars(condition), "end": 0.001})
    corpus = load_corpora()["emodb"]
    for ends, expected in (([condition, soft, soft], ["may be cut off"]), ([condition, condition, soft], [])):
        rows = [{"path": str(n), "utterance": f"emodb/{n}"} for n in range(3)]
        usable, found = judge_audio(corpus, rows, {str(n): dict(vars(end)) for n, end in enumerate(ends)}, 0.1)
        assert [problem.problem for problem in found] == expected and len(usable) == 3


def test_the_demo_corpora_are_as_published(done: Path, recordings: dict[str, Path]) -> None:
    for key in recordings:
        assert not [
            row
            for row in problems(done, key)
            if row["problem"] in {"missing", "surplus"} or row["action"] == "left out"
        ]
        assert json.loads((done / "corpora" / key / "partition.json").read_text())["name"] == "standard"


def test_a_workspace_inside_the_corpus_folder_is_refused(emoset, recordings, tmp_path) -> None:
    corpus = Path(shutil.copytree(recordings["demo-cora"], tmp_path / "cora"))
    result = emoset("prepare", f"demo-cora={corpus}", "-d", corpus / "emoset-data")
    assert (result.code, result.out) == (1, "")
    assert "lies inside the corpus folder" in result.err and "--workspace" in result.err
    assert not (corpus / "emoset-data").exists()
