"""The common form of all formats: a corpus as a list of labelled files, with the partitions that came with it."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from emoset_cli.errors import EmosetError

Row = dict[str, str]

# The columns that mean something to us -> what other tables call them (compared without case, blanks, - and _).
COLUMNS: dict[str, tuple[str, ...]] = {
    "file": ("file", "path", "filename", "filepath", "wav", "audio", "wavpath", "audiopath"),
    "label": ("label", "emotion", "emo"),
    "speaker": ("speaker", "spk", "speakerid", "spkid"),
    "gender": ("gender", "sex"),
    "language": ("language", "lang"),
    "text": ("text", "transcription", "transcript", "sentence"),
    "age": ("age",),
    "start_s": ("start", "starts", "starttime", "begin"),
    "end_s": ("end", "ends", "endtime", "stop"),
    "split": ("split", "partition", "subset"),
}
DIMENSIONS = ("arousal", "valence", "dominance", "activation")

# What others call our partitions.
PARTITION_WORDS = {
    "train": "train", "training": "train", "trn": "train",
    "devel": "devel", "dev": "devel", "development": "devel",
    "val": "devel", "valid": "devel", "validation": "devel",
    "test": "test", "testing": "test", "tst": "test",
}  # fmt: skip


@dataclass
class Listing:
    """A corpus as a list of labelled files: what every format is read into and written from.

    A row has ``file`` (posix, relative to the audio folder) and ``label``, where known the other names of `COLUMNS`
    but ``split``, a column for each fold, and further columns that are only carried. All values are texts; "" is not
    known. ``start_s`` and ``end_s`` [s] make the row a segment of its file.

    Args:
        rows: one an utterance; formats may list a file several times, `checks.checked` merges them
        folds: fold -> the column that holds train, devel, test or ""; empty if there is no partition
        facts: name, language, licence, ... of the registry entry, where the format tells them
        texts: carried columns that are text although they may look like numbers
        notes: what the reader must be told
    """

    rows: list[Row]
    folds: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    texts: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    @property
    def columns(self) -> list[str]:
        """Columns that hold something in any row, ours first, then the further ones as they came."""
        found = {name for row in self.rows for name, value in row.items() if value}
        ours = [name for name in COLUMNS if name in found]
        folds = [name for name in self.folds.values() if name in found and name not in ours]
        order = dict.fromkeys(name for row in self.rows for name in row)
        return [*ours, *folds, *(name for name in order if name in found and name not in {*ours, *folds})]


@dataclass(frozen=True)
class Options:
    """How to read a source, where its format leaves that open.

    Args:
        columns: our name -> the source's column
        encoding, separator: of text tables; "" for UTF-8 and what the header suggests
        sheet: of a workbook; "" for the first
        table: the table of an audformat database that holds the labels
    """

    columns: dict[str, str] = field(default_factory=dict)
    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    table: str = ""


def find_columns(source: Path, header: Sequence[str], options: Options) -> dict[str, str]:
    """Our name -> the column of a table that holds it, by option or by an obvious name; ``file`` and ``label`` always.

    Raises:
        EmosetError: if a column is missing, or two could be meant
    """
    found = {}
    for ours, names in COLUMNS.items():
        option = f"--{ours.removesuffix('_s')}-column"
        if ours in options.columns:
            if options.columns[ours] not in header:
                raise EmosetError(
                    f"{source} has no column '{options.columns[ours]}' (it has {', '.join(header)})",
                    f"give one of them with {option}",
                )
            found[ours] = options.columns[ours]
            continue
        taken = set(options.columns.values())
        likely = [name for name in header if re.sub(r"[\s_-]", "", name.lower()) in names and name not in taken]
        if len(likely) > 1:
            raise EmosetError(
                f"{source}: {' and '.join(likely)} could each be the {ours.removesuffix('_s')}",
                f"say which with {option}",
            )
        if likely:
            found[ours] = likely[0]
        elif ours in {"file", "label"}:
            raise EmosetError(
                f"{source} has no column for the {ours} (it has {', '.join(header) or 'none'})",
                f"say which with {option}, or rename one to '{ours}'",
            )
    return found


def renamed(rows: Iterable[Row], columns: dict[str, str]) -> list[Row]:
    """Rows with our names for the columns of `find_columns`; the others keep theirs, made fit for a registry."""
    ours = {theirs: name for name, theirs in columns.items()}
    taken = {*COLUMNS, *ours}
    names: dict[str, str] = {}
    result = []
    for row in rows:
        for name in row:
            if name not in names:
                names[name] = ours[name] if name in ours else _free(name, {*taken, *names.values()})
        result.append({names[name]: value.strip() for name, value in row.items()})
    return result


# Columns that the utterance table has anyway; a carried column of the same name gets a `_` more.
_OCCUPIED = {
    "utterance", "corpus", "path", "native_sample_rate", "channels", "duration_s", "shard", "offset", "samples",
    "audio", "stem", "row", "start_ms",
}  # fmt: skip


def _free(name: str, taken: set[str]) -> str:
    plain = re.sub(r"\W+", "_", name).strip("_").lower() or "column"
    plain = f"column_{plain}" if plain[0].isdigit() else plain
    while plain in taken or plain in _OCCUPIED:
        plain += "_"
    return plain


def read_csv(path: Path, options: Options) -> list[Row]:
    """The rows of a text table with a header, blanks stripped.

    Raises:
        EmosetError: if it cannot be read, is empty, or a line has more or fewer cells than the header
    """
    encoding = options.encoding or "utf-8-sig"
    try:
        with path.open(encoding=encoding, newline="") as file:
            first = file.readline()
            file.seek(0)
            separator = options.separator or _separator(path, first)
            return _rows(path, csv.reader(file, delimiter=separator, strict=True))
    except (UnicodeError, LookupError) as error:
        raise EmosetError(
            f"{path} is not a text table in {options.encoding or 'UTF-8'} ({error})",
            "give its encoding, for example --encoding latin-1",
        ) from None
    except csv.Error as error:
        raise EmosetError(f"{path} is not a text table ({error})", "look at its quotes, or save it anew") from None


def _separator(path: Path, header: str) -> str:
    if path.suffix.lower() == ".tsv":
        return "\t"
    return max((",", ";", "\t"), key=header.count)


def _rows(path: Path, lines: Iterable[list[str]]) -> list[Row]:
    header: list[str] = []
    rows = []
    for number, cells in enumerate(lines, 1):
        cells = [cell.strip() for cell in cells]
        if not any(cells):
            continue
        if not header:
            header = cells
            if twice := {name for name in header if header.count(name) > 1}:
                raise EmosetError(f"{path} has two columns '{min(twice)}'", "rename or remove one of them")
        elif len(cells) != len(header):
            raise EmosetError(
                f"{path}, line {number}: {len(cells)} cells, but the header has {len(header)}",
                "correct this line (quote a cell that holds the separator), or give --separator",
            )
        else:
            rows.append(dict(zip(header, cells, strict=True)))
    if not rows:
        raise EmosetError(f"{path} lists no files", "give a table with a header and a line for each file")
    return rows
