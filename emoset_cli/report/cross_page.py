"""The page about corpora through each other's heads: tables and confusion matrices, in one HTML file and beside it."""

from pathlib import Path
from typing import Any

from emoset_cli import __version__, files
from emoset_cli.report.cross_tables import (
    ambiguity_tables,
    confusion_tables,
    matrices,
    pair_tables,
    summary_tables,
    tested,
)
from emoset_cli.report.page import render, write_beside
from emoset_cli.report.plots import confusion_plot
from emoset_cli.report.tables import slug


def confusions(found: dict[str, Any]) -> dict[str, str]:
    """The confusions of `cross_tables.matrices` as SVG, by their titles."""
    return {title: confusion_plot(one, title) for title, one in matrices(found)}


def write_cross_page(folder: Path, found: dict[str, Any], command: str) -> Path:
    """Write ``report.html`` and, beside it, tables (Markdown, LaTeX, CSV), ``cross.json`` and confusions (SVG).

    The same runs give the same bytes: the page holds no date and no path of this machine.

    Args:
        folder: made if missing; files of ours in it are replaced one by one, each whole
        found: of `cross.cross`
        command: that makes this page

    Returns:
        path of the page
    """
    from markupsafe import Markup

    summaries, pairs, ambiguous = summary_tables(found), pair_tables(found), ambiguity_tables(found)
    drawn = confusions(found)
    figures = {f"confusion_{slug(title)}": svg for title, svg in drawn.items()}
    write_beside(folder, [*summaries, *pairs, *ambiguous], figures, confusion_tables(found))
    files.write_json(folder / "cross.json", found)
    corpora = dict.fromkeys(corpus for method in found["methods"] for corpus in method["corpora"])
    page = render(
        "cross.html.j2",
        title=f"Across corpora: {', '.join([*corpora, *found['further']])}",
        version=__version__,
        summaries=summaries,
        pairs=pairs,
        ambiguous=ambiguous,
        tested=tested(found),
        figures=[(title, Markup(svg)) for title, svg in drawn.items()],
        command=command,
        ids={},
    )
    files.write_text(folder / "report.html", page)
    return folder / "report.html"
