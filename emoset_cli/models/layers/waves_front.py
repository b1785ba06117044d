"""wav2vec 2.0's convolutions over the wave as matrix products: frames by channels, an utterance's own statistics."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812


def own_frames(samples: Tensor, kernels: list[int], strides: list[int]) -> Tensor:
    """Frames behind convolutions without padding; 0 where there are too few samples."""
    for kernel, stride in zip(kernels, strides, strict=True):
        samples = torch.div(samples - kernel, stride, rounding_mode="floor") + 1
        samples = samples.clamp(min=0)
    return samples


class WavesFront:
    """The feature encoder of wav2vec 2.0 and its kin, with the weights of transformers' modules.

    transformers convolves channels by frames. Here a batch is one long strip, frames by channels, and a convolution of
    kernel 3 and stride 2 two matrix products on views of it, without a copy. A group norm over time takes mean and
    variance of an utterance's own frames: they follow from the covariance of its samples, so they go into the weights
    of its first convolution.

    In bfloat16 samples and first weights go in as two numbers each, for a difference of neighbouring samples would be
    lost in one.

    Args:
        encoder: transformers' feature encoder, whose ``conv_layers`` are used, not copied

    Source:
        Baevski et al. 2020 (wav2vec 2.0), section 2.
    """

    def __init__(self, encoder: Any) -> None:
        self.layers = encoder.conv_layers
        self.kernels = [layer.conv.kernel_size[0] for layer in self.layers]
        self.strides = [layer.conv.stride[0] for layer in self.layers]
        self.total = 1
        for stride in self.strides:
            self.total *= stride

    def __call__(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Features of each frame, also of padding.

        Shape:
            waves: ``(batch, samples)``, float32, zero behind each utterance
            lengths: ``(batch,)``, samples of each utterance
            features: ``(batch, frames, channels)``
        """
        batch, samples = waves.shape
        frames = samples // self.total + 3  # behind the last frame lies what is read beyond an utterance's end
        waves = F.pad(waves, (0, frames * self.total - samples))
        strip = self._first(waves, lengths)
        for layer, kernel, stride in zip(self.layers[1:], self.kernels[1:], self.strides[1:], strict=True):
            strip = _activated(layer, _convolved(strip, layer.conv, kernel, stride))
        strip = F.pad(strip, (0, 0, 0, batch * frames - len(strip)))
        return strip.view(batch, frames, -1)

    def _first(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """The first layer, of one channel: ``(batch * frames, channels)``."""
        layer, kernel, stride = self.layers[0], self.kernels[0], self.strides[0]
        ahead = -(-kernel // stride)
        rows = F.pad(waves, (0, ahead * stride)).unfold(1, kernel, stride)[:, : waves.shape[1] // stride]
        weight = layer.conv.weight[:, 0].T.float()  # kernel, channels
        bias = weight.new_zeros(weight.shape[1]) if layer.conv.bias is None else layer.conv.bias.float()
        norm = getattr(layer, "layer_norm", None)
        if isinstance(norm, nn.GroupNorm):
            mean, variance = self._statistics(rows, lengths, weight)
            scale = norm.weight.float() * torch.rsqrt(variance + norm.eps)  # batch, channels
            weight = weight * scale.unsqueeze(1)  # batch, kernel, channels
            bias = norm.bias.float() - mean * scale  # the bias of the convolution falls out with the mean
        dtype = layer.conv.weight.dtype
        if weight.dim() == 2:
            strip = _precise(rows.reshape(-1, kernel), weight, bias, dtype)
        else:
            strip = _precise(rows, weight, bias, dtype).flatten(0, 1)
        return layer.activation(strip) if isinstance(norm, nn.GroupNorm) else _activated(layer, strip)

    def _statistics(self, rows: Tensor, lengths: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance over time of ``rows @ weight``, ``(batch, channels)``, over an utterance's own frames."""
        own = own_frames(lengths, self.kernels[:1], self.strides[:1]).clamp(min=1)
        valid = torch.arange(rows.shape[1], device=rows.device) < own.unsqueeze(1)
        count = own.double().view(-1, 1, 1)
        with torch.autocast(rows.device.type, enabled=False):
            own_rows = rows.double() * valid.unsqueeze(2)
            mean = own_rows.sum(1, keepdim=True) / count  # batch, 1, kernel
            centred = (own_rows - mean) * valid.unsqueeze(2)
            covariance = centred.transpose(1, 2) @ centred / count  # batch, kernel, kernel
            weight = weight.double()
            variance = ((covariance @ weight) * weight).sum(1)
            return (mean @ weight).squeeze(1).float(), variance.clamp(min=0).float()


def _precise(rows: Tensor, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> Tensor:
    """``rows @ weight + bias``; to bfloat16 by products of high and low halves."""
    bias = bias.unsqueeze(-2).expand(*weight.shape[:-2], 1, -1)
    ones = rows.new_ones(*rows.shape[:-1], 1)
    if dtype != torch.bfloat16:
        return torch.matmul(torch.cat([rows, ones], -1), torch.cat([weight, bias], -2))
    high, weight_high, bias_high = rows.to(dtype), weight.to(dtype), bias.to(dtype)
    low, weight_low, bias_low = (rows - high).to(dtype), (weight - weight_high).to(dtype), (bias - bias_high).to(dtype)
    ones = ones.to(dtype)
    left = torch.cat([high, low, high, ones, ones], -1)
    return torch.matmul(left, torch.cat([weight_high, weight_high, weight_low, bias_high, bias_low], -2))


def _convolved(strip: Tensor, conv: nn.Conv1d, kernel: int, stride: int) -> Tensor:
    """A convolution of a strip ``(frames, channels)``, as far as it reaches without padding."""
    channels = strip.shape[1]
    weight = conv.weight.permute(2, 1, 0).reshape(kernel * channels, -1)
    parts = -(-kernel // stride)
    rows = strip[: len(strip) // stride * stride].view(-1, stride * channels)
    count = max(0, len(rows) - parts + 1)
    taken = min(kernel, stride) * channels
    first = rows[:count, :taken]
    out = torch.addmm(conv.bias, first, weight[:taken]) if conv.bias is not None else first @ weight[:taken]
    for part in range(1, parts):
        start = part * stride * channels
        end = min(start + stride * channels, kernel * channels)
        out = torch.addmm(out, rows[part : part + count, : end - start], weight[start:end])
    return out


def _activated(layer: Any, strip: Tensor) -> Tensor:
    norm = getattr(layer, "layer_norm", None)
    return layer.activation(strip if norm is None else norm(strip))  # type: ignore[no-any-return]
