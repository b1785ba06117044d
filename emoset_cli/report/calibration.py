"""How well a run is calibrated: reliability and expected calibration error of each corpus, before and after scaling."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli import calibration
from emoset_cli.files import write_json
from emoset_cli.report.page import write_beside
from emoset_cli.report.plots_calibration import reliability_plot
from emoset_cli.report.scores import finite
from emoset_cli.report.tables import Column, Table, slug
from emoset_cli.runs import Run

PARTITIONS = ("devel", "test")


def calibration_scores(
    run: Run, temperatures: Mapping[str, Mapping[str, float]], bins: int = calibration.BINS
) -> list[dict[str, Any]]:
    """A dict for each corpus and partition; rows of all folds count together, an utterance as often as it is in one.

    ``before`` and ``after`` the temperatures hold ``confidence`` (mean probability of the prediction), ``ece`` and
    ``bins`` (`emoset_cli.calibration.Bin` as dicts); ``temperature`` is the least and the greatest of the folds.

    Args:
        run: with predictions
        temperatures: fold -> head -> temperature
        bins: of equal width
    """
    table, heads = run.predictions(), calibration.heads_of(run)
    found = []
    for corpus in map(str, run.config["corpora"]):
        for part in PARTITIONS:
            rows = table[(table["corpus"] == corpus) & (table["partition"] == part)]
            if rows.empty:
                continue
            own = [temperatures[fold][heads[corpus]] for fold in rows["fold"].unique()]
            hits = (rows["truth"] == rows["prediction"]).to_numpy()
            sides = [_confidence(rows, temperatures, heads[corpus], scaled) for scaled in (False, True)]
            found.append({
                "run": run.name, "corpus": corpus, "partition": part, "n": len(rows), "accuracy": float(hits.mean()),
                "temperature": {"low": min(own), "high": max(own)},
                **{name: _side(hits, one, bins) for name, one in zip(("before", "after"), sides, strict=True)},
            })  # fmt: skip
    return found


def _confidence(rows: Any, temperatures: Mapping[str, Mapping[str, float]], head: str, scaled: bool) -> np.ndarray:
    """The probability of each row's prediction, ``(rows,)``."""
    found = np.zeros(len(rows))
    folds = rows["fold"].to_numpy()
    for fold in set(folds):
        own = folds == fold
        scores, _ = calibration.said(rows[own])
        found[own] = calibration.probabilities(scores, temperatures[fold][head] if scaled else 1.0).max(axis=1)
    return found


def _side(hits: np.ndarray, confidence: np.ndarray, bins: int) -> dict[str, Any]:
    found = calibration.reliability(hits, confidence, bins)
    return {
        "confidence": float(confidence.mean()),
        "ece": calibration.expected_calibration_error(found),
        "bins": [
            one._asdict() | {"confidence": finite(one.confidence), "accuracy": finite(one.accuracy)} for one in found
        ],
    }


def calibration_table(scores: Sequence[Mapping[str, Any]], bins: int) -> Table:
    """A row for each run, corpus and partition, test first."""
    columns = [
        Column("corpus", "text", "corpus"), Column("run", "text", "run"), Column("partition", "text", "partition"),
        Column("utterances", "count", "utterances"), Column("WA [%]", "percent", "wa"),
        Column("confidence [%]", "percent", "confidence"), Column("ECE [%]", "percent", "ece"),
        Column("T", "text", "temperature"), Column("confidence at T [%]", "percent", "confidence_scaled"),
        Column("ECE at T [%]", "percent", "ece_scaled"),
    ]  # fmt: skip
    order = sorted(scores, key=lambda one: one["partition"], reverse=True)
    rows = [
        [one["corpus"], one["run"], one["partition"], one["n"], one["accuracy"], one["before"]["confidence"],
         one["before"]["ece"], _span(one["temperature"]), one["after"]["confidence"], one["after"]["ece"]]
        for one in order
    ]  # fmt: skip
    note = (
        f"ECE: expected calibration error over {bins} bins of equal width. T: temperature, fitted on devel for each "
        "fold and head; devel at T is what it was fitted on."
    )
    return Table("Calibration", columns, rows, note)


def _span(temperature: Mapping[str, float]) -> str:
    low, high = (f"{temperature[end]:.2f}" for end in ("low", "high"))
    return low if low == high else f"{low} to {high}"


def write_calibration(folder: Path, scores: Sequence[Mapping[str, Any]], bins: int) -> Path:
    """Write diagrams (SVG), the table (Markdown, LaTeX, CSV) and ``calibration.json``, last; answer its path."""
    figures = {}
    for number, one in enumerate(scores, 1):
        what = f"{one['corpus']}, {one['partition']}, {one['run']}"
        figures[f"{number:02d}-{slug(one['corpus'])}_{one['partition']}_reliability"] = reliability_plot(
            one, f"Reliability: {what}"
        )
    write_beside(folder, [calibration_table(scores, bins)], figures)
    write_json(folder / calibration.FILE, {"bins": bins, "scores": list(scores)})
    return folder / calibration.FILE
