"""Concordance and its like against numpy, scipy and scikit-learn, worked by hand, and by what must always hold."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import cohen_kappa_score

from emoset_cli import concordance
from emoset_cli.concordance import ccc, mae, pearson, rmse, speaker_interval, spearman
from emoset_cli.errors import EmosetError
from emoset_cli.train.deep import settings
from emoset_cli.train.deep.losses import DIMENSION_LOSSES, ccc_loss, mse_loss

NUMBERS = st.floats(-1e3, 1e3).map(lambda value: round(value, 3))
PAIRS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=30)


def plain_ccc(x, y):
    """Lin's formula as it stands in the paper."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    return 2 * np.mean((x - x.mean()) * (y - y.mean())) / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def test_worked_by_hand():
    truth, guess = [1, 2, 3, 4], [2, 2, 4, 6]
    # means 2.5 and 3.5, variances 1.25 and 2.75, covariance 1.75
    assert ccc(truth, guess) == pytest.approx(3.5 / (1.25 + 2.75 + 1))
    assert pearson(truth, guess) == pytest.approx(1.75 / np.sqrt(1.25 * 2.75))
    assert rmse(truth, guess) == pytest.approx(np.sqrt(6 / 4)) and mae(truth, guess) == 1.0


@given(PAIRS)
def test_formulas_of_numpy_and_scipy(pairs):
    x, y = map(np.array, zip(*pairs, strict=True))
    assert rmse(x, y) == pytest.approx(np.sqrt(np.mean((x - y) ** 2)))
    assert mae(x, y) == pytest.approx(np.mean(np.abs(x - y)))
    if x.std() > 1e-3 and y.std() > 1e-3:
        assert ccc(x, y) == pytest.approx(plain_ccc(x, y), abs=1e-9)
        assert pearson(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-7)
        assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-9)


@given(PAIRS)
def test_what_always_holds(pairs):
    x, y = map(np.array, zip(*pairs, strict=True))
    if len(set(x)) > 1:
        assert ccc(x, x) == 1.0 and pearson(x, x) == pytest.approx(1.0)
        assert ccc(x, np.full(len(x), x.mean())) == 0.0  # a constant prediction is chance
    one, other = ccc(x, y), ccc(y, x)
    assert one == other or one == pytest.approx(other, abs=1e-9)
    r = pearson(x, y)
    if one is not None and r is not None:
        assert abs(one) <= abs(r) + 1e-6 and -1 <= one <= 1


def test_where_nothing_varies_there_is_no_measure():
    assert ccc([3, 3], [3, 3]) is None and pearson([1, 2], [3, 3]) is None
    assert ccc([3, 3], [2, 2]) == 0.0 and ccc([1e6, 1e6], [2, 3]) == 0.0
    assert ccc([0.1] * 7, [0.3] * 7) == 0.0 and pearson([0.1] * 7, np.arange(7)) is None
    big = np.array([1e8 + 1, 1e8 + 2, 1e8 + 3])
    assert ccc(big, big[::-1]) == pytest.approx(-1.0)
    with pytest.raises(EmosetError, match="no utterances to score"):
        ccc([], [])
    with pytest.raises(EmosetError, match="lengths differ"):
        ccc([1, 2], [1])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=5, max_size=40))
def test_of_levels_it_is_kappa_with_quadratic_weights(pairs):
    x, y = map(np.array, zip(*pairs, strict=True))
    if len(set(x)) > 1 and len(set(y)) > 1:
        assert ccc(x, y) == pytest.approx(cohen_kappa_score(x, y, weights="quadratic", labels=range(5)), abs=1e-9)


@pytest.mark.parametrize("measure", concordance.MEASURES)
def test_the_interval_is_that_of_drawing_whole_speakers(measure):
    rng = np.random.default_rng(5)
    speakers = [f"s{number}" for number in rng.integers(0, 9, 60)]
    truth = rng.normal(3, 1, 60)
    guess = truth + rng.normal(0, 1, 60)
    found = speaker_interval(measure, truth, guess, speakers, repetitions=200, seed=3)
    names = sorted(set(speakers))
    drawn = np.random.default_rng(3).multinomial(len(names), np.full(len(names), 1 / len(names)), 200)
    values = []
    for times in drawn:
        rows = [row for name, n in zip(names, times, strict=True)
                for _ in range(n) for row, own in enumerate(speakers) if own == name]  # fmt: skip
        values.append(getattr(concordance, measure)(truth[rows], guess[rows]))
    assert [found.low, found.high] == pytest.approx(np.quantile(values, [0.025, 0.975]).tolist())
    assert found.note == ""
    order = rng.permutation(60)
    moved = speaker_interval(measure, truth[order], guess[order], [speakers[row] for row in order], 200, 3)
    assert [moved.low, moved.high] == pytest.approx([found.low, found.high])


def test_an_interval_says_what_it_rests_on():
    assert speaker_interval("ccc", [1, 2], [1, 3], ["a", "a"]).note == "no interval: 1 speaker only"
    assert speaker_interval("ccc", [1, 1], [1, 1], ["a", "b"]).note == "no interval: nothing varies"
    assert "2 speakers only" in speaker_interval("ccc", [1, 2, 3], [1, 3, 2], ["a", "b", "b"]).note


# ---------------------------------------------------------------- as losses


def test_every_loss_has_its_help():
    assert DIMENSION_LOSSES.keys() == settings.DIMENSION_LOSSES.keys()


def batch(seed=0, rows=12):
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(rows, 2, generator=rng, requires_grad=True), torch.rand(rows, 2, generator=rng)


def test_the_loss_is_one_minus_the_measure():
    values, truth = batch()
    expected = np.mean([1 - ccc(truth[:, at].numpy(), values[:, at].detach().numpy()) for at in range(2)])
    assert float(ccc_loss(values, truth).detach()) == pytest.approx(expected, abs=1e-6)
    assert float(mse_loss(values, truth).detach()) == pytest.approx(((values - truth) ** 2).mean().item(), abs=1e-7)


@pytest.mark.parametrize("name", DIMENSION_LOSSES)
def test_the_gradient_is_that_of_small_steps(name):
    values, truth = batch(1, rows=6)
    truth[0, 0] = torch.nan
    DIMENSION_LOSSES[name](values, truth).backward()
    for row, column in ((0, 0), (1, 0), (2, 1), (5, 1)):
        ends = []
        for step in (1e-2, -1e-2):
            moved = values.detach().clone()
            moved[row, column] += step
            ends.append(float(DIMENSION_LOSSES[name](moved, truth)))
        assert float(values.grad[row, column]) == pytest.approx((ends[0] - ends[1]) / 2e-2, abs=2e-3)
    assert values.grad[0, 0] == 0.0  # not known


@pytest.mark.parametrize("name", DIMENSION_LOSSES)
def test_unknown_values_change_nothing(name):
    values, truth = batch(2)
    truth[3:5] = torch.nan
    loss = DIMENSION_LOSSES[name](values, truth)
    kept = [row for row in range(12) if row not in (3, 4)]
    assert loss.item() == pytest.approx(DIMENSION_LOSSES[name](values[kept], truth[kept]).item(), abs=1e-6)
    loss.backward()
    assert not values.grad[3:5].any() and values.grad[kept].all()
    one = torch.stack([truth[:, 0], torch.full((12,), torch.nan)], 1)  # a dimension of which nothing is known
    both = DIMENSION_LOSSES[name](values[:, :1], truth[:, :1]).item()
    assert DIMENSION_LOSSES[name](values, one).item() == pytest.approx(both, abs=1e-6)


@pytest.mark.parametrize("name", DIMENSION_LOSSES)
@pytest.mark.parametrize(
    ("values", "truth"),
    [
        ([[0.2]], [[0.4]]),  # one utterance
        ([[0.2]], [[float("nan")]]),
        ([[0.2], [0.2]], [[0.4], [0.4]]),  # nothing varies
        ([[0.4], [0.4]], [[0.4], [0.4]]),
        ([[0.4], [0.4]], [[0.1], [0.9]]),
        ([[0.1], [0.7]], [[0.3], [0.3]]),
        ([[float("1e18")], [0.0]], [[0.3], [0.5]]),
    ],
)
def test_no_batch_gives_nan(name, values, truth):
    given_values = torch.tensor(values, requires_grad=True)
    loss = DIMENSION_LOSSES[name](given_values, torch.tensor(truth))
    loss.backward()
    assert torch.isfinite(given_values.grad).all()
    assert not torch.isnan(loss)
