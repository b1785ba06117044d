"""EmoNet's setups: a folder for each corpus with train.csv, val.csv (or devel.csv) and test.csv of ``file,label``."""

import csv
import io
from pathlib import Path

from emoset_cli.errors import EmosetError
from emoset_cli.exchange.listing import Listing, Options, Row, find_columns, read_csv, renamed
from emoset_cli.files import write_text

_NAMES = {"train": ("train.csv",), "devel": ("val.csv", "devel.csv"), "test": ("test.csv",), "": ("unused.csv",)}
_FOLD = "fold_"

Setup = dict[str, Path]  # fold -> folder of its three tables


def find(source: Path) -> dict[str, Setup]:
    """The setups in a folder: "" for the folder itself, else the names of the corpora (``-mts``), each with its folds.

    Folds are what `write` makes of a partition with several: ``fold_1/CORPUS/train.csv`` and so on.
    """
    if _is_setup(source):
        return {"": {"1": source}}
    if not source.is_dir():
        return {}
    found: dict[str, Setup] = {}
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        if _is_setup(folder):
            found[folder.name] = {"1": folder}
        elif folder.name.startswith(_FOLD):
            for corpus in sorted(path for path in folder.iterdir() if _is_setup(path)):
                found.setdefault(corpus.name, {})[folder.name.removeprefix(_FOLD)] = corpus
    return found


def _is_setup(folder: Path) -> bool:
    return (folder / "train.csv").is_file() and (folder / "test.csv").is_file()


def read(setup: Setup, options: Options) -> Listing:
    """The files of a setup, of all its folds; EmoNet knows no speakers."""
    rows: list[Row] = []
    folds = {fold: "split" if len(setup) == 1 else f"{_FOLD}{fold}" for fold in setup}
    for fold, folder in setup.items():
        for part, names in _NAMES.items():
            there = [folder / name for name in names if (folder / name).is_file()]
            if len(there) > 1:
                raise EmosetError(f"{folder} holds both {' and '.join(names)}", "remove one of the two")
            for path in there:
                found = read_csv(path, options)
                rows += [
                    row | {folds[fold]: part} for row in renamed(found, find_columns(path, list(found[0]), options))
                ]
    notes = [] if len(setup) == 1 else [f"{len(setup)} folds: {', '.join(setup)}"]
    return Listing(rows, folds, notes=notes)


def write(listing: Listing, folder: Path, key: str) -> list[Path]:
    """Write ``folder/KEY/train.csv``, val.csv and test.csv; several folds as ``folder/fold_N/KEY``. Return the files.

    What the partition does not use goes to ``unused.csv``, which EmoNet does not read.

    Raises:
        EmosetError: if the corpus has no partition or consists of segments, which a setup cannot say
    """
    if not listing.folds:
        raise EmosetError(
            f"{key} has no partition, and an EmoNet setup is one",
            f"emoset prepare {key}=FOLDER --partition speakers, or choose --format audformat",
        )
    if any(row.get("end_s") for row in listing.rows):
        raise EmosetError(
            f"{key} has several utterances in one recording, which an EmoNet setup cannot say", "--format audformat"
        )
    written = []
    for fold, column in listing.folds.items():
        into = folder / key if len(listing.folds) == 1 else folder / f"{_FOLD}{fold}" / key
        for part, names in _NAMES.items():
            rows = [row for row in listing.rows if row.get(column, "") == part]
            if rows or part:
                written.append(into / names[0])
                write_text(written[-1], _text(rows))
    return written


def _text(rows: list[Row]) -> str:
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["file", "label"])
    table.writerows([row["file"], row["label"]] for row in rows)
    return out.getvalue()
