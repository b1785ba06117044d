"""Linear SVM, EmoNet's baseline classifier: one-vs-rest, squared hinge loss, complexity C chosen on devel."""

import warnings
from typing import Any

import numpy as np

PREFIX = "score_"  # decision values: distances to the label's plane, no probabilities
# Gerczuk et al. 2021, section 4.1: "on a logarithmic scale from 1 to 10^-9".
GRID: list[dict[str, float]] = [{"C": 10.0**-power} for power in range(10)]


def fit(
    features: np.ndarray, labels: np.ndarray, setting: dict[str, float], class_weight: str | None, seed: int
) -> dict[str, Any]:
    """Fit on standardised features; answer plain arrays: ``coef`` (labels, features), ``intercept`` and ``labels``.

    Args:
        features: ``(utterances, features)``
        labels: ``(utterances,)`` strings, at least two different ones
        setting: an entry of `GRID`
        class_weight: "balanced" weighs labels inversely to their frequency
        seed: of liblinear's dual solver (used where there are more features than utterances)
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    dual = features.shape[0] <= features.shape[1]
    model = LinearSVC(C=setting["C"], dual=dual, class_weight=class_weight, random_state=seed, max_iter=10_000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(features, labels)
    coef, intercept = model.coef_, model.intercept_
    if len(model.classes_) == 2:  # scikit-learn keeps one plane for two labels
        coef, intercept = np.vstack([-coef, coef]), np.concatenate([-intercept, intercept])
    return {
        "labels": [str(label) for label in model.classes_],
        "arrays": {"coef": coef, "intercept": intercept},
        "converged": not any(issubclass(warning.category, ConvergenceWarning) for warning in caught),
    }


def scores(model: dict[str, Any], features: np.ndarray) -> np.ndarray:
    """Decision values, shape ``(utterances, labels)``."""
    result: np.ndarray = features @ model["arrays"]["coef"].T + model["arrays"]["intercept"]
    return result
