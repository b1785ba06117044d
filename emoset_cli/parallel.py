"""Jobs over several cores: one function for every stage that has independent pieces of work."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from emoset_cli.errors import EmosetError


def cores() -> int:
    """Cores this process may use (its affinity where the system tells, else all)."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def run_jobs(
    function: Callable[..., Any], jobs: Sequence[tuple], workers: int = 0, threads: bool = False
) -> Iterator[Any]:
    """Yield ``function(*job)`` for each job, in the order in which they finish.

    Args:
        function: a module-level function; its arguments and result are picklable unless ``threads``
        jobs: argument tuples
        workers: processes (or threads) to use; 0 for all cores
        threads: threads of this process, for work that releases the interpreter lock (decoding, hashing)

    Raises:
        EmosetError: if a worker process dies (out of memory, killed)
    """
    workers = min(workers or cores(), len(jobs))
    if workers <= 1:
        for job in jobs:
            yield function(*job)
        return
    if threads:
        yield from _in_threads(function, jobs, workers)
        return
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    parallel = joblib.Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered")
    try:
        yield from parallel(joblib.delayed(function)(*job) for job in jobs)
    except TerminatedWorkerError:
        raise EmosetError(
            "a worker process was killed, perhaps for want of memory",
            "give the same command again, with fewer --workers: what was done is kept",
        ) from None


def _in_threads(function: Callable[..., Any], jobs: Sequence[tuple], workers: int) -> Iterator[Any]:
    """As `run_jobs`; when a job fails, those begun end before its error leaves, so that none leaves half a file."""
    from concurrent.futures import ThreadPoolExecutor, as_completed

    with ThreadPoolExecutor(workers) as pool:
        try:
            for future in as_completed([pool.submit(function, *job) for job in jobs]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)
