"""wav2vec 2.0 with the heads of its own pre-training: quantiser and projections, for the loss it was trained with."""

from typing import Any

import torch
from torch import nn

from emoset_cli.errors import EmosetError
from emoset_cli.models.layers.masking import negatives, span_mask
from emoset_cli.models.speech_load import quiet, read_encoder

_HEADED = "wav2vec2"  # the model type whose pre-training loss is known


class PlainEncoder(nn.Module):
    """A speech encoder of waveforms of equal length, without heads.

    Shape:
        waves: ``(batch, samples)``, float32; out: ``(batch, frames, width)``
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.width = int(network.config.hidden_size)

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """States of the last layer."""
        states: torch.Tensor = self.network(waves).last_hidden_state
        return states

    def with_loss(self, waves: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States, and no loss of its own."""
        return self(waves), waves.new_zeros(())


class MaskedEncoder(PlainEncoder):
    """wav2vec 2.0 with its heads; in training it hears masked frames and answers its own loss.

    The loss is contrastive + 0.1 diversity (the weight is the configuration's), summed over the masked frames of the
    batch, as transformers reckons it.

    Source:
        Baevski et al. 2020, sections 3 and 4.2.
    """

    def forward(self, waves: torch.Tensor) -> torch.Tensor:
        """States of the last layer, nothing masked."""
        states: torch.Tensor = self.network.wav2vec2(waves).last_hidden_state
        return states

    def with_loss(self, waves: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States of masked input, ``(batch, frames, width)``, and the loss."""
        frames = int(self.network._get_feat_extract_output_lengths(waves.shape[1]))
        mask = span_mask(len(waves), frames)
        if not mask.any():
            return super().with_loss(waves)
        others = negatives(mask, self.network.config.num_negatives)
        heard: list[Any] = []  # the last of the answer's hidden states may lack the final norm
        hook = self.network.wav2vec2.register_forward_hook(lambda module, inputs, found: heard.append(found))
        try:
            answer = self.network(
                waves, mask_time_indices=mask.to(waves.device), sampled_negative_indices=others.to(waves.device)
            )
        finally:
            hook.remove()
        return heard[0].last_hidden_state, answer.loss.float()


def read_masked(name: str, heads: bool, checkpointing: bool) -> PlainEncoder:
    """Read an encoder of waveforms.

    Args:
        name: of the hub, or a folder
        heads: whether its own pre-training loss is wanted
        checkpointing: compute activations again in the backward pass instead of keeping them

    Raises:
        EmosetError: if it cannot be read, hears no waveforms or has no heads of wav2vec 2.0's pre-training
    """
    from transformers import Wav2Vec2ForPreTraining

    read = read_encoder(name)
    if not hasattr(read.config, "conv_stride"):
        raise EmosetError(f"{name} is a {read.model_type}, which hears no waveforms", "name a wav2vec 2.0 model")
    if not heads:
        found: PlainEncoder = PlainEncoder(read.copied())
    else:
        mend = "name a wav2vec 2.0 model as it was pre-trained, or give --ssl-weight 0"
        if read.model_type != _HEADED:
            raise EmosetError(f"{name} is a {read.model_type}, whose own loss is not wav2vec 2.0's", mend)
        load: Any = Wav2Vec2ForPreTraining.from_pretrained
        with quiet(False):
            network, told = load(
                name, config=read.config, dtype=torch.float32, local_files_only=True, weights_only=True,
                output_loading_info=True,
            )  # fmt: skip
        missing = sorted(key for key in told["missing_keys"] if not key.startswith("wav2vec2."))
        if missing:
            raise EmosetError(f"{name} has no heads of its pre-training: {missing[0]} is missing", mend)
        found = MaskedEncoder(network)
    if checkpointing:
        found.network.gradient_checkpointing_enable()
    return found
