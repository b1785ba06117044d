"""Jobs over several cores: one function for every stage that has independent pieces of work."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from emoset_cli.cores import cores
from emoset_cli.pool import pool


def run_jobs(
    function: Callable[..., Any],
    jobs: Sequence[tuple],
    workers: int = 0,
    threads: bool = False,
    scheduler: str = "",
) -> Iterator[Any]:
    """Yield ``function(*job)`` for each job, in the order in which they finish.

    Args:
        function: a module-level function; its arguments and result are picklable unless ``threads``
        jobs: argument tuples
        workers: processes (or threads) to use; 0 for all cores
        threads: threads of this process, for work that releases the interpreter lock (decoding, hashing)
        scheduler: address of a Dask scheduler that has the jobs done by its workers; "" for this machine

    Raises:
        EmosetError: if a job kills its worker process again and again (out of memory), or the cluster is gone
    """
    workers = min(workers or cores(), len(jobs))
    if not scheduler and (workers <= 1 or (_is_daemon() and not threads)):
        for job in jobs:
            yield function(*job)
        return
    if threads:
        yield from _in_threads(function, jobs, workers)
        return
    with pool(workers, scheduler) as workplace:
        for number, job in enumerate(jobs):
            workplace.submit(str(number), function, *job)
        left = len(jobs)
        while left:
            for ended in workplace.finished(timeout_s=60.0):
                if ended.traceback:
                    assert ended.error is not None
                    fault = RuntimeError(ended.error.problem)
                    fault.add_note(f"in a worker process:\n{ended.traceback}")
                    raise fault
                if ended.error:
                    raise ended.error
                left -= 1
                yield ended.value


def _is_daemon() -> bool:
    """Whether this process may start none, as the workers of a cluster."""
    from multiprocessing import current_process

    return current_process().daemon


def _in_threads(function: Callable[..., Any], jobs: Sequence[tuple], workers: int) -> Iterator[Any]:
    """As `run_jobs`; when a job fails, those begun end before its error leaves, so that none leaves half a file."""
    from concurrent.futures import ThreadPoolExecutor, as_completed

    with ThreadPoolExecutor(workers) as pool:
        try:
            for future in as_completed([pool.submit(function, *job) for job in jobs]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)
