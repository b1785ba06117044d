"""Training: data of a task, the baselines, and (fold by fold, resumably) a run folder from both."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Baseline:
    """A classifier of functionals: its module and the help of its command.

    The module has ``GRID`` (settings to choose from on devel, best first among equals), ``PREFIX`` of its columns in
    ``predictions.csv``, ``fit(features, labels, setting, class_weight, seed) -> arrays`` and
    ``scores(arrays, features) -> (utterances, labels)``.
    """

    module: str
    help: str

    def load(self) -> Any:
        """The module, imported only when it is used."""
        return import_module(self.module)


BASELINES: dict[str, Baseline] = {
    "svm": Baseline(
        "emoset_cli.train.svm",
        "Train linear SVMs on functionals, a run for each corpus; write run folders.\n\n"
        "EmoNet's baseline: standardise, choose C from 1 to 1e-9 by devel UAR, refit on train + devel, predict test "
        "once.\n\nExample: emoset train svm -t emodb,ravdess --partition loso --normalise speaker",
    ),
    "forest": Baseline(
        "emoset_cli.train.forest",
        "Train random forests (100 trees, depth 5) on functionals, a run for each corpus; write run folders.\n\n"
        "Example: emoset train forest -t emodb --feature emobase",
    ),
}
NORMALISE = {
    "train": "mean and sd of all training utterances (EmoNet's recipe)",
    "corpus": "each corpus by its own training utterances; a corpus that is not trained on by all of its utterances",
    "speaker": "each speaker by all of their own utterances, test speakers too (no labels are used)",
}
