"""YAML read strictly: a file becomes plain values that fit a schema, and each mistake in it is told with its line.

A schema is made of shapes, functions that turn a node into a value or note what is wrong with it: `text`,
`text_or_number`, `character`, `integer`, `number`, `signed`, `scientific`, `flag`, `list_of`, `map_of`, `record`,
`or_null`, `or_else`. Unlike plain YAML nothing is converted in silence: ``03`` where a speaker id is expected is a
mistake, not the number 3, and a key given twice is one too. Texts are in Unicode's composed form (NFC), as are the
names of files that they meet.
"""

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from unicodedata import normalize

from emoset_cli.yaml_tree import Document, Mistake, Node, Where, read_tree, refuse

Shape = Callable[[Document, Node, Where], Any]

_KINDS = {
    "int": "a number", "float": "a number", "bool": "true or false", "null": "nothing (null)",
    "timestamp": "a date", "merge": "a merge key", "value": "a default value",
}  # fmt: skip


def read_yaml(path: Path, shape: Shape, name: str = "") -> tuple[Any, dict[Where, int]]:
    """The values of a YAML file of the given shape, and the line of each.

    Args:
        path: the file
        shape: what its top must look like
        name: how messages call the file; by default its path

    Raises:
        EmosetError: if the file cannot be read, is not UTF-8, is not YAML, is empty or does not fit ``shape``; all
            misfits are told at once
    """
    document = Document(name or str(path))
    value = shape(document, read_tree(path, document), ())
    refuse(sorted(document.mistakes, key=lambda mistake: mistake.line))
    return value, document.lines


def text(document: Document, node: Node, where: Where) -> str | None:
    """A text that is not empty. What YAML takes for a number, a date or a truth value must be quoted."""
    if node.kind == "str":
        if node.value.strip():
            return normalize("NFC", node.value)
        document.wrong(node.line, where, "the text is empty", "fill it in or remove the key")
    elif node.kind in {"list", "mapping"}:
        document.wrong(node.line, where, f"{node.told} stands where a text is expected", "write one text")
    elif not node.value:
        document.wrong(node.line, where, "nothing stands where a text is expected", "fill it in or remove the key")
    else:
        taken = _KINDS.get(node.kind, node.kind)
        document.wrong(node.line, where, f"{node.value} is {taken} to YAML, not a text", f"quote it: '{node.value}'")
    return None


def text_or_number(document: Document, node: Node, where: Where) -> str | None:
    """A text, or a number in the digits in which it is written: for a year, a volume, a page."""
    return str(node.value) if node.kind in {"int", "float"} else text(document, node, where)


def character(document: Document, node: Node, where: Where) -> str | None:
    """One character, a tab or a blank too: what separates the columns of a table, or the decimals of a number."""
    if node.kind == "str" and len(node.value) == 1:
        return str(node.value)
    document.wrong(
        node.line, where, f"{node.told} stands where one character is expected", 'write it as in "," or "\\t"'
    )
    return None


def _digits(pattern: str, example: str, convert: Callable[[str], Any]) -> Shape:
    def shape(document: Document, node: Node, where: Where) -> Any:
        if node.kind in {"int", "float"} and re.fullmatch(pattern, node.value):
            return convert(node.value)
        document.wrong(node.line, where, f"{node.told} stands where a number is expected", f"write it as in {example}")
        return None

    return shape


integer = _digits(r"0|[1-9][0-9]{0,8}", "535", int)
number = _digits(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", "80 or 0.5", float)
signed = _digits(r"-?(0|[1-9][0-9]{0,8})", "3 or -60, without quotes", int)
scientific = _digits(
    r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,17})?([eE][-+]?[0-9]{1,2})?", "0.01 or 1e-4, without quotes", float
)


def flag(document: Document, node: Node, where: Where) -> bool | None:
    """``true`` or ``false``, nothing else (no yes, no, on, off)."""
    if node.kind == "bool" and node.value in {"true", "false"}:
        return bool(node.value == "true")
    document.wrong(node.line, where, f"{node.told} stands where true or false is expected", "write true or false")
    return None


def or_null(shape: Shape) -> Shape:
    """``shape``, or null for what is not known."""
    return lambda document, node, where: None if node.kind == "null" else shape(document, node, where)


def or_else(shape: Shape, **others: Shape) -> Shape:
    """``shape``, but another one for nodes of some kind: ``or_else(text, mapping=map_of(text))``."""
    return lambda document, node, where: others.get(node.kind, shape)(document, node, where)


def list_of(shape: Shape) -> Shape:
    """A list of at least one value of the same shape, as a tuple."""

    def read(document: Document, node: Node, where: Where) -> tuple[Any, ...] | None:
        if node.kind != "list":
            document.wrong(node.line, where, f"{node.told} stands where a list is expected", "write [first, second]")
            return None
        if not node.value:
            document.wrong(node.line, where, "the list is empty", "fill it in or remove the key")
        for index, item in enumerate(node.value):
            document.lines[*where, index] = item.line
        return tuple(shape(document, item, (*where, index)) for index, item in enumerate(node.value))

    return read


def map_of(shape: Shape) -> Shape:
    """A mapping of any keys (texts, given once each) to values of the same shape."""
    return lambda document, node, where: {
        key: shape(document, value, (*where, key)) for key, value in _pairs(document, node, where)
    }


def record(**shapes: Shape) -> Shape:
    """A mapping with known keys, each of its own shape; a key may be absent, an unknown one is a mistake."""

    def read(document: Document, node: Node, where: Where) -> dict[str, Any]:
        found = {}
        for key, value in _pairs(document, node, where):
            if key in shapes:
                found[key] = shapes[key](document, value, (*where, key))
            else:
                near = get_close_matches(key, shapes, n=1)
                hint = f"did you mean '{near[0]}'? " if near else ""
                mend = f"{hint}known: {', '.join(sorted(shapes))}"
                document.wrong(document.lines[*where, key], where, f"unknown key '{key}'", mend)
        return found

    return read


def _pairs(document: Document, node: Node, where: Where) -> Iterator[tuple[str, Node]]:
    if node.kind != "mapping":
        document.wrong(node.line, where, f"{node.told} stands where a mapping is expected", "write 'key: value' lines")
        return
    seen: dict[str, int] = {}
    for key_node, value in node.value:
        before = len(document.mistakes)
        key = text(document, key_node, where)
        if key is None:
            last = document.mistakes[before]
            document.mistakes[before] = Mistake(last.file, last.line, where, f"key: {last.problem}", last.mend)
            continue
        if key in seen:
            mend = "remove one of the two: YAML would keep the last in silence"
            document.wrong(key_node.line, (*where, key), f"the key stands already on line {seen[key]}", mend)
            continue
        seen[key] = document.lines[*where, key] = key_node.line
        yield key, value
