"""What a network's run has beyond a baseline's: a best devel and a final epoch, and counts of parameters."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from emoset_cli.report.scores import score_run
from emoset_cli.report.settings import is_network, setting_of
from emoset_cli.report.tables import Column, Table
from emoset_cli.runs import Run


def epoch_scores(runs: Sequence[Run], scores: Sequence[dict[str, Any]] = ()) -> list[dict[str, Any]]:
    """Best devel and final epoch of each run, side by side, a row for each of its corpora; empty without a network.

    A baseline's row has no epochs and no final scores: it stands there to be compared with. A run that is named with
    and without ``:final`` has one row.

    Args:
        runs: of both kinds
        scores: of `scores.score_runs`, in the same order; what is missing is computed
    """
    if not any(run.has_final for run in runs):
        return []
    known = {(run.folder, run.final): score for run, score in zip(runs, scores, strict=bool(scores))}
    rows = []
    for folder, run in {run.folder: run for run in runs}.items():
        best = known.get((folder, False)) or score_run(replace(run, final=False))
        final = (known.get((folder, True)) or score_run(run.final_epoch())) if run.has_final else None
        chosen = list((run.config.get("chosen") or {}).values())
        for corpus, parts in best["corpora"].items():
            rows.append({
                "corpus": corpus, "run": best["run"], "setting": setting_of(run), "seed": run.config.get("seed"),
                "chance": parts[_shown(parts)]["chance"],
                "best": _ends(parts) | {"epoch": _span(chosen, "epoch")},
                "final": _ends(final["corpora"][corpus]) | {"epoch": _span(chosen, "epochs")} if final else None,
            })  # fmt: skip
    corpora = list(dict.fromkeys(row["corpus"] for row in rows))
    return sorted(rows, key=lambda row: corpora.index(row["corpus"]))


def _shown(parts: dict[str, Any]) -> str:
    return "test" if "test" in parts else "devel"


def _ends(parts: dict[str, Any]) -> dict[str, Any]:
    """UAR of devel and test; None for a partition that is not there."""
    return {name: parts[name]["uar"] if name in parts else None for name in ("devel", "test")}


def _span(chosen: list[dict[str, Any]], key: str) -> dict[str, int] | None:
    """The smallest and the largest number of the folds."""
    numbers = [int(one[key]) for one in chosen if key in one]
    return {"low": min(numbers), "high": max(numbers)} if numbers else None


def epochs_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows of `epoch_scores` in the shape of EmoNet's Table 3, a line for each corpus and run.

    Source:
        Gerczuk et al. 2021 (EmoNet), Table 3.
    """
    columns = [
        Column("corpus", "text", "corpus"), Column("run", "text", "run"), Column("setting", "text", "setting"),
        Column("chance [%]", "percent", "chance"),
        *(Column(f"{when} {name}", kind, f"{when}_{key}") for when in ("best", "final") for name, kind, key in (
            ("epoch", "span", "epoch"), ("devel UAR [%]", "percent", "devel_uar"), ("test UAR [%]", "percent", "uar"),
        )),
    ]  # fmt: skip
    cells = [
        [row["corpus"], row["run"], row["setting"], row["chance"],
         *((row[when] or {}).get(key) for when in ("best", "final") for key in ("epoch", "devel", "test"))]
        for row in rows
    ]  # fmt: skip
    note = (
        "Best: the epoch with the best devel UAR, which is therefore too good on devel. Final: the last epoch trained. "
        "In brackets: 95 % intervals. A baseline has no epochs; it is refitted on train + devel before the test."
    )
    return Table("Best devel epoch and final epoch", columns, cells, note)


def parameters_table(runs: Sequence[Run]) -> Table | None:
    """How many parameters each setting has, trains, and needs for each corpus; None without a network.

    Runs that agree share a row; a number that differs over their corpora (heads have as many outputs as labels) is a
    span.
    """
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for run in runs:
        if is_network(run) and run.config.get("parameters"):
            key = (setting_of(run), str(run.config["model"]), str(run.config["mode"]))
            groups.setdefault(key, []).append(run.config["parameters"])
    columns = [
        Column("setting", "text", "setting"), Column("model", "text", "model"), Column("mode", "text", "mode"),
        Column("total", "span", "total"), Column("trained", "span", "trained"), Column("shared", "span", "shared"),
        Column("adapters of one corpus", "span", "adapter"), Column("head of one corpus", "span", "head"),
        Column("corpus-specific of one corpus", "span", "corpus_specific"),
    ]  # fmt: skip
    rows = [[*key, *_counts(counts)] for key, counts in groups.items()]
    note = "Trained: those that the mode does not freeze. The batch norms' running statistics are not counted."
    return Table("Parameters", columns, rows, note) if rows else None


def _counts(counts: list[dict[str, Any]]) -> list[dict[str, int] | None]:
    own = []
    for one in counts:
        for corpus in {**one["adapter"], **one["head"]}:
            adapter, head = one["adapter"].get(corpus, 0), one["head"].get(corpus, 0)
            own.append({"adapter": adapter, "head": head, "both": adapter + head})
    return [*(_span(counts, key) for key in ("total", "trained", "shared")),
            *(_span(own, key) for key in ("adapter", "head", "both"))]  # fmt: skip
