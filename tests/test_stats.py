"""Statistics against statsmodels, published worked examples, slow references and exact coverage."""

import json
from dataclasses import asdict
from itertools import product
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, multinomial
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from emoset_cli import metrics, stats
from emoset_cli.errors import EmosetError

LABELS = ["anger", "joy", "sadness"]
fast = settings(deadline=None, max_examples=60)
rows_of_speech = st.lists(
    st.tuples(st.sampled_from(LABELS), *[st.sampled_from([*LABELS, "boredom"])] * 2, st.sampled_from("ABCDEFGHIJ")),
    min_size=1,
    max_size=40,
)
counts = st.integers(0, 40)


def columns(rows):
    return [list(column) for column in zip(*rows, strict=True)]


def pairs(both, only_a, only_b, neither):
    """Correctness of two runs with the given table of counts."""
    table = [(True, True)] * both + [(True, False)] * only_a + [(False, True)] * only_b + [(False, False)] * neither
    return [a for a, _ in table], [b for _, b in table]


def speech(seed=0, n=300, speakers=12, skill=0.6):
    """Truth, two predictions and speakers; each speaker has an ease of its own."""
    rng = np.random.default_rng(seed)
    names = rng.integers(speakers, size=n)
    ease = np.clip(skill + rng.normal(0, 0.25, speakers), 0, 1)[names]
    truth = rng.choice(LABELS, n)
    guess = [np.where(rng.random(n) < ease, truth, rng.choice(LABELS, n)) for _ in range(2)]
    return truth, *guess, np.array([f"s{name:02}" for name in names])


def resampled(values_of, speakers, repetitions, seed):
    """Slow reference: rows of the drawn speakers are put together and scored anew, on the same draws."""
    speakers = np.array(speakers)
    names = sorted(set(speakers.tolist()))
    rows = {name: np.flatnonzero(speakers == name) for name in names}
    draws = np.random.default_rng(seed).multinomial(len(names), [1 / len(names)] * len(names), repetitions)
    values = []
    for draw in draws:
        drawn = [rows[name] for name, times in zip(names, draw, strict=True) for _ in range(times)]
        values.append(values_of(np.concatenate(drawn)))
    return np.quantile(values, [0.025, 0.975])


# Wilson


@fast
@given(st.integers(0, 500), st.integers(0, 500), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_wilson_equals_statsmodels(correct, wrong, level):
    n = correct + wrong + 1
    interval = stats.wilson(correct, n, level)
    expected = proportion_confint(correct, n, alpha=1 - level, method="wilson")
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-12)
    assert 0 <= interval.low <= correct / n <= interval.high <= 1


def test_wilson_at_the_ends_is_exact():
    assert {stats.wilson(0, n).low for n in range(1, 200)} == {0}
    assert {stats.wilson(n, n).high for n in range(1, 200)} == {1}
    with pytest.raises(EmosetError, match="there are no utterances to score"):
        stats.wilson(0, 0)
    with pytest.raises(AssertionError, match="3 correct of 2"):
        stats.wilson(3, 2)
    with pytest.raises(AssertionError, match="level 95"):
        stats.wilson(1, 2, level=95)


# Bootstrap over speakers


@settings(deadline=None, max_examples=25)
@given(rows_of_speech, st.integers(0, 1000))
def test_bootstrap_equals_drawing_rows(rows, seed):
    truth, a, b, speakers = columns(rows)
    arrays = [np.array(column) for column in (truth, a, b)]
    interval = stats.speaker_bootstrap(truth, a, speakers, LABELS, 40, seed)
    difference, paired = stats.uar_difference(truth, a, b, speakers, LABELS, 40, seed)
    uar_a, uar_b = (metrics.uar(truth, prediction, LABELS) for prediction in (a, b))
    assert difference == pytest.approx(uar_b - uar_a, abs=1e-12)
    if len(set(speakers)) < 2:
        assert interval == paired == stats.Interval(None, None, "no interval: 1 speaker only")
        return

    def uar_of(which):
        return lambda drawn: metrics.uar(arrays[0][drawn], arrays[which][drawn], LABELS)

    expected = resampled(uar_of(1), speakers, 40, seed)
    assert (interval.low, interval.high) == pytest.approx(expected, abs=1e-12)
    expected = resampled(lambda drawn: uar_of(2)(drawn) - uar_of(1)(drawn), speakers, 40, seed)
    assert (paired.low, paired.high) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_bootstrap_contains_the_estimate(seed):
    truth, a, b, speakers = speech(seed)
    interval = stats.speaker_bootstrap(truth, a, speakers, LABELS)
    assert 0 <= interval.low < metrics.uar(truth, a, LABELS) < interval.high <= 1
    difference, paired = stats.uar_difference(truth, a, b, speakers, LABELS)
    assert paired.low < difference < paired.high
    assert interval.note == paired.note == ""


def test_bootstrap_is_fixed_by_its_seed_and_blind_to_order():
    truth, a, b, speakers = speech()
    order = np.random.default_rng(1).permutation(len(truth))
    first = stats.speaker_bootstrap(truth, a, speakers, LABELS, seed=3)
    assert stats.speaker_bootstrap(truth, a, speakers, LABELS, seed=3) == first
    assert stats.speaker_bootstrap(truth, a, speakers, LABELS, seed=4) != first
    assert stats.speaker_bootstrap(truth[order], a[order], speakers[order], LABELS, seed=3) == first
    difference, paired = stats.uar_difference(truth, a, b, speakers, LABELS)
    moved, same = stats.uar_difference(truth[order], a[order], b[order], speakers[order], LABELS)
    assert moved == pytest.approx(difference, abs=1e-12) and same == paired


def test_bootstrap_draws_speakers_not_utterances():
    """Where a speaker is all right or all wrong, utterances drawn singly would give an interval far too narrow."""
    truth, speakers = ["anger", "joy"] * 200, np.repeat(list("ABCDEFGHIJ"), 40)
    prediction = [label if speaker < "F" else "boredom" for label, speaker in zip(truth, speakers, strict=True)]
    whole = stats.speaker_bootstrap(truth, prediction, speakers, LABELS)
    single = stats.speaker_bootstrap(truth, prediction, [str(row) for row in range(400)], LABELS)
    assert whole.high - whole.low > 4 * (single.high - single.low)
    # 10 speakers, each right or wrong with 1/2: the UAR of a draw is Binomial(10, 1/2) / 10, limits 0.2 and 0.8
    assert (whole.low, whole.high) == pytest.approx((0.2, 0.8))


@pytest.mark.parametrize(("count", "note"), [(2, "interval rests on 2 speakers only"), (7, "rests on 7"), (8, "")])
def test_few_speakers_are_noted(count, note):
    truth, a, b, speakers = speech(speakers=count)
    interval = stats.speaker_bootstrap(truth, a, speakers, LABELS)
    assert note in interval.note and bool(interval.note) == bool(note)
    assert stats.uar_difference(truth, a, b, speakers, LABELS)[1].note == interval.note


def test_one_speaker_has_no_interval():
    truth, a, b, _ = speech()
    nothing = stats.Interval(None, None, "no interval: 1 speaker only")
    assert stats.speaker_bootstrap(truth, a, ["s"] * len(truth), LABELS) == nothing
    difference, interval = stats.uar_difference(truth, a, b, ["s"] * len(truth), LABELS)
    assert interval == nothing
    assert difference == pytest.approx(metrics.uar(truth, b, LABELS) - metrics.uar(truth, a, LABELS))


def test_a_higher_level_gives_a_wider_interval():
    truth, a, _, speakers = speech()
    narrow, wide = (stats.speaker_bootstrap(truth, a, speakers, LABELS, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


@fast
@given(rows_of_speech)
def test_equal_predictions_do_not_differ(rows):
    truth, a, _, speakers = columns(rows)
    difference, interval = stats.uar_difference(truth, a, a, [*speakers[:-1], "Z"], LABELS, 50)
    assert difference == 0
    assert (interval.low, interval.high) == ((0, 0) if len(rows) > 1 else (None, None))


def test_swapping_the_runs_turns_the_sign():
    truth, a, b, speakers = speech()
    difference, interval = stats.uar_difference(truth, a, b, speakers, LABELS)
    back, mirrored = stats.uar_difference(truth, b, a, speakers, LABELS)
    assert back == pytest.approx(-difference)
    assert (mirrored.low, mirrored.high) == pytest.approx((-interval.high, -interval.low))


def test_bootstrap_refuses_what_does_not_fit():
    truth, speakers = ["anger", "joy"], ["A", "B"]
    with pytest.raises(EmosetError, match="lengths differ: truth 2, speakers 1"):
        stats.speaker_bootstrap(truth, truth, ["A"], LABELS)
    with pytest.raises(EmosetError, match="lengths differ: truth 2, prediction 1"):
        stats.speaker_bootstrap(truth, truth[:1], speakers, LABELS)
    with pytest.raises(EmosetError, match="lengths differ: truth 2, prediction_a 2, prediction_b 1"):
        stats.uar_difference(truth, truth, truth[:1], speakers, LABELS)
    with pytest.raises(EmosetError, match="truth holds 'boredom', which is no label"):
        stats.uar_difference(["anger", "boredom"], truth, truth, speakers, LABELS)
    with pytest.raises(EmosetError, match="there are no utterances to score"):
        stats.speaker_bootstrap([], [], [], LABELS)


# McNemar, Holm


@fast
@given(counts, counts, counts, counts)
def test_mcnemar_equals_statsmodels(both, only_a, only_b, neither):
    if not both + only_a + only_b + neither:
        return
    found = stats.mcnemar(*pairs(both, only_a, only_b, neither))
    assert (found.both, found.only_a, found.only_b, found.neither) == (both, only_a, only_b, neither)
    exact = only_a + only_b < 25
    assert found.method == ("exact" if exact else "chi-square")
    if not only_a + only_b:
        assert (found.p, found.statistic) == (1, None)
        return
    expected = reference_mcnemar([[both, only_a], [only_b, neither]], exact=exact, correction=True)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.statistic is None if exact else found.statistic == pytest.approx(expected.statistic)
    assert stats.mcnemar(*pairs(both, only_b, only_a, neither)).p == pytest.approx(found.p)


def test_mcnemar_of_a_published_table():
    """Cavo et al. 2012, p = 0.052479 in the tests of the R package contingencytables."""
    found = stats.mcnemar(*pairs(59, 6, 16, 80))
    assert found.method == "exact" and found.p == pytest.approx(0.052479, abs=5e-7)


def test_mcnemar_turns_to_chi_square_at_25():
    assert stats.mcnemar(*pairs(0, 16, 8, 0)).method == "exact"
    found = stats.mcnemar(*pairs(0, 17, 8, 0))
    assert found.method == "chi-square" and found.statistic == pytest.approx((17 - 8 - 1) ** 2 / 25)


@pytest.mark.parametrize("function", [stats.mcnemar, stats.accuracy_difference])
def test_pairs_must_fit(function):
    with pytest.raises(EmosetError, match="lengths differ: correct_a 2, correct_b 1"):
        function([True, False], [True])
    with pytest.raises(EmosetError, match="there are no utterances to score"):
        function([], [])


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_equals_statsmodels(p_values):
    with mock.patch("gc.collect"):  # multipletests calls it each time
        reference = multipletests(p_values, method="holm")[1].tolist()
    assert stats.holm(p_values) == pytest.approx(reference)


def test_holm_by_hand():
    # 3 x 0.01; 2 x 0.03; 0.04, but not below the one before
    assert stats.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert stats.holm([0.6, 0.7]) == [1, 1]
    assert stats.holm([]) == []
    with pytest.raises(AssertionError, match="outside"):
        stats.holm([0.1, float("nan")])


# Effect sizes


def test_accuracy_difference_of_published_tables():
    """Both as (both, a alone, b alone, neither), a minus b in the sources, hence the turned signs.

    Cavo et al. 2012: -0.0621 (-0.1186, -0.0046), in the tests of the R package contingencytables of Fagerland,
    Lydersen & Laake; Bentur et al. 2009: -0.286 (-0.507, -0.026), Statistics in Medicine 33 (2014) 2850-2875.
    """
    difference, interval = stats.accuracy_difference(*pairs(59, 6, 16, 80))
    assert (difference, interval.low, interval.high) == pytest.approx((0.0621, 0.0046, 0.1186), abs=5e-5)
    difference, interval = stats.accuracy_difference(*pairs(1, 1, 7, 12))
    assert (difference, interval.low, interval.high) == pytest.approx((0.286, 0.026, 0.507), abs=5e-4)


def test_accuracy_difference_by_hand():
    """Shares 0.5 and 0.9 of 10 with phi = 0 (no more than chance agree): the two Wilson distances, squared, added."""
    difference, interval = stats.accuracy_difference(*pairs(5, 0, 4, 1))  # 5 * 1 - 0 = 5, not above n / 2 = 5
    a, b = proportion_confint(5, 10, method="wilson"), proportion_confint(9, 10, method="wilson")
    assert difference == pytest.approx(0.4)
    assert interval.low == pytest.approx(0.4 - ((0.9 - b[0]) ** 2 + (a[1] - 0.5) ** 2) ** 0.5)
    assert interval.high == pytest.approx(0.4 + ((b[1] - 0.9) ** 2 + (0.5 - a[0]) ** 2) ** 0.5)


@fast
@given(counts, counts, counts, counts)
def test_accuracy_difference_stays_in_bounds(both, only_a, only_b, neither):
    if not both + only_a + only_b + neither:
        return
    a, b = pairs(both, only_a, only_b, neither)
    difference, interval = stats.accuracy_difference(a, b)
    assert difference == pytest.approx(np.mean(b) - np.mean(a))
    assert -1 <= interval.low <= difference <= interval.high <= 1
    back, mirrored = stats.accuracy_difference(b, a)
    assert back == -difference
    assert (mirrored.low, mirrored.high) == pytest.approx((-interval.high, -interval.low), abs=1e-12)


def test_equal_accuracy_is_not_certainty():
    """Right on the same 50 of 100 utterances: no difference, yet an interval; more utterances narrow it."""
    difference, interval = stats.accuracy_difference(*pairs(50, 0, 0, 50))
    assert difference == 0 and interval.low == pytest.approx(-interval.high) and interval.high > 0
    assert stats.accuracy_difference(*pairs(500, 0, 0, 500))[1].high < interval.high


def test_accuracy_difference_covers_as_it_says():
    """Exact coverage, by adding up every table of 24 utterances: 95 % on average, never far below."""
    n = 24
    tables = [cells for cells in product(range(n + 1), repeat=4) if sum(cells) == n]
    limits = [stats.accuracy_difference(*pairs(*cells))[1] for cells in tables]
    low, high = np.array([(interval.low, interval.high) for interval in limits]).T
    covered = []
    for shares in [(0.5, 0.1, 0.1, 0.3), (0.4, 0.1, 0.2, 0.3), (0.6, 0.05, 0.25, 0.1), (0.25, 0.25, 0.25, 0.25),
                   (0.8, 0.05, 0.05, 0.1), (0.3, 0.02, 0.38, 0.3)]:  # fmt: skip
        truth = shares[2] - shares[1]
        covered.append(multinomial(n, shares).pmf(tables)[(low <= truth) & (truth <= high)].sum())
    assert min(covered) > 0.93
    assert 0.94 < np.mean(covered) < 0.98


def test_odds_ratio_of_a_published_table():
    """12.5 (3.1169, 108.8892) by Clopper and Pearson, in the tests of the R package contingencytables."""
    ratio, interval = stats.odds_ratio(2, 25)
    assert (ratio, interval.low, interval.high) == pytest.approx((12.5, 3.1169, 108.8892), abs=5e-5)


@fast
@given(counts, counts, st.sampled_from([0.9, 0.95]))
def test_odds_ratio_agrees_with_the_exact_test(only_a, only_b, level):
    ratio, interval = stats.odds_ratio(only_a, only_b, level)
    if not only_a + only_b:
        assert ratio is None and interval == stats.Interval(None, None, interval.note)
        assert "both runs are right on the same utterances" in interval.note
        return
    test = binomtest(only_b, only_a + only_b)
    share = test.proportion_ci(level, method="exact")
    assert interval.low == pytest.approx(share.low / (1 - share.low))
    if only_a:
        assert ratio == only_b / only_a
        assert interval.high == pytest.approx(share.high / (1 - share.high))
    else:
        assert ratio is None and interval.high is None
        assert "no upper limit: the reference is never right alone" in interval.note
    excludes_one = interval.low > 1 or (interval.high is not None and interval.high < 1)
    assert excludes_one == (test.pvalue < 1 - level)


def test_marks():
    assert stats.mark(0.02, 0.049) == "+"
    assert stats.mark(-0.02, 0.049) == "\N{MINUS SIGN}"
    assert stats.mark(0.02, 0.05) == stats.mark(-0.5, 0.2) == stats.mark(0.0, 0.001) == ""
    assert stats.mark(0.02, 0.005, alpha=0.001) == ""


@fast
@given(rows_of_speech)
def test_all_results_are_json_without_nan(rows):
    truth, a, b, speakers = columns(rows)
    right = [[guess == label for guess, label in zip(column, truth, strict=True)] for column in (a, b)]
    test = stats.mcnemar(*right)
    results = [
        asdict(test),
        stats.holm([test.p, test.p]),
        asdict(stats.wilson(sum(right[0]), len(rows))),
        asdict(stats.speaker_bootstrap(truth, a, speakers, LABELS, 20)),
    ]
    for value, interval in (
        stats.uar_difference(truth, a, b, speakers, LABELS, 20),
        stats.accuracy_difference(*right),
        stats.odds_ratio(test.only_a, test.only_b),
    ):
        results += [value, asdict(interval)]
    assert json.loads(json.dumps(results, allow_nan=False)) == results
