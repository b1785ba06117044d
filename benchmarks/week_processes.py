"""Commands of emoset in forked processes, killed or interrupted where asked for, and how each of them ended.

What is heavy is imported once, in the process that forks. A command has a process group and a session of its own.
"""

import atexit
import importlib
import os
import pkgutil
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

LIMIT_S = 240.0  # after which a command hangs; a busy machine included
_HEAVY = (
    "numpy", "pandas", "pyarrow.parquet", "sklearn.svm", "sklearn.ensemble", "soundfile", "soxr", "safetensors.numpy",
    "safetensors.torch", "jinja2", "yaml", "torch", "opensmile", "optuna", "statsmodels.stats.multitest", "joblib",
)  # fmt: skip
HOW = ("group", "child", "interrupt")  # SIGKILL of the group, of the command without its workers, Ctrl-C


@dataclass
class Ended:
    """A command: its words, kind, what was done to it, how it ended, and what is wrong with that."""

    words: list[str]
    kind: str
    blow: str
    outcome: str
    seconds: float
    fault: str = ""
    out: str = ""
    err: str = field(default="", repr=False)


def load() -> None:
    """Import what commands import, so that a forked one has it at once."""
    import emoset_cli

    for name in _HEAVY:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(emoset_cli.__path__, "emoset_cli."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


class Command:
    """A command under way.

    Args:
        words: after ``emoset``
        kind: what it counts as
        folder: gets the files of its stdout and stderr
        blow: one of `HOW`, or "" to let it live
        after_s: when it gets the blow
    """

    _number = 0

    def __init__(self, words: Sequence[object], kind: str, folder: Path, blow: str = "", after_s: float = 0.0) -> None:
        Command._number += 1
        self.words, self.kind, self.blow = [str(word) for word in words], kind, blow
        self._out, self._err = (folder / f"{Command._number}.{what}" for what in ("out", "err"))
        self._begun = time.monotonic()
        self._strike = self._begun + after_s if blow else float("inf")
        self._struck = False
        sys.stdout.flush()
        self.pid = os.fork()
        if not self.pid:
            self._live()

    def _live(self) -> None:
        """What the child does; it never comes back."""
        code = 70
        try:
            os.setsid()
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number, path in ((1, self._out), (2, self._err)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
            from emoset_cli.cli.main import main

            sys.argv = ["emoset", *self.words]
            try:
                main()  # as its entry point: with no arguments it ends the interpreter
            except SystemExit as stop:
                code = stop.code if isinstance(stop.code, int) else 70
            sys.stdout.flush()
            sys.stderr.flush()
            atexit._run_exitfuncs()
        except KeyboardInterrupt:  # before or after main
            code = 130
        except BaseException:
            import traceback

            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)

    def ended(self) -> Ended | None:
        """How it ended, if it has; strikes when it is time."""
        done, status = os.waitpid(self.pid, os.WNOHANG)
        now = time.monotonic()
        if not done:
            if now > self._strike and not self._struck:
                self._hit()
            if now - self._begun > LIMIT_S:
                os.killpg(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
                return self._answer("HANGS", now, f"after {LIMIT_S:.0f} s it had not ended")
            return None
        code = os.waitstatus_to_exitcode(status)
        outcome = "killed" if code == -signal.SIGKILL and self._struck else f"exit {code}"
        return self._answer(outcome, now, "")

    def _hit(self) -> None:
        with suppress(ProcessLookupError):  # its group is not there yet: at the next look
            if self.blow == "child":
                os.kill(self.pid, signal.SIGKILL)
            else:
                os.killpg(self.pid, signal.SIGKILL if self.blow == "group" else signal.SIGINT)
            self._struck = True

    def _answer(self, outcome: str, now: float, fault: str) -> Ended:
        out, err = (path.read_text("utf-8", "replace") if path.exists() else "" for path in (self._out, self._err))
        for path in (self._out, self._err):
            path.unlink(missing_ok=True)
        blow = self.blow if self._struck else ""
        fault = fault or _fault(outcome, blow, out, err)
        return Ended(self.words, self.kind, blow, outcome, now - self._begun, fault, out, err)


def _fault(outcome: str, blow: str, out: str, err: str) -> str:
    """What a user must not see; "" if there is nothing."""
    if "Traceback" in out + err or "a fault of emoset" in out + err:
        return "a traceback or a fault of emoset"
    if outcome == "killed":
        return ""
    if outcome == "exit 130":
        return "" if blow == "interrupt" else "interrupted by nobody"
    if outcome not in {"exit 0", "exit 1", "exit 2"}:
        return "no such exit code"
    if outcome == "exit 1" and not out and not re.search(r"^error: \S(?:.|\n)*^  mend: \S", err, re.MULTILINE):
        return "exit 1 without a word"
    if outcome == "exit 2":
        return "wrong usage, and nobody meant it"
    return ""


def together(commands: Sequence[Command]) -> list[Ended]:
    """Wait for commands under way."""
    left, found = list(commands), []
    while left:
        for command in list(left):
            if ended := command.ended():
                left.remove(command)
                found.append(ended)
        time.sleep(0.005)
    return found


def linger(pids: Sequence[int], limit_s: float) -> list[str]:
    """Command lines of processes of these sessions that still live after so many seconds."""
    if not shutil.which("ps"):
        return []
    end = time.monotonic() + limit_s
    while True:
        told = subprocess.run(["ps", "-ww", "-eo", "sid=,pid=,stat=,args="], capture_output=True, text=True).stdout
        rows = [line.split(maxsplit=3) for line in told.splitlines()]
        found = [row[3] for row in rows if int(row[0]) in pids and not row[2].startswith("Z")]
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.5)


def blow(rng: random.Random, usual_s: float) -> tuple[str, float]:
    """A blow and its moment: in the course of the command, now and then at its very beginning or end."""
    moment = rng.choice([rng.uniform(0.02, 0.2), rng.uniform(0.1, 0.95), rng.uniform(0.1, 0.95), rng.uniform(0.9, 1.1)])
    return rng.choices(HOW, (5, 2, 2))[0], moment * usual_s
