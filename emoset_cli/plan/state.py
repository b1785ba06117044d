"""How far jobs are, by what lies on disk: a record for each that ended, a lock on each that is under way."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from emoset_cli.errors import EmosetError
from emoset_cli.files import read_json, write_json
from emoset_cli.plan.jobs import EXTRACT, Job
from emoset_cli.runs import is_done

DONE, FAILED, BEGUN, OPEN, BLOCKED = "done", "failed", "begun", "open", "blocked"


@dataclass(frozen=True)
class Record:
    """How a job ended: ``answer`` is what others need of it (a run, a feature set), ``runs`` all it trained.

    ``seconds`` counts the last attempt, ``utterances`` those of its corpora; ``devel_uar`` is the mean over its runs.
    """

    id: str
    name: str
    kind: str
    state: str
    command: str
    seconds: float
    utterances: int
    answer: str = ""
    runs: list[str] = field(default_factory=list)
    devel_uar: float | None = None
    problem: str = ""
    mend: str = ""


def jobs_folder(workspace: Path) -> Path:
    """Where the records of all plans of a workspace lie: the same job in two plans is done once."""
    return workspace / "jobs"


def write_record(workspace: Path, record: Record) -> None:
    """Keep how a job ended."""
    write_json(jobs_folder(workspace) / f"{record.id}.json", asdict(record))


def read_records(workspace: Path) -> dict[str, Record]:
    """All records by id; a damaged one counts as none."""
    found = {}
    for path in sorted(jobs_folder(workspace).glob("*.json")):
        try:
            record = Record(**read_json(path))
        except (EmosetError, TypeError):
            continue
        found[record.id] = record
    return found


def log_file(workspace: Path, job: str) -> Path:
    """What the job said on stderr."""
    return jobs_folder(workspace) / f"{job}.log"


def states(workspace: Path, jobs: Sequence[Job], records: Mapping[str, Record]) -> dict[str, str]:
    """The state of each job.

    done: its runs lie there finished; failed: its last attempt ended in an error; begun: an attempt was interrupted, or
    is under way; blocked: a job that it needs has failed; open: nothing of it is there.
    """
    found: dict[str, str] = {}
    for job in jobs:
        record = records.get(job.id)
        if record and record.state == DONE and _there(workspace, job, record):
            found[job.id] = DONE
        elif any(found.get(need) in {FAILED, BLOCKED} for need in job.needs):
            found[job.id] = BLOCKED
        elif record and record.state == FAILED:
            found[job.id] = FAILED
        else:
            found[job.id] = BEGUN if log_file(workspace, job.id).is_file() else OPEN
    return found


def _there(workspace: Path, job: Job, record: Record) -> bool:
    if job.set == EXTRACT:
        return (workspace / "features" / record.answer / f"{job.corpora[0]}.json").is_file()
    return bool(record.runs) and all(is_done(workspace / "runs" / name) for name in record.runs)


@contextmanager
def locked(workspace: Path, job: str) -> Iterator[None]:
    """Hold a job: no other process on this machine does it at the same time. The lock ends with the process.

    Raises:
        EmosetError: if another process is at it
    """
    path = jobs_folder(workspace) / f"{job}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise EmosetError(
                "another process is doing this job", "wait until it has ended, then give the same command again"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
