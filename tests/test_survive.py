"""SIGKILL at any moment, then the same command again: the bytes of an undisturbed run, and nothing left over.

``EMOSET_KILLS=50`` kills many more times; ``EMOSET_SEED`` chooses other moments.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

KILLS = int(os.environ.get("EMOSET_KILLS", "6"))  # at random moments of the four commands together
STEP_KILLS = max(4, KILLS // 2)  # at steps of the file system, of each command
SEED = int(os.environ.get("EMOSET_SEED", "0"))
ENV = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
RUN = [sys.executable, "-c", "from emoset_cli.cli.main import main; main()"]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")]


def snapshot(folder):
    """Every file and empty folder below ``folder``: what it holds."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
        if path.is_file() or not any(path.iterdir())
    }


def differs(first, second):
    """Names that are in one snapshot only or hold other bytes; a difference of snapshots would print them whole."""
    return sorted(name for name in first.keys() | second.keys() if first.get(name, 0) != second.get(name, 0))


def start(words, workspace):
    """The command as a process with a group of its own, in which its workers are too."""
    command = [*RUN, *words, "-d", str(workspace)]
    return subprocess.Popen(
        command, env=ENV, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def well(process):
    """Wait for a process that must end well."""
    _, err = process.communicate()
    assert process.returncode == 0, err
    return err


def chain(recordings):
    """The commands of the main job."""
    return [
        ["prepare", f"demo-cora={recordings['demo-cora']}", "--workers", "2"],
        ["extract", "egemaps", "--workers", "2"],
        ["train", "svm", "--partition", "loso", "--workers", "2"],
        ["evaluate"],
    ]


def test_killed_at_random_moments(recordings, tmp_path):
    """Processes with all their workers, several kills in a row, very early and very late ones among them."""
    rng = random.Random(SEED)
    quiet, killed = tmp_path / "undisturbed", tmp_path / "killed"
    fractions = [[] for _ in chain(recordings)]
    for number in range(KILLS):
        early, late = rng.uniform(0.05, 0.35), rng.uniform(0.85, 1.0)
        fraction = rng.choice([early, late]) if number % 3 == 2 else rng.uniform(0.3, 0.95)
        fractions[number % len(fractions)].append(fraction)
    for words, moments in zip(chain(recordings), fractions, strict=True):
        begun = time.monotonic()
        well(start(words, quiet))
        lasted = time.monotonic() - begun
        for moment in moments:
            process = start(words, killed)
            time.sleep(moment * lasted)
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        well(start(words, killed))
        assert differs(snapshot(quiet), snapshot(killed)) == [], (words, moments)


# Runs in a process of its own, forks for each command (so that nothing is imported again), and lets the child kill
# itself at its k-th change of the file system: before it, after it, or with the file aside half written.
STEPS = """
import json, os, random, shutil, signal, sys
from pathlib import Path
import numpy, pandas, pyarrow.parquet, sklearn.svm, soundfile, soxr, safetensors.numpy, jinja2, yaml
from emoset_cli.cli.main import main
from emoset_cli.report import html
place, seed, kills, chain = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
calls = 0
def patched(name, at, how):
    real = getattr(os, name)
    def call(*args, **kwargs):
        global calls
        calls += 1
        if calls == at and how != "after":
            if how == "half" and name in {"replace", "rename"}:
                os.truncate(args[0], os.path.getsize(args[0]) // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return real(*args, **kwargs)
        finally:
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)
    return call
def run(words, workspace, at=0, how=""):
    read, write = os.pipe()
    child = os.fork()
    if not child:
        code = 99
        try:
            sys.stdout = open(os.devnull, "w")
            for name in ("replace", "rename", "unlink", "rmdir", "mkdir", "remove"):
                setattr(os, name, patched(name, at, how))
            code = main([*words, "--workspace", str(workspace)])
            os.write(write, b"%d" % calls)
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    os.close(write)
    count = int(os.read(read, 20) or 0)
    os.close(read)
    return os.waitstatus_to_exitcode(status), count
def snapshot(folder):
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None
            for p in folder.rglob("*") if p.is_file() or not any(p.iterdir())}
rng = random.Random(seed)
before, faults, done = place / "0", [], 0
before.mkdir()
for number, words in enumerate(chain, 1):
    after = place / str(number)
    shutil.copytree(before, after)
    code, count = run(words, after)
    assert code == 0 and count > 0, (words, code)
    wanted = snapshot(after)
    ways = [(at, how) for at in range(1, count + 1) for how in ("before", "after", "half")]
    for at, how in rng.sample(ways, min(kills, len(ways))):
        work = shutil.copytree(before, place / "work")
        code, _ = run(words, work, at, how)
        again, _ = run(words, work)
        found = snapshot(work)
        wrong = sorted(n for n in found.keys() | wanted.keys() if found.get(n, 0) != wanted.get(n, 0))
        if code != -signal.SIGKILL or again or wrong:
            faults.append([words, at, how, code, again, wrong])
        done += 1
        shutil.rmtree(work)
    before = after
print(json.dumps([done, faults]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_steps_of_the_file_system(small, tmp_path):
    """Exactly before or after a file appears or goes, or while it is half written."""
    words = [
        ["prepare", f"demo-cora={small / 'recordings'}", "--partition", "speakers", "--workers", "1", "--quiet"],
        ["extract", "egemaps", "--workers", "1", "--quiet"],
        ["train", "svm", "--partition", "loso", "--workers", "1", "--quiet"],
        ["train", "svm", "--partition", "loso", "--workers", "1", "--quiet", "--force"],
        ["evaluate", "--quiet"],
    ]
    arguments = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        STEPS,
        str(tmp_path),
        str(SEED),
        str(STEP_KILLS),
        json.dumps(words),
    ]
    done = subprocess.run(arguments, env=ENV, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kills, faults = json.loads(done.stdout)
    assert faults == []
    assert kills >= 5 * min(STEP_KILLS, 4)


def wait_for(condition, process):
    """Wait until ``condition`` holds or the process has ended."""
    while process.poll() is None and not condition():
        time.sleep(0.01)


@pytest.mark.parametrize("whom", ["process", "group"])  # kill -INT, Ctrl-C
def test_interrupted_by_the_user(recordings, tmp_path, whom):
    (words, *_), workspace = chain(recordings), tmp_path / "w"
    process = start(words, workspace)
    wait_for(lambda: list(workspace.glob("corpora/*/audio")), process)
    (os.kill if whom == "process" else os.killpg)(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "interrupted: what was done is kept, the same command goes on from there" in err
    assert "Traceback" not in err
    assert not list(workspace.rglob("*.tmp"))
    well(start(words, workspace))


def processes(group):
    """(pid, command line) of the living processes of a session, started by `start`."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "pid=,stat=,args=", "-s", str(group)], capture_output=True, text=True
    ).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [(int(pid), args) for pid, stat, args in rows if not stat.startswith("Z")]


@pytest.mark.skipif(not shutil.which("ps"), reason="needs ps")
@pytest.mark.parametrize("moment", ["start", "work"])
def test_workers_end_in_silence_with_an_interrupted_command(done, tmp_path, moment):
    workspace = shutil.copytree(done, tmp_path / "w")
    process = start(["extract", "gemaps", "demo-cora", "--workers", "2"], workspace)
    if moment == "work":
        wait_for(lambda: list(workspace.glob("features/gemaps*/*.parts/*.npz")), process)
    else:
        wait_for(lambda: len(processes(process.pid)) > 2, process)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert err.startswith("interrupted: ")
    for _ in range(100):
        if not processes(process.pid):
            return
        time.sleep(0.05)
    pytest.fail("workers live on")


@pytest.mark.skipif(not shutil.which("ps"), reason="needs ps")
def test_a_killed_worker_is_replaced_and_its_work_done_again(done, tmp_path):
    workspace = shutil.copytree(done, tmp_path / "w")
    words = ["extract", "compare-2016", "demo-aria", "--workers", "2"]  # slow enough to catch its workers at work
    process = start(words, workspace)
    wait_for(lambda: list(workspace.glob("features/compare*/*.parts/*.npz")), process)
    workers = [pid for pid, args in processes(process.pid) if "popen_loky" in args]
    for worker in workers[:1]:
        os.kill(worker, signal.SIGKILL)
    assert well(process) == "" and workers


def test_two_processes_at_once(recordings, tmp_path):
    """The same command twice at the same time, on the same workspace: both end well, and the result is whole."""
    quiet, shared = tmp_path / "quiet", tmp_path / "shared"
    for words in chain(recordings)[:2]:
        well(start(words, quiet))
        both = [start(words, shared) for _ in range(2)]
        ends = [process.communicate()[1] for process in both]
        assert [process.returncode for process in both] == [0, 0], ends
    assert differs(snapshot(quiet), snapshot(shared)) == []
