"""Repeat the training utterances of smaller corpora until each has as many as the largest."""

import numpy as np

from emoset_cli.partition import WITHIN


def repeated(rows: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The rows, those of smaller groups several times: whole times first, then a remainder drawn without replacement.

    Copies stand beside their original. How often a row of a group comes differs by one at most.

    Args:
        rows: numbers of utterances, ``(rows,)``
        groups: the group of each row, ``(rows,)``
        rng: of the draw

    Returns:
        numbers of utterances, ``(groups * largest,)``

    Source:
        Alisamir et al., section III (files copied at random until corpora are equal); 'End-to-end transfer learning for
        speaker-independent cross-language speech emotion recognition', sections 4.3 and 5.4.

    Example:
        >>> repeated(np.arange(5), np.array(["a", "a", "a", "a", "b"]), np.random.default_rng(0)).tolist()
        [0, 1, 2, 3, 4, 4, 4, 4]
    """
    names, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    times = (sizes.max(initial=0) // sizes)[number]
    for group in range(len(names)):
        remainder = sizes.max() % sizes[group]
        times[rng.choice(np.flatnonzero(number == group), remainder, replace=False)] += 1
    return np.repeat(rows, times)


def corpus_groups(corpora: np.ndarray, languages: np.ndarray, where: np.ndarray) -> np.ndarray:
    """The group of each utterance that `repeated` fills up: its corpus, or the language that a fold leaves out.

    Where a language is tested that is not trained on but for a few utterances, these are one group, whatever corpora
    they are of. Where the corpora that are tested are not trained on at all, their language says nothing.

    Args:
        corpora: of each utterance, ``(utterances,)``
        languages: of each utterance, ``(utterances,)``
        where: the fold's partition of each utterance, ``(utterances,)``
    """
    tested = where == "test"
    if not (where == WITHIN).any() or not np.isin(corpora[tested], corpora[where == "train"]).any():
        return corpora
    added = np.isin(languages, languages[tested])
    return np.where(added, np.char.add("language ", languages), corpora)
