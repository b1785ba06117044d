"""How far jobs are, by what lies on disk: a record for each that ended, a lock on each that is under way."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

from emoset_cli.errors import EmosetError
from emoset_cli.files import read_json, write_json
from emoset_cli.plan.jobs import EXTRACT, Job
from emoset_cli.runs import is_done

DONE, FAILED, RUNNING, BEGUN, OPEN, BLOCKED = "done", "failed", "running", "begun", "open", "blocked"
# What each state means; the order is that of tables.
STATES = {
    DONE: "its result lies in the workspace, whole",
    FAILED: "its last attempt ended in an error; it is tried again",
    BLOCKED: "a job that it needs has failed",
    RUNNING: "a process of this machine is doing it now",
    BEGUN: "an attempt was interrupted; it goes on where it was",
    OPEN: "nothing was done of it",
}


@dataclass(frozen=True)
class Record:
    """How a job ended: ``answer`` is what others need of it (a run, a feature set), ``runs`` all it trained.

    ``seconds`` counts the last attempt, and ``whole`` says that all was done in it; ``utterances`` counts those of its
    corpora; ``devel_uar`` is the mean over its runs.
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
    whole: bool = False


def jobs_folder(workspace: Path) -> Path:
    """Where the records of all plans of a workspace lie: the same job in two plans is done once."""
    return workspace / "jobs"


def _record_file(workspace: Path, job: str) -> Path:
    return jobs_folder(workspace) / f"{job}.json"


def write_record(workspace: Path, record: Record) -> None:
    """Keep how a job ended."""
    write_json(_record_file(workspace, record.id), asdict(record))


def read_record(workspace: Path, job: str) -> Record | None:
    """How a job ended last; None where it never did, or where the record is damaged."""
    try:
        return Record(**read_json(_record_file(workspace, job)))
    except (EmosetError, TypeError):
        return None


def read_records(workspace: Path) -> dict[str, Record]:
    """All records by id."""
    names = sorted(path.stem for path in jobs_folder(workspace).glob("*.json"))
    found = ((name, read_record(workspace, name)) for name in names)
    return {name: record for name, record in found if record}


def log_file(workspace: Path, job: str) -> Path:
    """What the job said on stderr, of all attempts; locked while one is under way."""
    return jobs_folder(workspace) / f"{job}.log"


def states(workspace: Path, jobs: Sequence[Job], records: Mapping[str, Record]) -> dict[str, str]:
    """The state of each job, see `STATES`."""
    found: dict[str, str] = {}
    for job in jobs:
        record = records.get(job.id)
        if record and is_there(workspace, job, record):
            found[job.id] = DONE
        elif is_running(workspace, job.id):
            found[job.id] = RUNNING
        elif any(found.get(need) in {FAILED, BLOCKED} for need in job.needs):
            found[job.id] = BLOCKED
        elif record and record.state == FAILED:
            found[job.id] = FAILED
        else:
            found[job.id] = BEGUN if log_file(workspace, job.id).is_file() else OPEN
    return found


def is_there(workspace: Path, job: Job, record: Record) -> bool:
    """Whether a job is done, and what it made has not been deleted."""
    if record.state != DONE:
        return False
    if job.set == EXTRACT:
        return (workspace / "features" / record.answer / f"{job.corpora[0]}.json").is_file()
    return bool(record.runs) and all(is_done(workspace / "runs" / name) for name in record.runs)


@contextmanager
def held(workspace: Path, job: str) -> Iterator[TextIO | None]:
    """Hold a job by its log, which is opened: no other process of this machine does it meanwhile.

    Yields None where another process has it. The hold ends with the process, whatever ends that. Where the file system
    has no locks nobody is kept away; the job is then done twice, with the same result.
    """
    path = log_file(workspace, job)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", buffering=1) as file:
        yield file if _locked(file) else None


def is_running(workspace: Path, job: str) -> bool:
    """Whether a process of this machine is at a job."""
    try:
        with log_file(workspace, job).open("r+", encoding="utf-8") as file:  # "a" would make it
            return not _locked(file)
    except FileNotFoundError:
        return False


def _locked(file: TextIO) -> bool:
    """Lock a file until it is closed; False where another process has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a network's file system without locks
        return True
    return True
