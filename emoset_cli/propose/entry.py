"""A proposal as an entry of the registry: YAML to be edited, with what speaks for it in comments.

All of it is valid but the names of the labels, which are left empty: the registry refuses the entry until somebody has
named them.
"""

import json
import re
from collections import Counter
from typing import Any

from emoset_cli.propose import tables
from emoset_cli.propose.proposal import Proposal, codes
from emoset_cli.propose.spans import Span
from emoset_cli.propose.words import GENDERS

_EXAMPLES = 6
_MOST_CODES = 200
_WIDTH = 118


def key_of(name: str) -> str:
    """A key for a corpus, from the name of its folder.

    Example:
        >>> key_of("My Corpus (v2)"), key_of("数据")
        ('my-corpus-v2', 'new')
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "new"


def entry_text(proposal: Proposal, key: str) -> str:
    """The entry in YAML, with comments, ready to be edited."""
    lines = [
        *_head(proposal, key),
        f"{key}:",
        f"  name: {quoted(proposal.folder.name or key)}",
        "  language: und  # undetermined: write its ISO 639-3 code, as in deu, eng, cmn",
        *_path(proposal),
        *_gender(proposal),
        *_labels(proposal),
        *_tables(proposal),
    ]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    r"""A text that YAML takes for a text, whatever it holds.

    Example:
        >>> quoted("03"), quoted("it's"), quoted("a\nb")
        ("'03'", "'it''s'", '"a\\nb"')
    """
    return "'" + text.replace("'", "''") + "'" if text.isprintable() else json.dumps(text)


def shown(text: str) -> str:
    """A name for a comment: on one line."""
    return text if text.isprintable() else json.dumps(text)


def _comment(text: str, indent: str = "  ") -> list[str]:
    """A comment, wrapped at blanks."""
    lines, line = [], ""
    for word in shown(text).split(" "):
        if line and len(indent) + len(line) + len(word) + 3 > _WIDTH:
            lines.append(line)
            line = ""
        line += f" {word}"
    return [f"{indent}#{line}" for line in [*lines, line]]


def _head(proposal: Proposal, key: str) -> list[str]:
    folder = shown(str(proposal.folder))
    return [
        f"# Proposed by `emoset corpora new` from {proposal.files} audio files. It is a guess: correct it, name the",
        f"# labels, then `emoset corpora try {key} {folder} --registry THIS_FILE` tells what it explains.",
    ]


def _path(proposal: Proposal) -> list[str]:
    share = f"{proposal.explained} of {proposal.files} names"
    lines: list[str] = []
    if proposal.path is None:
        lines += _comment("No path: the names tell neither label nor speaker, the table below does.")
    else:
        lines += _comment(f"path fits {share}. Its groups:")
        for name, span in proposal.fields:
            lines += _group(proposal, name, span)
        for name in [name for name in proposal.counts if name.startswith("folder")]:
            lines += _comment(f"  {name}: {told(proposal.counts[name])}; without it names repeat")
        if "speaker" not in dict(proposal.fields):
            lines += _comment("  speaker  NOT FOUND: without one, no partition by speakers is possible")
    for shape, count, example in proposal.forms:
        lines += _comment(f"not explained: {count} such as {shown(example)} (form {shown(shape)})")
    if proposal.odd:
        lines += _comment(f"not explained: {proposal.odd} whose names are not UTF-8")
    if proposal.path is not None:
        lines.append(f"  path: {quoted(proposal.path)}")
    return lines


def _group(proposal: Proposal, name: str, span: Span) -> list[str]:
    assert proposal.judgement
    sure = proposal.judgement.sure.get(name)
    lines = _comment(f"  {name}{f' ({sure})' if sure else ''}: {told(proposal.counts[name])}")
    for other in proposal.judgement.others.get(name, []) if sure != "sure" else []:
        lines += _comment(f"    or is {name} {_place(proposal, other)}?")
    return lines


def _place(proposal: Proposal, span: Span) -> str:
    """A field in words: the group that it is now, or where it stands."""
    if named := next((name for name, other in proposal.fields if other == span), ""):
        return f"what is now '{named}'"
    where = {0: "in the name", 1: "in the folder"}.get(span.level, "in the folders above")
    values = sorted(span.counts)
    return f"{where}: {', '.join(map(shown, values[:_EXAMPLES]))}{', ...' if len(values) > _EXAMPLES else ''}"


def told(counts: Counter[str]) -> str:
    """Values and their number, in short."""
    values = sorted(counts)
    some = ", ".join(shown(value) for value in values[:_EXAMPLES]) + (", ..." if len(values) > _EXAMPLES else "")
    low, high = min(counts.values()), max(counts.values())
    each = f"{low}" if low == high else f"{low} to {high}"
    return f"{len(values)} value{'s' * (len(values) > 1)} ({some}), {each} files each"


def _gender(proposal: Proposal) -> list[str]:
    if not proposal.path or "(?P<gender>" not in proposal.path or proposal.judgement is None:
        return []
    roles = proposal.judgement.roles
    nested = [span.parts[span.gender] for span in roles.values() if span.gender is not None]
    part = nested[0] if nested else roles["gender"].parts[0]
    pairs = (f"{quoted(code)}: {GENDERS[code.lower()]}" for code in sorted(set(part.values)))
    return ["  gender: {" + ", ".join(pairs) + "}"]


def _labels(proposal: Proposal) -> list[str]:
    found = codes(proposal)
    where = proposal.label_table
    of = f"column {shown(where.known['label'])} of {shown(where.file)}" if where else "the names"
    if not found:
        return []
    lines = _comment(f"The label codes of {of}: name each, as in 'W': anger (what follows # is a guess).")
    lines.append("  labels:")
    for code, count, meaning in found[:_MOST_CODES]:
        lines.append(f"    {quoted(code)}:  # {count} files{f'; {meaning}?' if meaning else ''}")
    if len(found) > _MOST_CODES:
        lines += _comment(f"... and {len(found) - _MOST_CODES} more: these are hardly labels")
    return lines


def _tables(proposal: Proposal) -> list[str]:
    """The tables that tell something; those that only may be of use as a comment."""
    taken = {name for name, _ in proposal.fields} | ({"gender"} if "(?P<gender>" in (proposal.path or "") else set())
    written: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for table in proposal.tables:
        notes += _table_note(table)
        if not table.key:
            continue
        block = tables.block(table, taken)
        name = _name(table.file, written)
        if block["columns"]:
            written[name] = block
            taken |= set(block["columns"])
        elif others := [column for column in table.columns if column != table.key][:8]:
            block["columns"] = {_column(column, index): column for index, column in enumerate(others)}
            notes += ["  # to carry its columns, add this to the tables:", *_lines({name: block}, "  #   ")]
    if proposal.passed_tables:
        notes += _comment(f"{proposal.passed_tables} more text files are not looked at")
    return notes + (["  tables:", *_lines(written, "    ")] if written else [])


def _table_note(table: tables.Found) -> list[str]:
    if table.wrong:
        return _comment(f"table {shown(table.file)} is not read: {table.wrong}")
    columns = ", ".join(shown(column)[:40] for column in table.columns[:20])
    if not table.key:
        return _comment(f"table {shown(table.file)} names no recordings; columns: {columns}")
    of = "speakers" if table.match == "speaker" else "recordings"
    names = f"column {shown(table.key)} names {table.share:.0%} of the {of}"
    return _comment(f"table {shown(table.file)}: {names}; columns: {columns}")


def _lines(blocks: dict[str, dict[str, Any]], indent: str) -> list[str]:
    lines = []
    for name, block in blocks.items():
        lines.append(f"{indent}{name}:")
        for setting, value in block.items():
            text = _flow(value) if isinstance(value, dict) else _setting(value)
            lines.append(f"{indent}  {setting}: {text}")
    return lines


def _column(name: str, index: int) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or f"column{index}"


def _setting(value: str) -> str:
    return json.dumps(value) if value == "\t" else quoted(value)


def _flow(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {quoted(value)}" for name, value in values.items()) + "}"


def _name(file: str, known: dict[str, Any]) -> str:
    name = key_of(file.rpartition("/")[2].rpartition(".")[0])
    return name if name not in known else f"{name}-{len(known)}"
