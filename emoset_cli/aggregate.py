"""Aggregated corpora: several corpora in one label space, each balanced so that nothing is learnt of its label counts.

In each corpus and partition (train, devel and test alike) every mapped label is cut to as many utterances as the
rarest one that occurs there has. Which are kept is drawn by a hash of seed and utterance id: the same in any order,
on any machine, whatever else is aggregated. A corpus with one mapped label in a partition is left out of it: there
is nothing to balance it with.

Source:
    Gerczuk et al. 2021 (EmoNet), section 6.2. That a label which does not occur is not the rarest one is ours.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emoset_cli.errors import EmosetError
from emoset_cli.partition import PARTITIONS, WITHIN, Partition


@dataclass(frozen=True)
class Cut:
    """What became of one corpus in one partition of a fold: utterances of each mapped label, before and after."""

    corpus: str
    fold: str
    partition: str
    before: dict[str, int]
    after: dict[str, int]


def balance(
    partition: Partition, utterances: Any, mapped: Sequence[str | None], seed: int = 0
) -> tuple[Partition, list[Cut]]:
    """The partition without the utterances that are not drawn, and the counts before and after.

    Corpora that are ``unseen`` are tested whole: nothing of them is cut.

    Args:
        partition: who is where
        utterances: table whose rows are those of the partition, in the same order
        mapped: label of each utterance in the label space; None is left out
        seed: of the draw
    """
    import pandas as pd

    assert list(utterances["utterance"]) == list(partition.table.index)
    rows = pd.DataFrame({
        "corpus": utterances["corpus"].to_numpy(), "label": pd.Series(list(mapped), dtype=object),
        "rank": ranks(utterances["utterance"], seed),
    })  # fmt: skip
    table = partition.table.copy()
    whole = rows["corpus"].isin(partition.unseen).to_numpy()
    cuts: list[Cut] = []
    for fold in partition.folds:
        where = partition.table[fold].to_numpy().astype(object)
        kept, found = _draw(rows.assign(part=np.where(whole, "", where)), fold)
        table[fold] = np.where(kept | whole, where, "")
        cuts += found
    return replace(partition, table=table.astype("str")), cuts


def ranks(names: Any, seed: int) -> np.ndarray:
    """A place for each utterance id in an order that depends on the id and the seed alone; ``(utterances,)``."""
    keys = [hashlib.blake2b(f"{seed}\n{name}".encode(), digest_size=16).digest() for name in names]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    places = np.empty(len(keys), int)
    places[order] = np.arange(len(keys))
    return places


def _draw(rows: Any, fold: str) -> tuple[np.ndarray, list[Cut]]:
    """Which rows of one fold are kept, and the counts of each corpus and partition."""
    usable = rows[rows["label"].notna() & (rows["part"] != "")].sort_values("rank")
    kept = np.zeros(len(rows), bool)
    cuts = []
    order = {part: index for index, part in enumerate((*PARTITIONS, WITHIN))}
    for (corpus, part), group in sorted(usable.groupby(["corpus", "part"]), key=lambda g: (g[0][0], order[g[0][1]])):
        before = group["label"].value_counts()
        size = int(before.min()) if len(before) > 1 else 0
        drawn = group[group.groupby("label").cumcount() < size]
        kept[drawn.index.to_numpy()] = True
        labels = sorted(before.index)
        cuts.append(
            Cut(corpus, fold, part, {label: int(before[label]) for label in labels}, dict.fromkeys(labels, size))
        )
    return kept, cuts


def domains(
    partitions: Mapping[str, Partition],
    tables: Mapping[str, Any],
    mapped: Mapping[str, Mapping[str, Sequence[str | None]]],
    seed: int = 0,
) -> tuple[Any, dict[str, list[Cut]]]:
    """Aggregate corpora once in each label space; with arousal and valence these are EmoNet's two domains, A+V.

    Args:
        partitions: of each corpus, of one fold
        tables: utterance table of each corpus
        mapped: label space -> corpus -> label of each utterance, or None
        seed: of the draw

    Returns:
        a DataFrame with ``domain, corpus, utterance, partition, label, mapped``, a row for each utterance drawn, and
        the counts of each domain

    Raises:
        EmosetError: if a partition has several folds, or nothing is left in a label space
    """
    import pandas as pd

    for key, partition in partitions.items():
        if len(partition.folds) > 1:
            raise EmosetError(
                f"partition {partition.name} of {key} has {len(partition.folds)} folds, an aggregated corpus has one",
                "choose another one, for example --partition speakers",
            )
    frames = []
    cuts: dict[str, list[Cut]] = {}
    for domain, labels in mapped.items():
        cuts[domain] = []
        for key, table in tables.items():
            split, found = balance(partitions[key], table, labels[key], seed)
            cuts[domain] += found
            where = split.table.iloc[:, 0].to_numpy()
            frames.append(
                table[["corpus", "utterance", "label"]]
                .assign(domain=domain, partition=where, mapped=pd.Series(list(labels[key]), table.index, dtype=object))
                [where != ""]
            )  # fmt: skip
    columns = ["domain", "corpus", "utterance", "partition", "label", "mapped"]
    table = pd.concat(frames)[columns].sort_values(["domain", "corpus", "utterance"]).reset_index(drop=True)
    if gone := [domain for domain in mapped if domain not in set(table["domain"])]:
        raise EmosetError(
            f"no corpus has two labels of {' and '.join(gone)} in a partition", "choose other corpora or label spaces"
        )
    return table, cuts
