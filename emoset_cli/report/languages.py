"""Within and across languages, in and out of domain: what a run with two tests scores on each, averaged over folds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from emoset_cli import metrics
from emoset_cli.report.scores import natural
from emoset_cli.report.tables import Column, Table
from emoset_cli.runs import Run

_FOLDS = "Mean ± standard deviation over the folds, each scored by itself; the same utterance is counted once."


def language_scores(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """For each run and each language left out: the scores on it, then on each language trained on, as plain values.

    Every fold is scored by itself, the test utterances of all corpora of a language together, and ``uar`` and ``wa``
    hold mean and standard deviation (n - 1) over the folds, None for a single fold, and the folds' ``values``. Empty
    where no run leaves a language out and has test utterances within its training languages.
    """
    rows = []
    for run in runs:
        inside = run.within()
        if inside is None or run.unseen:
            continue
        across = run.predictions().query("partition == 'test'")
        left_out = dict(across.groupby("fold")["language"].first())  # fold -> the language it tests
        labels = _labels(run)
        for language in sorted(set(left_out.values())):
            folds = {fold for fold, tested in left_out.items() if tested == language}
            within = inside[inside["fold"].isin(folds)]
            trained = sorted(within["language"].unique())
            tested = [(language, "across", across[across["fold"].isin(folds)])]
            for one, kind, table in [*tested, *((one, "within", within) for one in trained)]:
                rows.append({
                    "run": run.name, "left_out": language, "trained_on": trained, "tested_on": one, "kind": kind,
                    **_score(table[table["language"] == one], labels),
                })  # fmt: skip
    return rows


def domain_scores(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """For each run with unseen corpora: the scores on each corpus trained on, on all of these, on each unseen one.

    As `language_scores` averages over folds. Empty where no run has unseen corpora.
    """
    rows = []
    for run in runs:
        if not run.unseen:
            continue
        outside, inside = run.predictions().query("partition == 'test'"), run.within()
        trained = [str(key) for key in run.config["corpora"] if str(key) not in run.unseen]
        tested = [([key], "in", inside) for key in trained] + ([(trained, "in", inside)] if len(trained) > 1 else [])
        for keys, domain, table in [*tested, *(([key], "out", outside) for key in run.unseen)]:
            if table is not None and len(part := table[table["corpus"].isin(keys)]):
                rows.append({"run": run.name, "tested_on": keys, "domain": domain, **_score(part, _labels(run))})
    return rows


def _labels(run: Run) -> list[str]:
    """The labels of all corpora of a run, each once."""
    return list(dict.fromkeys(str(label) for own in run.config["labels"].values() for label in own))


def _score(table: Any, labels: list[str]) -> dict[str, Any]:
    """Means and deviations over the folds of a table; utterances that recur in the folds count once."""
    folds = sorted(table.groupby("fold"), key=lambda item: natural(str(item[0])))
    pairs = [(part["truth"].tolist(), part["prediction"].tolist()) for _, part in folds]
    occurring = set(table["truth"])
    return {
        "n": int(table["utterance"].nunique()),
        "folds": len(folds),
        "chance": float(metrics.chance([label for label in labels if label in occurring])),
        "uar": _spread([metrics.uar(*pair, labels) for pair in pairs]),
        "wa": _spread([metrics.wa(*pair, labels) for pair in pairs]),
    }


def _spread(values: list[float]) -> dict[str, Any]:
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "sd": sd, "values": [float(value) for value in values]}


def across_tables(languages: Sequence[dict[str, Any]], domains: Sequence[dict[str, Any]]) -> dict[str, Table]:
    """The tables of the rows of `language_scores` and `domain_scores`, where there are any, by what they are about."""
    tables = {"languages": languages_table(languages)} if languages else {}
    return tables | ({"domains": domains_table(domains)} if domains else {})


def languages_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows of `language_scores`, a line for each language tested, as figures 2 and 3 of the Deep-WCCN study."""
    lead = {"trained on": "trained_on", "tested on": "tested_on", "language": "kind"}
    note = "Across: the language was left out of training. Within: it was trained on, with other speakers. "
    return _table("Within and across languages", lead, rows, note + _FOLDS)


def domains_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows of `domain_scores`, a line for each corpus tested and one for all in the domain."""
    note = (
        "In: test speakers of a corpus that was trained on, or of all of these together. Out: all of a corpus that was "
        "not trained on. "
    )
    return _table("In and out of domain", {"tested on": "tested_on", "domain": "domain"}, rows, note + _FOLDS)


def _table(title: str, lead: dict[str, str], rows: Sequence[dict[str, Any]], note: str) -> Table:
    """A line for each row; ``lead`` are the columns behind the run's name, by their keys."""
    columns = [
        Column("run", "text", "run"), *(Column(name, "text", key) for name, key in lead.items()),
        Column("utterances", "count", "utterances"), Column("folds", "count", "folds"),
        Column("chance [%]", "percent", "chance"), Column("UAR [%]", "spread", "uar"), Column("WA [%]", "spread", "wa"),
    ]  # fmt: skip
    cells = [
        [row["run"], *(_words(row[key]) for key in lead.values()), row["n"], row["folds"], row["chance"], row["uar"],
         row["wa"]]
        for row in rows
    ]  # fmt: skip
    return Table(title, columns, cells, note)


def _words(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " + ".join(value)
