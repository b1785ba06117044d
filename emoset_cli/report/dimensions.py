"""Labels with an order: concordance of predicted dimensions (arousal, valence), and how far off ordinal levels are."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from emoset_cli import concordance
from emoset_cli.report.scores import MEAN, finite, how_counted, no_interval
from emoset_cli.report.tables import Column, Table, noted
from emoset_cli.runs import Run

_ORDER = ("test", "within", "devel")
_MEASURES = ("ccc", "pearson", "rmse")


def dimension_scores(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """For each run that learns dimensions: a row for each partition (test first), dimension and corpus.

    ``ccc``, ``pearson`` and ``rmse`` (in the units of the corpus) hold ``value``, ``low``, ``high`` and ``note``: 95 %
    intervals over speakers drawn anew. ``n`` utterances have a true value, ``n_unknown`` do not and count for nothing.
    ``how`` it was counted is as in `scores.score_run`; values that do not exist are None.
    """
    rows = []
    for run in runs:
        table = run.dimensions()
        if table is None:
            continue
        scales = run.config["dimensions"]["scales"]
        for partition, dimension, corpus, part in _groups(table):
            low, high = scales.get(corpus, {}).get(dimension, (None, None))
            rows.append({
                "run": run.name, "corpus": corpus, "partition": partition, "dimension": dimension,
                **_counted(part, partition), "lowest": low, "highest": high,
            })  # fmt: skip
    return rows


def level_scores(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """For each run on labels that are ordered levels: a row for each partition (test first) and corpus.

    Levels are numbered from 0. ``mae`` is the mean number of levels that a prediction is off, ``kappa`` Cohen's kappa
    with quadratic weights, with 95 % intervals over speakers drawn anew; ``spearman`` has none.

    Source:
        Cohen, Psychological Bulletin 70 (1968) 213-220; Fleiss & Cohen, Educational and Psychological Measurement 33
        (1973) 613-619 (kappa as concordance).
    """
    rows = []
    for run in runs:
        ordered = run.config.get("levels") or {}
        table: Any = run.predictions() if ordered else None
        for partition in _ORDER if ordered else ():
            for corpus, levels in ordered.items():
                part = table[(table["partition"] == partition) & (table["corpus"] == corpus)]
                if part.empty:
                    continue
                places = {str(level): place for place, level in enumerate(levels)}
                numbers = part.assign(truth=part["truth"].map(places), prediction=part["prediction"].map(places))
                told = _counted(numbers, partition, ("mae", "ccc"), {"spearman": concordance.spearman})
                rows.append({
                    "run": run.name, "corpus": corpus, "partition": partition, "how": told["how"], "n": told["n"],
                    "n_speakers": told["n_speakers"], "levels": list(map(str, levels)), "mae": told["mae"],
                    "kappa": told["ccc"], "spearman": told["spearman"]["value"],
                })  # fmt: skip
    return rows


def _groups(table: Any) -> Iterator[tuple[str, str, str, Any]]:
    """Partition, dimension, corpus and their rows."""
    assert set(table["partition"]) <= set(_ORDER), f"partitions {set(table['partition'])}"
    for partition in (one for one in _ORDER if one in set(table["partition"])):
        of_partition = table[table["partition"] == partition]
        for dimension in of_partition["dimension"].unique():
            part = of_partition[of_partition["dimension"] == dimension]
            for corpus in sorted(set(part["corpus"])):
                yield partition, str(dimension), corpus, part[part["corpus"] == corpus]


def _counted(
    rows: Any, partition: str, measures: Sequence[str] = _MEASURES,
    further: dict[str, Callable[[Any, Any], float | None]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Counts and measures of the rows of one corpus, partition and dimension."""
    known = rows[rows["truth"].notna()]
    how = how_counted(rows, "test" if partition == "within" else partition, rows["fold"].nunique())
    parts = [part for _, part in known.groupby("fold")] if how == MEAN else [known]
    found: dict[str, Any] = {
        "how": how,
        "n": int(known["utterance"].nunique()),
        "n_unknown": int(rows["utterance"].nunique() - known["utterance"].nunique()),
        "n_speakers": int(known.loc[known["speaker"] != "", "speaker"].nunique()),
    }
    for name in measures:
        found[name] = {"value": _mean(getattr(concordance, name), parts)} | _interval(name, known, how)
    return found | {name: {"value": _mean(measure, parts)} for name, measure in (further or {}).items()}


def _mean(measure: Callable[[Any, Any], float | None], parts: Sequence[Any]) -> float | None:
    """The mean over folds of those in which the measure exists."""
    values = [measure(part["truth"].to_numpy(), part["prediction"].to_numpy()) for part in parts if len(part)]
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers else None


def _interval(measure: str, known: Any, how: str) -> dict[str, Any]:
    none: dict[str, Any] = {"low": None, "high": None}
    if known.empty:
        return none | {"note": "no utterance has a value"}
    if note := no_interval(known, how):
        return none | {"note": note}
    columns = known["truth"].to_numpy(), known["prediction"].to_numpy(), known["speaker"].tolist()
    interval = concordance.speaker_interval(measure, *columns)
    return {"low": finite(interval.low), "high": finite(interval.high), "note": interval.note}


def dimensions_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows of `dimension_scores`, devel too."""
    columns = [
        Column("corpus", "text", "corpus"), Column("run", "text", "run"), Column("partition", "text", "partition"),
        Column("dimension", "text", "dimension"), Column("utterances", "count", "n"),
        Column("unknown", "count", "n_unknown"), Column("speakers", "count", "n_speakers"),
        Column("CCC", "ratio", "ccc"), Column("Pearson r", "ratio", "pearson"), Column("RMSE", "ratio", "rmse"),
        Column("scale", "text", "scale"),
    ]  # fmt: skip
    cells = [
        [row["corpus"], row["run"], row["partition"], row["dimension"], row["n"], row["n_unknown"], row["n_speakers"],
         *(row[name] for name in _MEASURES), f"{row['lowest']:g} to {row['highest']:g}"]
        for row in rows
    ]  # fmt: skip
    note = (
        "CCC: concordance correlation coefficient (Lin 1989), 1 at best; chance, and a constant prediction, is 0. "
        "RMSE: in the units of the scale. Unknown: utterances without a true value, which do not count. In brackets: "
        "95 % intervals over speakers drawn anew. Epochs were chosen on devel: its scores are no result."
    )
    notes = [(row["ccc"]["note"], f"{row['corpus']} {row['partition']} {row['dimension']}") for row in rows]
    return Table("Dimensions", columns, cells, " ".join([note, *noted(notes)]))


def levels_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows of `level_scores`."""
    columns = [
        Column("corpus", "text", "corpus"), Column("run", "text", "run"), Column("partition", "text", "partition"),
        Column("levels", "text", "levels"), Column("utterances", "count", "n"),
        Column("speakers", "count", "n_speakers"), Column("levels off", "ratio", "mae"),
        Column("weighted kappa", "ratio", "kappa"), Column("Spearman", "coefficient", "spearman"),
    ]  # fmt: skip
    cells = [
        [row["corpus"], row["run"], row["partition"], " < ".join(row["levels"]), row["n"], row["n_speakers"],
         row["mae"], row["kappa"], row["spearman"]]
        for row in rows
    ]  # fmt: skip
    note = (
        "Labels with an order. Levels off: mean absolute error, in levels. Weighted kappa: Cohen's, with quadratic "
        "weights; chance is 0, 1 the best. In brackets: 95 % intervals over speakers drawn anew."
    )
    notes = [(row["kappa"]["note"], f"{row['corpus']} {row['partition']}") for row in rows]
    return Table("Levels", columns, cells, " ".join([note, *noted(notes)]))
