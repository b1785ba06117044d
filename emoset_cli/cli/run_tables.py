"""What ``emoset run`` answers: the jobs with their state and time, or how the plan has ended."""

import shlex
from pathlib import Path
from typing import Any


def dry_run(
    plan: Any, over: Any, progress: Any, chosen: list[Any], utterances: dict[str, int], workers: int
) -> tuple[dict[str, Any], list[Any]]:
    """The chosen jobs in order, with their state and an estimate of the time of those that would be done now."""
    from emoset_cli.plan.estimate import in_words, seconds_of, time_left
    from emoset_cli.report.tables import Column, Table

    records = list(progress.records.values())
    answers = {record.id: record.answer for record in records if record.answer}
    names = {job.id: job.name for job in progress.jobs}
    rows = []
    for job in chosen:
        seconds = seconds_of(job, utterances, records)
        words = job.filled({need: answers.get(need, f"<{names[need]}>") for need in job.needs})
        rows.append({
            "job": job.name, "set": job.set, "state": progress.states[job.id], "id": job.id,
            "needs": [names[need] for need in job.needs], "command": f"emoset {shlex.join(words)}",
            "seconds": None if progress.states[job.id] == "done" else seconds,
        })  # fmt: skip
    todo = progress.todo
    left, unknown = time_left(todo, utterances, records, workers)
    heads = [Column("job", "text", "job"), Column("state", "text", "state"), Column("time", "text", "time"),
             Column("command", "text", "command")]  # fmt: skip
    cells = [
        [row["job"], row["state"], None if row["seconds"] is None else f"about {in_words(row['seconds'])}",
         row["command"]]
        for row in rows
    ]  # fmt: skip
    note = f"{len(todo)} of {len(chosen)} jobs would be done"
    note += f": about {in_words(left)} on {workers} workers" if len(todo) > unknown else ""
    note += f"; how long {unknown} of them take is not known: none like them was done here" if unknown else ""
    reduced = f". Size {plan.size}: {'; '.join(plan.reduced)}" if plan.reduced else ""
    value = {
        "plan": plan.name, "size": plan.size, "corpora": list(over.corpora), "unseen": list(over.unseen), "jobs": rows,
        "seconds": left, "unknown": unknown, "workers": workers, "reduced": list(plan.reduced),
    }  # fmt: skip
    return value, [Table(plan.title, heads, cells, note + reduced)]


def done(
    plan: Any, progress: Any, folder: Path, workspace: Path, page: Path | None, sections: list[Any]
) -> tuple[dict[str, Any], list[Any]]:
    """How the plan has ended: the first table of each section, counts, failures with their mends."""
    from emoset_cli.plan.state import STATES, log_file
    from emoset_cli.report.tables import Column, Table

    counts = {state: progress.count(state) for state in STATES}
    failed = [progress.records[job.id] for job in progress.jobs if progress.states[job.id] == "failed"]
    problems = [
        {"job": record.name, "problem": record.problem, "mend": record.mend, "command": record.command,
         "log": str(log_file(workspace, record.id))}
        for record in failed
    ]  # fmt: skip
    value = {
        "plan": plan.name, "size": plan.size, "folder": str(folder), "report": str(page) if page else None,
        "jobs": counts, "failed": problems,
        "runs": sorted({name for job in progress.jobs if progress.states[job.id] == "done"
                        for name in progress.records[job.id].runs}),
    }  # fmt: skip
    heads = [Column(name, "count", name) for name in counts]
    tables = [table for section in sections for table in section.tables[:1]]
    left = sum(counts.values()) - counts["done"]
    note = f"{left} of {sum(counts.values())} jobs are left: the same command does them." if left else ""
    tables.append(Table("Jobs", heads, [list(counts.values())], note))
    if problems:
        heads = [Column(name, "text", name) for name in ("job", "problem", "mend", "log")]
        cells = [[one[head.key] for head in heads] for one in problems]
        note = f" {counts['blocked']} jobs that need them were not begun." if counts["blocked"] else ""
        tables.append(Table("Failed", heads, cells, f"The same command tries them again.{note}"))
    return value, tables


def plans(known: list[Any]) -> tuple[list[dict[str, Any]], list[Any]]:
    """The plans that come with emoset."""
    from emoset_cli.report.tables import Column, Table

    rows = [
        {"plan": plan.name, "title": plan.title, "sizes": list(plan.sizes), "corpora": list(plan.corpora),
         "unseen": list(plan.unseen), "sets": list(plan.runs), "source": plan.source}
        for plan in known
    ]  # fmt: skip
    heads = [Column("plan", "text", "plan"), Column("what", "text", "title"), Column("sizes", "text", "sizes"),
             Column("corpora", "text", "corpora")]  # fmt: skip
    cells = [[row["plan"], row["title"], ", ".join(row["sizes"]), ", ".join(row["corpora"] + row["unseen"])]
             for row in rows]  # fmt: skip
    note = "Try one: emoset run PLAN --size smoke. On corpora that you own: emoset run PLAN --corpora KEY,KEY --dry-run"
    return rows, [Table("Plans", heads, cells, note)]
