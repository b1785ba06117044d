"""How well predicted numbers agree with true ones: concordance and Pearson correlation, errors, and their intervals.

All is reckoned from sums over the utterances, so that a bootstrap over speakers adds sums of speakers. Where a measure
does not exist (nothing varies) it is None.
"""

from collections.abc import Callable, Sequence

import numpy as np

from emoset_cli.metrics import not_empty, same_length
from emoset_cli.stats import Interval, drawn_speakers, percentiles

_ALIKE = 1e-14  # share of the mean square below which a variance is rounding only


def ccc(truth: Sequence[float] | np.ndarray, prediction: Sequence[float] | np.ndarray) -> float | None:
    """Lin's concordance correlation coefficient, in [-1, 1]; chance is 0. With population moments.

    ``2 cov / (var x + var y + (mean x - mean y)^2)``: Pearson's r, lowered by what the means and the spreads differ.
    None where all values of both are one number. Of the numbers of ordered levels it is Cohen's kappa with quadratic
    weights.

    Raises:
        EmosetError: if there are no values, or the lengths differ

    Source:
        Lin, Biometrics 45 (1989) 255-268.

    Example:
        Means 2 and 3, variances 2/3 and 2/3, covariance 2/3: 4/3 over 4/3 + 1.

        >>> round(ccc([1, 2, 3], [2, 3, 4]), 6)
        0.571429
    """
    return _one(_ccc, truth, prediction)


def pearson(truth: Sequence[float] | np.ndarray, prediction: Sequence[float] | np.ndarray) -> float | None:
    """Pearson's correlation, in [-1, 1]; None where either does not vary.

    Raises:
        EmosetError: as `ccc`

    Example:
        >>> round(pearson([1, 2, 3], [2, 3, 4]), 6), pearson([1, 1], [0, 1])
        (1.0, None)
    """
    return _one(_pearson, truth, prediction)


def rmse(truth: Sequence[float] | np.ndarray, prediction: Sequence[float] | np.ndarray) -> float | None:
    """Root mean squared error, in the units of the values.

    Raises:
        EmosetError: as `ccc`

    Example:
        >>> rmse([1, 2], [4, 6])
        3.5355339059327378
    """
    return _one(_rmse, truth, prediction)


def mae(truth: Sequence[float] | np.ndarray, prediction: Sequence[float] | np.ndarray) -> float | None:
    """Mean absolute error, in the units of the values.

    Raises:
        EmosetError: as `ccc`

    Example:
        >>> mae([1, 2], [4, 2])
        1.5
    """
    return _one(_mae, truth, prediction)


def spearman(truth: Sequence[float] | np.ndarray, prediction: Sequence[float] | np.ndarray) -> float | None:
    """Pearson's correlation of ranks, equal values sharing the mean of theirs; None where either does not vary.

    Raises:
        EmosetError: as `ccc`

    Example:
        >>> round(spearman([1, 2, 3, 4], [10, 20, 20, 15]), 6)
        0.316228
    """
    return pearson(_ranks(np.asarray(truth, float)), _ranks(np.asarray(prediction, float)))


def speaker_interval(
    measure: str, truth: Sequence[float] | np.ndarray, prediction: Sequence[float] | np.ndarray,
    speakers: Sequence[str], repetitions: int = 1000, seed: int = 0, level: float = 0.95,
) -> Interval:  # fmt: skip
    """Percentile interval of a measure over speakers drawn anew, as `emoset_cli.stats.speaker_bootstrap` does for UAR.

    Draws in which the measure does not exist are left out.

    Args:
        measure: a key of `MEASURES`
        truth: of each utterance
        prediction: likewise
        speakers: likewise, unique over all that is given
        repetitions: number of draws
        seed: of the draws
        level: confidence, above 0 and below 1

    Raises:
        EmosetError: as `ccc`
    """
    sums = _sums(truth, prediction)
    same_length(truth=sums, speakers=speakers)
    names = sorted(set(speakers))
    count = len(names)
    if count < 2:
        return Interval(None, None, "no interval: 1 speaker only")
    place = {name: index for index, name in enumerate(names)}
    of_speakers = np.zeros((count, sums.shape[1]))
    np.add.at(of_speakers, [place[name] for name in speakers], sums)
    values = MEASURES[measure](drawn_speakers(count, repetitions, seed) @ of_speakers)
    values = values[np.isfinite(values)]
    if not len(values):
        return Interval(None, None, "no interval: nothing varies")
    return percentiles(values, count, level)


def _one(measure: Callable[[np.ndarray], np.ndarray], truth: object, prediction: object) -> float | None:
    value = float(measure(_sums(truth, prediction).sum(axis=0, keepdims=True))[0])
    return value if np.isfinite(value) else None


def _sums(truth: object, prediction: object) -> np.ndarray:
    """1, x, y, x², y², xy, |x - y| and (x - y)² of each utterance, ``(utterances, 8)``, about the mean of the truth."""
    x, y = np.asarray(truth, float), np.asarray(prediction, float)
    same_length(truth=x, prediction=y)
    not_empty(len(x))
    x, y = x - (middle := x.mean()), y - middle  # large numbers that differ little lose no digits
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y, np.abs(x - y), (x - y) ** 2], axis=1)


def _moments(sums: np.ndarray) -> tuple[np.ndarray, ...]:
    """Means, variances (0 where rounding only) and covariance of rows of sums."""
    n, x, y, xx, yy, xy, _, _ = sums.T
    x_mean, y_mean = x / n, y / n
    variances = []
    for square, mean in ((xx / n, x_mean), (yy / n, y_mean)):
        variance = square - mean**2
        variances.append(np.where(variance > _ALIKE * (square + 1e-300), variance, 0.0))
    return x_mean, y_mean, *variances, xy / n - x_mean * y_mean


def _ccc(sums: np.ndarray) -> np.ndarray:
    x_mean, y_mean, x_variance, y_variance, _ = _moments(sums)
    apart = x_variance + y_variance + (x_mean - y_mean) ** 2
    error = sums[:, 7] / sums[:, 0]  # apart - 2 cov, without cancellation
    found = 1 - np.divide(error, apart, out=np.full_like(apart, np.nan), where=apart > 0)
    varies = (x_variance > 0) & (y_variance > 0)
    limited: np.ndarray = np.where(varies | ~np.isfinite(found), np.clip(found, -1.0, 1.0), 0.0)
    return limited


def _pearson(sums: np.ndarray) -> np.ndarray:
    _, _, x_variance, y_variance, covariance = _moments(sums)
    product = np.sqrt(x_variance * y_variance)
    found = np.divide(covariance, product, out=np.full_like(product, np.nan), where=product > 0)
    limited: np.ndarray = np.clip(found, -1.0, 1.0)
    return limited


def _rmse(sums: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.sqrt(sums[:, 7] / sums[:, 0])
    return found


def _mae(sums: np.ndarray) -> np.ndarray:
    found: np.ndarray = sums[:, 6] / sums[:, 0]
    return found


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    means: np.ndarray = ((last - count + 1 + last) / 2)[place]
    return means


MEASURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ccc": _ccc, "pearson": _pearson, "rmse": _rmse, "mae": _mae,
}  # fmt: skip
