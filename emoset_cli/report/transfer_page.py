"""The page about transfer: settings against a reference, tables and heat maps in one HTML file and the files beside."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emoset_cli import __version__, files
from emoset_cli.report.epochs import parameters_table
from emoset_cli.report.page import render, write_beside
from emoset_cli.report.plots_transfer import heat_map
from emoset_cli.report.scores import PARTITIONS
from emoset_cli.report.transfer_tables import left_out, sentences, transfer_tables
from emoset_cli.runs import Run


def heat_maps(found: dict[str, Any]) -> dict[str, str]:
    """The maps of test and devel, SVG by name, where there is something of it."""
    cells = [cell for row in found["corpora"].values() for cell in row["settings"].values()]
    held = {part for cell in cells for part in cell if cell[part]}
    return {
        f"heat_map_{part}": heat_map(found, part, f"{part} UAR by corpus and setting, coloured by the difference")
        for part in reversed(PARTITIONS)
        if part in held
    }


def write_transfer_page(folder: Path, found: dict[str, Any], runs: Sequence[Run], command: str) -> Path:
    """Write ``report.html`` and, beside it, tables (Markdown, LaTeX, CSV), ``transfer.json`` and heat maps (SVG).

    The same runs give the same bytes: the page holds no date and no path of this machine.

    Args:
        folder: made if missing; files of ours in it are replaced one by one, each whole
        found: of `transfer.transfer`
        runs: those it was found from
        command: that makes this page

    Returns:
        path of the page
    """
    from markupsafe import Markup

    used = {name for setting in found["settings"] for name in setting["runs"]}
    parameters = parameters_table([run for run in runs if run.name in used])
    tables = [*transfer_tables(found), *([parameters] if parameters else [])]
    figures = heat_maps(found)
    write_beside(folder, tables, figures)
    files.write_json(folder / "transfer.json", found)
    page = render(
        "transfer.html.j2",
        title=f"Transfer against {found['reference']}",
        version=__version__,
        tables=tables,
        figures={name.removeprefix("heat_map_"): Markup(svg) for name, svg in figures.items()},
        sentences=sentences(found),
        left_out=left_out(found),
        reference=found["reference"],
        command=command,
        ids={},
    )
    files.write_text(folder / "report.html", page)
    return folder / "report.html"
