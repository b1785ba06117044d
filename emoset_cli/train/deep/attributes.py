"""Attributes of speech as something to classify: their values, and the code of each utterance's."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from emoset_cli.partition import Partition

UNKNOWN = -1  # code of an utterance whose attribute is not known, or has a value that no training utterance has


def values_of(utterances: Any, name: str) -> np.ndarray:
    """The value of an attribute for each utterance, "" where it is not known; a speaker is named with the corpus."""
    values: np.ndarray = utterances["store" if name == "corpus" else name].fillna("").to_numpy().astype(str)
    if name != "speaker":
        return values
    named = np.char.add(np.char.add(values_of(utterances, "corpus"), "/"), values)
    return np.where(values == "", "", named)


def classes_of(utterances: Any, partition: Partition, names: Sequence[str]) -> dict[str, list[str]]:
    """The values of each attribute that occur among the training utterances of any fold, sorted."""
    taught = (partition.table == "train").any(axis=1).to_numpy()
    return {name: sorted(set(values_of(utterances, name)[taught].tolist()) - {""}) for name in names}


def unknown(utterances: Any, partition: Partition, names: Sequence[str]) -> dict[str, int]:
    """How many training utterances lack an attribute, where any do."""
    taught = (partition.table == "train").any(axis=1).to_numpy()
    counts = {name: int((values_of(utterances, name)[taught] == "").sum()) for name in names}
    return {name: count for name, count in counts.items() if count}


def codes_of(utterances: Any, classes: dict[str, list[str]]) -> dict[str, np.ndarray]:
    """Number of each utterance's value among an attribute's classes, int64 ``(utterances,)``, or `UNKNOWN`."""
    found = {}
    for name, values in classes.items():
        places = {value: place for place, value in enumerate(values)}
        found[name] = np.array([places.get(value, UNKNOWN) for value in values_of(utterances, name)], np.int64)
    return found
