"""What `transfer` finds as tables, in the shape of EmoNet's Table 4, and as sentences."""

from typing import Any

from emoset_cli.report.kinds import NONE
from emoset_cli.report.tables import Column, Table, slug

ANY = "best transfer of each corpus"
_MARKS = (
    "+ / −: significantly more / fewer utterances right than {reference} with the same seed (McNemar's test, which "
    "compares accuracy and not UAR; p < 0.05 after Holm's correction over the corpora). +2/3: in 2 of 3 seeds; in "
    "brackets if that is no majority."
)
_SEEDS = "UAR in percent: mean ± standard deviation over seeds (their number), or of one seed with its 95 % interval."


def transfer_tables(found: dict[str, Any]) -> list[Table]:
    """Test, devel, how often each setting beats the reference, and what was trained; ``found`` is of `transfer`."""
    tables = [uar_table(found, "test"), uar_table(found, "devel"), against_table(found), settings_table(found)]
    return [table for table in tables if table.rows]


def uar_table(found: dict[str, Any], partition: str) -> Table:
    """A row for each corpus, a column for each setting; marks are on test.

    Source:
        Gerczuk et al. 2021 (EmoNet), Table 4.
    """
    names = [setting["name"] for setting in found["settings"]]
    kind = "marked" if partition == "test" else "seeds"
    columns = [
        Column("corpus", "text", "corpus"), Column("utterances", "count", "utterances"),
        Column("chance [%]", "percent", "chance"), *(Column(name, kind, slug(name)) for name in names),
    ]  # fmt: skip
    if partition != "test":
        del columns[1]
    rows = []
    for corpus, row in found["corpora"].items():
        cells = [(row["settings"].get(name) or {}).get(partition) for name in names]
        if any(cells):
            rows.append([corpus, *([row["n"]] if partition == "test" else []), row["chance"], *cells])
    notes = [told(found, partition), *trained(found), *(left_out(found) if partition == "test" else [])]
    return Table(f"Transfer, {partition} UAR [%]", columns, rows, " ".join(notes))


def told(found: dict[str, Any], partition: str) -> str:
    """How to read the cells of `uar_table`."""
    return f"{_SEEDS} {_MARKS.format(reference=found['reference'])}" if partition == "test" else _SEEDS


def trained(found: dict[str, Any]) -> list[str]:
    """Seeds, budget, precision and device of each setting, settings that agree together."""
    groups: dict[str, list[str]] = {}
    for setting in found["settings"]:
        seeds = ", ".join(map(str, setting["seeds"]))
        words = [f"seed{'s' if len(setting['seeds']) > 1 else ''} {seeds}"]
        words += [" or ".join(setting[name]) for name in ("budget", "precision", "device") if setting[name]]
        groups.setdefault("; ".join(words), []).append(setting["name"])
    return [f"{' / '.join(names)}: {words}." for words, names in groups.items()]


def left_out(found: dict[str, Any]) -> list[str]:
    """A sentence for each run and reason."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for one in found["left_out"]:
        groups.setdefault((one["run"], one["setting"], one["why"]), []).append(one["corpus"])
    return [f"Left out: {run} ({setting}) on {', '.join(corpora)}: {why}."
            for (run, setting, why), corpora in groups.items()]  # fmt: skip


def sentences(found: dict[str, Any]) -> list[str]:
    """Such as ``all > adapters beats scratch on 3 of 4 corpora, significantly on 1.``"""
    wins = [(setting["name"], setting["against"]) for setting in found["settings"] if setting["against"]]
    return [
        f"{name} beats {found['reference']} on {one['above']} of {one['corpora']} corpora, significantly on "
        f"{one['plus']}; it is significantly worse on {one['minus']}."
        for name, one in wins
        if one["corpora"]
    ]


def against_table(found: dict[str, Any]) -> Table:
    """How often each setting is above and below the reference."""
    columns = [
        Column("setting", "text", "setting"), Column("corpora", "count", "corpora"),
        Column("above / below", "counts", "uar"), Column("mean difference", "points", "mean_difference"),
        Column("+ / −", "counts", "marks"), Column("+ / −, uncorrected", "counts", "marks_uncorrected"),
    ]  # fmt: skip
    wins = [(setting["name"], setting["against"]) for setting in found["settings"]] + [(ANY, found["any"])]
    rows = [
        [name, one["corpora"], {"a": one["above"], "b": one["below"]}, one["mean_difference"],
         {"a": one["plus"], "b": one["minus"]}, {"a": one["plus_uncorrected"], "b": one["minus_uncorrected"]}]
        for name, one in wins if one and one["corpora"]
    ]  # fmt: skip
    note = (
        f"Above / below: corpora on which the mean test UAR is higher / lower than that of {found['reference']}; the "
        "difference in percentage points is their mean. + / −: marks as in the table of test UARs; uncorrected: "
        "without Holm's correction, as the paper counts."
    )
    if found["any"]:
        note += (
            f" {ANY[0].upper()}{ANY[1:]}: + where one of the transfers has it, − where all have. Which one is best is "
            "known from test only, so that this row is too good."
        )
    of = {setting["name"]: setting["runs"] for setting in found["settings"]}
    runs = [of.get(row[0], []) for row in rows]
    return Table(f"Transfer against {found['reference']}", columns, rows, note, runs)


def settings_table(found: dict[str, Any]) -> Table:
    """What each column was trained as."""
    keys = ("model", "mode", "initial", "budget", "precision", "device")
    names = {"initial": "initial model"}
    columns = [
        Column("setting", "text", "setting"), Column("runs", "count", "runs"), Column("seeds", "text", "seeds"),
        *(Column(names.get(key, key), "text", key) for key in keys),
    ]  # fmt: skip
    rows = [
        [setting["name"], len(setting["runs"]), ", ".join(map(str, setting["seeds"])),
         *(" or ".join(setting[key]) or NONE for key in keys)]
        for setting in found["settings"]
    ]  # fmt: skip
    return Table("Settings", columns, rows, runs=[setting["runs"] for setting in found["settings"]])
