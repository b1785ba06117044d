"""Segments as a view: utterances cut into overlapping windows that are read from the store where they are needed.

Source:
    Zhu & Sato 2020, section 3.1: segments of 3 s with a shift of 1 s, each with the label of its utterance.
"""

from typing import NamedTuple

import numpy as np

from emoset_cli.train.deep.batches import Source


class Cut(NamedTuple):
    """Segments in the order of their utterances: row of the utterance, first sample and length, int64 ``(segments,)``.

    Each utterance has at least one segment.
    """

    owner: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray


def cut(lengths: np.ndarray, segment: int, shift: int) -> Cut:
    """Segments of utterances of so many samples (or frames).

    A segment begins every ``shift`` samples until one reaches the utterance's end; the last one may be shorter, and all
    speech is in a segment. Where utterances are not longer than a segment, each is one.

    Args:
        lengths: of each utterance, ``(utterances,)``
        segment: longest segment
        shift: between the beginnings of two segments, at most ``segment``

    Example:
        >>> cut(np.array([20, 35]), 30, 10)._asdict()
        {'owner': array([0, 1, 1]), 'starts': array([ 0,  0, 10]), 'lengths': array([20, 30, 25])}
    """
    assert 0 < shift <= segment, "segments leave gaps"
    counts = 1 + -(-np.maximum(lengths - segment, 0) // shift)
    owner = np.repeat(np.arange(len(lengths)), counts)
    number = np.arange(len(owner)) - np.repeat(counts.cumsum() - counts, counts)
    starts = number * shift
    return Cut(owner, starts, np.minimum(segment, lengths[owner] - starts))


class Segments(Source):
    """Reads segments of the utterances of another source; plans name segments. Nothing is copied on disk.

    Args:
        whole: reads the utterances
        segment_s: longest segment in seconds
        shift_s: between two beginnings, in seconds
    """

    def __init__(self, whole: Source, segment_s: float, shift_s: float) -> None:
        self._whole, self.rate = whole, whole.rate
        self.cut = cut(whole.lengths, max(1, round(segment_s * self.rate)), max(1, round(shift_s * self.rate)))
        self.lengths = self.cut.lengths

    def _one(self, row: int) -> np.ndarray:
        start, length = self.cut.starts[row], self.cut.lengths[row]
        return self._whole._one(int(self.cut.owner[row]))[start : start + length]

    @property
    def starts_s(self) -> np.ndarray:
        """Where each segment begins in its utterance, in seconds."""
        return self.cut.starts / self.rate


def cut_up(whole: Source, segment_s: float, shift_s: float) -> tuple[Source, np.ndarray]:
    """The source with its utterances cut into segments, and the utterance of each; without a segment the source."""
    if not segment_s:
        return whole, np.arange(len(whole.lengths))
    found = Segments(whole, segment_s, shift_s)
    return found, found.cut.owner


def mean_of_segments(values: np.ndarray, owner: np.ndarray, utterances: int) -> np.ndarray:
    """Mean over the segments of each utterance, float32 ``(utterances, width)``; NaN where segments are.

    Args:
        values: of each segment, ``(segments, width)``
        owner: utterance of each segment, ``(segments,)``
        utterances: how many there are, each with a segment
    """
    total = np.zeros((utterances, values.shape[1]))
    np.add.at(total, owner, values)
    counts = np.bincount(owner, minlength=utterances)
    return (total / counts[:, None]).astype(np.float32)
