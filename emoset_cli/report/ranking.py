"""A run's UAR on devel and on test as one number each, and the points of a grid ranked by devel."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emoset_cli.report.papers.paper import spread
from emoset_cli.report.scores import plain_uars
from emoset_cli.report.tables import Column, Table, slug
from emoset_cli.runs import Run

DEFAULT = "as it is"  # the value of an option that a point does not name


def devel_uar(run: Run) -> float | None:
    """The devel UAR of the epoch or setting that was chosen, mean over folds; None where no labels were learnt."""
    return reached(run, "devel_uar")


def reached(run: Run, measure: str) -> float | None:
    """A measure of what was chosen, mean over folds; None where what was learnt has no such measure."""
    found = [fold[measure] for fold in run.config["chosen"].values() if fold.get(measure) is not None]
    return float(np.mean(found)) if found else None


def tested_uar(run: Run) -> float | None:
    """The test UAR, counted as `scores.score_run` counts it, mean over corpora; None without test predictions."""
    found = plain_uars(run, "test")
    return float(np.mean(list(found.values()))) if found else None


def ranking(title: str, runs: Sequence[tuple[Run, Mapping[str, str]]]) -> Table:
    """A row for each point of a grid, best mean devel UAR first; a column for each option that differs.

    Args:
        title: of the table
        runs: each with its point, option -> value in words
    """
    options = list(dict.fromkeys(name for _, point in runs for name in point))
    corpora = list(dict.fromkeys(_corpora(run) for run, _ in runs))
    cells: dict[tuple[str, ...], dict[str, list[Run]]] = {}
    for run, point in runs:
        key = tuple(point.get(name, DEFAULT) for name in options)
        cells.setdefault(key, {}).setdefault(_corpora(run), []).append(run)
    means = {key: _over([run for of in own.values() for run in of]) for key, own in cells.items()}
    order = sorted(cells, key=lambda key: (-len(cells[key]), -means[key]["mean"]))  # what lacks corpora comes last
    rows = [
        [*key, *(_over(cells[key][name]) if name in cells[key] else None for name in corpora), means[key]]
        for key in order
    ]
    columns = [
        *(Column(name, "text", slug(name)) for name in options),
        *(Column(f"{name} [%]", "spread", slug(name)) for name in corpora),
        Column("mean [%]", "spread", "mean"),
    ]
    if len(corpora) == 1:
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    note = (
        "Devel UAR, best first; ± standard deviation (n − 1) over runs, where there are several. What is chosen by "
        "devel is too good on devel: it is no result."
    )
    whole = [Column("rank", "count", "rank"), *columns]
    return Table(title, whole, [[place, *row] for place, row in enumerate(rows, 1)], note)


def _corpora(run: Run) -> str:
    return "+".join(map(str, run.config["corpora"]))


def _over(runs: Sequence[Run]) -> dict[str, Any]:
    return (spread([uar for run in runs if (uar := devel_uar(run)) is not None]) or {}) | {
        "runs": [run.name for run in runs]
    }
