"""The utterances of a finished run: who is in which partition, what they are called there, and whose head they are."""

from pathlib import Path
from typing import Any

from emoset_cli import labels as label_spaces
from emoset_cli.errors import EmosetError
from emoset_cli.partition import PARTITIONS, WITHIN
from emoset_cli.prepare import data_hash, read_utterances
from emoset_cli.protocols import goes_across
from emoset_cli.runs import Run
from emoset_cli.train.deep.made import network_of


def heads_of(run: Run) -> dict[str, list[str]]:
    """The corpora that each head of a network is for: its own one, or all of the run where they share a head.

    Raises:
        EmosetError: if the run is of a baseline or of domains, which are no corpora
    """
    heads, corpora = network_of(run)["heads"], [str(key) for key in run.config["corpora"]]
    if "," in str(run.config["label_space"]):
        raise EmosetError(
            f"the heads of {run.name} are of label spaces ({', '.join(heads)}), not of corpora",
            "name a run with a head for each corpus, as emoset train --multi-task makes it",
        )
    return {head: [head] if head in corpora else corpora for head in heads}


def taught_heads(run: Run) -> dict[str, list[str]]:
    """As `heads_of`, where each of the corpora taught its head, so that the others can be sent through it.

    Raises:
        EmosetError: if the run tests what it leaves out of its training: it is across corpora already
    """
    labelled = [head for head, labels in network_of(run)["heads"].items() if labels]
    found = {head: corpora for head, corpora in heads_of(run).items() if head in labelled}
    if not found:
        raise EmosetError(f"{run.name} has learnt no labels, only dimensions", f"emoset evaluate {run.name}")
    name = run.config["partition"]["name"]
    if goes_across(name) or run.unseen:
        unseen = f"it tests {', '.join(run.unseen)}, unseen in training"
        what = unseen if run.unseen else f"its partition {name} tests what was left out of the training"
        raise EmosetError(f"{run.name} is across corpora already: {what}", f"emoset evaluate {run.name}")
    return found


def members(run: Run, workspace: Path) -> Any:
    """The utterances of a run in each of its folds, a row each.

    The columns are those of `emoset_cli.prepare.read_utterances` that all corpora have, ``fold``, ``partition`` (train,
    devel, test or within) and ``truth``, the label in the run's label space.

    Raises:
        EmosetError: if a corpus is not prepared here, or was prepared anew since
    """
    import pandas as pd

    tables = [read_trained_on(run, workspace, str(key)) for key in run.config["corpora"]]
    whole = pd.concat(tables, ignore_index=True, join="inner").set_index("utterance", drop=False)
    split = pd.read_csv(run.folder / "partition.csv", dtype=str, keep_default_na=False).set_index("utterance")
    found = []
    for fold in map(str, run.config["partition"]["folds"]):
        where = split[fold if fold in split else "partition"]
        where = where[where.isin([*PARTITIONS, WITHIN])]
        found.append(whole.loc[where.index].assign(fold=fold, partition=where))
    table = pd.concat(found, ignore_index=True)
    return table.assign(truth=_in_space(run, table["label"]))


def read_trained_on(run: Run, workspace: Path, key: str) -> Any:
    """The utterance table of one of a run's corpora, which must be as it was when the run was trained.

    Raises:
        EmosetError: if it is not
    """
    table = read_utterances(workspace, key)
    if data_hash(table) != run.config["data"][key]:
        raise EmosetError(
            f"{key} was prepared anew since {run.name} was trained: its utterances are others now",
            "give the `emoset train` command again, and name the new run",
        )
    return table


def _in_space(run: Run, words: Any) -> Any:
    """The labels of a run's utterances as it learnt them."""
    space = str(run.config["label_space"])
    if space in (label_spaces.OWN, label_spaces.COMMON):
        return words
    return words.map(run.config.get("label_map") or label_spaces.spaces()[space].map)
