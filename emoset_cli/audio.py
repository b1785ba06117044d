"""The only reader of audio: any libsndfile format to 16 kHz mono int16, in blocks, with its condition measured.

Memory does not grow with the length of a recording (but for 8 bytes each 20 ms, see `levels`): it is read, mixed,
resampled and handed on block by block.
A 16 kHz mono 16-bit recording passes bit for bit.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli.levels import Levels

SAMPLE_RATE = 16000  # Hz, of everything after this module
READER = 2  # raise when a change here alters samples or measurements: stored audio is then read anew

# Extensions libsndfile reads (lower case, without the dot).
EXTENSIONS = frozenset(
    ["wav", "flac", "ogg", "oga", "opus", "mp3", "aiff", "aif", "aifc", "au", "snd", "caf", "w64", "rf64", "sph"]
)
_BLOCK = 1 << 18  # native samples of all channels a block: 5 s at 48 kHz mono
_RATES = 1000, 1_000_000  # Hz; a header beyond is damaged, and believing it could fill the memory
_LONGEST_H = 100  # a compressed file of some MB can hold days of silence, and the store holds them as they are
_FULL = 16.0  # times full scale: float samples beyond are not in -1..1 but, say, in the range of int16
_PILE = 4  # samples of one channel exactly at its extreme that make a recording clipped; peak normalisation leaves 1-2
_CLIP_LEVEL = 0.25  # of full scale: below it equal samples come from coarse quantisation
_COARSE = {"PCM_S8", "PCM_U8", "ULAW", "ALAW"}  # so few levels that equal extremes mean nothing


@dataclass
class Condition:
    """What was measured while a recording was read; levels are of full scale 1.0, on native samples."""

    native_sample_rate: int = 0
    channels: int = 0
    native_frames: int = 0
    samples: int = 0  # at 16 kHz
    peak: float = 0.0
    rms: float = 0.0
    dc: float = 0.0  # mean of the 16 kHz samples
    at_extreme: int = 0  # samples exactly at the highest or lowest level of a channel
    start: float = 0.0  # rms of the first and of the last 20 ms, to find recordings that were cut
    end: float = 0.0
    span: int = 0  # highest minus lowest 16 kHz sample
    silence: float = 0.0  # share of silent 20 ms frames, see `levels`
    missing: float = 0.0  # seconds the header promises and the file does not hold
    failure: str = ""  # why nothing could be read: unreadable, empty, or NaN/Inf


def read(path: Path, write: Callable[[np.ndarray], Any]) -> Condition:
    """Decode ``path``, hand the 16 kHz mono int16 blocks to ``write`` in order, and measure on the way.

    Never raises for what is wrong with the recording: the answer's ``failure`` says it. Channels are averaged.
    """
    import soundfile

    condition = Condition()
    try:
        head = _head(path)
    except OSError as error:  # a dangling link, no permission
        condition.failure = f"it cannot be opened ({error.strerror})"
        return condition
    if not head:
        condition.failure = "the file has 0 bytes"
        return condition
    try:
        with soundfile.SoundFile(path) as sound:
            condition.native_sample_rate, condition.channels = sound.samplerate, sound.channels
            if not _RATES[0] <= sound.samplerate <= _RATES[1]:
                condition.failure = f"its header gives a sample rate of {sound.samplerate} Hz"
                return condition
            _read_blocks(sound, write, condition)
            if not condition.failure and sound.format in {"WAV", "WAVEX", "RF64", "FLAC", "AIFF", "AU"}:
                promised = max(_promised_bytes(path) // max(_frame_bytes(sound), 1), sound.frames)
                condition.missing = max(0.0, (promised - condition.native_frames) / sound.samplerate)
    except (soundfile.SoundFileError, RuntimeError, ValueError) as error:
        condition.failure = _explain(head, str(error))
    return condition


def _read_blocks(sound: Any, write: Callable[[np.ndarray], Any], condition: Condition) -> None:
    import soundfile

    exact = sound.samplerate == SAMPLE_RATE and sound.channels == 1 and sound.subtype == "PCM_16"
    resample = _resampler(sound.samplerate)
    extremes = _Extremes(sound.channels)
    levels = Levels()
    size = max(1, _BLOCK // sound.channels)
    while True:
        try:
            block = sound.read(size, dtype="int16" if exact else "float32", always_2d=True)
        except soundfile.LibsndfileError as error:  # a FLAC or MP3 that breaks off in the middle
            if condition.native_frames == 0:
                raise
            condition.failure = (
                f"decoding breaks off after {condition.native_frames / sound.samplerate:.2f} s ({error})"
            )
            return
        last = len(block) < size
        condition.native_frames += len(block)
        if condition.native_frames > _LONGEST_H * 3600 * sound.samplerate:
            condition.failure = f"it lasts more than {_LONGEST_H} hours"
            return
        if not exact and not np.isfinite(block).all():
            condition.failure = "it holds NaN or infinite samples"
            return
        if not exact and len(block) and (over := float(np.abs(block).max())) > _FULL:
            condition.failure = f"its samples reach {over:.3g} times full scale; float samples belong into -1..1"
            return
        extremes.add(block)
        out = block[:, 0] if exact else resample(block.mean(axis=1) if sound.channels > 1 else block[:, 0], last)
        if len(out):
            levels.add(out)
            write(np.ascontiguousarray(out))
        if last:
            break
    if levels.samples == 0:
        condition.failure = "it holds no samples"
        return
    condition.samples = levels.samples
    condition.peak = max(0.0, float(extremes.levels.max())) / (32768 if exact else 1)
    condition.at_extreme = 0 if sound.subtype in _COARSE else int(extremes.counts.max())
    condition.dc, condition.rms, condition.silence = levels.dc, levels.rms, levels.silence
    condition.start, condition.end = levels.start, levels.end
    condition.span = levels.high - levels.low


def _resampler(rate: int) -> Callable[[np.ndarray, bool], np.ndarray]:
    """A function (float32 mono block, is it the last) -> int16 block at 16 kHz; keeps its state between blocks."""
    import soxr

    stream = None if rate == SAMPLE_RATE else soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")

    def resample(block: np.ndarray, last: bool) -> np.ndarray:
        out = block if stream is None else stream.resample_chunk(np.ascontiguousarray(block), last)
        return np.clip(np.rint(out * np.float32(32768)), -32768, 32767).astype(np.int16)

    return resample


class _Extremes:
    """Counts the samples that sit exactly at a recording's extremes, block by block, for each channel and sign.

    Clipping piles samples up at one level; a peak-normalised recording touches its peak once or twice.
    """

    def __init__(self, channels: int) -> None:
        self.levels = np.full((2, channels), -np.inf)
        self.counts = np.zeros((2, channels), np.int64)

    def add(self, block: np.ndarray) -> None:
        if len(block) == 0:
            return
        for sign, at in enumerate((block.max(axis=0), block.min(axis=0))):
            level = -at.astype(np.float64) if sign else at.astype(np.float64)
            count = (block == at).sum(axis=0)
            kept = np.where(level == self.levels[sign], self.counts[sign], 0)
            self.counts[sign] = np.where(level >= self.levels[sign], kept + count, self.counts[sign])
            self.levels[sign] = np.maximum(level, self.levels[sign])


def is_clipped(condition: Condition) -> bool:
    """Whether samples pile up at an extreme of the recording; touching full scale alone is not clipping."""
    return condition.at_extreme >= _PILE and condition.peak >= _CLIP_LEVEL


def _frame_bytes(sound: Any) -> int:
    width = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
    return width.get(sound.subtype, 0) * sound.channels if sound.format in {"WAV", "WAVEX", "RF64"} else 0


def _promised_bytes(path: Path) -> int:
    """Bytes of sound a RIFF or RF64 header promises; 0 where it promises none (other formats, streamed headers).

    libsndfile silently trusts the file's size instead, so a cut recording would look whole.
    """
    with path.open("rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] not in {b"RIFF", b"RF64"} or head[8:12] != b"WAVE":
            return 0
        large = 0
        while len(chunk := file.read(8)) == 8:
            name, size = chunk[:4], struct.unpack("<I", chunk[4:])[0]
            if name == b"ds64" and head[:4] == b"RF64" and size >= 16:
                fields = file.read(16)
                large = struct.unpack("<QQ", fields)[1] if len(fields) == 16 else 0
                size -= 16
            if name == b"data" and head[:4] == b"RF64":
                return int(large)
            if name == b"data":
                streamed = size >= 0xFFFFFF00 or 0x7FFF0000 <= size < 0x80000000  # ffmpeg's and SoX's way to say
                return 0 if streamed else size  # that the header was written before the length was known
            file.seek(size + size % 2, 1)
    return 0


def _head(path: Path) -> bytes:
    """The first bytes; none of an empty file or a pipe."""
    if path.stat().st_size == 0:
        return b""
    with path.open("rb") as file:
        return file.read(40)


def _explain(head: bytes, error: str) -> str:
    if head.startswith(b"version https://git-lfs"):
        return "it is a git-lfs pointer, not audio (run `git lfs pull` in the corpus)"
    reason = error.split(": ", 1)[-1].strip().rstrip(".")
    return f"it cannot be decoded ({reason})"
