"""Jobs over processes of this machine or a Dask cluster; workers that die are replaced and their jobs done again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from emoset_cli.pool.job import Finished, Job

__all__ = ["Finished", "Job", "Pool", "pool"]


class Pool(Protocol):
    """Does jobs; each has a key of the caller's."""

    def submit(self, key: str, function: Callable[..., Any], *arguments: Any) -> None:
        """Have ``function(*arguments)`` done: a module-level function, what it is given and answers picklable.

        Paths are absolute where a cluster may do it. A job may be done twice where a worker dies: it must not mind.
        """

    def finished(self, timeout_s: float) -> list[Finished]:
        """Those that ended since the last call; waits for the first of them, so long as there is one to wait for."""

    def running(self) -> list[str]:
        """Keys of the jobs that a worker is at."""


@contextmanager
def pool(workers: int = 0, scheduler: str = "", tries: int = 3) -> Iterator[Pool]:
    """A pool; at its end, by an error or Ctrl-C too, what is not finished is given up.

    Args:
        workers: processes of this machine, 0 for all cores; a cluster has its own
        scheduler: address of a Dask scheduler; "" for processes of this machine
        tries: how many of its workers a job may kill before it is given up

    Raises:
        EmosetError: if the scheduler cannot be reached or is lost, or no process can be started
    """
    made: Any
    if scheduler:
        from emoset_cli.pool.cluster import Cluster

        made = Cluster(scheduler, tries)
    else:
        from emoset_cli.pool.processes import Processes

        made = Processes(workers, tries)
    try:
        yield made
    finally:
        made.close()
