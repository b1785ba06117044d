"""A network and one of its heads as a module that torch can export: waves and lengths in, probabilities out.

Padding is masked by tensors instead of numbers, so that batch and length stay free; recurrent layers become ONNX's own.
"""

import copy
from typing import Any

import torch
from torch import nn

from emoset_cli.errors import EmosetError
from emoset_cli.models.embedding import EmbeddingNetwork, StoredFrames
from emoset_cli.models.layers.frames import Frames
from emoset_cli.models.layers.front import Front
from emoset_cli.models.network import Network

OPSET = 20
_ONNX_GATES = {nn.GRU: (1, 0, 2), nn.LSTM: (0, 3, 1, 2)}  # torch: reset, update, new; input, forget, cell, output


class TracedFrames(Frames):
    """As `Frames`, with tensors for numbers: which frames are padding is reckoned when the graph runs."""

    def __init__(self, own: torch.Tensor, longest: int, device: torch.device) -> None:
        super().__init__([], longest, device)
        self.ends = own

    def halved(self, keep_odd: bool = True) -> "TracedFrames":
        """See `Frames.halved`."""
        odd = int(keep_odd)
        return TracedFrames((self.ends + odd) // 2, (self.longest + odd) // 2, self.device)

    def at_least(self, least: int, longest: int) -> "TracedFrames":
        """See `Frames.at_least`."""
        return TracedFrames(self.ends.clamp(min=least), longest, self.device)

    def even(self) -> "TracedFrames":
        """See `Frames.even`."""
        return TracedFrames(self.ends - self.ends % 2, self.longest, self.device)

    def counts(self) -> torch.Tensor:
        """See `Frames.counts`."""
        return self.ends

    @property
    def padded(self) -> bool:
        """Always, as far as a graph knows."""
        return True

    @property
    def valid(self) -> torch.Tensor:  # type: ignore[override]
        """See `Frames.valid`."""
        return torch.arange(self.longest, device=self.device) < self.ends.unsqueeze(1)

    def clear_(self, x: torch.Tensor) -> None:
        """See `Frames.clear_`."""
        valid = self.valid
        x.mul_(valid.view(valid.shape[0], *[1] * (x.dim() - 2), valid.shape[1]))


class Exportable(nn.Module):
    """A network in evaluation mode and one head, for ``torch.onnx.export``; the network is not changed.

    Args:
        network: any that hears log-mel spectrograms, or stored frames
        head: one of its heads
        temperature: of calibration; 1 changes nothing

    Shape:
        heard: ``(batch, samples)``, float32 in -1 to 1, or stored frames ``(batch, frames, values)``; zero behind each
        lengths: ``(batch,)``, int64: samples or frames of each
        probabilities: ``(batch, labels)``, float32

    Raises:
        EmosetError: for a network that hears waveforms by a speech encoder
    """

    def __init__(self, network: Any, head: str, temperature: float = 1.0) -> None:
        super().__init__()
        _refuse(network)
        own = copy.deepcopy(network)
        own.attributes = own.dimensions = None  # what reads these is no part of the graph
        self.network = _with_onnx_layers(own).eval()
        self.head, self.temperature = head, temperature

    def forward(self, heard: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Probabilities of a batch."""
        network = self.network
        if isinstance(network, Network):
            x, own = _spectrogram(network.front, heard, lengths)
            frames = TracedFrames(own, x.shape[-1], x.device)
            embedded = torch.cat([trunk(x, frames, self.head) for trunk in network.trunks.values()], 1)
        elif isinstance(network.front, StoredFrames):
            embedded = network.embed(heard, lengths, self.head)
        else:
            x, own = _spectrogram(network.front.logmel, heard, lengths)
            embedded = network.emotion(network.front.of_spectrogram(x), own)
        logits = network.classify(embedded.float(), self.head)
        shares: torch.Tensor = (logits / self.temperature).softmax(1)
        return shares


def _refuse(network: Any) -> None:
    mel = isinstance(network, Network) or (
        isinstance(network, EmbeddingNetwork) and (isinstance(network.front, StoredFrames) or not encoder_of(network))
    )
    if not mel:
        raise EmosetError(
            f"{type(network).__name__} hears waveforms by a speech encoder, which has no ONNX here",
            "share it without --onnx; networks on log-mel spectrograms or stored frames have ONNX",
        )


def encoder_of(network: Any) -> bool:
    """Whether an emotion embedding's frames are those of a speech encoder."""
    return hasattr(network.front, "speech")


def _spectrogram(front: Front, waves: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """As `Front.forward`, without taking the batch apart."""
    mel = front.logmel
    frames = torch.div(lengths, mel.hop, rounding_mode="floor") + 1
    decibels = mel._chunk(waves, frames, mel.hop, mel.filters)
    scaled = ((decibels - mel.floor_db) / -mel.floor_db).unsqueeze(1)
    return front._normalised(scaled, frames), frames


def _with_onnx_layers(module: Any) -> Any:
    """The module with all of its recurrent layers replaced."""
    for name, part in list(module.named_children()):
        if isinstance(part, nn.GRU | nn.LSTM):
            module._modules[name] = OnnxRecurrent(part)
        else:
            _with_onnx_layers(part)
    return module


class OnnxRecurrent(nn.Module):
    """GRU or LSTM layers as ONNX's operators; it can be exported and not be called.

    Shape:
        x: ``(batch, frames, inputs)``; out: ``(batch, frames, directions * units)``, and None for the states
    """

    def __init__(self, layers: nn.GRU | nn.LSTM) -> None:
        super().__init__()
        self.kind, gates = type(layers).__name__, _ONNX_GATES[type(layers)]
        self.units, self.count = layers.hidden_size, layers.num_layers
        self.directions = ["", "_reverse"] if layers.bidirectional else [""]

        def of(name: str) -> torch.Tensor:
            """Weights of all directions in the order of ONNX's gates."""
            ways = [getattr(layers, name + way).detach().chunk(len(gates)) for way in self.directions]
            return torch.stack([torch.cat([chunks[gate] for gate in gates]) for chunks in ways])

        for number in range(self.count):
            self.register_buffer(f"inputs{number}", of(f"weight_ih_l{number}"))
            self.register_buffer(f"states{number}", of(f"weight_hh_l{number}"))
            biases = [of(f"bias_ih_l{number}"), of(f"bias_hh_l{number}")]
            self.register_buffer(f"biases{number}", torch.cat(biases, 1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        """The states of the last layer."""
        wide = len(self.directions)
        attributes: dict[str, Any] = {"hidden_size": self.units}
        attributes["direction"] = "bidirectional" if wide > 1 else "forward"
        if self.kind == "GRU":
            attributes["linear_before_reset"] = 1  # as torch reckons it
        y = x.transpose(0, 1)  # frames, batch, inputs
        shape = (y.shape[0], wide, y.shape[1], self.units)
        for number in range(self.count):
            weights = [getattr(self, f"{name}{number}") for name in ("inputs", "states", "biases")]
            (y,) = torch.onnx.ops.symbolic_multi_out(
                self.kind, [y, *weights], attributes, dtypes=[torch.float32], shapes=[shape], version=OPSET
            )
            y = y.transpose(1, 2).flatten(2)  # frames, batch, directions * units
        return y.transpose(0, 1), None
