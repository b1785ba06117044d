"""A pre-trained speech encoder within a network: trained as a whole, or by adapters of each corpus."""

import torch
from torch import nn

from emoset_cli.errors import unknown
from emoset_cli.models.layers.bottleneck import Bottlenecks
from emoset_cli.models.layers.lora import Lora
from emoset_cli.models.speech import SpeechEncoder
from emoset_cli.models.speech_load import read_encoder

ADAPTERS = ("lora", "bottleneck")


class Encoder(nn.Module):
    """Frames of a speech encoder's last layer, with adapters of the corpus whose batch it is.

    Its weights are not kept with a run unless they are trained: a run names the encoder and its digest.

    Args:
        name: of the encoder, of the hub or a folder
        corpora: those that have adapters of their own; none for an encoder without adapters
        adapter: one of `ADAPTERS`
        rank: of LoRA, or width of the bottleneck
        train_front: train the convolutions over the wave too
        checkpointing: compute activations again in the backward pass instead of keeping them

    Shape:
        waves: ``(batch, samples)``, int16 or float32, zero-padded; lengths: ``(batch,)``
        out: ``(batch, frames, width)``, float32; ``(batch,)``, frames of each utterance

    Raises:
        EmosetError: if the encoder cannot be read or has no such adapters
    """

    def __init__(
        self, name: str, corpora: list[str], adapter: str, rank: int, train_front: bool, checkpointing: bool
    ) -> None:
        super().__init__()
        if adapter not in ADAPTERS:
            raise unknown("adapter", adapter, ADAPTERS)
        self.speech = SpeechEncoder(read_encoder(name))
        self.speech.pretrained = True  # type: ignore[assignment]
        self.width = self.speech.width
        if not train_front:
            self.speech.freeze_front()
        if checkpointing:
            self.speech.gradient_checkpointing()
        self.always_frozen = [name for name, weight in self.named_parameters() if not weight.requires_grad]
        self._lora: Lora | None = None
        self.bottlenecks: Bottlenecks | None = None
        if corpora and adapter == "lora":
            self._lora = Lora(self.speech.transformer, corpora, rank)
        elif corpora:
            self.bottlenecks = Bottlenecks(self.speech.blocks, corpora, self.width, rank)

    def own_parts(self) -> dict[str, tuple[str, str]]:
        """The parameters of LoRA that are a corpus's own, see `emoset_cli.models.parts.roles`."""
        if self._lora is None:
            return {}
        names = {name: self._lora.corpus_of(name) for name, _ in self.named_parameters()}
        return {name: ("adapter", corpus) for name, corpus in names.items() if corpus}

    def forward(self, waves: torch.Tensor, lengths: torch.Tensor, corpus: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Frames of a batch of one corpus, and how many are each utterance's own."""
        if self._lora is not None:
            self._lora.choose(corpus)
        if self.bottlenecks is not None:
            self.bottlenecks.corpus = corpus
        hidden, frames = self.speech(waves, lengths)
        return hidden, frames
