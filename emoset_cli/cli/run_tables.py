"""What ``emoset run`` answers: the jobs with their state and time, or how the plan has ended."""

import shlex
from pathlib import Path
from typing import Any


def dry_run(
    plan: Any, over: Any, progress: Any, todo: list[Any], utterances: dict[str, int], workers: int
) -> tuple[dict[str, Any], list[Any]]:
    """The jobs that would be done, in order, with their state and an estimate of their time."""
    from emoset_cli.plan.estimate import in_words, seconds_of, time_left
    from emoset_cli.report.tables import Column, Table

    records = list(progress.records.values())
    answers = {record.id: record.answer for record in records if record.answer}
    names = {job.id: job.name for job in progress.jobs}
    rows = []
    for job in todo:
        seconds = seconds_of(job, utterances, records)
        words = job.filled({need: answers.get(need, f"<{names[need]}>") for need in job.needs})
        rows.append({
            "job": job.name, "set": job.set, "state": progress.states[job.id], "id": job.id,
            "needs": [names[need] for need in job.needs], "command": f"emoset {shlex.join(words)}",
            "seconds": None if progress.states[job.id] == "done" else seconds,
        })  # fmt: skip
    open_ = [job for job in todo if progress.states[job.id] != "done"]
    left, unknown = time_left(open_, utterances, records, workers)
    heads = [Column("job", "text", "job"), Column("state", "text", "state"), Column("time", "text", "time"),
             Column("command", "text", "command")]  # fmt: skip
    cells = [
        [row["job"], row["state"], None if row["seconds"] is None else f"about {in_words(row['seconds'])}",
         row["command"]]
        for row in rows
    ]  # fmt: skip
    note = f"{len(open_)} of {len(todo)} jobs to do"
    note += f": about {in_words(left)} on {workers} workers" if len(open_) > unknown else ""
    note += f"; how long {unknown} of them take is not known: none like them was done here" if unknown else ""
    reduced = f". Size {plan.size}: {'; '.join(plan.reduced)}" if plan.reduced else ""
    value = {
        "plan": plan.name, "size": plan.size, "corpora": list(over.corpora), "unseen": list(over.unseen), "jobs": rows,
        "seconds": left, "unknown": unknown, "workers": workers, "reduced": list(plan.reduced),
    }  # fmt: skip
    return value, [Table(plan.title, heads, cells, note + reduced)]


def done(plan: Any, progress: Any, folder: Path, page: Path, sections: list[Any]) -> tuple[dict[str, Any], list[Any]]:
    """How the plan has ended: counts, failures with their mends, the first table of each section."""
    from emoset_cli.report.tables import Column, Table

    counts = {state: progress.count(state) for state in ("done", "failed", "blocked", "begun", "open")}
    failed = [progress.records[job.id] for job in progress.jobs if progress.states[job.id] == "failed"]
    problems = [
        {"job": record.name, "problem": record.problem, "mend": record.mend, "command": record.command}
        for record in failed
    ]
    value = {
        "plan": plan.name, "size": plan.size, "folder": str(folder), "report": str(page), "jobs": counts,
        "failed": problems,
        "runs": sorted({name for job in progress.jobs if progress.states[job.id] == "done"
                        for name in progress.records[job.id].runs}),
    }  # fmt: skip
    heads = [Column(name, "count", name) for name in counts]
    tables = [table for section in sections for table in section.tables[:1]]
    tables.append(Table("Jobs", heads, [list(counts.values())]))
    if problems:
        heads = [Column(name, "text", name) for name in ("job", "problem", "mend")]
        cells = [[one["job"], one["problem"], one["mend"]] for one in problems]
        tables.append(Table("Failed", heads, cells, "The same command tries them again."))
    return value, tables
