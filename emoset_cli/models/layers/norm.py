"""Batch norm over the valid positions of utterances of unequal length, with statistics that serve from the start."""

from typing import Any

import torch
from torch import distributed, nn

from emoset_cli import ranks
from emoset_cli.models.layers.frames import Frames

EPS = 1e-5
MOMENTUM = 0.1  # least weight of a batch in the running statistics


def normalise(
    x: torch.Tensor,
    scale_shift: tuple[torch.Tensor, torch.Tensor],
    statistics: tuple[torch.Tensor, torch.Tensor],
    from_batch: bool,
    frames: Frames | None = None,
    residual: torch.Tensor | None = None,
    relu: bool = True,
    everywhere: float = 0.0,
) -> torch.Tensor:
    """``mask * relu(scale * (x - mean) / sd + shift + residual)``, one pass where the parts would take four.

    Args:
        x: ``(batch, channels, ...)``
        scale_shift: ``(channels,)`` each
        statistics: mean and variance, ``(channels,)`` each
        from_batch: whether the statistics are those of ``x``, so that gradients flow through them
        frames: of the utterances, None where there is no padding; where there is, the output is zero, and ``x`` must be
        residual: added before the ReLU; where it has fewer channels, to the first ones
        relu: whether negative values become zero
        everywhere: valid positions of all processes, where the batch and its statistics are spread over several, else 0
    """
    return _Normalise.apply(x, residual, *scale_shift, *statistics, from_batch, frames, relu, everywhere)  # type: ignore[no-any-return, no-untyped-call]


class _Normalise(torch.autograd.Function):
    """`normalise`; torch's own kernels do the work on whole tensors, padding is made up for exactly.

    With N positions of which V are valid, torch's backward gives ``k (g - sum(g)/N - xhat sum(g xhat)/N)`` where
    ``k (g - sum(g)/V - xhat sum(g xhat)/V)`` is due: N/V times the first, and ``(1 - N/V) k g``. Where a batch is
    spread over several processes the sums and V are those of all of them.
    """

    @staticmethod
    def forward(ctx: Any, x, residual, weight, bias, mean, variance, from_batch, frames, relu, everywhere):  # type: ignore[no-untyped-def]
        y = torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, EPS)[0]
        if residual is not None:
            y[:, : residual.shape[1]].add_(residual)
        if relu:
            y.relu_()
        if frames is not None:
            frames.clear_(y)
        ctx.save_for_backward(x, weight, mean, variance, y if relu else None)
        ctx.from_batch, ctx.frames, ctx.everywhere = from_batch, frames, everywhere
        ctx.residual_channels = 0 if residual is None else residual.shape[1]
        return y

    @staticmethod
    def backward(ctx: Any, gradient):  # type: ignore[no-untyped-def]
        x, weight, mean, variance, y = ctx.saved_tensors
        frames: Frames | None = ctx.frames
        if y is not None:
            gradient = torch.ops.aten.threshold_backward(gradient, y, 0)  # zero in padding, as y is
        elif frames is not None:
            gradient = gradient.clone()
            frames.clear_(gradient)
        alone = ctx.from_batch and not ctx.everywhere
        valid = frames.valid_share if frames is not None and alone else 1.0
        inverse = torch.rsqrt(variance + EPS)
        running = (None, None) if alone else (mean, variance)
        wanted = [any(ctx.needs_input_grad[i] for i in (0, 2, 3)), *ctx.needs_input_grad[2:4]]
        wanted = [True] * 3 if ctx.everywhere else wanted
        own, for_weight, for_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight / valid, *running, mean, inverse, alone, EPS, wanted
        )
        if frames is not None and valid < 1:
            factor = ((1 - 1 / valid) * weight * inverse).to(own.dtype)
            own.addcmul_(gradient, factor.view(1, -1, *[1] * (x.dim() - 2)))
            frames.clear_(own)
        if ctx.everywhere:
            _through_statistics(own, x, mean, inverse, weight, for_weight, for_bias, ctx.everywhere)
            if frames is not None:
                frames.clear_(own)
        to_residual = gradient[:, : ctx.residual_channels] if ctx.residual_channels else None
        return own, to_residual, for_weight, for_bias, None, None, None, None, None, None


def _through_statistics(own, x, mean, inverse, weight, for_weight, for_bias, everywhere) -> None:  # type: ignore[no-untyped-def]
    """Take ``k (sum(g)/V + xhat sum(g xhat)/V)`` from the gradient, in place; the sums are those of all processes."""
    sums = torch.stack([for_weight, for_bias])
    distributed.all_reduce(sums)
    slope = weight * inverse.square() * sums[0] / everywhere
    offset = weight * inverse * sums[1] / everywhere - mean * slope
    shape = (1, -1, *[1] * (x.dim() - 2))
    own.addcmul_(x, slope.to(own.dtype).view(shape), value=-1).sub_(offset.to(own.dtype).view(shape))


def _of_all(mean: torch.Tensor, variance: torch.Tensor, positions: float) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Mean, variance and number of the valid positions of all processes, from those of each."""
    own = torch.cat([mean, variance, mean.new_tensor([positions])]).double()
    every = [torch.empty_like(own) for _ in range(ranks.world())]
    distributed.all_gather(every, own)
    table, width = torch.stack(every), len(mean)
    means, variances, counts = table[:, :width], table[:, width:-1], table[:, -1:]
    shares = counts / counts.sum()
    whole = (shares * means).sum(0)
    spread = (shares * (variances + (means - whole).square())).sum(0)
    return whole.to(mean.dtype), spread.to(mean.dtype), float(counts.sum())


class Norm(nn.Module):
    """Batch norm, an optional residual, and ReLU; what lies behind an utterance's end counts for nothing.

    Mean and variance are those of the valid positions, in training too, so a batch's padding changes neither its
    outputs nor the running statistics. The n-th training batch enters these with weight ``max(1/n, 0.1)``: after one
    batch they are that batch's, and then an average, where the usual running average starts at 0 and 1 and takes
    tens of batches (in EmoNet's code, with momentum 0.99, hundreds) to leave them. Where several processes share a
    batch, mean and variance are those of the whole batch, as if one had it all.

    Shape:
        x: ``(batch, channels, ...)``; in training it must be zero behind each utterance's end
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor
    num_batches_tracked: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def forward(
        self, x: torch.Tensor, frames: Frames | None = None, residual: torch.Tensor | None = None, relu: bool = True
    ) -> torch.Tensor:
        """Normalise a batch."""
        if not self.training:
            running = (self.running_mean, self.running_var)
            return normalise(x, (self.weight, self.bias), running, False, frames, residual, relu)
        mean, variance, everywhere = self._observe(x, frames)
        return normalise(x, (self.weight, self.bias), (mean, variance), True, frames, residual, relu, everywhere)

    @torch.no_grad()
    def _observe(self, x: torch.Tensor, frames: Frames | None) -> tuple[torch.Tensor, torch.Tensor, float]:
        """Mean and variance of the valid positions, and their number where it is that of several processes, else 0.

        The running ones move towards them.
        """
        unused = torch.zeros_like(self.running_mean)  # tells the kernel to reckon in float32
        mean, variance = torch.ops.aten.batch_norm_update_stats(x, unused, unused, 0.0)
        positions = x.numel() / x.shape[1]
        if frames is not None and frames.padded:
            valid = frames.valid_share
            positions *= valid
            mean = mean / valid
            variance = (variance / valid - (1 - valid) * mean.square()).clamp_min(0)
        everywhere = 0.0
        if ranks.several():
            mean, variance, everywhere = _of_all(mean, variance, positions)
            positions = everywhere
        self.num_batches_tracked += 1
        weight = (1 / self.num_batches_tracked).clamp_min(MOMENTUM)
        self.running_mean.lerp_(mean, weight)
        self.running_var.lerp_(variance * (positions / max(positions - 1, 1)), weight)
        return mean, variance, everywhere
