"""What all reports share: pages whose templates have one look (``base.html.j2``), and the files beside a page."""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

from emoset_cli import files
from emoset_cli.report.kinds import percent
from emoset_cli.report.tables import Table, slug


def render(template: str, **values: Any) -> str:
    """Fill in a template of this folder; a name it uses and nobody gives is our mistake and raises."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    folder = resources("emoset_cli.report")
    environment = Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "breaks": breaks}
    return environment.get_template(template).render(**values)


def breaks(name: str) -> Any:
    """The name, escaped, with places where a line may break: the names of runs are long."""
    from markupsafe import Markup, escape

    return Markup(re.sub(r"([_+])", r"\1<wbr>", str(escape(name))))


def write_beside(
    folder: Path, tables: Sequence[Table], figures: Mapping[str, str], further: Sequence[Table] = ()
) -> list[tuple[str, str]]:
    """Write what lies beside a page: all figures as SVG, all tables as Markdown, LaTeX and CSV.

    Args:
        folder: made if missing; what killed processes left in it is removed
        tables: the first becomes ``results.csv``, the others numbered files below ``tables/``, where each is in LaTeX
        figures: SVG by name
        further: tables that are written as CSV only

    Returns:
        of each table the names of its CSV and of its LaTeX file ("" of ``further``), from ``folder``
    """
    folder.mkdir(parents=True, exist_ok=True)
    for place in (folder, folder / "figures", folder / "tables"):
        files.sweep(place)
    for name, svg in figures.items():
        files.write_text(folder / "figures" / f"{name}.svg", svg + "\n")
    files.write_text(folder / "results.md", "\n".join(table.markdown() for table in tables))
    needs = "% needs \\usepackage{booktabs,graphicx}\n"
    files.write_text(folder / "results.tex", needs + "\n".join(table.latex() for table in tables))
    names = [(f"tables/{stem}.csv" if number else "results.csv", f"tables/{stem}.tex")
             for number, stem in enumerate(map(_stem, range(len(tables)), tables))]  # fmt: skip
    for table, (values, latex) in zip(tables, names, strict=True):
        files.write_text(folder / values, table.csv())
        files.write_text(folder / latex, needs + table.latex())
    for number, table in enumerate(further, len(tables)):
        names.append((f"tables/{_stem(number, table)}.csv", ""))
        files.write_text(folder / names[-1][0], table.csv())
    return names


def _stem(number: int, table: Table) -> str:
    return f"{number:02d}-{slug(table.title)[:100]}"
