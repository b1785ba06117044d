"""The page of a plan: its sections, every number with a link to the runs it is of, and the state of all jobs."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from emoset_cli import __version__, files
from emoset_cli.errors import EmosetError
from emoset_cli.report.page import render, write_beside
from emoset_cli.report.section import Section
from emoset_cli.report.tables import Column, Table, slug
from emoset_cli.runs import FINAL

_FACTS = "plan.json"
_DRAWN = 8  # pictures of a section on this page; more are on its own


@dataclass(frozen=True)
class Row:
    """A job of the plan with one of its runs; ``folder`` is that of the run, None where there is none.

    ``devel`` and ``test`` are UARs, ``seconds`` those of the job. ``problem``, ``mend`` and ``log`` are of a failed
    job; of a blocked one ``needs`` names the jobs that it lacks.
    """

    job: str
    of: str
    state: str
    command: str
    run: str = ""
    folder: Path | None = None
    devel: float | None = None
    test: float | None = None
    seconds: float | None = None
    problem: str = ""
    mend: str = ""
    log: Path | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class About:
    """What the plan is: ``facts`` are pairs of words; ``reduced`` says in what its size is not the paper's."""

    title: str
    source: str
    size: str
    reduced: Sequence[str]
    facts: Mapping[str, str]
    command: str
    events: Path


def write_plan_page(folder: Path, about: About, sections: Sequence[Section], rows: Sequence[Row]) -> Path:
    """Write ``report.html`` and, beside it, tables (Markdown, LaTeX, CSV), figures (SVG) and ``plan.json``.

    Tables and figures of an earlier page of the same folder that are no more are removed. The page holds no date and no
    path of this machine: links are relative.

    Args:
        folder: made if missing
        about: the plan
        sections: in their order
        rows: all jobs, a row for each run

    Returns:
        path of the page
    """
    from markupsafe import Markup

    shown = [replace(one, tables=[_reduced(table, about) for table in one.tables] if one.source else one.tables)
             for one in sections]  # fmt: skip
    tables = [table for one in shown for table in one.tables]
    jobs = jobs_table(rows)
    figures = {f"{number:02d}-{slug(name)[:100]}": svg for number, one in enumerate(shown, 1)
               for name, svg in _drawn(one).items()}  # fmt: skip
    beside = write_beside(folder, tables or [jobs], figures, [jobs] if tables else [])
    names = iter(beside)
    ids, groups = _anchors(tables, rows)
    first = {row.run: row for row in reversed(rows)}  # a run of two jobs has one anchor
    views = [
        {
            "id": f"section-{number}", "section": one, "pages": _links(one.pages, folder),
            "figures": {name: Markup(svg) for name, svg in _drawn(one).items()},
            "further": len(one.figures) - len(_drawn(one)),
            "tables": [(table, *next(names)) for table in one.tables],
        }
        for number, one in enumerate(shown, 1)
    ]  # fmt: skip
    page = render(
        "plan.html.j2",
        title=about.title,
        version=__version__,
        about=about,
        events=_link(about.events, folder) if about.events.is_file() else "",
        views=views,
        rows=[
            (row, ids.get(row.run, "") if first[row.run] is row else "", row.folder and _link(row.folder, folder) + "/")
            for row in rows
        ],
        failed=[(row, row.log and _link(row.log, folder)) for row in rows if row.problem],
        blocked=[row for row in rows if row.needs],
        groups=groups,
        ids=ids,
    )
    written = {*(f"figures/{name}.svg" for name in figures), *(name for pair in beside for name in pair if name)}
    _sweep(folder, written)
    told = [{"title": one.title, "problem": one.problem, "mend": one.mend, "pages": _links(one.pages, folder)}
            for one in sections]  # fmt: skip
    files.write_json(folder / _FACTS, {
        "title": about.title, "size": about.size, "reduced": list(about.reduced), "command": about.command,
        "sections": told, "jobs": [_plain(row, folder) for row in rows],
        "files": sorted(written),
    })  # fmt: skip
    files.write_text(folder / "report.html", page)
    return folder / "report.html"


def jobs_table(rows: Sequence[Row]) -> Table:
    """A row for each run of each job."""
    columns = [
        Column("job", "text", "job"), Column("state", "text", "state"), Column("run", "text", "run"),
        Column("devel UAR [%]", "percent", "devel_uar"), Column("test UAR [%]", "percent", "test_uar"),
        Column("seconds", "duration", "seconds"), Column("command", "text", "command"),
    ]  # fmt: skip
    cells = [[row.job, row.state, row.run or None, row.devel, row.test, row.seconds, row.command] for row in rows]
    return Table("Runs", columns, cells, "UAR of several corpora: their mean. Seconds: of the job's last attempt.")


def _drawn(section: Section) -> Mapping[str, str]:
    """The figures that this page shows."""
    return section.figures if len(section.figures) <= _DRAWN or not section.pages else {}


def _reduced(table: Table, about: About) -> Table:
    """The table of a paper, with what is not as in the paper told below ours."""
    ours = any(runs for row in table.sources() for runs in row)
    told = f"Size {about.size}, reduced: {'; '.join(about.reduced)}."
    return replace(table, note=f"{table.note} {told}".strip()) if ours and about.reduced else table


def _anchors(tables: Sequence[Table], rows: Sequence[Row]) -> tuple[dict[Any, str], dict[str, list[tuple[str, str]]]]:
    """The anchor of each run, by its name and as the only one of a number; and of runs that share a number.

    Returns:
        name or runs -> anchor; anchor of several runs -> their names and anchors
    """
    ids: dict[Any, str] = {}
    for number, run in enumerate(dict.fromkeys(row.run for row in rows if row.run), 1):
        for name in (run, f"{run}{FINAL}"):
            ids |= {name: f"run-{number}", (name,): f"run-{number}"}
    groups: dict[str, list[tuple[str, str]]] = {}
    for runs in dict.fromkeys(runs for table in tables for row in table.sources() for runs in row):
        if len(runs) > 1 and all(run in ids for run in runs):
            anchor = f"runs-{len(groups) + 1}"
            ids[runs] = anchor
            groups[anchor] = [(run, ids[run]) for run in runs]
    return ids, groups


def _links(pages: Mapping[str, Path], folder: Path) -> dict[str, str]:
    return {name: _link(page, folder) for name, page in pages.items()}


def _link(path: Path, folder: Path) -> str:
    """As a page in ``folder`` links to it, opened from disk."""
    return quote(Path(os.path.relpath(path, folder)).as_posix())


def _plain(row: Row, folder: Path) -> dict[str, Any]:
    told = {"job": row.job, "set": row.of, "state": row.state, "run": row.run, "devel_uar": row.devel,
            "test_uar": row.test, "seconds": row.seconds, "command": row.command}  # fmt: skip
    return told | ({"folder": _link(row.folder, folder)} if row.folder else {})


def _sweep(folder: Path, kept: set[str]) -> None:
    """Remove what an earlier page wrote beside itself and this one did not."""
    try:
        before = files.read_json(folder / _FACTS)["files"]
    except EmosetError:
        return
    for name in set(before) - kept:
        if Path(name).parent.as_posix() in {"tables", "figures"}:  # whatever the file says
            (folder / name).unlink(missing_ok=True)
