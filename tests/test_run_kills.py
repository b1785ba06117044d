"""``emoset run`` under SIGKILL: of workers, of the command, of both; and two of the same plan at once.

Whatever is killed, all jobs end done, what was done is not repeated, and the predictions are those of the commands that
a dry run shows. ``EMOSET_SEED`` chooses other workers and moments.
"""

import io
import json
import os
import random
import shlex
import shutil
import signal
import sys
import time
from contextlib import redirect_stdout

import pytest
from test_survive import SEED, processes, start, wait_for, well

from emoset_cli.cli.main import main

ARIA, CORA = "demo-aria", "demo-cora"
NET = "partition: speakers, blocks: 1, filters: 4, num-mels: 16, window: 1.5, batch-size: 4, precision: fp32"
PLAN = f"""\
corpora: [{CORA}, {ARIA}]
runs:
  net: {{train: cnn, over: each, corpora: [{CORA}], options: {{{NET}, patience: 2, epochs: 2}}}}
  tuned:
    {{train: cnn, over: each, corpora: [{ARIA}], from: net, options: {{{NET}, patience: 1, epochs: 1, mode: finetune}}}}
  svm: {{train: svm, over: each, options: {{partition: loso}}}}
  forest: {{train: forest, over: each, options: {{partition: speakers}}}}
"""
BASELINES = ["--only", "svm,forest"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="needs process groups"),
    pytest.mark.skipif(not shutil.which("ps"), reason="needs ps"),
]


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan.yaml"
    path.write_text(PLAN, "utf-8")
    return path


@pytest.fixture
def workspace(pair, tmp_path):
    return shutil.copytree(pair, tmp_path / "w")


def planned(plan, workspace):
    """The jobs of a dry run."""
    with redirect_stdout(io.StringIO()) as out:
        assert main(["run", str(plan), "-d", str(workspace), "--dry-run", "--json"]) == 0
    return json.loads(out.getvalue())["jobs"]


def predictions(workspace):
    """Run -> its predictions."""
    return {path.parent.name: path.read_bytes() for path in workspace.glob("runs/*/predictions.csv")}


@pytest.fixture(scope="module")
def undisturbed(pair, plan, tmp_path_factory):
    """The predictions of the commands that a dry run shows, given one by one: set of runs -> run -> bytes."""
    workspace = shutil.copytree(pair, tmp_path_factory.mktemp("undisturbed") / "w")
    answers, found = {}, {}
    for job in planned(plan, workspace):
        words = [answers.get(word, word) for word in shlex.split(job["command"])[1:]]
        before = predictions(workspace)
        with redirect_stdout(io.StringIO()):
            assert main([*words, "-d", str(workspace), "-q", "--workers", "1"]) == 0
        made = {name: raw for name, raw in predictions(workspace).items() if name not in before}
        found.setdefault(job["set"], {}).update(made)
        answers[f"<{job['job']}>"] = next(iter(made), "")
    return found


def begin(plan, workspace, *words):
    return start(["run", str(plan), "--workers", "2", *words], workspace)


def events(workspace):
    """Whole lines of the log so far."""
    logs = list(workspace.glob("plans/*/events.jsonl"))
    text = logs[0].read_text("utf-8") if logs else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def told(workspace, event):
    return [line for line in events(workspace) if line["event"] == event]


def attempts(workspace):
    """How often each job was begun, by its id."""
    return {log.stem: log.read_text("utf-8").count("$ emoset ") for log in workspace.glob("jobs/*.log")}


def test_workers_are_killed_at_random(plan, workspace, undisturbed):
    rng = random.Random(SEED)
    process, killed = begin(plan, workspace, *BASELINES), []
    for done in (0, 2):  # two kills: a job that kills three workers is given up
        wait_for(lambda done=done: len(told(workspace, "done")) >= done and told(workspace, "submitted"), process)
        time.sleep(rng.uniform(0, 0.3))
        workers = sorted(pid for pid, args in processes(process.pid) if "popen_loky" in args)
        if workers:
            killed.append(rng.choice(workers))
            os.kill(killed[-1], signal.SIGKILL)
    well(process)
    assert killed and not told(workspace, "failed")
    assert predictions(workspace) == undisturbed["svm"] | undisturbed["forest"]
    (end,) = told(workspace, "ended")
    assert (end["failed"], end["blocked"]) == (0, 0) and end["done"] == len(told(workspace, "done"))


def epochs_done(workspace):
    found = list(workspace.glob("runs/*/folds/*/progress.json"))
    return json.loads(found[0].read_text())["epoch"] if found else 0


def test_the_command_and_all_its_workers_are_killed(plan, workspace, undisturbed):
    process = begin(plan, workspace)
    wait_for(lambda: epochs_done(workspace) >= 1, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    states = {job["id"]: job["state"] for job in planned(plan, workspace)}
    assert "begun" in states.values()
    done = {key for key, state in states.items() if state == "done"}
    records = {key: (workspace / "jobs" / f"{key}.json").read_bytes() for key in done}
    well(begin(plan, workspace))
    assert predictions(workspace) == {name: raw for made in undisturbed.values() for name, raw in made.items()}
    assert {key: (workspace / "jobs" / f"{key}.json").read_bytes() for key in done} == records
    assert all(attempts(workspace)[key] == 1 for key in done) and max(attempts(workspace).values()) == 2
    assert {job["state"] for job in planned(plan, workspace)} == {"done"}
    assert len(told(workspace, "started")) == 2 and len(told(workspace, "ended")) == 1


def test_the_command_alone_is_killed_and_its_workers_end_what_they_are_at(plan, workspace, undisturbed):
    process = begin(plan, workspace, *BASELINES)
    wait_for(lambda: list(workspace.glob("jobs/*.log")), process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    again = begin(plan, workspace, *BASELINES)  # at once: the workers of the first are still at it
    well(again)
    process.communicate()
    assert set(attempts(workspace).values()) == {1}
    assert not told(workspace, "failed")
    assert predictions(workspace) == undisturbed["svm"] | undisturbed["forest"]


def test_two_commands_of_the_same_plan_at_once(plan, workspace, undisturbed):
    both = [begin(plan, workspace, *BASELINES) for _ in range(2)]
    ends = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert set(attempts(workspace).values()) == {1}
    assert not told(workspace, "failed") and not told(workspace, "blocked")
    assert predictions(workspace) == undisturbed["svm"] | undisturbed["forest"]


def test_interrupted_by_the_user(plan, workspace):
    process = begin(plan, workspace, *BASELINES)
    wait_for(lambda: list(workspace.glob("jobs/*.log")), process)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert "interrupted: what was done is kept, the same command goes on from there" in err and "Traceback" not in err
    assert [line["why"] for line in told(workspace, "interrupted")] == ["KeyboardInterrupt"]
    wait_for(lambda: not processes(process.pid), process)
    assert {job["state"] for job in planned(plan, workspace)} <= {"done", "begun", "open"}
