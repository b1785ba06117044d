"""Jobs over several cores: one function for every stage that has independent pieces of work."""

import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from emoset_cli.errors import EmosetError


def cores() -> int:
    """Cores this process may use (its affinity where the system tells, else all)."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


def threads(workers: int) -> int:
    """Threads for each of some processes that share the cores; never more than ``OMP_NUM_THREADS`` allows."""
    share = max(1, cores() // workers)
    allowed = os.environ.get("OMP_NUM_THREADS", "")
    return min(share, max(1, int(allowed))) if allowed.isdigit() else share


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
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    # loky ends a worker whose memory has grown and starts another: nothing is lost. Where warnings are errors, this one
    # would end the thread that hands out the jobs, and the rest be waited for without end.
    warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given")
    parallel = joblib.Parallel(n_jobs=workers, backend="loky", return_as="generator_unordered")
    results: Any = None
    try:
        with _children_without_sigint():
            results = parallel(joblib.delayed(function)(*job) for job in jobs)
        for result in results:  # noqa: UP028 (`yield from` would close it, with a warning, before we can)
            yield result
    except BaseException as error:  # an error, Ctrl-C, or nobody wants the rest
        get_reusable_executor(reuse=True).shutdown(wait=True, kill_workers=True)
        with warnings.catch_warnings(action="ignore"):  # that jobs were cancelled
            if results is not None:
                results.close()
        if isinstance(error, TerminatedWorkerError):
            raise EmosetError(
                "a worker process was killed, perhaps for want of memory",
                "give the same command again, with fewer --workers: what was done is kept",
            ) from None
        raise


@contextmanager
def _children_without_sigint() -> Iterator[None]:
    """Processes started here never see Ctrl-C, which reaches the whole group: this one hears it and ends them.

    The signal is blocked, not ignored: pressed meanwhile, it is delivered at the end. Starting the trackers of
    multiprocessing unblocks it, so they are started before.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker

    from joblib.externals.loky.backend import resource_tracker as lokys

    resource_tracker.ensure_running()
    lokys.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_threads(function: Callable[..., Any], jobs: Sequence[tuple], workers: int) -> Iterator[Any]:
    """As `run_jobs`; when a job fails, those begun end before its error leaves, so that none leaves half a file."""
    from concurrent.futures import ThreadPoolExecutor, as_completed

    with ThreadPoolExecutor(workers) as pool:
        try:
            for future in as_completed([pool.submit(function, *job) for job in jobs]):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)
