"""Self-supervised speech features: states of the layers of any speech encoder of transformers, as frames or pooled.

Source: Baevski et al. 2020 (wav2vec 2.0) and its kin; see `emoset_cli.models.speech_load.MODEL_TYPES`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from emoset_cli.cores import cores
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.features import FRAMES, Plan, exact, threads_of_torch

PACKAGE = "transformers"
OPTIONS = ("model", "layer", "pool", "precision", "device")
AGAIN = "where --model is the folder or the whole name"
POOLS = (FRAMES, "mean", "meansd")
_PROCESSES = 8  # at most: each holds the whole network
_TOGETHER = 2e9  # weights that all processes hold at most
# Seconds of speech, padding included, that are computed at once.
_SECONDS = {"cpu": 16, "cuda": 320}


def plan(
    name: str = "",
    model: str = "",
    layer: str = "last",
    pool: str = "mean",
    precision: str = "auto",
    device: str = "auto",
    workers: int = 0,
    progress: bool = False,
) -> Plan:
    """Settle what is extracted, after a look at the weights and a second of noise through the network.

    Args:
        name: behind ``wav2vec2-`` of the feature's name: nothing, or what the other options come to
        model: a folder or a name of the hub, see `emoset_cli.models.speech_load.read_encoder`
        layer: last, a number, mean or all, see `emoset_cli.models.speech.SpeechEncoder`
        pool: frames (each one), mean (over the utterance's frames) or meansd (and their standard deviation)
        precision: auto, fp32 or bf16
        device: auto, cpu or cuda
        workers: cores to use, 0 for all
        progress: show a bar while weights are fetched

    Raises:
        EmosetError: for what is not known, or an encoder that is not there or damaged
    """
    from emoset_cli.models import hardware
    from emoset_cli.models.speech import SpeechEncoder
    from emoset_cli.models.speech_load import read_encoder

    if pool not in POOLS:
        raise unknown("pooling", pool, POOLS)
    if name and not model:
        raise EmosetError(f"wav2vec2-{name} does not say where its encoder lies", "emoset extract wav2vec2 --model ...")
    device = hardware.choose_device(device)
    precision, why = hardware.choose_precision(precision, device)
    read = read_encoder(model, progress)
    encoder = SpeechEncoder(read, layer)
    short = re.sub(r"[^A-Za-z0-9.]+", "-", read.short).strip("-") or read.model_type
    called = "-".join([short, *([f"layer{encoder.layer}"] if encoder.layer != "last" else []), pool])
    if name not in {"", called}:
        raise EmosetError(f"wav2vec2-{name} is not what the options say, wav2vec2-{called}", "name it once")
    settings = {
        "options": {"model": short, "layer": encoder.layer, "pool": pool, "precision": precision},
        "weights": read.digest, "model_type": read.model_type, "normalise": read.normalise, "kept": encoder.kept,
        "numbers": "float16",
    }  # fmt: skip
    count = _look(encoder, short)
    weights = sum(parameter.numel() for parameter in encoder.parameters())
    free = workers or cores()
    processes = hardware.gpus(device) or max(1, min(free, _PROCESSES, int(_TOGETHER // weights)))
    means = {
        "model": model, "layer": encoder.layer, "pool": pool, "precision": precision, "device": device,
        "threads": max(1, free // processes), "count": count,
    }  # fmt: skip
    threads = f"{processes} processes" if processes > 1 else "one process"
    note = f"{short} ({read.model_type}) in {precision}, {why}; on {device}, {threads}"
    return Plan(called, settings, means, processes, "; ".join(filter(None, [note, read.note])))


def _look(encoder: Any, name: str) -> int:
    """The number of features of a frame.

    Raises:
        EmosetError: if what the network hears is no number
    """
    import torch

    noise = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0)).mul(3000).to(torch.int16)
    with torch.inference_mode():
        heard, _ = encoder.eval()(noise, torch.tensor([16_000]))
    if not torch.isfinite(heard).all():
        raise EmosetError(f"{name} answers values that are no numbers", "choose an earlier --layer or other weights")
    return int(heard[0, 0].numel())


def build(
    model: str, layer: str, pool: str, precision: str, device: str, threads: int, count: int
) -> tuple[list[str], Callable[[list[np.ndarray]], Any]]:
    """Names of the features, and a function from utterances to them; all arguments as `plan` settled them.

    The function takes 16 kHz int16 waveforms, each of shape ``(samples,)``, and answers float16: ``(batch, features)``,
    or, for frames, an iterator of ``(frames, features)``. An utterance without frames has NaN, or none.
    """
    from emoset_cli.models import hardware
    from emoset_cli.models.speech import SpeechEncoder
    from emoset_cli.models.speech_load import read_encoder

    hardware.keep_memory()
    where = hardware.own_gpu(device)
    encoder = SpeechEncoder(read_encoder(model), layer).to_precision(precision).to(where)
    parts = ["mean", "sd"] if pool == "meansd" else ["mean"] if pool == "mean" else ["state"]
    names = [f"{part}_{number}" for part in parts for number in range(count)]

    def extract(waveforms: list[np.ndarray]) -> Any:
        def heard() -> Iterator[np.ndarray]:
            for batch in batches([encoder.heard(len(waveform)) for waveform in waveforms], 16_000 * _SECONDS[device]):
                with threads_of_torch(threads, device), exact():
                    states = _states(encoder, [waveforms[row] for row in batch], where)
                for one in states:
                    yield half(one if pool == FRAMES else _pooled(one, pool))

        return heard() if pool == FRAMES else np.stack(list(heard()))

    return names, extract


def batches(samples: list[int], budget: int) -> Iterator[list[int]]:
    """Rows in their order, as many at once as make at most ``budget`` samples with their padding; at least one."""
    batch: list[int] = []
    for row, count in enumerate(samples):
        longest = max([count, *(samples[other] for other in batch)])
        if batch and longest * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _states(encoder: Any, waveforms: list[np.ndarray], device: str) -> list[np.ndarray]:
    """Each utterance's frames, float32 ``(frames, features)``.

    Raises:
        EmosetError: if the memory of the device does not suffice
    """
    import torch

    from emoset_cli.models.hardware import enough_memory

    lengths = torch.tensor([len(waveform) for waveform in waveforms])
    waves = torch.zeros(len(waveforms), int(lengths.max()), dtype=torch.int16)
    for row, waveform in enumerate(waveforms):
        waves[row, : len(waveform)] = torch.from_numpy(waveform)
    longest = waves.shape[1] / 16_000
    memory = enough_memory(
        f"out of memory with {len(waves) * longest:.0f} s of speech at once, the longest utterance has {longest:.0f} s",
        "--precision bf16, --device cpu, fewer --workers, or a smaller encoder",
    )
    with memory, torch.inference_mode():
        hidden, frames = encoder(waves.to(device), lengths.to(device))
        hidden = hidden.flatten(2).cpu().numpy()
    return [hidden[row, :count] for row, count in enumerate(frames.tolist())]


def _pooled(states: np.ndarray, pool: str) -> np.ndarray:
    """Mean over time, and standard deviation: ``(features,)``; NaN where there is no frame."""
    if not len(states):
        return np.full(states.shape[1] * (2 if pool == "meansd" else 1), np.nan, np.float32)
    mean = states.mean(0)
    return mean if pool == "mean" else np.concatenate([mean, states.std(0)])


def half(values: np.ndarray) -> np.ndarray:
    """As float16; what is too large for it becomes infinite, and is then told of."""
    with np.errstate(over="ignore"):
        return values.astype(np.float16)
