"""Jobs are done in the order of what they need, several at once; one failure stops only what needs it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import sleep
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.plan.jobs import Job
from emoset_cli.plan.state import BLOCKED, DONE, FAILED, OPEN, RUNNING, Record, is_running, write_record
from emoset_cli.pool import Pool

_LOOK_S = 0.5  # how long to wait for a job to end before the progress is told again
# The lines of a plan's log: event -> its keys, besides `time` and `event`.
EVENTS = {
    "started": ("plan", "size", "command", "jobs", "todo"),
    "submitted": ("job", "name", "command"),
    "elsewhere": ("job", "name"),
    "done": ("job", "name", "runs", "seconds", "devel_uar"),
    "failed": ("job", "name", "problem", "mend"),
    "blocked": ("job", "name"),
    "interrupted": ("why",),
    "ended": ("done", "failed", "blocked"),
}


@dataclass
class Progress:
    """How far a plan is: all its jobs in order, and of these what shall be done now.

    ``states`` holds the state of each, ``records`` those of the jobs that ended, ``running`` who is under way.
    """

    jobs: Sequence[Job]
    todo: Sequence[Job]
    states: dict[str, str]
    records: dict[str, Record]
    running: list[str] = field(default_factory=list)

    def count(self, state: str) -> int:
        """Number of jobs in a state."""
        return sum(self.states[job.id] == state for job in self.jobs)

    @property
    def left(self) -> list[Job]:
        """What is still to be done now, and can be."""
        return [job for job in self.todo if self.states[job.id] not in {DONE, FAILED, BLOCKED}]


@dataclass(frozen=True)
class Events:
    """The machine-readable log of a plan: a JSON line for each of `EVENTS`, appended as it happens."""

    path: Path

    def add(self, event: str, **facts: Any) -> None:
        """Append an event with the time."""
        assert set(facts) == set(EVENTS[event]), (event, facts)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def run_jobs(
    progress: Progress,
    workers: Pool,
    work: Callable[..., Record | None],
    arguments: tuple[Any, ...],
    workspace: Path,
    events: Events,
    told: Callable[[Progress, Record | None], Any] = lambda progress, record: None,
) -> None:
    """Do the jobs that ``progress.todo`` names, each behind those it needs; what failed before is tried again.

    Args:
        progress: kept up to date
        workers: who does it
        work: called in a worker with a job, its words and ``arguments``; writes and answers its record, or answers None
            where another process is at the job: then its end is awaited
        arguments: the same for all
        workspace: where records are kept
        events: the log
        told: called whenever something happened (with the record of a job that ended), and every half second
    """
    waiting = [job for job in progress.todo if progress.states[job.id] != DONE]
    progress.states.update({job.id: OPEN for job in waiting})
    by_id = {job.id: job for job in waiting}
    under_way: dict[str, list[str]] = {}  # id -> words
    elsewhere: list[Job] = []
    while waiting or under_way or elsewhere:
        for job in list(waiting):
            reached = {progress.states[need] for need in job.needs}
            if reached & {FAILED, BLOCKED}:
                progress.states[job.id] = BLOCKED
                events.add("blocked", job=job.id, name=job.name)
            elif reached <= {DONE}:
                under_way[job.id] = job.filled({need: progress.records[need].answer for need in job.needs})
                events.add("submitted", job=job.id, name=job.name, command=under_way[job.id])
                workers.submit(job.id, work, job, under_way[job.id], *arguments)
            else:
                continue
            waiting.remove(job)
        for one in workers.finished(_LOOK_S) if under_way else ():
            job, words = by_id[one.key], under_way.pop(one.key)
            if one.error is None and one.value is None:
                elsewhere.append(job)
                progress.states[job.id] = RUNNING
                events.add("elsewhere", job=job.id, name=job.name)
                continue
            record = one.value if one.error is None else _broken(workspace, job, words, one.error)
            progress.records[job.id], progress.states[job.id] = record, record.state
            events.add(record.state, job=job.id, name=job.name, **_facts(record))
            told(progress, record)
        progress.running = [key for key in workers.running() if key in under_way]
        told(progress, None)
        if elsewhere and not under_way:
            sleep(_LOOK_S)
        for job in [job for job in elsewhere if not is_running(workspace, job.id)]:
            elsewhere.remove(job)
            waiting.append(job)  # it is done at once if the other process did it


def _broken(workspace: Path, job: Job, words: Sequence[str], error: EmosetError) -> Record:
    """Write the record of a job whose worker could not."""
    record = Record(job.id, job.name, job.kind, FAILED, " ".join(("emoset", *words)), 0.0, 0, problem=error.problem,
                    mend=error.mend)  # fmt: skip
    write_record(workspace, record)
    return record


def _facts(record: Record) -> Mapping[str, Any]:
    if record.state == FAILED:
        return {"problem": record.problem, "mend": record.mend}
    return {"runs": record.runs, "seconds": round(record.seconds, 3), "devel_uar": record.devel_uar}
