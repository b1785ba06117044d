"""The recordings to predict: files and folders as the user names them, each recording once."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from emoset_cli.errors import EmosetError
from emoset_cli.manifest import find_audio


class Recording(NamedTuple):
    """A file to predict: its name as the user gave it, or below the folder that was given; its place; bytes."""

    name: str
    path: Path
    size: int


def find_recordings(given: Sequence[Path]) -> tuple[list[Recording], list[EmosetError]]:
    """The files, and all audio below the folders, in the order given; and an error for each that is not there.

    A file that is named is taken whatever its extension; in a folder the extension decides. What was found already is
    not taken again.
    """
    found: dict[Path, Recording] = {}
    errors = []
    for place in given:
        try:
            for path, size in _below(place):
                found.setdefault(path.resolve(), Recording(_written(path), path, size))
        except EmosetError as error:
            errors.append(error)
    return list(found.values()), errors


def _written(path: Path) -> str:
    """The path as text, also where its name is no UTF-8."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")


def _below(place: Path) -> list[tuple[Path, int]]:
    if place.is_dir():
        return [(place / file.path, max(file.size, 0)) for file in find_audio(place)]
    if not place.exists():
        raise EmosetError(f"{place} is not there", "give a recording, or a folder that holds some")
    if not place.is_file():
        raise EmosetError(f"{place} is no file", "give a recording, or a folder that holds some")
    return [(place, place.stat().st_size)]
