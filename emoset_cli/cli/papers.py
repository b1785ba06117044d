"""``emoset table``: tables of papers, filled in with one's own runs."""

import shlex
from typing import Annotated

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
    from emoset_cli.report.paper_page import write_paper_page
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
    result = TABLES[paper].find(found)
    folder = out or workspace / "reports" / f"table_{paper}_{digest([run.name for run in found], length=8)}"
    page = write_paper_page(folder, TABLES[paper], result, f"emoset table {shlex.join([paper, *(names or [])])}")
    say(f"report: {page}", quiet)
    answer({"report": str(page), "table": paper, **result}, TABLES[paper].tables(result), as_json)
    finish(well)
