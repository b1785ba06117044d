"""Whose labels are asked for: heads of a run by the names of its corpora, and their mean in a label space."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emoset_cli import labels as label_spaces
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.labels import Space


def chosen_heads(run: str, heads: Mapping[str, Sequence[str]], asked: Sequence[str]) -> list[str]:
    """The heads that names of heads or corpora mean, each once; all of them where none is named.

    Args:
        run: its name
        heads: corpora that each head of the run is for
        asked: names

    Raises:
        EmosetError: for a name that is neither a head nor a corpus of the run

    Example:
        >>> chosen_heads("both", {"common": ["emodb", "emovo"]}, ["emovo", "emodb"])
        ['common']
    """
    found = []
    for name in asked or heads:
        fits = [name] if name in heads else [head for head, corpora in heads.items() if name in corpora]
        if not fits:
            known = dict.fromkeys([*heads, *(corpus for corpora in heads.values() for corpus in corpora)])
            raise unknown(f"corpus or head of {run}", name, known)
        found += fits
    return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Mapped:
    """The labels of some heads in a label space: ``to`` holds for each head a matrix ``(labels, labels of the space)``.

    ``silent`` names labels of the space that a head has no word for, by head; ``without`` heads that say nothing.
    """

    space: Space
    to: dict[str, np.ndarray]
    silent: dict[str, list[str]]
    without: list[str]

    def mean(self, said: Mapping[str, np.ndarray]) -> np.ndarray:
        """Mean over the heads of their probabilities in the space, ``(pieces, labels of the space)``.

        A head's labels that the space has no entry for are left out, and the others made to sum to 1.
        """
        total = sum(_shares(said[head] @ matrix) for head, matrix in self.to.items())
        return np.asarray(total / len(self.to))


def _shares(values: np.ndarray) -> np.ndarray:
    sums = values.sum(axis=1, keepdims=True)
    return values / np.where(sums > 0, sums, 1.0)


def mapped(
    run: str, config: Mapping[str, Any], heads: Mapping[str, Sequence[str]], name: str, known: Mapping[str, Space]
) -> Mapped:
    """How the heads of a run speak in a label space.

    Args:
        run: its name
        config: its settings
        heads: labels of each head that was chosen
        name: of the label space
        known: label spaces

    Raises:
        EmosetError: if there is no such space, or no head has two labels of it
    """
    if name not in known:
        raise unknown("label space", name, known)
    space = known[name]
    to: dict[str, np.ndarray] = {}
    silent: dict[str, list[str]] = {}
    without: list[str] = []
    for head, words in heads.items():
        matrix = np.zeros((len(words), len(space.labels)))
        for row, word in enumerate(words):
            there = word if _learnt_in(config, head) == name else space.map.get(word)
            if there in space.labels:
                matrix[row, space.labels.index(there)] = 1.0
        said = [label for label, any_word in zip(space.labels, matrix.sum(axis=0).tolist(), strict=True) if any_word]
        if len(said) < 2:
            without.append(head)
            continue
        to[head] = matrix
        silent |= (
            {head: [label for label in space.labels if label not in said]} if len(said) < len(space.labels) else {}
        )
    if not to:
        raise EmosetError(
            f"no head of {run} has two labels of {name}: {'; '.join(', '.join(words) for words in heads.values())}",
            "choose another --space, or leave it out",
        )
    return Mapped(space, to, silent, without)


def _learnt_in(config: Mapping[str, Any], head: str) -> str:
    """The label space in whose words a head speaks, "own" where they are those of its corpus."""
    space = str(config["label_space"])
    if "," in space:  # EmoNet's domains: a head for each label space
        return head
    return label_spaces.OWN if space == label_spaces.COMMON else space
