"""A corpus's classifier."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import nn

from emoset_cli.models.layers.dropout import Dropout
from emoset_cli.models.layers.norm import Norm
from emoset_cli.models.layers.per_corpus import PerCorpus

UNITS = 128


class Head(nn.Module):
    """Dense 128, batch norm, ReLU, dropout, dense: the logits of one corpus's labels, reckoned in float32.

    Shape:
        x: ``(batch, channels)``
        out: ``(batch, labels)``, float32

    Source:
        Gerczuk et al. 2021, section 5.2.
    """

    def __init__(self, channels: int, labels: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Linear(channels, UNITS)
        self.norm = Norm(UNITS)
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(UNITS, labels)
        for dense in (self.hidden, self.out):
            nn.init.xavier_uniform_(dense.weight)
            nn.init.zeros_(dense.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of a batch of the corpus."""
        with torch.autocast(x.device.type, enabled=False):
            logits: torch.Tensor = self.out(self.dropout(self.norm(self.hidden(x.float()))))
            return logits


class NoLabels(nn.Module):
    """In the place of the classifier of a corpus without labels: no logits, ``(batch, 0)``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """None for each of a batch."""
        return x.new_zeros((len(x), 0), dtype=torch.float32)


def heads_for(named: Mapping[str, Sequence[str]], make: Callable[[int], nn.Module]) -> PerCorpus:
    """A head for each corpus, made for the number of its labels or dimensions; `NoLabels` where it has none."""
    sizes = iter([len(own) for own in named.values()])
    return PerCorpus("head", named, lambda: make(size) if (size := next(sizes)) else NoLabels())
