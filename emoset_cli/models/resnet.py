"""EmoNet's residual network on log-mel spectrograms, with or without adapters."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from emoset_cli.errors import EmosetError
from emoset_cli.models import SHARED
from emoset_cli.models.layers.adapters import AdaptedConv2d
from emoset_cli.models.layers.attention import pooling, positions
from emoset_cli.models.layers.dropout import Dropout
from emoset_cli.models.layers.frames import Frames
from emoset_cli.models.layers.norm import Norm
from emoset_cli.models.layers.per_corpus import PerCorpus
from emoset_cli.models.network import Network

MODULES = 3  # each with twice the filters of the one before, at half the resolution


def build(
    labels: dict[str, list[str]],
    *,
    adapters: bool = False,
    blocks: int = 2,
    filters: int = 32,
    widen: int = 1,
    dropout_block: float = 0.0,
    dropout: float = 0.2,
    classifier: str = "attention",
    attention_scale: float = 0.3,
    share_attention: bool = False,
    front: dict[str, Any] | None = None,
) -> Network:
    """The network; defaults are the paper's.

    Args:
        labels: of each corpus
        adapters: whether each corpus has its own adapters and norms in the trunk
        blocks: residual blocks in each of the three modules
        filters: of the first convolution
        widen: factor on all filters
        dropout_block: share dropped between a block's two convolutions
        dropout: share dropped before the last layer
        classifier: ``attention`` or ``avgpool``
        attention_scale: smoothing λ of the attention weights
        share_attention: whether all corpora have one attention
        front: options of `emoset_cli.models.layers.front.Front`

    Raises:
        EmosetError: if an option is out of range
    """
    trunk = ResNet(
        labels, adapters, blocks, filters * widen, dropout_block, classifier, attention_scale, share_attention
    )
    return Network(labels, {"cnn": trunk}, dropout, front)


class ResNet(nn.Module):
    """A 3x3 convolution, three modules of residual blocks, and attention over mels and frames.

    Each module doubles the filters and halves mels and frames (rounding up). Options as in `build`; ``filters`` is the
    first convolution's.

    Shape:
        x: ``(batch, 1, mels, frames)``; out: ``(batch, 8 * filters)``

    Source:
        Gerczuk et al. 2021, section 5.2.
    """

    def __init__(
        self,
        corpora: Iterable[str],
        adapters: bool,
        blocks: int,
        filters: int,
        dropout_block: float,
        classifier: str,
        attention_scale: float,
        share_attention: bool,
    ) -> None:
        super().__init__()
        for name, number in (("blocks", blocks), ("filters", filters)):
            if number < 1:
                raise EmosetError(f"the network has {number} {name}", "give a whole number from 1 on")
        corpora = list(corpora)
        own = corpora if adapters else []
        self.stem = ConvNorm(1, filters, 1, own)
        self.blocks = nn.ModuleList()
        channels = filters
        for _ in range(MODULES):
            for place in range(blocks):
                wider = channels if place else 2 * channels
                self.blocks.append(Block(channels, wider, dropout_block, own))
                channels = wider
        self.channels = channels
        self.norm = PerCorpus("adapter", own or [SHARED], lambda: Norm(channels))
        self.attention = PerCorpus(
            "head",
            [SHARED] if share_attention or classifier == "avgpool" else corpora,
            lambda: pooling(classifier, channels, attention_scale),
        )

    def forward(self, x: torch.Tensor, frames: Frames, corpus: str) -> torch.Tensor:
        """Embed a batch of one corpus, ``(batch, channels)``."""
        x = self.stem(x, corpus, frames, relu=False)
        for block in self.blocks:
            frames = frames.halved() if block.stride == 2 else frames
            x = block(x, corpus, frames)
        x = self.norm.pick(corpus)(x, frames)  # batch, channels, mels / 8, frames / 8
        pooled: torch.Tensor = self.attention.pick(corpus)(*positions(x, frames))
        return pooled


class ConvNorm(nn.Module):
    """Convolution with adapters, the corpus's batch norm, residual, ReLU (none behind the first convolution).

    Shape:
        x: ``(batch, in_channels, mels, frames)``, zero behind each utterance's end, as the output is
        residual: shape of the output or with fewer channels
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, adapted: list[str]) -> None:
        super().__init__()
        self.conv = AdaptedConv2d(in_channels, out_channels, stride, adapted)
        self.norm = PerCorpus("adapter", adapted or [SHARED], lambda: Norm(out_channels))

    def forward(
        self, x: torch.Tensor, corpus: str, frames: Frames, residual: torch.Tensor | None = None, relu: bool = True
    ) -> torch.Tensor:
        """Filter a batch of one corpus; ``frames`` are those of the output."""
        norm = self.norm.pick(corpus)
        y: torch.Tensor = self.conv(x, corpus)
        if norm.training:
            frames.clear_(y)
        y = norm(y, frames, residual, relu)
        return y


class Block(nn.Module):
    """Two convolutions and a shortcut around them.

    Where the filters double, the first convolution has stride 2 and the shortcut is 2x2 average pooling with zeros for
    the new channels. An odd edge is pooled with zeros and divided by 4 all the same, so that a shorter utterance in a
    longer batch gives what it gives alone.
    """

    def __init__(self, in_channels: int, out_channels: int, dropout: float, adapted: list[str]) -> None:
        super().__init__()
        self.stride = 1 if in_channels == out_channels else 2
        self.first = ConvNorm(in_channels, out_channels, self.stride, adapted)
        self.dropout = Dropout(dropout)
        self.second = ConvNorm(out_channels, out_channels, 1, adapted)

    def forward(self, x: torch.Tensor, corpus: str, frames: Frames) -> torch.Tensor:
        """Filter a batch of one corpus; ``frames`` are those of the output."""
        shortcut = x
        if self.stride == 2:
            shortcut = _pooled(x)
        y: torch.Tensor = self.second(self.dropout(self.first(x, corpus, frames)), corpus, frames, shortcut)
        return y


def _pooled(x: torch.Tensor) -> torch.Tensor:
    """2x2 average pooling, an odd edge with zeros."""
    if torch.compiler.is_exporting():  # ONNX has no fixed divisor
        return functional.avg_pool2d(functional.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2)), 2)
    return _Pool.apply(x)  # type: ignore[no-any-return, no-untyped-call]


class _Pool(torch.autograd.Function):
    """2x2 average pooling whose backward pass writes each value once (torch's own takes five times as long)."""

    @staticmethod
    def forward(ctx: Any, x):  # type: ignore[no-untyped-def]
        ctx.size = x.shape[2:]
        return functional.avg_pool2d(x, 2, ceil_mode=True, divisor_override=4)

    @staticmethod
    def backward(ctx: Any, gradient):  # type: ignore[no-untyped-def]
        return torch.ops.aten.upsample_nearest2d(gradient * 0.25, ctx.size, 2.0, 2.0)
