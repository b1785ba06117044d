"""One fold of a baseline: standardise, choose on devel, refit on train + devel, score test; all of it one file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli import metrics
from emoset_cli.errors import unknown
from emoset_cli.files import write_bytes
from emoset_cli.partition import PARTITIONS, WITHIN
from emoset_cli.train import BASELINES, NORMALISE, wccn
from emoset_cli.train.repeat import repeated


@dataclass(frozen=True)
class Options:
    """What a user chooses of a baseline; everything here is part of the run's signature.

    ``wccn`` is the smoothing of the within-class covariance normalisation, None without it; ``repeat`` fills up the
    smaller corpora.
    """

    model: str = "svm"
    normalise: str = "train"
    class_weight: str | None = None
    seed: int = 0
    wccn: float | None = None
    repeat: bool = False

    def __post_init__(self) -> None:
        for kind, value, known in (
            ("model", self.model, BASELINES),
            ("normalisation", self.normalise, NORMALISE),
            ("class weight", self.class_weight or "none", ["none", "balanced"]),
        ):
            if value not in known:
                raise unknown(kind, value, known)
        if self.wccn is not None:
            wccn.check(self.wccn)

    @property
    def further(self) -> dict[str, Any]:
        """The options that are off by default, where they are on: a run without them keeps its signature."""
        return ({"wccn": self.wccn} if self.wccn is not None else {}) | ({"repeat": True} if self.repeat else {})


def standardise(
    features: np.ndarray, groups: np.ndarray, train: np.ndarray, how: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Zero mean and unit variance by group; what is fitted on is told by `NORMALISE`.

    Args:
        features: ``(utterances, features)``
        groups: number of each utterance's group, ``(utterances,)``
        train: whether an utterance is for training, ``(utterances,)``
        how: a key of `NORMALISE`

    Returns:
        mean and scale ``(groups, features)``, and the standardised features ``(utterances, features)``, float64
    """
    values = features.astype(np.float64)
    trained = np.isin(groups, groups[train])
    fit_on = np.ones(len(values), bool) if how == "speaker" else np.where(trained, train, True)
    mean = np.zeros((groups.max() + 1, values.shape[1]))
    scale = np.ones_like(mean)
    for group in range(len(mean)):
        own = values[(groups == group) & fit_on]
        mean[group], deviation = own.mean(axis=0), own.std(axis=0)
        scale[group] = np.where(deviation > 0, deviation, 1.0)  # a constant feature stays 0
    return mean, scale, (values - mean[groups]) / scale[groups]


def fit_fold(
    options: Options, features: np.ndarray, truth: np.ndarray, groups: np.ndarray, where: np.ndarray, path: Path,
    filled: np.ndarray | None,
) -> None:  # fmt: skip
    """Choose the setting on devel, refit on train + devel, score test, and write all of it as one file.

    Mean and scale stay those of train in the refit, as in the source; so does the projection of WCCN.
    """
    import safetensors.numpy

    train, devel, test, within = (where == part for part in (*PARTITIONS, WITHIN))
    mean, scale, values = standardise(features, groups, train, options.normalise)
    arrays = {"mean": mean, "scale": scale}
    taught, both = (_rows(mask, filled, options.seed) for mask in (train, train | devel))
    if options.wccn is not None:
        arrays["wccn"] = wccn.fit(values[taught], truth[taught], options.wccn)
        values = values @ arrays["wccn"]
    baseline = BASELINES[options.model].load()
    known = sorted(set(truth))
    tried = []
    best: tuple[float, dict[str, float], dict[str, Any]] | None = None
    for setting in baseline.GRID:
        model = baseline.fit(values[taught], truth[taught], setting, options.class_weight, options.seed)
        guess = winners(model["labels"], baseline.scores(model, values[devel]))
        reached = metrics.uar(truth[devel], guess, known)
        tried.append({**setting, "devel_uar": reached, "converged": model["converged"]})
        if best is None or reached > best[0]:
            best = (reached, setting, model)
    assert best is not None
    reached, setting, chosen = best
    final = baseline.fit(values[both], truth[both], setting, options.class_weight, options.seed)
    arrays["devel_scores"] = baseline.scores(chosen, values[devel])
    arrays["test_scores"] = baseline.scores(final, values[test])
    if within.any():
        arrays["within_scores"] = baseline.scores(final, values[within])
    arrays |= {f"model.{name}": np.ascontiguousarray(array) for name, array in final["arrays"].items()}
    facts = {"setting": setting, "devel_uar": reached, "tried": tried, "converged": final["converged"]}
    facts |= {"devel_labels": chosen["labels"], "labels": final["labels"]}
    write_bytes(path, safetensors.numpy.save(arrays, {"fold": json.dumps(facts)}))


def _rows(members: np.ndarray, filled: np.ndarray | None, seed: int) -> np.ndarray:
    """Numbers of the utterances to fit on, those of smaller groups repeated where there are groups to fill up."""
    rows = np.flatnonzero(members)
    return rows if filled is None else repeated(rows, filled[rows], np.random.default_rng(seed))


def winners(labels: list[str], scores: np.ndarray) -> np.ndarray:
    """The label with the highest score of each utterance."""
    names: np.ndarray = np.array(labels)[scores.argmax(axis=1)]
    return names


def read_fold(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the facts that `fit_fold` wrote."""
    import safetensors

    with safetensors.safe_open(path, "numpy") as file:
        return {name: file.get_tensor(name) for name in sorted(file.keys())}, json.loads(file.metadata()["fold"])
