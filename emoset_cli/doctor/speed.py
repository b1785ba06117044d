"""How fast the machine is at what emoset does: about two seconds for each measurement, the best of its repetitions."""

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from emoset_cli.doctor.machine import existing

_SPEECH_S = 10  # seconds of the recordings that are decoded and described
_BATCH, _WINDOW_S = 8, 2.0
_DISK_MB = 32


def measure(folder: Path, seconds: float = 1.5) -> Iterator[dict[str, Any]]:
    """The measurements one by one: ``what``, ``value``, ``unit``, and ``of``, what exactly was done.

    Args:
        folder: of the workspace, to whose disk something is written; all of it is removed again
        seconds: how long each is repeated
    """
    from emoset_cli.models.hardware import choose_precision

    fast = choose_precision("auto", "cpu")[0] == "bf16"
    for kind in ("fp32", "bf16"):
        value = _best(seconds, _product(kind))
        yield {"what": f"matrix product, {kind}", "value": value, "unit": "GFLOP/s", "of": "2048 x 2048, processor",
               "chosen": fast if kind == "bf16" else not fast}  # fmt: skip
    with tempfile.TemporaryDirectory(prefix=".emoset-doctor-", dir=_place(folder)) as name:
        recording = _recording(Path(name))
        told = f"{_SPEECH_S} s of a 44.1 kHz stereo WAV to 16 kHz mono, one core"
        yield {"what": "decode and resample", "value": _best(seconds, _decode(recording)), "unit": "s of speech/s",
               "of": told}  # fmt: skip
        yield {"what": "disk write", "value": _best(seconds, _write(Path(name))), "unit": "MB/s",
               "of": f"{_DISK_MB} MB, until they are on the disk"}  # fmt: skip
    yield {"what": "eGeMAPS", "value": _best(seconds, _egemaps()), "unit": "s of speech/s",
           "of": f"{_SPEECH_S} s of noise, one core"}  # fmt: skip
    yield {"what": "training step of a small cnn", "value": _best(seconds, _step()), "unit": "s of speech/s",
           "of": f"{_BATCH} utterances of {_WINDOW_S:g} s, 8 filters, float32, processor"}  # fmt: skip


def _place(folder: Path) -> Path | None:
    """Where to write to: the disk of the workspace; the system's folder for such things where that is refused."""
    place = existing(folder)
    return place if os.access(place, os.W_OK) else None


def _best(seconds: float, work: Callable[[], float]) -> float:
    """The highest of what ``work`` answers (amount a second); once to warm up, then for so long."""
    work()
    best, end = work(), perf_counter() + seconds
    while perf_counter() < end:
        best = max(best, work())
    return best


def _rate(amount: float, work: Callable[[], Any]) -> Callable[[], float]:
    def once() -> float:
        start = perf_counter()
        work()
        return amount / max(perf_counter() - start, 1e-9)

    return once


def _product(kind: str) -> Callable[[], float]:
    import torch

    a, b = (torch.randn(2048, 2048).to(torch.bfloat16 if kind == "bf16" else torch.float32) for _ in range(2))
    return _rate(2 * 2048**3 / 1e9, lambda: a @ b)


def _noise(rate: int, channels: int) -> np.ndarray:
    shape = (_SPEECH_S * rate, channels)
    return np.random.default_rng(0).normal(0, 2000, shape).clip(-32768, 32767).astype("<i2")


def _recording(folder: Path) -> Path:
    """A recording as corpora have them: 44.1 kHz, stereo, 16 bit."""
    import wave

    path = folder / "noise.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 44100, 0, "NONE", ""))
        file.writeframes(_noise(44100, 2).tobytes())
    return path


def _decode(path: Path) -> Callable[[], float]:
    from emoset_cli import audio

    return _rate(_SPEECH_S, lambda: audio.read(path, lambda block: None))


def _write(folder: Path) -> Callable[[], float]:
    block = np.random.default_rng(0).bytes(1_000_000)

    def write() -> None:
        with (folder / "block").open("wb") as file:
            for _ in range(_DISK_MB):
                file.write(block)
            file.flush()
            os.fsync(file.fileno())

    return _rate(_DISK_MB, write)


def _egemaps() -> Callable[[], float]:
    from emoset_cli import features

    _, extract = features.build("egemaps-v02")
    waveform = _noise(16000, 1)[:, 0].astype(np.int16)
    return _rate(_SPEECH_S, lambda: extract([waveform]))


def _step() -> Callable[[], float]:
    import torch

    from emoset_cli.models.build import build_network

    random = torch.random.get_rng_state()
    torch.manual_seed(0)
    network = build_network("cnn", {"a": ["x", "y"]}, False, {"filters": 8, "blocks": 1}, {})
    waves = torch.randint(-3000, 3000, (_BATCH, int(_WINDOW_S * 16000)), dtype=torch.int16)
    lengths = torch.full((_BATCH,), waves.shape[1])
    torch.random.set_rng_state(random)
    network.train()

    def step() -> None:
        network.zero_grad()
        network(waves, lengths, "a").logsumexp(-1).sum().backward()

    return _rate(_BATCH * _WINDOW_S, step)
