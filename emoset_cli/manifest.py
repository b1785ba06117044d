"""A corpus folder becomes rows of utterances and a list of problems: files are found, names parsed, tables joined."""

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from emoset_cli.audio import EXTENSIONS
from emoset_cli.corpora import Corpus, Table
from emoset_cli.errors import EmosetError
from emoset_cli.store import SourceFile

LEFT_OUT, KEPT = "left out", "kept"


@dataclass(frozen=True)
class Problem:
    """One fault of one recording (or of the corpus, with an empty path): a row of ``problems.csv``."""

    corpus: str
    path: str
    utterance: str
    problem: str
    action: str
    detail: str
    mend: str


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
                path = Path(parent, name)
                stat = path.stat() if path.exists() else None  # a dangling link is found here, reported as unreadable
                stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) if stat else (-1, 0, 0)
                found.append(SourceFile(path.relative_to(folder).as_posix(), *stamp))
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
    named group and table column. What cannot be used is a `Problem`, never silently gone.
    """
    manifest = Manifest()
    for file in files:
        _read_name(corpus, file, manifest)
    manifest.rows.sort(key=lambda row: row["utterance"])
    _drop_repeated_ids(corpus, manifest)
    for table in corpus.tables.values():
        _join(corpus, folder, table, manifest)
    return manifest


def _read_name(corpus: Corpus, file: SourceFile, manifest: Manifest) -> None:
    def problem(kind: str, detail: str, mend: str, utterance: str = "") -> None:
        path = file.path.encode(errors="backslashreplace").decode()
        manifest.problems.append(Problem(corpus.key, path, utterance, kind, LEFT_OUT, detail, mend))

    if any("\ud800" <= letter <= "\udfff" for letter in file.path):  # bytes that are not UTF-8: no table holds them
        return problem("name not understood", "the name is not UTF-8", "rename it, for example with convmv")
    stem = file.path.rpartition(".")[0]
    match = corpus.regex.search(stem)
    if match is None:
        mend = f"rename or remove it, or correct `path` of {corpus.key} ({corpus.where_defined})"
        return problem("name not understood", f"the name does not fit {corpus.path}", mend)
    groups = {name: value or "" for name, value in match.groupdict().items()}
    if any(groups.get(name, "") not in values for name, values in corpus.where.items()):
        manifest.other += 1
        return None
    code = groups.pop("label")
    local = corpus.id.format(**groups, label=code) if corpus.id else match.group(0).strip("/")
    utterance = f"{corpus.key}/{local}"
    for excluded in (local, PurePosixPath(stem).name):
        if excluded in corpus.exclude:
            return problem("excluded", corpus.exclude[excluded], "nothing: the registry names this file", utterance)
    if code not in corpus.labels:
        mend = f"add '{code}' to `labels` of {corpus.key} ({corpus.where_defined})"
        return problem("unknown label", f"label code '{code}' is none of {', '.join(corpus.labels)}", mend, utterance)
    speaker = groups.pop("speaker")
    speaker = corpus.speaker_alias.get(speaker, speaker)
    if corpus.genders and speaker not in corpus.genders:
        mend = f"add '{speaker}' to `speakers` of {corpus.key} ({corpus.where_defined}) or correct the name"
        return problem("unknown speaker", f"speaker '{speaker}' is not in the registry", mend, utterance)
    gender = corpus.genders.get(speaker) or corpus.gender_codes.get(groups.pop("gender", ""), "")
    manifest.rows.append(
        {
            "utterance": utterance,
            "corpus": corpus.key,
            "speaker": speaker,
            "gender": gender,
            "language": corpus.language_of(speaker),
            "label": corpus.labels[code],
            "text": groups.pop("text", ""),
            "path": file.path,
        }
        | {name: value for name, value in groups.items() if name != "gender"}
    )
    return None


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


def _join(corpus: Corpus, folder: Path, table: Table, manifest: Manifest) -> None:
    path = next((place / table.file for place in (folder, folder.parent) if (place / table.file).is_file()), None)
    if path is None:
        detail = f"{table.file} is not in {folder}: no {', '.join(table.columns)}"
        mend = f"copy {table.file} into the corpus folder if you need these columns"
        manifest.problems.append(Problem(corpus.key, table.file, "", "table missing", KEPT, detail, mend))
        values: dict[str, dict[str, Any]] = {}
    else:
        values = _read_table(corpus, path, table)
    for row in manifest.rows:
        found = values.get(_table_key(PurePosixPath(row["path"]).name), {})
        row.update({column: found.get(column) for column in table.columns})


def _read_table(corpus: Corpus, path: Path, table: Table) -> dict[str, dict[str, Any]]:
    try:
        with path.open(encoding=table.encoding, newline="") as file:
            reader = csv.reader(file, delimiter=table.separator)
            header = [cell.strip() for cell in next(reader, [])]
            missing = [name for name in (table.key, *table.columns.values()) if name not in header]
            if missing:
                raise EmosetError(
                    f"{path} has no column {', '.join(missing)} (it has {', '.join(header)})",
                    f"correct `tables` of {corpus.key} ({corpus.where_defined})",
                )
            rows = [dict(zip(header, (cell.strip() for cell in row), strict=False)) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise EmosetError(
            f"{path} cannot be read as {table.encoding} ({error})",
            f"correct `encoding` of this table of {corpus.key} ({corpus.where_defined})",
        ) from None
    columns = {new: _numbers([row.get(old, "") for row in rows], table.decimal) for new, old in table.columns.items()}
    values: dict[str, dict[str, Any]] = {}
    for index, row in enumerate(rows):
        key = _table_key(row.get(table.key, ""))
        found = {new: column[index] for new, column in columns.items()}
        if key and values.setdefault(key, found) != found:
            raise EmosetError(f"{path} lists '{key}' twice, with different values", "remove one of the two lines")
    return values


def _table_key(name: str) -> str:
    stem, _, extension = name.rpartition(".")
    return stem if extension.lower() in EXTENSIONS else name


def _numbers(cells: list[str], decimal: str) -> list[float | None] | list[str]:
    """Numbers if every filled cell is one, else the cells as they are: a column has one type."""
    try:
        return [float(cell.replace(decimal, ".")) if cell else None for cell in cells]
    except ValueError:
        return cells
