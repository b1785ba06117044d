"""``emoset corpora stats``, ``aggregate`` and ``leaks``: what prepared corpora hold, and what they make together."""

from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import (
    DEFAULT_WORKSPACE,
    Force,
    Json,
    Quiet,
    Registry,
    Seed,
    Tasks,
    Workspace,
    answer,
    chosen_corpora,
    finish,
    load_registry,
    say,
)
from emoset_cli.errors import EmosetError

Corpora = Annotated[list[str] | None, typer.Argument(help="corpora; all prepared ones by default")]
Split = Annotated[
    str,
    typer.Option("--partition", help="as for `emoset prepare`; by default the one it wrote for each corpus"),
]


def stats(
    corpora: Corpora = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="folder of the page; reports/corpora in the workspace by default")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Explore prepared corpora: durations, levels, labels by speaker, labels shared; write an HTML page and tables.

    The page needs no other file; beside it lie results.md, .tex and .csv, stats.json and the figures.

    Example: emoset corpora stats emodb ravdess
    """
    import csv

    import pandas as pd

    from emoset_cli import labels as label_spaces
    from emoset_cli import leaks
    from emoset_cli.explore import explore
    from emoset_cli.prepare import corpus_folder, read_utterances
    from emoset_cli.report.corpora_page import write_corpora_page
    from emoset_cli.report.corpora_tables import stat_tables
    from emoset_cli.report.tables import corpora_rows

    known = load_registry(registry, workspace)
    keys = chosen_corpora(corpora, workspace)
    tables = {key: read_utterances(workspace, key) for key in keys}
    whole = pd.concat(tables.values(), ignore_index=True)
    order = {key: known[key].label_names for key in keys if key in known}
    found = explore(tables, order, label_spaces.own_file(workspace))
    rows = sorted(corpora_rows(whole), key=lambda row: keys.index(row["corpus"]))
    problems: list[dict[str, Any]] = []
    for key in keys:
        with (corpus_folder(workspace, key) / "problems.csv").open(encoding="utf-8", newline="") as file:
            problems += csv.DictReader(file)
    leaking = [leak.facts() for leak in leaks.find(_partitions(tables, "", 0, workspace, known, True), whole, known)]
    command = " ".join(["emoset corpora stats", *(corpora or [])])
    page = write_corpora_page(out or workspace / "reports" / "corpora", found, rows, problems, leaking, command)
    say(f"page: {page}", quiet)
    answer({"page": str(page), "table": rows, **found, "leaks": leaking}, stat_tables(found, rows), as_json)


def leaks(
    corpora: Corpora = None,
    partition: Split = "",
    seed: Seed = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Look for recordings, takes and speakers that are in two partitions, corpora or speakers; exit 1 if there are any.

    Several corpora are also looked at as one, each with its own partition, as in training on all of them at once.

    Example: emoset corpora leaks emodb --partition loso
    """
    import pandas as pd

    from emoset_cli.leaks import find
    from emoset_cli.prepare import read_utterances
    from emoset_cli.report.tables import Column, Table

    known = load_registry(registry, workspace)
    tables = {key: read_utterances(workspace, key) for key in chosen_corpora(corpora, workspace)}
    partitions = _partitions(tables, partition, seed, workspace, known, quiet)
    found = find(partitions, pd.concat(tables.values(), ignore_index=True), known)
    heads = [Column("kind", "text", "kind"), Column("partition", "text", "partition"),
             Column("groups", "count", "count"), Column("leak", "text", "text")]  # fmt: skip
    rows = [leak.facts() for leak in found]
    looked = ", ".join(f"{one.name} ({len(one.table):,} utterances)" for one in partitions) or "no partition"
    cells = [[row[head.key] or None for head in heads] for row in rows] or [["none", *[None] * 3]]
    table = Table("Leaks", heads, cells, f"Looked at: {looked}.")
    value = {"partitions": [{"name": one.name, "hash": one.hash} for one in partitions], "leaks": rows}
    answer(value, [table], as_json)
    finish(not found)


def _partitions(tables: dict[str, Any], spec: str, seed: int, workspace: Path, known: Any, quiet: bool) -> list[Any]:
    """The partitions to look at: of each corpus, those with the same folds put together; or one across corpora."""
    import pandas as pd

    from emoset_cli.partition import pooled
    from emoset_cli.protocols import goes_across, make_partition

    if goes_across(spec):
        return [make_partition(spec, pd.concat(tables.values(), ignore_index=True), known, seed)]
    made = {}
    for key, table in tables.items():
        try:
            made[key] = _own_partition(key, table, spec, seed, workspace, known)
        except EmosetError as error:
            if spec:
                raise EmosetError(f"{key}: {error.problem}", error.mend) from None
            say(f"note: {key}: no partition: {error.problem}", quiet)
    alike: dict[tuple[str, ...], dict[str, Any]] = {}
    for key, one in made.items():
        alike.setdefault(tuple(one.folds) if len(one.folds) > 1 else (), {})[key] = one
    return [pooled(group) if len(group) > 1 else next(iter(group.values())) for group in alike.values()]


def _own_partition(key: str, table: Any, spec: str, seed: int, workspace: Path, known: Any) -> Any:
    """The partition asked for, else the one `emoset prepare` wrote for the corpus."""
    from emoset_cli.cli.learn import partition_of
    from emoset_cli.protocols import make_partition

    chosen, its_seed = partition_of(key, spec, seed, workspace, known)
    return make_partition(chosen, table, known, its_seed)


def aggregate(
    labels: Annotated[str, typer.Option("--labels", help="label spaces, separated by commas: each is a domain")],
    task: Tasks = None,
    partition: Split = "",
    seed: Seed = 0,
    name: Annotated[str, typer.Option("--name", help="of the files; made of corpora and label spaces by default")] = "",
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Aggregate corpora in one or several label spaces, each label cut to the rarest; write aggregates/NAME.parquet.

    In each corpus and partition, test too, labels are drawn at random down to the rarest one, as EmoNet does. With
    arousal,valence the table holds both domains (A+V). NAME.json says how it was made.

    Example: emoset corpora aggregate --labels arousal,valence -t emodb,ravdess
    """
    from emoset_cli import __version__
    from emoset_cli import aggregate as work
    from emoset_cli import labels as label_spaces
    from emoset_cli.files import digest, write_json, write_table
    from emoset_cli.prepare import data_hash, read_utterances

    known = load_registry(registry, workspace)
    spaces = list(dict.fromkeys(labels.split(",")))
    if label_spaces.OWN in spaces:
        raise EmosetError("corpora cannot be aggregated in their own labels", "for example --labels arousal,valence")
    tables = {key: read_utterances(workspace, key) for key in chosen_corpora(task, workspace)}
    partitions = {key: _own_partition(key, table, partition, seed, workspace, known) for key, table in tables.items()}
    own = {key: table["label"].tolist() for key, table in tables.items()}
    user_file = label_spaces.own_file(workspace)
    mapped = {space: label_spaces.relabel(own, space, user_file) for space in spaces}
    drawn, cuts = work.domains(partitions, tables, mapped, seed)
    left = {space: label_spaces.left_out(own, mapped[space]) for space in spaces}
    orders = {space: label_spaces.order(space, mapped[space], user_file) for space in spaces}
    made = {
        "emoset": __version__,
        "labels": spaces,
        "seed": seed,
        "corpora": {
            key: {"partition": one.name, "seed": one.seed, "hash": one.hash, "data": data_hash(tables[key])}
            for key, one in partitions.items()
        },
        "utterances": digest(drawn.to_numpy().tolist()),
    }
    keys = "+".join(tables) if len(tables) < 5 else f"{len(tables)}-corpora"
    name = name or f"{keys}_{'+'.join(spaces)}_{digest(made, length=8)}"
    path = workspace / "aggregates" / f"{name}.parquet"
    _refuse_other(path, made, force)
    facts = _cut_facts(cuts)
    write_table(path, lambda aside: drawn.to_parquet(aside, index=False))
    write_json(path.with_suffix(".json"), made | {"cuts": facts, "left_out": left})
    for space, label, count in ((space, *pair) for space, counts in left.items() for pair in counts.items()):
        say(f"note: {label} has no entry in label space {space}: {count} utterances left out", quiet)
    say(f"aggregated: {path}", quiet)
    answer({"table": str(path), **made, "cuts": facts, "left_out": left}, _cut_tables(cuts, left, orders), as_json)


def _refuse_other(path: Path, made: dict[str, Any], force: bool) -> None:
    """Refuse to overwrite an aggregate of the same name that was made otherwise."""
    from emoset_cli.files import read_json

    sidecar = path.with_suffix(".json")
    if sidecar.is_file() and not force and {k: read_json(sidecar).get(k) for k in made} != made:
        raise EmosetError(f"{path} holds another aggregate", "choose another --name, or overwrite it with --force")


def _cut_facts(cuts: dict[str, list[Any]]) -> list[dict[str, Any]]:
    from dataclasses import asdict

    return [{"domain": domain, **asdict(cut)} for domain, found in cuts.items() for cut in found]


def _cut_tables(cuts: dict[str, list[Any]], left: dict[str, dict[str, int]], orders: dict[str, list[str]]) -> list[Any]:
    """A table for each domain: corpus, partition, and each label before and after."""
    from emoset_cli.report.tables import Column, Table

    tables = []
    for domain, found in cuts.items():
        labels = [label for label in orders[domain] if any(label in cut.before for cut in found)]
        heads = [Column("corpus", "text", "corpus"), Column("partition", "text", "partition"),
                 *(Column(label, "cut", label) for label in labels), Column("all", "cut", "all")]  # fmt: skip
        rows = []
        for cut in found:
            each = [{"before": cut.before[x], "after": cut.after[x]} if x in cut.before else None for x in labels]
            total = {"before": sum(cut.before.values()), "after": sum(cut.after.values())}
            rows.append([cut.corpus, cut.partition, *each, total])
        gone = ", ".join(f"{label} {count}" for label, count in left[domain].items())
        note = "Utterances before → after each label was cut to the rarest one of its corpus and partition."
        tables.append(Table(f"Aggregated: {domain}", heads, rows, note + (f" Left out: {gone}." if gone else "")))
    return tables
