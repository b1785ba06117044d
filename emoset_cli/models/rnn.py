"""A recurrent network on log-mel frames, with or without adapters."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.models import SHARED
from emoset_cli.models.layers.attention import pooling, positions
from emoset_cli.models.layers.dropout import Dropout
from emoset_cli.models.layers.frames import Frames
from emoset_cli.models.layers.norm import Norm
from emoset_cli.models.layers.per_corpus import PerCorpus
from emoset_cli.models.network import Network

CELLS: dict[str, Any] = {"gru": nn.GRU, "lstm": nn.LSTM}
MELS = 64  # the front end's default


def build(
    labels: dict[str, list[str]],
    *,
    adapters: bool = False,
    cell: str = "gru",
    layers: int = 2,
    units: int = 256,
    dropout: float = 0.2,
    classifier: str = "attention",
    attention_scale: float = 0.3,
    share_attention: bool = False,
    front: dict[str, Any] | None = None,
) -> Network:
    """The network; the paper names it as future work, so the defaults are ours, near those of EmoNet's code.

    Args:
        labels: of each corpus
        adapters: whether each corpus has its own adapters and norms in the trunk
        cell: ``gru`` or ``lstm``
        layers: recurrent layers
        units: of each layer
        dropout: share dropped before the last layer, and between recurrent layers
        classifier: ``attention`` or ``avgpool``
        attention_scale: smoothing λ of the attention weights
        share_attention: whether all corpora have one attention
        front: options of `emoset_cli.models.layers.front.Front`

    Raises:
        EmosetError: if an option is out of range
    """
    mels = (front or {}).get("mels", MELS)
    trunk = RNN(labels, adapters, mels, cell, layers, units, dropout, classifier, attention_scale, share_attention)
    return Network(labels, {"rnn": trunk}, dropout, front)


class RNN(nn.Module):
    """Recurrent layers with parallel adapters, and attention over frames.

    Layers run forwards in time only, so what is behind an utterance's end cannot reach it. Options as in `build`.

    Shape:
        x: ``(batch, 1, mels, frames)``; out: ``(batch, units)``
    """

    def __init__(
        self,
        corpora: Iterable[str],
        adapters: bool,
        mels: int,
        cell: str,
        layers: int,
        units: int,
        dropout: float,
        classifier: str,
        attention_scale: float,
        share_attention: bool,
    ) -> None:
        super().__init__()
        for name, number in (("layers", layers), ("units", units)):
            if number < 1:
                raise EmosetError(f"the network has {number} {name}", "give a whole number from 1 on")
        corpora = list(corpora)
        own = corpora if adapters else []
        self.channels = units
        self.layers = nn.ModuleList(AdaptedRecurrent(units if i else mels, units, cell, own) for i in range(layers))
        self.dropout = Dropout(dropout)
        self.attention = PerCorpus(
            "head",
            [SHARED] if share_attention or classifier == "avgpool" else corpora,
            lambda: pooling(classifier, units, attention_scale),
        )

    def forward(self, x: torch.Tensor, frames: Frames, corpus: str) -> torch.Tensor:
        """Embed a batch of one corpus, ``(batch, units)``."""
        x = x.transpose(1, 2)  # batch, mels, 1, frames
        for place, layer in enumerate(self.layers):
            x = layer(self.dropout(x) if place else x, corpus, frames)
        pooled: torch.Tensor = self.attention.pick(corpus)(*positions(x, frames))
        return pooled


class AdaptedRecurrent(nn.Module):
    """A recurrent layer with a parallel linear adapter and a batch norm for each corpus.

    For an utterance of corpus ``c``: ``y_t = norm_c(rnn(x)_t + adapter_c x_t)``. The adapter is to the frames what a
    1x1 convolution is to a spectrogram: linear, without a bottleneck, zero at first. EmoNet's unfinished code put
    a bottleneck behind the layer instead; in parallel the adapter hears what the frozen layer may have discarded, as
    in the residual network. The recurrent layer is reckoned in float32 whatever the precision of the rest.

    Shape:
        x: ``(batch, in_channels, 1, frames)``; y: ``(batch, units, 1, frames)``

    Source:
        Rebuffi et al., CVPR 2018 (parallel adapters); Gerczuk et al. 2021, section 8 names adapters for RNNs.
    """

    def __init__(self, in_channels: int, units: int, cell: str, adapted: list[str]) -> None:
        super().__init__()
        if cell not in CELLS:
            raise unknown("recurrent cell", cell, CELLS)
        self.recurrent = CELLS[cell](in_channels, units, batch_first=True)
        self.adapters = PerCorpus("adapter", adapted, lambda: _zero_linear(in_channels, units))
        self.norm = PerCorpus("adapter", adapted or [SHARED], lambda: Norm(units))

    def forward(self, x: torch.Tensor, corpus: str, frames: Frames) -> torch.Tensor:
        """Filter a batch of one corpus."""
        x = x.squeeze(2).transpose(1, 2)  # batch, frames, in_channels
        with torch.autocast(x.device.type, enabled=False):
            y: torch.Tensor = self.recurrent(x.float())[0]
        y = y + self.adapters.pick(corpus)(x) if len(self.adapters) else y.clone()
        y = y.transpose(1, 2).unsqueeze(2)  # batch, units, 1, frames; in memory as convolutions have it
        norm = self.norm.pick(corpus)
        if norm.training:
            frames.clear_(y)
        y = norm(y, frames, relu=False)
        return y


def _zero_linear(in_channels: int, units: int) -> nn.Linear:
    linear = nn.Linear(in_channels, units, bias=False)
    nn.init.zeros_(linear.weight)
    return linear
