"""How loud a recording is, how much of it is silence: measured on 16 kHz int16 samples, block by block.

The silence of a recording is the share of its 20 ms frames whose standard deviation lies more than 30 dB below that
of its loudest frame. It needs no absolute level, so a quiet recording is not silent, and a DC offset changes nothing.
Whole frames only; a recording shorter than one is one frame. It tells room around speech (RAVDESS: a second on both
sides) from none; noise less than 30 dB below the speech hides pauses.

Source:
    Kinnunen and Li 2010, An overview of text-independent speaker recognition, Speech Communication 52 (energy-based
    detector of speech: standard deviation of frames, 30 dB below the loudest one). Its second condition, -55 dB of
    full scale, is left out: it would make quiet recordings silent.
"""

from math import log10
from typing import Any

import numpy as np

FRAME = 320  # samples at 16 kHz: 20 ms
SILENCE_DB = 30.0
_FULL = 32768.0
_STEP = 1 / _FULL  # one step of 16 bit, the softest level there is: -90.3 dB
_CHUNK = 64 * FRAME  # samples whose float copy stays in the processor's cache


class Levels:
    """What the levels of a recording are, gathered as its blocks go by; levels are of full scale 1.0.

    Memory grows by 8 bytes for each frame, 1.4 MB an hour.

    Example:
        >>> levels = Levels()
        >>> levels.add(np.full(640, 16384, np.int16))
        >>> levels.rms, levels.dc, levels.silence
        (0.5, 0.5, 0.0)
    """

    def __init__(self) -> None:
        self.samples = 0
        self.low, self.high = 32767, -32768
        self.start = 0.0  # rms of the first 20 ms
        self._total = self._square = 0.0
        self._powers: list[np.ndarray] = []
        self._rest = np.zeros(0, np.int16)  # of a frame that the next block completes
        self._tail = np.zeros(0, np.int16)

    def add(self, block: np.ndarray) -> None:
        """Take the next samples, shape ``(samples,)``, int16."""
        if len(block) == 0:
            return
        self.low, self.high = min(self.low, int(block.min())), max(self.high, int(block.max()))
        if self.samples == 0:
            self.start = _rms(block[:FRAME])
        self.samples += len(block)
        self._tail = np.concatenate([self._tail, block[-FRAME:]])[-FRAME:]
        joined = np.concatenate([self._rest, block]) if len(self._rest) else block
        whole = len(joined) // FRAME * FRAME
        for begin in range(0, whole, _CHUNK):
            self._add_frames(joined[begin : min(begin + _CHUNK, whole)])
        self._rest = joined[whole:].copy()

    def _add_frames(self, samples: np.ndarray) -> None:
        frames = samples.astype(np.float64).reshape(-1, FRAME)  # frames, samples; sums of integers are exact
        sums, squares = frames.sum(axis=1), np.einsum("ij,ij->i", frames, frames)
        self._total += float(sums.sum())
        self._square += float(squares.sum())
        self._powers.append(squares / FRAME - (sums / FRAME) ** 2)

    @property
    def dc(self) -> float:
        """Mean of the samples."""
        return float(self._total + self._rest.sum(dtype=np.int64)) / max(self.samples, 1) / _FULL

    @property
    def rms(self) -> float:
        """Root mean square, a DC offset included."""
        rest = self._rest.astype(np.float64)
        mean: float = (self._square + float(rest @ rest)) / max(self.samples, 1)
        return float(mean**0.5) / _FULL

    @property
    def end(self) -> float:
        """Rms of the last 20 ms."""
        return _rms(self._tail)

    @property
    def silence(self) -> float:
        """Share of silent frames, 0..1; see the head of this file."""
        powers = np.concatenate(self._powers) if self._powers else np.zeros(1)
        return float((powers < powers.max() * 10 ** (-SILENCE_DB / 10)).mean())


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt((samples.astype(np.float64) ** 2).mean())) / _FULL if len(samples) else 0.0


def measure(samples: np.ndarray) -> Levels:
    """The levels of one stretch of 16 kHz samples, such as a segment of a long recording."""
    levels = Levels()
    levels.add(samples)
    return levels


def decibels(level: float) -> float:
    """A level in dB of full scale; one step of 16 bit (-90.3 dB) where it is lower.

    Example:
        >>> round(decibels(0.5), 2), round(decibels(0.0), 1)
        (-6.02, -90.3)
    """
    return 20 * log10(max(level, _STEP))


def columns(peak: float, rms: float, dc: float, silence: float, clipped: bool) -> dict[str, Any]:
    """The columns of an utterance table that tell its condition: ``peak_db``, ``rms_db``, ``silence``, ``clipped``.

    Args:
        peak: highest absolute sample of any channel, of full scale; above 1 where a decoder overshoots
        rms: of full scale, with the DC offset, which ``rms_db`` leaves out
        dc: mean of the samples
        silence: share of silent frames
        clipped: whether samples pile up at an extreme
    """
    speech = max(rms**2 - dc**2, 0.0) ** 0.5
    return {"peak_db": decibels(peak), "rms_db": decibels(speech), "silence": silence, "clipped": clipped}
