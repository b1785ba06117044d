"""Utterances of smaller corpora repeated until all corpora have as many."""

import numpy as np


def repeated(rows: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rows, those of smaller groups repeated until each group has as many as the largest.

    A group is repeated whole as often as it fits; the rest is drawn from it at random, no row twice.

    Args:
        rows: ``(rows,)``, of any kind
        groups: the group of each row, for example its corpus, ``(rows,)``
        rng: draws the remainders

    Source:
        Alisamir et al. 2022, section III-D; the Deep-WCCN paper, section 4.3.
    """
    names, codes = np.unique(groups, return_inverse=True)
    most = int(np.bincount(codes).max(initial=0))
    parts = [rows[:0]]
    for code in range(len(names)):
        own = rows[codes == code]
        times, rest = divmod(most, len(own))
        parts += [np.tile(own, times), rng.choice(own, rest, replace=False)]
    return np.concatenate(parts)
