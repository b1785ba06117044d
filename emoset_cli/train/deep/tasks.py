"""What a network is trained on: a `Task` whose rows name their head, for one corpus, several, or aggregated ones.

Heads: each corpus has its own classifier, except in pooled training, where a label space has one for all corpora.
Several label spaces at once (EmoNet's A+V) are as many domains, each an aggregated corpus with a classifier of its own.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from emoset_cli.errors import EmosetError
from emoset_cli.partition import Partition
from emoset_cli.train.task import Task


@dataclass(frozen=True)
class Heard:
    """A task as a network hears it.

    ``task.utterances`` has three more columns: ``head``, ``store`` (the corpus whose audio it is) and ``id`` (the
    utterance there). ``heads`` holds the labels of each classifier.
    """

    task: Task
    heads: dict[str, list[str]]


def with_heads(task: Task, space: str, pooled: bool) -> Heard:
    """The task with a head for each corpus, or one for the label space where corpora are pooled."""
    rows = task.utterances
    heads = {space: task.labels[task.corpora[0]]} if pooled else dict(task.labels)
    head = space if pooled else rows["corpus"]
    table = rows.assign(head=head, store=rows["corpus"], id=rows["utterance"])
    return Heard(replace(task, utterances=table), heads)


def domains(tasks: dict[str, Task]) -> Heard:
    """Several label spaces as one task: each is a domain that takes the place of a corpus, with a head of its own.

    An utterance may be in several domains; it is called ``DOMAIN:UTTERANCE`` in each.

    Raises:
        EmosetError: if a domain has several folds
    """
    import pandas as pd

    tables, rows = [], []
    for domain, task in tasks.items():
        split = task.partition
        if len(split.folds) > 1:
            raise EmosetError(
                f"partition {split.name} has {len(split.folds)} folds, domains are trained with one",
                "choose another one, for example --partition speakers",
            )
        old = task.utterances
        table = old.assign(corpus=domain, head=domain, store=old["corpus"], id=old["utterance"])
        table["utterance"] = domain + ":" + old["utterance"]
        rows.append(table)
        tables.append(split.table.set_axis(table["utterance"]).set_axis(["1"], axis=1))
    first = next(iter(tasks.values()))
    labels = {domain: task.labels[task.corpora[0]] for domain, task in tasks.items()}
    merged = replace(
        first,
        corpora=list(tasks),
        utterances=pd.concat(rows, ignore_index=True),
        truth=np.concatenate([task.truth for task in tasks.values()]),
        features=np.zeros((sum(map(len, rows)), 0), np.float32),
        partition=_joined(first.partition, pd.concat(tables), [task.partition for task in tasks.values()]),
        labels=labels,
        left_out={name: count for task in tasks.values() for name, count in task.left_out.items()},
        cuts=[cut for task in tasks.values() for cut in task.cuts],
        label_map={word: to for task in tasks.values() for word, to in task.label_map.items()},
    )
    return Heard(merged, labels)


def _joined(first: Partition, table: Any, splits: list[Partition]) -> Partition:
    def lines(name: str) -> list[str]:
        return list(dict.fromkeys(line for split in splits for line in getattr(split, name)))

    return replace(first, table=table, notes=lines("notes"), gaps=lines("gaps"), leaks=lines("leaks"))
