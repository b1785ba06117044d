"""Segments beside utterances: what a run that hears pieces of utterances scores on the pieces and on the whole."""

from collections.abc import Sequence
from typing import Any

from emoset_cli.report.scores import PARTITIONS, score_rows
from emoset_cli.report.tables import Column, Table
from emoset_cli.runs import Run


def as_rows(segments: Any) -> Any:
    """The table of `Run.segments` as rows for `score_rows`: each segment under a name of its own."""
    start = segments["start_s"].map("{:g}".format)
    return segments.assign(
        utterance=segments["utterance"] + "@" + start,
        correct=(segments["truth"] == segments["prediction"]).astype(float),
    )


def segment_scores(runs: Sequence[Run], scores: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each run with segments, corpus and partition (test first): their scores beside those of the utterances.

    ``segments`` and ``utterances`` hold ``n``, ``uar`` and ``wa``, as `score_run` has them; the WA of segments has no
    interval, because they overlap. That of the UAR is over speakers, drawn whole, and holds for segments too.

    Args:
        runs: those of ``scores``, in the same order
        scores: of `scores.score_runs`
    """
    rows = []
    for run, score in zip(runs, scores, strict=True):
        table = run.segments()
        if table is None:
            continue
        table, told = as_rows(table), run.config.get("segments") or {}
        for partition in reversed(PARTITIONS):
            for corpus, parts in score["corpora"].items():
                of_corpus = table[(table["corpus"] == corpus) & (table["partition"] == partition)]
                if partition not in parts or of_corpus.empty:
                    continue
                own = score_rows(of_corpus, [str(label) for label in run.config["labels"][corpus]], partition)
                own["wa"] = {"value": own["wa"]["value"], "low": None, "high": None, "note": "segments overlap"}
                rows.append({
                    "run": run.name, "corpus": corpus, "partition": partition, "how": own["how"],
                    "chance": own["chance"], "segment_s": told.get("segment_s"), "shift_s": told.get("shift_s"),
                    **{name: {key: one[key] for key in ("n", "uar", "wa")}
                       for name, one in (("segments", own), ("utterances", parts[partition]))},
                })  # fmt: skip
    return rows


def segments_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows of `segment_scores`, a line each."""
    columns = [
        Column("run", "text", "run"), Column("corpus", "text", "corpus"), Column("partition", "text", "partition"),
        Column("chance [%]", "percent", "chance"),
        *(Column(f"{name}{word}", kind, f"{unit}_{key}") for unit in ("segments", "utterances")
          for name, word, kind, key in (
              (unit, "", "count", "n"), (unit[:-1], " UAR [%]", "percent", "uar"),
              (unit[:-1], " WA [%]", "percent", "wa"))),
    ]  # fmt: skip
    cells = [
        [row["run"], row["corpus"], row["partition"], row["chance"],
         *(row[unit][key] for unit in ("segments", "utterances") for key in ("n", "uar", "wa"))]
        for row in rows
    ]  # fmt: skip
    sizes = dict.fromkeys((row["segment_s"], row["shift_s"]) for row in rows if row["segment_s"])
    told = " and ".join(f"{size:g} s every {shift:g} s" for size, shift in sizes)
    note = (
        f"Segments: {told or 'pieces of utterances'}, each with the label of its utterance; long utterances have more "
        "of them. Utterances: the mean posterior of their segments, as in all other tables. In brackets: 95 % "
        "intervals; the WA of segments has none, because they overlap."
    )
    return Table("Segments", columns, cells, note)
