"""Convolutions with parallel residual adapters."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from emoset_cli.models.layers.per_corpus import PerCorpus


class AdaptedConv2d(nn.Module):
    """3x3 convolution without bias, with a parallel 1x1 adapter for each corpus.

    For an utterance of corpus ``c``: ``y = conv(x) + adapter_c(x)``. The kernel of ``conv`` is shared by all corpora
    and may be frozen; an adapter has 1/9 of its weights and the same stride. Both are computed as one convolution
    whose kernel has the adapter added to its centre, which is the same function. Kernels are He-normal; adapters
    start at zero, so that tuning starts from the function of the shared kernels (our choice; EmoNet's code starts
    them He-normal, the paper does not say).

    Shape:
        x: ``(batch, in_channels, mels, frames)``
        y: ``(batch, out_channels, ceil(mels / stride), ceil(frames / stride))``

    Source:
        Rebuffi et al., CVPR 2018 (parallel adapters); Gerczuk et al. 2021, section 5.2.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, corpora: Iterable[str]) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        nn.init.kaiming_normal_(self.weight)
        self.adapters = PerCorpus("adapter", corpora, lambda: _Adapter(in_channels, out_channels))

    def forward(self, x: torch.Tensor, corpus: str) -> torch.Tensor:
        """Convolve a batch of one corpus."""
        if not len(self.adapters):
            return functional.conv2d(x, self.weight, None, self.stride, 1)
        device = x.device.type
        if torch.is_autocast_enabled(device):
            x = x.to(torch.get_autocast_dtype(device))
        return _merged(x, self.weight, self.adapters.pick(corpus).weight, self.stride)


class _Adapter(nn.Module):
    """The kernel of a 1x1 convolution, zero at first."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(out_channels, in_channels, 1, 1))


def _merged(x: torch.Tensor, kernel: torch.Tensor, adapter: Any, stride: int) -> torch.Tensor:
    return _MergedConv2d.apply(x, kernel, adapter, stride)  # type: ignore[no-any-return, no-untyped-call]


class _MergedConv2d(torch.autograd.Function):
    """Kernel and adapter as one convolution.

    Where the kernel is frozen, only the adapter's gradient is computed, a ninth of the work.
    """

    @staticmethod
    def forward(ctx: Any, x, kernel, adapter, stride):  # type: ignore[no-untyped-def]
        whole = kernel.to(x.dtype, copy=True)
        whole[:, :, 1:2, 1:2] = kernel[:, :, 1:2, 1:2] + adapter
        ctx.save_for_backward(x, whole)
        ctx.stride, ctx.types = stride, (kernel.dtype, adapter.dtype)
        return torch.conv2d(x, whole, None, stride, 1)

    @staticmethod
    def backward(ctx: Any, gradient):  # type: ignore[no-untyped-def]
        x, whole = ctx.saved_tensors
        for_x, for_kernel, for_adapter, _ = ctx.needs_input_grad
        to_x, to_whole = _conv_backward(gradient, x, whole, ctx.stride, 1, for_x, for_kernel)
        if for_kernel:
            to_adapter = to_whole[:, :, 1:2, 1:2]
        elif for_adapter:
            # By strides of 1 on what is left of x: with strides of 2 oneDNN writes past the end of its memory where
            # channels are few (seen with PyTorch 2.11).
            kept = x[:, :, :: ctx.stride, :: ctx.stride].contiguous(memory_format=torch.channels_last)
            centre = whole[:, :, 1:2, 1:2].contiguous()
            _, to_adapter = _conv_backward(gradient, kept, centre, 1, 0, False, True)
        kernel_type, adapter_type = ctx.types
        to_kernel = to_whole.to(kernel_type) if for_kernel else None
        return to_x, to_kernel, to_adapter.to(adapter_type) if for_adapter else None, None


def _conv_backward(
    gradient: torch.Tensor, x: torch.Tensor, kernel: torch.Tensor, stride: int, padding: int, for_x: bool, for_w: bool
) -> tuple[torch.Tensor | None, Any]:
    shape = ([stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1)
    back = torch.ops.aten.convolution_backward(gradient, x, kernel, None, *shape, [for_x, for_w, False])
    return back[0], back[1]
