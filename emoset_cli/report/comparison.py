"""Two runs on the same utterances: is the other better than the reference, by how much, and is it chance?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from emoset_cli import metrics, stats
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.report.scores import PARTITIONS, finite, natural
from emoset_cli.runs import Run

_SHOWN = 5


def compare_many(runs: Sequence[Run], partition: str = "test") -> list[dict[str, Any]]:
    """Compare the first run, the reference, with each of the others; see `compare_runs`.

    Raises:
        EmosetError: if there are fewer than two different runs, or two of them cannot be compared
    """
    names = [(run.folder.resolve(), run.final) for run in runs]
    if len(runs) < 2 or len(set(names)) < len(names):
        given = ", ".join(run.name for run in runs) or "none"
        raise EmosetError(f"a comparison needs two different runs, given: {given}", "name each run once, at least two")
    return [compare_runs(runs[0], other, partition) for other in runs[1:]]


def compare_runs(a: Run, b: Run, partition: str = "test") -> dict[str, Any]:
    """Compare run ``b`` with the reference ``a`` on the corpora both hold, per corpus and pooled.

    Every difference is b minus a: above zero, ``b`` is better. McNemar's test and the odds ratio are about accuracy
    (WA), not UAR; the UAR difference stands beside them with a bootstrap over speakers, paired. ``p_holm`` is
    corrected over the corpora of this pair; ``pooled`` is one test over all utterances and not corrected.

    Raises:
        EmosetError: if the runs share no corpus, or on a shared one their utterances or truths differ
    """
    if partition not in PARTITIONS:
        raise unknown("partition", partition, PARTITIONS)
    of_a, of_b = (_held(run, partition) for run in (a, b))
    shared = [corpus for corpus in of_a if corpus in of_b]
    if not shared:
        raise EmosetError(f"'{a.name}' and '{b.name}' share no corpus", "compare runs that hold the same corpus")
    joint = _joint(a, b, shared, partition)
    corpora = {corpus: joint[joint["corpus"] == corpus] for corpus in shared}
    labels = {corpus: [str(label) for label in a.config["labels"][corpus]] for corpus in shared}
    results = {corpus: _compare(rows) | _compare_uar(rows, labels[corpus]) for corpus, rows in corpora.items()}
    for result, p in zip(results.values(), stats.holm([one["mcnemar"]["p"] for one in results.values()]), strict=True):
        result["p_holm"] = float(p)
        result["mark"] = stats.mark(result["difference"]["value"], float(p))
    comparison: dict[str, Any] = {"a": a.name, "b": b.name, "partition": partition, "corpora": results}
    if len(shared) > 1:
        pooled = _compare(joint)
        comparison["pooled"] = pooled | {"mark": stats.mark(pooled["difference"]["value"], pooled["mcnemar"]["p"])}
    comparison["left_out"] = {
        run.name: [corpus for corpus in held if corpus not in shared] for run, held in ((a, of_a), (b, of_b))
    }
    return comparison


def _held(run: Run, partition: str) -> list[str]:
    """The corpora of a run that are in a partition: with unseen ones, these alone are tested, and the others devel.

    Those without labels are not: their dimensions are not compared.

    Raises:
        EmosetError: if none has labels
    """
    corpora = [str(corpus) for corpus in run.config["corpora"] if run.config["labels"][str(corpus)]]
    if not corpora:
        raise EmosetError(f"{run.name} has learnt no labels, only dimensions", f"emoset evaluate {run.name}")
    return [corpus for corpus in corpora if not run.unseen or (corpus in run.unseen) == (partition == "test")]


def _joint(a: Run, b: Run, shared: list[str], partition: str) -> Any:
    """One row an utterance with the truth and both predictions.

    Raises:
        EmosetError: if utterances recur in a run, or the runs differ in utterances, truths or speakers
    """
    tables = [_rows(run, shared, partition) for run in (a, b)]
    left, right = (table.set_index(["corpus", "utterance"]) for table in tables)
    only_a, only_b = left.index.difference(right.index), right.index.difference(left.index)
    if len(only_a) or len(only_b):
        found = [_count(f"only in '{run.name}'", index) for run, index in ((a, only_a), (b, only_b)) if len(index)]
        raise EmosetError(
            f"the {partition} utterances differ: {'; '.join(found)}",
            f"train both with the same partition and seed ('{a.name}': {_partition(a)}; '{b.name}': {_partition(b)})",
        )
    right = right.reindex(left.index)
    for column, mend in (
        ("truth", "train both with the same labels and label space"),
        ("speaker", "prepare the corpus again and train both runs on it"),
    ):
        differs = left[column] != right[column]
        if differs.any():
            raise EmosetError(
                f"the runs '{a.name}' and '{b.name}' differ in their {column}: "
                + _count(f"of {len(left)} {partition} utterances", left.index[differs]),
                mend,
            )
    joint = left[["speaker", "truth", "prediction"]].assign(other=right["prediction"]).reset_index()
    joint["correct_a"] = joint["truth"] == joint["prediction"]
    joint["correct_b"] = joint["truth"] == joint["other"]
    return joint


def _rows(run: Run, shared: list[str], partition: str) -> Any:
    table = run.predictions()
    table = table[(table["partition"] == partition) & table["corpus"].isin(shared)]
    missing = [corpus for corpus in shared if corpus not in set(table["corpus"])]
    if missing:
        raise EmosetError(
            f"run '{run.name}' has no {partition} utterances of {', '.join(missing)}",
            "compare runs whose partition holds them, or compare the other partition",
        )
    twice = table[table.duplicated(["corpus", "utterance"])].set_index(["corpus", "utterance"]).index.unique()
    if len(twice):
        raise EmosetError(
            f"in run '{run.name}' {partition} utterances occur more than once: {_count('in all', twice)}",
            "train it with a partition of one fold, such as --partition speakers: each fold tests all unseen corpora"
            if run.unseen and partition == "test"
            else "compare the test partition: devel utterances recur in the folds of a cross-validation",
        )
    return table


def _count(where: str, index: Any) -> str:
    """Such as ``7 only in 'run' (emodb/03a01Fa, emodb/03a01Nc, ...)``."""
    ids = [utterance if utterance.startswith(f"{corpus}/") else f"{corpus}/{utterance}" for corpus, utterance in index]
    shown = ", ".join(sorted(ids, key=natural)[:_SHOWN])
    return f"{len(ids)} {where} ({shown}{', ...' if len(ids) > _SHOWN else ''})"


def _partition(run: Run) -> str:
    partition = run.config.get("partition", {})
    return f"{partition.get('name', 'unnamed')}, seed {partition.get('seed', 'none')}"


def _compare(rows: Any) -> dict[str, Any]:
    """Accuracy of both, McNemar's test and effect sizes."""
    correct_a, correct_b = rows["correct_a"].to_numpy(dtype=bool), rows["correct_b"].to_numpy(dtype=bool)
    test = stats.mcnemar(correct_a, correct_b)
    difference, interval = stats.accuracy_difference(correct_a, correct_b)
    ratio, ratio_interval = stats.odds_ratio(test.only_a, test.only_b)
    return {
        "n": len(rows),
        "n_speakers": int((rows["corpus"] + "\n" + rows["speaker"]).nunique()),
        "wa": {"a": float(np.mean(correct_a)), "b": float(np.mean(correct_b))},
        "difference": _interval(difference, interval),
        "mcnemar": {
            "only_a": int(test.only_a),
            "only_b": int(test.only_b),
            "both": int(test.both),
            "neither": int(test.neither),
            "statistic": finite(test.statistic),
            "p": float(test.p),
            "method": test.method,
        },
        "odds_ratio": _interval(ratio, ratio_interval),
    }


def _compare_uar(rows: Any, labels: list[str]) -> dict[str, Any]:
    truth, a, b = (rows[column].tolist() for column in ("truth", "prediction", "other"))
    difference, interval = stats.uar_difference(truth, a, b, rows["speaker"].tolist(), labels)
    return {
        "chance": float(metrics.chance([label for label in labels if label in set(truth)])),
        "uar": {"a": float(metrics.uar(truth, a, labels)), "b": float(metrics.uar(truth, b, labels))},
        "uar_difference": _interval(difference, interval),
    }


def _interval(value: float | None, interval: Any) -> dict[str, Any]:
    low, high = finite(interval.low), finite(interval.high)
    return {"value": finite(value), "low": low, "high": high, "note": interval.note or ""}
