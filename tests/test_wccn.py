"""Within-class covariance normalisation as a layer, against an independent numpy reference."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from emoset_cli.errors import EmosetError
from emoset_cli.models.layers.wccn import DeepWCCN, batch_covariance, projection


class Reference:
    """The paper's equations 4 to 7 in words that everybody knows, one class after the other."""

    def __init__(self, width, labels, alpha):
        self.alpha, self.A = alpha, np.eye(width)
        self.given = [[] for _ in range(labels)]  # covariances of each class

    def __call__(self, x, truth):
        for label, given_so_far in enumerate(self.given):
            own = x[truth == label]
            if len(own) > 1:
                given_so_far.append(np.cov(own.T, bias=True).reshape(x.shape[1], x.shape[1]))
        classes = [np.mean(each, axis=0) for each in self.given if each]
        if classes:
            S = (1 - self.alpha) * np.mean(classes, axis=0) + self.alpha * np.eye(x.shape[1])
            self.A = np.linalg.cholesky(np.linalg.inv(S))
        return np.array([self.A.T @ row for row in x])


@st.composite
def batches(draw):
    """A width, a number of labels and batches in which labels may be absent, single, or all the same."""
    width, labels = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    truths = draw(st.lists(st.lists(st.integers(0, labels - 1), min_size=1, max_size=12), min_size=1, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    mix = rng.standard_normal((width, width))
    given_batches = [(rng.standard_normal((len(t), width)) @ mix + 10 * rng.standard_normal(width), t) for t in truths]
    return width, labels, given_batches


def test_output_and_statistics_are_those_of_the_equations():
    @settings(max_examples=60, deadline=None)
    @given(batches(), st.floats(0.05, 1))
    def check(case, alpha):
        width, labels, given_batches = case
        layer, reference = DeepWCCN(width, labels, alpha), Reference(width, labels, alpha)
        for x, truth in given_batches:
            truth = np.array(truth)
            expected = reference(x, truth)
            got = layer(torch.from_numpy(x), torch.from_numpy(truth))
            np.testing.assert_allclose(got.numpy(), expected, rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(layer.projection.numpy(), reference.A, rtol=1e-6, atol=1e-8)
        for label, each in enumerate(reference.given):
            assert layer.batches[label] == len(each)
            expected = np.mean(each, axis=0) if each else np.zeros((width, width))
            np.testing.assert_allclose(layer.covariance[label].numpy(), expected, rtol=1e-9, atol=1e-9)

    check()


def test_covariance_of_a_batch_is_numpys_whatever_the_labels():
    x = np.random.default_rng(0).standard_normal((9, 3))
    truth = np.array([2, 2, 0, 2, 0, 3, 2, 0, 2])
    got, count = batch_covariance(torch.from_numpy(x), torch.from_numpy(truth), 5)
    assert count.tolist() == [3, 0, 5, 1, 0]
    for label in (0, 2):
        np.testing.assert_allclose(got[label], np.cov(x[truth == label].T, bias=True), rtol=1e-12)
    assert not got[[1, 3, 4]].any()
    shuffled = np.random.default_rng(1).permutation(9)
    again, _ = batch_covariance(torch.from_numpy(x[shuffled]), torch.from_numpy(truth[shuffled]), 5)
    torch.testing.assert_close(again, got, rtol=1e-12, atol=1e-12)


def test_the_projection_makes_the_covariance_the_identity_and_is_the_cholesky_factor_of_its_inverse():
    @settings(max_examples=40, deadline=None)
    @given(st.integers(1, 12), st.integers(0, 10**6), st.floats(0, 1))
    def check(width, seed, alpha):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((width + 30, width)) * 10.0 ** rng.integers(-3, 4, width)
        S = np.cov(x.T, bias=True).reshape(width, width)
        A = projection(torch.from_numpy(S), alpha).numpy()
        smooth = (1 - alpha) * S + alpha * np.eye(width)
        np.testing.assert_allclose(A.T @ smooth @ A, np.eye(width), atol=1e-6)
        assert not np.triu(A, 1).any() and (np.diag(A) > 0).all()  # with these, the factor is the only one

    check()


def skewed(n=4000, width=5, labels=3, seed=0):
    """Utterances of classes that share a skewed covariance and differ in their means."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, labels, n)
    mix = rng.standard_normal((width, width)) * [0.1, 1, 3, 10, 0.5]
    x = rng.standard_normal((n, width)) @ mix + 5 * rng.standard_normal((labels, width))[truth]
    return torch.from_numpy(x), torch.from_numpy(truth)


def test_features_of_a_class_are_white_afterwards():
    x, truth = skewed()
    layer = DeepWCCN(5, 3, 0.0)
    y = layer(x, truth)
    within, _ = batch_covariance(y, truth, 3)
    torch.testing.assert_close(within.mean(0), torch.eye(5, dtype=torch.float64), atol=1e-9, rtol=0)
    seen = DeepWCCN(5, 3, 0.0)
    for part in range(0, 4000, 100):  # in batches it is nearly so
        seen(x[part : part + 100], truth[part : part + 100])
    within, _ = batch_covariance(seen.eval()(x), truth, 3)
    torch.testing.assert_close(within.mean(0), torch.eye(5, dtype=torch.float64), atol=0.1, rtol=0)


def test_the_gradient_flows_through_the_features_only():
    x, truth = torch.randn(20, 4, requires_grad=True), torch.arange(20) % 2
    layer = DeepWCCN(4, 2, 0.3)
    assert not list(layer.parameters())
    weight = torch.randn(20, 4)
    (layer(x, truth) * weight).sum().backward()
    torch.testing.assert_close(x.grad, weight @ layer.projection.float().T)  # as if the projection were a constant
    assert not any(buffer.requires_grad for buffer in layer.buffers())


def test_a_backward_pass_may_follow_several_batches():
    layer = DeepWCCN(3, 2, 0.1)
    total = 0
    for seed in range(3):
        x = torch.randn(8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed), requires_grad=True)
        total = total + layer(x, torch.arange(8) % 2).sum()
    total.backward()
    torch.testing.assert_close(x.grad[0], layer.projection.sum(1))


def test_evaluation_uses_the_last_projection_and_changes_nothing():
    x, truth = torch.randn(12, 4), torch.arange(12) % 3
    layer = DeepWCCN(4, 3, 0.5)
    torch.testing.assert_close(layer(x), x)  # the identity before the first batch
    torch.testing.assert_close(layer.eval()(x, truth), x)
    layer.train()(x, truth)
    before = copy.deepcopy(layer.state_dict())
    expected = x @ layer.projection.float()
    assert not torch.allclose(expected, x)
    torch.testing.assert_close(layer(10 * x), 10 * expected)  # in training without truth, too
    torch.testing.assert_close(layer.eval()(x, truth), expected)
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(layer.state_dict(), before, rtol=0, atol=0)


def test_a_training_that_goes_on_from_its_state_has_the_same_bits():
    torch.manual_seed(0)
    given_batches = [(torch.randn(14, 6), torch.randint(0, 4, (14,))) for _ in range(6)]
    whole, first, second = (DeepWCCN(6, 4, 0.2) for _ in range(3))
    expected = [whole(*batch) for batch in given_batches]
    got = [first(*batch) for batch in given_batches[:3]]
    second.load_state_dict(first.state_dict())
    got += [second(*batch) for batch in given_batches[3:]]
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(whole.buffers(), second.buffers(), strict=True))


@pytest.mark.parametrize("alpha", [0.0, 0.2])
@pytest.mark.parametrize("kind", ["collinear", "few", "constant", "constants", "zero", "tiny", "scales", "one"])
def test_features_without_an_inverse_stay_finite(kind, alpha):
    torch.manual_seed(0)
    x, truth = torch.randn(14, 8), torch.arange(14) % 4
    if kind == "collinear":
        x = torch.cat([x[:, :4], x[:, :4] * 3], 1)
    elif kind == "few":  # fewer utterances than features: the rule for a width of 192 and batches of 14
        x = torch.randn(14, 192)
    elif kind == "constant":
        x[:, 3] = 0.1
    elif kind == "constants":  # in a class, not over the classes
        x = torch.randn(4, 8)[truth]
    elif kind == "zero":
        x = torch.zeros(14, 8)
    elif kind == "tiny":
        x = x * 1e-12
    elif kind == "scales":
        x = x * torch.tensor([1e-6, 1e6, 1, 1, 1, 1, 1, 0])
    else:
        x, truth = x[:1], truth[:1]
    layer = DeepWCCN(x.shape[1], 4, alpha)
    for _ in range(3):
        y = layer(x, truth)
    assert y.isfinite().all() and all(buffer.isfinite().all() for buffer in layer.buffers())
    if kind in {"constants", "zero"}:  # nothing varies within a class: no direction is preferred
        assert layer.projection.diagonal().max() <= 1e3 + 1e-6
    if kind == "constants":
        torch.testing.assert_close(y / y.norm(), x / x.norm())
    if kind == "constant" and not alpha:  # as if its variance were a millionth of the others'
        assert 1e2 < layer.projection[3, 3] < 1e4
    if kind == "one":
        torch.testing.assert_close(y, x)


def test_values_that_are_no_numbers_change_nothing():
    x, truth = torch.randn(12, 4), torch.arange(12) % 3
    layer = DeepWCCN(4, 3, 0.5)
    layer(x, truth)
    before = copy.deepcopy(layer.state_dict())
    for bad in (torch.nan, torch.inf):
        broken = x.clone()
        broken[5, 2] = bad
        layer(broken, truth)
        torch.testing.assert_close(layer.state_dict(), before, rtol=0, atol=0)
    layer(x, truth)
    assert layer.batches.tolist() == [2, 2, 2]


def test_statistics_keep_their_precision_under_autocast_and_for_short_floats():
    x, truth = torch.randn(16, 4), torch.arange(16) % 2
    plain, auto, short = (DeepWCCN(4, 2, 0.1) for _ in range(3))
    expected = plain(x, truth)
    with torch.autocast("cpu", torch.bfloat16):
        got = auto(x, truth)
    assert got.dtype == torch.float32 and torch.equal(got, expected)
    assert torch.equal(auto.projection, plain.projection)
    y = short(x.bfloat16(), truth)
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, expected, atol=0.1, rtol=0.1)


def test_full_smoothing_is_the_identity():
    x, truth = torch.randn(16, 4), torch.arange(16) % 2
    assert torch.equal(DeepWCCN(4, 2, 1.0)(x, truth), x)


@pytest.mark.parametrize("alpha", [-0.1, 1.5, float("nan")])
def test_a_smoothing_outside_zero_to_one_is_refused(alpha):
    with pytest.raises(EmosetError) as error:
        DeepWCCN(4, 2, alpha)
    assert error.value.problem == f"the smoothing of the within-class covariance is {alpha:g}"
    assert error.value.mend == "give alpha from 0 (none) to 1 (no WCCN)"
