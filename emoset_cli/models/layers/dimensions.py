"""Dimensional labels (arousal, valence) read from a network: a regression head for each corpus that has some."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from emoset_cli.models.layers.per_corpus import PerCorpus
from emoset_cli.models.layers.perceptron import Perceptron

UNITS = 128  # as in EmoNet's classifiers; papers on dimensional emotion have none in common
MIDDLE = 0.5


class Dimensions(nn.Module):
    """Dense 128, ReLU, dense for each head: a number for each dimension, 0 at the low and 1 at the high end.

    The last layer is linear: a prediction may lie a little outside its scale. A new head says the middle.

    Args:
        width: of the embedding
        named: head -> its dimensions

    Shape:
        embedding: ``(batch, width)``; out: ``(batch, dimensions of the head)``, float32
    """

    def __init__(self, width: int, named: Mapping[str, Sequence[str]]) -> None:
        super().__init__()
        sizes = iter([len(own) for own in named.values()])
        self.heads = PerCorpus("head", named, lambda: _head(width, next(sizes)))

    def forward(self, embedding: torch.Tensor, corpus: str) -> torch.Tensor | None:
        """What the head of a corpus says of a batch; None where it has no dimensions."""
        return self.heads.pick(corpus)(embedding) if corpus in self.heads.corpora else None


def _head(width: int, count: int) -> nn.Module:
    head = Perceptron(width, (UNITS,), count)
    nn.init.constant_(head.out.bias, MIDDLE)
    return head


def dimensions_of(model: nn.Module) -> Dimensions | None:
    """The regression heads of a network; None if it has none."""
    found = getattr(model, "dimensions", None)
    assert found is None or isinstance(found, Dimensions)
    return found
