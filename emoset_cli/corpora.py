"""The registry of corpora: `corpora.yaml` and a user's own file become checked `Corpus` entries."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from math import nan
from pathlib import Path
from typing import Any

from emoset_cli.cite import told
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.registry_checks import Places, mistakes_of
from emoset_cli.registry_schema import REGISTRY
from emoset_cli.yaml_schema import read_yaml
from emoset_cli.yaml_tree import refuse

_PACKAGED = Path(__file__).with_name("corpora.yaml")


@dataclass(frozen=True)
class Rule:
    """What a row must satisfy in one column; bounds are inclusive, and a missing value satisfies nothing."""

    min: float | None = None
    max: float | None = None
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A file beside the audio whose rows are joined to the recordings; ``columns`` maps our name to the file's.

    ``file`` is a path or glob below the corpus folder (or its parent), or an absolute path; all that match are read in
    order. ``key`` is the file's column that names a recording, or a template over columns (and ``{table_file}``, the
    name of the file without extension): ``'{table_file}/dia{Dialogue_ID}_utt{Utterance_ID}'``. It is compared with
    ``match`` of a recording: ``stem``, ``path`` (below the corpus folder), ``id``, a group or column of an earlier
    table (``speaker`` too), or a template over these: ``'{split}_sent_emo/{stem}'``.

    ``records`` says where the records of a JSON file lie (``'data.utterances'``, ``*`` for every key); where they lie
    under keys, these are column ``key``; what is nested has dotted names (``rating.arousal``).

    These names of ours have a meaning: label (a code of ``labels``), speaker, gender, language, text, age, and
    start_s with end_s, which make each row an utterance of its own cut from the recording. Others are carried, as
    numbers where all cells are numbers and ``texts`` does not name them.
    """

    file: str = ""
    format: str = "csv"
    encoding: str = "utf-8"
    separator: str = ","
    decimal: str = "."
    sheet: str | None = None
    records: str | None = None
    line: str | None = None
    key: str = ""
    match: str = "stem"
    columns: dict[str, str] = field(default_factory=dict)
    texts: tuple[str, ...] = ()
    optional: bool | None = None

    @property
    def segments(self) -> bool:
        """Whether its rows are utterances that lie in longer recordings."""
        return "start_s" in self.columns and "end_s" in self.columns

    @property
    def required(self) -> bool:
        """Whether a recording without a row is a problem: by default where label, speaker or place come from here."""
        return (
            self.segments or bool({"label", "speaker"} & set(self.columns))
            if self.optional is None
            else not self.optional
        )


@dataclass(frozen=True)
class Count:
    """What the corpus's authors publish (or verified file lists show); None and absent labels are not known."""

    utterances: int | None
    speakers: int | None
    labels: dict[str, int]


@dataclass(frozen=True)
class Fold:
    """Speakers of one fold; ``train`` None means all that are not named, ``devel`` may be empty (not published)."""

    train: tuple[str, ...] | None
    devel: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Published:
    """A partition that somebody published, by lists of speakers (``folds``) or by columns (``by``, ``values``).

    ``by`` maps each fold to its column; written as one word it is the column of the only fold, "1".

    ``labels`` are those the partition uses; empty means all. ``speakers_cross`` says that the published lists put a
    speaker into several partitions, which is refused without it.
    """

    name: str
    folds: dict[str, Fold]
    labels: tuple[str, ...]
    by: dict[str, str]
    values: dict[str, str]
    speakers_cross: bool
    source: str


@dataclass(frozen=True)
class Corpus:
    """One entry of the registry; what is not known is None or empty, never guessed.

    ``path`` is searched in the posix path of a recording relative to the corpus folder, without extension; None means
    that its names are not known. ``speaker`` and ``label`` are templates, for where no one group or column holds them.
    ``labels`` maps codes to our words, empty means that any word is a label; ``genders`` maps speakers and, where
    given, names all of them; ``ages`` are in years, at the recording. ``levels`` are its labels from low to high, where
    they have an order. ``dimensions`` are columns of numbers that are labels too (arousal, valence), ``scales`` the
    lowest and highest value of those that can be trained on. ``needs`` says what a user must supply.
    """

    key: str
    name: str
    languages: tuple[str, ...]
    speaker_languages: dict[str, str]
    year: int | None
    nature: str | None
    licence: str | None
    access: str | None
    obtain: str | None
    needs: str | None
    reference: str | None
    citation: dict[str, str]
    path: str | None
    id: str | None
    speaker: str | None
    label: str | None
    labels: dict[str, str]
    levels: tuple[str, ...]
    genders: dict[str, str]
    gender_codes: dict[str, str]
    language_codes: dict[str, str]
    speaker_alias: dict[str, str]
    shares_speakers: tuple[str, ...]
    ages: dict[str, float]
    where: dict[str, tuple[str, ...]]
    exclude: dict[str, str]
    tables: dict[str, Table]
    dimensions: tuple[str, ...]
    scales: dict[str, tuple[float, float]]
    subsets: dict[str, dict[str, Rule]]
    take: tuple[str, ...]
    count: Count | None
    partitions: dict[str, Published]
    default_partition: str | None
    notes: tuple[str, ...]
    sources: tuple[str, ...]
    where_defined: str = field(default="", compare=False, repr=False)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels, each once, from low to high where they have an order, else in the order of the registry."""
        return self.levels or tuple(dict.fromkeys(self.labels.values()))

    @property
    def labelled(self) -> bool:
        """Whether its utterances have labels; those of a corpus with dimensions only have none."""
        told = self.labels or self.label or "(?P<label>" in (self.path or "")
        return not self.dimensions or bool(told) or any("label" in table.columns for table in self.tables.values())

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """``path``, compiled; a corpus that only its tables tell takes every name."""
        assert self.path or self.tables, f"{self.key} has neither path nor tables"
        return re.compile(self.path or ".+")

    def language_of(self, speaker: str) -> str:
        """ISO 639-3 code of the language that a speaker speaks in this corpus; "" where that is not known."""
        known = self.languages[0] if len(self.languages) == 1 else ""
        return self.speaker_languages.get(speaker, known)


_SAME = (
    "year", "nature", "licence", "access", "obtain", "needs", "reference", "path", "id", "speaker", "label",
    "default_partition",
)  # fmt: skip
_FORMATS = {"json": "json", "jsonl": "jsonl", "xlsx": "xlsx", "xlsm": "xlsx"}  # by extension; all others are csv
_MAPS = {"gender": "gender_codes"} | {
    name: name for name in ("labels", "language_codes", "speaker_alias", "where", "exclude", "ages", "citation")
}


def load_corpora(user_file: Path | None = None) -> dict[str, Corpus]:
    """The built-in corpora, with those of a user's file merged over them, in the order of the files.

    A new key adds a corpus. For a known key the fields that the user's file gives replace the built-in ones, field by
    field: a field is replaced as a whole, and null takes it away.

    Args:
        user_file: a YAML file of the same form as ``corpora.yaml``

    Raises:
        EmosetError: that lists every mistake with file, line, key and mend
    """
    entries: dict[str, dict[str, Any]] = {}
    places: Places = {}
    defined: dict[str, list[str]] = {}
    files = [(_builtin_file(), "corpora.yaml"), *([(user_file, str(user_file))] if user_file else [])]
    for file, name in files:
        values, lines = read_yaml(file, REGISTRY, name)
        replaced = {where for where in lines if len(where) == 2}
        places = {where: place for where, place in places.items() if where[:2] not in replaced}
        places |= {where: (name, line) for where, line in lines.items()}
        for key, fields in values.items():
            entries[key] = entries.get(key, {}) | fields
            defined.setdefault(key, []).append(f"{name}, line {lines[key,]}")
    corpora = {key: _build(key, fields, " and ".join(defined[key])) for key, fields in entries.items()}
    refuse([wrong for key, fields in entries.items() for wrong in mistakes_of(corpora[key], fields, places, corpora)])
    return corpora


def get_corpus(corpora: dict[str, Corpus], key: str) -> Corpus:
    """The entry of a corpus.

    Raises:
        EmosetError: if there is none of this key; lists the known ones
    """
    if key not in corpora:
        raise unknown("corpus", key, corpora)
    return corpora[key]


def entry_of(corpora: dict[str, Corpus], key: str) -> Corpus:
    """The entry of a prepared corpus.

    Raises:
        EmosetError: if this registry is not the one with which it was prepared
    """
    if key not in corpora:
        raise EmosetError(
            f"{key} is prepared, but the registry has no entry for it",
            "name the file that has it by --registry, or put it into the workspace as corpora.yaml",
        )
    return corpora[key]


def _builtin_file() -> Path:
    """Inside an installed package, else at the top of the project."""
    return _PACKAGED if _PACKAGED.exists() else _PACKAGED.parent.parent / _PACKAGED.name


def _build(key: str, fields: dict[str, Any], where_defined: str) -> Corpus:
    given = {name: value for name, value in fields.items() if value is not None}
    language = given.get("language", ())
    by_language = language if isinstance(language, dict) else {}
    count = given.get("count")
    genders = {
        speaker: "" if gender == "unknown" else gender
        for gender, speakers in given.get("speakers", {}).items()
        for speaker in speakers
    }
    same: dict[str, Any] = {name: given.get(name) for name in _SAME}
    same |= {ours: given.get(name, {}) for name, ours in _MAPS.items()}
    levels, dimensions = given.get("levels", ()), given.get("dimensions", ())
    same["labels"] = same["labels"] or {level: level for level in levels}
    scales = dimensions if isinstance(dimensions, dict) else {}
    same["reference"] = same["reference"] or told(same["citation"]) or None
    return Corpus(
        key=key,
        name=given.get("name", key),
        languages=(language,) if isinstance(language, str) else tuple(language),
        speaker_languages={speaker: code for code, speakers in by_language.items() for speaker in speakers},
        genders=genders,
        tables={name: _table(table) for name, table in given.get("tables", {}).items()},
        subsets={
            name: {column: Rule(**rule) for column, rule in rules.items()}
            for name, rules in given.get("subsets", {}).items()
        },
        take=given.get("take", ()),
        levels=levels,
        dimensions=tuple(dimensions),
        scales={name: (scale.get("low", nan), scale.get("high", nan)) for name, scale in scales.items()},
        shares_speakers=given.get("shares_speakers", ()),
        count=Count(count.get("utterances"), count.get("speakers"), count.get("labels", {})) if count else None,
        partitions={name: _published(name, partition) for name, partition in given.get("partitions", {}).items()},
        notes=given.get("notes", ()),
        sources=given.get("sources", ()),
        where_defined=where_defined,
        **same,
    )


def _table(fields: dict[str, Any]) -> Table:
    extension = fields.get("file", "").rpartition(".")[2].lower()
    defaults: dict[str, Any] = {"format": _FORMATS.get(extension, "csv")}
    if extension == "tsv":
        defaults["separator"] = "\t"
    return Table(**(defaults | fields))


def _published(name: str, fields: dict[str, Any]) -> Published:
    by = fields.get("by", {})
    folds = fields.get("folds") or ({"1": fields} if "test" in fields or "devel" in fields else {})
    return Published(
        name=name,
        folds={
            fold: Fold(lists.get("train"), lists.get("devel", ()), lists.get("test", ()))
            for fold, lists in folds.items()
        },
        labels=fields.get("labels", ()),
        by={"1": by} if isinstance(by, str) else by,
        values=fields.get("values", {}),
        speakers_cross=fields.get("speakers_cross", False),
        source=fields.get("source", ""),
    )
