"""Linear probes: what can still be read from a network's embedding, by a classifier that is fitted afterwards.

A head that the network was trained with may be weak, or fooled; a probe asks what is there. It is logistic regression
on standardised embeddings: what it finds, a linear layer can use; what it does not find may still be there.

Source:
    Alain and Bengio 2016, Understanding intermediate layers using linear classifier probes.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from emoset_cli import metrics, stats

ATTRIBUTES = ("corpus", "gender", "speaker", "language", "label")
GRID = (0.0001, 0.001, 0.01, 0.1, 1.0)  # 1 / regularisation; the best on devel, of equal ones the smallest
_WITHOUT_DEVEL = 0.1
PARTS = 5  # of the utterances of each speaker, for the attribute speaker
_ITERATIONS = 500
Part = tuple[np.ndarray, Sequence[str], Sequence[str]]  # embeddings, the attribute of each utterance, its speaker


def held_out(train: Part, devel: Part, test: Part) -> dict[str, Any]:
    """How well an attribute is read from the embeddings of speakers that the probe was not fitted to.

    Fitted on train, with the regularisation that is best on devel, scored on test. Utterances whose attribute is not
    known ("") are left out, and so are those of test whose attribute does not occur in train.

    Args:
        train: embeddings ``(utterances, width)`` with attribute and speaker of each
        devel: the same
        test: the same; where all speakers are known, the interval is over them

    Returns:
        ``n``, ``n_unknown`` (of test, both), ``classes``, ``chance``, ``majority`` (share of the commonest class),
        ``uar`` with its interval, ``wa``, ``C``, ``converged`` and ``note``; the scores are None where there is nothing
        to read, and the note says why
    """
    (x, y), (x_devel, y_devel) = _known(train), _known(devel)
    classes = sorted(set(y))
    (x_test, y_test), kept = _known(test, classes), np.array([name in classes for name in test[1]], bool)
    facts = _facts(y_test, len(test[1]), classes, len(set(y)))
    if facts["note"]:
        return facts
    place, inside = _scaler(x), [name in classes for name in y_devel]
    best, fits = _WITHOUT_DEVEL, {}
    if any(inside):
        truth = [name for name, known in zip(y_devel, inside, strict=True) if known]
        fits = {C: _fit(place(x), y, C) for C in GRID}
        seen = place(x_devel[np.array(inside)])
        best = max(GRID, key=lambda C: (metrics.uar(truth, fits[C].predict(seen), classes), -C))
    probe = fits.get(best) or _fit(place(x), y, best)
    said = probe.predict(place(x_test)).tolist()
    speakers = [name for name, known in zip(test[2], kept, strict=True) if known]
    return facts | _scores(y_test, said, classes, speakers) | {"C": best, "converged": _converged([probe])}


def within(devel: Part, test: Part, seed: int = 0) -> dict[str, Any]:
    """How well speakers are told apart by embeddings: fitted and scored on other utterances of the same test speakers.

    The utterances of each speaker are dealt into `PARTS` parts at random; each part is predicted by a probe fitted on
    the others. The regularisation is the one that does best so on the speakers of devel. Speakers of fewer utterances
    than parts are left out, and counted as unknown.

    Args:
        devel: as of `held_out`; the attribute is the speaker
        test: the same
        seed: of the parts

    Returns:
        as `held_out`, without an interval: there are no speakers left to draw
    """
    x, y = _frequent(test)
    classes = sorted(set(y))
    facts = _facts(y, len(test[1]), classes, len(classes))
    if facts["note"]:
        return facts
    x_devel, y_devel = _frequent(devel)
    best = _WITHOUT_DEVEL
    if len(set(y_devel)) > 1:
        names = sorted(set(y_devel))
        uars = {C: metrics.uar(y_devel, _dealt(x_devel, y_devel, C, seed)[0], names) for C in GRID}
        best = max(GRID, key=lambda C: (uars[C], -C))
    said, probes = _dealt(x, y, best, seed)
    found = _scores(y, said, classes, [])
    found["uar"]["note"] = "no interval: the speakers are the classes"
    return facts | found | {"C": best, "converged": _converged(probes)}


def _known(part: Part, classes: Iterable[str] | None = None) -> tuple[np.ndarray, list[str]]:
    """Embeddings and attributes of the utterances whose attribute is known, or is one of ``classes``."""
    values, names, _ = part
    allowed = set(names) - {""} if classes is None else set(classes)
    kept = [name in allowed for name in names]
    return values[np.array(kept, bool)], [name for name, known in zip(names, kept, strict=True) if known]


def _frequent(part: Part) -> tuple[np.ndarray, list[str]]:
    """Embeddings and names of the speakers that have an utterance for each part."""
    counts = Counter(part[1])
    return _known(part, [name for name, count in counts.items() if name and count >= PARTS])


def _facts(names: Sequence[str], total: int, classes: Sequence[str], fitted: int) -> dict[str, Any]:
    """Counts, and why there is nothing to read, if so."""
    note = ""
    if fitted < 2 or not names:
        note = f"one value only: {classes[0]}" if fitted == 1 else "nothing is known"
    if not note and len(set(names)) == 1:
        note = f"one value only in test: {names[0]}"
    counts = Counter(names)
    return {
        "n": len(names), "n_unknown": total - len(names), "classes": len(counts),
        "chance": metrics.chance(sorted(counts)) if counts else None,
        "majority": max(counts.values()) / len(names) if counts else None,
        "uar": None, "wa": None, "C": None, "converged": None, "note": note,
    }  # fmt: skip


def _scaler(values: np.ndarray) -> Any:
    """Takes the mean of ``values`` away and divides by their deviation; a dimension that never changes is left at 0."""
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit(values.astype(np.float64)).transform


def _fit(values: np.ndarray, names: Sequence[str], C: float) -> Any:
    """Multinomial logistic regression, on standardised values."""
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings(action="ignore"):  # that it did not converge is told with the result
        return LogisticRegression(C=C, max_iter=_ITERATIONS).fit(values, np.array(names, str))


def _converged(probes: Sequence[Any]) -> bool:
    return all(int(probe.n_iter_.max()) < _ITERATIONS for probe in probes)


def _dealt(values: np.ndarray, names: Sequence[str], C: float, seed: int) -> tuple[list[str], list[Any]]:
    """What probes fitted on the other parts say of each part, and the probes."""
    from sklearn.model_selection import StratifiedKFold

    said, probes = np.empty(len(names), object), []
    words = np.array(names, str)
    for rest, part in StratifiedKFold(PARTS, shuffle=True, random_state=seed).split(values, words):
        place = _scaler(values[rest])
        probes.append(_fit(place(values[rest]), words[rest].tolist(), C))
        said[part] = probes[-1].predict(place(values[part]))
    return [str(word) for word in said], probes


def _scores(truth: list[str], said: list[str], classes: list[str], speakers: list[str]) -> dict[str, Any]:
    """UAR, with its interval over the speakers where all are known, and accuracy."""
    note = "no interval: the speakers are not known"
    interval = stats.Interval(None, None, note)
    if speakers and all(speakers):
        interval = stats.speaker_bootstrap(truth, said, speakers, classes)
    value = metrics.uar(truth, said, classes)
    uar = {"value": value, "low": interval.low, "high": interval.high, "note": interval.note}
    return {"uar": uar, "wa": metrics.wa(truth, said, classes)}
