"""Batches of one corpus: which utterances, which stretch of each, and their samples from the store.

Utterances of similar length share a batch, so that little is padding. What is drawn is drawn before anything is
read: reading may run ahead in a thread without touching the random stream.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from emoset_cli.audio import SAMPLE_RATE
from emoset_cli.prepare import corpus_folder
from emoset_cli.store import AudioStore

_JITTER = 0.2  # lengths are off by up to this share when utterances are sorted by them: batches differ each epoch
_AHEAD = 2  # batches read before they are asked for
_EVAL_UTTERANCES = 8  # measured: small batches stay in the cache (docs/speed.md)
_EVAL_SECONDS = 60.0  # one utterance may be longer than this


class Plan(NamedTuple):
    """A batch before it is read: the head it is for, rows of the table, and the stretch of each in samples."""

    head: str
    rows: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray


@dataclass(frozen=True)
class Batch:
    """Waveforms int16 ``(batch, samples)``, zero behind each utterance's end, and int64 lengths ``(batch,)``."""

    head: str
    rows: np.ndarray
    waves: torch.Tensor
    lengths: torch.Tensor


class Waves:
    """Reads batches of utterances; each utterance is checked against its hash the first time it is read.

    Args:
        workspace: holds the stores
        utterances: table whose row numbers the plans name
    """

    def __init__(self, workspace: Path, utterances: Any) -> None:
        self._stores = {key: AudioStore(corpus_folder(workspace, key) / "audio") for key in set(utterances["store"])}
        columns = ["store", "id", "shard", "offset", "samples", "audio"]
        self._cells = list(utterances[columns].itertuples(index=False, name=None))
        self._unread = set(range(len(self._cells)))

    def read(self, plan: Plan) -> Batch:
        """The batch of a plan.

        Raises:
            EmosetError: if the store was damaged since `emoset prepare`
        """
        waves = np.zeros((len(plan.rows), int(plan.lengths.max())), np.int16)
        for place, (row, start, length) in enumerate(zip(plan.rows.tolist(), plan.starts, plan.lengths, strict=True)):
            waves[place, :length] = self._one(row)[start : start + length]
        return Batch(plan.head, plan.rows, torch.from_numpy(waves), torch.from_numpy(plan.lengths))

    def _one(self, row: int) -> np.ndarray:
        key, *cell = self._cells[row]
        if row in self._unread:
            found = self._stores[key].verified(*cell)
            self._unread.discard(row)
            return found
        _, shard, offset, samples, _ = cell
        return self._stores[key].samples(shard, offset, samples)

    def ahead(self, plans: Iterable[Plan]) -> Iterator[Batch]:
        """The batches of some plans in order, read a little ahead in a thread."""
        with ThreadPoolExecutor(1) as pool:
            waiting: deque[Any] = deque()
            for plan in plans:
                waiting.append(pool.submit(self.read, plan))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


class Shuffled:
    """An endless stream of training batches of one head, every utterance once before any comes again.

    Args:
        head: of the model
        rows: numbers of its training utterances
        samples: length of each utterance of the table
        batch_size: most utterances in a batch; batches of a pass are of equal size, give or take one
        window: longest stretch of an utterance, in samples; of longer ones a random stretch is drawn anew each time
    """

    def __init__(self, head: str, rows: np.ndarray, samples: np.ndarray, batch_size: int, window: int) -> None:
        self.head, self.rows, self.samples, self.window = head, rows, samples, window
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
        lengths = np.minimum(self.samples[self.rows], self.window)
        order = np.argsort(lengths * rng.uniform(1 - _JITTER, 1 + _JITTER, len(lengths)), kind="stable")
        batches = np.array_split(self.rows[order], self.batches)
        return [batches[at] for at in rng.permutation(len(batches))]

    def state(self) -> list[list[int]]:
        """What is left of the present pass, for a checkpoint."""
        return [rows.tolist() for rows in self._queue]

    def restore(self, state: list[list[int]]) -> None:
        """Go on where `state` was taken."""
        self._queue = deque(np.array(rows, np.int64) for rows in state)


def to_predict(head: str, rows: np.ndarray, samples: np.ndarray, window: int | None) -> list[Plan]:
    """Plans that hold each row once, sorted by length, few utterances in a batch.

    Args:
        head: of the model
        rows: numbers of the utterances
        samples: length of each utterance of the table
        window: longest stretch, taken from an utterance's middle; None for whole utterances
    """
    lengths = samples[rows] if window is None else np.minimum(samples[rows], window)
    order = np.argsort(lengths, kind="stable")
    rows, lengths = rows[order], lengths[order].astype(np.int64)
    plans = []
    at = 0
    while at < len(rows):
        end = at + 1
        while (
            end < len(rows)
            and end - at < _EVAL_UTTERANCES
            and (end - at + 1) * lengths[end] <= _EVAL_SECONDS * SAMPLE_RATE
        ):
            end += 1
        part = slice(at, end)
        plans.append(Plan(head, rows[part], (samples[rows[part]] - lengths[part]) // 2, lengths[part]))
        at = end
    return plans
