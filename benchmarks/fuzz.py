"""Nonsense by the thousand: the fuzz tests many times over, and what came of it, area by area."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import PROJECT, arguments, claim, conclude


def main() -> None:
    """Run ``tests/test_fuzz.py`` with ``--rounds`` times as many examples, and count how they ended."""
    options = arguments(__doc__, rounds=10)
    with tempfile.TemporaryDirectory() as folder:
        counts = Path(folder) / "counts.json"
        environment = os.environ | {"EMOSET_FUZZ": str(options.rounds), "EMOSET_FUZZ_COUNTS": str(counts)}
        start = time.perf_counter()
        words = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-m",
            "slow or not slow",
            str(PROJECT / "tests" / "test_fuzz.py"),
        ]
        done = subprocess.run(words, cwd=PROJECT, env=environment, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if not counts.is_file():
            raise SystemExit(f"no example was tried:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
        found = json.loads(counts.read_text(encoding="utf-8"))
    if done.returncode:
        print(done.stdout[-4000:])
    for fault in found["faults"]:
        print(f"\n{fault}")
    rows: list[list[object]] = [
        [area, sum(ends.values()), ", ".join(f"{end}: {count}" for end, count in sorted(ends.items()))]
        for area, ends in found["outcomes"].items()
    ]
    faults = sum(ends.get("FAULT", 0) for ends in found["outcomes"].values()) + (done.returncode != 0)
    claims = [claim("examples that ended badly", faults, "", "0", 0)]
    heads = ["area", "examples", "how they ended"]
    conclude("fuzz", f"Fuzzing for {seconds:.0f} s", heads, rows, claims, found=found)


if __name__ == "__main__":
    main()
