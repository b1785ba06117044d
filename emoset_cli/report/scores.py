"""What a run scored: one dict of plain numbers for each corpus and each partition of its predictions."""

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from emoset_cli import metrics, stats
from emoset_cli.errors import EmosetError
from emoset_cli.runs import Run

PARTITIONS = ("devel", "test")
ONE, POOLED, MEAN = "one partition", "pooled", "mean over folds"


def score_runs(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """The scores of several runs, in the order given; see `score_run`."""
    return [score_run(run) for run in runs]


def score_run(run: Run) -> dict[str, Any]:
    """The scores of one run as plain values that JSON can hold: numbers are shares in [0, 1], absent ones None.

    ``corpora`` holds corpus -> partition -> scores; devel and test stand under their own names and are never mixed.
    Each says ``how`` it was counted:

    - ``one partition``: the run had one fold for this corpus
    - ``pooled``: every utterance was tested in exactly one fold; all are counted together (``folds`` has mean and sd)
    - ``mean over folds``: utterances recur in the folds (devel of a cross-validation); pooling would count them
      several times, so each number is the mean of the folds and has no interval

    ``pooled`` over corpora is only the share of correct utterances: corpora differ in labels, so a joint UAR has
    no meaning.

    Raises:
        EmosetError: if the run holds no predictions
    """
    table, config = run.predictions(), run.config
    if table.empty and run.dimensions() is None:
        raise EmosetError(f"run '{run.name}' holds no predictions", "train it again with --force")
    _refuse_strangers(run, table)
    table["correct"] = (table["truth"] == table["prediction"]).astype(float)
    present = set(table["corpus"])
    corpora = {
        corpus: _score_corpus(table[table["corpus"] == corpus], [str(label) for label in config["labels"][corpus]])
        for corpus in map(str, config["corpora"])
        if corpus in present
    }
    score = {
        "run": run.name,
        "model": str(config.get("model", "")),
        "feature": str(config.get("feature", "")),
        "label_space": str(config.get("label_space", "own")),
        "partition": str(config.get("partition", {}).get("name", "")),
        "corpora": corpora,
    }
    if len(corpora) > 1:
        score["pooled"] = {name: _pooled([corpus[name] for corpus in corpora.values() if name in corpus])
                           for name in PARTITIONS if any(name in corpus for corpus in corpora.values())}  # fmt: skip
    return score


def _refuse_strangers(run: Run, table: Any) -> None:
    """Refuse predictions of corpora or partitions that the run does not have."""
    for column, known in (("corpus", set(map(str, run.config["corpora"]))), ("partition", set(PARTITIONS))):
        if strange := sorted(set(table[column].astype(str)) - known):
            raise EmosetError(
                f"run '{run.name}' holds predictions of {column} '{strange[0]}'", "train it again with --force"
            )


def plain_uars(run: Run, partition: str) -> dict[str, float]:
    """Corpus -> UAR of a partition, as `score_run` counts it, without all else; empty without such predictions."""
    table = run.predictions()
    _refuse_strangers(run, table)
    table = table[table["partition"] == partition]
    found = {}
    for corpus, rows in table.groupby("corpus", sort=False):
        folds = [part for _, part in rows.groupby("fold")]
        parts = folds if how_counted(rows, partition, len(folds)) == MEAN else [rows]
        labels = [str(label) for label in run.config["labels"][corpus]]
        found[str(corpus)] = float(np.mean([metrics.uar(*_columns(part), labels) for part in parts]))
    return found


def _score_corpus(rows: Any, labels: list[str]) -> dict[str, Any]:
    parts = {name: rows[rows["partition"] == name] for name in PARTITIONS}
    return {name: score_rows(part, labels, name) for name, part in parts.items() if len(part)}


def score_rows(rows: Any, labels: list[str], partition: str) -> dict[str, Any]:
    """Scores of the rows of one corpus and partition, which have a column ``correct`` of 0.0 and 1.0."""
    folds = dict(sorted(((str(fold), part) for fold, part in rows.groupby("fold")), key=lambda item: natural(item[0])))
    how = how_counted(rows, partition, len(folds))
    parts = list(folds.values()) if how == MEAN else [rows]
    once = rows.drop_duplicates("utterance")
    occurring = [label for label in labels if label in set(once["truth"])]
    main = _mean([_measure(part, labels) for part in parts])
    intervals = _intervals(rows, labels, how)
    return {
        "how": how,
        "n": len(once),
        "n_speakers": int(once.loc[once["speaker"] != "", "speaker"].nunique()),
        "labels": occurring,
        "chance": float(metrics.chance(occurring)),
        "uar": {"value": main["uar"], **intervals["uar"]},
        "wa": {"value": main["wa"], **intervals["wa"]},
        "f1": main["f1"],
        "recall": _recall(parts, once, labels),
        "confusion": {"labels": labels, "counts": metrics.confusion(*_columns(rows), labels).tolist()},
        "folds": _fold_scores(folds, labels),
        "speakers": _groups(parts, "speaker", labels),
        "genders": _groups(parts, "gender", labels),
    }


def how_counted(rows: Any, partition: str, folds: int) -> str:
    """How the rows of a corpus and partition are counted, see `score_run`."""
    if folds == 1:
        assert not rows["utterance"].duplicated().any(), "an utterance twice in one fold"
        return ONE
    return POOLED if partition == "test" and not rows["utterance"].duplicated().any() else MEAN


def _columns(rows: Any) -> tuple[list[str], list[str]]:
    return rows["truth"].tolist(), rows["prediction"].tolist()


def _measure(rows: Any, labels: list[str]) -> dict[str, float]:
    truth, prediction = _columns(rows)
    return {
        "uar": float(metrics.uar(truth, prediction, labels)),
        "wa": float(metrics.wa(truth, prediction, labels)),
        "f1": float(metrics.macro_f1(truth, prediction, labels)),
    }


def _mean(measures: list[dict[str, float]]) -> dict[str, float]:
    return {key: float(np.mean([measure[key] for measure in measures])) for key in measures[0]}


def no_interval(rows: Any, how: str) -> str:
    """Why there is no interval over the speakers of some rows, counted in this way; "" where there is one."""
    if how == MEAN:
        return "mean over folds in which utterances recur: no interval"
    return "no interval: the speakers are not known" if (rows["speaker"] == "").any() else ""


def _intervals(rows: Any, labels: list[str], how: str) -> dict[str, dict[str, Any]]:
    """95 % intervals of UAR (speakers drawn anew) and WA (Wilson); none where utterances recur."""
    note = no_interval(rows, how)
    if how == MEAN:
        return {key: {"low": None, "high": None, "note": note} for key in ("uar", "wa")}
    if note:
        speakers = stats.Interval(None, None, note)
    else:
        speakers = stats.speaker_bootstrap(*_columns(rows), rows["speaker"].tolist(), labels)
    wilson = stats.wilson(int(rows["correct"].sum()), len(rows))
    return {
        name: {"low": finite(interval.low), "high": finite(interval.high), "note": interval.note or ""}
        for name, interval in (("uar", speakers), ("wa", wilson))
    }


def _recall(parts: list[Any], once: Any, labels: list[str]) -> dict[str, dict[str, Any]]:
    """Recall of each label; over folds the mean of those in which the label occurs. ``n`` counts utterances once."""
    recalls = [metrics.recalls(*_columns(part), labels) for part in parts]
    support = once["truth"].value_counts()
    values = {label: [value for recall in recalls if (value := recall[label][0]) is not None] for label in labels}
    return {
        label: {"value": float(np.mean(values[label])) if values[label] else None, "n": int(support.get(label, 0))}
        for label in labels
    }


def _fold_scores(folds: dict[str, Any], labels: list[str]) -> dict[str, Any] | None:
    """UAR of each fold, their mean and standard deviation (n - 1); None for a single fold."""
    if len(folds) < 2:
        return None
    values = {fold: float(metrics.uar(*_columns(rows), labels)) for fold, rows in folds.items()}
    known = set(labels)
    found = [len(known & set(rows["truth"])) for rows in folds.values()]
    few = sum(count < max(found) for count in found)
    note = f"{few} of {len(folds)} folds lack labels: their UAR is the mean over the labels that occur" if few else ""
    numbers = list(values.values())
    return {
        "n": len(values),
        "mean": float(np.mean(numbers)),
        "sd": float(np.std(numbers, ddof=1)),
        "values": values,
        "note": note,
    }


def _groups(parts: list[Any], column: str, labels: list[str]) -> dict[str, dict[str, Any]]:
    """UAR and WA of each speaker or gender, over the labels it speaks; in folds the mean of those it is in."""
    found: dict[str, list[Any]] = {}
    for part in parts:
        for name, rows in part.groupby(column):
            if name:
                found.setdefault(str(name), []).append(rows)
    groups = {}
    for name in sorted(found, key=natural):
        main = _mean([_measure(rows, labels) for rows in found[name]])
        n = len(set().union(*(rows["utterance"] for rows in found[name])))
        gender = {"gender": str(found[name][0]["gender"].iloc[0])} if column == "speaker" else {}
        groups[name] = {"n": n, "uar": main["uar"], "wa": main["wa"], **gender}
    return groups


def _pooled(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Share of correct utterances over corpora, each weighted by its utterances."""
    n = sum(part["n"] for part in parts)
    return {"n": n, "wa": sum(part["n"] * part["wa"]["value"] for part in parts) / n}


def finite(value: float | None) -> float | None:
    """The number, or None where there is none: JSON knows neither NaN nor infinity.

    Example:
        >>> [finite(value) for value in (0.5, float("nan"), None)]
        [0.5, None, None]
    """
    return float(value) if value is not None and np.isfinite(value) else None


def natural(name: str) -> list[Any]:
    """Sort key that puts fold 2 before fold 10.

    Example:
        >>> sorted(["10", "2", "s1"], key=natural)
        ['2', '10', 's1']
    """
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]
