"""A corpus folder becomes rows of utterances and a list of problems: files are found, names parsed, tables joined."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoset_cli.audio import EXTENSIONS
from emoset_cli.corpora import Corpus
from emoset_cli.errors import EmosetError
from emoset_cli.joins import join, required_tables
from emoset_cli.names import parse_names
from emoset_cli.problems import KEPT, LEFT_OUT, Problem
from emoset_cli.rows import rows_of
from emoset_cli.segments import check_times
from emoset_cli.store import SourceFile

__all__ = ["KEPT", "LEFT_OUT", "Manifest", "Problem", "find_audio", "read_names"]


@dataclass
class Manifest:
    """What the names of a corpus folder say.

    ``rows`` are in order of utterance id; ``other`` counts files that are other material by the registry's
    ``where`` (song, video, ...), which is no problem.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    other: int = 0


def find_audio(folder: Path) -> list[SourceFile]:
    """All audio files below ``folder``, by extension, in order of path; links are followed, loops are not.

    Raises:
        EmosetError: if the folder is not there, cannot be read or holds no audio
    """
    if not folder.is_dir():
        raise EmosetError(f"{folder} is not a folder", "give the folder that holds the corpus, as in emodb=FOLDER")
    found = []
    seen = set()
    top = len(os.path.join(folder, ""))  # noqa: PTH118
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        real = os.path.realpath(parent)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            stem, _, extension = name.rpartition(".")
            if stem and extension.lower() in EXTENSIONS and not name.startswith("."):
                path = os.path.join(parent, name)  # noqa: PTH118 -- a Path for each of 100,000 files is slow
                try:
                    stat = os.stat(path)  # noqa: PTH116
                    stamp = stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
                except OSError:  # a dangling link is found here, reported as unreadable
                    stamp = -1, 0, 0
                found.append(SourceFile(path[top:].replace(os.sep, "/"), *stamp))
    if not found:
        raise EmosetError(
            f"{folder} holds no audio ({', '.join(sorted(EXTENSIONS)[:8])}, ...)",
            "give the folder that holds the corpus's recordings",
        )
    return sorted(found)


def _raise(error: OSError) -> None:
    raise EmosetError(f"{error.filename} cannot be read ({error.strerror})", "change its permissions") from None


def read_names(corpus: Corpus, folder: Path, files: Iterable[SourceFile]) -> Manifest:
    """Parse the file names of a corpus by its registry entry and join the tables that come with it.

    Each row has ``utterance, corpus, speaker, gender, language, label, text, path`` and a column for each further
    named group and table column; ``age`` where it is known, ``start_s`` and ``end_s`` of an utterance that a table cuts
    from a longer recording. What cannot be used is a `Problem`, never silently gone.

    Raises:
        EmosetError: if the corpus's expression backtracks for ever, or one of its tables cannot be read or does not fit
    """
    names = parse_names(corpus, files)
    manifest = Manifest([], names.problems, names.other)
    for name, table in corpus.tables.items():
        manifest.problems += join(corpus, folder, name, table, names.recordings)
    required = required_tables(corpus)
    for recording in names.recordings:
        for row in rows_of(corpus, recording, required):
            if row is None:
                manifest.other += 1
            elif isinstance(row, Problem):
                manifest.problems.append(row)
            else:
                manifest.rows.append(row)
    manifest.rows.sort(key=lambda row: (row["utterance"], row["path"]))
    _drop_repeated_ids(corpus, manifest)
    manifest.rows, problems = check_times(corpus, manifest.rows)
    manifest.problems += problems
    return manifest


def _drop_repeated_ids(corpus: Corpus, manifest: Manifest) -> None:
    """Keep the first file of each id; a corpus unpacked twice into one folder is the usual cause."""
    first: dict[str, str] = {}
    rows = []
    for row in manifest.rows:
        if row["utterance"] in first:
            detail = f"the same utterance as {first[row['utterance']]}"
            mend = "remove one of the two files, or give the folder that holds the corpus once"
            manifest.problems.append(
                Problem(corpus.key, row["path"], row["utterance"], "repeated id", LEFT_OUT, detail, mend)
            )
        else:
            first[row["utterance"]] = row["path"]
            rows.append(row)
    manifest.rows = rows
