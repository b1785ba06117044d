"""Jobs over processes and over a Dask cluster: done though workers are killed at random, their errors told."""

import os
import random
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from emoset_cli.errors import EmosetError
from emoset_cli.parallel import run_jobs
from emoset_cli.pool import cluster as pool_cluster
from emoset_cli.pool import pool

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


def square(folder: Path, number: int) -> int:
    """Tell which process is at it, take a while, leave a line when done."""
    (folder / f"{number}.pid").write_text(str(os.getpid()))
    time.sleep(0.1)
    with (folder / "done").open("a") as file:
        file.write(f"{number}\n")
    return number * number


def die(folder: Path) -> None:
    with (folder / "deaths").open("a") as file:
        file.write("x")
    os.kill(os.getpid(), signal.SIGKILL)


def fail(kind: str) -> None:
    if kind == "ours":
        raise EmosetError("no such thing", "give another")
    if kind == "system":
        raise OSError(28, "No space left on device", "/full")
    raise ZeroDivisionError("in a job")


def odd(kind: str) -> object:
    if kind == "value":
        return threading.Lock()
    sys.exit(3)


def seen(values: np.ndarray) -> tuple[float, bool, bool]:
    return float(values.sum()), isinstance(values, np.memmap), values.flags.writeable


def threads(number: int) -> str:
    return os.environ["OMP_NUM_THREADS"]


@pytest.fixture(scope="module")
def cluster():
    """A scheduler and two worker processes of this machine, one thread each."""
    import dask
    from distributed import LocalCluster

    slow = {"distributed.scheduler.allowed-failures": 1, "distributed.comm.timeouts.connect": "5s"}
    with dask.config.set(slow), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50)
        with own:
            yield own.scheduler_address


@pytest.fixture(params=["processes", "dask"])
def scheduler(request):
    return request.getfixturevalue("cluster") if request.param == "dask" else ""


def until_all(work, count, meanwhile=lambda: None, bound_s=60.0):
    found, end = {}, time.monotonic() + bound_s
    while len(found) < count:
        assert time.monotonic() < end, f"still running: {work.running()}"
        found |= {ended.key: ended for ended in work.finished(0.05)}
        meanwhile()
    return found


@pytest.mark.slow
def test_jobs_end_well_though_workers_are_killed_at_random(tmp_path, scheduler):
    rng, killed = random.Random(int(os.environ.get("EMOSET_SEED", "0"))), []

    def kill() -> None:
        known = [key for key in work.running() if key != "bad" and killed.count(key) < 2]
        place = tmp_path / f"{rng.choice(known)}.pid" if known and len(killed) < 5 else None
        if place and place.exists() and rng.random() < 0.5 and (pid := place.read_text()):
            place.unlink()
            killed.append(place.stem)
            os.kill(int(pid), signal.SIGKILL)

    with pool(2, scheduler) as work:
        work.submit("bad", die, tmp_path)
        for number in range(12):
            work.submit(str(number), square, tmp_path, number)
        found = until_all(work, 13, kill)
        assert work.running() == [] and work.finished(9.0) == []
    told = found.pop("bad").error
    assert " times at the same job, perhaps for want of memory" in told.problem
    assert "the worker was killed" in told.problem and "with fewer --workers: what was done is kept" in told.mend
    assert (tmp_path / "deaths").read_text().count("x") in {3, 4}
    assert {key: (ended.value, ended.error) for key, ended in found.items()} == {
        str(number): (number * number, None) for number in range(12)
    }
    assert {*(tmp_path / "done").read_text().split()} == {*map(str, range(12))}
    assert len(killed) >= 3


def test_what_a_job_raises_is_told(scheduler):
    with pool(2, scheduler) as work:
        for kind in ("ours", "system", "bug"):
            work.submit(kind, fail, kind)
        work.submit("exit", odd, "exit")
        work.submit("value", odd, "value")
        found = until_all(work, 5)
    assert str(found["ours"].error) == "no such thing\n  mend: give another" and not found["ours"].traceback
    assert str(found["system"].error).startswith("/full: No space left on device\n  mend: free some disk space")
    assert found["bug"].error.problem == "ZeroDivisionError: in a job"
    assert "report it with its log" in found["bug"].error.mend
    assert "in fail" in found["bug"].traceback and found["bug"].value is None
    assert found["exit"].error.problem == "SystemExit: 3"
    assert "pickle" in found["value"].error.problem.lower()


def test_jobs_of_any_kind_reach_a_cluster(tmp_path, cluster):
    assert sorted(run_jobs(square, [(tmp_path, 2), (tmp_path, 3)], scheduler=cluster)) == [4, 9]
    with pytest.raises(EmosetError, match="no such thing"):
        list(run_jobs(fail, [("ours",)], scheduler=cluster))


def test_a_cluster_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(pool_cluster, "_ANSWER_S", 0.5)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with (
            pytest.raises(EmosetError, match=rf"no Dask scheduler answers at {address}(.|\n)*the same versions"),
            pool(0, address),
        ):
            pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(EmosetError, match=r"needs the package distributed\n  mend: pip install 'emoset\[dask\]'"):
        list(run_jobs(fail, [("ours",)], scheduler="tcp://127.0.0.1:9"))


def test_a_scheduler_that_goes_is_told(tmp_path):
    from distributed import LocalCluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own = LocalCluster(n_workers=0, processes=False, dashboard_address=None, silence_logs=50)
        try:
            told = pytest.raises(EmosetError, match=r"scheduler at .* is gone\n  mend: start it again")
            with told, pool(0, own.scheduler_address) as work:
                work.submit("a", square, tmp_path, 1)
                assert work.finished(0.1) == [] and work.running() == []
                own.close()
                until_all(work, 1)
        finally:
            own.close()


def test_large_arrays_are_lent_to_processes_not_copied():
    many = np.ones((2, 100_000))
    found = sorted(run_jobs(seen, [(many,), (many,), (np.ones(3),)], 2))
    assert found == [(3.0, False, True), (2e5, True, False), (2e5, True, False)]


def test_processes_share_the_cores_and_are_kept(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert list(run_jobs(threads, [(1,), (2,)], 2)) == ["1", "1"]
    pids = [{*run_jobs(pid_of, [(n,) for n in range(4)], 2)} for _ in range(2)]
    assert pids[0] & pids[1]


def pid_of(number: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def test_an_error_ends_the_others(tmp_path):
    with pytest.raises(RuntimeError, match=r"^ZeroDivisionError: in a job\n") as fault:
        list(run_jobs(fail, [("bug",), ("bug",)], 2))
    (note,) = fault.value.__notes__
    assert note.startswith("in a worker process:")
    assert "in fail" in note
    jobs = run_jobs(square, [(tmp_path, number) for number in range(40)], 2)
    assert next(jobs) in {0, 1}
    jobs.close()  # nobody wants the rest
    count = len((tmp_path / "done").read_text().split())
    time.sleep(0.25)
    assert len((tmp_path / "done").read_text().split()) == count < 10
