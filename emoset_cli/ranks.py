"""One command in several processes: which of them this is, its share of the work, and how they keep in step.

`torchrun` and `accelerate launch` start the same command several times, on one machine or many, and tell each process
its number (its rank) by the environment. Without them there is one process, and nothing here does anything.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from emoset_cli.errors import EmosetError

_WAIT = timedelta(days=7)  # the slowest may take its time; who has died is noticed by what started it


def rank() -> int:
    """The number of this process, from 0 on."""
    return _number("RANK", 0)


def world() -> int:
    """How many processes there are."""
    return _number("WORLD_SIZE", 1)


def local() -> tuple[int, int]:
    """The number of this process on its machine, and how many there are on it."""
    return (_number("LOCAL_RANK", 0), _number("LOCAL_WORLD_SIZE", 1)) if several() else (0, 1)


def several() -> bool:
    """Whether this is one of several processes."""
    return world() > 1


def is_main() -> bool:
    """Whether this process speaks for all of them, and writes what there is one of; alone, it does."""
    return rank() == 0


def share(items: Sequence[Any]) -> Sequence[Any]:
    """What this process does of some work, every n-th item; all of them together do each once."""
    return items[rank() :: world()]


def together() -> None:
    """Wait until all processes are here."""
    _gathered(None)


@contextmanager
def in_step() -> Iterator[None]:
    """All processes leave the block together; the error of one is raised in all, so that all go the same way.

    Raises:
        EmosetError: the first that any of them raised
    """
    own: EmosetError | None = None
    try:
        yield
    except EmosetError as error:
        if not several():
            raise
        own = error
    for told in _gathered((own.problem, own.mend) if own else None):
        if told:
            raise EmosetError(*told)


def of_main(make: Callable[[], Any]) -> Any:
    """What the main process makes, in all of them; it alone makes it.

    Raises:
        EmosetError: in all of them, where the main process raised it
    """
    made = None
    with in_step():
        made = make() if is_main() else None
    return _gathered(made)[0]


def only_one(command: str) -> None:
    """Refuse to run a command several times at once.

    Raises:
        EmosetError: if this is one of several processes
    """
    if several():
        raise EmosetError(
            f"{command} is not for several processes, and {world()} were started",
            "start it without torchrun or accelerate launch; training of networks and `emoset extract` can be shared",
        )


def mean(values: dict[str, float]) -> dict[str, float]:
    """The mean over the processes of each of some numbers."""
    every = _gathered(values)
    return {name: sum(own[name] for own in every) / len(every) for name in values}


def _gathered(value: Any) -> list[Any]:
    """What each process gives, in the order of their numbers, in all of them."""
    if not several():
        return [value]
    import torch
    from torch import distributed

    if not distributed.is_initialized():
        distributed.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_WAIT)
    every: list[Any] = [None] * world()
    distributed.all_gather_object(every, value)
    return every


def _number(name: str, without: int) -> int:
    told = os.environ.get(name, "")
    return int(told) if told.isdigit() else without
