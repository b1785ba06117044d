"""``emoset table``: tables of papers, filled in with one's own runs."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import DEFAULT_WORKSPACE, Json, Quiet, Workspace, answer, each, finish, say
from emoset_cli.cli.results import Out
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.report import paper_names

_NAMES = "; ".join(f"{name}: {what}" for name, what in paper_names.TABLES.items())


def table(
    paper: Annotated[str, typer.Argument(metavar="NAME", help=_NAMES)],
    names: Annotated[list[str] | None, typer.Argument(metavar="RUN", help="runs; all by default")] = None,
    out: Out = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fill in the table of a paper with your runs, beside what it published; write a page and tables.

    Runs that do not fit are left out and named with the reason.

    Example: emoset table zhu2020
    """
    from emoset_cli import runs
    from emoset_cli.files import digest
    from emoset_cli.report.papers import TABLES
    from emoset_cli.report.settings import is_network

    if paper not in TABLES:
        raise unknown("table", paper, paper_names.TABLES)
    found, well = each(names or runs.list_runs(workspace), lambda name: runs.find_run(workspace, name))
    baselines = TABLES[paper].baselines
    found = [run for run in found if names or baselines or is_network(run)]
    if not found and not well:
        finish(False)
    if not found:
        kind, mend = ("", "emoset train svm") if baselines else (" of a network", "emoset train acrnn")
        raise EmosetError(f"{workspace} holds no finished run{kind}", mend)
    folder = out or workspace / "reports" / f"table_{paper}_{digest([run.name for run in found], length=8)}"
    section = filled_in(paper, found, folder, f"emoset table {shlex.join([paper, *(names or [])])}")
    say(f"report: {section.page}", quiet)
    answer({"report": str(section.page), "table": paper, **section.value}, section.tables, as_json)
    finish(well)


def filled_in(paper: str, found: list[Any], folder: Path, command: str) -> Any:
    """The table of a paper from these runs, as a `Section` with its page in ``folder``."""
    from emoset_cli.report.paper_page import write_paper_page
    from emoset_cli.report.papers import TABLES
    from emoset_cli.report.papers.paper import left_out
    from emoset_cli.report.section import Section

    told = TABLES[paper]
    result = told.find(found)
    page = write_paper_page(folder, told, result, command)
    return Section(told.title, told.tables(result), result, told.figures(result), told.sentences(result),
                   left_out(result), told.terms, told.source, {"table": page})  # fmt: skip
