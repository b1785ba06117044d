"""Random forest of 100 trees of depth 5, the baseline of the Deep-WCCN study, kept as plain arrays."""

from typing import Any

import numpy as np

PREFIX = "probability_"
GRID: list[dict[str, float]] = [{"trees": 100, "depth": 5}]  # nothing to choose: as published


def fit(
    features: np.ndarray, labels: np.ndarray, setting: dict[str, float], class_weight: str | None, seed: int
) -> dict[str, Any]:
    """Fit; answer the nodes of all trees end to end (``start`` tells where each tree begins) and ``labels``.

    Shapes: ``feature``, ``threshold``, ``left``, ``right`` ``(nodes,)``; ``share`` ``(nodes, labels)``.
    """
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(
        int(setting["trees"]), max_depth=int(setting["depth"]), class_weight=class_weight, random_state=seed
    )
    trees = [tree.tree_ for tree in model.fit(features, labels).estimators_]
    share = np.concatenate([tree.value[:, 0, :] for tree in trees])
    arrays = {
        "start": np.cumsum([0] + [tree.node_count for tree in trees[:-1]]),
        "feature": np.concatenate([tree.feature for tree in trees]),
        "threshold": np.concatenate([tree.threshold for tree in trees]),
        "left": np.concatenate([tree.children_left for tree in trees]),
        "right": np.concatenate([tree.children_right for tree in trees]),
        "share": share / share.sum(axis=1, keepdims=True),
    }
    return {"labels": [str(label) for label in model.classes_], "arrays": arrays, "converged": True}


def scores(model: dict[str, Any], features: np.ndarray) -> np.ndarray:
    """Probabilities: the mean over trees of the label shares in the leaf, shape ``(utterances, labels)``."""
    arrays = model["arrays"]
    rows = np.arange(len(features))
    values = features.astype(np.float32)  # as scikit-learn compares
    total = np.zeros((len(features), arrays["share"].shape[1]))
    for start in arrays["start"]:
        node = np.zeros(len(features), np.int64)
        while True:
            at = start + node
            inner = arrays["left"][at] >= 0  # a leaf has children -1
            if not inner.any():
                break
            goes_left = values[rows, np.maximum(arrays["feature"][at], 0)] <= arrays["threshold"][at]
            node = np.where(inner, np.where(goes_left, arrays["left"][at], arrays["right"][at]), node)
        total += arrays["share"][start + node]
    return total / len(arrays["start"])
