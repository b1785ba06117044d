"""Batches of one corpus: which utterances, which stretch of each, and their samples or frames from the store.

Utterances of similar length share a batch, so that little is padding. What is drawn is drawn before anything is
read: reading may run ahead in a thread without touching the random stream.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from emoset_cli import ranks
from emoset_cli.audio import SAMPLE_RATE
from emoset_cli.prepare import corpus_folder
from emoset_cli.store import AudioStore

_JITTER = 0.2  # lengths are off by up to this share when utterances are sorted by them: batches differ each epoch
_AHEAD = 2  # batches read before they are asked for
_EVAL_UTTERANCES = 8  # measured: small batches stay in the cache (docs/speed.md)
_EVAL_SECONDS = 60.0  # one utterance may be longer than this


class Plan(NamedTuple):
    """A batch before it is read: its head, rows of the table, and the stretch of each in samples or frames.

    ``whole`` is the number of rows that all processes have of it together, 0 where each has all of them.
    """

    head: str
    rows: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    whole: int = 0


@dataclass(frozen=True)
class Batch:
    """What a network hears of some utterances, zero behind the end of each, and int64 lengths ``(batch,)``; see `Plan`.

    ``waves`` are int16 waveforms ``(batch, samples)``, or stored frames, float16 ``(batch, frames, values)``.
    """

    head: str
    rows: np.ndarray
    waves: torch.Tensor
    lengths: torch.Tensor
    whole: int = 0

    @property
    def utterances(self) -> int:
        """How many all processes have of it together."""
        return self.whole or len(self.rows)

    @property
    def weight(self) -> float:
        """Of the mean loss of these rows, so that the processes' mean is that of the whole batch."""
        return ranks.world() * len(self.rows) / self.whole if self.whole else 1.0


class Source:
    """Reads batches of utterances; what they consist of is told by `Waves` and `StoredFrames`.

    ``lengths`` is that of each utterance, int64 ``(utterances,)``, and ``rate`` how many make a second.
    """

    lengths: np.ndarray
    rate: float

    def read(self, plan: Plan) -> Batch:
        """The batch of a plan.

        Raises:
            EmosetError: if the store was damaged since it was written
        """
        whole = [self._one(row) for row in plan.rows.tolist()]
        batch = np.empty((len(whole), int(plan.lengths.max()), *whole[0].shape[1:]), whole[0].dtype)
        for place, (values, start, length) in enumerate(zip(whole, plan.starts, plan.lengths, strict=True)):
            batch[place, :length] = values[start : start + length]
            batch[place, length:] = 0
        return Batch(plan.head, plan.rows, torch.from_numpy(batch), torch.from_numpy(plan.lengths), plan.whole)

    def _one(self, row: int) -> np.ndarray:
        """A whole utterance, ``(samples,)`` or ``(frames, values)``."""
        raise AssertionError("a source says how it reads an utterance")

    def ahead(self, plans: Iterable[Plan]) -> Iterator[Batch]:
        """The batches of some plans in order, read a little ahead in a thread."""
        return (batch for (batch,) in self.steps_ahead([plan] for plan in plans))

    def steps_ahead(self, steps: Iterable[list[Plan]]) -> Iterator[list[Batch]]:
        """As `ahead`, for the batches that are trained on in one step each."""
        with ThreadPoolExecutor(1) as pool:
            waiting: deque[Any] = deque()
            for plans in steps:
                waiting.append(pool.submit(lambda some: [self.read(plan) for plan in some], plans))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def open_source(workspace: Path, utterances: Any, feature: str = "") -> Source:
    """What reads the utterances of a table: their waveforms, or the stored frames of a feature set.

    Args:
        workspace: holds the stores
        utterances: table with ``store`` (the corpus) and ``id`` (the utterance there); plans name its rows
        feature: name of the set of frames, as it was extracted; "" for waveforms

    Raises:
        EmosetError: if an utterance has no such frames
    """
    return StoredFrames(workspace, utterances, feature) if feature else Waves(workspace, utterances)


class StoredFrames(Source):
    """Reads stored frames of a speech encoder, at the speed of a memory map; see `open_source`."""

    def __init__(self, workspace: Path, utterances: Any, feature: str) -> None:
        from emoset_cli.frame_store import FrameStore

        self._stores = {key: FrameStore(workspace, feature, key) for key in set(utterances["store"])}
        self._cells = list(zip(utterances["store"], utterances["audio"], strict=True))
        self.lengths = np.zeros(len(utterances), np.int64)
        for key, store in self._stores.items():
            own = (utterances["store"] == key).to_numpy()
            self.lengths[own] = store.rows(utterances[own].assign(utterance=utterances["id"][own]))
        seconds = utterances["samples"].sum() / SAMPLE_RATE
        self.rate = float(np.ceil(self.lengths.sum() / seconds))  # the last frame needs more than its own samples

    def _one(self, row: int) -> np.ndarray:
        key, sound = self._cells[row]
        return self._stores[key].read(sound)


class Waves(Source):
    """Reads waveforms; each utterance is checked against its hash the first time it is read. See `open_source`."""

    def __init__(self, workspace: Path, utterances: Any) -> None:
        self.lengths, self.rate = utterances["samples"].to_numpy(np.int64), float(SAMPLE_RATE)
        self._stores = {key: AudioStore(corpus_folder(workspace, key) / "audio") for key in set(utterances["store"])}
        columns = ["store", "id", "shard", "offset", "samples", "audio"]
        self._cells = list(utterances[columns].itertuples(index=False, name=None))
        self._unread = set(range(len(self._cells)))

    def _one(self, row: int) -> np.ndarray:
        key, *cell = self._cells[row]
        if row in self._unread:
            found = self._stores[key].verified(*cell)
            self._unread.discard(row)
            return found
        _, shard, offset, samples, _ = cell
        return self._stores[key].samples(shard, offset, samples)


class InMemory(Source):
    """Reads utterances that are in memory: waveforms, int16 ``(samples,)``, or float16 ``(frames, values)``.

    Args:
        utterances: of one kind
        rate: how many samples or frames make a second
    """

    def __init__(self, utterances: Sequence[np.ndarray], rate: float = SAMPLE_RATE) -> None:
        self._utterances, self.rate = utterances, float(rate)
        self.lengths = np.array([len(one) for one in utterances], np.int64)

    def _one(self, row: int) -> np.ndarray:
        return self._utterances[row]


class Shuffled:
    """An endless stream of training batches of one head, every utterance once before any comes again.

    Args:
        head: of the model
        rows: numbers of its training utterances
        samples: length of each utterance of the table, in samples or frames
        batch_size: most utterances in a batch; batches of a pass are of equal size, give or take one
        window: longest stretch of an utterance, likewise; of longer ones a random stretch is drawn anew each time
        by_length: whether utterances of similar length share a batch; else chance alone decides
    """

    def __init__(
        self, head: str, rows: np.ndarray, samples: np.ndarray, batch_size: int, window: int, by_length: bool = True
    ) -> None:
        self.head, self.rows, self.samples, self.window, self.by_length = head, rows, samples, window, by_length
        self.batches = max(1, -(-len(rows) // batch_size))
        self._queue: deque[np.ndarray] = deque()

    def next(self, rng: np.random.Generator) -> Plan:
        """Draw the next batch."""
        if not self._queue:
            self._queue.extend(self._pass(rng))
        rows = self._queue.popleft()
        lengths = np.minimum(self.samples[rows], self.window)
        starts = rng.integers(0, self.samples[rows] - lengths + 1)
        return Plan(self.head, rows, starts, lengths)

    def _pass(self, rng: np.random.Generator) -> list[np.ndarray]:
        if self.by_length:
            lengths = np.minimum(self.samples[self.rows], self.window)
            order = np.argsort(lengths * rng.uniform(1 - _JITTER, 1 + _JITTER, len(lengths)), kind="stable")
        else:
            order = rng.permutation(len(self.rows))
        batches = np.array_split(self.rows[order], self.batches)
        return [batches[at] for at in rng.permutation(len(batches))]

    def state(self) -> list[list[int]]:
        """What is left of the present pass, for a checkpoint."""
        return [rows.tolist() for rows in self._queue]

    def restore(self, state: list[list[int]]) -> None:
        """Go on where `state` was taken."""
        self._queue = deque(np.array(rows, np.int64) for rows in state)


def to_predict(
    head: str, rows: np.ndarray, samples: np.ndarray, window: int | None, rate: float = SAMPLE_RATE
) -> list[Plan]:
    """Plans that hold each row once, sorted by length, few utterances in a batch.

    Args:
        head: of the model
        rows: numbers of the utterances
        samples: length of each utterance of the table, in samples or frames
        window: longest stretch, taken from an utterance's middle; None for whole utterances
        rate: how many samples or frames make a second
    """
    lengths = samples[rows] if window is None else np.minimum(samples[rows], window)
    order = np.argsort(lengths, kind="stable")
    rows, lengths = rows[order], lengths[order].astype(np.int64)
    plans = []
    at = 0
    while at < len(rows):
        end = at + 1
        while end < len(rows) and end - at < _EVAL_UTTERANCES and (end - at + 1) * lengths[end] <= _EVAL_SECONDS * rate:
            end += 1
        part = slice(at, end)
        plans.append(Plan(head, rows[part], (samples[rows[part]] - lengths[part]) // 2, lengths[part]))
        at = end
    return plans
