"""Write ``docs/cli.md`` from the help of every command.

Usage: python docs/make_cli.py [--check]. With --check nothing is written; the exit code is 1 if the page is stale.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("cli.md")
_WIDTH = 120  # columns of the help texts
_INTRO = """# Command line reference

Made by `python docs/make_cli.py` from the `--help` of every command: change the help, not this page.

What holds for every command:

- The answer goes to stdout: a table, or with `--json` one JSON value of the same facts. Progress, notes and errors go
  to stderr; `--quiet` leaves only errors and warnings of leaks there, and a stderr that is no terminal shows no bar.
- Exit code 0: done. 1: an error, or a check that found faults; what could be done was done first. 2: wrong usage.
  130: stopped with Ctrl-C.
- An error is two lines: what is wrong, and how to mend it. `--debug` before the command (or `EMOSET_DEBUG=1`) adds the
  traceback.
- `--workspace` (`-d`, `EMOSET_WORKSPACE`) is the folder that holds what emoset makes: see [workspace.md](workspace.md).
"""


def commands(group: Any, path: tuple[str, ...] = ("emoset",), parent: Any = None) -> Iterator[tuple[str, str]]:
    """Name and plain help of a command and of all below it, in the order of ``emoset --help``."""
    group.rich_markup_mode = None  # help as plain text, whatever the terminal
    context = group.make_context(path[-1], [], parent=parent, resilient_parsing=True, terminal_width=_WIDTH)
    yield " ".join(path), group.get_help(context)
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name), context)


def page() -> str:
    """The whole page."""
    from typer.main import get_command

    from emoset_cli.cli.main import app

    found = list(commands(get_command(app)))
    links = "\n".join(f"- [`{name}`](#{name.replace(' ', '-')})" for name, _ in found)
    parts = [f"## {name}\n\n```text\n{_trimmed(text)}\n```\n" for name, text in found]
    return "\n".join([_INTRO, links + "\n", *parts])


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; answer the exit code."""
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python docs/make_cli.py [--check]\n")
        return 2
    new = page()
    if not arguments:
        PAGE.write_text(new, encoding="utf-8", newline="\n")
    elif not PAGE.is_file() or PAGE.read_text(encoding="utf-8") != new:
        sys.stderr.write("docs/cli.md is stale: python docs/make_cli.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
