"""What a shared model is compared with its run on: test utterances where there are any, else sounds of ours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli.errors import EmosetError
from emoset_cli.prepare import corpus_folder
from emoset_cli.runs import Run
from emoset_cli.store import AudioStore

_RATE = 16_000  # Hz
COUNT = 8  # probes: from the shortest to the longest
_SECONDS = (0.7, 1.3, 2.0, 2.9, 4.2, 6.0, 8.5, 12.0)  # of sounds of ours


def probes(run: Run, workspace: Path, made: Mapping[str, Any], fold: str) -> tuple[list[np.ndarray], str]:
    """What a network may hear at once, each int16 ``(samples,)`` or float16 ``(frames, values)``; and what it is.

    Test utterances of the fold from the shortest to the longest, cut as the network hears them; where the workspace
    does not hold them, noise that rises and falls. Stored frames are random.
    """
    if made["feature"]:
        width, kept = made["network"]["stored"]
        return frames(width * kept), "random frames"
    whole, what = _recordings(run, workspace, fold)
    return [_cut(one, made) for one in whole], what


def _recordings(run: Run, workspace: Path, fold: str) -> tuple[list[np.ndarray], str]:
    from emoset_cli.train.deep.members import members

    try:
        rows = members(run, workspace)
        rows = rows[(rows["fold"] == fold) & (rows["partition"] == "test")].sort_values("samples")
        if len(rows):
            places = np.unique(np.linspace(0, len(rows) - 1, COUNT).round().astype(int))
            return [_read(workspace, row) for _, row in rows.iloc[places].iterrows()], "test utterances"
    except EmosetError:  # not prepared here, or anew: the sounds below do as well
        pass
    return noise(), "noise"


def noise() -> list[np.ndarray]:
    """Sounds of 0.7 to 12 s, int16 ``(samples,)``: noise that rises and falls."""
    rng = np.random.default_rng(0)
    return [_sound(rng, round(_RATE * seconds)) for seconds in _SECONDS]


def frames(width: int) -> list[np.ndarray]:
    """Random frames of 0.7 to 12 s, float16 ``(frames, width)``."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=(round(50 * seconds), width)).astype(np.float16) for seconds in _SECONDS]


def _read(workspace: Path, row: Any) -> np.ndarray:
    store = AudioStore(corpus_folder(workspace, row["corpus"]) / "audio")
    samples: np.ndarray = store.samples(row["shard"], int(row["offset"]), int(row["samples"]))
    return samples


def _sound(rng: np.random.Generator, samples: int) -> np.ndarray:
    """Noise in bursts, some of it faint."""
    loudness = np.abs(np.sin(np.arange(samples) * 2 * np.pi / _RATE * 1.7)) ** 3
    found: np.ndarray = (rng.normal(0, 3000, samples) * loudness).clip(-32767, 32767).astype(np.int16)
    return found


def _cut(one: np.ndarray, made: Mapping[str, Any]) -> np.ndarray:
    """What the network hears of it at once: a segment, the middle, or all."""
    if made.get("segments"):
        return one[: max(1, round(made["segments"][0] * _RATE))]
    if made["eval_window"] == "crop" and len(one) > (window := round(made["window_s"] * _RATE)):
        start = (len(one) - window) // 2
        return one[start : start + window]
    return one


def batch_of(some: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Probes as one batch, zero behind each, and their lengths, int64."""
    lengths = np.array([len(one) for one in some], np.int64)
    batch = np.zeros((len(some), int(lengths.max()), *some[0].shape[1:]), some[0].dtype)
    for place, one in enumerate(some):
        batch[place, : len(one)] = one
    return batch, lengths
