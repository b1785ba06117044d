"""The data of one run: utterances, labels in a label space, features and partition of one or several corpora."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli import labels as label_spaces
from emoset_cli.corpora import Corpus, Rule, get_corpus
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.feature_store import load
from emoset_cli.partition import Partition, checked
from emoset_cli.prepare import data_hash, read_utterances
from emoset_cli.protocols import make_partition


@dataclass(frozen=True)
class Task:
    """What a model is trained and tested on; row i of every part is the same utterance.

    ``features`` is float32 ``(utterances, features)``, ``truth`` holds labels of the label space,
    ``left_out`` counts what the label space has no entry for, per corpus and label.
    """

    corpora: list[str]
    utterances: Any
    truth: np.ndarray
    columns: list[str]
    features: np.ndarray
    partition: Partition
    labels: dict[str, list[str]]
    left_out: dict[str, int]
    data: dict[str, str] = field(default_factory=dict)


def build_task(
    workspace: Path,
    keys: list[str],
    registry: dict[str, Corpus],
    feature: str,
    partition: str,
    seed: int = 0,
    space: str = "own",
    subset: str = "",
) -> Task:
    """Load what is needed to train on ``keys``; the partition is made on whole corpora, then cut to what is used.

    Args:
        workspace: holds the prepared corpora and features
        keys: corpora; several only for a partition across corpora (loco, lolo)
        registry: entries by key
        feature: full name of the feature set
        partition: specification, see `emoset_cli.partition`
        seed: of random partitions
        space: name of a label space
        subset: named filter of the registry, such as ``emonet494`` of emodb

    Raises:
        EmosetError: if something was not prepared or extracted, names nothing, or leaves fewer than two labels
    """
    import pandas as pd

    tables = {key: read_utterances(workspace, key, get_corpus(registry, key)) for key in keys}
    whole = pd.concat(tables.values(), ignore_index=True)
    split = make_partition(partition, whole, registry, seed)
    mapped = _mapped(tables, space)
    used = np.concatenate([_in_subset(tables[key], registry[key], subset) for key in keys])
    left_out: dict[str, int] = {}
    for key, label, target, kept in zip(whole["corpus"], whole["label"], mapped, used, strict=True):
        if kept and target is None:
            left_out[f"{key}/{label}"] = left_out.get(f"{key}/{label}", 0) + 1
    used &= np.array([target is not None for target in mapped])
    if not used.any():
        raise EmosetError(f"no utterance is left in label space {space}", "choose another --labels")
    utterances = whole[used].reset_index(drop=True)
    truth = np.array([target for target, kept in zip(mapped, used, strict=True) if kept], dtype=str)
    cut = checked(replace(split, table=split.table[used]), utterances.assign(label=truth))
    if len(set(truth)) < 2:
        raise EmosetError(f"all utterances are labelled {truth[0]}", "a classifier needs two labels: add corpora")
    loaded = [load(workspace, feature, key, rows) for key, rows in utterances.groupby("corpus", sort=False)]
    names = {key: _names(truth[(utterances["corpus"] == key).to_numpy()], registry[key], space) for key in keys}
    return Task(
        corpora=list(keys),
        utterances=utterances,
        truth=truth,
        columns=loaded[0][0],
        features=np.concatenate([values for _, values in loaded]),
        partition=cut,
        labels=names,
        left_out=left_out,
        data={key: data_hash(table) for key, table in tables.items()},
    )


def _names(truth: np.ndarray, corpus: Corpus, space: str) -> list[str]:
    """The labels of a corpus that occur, in registry order; all labels of a label space, whichever occur."""
    if space not in {"own", "common"}:
        return list(label_spaces.spaces()[space].labels)
    return [label for label in corpus.label_names if label in set(truth)]


def _mapped(tables: dict[str, Any], space: str) -> list[str | None]:
    own = [label for table in tables.values() for label in table["label"]]
    if space == "own":
        if len(tables) > 1:
            raise EmosetError(
                f"the corpora {', '.join(tables)} have different labels, and this partition tests across corpora",
                "name a label space they share, for example --labels three-class or --labels common",
            )
        return list(own)
    if space == "common":
        shared = label_spaces.common_labels([tuple(table["label"].unique()) for table in tables.values()])
        return [label if label in shared else None for label in own]
    known = label_spaces.spaces()
    if space not in known:
        raise unknown("label space", space, ["own", "common", *known])
    mapped: list[str | None] = label_spaces.map_labels(own, known[space])
    return mapped


def _in_subset(table: Any, corpus: Corpus, subset: str) -> np.ndarray:
    keep = np.ones(len(table), bool)
    if not subset:
        return keep
    if subset not in corpus.subsets:
        raise unknown(f"subset of {corpus.key}", subset, corpus.subsets)
    for column, rule in corpus.subsets[subset].items():
        if column not in table or table[column].isna().all():
            raise EmosetError(
                f"subset {subset} needs '{column}', which {corpus.key} does not have here",
                f"put its table into the corpus folder (see `emoset corpora show {corpus.key}`) and prepare again",
            )
        keep &= _fits(table[column], rule)
    if not keep.any():
        raise EmosetError(f"no utterance of {corpus.key} is in subset {subset}", "check the table it is read from")
    return keep


def _fits(values: Any, rule: Rule) -> np.ndarray:
    import pandas as pd

    fits = np.ones(len(values), bool)
    if rule.any_of:
        fits &= values.isin(rule.any_of).to_numpy()
    if rule.min is not None or rule.max is not None:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(float)
        low = -np.inf if rule.min is None else rule.min
        high = np.inf if rule.max is None else rule.max
        fits &= (numbers >= low) & (numbers <= high)
    return fits
