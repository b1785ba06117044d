"""The arrays of a baseline's folds, checked: a stranger may have written them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emoset_cli import calibration
from emoset_cli.errors import EmosetError
from emoset_cli.runs import Run
from emoset_cli.shared import demand, read_checked
from emoset_cli.train import BASELINES
from emoset_cli.train.deep.made import run_file

WEIGHTS = "model.safetensors"
Temperatures = Mapping[str, Mapping[str, float]]  # fold -> head -> temperature


@dataclass(frozen=True)
class Fold:
    """A fold's arrays; ``mean`` and ``scale`` are ``(groups, features)``, ``labels`` those of its scores."""

    labels: list[str]
    mean: np.ndarray
    scale: np.ndarray
    wccn: np.ndarray | None
    model: dict[str, Any]
    temperatures: Mapping[str, float]


def read_described(run: Run) -> dict[str, Any]:
    """What ``model.json`` says of a baseline.

    Raises:
        EmosetError: if it is not as a training writes it
    """
    path = run_file(run, "model.json")
    made = read_checked(path)
    demand(made.get("model") in list(BASELINES), path, f"there is no model {str(made.get('model'))[:80]!r}")
    demand(made.get("normalise") in ("train", "corpus", "speaker"), path, "'normalise' is not as a training writes it")
    for name in ("groups", "columns"):
        fine = isinstance(made.get(name), list) and made[name] and all(isinstance(one, str) for one in made[name])
        demand(bool(fine), path, f"'{name}' is no list of texts")
    feature = made.get("feature")
    demand(isinstance(feature, dict) and isinstance(feature.get("feature"), str), path, "'feature' has no settings")
    folds = made.get("folds")
    fine = isinstance(folds, dict) and all(
        isinstance(one, dict) and _texts(one.get("labels")) for one in folds.values()
    )
    demand(fine, path, "'folds' tells no labels")
    return made


def _texts(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(isinstance(one, str) for one in value)


def read_folds(run: Run, made: Mapping[str, Any], folds: Sequence[str], temperatures: Temperatures) -> list[Fold]:
    """The models of some folds; decision values always have temperatures, probabilities those that are given.

    Raises:
        EmosetError: if the file is missing or damaged
    """
    import safetensors

    if BASELINES[made["model"]].load().PREFIX == "score_":
        temperatures = calibration.read(run) if run.shared else calibration.fit(run)
    path = run_file(run, WEIGHTS)
    damaged = EmosetError(f"{path} is damaged or not of this run", run.again)
    found = []
    try:
        with safetensors.safe_open(path, "numpy") as file:
            names = sorted(file.keys())
            for fold in folds:
                own = {n.removeprefix(f"{fold}/"): file.get_tensor(n) for n in names if n.startswith(f"{fold}/")}
                labels = [str(label) for label in made["folds"][fold]["labels"]]
                arrays = {n.removeprefix("model."): own[n] for n in own if n.startswith("model.")}
                one = Fold(
                    labels, own["mean"], own["scale"], own.get("wccn"), {"arrays": arrays}, temperatures.get(fold, {})
                )
                if not _fits(one, made):
                    raise damaged
                found.append(one)
    except (safetensors.SafetensorError, KeyError, ValueError):
        raise damaged from None
    return found


def _fits(fold: Fold, made: Mapping[str, Any]) -> bool:
    """Whether all shapes belong together, all numbers are some, and trees lead down."""
    arrays, wide, count = fold.model["arrays"], len(made["columns"]), len(fold.labels)
    groups = (len(made["groups"]), wide)
    fine = fold.mean.shape == groups and fold.scale.shape == groups
    fine = fine and (fold.wccn is None or fold.wccn.shape == (wide, wide))
    every = [fold.mean, fold.scale, *([] if fold.wccn is None else [fold.wccn]), *arrays.values()]
    fine = fine and all(np.issubdtype(one.dtype, np.number) and bool(np.isfinite(one).all()) for one in every)
    if made["model"] == "svm":
        return fine and arrays["coef"].shape == (count, wide) and arrays["intercept"].shape == (count,)
    return fine and _trees_fit(arrays, wide, count)


def _trees_fit(arrays: Mapping[str, np.ndarray], wide: int, count: int) -> bool:
    """Whether a forest's trees lie end to end, and each node's children behind it in its own tree."""
    names = ("start", "feature", "left", "right")
    nodes = len(arrays["left"])
    if arrays["share"].shape != (nodes, count) or arrays["threshold"].shape != (nodes,) or not len(arrays["start"]):
        return False
    if any(arrays[name].ndim != 1 or not np.issubdtype(arrays[name].dtype, np.integer) for name in names):
        return False
    start, feature = arrays["start"], arrays["feature"]
    if any(len(arrays[name]) != nodes for name in names[1:]) or start[0] or (np.diff(start) <= 0).any():
        return False
    if start[-1] >= nodes or feature.max() >= wide:
        return False
    tree = np.searchsorted(start, np.arange(nodes), side="right") - 1
    own = np.arange(nodes) - start[tree]  # number of a node in its tree
    sizes = np.diff([*start, nodes])[tree]
    inner = arrays["left"] >= 0
    return all(bool(((arrays[way] > own) & (arrays[way] < sizes))[inner].all()) for way in ("left", "right"))
