"""Draw docs/images/run-live.svg: what ``emoset run`` shows on a terminal, on the synthetic corpora.

``python docs/make_run_live.py [--out FILE]`` runs a small plan under a pseudo-terminal and draws one of the tables that
it shows there, with jobs done and others under way. A Unix system is needed.
"""

import argparse
import contextlib
import io
import os
import pty
import re
import sys
import tempfile
from pathlib import Path

IMAGE = Path(__file__).parent / "images" / "run-live.svg"
PLAN = """title: Baselines on the synthetic corpora
corpora: [demo-aria, demo-brio, demo-cora]
runs:
  svm: {train: svm, over: each, grid: {class-weight: [none, balanced]}}
  forest: {train: forest, over: each}
  network: {train: cnn, over: each, corpora: [demo-cora], options: {preset: quick, epochs: 1, patience: 1}}
"""
SIZE = {"COLUMNS": "100", "LINES": "40", "TERM": "xterm-256color"}
_BEGIN = re.compile(r"(?:\r?\x1b\[2K(?:\x1b\[1A\x1b\[2K)+)")  # where rich takes a table away to draw the next


def under_terminal(words: list[str], **variables: str) -> tuple[int, str]:
    """Run a command under a pseudo-terminal; its exit code and all that it wrote there."""
    child, end = pty.fork()
    if not child:
        os.environ.update(SIZE | variables)
        try:
            os.execv(words[0], words)
        finally:
            os._exit(127)
    parts = []
    while True:
        try:
            part = os.read(end, 65536)
        except OSError:  # Linux says so that the other side is closed
            part = b""
        if not part:
            break
        parts.append(part)
    os.close(end)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code, b"".join(parts).decode("utf-8", "replace")


def tables(written: str) -> list[str]:
    """Each table that was shown, one after the other, as written."""
    return [part.strip("\r\n") for part in _BEGIN.split(written) if "best devel UAR" in part]


def running(table: str) -> int:
    """How many jobs a table shows under way: lines below it."""
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", table).splitlines()
    bottom = max(number for number, line in enumerate(lines) if line.startswith("└"))
    return sum(": " in line for line in lines[bottom + 1 :])


def drawn(table: str) -> str:
    """A table as SVG."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=int(SIZE["COLUMNS"]), file=io.StringIO())
    console.print(Text.from_ansi(table.replace("\r\n", "\n")))
    svg = console.export_svg(title="emoset run", unique_id="run-live")
    return re.sub(r" *\n", "\n", re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL))  # no font from elsewhere


def main(arguments: list[str]) -> int:
    """Run the plan and draw the picture; answer the exit code of the plan."""
    from emoset_cli.cli.main import main as emoset
    from emoset_cli.synth import demo

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=IMAGE)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        where = [f"{key}={path}" for key, path in demo.write(folder / "recordings").items()]
        with contextlib.redirect_stdout(io.StringIO()):
            emoset(["prepare", *where, "--partition", "standard", "-d", name, "-q"])
        (folder / "baselines.yaml").write_text(PLAN, "utf-8")
        program = "import sys; from emoset_cli.cli.main import main; sys.exit(main())"
        words = [sys.executable, "-c", program, "run", str(folder / "baselines.yaml"), "--workers", "2", "-d", name]
        code, written = under_terminal(words)
    shown = [table for table in tables(written) if running(table) > 1]
    if code or not shown:
        sys.stderr.write(written)
        return code or 1
    options.out.write_text(drawn(shown[-1]), encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
