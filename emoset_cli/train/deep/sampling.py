"""Which corpus gives the next batch when one network learns several."""

from collections.abc import Iterator
from itertools import cycle

import numpy as np

from emoset_cli.errors import EmosetError, unknown

SAMPLING = {
    "round-robin": "each corpus in turn (EmoNet's): small corpora are heard over and over",
    "proportional": "by chance, as often as a corpus has utterances: large corpora rule",
    "sqrt": "by chance, by the square root of the number of utterances: between the two",
    "temperature": "by chance, by the number of utterances to the power 1 / --temperature (2 is sqrt)",
}


def turns(sizes: dict[str, int], how: str, temperature: float, rng: np.random.Generator) -> Iterator[str]:
    """The corpora that give the batches, without end; each is drawn only when it is asked for.

    Args:
        sizes: training utterances of each corpus, at least 1
        how: a key of `SAMPLING`
        temperature: above 0, for ``how="temperature"`` only; the larger, the more equal
        rng: drawn from once a batch, except by round-robin, which draws nothing

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
    return _drawn(list(sizes), shares(list(sizes.values()), how, temperature), rng)


def shares(sizes: list[int], how: str, temperature: float) -> np.ndarray:
    """How often a corpus of each size is drawn, ``(corpora,)``, sum 1."""
    power = {"proportional": 1.0, "sqrt": 0.5, "temperature": 1 / temperature}[how]
    heights = power * np.log(np.array(sizes, np.float64))
    weights: np.ndarray = np.exp(heights - heights.max())  # by logarithms: a low temperature would overflow
    chances: np.ndarray = weights / weights.sum()
    return chances


def _drawn(keys: list[str], chances: np.ndarray, rng: np.random.Generator) -> Iterator[str]:
    while True:
        yield keys[int(rng.choice(len(keys), p=chances))]
