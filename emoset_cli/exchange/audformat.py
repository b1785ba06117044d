"""audEERING's databases: a folder with db.yaml and a file for each table (db.emotion.csv or .parquet), read.

Tables kept as pickles are never loaded, nor is a header with YAML tags: both can run code.
"""

import re
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.exchange.listing import COLUMNS, DIMENSIONS, PARTITION_WORDS, Listing, Options, Row, renamed

_FOLD = re.compile(r"fold[-_]?(\w+)")
_GOLD = "gold_standard"
OF_SPEAKER = ("gender", "language", "age")

Place = tuple[str, str, str]  # file, start_s, end_s


def find(source: Path) -> dict[str, Path]:
    """The databases in a folder: "" for the folder itself, else the names of those just below it."""
    if (source / "db.yaml").is_file():
        return {"": source}
    if not source.is_dir():
        return {}
    return {path.parent.name: path.parent for path in sorted(source.glob("*/db.yaml"))}


def read(folder: Path, options: Options) -> Listing:
    """The labelled files and segments of a database, with speakers and the partition its split tables tell.

    Raises:
        EmosetError: if it cannot be read, or it is not plain which tables hold the emotion
    """
    with _loaded(folder) as db:
        group, ids, column = _choose(folder, db, options)
        rows = [row for table in ids for row in _label_rows(db, table, column)]
        empty = sum(not row["label"] for row in rows)
        rows = [row for row in rows if row["label"]]
        if not rows:
            raise EmosetError(f"{folder}: the tables {', '.join(ids)} hold no label", "choose another with --table")
        notes = [f"labels: column {column} of {', '.join(ids)}"]
        notes += [f"{empty} rows of these tables have no label and are left out"] if empty else []
        folds = _add_partition(db, ids, rows)
        _add_file_columns(db, ids, rows)
        _add_speakers(db, rows)
        texts = _texts(db, ids)
        if others := _files_elsewhere(db, column, rows):
            notes.append(f"{others} more files have labels in other tables than {group}; --table chooses")
        facts = {"name": str(db.name)}
        facts |= {"language": str(db.languages[0])} if len(db.languages) == 1 else {}
        facts |= {"licence": str(db.license)} if db.license else {}
    names = {name: name for name in (*COLUMNS, *folds.values())}
    return Listing(renamed(rows, names), folds, facts, {_plain(name) for name in texts}, notes)


@contextmanager
def _loaded(folder: Path) -> Iterator[Any]:
    """The database, read from a copy of its header and its CSV and Parquet tables, so that no pickle is met."""
    import audformat
    import yaml

    header_file = folder / "db.yaml"
    try:
        text = header_file.read_text(encoding="utf-8")
        header = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise EmosetError(f"{header_file} is not a plain YAML file ({problem})", "get the database again") from None
    if not isinstance(header, dict) or not header.get("tables"):
        raise EmosetError(f"{header_file} names no tables", "give the folder of an audformat database with labels")
    with TemporaryDirectory() as place, unwarned():
        copy = Path(place)
        (copy / "db.yaml").write_text(text, encoding="utf-8")
        for table in [*header["tables"], *(header.get("misc_tables") or ())]:
            _link_table(folder, copy, f"db.{table}")
        try:
            db = audformat.Database.load(place, load_data=True)
        except Exception as error:  # whatever audformat, pandas and pyarrow make of damaged files
            problem = " ".join(str(error).replace(place, str(folder)).split())
            raise EmosetError(
                f"{folder} is not a database that audformat can load ({problem})", "get it again"
            ) from None
        yield db


@contextmanager
def unwarned() -> Iterator[None]:
    """Keep to itself what audformat does that a newer pandas deprecates."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _link_table(folder: Path, copy: Path, name: str) -> None:
    for extension in ("parquet", "csv"):
        there = folder / f"{name}.{extension}"
        if there.is_file() and there.parent == folder:
            try:
                (copy / there.name).symlink_to(there.resolve())
            except OSError:  # no links here
                shutil.copyfile(there, copy / there.name)
            return
    if (folder / f"{name}.pkl").exists():
        raise EmosetError(
            f"{folder / name}.pkl is a pickle, which can run code and is not read; there is no CSV or Parquet of it",
            "get the database with its CSV tables (audb.load_to, or Database.save in audformat)",
        )
    raise EmosetError(f"{folder / name}.csv (or .parquet) is missing", "get the database again")


def _choose(folder: Path, db: Any, options: Options) -> tuple[str, list[str], str]:
    """The group of tables with the labels: tables that differ in their partition only are one group."""
    wanted = options.columns.get("label", "")
    groups: dict[str, list[str]] = {}
    columns: dict[str, str] = {}
    for table in db.tables:
        if column := _label_column(db, table, wanted):
            columns[table] = column
            groups.setdefault(_group(table), []).append(table)
    if options.table:
        chosen = [options.table] if options.table in columns else groups.get(options.table, [])
        if not chosen:
            raise unknown(f"table with emotion categories in {folder}", options.table, {*groups, *columns})
        return options.table, chosen, columns[chosen[0]]
    gold = [group for group in groups if group.endswith(_GOLD)]
    likely = gold if len(gold) == 1 else [group for group in groups if group == "emotion"] if not gold else []
    if not likely and len(groups) == 1:
        likely = list(groups)
    if not likely:
        tables = ", ".join(groups or db.tables)
        problem = "several tables hold emotion categories" if groups else "no table has a column for the emotion"
        raise EmosetError(f"{folder}: {problem} ({tables})", "say which with --table and --label-column")
    return likely[0], groups[likely[0]], columns[groups[likely[0]][0]]


def _label_column(db: Any, table: str, wanted: str) -> str:
    columns = db.tables[table].columns
    if wanted:
        return wanted if wanted in columns else ""
    for name in ("emotion", "label"):
        if name in columns:
            return name
    return next((name for name, column in columns.items() if column.scheme_id == "emotion"), "")


def _group(table: str) -> str:
    tokens = table.split(".")
    rest = [token for token in tokens if token.lower() not in PARTITION_WORDS and not _FOLD.fullmatch(token.lower())]
    return ".".join(rest) or table


def _places(frame: Any) -> Iterator[Place]:
    index = frame.index
    if index.nlevels == 1:
        yield from ((str(file), "", "") for file in index)
        return
    for file, start, end in index:
        begin, stop = _text(start), _text(end)
        yield (str(file), "", "") if float(begin or 0) == 0 and not stop else (str(file), begin, stop)


def _label_rows(db: Any, table: str, column: str) -> Iterator[Row]:
    frame = db.tables[table].get()
    names = [_ours(name) if name != column else "label" for name in frame.columns]
    columns = [[_text(value) for value in frame[name].tolist()] for name in frame.columns]
    for place, values in zip(_places(frame), zip(*columns, strict=True), strict=True):
        yield dict(zip(("file", "start_s", "end_s"), place, strict=True)) | dict(zip(names, values, strict=True))


def _ours(name: str) -> str:
    return {"transcription": "text", "transcript": "text"}.get(name.lower(), name)


def _plain(name: str) -> str:
    return next(iter(renamed([{name: ""}], {ours: ours for ours in COLUMNS})[0]))


def _add_partition(db: Any, ids: list[str], rows: list[Row]) -> dict[str, str]:
    """Fill a column for each fold from the split tables; those of the labels' own tables go first."""
    split = {table: found for table in db.tables if (found := _split(db, table))}
    used = {table: found for table, found in split.items() if table in ids} or split
    folds = sorted({fold for fold, _ in used.values()}, key=lambda fold: (len(fold), fold))
    columns = {fold: "split" if len(folds) == 1 else f"fold_{fold}" for fold in folds}
    where: dict[str, dict[Place, str]] = {fold: {} for fold in folds}
    for table, (fold, part) in used.items():
        for place in _places(db.tables[table].get()):
            if where[fold].setdefault(place, part) != part:
                raise EmosetError(
                    f"{place[0]} is in the tables of both {where[fold][place]} and {part}",
                    "give each file to one partition",
                )
    for row in rows:
        place = (row["file"], row["start_s"], row["end_s"])
        row |= {columns[fold]: where[fold].get(place, "") for fold in folds}
    return {fold if len(folds) > 1 else "1": column for fold, column in columns.items()}


def _split(db: Any, table: str) -> tuple[str, str] | None:
    tokens = table.lower().split(".")
    split = db.splits[db.tables[table].split_id].type if db.tables[table].split_id in db.splits else ""
    part = next((PARTITION_WORDS[word] for word in (str(split), *tokens) if word in PARTITION_WORDS), "")
    fold = next((match[1] for token in table.split(".") if (match := _FOLD.fullmatch(token))), "1")
    return (fold, part) if part else None


def _add_file_columns(db: Any, ids: list[str], rows: list[Row]) -> None:
    """Speaker, gender, text, arousal and the like from tables of files that hold no labels."""
    missing = [name for name in (*COLUMNS, *DIMENSIONS) if name not in {"file", "start_s", "end_s", "label", "split"}]
    missing = [name for name in missing if not any(row.get(name) for row in rows)]
    for table in db.tables:
        frame = db.tables[table].get()
        for name in frame.columns if table not in ids else ():
            if _ours(name) in missing:
                values = dict(zip(_places(frame), map(_text, frame[name].tolist()), strict=True))
                for row in rows:
                    place = (row["file"], row["start_s"], row["end_s"])
                    found = values.get(place, values.get((row["file"], "", ""), ""))
                    row[_ours(name)] = row.get(_ours(name)) or found


def _add_speakers(db: Any, rows: list[Row]) -> None:
    """Gender, language and age from the labels of the scheme ``speaker``, or the misc table it points to."""
    scheme = db.schemes["speaker"].labels if "speaker" in db.schemes else None
    about: dict[str, dict[str, Any]] = {}
    if isinstance(scheme, dict):
        about = {_text(name): facts for name, facts in scheme.items() if isinstance(facts, dict)}
    table = scheme if isinstance(scheme, str) else "speaker"
    if table in db.misc_tables:
        frame = db.misc_tables[table].get()
        about = {_text(name): facts for name, facts in zip(frame.index, frame.to_dict("records"), strict=True)}
    for row in rows:
        for name, value in about.get(row.get("speaker", ""), {}).items():
            if name in OF_SPEAKER:
                row[name] = row.get(name) or _text(value)


def _texts(db: Any, ids: list[str]) -> set[str]:
    """Columns of texts: a scheme of texts, or none."""
    return {
        name
        for table in ids
        for name, column in db.tables[table].columns.items()
        if column.scheme_id is None or db.schemes[column.scheme_id].dtype == "str"
    }


def _files_elsewhere(db: Any, column: str, rows: list[Row]) -> int:
    files = {row["file"] for row in rows}
    others = {
        place[0]
        for table in db.tables
        if column in db.tables[table].columns
        for place, label in zip(_places(db.tables[table].get()), db.tables[table][column].get().tolist(), strict=True)
        if _text(label)
    }
    return len(others - files)


def _text(value: Any) -> str:
    """A cell as text: nothing for what is missing, seconds for a duration."""
    import pandas as pd

    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    if isinstance(value, pd.Timedelta):
        return f"{value.value / 1e9:.9f}".rstrip("0").rstrip(".") or "0"
    return repr(float(value)) if isinstance(value, float) else str(value)
