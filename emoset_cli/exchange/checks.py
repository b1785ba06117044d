"""What must hold of a list of labelled files before it becomes a corpus: labels, places, partitions, files there."""

import math
import os
import posixpath
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from emoset_cli.audio import EXTENSIONS
from emoset_cli.errors import EmosetError
from emoset_cli.exchange.listing import DIMENSIONS, Listing, Row

_SHOWN = 5
_DEEPEST = 6  # folders of the listed names that may lie above the audio folder
_GENDERS = {"f": "female", "female": "female", "m": "male", "male": "male"}


def checked(listing: Listing, source: Path, audio: Path | None) -> Listing:
    """The listing with each utterance once, names relative to ``audio``, and genders, ages and dimensions tidied.

    What is only suspicious is added to the notes: files that are not there, genders that are not understood.

    Args:
        listing: of a format
        source: named in errors
        audio: the audio folder; None if it is not known, then files are not looked for

    Raises:
        EmosetError: for empty labels, names outside the audio folder, bad times, an utterance listed with two labels
            or in two partitions of a fold, or if none of the files is there
    """
    if not listing.rows:
        raise EmosetError(f"{source} lists no files", "give a source with labelled files")
    for name in ("file", "label"):
        empty = [index for index, row in enumerate(listing.rows) if not row.get(name)]
        if empty:
            first = listing.rows[empty[0]]
            raise EmosetError(
                f"{source}: {len(empty)} rows have no {name}, the first is row {empty[0] + 1} "
                f"({first.get('file') or first.get('label') or 'empty'})",
                "fill them in, or remove these rows",
            )
    _relative(listing, source, audio)
    for row in listing.rows:
        _check_times(row, source)
    listing.rows = _merged(listing, source)
    _tidy(listing)
    if audio is not None:
        _look(listing, source, audio)
    return listing


def _relative(listing: Listing, source: Path, audio: Path | None) -> None:
    """File names as posix paths relative to the audio folder."""
    base = os.path.abspath(audio) if audio else ""  # noqa: PTH100 (links stay as the listing knows them)
    tops = {base, os.path.realpath(base)} if base else set()
    outside = []
    for row in listing.rows:
        name = row["file"].replace("\\", "/")
        drive = bool(re.match("[A-Za-z]:/", name))
        if name.startswith("/") or drive:
            if not base:
                raise EmosetError(
                    f"{source} lists absolute names ({row['file']})", "say which folder they lie in with --audio FOLDER"
                )
            inside = [name[len(top) :] for top in tops if name.startswith(top.replace("\\", "/").rstrip("/") + "/")]
            name = inside[0].lstrip("/") if inside else "../" + name
        row["file"] = posixpath.normpath(name)
        if row["file"].startswith("../") or row["file"] in {".", ".."}:
            outside.append(name.removeprefix("../"))
    if outside:
        raise EmosetError(
            f"{source}: {len(outside)} files lie outside the audio folder{f' {audio}' if audio else ''}: "
            f"{_some(outside)}",
            "give the folder that holds them all with --audio FOLDER",
        )


def _check_times(row: Row, source: Path) -> None:
    start, end = row.get("start_s", ""), row.get("end_s", "")
    if not start and not end:
        return
    begin, stop = seconds(start or "0"), seconds(end)
    if begin is None or (end and stop is None) or begin < 0 or (stop is not None and stop <= begin):
        raise EmosetError(
            f"{source}: {row['file']} is said to run from '{start}' to '{end}'",
            "give start and end in seconds (or h:mm:ss), the end after the start",
        )
    if stop is None and begin > 0:
        raise EmosetError(f"{source}: {row['file']} has a start ({start}) but no end", "give both, in seconds")
    row |= {"start_s": repr(begin), "end_s": repr(stop)} if stop is not None else {"start_s": "", "end_s": ""}


def seconds(text: str) -> float | None:
    """Seconds of a time: ``1.5``, ``0:01.5``, ``0 days 00:00:01.500``; None if it is none.

    Example:
        >>> seconds("1.5"), seconds("1:00:01.5"), seconds("0 days 00:01:00"), seconds("soon")
        (1.5, 3601.5, 60.0, None)
    """
    match = re.fullmatch(r"(?:(\d+) days? )?(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\d*\.\d+)(?:[eE]-?\d+)?", text.strip())
    if not match:
        return None
    days, hours, minutes, rest = match.groups()
    if not (days or minutes):
        return float(text) if math.isfinite(float(text)) else None
    return 86400 * int(days or 0) + 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(rest)


def _merged(listing: Listing, source: Path) -> list[Row]:
    """One row an utterance, in order of file and start; rows of the same one must agree wherever both say something."""
    found: dict[tuple[str, str, str], Row] = {}
    folds = {column: fold for fold, column in listing.folds.items()}
    for row in listing.rows:
        place = (row["file"], row.get("start_s", ""), row.get("end_s", ""))
        first = found.setdefault(place, row)
        if first is row:
            continue
        for name, value in row.items():
            said = first.get(name, "")
            if value and said and value != said:
                where = f"{row['file']}" + (f" ({place[1]} to {place[2]} s)" if place[2] else "")
                what = f"both {said} and {value}"
                if name in folds:
                    what += f" of fold {folds[name]}" if len(folds) > 1 else ""
                    raise EmosetError(f"{source}: {where} is in {what}", "leave it in one partition")
                raise EmosetError(
                    f"{source}: {where} is listed twice, with {what} as its {name}", "keep the line that is right"
                )
            first[name] = said or value
    return sorted(found.values(), key=lambda row: (row["file"], float(row.get("start_s") or 0)))


def _tidy(listing: Listing) -> None:
    odd = [row["gender"] for row in listing.rows if row.get("gender") and row["gender"].lower() not in _GENDERS]
    if odd:
        listing.notes.append(f"{len(odd)} genders are neither female nor male and left open: {_some(odd)}")
    for row in listing.rows:
        if row.get("gender"):
            row["gender"] = _GENDERS.get(row["gender"].lower(), "")
    for name in ("age", *DIMENSIONS):
        values = [row[name] for row in listing.rows if row.get(name)]
        if values and not all(map(_is_number, values)):
            listing.notes.append(
                f"column {name} is carried as text, it holds '{next(v for v in values if not _is_number(v))}'"
            )
            for row in listing.rows:
                row[f"{name}_text"] = row.pop(name, "")


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _look(listing: Listing, source: Path, audio: Path) -> None:
    """See which files are there (with any audio extension), where need be below other parents than listed."""
    from emoset_cli.manifest import find_audio

    there = {_stem(file.path) for file in find_audio(audio)}
    parts = [row["file"].split("/") for row in listing.rows]
    for cut in range(_DEEPEST + 1):
        if cut and (min(map(len, parts)) <= cut or len({tuple(part[:cut]) for part in parts}) > 1):
            break
        if any(_stem("/".join(part[cut:])) in there for part in parts):
            if cut:
                above = "/".join(parts[0][:cut])
                listing.notes.append(f"{above}/ is cut off the listed names: {audio} is that folder")
            for row, part in zip(listing.rows, parts, strict=True):
                row["file"] = "/".join(part[cut:])
            missing = [row["file"] for row in listing.rows if _stem(row["file"]) not in there]
            if missing:
                listing.notes.append(
                    f"{len(missing)} of {len(listing.rows)} listed files are not in {audio}: {_some(missing)}"
                )
            return
    raise EmosetError(
        f"none of the {len(listing.rows)} files that {source} lists is in {audio}, "
        f"the first is {listing.rows[0]['file']}",
        "give the folder that the names are relative to with --audio FOLDER",
    )


def _stem(name: str) -> str:
    """The name without an audio extension (a WAV may have become a FLAC), in Unicode's composed form."""
    name = name if name.isascii() else unicodedata.normalize("NFC", name)
    stem, _, extension = name.rpartition(".")
    return stem if extension.lower() in EXTENSIONS else name


def _some(names: Iterable[str]) -> str:
    names = list(dict.fromkeys(names))
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
