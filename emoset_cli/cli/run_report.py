"""The report of a plan, from the runs that are finished."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError


@dataclass(frozen=True)
class Section:
    """A part of the report: its title and its tables."""

    title: str
    tables: list[Any]


def report(
    plan: Any, over: Any, progress: Any, workspace: Path, folder: Path, words: str, device: str,
    say: Callable[[str], None],
) -> tuple[Path, list[Section]]:  # fmt: skip
    """Write the scores of all finished runs of a plan; answer the page and its sections.

    Raises:
        EmosetError: if no run is finished
    """
    from emoset_cli import runs
    from emoset_cli.report.html import write_report
    from emoset_cli.report.scores import score_runs
    from emoset_cli.report.tables import results_table

    done = [progress.records[job.id] for job in progress.jobs if progress.states[job.id] == "done"]
    found = [runs.find_run(workspace, name) for record in done for name in record.runs]
    if not found:
        raise EmosetError(f"no run of plan {plan.name} is finished: there is nothing to report", words)
    scores = score_runs(found)
    return write_report(folder, found, scores, [], [], []), [Section("Scores", [results_table(scores)])]
