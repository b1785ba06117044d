"""Corpora in the formats of other tools, one file a format: `FORMATS` reads them into a `Listing`, some are written.

To add a format, write a file with ``find`` and ``read`` (and ``write``) and name it below.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoset_cli.exchange import audformat, audformat_write, emobox, emonet, table
from emoset_cli.exchange.listing import Listing, Options

__all__ = ["FORMATS", "Format", "Listing", "Options"]


@dataclass(frozen=True)
class Format:
    """How one format is found, read and written.

    Args:
        told: what it is, for people
        find: the corpora that a source holds: "" for the source itself, else their names; empty if it is another
            format
        read: one of what ``find`` found
        write: a listing into a folder, under a key; returns the files. None if the format is only read
    """

    told: str
    find: Callable[[Path], dict[str, Any]]
    read: Callable[[Any, Options], Listing]
    write: Callable[[Listing, Path, str], list[Path]] | None = None


FORMATS: dict[str, Format] = {
    "emonet": Format(
        "EmoNet setup: a folder with train.csv, val.csv (or devel.csv) and test.csv, or a folder of such folders",
        emonet.find, emonet.read, emonet.write,
    ),
    "table": Format("a CSV, TSV, Parquet or XLSX table with a row for each file", table.find, table.read),
    "audformat": Format(
        "audformat database: a folder with db.yaml and its tables",
        audformat.find, audformat.read, audformat_write.write,
    ),
    "emobox": Format("EmoBox file lists: a folder with fold_1/*.jsonl", emobox.find, emobox.read),
}  # fmt: skip
