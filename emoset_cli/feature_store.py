"""Features on disk, keyed by what made them: the audio's hash and the extractor's settings, never a name alone.

``features/egemaps-v02_1a2b3c4d/emodb.npy`` holds one row for each recording, ``emodb.json`` the settings, the names of
the columns, the audio hash of each row and a checksum. Finished parts of an unfinished extraction lie in
``emodb.parts/`` and are taken up again. Rows are found by audio hash: other labels, partitions or file names need no
new extraction, other audio or settings always do.
"""

import io
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from emoset_cli import features
from emoset_cli.errors import EmosetError
from emoset_cli.files import atomic, digest, read_json, sweep, write_json
from emoset_cli.parallel import run_jobs
from emoset_cli.prepare import corpus_folder
from emoset_cli.store import AudioStore

_PER_JOB = 16  # utterances
_NAMES = "columns.json"


def feature_folder(workspace: Path, name: str) -> Path:
    """Where a feature set with its present settings lives."""
    return workspace / "features" / f"{name}_{digest(features.settings(name), length=8)}"


def extract(
    workspace: Path,
    name: str,
    key: str,
    utterances: Any,
    workers: int = 0,
    force: bool = False,
    progress: Callable[[int, float], Any] = lambda utterances, seconds: None,
) -> list[str]:
    """Extract what is missing of a feature set for a corpus; answer the utterances that have no finite features.

    Args:
        workspace: the folder of what the tool makes
        name: full name of the feature set
        key: corpus
        utterances: its utterance table
        workers: processes, 0 for all cores
        force: extract everything again
        progress: called with (utterances, seconds of speech) as they are done
    """
    folder = feature_folder(workspace, name)
    sweep(folder)
    rows = utterances.drop_duplicates("audio")
    have = {} if force else _read_whole(folder, key)
    parts = folder / f"{key}.parts"
    if force:
        shutil.rmtree(parts, ignore_errors=True)
    have |= _read_parts(parts)
    seconds = dict(zip(rows["audio"], rows["duration_s"], strict=True))
    todo = rows[~rows["audio"].isin(have.keys())]
    done = [sound for sound in rows["audio"] if sound in have]
    progress(len(done), sum(seconds[sound] for sound in done))
    names: list[str] = []
    if len(todo) or not (folder / f"{key}.json").is_file():
        columns = ["utterance", "shard", "offset", "samples", "audio"]
        cells = list(todo[columns].itertuples(index=False, name=None))
        audio = corpus_folder(workspace, key) / "audio"
        jobs = [(name, audio, parts, cells[at : at + _PER_JOB]) for at in range(0, len(cells), _PER_JOB)]
        for part in run_jobs(_extract_part, jobs, workers):
            progress(len(part), sum(seconds[sound] for sound in part))
        names = _read_names(parts)
        have |= _read_parts(parts)
    if not have.keys() >= seconds.keys():  # another process was through with the same and has removed the parts
        have |= _read_whole(folder, key)
    if not have.keys() >= seconds.keys():
        raise EmosetError(f"features were removed from {folder} at the same time", "give the same command again")
    if list(have) != rows["audio"].tolist() or parts.is_dir() or not (folder / f"{key}.json").is_file():
        names = names or _extractor(name)[0]
        _write_whole(folder, key, name, names, {sound: have[sound] for sound in rows["audio"]})
        shutil.rmtree(parts, ignore_errors=True)
    finite = {sound: bool(np.isfinite(row).all()) for sound, row in have.items()}
    return [
        utterance
        for utterance, sound in zip(utterances["utterance"], utterances["audio"], strict=True)
        if not finite[sound]
    ]


def _extract_part(name: str, audio: Path, parts: Path, cells: list[tuple]) -> list[str]:
    """Write the features of some utterances as a part; answer their audio hashes.

    The features go by file, not by the answer: a worker killed in the middle of a long answer would leave its reader
    waiting for ever.
    """
    store = AudioStore(audio)
    waveforms = [store.verified(*cell) for cell in cells]
    names, extract_batch = _extractor(name)
    values = extract_batch(waveforms)
    hashes = [cell[-1] for cell in cells]
    with suppress(FileNotFoundError):  # another process was through with the same and has removed the folder
        with atomic(parts / f"{digest(hashes)}.npz") as aside, aside.open("wb") as file:
            np.savez(file, audio=np.array(hashes), values=values)
        if not (parts / _NAMES).is_file():
            write_json(parts / _NAMES, names)
    return hashes


_built: dict[str, Any] = {}  # an extractor a process: building one costs more than an utterance


def _extractor(name: str) -> Any:
    if name not in _built:
        _built[name] = features.build(name)
    return _built[name]


def _read_names(parts: Path) -> list[str]:
    """Names of the features, as a worker wrote them: openSMILE is then not imported in this process."""
    try:
        names: list[str] = read_json(parts / _NAMES)
    except EmosetError:
        return []
    return names


def _read_parts(parts: Path) -> dict[str, np.ndarray]:
    have: dict[str, np.ndarray] = {}
    for path in sorted(parts.glob("*.npz")) if parts.is_dir() else []:
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as part:
                have |= dict(zip(part["audio"].tolist(), part["values"], strict=True))
        except (OSError, EOFError, KeyError, ValueError, BadZipFile):
            continue  # damaged on disk: extracted again
    return have


def _write_whole(folder: Path, key: str, name: str, names: list[str], have: dict[str, np.ndarray]) -> None:
    values = np.stack(list(have.values()))
    raw = io.BytesIO()
    np.save(raw, values)
    with atomic(folder / f"{key}.npy") as aside:
        aside.write_bytes(raw.getvalue())
    made = {"settings": features.settings(name), "columns": names, "audio": list(have)}
    write_json(folder / f"{key}.json", made | {"checksum": digest(raw.getvalue(), made)})


def _read_whole(folder: Path, key: str) -> dict[str, np.ndarray]:
    """Rows by audio hash; nothing where there is none or it is damaged (it is then extracted again)."""
    try:
        _, values, hashes = _load(folder, key)
    except (EmosetError, OSError):
        return {}
    return dict(zip(hashes, values, strict=True))


def _load(folder: Path, key: str) -> tuple[list[str], np.ndarray, list[str]]:
    made = read_json(folder / f"{key}.json")
    npy = folder / f"{key}.npy"
    raw = npy.read_bytes() if npy.is_file() else b""
    checksum = made.pop("checksum", "") if isinstance(made, dict) else ""
    if digest(raw, made) != checksum:
        raise EmosetError(f"{npy} or its .json is not what `emoset extract` wrote", "extract it again")
    return made["columns"], np.load(io.BytesIO(raw), allow_pickle=False), made["audio"]


def load(workspace: Path, name: str, key: str, utterances: Any) -> tuple[list[str], np.ndarray]:
    """Names of the features, and a row for each utterance of the table: float32 ``(utterances, features)``.

    Raises:
        EmosetError: if they were not extracted, are stale (other audio), damaged, or not finite
    """
    folder = feature_folder(workspace, name)
    if not (folder / f"{key}.json").is_file():
        raise EmosetError(f"{key} has no {name} features", f"emoset extract {name} {key}")
    columns, values, hashes = _load(folder, key)
    row_of = {sound: row for row, sound in enumerate(hashes)}
    missing = [u for u, sound in zip(utterances["utterance"], utterances["audio"], strict=True) if sound not in row_of]
    if missing:
        raise EmosetError(
            f"{len(missing)} utterances of {key} are newer than its {name} features, the first is {missing[0]}",
            f"emoset extract {name} {key}",
        )
    rows = values[[row_of[sound] for sound in utterances["audio"]]]
    bad = utterances["utterance"][~np.isfinite(rows).all(axis=1)]
    if len(bad):
        raise EmosetError(
            f"{len(bad)} utterances have no finite {name} features, the first is {bad.iloc[0]}",
            "they are too short for the extractor: leave them out by `emoset prepare` with a larger --min-duration",
        )
    return columns, rows


def shape(workspace: Path, name: str, key: str) -> tuple[int, int]:
    """Number of features and of recordings stored."""
    made = read_json(feature_folder(workspace, name) / f"{key}.json")
    return len(made["columns"]), len(made["audio"])
