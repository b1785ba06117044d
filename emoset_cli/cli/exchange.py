"""``emoset corpora import`` and ``emoset corpora export``: corpora from and for other tools."""

from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import (
    DEFAULT_WORKSPACE,
    Json,
    Quiet,
    Registry,
    Workspace,
    answer,
    chosen_corpora,
    load_registry,
    say,
)


def _column(what: str) -> Any:
    return typer.Option(f"--{what}-column", metavar="NAME", help=f"column of the {what}, where its name is not obvious")


def import_corpus(
    key: Annotated[str, typer.Argument(help="key of the new corpus; emonet-{} names several after their folders")],
    source: Annotated[Path, typer.Argument(help="file or folder to import; only read")],
    format: Annotated[str, typer.Option("--format", help="auto, emonet, table, audformat or emobox")] = "auto",
    audio: Annotated[
        Path | None, typer.Option("--audio", help="folder that the listed names are relative to; files are looked for")
    ] = None,
    like: Annotated[
        str, typer.Option("--as", metavar="CORPUS", help="a corpus of the registry that reads speakers off the names")
    ] = "",
    speaker_pattern: Annotated[
        str, typer.Option("--speaker-pattern", metavar="REGEX", help="searched in a name; its group is the speaker")
    ] = "",
    language: Annotated[str, typer.Option("--language", help="ISO 639-3 code, where the source tells none")] = "",
    file_column: Annotated[str, _column("file")] = "",
    label_column: Annotated[str, _column("label")] = "",
    speaker_column: Annotated[str, _column("speaker")] = "",
    gender_column: Annotated[str, _column("gender")] = "",
    language_column: Annotated[str, _column("language")] = "",
    text_column: Annotated[str, _column("text")] = "",
    age_column: Annotated[str, _column("age")] = "",
    start_column: Annotated[str, _column("start")] = "",
    end_column: Annotated[str, _column("end")] = "",
    split_column: Annotated[str, _column("split")] = "",
    table: Annotated[str, typer.Option("--table", help="table of an audformat database that holds the labels")] = "",
    sheet: Annotated[str, typer.Option("--sheet", help="sheet of a workbook; the first by default")] = "",
    encoding: Annotated[str, typer.Option("--encoding", help="of a CSV table; UTF-8 by default")] = "",
    separator: Annotated[str, typer.Option("--separator", help="of a CSV table; by default what its header has")] = "",
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    force: Annotated[bool, typer.Option("--force", help="replace an earlier import that differs")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Import a list of labelled files; write imports/KEY.csv and an entry in corpora.yaml to the workspace.

    Formats: EmoNet setups (train.csv, val.csv, test.csv), tables (CSV, TSV, Parquet, XLSX), audformat databases and
    EmoBox file lists. Then `emoset prepare KEY=AUDIO` works as for any corpus.

    Example: emoset corpora import my-emodb setups/emodb --audio ~/corpora/emodb/wav --as emodb
    """
    from emoset_cli.corpora import get_corpus
    from emoset_cli.exchange.importing import import_corpora
    from emoset_cli.exchange.listing import Options
    from emoset_cli.exchange.speakers import Speakers

    columns = {
        "file": file_column, "label": label_column, "speaker": speaker_column, "gender": gender_column,
        "language": language_column, "text": text_column, "age": age_column, "start_s": start_column,
        "end_s": end_column, "split": split_column,
    }  # fmt: skip
    known = load_registry(registry, workspace)
    made = import_corpora(
        key, source.expanduser(), workspace, registry or workspace / "corpora.yaml", format,
        audio.expanduser() if audio else None,
        Options({name: column for name, column in columns.items() if column}, encoding, separator, sheet, table),
        Speakers(speaker_pattern, get_corpus(known, like) if like else None, language),
        force,
    )  # fmt: skip
    for one in made:
        for line in one.listing.notes:
            say(f"note: {one.key}: {line}", quiet)
        for line in one.warnings:
            say(f"WARNING: {one.key}: {line}")
        if not one.written:
            say(f"note: {one.key}: it was imported like this already", quiet)
        say(f"next: emoset prepare {one.key}={one.audio or 'FOLDER_OF_THE_AUDIO'}", quiet)
    _answer_imported(made, as_json)


def _answer_imported(made: list[Any], as_json: bool) -> None:
    from emoset_cli.report.tables import Column, Table

    rows = [
        {
            "corpus": one.key,
            "format": one.format,
            "utterances": len(one.listing.rows),
            "labels": sorted({row["label"] for row in one.listing.rows}),
            "speakers": len({row["speaker"] for row in one.listing.rows if row.get("speaker")}) or None,
            "folds": list(one.listing.folds),
            "table": str(one.table),
            "registry": str(one.registry),
            "audio": str(one.audio) if one.audio else None,
            "notes": one.listing.notes,
            "warnings": one.warnings,
        }
        for one in made
    ]
    heads = [
        Column("corpus", "text", "corpus"), Column("format", "text", "format"),
        Column("utterances", "count", "utterances"), Column("labels", "count", "labels"),
        Column("speakers", "count", "speakers"), Column("folds", "count", "folds"), Column("table", "text", "table"),
    ]  # fmt: skip
    cells = [[len(row[h.key]) if isinstance(row[h.key], list) else row[h.key] for h in heads] for row in rows]
    answer(rows, [Table("Imported", heads, cells)], as_json)


def export_corpus(
    corpora: Annotated[list[str], typer.Argument(help="prepared corpora")],
    out: Annotated[Path, typer.Argument(help="folder to write to")],
    format: Annotated[str, typer.Option("--format", help="emonet or audformat")],
    audio: Annotated[
        Path | None,
        typer.Option("--audio", help="folder the names shall be relative to; by default each corpus's own"),
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    force: Annotated[bool, typer.Option("--force", help="write over an earlier export")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Export prepared corpora with their partition; write an EmoNet setup or an audformat database of each to OUT.

    Audio is not copied: the names are relative to the audio folder.

    Example: emoset corpora export emodb ravdess setups --format emonet
    """
    from emoset_cli.exchange.exporting import export_corpora
    from emoset_cli.report.tables import Column, Table

    keys = chosen_corpora(corpora, workspace)
    known = load_registry(registry, workspace)
    base = audio.expanduser() if audio else None
    done, notes = export_corpora(keys, known, workspace, format, out.expanduser(), base, force)
    for line in notes:
        say(f"note: {line}", quiet)
    rows = [
        {"corpus": key, "format": format, "files": [str(path) for path in files], "folder": str(out)}
        for key, files in done.items()
    ]
    heads = [
        Column("corpus", "text", "corpus"), Column("format", "text", "format"), Column("files", "count", "files"),
        Column("folder", "text", "folder"),
    ]  # fmt: skip
    cells = [[row["corpus"], row["format"], len(row["files"]), row["folder"]] for row in rows]
    answer(rows, [Table("Exported", heads, cells)], as_json)
