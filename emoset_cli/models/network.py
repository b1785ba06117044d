"""What all networks on log-mel spectrograms have in common: a front end, trunks side by side, a head a corpus."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from emoset_cli.models.layers.frames import Frames
from emoset_cli.models.layers.front import Front
from emoset_cli.models.layers.head import Head, heads_for


class Network(nn.Module):
    """Waveforms to logits: log-mel frames, the embeddings of the trunks side by side, the corpus's head.

    A trunk has ``channels`` and ``forward(x, frames, corpus) -> (batch, channels)``, with ``x``
    ``(batch, 1, mels, frames)`` and ``frames`` those of each utterance. In evaluation a prediction depends
    neither on padding nor on the other utterances of its batch.

    Args:
        labels: of each corpus
        trunks: by name
        dropout: before the last layer, a share
        front: options of `Front`
        head: makes a classifier from the embedding's width and the number of labels; `Head` by default

    ``width`` is that of the embedding, ``(batch, width)``, which a head reads.

    Shape:
        waves: ``(batch, samples)``, int16 or float32, zero-padded; lengths: ``(batch,)``, in samples
        out: ``(batch, labels)``
    """

    def __init__(
        self,
        labels: dict[str, list[str]],
        trunks: dict[str, nn.Module],
        dropout: float,
        front: dict[str, Any] | None,
        head: Callable[[int, int], nn.Module] | None = None,
    ) -> None:
        super().__init__()
        self.front = Front(**(front or {}))
        self.trunks = nn.ModuleDict(trunks)
        self.width = int(sum(trunk.channels for trunk in trunks.values()))  # type: ignore[misc]
        make = head or (lambda width, count: Head(width, count, dropout))
        self.heads = heads_for(labels, lambda count: make(self.width, count))

    def embed(self, waves: torch.Tensor, lengths: torch.Tensor, corpus: str) -> torch.Tensor:
        """What the head reads, ``(batch, channels)``, float32."""
        x, own = self.front(waves, lengths)
        frames = Frames(own.tolist(), x.shape[-1], x.device)
        return torch.cat([trunk(x, frames, corpus) for trunk in self.trunks.values()], 1)

    def classify(self, embedding: torch.Tensor, corpus: str) -> torch.Tensor:
        """Logits of embeddings of one corpus."""
        logits: torch.Tensor = self.heads.pick(corpus)(embedding)
        return logits

    def forward(self, waves: torch.Tensor, lengths: torch.Tensor, corpus: str) -> torch.Tensor:
        """Logits of a batch of one corpus."""
        return self.classify(self.embed(waves, lengths, corpus), corpus)
