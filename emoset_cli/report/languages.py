"""Within and across languages: what a run that leaves languages out scores on each, averaged over its folds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from emoset_cli import metrics
from emoset_cli.report.scores import natural
from emoset_cli.report.tables import Column, Table
from emoset_cli.runs import Run


def language_scores(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """For each run and each language left out: the scores on it, then on each language trained on, as plain values.

    Every fold is scored by itself, the test utterances of all corpora of a language together, and ``uar`` and ``wa``
    hold mean and standard deviation (n - 1) over the folds, None for a single fold. Empty where no run has test
    utterances within its training languages.
    """
    rows = []
    for run in runs:
        inside = run.within()
        if inside is None:
            continue
        across = run.predictions().query("partition == 'test'")
        left_out = dict(across.groupby("fold")["language"].first())  # fold -> the language it tests
        labels = list(dict.fromkeys(str(label) for own in run.config["labels"].values() for label in own))
        for language in sorted(set(left_out.values())):
            folds = sorted((fold for fold, tested in left_out.items() if tested == language), key=natural)
            within = inside[inside["fold"].isin(folds)]
            trained = sorted(within["language"].unique())
            tested = [(language, "across", across), *((one, "within", inside) for one in trained)]
            for one, kind, table in tested:
                parts = [table[(table["fold"] == fold) & (table["language"] == one)] for fold in folds]
                rows.append({
                    "run": run.name, "left_out": language, "trained_on": trained, "tested_on": one, "kind": kind,
                    **_score([part for part in parts if len(part)], labels),
                })  # fmt: skip
    return rows


def _score(parts: list[Any], labels: list[str]) -> dict[str, Any]:
    """Means and deviations over folds; utterances that recur in the folds count once."""
    pairs = [(part["truth"].tolist(), part["prediction"].tolist()) for part in parts]
    occurring = set().union(*(truth for truth, _ in pairs))
    return {
        "n": len(set().union(*(part["utterance"] for part in parts))),
        "folds": len(parts),
        "chance": float(metrics.chance([label for label in labels if label in occurring])),
        "uar": _spread([metrics.uar(*pair, labels) for pair in pairs]),
        "wa": _spread([metrics.wa(*pair, labels) for pair in pairs]),
    }


def _spread(values: list[float]) -> dict[str, float | None]:
    return {"mean": float(np.mean(values)), "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None}


def languages_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows of `language_scores`, a line for each language tested, as figures 2 and 3 of the Deep-WCCN study."""
    columns = [
        Column("run", "text", "run"), Column("trained on", "text", "trained_on"),
        Column("tested on", "text", "tested_on"), Column("language", "text", "kind"),
        Column("utterances", "count", "utterances"), Column("folds", "count", "folds"),
        Column("chance [%]", "percent", "chance"), Column("UAR [%]", "spread", "uar"), Column("WA [%]", "spread", "wa"),
    ]  # fmt: skip
    cells = [
        [row["run"], " + ".join(row["trained_on"]), row["tested_on"], row["kind"], row["n"], row["folds"],
         row["chance"], row["uar"], row["wa"]]
        for row in rows
    ]  # fmt: skip
    note = (
        "Across: the language was left out of training. Within: it was trained on, with other speakers. "
        "Mean ± standard deviation over the folds, each scored by itself; the same utterance is counted once."
    )
    return Table("Within and across languages", columns, cells, note)
