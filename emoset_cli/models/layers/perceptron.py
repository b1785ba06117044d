"""Fully connected layers with ReLU, and a last one without."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from emoset_cli.models.layers.start import he_normal


class Perceptron(nn.Module):
    """Dense layers with ReLU between them: logits, reckoned in float32 whatever the precision of the rest.

    Args:
        inputs: width of what it reads
        hidden: units of each hidden layer; none make it a linear classifier
        outputs: number of labels

    Shape:
        x: ``(batch, inputs)``; out: ``(batch, outputs)``, float32

    Source:
        Zhu & Sato 2020, section 3.1 (three of 128 units, "followed by a single softmax layer").
    """

    def __init__(self, inputs: int, hidden: Sequence[int], outputs: int) -> None:
        super().__init__()
        widths = [inputs, *hidden]
        self.hidden = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.out = nn.Linear(widths[-1], outputs)
        he_normal(*self.hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.float()
            for layer in self.hidden:
                x = layer(x).relu()
            logits: torch.Tensor = self.out(x)
            return logits
