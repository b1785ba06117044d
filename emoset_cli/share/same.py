"""The check of a shared model: opened as a stranger would, it says what the run says."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emoset_cli.errors import EmosetError
from emoset_cli.models.layers.dimensions import dimensions_of
from emoset_cli.predict.stored import read_described, read_folds
from emoset_cli.runs import Run
from emoset_cli.share.folder import TOLERANCE
from emoset_cli.share.probes import batch_of, probes
from emoset_cli.train.deep.device import computing
from emoset_cli.train.deep.use import Network, open_network


def check_same(run: Run, shared: Run, workspace: Path, folds: Sequence[str]) -> dict[str, Any]:
    """Compare the probabilities of both on recordings, through each head of each fold, on the CPU.

    Returns:
        ``difference`` (the largest of any probability), ``on`` what, how many ``probes``

    Raises:
        EmosetError: if the shared model cannot be opened, or differs by more than `TOLERANCE`
    """
    largest, what, count = 0.0, "", 0
    for fold in folds:
        ours, theirs = open_network(run, fold, "cpu"), open_network(shared, fold, "cpu")
        some, what = probes(run, workspace, ours.made, fold)
        count = len(some)
        for head in ours.made["heads"]:
            pairs = [(said(ours, [one], head), said(theirs, [one], head)) for one in some]
            largest = max(largest, *(float(np.abs(a - b).max()) for a, b in pairs))
    if not largest <= TOLERANCE:
        raise EmosetError(
            f"the shared model differs from {run.name} by {largest:.2g} in a probability, more than {TOLERANCE:g}",
            "this is a fault of emoset: report it with the run's config.yaml",
        )
    return {"difference": largest, "on": what, "probes": count}


def check_same_arrays(run: Run, shared: Run, folds: Sequence[str]) -> dict[str, Any]:
    """As `check_same`, of a baseline: its arrays and temperatures must be the same numbers.

    Raises:
        EmosetError: if the shared model cannot be opened
    """
    pairs = [read_folds(one, read_described(one), folds, {}) for one in (run, shared)]
    for ours, theirs in zip(*pairs, strict=True):
        same = ours.labels == theirs.labels and dict(ours.temperatures) == dict(theirs.temperatures)
        for name, array in ours.model["arrays"].items():
            same = same and np.array_equal(array, theirs.model["arrays"][name])
        assert same and np.array_equal(ours.mean, theirs.mean), "a copied file is another one"
    return {"difference": 0.0, "on": "arrays", "probes": sum(len(one.model["arrays"]) for one in pairs[0])}


@torch.no_grad()
def said(network: Network, some: list[np.ndarray], head: str) -> np.ndarray:
    """Probabilities of one batch of probes and behind them its dimensions, ``(probes, labels + dimensions)``."""
    batch, lengths = batch_of(some)
    with computing(network.device, network.made["precision"]):
        if (regression := dimensions_of(network.model)) is None:
            logits, values = network.model(torch.from_numpy(batch), torch.from_numpy(lengths), head), None
        else:
            embedding = network.model.embed(torch.from_numpy(batch), torch.from_numpy(lengths), head)
            logits, values = network.model.classify(embedding, head), regression(embedding, head)
    shares = logits.float().softmax(1)
    found: np.ndarray = (shares if values is None else torch.cat([shares, values], 1)).numpy()
    return found
