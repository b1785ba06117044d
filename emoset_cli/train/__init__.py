"""Training: data of a task, the baselines, and (fold by fold, resumably) a run folder from both."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Baseline:
    """A classifier of functionals: its module and what it is called in tables.

    The module has ``GRID`` (settings to choose from on devel, best first among equals), ``PREFIX`` of its columns in
    ``predictions.csv``, ``fit(features, labels, setting, class_weight, seed) -> arrays`` and
    ``scores(arrays, features) -> (utterances, labels)``.
    """

    module: str
    title: str

    def load(self) -> Any:
        """The module, imported only when it is used."""
        return import_module(self.module)


BASELINES: dict[str, Baseline] = {
    "svm": Baseline("emoset_cli.train.svm", "linear SVM"),
    "forest": Baseline("emoset_cli.train.forest", "random forest"),
}
NORMALISE = {
    "train": "mean and sd of all training utterances (EmoNet's recipe)",
    "corpus": "each corpus by its own training utterances; a corpus that is not trained on by all of its utterances",
    "speaker": "each speaker by all of their own utterances, test speakers too (no labels are used)",
}
Fit = Callable[..., dict[str, Any]]
