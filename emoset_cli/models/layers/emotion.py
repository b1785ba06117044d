"""Emotion models: one vector of an utterance from its frames, by a GRU or a Transformer."""

import math

import torch
from torch import nn

from emoset_cli.errors import EmosetError, unknown

ATTENTION_HEADS = 8  # Alisamir et al. 2022, section IV-A


class LastState(nn.Module):
    """GRU layers; the output at an utterance's last frame.

    Layers run forwards in time only, so what is behind an utterance's end cannot reach it. Reckoned in float32
    whatever the precision of the rest.

    Shape:
        x: ``(batch, frames, inputs)``; own: frames of each utterance, ``(batch,)``, at least 1
        out: ``(batch, width)``

    Source:
        Alisamir et al. 2022, section III-C.
    """

    def __init__(self, inputs: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.recurrent = nn.GRU(inputs, width, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)

    def forward(self, x: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        """Embed a batch."""
        with torch.autocast(x.device.type, enabled=False):
            y: torch.Tensor = self.recurrent(x.float())[0]  # batch, frames, width
        last = (own - 1).view(-1, 1, 1).expand(-1, 1, y.shape[2])
        return y.gather(1, last).squeeze(1)


class MeanState(nn.Module):
    """Transformer layers over all frames; the mean of an utterance's own.

    The paper does not say how its Transformer makes one vector of many, nor how it tells the frames' order: the mean
    and sinusoidal positions are our choice.

    Shape:
        as in `LastState`

    Source:
        Alisamir et al. 2022, section IV-A (8 heads); Vaswani et al. 2017 (positions).
    """

    def __init__(self, inputs: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        if width % ATTENTION_HEADS:
            raise EmosetError(
                f"a Transformer of width {width} cannot have {ATTENTION_HEADS} heads",
                f"choose a --width that {ATTENTION_HEADS} divides",
            )
        self.inputs = nn.Linear(inputs, width)
        layer = nn.TransformerEncoderLayer(width, ATTENTION_HEADS, 4 * width, dropout, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)

    def forward(self, x: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        """Embed a batch."""
        padding = torch.arange(x.shape[1], device=x.device) >= own[:, None]  # batch, frames
        y = self.inputs(x)
        y = self.layers(y + positions(y.shape[1], y.shape[2], y.device), src_key_padding_mask=padding)
        y = y.float().masked_fill(padding.unsqueeze(-1), 0.0)
        mean: torch.Tensor = y.sum(1) / own.unsqueeze(1)
        return mean


def positions(frames: int, width: int, device: torch.device) -> torch.Tensor:
    """Sines and cosines of falling frequency that tell a frame's place, ``(frames, width)``; the width is even."""
    rates = torch.exp(torch.arange(0, width, 2, device=device) * (-math.log(10_000) / width))
    angles = torch.arange(frames, device=device).unsqueeze(1) * rates  # frames, width / 2
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)


CELLS = {"gru": LastState, "transformer": MeanState}


def emotion_model(cell: str, inputs: int, width: int, layers: int, dropout: float) -> nn.Module:
    """The emotion model of that name, a key of `CELLS`.

    Raises:
        EmosetError: for another name, or a number out of range
    """
    if cell not in CELLS:
        raise unknown("emotion model", cell, CELLS)
    for name, number in (("layers", layers), ("width", width)):
        if number < 1:
            raise EmosetError(f"--{name} is {number}", "give a whole number from 1 on")
    return CELLS[cell](inputs, width, layers, dropout)
