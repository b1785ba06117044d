"""Deal speakers into groups of given shares that are alike in size, labels and gender."""

from typing import Any

import numpy as np

_CANDIDATES = 4000  # random assignments of speakers among which the most balanced is taken


def speaker_features(utterances: Any, speakers: list[str], labels: bool = True) -> np.ndarray:
    """What shall be balanced, per speaker: size first, then utterances of each label, then speakers of each gender.

    Shape: ``(speakers, features)``; the size is utterances, or 1 for each speaker without ``labels``.
    """
    import pandas as pd

    gender = dict(zip(utterances["speaker"], utterances["gender"], strict=True))
    columns = [[float(gender[speaker] == value) for speaker in speakers] for value in sorted(set(gender.values()))]
    if not labels:
        return np.array([[1.0] * len(speakers), *columns]).T
    counts = pd.crosstab(utterances["speaker"], utterances["label"]).loc[speakers].to_numpy(float)
    return np.column_stack([counts.sum(axis=1), counts, *columns])


def deal(features: np.ndarray, shares: tuple[float, ...], seed: int) -> np.ndarray:
    """Deal speakers into groups of the given shares, every feature as near its share as random search finds.

    Candidates are random orders of the speakers cut where the running size passes the shares; each group gets at
    least one speaker. The best by squared relative deviation is taken, a group without a label costing most.

    Returns:
        group number of each speaker, shape ``(speakers,)``
    """
    rng = np.random.default_rng(seed)
    count, groups = len(features), len(shares)
    orders = rng.permuted(np.tile(np.arange(count), (_CANDIDATES, 1)), axis=1)  # (candidates, speakers)
    sizes = np.cumsum(features[orders, 0], axis=1)
    middle = (sizes - features[orders, 0] / 2) / sizes[:, -1:]  # where the middle of each speaker falls, 0 to 1
    ranked = np.searchsorted(np.cumsum(shares)[:-1], middle)
    # At least one speaker a group: group g cannot start before position g nor leave too few for the later ones.
    position = np.arange(count)
    ranked = np.clip(ranked, np.maximum(0, groups - (count - position)), np.minimum(groups - 1, position))
    ranked = _without_gaps(ranked)
    assigned = np.empty_like(ranked)
    np.put_along_axis(assigned, orders, ranked, axis=1)
    total = features.sum(axis=0)
    cost = np.zeros(_CANDIDATES)
    for group, share in enumerate(shares):
        got = (assigned == group).astype(float) @ features  # (candidates, features)
        cost += (((got - share * total) / (share * total + 1e-9)) ** 2).sum(axis=1) + 10 * (got[:, 1:] == 0).sum(axis=1)
    best: np.ndarray = assigned[int(cost.argmin())]
    return best


def _without_gaps(ranked: np.ndarray) -> np.ndarray:
    """Make each row of group numbers rise by at most one at a time, so that no group is skipped."""
    for column in range(1, ranked.shape[1]):
        ranked[:, column] = np.minimum(ranked[:, column], ranked[:, column - 1] + 1)
    ranked[:, 0] = 0
    return ranked
