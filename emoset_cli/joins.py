"""The records of a corpus's tables are joined to its recordings, by key; what fits nothing is counted and named."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emoset_cli.audio import EXTENSIONS
from emoset_cli.corpora import Corpus, Table
from emoset_cli.errors import EmosetError
from emoset_cli.names import Piece, Recording, speaker_of
from emoset_cli.problems import KEPT, Problem
from emoset_cli.tables import Record, find_tables, read_records
from emoset_cli.templates import filler, names_in

_MEDIA = EXTENSIONS | {"aac", "avi", "m4a", "mkv", "mov", "mp4", "webm", "wma"}  # tables name the videos, too
_FEW = 5  # rows without a recording that are told one by one
# Columns of ours that stay texts, and those that are numbers.
_TEXTS = {"label", "speaker", "gender", "language", "text", "split"}
_NUMBERS = {"start_s", "end_s", "age"}
_NUMBER = re.compile(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?")  # but not 007, which is a name
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d*)?)")
UNKNOWN = {"", "-", "?", "n/a", "na", "nan", "none", "null", "unknown"}  # in lower case: what tables write for nothing


def join(corpus: Corpus, folder: Path, name: str, table: Table, recordings: list[Recording]) -> list[Problem]:
    """Give each recording what a table says of it, and say which rows of a required table have no recording.

    Raises:
        EmosetError: if the file cannot be read as the registry says, is required and not there, says two things of one
            recording, or names none of the recordings
    """
    entry = f"`tables` of {corpus.key} ({corpus.where_defined})"
    paths = find_tables(folder, table.file)
    if not paths:
        return [_missing(corpus, folder, table, recordings)]
    records = [record for path in paths for record in read_records(path, table, entry)]
    keys = [_key(table, filler(table.key)(record) if "{" in table.key else record[table.key]) for record in records]
    pieces = _pieces(corpus, table, records)
    rows: dict[str, list[Piece]] = defaultdict(list)
    for key, piece in zip(keys, pieces, strict=True):
        if table.segments or not rows[key]:
            rows[key].append(piece)
        elif key and rows[key][0].values != piece.values:
            mend = "remove one of the two lines, or tell them apart by `key` and `match`"
            raise EmosetError(f"{_files(paths)} lists '{key}' twice, with different values", mend)
    blank = Piece(values=dict.fromkeys(table.columns))
    wanted = _wanted(corpus, table, recordings)
    if recordings and not rows.keys() & set(wanted):
        ours, theirs = (" and ".join(repr(key) for key in list(dict.fromkeys(side))[:2]) for side in (wanted, keys))
        raise EmosetError(
            f"{_files(paths)} names none of the recordings: it has {theirs} as `key`, they have {ours} as `match`",
            f"correct `key` or `match` of {entry}",
        )
    for recording, key in zip(recordings, wanted, strict=True):
        found = rows.get(key) if key else None
        if found:
            recording.tables.add(name)
        if found and table.segments:
            recording.pieces = found
        elif found:
            _fill(recording, found[0])
        elif not table.segments:
            _fill(recording, blank)
    return _without_recording(corpus, table, paths, keys, set(wanted)) if table.required else []


def required_tables(corpus: Corpus) -> list[set[str]]:
    """Groups of tables that give the same; a recording must have a row in one of each group."""
    groups: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for name, table in corpus.tables.items():
        if table.required:
            gives = tuple(column in table.columns for column in ("start_s", "label", "speaker"))
            groups[gives if any(gives) else tuple(table.columns)].add(name)
    return list(groups.values())


def _missing(corpus: Corpus, folder: Path, table: Table, recordings: list[Recording]) -> Problem:
    """A table that is not there: no more than a note, unless it is required."""
    columns = ", ".join(table.columns)
    if table.required:
        raise EmosetError(
            f"{table.file}, which gives {columns} of {corpus.key}, is not in {folder}",
            f"copy it into the corpus folder (`emoset corpora show {corpus.key}` tells more)",
        )
    for recording in recordings:
        _fill(recording, Piece(values=dict.fromkeys(table.columns)))
    detail = f"{table.file} is not in {folder}: no {columns}"
    mend = f"copy {table.file} into the corpus folder if you need these columns"
    return Problem(corpus.key, table.file, "", "table missing", KEPT, detail, mend)


def _fill(recording: Recording, piece: Piece) -> None:
    """What a table before has said stands, where it has said something."""
    for column, value in piece.values.items():
        if column not in recording.values or (recording.values[column] in (None, "") and value not in (None, "")):
            recording.values[column] = value
            recording.texts[column] = piece.texts.get(column, "")


def _wanted(corpus: Corpus, table: Table, recordings: list[Recording]) -> list[str]:
    """What of each recording the key is compared with."""
    fill = filler(table.match if "{" in table.match else "{" + table.match + "}")
    by_speaker = "speaker" in (names_in(table.match) or [table.match])
    texts = (
        recording.texts | {"speaker": speaker_of(corpus, recording.texts)} if by_speaker else recording.texts
        for recording in recordings
    )
    return [_key(table, fill(text)) for text in texts]


def _key(table: Table, name: str) -> str:
    """A key without blanks around, extension and, as far as `match` tells, folder."""
    if table.match in {"stem", "path"} or "\\" in name:
        name = name.replace("\\", "/").removeprefix("./")
    if table.match == "stem":
        name = name.rpartition("/")[2]
    stem, _, extension = name.rpartition(".")
    return (stem if extension.lower() in _MEDIA else name).strip()


def _pieces(corpus: Corpus, table: Table, records: list[Record]) -> list[Piece]:
    texts = _TEXTS | _named(corpus) | set(table.texts)
    columns: dict[str, list[Any]] = {}
    for ours, theirs in table.columns.items():
        cells = [record.get(theirs, "") for record in records]
        if ours in _NUMBERS or ours in corpus.dimensions:
            columns[ours] = _all_numbers(cells, ours, table, theirs)
        else:
            columns[ours] = list(cells) if ours in texts else _numbers(cells, table.decimal)
    return [
        Piece(
            {ours: record.get(theirs, "") for ours, theirs in table.columns.items()},
            {ours: values[index] for ours, values in columns.items()},
        )
        for index, record in enumerate(records)
    ]


def _named(corpus: Corpus) -> set[str]:
    """Columns whose values the registry names as texts."""
    rules = [pair for subset in corpus.subsets.values() for pair in subset.items()]
    ruled = {column for column, rule in rules if rule.any_of or rule.none_of}
    by = {column for published in corpus.partitions.values() for column in published.by.values()}
    return {*corpus.take, *corpus.where, *ruled, *by}


def _numbers(cells: list[str], decimal: str) -> list[Any]:
    """Numbers if every filled cell is one, else the cells as they are: a column has one type."""
    numbers = ["" if cell.lower() == "nan" else cell.replace(decimal, ".") for cell in cells]
    if not all(_NUMBER.fullmatch(number) for number in numbers if number):
        return list(cells)
    return [float(number) if number else None for number in numbers]


def _all_numbers(cells: list[str], ours: str, table: Table, theirs: str) -> list[Any]:
    """The numbers of a column that must hold some; what is not known is None."""
    found: list[Any] = []
    for cell in cells:
        number = cell.replace(table.decimal, ".")
        clock = _CLOCK.fullmatch(number) if ours in {"start_s", "end_s"} else None
        if cell.lower() in UNKNOWN:
            found.append(None)
        elif clock:
            found.append(int(clock[1] or 0) * 3600 + int(clock[2]) * 60 + float(clock[3]))
        elif _NUMBER.fullmatch(number) or number.isdecimal():
            found.append(float(number))
        else:
            mend = "correct this cell, or `decimal` of the table"
            if ours not in _NUMBERS:
                mend += f"; levels are no `dimensions`: take '{ours}' out there"
            raise EmosetError(f"{table.file} holds '{cell}' in column {theirs}, where numbers are expected", mend)
    return found


def _without_recording(
    corpus: Corpus, table: Table, paths: list[Path], keys: Iterable[str], wanted: set[str]
) -> list[Problem]:
    strangers = [key for key in dict.fromkeys(keys) if key not in wanted]
    if not strangers:
        return []
    mend = "check that the folder holds the whole corpus; nothing if you want a part of it"
    details = [f"{len(strangers)} recordings that {_files(paths)} lists are not in the folder"]
    details += [f"no recording fits '{key}'" for key in strangers[:_FEW]]
    return [Problem(corpus.key, table.file, "", "recording missing", KEPT, detail, mend) for detail in details]


def _files(paths: list[Path]) -> str:
    return str(paths[0]) + (f" (and {len(paths) - 1} more)" if len(paths) > 1 else "")
