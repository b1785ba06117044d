"""A YAML file becomes a tree of nodes that know their line, without converting anything; mistakes are collected."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from emoset_cli.errors import EmosetError

_DEEPEST = 50  # libyaml itself goes on until the stack is full, and the process dies
_SHOWN = 20  # mistakes listed in one error
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER = yaml.resolver.Resolver()
_STANDARD = "tag:yaml.org,2002:"
_OFTEN_A_NUMBER = re.compile(r"[-+]?[0-9][0-9_]*(\.[0-9]*)?([eE][-+]?[0-9]+)?")  # 08 and 1e-3: numbers to YAML 1.2

Where = tuple[str | int, ...]  # keys and indices down to a value


@dataclass
class Node:
    """A scalar (``value`` is its text), a list (of nodes) or a mapping (of pairs of nodes) with its line.

    ``kind`` is "list", "mapping" or, for a scalar, what YAML takes it for: "str", "int", "bool", "null", ...
    """

    kind: str
    value: Any
    line: int

    @property
    def told(self) -> str:
        """The node in words, for messages."""
        shown = repr(self.value[:60]) if isinstance(self.value, str) else ""
        return {"list": "a list", "mapping": "a mapping"}.get(self.kind) or (shown if self.value else "nothing")


@dataclass(frozen=True)
class Mistake:
    """What is wrong at a place of a file, and how to mend it."""

    file: str
    line: int
    where: Where
    problem: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {dotted(self.where) + ': ' if self.where else ''}{self.problem}"


@dataclass
class Document:
    """A file being read: ``lines`` says where each value stands, ``mistakes`` what is wrong so far."""

    file: str
    lines: dict[Where, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def wrong(self, line: int, where: Where, problem: str, mend: str) -> None:
        """Note a mistake; reading goes on, so that all of a file are told at once."""
        self.mistakes.append(Mistake(self.file, line, where, problem, mend))


def dotted(where: Where) -> str:
    """A place within a file in the way people write it.

    Example:
        >>> dotted(("emodb", "speakers", "male", 0))
        'emodb.speakers.male[0]'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).removeprefix(".")


def refuse(mistakes: list[Mistake]) -> None:
    """Raise one EmosetError that lists all mistakes, one a line; do nothing if there are none.

    Raises:
        EmosetError: with the mend of the mistake where there is one only, else with a mend on each line
    """
    if not mistakes:
        return
    if len(mistakes) == 1:
        raise EmosetError(str(mistakes[0]), mistakes[0].mend)
    lines = [f"  {mistake} ({mistake.mend})" for mistake in mistakes[:_SHOWN]]
    if len(mistakes) > _SHOWN:
        lines.append(f"  ... and {len(mistakes) - _SHOWN} more")
    files = " and ".join(dict.fromkeys(mistake.file for mistake in mistakes))
    raise EmosetError("\n".join([f"{len(mistakes)} mistakes in {files}", *lines]), f"correct these places of {files}")


def _text_of(path: Path, document: Document) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise EmosetError(
            f"{document.file} cannot be read ({error.strerror or error})",
            "give the path of a YAML file that you may read",
        ) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problem = f"byte {raw[error.start]:#04x} is not UTF-8"
        raise EmosetError(f"{document.file}:{line}: {problem}", "save the file as UTF-8") from None


def read_tree(path: Path, document: Document) -> Node:
    """The node at the top of a YAML file.

    Built from parser events, for `yaml.compose` recurses in C and dies of deep nesting.

    Raises:
        EmosetError: if the file cannot be read, is not UTF-8, is empty or is not plain YAML (tags, aliases and several
            documents in one file are refused)
    """
    text = _text_of(path, document)
    try:
        top = _grown(yaml.parse(text, Loader=_LOADER), document)
        refuse(document.mistakes)
        return top
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        what = ", ".join(part for part in (error.context, error.problem) if part)
        problem, mend = f"this is not valid YAML: {what}", "look at this line and the one above: indent, colon, quotes"
    except yaml.YAMLError as error:
        position = getattr(error, "position", None)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 1
        problem, mend = f"this is not valid YAML: {' '.join(str(error).split())}", "remove the character"
    raise EmosetError(f"{document.file}:{line}: {problem}", mend)


def _grown(events: Iterator[Any], document: Document) -> Node:
    top = Node("list", [], 1)
    stack = [top]
    for event in events:
        line = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            stack[-1].value.append(Node(_scalar_kind(event, line, document), event.value, line))
        elif isinstance(event, yaml.CollectionStartEvent):
            kind = "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
            _plain_tag(event, line, document)
            node = Node(kind, [], line)
            stack[-1].value.append(node)
            stack.append(node)
            if len(stack) > _DEEPEST:
                raise EmosetError(f"{document.file}:{line}: nested more than {_DEEPEST} deep", "close the brackets")
        elif isinstance(event, yaml.CollectionEndEvent):
            node = stack.pop()
            if node.kind == "mapping":
                node.value = list(zip(node.value[::2], node.value[1::2], strict=True))
        elif isinstance(event, yaml.AliasEvent):
            document.wrong(line, (), f"alias *{event.anchor} is not used here", "write the value out")
            stack[-1].value.append(Node("alias", "", line))
        elif isinstance(event, yaml.DocumentStartEvent) and top.value:
            document.wrong(line, (), "a second document begins", "remove the line '---'")
            break
    if not top.value or (top.value[0].kind == "null" and not top.value[0].value):
        raise EmosetError(f"{document.file}:1: the file is empty", "write 'key: value' lines, or do not give the file")
    root: Node = top.value[0]
    return root


def _scalar_kind(event: Any, line: int, document: Document) -> str:
    _plain_tag(event, line, document)
    if event.style or event.tag:  # the style of a plain scalar is "" in C, None in Python
        return "str"
    tag = _RESOLVER.resolve(yaml.ScalarNode, event.value, (True, False))  # type: ignore[no-untyped-call]
    kind = str(tag).removeprefix(_STANDARD)
    return "int" if kind == "str" and _OFTEN_A_NUMBER.fullmatch(event.value) else kind


def _plain_tag(event: Any, line: int, document: Document) -> None:
    if event.tag and event.tag not in {"!", f"{_STANDARD}str", f"{_STANDARD}seq", f"{_STANDARD}map"}:
        document.wrong(line, (), f"YAML tag {event.tag} is not allowed", "remove the tag")
