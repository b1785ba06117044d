"""Dimensional labels (arousal, valence) read from a network: a regression head for each corpus that has some."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from emoset_cli.models.layers.head import UNITS, heads_for
from emoset_cli.models.layers.perceptron import Perceptron


class Dimensions(nn.Module):
    """Dense 128, ReLU, dense, sigmoid for each head: a number for each dimension, 0 at the low and 1 at the high end.

    128 is EmoNet's number for classifiers; papers on dimensional emotion have none in common.

    The sigmoid keeps predictions within their scale. Without it, at EmoNet's learning rate of 0.1, they left it within
    a few updates and came back only slowly: concordance hardly pulls at what lies far off.

    Args:
        width: of the embedding
        named: head -> its dimensions

    Shape:
        embedding: ``(batch, width)``; out: ``(batch, dimensions of the head)``, float32
    """

    def __init__(self, width: int, named: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        self.heads = heads_for(named, lambda count: Perceptron(width, (UNITS,), count))

    def forward(self, embedding: torch.Tensor, corpus: str) -> torch.Tensor | None:
        """What the head of a corpus says of a batch; None where it has no dimensions."""
        if corpus not in self.heads.corpora:
            return None
        values: torch.Tensor = self.heads.pick(corpus)(embedding).sigmoid()
        return values


def dimensions_of(model: nn.Module) -> Dimensions | None:
    """The regression heads of a network; None if it has none."""
    found = getattr(model, "dimensions", None)
    assert found is None or isinstance(found, Dimensions)
    return found
