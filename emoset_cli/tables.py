"""Tables that come with corpora become records: CSV, JSON, JSON lines, XLSX and lines of the corpus's own text.

A record is a row as texts, by the names of the file's own columns; numbers keep the digits in which they are written.
What is wrong with a file is told by its name and line.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import normalize

from emoset_cli.bounded import searcher
from emoset_cli.corpora import Table
from emoset_cli.errors import EmosetError
from emoset_cli.templates import names_in

Record = dict[str, str]
TABLE_FILE = "table_file"  # the column that says which file a record is from


class Content(NamedTuple):
    """What a reader found: the names of the columns, and the records."""

    columns: list[str]
    records: list[Record]


def find_tables(folder: Path, file: str) -> list[Path]:
    """The files that a path or glob names, in order: below ``folder``, else below its parent; an absolute path as is.

    Hidden files and the locks of open spreadsheets (``~$labels.xlsx``) are passed over.
    """
    if Path(file).is_absolute():
        return _matching(Path(Path(file).anchor), str(Path(file).relative_to(Path(file).anchor)))
    return _matching(folder, file) or ([] if "**" in file else _matching(folder.parent, file))


def _matching(folder: Path, pattern: str) -> list[Path]:
    if (folder / pattern).is_file():
        return [folder / pattern]
    forms = dict.fromkeys([pattern, normalize("NFD", pattern)])
    found = {path for form in forms for path in folder.glob(form) if path.is_file()}
    return sorted(path for path in found if not path.name.startswith((".", "~$")))


def read_records(path: Path, table: Table, entry: str) -> list[Record]:
    """The records of one file, each with the column ``table_file``.

    Args:
        path: the file
        table: how the registry says it is to be read
        entry: where the registry says so, for the mends: ``tables of emodb (corpora.yaml, line 3)``

    Raises:
        EmosetError: if it cannot be read, is not of this format, lacks a column or holds no record
    """
    mend = f"correct {entry}"
    try:
        columns, records = READERS[table.format](path, table, mend)
    except OSError as error:
        raise EmosetError(
            f"{path} cannot be read ({error.strerror or error})", "let it be read, or remove it"
        ) from None
    wanted = dict.fromkeys([*(names_in(table.key) or [table.key]), *table.columns.values()])
    missing = [name for name in wanted if name not in columns and name != TABLE_FILE]
    if missing:
        has = f"it has {', '.join(columns[:30])}" if columns else "it is empty"
        raise EmosetError(f"{path} has no column {', '.join(missing)} ({has})", mend + _other_separator(columns))
    if twice := [name for name in wanted if columns.count(name) > 1]:
        raise EmosetError(f"{path} has two columns '{twice[0]}'", "rename one of the two")
    if not records:
        raise EmosetError(f"{path} holds no rows", "get it again from the corpus's source")
    for record in records:
        record[TABLE_FILE] = normalize("NFC", path.stem)
    return records


def _other_separator(columns: list[str]) -> str:
    found = [mark for mark in "\t;,|" if len(columns) == 1 and mark in columns[0]]
    return f"; it looks separated by {json.dumps(found[0])}" if found else ""


def _text(path: Path, table: Table, mend: str) -> str:
    raw = path.read_bytes()
    try:
        text = raw.decode(
            "utf-8-sig" if table.encoding.lower().replace("_", "-") in {"utf-8", "utf8"} else table.encoding
        )
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _unreadable(path, table, f"line {line}: {error.reason}", _encoding(mend)) from None
    except (UnicodeError, LookupError) as error:
        raise _unreadable(path, table, str(error), _encoding(mend)) from None
    if "\0" in text:
        raise _unreadable(path, table, "it holds NUL characters", "say `encoding: utf-16`, or export it anew as UTF-8")
    return text


def _encoding(mend: str) -> str:
    return mend.replace("correct ", "correct `encoding` in ", 1)


def _unreadable(path: Path, table: Table, why: str, mend: str) -> EmosetError:
    return EmosetError(f"{path} cannot be read as {table.encoding} ({why})", mend)


def _csv(path: Path, table: Table, mend: str) -> Content:
    reader = csv.reader(io.StringIO(_text(path, table, mend), newline=""), delimiter=table.separator, strict=True)
    records = []
    try:
        header = [_clean(cell) for cell in next(reader, [])]
        while header and not header[-1]:
            header.pop()
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) < len(header) or any(cell.strip() for cell in row[len(header) :]):
                problem = f"{path}, line {reader.line_num}: {len(row)} cells under {len(header)} columns"
                raise EmosetError(problem, "complete this line, or quote what holds the separator" + _or_entry(mend))
            records.append(dict(zip(header, map(_clean, row), strict=False)))
    except csv.Error as error:
        mend = "mend the quotes of this line (a quote inside a quoted cell is doubled)" + _or_entry(mend)
        raise _unreadable(path, table, f"{error}, line {reader.line_num}", mend) from None
    return Content(header, records)


def _or_entry(mend: str) -> str:
    return f", or {mend}"


def _lines(path: Path, table: Table, mend: str) -> Content:
    assert table.line, "checked when the registry was read"
    search = searcher(table.line, f"`line`, to {mend.removeprefix('correct ')},", mend)
    lines = _text(path, table, mend).splitlines()
    found = [match.groupdict() for match in map(search, lines) if match]
    if not found:
        shown = " / ".join(line[:80] for line in lines if line.strip()) or "nothing"
        raise EmosetError(f"no line of {path} fits {table.line} (it holds: {shown[:200]})", mend)
    return Content(list(found[0]), [{name: _clean(cell or "") for name, cell in row.items()} for row in found])


def _json(path: Path, table: Table, mend: str) -> Content:
    try:
        value = json.loads(_text(path, table, mend), object_pairs_hook=_no_repeats)
    except json.JSONDecodeError as error:
        raise EmosetError(
            f"{path}:{error.lineno} is not valid JSON ({error.msg})", "correct or export it anew"
        ) from None
    except _RepeatedError as error:
        raise EmosetError(f"{path} lists '{error}' twice, with different values", "remove one of the two") from None
    except RecursionError:
        raise EmosetError(f"{path} is nested too deeply", mend) from None
    parts = table.records.split(".") if table.records else []
    return _content(record for place in _places(value, parts, path, mend) for record in _each(place, path, mend))


def _places(value: Any, parts: list[str], path: Path, mend: str) -> Iterator[Any]:
    """What lies under the keys ``parts``; ``*`` stands for every key, or every item of a list."""
    if not parts:
        yield value
    elif parts[0] == "*" and isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _places(item, parts[1:], path, mend)
    elif isinstance(value, dict) and parts[0] in value:
        yield from _places(value[parts[0]], parts[1:], path, mend)
    else:
        has = ", ".join(list(value)[:20]) if isinstance(value, dict) else _cell(value)[:80] or type(value).__name__
        raise EmosetError(f"{path} has no '{parts[0]}' where `records` looks for it (it has {has})", mend)


def _jsonl(path: Path, table: Table, mend: str) -> Content:
    rows = []
    for number, line in enumerate(_text(path, table, mend).split("\n"), 1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except (json.JSONDecodeError, RecursionError) as error:
                raise EmosetError(
                    f"{path}:{number} is not valid JSON ({error})", "correct or remove this line"
                ) from None
            if not isinstance(rows[-1], dict):
                raise EmosetError(f"{path}:{number} holds no object", "write each line as {...}")
    return _content(rows)


class _RepeatedError(Exception):
    pass


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        for name, item in pairs:
            if value[name] != item:
                raise _RepeatedError(name)
    return value


def _each(value: Any, path: Path, mend: str) -> Iterator[dict[str, Any]]:
    """The records of a list of objects, or of an object whose keys name recordings; such a key is column ``key``."""
    items: Iterable[tuple[str | None, Any]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = ((None, item) for item in value)
    else:
        raise EmosetError(f"{path} holds {_cell(value)!r} where records are expected", mend)
    for key, item in items:
        for record in item if isinstance(item, list) and key is not None else [item]:
            if isinstance(record, dict):
                yield record | ({"key": key} if key is not None else {})
            elif key is not None:
                yield {"key": key, "value": record}
            else:
                raise EmosetError(f"{path} holds {_cell(record)!r} where a record is expected", mend)


def _content(rows: Iterable[dict[str, Any]]) -> Content:
    records = []
    columns: dict[str, None] = {}
    for row in rows:
        record: Record = {}
        _flatten("", row, record)
        columns.update(dict.fromkeys(record))
        records.append(record)
    return Content(list(columns), records)


def _flatten(prefix: str, value: Any, record: Record) -> None:
    """Put what is inside ``value`` into ``record`` under dotted names: ``rating.arousal``, ``votes.0``."""
    if isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            _flatten(f"{prefix}.{name}" if prefix else str(name), item, record)
    else:
        record[normalize("NFC", prefix)] = _cell(value)


def _xlsx(path: Path, table: Table, mend: str) -> Content:
    import warnings
    from zipfile import BadZipFile

    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings(), path.open("rb") as file:
            warnings.simplefilter("ignore")  # of styles and validations, which do not matter here
            book = load_workbook(file, read_only=True, data_only=True)
            if table.sheet is not None and table.sheet not in book.sheetnames:
                raise EmosetError(f"{path} has no sheet '{table.sheet}' (it has {', '.join(book.sheetnames)})", mend)
            sheet = book[table.sheet] if table.sheet is not None else book.worksheets[0]
            sheet.reset_dimensions()  # what some programs write there is wrong
            cells = [[_cell(cell) for cell in row] for row in sheet.iter_rows(values_only=True)]
    except (BadZipFile, AttributeError, KeyError, ValueError, IndexError, TypeError, SyntaxError) as error:
        raise EmosetError(f"{path} is not a sound XLSX file ({error})", "save it anew as XLSX, or as CSV") from None
    filled = [row for row in cells if any(row)]
    header = filled[0] if filled else []
    while header and not header[-1]:
        header.pop()
    rows = [row + [""] * (len(header) - len(row)) for row in filled[1:]]
    return Content(header, [dict(zip(header, row, strict=False)) for row in rows])


def _cell(value: Any) -> str:
    """A cell as text: whole numbers without a point, nothing as "", dates as ISO 8601."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return _clean(value if isinstance(value, str) else value.isoformat() if hasattr(value, "isoformat") else str(value))


def _clean(cell: str) -> str:
    cell = cell.strip()
    return cell if cell.isascii() else normalize("NFC", cell)


READERS: dict[str, Callable[[Path, Table, str], Content]] = {
    "csv": _csv, "json": _json, "jsonl": _jsonl, "xlsx": _xlsx, "lines": _lines,
}  # fmt: skip
