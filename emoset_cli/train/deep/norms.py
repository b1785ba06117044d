"""Running statistics of batch norms that fit the weights they are used with.

A running average over training batches is one over weights that have moved on since. At a learning rate of 0.1 a
network on a small corpus (five batches an epoch) then predicts one label on devel for tens of epochs, though in
training it has long learnt: the choice of the best epoch would be noise. Before each look at devel the statistics are
therefore taken anew, with the weights as they are, from the latest training batches ("precise batch norm").

Source:
    Wu & Johnson, Rethinking "Batch" in BatchNorm, 2021, section 3.1. Neither the EmoNet paper nor its code does this.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

import torch

from emoset_cli.models.layers.norm import Norm
from emoset_cli.train.deep.batches import Batch
from emoset_cli.train.deep.device import computing

BATCHES = 3  # of each head; up to 10, `Norm` averages them evenly


class Latest:
    """Keeps the latest training batches of each head."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[Batch]] = {}

    def add(self, batch: Batch) -> None:
        """Keep a batch, and forget the oldest of its head."""
        self._kept.setdefault(batch.head, deque(maxlen=BATCHES)).append(batch)

    def batches(self) -> list[Batch]:
        """All that are kept."""
        return [batch for kept in self._kept.values() for batch in kept]


@torch.no_grad()
def settle(model: Any, batches: Iterable[Batch], device: torch.device, precision: str) -> None:
    """Take the running statistics anew from some training batches; frozen norms keep theirs.

    Everything else is as in evaluation: nothing is dropped or augmented.
    """
    model.eval()
    norms = [part for part in model.modules() if isinstance(part, Norm) and part.weight.requires_grad]
    if not norms:
        return
    for part in norms:
        part.num_batches_tracked.zero_()
        part.train()
    for batch in batches:
        with computing(device, precision):
            model(batch.waves.to(device), batch.lengths.to(device), batch.head)
    model.eval()
