"""The 16 kHz store of a corpus: int16 mono samples in shards, each with a record of what it was made from.

``audio/NAME.i16`` holds the samples of some recordings end to end, ``audio/NAME.json`` says where each begins and
which file, size and times it had. The JSON is written last: a shard without one was never finished. Only shards
all of whose recordings are unchanged are used again, so a second `sync` reads just what changed.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emoset_cli import audio
from emoset_cli.errors import EmosetError
from emoset_cli.files import atomic, digest, read_json, sweep, write_json
from emoset_cli.parallel import run_jobs

_PER_SHARD = 64  # recordings


class SourceFile(NamedTuple):
    """A recording of the user's: POSIX path relative to the corpus folder, and what `stat` says of it."""

    path: str
    size: int
    modified_ns: int
    changed_ns: int


def audio_hash(samples: Any) -> str:
    """32 hex digits of 16 kHz int16 samples: equal for equal recordings, whatever their format or name."""
    return hashlib.blake2b(samples, digest_size=16).hexdigest()


def sync(
    folder: Path,
    source: Path,
    files: Iterable[SourceFile],
    workers: int = 0,
    force: bool = False,
    progress: Callable[[int, float], Any] = lambda files, seconds: None,
) -> dict[str, dict[str, Any]]:
    """Bring the store in ``folder`` up to date with ``files`` of ``source``; return a record for each path.

    A record is the measured `audio.Condition` and ``shard``, ``offset``, ``audio`` (hash). Shards no longer needed
    stay until `discard_unused`, because the utterance table on disk may still speak of them.

    Args:
        folder: the store (``corpora/KEY/audio``)
        source: the corpus folder; only read
        workers: decoding threads, 0 for all cores
        force: read everything again
        progress: called with the number of recordings and seconds of speech of each finished shard
    """
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    wanted = {file.path: file for file in files}
    records: dict[str, dict[str, Any]] = {}
    if not force:
        for shard in sorted(folder.glob("*.json")):
            records.update(_reusable(shard, source, wanted))
    progress(len(records), sum(record["samples"] for record in records.values()) / audio.SAMPLE_RATE)
    todo = [file for path, file in wanted.items() if path not in records]
    jobs = [(folder, source, todo[start : start + _PER_SHARD]) for start in range(0, len(todo), _PER_SHARD)]
    for part in run_jobs(_write_shard, jobs, workers, threads=True):
        records.update(part)
        progress(len(part), sum(record["samples"] for record in part.values()) / audio.SAMPLE_RATE)
    return records


def discard_unused(folder: Path, used: Iterable[str]) -> None:
    """Remove the shards that no record of the latest `sync` names."""
    keep = set(used)
    for path in folder.iterdir():
        if path.suffix in {".i16", ".json"} and path.stem not in keep:
            path.unlink(missing_ok=True)  # another process may do the same


def _shard_name(source: Path, files: Iterable[SourceFile]) -> str:
    return digest([audio.READER, str(source), [list(file) for file in files]])


def _reusable(sidecar: Path, source: Path, wanted: dict[str, SourceFile]) -> dict[str, dict[str, Any]]:
    try:
        shard = read_json(sidecar)
        files = [SourceFile(*stamp) for stamp in shard["files"]]
        whole = sidecar.with_suffix(".i16").stat().st_size == 2 * shard["samples"]
        if not whole or _shard_name(source, files) != sidecar.stem or any(wanted.get(f.path) != f for f in files):
            return {}
        return {file.path: record for file, record in zip(files, shard["records"], strict=True)}
    except (EmosetError, OSError, KeyError, TypeError, ValueError):
        return {}


def _write_shard(folder: Path, source: Path, files: list[SourceFile]) -> dict[str, dict[str, Any]]:
    name = _shard_name(source, files)
    records = []
    offset = 0
    with atomic(folder / f"{name}.i16") as aside, aside.open("wb") as out:
        for file in files:
            hasher = hashlib.blake2b(digest_size=16)

            def write(block: np.ndarray, hasher: Any = hasher) -> None:
                hasher.update(block)
                out.write(block.data)

            condition = audio.read(source / file.path, write)
            record = {**asdict(condition), "shard": name, "offset": offset, "audio": hasher.hexdigest()}
            record["samples"] = 0 if condition.failure else condition.samples
            if condition.failure:  # drop what was written before a recording broke off
                out.seek(2 * offset)
                out.truncate()
            offset += record["samples"]
            records.append(record)
    write_json(
        folder / f"{name}.json", {"samples": offset, "files": [list(file) for file in files], "records": records}
    )
    return {file.path: record for file, record in zip(files, records, strict=True)}


class AudioStore:
    """Reads utterances out of the store of one corpus, each by itself: nothing is kept, whatever the corpus's size."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def samples(self, shard: str, offset: int, samples: int) -> np.ndarray:
        """The 16 kHz int16 samples of an utterance, shape ``(samples,)``, as the table's row names them."""
        path = self.folder / f"{shard}.i16"
        try:
            return np.fromfile(path, np.int16, count=samples, offset=2 * offset)
        except FileNotFoundError:
            raise EmosetError(f"{path} is missing from the store", "give the `emoset prepare` command again") from None

    def verified(self, utterance: str, shard: str, offset: int, samples: int, expected: str) -> np.ndarray:
        """As `samples`, after checking them against the hash in the utterance table.

        Raises:
            EmosetError: if the store was damaged since `emoset prepare`
        """
        found = self.samples(shard, offset, samples)
        if audio_hash(found) != expected:
            raise EmosetError(
                f"the stored audio of {utterance} ({self.folder / shard}.i16) is not what `emoset prepare` wrote",
                "give the `emoset prepare` command again with --force",
            )
        return found
