"""A short week of use: the script that lives a long one, `benchmarks/week.py`, with some commands only."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
LIVE = """
import dataclasses, json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import week
found = week.week(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), brief=True)
print(json.dumps([found.faults, found.checks, [one.outcome for one in found.ended]]))
"""

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
    pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="the benchmarks are not here"),
]


@pytest.mark.slow
def test_a_short_week_ends_whole_and_with_the_results_of_a_quiet_one(tmp_path):
    seed = os.environ.get("EMOSET_SEED", "0")
    words = [sys.executable, "-W", "ignore", "-c", LIVE, str(BENCHMARKS), str(tmp_path / "week"), "25", seed]
    done = subprocess.run(words, capture_output=True, text=True, cwd=BENCHMARKS.parent)
    assert done.returncode == 0, done.stderr
    faults, checks, outcomes = json.loads(done.stdout.splitlines()[-1])
    assert faults == []
    assert len(outcomes) >= 25
    assert set(outcomes) <= {"exit 0", "exit 1", "exit 130", "killed"}
    assert checks["finished runs compared"] >= 4 and checks["whole in the end"] >= 10


def test_what_a_user_must_not_see_is_a_fault(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from week_processes import _fault

    well = "error: no such run\n  mend: name another\n"
    assert _fault("exit 0", "", "{}", "") == _fault("exit 1", "", "", well) == _fault("killed", "group", "", "") == ""
    assert _fault("exit 130", "interrupt", "", "interrupted: ...") == ""
    for outcome, blow, err in [("exit 1", "", ""), ("exit 1", "", f"{well}Traceback"), ("exit 130", "", ""),
                               ("exit -11", "", ""), ("exit 2", "", well), ("killed", "group", "a fault of emoset"),
                               ("exit 70", "child", well)]:  # fmt: skip
        assert _fault(outcome, blow, "", err), (outcome, err)
