"""Tables about the runs of a workspace: all of them in short, one in full, and how two differ."""

from collections.abc import Iterator
from typing import Any

from emoset_cli.report.dimensions import dimensions_table
from emoset_cli.report.tables import Column, Table

_MANY = 4  # corpora; of more a row tells the number
_ENDS = 5  # epochs at the end of a history


def runs_table(rows: list[dict[str, Any]]) -> Table:
    """Runs in short, a row each: ``devel_uar`` and ``test_uar`` are means over its corpora, None where not known."""
    heads = [
        Column("run", "text", "run"), Column("model", "text", "model"), Column("corpora", "text", "corpora"),
        Column("partition", "text", "partition"), Column("seed", "count", "seed"),
        Column("devel UAR", "percent", "devel_uar"), Column("test UAR", "percent", "test_uar"),
        Column("date", "text", "date"), Column("size", "bytes", "bytes"), Column("state", "text", "state"),
    ]  # fmt: skip
    cells = [[_few(row["corpora"]) if head.key == "corpora" else row[head.key] for head in heads] for row in rows]
    several = any(len(row["corpora"]) > 1 for row in rows)
    return Table("Runs", heads, cells, "UAR of several corpora is the mean over them." if several else "")


def _few(corpora: list[str]) -> str | None:
    return (", ".join(corpora) if len(corpora) <= _MANY else f"{len(corpora)} corpora") or None


def scores_rows(score: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for each corpus and partition of a score (`emoset_cli.report.scores.score_run`)."""
    return [
        {"corpus": corpus, "partition": name, "n": part["n"], "chance": part["chance"], "uar": part["uar"],
         "wa": part["wa"], "how": part["how"]}
        for corpus, parts in score["corpora"].items()
        for name, part in parts.items()
    ]  # fmt: skip


def run_tables(shown: dict[str, Any]) -> list[Table]:
    """One run in full: settings, scores, the end of its history, files."""
    settings = [[name, value] for name, value in flat(shown["config"])]
    about = [["state", shown["state"]], ["date", shown["date"]], ["folder", shown["folder"]]]
    about += [["started from", shown["initial"]]] if shown["initial"] else []
    about += [["others started from it", ", ".join(shown["built_on"])]] if shown["built_on"] else []
    pair = [Column("what", "text", "what"), Column("value", "text", "value")]
    tables = [Table(f"Run {shown['run']}", pair, about)]
    tables += [Table("Settings", pair, [list(row) for row in settings])] if settings else []
    if shown["scores"]:
        heads = [
            Column("corpus", "text", "corpus"), Column("partition", "text", "partition"),
            Column("utterances", "count", "n"), Column("chance", "percent", "chance"),
            Column("UAR", "percent", "uar"), Column("WA", "percent", "wa"), Column("counted", "text", "how"),
        ]  # fmt: skip
        tables.append(Table("Scores", heads, [[row[head.key] for head in heads] for row in shown["scores"]]))
    tables += [dimensions_table(shown["dimensions"])] if shown["dimensions"] else []
    if shown["history"]:
        columns = list(shown["history"][-1])
        tables.append(
            Table("Last epochs", [Column(name, "text", name) for name in columns],
                  [[row[name] for name in columns] for row in shown["history"][-_ENDS:]])
        )  # fmt: skip
    heads = [Column("file", "text", "file"), Column("size", "bytes", "bytes")]
    return [*tables, Table("Files", heads, [list(row) for row in shown["files"].items()])]


def difference(names: list[str], configs: list[dict[str, Any]], uars: list[dict[str, dict[str, float]]]) -> Any:
    """How two runs differ: ``settings``, those that are not alike (None where one has none), and ``scores``.

    ``uars`` holds of each run partition -> corpus -> UAR. What a training found (which epoch or C was chosen) is no
    setting and is left out.
    """
    a, b = (dict(flat({key: value for key, value in one.items() if key != "chosen"})) for one in configs)
    keys = [*a, *(key for key in b if key not in a)]
    settings = [{"setting": key, "a": a.get(key), "b": b.get(key)} for key in keys if a.get(key) != b.get(key)]
    places = dict.fromkeys((corpus, part) for one in uars for part, corpora in one.items() for corpus in corpora)
    scores = []
    for corpus, part in places:
        first, second = (one.get(part, {}).get(corpus) for one in uars)
        gain = second - first if first is not None and second is not None else None
        scores.append({"corpus": corpus, "partition": part, "a": first, "b": second, "difference": gain})
    return {"a": names[0], "b": names[1], "settings": settings, "scores": scores}


def difference_tables(found: dict[str, Any]) -> list[Table]:
    """The tables of a `difference`."""
    heads = [Column("setting", "text", "setting"), Column("A", "text", "a"), Column("B", "text", "b")]
    note = f"A: {found['a']}\nB: {found['b']}"
    tables = [Table("Settings that differ", heads, [list(row.values()) for row in found["settings"]], note)]
    heads = [
        Column("corpus", "text", "corpus"), Column("partition", "text", "partition"),
        Column("UAR of A", "percent", "a"), Column("UAR of B", "percent", "b"),
        Column("B − A", "points", "difference"),
    ]  # fmt: skip
    note = "A difference without a test is a difference, not a gain: emoset compare A B"
    return [*tables, Table("Scores", heads, [list(row.values()) for row in found["scores"]], note)]


def flat(values: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Settings as pairs of a dotted name and a text.

    Example:
        >>> list(flat({"seed": 0, "options": {"normalise": "train", "wccn": None}, "corpora": ["emodb", "emovo"]}))
        [('seed', '0'), ('options.normalise', 'train'), ('options.wccn', 'none'), ('corpora', 'emodb, emovo')]
    """
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{before}{name}.")
        elif isinstance(value, list):
            yield f"{before}{name}", ", ".join(map(str, value)) or "none"
        else:
            yield f"{before}{name}", "none" if value in (None, "", {}) else str(value)
