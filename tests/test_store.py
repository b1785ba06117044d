"""The 16 kHz store: gives back what was put in, reads only what changed, and never believes what is damaged."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from emoset_cli import audio, store
from emoset_cli.errors import EmosetError
from emoset_cli.manifest import find_audio
from emoset_cli.store import AudioStore, SourceFile, audio_hash, discard_unused, sync


def sound(seed: int, samples: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9000, 9000, samples).astype(np.int16)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """20 recordings: two full shards and a part of a third."""
    monkeypatch.setattr(store, "_PER_SHARD", 8)
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(20):
        soundfile.write(folder / f"{number:03d}.wav", sound(number), 16000)
    return folder


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the recordings that are decoded."""
    names: list[str] = []
    whole = audio.read

    def read(path: Path, write: Any) -> Any:
        names.append(path.name)
        return whole(path, write)

    monkeypatch.setattr(audio, "read", read)
    yield names


def take(decoded: list[str]) -> list[str]:
    """The names decoded since the last time."""
    names = sorted(decoded)
    decoded.clear()
    return names


def bring(folder: Path, source: Path, **options: Any) -> dict[str, dict[str, Any]]:
    """As `emoset prepare` does: sync with what the folder holds, then discard."""
    records = sync(folder, source, find_audio(source), **options)
    discard_unused(folder, {record["shard"] for record in records.values()})
    return records


def stored(folder: Path, record: dict[str, Any]) -> np.ndarray:
    return AudioStore(folder).verified("x", record["shard"], record["offset"], record["samples"], record["audio"])


def assert_holds(folder: Path, source: Path, records: dict[str, dict[str, Any]]) -> None:
    """Every record leads to the samples of its file, and the folder holds nothing else."""
    assert sorted(records) == sorted(path.name for path in source.iterdir())
    for name, record in records.items():
        assert np.array_equal(stored(folder, record), soundfile.read(source / name, dtype="int16")[0])
    shards = {record["shard"] for record in records.values()}
    assert {path.name for path in folder.iterdir()} == {f"{s}{end}" for s in shards for end in (".i16", ".json")}


NAME = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0\\", exclude_categories=["C"]), min_size=1, max_size=12
)


SAMPLES = st.lists(st.integers(-32768, 32767), min_size=1, max_size=50)


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(NAME.filter(lambda name: name[0] != "."), SAMPLES, min_size=1, max_size=6))
def test_round_trip(content: dict[str, list[int]]) -> None:
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        (folder / "source").mkdir()
        for name, values in content.items():
            soundfile.write(folder / "source" / f"{name}.wav", np.array(values, np.int16), 16000)
        records = bring(folder / "store", folder / "source")
        again = bring(folder / "store", folder / "source")
        assert again == records and len(records) == len(content)
        for name, values in content.items():
            record = records[f"{name}.wav"]
            assert stored(folder / "store", record).tolist() == values
            assert record["audio"] == audio_hash(np.array(values, np.int16))


def test_hash_is_of_samples_not_of_formats(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name in ("a.wav", "b.flac", "c.aiff"):
        soundfile.write(tmp_path / "source" / name, sound(1), 16000)
    soundfile.write(tmp_path / "source" / "d.wav", sound(2), 16000)
    hashes = {name: record["audio"] for name, record in bring(tmp_path / "store", tmp_path / "source").items()}
    assert hashes["a.wav"] == hashes["b.flac"] == hashes["c.aiff"] != hashes["d.wav"]


def test_a_second_sync_decodes_nothing(tmp_path: Path, source: Path, decoded: list[str]) -> None:
    counts: list[tuple[int, float]] = []
    first = bring(tmp_path / "store", source, workers=2, progress=lambda *done: counts.append(done))
    assert len(take(decoded)) == 20 and sum(count for count, _ in counts) == 20
    assert sum(seconds for _, seconds in counts) == pytest.approx(20 * 400 / 16000)
    counts.clear()
    assert bring(tmp_path / "store", source, progress=lambda *done: counts.append(done)) == first
    assert take(decoded) == [] and counts == [(20, pytest.approx(0.5))]
    assert_holds(tmp_path / "store", source, first)
    assert bring(tmp_path / "store", source, force=True) == first
    assert len(take(decoded)) == 20


def test_workers_make_no_difference(tmp_path: Path, source: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    assert bring(one, source, workers=1) == bring(two, source, workers=2)
    assert {path.name: path.read_bytes() for path in one.iterdir()} == {p.name: p.read_bytes() for p in two.iterdir()}


def test_a_changed_file_redoes_only_its_shard(tmp_path: Path, source: Path, decoded: list[str]) -> None:
    before = bring(tmp_path / "store", source)
    take(decoded)
    time.sleep(0.01)
    soundfile.write(source / "010.wav", sound(999), 16000)  # as long as before
    records = bring(tmp_path / "store", source)
    assert take(decoded) == [f"{number:03d}.wav" for number in range(8, 16)]
    assert records["010.wav"]["audio"] != before["010.wav"]["audio"]
    assert_holds(tmp_path / "store", source, records)


def test_a_change_that_keeps_size_and_mtime_is_seen(tmp_path: Path, source: Path) -> None:
    before = bring(tmp_path / "store", source)
    stat = (source / "003.wav").stat()
    soundfile.write(source / "003.wav", sound(999), 16000)
    os.utime(source / "003.wav", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert bring(tmp_path / "store", source)["003.wav"]["audio"] != before["003.wav"]["audio"]


def test_an_added_file_is_read_alone(tmp_path: Path, source: Path, decoded: list[str]) -> None:
    before = bring(tmp_path / "store", source)
    take(decoded)
    soundfile.write(source / "0205.wav", sound(999), 16000)
    records = bring(tmp_path / "store", source)
    assert take(decoded) == ["0205.wav"] and {name: records[name] for name in before} == before
    assert_holds(tmp_path / "store", source, records)


def test_a_removed_file_redoes_only_its_shard(tmp_path: Path, source: Path, decoded: list[str]) -> None:
    bring(tmp_path / "store", source)
    take(decoded)
    (source / "019.wav").unlink()
    records = bring(tmp_path / "store", source)
    assert take(decoded) == [f"{number:03d}.wav" for number in range(16, 19)]
    assert_holds(tmp_path / "store", source, records)


def test_old_shards_stay_until_they_are_discarded(tmp_path: Path, source: Path) -> None:
    before = sync(tmp_path / "store", source, find_audio(source))
    (source / "019.wav").unlink()
    sync(tmp_path / "store", source, find_audio(source))
    assert np.array_equal(stored(tmp_path / "store", before["019.wav"]), sound(19))


def test_another_folder_with_the_same_names_is_read_anew(tmp_path: Path, source: Path, decoded: list[str]) -> None:
    before = bring(tmp_path / "store", source)
    take(decoded)
    moved = source.rename(tmp_path / "moved")
    records = bring(tmp_path / "store", moved)
    assert len(take(decoded)) == 20
    assert {n: r["audio"] for n, r in records.items()} == {n: r["audio"] for n, r in before.items()}


def test_a_new_reader_reads_anew(tmp_path: Path, source: Path, decoded: list[str], monkeypatch: Any) -> None:
    bring(tmp_path / "store", source)
    take(decoded)
    monkeypatch.setattr(audio, "READER", audio.READER + 1)
    bring(tmp_path / "store", source)
    assert len(take(decoded)) == 20


def test_what_a_killed_process_left_is_swept(tmp_path: Path, source: Path) -> None:
    records = bring(tmp_path / "store", source)
    live = tmp_path / "store" / f".live.i16.{os.getppid()}.tmp"
    for name in (live.name, f".half.i16.{2**22 + 1}.tmp", f".own.i16.{os.getpid()}.tmp"):
        (tmp_path / "store" / name).write_bytes(b"half")
    assert bring(tmp_path / "store", source) == records
    assert [path.name for path in (tmp_path / "store").glob(".*")] == [live.name]


def test_a_shard_without_its_record_was_never_finished(tmp_path: Path, source: Path, decoded: list[str]) -> None:
    records = bring(tmp_path / "store", source)
    take(decoded)
    (tmp_path / "store" / f"{records['019.wav']['shard']}.json").unlink()
    assert bring(tmp_path / "store", source) == records
    assert len(take(decoded)) == 20 - 16


def _edit(shard: dict[str, Any], **values: Any) -> str:
    return json.dumps(shard | values)


@pytest.mark.parametrize(
    "damage",
    [
        lambda shard: "",
        lambda shard: json.dumps(shard)[:-20],
        lambda shard: "[]",
        lambda shard: "null",
        lambda shard: _edit(shard, samples="x"),
        lambda shard: _edit(shard, files=shard["files"][1:]),
        lambda shard: _edit(shard, records=shard["records"][1:]),
        lambda shard: _edit(shard, files=[["a.wav"]]),
        lambda shard: json.dumps({"files": shard["files"]}),
        lambda shard: json.dumps({"files": shard["files"], "samples": shard["samples"]}),
    ],
)
def test_a_damaged_record_is_done_again(tmp_path: Path, source: Path, decoded: list[str], damage: Any) -> None:
    records = bring(tmp_path / "store", source)
    take(decoded)
    sidecar = tmp_path / "store" / f"{records['019.wav']['shard']}.json"
    sidecar.write_text(damage(json.loads(sidecar.read_text())))
    assert bring(tmp_path / "store", source) == records
    assert len(take(decoded)) == 20 - 16


def test_a_truncated_shard_is_done_again(tmp_path: Path, source: Path, decoded: list[str]) -> None:
    records = bring(tmp_path / "store", source)
    take(decoded)
    shard = tmp_path / "store" / f"{records['000.wav']['shard']}.i16"
    os.truncate(shard, shard.stat().st_size - 2)
    assert_holds(tmp_path / "store", source, bring(tmp_path / "store", source))
    assert len(take(decoded)) == 8


def test_a_flipped_bit_is_noticed(tmp_path: Path, source: Path) -> None:
    records = bring(tmp_path / "store", source)
    record = records["002.wav"]
    shard = tmp_path / "store" / f"{record['shard']}.i16"
    content = bytearray(shard.read_bytes())
    content[2 * record["offset"] + 7] ^= 4
    shard.write_bytes(content)
    problem = r"the stored audio of x \(.*\.i16\) is not what `emoset prepare` wrote\n  mend: .*--force"
    with pytest.raises(EmosetError, match=problem):
        stored(tmp_path / "store", record)
    assert np.array_equal(stored(tmp_path / "store", records["001.wav"]), sound(1))
    assert_holds(tmp_path / "store", source, bring(tmp_path / "store", source, force=True))


def test_a_missing_shard_is_told(tmp_path: Path) -> None:
    with pytest.raises(EmosetError, match=r"abc\.i16 is missing from the store\n  mend: give the `emoset prepare`"):
        AudioStore(tmp_path).samples("abc", 0, 1)


def test_faulty_recordings_take_no_room(tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "_BLOCK", 4096)
    source = tmp_path / "source"
    source.mkdir()
    (source / "0.wav").write_bytes(b"")
    soundfile.write(source / "1.wav", sound(1), 16000)
    soundfile.write(source / "2.flac", sound(2, 30000), 16000)  # breaks off after some blocks were written
    content = (source / "2.flac").read_bytes()
    (source / "2.flac").write_bytes(content[: len(content) * 3 // 4])
    (source / "3.wav").symlink_to("gone.wav")
    soundfile.write(source / "4.wav", sound(4), 16000)
    records = bring(tmp_path / "store", source)
    assert [name for name, record in records.items() if record["failure"]] == ["0.wav", "2.flac", "3.wav"]
    assert [record["samples"] for record in records.values()] == [0, 400, 0, 0, 400]
    for name, seed in (("1.wav", 1), ("4.wav", 4)):
        assert np.array_equal(stored(tmp_path / "store", records[name]), sound(seed))
    take(decoded)
    assert bring(tmp_path / "store", source) == records and take(decoded) == []


def test_a_shard_of_nothing_but_faults(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "0.wav").write_bytes(b"")
    (record,) = bring(tmp_path / "store", tmp_path / "source").values()
    assert len(AudioStore(tmp_path / "store").samples(record["shard"], 0, 0)) == 0


def test_a_full_disk_leaves_no_half_shard(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, write: Any) -> None:
        write(np.zeros(10, np.int16))
        raise OSError(28, "No space left on device")

    whole = audio.read
    monkeypatch.setattr(audio, "read", full)
    for workers in (1, 2):
        with pytest.raises(OSError, match="No space left"):
            sync(tmp_path / "store", source, find_audio(source), workers)
        assert list((tmp_path / "store").glob("*.i16")) == []
    monkeypatch.setattr(audio, "read", whole)
    assert_holds(tmp_path / "store", source, bring(tmp_path / "store", source))


def test_samples_are_read_one_utterance_at_a_time(tmp_path: Path, source: Path) -> None:
    """A mapped shard would stay in the memory of the process that trains on it."""
    record = bring(tmp_path / "store", source)["000.wav"]
    samples = AudioStore(tmp_path / "store").samples(record["shard"], record["offset"], record["samples"])
    assert samples.base is None and samples.dtype == np.int16 and len(samples) == record["samples"]


def test_a_source_file_is_what_stat_says(source: Path) -> None:
    stat = (source / "000.wav").stat()
    assert find_audio(source)[0] == SourceFile("000.wav", stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
