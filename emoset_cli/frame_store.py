"""Features of every frame on disk, keyed by what made them: utterances of any length, read one by one without a copy.

``features/wav2vec2-base-frames_1a2b3c4d/emodb/SHARD.f16`` holds the frames of some utterances end to end, float16, and
``SHARD.json`` beside it whose they are. The JSON is written last: a shard without one was never finished. When all
utterances are there, ``emodb.json`` names the shards and what made them. As in `feature_store`, utterances are found by
the hash of their audio. A shard that was damaged is refused when it is read, and made anew when extracting.
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli import feature_store, ranks
from emoset_cli.errors import EmosetError
from emoset_cli.extraction import amount, longest_first, together
from emoset_cli.features import Recipe, has_frames
from emoset_cli.files import atomic, digest, read_json, sweep, write_json
from emoset_cli.parallel import run_jobs
from emoset_cli.prepare import corpus_folder
from emoset_cli.store import AudioStore

_PER_SHARD = 32  # utterances


@dataclass(frozen=True)
class _Place:
    """Where the frames of an utterance lie, and whether all their numbers are finite."""

    shard: str
    offset: int
    frames: int
    finite: bool


def extract(
    workspace: Path,
    recipe: Recipe,
    key: str,
    utterances: Any,
    workers: int = 0,
    force: bool = False,
    progress: Callable[[int, float], Any] = lambda utterances, seconds: None,
) -> list[str]:
    """Extract what is missing of a set of frames for a corpus; answer the utterances that have no finite frames.

    Args:
        workspace: the folder of what the tool makes
        recipe: of a set of frames
        key: corpus
        utterances: its utterance table
        workers: processes, 0 for all cores
        force: extract everything again
        progress: called with (utterances, seconds of speech) as they are done
    """
    folder = feature_store.feature_folder(workspace, recipe) / key
    rows = utterances.drop_duplicates("audio")
    there = set(ranks.of_main(lambda: _begin(folder, workers, force)))
    seconds = dict(zip(rows["audio"], rows["duration_s"], strict=True))
    progress(*amount(seconds, there))
    cells = longest_first(rows[~rows["audio"].isin(there)])
    made = (recipe.settings["feature"], recipe.means, corpus_folder(workspace, key) / "audio", folder)
    jobs = [(*made, some) for some in together(cells, _PER_SHARD)]
    heard = set(there)
    with ranks.in_step():
        for part in run_jobs(_extract_shard, ranks.share(jobs), workers):
            heard.update(part)
            progress(*amount(seconds, part))
    if ranks.several():  # what the others did
        progress(*amount(seconds, seconds.keys() - heard))
    finite: dict[str, bool] = ranks.of_main(lambda: _end(folder, recipe, list(seconds)))
    return [
        utterance
        for utterance, sound in zip(utterances["utterance"], utterances["audio"], strict=True)
        if not finite[sound]
    ]


def _begin(folder: Path, workers: int, force: bool) -> list[str]:
    """Audio hashes of what was extracted before."""
    for place in (folder.parent, folder):
        sweep(place)
    if force:
        folder.with_suffix(".json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
    return list(_places(folder, _sound(folder, workers)))


def _end(folder: Path, recipe: Recipe, sounds: list[str]) -> dict[str, bool]:
    """Write the index of the shards; answer whether the frames of each sound are finite.

    Raises:
        EmosetError: if some are not there
    """
    have = _places(folder, [path.stem for path in sorted(folder.glob("*.json"))])
    if not have.keys() >= set(sounds):
        raise EmosetError(f"frames were removed from {folder} at the same time", "give the same command again")
    shards = sorted({have[sound].shard for sound in sounds})
    _write(
        folder.with_suffix(".json"),
        {"settings": recipe.settings, "features": int(recipe.means["count"]), "shards": shards},
    )
    return {sound: have[sound].finite for sound in sounds}


def check(folder: Path, key: str) -> set[str]:
    """Audio hashes of the utterances of a corpus, after looking at every byte that `extract` wrote.

    Args:
        folder: of the set of frames
        key: corpus

    Raises:
        EmosetError: if it is not what was written
    """
    shards = _read(folder / f"{key}.json")["shards"]
    for shard in shards:
        told = _read(folder / key / f"{shard}.json")
        if told["bytes"] and _hash(folder / key / f"{shard}.f16") != told["file"]:
            raise EmosetError(f"{folder / key / shard}.f16 is not what `emoset extract` wrote", "extract it again")
    return set(_places(folder / key, shards))


def _extract_shard(name: str, means: dict[str, Any], audio: Path, folder: Path, cells: list[tuple]) -> list[str]:
    """Write the frames of some utterances as a shard; answer their audio hashes."""
    store = AudioStore(audio)
    _, frames_of = feature_store.extractor(name, means)
    hashes = [cell[-1] for cell in cells]
    shard = digest(hashes)
    hasher, counts, finite = _hasher(), [], []
    with atomic(folder / f"{shard}.f16") as aside, aside.open("wb") as file:
        for states in frames_of([store.verified(*cell) for cell in cells]):
            raw = states.tobytes()
            counts.append(len(states))
            finite.append(bool(len(states) and np.isfinite(states).all()))
            hasher.update(raw)
            file.write(raw)
    told = {
        "audio": hashes, "offset": [sum(counts[:row]) for row in range(len(counts))], "frames": counts,
        "finite": finite, "bytes": 2 * int(means["count"]) * sum(counts), "file": hasher.hexdigest(),
    }  # fmt: skip
    _write(folder / f"{shard}.json", told)
    return hashes


def _write(path: Path, told: dict[str, Any]) -> None:
    write_json(path, told | {"checksum": digest(told)})


def _read(path: Path) -> dict[str, Any]:
    """What `_write` wrote.

    Raises:
        EmosetError: if it is not that
    """
    told = read_json(path)
    checksum = told.pop("checksum", "") if isinstance(told, dict) else ""
    if digest(told) != checksum:
        raise EmosetError(f"{path} is not what `emoset extract` wrote", "extract it again")
    result: dict[str, Any] = told
    return result


def _sound(folder: Path, workers: int) -> list[str]:
    """Names of the shards that are what was written; others are removed, to be extracted again."""
    shards = [(path,) for path in sorted(folder.glob("*.json"))]
    return [path.stem for path, sound in run_jobs(_checked, shards, workers, threads=True) if sound]


def _checked(sidecar: Path) -> tuple[Path, bool]:
    try:
        sound = _hash(sidecar.with_suffix(".f16")) == _read(sidecar)["file"]
    except EmosetError:
        sound = False
    if not sound:
        for path in (sidecar, sidecar.with_suffix(".f16")):
            path.unlink(missing_ok=True)
    return sidecar, sound


def _hash(shard: Path) -> str:
    """Of the bytes of a shard; "" where there is none."""
    try:
        with shard.open("rb") as file:
            return hashlib.file_digest(file, _hasher).hexdigest()
    except FileNotFoundError:
        return ""


def _hasher() -> Any:
    return hashlib.blake2b(digest_size=16)


def _places(folder: Path, shards: list[str]) -> dict[str, _Place]:
    """Where the frames of each utterance lie, by audio hash; a shard that is not whole counts as not there."""
    found: dict[str, _Place] = {}
    for shard in shards:
        try:
            told = _read(folder / f"{shard}.json")
            if (folder / f"{shard}.f16").stat().st_size != told["bytes"]:
                continue
        except (EmosetError, OSError):
            continue
        columns = zip(told["audio"], told["offset"], told["frames"], told["finite"], strict=True)
        found |= {sound: _Place(shard, *place) for sound, *place in columns}
    return found


def shape(workspace: Path, recipe: Recipe, key: str) -> int:
    """Number of features of a frame."""
    return int(_read(feature_store.feature_folder(workspace, recipe) / f"{key}.json")["features"])


class FrameStore:
    """Reads the frames of one corpus; keeps where they lie, not what they are.

    Args:
        workspace: the folder of what the tool makes
        name: of a set of frames, as `feature_store.find` understands it
        key: corpus

    Attributes:
        name: with digits
        settings: what made the frames
        features: numbers of a frame: ``kept * width``
        kept: layers of each frame, one or all of them
        width: numbers of a layer

    Raises:
        EmosetError: if there is none, it holds no frames, or it is damaged
    """

    def __init__(self, workspace: Path, name: str, key: str) -> None:
        self.name = feature_store.find(workspace, name)
        self.key, self._workspace = key, workspace
        self.settings = feature_store.settings(workspace, self.name)
        if not has_frames(self.settings):
            raise EmosetError(
                f"{self.name} holds one vector an utterance, and frames are wanted",
                "extract it again with --pool frames",
            )
        self._folder = feature_store.feature_folder(workspace, self.name) / key
        index = self._folder.with_suffix(".json")
        if not index.is_file():
            raise EmosetError(f"{key} has no {self.name} features", self._again())
        made = _read(index)
        self.features, self.kept = int(made["features"]), int(self.settings.get("kept", 1))
        self.width = self.features // self.kept
        self._places = _places(self._folder, made["shards"])
        self._maps: dict[str, np.ndarray] = {}

    def rows(self, utterances: Any) -> np.ndarray:
        """The number of frames of each utterance of a table, ``(utterances,)``.

        Raises:
            EmosetError: if an utterance is newer than the frames, or has none, or they are not finite
        """
        feature_store.check_there(self._workspace, self.name, self.key, utterances, self._places)
        places = [self._places[sound] for sound in utterances["audio"]]
        bad = [one for one, place in zip(utterances["utterance"], places, strict=True) if not place.finite]
        feature_store.check_finite(self.name, bad)
        return np.array([place.frames for place in places], np.int64)

    def read(self, audio: str) -> np.ndarray:
        """The frames of an utterance by its audio hash, float16 ``(frames, features)``, mapped from the file.

        Layers lie one after the other: ``reshape(frames, kept, width)``. The first look at a shard checks all of it.

        Raises:
            EmosetError: if the shard is damaged
        """
        place = self._places[audio]
        if place.shard not in self._maps:
            self._maps[place.shard] = self._mapped(place.shard)
        return self._maps[place.shard][place.offset : place.offset + place.frames]

    def _again(self) -> str:
        """What to type to extract what is missing or damaged."""
        return feature_store.command(self._workspace, self.name, self.key)

    def _mapped(self, shard: str) -> np.ndarray:
        path = self._folder / f"{shard}.f16"
        told = _read(self._folder / f"{shard}.json")
        count = sum(told["frames"])
        if not count:
            return np.zeros((0, self.features), np.float16)
        if _hash(path) != told["file"]:
            raise EmosetError(f"{path} is not what `emoset extract` wrote", self._again())
        return np.memmap(path, np.float16, "r", shape=(count, self.features))
