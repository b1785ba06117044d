"""What probes read from embeddings, as tables: one line each, and networks side by side."""

from typing import Any

from emoset_cli.probe import PARTS
from emoset_cli.report.tables import Column, Table


def probe_tables(found: dict[str, Any]) -> list[Table]:
    """All probes; of several networks first their UARs side by side.

    Args:
        found: ``seed``, ``same`` (whether all networks have the same test utterances) and ``probes``, each with
            ``run``, ``fold``, ``attribute`` and what `emoset_cli.probe` answers
    """
    runs = list(dict.fromkeys(one["run"] for one in found["probes"]))
    return [*([_side_by_side(found, runs)] if len(runs) > 1 else []), _each(found)]


def _each(found: dict[str, Any]) -> Table:
    columns = [
        Column("run", "text", "run"), Column("fold", "text", "fold"), Column("attribute", "text", "attribute"),
        Column("utterances", "count", "n"), Column("unknown", "count", "n_unknown"),
        Column("classes", "count", "classes"), Column("chance [%]", "percent", "chance"),
        Column("UAR [%]", "percent", "uar"), Column("WA [%]", "percent", "wa"),
        Column("commonest class [%]", "percent", "majority"), Column("C", "text", "C"), Column("note", "text", "note"),
    ]  # fmt: skip
    rows = []
    for one in found["probes"]:
        notes = [
            one["note"],
            (one["uar"] or {}).get("note"),
            "" if one["converged"] in (None, True) else "not converged",
        ]
        facts = one | {"C": None if one["C"] is None else f"{one['C']:g}", "note": "; ".join(filter(None, notes))}
        rows.append([facts[column.key] for column in columns])
    note = (
        "Logistic regression on the standardised embedding, fitted on train, C chosen on devel, scored on test: on "
        "other speakers than it was fitted to. Speaker: fitted and scored on other utterances of the same test "
        f"speakers, {PARTS} parts dealt with seed {found['seed']}. Commonest class: the WA of always saying it. "
        f"Unknown: not known, not in train, or of a speaker with fewer than {PARTS} utterances. In brackets: 95 % "
        "intervals over speakers."
    )
    return Table("Probes", columns, rows, note)


def _side_by_side(found: dict[str, Any], runs: list[str]) -> Table:
    columns = [Column("attribute", "text", "attribute"), Column("chance [%]", "percent", "chance"),
               *(Column(run, "percent", run) for run in runs)]  # fmt: skip
    told = {(one["attribute"], one["run"]): one for one in found["probes"]}
    attributes = dict.fromkeys(one["attribute"] for one in found["probes"])
    rows = []
    for name in attributes:
        chances = dict.fromkeys(told[name, run]["chance"] for run in runs)
        rows.append([name, next(iter(chances)) if len(chances) == 1 else None,
                     *(_of(run, told[name, run]["uar"]) for run in runs)])  # fmt: skip
    note = "UAR in percent, in brackets its 95 % interval over speakers."
    if not found["same"]:
        note += " The networks have other test utterances: their numbers cannot be compared."
    return Table("Probes side by side, UAR [%]", columns, rows, note)


def _of(run: str, uar: dict[str, Any] | None) -> dict[str, Any] | None:
    return uar and uar | {"runs": [run]}
