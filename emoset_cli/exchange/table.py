"""A plain table of files: CSV, TSV, Parquet or XLSX with a row for each file (or segment of a file)."""

from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.exchange.listing import PARTITION_WORDS, Listing, Options, Row, find_columns, read_csv, renamed

_TEXT = {".csv", ".tsv", ".txt"}
_FOLD = "fold_"


def find(source: Path) -> dict[str, Path]:
    """The table itself, by its extension."""
    known = source.suffix.lower() in {*_TEXT, ".parquet", ".xlsx"}
    return {"": source} if known and source.is_file() else {}


def read(path: Path, options: Options) -> Listing:
    """The rows of a table; a column of train, devel and test (or one for each fold: fold_1, ...) is its partition."""
    extension = path.suffix.lower()
    texts: set[str] = set()
    if extension == ".parquet":
        raw, texts = _parquet(path)
    elif extension == ".xlsx":
        raw = _workbook(path, options)
    else:
        raw = read_csv(path, options)
    if not raw:
        raise EmosetError(f"{path} lists no files", "give a table with a row for each file")
    header = list(raw[0])
    columns = find_columns(path, header, options)
    notes = []
    if "split" in columns and (odd := _odd(row[columns["split"]] for row in raw)):
        if "split" in options.columns:
            raise EmosetError(
                f"{path}: column {columns['split']} holds '{odd}', which is no partition",
                f"use {', '.join(sorted(PARTITION_WORDS))}, or nothing for what is not used",
            )
        notes.append(f"column {columns['split']} is only carried: it holds '{odd}', which is no partition")
        del columns["split"]
    folds = {
        name.removeprefix(_FOLD): name
        for name in header
        if name.startswith(_FOLD) and name != _FOLD and not _odd(row[name] for row in raw)
    }
    rows = renamed(raw, columns | {name: name for name in folds.values()})
    if "split" in columns and not folds:
        folds = {"1": "split"}
    for row in rows:
        row |= {column: PARTITION_WORDS.get(row[column].lower(), "") for column in folds.values()}
    names = dict(zip(header, rows[0], strict=True))
    return Listing(rows, folds, texts={names[name] for name in texts}, notes=notes)


def _odd(words: Any) -> str:
    """The first word that is no partition; "" if there is none."""
    return next((word for word in words if word.strip() and word.strip().lower() not in PARTITION_WORDS), "")


def _workbook(path: Path, options: Options) -> list[Row]:
    from emoset_cli.corpora import Table
    from emoset_cli.tables import READERS

    content = READERS["xlsx"](path, Table(sheet=options.sheet or None), "choose another with --sheet")
    return content.records


def _parquet(path: Path) -> tuple[list[Row], set[str]]:
    """Rows, and the columns that are text."""
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise EmosetError(f"{path} is not a Parquet file ({error})", "save the table again") from None
    texts = {
        field.name
        for field in table.schema
        if pyarrow.types.is_string(field.type) or pyarrow.types.is_large_string(field.type)
    }
    columns = {name: [_text(value) for value in table[name].to_pylist()] for name in table.column_names}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)], texts


def _text(value: Any) -> str:
    from datetime import timedelta

    if value is None or value != value:
        return ""
    if isinstance(value, timedelta):
        return repr(value.total_seconds())
    return str(value)
