"""CNN-LSTM: convolutions over time on mel filterbanks, an LSTM and a dense layer; emotions in the wild."""

from typing import Any

import torch
from torch import nn

from emoset_cli.models import FILTERBANKS
from emoset_cli.models.layers.dropout import Dropout
from emoset_cli.models.layers.frames import Frames
from emoset_cli.models.layers.perceptron import Perceptron
from emoset_cli.models.layers.start import he_normal
from emoset_cli.models.network import Network

FILTERS = (128, 256)
KERNEL = 5  # frames
UNITS, WIDTH = 512, 128


def build(
    labels: dict[str, list[str]],
    *,
    adapters: bool = False,
    dropout: float = 0.5,
    front: dict[str, Any] | None = None,
) -> Network:
    """The network; a linear classifier for each corpus, or one for all.

    Args:
        labels: of each classifier
        adapters: this network has none
        dropout: share dropped before the dense layer
        front: options of `emoset_cli.models.layers.front.Front`

    Raises:
        EmosetError: if an option is out of range

    Source:
        Parry et al. 2022, sections 3.3 and 4.
    """
    assert not adapters, "cnn-lstm has no adapters"
    front = FILTERBANKS | (front or {})
    trunk = CnnLstm(front["mels"], dropout)
    return Network(labels, {"cnn-lstm": trunk}, dropout, front, head=lambda width, count: Perceptron(width, (), count))


class CnnLstm(nn.Module):
    """Twice convolution, ReLU and max pooling (3 frames, stride 2); an LSTM; dropout and a dense layer.

    The paper tells pooling, dropout and "approximately 1.8 million" shared weights; kernel widths and units stand only
    in its drawing. These are our choice: 128 and 256 filters of 5 frames, 512 LSTM units, 128 dense ones, which with 40
    mels are 1.83 million. The LSTM runs forwards only, so padding cannot reach an utterance's frames; what goes on is
    the mean of its states there. The state at the last frame alone, often after a second of silence, learnt nothing in
    hundreds of updates.

    Shape:
        x: ``(batch, 1, mels, frames)``; out: ``(batch, 128)``
    """

    def __init__(self, mels: int, dropout: float) -> None:
        super().__init__()
        self.channels = WIDTH
        inputs = (mels, *FILTERS)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(*pair, KERNEL, padding=KERNEL // 2) for pair in zip(inputs, FILTERS, strict=False)
        )
        self.pool = nn.MaxPool1d(3, 2, padding=1)
        self.recurrent = nn.LSTM(FILTERS[-1], UNITS, batch_first=True)
        self.dropout = Dropout(dropout)
        self.dense = nn.Linear(UNITS, WIDTH)
        he_normal(*self.convolutions, self.dense)

    def forward(self, x: torch.Tensor, frames: Frames, corpus: str) -> torch.Tensor:
        """Embed a batch, ``(batch, 128)``, float32."""
        x = x.squeeze(1)  # batch, mels, frames
        for convolution in self.convolutions:
            x = convolution(x)
            frames.clear_(x)  # before ReLU, whose gradient is 0 there
            x = self.pool(x.relu())  # batch, filters, frames / 2
            frames = frames.halved()
            if frames.padded:  # pooling has carried an utterance's last frame into its padding
                x = x * frames.valid[:, None]
        with torch.autocast(x.device.type, enabled=False):
            y = self.recurrent(x.float().transpose(1, 2))[0]  # batch, frames, units
            own = frames.counts().unsqueeze(1)
            mean = y.masked_fill(~frames.valid.unsqueeze(2), 0.0).sum(1) / own  # batch, units
            embedded: torch.Tensor = self.dense(self.dropout(mean)).relu()
        return embedded
