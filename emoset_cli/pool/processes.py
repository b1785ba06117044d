"""Processes of this machine, by joblib's loky: each has a pipe of its own, so that one that dies harms no other.

loky's own executor fails with all its jobs when a worker is killed, and does not tell which job that worker was at.
Here it is known: a job is sent to a process that waits for one, and the end of its pipe is the end of the process.
"""

import atexit
import os
import shutil
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from time import monotonic
from typing import Any

from emoset_cli.cores import cores, threads
from emoset_cli.errors import EmosetError
from emoset_cli.pool.job import Finished, Job, do, failed, given_up

_IDLE_S = 300.0  # an idle process is kept so long for the next pool: starting one and importing torch takes seconds
_LENT_BYTES = 1_000_000  # larger arrays are written once and mapped by all processes
_LIBRARIES = ("OPENBLAS", "MKL", "BLIS", "NUMBA", "NUMEXPR")  # heed OMP_NUM_THREADS, or their own if it is set

_spare: list["_Worker"] = []  # idle processes of earlier pools


class _Worker:
    """A process, and this end of its pipe."""

    def __init__(self, environment: dict[str, str]) -> None:
        from joblib.externals.loky.backend.process import LokyProcess

        self.environment = environment
        self.ready, self.since = False, monotonic()
        self.job: Job | None = None
        self.pipe, theirs = Pipe()
        with _children_without_sigint():
            self.process = LokyProcess(target=_serve, args=(theirs,), env=environment)
            self.process.start()
        theirs.close()

    def alive(self) -> bool:
        """Whether it is idle and there; its end would be something to read."""
        return monotonic() - self.since < _IDLE_S / 2 and not self.pipe.poll()

    def send(self, job: Job, arguments: tuple) -> None:
        """Give it a job, once it is ready."""
        self.job = job  # before: a process that has half a message when all is given up is not kept
        try:
            self.pipe.send((job.key, job.function, arguments))
        except Exception:
            self.job = None
            raise

    def kill(self) -> None:
        """End it and what it has started."""
        from joblib.externals.loky.backend.utils import kill_process_tree

        kill_process_tree(self.process)
        self.pipe.close()


def _serve(pipe: Connection) -> None:
    """What a process does: jobs, one by one, until its pipe is closed or nothing comes."""
    pipe.send(None)
    while pipe.poll(_IDLE_S):
        try:
            key, function, arguments = pipe.recv()
        except (EOFError, OSError):
            return
        except Exception as error:  # no such module here, say
            pipe.send(failed("", error))
            continue
        ended = do(key, function, tuple(one.read() if isinstance(one, _Lent) else one for one in arguments))
        try:
            pipe.send(ended)
        except OSError:  # nobody is there any more
            return
        except Exception as error:  # it cannot be pickled
            pipe.send(failed(key, error))


class _Lent:
    """An array in a file, mapped where it is used."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Any:
        import numpy as np

        return np.load(self.path, mmap_mode="r", allow_pickle=False)


class Processes:
    """See `emoset_cli.pool.pool`."""

    def __init__(self, workers: int, tries: int) -> None:
        self._count, self._tries = workers or cores(), tries
        self._environment = _threads(threads(self._count))
        self._workers: list[_Worker] = []
        self._waiting: deque[Job] = deque()
        self._ended: list[Finished] = []
        self._stillborn = 0
        self._folder: Path | None = None
        self._lent: dict[int, tuple[Any, _Lent]] = {}

    def submit(self, key: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Have a job done; large arrays among its arguments arrive read-only."""
        self._waiting.append(Job(key, function, arguments))
        self._give()

    def finished(self, timeout_s: float) -> list[Finished]:
        """Those that ended since the last call; waits for the first of them."""
        end = monotonic() + timeout_s
        while not self._ended and (self._waiting or self.running()):
            self._give()
            heard = wait([worker.pipe for worker in self._workers if self._talks(worker)], max(0.0, end - monotonic()))
            for worker in [worker for worker in self._workers if worker.pipe in heard]:
                self._hear(worker)
            self._give()
            if monotonic() > end:
                break
        ended, self._ended = self._ended, []
        return ended

    def running(self) -> list[str]:
        """Keys of the jobs that a worker is at."""
        return [worker.job.key for worker in self._workers if worker.job]

    def close(self) -> None:
        """Keep the idle processes for later, end those that are at something."""
        for worker in self._workers:
            if worker.ready and not worker.job:
                worker.since = monotonic()
                _spare.append(worker)
            else:
                worker.kill()
        self._workers.clear()
        if self._folder:
            _forget(self._folder)

    def _talks(self, worker: _Worker) -> bool:
        return bool(worker.job) or not worker.ready

    def _give(self) -> None:
        """Send waiting jobs to those that are ready; start processes where there are too few."""
        for worker in [worker for worker in self._workers if worker.ready and not worker.job]:
            if not self._waiting:
                return
            job = self._waiting.popleft()
            try:
                worker.send(job, tuple(map(self._lend, job.arguments)))
            except OSError:  # it died in its sleep
                self._waiting.appendleft(job)
                self._bury(worker)
            except Exception as error:  # it cannot be pickled
                self._ended.append(failed(job.key, error))
        coming = sum(not worker.ready for worker in self._workers)
        for _ in range(min(len(self._waiting) - coming, self._count - len(self._workers))):
            self._workers.append(self._hire())

    def _hire(self) -> _Worker:
        while _spare:
            worker = _spare.pop()
            if worker.environment == self._environment and worker.alive():
                return worker
            worker.kill()
        _at_exit()
        return _Worker(self._environment)

    def _hear(self, worker: _Worker) -> None:
        """Take what a process says: that it is ready, how its job ended, or that it is dead."""
        try:
            said = worker.pipe.recv()
        except (EOFError, OSError):
            self._bury(worker)
            return
        worker.ready, self._stillborn = True, 0
        job, worker.job = worker.job, None
        if job:
            self._ended.append(replace(said, key=job.key))

    def _bury(self, worker: _Worker) -> None:
        """Forget a dead process; its job is done again by another, last of all, or given up."""
        self._workers.remove(worker)
        worker.kill()
        if job := worker.job:
            job.deaths += 1
            if job.deaths < self._tries:
                self._waiting.append(job)
            else:
                self._ended.append(given_up(job))
        elif not worker.ready:
            self._stillborn += 1
            if self._stillborn >= self._tries * self._count:
                raise EmosetError(
                    "the worker processes die as they start, perhaps for want of memory",
                    "give the same command again, with fewer --workers",
                )

    def _lend(self, argument: Any) -> Any:
        """What is sent for an argument: the file of an array that is large, else itself."""
        if getattr(argument, "nbytes", 0) < _LENT_BYTES or type(argument).__module__ != "numpy":
            return argument
        if argument.dtype.hasobject:
            return argument
        if id(argument) not in self._lent:
            import numpy as np

            self._folder = self._folder or _temporary()
            lent = _Lent(self._folder / f"{len(self._lent)}.npy")
            np.save(lent.path, argument, allow_pickle=False)
            self._lent[id(argument)] = argument, lent  # with the array, whose id is else given to another
        return self._lent[id(argument)][1]


def _threads(count: int) -> dict[str, str]:
    """The environment of a process that may use so many threads; what the user has set for a library remains."""
    names = [f"{name}_NUM_THREADS" for name in _LIBRARIES]
    return {"OMP_NUM_THREADS": str(count)} | {name: os.environ.get(name, str(count)) for name in names}


def _temporary() -> Path:
    """A folder that goes even where this process is killed."""
    from joblib.externals.loky.backend import resource_tracker

    folder = tempfile.mkdtemp(prefix="emoset-")
    resource_tracker.register(folder, "folder")
    return Path(folder)


def _forget(folder: Path) -> None:
    from joblib.externals.loky.backend import resource_tracker

    shutil.rmtree(folder, ignore_errors=True)
    resource_tracker.unregister(str(folder), "folder")


def _at_exit() -> None:
    """Let the idle processes go when this one ends: it would else wait for them."""
    atexit.unregister(_dismiss)
    atexit.register(_dismiss)  # after those of multiprocessing, so it is called before them


def _dismiss() -> None:
    while _spare:
        with suppress(OSError):
            _spare.pop().pipe.close()


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
