"""Processor time of every ``--help``: what a user waits for before anything has begun."""

import sys
from collections.abc import Iterator
from typing import Any

from common import alternate, arguments, claim, conclude, emoset, measure, middle

HEAVY = {"pandas", "numpy", "sklearn", "scipy", "opensmile", "soundfile", "pyarrow", "joblib", "torch", "matplotlib"}
TARGET_S = 0.4


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """``--help`` of a group of commands, and of all below it."""
    yield " ".join([*path, "--help"])
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


def main() -> None:
    """Measure every command and what it imported."""
    from typer.main import get_command

    from emoset_cli.cli.main import app

    options = arguments(__doc__, rounds=5)
    lines = [*commands(get_command(app)), "--version", "corpora list", "runs list"]
    work = {words: (lambda words=words: measure(emoset(*words.split()))) for words in lines}
    measure(emoset("--help"))  # once for the file cache and the byte code
    costs = alternate(work, options.rounds)
    rows: list[list[object]] = [
        [f"emoset {words}", f"{middle(found, 'cpu_s'):.3f}", f"{middle(found):.3f}", _heavy(words)]
        for words, found in costs.items()
    ]
    slowest = max(costs, key=lambda words: middle(costs[words], "cpu_s"))
    claims = [
        claim(f"`emoset {words}`", middle(costs[words], "cpu_s"), "s of processor time", f"< {TARGET_S} s", TARGET_S)
        for words in dict.fromkeys(["--help", "train --help", slowest])
    ]
    heads = ["command", "processor time [s]", "wall [s]", "heavy imports"]
    conclude("startup", f"Start-up, median of {options.rounds}", heads, rows, claims, costs=costs)


def _heavy(words: str) -> str:
    """Heavy packages among the modules that the command has loaded when it ends."""
    code = "import sys; from emoset_cli.cli.main import main; main(sys.argv[1:]); print(); print('@', *sys.modules)"
    modules = measure([sys.executable, "-c", code, *words.split()]).out.rpartition("@")[2].split()
    return ", ".join(sorted(HEAVY & set(modules))) or "none"


if __name__ == "__main__":
    main()
