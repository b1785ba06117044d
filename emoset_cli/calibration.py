"""Calibration: whether a model that says 80 % is right in 80 % of such cases, and temperatures that bring it nearer.

A temperature is fitted on devel for each fold and head; it changes no prediction, only how sure the model is. Those of
a run lie beside it in ``calibration.json``.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from emoset_cli.errors import EmosetError
from emoset_cli.files import read_json, write_json
from emoset_cli.runs import Run
from emoset_cli.shared import checked_file, demand, read_checked, read_shared

BINS = 15  # Guo et al. 2017, section 5
FILE = "calibration.json"
_LOG_RANGE = -5.0, 5.0  # of the temperature's logarithm
_GOLDEN = (5**0.5 - 1) / 2
_STEPS = 40  # of golden section: the logarithm to 1e-7
_LEAST = 1e-38  # of float32: a probability of 0 counts as this; a forest says 0 where no tree says otherwise


class Bin(NamedTuple):
    """Utterances whose confidence is above ``low`` and at most ``high``; the shares are NaN where there are none."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def reliability(hits: np.ndarray, confidence: np.ndarray, bins: int = BINS) -> list[Bin]:
    """The bins of a reliability diagram: bin ``m`` of ``M`` holds confidences in ``((m - 1) / M, m / M]``.

    Args:
        hits: whether each prediction is right, ``(utterances,)``
        confidence: probability of each prediction, ``(utterances,)``
        bins: ``M``

    Source:
        Guo et al. 2017, eqs 1 and 2.
    """
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for number in range(bins):
        own = place == number
        count = int(own.sum())
        means = (float(values[own].mean()) if count else math.nan for values in (confidence, hits))
        found.append(Bin(number / bins, (number + 1) / bins, count, *means))
    return found


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """``ECE = sum over bins of n_m / n * |accuracy_m - confidence_m|``, in 0 to 1; 0 is calibrated.

    It depends on the number of bins, and with few utterances it is too large: by chance no bin is exact.

    Source:
        Naeini, Cooper and Hauskrecht 2015, section 3.1; Guo et al. 2017, eq 3.

    Example:
        Two bins: of 0.3 and 0.4 none is right (0.35 apart), of 0.9 and 0.7 one (0.3 apart).

        >>> hits = np.array([False, False, True, False])
        >>> round(expected_calibration_error(reliability(hits, np.array([0.3, 0.4, 0.9, 0.7]), bins=2)), 6)
        0.325
    """
    total = sum(one.n for one in bins)
    return sum(one.n / total * abs(one.accuracy - one.confidence) for one in bins if one.n)


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


def calibrated(shares: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities at a temperature: ``p ** (1 / T)``, made to sum to 1; above 1 it makes them less sure.

    That is the softmax of the logits over ``T``: their logarithms are the logits but for a constant.

    Source:
        Guo et al. 2017, eq 9.

    Example:
        >>> calibrated(np.array([[0.8, 0.2]]), 2.0).round(6).tolist()
        [[0.666667, 0.333333]]
    """
    return probabilities(logits_of(shares), temperature)


def logits_of(shares: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities, of 0 a very small one."""
    found: np.ndarray = np.log(np.maximum(shares, _LEAST))
    return found


def fitted_temperature(scores: np.ndarray, truth: Sequence[str], labels: Sequence[str]) -> float:
    """The temperature with the least mean negative log probability of the true label; 1 where there is nothing to fit.

    Args:
        scores: logits or decision values, ``(utterances, labels)``
        truth: label of each utterance; those that are none of ``labels`` take no part
        labels: of the columns

    Source:
        Guo et al. 2017, section 4.2 (temperature scaling).

    Example:
        Two of three are right at logits 0 and ln 4: at T = 2 the model says 2 / 3.

        >>> scores = np.array([[0.0, math.log(4)]] * 3)
        >>> round(fitted_temperature(scores, ["b", "a", "b"], ["a", "b"]), 4)
        2.0
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


def said(rows: Any) -> tuple[np.ndarray, list[str]]:
    """Logits (or decision values) of rows of one head, ``(utterances, labels)``, and their labels.

    Args:
        rows: of ``predictions.csv``; columns of other heads' labels are empty
    """
    import pandas as pd

    for prefix, reckon in (("probability_", logits_of), ("score_", np.asarray)):
        columns = [name for name in rows.columns if name.startswith(prefix)]
        numbers = rows[columns].apply(pd.to_numeric, errors="coerce")  # an empty column is read as texts
        own = numbers.loc[:, numbers.notna().all()]
        if columns:
            return reckon(own.to_numpy(float)), [name.removeprefix(prefix) for name in own.columns]
    return np.zeros((len(rows), 0)), []


def heads_of(run: Run) -> dict[str, str]:
    """The head of each corpus of a run's predictions; a baseline has one, but where it standardises corpora apart."""
    made = read_json(run.folder / "model.json")
    corpora = [str(key) for key in run.config["corpora"]]
    if "network" in made:
        alone = next(iter(made["heads"]))
        return {key: key if key in made["heads"] else alone for key in corpora}
    if made["normalise"] == "corpus":
        return {key: key for key in corpora}
    return dict.fromkeys(corpora, corpora[0] if len(corpora) == 1 else str(run.config["label_space"]))


def fit(run: Run) -> dict[str, dict[str, float]]:
    """Fold -> head -> temperature, fitted on the devel predictions that the training wrote.

    Raises:
        EmosetError: if the run holds no predictions, or has learnt no labels
    """
    table, heads = run.predictions(), heads_of(run)
    if table.empty:
        raise EmosetError(f"{run.name} has learnt no labels, only dimensions: there is nothing to calibrate",
                          "name a run with labels")  # fmt: skip
    devel = table[table["partition"] == "devel"]
    devel = devel.assign(head=devel["corpus"].map(heads))
    found: dict[str, dict[str, float]] = {}
    for fold in map(str, run.config["partition"]["folds"]):
        own = devel[devel["fold"] == fold]
        found[fold] = dict.fromkeys(heads.values(), 1.0)
        for head, rows in own.groupby("head"):
            scores, labels = said(rows)
            found[fold][str(head)] = fitted_temperature(scores, rows["truth"].tolist(), labels)
    return found


def file_of(run: Run) -> Path:
    """Where a run's temperatures lie; those of its final epoch apart."""
    return run.folder / (FILE.replace(".", "-final.") if run.final else FILE)


def write(run: Run, temperatures: Mapping[str, Mapping[str, float]]) -> Path:
    """Keep the temperatures of `fit` beside the run."""
    path = file_of(run)
    write_json(path, {"of": _of(run), "folds": {fold: dict(own) for fold, own in temperatures.items()}})
    return path


def _of(run: Run) -> str:
    """The digest of the predictions that temperatures were fitted on."""
    name = "predictions-final.csv" if run.final else "predictions.csv"
    return str(read_json(run.folder / "done.json")[name])


def read(run: Run) -> dict[str, dict[str, float]]:
    """Fold -> head -> temperature of a run or a shared model.

    Raises:
        EmosetError: if it was not calibrated, trained again since, or the file is damaged
    """
    mend = f"emoset calibrate {run.name}"
    if run.shared:
        listed = read_shared(run.folder)["files"]
        if FILE not in listed:
            raise EmosetError(f"{run.folder} was shared without temperatures", "share it again with --calibrated")
        path = checked_file(run.folder, FILE, listed[FILE])
    else:
        path = file_of(run)
        if not path.is_file():
            raise EmosetError(f"{run.name} is not calibrated: {path.name} is missing", mend)
    value = read_checked(path)
    if not run.shared and value.get("of") != _of(run):
        raise EmosetError(f"{path} is of another training than {run.name}", mend)
    folds: Any = value.get("folds")
    fine = isinstance(folds, dict) and all(isinstance(own, dict) for own in folds.values())
    demand(fine, path, "'folds' is no table of tables")
    temperatures = [one for own in folds.values() for one in own.values()]
    plain = all(isinstance(one, int | float) and 0 < one < 1e4 for one in temperatures)
    demand(plain, path, "a temperature is no number above 0")
    demand(set(run.config["partition"]["folds"]) <= set(folds), path, "it lacks temperatures of a fold")
    return {fold: {head: float(one) for head, one in own.items()} for fold, own in folds.items()}
