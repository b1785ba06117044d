"""What an entry of the registry must satisfy beyond its form: names, codes, speakers and counts that fit each other."""

import codecs
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches
from string import Formatter
from typing import TYPE_CHECKING, Any

from emoset_cli.yaml_tree import Mistake, Where

if TYPE_CHECKING:
    from emoset_cli.corpora import Corpus, Fold

Places = dict[Where, tuple[str, int]]  # place in the registry -> file and line
Found = Iterator[tuple[Where, str, str]]  # place within the entry, problem, mend

NATURES = ("acted", "elicited", "natural", "synthetic")
GENDERS = ("female", "male")
PARTITIONS = ("train", "devel", "test")
_COLUMNS = ("speaker", "gender", "language", "label", "text")  # every utterance table has them
_RESERVED = {
    "utterance", "corpus", "language", "path", "native_sample_rate", "channels", "duration_s", "shard", "offset",
    "samples", "audio",
}  # fmt: skip
_NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")
_EXTENSION = re.compile(r"\\\.\(?(\?:)?(wav|flac|mp3|ogg|opus|aiff?|au|mp4|webm)\b")
_PLAIN = re.compile(r"[\w-]+")


def mistakes_of(corpus: "Corpus", fields: dict[str, Any], places: Places) -> list[Mistake]:
    """All that does not fit in an entry, each with the file and line where it is mended.

    Args:
        corpus: the entry as built
        fields: the entry as written, merged over the files
        places: where each value stands; what is missing is told at the line of what should hold it
    """
    mistakes = []
    for check in CHECKS:
        for where, problem, mend in check(corpus, fields):
            full = (corpus.key, *where)
            file, line = next(places[full[:n]] for n in range(len(full), 0, -1) if full[:n] in places)
            mistakes.append(Mistake(file, line, full, problem, mend))
    return mistakes


def _names(corpus: "Corpus", fields: dict[str, Any]) -> Found:
    if not _NAME.fullmatch(corpus.key):
        yield (), f"'{corpus.key}' is no key of a corpus", "use a-z, 0-9 and - as in 'crema-d'"
    for needed in ("language", *(["labels"] if corpus.path else [])):
        if not fields.get(needed):
            yield (), f"'{needed}' is missing", f"add '{needed}: ...' to the entry"
    for code in corpus.languages:
        if not re.fullmatch("[a-z]{3}", code):
            mend = "use the three letters of ISO 639-3, for example deu, eng, cmn"
            yield ("language",), f"'{code}' is no ISO 639-3 language code", mend
    if corpus.nature and corpus.nature not in NATURES:
        yield ("nature",), f"'{corpus.nature}' is no nature of speech", f"use {', '.join(NATURES)}; more goes to notes"
    for kind in ("partitions", "subsets"):
        for name in fields.get(kind) or {}:
            if not _NAME.fullmatch(name):
                yield (kind, name), f"'{name}' is no name", "use a-z, 0-9 and - as in 'alisamir2022'"


def _path(corpus: "Corpus", fields: dict[str, Any]) -> Found:
    if not corpus.path:
        return
    groups = _groups(corpus.path)
    if isinstance(groups, str):
        yield ("path",), f"this regular expression does not compile: {groups}", "correct it; try it at a Python prompt"
        return
    for name in ("speaker", "label"):
        if name not in groups:
            yield ("path",), f"the expression has no group '{name}'", f"mark it in the expression as (?P<{name}>...)"
    for name in sorted(_RESERVED & set(groups)):
        yield ("path",), f"group '{name}' has the name of a column of the utterance table", "give it another name"
    if _EXTENSION.search(corpus.path):
        yield ("path",), "a file extension stands here, but names are searched without it", "end the expression with $"
    if "gender" in groups and not corpus.gender_codes and not corpus.genders:
        yield ("path",), "the codes of group 'gender' are not told", "add 'gender: {CODE: female, ...}' to the entry"
    for group, codes, key in (("label", corpus.labels, "labels"), ("gender", corpus.gender_codes, "gender")):
        if group in groups and (codes or group == "label"):
            yield from _codes(group, codes, key, corpus.path)
    if corpus.gender_codes and "gender" not in groups:
        yield ("gender",), "the expression in 'path' has no group 'gender'", "add (?P<gender>...) or remove this key"
    for code, gender in corpus.gender_codes.items():
        if gender not in GENDERS:
            yield ("gender", code), f"'{gender}' is no gender here", f"use {' or '.join(GENDERS)}"
    for column in corpus.where:
        if column not in groups:
            yield ("where", column), f"the expression in 'path' has no group '{column}'", _one_of(column, groups)
    if corpus.id:
        yield from _template(corpus.id, groups)


def _groups(path: str) -> tuple[str, ...] | str:
    """The named groups of an expression, or, as a string, why it does not compile."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what re only warns of is a mistake in the expression too
            return tuple(re.compile(path).groupindex)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        return str(error) or "it is too deeply nested"


def _codes(group: str, codes: dict[str, str], key: str, path: str) -> Found:
    """The codes that a group names one by one, as in ``W|L`` or ``[WL]``, against those that are explained."""
    inner = _group(path, group)
    if re.fullmatch(r"\[\w+\]", inner):
        named = list(inner[1:-1])
    else:
        named = inner.split("|")
        if not all(_PLAIN.fullmatch(code) for code in named):
            return
    for code in named:
        if code not in codes:
            yield ("path",), f"'{code}' of group '{group}' is not in '{key}'", f"add it to '{key}' or remove it here"
    for code in codes:
        if code not in named:
            yield (key, code), f"'{code}' never occurs: group '{group}' is {inner}", "add it to 'path' or remove it"


def _group(path: str, name: str) -> str:
    """The expression inside a named group; "" where brackets are too clever to follow."""
    start = path.index(f"(?P<{name}>") + len(f"(?P<{name}>")
    found = re.match(r"[^()\\]*(?=\))", path[start:])
    return found[0] if found else ""


def _template(template: str, groups: Iterable[str]) -> Found:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        yield ("id",), f"the template is not understood ({error})", "write it as in '{speaker}_{label}'"
        return
    for _, name, form, conversion in parts:
        if name is not None and (name not in groups or form or conversion):
            yield ("id",), f"{{{name}}} names no group of 'path'", _one_of(name, groups)
    if not any(name for _, name, _, _ in parts):
        yield ("id",), "the template names no group: all utterances would be one", "write it as in '{speaker}_{label}'"


def _speakers(corpus: "Corpus", fields: dict[str, Any]) -> Found:
    lists = fields.get("speakers") or {}
    yield from _twice(("speakers",), lists)
    if isinstance(fields.get("language"), dict):
        yield from _twice(("language",), fields["language"])
        for speaker in corpus.genders:
            if speaker not in corpus.speaker_languages:
                yield ("language",), f"speaker '{speaker}' has no language", "add the speaker to a language"
        yield from _strangers(corpus, ("language",), fields["language"])
    if corpus.genders:
        for alias, speaker in corpus.speaker_alias.items():
            if speaker not in corpus.genders:
                yield ("speaker_alias", alias), *_no_speaker(corpus, speaker)


def _twice(where: Where, lists: dict[str, tuple[str, ...]]) -> Found:
    """Speakers that stand in two of the lists, or twice in one."""
    first: dict[str, str] = {}
    for name, speakers in lists.items():
        for index, speaker in enumerate(speakers):
            if speaker in first:
                yield (*where, name, index), f"speaker '{speaker}' stands already in '{first[speaker]}'", "remove one"
            first.setdefault(speaker, name)


def _strangers(corpus: "Corpus", where: Where, lists: dict[str, tuple[str, ...]]) -> Found:
    for name, speakers in lists.items():
        for index, speaker in enumerate(speakers):
            if corpus.genders and speaker not in corpus.genders:
                yield (*where, name, index), *_no_speaker(corpus, speaker)


def _columns(corpus: "Corpus", fields: dict[str, Any]) -> Found:
    """Columns that tables, subsets, takes and partitions name; an expression that fails is told by `_path` alone."""
    groups = _groups(corpus.path or "")
    if isinstance(groups, str):
        return
    known = {*_COLUMNS, *groups}
    for name, table in corpus.tables.items():
        for needed in ("file", "key", "columns"):
            if not getattr(table, needed):
                yield ("tables", name), f"'{needed}' is missing", f"add '{needed}: ...' to the table"
        try:
            codecs.lookup(table.encoding)
        except LookupError:
            yield ("tables", name, "encoding"), f"unknown encoding '{table.encoding}'", "for example utf-8 or latin-1"
        for column in table.columns:
            if column in known | _RESERVED:
                yield (
                    ("tables", name, "columns", column),
                    f"there is a column '{column}' already",
                    "choose another name",
                )
        known |= set(table.columns)
    for name, rules in corpus.subsets.items():
        for column, rule in rules.items():
            if column not in known:
                yield ("subsets", name, column), f"there is no column '{column}'", _one_of(column, known)
            if rule.min is None and rule.max is None and not rule.any_of:
                yield ("subsets", name, column), "the rule is empty", "give min, max or any_of"
            for index, label in enumerate(rule.any_of if column == "label" else ()):
                if label not in corpus.label_names:
                    yield ("subsets", name, column, "any_of", index), *_no_label(corpus, label)
    for index, column in enumerate(corpus.take):
        if column not in known:
            yield ("take", index), f"there is no column '{column}'", _one_of(column, known)
    for name, published in corpus.partitions.items():
        if published.by and published.by not in known:
            yield ("partitions", name, "by"), f"there is no column '{published.by}'", _one_of(published.by, known)


def _count(corpus: "Corpus", fields: dict[str, Any]) -> Found:
    if corpus.count is None or not corpus.labels:
        return
    for label in corpus.count.labels:
        if label not in corpus.label_names:
            yield ("count", "labels", label), *_no_label(corpus, label)
    total = sum(corpus.count.labels.values())
    if corpus.count.labels and corpus.count.utterances not in {None, total}:
        problem = f"the labels sum to {total}, but 'utterances' is {corpus.count.utterances}"
        yield ("count", "labels"), problem, "correct one of the two"
    if corpus.genders and corpus.count.speakers not in {None, len(corpus.genders)}:
        problem = f"{corpus.count.speakers} speakers are counted, but 'speakers' lists {len(corpus.genders)}"
        yield ("count", "speakers"), problem, "correct one of the two"


def _partitions(corpus: "Corpus", fields: dict[str, Any]) -> Found:
    for name, published in corpus.partitions.items():
        where = ("partitions", name)
        written = fields["partitions"][name]
        if not published.source:
            yield where, "'source' is missing", "say who published the partition"
        ways = [way for way in ("folds", "by") if way in written] + ["lists"] * any(
            part in written for part in PARTITIONS
        )
        if len(ways) != 1:
            yield (
                where,
                f"{len(ways)} ways to divide are given",
                "give 'by' with 'values', or 'folds', or 'test' speakers",
            )
        if bool(published.by) != bool(published.values):
            yield where, "'by' and 'values' belong together", "give both or none"
        for value, part in published.values.items():
            if part not in PARTITIONS:
                yield (*where, "values", value), f"'{part}' is no partition", f"use {', '.join(PARTITIONS)}"
        for index, label in enumerate(published.labels):
            if label not in corpus.label_names:
                yield (*where, "labels", index), *_no_label(corpus, label)
        for number, fold in published.folds.items():
            yield from _fold(
                corpus, (*where, *(["folds", number] if "folds" in written else [])), fold, published.speakers_cross
            )
    if corpus.default_partition and corpus.default_partition not in corpus.partitions:
        problem = f"there is no partition '{corpus.default_partition}' among 'partitions'"
        yield ("default_partition",), problem, _one_of(corpus.default_partition, corpus.partitions)


def _fold(corpus: "Corpus", where: Where, fold: "Fold", speakers_cross: bool) -> Found:
    lists = {"train": fold.train or (), "devel": fold.devel, "test": fold.test}
    if not fold.test:
        yield where, "'test' is missing", "name the test speakers"
    yield from _strangers(corpus, where, lists)
    for place, problem, mend in _twice(where, lists):
        part, speaker = place[-2], lists[str(place[-2])][int(place[-1])]
        if speaker in lists[str(part)][: int(place[-1])]:
            yield place, problem, mend
        elif not speakers_cross:
            yield place, f"{problem}: speakers never cross", "remove one, or say 'speakers_cross: true' if so published"


def _no_label(corpus: "Corpus", label: str) -> tuple[str, str]:
    return f"'{label}' is no label of this corpus", _one_of(label, corpus.label_names)


def _no_speaker(corpus: "Corpus", speaker: str) -> tuple[str, str]:
    return f"speaker '{speaker}' is not in 'speakers'", _one_of(speaker, corpus.genders)


def _one_of(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"{hint}known: {shown or 'none'}"


CHECKS: tuple[Callable[["Corpus", dict[str, Any]], Found], ...] = (
    _names, _path, _speakers, _columns, _count, _partitions,
)  # fmt: skip
