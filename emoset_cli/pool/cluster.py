"""A Dask cluster: its scheduler hands out the jobs and starts them again where a worker has died.

It blames a worker's death on every job it had given to that worker, also on those that only waited there. So each job
tells when it begins, and only beginnings without an end are counted: a job that never began is simply given again.
"""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import CancelledError
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from emoset_cli.errors import EmosetError
from emoset_cli.pool.job import Finished, Job, do, failed, given_up

_ANSWER_S = 10.0  # a scheduler that is there answers sooner
_TOLD_S = 0.02  # what a worker tells is sent on every 2 ms; a job that kills it at once would else take that along


def _do(topic: str, key: str, function: Callable[..., Any], arguments: tuple) -> Finished:
    """What a worker does: tell that it begins, wait until that is sent, do the job."""
    from distributed import get_worker

    get_worker().log_event(topic, key)
    sleep(_TOLD_S)
    return do(key, function, arguments)


class Cluster:
    """See `emoset_cli.pool.pool`."""

    def __init__(self, address: str, tries: int) -> None:
        self._address, self._tries = address, tries
        self._client = _connect(address)
        self._topic = f"emoset-{uuid4().hex}"
        self._begun: Counter[str] = Counter()
        self._jobs: dict[str, Job] = {}
        self._futures: dict[str, Any] = {}
        self._ended: SimpleQueue[tuple[str, Any]] = SimpleQueue()
        self._client.subscribe_topic(self._topic, lambda event: self._begun.update([event[1]]))

    def submit(self, key: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Have a job done."""
        self._jobs[key] = Job(key, function, arguments)
        self._begun[key] = 0
        self._send(key)

    def _send(self, key: str) -> None:
        job = self._jobs[key]
        name = f"emoset-{uuid4().hex}"
        arguments = (self._topic, key, job.function, job.arguments)
        future = self._client.submit(_do, *arguments, key=name, pure=False)
        self._futures[key] = future
        future.add_done_callback(lambda done: self._ended.put((key, done)))

    def finished(self, timeout_s: float) -> list[Finished]:
        """Those that ended since the last call; waits for the first of them."""
        end = monotonic() + timeout_s
        found: list[Finished] = []
        while self._futures:
            try:
                key, future = self._ended.get(timeout=0 if found else max(0.0, end - monotonic()))
            except Empty:
                break
            if ended := self._outcome(key, future):
                del self._futures[key], self._jobs[key]
                found.append(ended)
        return found

    def _outcome(self, key: str, future: Any) -> Finished | None:
        """How a job ended; None where it is given again."""
        from distributed import KilledWorker

        if future.status in {"cancelled", "lost"} or self._client.status != "running":
            raise self._lost()
        if future.status == "finished":
            return self._value(key, future)
        error = future.exception()
        if not isinstance(error, KilledWorker):
            return failed(key, error)
        job = self._jobs[key]
        job.deaths = self._begun[key]
        if job.deaths >= self._tries:
            return given_up(job)
        self._send(key)
        return None

    def _value(self, key: str, future: Any) -> Finished:
        try:
            value: Finished = future.result()
        except CancelledError:  # lost between the two
            raise self._lost() from None
        except Exception as error:  # it cannot be pickled
            return failed(key, error)
        return value

    def _lost(self) -> EmosetError:
        return EmosetError(
            f"the Dask scheduler at {self._address} is gone",
            "start it again and give the same command again: what was done is kept",
        )

    def running(self) -> list[str]:
        """Keys of the jobs that have begun and not ended."""
        return [key for key, future in self._futures.items() if self._begun[key] and not future.done()]

    def close(self) -> None:
        """Take back what has not begun; what has goes on to its end there, for nobody."""
        self._client.cancel(list(self._futures.values()))
        self._client.close()


def _connect(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise EmosetError("a cluster needs the package distributed", "pip install 'emoset[dask]'") from None
    make: Any = Client
    try:
        return make(address, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise EmosetError(
            f"no Dask scheduler answers at {address}: {error}",
            "start one (`dask scheduler`) and give its address, tcp://HOST:8786, with the same versions of dask and "
            "distributed on both sides",
        ) from None
