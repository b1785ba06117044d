"""Layers of the networks: attention, batch norm over valid positions, pooling and dropout, each against plain words."""

import pytest
import torch
from torch.nn import functional

from emoset_cli.models.layers.attention import Attention, AveragePool, positions
from emoset_cli.models.layers.dropout import Dropout
from emoset_cli.models.layers.frames import Frames
from emoset_cli.models.layers.norm import EPS, Norm, normalise
from emoset_cli.models.resnet import _Pool

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def test_frames_are_halved_as_the_layers_do() -> None:
    frames = Frames([7, 4, 1], 7, CPU)
    assert (frames.halved().own, frames.halved().longest) == ([4, 2, 1], 4)
    assert (frames.halved(keep_odd=False).own, frames.halved(keep_odd=False).longest) == ([3, 2, 0], 3)
    assert frames.padded and not Frames([7, 7], 7, CPU).padded
    assert frames.valid_share == pytest.approx(12 / 21)
    x = torch.ones(3, 2, 7)
    frames.clear_(x)
    assert x.sum((1, 2)).tolist() == [14, 8, 2]


def test_attention_without_sharpness_is_the_average_over_valid_positions() -> None:
    x = torch.randn(3, 6, 4, 7)  # batch, channels, mels, frames
    frames = Frames([7, 3, 5], 7, CPU)
    pooled = Attention(6, 0.0)(*positions(x, frames))
    for i, own in enumerate(frames.own):
        torch.testing.assert_close(pooled[i], x[i, :, :, :own].mean((1, 2)), atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(AveragePool()(*positions(x, frames)), pooled, atol=1e-6, rtol=1e-5)
    full = positions(x, Frames([7, 7, 7], 7, CPU))
    torch.testing.assert_close(AveragePool()(*full), x.mean((2, 3)), atol=1e-6, rtol=1e-5)


def test_attention_is_equations_one_to_four() -> None:
    attention = Attention(5, 0.3).double()
    x = torch.randn(2, 9, 5, dtype=torch.float64)
    W, b, u = attention.hidden.weight, attention.hidden.bias, attention.importance
    e = torch.stack([torch.stack([u @ torch.tanh(W @ x[n, i] + b) for i in range(9)]) for n in range(2)]).float()
    alpha = torch.exp(0.3 * e) / torch.exp(0.3 * e).sum(1, keepdim=True)
    torch.testing.assert_close(attention(x, None), (alpha[..., None] * x).sum(1), atol=1e-6, rtol=1e-6)


def masked_norm(x, weight, bias, frames, residual, relu):
    """The same in words that everybody knows; x has two dimensions behind the channels."""
    valid = frames.valid.view(len(x), 1, 1, -1).expand_as(x).to(x.dtype)
    n = valid[:, 0].sum()
    mean = (x * valid).sum((0, 2, 3), keepdim=True) / n
    variance = ((x - mean).square() * valid).sum((0, 2, 3), keepdim=True) / n
    y = (x - mean) / (variance + EPS).sqrt() * weight.view(1, -1, 1, 1) + bias.view(1, -1, 1, 1)
    if residual is not None:
        y = y + functional.pad(residual, (0, 0, 0, 0, 0, x.shape[1] - residual.shape[1]))
    y = y.relu() if relu else y
    return y * valid, mean.flatten(), variance.flatten() * n / (n - 1)


@pytest.mark.parametrize("own", [[7, 7, 7], [7, 2, 4], [3, 2, 3]])
@pytest.mark.parametrize("relu", [True, False])
@pytest.mark.parametrize("channels", [0, 2, 4])
def test_batch_norm_counts_valid_positions_only(own: list[int], relu: bool, channels: int) -> None:
    frames = Frames(own, 7, CPU)
    norm = Norm(4).double().train()
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = torch.randn(3, 4, 5, 7, dtype=torch.float64) + 3
    frames.clear_(x)
    residual = torch.randn(3, channels, 5, 7, dtype=torch.float64, requires_grad=True) if channels else None
    x.requires_grad_()
    y = norm(x, frames, residual, relu)
    expected, mean, variance = masked_norm(x, norm.weight, norm.bias, frames, residual, relu)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(norm.running_mean, mean)
    torch.testing.assert_close(norm.running_var, variance)
    inputs = [x, norm.weight, norm.bias] + ([residual] if residual is not None else [])
    pull = torch.randn_like(y)
    for one, other in zip(
        torch.autograd.grad(y, inputs, pull), torch.autograd.grad(expected, inputs, pull), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_in_evaluation_the_norm_has_gradients_too() -> None:
    norm = Norm(3).double().eval()
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 2, 4, dtype=torch.float64, requires_grad=True)
    frames = Frames([4, 2], 4, CPU)

    def evaluated(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return normalise(x, (weight, bias), (norm.running_mean, norm.running_var), False, frames)

    assert torch.autograd.gradcheck(evaluated, (x, norm.weight, norm.bias))


def test_statistics_serve_from_the_first_batch() -> None:
    norm = Norm(2).train()
    batches = [torch.randn(16, 2, 3, 3) * 5 + 20 for _ in range(30)]
    first = norm(batches[0], relu=False)
    norm.eval()
    torch.testing.assert_close(norm(batches[0], relu=False), first, atol=1e-2, rtol=0.02)  # n - 1 instead of n
    norm.train()
    means = [batches[0].mean((0, 2, 3))]
    for batch in batches[1:9]:
        norm(batch)
        means.append(batch.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_mean, torch.stack(means).mean(0))  # an average, until the tenth
    for batch in batches[9:]:
        before = norm.running_mean.clone()
        norm(batch)
        torch.testing.assert_close(norm.running_mean, before + 0.1 * (batch.mean((0, 2, 3)) - before))
    assert norm.num_batches_tracked == 30


@pytest.mark.parametrize("size", [(8, 8), (7, 9), (1, 5), (2, 3)])
def test_the_shortcut_pools_odd_edges_with_zeros(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size, requires_grad=True)
    padded = functional.pad(x, (0, size[1] % 2, 0, size[0] % 2))
    expected = functional.avg_pool2d(padded, 2)
    found = _Pool.apply(x)
    torch.testing.assert_close(found, expected)
    pull = torch.randn_like(found)
    torch.testing.assert_close(torch.autograd.grad(found, x, pull), torch.autograd.grad(expected, x, pull))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dropout_drops_its_share_and_keeps_the_mean(layout: torch.memory_format) -> None:
    dropout = Dropout(0.2)
    x = torch.ones(10, 16, 25, 25).contiguous(memory_format=layout).requires_grad_()
    y = dropout(x)
    assert (y == 0).float().mean().item() == pytest.approx(51 / 256, abs=0.005)
    assert y.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], y)
    assert dropout.eval()(x) is x
    assert (y == 0).float().mean((0, 2, 3)).std() < 0.02  # no channel is favoured
