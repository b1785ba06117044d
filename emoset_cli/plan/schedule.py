"""Jobs are done in the order of what they need, several at once; one failure stops only what needs it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.plan.jobs import Job
from emoset_cli.plan.state import BLOCKED, DONE, FAILED, Record, write_record
from emoset_cli.pool import Pool

_LOOK_S = 0.5  # how long to wait for a job to end before the progress is told again


@dataclass
class Progress:
    """How far a plan is: jobs in order, the state of each, records of those that ended, who is under way."""

    jobs: Sequence[Job]
    states: dict[str, str]
    records: dict[str, Record]
    running: list[str] = field(default_factory=list)

    def count(self, state: str) -> int:
        """Number of jobs in a state."""
        return sum(self.states[job.id] == state for job in self.jobs)

    @property
    def left(self) -> list[Job]:
        """The jobs that can still be done."""
        return [job for job in self.jobs if self.states[job.id] not in {DONE, FAILED, BLOCKED}]


@dataclass(frozen=True)
class Events:
    """The machine-readable log of a plan: a JSON line for each event, appended as it happens."""

    path: Path

    def add(self, event: str, **facts: Any) -> None:
        """Append an event with the time."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **facts}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def run_jobs(
    progress: Progress,
    todo: Sequence[Job],
    workers: Pool,
    work: Callable[..., Record],
    arguments: tuple[Any, ...],
    workspace: Path,
    events: Events,
    told: Callable[[Progress, Record | None], Any] = lambda progress, record: None,
) -> None:
    """Do jobs; ``progress`` is kept up to date.

    Args:
        progress: of the whole plan; what has failed before is tried again where it is in ``todo``
        todo: what shall be done, each behind those it needs
        workers: who does it
        work: called in a worker with the job, its words and ``arguments``; writes and answers its record
        arguments: the same for all
        workspace: where records are kept
        events: the log
        told: called whenever something happened (with the record of a job that ended), and every half second
    """
    waiting = [job for job in todo if progress.states[job.id] != DONE]
    for job in waiting:
        progress.states[job.id] = "open"
    by_id = {job.id: job for job in progress.jobs}
    under_way: set[str] = set()
    while waiting or under_way:
        for job in list(waiting):
            reached = {progress.states[need] for need in job.needs}
            if reached & {FAILED, BLOCKED}:
                progress.states[job.id] = BLOCKED
                events.add("blocked", job=job.id, name=job.name)
            elif reached <= {DONE}:
                answers = {need: progress.records[need].answer for need in job.needs}
                words = job.filled(answers)
                events.add("submitted", job=job.id, name=job.name, command=words)
                workers.submit(job.id, work, job, words, *arguments)
                under_way.add(job.id)
            else:
                continue
            waiting.remove(job)
        for one in workers.finished(_LOOK_S) if under_way else ():
            job = by_id[one.key]
            record = one.value if one.error is None else _broken(job, one.error, progress.records.get(job.id))
            if one.error is not None:
                write_record(workspace, record)
            under_way.discard(job.id)
            progress.records[job.id], progress.states[job.id] = record, record.state
            events.add(record.state, job=job.id, name=job.name, **_facts(record))
            progress.running = [key for key in workers.running() if key in under_way]
            told(progress, record)
        progress.running = [key for key in workers.running() if key in under_way]
        told(progress, None)


def _broken(job: Job, error: EmosetError, before: Record | None) -> Record:
    """The record of a job whose worker could not write one."""
    command = before.command if before else " ".join(("emoset", *job.words))
    return Record(job.id, job.name, job.kind, FAILED, command, 0.0, 0, problem=error.problem, mend=error.mend)


def _facts(record: Record) -> Mapping[str, Any]:
    if record.state == FAILED:
        return {"problem": record.problem, "mend": record.mend}
    return {"runs": record.runs, "seconds": round(record.seconds, 3), "devel_uar": record.devel_uar}
