"""Bottleneck adapters: small layers behind those of a frozen Transformer, of each corpus its own."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from emoset_cli.models.layers.per_corpus import PerCorpus


class Bottleneck(nn.Module):
    """``x + up(gelu(down(norm(x))))``; ``up`` starts at zero, so that at first nothing is changed.

    Shape:
        x and out: ``(..., width)``

    Source:
        Houlsby et al. 2019 (one adapter a layer, as Pfeiffer et al. 2021).
    """

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.norm, self.down, self.up = nn.LayerNorm(width), nn.Linear(width, rank), nn.Linear(rank, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Adapt hidden states of one corpus."""
        changed: torch.Tensor = self.up(nn.functional.gelu(self.down(self.norm(x))))
        return x + changed


class Bottlenecks(nn.ModuleList):
    """A bottleneck of each corpus behind each of some layers; `corpus` is the one whose turn it is.

    Args:
        layers: of a Transformer; each answers hidden states, or a tuple that begins with them
        corpora: keys
        width: of the hidden states
        rank: of the bottleneck
    """

    corpus: str

    def __init__(self, layers: Iterable[nn.Module], corpora: list[str], width: int, rank: int) -> None:
        super().__init__()
        for layer in layers:
            own = PerCorpus("adapter", corpora, lambda: Bottleneck(width, rank))
            self.append(own)
            layer.register_forward_hook(self._behind(own))

    def _behind(self, own: PerCorpus) -> Any:
        def hook(layer: nn.Module, inputs: Any, answer: Any) -> Any:
            if isinstance(answer, tuple):
                return (own.pick(self.corpus)(answer[0]), *answer[1:])
            return own.pick(self.corpus)(answer)

        return hook
