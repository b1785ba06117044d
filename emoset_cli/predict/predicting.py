"""From recordings to what a model says of each: read ahead, heard in batches of similar length, put together again."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from emoset_cli import levels
from emoset_cli.audio import SAMPLE_RATE, Condition
from emoset_cli.errors import EmosetError
from emoset_cli.predict.inputs import Recording
from emoset_cli.predict.model import Model
from emoset_cli.predict.reading import Ended, reading
from emoset_cli.predict.windows import SHORTEST_S, Cut, Piece

_TOGETHER = 1200 * SAMPLE_RATE  # samples that are sorted by length at once
_MANY = 20_000_000  # bytes of all recordings: below, processes take longer to start than to help
SPEAKERS = ("one", "folder")


@dataclass
class Predicted:
    """What is said of a recording.

    ``starts`` and ``lengths`` are those of its pieces in samples, ``levels_db`` their loudness, all ``(pieces,)``;
    ``shares`` and ``scores`` hold for each head ``(pieces, labels)``, ``values`` ``(pieces, dimensions)``, NaN of
    pieces that were too short. ``failure`` says why there is nothing.
    """

    recording: Recording
    condition: Condition
    windows: bool
    starts: np.ndarray
    lengths: np.ndarray
    levels_db: np.ndarray
    heard: np.ndarray
    shares: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    failure: EmosetError | None = None
    values: dict[str, np.ndarray] = field(default_factory=dict)


def predict(
    model: Model,
    recordings: Sequence[Recording],
    cut: Cut,
    speakers: str = "",
    workers: int = 0,
    progress: Callable[[int, float], Any] = lambda recordings, seconds: None,
) -> list[Predicted]:
    """Predict recordings; answers them in their order, those that failed with the reason.

    Memory does not grow with the length of a recording, but for what is said of its windows.

    Args:
        model: of `emoset_cli.predict.model.open_model`
        recordings: to predict
        cut: how they are cut
        speakers: for a run that standardises each speaker: ``one`` (all recordings are of one), ``folder`` (one each)
        workers: cores to use, 0 for all
        progress: called with (recordings, seconds of speech) as they are done

    Raises:
        EmosetError: if the model must know the speakers and is not told, or the other way round
    """
    if model.speakers and speakers not in SPEAKERS:
        raise EmosetError(
            "the run standardises each speaker by their own recordings, and nobody says whose these are",
            "--speakers one if all are of one person, --speakers folder if each folder holds those of one",
        )
    if speakers and not model.speakers:
        raise EmosetError("the run does not standardise speakers by their own recordings", "leave --speakers out")
    found: dict[int, Predicted] = {}
    for number, one in _heard(model, recordings, cut, workers, progress):
        found[number] = one
        if not one.failure and not model.speakers:
            _say(model, one, None)
        progress(1, 0.0)
    if model.speakers:
        _by_speaker(model, found, speakers)
    return [found[number] for number in sorted(found)]


def _by_speaker(model: Model, found: dict[int, Predicted], speakers: str) -> None:
    groups: dict[str, list[Predicted]] = {}
    for one in found.values():
        if not one.failure:
            groups.setdefault(str(one.recording.path.parent) if speakers == "folder" else "", []).append(one)
    for own in groups.values():
        others = np.concatenate([one.heard for one in own])
        for one in own:
            if len(others) < 2:
                one.failure = EmosetError(
                    f"{one.recording.name} is the only one of its speaker: there is nothing to standardise it by",
                    "give more recordings of the same person, or a run without --normalise speaker",
                )
            else:
                _say(model, one, others)


def _say(model: Model, one: Predicted, others: np.ndarray | None) -> None:
    one.shares, one.scores, one.values = model.said(one.heard, others)
    one.heard = one.heard[:0]


class _Part(NamedTuple):
    """What is kept of a piece that was heard: its number, first sample, samples, level and what was heard."""

    number: int
    start: int
    samples: int
    level_db: float
    heard: np.ndarray


def _heard(
    model: Model, recordings: Sequence[Recording], cut: Cut, workers: int, progress: Callable[[int, float], Any]
) -> Iterator[tuple[int, Predicted]]:
    """Each recording when all of it was heard, or could not be read."""
    ended: dict[int, Ended] = {}
    parts: dict[int, list[_Part]] = {}
    many = sum(one.size for one in recordings) > _MANY
    with reading(recordings, cut, workers) as items:
        for batch, values in model.heard(_batches(items, ended, model.together), many):
            for piece, row in zip(batch, values, strict=True):
                level = levels.decibels(levels.measure(piece.samples).rms)
                part = _Part(piece.number, piece.start, len(piece.samples), level, row)
                parts.setdefault(piece.recording, []).append(part)
            progress(0, sum(len(piece.samples) for piece in batch) / SAMPLE_RATE)
            whole = [n for n, end in ended.items() if end.condition.failure or len(parts.get(n, ())) == end.pieces]
            for number in whole:
                yield number, _put_together(recordings[number], ended.pop(number), parts.pop(number, []))
        for number, end in ended.items():
            yield number, _put_together(recordings[number], end, parts.pop(number, []))


def _put_together(recording: Recording, end: Ended, parts: list[_Part]) -> Predicted:
    parts.sort(key=lambda part: part.number)
    heard = np.stack([part.heard for part in parts]) if parts else np.zeros((0, 0), np.float32)
    starts, samples = (np.array([part[field] for part in parts], np.int64) for field in (1, 2))
    levels_db = np.array([part.level_db for part in parts])
    failure = _failure(recording, end, heard)
    return Predicted(recording, end.condition, end.windows, starts, samples, levels_db, heard, {}, {}, failure)


def _failure(recording: Recording, end: Ended, heard: np.ndarray) -> EmosetError | None:
    """Why nothing can be said of a recording."""
    condition = end.condition
    seconds = condition.samples / SAMPLE_RATE
    if condition.failure:
        return EmosetError(f"{recording.name}: {condition.failure}", "give a whole recording, or leave it out")
    if seconds < SHORTEST_S or not np.isfinite(heard).all(axis=1).any():
        return EmosetError(f"{recording.name}: {1000 * seconds:.0f} ms are too short to be heard", "leave it out")
    return None


def _batches(items: Iterator[Piece | Ended], ended: dict[int, Ended], together: int) -> Iterator[list[Piece]]:
    """The pieces, some at once; on the way ``ended`` is filled."""
    batch: list[Piece] = []
    samples = 0
    for item in items:
        if isinstance(item, Ended):
            ended[item.recording] = item
            continue
        batch.append(item)
        samples += len(item.samples)
        if len(batch) >= together or samples >= _TOGETHER:
            yield batch
            batch, samples = [], 0
    if batch:
        yield batch
