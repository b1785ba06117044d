"""Tables beside the audio: how each is read, which of its columns names the recordings, what its columns may be."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoset_cli import corpora
from emoset_cli.audio import EXTENSIONS
from emoset_cli.errors import EmosetError
from emoset_cli.propose.words import are_genders, emotion_share
from emoset_cli.tables import READERS

_KINDS = {"csv": "csv", "tsv": "csv", "txt": "csv", "json": "json", "jsonl": "jsonl", "xlsx": "xlsx", "xlsm": "xlsx"}
_MOST_TABLES = 20  # of one folder and kind: more are transcripts or notes of single recordings
_MOST_BYTES = 100_000_000
_ENOUGH = 0.5  # of the recordings that a table must name to be of use
_NAMES = {
    "label": "label emotion emo class category emotionclass emoclass",
    "speaker": "speaker speakerid spk spkr spkrid actor actorid subject subjectid participant person",
    "gender": "gender sex",
    "age": "age",
    "text": "text sentence transcript transcription utterancetext",
    "split": "split splitset set partition subset",
    "start_s": "start starttime begin onset startsec starts",
    "end_s": "end endtime stop offset endsec ends",
    "arousal": "arousal emoact activation",
    "valence": "valence emoval pleasure",
    "dominance": "dominance emodom",
}
_OURS = {word: ours for ours, words in _NAMES.items() for word in words.split()}


@dataclass
class Found:
    """A table: how the registry reads it, and what it tells.

    ``share`` is that of the recordings (or, by ``match: speaker``, of the speakers) which it names; without ``key`` it
    names none. ``known`` are our names for its columns. ``wrong`` says why it could not be read.
    """

    file: str
    settings: dict[str, str] = field(default_factory=dict)
    columns: list[str] = field(default_factory=list)
    rows: list[dict[str, str]] = field(default_factory=list)
    key: str = ""
    match: str = "stem"
    share: float = 0.0
    known: dict[str, str] = field(default_factory=dict)
    wrong: str = ""

    def values(self, column: str) -> list[str]:
        """The filled cells of a column."""
        return [row[column] for row in self.rows if row.get(column)]


def find(folder: Path) -> tuple[list[Path], int]:
    """Files below a folder that may be tables, and how many are passed over: too large, or too many of a kind."""
    found: list[Path] = []
    passed = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        kinds: dict[str, list[Path]] = {}
        for name in sorted(names):
            extension = name.rpartition(".")[2].lower()
            if extension in _KINDS and not name.startswith((".", "~$")):
                kinds.setdefault(extension, []).append(Path(parent, name))
        for paths in kinds.values():
            small = [] if len(paths) > _MOST_TABLES else [p for p in paths if p.stat().st_size <= _MOST_BYTES]
            found += small
            passed += len(paths) - len(small)
    return found[: 3 * _MOST_TABLES], passed + max(0, len(found) - 3 * _MOST_TABLES)


def read(path: Path, folder: Path, stems: list[str]) -> Found:
    """A table and the column of it that names the recordings.

    Args:
        path: the file
        folder: of the corpus
        stems: paths of the recordings below the folder, without extension
    """
    found = Found(path.relative_to(folder).as_posix())
    format = _KINDS[path.suffix[1:].lower()]
    names = {stem.rpartition("/")[2] for stem in stems}
    try:
        if format == "csv":
            _sniff(found, path, names)
        table = corpora.Table(**({"file": found.file, "format": format} | found.settings))  # type: ignore[arg-type]
        content = READERS[table.format](path, table, "correct the table")
    except (EmosetError, OSError) as error:
        found.wrong = error.problem.replace(str(path), found.file) if isinstance(error, EmosetError) else str(error)
        return found
    found.columns = list(dict.fromkeys(content.columns))
    found.rows = content.records
    for match, ours in (("path", set(stems)), ("stem", names)):
        _match(found, match, ours)
    if found.key:
        found.known = _known(found)
    return found


def match_speakers(found: Found, speakers: set[str]) -> None:
    """Let a table that names no recordings name the speakers, if it does."""
    if not found.key and not found.wrong:
        _match(found, "speaker", speakers)
        found.known = _known(found) if found.key else {}


def _match(found: Found, match: str, ours: set[str]) -> None:
    for column in found.columns:
        keys = {_stem(row.get(column, ""), match) for row in found.rows}
        share = len(ours & keys) / max(len(ours), 1)
        if share >= _ENOUGH and share > found.share and (match != "speaker" or len(keys) == len(found.rows)):
            found.key, found.match, found.share = column, match, share


def _stem(name: str, match: str) -> str:
    name = name.replace("\\", "/").removeprefix("./")
    stem, _, extension = name.rpartition(".")
    name = stem if extension.lower() in EXTENSIONS else name
    return (name.rpartition("/")[2] if match == "stem" else name).strip()


def _sniff(found: Found, path: Path, names: set[str]) -> None:
    """Encoding and separator of a text table; one without a header is read by lines."""
    raw = path.read_bytes()
    for encoding in ("utf-16" if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8", "latin-1"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    if encoding != "utf-8":
        found.settings["encoding"] = encoding
    lines = [line for line in text.removeprefix("\ufeff").splitlines() if line.strip()][:200]
    if not lines:
        raise EmosetError(f"{path} is empty", "remove it")
    counts = {mark: Counter(line.count(mark) for line in lines).most_common(1)[0] for mark in "\t;,| "}
    fits = [mark for mark, (times, lines_) in counts.items() if times and lines_ >= 0.8 * len(lines)]
    mark = fits[0] if fits else ","
    if mark != ("\t" if path.suffix.lower() == ".tsv" else ","):
        found.settings["separator"] = mark
    first = [cell.strip(" \"'") for cell in lines[0].split(mark)]
    if any(_stem(cell, "stem") in names for cell in first):
        shown = re.escape(mark) if mark in "|" else {"\t": r"\t", " ": " +"}.get(mark, mark)
        cell = f"[^{mark if mark != chr(9) else chr(92) + 't'}]*"
        columns = shown.join(f"(?P<column{number}>{cell})" for number in range(1, len(first) + 1))
        found.settings.pop("separator", None)
        found.settings |= {"format": "lines", "line": f"^{columns}$"}


def _known(found: Found) -> dict[str, str]:
    """Our names for columns: by their own name, else by what they hold."""
    known: dict[str, str] = {}
    for column in found.columns:
        ours = _OURS.get(re.sub(r"[\W_]", "", column.lower()))
        if ours and ours not in known and column != found.key:
            known[ours] = column
    for ours, holds in _CONTENT.items():
        for column in found.columns:
            if ours not in known and column != found.key and column not in known.values():
                values = set(found.values(column))
                if values and holds(values):
                    known[ours] = column
    if not {"start_s", "end_s"} <= known.keys() or found.match == "speaker":
        known = {ours: column for ours, column in known.items() if ours not in {"start_s", "end_s"}}
    if found.match == "speaker":
        known = {ours: column for ours, column in known.items() if ours in {"gender", "age", "language"}}
    return {ours: column for ours, column in known.items() if _useful(ours, found.values(column))}


_CONTENT: dict[str, Callable[[set[str]], bool]] = {
    "label": lambda values: 2 <= len(values) <= 40 and emotion_share(values) >= 0.5,
    "gender": are_genders,
}


def _useful(ours: str, values: Iterable[str]) -> bool:
    """Whether the registry can read the column as what its name says."""
    found = set(values)
    if ours in {"age", "arousal", "valence", "dominance", "start_s", "end_s"}:
        return bool(found) and all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in found)
    if ours == "gender":
        return bool(found) and all(value.lower() in {"f", "m", "female", "male", "w"} for value in found)
    if ours == "label":
        return 1 <= len(found) <= 200
    return True


def block(found: Found, taken: Iterable[str]) -> dict[str, Any]:
    """The entry of a table for the registry; columns that the names tell already are left out.

    Args:
        found: with a key
        taken: groups of the path
    """
    skip = {*taken, "language"}
    columns = {ours: column for ours, column in found.known.items() if ours not in skip}
    settings: dict[str, Any] = {"file": found.file, **found.settings, "key": found.key}
    return settings | ({"match": found.match} if found.match != "stem" else {}) | {"columns": columns}
