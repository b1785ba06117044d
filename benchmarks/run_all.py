"""Run all benchmarks and put them on one Markdown page, ``results/benchmarks.md``: targets first, then every table.

``--nkululeko PYTHON`` is handed on to first_result.py; ``--quick`` measures eGeMAPS on EmoDB alone and fewer utterances
of DeepSpectrum and speech encoders; ``--only training,speech`` runs some of the scripts.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from common import RESULTS, arguments, folders, machine, table, verdict

SCRIPTS = [
    "startup",
    "prepare",
    "egemaps",
    "loso",
    "first_result",
    "training",
    "segments",
    "deepspectrum",
    "speech",
    "frames",
    "predict",
]


def main() -> None:
    """Run the scripts one after the other; a script that fails does not stop the others, but the exit code tells."""
    more = argparse.ArgumentParser(add_help=False)
    more.add_argument("--only", default=",".join(SCRIPTS))
    ours, sys.argv[1:] = more.parse_known_args()
    scripts = [name for name in SCRIPTS if name in ours.only.split(",")]
    options = arguments(__doc__, rounds=0, quick="eGeMAPS on EmoDB alone, fewer utterances for networks")
    folders(options)
    start, load = time.monotonic(), machine()["load"]
    failed = [name for name in scripts if not _run(name, options)]
    done = [json.loads((RESULTS / f"{name}.json").read_text("utf-8")) for name in scripts if name not in failed]
    page = _page(done, time.monotonic() - start, load)
    (RESULTS / "benchmarks.md").write_text(page, encoding="utf-8")
    print(f"\n{page}")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def _run(name: str, options: Any) -> bool:
    command = [sys.executable, str(Path(__file__).with_name(f"{name}.py")), "--corpora", str(options.corpora)]
    command += ["--rounds", str(options.rounds)] if options.rounds else []
    command += ["--nkululeko", str(options.nkululeko)] if options.nkululeko else []
    command += ["--quick"] if options.quick and name in {"egemaps", "deepspectrum", "speech"} else []
    (RESULTS / f"{name}.json").unlink(missing_ok=True)  # an old result is not taken for a new one
    print(f"== {name}", flush=True)
    return subprocess.run(command, check=False).returncode == 0


def _page(done: list[dict[str, Any]], seconds: float, load: float) -> str:
    facts = machine()
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    parts = [
        "# Benchmarks",
        f"Measured by `python benchmarks/run_all.py` in {seconds / 60:.0f} minutes on {facts['cores']} cores of "
        f"{facts['processor']} ({', '.join(facts['flags']) or 'no vector flags of note'}; {facts['system']}; load when "
        f"it began {load}). Python {facts['python']}, {packages}. What is compared ran in turn; numbers are medians.",
        "## Targets",
        table(
            ["what", "measured", "target", ""],
            [[one["what"], f"{one['value']:.2f} {one['unit']}", one["target"], verdict(one)]
             for result in done for one in result["claims"]],
        ),
    ]  # fmt: skip
    for result in done:
        parts += [f"## {result['title']}", table(result["heads"], result["rows"])]
        parts += [result["raw"]["told"] + "."] if result["raw"].get("told") else []
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
