"""What the path and the tables of an entry make columns of, and that all which names a column names one of them."""

import codecs
import re
import warnings
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from emoset_cli.templates import names_in
from emoset_cli.yaml_tree import Where

if TYPE_CHECKING:
    from emoset_cli.corpora import Corpus, Rule, Table

Found = Iterator[tuple[Where, str, str]]  # place within the entry, problem, mend

GENDERS = ("female", "male")
FORMATS = ("csv", "json", "jsonl", "xlsx", "lines")
# Names that a recording has beside the groups of its path, for templates and for `match` of a table.
NAMED = ("stem", "path", "id")
SEGMENT = ("row", "start_ms")  # and an utterance cut from a recording, for `id`
_COLUMNS = ("speaker", "gender", "language", "label", "text")  # every utterance table has them
_RESERVED = {
    "utterance", "corpus", "path", "native_sample_rate", "channels", "duration_s", "shard", "offset", "samples",
    "audio", "peak_db", "rms_db", "silence", "clipped",
}  # fmt: skip
_EXTENSION = re.compile(r"\\\.\(?(\?:)?(wav|flac|mp3|ogg|opus|aiff?|au|mp4|webm)\b")
_PLAIN = re.compile(r"[\w-]+")


def check_path(corpus: "Corpus", fields: dict[str, Any]) -> Found:
    """``path`` compiles, and what it or a table gives is all that is needed; ``where``, ``gender``, templates fit."""
    groups = groups_of(corpus.path or "")
    if isinstance(groups, str):
        yield ("path",), f"this regular expression does not compile: {groups}", "correct it; try it at a Python prompt"
        return
    tables = {column for table in corpus.tables.values() for column in table.columns}
    if corpus.path:
        yield from _groups(corpus, groups, tables)
    elif corpus.tables and "label" not in tables and not corpus.label and corpus.labelled:
        yield ("tables",), "neither 'path' nor a table gives the label", "add 'label: COLUMN' to 'columns' of a table"
    for key, codes, given in (
        ("gender", corpus.gender_codes, "gender"), ("language_codes", corpus.language_codes, "language"),
    ):  # fmt: skip
        if codes and given not in {*groups, *tables}:
            mend = f"add (?P<{given}>...) or remove this key"
            yield (key,), f"the expression in 'path' has no group '{given}'", mend
    for code, gender in corpus.gender_codes.items():
        if gender not in {*GENDERS, "unknown"}:
            yield ("gender", code), f"'{gender}' is no gender here", f"use {' or '.join(GENDERS)}, or unknown"
    for column in corpus.where:
        if column not in {*groups, *tables}:
            yield ("where", column), f"the expression in 'path' has no group '{column}'", one_of(column, groups)
    for key in ("speaker", "label"):
        if template := getattr(corpus, key):
            yield from _template((key,), template, {*groups, *tables}, "group of 'path' and no column of a table")
    if corpus.id:
        cut = SEGMENT if any(table.segments for table in corpus.tables.values()) else ()
        kind = "column" if tables else "group of 'path'"
        yield from _template(("id",), corpus.id, {*groups, *tables, "stem", *cut}, kind)


def _groups(corpus: "Corpus", groups: tuple[str, ...], tables: set[str]) -> Found:
    path = corpus.path or ""
    for name in ("speaker", "label") if corpus.labelled else ("speaker",):
        if name not in groups and name not in tables and not getattr(corpus, name):
            mend = f"mark it in the expression as (?P<{name}>...), or let a table or '{name}: TEMPLATE' give it"
            yield ("path",), f"the expression has no group '{name}'", mend
    cut = {"start_s", "end_s"}
    for name in sorted((_RESERVED | cut | (set() if corpus.language_codes else {"language"})) & set(groups)):
        yield ("path",), f"group '{name}' has the name of a column of the utterance table", "give it another name"
    if _EXTENSION.search(path):
        yield ("path",), "a file extension stands here, but names are searched without it", "end the expression with $"
    if "gender" in groups and not corpus.gender_codes and not corpus.genders:
        yield ("path",), "the codes of group 'gender' are not told", "add 'gender: {CODE: female, ...}' to the entry"
    for group, codes, key in (("label", corpus.labels, "labels"), ("gender", corpus.gender_codes, "gender")):
        if group in groups and (codes or group == "label") and group not in tables and not getattr(corpus, group, None):
            yield from _codes(group, codes, key, path)


def groups_of(path: str) -> tuple[str, ...] | str:
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


def _template(where: Where, template: str, known: set[str], kind: str) -> Found:
    try:
        names = names_in(template)
    except ValueError as error:
        yield where, f"the template is not understood ({error})", "write it as in '{speaker}_{label}'"
        return
    for name in names:
        if name not in known:
            yield where, f"{{{name}}} names no {kind}", one_of(name, known)
    if not names:
        what = "group: all utterances would be one" if where == ("id",) else "column"
        yield where, f"the template names no {what}", "write it as in '{speaker}_{label}'"


def check_columns(corpus: "Corpus", fields: dict[str, Any]) -> Found:
    """Columns that tables, subsets, takes and partitions name; an expression that fails is told by `check_path`."""
    groups = groups_of(corpus.path or "")
    if isinstance(groups, str):
        return
    known = {*_COLUMNS, *groups} | ({"age"} if corpus.ages else set())
    earlier: set[str] = set()
    for name, table in corpus.tables.items():
        for where, problem, mend in _table(table, groups, earlier):
            yield ("tables", name, *where), problem, mend
        earlier |= set(table.columns)
    known |= earlier
    if sum(table.segments for table in corpus.tables.values()) > 1:
        yield ("tables",), "several tables hold start_s and end_s", "let one table cut the recordings"
    for name, rules in corpus.subsets.items():
        for column, rule in rules.items():
            if column not in known:
                yield ("subsets", name, column), f"there is no column '{column}'", one_of(column, known)
            yield from _rule(corpus, ("subsets", name, column), column, rule)
    for key in ("take", "dimensions"):
        for index, column in enumerate(getattr(corpus, key)):
            where = (key, column if column in fields[key] and isinstance(fields[key], dict) else index)
            if column not in known:
                yield where, f"there is no column '{column}'", one_of(column, known)
            elif key == "dimensions" and column in _COLUMNS:
                yield where, f"column '{column}' holds texts, no numbers", one_of(column, known - set(_COLUMNS))
    for name, published in corpus.partitions.items():
        for column in published.by.values():
            if column not in known:
                yield ("partitions", name, "by"), f"there is no column '{column}'", one_of(column, known)


def _rule(corpus: "Corpus", where: Where, column: str, rule: "Rule") -> Found:
    if rule.min is None and rule.max is None and not rule.any_of and not rule.none_of:
        yield where, "the rule is empty", "give min, max or any_of, or none_of"
    for key in ("any_of", "none_of") if column == "label" and corpus.labels else ():
        for index, label in enumerate(getattr(rule, key)):
            if label not in corpus.label_names:
                yield (*where, key, index), *no_label(corpus, label)


def _table(table: "Table", groups: Iterable[str], earlier: set[str]) -> Found:
    """What is wrong with a table, given the groups of the path and the columns of tables before it."""
    for needed in ("file", "key", "columns", *(["line"] if table.format == "lines" else [])):
        if not getattr(table, needed):
            yield (), f"'{needed}' is missing", f"add '{needed}: ...' to the table"
    if table.format not in FORMATS:
        yield ("format",), f"'{table.format}' is no format of tables", f"use {', '.join(FORMATS)}"
    for key, format in (("line", ("lines",)), ("sheet", ("xlsx",)), ("records", ("json",))):
        if getattr(table, key) is not None and table.format not in format:
            yield (key,), f"'{key}' is of no use in a {table.format} file", f"remove it, or say 'format: {format[0]}'"
    try:
        codecs.lookup(table.encoding)
    except LookupError:
        yield ("encoding",), f"unknown encoding '{table.encoding}'", "for example utf-8 or latin-1"
    yield from _key_and_line(table)
    yield from _match(table, {*groups, *NAMED, *earlier, "speaker"})
    for column in table.columns:
        if column in {*groups, *_RESERVED}:
            yield ("columns", column), f"there is a column '{column}' already", "choose another name"
    for index, column in enumerate(table.texts):
        if column not in table.columns:
            yield ("texts", index), f"there is no column '{column}'", one_of(column, table.columns)
    if ("start_s" in table.columns) != ("end_s" in table.columns):
        yield ("columns",), "start_s and end_s belong together", "give both: seconds from the start of the recording"


def _key_and_line(table: "Table") -> Found:
    try:
        names = names_in(table.key)
    except ValueError as error:
        yield ("key",), f"the template is not understood ({error})", "write it as in '{Dialogue_ID}_{Utterance_ID}'"
        return
    if table.line is None:
        return
    found = groups_of(table.line)
    if isinstance(found, str):
        yield ("line",), f"this regular expression does not compile: {found}", "correct it; try it at a Python prompt"
        return
    for column in (*(names or (table.key,)), *table.columns.values()):
        if column and column not in {*found, "table_file"}:
            yield ("line",), f"the expression has no group '{column}'", one_of(column, found)


def _match(table: "Table", known: set[str]) -> Found:
    if "{" in table.match or "}" in table.match:
        yield from _template(("match",), table.match, known, "group, column of an earlier table, stem, path or id")
    elif table.match not in known:
        yield ("match",), f"a recording has no '{table.match}'", one_of(table.match, known)


def no_label(corpus: "Corpus", label: str) -> tuple[str, str]:
    """Problem and mend for a label that the corpus does not have."""
    return f"'{label}' is no label of this corpus", one_of(label, corpus.label_names)


def one_of(name: str, known: Iterable[str]) -> str:
    """The mend for a name that is none of the known ones."""
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    return f"{hint}known: {shown or 'none'}"
