"""Dimensional labels as something to learn: which heads have which, and their values on a scale of 0 to 1.

A table of dimensions holds ``heads`` (head -> its dimensions) and ``scales`` (corpus -> dimension -> low and high).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.train.task import Task

Table = Mapping[str, Any]


def table_of(task: Task, heads: Mapping[str, Sequence[str]], names: Sequence[str]) -> dict[str, Any] | None:
    """The dimensions that a run learns; None without any.

    Args:
        task: its utterances have ``head`` and ``store``, see `emoset_cli.train.deep.tasks.Heard`
        heads: labels of each head
        names: the dimensions that are asked for

    Raises:
        EmosetError: for a dimension that no corpus has, or has without a scale, a head that would learn nothing, or
            one with fewer than two values to learn from in a fold
    """
    _refuse_mute(task, heads, names)
    if not names:
        return None
    declared = list(dict.fromkeys(name for own in task.dimensions.values() for name in own))
    for name in names:
        owners = [key for key in task.corpora_heard if name in task.dimensions.get(key, ())]
        if not owners:
            raise unknown(f"dimension of {', '.join(task.corpora_heard)}", name, declared)
        for key in owners:
            if name not in task.scales.get(key, {}):
                raise EmosetError(
                    f"the registry does not say from where to where the {name} of {key} goes",
                    f"write `dimensions: {{{name}: {{low: 1, high: 7}}}}` or so in the entry, and prepare {key} again",
                )
    stores = task.utterances["store"].to_numpy().astype(str)
    of_head = task.utterances["head"].to_numpy().astype(str)
    scales = {key: {name: list(own[name]) for name in names if name in own} for key, own in task.scales.items()}
    scales = {key: own for key, own in scales.items() if own}
    found = {}
    for head in heads:
        own = set(stores[of_head == head])
        if mine := [name for name in names if any(name in scales.get(key, {}) for key in own)]:
            found[head] = mine
    table = {"heads": found, "scales": scales}
    values = scaled(task.utterances, table, names)
    _refuse_untaught(task, table, of_head, values, names)
    if not any(heads.values()):
        _refuse_unchosen(task, values)
    return table


def _refuse_mute(task: Task, heads: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
    """Refuse a head without labels that has none of the dimensions."""
    for head, labels in heads.items():
        own = task.dimensions.get(head, ())
        if not labels and not set(own) & set(names):
            raise EmosetError(
                f"{head} has no labels, only {', '.join(own)}", f"add --dimensions {','.join(own)}, or leave {head} out"
            )


def _refuse_untaught(task: Task, table: Table, heads: np.ndarray, values: np.ndarray, names: Sequence[str]) -> None:
    for fold in task.partition.folds:
        train = task.partition.members(fold, "train")
        for head, own in table["heads"].items():
            for name in own:
                known = values[train & (heads == head), list(names).index(name)]
                if len(set(known[np.isfinite(known)].tolist())) < 2:
                    raise EmosetError(
                        f"the training utterances of {head}, fold {fold}, have fewer than two values of {name}",
                        f"choose another partition, or leave {name} out of --dimensions",
                    )


def _refuse_unchosen(task: Task, values: np.ndarray) -> None:
    """Refuse devel partitions without any value where nothing else tells a good epoch from a bad one."""
    known = np.isfinite(values).any(axis=1)
    for fold in task.partition.folds:
        if not known[task.partition.members(fold, "devel")].any():
            raise EmosetError(
                f"devel of {'+'.join(task.corpora)}, fold {fold}, has no value of any of the dimensions",
                "choose another partition",
            )


def scaled(utterances: Any, table: Table, names: Sequence[str]) -> np.ndarray:
    """Each utterance's values from 0 (low) to 1 (high), float64 ``(utterances, names)``; NaN where not known."""
    found = np.full((len(utterances), len(names)), np.nan)
    stores = utterances["store"].to_numpy().astype(str)
    for key, own in table["scales"].items():
        rows = stores == key
        for name, (low, high) in own.items():
            values = utterances[name].to_numpy(float)[rows]
            found[rows, list(names).index(name)] = (values - low) / (high - low)
    return found


def in_units(values: np.ndarray, stores: np.ndarray, table: Table, name: str) -> np.ndarray:
    """Values of a dimension from 0 to 1 in the units of each row's corpus; NaN where that has no such dimension."""
    found = np.full(len(values), np.nan)
    for key, own in table["scales"].items():
        if name in own:
            low, high = own[name]
            rows = stores == key
            found[rows] = low + (high - low) * values[rows]
    return found


def unknown_values(task: Task, table: Table) -> dict[str, dict[str, int]]:
    """Corpus -> dimension -> how many of its training utterances have no value, where any have none."""
    found: dict[str, dict[str, int]] = {}
    utterances, taught = task.utterances, (task.partition.table == "train").any(axis=1).to_numpy()
    stores = utterances["store"].to_numpy().astype(str)
    for key, own in table["scales"].items():
        rows = taught & (stores == key)
        for name in own:
            if lacking := int(np.isnan(utterances[name].to_numpy(float)[rows]).sum()):
                found.setdefault(key, {})[name] = lacking
    return found
