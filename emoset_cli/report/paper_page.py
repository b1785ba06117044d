"""The page of a paper's table: one's own numbers and the published ones, in one HTML file and the files beside."""

from pathlib import Path
from typing import Any

from emoset_cli import __version__, files
from emoset_cli.report.page import render, write_beside
from emoset_cli.report.papers.paper import Paper, left_out


def write_paper_page(folder: Path, paper: Paper, found: dict[str, Any], command: str) -> Path:
    """Write ``report.html`` and, beside it, tables (Markdown, LaTeX, CSV), ``table.json`` and figures (SVG).

    The same runs give the same bytes: the page holds no date and no path of this machine.

    Args:
        folder: made if missing; files of ours in it are replaced one by one, each whole
        paper: one of `papers.TABLES`
        found: what it finds in the runs
        command: that makes this page

    Returns:
        path of the page
    """
    from markupsafe import Markup

    tables, figures = paper.tables(found), paper.figures(found)
    write_beside(folder, tables, figures)
    files.write_json(folder / "table.json", found)
    page = render(
        "paper.html.j2",
        title=paper.title,
        source=paper.source,
        version=__version__,
        tables=tables,
        figures={name.replace("_", " ").capitalize(): Markup(svg) for name, svg in figures.items()},
        sentences=paper.sentences(found),
        left_out=left_out(found),
        terms=paper.terms,
        command=command,
        ids={},
    )
    files.write_text(folder / "report.html", page)
    return folder / "report.html"
