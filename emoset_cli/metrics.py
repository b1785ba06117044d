"""What a set of predictions scores: UAR, WA, macro F1, recall of each label and the confusion matrix.

Everywhere ``truth`` and ``prediction`` hold one label an utterance in the same order, and ``labels`` are those of
the corpus. A prediction outside ``labels`` is an error and counts against the recall of its truth. A label that
does not occur in the truth has no recall and takes no part in a mean.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from emoset_cli.errors import EmosetError

OUTSIDE = -1  # code of a prediction that is none of the labels


def confusion(truth: Iterable[str], prediction: Iterable[str], labels: Sequence[str]) -> np.ndarray:
    """Counts of each truth and prediction, int64.

    Rows are truths, columns predictions, both in the order of ``labels``. There is one column more than rows: the
    last counts predictions outside ``labels``, so that a row always sums to the utterances of its label.

    Shape:
        ``(labels, labels + 1)``

    Raises:
        EmosetError: if there are no utterances, a truth is none of ``labels`` or the lengths differ

    Example:
        >>> confusion(["anger", "anger", "sadness"], ["anger", "neutral", "sadness"], ["anger", "sadness"]).tolist()
        [[1, 0, 1], [0, 1, 0]]
    """
    truth_codes = truths(truth, labels)
    prediction_codes = codes(prediction, labels)
    same_length(truth=truth_codes, prediction=prediction_codes)
    columns = len(labels) + 1
    cells = truth_codes * columns + prediction_codes % columns  # OUTSIDE is the last column
    return np.bincount(cells, minlength=len(labels) * columns).reshape(len(labels), columns).astype(np.int64)


def recalls(
    truth: Iterable[str], prediction: Iterable[str], labels: Sequence[str]
) -> dict[str, tuple[float | None, int]]:
    """Recall and number of utterances of each label; the recall is None where the label does not occur.

    Raises:
        EmosetError: as `confusion`

    Example:
        >>> recalls(["anger", "anger"], ["anger", "sadness"], ["anger", "sadness"])
        {'anger': (0.5, 2), 'sadness': (None, 0)}
    """
    counts = confusion(truth, prediction, labels)
    hits, support = counts.diagonal().tolist(), counts.sum(axis=1).tolist()
    return {label: (hit / n if n else None, n) for label, hit, n in zip(labels, hits, support, strict=True)}


def uar(truth: Iterable[str], prediction: Iterable[str], labels: Sequence[str]) -> float:
    """Unweighted average recall: mean recall over the labels that occur in the truth, in [0, 1].

    Tools differ here. scikit-learn's balanced accuracy agrees with ours; a mean over the labels of truth *and*
    prediction gives 0.5 in the example, and one that drops predictions outside ``labels`` gives 1.0.

    Raises:
        EmosetError: as `confusion`

    Example:
        >>> truth = ["anger", "anger", "sadness", "sadness"]
        >>> uar(truth, ["anger", "neutral", "sadness", "sadness"], ["anger", "sadness"])
        0.75
    """
    counts = confusion(truth, prediction, labels)
    support = counts.sum(axis=1)
    occurs = support > 0
    return float((counts.diagonal()[occurs] / support[occurs]).mean())


def wa(truth: Iterable[str], prediction: Iterable[str], labels: Sequence[str]) -> float:
    """Weighted accuracy: share of correct utterances, in [0, 1]; in words "accuracy".

    Raises:
        EmosetError: as `confusion`

    Example:
        >>> wa(["anger", "anger", "anger", "sadness"], ["anger"] * 4, ["anger", "sadness"])
        0.75
    """
    counts = confusion(truth, prediction, labels)
    return float(counts.trace() / counts.sum())


def macro_f1(truth: Iterable[str], prediction: Iterable[str], labels: Sequence[str]) -> float:
    """Mean F1 over the labels that occur in the truth, in [0, 1].

    F1 of a label is ``2 * hits / (truths + predictions)`` of that label, hence 0 where it is never predicted. A
    prediction of a label that does not occur, or of none of ``labels``, lowers the F1 of its truth only. Equals
    scikit-learn's ``f1_score(labels=occurring, average="macro", zero_division=0)``.

    Raises:
        EmosetError: as `confusion`

    Example:
        >>> macro_f1(["anger", "anger", "sadness"], ["anger", "sadness", "sadness"], ["anger", "sadness", "joy"])
        0.6666666666666666
    """
    counts = confusion(truth, prediction, labels)
    support, predicted = counts.sum(axis=1), counts[:, :-1].sum(axis=0)
    occurs = support > 0
    return float((2 * counts.diagonal()[occurs] / (support + predicted)[occurs]).mean())


def chance(labels: Sequence[str]) -> float:
    """UAR of guessing without looking: 1 / number of labels, whatever their counts. Give the labels that occur.

    Example:
        >>> chance(["anger", "neutral", "sadness", "joy"])
        0.25
    """
    assert len(labels) > 0, "chance of no labels"
    return 1 / len(labels)


METRICS: dict[str, Callable[[Iterable[str], Iterable[str], Sequence[str]], float]] = {
    "uar": uar,
    "wa": wa,
    "f1": macro_f1,
}


def codes(values: Iterable[str], labels: Sequence[str]) -> np.ndarray:
    """Position of each value in ``labels``, `OUTSIDE` where it is none of them.

    Example:
        >>> codes(["sadness", "anger", "boredom"], ["anger", "sadness"]).tolist()
        [1, 0, -1]
    """
    position = {str(label): index for index, label in enumerate(labels)}
    assert len(position) == len(labels), f"a label twice: {list(labels)}"
    # A look-up a value: sorting 100,000 strings, as np.unique does, takes several times as long.
    return np.array([position.get(value, OUTSIDE) for value in _plain(values)], dtype=np.int64)


def truths(values: Iterable[str], labels: Sequence[str]) -> np.ndarray:
    """`codes` of the truth of at least one utterance.

    Raises:
        EmosetError: if there are none, or one is none of ``labels``
    """
    values = _plain(values)
    found = codes(values, labels)
    not_empty(len(found))
    if found.min() == OUTSIDE:
        value = values[int(found.argmin())]
        raise EmosetError(
            f"truth holds '{value}', which is no label of {', '.join(map(str, labels)) or '(no labels)'}",
            "score with the labels the run was trained on, or train again with --force",
        )
    return found


def same_length(**columns: Sequence | np.ndarray) -> None:
    """Refuse columns of different lengths: they cannot belong to the same utterances.

    Raises:
        EmosetError: names each column and its length
    """
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise EmosetError(f"lengths differ: {lengths}", "give one value an utterance, in the same order")


def not_empty(n: int) -> None:
    """Refuse to score no utterances.

    Raises:
        EmosetError: if ``n`` is 0
    """
    if n == 0:
        raise EmosetError("there are no utterances to score", "check that the partition holds utterances of the corpus")


def _plain(values: Iterable[str]) -> list[str]:
    """A list: arrays and pandas columns give their strings one by one only slowly."""
    tolist = getattr(values, "tolist", None)
    return tolist() if tolist else list(values)
