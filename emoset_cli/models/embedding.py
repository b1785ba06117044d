"""Emotion embeddings: frames to one vector by a model that all corpora share, then a linear classifier a corpus."""

from typing import Any

import numpy as np
import torch
from torch import nn

from emoset_cli.errors import EmosetError
from emoset_cli.models.layers.emotion import emotion_model
from emoset_cli.models.layers.front import Front
from emoset_cli.models.layers.head import heads_for

MELS = 64  # the front end's default


def build(
    labels: dict[str, list[str]],
    *,
    adapters: bool = False,
    cell: str = "gru",
    layers: int = 1,
    width: int = 64,
    dropout: float = 0.0,
    stored: tuple[int, int] | list[int] | None = None,
    finetune: str = "",
    train_front: bool = False,
    adapter: str = "lora",
    rank: int = 8,
    checkpointing: bool = False,
    front: dict[str, Any] | None = None,
) -> "EmbeddingNetwork":
    """The network; defaults are the paper's best: one GRU layer of 64.

    Args:
        labels: of each corpus
        adapters: whether each corpus has its own adapters in the encoder of ``finetune``
        cell: the emotion model, ``gru`` or ``transformer``
        layers: of the emotion model
        width: of its layers and of the embedding
        dropout: share dropped between its layers
        stored: width of stored frames and how many layers of a speech encoder each holds; None for waveforms
        finetune: a speech encoder that hears the waveforms and is trained as well, a name or a folder; "" for mel
            filterbanks
        train_front: train the encoder's convolutions too
        adapter: ``lora`` or ``bottleneck``
        rank: of LoRA, or width of the bottleneck
        checkpointing: compute the encoder's activations again in the backward pass instead of keeping them
        front: options of `emoset_cli.models.layers.front.Front`

    Raises:
        EmosetError: if an option is out of range, the encoder cannot be read, or adapters are asked for without one

    Source:
        Alisamir et al. 2022, sections III-C and IV-A.
    """
    if stored and finetune:
        raise EmosetError("frames are read from the store, so there is no encoder to fine-tune",
                          "leave out --feature or --finetune")  # fmt: skip
    if adapters and not finetune:
        raise EmosetError("adapters are parts of a speech encoder, and none is named", "add --finetune ENCODER")
    hears: nn.Module
    if stored:
        hears = StoredFrames(*stored)
    elif finetune:
        from emoset_cli.models.encoder import Encoder

        hears = Encoder(finetune, list(labels) if adapters else [], adapter, rank, train_front, checkpointing)
    else:
        hears = MelFrames(front)
    return EmbeddingNetwork(labels, hears, cell, layers, width, dropout)


class EmbeddingNetwork(nn.Module):
    """Frames, the emotion model that all corpora share, a linear classifier for each corpus.

    Shape:
        waves: ``(batch, samples)`` or stored frames ``(batch, frames, values)``, zero-padded; lengths: ``(batch,)``
        out: ``(batch, labels)``, float32
    """

    def __init__(
        self, labels: dict[str, list[str]], hears: nn.Module, cell: str, layers: int, width: int, dropout: float
    ) -> None:
        super().__init__()
        self.front, self.width = hears, width
        self.emotion = emotion_model(cell, hears.width, width, layers, dropout)  # type: ignore[arg-type]
        self.heads = heads_for(labels, lambda count: nn.Linear(width, count))

    def frames_of(self, samples: np.ndarray) -> np.ndarray:
        """Frames of utterances of so many samples; an encoder has none for very short ones."""
        speech = getattr(self.front, "speech", None)
        return np.ones_like(samples) if speech is None else speech.frames_of(samples)

    def embed(self, waves: torch.Tensor, lengths: torch.Tensor, corpus: str) -> torch.Tensor:
        """The emotion embedding, ``(batch, width)``, float32."""
        frames, own = self.front(waves, lengths, corpus)
        embedded: torch.Tensor = self.emotion(frames, own)
        return embedded.float()

    def classify(self, embedding: torch.Tensor, corpus: str) -> torch.Tensor:
        """Logits of embeddings of one corpus."""
        with torch.autocast(embedding.device.type, enabled=False):
            logits: torch.Tensor = self.heads.pick(corpus)(embedding)
            return logits

    def forward(self, waves: torch.Tensor, lengths: torch.Tensor, corpus: str) -> torch.Tensor:
        """Logits of a batch of one corpus."""
        return self.classify(self.embed(waves, lengths, corpus), corpus)


class MelFrames(nn.Module):
    """Mel filterbanks, ``(batch, frames, mels)``: those of `Front`, about -2 (the floor) to 2 (the loudest value).

    The paper does not tell its filterbanks; window, hop and mels are those of the tool's other networks.
    """

    def __init__(self, front: dict[str, Any] | None) -> None:
        super().__init__()
        self.logmel = Front(**(front or {}))
        self.width = (front or {}).get("mels", MELS)
        self.scaled = self.logmel.normalise == "none"

    def forward(self, waves: torch.Tensor, lengths: torch.Tensor, corpus: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames and how many are each utterance's own."""
        spectrogram, own = self.logmel(waves, lengths)  # batch, 1, mels, frames
        return self.of_spectrogram(spectrogram), own

    def of_spectrogram(self, spectrogram: torch.Tensor) -> torch.Tensor:
        """Frames of spectrograms ``(batch, 1, mels, frames)``."""
        frames = spectrogram.squeeze(1).transpose(1, 2)
        return (frames - 0.5) * 4 if self.scaled else frames


class StoredFrames(nn.Module):
    """Frames of a speech encoder as they were stored; where all its layers were, a learnt weighted sum of them.

    Args:
        width: of a layer
        kept: number of layers that each frame holds, one behind the other

    Source:
        of the weighted sum: Yang et al. 2021 (SUPERB).
    """

    def __init__(self, width: int, kept: int) -> None:
        super().__init__()
        self.width, self.kept = width, kept
        self.importance = nn.Parameter(torch.zeros(kept)) if kept > 1 else None

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor, corpus: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames of one layer's width, and how many are each utterance's own."""
        x = frames.float()
        if self.importance is not None:
            weights = self.importance.softmax(0)
            x = torch.einsum("bfkw,k->bfw", x.view(*x.shape[:2], self.kept, self.width), weights)
        return x, lengths
