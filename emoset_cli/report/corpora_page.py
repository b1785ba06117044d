"""The page about corpora: what `explore` found, drawn and tabled, in one HTML file and the files beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from emoset_cli import __version__, files
from emoset_cli.explore import MEASURES
from emoset_cli.report import plots, plots_corpora, plots_labels
from emoset_cli.report.corpora_tables import speakers_table, stat_tables
from emoset_cli.report.html import problem_tables
from emoset_cli.report.page import render, write_beside
from emoset_cli.report.tables import Table, slug

_NAMED = 4  # corpora in the headline
_DOTS = 12  # corpora whose labels are drawn as dots with numbers


def write_corpora_page(
    folder: Path,
    stats: dict[str, Any],
    rows: Sequence[dict[str, Any]],
    problems: Sequence[dict[str, Any]] = (),
    leaks: Sequence[dict[str, Any]] = (),
    command: str = "emoset corpora stats",
) -> Path:
    """Write ``report.html`` and, beside it, tables (Markdown, LaTeX, CSV), ``stats.json`` and figures (SVG).

    The same corpora give the same bytes: the page holds no date and no path of this machine.

    Args:
        folder: made if missing; files of ours in it are replaced one by one, each whole
        stats: of `explore.explore`
        rows: of `tables.corpora_rows`, of the same corpora
        problems: rows of ``problems.csv``
        leaks: of `leaks.find`, as dicts
        command: that makes this page

    Returns:
        path of the page
    """
    tables = stat_tables(stats, rows)
    figures = _figures(stats, rows)
    speakers = [speakers_table(key, one["cells"]) for key, one in stats["corpora"].items()]
    write_beside(folder, tables, figures, speakers)
    files.write_json(folder / "stats.json", {"table": list(rows), **stats, "leaks": list(leaks)})
    page = _page(stats, list(rows), tables, figures, list(problems), list(leaks), command)
    files.write_text(folder / "report.html", page)
    return folder / "report.html"


def _figures(stats: dict[str, Any], rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """File name without its suffix -> SVG."""
    corpora = stats["corpora"]
    figures = {
        "labels": (plots.corpora_plot if len(rows) <= _DOTS else plots_labels.labels_plot)(rows, "Utterances by label"),
        "durations": plots_corpora.duration_histogram(stats["durations"]),
        "durations_by_corpus": plots_corpora.duration_boxes(corpora),
        "levels": plots_corpora.condition_plot(corpora, MEASURES),
    }
    if len(corpora) > 1:
        figures["overlap"] = plots_labels.overlap_plot(stats["overlap"])
    for key, one in corpora.items():
        figures[f"speakers_{key}"] = plots_labels.cells_plot(one["cells"], f"Labels and speakers of {key}")
    return figures


def _page(
    stats: dict[str, Any],
    rows: list[dict[str, Any]],
    tables: list[Table],
    figures: dict[str, str],
    problems: list[dict[str, Any]],
    leaks: list[dict[str, Any]],
    command: str,
) -> str:
    from markupsafe import Markup

    keys = list(stats["corpora"])
    languages = sorted({code for row in rows for code in row["language"].split(", ")})
    facts = [
        ("utterances", sum(row["utterances"] for row in rows)),
        ("speakers", sum(row["speakers"] for row in rows)),
        ("labels", len(stats["overlap"]["labels"])),
        ("languages" if len(languages) > 1 else "language", len(languages)),
    ]
    return render(
        "corpora.html.j2",
        title=", ".join(keys) if len(keys) <= _NAMED else f"{len(keys)} corpora",
        version=__version__,
        ids={},
        facts=[(name, f"{n:,}") for name, n in facts],
        hours=f"{sum(row['total_h'] for row in rows):.2f}",
        keys=keys,
        corpora=stats["corpora"],
        tables={slug(table.title): table for table in tables},
        figures={name: Markup(svg) for name, svg in figures.items()},
        silence_below_db=f"{stats['silence_below_db']:.0f}",
        common=stats["overlap"]["common"],
        problems=problem_tables(problems),
        leaks=[leak["text"] for leak in leaks],
        command=command,
    )
