"""A job, how it ends wherever it was done, and what a worker does with it."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emoset_cli.errors import EmosetError, of_system


@dataclass
class Job:
    """What is to be done; ``deaths`` counts the workers that died at it."""

    key: str
    function: Callable[..., Any]
    arguments: tuple
    deaths: int = 0


@dataclass(frozen=True)
class Finished:
    """How a job ended: its value, or an error; ``traceback`` is that of an error which no user can mend, for a log."""

    key: str
    value: Any = None
    error: EmosetError | None = None
    traceback: str = ""


def do(key: str, function: Callable[..., Any], arguments: tuple) -> Finished:
    """Do a job; whatever it raises is an answer, fit to be sent."""
    try:
        return Finished(key, function(*arguments))
    except BaseException as error:
        return failed(key, error)


def failed(key: str, error: BaseException) -> Finished:
    """How a job ended that raised an error."""
    if isinstance(error, EmosetError):
        return Finished(key, error=EmosetError(error.problem, error.mend))
    if isinstance(error, OSError):
        return Finished(key, error=of_system(error))
    told = "".join(traceback.format_exception(error))
    problem = f"{type(error).__name__}: {error}".removesuffix(": ")
    return Finished(
        key, error=EmosetError(problem, "this is a fault of emoset: report it with its log"), traceback=told
    )


def given_up(job: Job) -> Finished:
    """How a job ended that kills its workers."""
    return Finished(
        job.key,
        error=EmosetError(
            f"the worker was killed {job.deaths} times at the same job, perhaps for want of memory",
            "give the same command again, with fewer --workers: what was done is kept",
        ),
    )
