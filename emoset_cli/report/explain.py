"""Whom a run serves worse, what it is most surely wrong about, and where two runs disagree."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from emoset_cli import metrics, stats
from emoset_cli.errors import EmosetError
from emoset_cli.report.scores import finite, natural
from emoset_cli.report.tables import Column, Table
from emoset_cli.runs import Run

BY = ("gender", "speaker", "language", "duration")
FACTS = ("corpus", "utterance", "fold", "speaker", "gender", "language", "duration_s", "truth")


def explain(run: Run, other: Run | None, rows: Any, on: str, most: int) -> dict[str, Any]:
    """What is worth looking at, as plain values that JSON can hold.

    ``groups`` are rows of `group_scores`. ``mistakes`` are the surest wrong predictions, the surest first, and
    ``right`` the surest right ones, one of each label in turn; ``disagreements`` those where ``other`` says something
    else, first those that one of the two has right. All of them hold `FACTS`, ``prediction`` and ``surety``.

    Args:
        run: the one to be explained
        other: another one, tested on the same utterances
        rows: predictions of ``run`` on one partition, each utterance once, with ``duration_s``
        on: that partition
        most: most utterances of a kind

    Raises:
        EmosetError: if ``other`` was not tested on the same utterances
    """
    sure, kind = surety(rows)
    rows = rows.assign(surety=sure, correct=rows["truth"] == rows["prediction"])
    mistakes = rows[~rows["correct"]].sort_values(["surety", "utterance"], ascending=[False, True])
    found: dict[str, Any] = {
        "run": run.name, "on": on, "n": len(rows), "surety": kind, "most": most,
        "groups": [one for key, part in rows.groupby("corpus", sort=False)
                   for one in group_scores(part, [str(label) for label in run.config["labels"][str(key)]])],
        "mistakes": [_facts(row) for row in mistakes.head(most).to_dict("records")],
        "right": [_facts(row) for row in _each_label(rows[rows["correct"]], most)],
        "n_mistakes": len(mistakes), "other": "", "disagreements": [], "n_disagreements": 0,
    }  # fmt: skip
    if other:
        found |= _disagreements(other, rows, on, most)
    return found


def surety(rows: Any) -> tuple[np.ndarray, str]:
    """How sure each prediction is, and in which words: the probability of the prediction, or the margin of its score.

    The margin is what decision values, which are no probabilities, have: the largest minus the second.

    Raises:
        EmosetError: if the predictions hold neither
    """
    import pandas as pd

    for prefix, kind in (("probability_", "probability"), ("score_", "margin")):
        columns = [name for name in rows.columns if name.startswith(prefix)]
        if columns:
            numbers = rows[columns].apply(pd.to_numeric, errors="coerce")  # empty where a corpus has no such label
            values = np.nan_to_num(numbers.to_numpy(float), nan=-np.inf)
            best = np.sort(values, 1)
            return (best[:, -1] if kind == "probability" else best[:, -1] - best[:, -2]), kind
    raise EmosetError("the predictions hold no probabilities or scores", "train the run again with --force")


def group_scores(rows: Any, labels: Sequence[str]) -> list[dict[str, Any]]:
    """UAR and WA of each group of the utterances of one corpus, by what may make a difference, with 95 % intervals.

    Durations are cut into thirds. UAR has an interval over speakers where a group has several, WA Wilson's. A group is
    scored over the labels that occur in it. What is not known makes no group, and what has one group no rows.
    """
    found = []
    for by in BY:
        groups = {name: part for name, part in _parts(rows, by) if name}
        if len(groups) < 2:
            continue
        for name in sorted(groups, key=natural) if by != "duration" else groups:
            part = groups[name]
            truth, prediction = part["truth"].tolist(), part["prediction"].tolist()
            speakers = part["speaker"].tolist()
            none = stats.Interval(None, None)
            several = len(set(speakers)) > 1 and "" not in speakers
            uar = stats.speaker_bootstrap(truth, prediction, speakers, labels) if several else none
            wa = stats.wilson(int(part["correct"].sum()), len(part))
            found.append({
                "corpus": str(part["corpus"].iloc[0]), "by": by, "group": str(name), "n": len(part),
                "speakers": len(set(speakers) - {""}),
                "chance": float(metrics.chance([label for label in labels if label in set(truth)])),
                "uar": {"value": float(metrics.uar(truth, prediction, labels)), "low": finite(uar.low),
                        "high": finite(uar.high)},
                "wa": {"value": float(part["correct"].mean()), "low": finite(wa.low), "high": finite(wa.high)},
            })  # fmt: skip
    return found


def _parts(rows: Any, by: str) -> Iterator[tuple[str, Any]]:
    if by != "duration":
        yield from ((str(name), part) for name, part in rows.groupby(by))
        return
    seconds = rows["duration_s"].to_numpy(float)
    low, high = np.quantile(seconds, [1 / 3, 2 / 3])
    for name, kept in (
        (f"up to {low:.2f} s", seconds <= low),
        (f"to {high:.2f} s", (seconds > low) & (seconds <= high)),
        (f"above {high:.2f} s", seconds > high),
    ):
        if kept.any():
            yield name, rows[kept]


def _each_label(right: Any, most: int) -> list[dict[str, Any]]:
    """The surest of each label, then the second of each, and so on."""
    ordered = right.sort_values(["surety", "utterance"], ascending=[False, True])
    place = ordered.groupby(["corpus", "truth"]).cumcount()
    found: list[dict[str, Any]] = ordered.assign(place=place).sort_values("place", kind="stable").head(most).to_dict(
        "records"
    )  # fmt: skip
    return found


def _disagreements(other: Run, rows: Any, on: str, most: int) -> dict[str, Any]:
    """Where another run says something else of the same utterances."""
    theirs = other.predictions()
    theirs = theirs[theirs["partition"] == on].set_index("utterance")
    if set(theirs.index) != set(rows["utterance"]) or not theirs.index.is_unique:
        problem = f"{other.name} was not tested on the same utterances, each once"
        raise EmosetError(problem, f"emoset explain {other.name}")
    said = theirs["prediction"].loc[rows["utterance"]].to_numpy()
    apart = rows.assign(other=said)[rows["prediction"].to_numpy() != said]
    one_right = apart["correct"] | (apart["other"] == apart["truth"])
    ordered = apart.assign(first=~one_right).sort_values(
        ["first", "surety", "utterance"], ascending=[True, False, True]
    )
    return {
        "other": other.name,
        "n_disagreements": len(apart),
        "only_right": int(apart["correct"].sum()),
        "only_other_right": int((apart["other"] == apart["truth"]).sum()),
        "disagreements": [_facts(row) | {"other": str(row["other"])} for row in ordered.head(most).to_dict("records")],
    }


def _facts(row: dict[str, Any]) -> dict[str, Any]:
    facts = {name: row[name] if name == "duration_s" else str(row[name]) for name in FACTS}
    return facts | {"prediction": str(row["prediction"]), "surety": float(row["surety"])}


def explain_tables(found: dict[str, Any]) -> list[Table]:
    """The groups, the surest mistakes, the disagreements."""
    heads = [Column("corpus", "text", "corpus"), Column("by", "text", "by"), Column("group", "text", "group"),
             Column("utterances", "count", "n"), Column("speakers", "count", "speakers"),
             Column("chance [%]", "percent", "chance"), Column("UAR [%]", "percent", "uar"),
             Column("WA [%]", "percent", "wa")]  # fmt: skip
    note = (
        "In brackets 95 % intervals: of UAR over speakers, of WA Wilson's. Groups differ in their labels and speakers "
        "too: a difference between them need not come from what they are called after."
    )
    rows = [[one[column.key] for column in heads] for one in found["groups"]]
    tables = [Table(f"Who is served worse: {found['on']}", heads, rows, note)]
    tables.append(_utterances(f"Surest mistakes: {found['on']}", found["mistakes"], found))
    if found["other"]:
        title = f"Where {found['other']} says something else: {found['on']}"
        tables.append(_utterances(title, found["disagreements"], found, True))
    return tables


def _utterances(title: str, rows: Sequence[dict[str, Any]], found: dict[str, Any], other: bool = False) -> Table:
    heads = [Column(name, "text", key) for name, key in
             (("utterance", "utterance"), ("truth", "truth"), ("prediction", "prediction"))]  # fmt: skip
    heads += [Column("other run", "text", "other")] if other else []
    heads += [Column(found["surety"], "coefficient", "surety"), Column("speaker", "text", "speaker"),
              Column("gender", "text", "gender"), Column("duration [s]", "duration", "duration_s")]  # fmt: skip
    return Table(title, heads, [[row[column.key] for column in heads] for row in rows])


def sentences(found: dict[str, Any]) -> list[str]:
    """For each attribute of each corpus the group with the lowest UAR against the one with the highest."""
    told = []
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in found["groups"]:
        if one["by"] != "speaker":
            groups.setdefault((one["corpus"], one["by"]), []).append(one)
    for (corpus, by), own in groups.items():
        worst, best = (choose(own, key=lambda one: one["uar"]["value"]) for choose in (min, max))
        numbers = f"UAR {100 * worst['uar']['value']:.1f} against {100 * best['uar']['value']:.1f} of {best['group']}"
        few = min(worst["speakers"], best["speakers"])
        known = None not in (worst["uar"]["high"], best["uar"]["low"])
        apart = known and worst["uar"]["high"] < best["uar"]["low"]
        end = "the intervals do not overlap" if apart else "the intervals overlap" if known else "without intervals"
        end += f", but rest on {few} speakers only" if known and few < stats.FEW_SPEAKERS else ""
        told.append(f"{corpus}, {by}: {worst['group']} is served worst, {numbers}; {end}.")
    return told
