"""The embeddings of a finished run's own utterances, each through its corpus's path, with what was predicted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli.errors import EmosetError
from emoset_cli.runs import Run
from emoset_cli.train.deep.members import heads_of, members
from emoset_cli.train.deep.use import embeddings, open_network, probabilities

COLUMNS = ["corpus", "utterance", "speaker", "gender", "language", "partition", "truth", "prediction"]


def embedded(
    run: Run, workspace: Path, partitions: Sequence[str], fold: str = "", device: str = "auto"
) -> tuple[Any, np.ndarray]:
    """The utterances of some partitions, a table of `COLUMNS`, and their embeddings, float32 ``(utterances, width)``.

    Predictions of devel, test and within are those the training wrote; train is predicted here.

    Args:
        run: of a network
        workspace: in which its corpora are prepared
        partitions: train, devel, test, within
        fold: of the run; needed where it has several
        device: auto, cpu or cuda

    Raises:
        EmosetError: if the run has several folds and none is named, or nothing in these partitions, or as
            `open_network` and `members`
    """
    import pandas as pd

    corpus_heads = {corpus: head for head, corpora in heads_of(run).items() for corpus in corpora}
    folds = [str(name) for name in run.config["partition"]["folds"]]
    if not fold and len(folds) > 1:
        raise EmosetError(
            f"{run.name} has {len(folds)} folds, and each a network of its own", f"choose one, as --fold {folds[0]}"
        )
    network = open_network(run, fold or folds[0], device)
    table = members(run, workspace)
    table = table[(table["fold"] == network.fold) & table["partition"].isin(partitions)]
    if table.empty:
        raise EmosetError(
            f"{run.name} has no utterances in {', '.join(partitions)}",
            "--on test, devel, train or all: only runs that test across languages or corpora have any within",
        )
    written = pd.concat([run.predictions(), run.within()])
    said = written[written["fold"] == network.fold].set_index("utterance")["prediction"].to_dict()
    tables, values = [], []
    for corpus, rows in table.groupby("corpus", sort=False):
        head = corpus_heads[str(corpus)]
        values.append(embeddings(network, workspace, rows, head))
        prediction = np.array([said.get(name, "") for name in rows["utterance"]], object)  # "" where it has no labels
        unsaid = (rows["partition"] == "train").to_numpy()
        if unsaid.any() and network.labels(head):
            best = probabilities(network, workspace, rows[unsaid], head).argmax(1)
            prediction[unsaid] = np.array(network.labels(head), object)[best]
        tables.append(rows.assign(prediction=prediction)[COLUMNS])
    return pd.concat(tables, ignore_index=True), np.concatenate(values)
