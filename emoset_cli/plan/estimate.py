"""How long jobs will take, by how long others of the same kind took in this workspace."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from emoset_cli.plan.jobs import EXTRACT, Job
from emoset_cli.plan.state import Record


def seconds_of(job: Job, utterances: Mapping[str, int], records: Iterable[Record]) -> float | None:
    """Seconds that a job will take, from those that were done at one go; None where no job of its command was.

    Jobs of the same command and options count alone where there are some; else those of the same command (of the same
    feature set), and then it is a rough guess, for their budgets may differ. Time is taken as proportional to
    utterances.
    """
    done = [one for one in records if one.whole and one.utterances and one.id != job.id]
    same = [one for one in done if one.kind == job.kind]
    alike = [one for one in done if _command(one.kind) == _command(job.kind)]
    chosen = same or alike
    if not chosen:
        return None
    return median(one.seconds / one.utterances for one in chosen) * sum(utterances[key] for key in job.corpora)


def _command(kind: str) -> list[str]:
    """What is done, without options: ``cnn``, ``extract egemaps``."""
    words = kind.split()
    return words[:2] if words[0] == EXTRACT else words[:1]


def time_left(
    jobs: Sequence[Job], utterances: Mapping[str, int], records: Sequence[Record], workers: int
) -> tuple[float, int]:
    """Seconds for all these jobs on so many workers, and how many of the jobs are not in it, being unknown."""
    found = [seconds_of(job, utterances, records) for job in jobs]
    known = [seconds for seconds in found if seconds is not None]
    return sum(known) / max(1, min(workers, len(jobs) or 1)), len(found) - len(known)


def in_words(seconds: float) -> str:
    """A duration for people.

    Example:
        >>> [in_words(seconds) for seconds in (4.2, 75, 3700, 200_000)]
        ['4 s', '1 min 15 s', '1 h 2 min', '2 d 7 h']
    """
    whole = round(seconds)
    for size, unit, below, next_unit in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // below} {next_unit}"
    return f"{whole} s"
