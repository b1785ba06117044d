"""What an entry of the registry must satisfy beyond its form: names, codes, speakers and counts that fit each other."""

import re
from collections.abc import Callable, Collection
from math import isnan
from typing import TYPE_CHECKING, Any

from emoset_cli.column_checks import Found, check_columns, check_path, no_label, one_of
from emoset_cli.yaml_tree import Mistake, Where

if TYPE_CHECKING:
    from emoset_cli.corpora import Corpus, Fold

Places = dict[Where, tuple[str, int]]  # place in the registry -> file and line

NATURES = ("acted", "elicited", "natural", "synthetic")
PARTITIONS = ("train", "devel", "test")
_BIBTEX = (
    "article", "book", "inbook", "incollection", "inproceedings", "manual", "mastersthesis", "misc", "phdthesis",
    "proceedings", "techreport", "unpublished",
)  # fmt: skip
_OLDEST = 120  # years
_NAME = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*")


def mistakes_of(corpus: "Corpus", fields: dict[str, Any], places: Places, keys: Collection[str]) -> list[Mistake]:
    """All that does not fit in an entry, each with the file and line where it is mended.

    Args:
        corpus: the entry as built
        fields: the entry as written, merged over the files
        places: where each value stands; what is missing is told at the line of what should hold it
        keys: of all corpora, for those that share speakers
    """
    found = [mistake for check in CHECKS for mistake in check(corpus, fields)]
    for index, key in enumerate(corpus.shares_speakers):
        if key not in keys or key == corpus.key:
            found.append((("shares_speakers", index), f"there is no other corpus '{key}'", one_of(key, keys)))
    mistakes = []
    for where, problem, mend in found:
        full = (corpus.key, *where)
        file, line = next(places[full[:n]] for n in range(len(full), 0, -1) if full[:n] in places)
        mistakes.append(Mistake(file, line, full, problem, mend))
    return mistakes


def _names(corpus: "Corpus", fields: dict[str, Any]) -> Found:
    if not _NAME.fullmatch(corpus.key):
        yield (), f"'{corpus.key}' is no key of a corpus", "use a-z, 0-9 and - as in 'crema-d'"
    codes_in_names = corpus.path and not any("label" in table.columns for table in corpus.tables.values())
    codes_in_names = codes_in_names and corpus.labelled and not corpus.levels
    for needed in ("language", *(["labels"] if codes_in_names else [])):
        if not fields.get(needed):
            yield (), f"'{needed}' is missing", f"add '{needed}: ...' to the entry"
    for key, codes in (("language", corpus.languages), ("language_codes", corpus.language_codes.values())):
        for code in codes:
            if not re.fullmatch("[a-z]{3}", code):
                mend = "use the three letters of ISO 639-3, for example deu, eng, cmn"
                yield (key,), f"'{code}' is no ISO 639-3 language code", mend
    if corpus.nature and corpus.nature not in NATURES:
        yield ("nature",), f"'{corpus.nature}' is no nature of speech", f"use {', '.join(NATURES)}; more goes to notes"
    for kind in ("partitions", "subsets"):
        for name in fields.get(kind) or {}:
            if not _NAME.fullmatch(name):
                yield (kind, name), f"'{name}' is no name", "use a-z, 0-9 and - as in 'alisamir2022'"


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


def _facts(corpus: "Corpus", fields: dict[str, Any]) -> Found:
    for speaker, age in corpus.ages.items():
        if not 0 < age < _OLDEST:
            yield ("ages", speaker), f"{age:g} is no age in years", f"give years, 1 to {_OLDEST}"
        if corpus.genders and speaker not in corpus.genders:
            yield ("ages", speaker), *_no_speaker(corpus, speaker)
    kind = corpus.citation.get("type")
    if corpus.citation and kind not in _BIBTEX:
        problem = f"'{kind}' is no type of BibTeX entry" if kind else "'type' is missing"
        yield ("citation", *(["type"] if kind else [])), problem, f"use {', '.join(_BIBTEX)}"


def _scales(corpus: "Corpus", fields: dict[str, Any]) -> Found:
    """Levels are the labels, each once; dimensions have two ends, the lower one first."""
    if corpus.levels:
        for index, level in enumerate(corpus.levels):
            if level in corpus.levels[:index]:
                yield ("levels", index), f"level '{level}' stands here twice", "remove one of the two"
            elif level not in corpus.labels.values():
                known = one_of(level, corpus.labels.values())
                yield ("levels", index), f"'{level}' is no label of this corpus", known
        for label in dict.fromkeys(corpus.labels.values()):
            if label not in corpus.levels:
                yield ("levels",), f"label '{label}' has no place among the levels", "name it, from low to high"
        if len(corpus.levels) < 2:
            yield ("levels",), "there is one level only", "name all labels, from low to high"
    for name, (low, high) in corpus.scales.items():
        for end, value in (("low", low), ("high", high)):
            if isnan(value):
                yield ("dimensions", name), f"'{end}' is missing", "write it as in '{low: 1, high: 7}'"
        if low >= high:
            yield ("dimensions", name), f"'low' {low:g} is not below 'high' {high:g}", "correct one of the two"


def _count(corpus: "Corpus", fields: dict[str, Any]) -> Found:
    if corpus.count is None or not corpus.labels:
        return
    for label in corpus.count.labels:
        if label not in corpus.label_names:
            yield ("count", "labels", label), *no_label(corpus, label)
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
        for index, label in enumerate(published.labels if corpus.labels else ()):
            if label not in corpus.label_names:
                yield (*where, "labels", index), *no_label(corpus, label)
        for number, fold in published.folds.items():
            yield from _fold(
                corpus, (*where, *(["folds", number] if "folds" in written else [])), fold, published.speakers_cross
            )
    if corpus.default_partition and corpus.default_partition not in corpus.partitions:
        problem = f"there is no partition '{corpus.default_partition}' among 'partitions'"
        yield ("default_partition",), problem, one_of(corpus.default_partition, corpus.partitions)


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


def _no_speaker(corpus: "Corpus", speaker: str) -> tuple[str, str]:
    return f"speaker '{speaker}' is not in 'speakers'", one_of(speaker, corpus.genders)


CHECKS: tuple[Callable[["Corpus", dict[str, Any]], Found], ...] = (
    _names, check_path, _speakers, _facts, check_columns, _scales, _count, _partitions,
)  # fmt: skip
