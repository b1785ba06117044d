"""What the attention of a finished network looked at in an utterance, beside the spectrogram that it heard."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emoset_cli.models.layers.attention import Attention, HeadsAttention
from emoset_cli.train.deep.device import computing
from emoset_cli.train.deep.use import Network, reading, source_of

_HALVINGS = 6  # a trunk halves time and frequency at most so often


@dataclass(frozen=True)
class Attended:
    """Spectrogram and attention of an utterance, or of its first segment where the network hears segments.

    ``spectrogram`` is ``(mels, frames)`` as the network heard it, low bands first, and lasts ``seconds``. ``weights``
    are ``(rows, columns)``: rows are bands of frequency, low ones first, of which all weights sum to 1 (a single row
    where attention is over time alone), or ``heads``, each with a sum of 1 over a whole segment.
    """

    spectrogram: np.ndarray
    weights: np.ndarray
    seconds: float
    heads: bool


def has_attention(network: Network) -> bool:
    """Whether a network has attention that can be drawn over a spectrogram."""
    front = getattr(network.model, "front", None)
    return front is not None and any(isinstance(one, Attention | HeadsAttention) for one in network.model.modules())


@torch.no_grad()
def attended(network: Network, workspace: Path, utterance: Any, head: str) -> Attended:
    """Where the attention of a network lies in one utterance, on the way to one head.

    Args:
        network: of `emoset_cli.train.deep.use.open_network`, for which `has_attention` holds
        workspace: in which the utterance is prepared
        utterance: a table of one row
        head: whose path it goes

    Source:
        Gerczuk et al. 2021, eqs 1-3 (weights over time and frequency); Zhu & Sato 2020, Table 1 (heads over time).
    """
    assert len(utterance) == 1, "one utterance has one map"
    source, _, plans = reading(network, source_of(network, workspace, utterance), head)
    batch = source.read(min(plans, key=lambda plan: int(plan.rows.min())))
    first = int(np.argmin(batch.rows))
    waves, lengths = batch.waves[first : first + 1].to(network.device), batch.lengths[first : first + 1]
    heard: list[tuple[bool, torch.Tensor]] = []

    def listen(module: Any, given: tuple[Any, ...]) -> None:
        heard.append((isinstance(module, HeadsAttention), module.weights(*given)[0]))

    hooks = [
        one.register_forward_pre_hook(listen)
        for one in network.model.modules()
        if isinstance(one, Attention | HeadsAttention)
    ]
    try:
        with computing(network.device, network.made["precision"]):
            network.model.embed(waves, lengths.to(network.device), head)
            shown, frames = network.model.front(waves, lengths.to(network.device))
    finally:
        for hook in hooks:
            hook.remove()
    heads, weights = heard[0]
    spectrogram = shown[0, 0, :, : int(frames[0])].float().cpu().numpy()
    found = weights.float().cpu().numpy()
    seconds = float(lengths[0]) / source.rate
    if heads:
        return Attended(spectrogram, _own_frames(network, found.T, spectrogram.shape[1]), seconds, True)
    rows = _rows(len(found), *spectrogram.shape)
    return Attended(spectrogram, found.reshape(rows, -1), seconds, False)


def _own_frames(network: Network, weights: np.ndarray, frames: int) -> np.ndarray:
    """Heads' weights without those on the padding of a spectrogram that is shorter than a segment."""
    whole = max(getattr(trunk, "frames", frames) for trunk in network.model.trunks.values())
    return weights[:, : max(1, round(weights.shape[1] * min(1.0, frames / whole)))]


def _rows(positions: int, mels: int, frames: int) -> int:
    """Bands of frequency that a row of positions is made of: mels and frames halved equally often, or time alone.

    Example:
        >>> _rows(8 * 25, 64, 199), _rows(199, 64, 199)
        (8, 1)
    """
    for up in (True, False):
        rows, columns = mels, frames
        for _ in range(_HALVINGS):
            if rows * columns == positions:
                return rows
            rows, columns = (rows + up) // 2, (columns + up) // 2
    return 1
