"""``emoset corpora``: the registry, and prepared corpora against it."""

from collections import Counter
from typing import Annotated

import typer

from emoset_cli.cli import exchange, explore, propose
from emoset_cli.cli import registry as entries
from emoset_cli.cli.common import (
    DEFAULT_WORKSPACE,
    Json,
    Quiet,
    Registry,
    Workspace,
    answer,
    chosen_corpora,
    finish,
    load_registry,
    say,
)

app = typer.Typer(help="List, show and check corpora.\n\nExample: emoset corpora list", no_args_is_help=True)
app.command("import")(exchange.import_corpus)
app.command("export")(exchange.export_corpus)
app.command()(explore.stats)
app.command()(explore.aggregate)
app.command()(explore.leaks)


@app.command("list")
def list_corpora(workspace: Workspace = DEFAULT_WORKSPACE, registry: Registry = None, as_json: Json = False) -> None:
    """List the corpora the registry knows, and whether they are prepared.

    Example: emoset corpora list
    """
    from emoset_cli.prepare import prepared_corpora
    from emoset_cli.report.tables import Column, Table

    prepared = set(prepared_corpora(workspace))
    rows = [
        {
            "key": corpus.key,
            "name": corpus.name,
            "languages": list(corpus.languages),
            "nature": corpus.nature,
            "labels": list(corpus.label_names),
            "utterances": corpus.count.utterances if corpus.count else None,
            "speakers": corpus.count.speakers if corpus.count else None,
            "partitions": list(corpus.partitions),
            "prepared": corpus.key in prepared,
        }
        for corpus in load_registry(registry, workspace).values()
    ]
    heads = [
        Column("corpus", "text", "key"), Column("name", "text", "name"), Column("language", "text", "languages"),
        Column("nature", "text", "nature"), Column("labels", "count", "labels"),
        Column("utterances", "count", "utterances"), Column("speakers", "count", "speakers"),
        Column("prepared", "text", "prepared"),
    ]  # fmt: skip
    cells = [
        [row["key"], row["name"], ", ".join(row["languages"]), row["nature"], len(row["labels"]) or None,
         row["utterances"], row["speakers"], "yes" if row["prepared"] else None]
        for row in rows
    ]  # fmt: skip
    answer(rows, [Table("Registry", heads, cells)], as_json)


app.command("show")(entries.show)
app.command("new")(propose.new)
app.command("try")(propose.try_entry)
app.command("cite")(entries.cite)
app.command("spaces")(entries.spaces)


@app.command()
def check(
    corpora: Annotated[list[str] | None, typer.Argument(help="corpora; all prepared ones by default")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check prepared corpora against what their authors publish; exit 1 where they differ or have problems.

    Example: emoset corpora check emodb
    """
    import csv

    from emoset_cli.prepare import corpus_folder, read_utterances
    from emoset_cli.report.tables import Column, Table

    load_registry(registry, workspace)
    rows = []
    for key in chosen_corpora(corpora, workspace):
        utterances = read_utterances(workspace, key)
        with (corpus_folder(workspace, key) / "problems.csv").open(encoding="utf-8", newline="") as file:
            problems = list(csv.DictReader(file))
        for problem in problems:
            if problem["problem"] in {"missing", "surplus"}:
                say(f"{key}: {problem['detail']}", quiet)
        counts = Counter((problem["problem"], problem["action"]) for problem in problems)
        for (kind, action), count in sorted(counts.items()) or [(("none", ""), 0)]:
            rows.append(
                {"corpus": key, "utterances": len(utterances), "problem": kind, "count": count, "action": action}
            )
    heads = [
        Column("corpus", "text", "corpus"), Column("utterances", "count", "utterances"),
        Column("problem", "text", "problem"), Column("recordings", "count", "count"),
        Column("they are", "text", "action"),
    ]  # fmt: skip
    answer(rows, [Table("Check", heads, [[row[head.key] for head in heads] for row in rows])], as_json)
    finish(not any(row["count"] for row in rows))
