"""A source in another tool's format becomes a table and a registry entry, for `emoset prepare` to read like any."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoset_cli.corpora import Corpus, load_corpora
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.exchange import FORMATS, Listing, Options
from emoset_cli.exchange.checks import checked
from emoset_cli.exchange.entry import add_entry, entry_text, table_text
from emoset_cli.exchange.listing import COLUMNS, DIMENSIONS
from emoset_cli.exchange.speakers import SEVERAL_LANGUAGES, Speakers, crossing_speakers, name_speakers

NAME = "imported"  # of the table and the partition of an entry
PLACE = "{}"  # in a key: the name of each corpus of a folder of several
_TOLD = {"name", "language", "licence", "sources"}  # fields that the built-in registry knows better


@dataclass
class Imported:
    """What `import_corpora` made of one corpus; ``warnings`` are what no reader may miss."""

    key: str
    format: str
    listing: Listing
    audio: Path | None
    table: Path
    registry: Path
    written: bool
    warnings: list[str]


def import_corpora(
    key: str,
    source: Path,
    workspace: Path,
    registry: Path,
    format: str = "auto",
    audio: Path | None = None,
    options: Options | None = None,
    speakers: Speakers | None = None,
    force: bool = False,
) -> list[Imported]:
    """Import the corpora of a source: a table in ``workspace/imports`` and an entry in ``registry`` for each.

    All are read and checked before the first is written.

    Args:
        key: of the corpus; where the source holds several, with ``{}`` for their names, as in ``emonet-{}``
        source: a file or folder in one of `FORMATS`; only read
        workspace: the folder of what the tool makes
        registry: the user's corpora.yaml
        format: a key of `FORMATS`, or "auto" for the first that fits
        audio: the folder the listed names are relative to; where it is not given, the source's own if they are there
        options: how to read the source
        speakers: where speakers come from
        force: replace what differs

    Raises:
        EmosetError: if the source is in no known format or anything in it cannot be used
    """
    name, found = _find(source, format)
    keys = _keys(key, source, found)
    builtin = load_corpora()
    for taken in (corpus for corpus in keys.values() if corpus in builtin and builtin[corpus].path):
        raise EmosetError(
            f"'{taken}' is in the built-in registry, which reads its file names",
            f"choose another key, for example {taken}-imported (with --as {taken} it takes over the speakers)",
        )
    if audio is not None and not audio.is_dir():
        raise EmosetError(f"the audio folder {audio} is not there", "give the folder that holds the recordings")
    made = []
    for corpus, handle in found.items():
        listing = FORMATS[name].read(handle, options or Options())
        place = source / corpus if corpus else source
        folder = audio or _own_audio(listing, place)
        checked(listing, place, folder)
        warnings = name_speakers(listing, place, folder, speakers or Speakers(), builtin.get(keys[corpus]))
        made.append((keys[corpus], listing, folder, warnings))
    result = []
    for corpus_key, listing, folder, warnings in made:
        table = (workspace / "imports" / f"{corpus_key}.csv").absolute()
        fields = _fields(corpus_key, listing, table, f"{FORMATS[name].told.partition(':')[0]}, {source.name}")
        if corpus_key in builtin:  # one whose file names are not documented: the table completes its entry
            fields = {field: value for field, value in fields.items() if field not in _TOLD}
            fields["labels"] = _completed(builtin[corpus_key], fields["labels"])
        text = entry_text(corpus_key, fields, f"Imported by emoset from {source.absolute()}; edit as you like.")
        written = add_entry(registry, corpus_key, text, table, table_text(listing), force)
        result.append(Imported(corpus_key, name, listing, folder, table, registry, written, warnings))
    return result


def _completed(known: Corpus, imported: dict[str, str]) -> dict[str, str]:
    """The labels of a built-in entry, by its codes and by its words, and those that only the table has."""
    ours = {word: word for word in known.label_names} | known.labels
    return ours | {code: word for code, word in imported.items() if code not in ours}


def _find(source: Path, format: str) -> tuple[str, dict[str, Any]]:
    if format not in {"auto", *FORMATS}:
        raise unknown("format", format, ["auto", *FORMATS])
    if not source.exists():
        raise EmosetError(f"{source} is not there", "give the file or folder to import")
    for name in ("audformat", "emobox", "emonet", "table") if format == "auto" else (format,):
        if found := FORMATS[name].find(source):
            return name, found
    kinds = FORMATS if format == "auto" else {format: FORMATS[format]}
    raise EmosetError(
        f"{source} is in no known format" if format == "auto" else f"{source} is not in the format {format}",
        "give " + "; or ".join(kind.told for kind in kinds.values()),
    )


def _keys(key: str, source: Path, found: dict[str, Any]) -> dict[str, str]:
    """The key of each corpus: fit for the registry, each once."""
    if PLACE not in key and len(found) > 1:
        raise EmosetError(
            f"{source} holds {len(found)} corpora ({', '.join(found)})",
            f"give a key for all with {PLACE} for their names, as in 'emonet-{PLACE}', or the folder of one of them",
        )
    names = {corpus: re.sub(r"[^a-z0-9]+", "-", (corpus or source.stem).lower()).strip("-") for corpus in found}
    keys = {corpus: key.replace(PLACE, names[corpus]) for corpus in found}
    if len(set(keys.values())) < len(keys):
        raise EmosetError(f"{source}: several corpora would be called alike", "import them one by one")
    return keys


def _own_audio(listing: Listing, place: Path) -> Path | None:
    """The source's own folder, if the first listed file is there."""
    folder = place if place.is_dir() else place.parent
    first = listing.rows[0].get("file", "") if listing.rows else ""
    return folder if first and (folder / first).is_file() and not Path(first).is_absolute() else None


def _fields(key: str, listing: Listing, table: Path, told: str) -> dict[str, Any]:
    """The registry entry: all it says of utterances is in the table."""
    facts = listing.facts
    columns = {name: name for name in listing.columns if name != "file"}
    if listing.facts["language"] != SEVERAL_LANGUAGES:
        columns.pop("language", None)
    columns = {"speaker": "speaker"} | columns if "speaker" in columns else columns
    words = sorted({row["label"] for row in listing.rows})
    texts = sorted(listing.texts & set(columns) - set(COLUMNS))
    kept = {"texts": texts} if texts else {}
    by = dict(listing.folds)
    crossing = any(crossing_speakers(listing, column) for column in by.values())
    crossing |= any(not row.get("speaker") for row in listing.rows)
    parts = {part for column in by.values() for row in listing.rows if (part := row.get(column))}
    partition = {
        "by": by["1"] if list(by) == ["1"] else by,
        "values": {part: part for part in ("train", "devel", "test") if part in parts},
        "speakers_cross": crossing or None,
        "source": told,
    }
    usable = by and all({"train", "test"} <= {row.get(column) for row in listing.rows} for column in by.values())
    return {
        "name": facts.get("name", key),
        "language": facts["language"],
        "licence": facts.get("licence"),
        "labels": {word: facts.get(f"label {word}", word) for word in words},
        "tables": {NAME: {"file": str(table), "key": "file", "match": "path", "columns": columns} | kept},
        "dimensions": [name for name in DIMENSIONS if name in columns],
        "partitions": {NAME: {name: value for name, value in partition.items() if value}} if usable else None,
        "default_partition": NAME if usable else None,
        "sources": [told],
    }
