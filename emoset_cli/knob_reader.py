"""Options of a training command are read from YAML, and checked against what the command takes, with their lines."""

from dataclasses import dataclass
from typing import Any

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.knobs import Command, Knob, Value
from emoset_cli.yaml_schema import flag, list_of, map_of, scientific, signed, text
from emoset_cli.yaml_tree import Document, Node, Where

_SHAPES: dict[type, Any] = {bool: flag, int: signed, float: scientific, str: text}


def as_node(document: Document, node: Node, where: Where) -> Node:
    """A shape: the node itself, to be read later."""
    return node


def one_of(kind: str, known: Any) -> Any:
    """A shape: one of some words."""

    def read(document: Document, node: Node, where: Where) -> str | None:
        word = text(document, node, where)
        if word is None or word in known:
            return word
        error = unknown(kind, word, known)
        document.wrong(node.line, where, error.problem, error.mend)
        return None

    return read


@dataclass
class KnobReader:
    """Reads options of one command; mistakes are noted in the document."""

    document: Document
    train: str
    command: Command

    def options(self, node: Node, where: Where, searched: bool = False) -> dict[str, Value]:
        """Options with one value each."""
        found = {}
        for name, inner in map_of(as_node)(self.document, node, where).items():
            knob = self.knob(name, (*where, name), searched)
            value = self.value(knob, inner, (*where, name)) if knob else None
            if value is not None:
                found[name] = value
        return found

    def knob(self, name: str, where: Where, searched: bool = False) -> Knob | None:
        """The option of this name, which may be set here; ``searched``: with several values to choose from."""
        known = self.command.knobs
        error = self.command.refused.get(name)
        if name not in known and error is None:
            error = unknown(f"option of emoset train {self.train}", name, known)
        elif name in known and known[name].fixed and searched:
            error = EmosetError(
                f"devel UARs of different {name} cannot be compared", "give it under options, and search once for each"
            )
        if error is None:
            return known[name]
        self.document.wrong(self.document.lines[where], where, error.problem, error.mend)
        return None

    def value(self, knob: Knob, node: Node, where: Where) -> Value | None:
        """A value that the option takes; '' leaves an option of words out."""
        if knob.kind is str and node.kind == "str" and not node.value:
            return ""
        value: Value | None = _SHAPES[knob.kind](self.document, node, where)
        if value is None:
            return None
        try:
            knob.check(value)
        except EmosetError as error:
            self.document.wrong(node.line, where, error.problem, error.mend)
            return None
        return value

    def choices(
        self, name: str, node: Node, where: Where, place: Where, searched: bool = False
    ) -> tuple[dict[str, Value], ...] | None:
        """Values of the option ``name``, or mappings of options that are set together; None if there is a mistake.

        Args:
            name: of the option, or any word for mappings
            node: a list
            where: at which the name stands
            place: at which the list stands
            searched: as in `knob`
        """
        before = len(self.document.mistakes)
        coupled = node.kind == "list" and any(inner.kind == "mapping" for inner in node.value)
        knob = None if coupled else self.knob(name, where, searched)
        if knob is None and not coupled:
            return None

        def one(document: Document, inner: Node, at: Where) -> dict[str, Value] | None:
            if knob is None:
                return self.options(inner, at, searched)
            value = self.value(knob, inner, at)
            return None if value is None else {name: value}

        choices = list_of(one)(self.document, node, place)
        if len(self.document.mistakes) > before:
            return None
        for index, options in enumerate(choices):
            if not options or options.keys() != choices[0].keys():
                problem = f"this choice sets {', '.join(options) or 'nothing'}, the first {', '.join(choices[0])}"
                self.document.wrong(node.value[index].line, (*place, index), problem, "set the same options in each")
            elif options in choices[:index]:
                self.document.wrong(node.value[index].line, (*place, index), "this choice stands twice", "remove one")
        return None if len(self.document.mistakes) > before else choices
