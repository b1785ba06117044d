"""How sure a score is and whether two runs differ: intervals, McNemar's test, Holm's correction, effect sizes.

Two kinds of uncertainty stand side by side. Wilson's and Newcombe's intervals, McNemar's test and the odds ratio
take utterances as independent; utterances of one speaker are not, so these are rather too sure. The bootstraps
draw whole speakers and speak about new speakers. Where two runs are compared, ``a`` is the reference and every
difference is b minus a. No result holds NaN or infinity: what does not exist is None, and a note says why.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np

from emoset_cli.metrics import codes, not_empty, same_length, truths

FEW_SPEAKERS = 8  # below this many, a bootstrap over speakers is noted as weak
EXACT_BELOW = 25  # discordant pairs from which McNemar's chi-square serves


@dataclass(frozen=True)
class Interval:
    """A confidence interval; None where there is no limit, and the note says why or what weakens it."""

    low: float | None
    high: float | None
    note: str = ""


@dataclass(frozen=True)
class McNemar:
    """McNemar's test of two runs on the same utterances: how many were right in one alone, both or neither.

    ``statistic`` is the chi-square, None for the exact test; ``method`` is "exact" or "chi-square".
    """

    only_a: int
    only_b: int
    both: int
    neither: int
    statistic: float | None
    p: float
    method: str


def wilson(correct: int, n: int, level: float = 0.95) -> Interval:
    """Wilson's score interval of a share; stays within [0, 1] and is honest near both ends.

    Args:
        correct: utterances that are right, 0 to ``n``
        n: utterances
        level: confidence, above 0 and below 1

    Raises:
        EmosetError: if ``n`` is 0

    Source:
        Wilson, JASA 22 (1927) 209-212.

    Example:
        >>> interval = wilson(8, 10)
        >>> round(interval.low, 3), round(interval.high, 3)
        (0.49, 0.943)
    """
    assert 0 <= correct <= n, f"{correct} correct of {n}"
    not_empty(n)
    z, share = _z(level), correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z * z / n)
    # The limits at none and all correct are 0 and 1; rounding would miss them.
    return Interval(max(0.0, centre - half) if correct else 0.0, min(1.0, centre + half) if correct < n else 1.0)


def speaker_bootstrap(
    truth: Iterable[str],
    prediction: Iterable[str],
    speakers: Iterable[str],
    labels: Sequence[str],
    repetitions: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile interval of the UAR over speakers drawn anew, with replacement.

    A speaker is drawn whole, with all of its utterances: those of one speaker are alike, and drawing utterances
    gives intervals that are too narrow. In a repetition where a label does not occur, the mean is over those that
    do. The interval says how the UAR varies with the speakers tested, not with the training. The order of the
    utterances does not matter; the same seed gives the same interval.

    Args:
        speakers: unique over all that is given: name the corpus too where there are several
        repetitions: number of draws
        level: confidence, above 0 and below 1

    Returns:
        the interval; without limits if there is one speaker only, with a note if there are fewer than 8

    Raises:
        EmosetError: if there are no utterances, a truth is none of ``labels`` or the lengths differ

    Source:
        Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapter 13 (percentile interval); Davison &
        Hinkley, Bootstrap Methods and their Application (1997), section 3.8 (hierarchical data).
    """
    right = truths(truth, labels)
    guess = codes(prediction, labels)
    same_length(truth=right, prediction=guess)
    return _over_speakers(right == guess, right, speakers, repetitions, seed, level)


def uar_difference(
    truth: Iterable[str],
    prediction_a: Iterable[str],
    prediction_b: Iterable[str],
    speakers: Iterable[str],
    labels: Sequence[str],
    repetitions: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, Interval]:
    """UAR of b minus UAR of a, with the interval of `speaker_bootstrap` over the same draws of speakers for both.

    Paired: what makes a speaker hard for both runs cancels. Two intervals of the single UARs may overlap although
    this one lies off zero.

    Raises:
        EmosetError: as `speaker_bootstrap`
    """
    right, a, b = truths(truth, labels), codes(prediction_a, labels), codes(prediction_b, labels)
    same_length(truth=right, prediction_a=a, prediction_b=b)
    gain = (b == right).astype(float) - (a == right)
    support, total = np.bincount(right), np.bincount(right, weights=gain)
    difference = float((total[support > 0] / support[support > 0]).mean())
    return difference, _over_speakers(gain, right, speakers, repetitions, seed, level)


def mcnemar(correct_a: Sequence[bool] | np.ndarray, correct_b: Sequence[bool] | np.ndarray) -> McNemar:
    """McNemar's test: is the share of correct utterances the same in both runs?

    Only utterances on which just one run is right count. Below 25 of them the test is the exact, two-sided
    binomial one, from 25 the chi-square with continuity correction; with none of them p is 1. It is about accuracy
    (WA), never about UAR.

    Raises:
        EmosetError: if there are no utterances or the lengths differ

    Source:
        McNemar, Psychometrika 12 (1947) 153-157; Edwards, Psychometrika 13 (1948) 185-187 (the correction).

    Example:
        >>> result = mcnemar([True] * 7 + [False] * 3, [False] * 6 + [True] * 3 + [False])
        >>> result.only_a, result.only_b, result.method, round(result.p, 4)
        (6, 2, 'exact', 0.2891)
    """
    both, only_a, only_b, neither = _pairs(correct_a, correct_b)
    if not only_a + only_b:
        return McNemar(only_a, only_b, both, neither, None, 1.0, "exact")
    from statsmodels.stats import contingency_tables

    exact = only_a + only_b < EXACT_BELOW
    result = contingency_tables.mcnemar([[both, only_a], [only_b, neither]], exact=exact, correction=True)
    statistic = None if exact else float(result.statistic)
    return McNemar(only_a, only_b, both, neither, statistic, float(result.pvalue), "exact" if exact else "chi-square")


def holm(p_values: Sequence[float]) -> list[float]:
    """p values corrected for their number by Holm's step-down method, in the order given.

    Keeps the chance of any false finding among all below the level used, however the tests depend on each other.

    Source:
        Holm, Scandinavian Journal of Statistics 6 (1979) 65-70.

    Example:
        >>> holm([0.04, 0.01, 0.03])
        [0.06, 0.03, 0.06]
    """
    assert all(0 <= p <= 1 for p in p_values), f"p values outside [0, 1]: {p_values}"
    corrected, reached = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        reached = min(1.0, max(reached, (len(p_values) - rank) * p_values[index]))
        corrected[index] = reached
    return corrected


def accuracy_difference(
    correct_a: Sequence[bool] | np.ndarray, correct_b: Sequence[bool] | np.ndarray, level: float = 0.95
) -> tuple[float, Interval]:
    """Accuracy of b minus accuracy of a on the same utterances, with Newcombe's interval for paired shares.

    Method 10: the Wilson intervals of both, squared and added, less what their correlation ``phi`` (corrected for
    continuity) takes away. It is close to McNemar's test but not its inverse: near the border the one may exclude
    zero where the other does not. Runs that are right on the same utterances still get an interval around 0.

    Raises:
        EmosetError: if there are no utterances or the lengths differ

    Source:
        Newcombe, Statistics in Medicine 17 (1998) 2635-2650, method 10.
    """
    both, only_a, only_b, neither = _pairs(correct_a, correct_b)
    n = both + only_a + only_b + neither
    share_a, share_b, difference = (both + only_a) / n, (both + only_b) / n, (only_b - only_a) / n
    a, b = wilson(both + only_a, n, level), wilson(both + only_b, n, level)
    assert a.low is not None and a.high is not None and b.low is not None and b.high is not None
    phi = _phi(both, only_a, only_b, neither)
    below, above = (
        sqrt(max(0.0, x * x - 2 * phi * x * y + y * y))
        for x, y in ((share_b - b.low, a.high - share_a), (b.high - share_b, share_a - a.low))
    )
    return difference, Interval(max(-1.0, difference - below), min(1.0, difference + above))


def odds_ratio(only_a: int, only_b: int, level: float = 0.95) -> tuple[float | None, Interval]:
    """How many times as often b alone is right as a alone: the effect size of McNemar's test, exact interval.

    The interval is Clopper and Pearson's of the share of ``only_b``, turned into odds; it excludes 1 just where
    the exact McNemar test has p < 1 - level. None stands for infinity: of the ratio and the upper limit if a is
    never right alone.

    Source:
        Clopper & Pearson, Biometrika 26 (1934) 404-413.
    """
    assert only_a >= 0 and only_b >= 0, (only_a, only_b)
    _z(level)
    if not only_a + only_b:
        return None, Interval(None, None, "no odds ratio: both runs are right on the same utterances")
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = betaincinv(only_b, only_a + 1, tail) if only_b else 0.0
    low = float(low / (1 - low))
    if not only_a:
        return None, Interval(low, None, "no upper limit: the reference is never right alone")
    high = betaincinv(only_b + 1, only_a, 1 - tail)
    return only_b / only_a, Interval(low, float(high / (1 - high)))


def mark(difference: float, p: float, alpha: float = 0.05) -> str:
    """``+`` where b is better, ``−`` (the minus sign, U+2212) where it is worse, nothing unless p < alpha.

    Source:
        Gerczuk et al. 2021 (EmoNet), Table 4.

    Example:
        >>> mark(0.1, 0.01), mark(-0.1, 0.01), mark(0.1, 0.05)
        ('+', '−', '')
    """
    if p >= alpha or difference == 0:
        return ""
    return "+" if difference > 0 else "−"


def _over_speakers(
    score: np.ndarray, truth: np.ndarray, speakers: Iterable[str], repetitions: int, seed: int, level: float
) -> Interval:
    """Interval of the mean over labels of the mean ``score`` of each label's utterances, speakers drawn anew."""
    _z(level)
    names = list(speakers)
    same_length(truth=truth, speakers=names)
    order = {name: index for index, name in enumerate(sorted(set(names)))}
    count, width = len(order), int(truth.max()) + 1
    if count < 2:
        return Interval(None, None, "no interval: 1 speaker only")
    cells = np.array([order[name] for name in names]) * width + truth
    total = np.bincount(cells, weights=score, minlength=count * width).reshape(count, width)  # speakers, labels
    support = np.bincount(cells, minlength=count * width).reshape(count, width).astype(float)
    drawn = drawn_speakers(count, repetitions, seed)
    support = drawn @ support  # repetitions, labels
    occurs = support > 0
    means = np.divide(drawn @ total, support, out=np.zeros_like(support), where=occurs)
    values = means.sum(axis=1) / occurs.sum(axis=1)  # repetitions
    return percentiles(values, count, level)


def drawn_speakers(count: int, repetitions: int, seed: int) -> np.ndarray:
    """How often each of ``count`` speakers is drawn, ``(repetitions, speakers)``.

    As floats: BLAS multiplies them, and counts stay exact.
    """
    return np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), repetitions).astype(float)


def percentiles(values: np.ndarray, count: int, level: float) -> Interval:
    """The middle of what was found over draws of ``count`` speakers, a share of ``level``."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2]).tolist()
    return Interval(low, high, f"interval rests on {count} speakers only" if count < FEW_SPEAKERS else "")


def _pairs(correct_a: Sequence[bool] | np.ndarray, correct_b: Sequence[bool] | np.ndarray) -> tuple[int, int, int, int]:
    """How many utterances are right in both, in a alone, in b alone, in neither."""
    a, b = np.asarray(correct_a, dtype=bool), np.asarray(correct_b, dtype=bool)
    same_length(correct_a=a, correct_b=b)
    not_empty(len(a))
    both, in_a, in_b = int((a & b).sum()), int(a.sum()), int(b.sum())
    return both, in_a - both, in_b - both, len(a) - in_a - in_b + both


def _phi(both: int, only_a: int, only_b: int, neither: int) -> float:
    """Correlation of being right in a and in b, drawn towards zero for continuity; 0 where it is not defined."""
    product = (both + only_a) * (only_b + neither) * (both + only_b) * (only_a + neither)
    excess = float(both * neither - only_a * only_b)
    if excess > 0:
        excess = max(excess - (both + only_a + only_b + neither) / 2, 0.0)
    return excess / sqrt(product) if product else 0.0


def _z(level: float) -> float:
    assert 0 < level < 1, f"level {level}"
    return NormalDist().inv_cdf((1 + level) / 2)
