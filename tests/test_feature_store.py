"""Features: bit for bit openSMILE's, extracted once, found by what made them, never used when stale or damaged."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from emoset_cli import feature_store, features
from emoset_cli.corpora import load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.feature_store import extract, feature_folder, load, shape
from emoset_cli.features import ALIASES, FEATURES, find_feature
from emoset_cli.files import write_json
from emoset_cli.prepare import prepare_corpus, read_utterances

ARIA = load_corpora()["demo-aria"]
KEY = "demo-aria"
NAME = "egemaps-v02"


def voice(seed: int, seconds: float = 0.7) -> np.ndarray:
    """A buzz of gliding pitch under noise: voiced enough for every functional."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * 16000)) / 16000
    phase = 2 * np.pi * np.cumsum(100 + 20 * seed + 40 * np.sin(3 * time)) / 16000
    buzz = sum(np.sin(k * phase) / k for k in range(1, 20))
    return 0.1 * buzz * (0.6 + 0.4 * np.sin(8 * time)) + rng.normal(0, 0.003, len(time))


def names(count: int) -> list[str]:
    return [f"{speaker}_s{text:02d}_W1" for speaker in ("f01", "f02", "m01") for text in range(1, 8)][:count]


def record(folder: Path, seeds: dict[str, int], seconds: float = 0.2) -> Path:
    """Recordings by name; each seed is another sound."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed in seeds.items():
        soundfile.write(folder / f"{name}.wav", voice(seed, seconds), 16000)
    return folder


def prepared(work: Path, source: Path, **options: Any) -> pd.DataFrame:
    return prepare_corpus(ARIA, source, work, workers=1, **options).utterances


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return record(tmp_path / "source", {name: seed for seed, name in enumerate(names(10))})


@pytest.fixture
def work(tmp_path: Path, source: Path) -> Path:
    """A workspace with 10 prepared utterances."""
    prepared(tmp_path / "work", source)
    return tmp_path / "work"


class Extractor:
    """Stands for openSMILE: three plain numbers an utterance, and a note of what was asked of it."""

    def __init__(self) -> None:
        self.batches: list[list[np.ndarray]] = []
        self.die_at = 0

    def __call__(self, waveforms: list[np.ndarray]) -> np.ndarray:
        if self.die_at and len(self.batches) + 1 == self.die_at:
            raise KeyboardInterrupt
        self.batches.append(waveforms)
        return np.array([expected(waveform) for waveform in waveforms], np.float32)

    def take(self) -> int:
        """Utterances extracted since the last time."""
        count = sum(map(len, self.batches))
        self.batches.clear()
        return count


def expected(waveform: np.ndarray) -> list[float]:
    values = waveform.astype(np.float64) / 32768
    return [values.std(), np.abs(values).max(), np.nan if len(waveform) < 1600 else len(waveform)]


@pytest.fixture
def extractor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Extractor]:
    fake = Extractor()
    monkeypatch.setattr(features, "build", lambda name: (["sd", "peak", "length"], fake))
    monkeypatch.setattr(feature_store, "_built", {})
    monkeypatch.setattr(feature_store, "_PER_JOB", 2)
    yield fake


def run(work: Path, name: str = NAME, **options: Any) -> list[str]:
    return extract(work, name, KEY, read_utterances(work, KEY), workers=1, **options)


def assert_right(work: Path, source: Path, name: str = NAME) -> None:
    """What is loaded is what the extractor makes of the recordings, row by row."""
    table = read_utterances(work, KEY)
    columns, values = load(work, name, KEY, table)
    assert columns == ["sd", "peak", "length"] and values.dtype == np.float32 and values.shape == (len(table), 3)
    for row, path in zip(values, table["path"], strict=True):
        assert np.array_equal(row, np.float32(expected(soundfile.read(source / path, dtype="int16")[0])))
    shuffled = table.sample(frac=1, random_state=0)
    assert np.array_equal(load(work, name, KEY, shuffled)[1], values[shuffled.index])


@pytest.mark.parametrize("name, official", [("egemaps-v02", "eGeMAPSv02"), ("emobase", "emobase")])
def test_numbers_are_opensmiles_bit_for_bit(tmp_path: Path, name: str, official: str) -> None:
    import opensmile

    source = record(tmp_path / "source", dict(zip(names(3), range(3), strict=True)))
    loud = np.clip(9 * voice(3), -1, 1)
    soundfile.write(source / "f01_s09_W1.wav", loud, 16000)
    soundfile.write(source / "m01_s09_W1.flac", np.stack([voice(4), voice(5)], axis=1), 16000)
    table = prepared(tmp_path / "work", source)
    assert extract(tmp_path / "work", name, KEY, table, workers=1) == []
    columns, values = load(tmp_path / "work", name, KEY, table)
    smile = opensmile.Smile(opensmile.FeatureSet[official], opensmile.FeatureLevel.Functionals)
    store = feature_store.AudioStore(tmp_path / "work/corpora/demo-aria/audio")
    for row, found in zip(table.itertuples(), values, strict=True):
        samples = store.samples(row.shard, row.offset, row.samples)
        reference = smile.process_signal(samples.astype(np.float32) / 32768, 16000)
        assert list(reference.columns) == columns
        assert np.array_equal(found, reference.to_numpy(np.float32)[0])
    assert len({row.tobytes() for row in values}) == 5 and np.isfinite(values).all()


def test_processes_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_store, "_PER_JOB", 1)
    table = prepared(tmp_path / "work", record(tmp_path / "source", dict(zip(names(4), range(4), strict=True))))
    progress: list[tuple[int, float]] = []
    extract(tmp_path / "work", NAME, KEY, table, workers=2, progress=lambda *done: progress.append(done))
    two = load(tmp_path / "work", NAME, KEY, table)[1]
    extract(tmp_path / "work", NAME, KEY, table, workers=1, force=True)
    assert np.array_equal(load(tmp_path / "work", NAME, KEY, table)[1], two)
    assert sum(count for count, _ in progress) == 4
    assert sum(seconds for _, seconds in progress) == pytest.approx(table["duration_s"].sum())


def test_extracted_once(work: Path, source: Path, extractor: Extractor) -> None:
    assert run(work) == [] and extractor.take() == 10
    assert_right(work, source)
    before = {path.name: path.read_bytes() for path in feature_folder(work, NAME).iterdir()}
    assert sorted(before) == ["demo-aria.json", "demo-aria.npy"]
    progress: list[tuple[int, float]] = []
    run(work, progress=lambda *done: progress.append(done))
    assert extractor.take() == 0 and progress == [(10, pytest.approx(2.0))]
    assert {path.name: path.read_bytes() for path in feature_folder(work, NAME).iterdir()} == before
    assert shape(work, NAME, KEY) == (3, 10)
    run(work, force=True)
    assert extractor.take() == 10
    assert {path.name: path.read_bytes() for path in feature_folder(work, NAME).iterdir()} == before


def test_only_new_audio_is_extracted(work: Path, source: Path, extractor: Extractor) -> None:
    run(work)
    extractor.take()
    record(source, {"f01_s00_W1": 50, names(10)[3]: 51})  # one new, one spoken anew
    prepared(work, source)
    problem = "2 utterances of demo-aria are newer than its egemaps-v02 features, the first is demo-aria/f01_s00_W1\n"
    with pytest.raises(EmosetError, match=problem + "  mend: emoset extract egemaps-v02 demo-aria"):
        load(work, NAME, KEY, read_utterances(work, KEY))
    run(work)
    assert extractor.take() == 2
    assert_right(work, source)


def test_other_audio_under_the_same_name_is_refused(work: Path, source: Path, extractor: Extractor) -> None:
    run(work)
    one, other = (source / f"{name}.wav" for name in names(2))
    record(source, {names(1)[0]: 77})
    prepared(work, source)
    with pytest.raises(EmosetError, match="1 utterances of demo-aria are newer than"):
        load(work, NAME, KEY, read_utterances(work, KEY))
    shutil.copy(other, one)  # known audio under another name needs no extraction, and gets its own numbers
    prepared(work, source)
    extractor.take()
    assert_right(work, source)
    run(work)
    assert extractor.take() == 0
    assert_right(work, source)
    assert shape(work, NAME, KEY) == (3, 9)


def test_other_labels_and_names_need_no_extraction(work: Path, source: Path, extractor: Extractor) -> None:
    run(work)
    extractor.take()
    for name in names(10):
        (source / f"{name}.wav").rename(source / f"{name[:-2]}T1.wav")
    prepared(work, source)
    run(work)
    assert extractor.take() == 0
    assert_right(work, source)


def test_removed_utterances_leave(work: Path, source: Path, extractor: Extractor) -> None:
    run(work)
    extractor.take()
    (source / f"{names(1)[0]}.wav").unlink()
    prepared(work, source)
    assert_right(work, source)
    run(work)
    assert extractor.take() == 0 and shape(work, NAME, KEY) == (3, 9)
    assert_right(work, source)


def test_other_settings_go_elsewhere(work: Path, extractor: Extractor, monkeypatch: pytest.MonkeyPatch) -> None:
    run(work)
    folder = feature_folder(work, NAME)
    made = json.loads((folder / "demo-aria.json").read_text())
    assert made["settings"] == features.settings(NAME)
    assert made["settings"]["package"].startswith("opensmile ") and made["settings"]["sample_rate"] == 16000
    assert len({feature_folder(work, name) for name in FEATURES}) == len(FEATURES)
    extractor.take()
    monkeypatch.setattr(features, "version", lambda package: "99.0")
    assert feature_folder(work, NAME) != folder
    with pytest.raises(EmosetError, match="demo-aria has no egemaps-v02 features\n  mend: emoset extract egemaps-v02"):
        load(work, NAME, KEY, read_utterances(work, KEY))
    run(work)
    assert extractor.take() == 10
    monkeypatch.setitem(FEATURES, NAME, features.Feature(FEATURES[NAME].module, {"feature_set": "emobase"}))
    run(work)
    assert extractor.take() == 10
    assert len(list((work / "features").iterdir())) == 3 and (folder / "demo-aria.npy").is_file()


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def _edit(path: Path, change: Callable[[dict], Any]) -> None:
    made = json.loads(path.read_text())
    change(made)
    path.write_text(json.dumps(made))


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "npy cut": lambda stem: os.truncate(stem.with_suffix(".npy"), 140),
    "npy empty": lambda stem: os.truncate(stem.with_suffix(".npy"), 0),
    "npy edited": lambda stem: _flip(stem.with_suffix(".npy"), -3),
    "npy gone": lambda stem: stem.with_suffix(".npy").unlink(),
    "json cut": lambda stem: os.truncate(stem.with_suffix(".json"), 50),
    "json empty": lambda stem: os.truncate(stem.with_suffix(".json"), 0),
    "json a list": lambda stem: stem.with_suffix(".json").write_text("[]"),
    "rows swapped": lambda stem: _edit(stem.with_suffix(".json"), lambda made: made["audio"].reverse()),
    "columns swapped": lambda stem: _edit(stem.with_suffix(".json"), lambda made: made["columns"].reverse()),
    "no checksum": lambda stem: _edit(stem.with_suffix(".json"), lambda made: made.pop("checksum")),
    "no rows": lambda stem: _edit(stem.with_suffix(".json"), lambda made: made.pop("audio")),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_damaged_files_are_noticed_and_extracted_again(
    work: Path, source: Path, extractor: Extractor, how: str
) -> None:
    run(work)
    extractor.take()
    DAMAGE[how](feature_folder(work, NAME) / KEY)
    with pytest.raises(
        EmosetError, match=r"is not what `emoset extract` wrote\n  mend: extract it again|not valid JSON"
    ):
        load(work, NAME, KEY, read_utterances(work, KEY))
    run(work)
    assert extractor.take() == 10
    assert_right(work, source)


def test_damaged_audio_is_not_extracted(work: Path, extractor: Extractor) -> None:
    (shard,) = (work / "corpora/demo-aria/audio").glob("*.i16")
    _flip(shard, 100)
    with pytest.raises(
        EmosetError, match=r"the stored audio of demo-aria/f01_s01_W1 .* is not what `emoset prepare` wrote"
    ):
        run(work)
    assert not list(feature_folder(work, NAME).glob("*.npy"))


def test_parts_of_a_stopped_extraction_are_used(work: Path, source: Path, extractor: Extractor) -> None:
    extractor.die_at = 4
    with pytest.raises(KeyboardInterrupt):
        run(work)
    parts = feature_folder(work, NAME) / "demo-aria.parts"
    assert len(list(parts.glob("*.npz"))) == 3 and extractor.take() == 6
    with pytest.raises(EmosetError, match="demo-aria has no egemaps-v02 features"):
        load(work, NAME, KEY, read_utterances(work, KEY))
    with pytest.raises(EmosetError, match=r"demo-aria\.json is missing"):
        shape(work, NAME, KEY)
    os.truncate(sorted(parts.glob("*.npz"))[0], 100)  # and one of them is damaged
    (parts / f".half.npz.{2**22 + 1}.tmp").write_bytes(b"half")
    (parts / "empty.npz").touch()
    extractor.die_at = 0
    assert run(work) == [] and extractor.take() == 6
    assert not parts.exists()
    assert_right(work, source)


def test_parts_of_other_audio_do_no_harm(work: Path, source: Path, extractor: Extractor) -> None:
    extractor.die_at = 4
    with pytest.raises(KeyboardInterrupt):
        run(work)
    extractor.die_at, extractor.batches = 0, []
    record(source, {name: 60 + number for number, name in enumerate(names(2))})
    prepared(work, source)
    run(work)
    assert extractor.take() == 6
    assert_right(work, source)


def test_stopped_between_the_two_files(work: Path, source: Path, extractor: Extractor, monkeypatch: Any) -> None:
    run(work)
    record(source, {"f01_s00_W1": 50})
    prepared(work, source)

    def stop(path: Path, value: Any) -> None:
        if path.name == f"{KEY}.json":
            raise KeyboardInterrupt
        write_json(path, value)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(feature_store, "write_json", stop)
        run(work)
    with pytest.raises(EmosetError, match="is not what `emoset extract` wrote"):
        load(work, NAME, KEY, read_utterances(work, KEY))
    run(work)
    assert_right(work, source)


def test_a_full_disk_leaves_what_was_there(work: Path, source: Path, extractor: Extractor, monkeypatch: Any) -> None:
    run(work)
    before = {path.name: path.read_bytes() for path in feature_folder(work, NAME).iterdir()}

    def full(file: Any, **arrays: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(np, "savez", full)
        run(work, force=True)
    assert {path.name: path.read_bytes() for path in feature_folder(work, NAME).glob("*.*") if path.is_file()} == before
    assert_right(work, source)


def test_equal_recordings_are_extracted_once(tmp_path: Path, extractor: Extractor) -> None:
    source = record(tmp_path / "source", dict.fromkeys(names(4), 1))
    prepared(tmp_path / "work", source)
    run(tmp_path / "work")
    assert extractor.take() == 1 and shape(tmp_path / "work", NAME, KEY) == (3, 1)
    assert_right(tmp_path / "work", source)


def test_utterances_without_features_are_named(emoset: Callable, tmp_path: Path) -> None:
    source = record(tmp_path / "source", {names(1)[0]: 1})
    soundfile.write(source / "m01_s01_W1.wav", voice(2, 0.03), 16000)
    work = tmp_path / "work"
    prepared(work, source, min_duration_s=0.01)
    result = emoset("extract", "egemaps", "-d", work, "--workers", 1, "--json")
    assert result.code == 1
    assert (
        result.err == "problem: demo-aria/m01_s01_W1 has no finite egemaps-v02 features: too short for the extractor\n"
    )
    (row,) = result.json()
    assert (row["utterances"], row["without_features"], row["features"], row["feature"]) == (2, 1, 88, NAME)
    problem = (
        "1 utterances have no finite egemaps-v02 features, the first is demo-aria/m01_s01_W1\n"
        "  mend: they are too short for the extractor: .* --min-duration"
    )
    table = read_utterances(work, KEY)
    with pytest.raises(EmosetError, match=problem):
        load(work, NAME, KEY, table)
    assert load(work, NAME, KEY, table[:1])[1].shape == (1, 88)
    assert emoset("extract", "egemaps", "-d", work, "-q").code == 1  # also from the cache
    prepared(work, source)
    result = emoset("extract", "egemaps", KEY, "-d", work)
    assert (result.code, result.err) == (0, "") and "egemaps-v02" in result.out and "88" in result.out


@pytest.mark.parametrize(
    "arguments, code, error",
    [
        (["egemap"], 1, "error: unknown feature 'egemap'\n  mend: did you mean 'egemaps'? known: compare, "),
        (["egemaps", "demo-arya"], 1, "demo-arya'\n  mend: did you mean 'demo-aria'? known: demo-aria\n"),
        ([], 2, "Missing argument"),
        (["egemaps", "--jsn"], 2, "No such option"),
    ],
)  # fmt: skip
def test_wrong_commands(emoset: Callable, work: Path, arguments: list[str], code: int, error: str) -> None:
    for form in ([], ["--json"], ["--quiet"]):
        result = emoset("extract", *arguments, "-d", work, *form)
        assert (result.code, result.out) == (code, "") and error in result.err


def test_nothing_prepared(emoset: Callable, tmp_path: Path) -> None:
    result = emoset("extract", "egemaps", "-d", tmp_path / "none", "--json")
    assert (result.code, result.out) == (1, "")
    assert result.err.endswith("none holds no prepared corpus\n  mend: emoset prepare CORPUS=FOLDER\n")


def test_names_and_aliases() -> None:
    assert {alias: find_feature(alias) for alias in ALIASES} == ALIASES
    assert all(find_feature(name) == name for name in FEATURES)
    with pytest.raises(
        EmosetError,
        match=r"unknown feature 'eGeMAPSv02'\n  mend: .*known: compare, compare-2016, deepspectrum, egemaps",
    ):
        find_feature("eGeMAPSv02")


@pytest.mark.parametrize("name", FEATURES)
def test_every_feature_set_is_opensmiles(name: str) -> None:
    """The registry names real feature sets, and each builds with as many functionals as its publication says."""
    published = {
        "egemaps-v02": 88, "egemaps-v01b": 88, "gemaps-v01b": 62, "emobase": 988, "compare-2016": 6373, "is09": 384,
        "is10": 1582, "is11": 4368, "is12": 6125, "is13": 6373,
    }  # fmt: skip
    columns, extract_batch = features.build(name)
    assert len(columns) == len(set(columns)) == published[name]
    assert extract_batch([np.zeros(8000, np.int16)] * 2).shape == (2, published[name])
