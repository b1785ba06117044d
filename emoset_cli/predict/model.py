"""A finished run as something that predicts: which heads it has, what hears with it, and how that is put together."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from emoset_cli import calibration
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.models import MODELS
from emoset_cli.predict.baselines import BaselineModel, baseline_heads
from emoset_cli.predict.heads import chosen_heads
from emoset_cli.predict.networks import NetworkModel, network_heads
from emoset_cli.predict.windows import Piece
from emoset_cli.runs import Run


class Model(Protocol):
    """What predicts.

    ``heads`` holds the labels of each head that was chosen, ``dimensions`` low and high of its dimensional labels where
    it has some (head -> dimension -> both); ``together`` is how many pieces it likes to hear at once; with ``speakers``
    it must know whose recordings are whose; ``notes`` are for the user.
    """

    heads: dict[str, list[str]]
    dimensions: dict[str, dict[str, tuple[float, float]]]
    together: int
    speakers: bool
    notes: list[str]

    def heard(self, batches: Iterable[list[Piece]], many: bool) -> Iterator[tuple[list[Piece], np.ndarray]]:
        """Something about each piece, ``(pieces, width)``, from which `said` tells the rest; NaN of what is mute.

        Batches may come back in another order.
        """

    def said(
        self, values: np.ndarray, others: np.ndarray | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Probabilities and, where the model has some, scores and dimensions by head, from what was heard."""


def open_model(
    run: Run, asked: Sequence[str] = (), fold: str = "", weights: str = "", device: str = "auto", workers: int = 0,
    calibrated: bool = False,
) -> Model:  # fmt: skip
    """Open a run for predicting.

    Args:
        run: any finished one; ``RUN:final`` for a network's last epoch
        asked: corpora or heads; all where none is named
        fold: of the run; all of them where none is named
        weights: where those of its features lie, see `emoset_cli.predict.extractor.recipe_for`
        device: auto, cpu or cuda
        workers: cores to use, 0 for all
        calibrated: with the temperatures of the run

    Raises:
        EmosetError: for unknown names, a run that cannot be opened here, or that was not calibrated
    """
    network = run.config["model"] in MODELS
    heads = chosen_heads(run.name, network_heads(run) if network else baseline_heads(run), asked)
    folds = [str(name) for name in run.config["partition"]["folds"]]
    if fold and fold not in folds:
        raise unknown(f"fold of {run.name}", fold, folds)
    make: Any = NetworkModel if network else BaselineModel
    if network and weights and not run.config["feature_settings"].get("package"):
        raise EmosetError(f"{run.name} hears waveforms and needs no weights of features", "leave --weights out")
    model: Model = make(run, heads, [fold] if fold else folds, weights, device, workers,
                        calibration.read(run) if calibrated else {})  # fmt: skip
    return model
