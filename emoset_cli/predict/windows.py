"""Recordings cut while they are read: short ones whole, long ones in windows, without holding more than a window."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from emoset_cli.audio import SAMPLE_RATE
from emoset_cli.errors import EmosetError

LONG_S = 30.0  # a recording longer than this is cut up where no window was asked for
LONGEST_S = 600.0  # a window; a network holds all of one at once
SHORTEST_S = 0.1
_USUAL_S = 3.0  # where the run does not tell how long its utterances are
_BETWEEN_S = 1.5, 10.0


@dataclass(frozen=True)
class Cut:
    """Samples of a window, between the beginnings of two, and up to how many a recording stays whole."""

    window: int
    hop: int
    whole: int


class Piece(NamedTuple):
    """A stretch of a recording: number of the recording and of the stretch in it, first sample, int16 samples."""

    recording: int
    number: int
    start: int
    samples: np.ndarray


def cut_of(window_s: float | None, hop_s: float | None, usual_s: float | None) -> Cut:
    """How recordings are cut.

    Without a window only recordings beyond `LONG_S` are, in windows as long as the utterances the run learnt from
    (their median); windows begin every half window.

    Args:
        window_s: seconds, as asked for
        hop_s: seconds between the beginnings of two windows, as asked for
        usual_s: median of the utterances that were learnt from, where it is known

    Raises:
        EmosetError: if a window is too short or too long, or windows leave gaps
    """
    usual = float(np.clip(round(2 * (usual_s or _USUAL_S)) / 2, *_BETWEEN_S))
    long = window_s if window_s is not None else usual
    if not SHORTEST_S <= long <= LONGEST_S:
        raise EmosetError(f"a window of {long:g} s", f"choose --window from {SHORTEST_S:g} to {LONGEST_S:g}")
    hop = hop_s if hop_s is not None else long / 2
    if not 0.01 <= hop <= long:
        raise EmosetError(
            f"windows of {long:g} s every {hop:g} s leave gaps or stand still",
            f"choose --hop from 0.01 to the window's length, {long:g}",
        )
    whole = long if window_s is not None else LONG_S
    return Cut(*(round(seconds * SAMPLE_RATE) for seconds in (long, hop, whole)))


class Cutter:
    """Takes the blocks of a recording, hands on its pieces; the last window ends where the recording ends.

    Args:
        recording: its number
        cut: how it is cut
        hand: gets the pieces in their order

    Example:
        >>> pieces = []
        >>> cutter = Cutter(0, Cut(4, 2, 5), pieces.append)
        >>> for block in (np.arange(3), np.arange(3, 9)):
        ...     cutter.add(block)
        >>> cutter.end()
        >>> [piece.samples.tolist() for piece in pieces]
        [[0, 1, 2, 3], [2, 3, 4, 5], [4, 5, 6, 7], [5, 6, 7, 8]]
    """

    def __init__(self, recording: int, cut: Cut, hand: Callable[[Piece], object]) -> None:
        self._recording, self._cut, self._hand = recording, cut, hand
        self._held: list[np.ndarray] = []
        self._count = 0  # of samples in `_held`
        self._base = 0  # number of the first of them in the recording
        self._next = 0  # where the next window begins
        self.windows = False
        self.pieces = 0

    def add(self, block: np.ndarray) -> None:
        """Take the next samples, ``(samples,)``."""
        self._held.append(block)
        self._count += len(block)
        self.windows = self.windows or self._count > self._cut.whole
        if self.windows and self._base + self._count >= self._next + self._cut.window:
            self._emit()

    def _emit(self) -> None:
        held = self._joined()
        while self._base + len(held) >= self._next + self._cut.window:
            self._give(held, self._next)
            self._next += self._cut.hop
        last = self._next - self._cut.hop - self._base  # the last window may have to be taken from here on
        self._held, self._count, self._base = [held[last:].copy()], len(held) - last, self._base + last

    def end(self) -> None:
        """Hand on what is left; nothing of an empty recording."""
        held = self._joined()
        if not self.windows:
            if len(held):
                self._hand(Piece(self._recording, 0, 0, held))
                self.pieces += 1
            return
        total = self._base + len(held)
        if total > self._next - self._cut.hop + self._cut.window:
            self._give(held, total - self._cut.window)

    def _give(self, held: np.ndarray, start: int) -> None:
        at = start - self._base
        self._hand(Piece(self._recording, self.pieces, start, held[at : at + self._cut.window].copy()))
        self.pieces += 1

    def _joined(self) -> np.ndarray:
        return np.concatenate(self._held) if self._held else np.zeros(0, np.int16)
