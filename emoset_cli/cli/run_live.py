"""How far a plan is, on stderr: one live table on a terminal, a line for each job that ends elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emoset_cli.cli.common import say
from emoset_cli.cli.job import Machine

_TAIL = 4096  # bytes of a log that hold its last line


@contextmanager
def shown(plan: Any, progress: Any, machine: Machine, workers: int, quiet: bool) -> Iterator[Callable[..., None]]:
    """Yield what `emoset_cli.plan.schedule.run_jobs` tells its progress to."""
    if quiet:
        yield lambda progress, record: None
        return
    if not sys.stderr.isatty():
        yield lambda progress, record: _line(progress, record, machine, workers)
        return
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(stderr=True), refresh_per_second=2) as live:

        def told(progress: Any, record: Any) -> None:
            if record is not None and record.state == "failed":
                live.console.print(_failed(record), style="red", markup=False, highlight=False)
            live.update(table(plan, progress, machine, workers))

        told(progress, None)
        yield told


def _line(progress: Any, record: Any, machine: Machine, workers: int) -> None:
    """A job that has ended, and how far all are."""
    if record is None:
        return
    ended = len(progress.todo) - len(progress.left)
    what = _failed(record) if record.state == "failed" else f"done: {record.name}"
    uar = f", devel UAR {100 * record.devel_uar:.1f}" if record.devel_uar is not None else ""
    say(f"[{ended}/{len(progress.todo)}] {what}{uar}, {record.seconds:.0f} s; {_left(progress, machine, workers)}")


def _failed(record: Any) -> str:
    return f"failed: {record.name}: {record.problem} (mend: {record.mend})"


def _left(progress: Any, machine: Machine, workers: int) -> str:
    from emoset_cli.plan.estimate import in_words, time_left

    if not progress.left:
        return "nothing left"
    seconds, unknown = time_left(progress.left, machine.utterances, list(progress.records.values()), workers)
    more = f" and {unknown} jobs of unknown length" if unknown else ""
    return f"about {in_words(seconds)} left{more}"


def table(plan: Any, progress: Any, machine: Machine, workers: int) -> Any:
    """A row for each set of runs: how many are done, running, failed; best devel UAR; below, what is under way."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    drawn = Table(title=Text(f"{plan.title} ({plan.size})"), title_justify="left")
    for name in ("runs", "done", "running", "failed", "to do", "best devel UAR [%]"):
        drawn.add_column(name, justify="left" if name == "runs" else "right")
    for name in dict.fromkeys(job.set for job in progress.jobs):
        own = [job for job in progress.jobs if job.set == name]
        states = [progress.states[job.id] for job in own]
        running = sum(job.id in progress.running for job in own)
        failed = sum(state in {"failed", "blocked"} for state in states)
        found = [progress.records[job.id].devel_uar for job in own if job.id in progress.records]
        best = max((uar for uar in found if uar is not None), default=None)
        counts = [states.count("done"), running, failed, len(own) - states.count("done") - running - failed]
        drawn.add_row(Text(name), *map(str, counts), "" if best is None else f"{100 * best:.1f}")
    by_id = {job.id: job for job in progress.jobs}
    lines = [Text(f"{by_id[key].name}: {last_line(machine.workspace, key)}", no_wrap=True, overflow="ellipsis")
             for key in progress.running]  # fmt: skip
    return Group(drawn, *lines, Text(_left(progress, machine, workers)))


def last_line(workspace: Path, job: str) -> str:
    """What a job has said last."""
    from emoset_cli.plan.state import log_file

    try:
        with log_file(workspace, job).open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - _TAIL))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""
