"""What ``emoset train`` of a network answers: the runs with their devel scores, and their weights."""

from typing import Any

from emoset_cli.cli.common import answer


def answer_runs(runs: list[Any], as_json: bool) -> None:
    """Tell of the runs what was reached on devel and how many weights they have."""
    from emoset_cli.report.ranking import reached
    from emoset_cli.report.tables import Column, Table

    rows = []
    for run in runs:
        config, chosen = run.config, list(run.config["chosen"].values())
        rows.append({
            "run": run.name, "folder": str(run.folder), "corpora": config["corpora"], "setting": config["setting"],
            "partition": config["partition"]["name"], "folds": len(chosen), "counts": config["counts"],
            "precision": config["precision"], "device": config["device"], "budget": config["budget"],
            "parameters": config["parameters"], "epoch": [one["epoch"] for one in chosen],
            "epochs": [one["epochs"] for one in chosen], "devel_uar": reached(run, "devel_uar"),
            "final_devel_uar": reached(run, "final_devel_uar"),
            **({"devel_ccc": reached(run, "devel_ccc")} if "dimensions" in config else {}),
            "trained": config["parameters"]["trained"], "total": config["parameters"]["total"],
        })  # fmt: skip
    heads = [
        Column("run", "text", "run"), Column("setting", "text", "setting"), Column("folds", "count", "folds"),
        Column("trained weights", "count", "trained"), Column("of", "count", "total"),
        Column("devel UAR, best epoch", "percent", "devel_uar"), Column("final", "percent", "final_devel_uar"),
    ]  # fmt: skip
    if any("devel_ccc" in row for row in rows):
        heads.append(Column("devel CCC, best epoch", "coefficient", "devel_ccc"))
    note = "Devel only, on which the epoch was chosen. Test: emoset evaluate RUN"
    found = [Table("Trained", heads, [[row.get(head.key) for head in heads] for row in rows], note)]
    answer(rows, [*found, _weights(rows)], as_json)


def _weights(rows: list[dict[str, Any]]) -> Any:
    """How many weights the networks have, by what they are for; classifiers and adapters are those of all corpora."""
    from emoset_cli.report.tables import Column, Table

    heads = [Column("run", "text", "run"), Column("shared", "count", "shared")]
    heads += [Column("adapters", "count", "adapter"), Column("classifiers", "count", "head")]
    attributes = list(dict.fromkeys(name for row in rows for name in row["parameters"].get("attribute", {})))
    heads += [Column(f"of {name}", "count", name) for name in attributes]
    cells = []
    for row in rows:
        counted = row["parameters"]
        of_heads = [sum(counted[role].values()) for role in ("adapter", "head")]
        own = [counted.get("attribute", {}).get(name) for name in attributes]
        cells.append([row["run"], counted["shared"], *of_heads, *own])
    return Table("Weights", heads, cells)
