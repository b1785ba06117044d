"""The utterances of an extraction in jobs: long work first, and no more at once than a process can hold."""

from collections.abc import Iterable, Iterator
from typing import Any

_HELD = 1200 * 16_000  # samples, 20 minutes: what a process holds at once


def amount(seconds: dict[str, float], sounds: Iterable[str]) -> tuple[int, float]:
    """How many of a table's utterances these are, and how many seconds of speech."""
    known = [seconds[sound] for sound in sounds if sound in seconds]
    return len(known), sum(known)


def longest_first(utterances: Any) -> list[tuple[Any, ...]]:
    """What `AudioStore.verified` wants of each utterance: those of similar length side by side, long work first."""
    columns = ["utterance", "shard", "offset", "samples", "audio"]
    ordered = utterances.sort_values("samples", ascending=False, kind="stable")
    return list(ordered[columns].itertuples(index=False, name=None))


def together(cells: list[tuple[Any, ...]], most: int) -> Iterator[list[tuple[Any, ...]]]:
    """The utterances of `longest_first` in jobs of at most ``most``; long ones in smaller jobs, one at least."""
    job: list[tuple[Any, ...]] = []
    held = 0
    for cell in cells:
        if job and (len(job) == most or held + cell[3] > _HELD):
            yield job
            job, held = [], 0
        job.append(cell)
        held += cell[3]
    if job:
        yield job
