"""Any self-supervised speech encoder, and Whisper's, as one module: waves in, states of its layers out.

An utterance's states do not depend on what else is in its batch: norms over time and convolutions see its own frames.
"""

from itertools import islice
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils import parametrize

from emoset_cli.errors import EmosetError
from emoset_cli.models.layers.speech_states import prepare, states
from emoset_cli.models.layers.waves_front import WavesFront, own_frames
from emoset_cli.models.layers.waves_mel import HOP, bert_mel, stacked_frames, whisper_mel
from emoset_cli.models.speech_load import Pretrained

LAYERS = ("last", "mean", "all")  # or a number


def check_layer(layer: str, layers: int, name: str) -> str:
    """A choice of layers in its usual form; the number of the last one is "last".

    Raises:
        EmosetError: if there is no such layer
    """
    if layer in LAYERS:
        return layer
    if not layer.isdecimal() or int(layer) > layers:
        raise EmosetError(
            f"{name} has no layer '{layer}'", f"--layer last, mean, all or a number from 0 (its input) to {layers}"
        )
    return "last" if int(layer) == layers else str(int(layer))


class SpeechEncoder(nn.Module):
    """A pre-trained speech encoder of `emoset_cli.models.speech_load.MODEL_TYPES`.

    Layer 0 is what the first transformer layer reads, layer ``n`` what the ``n``-th answers, the last one with the
    network's final norm. SEW's have 40 ms a frame, before it is stretched to 20 ms. Whisper hears pieces of 30 s, the
    last one filled up with silence; its frames of silence are left out.

    Frames of one utterance are those of transformers to float32's precision, whatever the batch. Training changes
    statistics of no batch norm, masks nothing and leaves out no layer.

    Args:
        pretrained: its configuration and weights
        layer: "last", a number, "mean" of all, or "all" of them

    Shape:
        waves: ``(batch, samples)``, int16 (divided by 32768) or float32 in -1..1, zero behind each utterance
        lengths: ``(batch,)``, int64, samples of each utterance
        hidden: ``(batch, frames, width)``, for all layers ``(batch, frames, layers + 1, width)``; float32, zero behind
            each utterance
        frames: ``(batch,)``, int64; 0 for an utterance too short for the network

    Raises:
        EmosetError: for a layer that it does not have
    """

    def __init__(self, pretrained: Pretrained, layer: str = "last") -> None:
        super().__init__()
        self.model_type, self.normalise = pretrained.model_type, pretrained.normalise
        self.width, self.layers = pretrained.width, pretrained.layers
        self.layer = check_layer(layer, self.layers, pretrained.name)
        self.kept = self.layers + 1 if layer == "all" else 1
        self.config = pretrained.config
        self.computed_twice = False
        self.transformer: Any = pretrained.copied()
        prepare(self.transformer, self.model_type, int(self.layer) if self.layer.isdecimal() else self.layers)

    # What the lengths say

    def frames_of(self, samples: np.ndarray) -> np.ndarray:
        """Frames of utterances of so many samples."""
        result: np.ndarray = self._frames(torch.from_numpy(np.asarray(samples, np.int64))).numpy()
        return result

    def heard(self, samples: int) -> int:
        """Samples that the network computes with for an utterance of so many: Whisper's are whole pieces."""
        return -(-samples // self._piece) * self._piece if self.model_type == "whisper" else samples

    def _frames(self, samples: Tensor) -> Tensor:
        if self.model_type == "whisper":
            return samples // (2 * HOP)
        if self.model_type == "wav2vec2-bert":
            return stacked_frames(samples)
        frames = own_frames(samples, list(self.config.conv_kernel), list(self.config.conv_stride))
        return frames // self.config.squeeze_factor if self.model_type == "sew" else frames

    @property
    def _piece(self) -> int:
        """Samples that Whisper hears at once."""
        return int(self.config.max_source_positions) * 2 * HOP

    # Waves to states

    def forward(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The states of the wanted layers and the number of frames of each utterance."""
        frames = self._frames(lengths)
        longest = max(int(lengths.max()), 1)
        waves = waves[:, :longest]
        waves = waves.float() / 32768 if waves.dtype == torch.int16 else waves.float()
        if self.model_type == "whisper":
            hidden = self._whisper(waves, lengths, frames)
        else:
            hidden = self._wanted(*self._input(waves, lengths))
        hidden = hidden[:, : int(frames.max())]
        valid = torch.arange(hidden.shape[1], device=hidden.device) < frames.unsqueeze(1)
        return hidden.masked_fill(~valid.view(*valid.shape, *[1] * (hidden.dim() - 2)), 0.0), frames

    def _wanted(self, hidden: Tensor, valid: Tensor) -> Tensor:
        """The wanted layer or layers, float32."""
        twice = self.computed_twice and torch.is_grad_enabled()
        walk = states(self.transformer, self.model_type, hidden, valid, twice)
        if self.layer == "all":
            return torch.stack([state.float() for state in walk], 2)
        if self.layer == "mean":
            total = next(walk).float()
            for state in walk:
                total = total + state
            return total / (self.layers + 1)
        number = self.layers if self.layer == "last" else int(self.layer)
        return next(islice(walk, number, None)).float()

    def _input(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the transformer reads, ``(batch, frames, width)``, and which frames are an utterance's own."""
        network, dtype = self.transformer, self._dtype
        if self.model_type == "wav2vec2-bert":
            frames = stacked_frames(lengths)
            heard = bert_mel(waves, lengths, self.config.feature_projection_input_dim // 2).to(dtype)
        else:
            frames = own_frames(lengths, list(self.config.conv_kernel), list(self.config.conv_stride))
            waves = _normalised(waves, lengths) if self.normalise else waves
            heard = WavesFront(network.feature_extractor)(waves, lengths)[:, : max(int(frames.max()), 1)]
        if self.model_type == "sew":
            heard = network.layer_norm(heard)
            hidden = network.feature_dropout(network.feature_projection(heard) if network.project_features else heard)
        else:
            hidden = network.feature_projection(heard)
        hidden = hidden[0] if isinstance(hidden, tuple) else hidden
        # An utterance without any frame has one all the same on the way: attention to nothing is no number.
        own = frames.clamp(min=1)
        return hidden, torch.arange(hidden.shape[1], device=hidden.device) < own.unsqueeze(1)

    def _whisper(self, waves: Tensor, lengths: Tensor, frames: Tensor) -> Tensor:
        """Whisper's states: pieces of 30 s by themselves, then one after the other."""
        network, piece = self.transformer, self._piece
        most = -(-waves.shape[1] // piece)
        pieces = F.pad(waves, (0, most * piece - waves.shape[1])).view(-1, piece)
        needed = [-(-max(length, 1) // piece) for length in lengths.tolist()]
        rows = [row * most + number for row, count in enumerate(needed) for number in range(count)]
        heard = whisper_mel(pieces[rows], self.config.num_mel_bins).to(self._dtype)
        hidden = F.gelu(network.conv2(F.gelu(network.conv1(heard)))).transpose(1, 2)
        hidden = F.dropout(hidden + network.embed_positions.weight, network.dropout, self.training)
        found = self._wanted(hidden, torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device))
        parts = torch.split(found, needed)  # of each utterance, (pieces, frames, ...)
        whole = [part.flatten(0, 1)[:count] for part, count in zip(parts, frames.tolist(), strict=True)]
        return nn.utils.rnn.pad_sequence(whole, batch_first=True)

    @property
    def _dtype(self) -> torch.dtype:
        return next(parameter.dtype for parameter in self.parameters() if parameter.is_floating_point())

    # Training, and computing without it

    @property
    def blocks(self) -> list[nn.Module]:
        """The transformer's layers, first to last."""
        stack = self.transformer if self.model_type == "whisper" else self.transformer.encoder
        return list(stack.layers)  # type: ignore[union-attr]

    def to_precision(self, precision: str) -> Self:
        """Only to compute with, not to train: "fp32" or "bf16"."""
        for module in list(self.transformer.modules()):
            for name, child in module.named_children():
                if parametrize.is_parametrized(child, "weight"):  # norm of the position embedding: once, in float32
                    setattr(module, name, _Positions(child))
        self.eval().requires_grad_(False)
        if precision == "bf16":
            for parameter in self.parameters():
                parameter.data = parameter.data.to(torch.bfloat16)
            for module in self.modules():
                if isinstance(module, nn.BatchNorm1d):
                    module.to(torch.bfloat16)
        return self

    def train(self, mode: bool = True) -> Self:
        """As usual, but batch norms keep their statistics: a batch's would hold its padding."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.eval()
        return self

    def freeze_front(self) -> None:
        """Keep the convolutions over wave or spectrogram as they are; w2v-BERT has none."""
        network = self.transformer
        for part in ("feature_extractor", "conv1", "conv2"):
            if isinstance(getattr(network, part, None), nn.Module):
                getattr(network, part).requires_grad_(False)

    def gradient_checkpointing(self) -> None:
        """Compute each layer once more for its gradients instead of keeping what it computed."""
        self.computed_twice = True


class _Positions(nn.Conv1d):
    """A convolution with the weights that a parametrised one has now; channels last, 1.7 times faster on a CPU."""

    def __init__(self, conv: Any) -> None:
        shape = conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding
        super().__init__(*shape, groups=conv.groups)
        self.load_state_dict({"weight": conv.weight.detach(), "bias": conv.bias.detach()})

    def forward(self, hidden: Tensor) -> Tensor:
        """As `torch.nn.Conv1d`."""
        image, weight = (
            x.unsqueeze(2).contiguous(memory_format=torch.channels_last) for x in (hidden, self.weight)
        )  # batch, channels, 1, frames
        padding, stride = (0, *self.padding), (1, *self.stride)
        return F.conv2d(image, weight, self.bias, stride, padding, groups=self.groups).squeeze(2)


def _normalised(waves: Tensor, lengths: Tensor) -> Tensor:
    """Zero mean and unit variance of each utterance's own samples; zero behind them."""
    own = torch.arange(waves.shape[1], device=waves.device) < lengths.unsqueeze(1)
    count = lengths.clamp(min=1).unsqueeze(1)
    waves = waves.double()
    centred = (waves - (waves * own).sum(1, keepdim=True) / count) * own
    return (centred / torch.sqrt(centred.square().sum(1, keepdim=True) / count + 1e-7)).float()
