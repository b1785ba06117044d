"""Decision values as probabilities: their softmax at a temperature that is fitted on devel, never on test."""

from collections.abc import Sequence

import numpy as np

_LOG_RANGE = -5.0, 5.0  # of the temperature's logarithm
_GOLDEN = (5**0.5 - 1) / 2
_STEPS = 40  # of golden section: the logarithm to 1e-7


def probabilities(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax of ``scores / temperature`` over the last axis; a score of -inf has probability 0.

    Example:
        >>> probabilities(np.array([[0.0, 0.0, -np.inf]]), 2.0).tolist()
        [[0.5, 0.5, 0.0]]
    """
    scaled = scores / temperature
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    result: np.ndarray = powers / powers.sum(axis=-1, keepdims=True)
    return result


def fitted_temperature(scores: np.ndarray, truth: Sequence[str], labels: Sequence[str]) -> float:
    """The temperature with the least mean negative log probability of the true label; 1 where there is nothing to fit.

    Args:
        scores: ``(utterances, labels)``
        truth: label of each utterance; those that are none of ``labels`` take no part
        labels: of the columns

    Source:
        Guo et al. 2017, On Calibration of Modern Neural Networks, section 4.2 (temperature scaling).
    """
    places = {label: place for place, label in enumerate(labels)}
    rows = [row for row, label in enumerate(truth) if label in places]
    if not rows or len(labels) < 2:
        return 1.0
    scores, at = scores[rows], np.array([places[truth[row]] for row in rows])

    def loss(log_temperature: float) -> float:
        shares = probabilities(scores, float(np.exp(log_temperature)))
        return float(-np.log(np.maximum(shares[np.arange(len(at)), at], 1e-300)).mean())

    low, high = _LOG_RANGE
    for _ in range(_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return float(np.exp((low + high) / 2))
