"""A plan of a search, read from YAML and checked against the options of the command it trains with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.knob_reader import KnobReader, as_node, one_of
from emoset_cli.knobs import Command, Knob, Value, told
from emoset_cli.search.space import RANGES, Dimension, grid_size
from emoset_cli.yaml_schema import integer, list_of, map_of, record, text
from emoset_cli.yaml_tree import Document, Node, Where, read_tree, refuse

SAMPLERS = {
    "tpe": "where earlier trials did well, by Optuna's tree-structured Parzen estimator",
    "random": "anywhere",
    "grid": "every combination once",
}
OBJECTIVE = "mean devel UAR"
TRIALS = 20


@dataclass(frozen=True)
class Plan:
    """What is trained with fixed ``options``, what is searched, and how; ``trials`` counts all that shall be there."""

    name: str
    title: str
    source: str
    train: str
    options: dict[str, Value]
    space: tuple[Dimension, ...]
    sampler: str
    trials: int
    seed: int

    @property
    def searched(self) -> list[str]:
        """The options that are searched, in the order of the plan."""
        return [name for dimension in self.space for name in dimension.options]

    def asking(self, trials: int) -> "Plan":
        """The same plan with another number of trials; a grid has no more than its points."""
        return replace(self, trials=min(trials, grid_size(self.space)) if self.sampler == "grid" else trials)

    def as_dict(self) -> dict[str, Any]:
        """As a file would hold it, nothing left to defaults."""
        told_of = {name: text for name, text in (("title", self.title), ("source", self.source)) if text}
        return {
            **told_of,
            "train": self.train,
            "options": self.options,
            "space": {dimension.name: dimension.as_dict() for dimension in self.space},
            "search": {
                "sampler": self.sampler, "trials": self.trials, "seed": self.seed, "objective": OBJECTIVE,
            },
        }  # fmt: skip

    def settings(self) -> dict[str, Any]:
        """What decides which trials there are, and in which order: not their number."""
        return {
            "train": self.train, "options": self.options, "sampler": self.sampler, "seed": self.seed,
            "space": [[dimension.name, dimension.as_dict()] for dimension in self.space],
        }  # fmt: skip


def read_plan(path: Path, name: str, commands: Sequence[str], command: Callable[[str], Command]) -> Plan:
    """Read a plan.

    Args:
        path: the file
        name: how messages call it
        commands: what can be trained
        command: what one of them takes

    Raises:
        EmosetError: if the file cannot be read or is no plan; all mistakes are told at once, each with its line
    """
    document = Document(name)
    top = read_tree(path, document)
    search = record(
        sampler=one_of("sampler", SAMPLERS),
        trials=_positive,
        seed=integer,
        objective=one_of("objective", [OBJECTIVE]),
    )
    found = record(title=text, source=text, train=one_of("command of emoset train", commands), options=as_node,
                   space=as_node, search=search)(document, top, ())  # fmt: skip
    for key, example in (("train", "train: cnn"), ("space", "space: {dropout: {choice: [0, 0.2]}}")):
        if key not in found and top.kind == "mapping":
            document.wrong(top.line, (), f"the key '{key}' is missing", f"add {example}")
    if not found.get("train"):
        _refuse(document)
    asked = {key: value for key, value in (found.get("search") or {}).items() if value is not None}
    reader = _Reader(document, found["train"], command(found["train"]), asked.get("sampler", "tpe") == "grid")
    options = reader.fixed(found["options"], ("options",)) if "options" in found else {}
    space = reader.space(found["space"]) if "space" in found else ()
    _refuse(document)
    plan = Plan(path.stem, found.get("title", ""), found.get("source", ""), found["train"], options, space,
                asked.get("sampler", "tpe"), 0, asked.get("seed", 0))  # fmt: skip
    return plan.asking(asked.get("trials", grid_size(space) if reader.grid else TRIALS))


def _refuse(document: Document) -> None:
    refuse(sorted(document.mistakes, key=lambda mistake: mistake.line))


def _positive(document: Document, node: Node, where: Where) -> int | None:
    count: int | None = integer(document, node, where)
    if count == 0:
        document.wrong(node.line, where, "a search of 0 trials does nothing", "write 1 or more")
    return count or None


@dataclass
class _Reader(KnobReader):
    """Reads the parts of a plan that depend on its command; ``taken`` says where an option is set already."""

    grid: bool

    def __post_init__(self) -> None:
        self.taken: dict[str, str] = {}

    def fixed(self, node: Node, where: Where) -> dict[str, Value]:
        """What is not searched."""
        found = self.options(node, where)
        for name, _ in node.value if node.kind == "mapping" else []:
            if (*where, name.value) in self.document.lines:
                self.take(str(name.value), "options", (*where, name.value))
        return found

    def take(self, name: str, by: str, where: Where) -> None:
        """Note who sets an option; nobody else may."""
        if name in self.taken:
            problem = f"{name} is set under {self.taken[name]} already"
            self.document.wrong(self.document.lines[where], where, problem, "remove one of the two")
        self.taken.setdefault(name, by)

    def space(self, node: Node) -> tuple[Dimension, ...]:
        """All that is searched."""
        if node.kind == "mapping" and not node.value:
            self.document.wrong(node.line, ("space",), "nothing is searched", "add an option: {choice: [...]}")
        dimensions = []
        for name, inner in map_of(as_node)(self.document, node, ("space",)).items():
            dimension = self.dimension(name, inner, ("space", name))
            if dimension:
                dimensions.append(dimension)
                for option in dimension.options:
                    self.take(option, f"space.{name}", ("space", name))
        return tuple(dimensions)

    def dimension(self, name: str, node: Node, where: Where) -> Dimension | None:
        """One name of the space."""
        before = len(self.document.mistakes)
        found = record(**dict.fromkeys(("choice", *RANGES), as_node))(self.document, node, where)
        if len(self.document.mistakes) > before:
            return None
        if len(found) != 1:
            mend = "write one of choice: [a, b], int: [low, high], uniform: [low, high], log: [low, high]"
            self.document.wrong(node.line, where, f"{len(found) or 'no'} ways are given to search it", mend)
            return None
        how, inner = found.popitem()
        return self.choice(name, inner, where) if how == "choice" else self.range(name, how, inner, where)

    def choice(self, name: str, node: Node, where: Where) -> Dimension | None:
        """Values of an option, or mappings of options that are set together."""
        choices = self.choices(name, node, where, (*where, "choice"), True)
        return None if choices is None else Dimension(name, "choice", choices=choices)

    def range(self, name: str, how: str, node: Node, where: Where) -> Dimension | None:
        """Two bounds of a number."""
        knob = self.knob(name, where, True)
        if knob is None:
            return None
        place = (*where, how)
        error = self.unfit(name, how, knob)
        if error:
            self.document.wrong(node.line, place, error.problem, error.mend)
            return None
        before = len(self.document.mistakes)
        bounds = list_of(lambda _, inner, at: self.value(knob, inner, at))(self.document, node, place)
        if len(self.document.mistakes) > before:
            return None
        error = _misfit(how, bounds)
        if error:
            self.document.wrong(node.line, place, error.problem, error.mend)
            return None
        return Dimension(name, how, *bounds)

    def unfit(self, name: str, how: str, knob: Knob) -> EmosetError | None:
        """Why an option is not searched in this way, if it is not."""
        if self.grid:
            return EmosetError("a grid has no ranges", "write choice: [a, b], or sampler: tpe")
        if knob.kind not in {int, float}:
            return EmosetError(f"{name} is no number", f"write choice: [{', '.join(knob.words) or 'true, false'}]")
        if knob.kind is int and how != "int":
            return EmosetError(f"{name} takes whole numbers", "write int: [low, high]")
        if knob.kind is float and how == "int":
            return EmosetError(f"{name} is no whole number", "write uniform: [low, high] or log: [low, high]")
        return None


def _misfit(how: str, bounds: Sequence[Any]) -> EmosetError | None:
    if len(bounds) != 2:
        return EmosetError(f"{len(bounds)} numbers stand where two bounds are expected", f"write {how}: [low, high]")
    low, high = bounds
    if low >= high:
        swapped = f"write [{told(high)}, {told(low)}]" if low > high else "give it under options"
        return EmosetError(f"the lower bound {told(low)} is not below the upper bound {told(high)}", swapped)
    if how == "log" and low <= 0:
        return EmosetError("a logarithmic range begins above 0", "write uniform, or a lower bound such as 1e-4")
    return None
