"""Attention pooling: one vector from the positions of an utterance."""

import torch
from torch import nn

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.models.layers.frames import Frames

UNITS = 256
POOLINGS = ("attention", "avgpool")


class Attention(nn.Module):
    """Sum of an utterance's position vectors, weighted by their learnt importance.

    ``e_i = u . tanh(W x_i + b)``, ``alpha = softmax(scale * e)``, output ``sum(alpha_i x_i)``. Padding gets no weight.
    A scale of 0 is the average over the valid positions. Sums are float32 whatever the precision of the products.

    Args:
        channels: of the vectors
        scale: smoothing λ of the weights; 1 is none

    Shape:
        x: ``(batch, positions, channels)``
        valid: ``(batch, positions)``, bool; None where all are
        out: ``(batch, channels)``, float32

    Source:
        Gerczuk et al. 2021, eqs 1-4; λ = 0.3 after Zhao et al. 2018.
    """

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.hidden = nn.Linear(channels, UNITS)
        self.importance = nn.Parameter(torch.empty(UNITS))
        nn.init.xavier_uniform_(self.hidden.weight)
        nn.init.zeros_(self.hidden.bias)
        nn.init.xavier_uniform_(self.importance.unsqueeze(0))

    def weights(self, x: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
        """How much each position counts, ``(batch, positions)``, float32; 1 in sum."""
        e = (torch.tanh(self.hidden(x)).float() * self.importance).sum(-1)  # batch, positions
        e = self.scale * e
        if valid is not None:
            e = e.masked_fill(~valid, -torch.inf)
        return torch.softmax(e, 1)

    def forward(self, x: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
        """Pool each utterance."""
        return (self.weights(x, valid).unsqueeze(-1) * x).sum(1)


class HeadsAttention(nn.Module):
    """Several sums over the frames, each weighted by a head of its own; all frames count.

    ``A = softmax(U tanh(W H))`` over the frames, output ``A H``. The paper gives only the shapes and no formula; this
    is the structured self-attention that yields them, and its hidden width, that of the frames, is our choice.

    Args:
        channels: of the frames
        heads: number of sums

    Shape:
        x: ``(batch, frames, channels)``; out: ``(batch, heads, channels)``

    Source:
        Zhu & Sato 2020, Table 1 (150 x 256 to 8 x 256); Lin et al. 2017, eq 6.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels, channels, bias=False)
        self.importance = nn.Linear(channels, heads, bias=False)

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        """How much each frame counts for each head, ``(batch, frames, heads)``; 1 in sum over the frames."""
        found: torch.Tensor = self.importance(torch.tanh(self.hidden(x))).softmax(1)
        return found

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Pool each utterance, once a head."""
        return self.weights(x).transpose(1, 2) @ x


class AveragePool(nn.Module):
    """Average of an utterance's position vectors; shapes as in `Attention`."""

    def forward(self, x: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
        """Pool each utterance."""
        if valid is None:
            return x.float().mean(1)
        return (x.float() * valid.unsqueeze(-1)).sum(1) / valid.sum(1, keepdim=True)


def pooling(classifier: str, channels: int, scale: float) -> nn.Module:
    """The pooling of that name, one of `POOLINGS`.

    Raises:
        EmosetError: for another name or a negative scale
    """
    if classifier not in POOLINGS:
        raise unknown("classifier", classifier, POOLINGS)
    if scale < 0:
        raise EmosetError(f"the attention scale is {scale:g}", "give 0 for average pooling, or more")
    return Attention(channels, scale) if classifier == "attention" else AveragePool()


def positions(x: torch.Tensor, frames: Frames) -> tuple[torch.Tensor, torch.Tensor | None]:
    """What a pooling reads of a batch of maps ``(batch, channels, mels, frames)``: mels and frames in one row."""
    valid = frames.valid.repeat(1, x.shape[2]) if frames.padded else None
    return x.permute(0, 2, 3, 1).flatten(1, 2), valid
