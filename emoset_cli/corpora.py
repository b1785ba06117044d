"""The registry of corpora: `corpora.yaml` and a user's own file become checked `Corpus` entries."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from emoset_cli import yaml_schema as ys
from emoset_cli.errors import unknown
from emoset_cli.registry_checks import Places, mistakes_of
from emoset_cli.yaml_tree import refuse

_PACKAGED = Path(__file__).with_name("corpora.yaml")


@dataclass(frozen=True)
class Rule:
    """What a row must satisfy in one column; bounds are inclusive, and a missing value satisfies nothing."""

    min: float | None = None
    max: float | None = None
    any_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table beside the audio, joined to the utterances; ``columns`` maps our name to the table's.

    ``key`` is the table's column that holds the file name, with or without extension.
    """

    file: str
    encoding: str
    separator: str
    decimal: str
    key: str
    columns: dict[str, str]


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
    """A partition that somebody published, by lists of speakers (``folds``) or by a column (``by``, ``values``).

    ``labels`` are those the partition uses; empty means all. ``speakers_cross`` says that the published lists put a
    speaker into several partitions, which is refused without it.
    """

    name: str
    folds: dict[str, Fold]
    labels: tuple[str, ...]
    by: str | None
    values: dict[str, str]
    speakers_cross: bool
    source: str


@dataclass(frozen=True)
class Corpus:
    """One entry of the registry; what is not known is None or empty, never guessed.

    ``path`` is searched in the posix path of a recording relative to the corpus folder, without extension. ``labels``
    maps the group ``label`` to our words; ``genders`` maps speakers and, where given, names all of them.
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
    reference: str | None
    path: str | None
    id: str | None
    labels: dict[str, str]
    genders: dict[str, str]
    gender_codes: dict[str, str]
    speaker_alias: dict[str, str]
    where: dict[str, tuple[str, ...]]
    exclude: dict[str, str]
    tables: dict[str, Table]
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
        """The labels, each once, in the order of the registry."""
        return tuple(dict.fromkeys(self.labels.values()))

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """``path``, compiled; a corpus without ``path`` cannot be prepared, so do not ask it."""
        assert self.path is not None, f"{self.key} has no path"
        return re.compile(self.path)

    def language_of(self, speaker: str) -> str:
        """ISO 639-3 code of the language that a speaker speaks in this corpus; "" where that is not known."""
        known = self.languages[0] if len(self.languages) == 1 else ""
        return self.speaker_languages.get(speaker, known)


# The schema of an entry; any key may be absent, `registry_checks` says which a merged entry needs.
_SPEAKERS = ys.list_of(ys.text)
_FOLD = {"train": _SPEAKERS, "devel": _SPEAKERS, "test": _SPEAKERS}
_PARTITION = ys.record(
    **_FOLD,
    folds=ys.map_of(ys.record(**_FOLD)),
    labels=ys.list_of(ys.text),
    by=ys.text,
    values=ys.map_of(ys.text),
    speakers_cross=ys.flag,
    source=ys.text,
)
_TABLE = ys.record(
    file=ys.text,
    encoding=ys.text,
    separator=ys.character,
    decimal=ys.character,
    key=ys.text,
    columns=ys.map_of(ys.text),
)
_RULE = ys.record(min=ys.number, max=ys.number, any_of=ys.list_of(ys.text))
_REGISTRY = ys.map_of(
    ys.record(
        name=ys.text,
        language=ys.or_else(ys.text, mapping=ys.map_of(_SPEAKERS)),
        year=ys.or_null(ys.integer),
        nature=ys.or_null(ys.text),
        licence=ys.or_null(ys.text),
        access=ys.or_null(ys.text),
        obtain=ys.or_null(ys.text),
        reference=ys.or_null(ys.text),
        path=ys.or_null(ys.text),
        id=ys.or_null(ys.text),
        labels=ys.map_of(ys.text),
        speakers=ys.or_null(ys.record(female=_SPEAKERS, male=_SPEAKERS, unknown=_SPEAKERS)),
        speaker_alias=ys.or_null(ys.map_of(ys.text)),
        gender=ys.or_null(ys.map_of(ys.text)),
        where=ys.or_null(ys.map_of(ys.list_of(ys.text))),
        exclude=ys.or_null(ys.map_of(ys.text)),
        tables=ys.or_null(ys.map_of(_TABLE)),
        subsets=ys.or_null(ys.map_of(ys.map_of(_RULE))),
        take=ys.or_null(ys.list_of(ys.text)),
        count=ys.or_null(ys.record(utterances=ys.integer, speakers=ys.integer, labels=ys.map_of(ys.integer))),
        partitions=ys.or_null(ys.map_of(_PARTITION)),
        default_partition=ys.or_null(ys.text),
        notes=ys.or_null(ys.list_of(ys.text)),
        sources=ys.or_null(ys.list_of(ys.text)),
    )
)
_SAME = ("year", "nature", "licence", "access", "obtain", "reference", "path", "id", "default_partition")
_MAPS = {
    "labels": "labels",
    "gender": "gender_codes",
    "speaker_alias": "speaker_alias",
    "where": "where",
    "exclude": "exclude",
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
        values, lines = ys.read_yaml(file, _REGISTRY, name)
        replaced = {where for where in lines if len(where) == 2}
        places = {where: place for where, place in places.items() if where[:2] not in replaced}
        places |= {where: (name, line) for where, line in lines.items()}
        for key, fields in values.items():
            entries[key] = entries.get(key, {}) | fields
            defined.setdefault(key, []).append(f"{name}, line {lines[key,]}")
    corpora = {key: _build(key, fields, " and ".join(defined[key])) for key, fields in entries.items()}
    refuse([mistake for key, fields in entries.items() for mistake in mistakes_of(corpora[key], fields, places)])
    return corpora


def get_corpus(corpora: dict[str, Corpus], key: str) -> Corpus:
    """The entry of a corpus.

    Raises:
        EmosetError: if there is none of this key; lists the known ones
    """
    if key not in corpora:
        raise unknown("corpus", key, corpora)
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
        count=Count(count.get("utterances"), count.get("speakers"), count.get("labels", {})) if count else None,
        partitions={name: _published(name, partition) for name, partition in given.get("partitions", {}).items()},
        notes=given.get("notes", ()),
        sources=given.get("sources", ()),
        where_defined=where_defined,
        **same,
    )


def _table(fields: dict[str, Any]) -> Table:
    defaults = {"file": "", "encoding": "utf-8", "separator": ",", "decimal": ".", "key": "", "columns": {}}
    return Table(**{**defaults, **fields})


def _published(name: str, fields: dict[str, Any]) -> Published:
    folds = fields.get("folds") or ({"1": fields} if "test" in fields or "devel" in fields else {})
    return Published(
        name=name,
        folds={
            fold: Fold(lists.get("train"), lists.get("devel", ()), lists.get("test", ()))
            for fold, lists in folds.items()
        },
        labels=fields.get("labels", ()),
        by=fields.get("by"),
        values=fields.get("values", {}),
        speakers_cross=fields.get("speakers_cross", False),
        source=fields.get("source", ""),
    )
