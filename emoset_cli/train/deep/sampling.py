"""Which corpus gives the next batch when one network learns several."""

from collections.abc import Iterator
from itertools import cycle

import numpy as np

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.train.deep.settings import SAMPLING


def turns(sizes: dict[str, int], how: str, temperature: float, rng: np.random.Generator) -> Iterator[str]:
    """The corpora that give the batches, without end; each is drawn only when it is asked for.

    Args:
        sizes: training utterances of each corpus, at least 1; with ``how="shuffled"`` batches
        how: a key of `emoset_cli.train.deep.settings.SAMPLING`
        temperature: above 0, for ``how="temperature"`` only; the larger, the more equal
        rng: drawn from once a batch; by round-robin never, by shuffled once a pass

    Raises:
        EmosetError: if there is no such way, or no such temperature

    Source:
        Round-robin is Gerczuk et al. 2021, sections 5.2 and 6.1; its outlook names drawing by size. The temperature is
        that of multilingual machine translation (Arivazhagan et al. 2019).

    Example:
        >>> order = turns({"emodb": 300, "urdu": 200}, "round-robin", 1.0, np.random.default_rng(0))
        >>> [next(order) for _ in range(3)]
        ['emodb', 'urdu', 'emodb']
    """
    if how not in SAMPLING:
        raise unknown("sampling", how, SAMPLING)
    if not temperature > 0:
        raise EmosetError(f"--temperature is {temperature:g}", "give a number above 0")
    assert sizes and min(sizes.values()) > 0, "a corpus without training utterances gives no batch"
    if how == "round-robin":
        return cycle(sizes)
    if how == "shuffled":
        return _passes([key for key, batches in sizes.items() for _ in range(batches)], rng)
    return _drawn(list(sizes), shares(list(sizes.values()), how, temperature), rng)


def shares(sizes: list[int], how: str, temperature: float) -> np.ndarray:
    """How often a corpus of each size is drawn, ``(corpora,)``, sum 1."""
    power = {"proportional": 1.0, "sqrt": 0.5, "temperature": 1 / temperature}[how]
    heights = power * np.log(np.array(sizes, np.float64))
    weights: np.ndarray = np.exp(heights - heights.max())  # by logarithms: a low temperature would overflow
    chances: np.ndarray = weights / weights.sum()
    return chances


def _passes(keys: list[str], rng: np.random.Generator) -> Iterator[str]:
    while True:
        yield from (keys[at] for at in rng.permutation(len(keys)))


def _drawn(keys: list[str], chances: np.ndarray, rng: np.random.Generator) -> Iterator[str]:
    while True:
        yield keys[int(rng.choice(len(keys), p=chances))]
