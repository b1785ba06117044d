"""Prepared corpora with their partition become a list of labelled files in another tool's format."""

import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from emoset_cli.audio import SAMPLE_RATE
from emoset_cli.corpora import Corpus
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.exchange import FORMATS, Listing

# Columns that the table has of the audio or for the store, not of the corpus.
_OF_THE_STORE = {"utterance", "corpus", "path"}


def export_corpora(
    keys: Iterable[str],
    corpora: dict[str, Corpus],
    workspace: Path,
    format: str,
    out: Path,
    base: Path | None = None,
    force: bool = False,
) -> tuple[dict[str, list[Path]], list[str]]:
    """Write prepared corpora to ``out`` in a format; return the files of each, and notes for the reader.

    All are read before the first is written.

    Args:
        keys: prepared corpora
        corpora: the registry
        workspace: where they were prepared
        format: a key of `FORMATS` that can be written
        out: folder to write to
        base: folder the file names shall be relative to; by default each corpus's own audio folder
        force: write over an earlier export

    Raises:
        EmosetError: for a format that is only read, a corpus it cannot hold, audio outside ``base``, an earlier export
    """
    writable = {name: kind.write for name, kind in FORMATS.items() if kind.write}
    if format not in writable:
        raise unknown("format to write", format, writable)
    listings = {key: prepared_listing(workspace, key, corpora.get(key), base) for key in keys}
    for key in listings:
        earlier = [path for path in (out / key, *out.glob(f"fold_*/{key}")) if path.is_dir() and any(path.iterdir())]
        if earlier and not force:
            raise EmosetError(f"{earlier[0]} is there already", "give another folder, or --force to write over it")
    notes = [f"{key}: {note}" for key, listing in listings.items() for note in listing.notes]
    return {key: writable[format](listing, out, key) for key, listing in listings.items()}, notes


def prepared_listing(workspace: Path, key: str, corpus: Corpus | None = None, base: Path | None = None) -> Listing:
    """A prepared corpus, with the partition that `emoset prepare` wrote, as a listing.

    Raises:
        EmosetError: if it is not prepared, or its audio does not lie in ``base``
    """
    from emoset_cli.files import read_json
    from emoset_cli.partition import read_partition
    from emoset_cli.prepare import AUDIO_COLUMNS, corpus_folder, read_utterances

    table = read_utterances(workspace, key)
    folder = corpus_folder(workspace, key)
    prefix = _prefix(Path(read_json(folder / "prepare.json")["source"]), base, key)
    columns = [name for name in table if name not in {*_OF_THE_STORE, *AUDIO_COLUMNS, "start_s", "end_s"}]
    texts = {name for name in columns if not all(isinstance(value, float | int) for value in table[name].dropna())}
    rows = [dict(zip(columns, map(_text, values), strict=True)) for values in table[columns].itertuples(index=False)]
    for row, path in zip(rows, table["path"], strict=True):
        row["file"] = prefix + path
    if "start_s" in table:
        for row, start, samples in zip(rows, table["start_s"], table["samples"], strict=True):
            if not math.isnan(start):  # the end on the grid of samples, so that the same ones are cut again
                end = (round(start * SAMPLE_RATE) + samples) / SAMPLE_RATE
                row |= {"start_s": repr(float(start)), "end_s": repr(float(end))}
    facts = {"source": " ".join(corpus.reference.split()) if corpus and corpus.reference else key}
    facts |= {"licence": corpus.licence} if corpus and corpus.licence else {}
    listing = Listing(rows, {}, facts, texts)
    if (folder / "partition.csv").is_file():
        partition = read_partition(folder / "partition.csv", table)
        facts["partition"] = read_json(folder / "partition.json")["name"]
        _add_folds(listing, partition.table)
    return listing


def _prefix(source: Path, base: Path | None, key: str) -> str:
    """What stands before each path so that it is relative to ``base``."""
    if base is None or source == base.expanduser().resolve():
        return ""
    try:
        return source.relative_to(base.expanduser().resolve()).as_posix() + "/"
    except ValueError:
        raise EmosetError(
            f"the audio of {key} ({source}) does not lie in {base}", "give a folder that holds all with --audio"
        ) from None


def _add_folds(listing: Listing, table: Any) -> None:
    """A column for each fold; folds whose names do not suit as names of files are numbered."""
    names = list(table.columns)
    if len(names) > 1 and not all(re.fullmatch(r"\w+", name) for name in names):
        listing.notes.append("folds are numbered: " + ", ".join(f"{n} is {name}" for n, name in enumerate(names, 1)))
        names = [str(number) for number in range(1, len(names) + 1)]
    listing.folds = {name: "split" if len(names) == 1 else f"fold_{name}" for name in names}
    for name, column in zip(listing.folds.values(), table.columns, strict=True):
        for row, part in zip(listing.rows, table[column].tolist(), strict=True):
            row[name] = part


def _text(value: Any) -> str:
    if value is None or value != value:
        return ""
    return repr(float(value)) if isinstance(value, float) else str(value)
