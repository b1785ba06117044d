"""ACRNN: convolutions, a bidirectional LSTM and attention heads on segments of fixed length."""

from math import prod
from typing import Any

import torch
from torch import nn

from emoset_cli.errors import EmosetError
from emoset_cli.models import FILTERBANKS
from emoset_cli.models.layers.attention import HeadsAttention
from emoset_cli.models.layers.dropout import Dropout
from emoset_cli.models.layers.frames import Frames
from emoset_cli.models.layers.logmel import SAMPLE_RATE
from emoset_cli.models.layers.perceptron import Perceptron
from emoset_cli.models.layers.start import he_normal
from emoset_cli.models.network import Network

# Source of all of these: Zhu & Sato 2020, Table 1 and section 3.1.
FILTERS, POOLS = (128, 256), ((2, 4), (1, 5))
KERNEL = (5, 3)  # frames, mels
DENSE, UNITS, HEADS, WIDTH = 768, 128, 8, 128
CLASSIFIER = (128, 128, 128)


def build(
    labels: dict[str, list[str]],
    *,
    adapters: bool = False,
    dropout: float = 0.5,
    window_s: float = 3.0,
    front: dict[str, Any] | None = None,
) -> Network:
    """The network: one encoder, a classifier for each corpus.

    Args:
        labels: of each corpus
        adapters: this network has none
        dropout: share dropped from the embedding; the paper does not tell it, 0.5 is our choice
        window_s: every spectrogram has the frames of so many seconds, cropped or padded with zeros
        front: options of `emoset_cli.models.layers.front.Front`

    Raises:
        EmosetError: if an option is out of range

    Source:
        Zhu & Sato 2020, section 3.1.
    """
    assert not adapters, "acrnn has no adapters"
    front = FILTERBANKS | (front or {})
    mels, frames = front["mels"], round(window_s * SAMPLE_RATE / front["hop"])
    for what, count, least in (("frames", frames, _pooled(0)), ("mel bands", mels, _pooled(1))):
        if count < least:
            raise EmosetError(f"acrnn pools {least} {what} into one, and a segment has {count}",
                              "take longer segments, a shorter --hop or more --num-mels")  # fmt: skip
    trunk = Acrnn(mels, frames, dropout)
    return Network(
        labels, {"acrnn": trunk}, dropout, front, head=lambda width, count: Perceptron(width, CLASSIFIER, count)
    )


def _pooled(axis: int) -> int:
    """How many frames (0) or mel bands (1) become one."""
    return prod(pool[axis] for pool in POOLS)


class Acrnn(nn.Module):
    """Table 1 of the paper, row by row; ReLU after convolutions and dense layers, of which it says nothing.

    Spectrograms are padded with zeros to the fixed number of frames, and padding is heard like everything else, as in
    the paper.

    Args:
        mels: 40 in the paper; what pooling leaves over is dropped
        frames: of each spectrogram; 300 in the paper
        dropout: of the embedding

    Shape:
        x: ``(batch, 1, mels, frames)``, of any number of frames; out: ``(batch, 128)``, float32
    """

    def __init__(self, mels: int, frames: int, dropout: float) -> None:
        super().__init__()
        self.channels, self.frames = WIDTH, frames
        bands = mels // POOLS[0][1] // POOLS[1][1]
        same = (KERNEL[0] // 2, KERNEL[1] // 2)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(inputs, filters, KERNEL, padding=same)
            for inputs, filters in zip((1, *FILTERS), FILTERS, strict=False)
        )
        self.pools = nn.ModuleList(nn.MaxPool2d(size) for size in POOLS)
        self.dense = nn.Linear(bands * FILTERS[-1], DENSE)
        self.recurrent = nn.LSTM(DENSE, UNITS, batch_first=True, bidirectional=True)
        self.attention = HeadsAttention(2 * UNITS, HEADS)
        self.out = nn.Linear(HEADS * 2 * UNITS, WIDTH)
        self.dropout = Dropout(dropout)
        he_normal(*self.convolutions, self.dense, self.out)

    def forward(self, x: torch.Tensor, frames: Frames, corpus: str) -> torch.Tensor:
        """Embed a batch of segments."""
        x = x.transpose(2, 3)[:, :, : self.frames]
        x = nn.functional.pad(x, (0, 0, 0, self.frames - x.shape[2]))  # batch, 1, 300, 40
        x = x.contiguous(memory_format=torch.channels_last)
        for convolution, pool in zip(self.convolutions, self.pools, strict=True):
            x = pool(convolution(x).relu())  # batch, 128, 150, 10; batch, 256, 150, 2
        x = x.permute(0, 2, 3, 1).flatten(2)  # batch, 150, 512
        x = self.dense(x).relu()  # batch, 150, 768
        with torch.autocast(x.device.type, enabled=False):
            x = self.recurrent(x.float())[0]  # batch, 150, 256
            x = self.attention(x).flatten(1)  # batch, 2048
            embedded: torch.Tensor = self.dropout(self.out(x).relu())  # batch, 128
        return embedded
