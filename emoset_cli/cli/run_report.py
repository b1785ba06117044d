"""The report of a plan, from the runs that are finished."""

import shlex
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError


def report(
    plan: Any, over: Any, progress: Any, workspace: Path, folder: Path, words: str, device: str,
    say: Callable[[str], None],
) -> tuple[Path, list[Any]]:  # fmt: skip
    """Write the sections that a plan asks for, and the state of its jobs; answer the page and its sections."""
    from emoset_cli.cli.run_sections import Part, section
    from emoset_cli.report.plan_page import About, write_plan_page

    found = _finished(progress, workspace, say)
    sections = []
    for number, wanted in enumerate(plan.report, 1):
        own = [job for job in progress.jobs if {*job.sets} & set(wanted.runs or plan.runs)]
        pairs = [(job, run) for job in own for run in found.get(job.id, ())]
        place = folder / "sections" / f"{number:02d}-{wanted.kind}"
        part = Part(wanted, pairs, plan, workspace, place, words, device)
        made = section(part, [(job, progress.states[job.id]) for job in own])
        if made.problem:
            say(f"report, {made.title}: {made.problem} (mend: {made.mend})")
        sections.append(made)
    about = About(plan.title, plan.source, plan.size, plan.reduced, _facts(plan, over, progress), words,
                  folder.parent / "events.jsonl")  # fmt: skip
    return write_plan_page(folder, about, sections, _rows(progress, found, workspace)), sections


def _finished(progress: Any, workspace: Path, say: Callable[[str], None]) -> dict[str, list[Any]]:
    """The runs of each job that is done, but those that were changed since."""
    from emoset_cli.runs import read_run

    found = {}
    for job in progress.jobs:
        if progress.states[job.id] == "done":
            try:
                found[job.id] = [read_run(workspace / "runs" / name) for name in progress.records[job.id].runs]
            except EmosetError as error:
                say(f"report, without {job.name}: {error.problem} (mend: {error.mend})")
    return found


def _facts(plan: Any, over: Any, progress: Any) -> dict[str, str]:
    """What was run over what, and how far it is."""
    counts = Counter(progress.states[job.id] for job in progress.jobs)
    missing = [key for key in plan.corpora if key not in over.corpora]
    further = [key for key in over.corpora if key not in plan.corpora] if plan.corpora else []
    facts = {
        "size": plan.size,
        "corpora": ", ".join(over.corpora),
        "corpora of the plan that are missing": ", ".join(missing),
        "corpora that the plan does not name": ", ".join(further),
        "unseen corpora": ", ".join(over.unseen) if any(one.unseen for one in plan.runs.values()) else "",
        "seeds instead of the plan's": ", ".join(map(str, over.seeds)),
        "jobs": f"{len(progress.jobs)}: " + ", ".join(f"{count} {state}" for state, count in sorted(counts.items())),
    }
    return {name: told for name, told in facts.items() if told}


def _rows(progress: Any, found: dict[str, list[Any]], workspace: Path) -> list[Any]:
    """All jobs, a row for each run; a run of two jobs (of several corpora each) stands with both."""
    from emoset_cli.plan.state import log_file
    from emoset_cli.report.plan_page import Row
    from emoset_cli.report.ranking import devel_uar, tested_uar

    names = {job.id: job.name for job in progress.jobs}
    answers = {record.id: record.answer for record in progress.records.values() if record.answer}
    rows = []
    for job in progress.jobs:
        state, record = progress.states[job.id], progress.records.get(job.id)
        command = (
            f"emoset {shlex.join(job.filled({need: answers.get(need, f'<{names[need]}>') for need in job.needs}))}"
        )
        facts: dict[str, Any] = {"seconds": record.seconds} if record and state in {"done", "failed"} else {}
        if state == "failed":
            told = {name: getattr(record, name).replace(f"{workspace}/", "") for name in ("problem", "mend")}
            facts |= {**told, "log": log_file(workspace, job.id)}
        if state == "blocked":
            facts["needs"] = tuple(names[need] for need in job.needs if progress.states[need] in {"failed", "blocked"})
        for run in found.get(job.id, ()):
            rows.append(Row(job.name, job.set, state, command, run.name, run.folder, devel_uar(run), tested_uar(run),
                            **facts))  # fmt: skip
        if not found.get(job.id):
            rows.append(Row(job.name, job.set, state, command, **facts))
    return rows
