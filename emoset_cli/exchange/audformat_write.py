"""audEERING's databases: a folder with db.yaml and a file for each table, written."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emoset_cli.exchange.audformat import OF_SPEAKER, unwarned
from emoset_cli.exchange.listing import COLUMNS, Listing, Row

_SPLITS = {"train": "train", "devel": "dev", "test": "test"}  # our word -> audformat's


def write(listing: Listing, folder: Path, key: str) -> list[Path]:
    """Write the database ``folder/KEY``: table emotion, tables emotion.train ... (a fold: emotion.fold-1.train ...)
    and the misc table speaker. Return the files.
    """
    with unwarned():
        db = _database(listing, key)
        aside = folder / f".{key}.tmp"
        shutil.rmtree(aside, ignore_errors=True)
        db.save(str(aside), storage_format="csv")
    (folder / key).mkdir(parents=True, exist_ok=True)
    files = sorted(aside.iterdir(), key=lambda path: path.name == "db.yaml")  # the header last: it makes it a database
    written = [path.replace(folder / key / path.name) for path in files]
    aside.rmdir()
    return written


def _database(listing: Listing, key: str) -> Any:
    import audformat

    languages = [code for code in sorted({row.get("language", "") for row in listing.rows}) if _is_language(code)]
    db = audformat.Database(key, source=listing.facts.get("source", "unknown"), usage="other", languages=languages)
    if listing.facts.get("licence"):
        db.license = listing.facts["licence"]
    db.description = f"Exported by emoset; files are relative to the audio folder of {key}"
    of_speaker = _write_speakers(db, listing)
    _table(db, "emotion", listing, listing.rows, [name for name in listing.columns if name not in of_speaker])
    for part, split in _SPLITS.items() if listing.folds else ():
        db.splits[split] = audformat.Split(split, description=f"{part} of {listing.facts.get('partition', key)}")
    for fold, column in listing.folds.items():
        prefix = "emotion" if len(listing.folds) == 1 else f"emotion.fold-{fold}"
        for part, split in _SPLITS.items():
            rows = [row for row in listing.rows if row.get(column) == part]
            if rows:
                _table(db, f"{prefix}.{split}", listing, rows, ["label"], split)
    return db


def _is_language(code: str) -> bool:
    """Whether audformat takes it for one: no private code (qaa), not "und"; the tables hold these all the same."""
    from audformat.utils import map_language

    try:
        return bool(code) and map_language(code) == code
    except ValueError:
        return False


def _write_speakers(db: Any, listing: Listing) -> list[str]:
    """The scheme and misc table of speakers; return the columns that it holds, as they hang on the speaker alone."""
    import audformat
    import pandas as pd

    speakers = sorted({row["speaker"] for row in listing.rows if row.get("speaker")})
    if not speakers:
        return []
    held = []
    about = audformat.MiscTable(pd.Index(speakers, name="speaker", dtype="string"))
    db["speaker"] = about
    for name in OF_SPEAKER:
        values = {(row.get("speaker", ""), row.get(name, "")) for row in listing.rows}
        if name in listing.columns and len(values) == len(speakers) == len({speaker for speaker, _ in values}):
            of = dict(values)
            _column(db, about, name, [of[speaker] for speaker in speakers], listing.texts)
            held.append(name)
    db.schemes["speaker"] = audformat.Scheme("str", labels="speaker")
    return held


def _table(
    db: Any, name: str, listing: Listing, rows: list[Row], columns: Iterable[str], split: str | None = None
) -> None:
    import audformat

    files = [row["file"] for row in rows]
    index = audformat.filewise_index(files)
    if "end_s" in listing.columns:
        starts = [f"{float(row.get('start_s') or 0):.9f}s" for row in rows]
        ends = [f"{float(row['end_s']):.9f}s" if row.get("end_s") else None for row in rows]
        index = audformat.segmented_index(files, starts, ends)
    table = audformat.Table(index, split_id=split)
    db[name] = table
    for column in columns:
        if column not in {"file", "start_s", "end_s", *listing.folds.values()}:
            values = [row.get(column, "") for row in rows]
            _column(db, table, "emotion" if column == "label" else column, values, listing.texts)


def _column(db: Any, table: Any, name: str, values: list[str], texts: set[str]) -> None:
    import audformat

    numbers = name not in {*COLUMNS, *texts, "emotion"} or name == "age"
    if name not in db.schemes:
        fixed = {"gender": ["female", "male"], "emotion": sorted(set(values))}.get(name)
        kind = {"labels": fixed} if fixed else {"dtype": "float" if numbers else "str"}
        db.schemes[name] = audformat.Scheme(**kind)
    table[name] = audformat.Column(scheme_id=name)
    table[name].set([None if value == "" else float(value) if numbers else value for value in values])
