"""A plan is read from YAML in one of its sizes and checked as a whole: names, options, values, what needs what."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.knob_reader import KnobReader, as_node, one_of
from emoset_cli.knobs import Command, Value
from emoset_cli.plan.agreement import Features, check
from emoset_cli.plan.plan import PAPER, Extraction, Plan, RunSet, Wanted
from emoset_cli.plan.sizes import sized
from emoset_cli.yaml_schema import flag, integer, list_of, map_of, or_else, record, text
from emoset_cli.yaml_tree import Document, Node, Where, read_tree, refuse

OVER = ("each", "together")
EXTRACT = ("model", "layer", "pool", "weights", "precision")  # options of emoset extract
# What a section of the report may be told, besides its runs and title.
SECTIONS: dict[str, tuple[str, ...]] = {
    "scores": (),
    "paper": ("name",),
    "transfer": ("reference",),
    "compare": (),
    "devel": (),
    "cross": ("space", "published", "on"),
    "embedding": ("method", "color", "partition", "correct", "seed"),
    "probe": (),
}
# Options of a command that a plan says in another way.
_SAID = {
    "seed": "seeds: [0, 1, 2]",
    "initial-model": "from: SET, the set of runs it starts from",
    "unseen": "unseen: true, and the corpora as unseen: [KEY] of the plan",
    "tune": "a second set of runs with from: SET and mode",
}


@dataclass(frozen=True)
class Known:
    """What a plan may name: the commands of ``emoset train`` with their options, tables of papers, feature sets.

    ``crossed`` are papers with figures across corpora.
    """

    commands: Sequence[str]
    command: Callable[[str], Command]
    papers: Sequence[str]
    features: Features
    crossed: Sequence[str]


def read_plan(path: Path, shown: str, size: str, known: Known) -> Plan:
    """Read a plan in one of its sizes.

    Args:
        path: the file
        shown: how messages call it
        size: paper, or one that it has under ``sizes``
        known: what it may name

    Raises:
        EmosetError: if the file cannot be read, is no plan or has no such size; all mistakes are told at once, each
            with its line
    """
    document = Document(shown)
    top = read_tree(path, document)
    found = record(title=text, source=text, corpora=list_of(text), unseen=list_of(text), extract=as_node, runs=as_node,
                   report=as_node, sizes=as_node)(document, top, ())  # fmt: skip
    for key, example in (("corpora", "corpora: [emodb]"), ("runs", "runs: {mine: {train: svm, over: each}}")):
        if key not in found and top.kind == "mapping":
            document.wrong(top.line, (), f"the key '{key}' is missing", f"add {example}")
    reader = _Reader(document, known)
    extract = reader.extractions(found.get("extract"))
    runs = reader.runs(found.get("runs"))
    report = reader.report(found.get("report"), runs)
    sizes = reader.sizes(found.get("sizes"), runs, extract)
    _refuse(document)  # what follows reads it as a whole
    names = (PAPER, *(name for name in sizes if name != PAPER))
    if size not in names:
        raise unknown(f"size of {shown}", size, names)
    plan = Plan(path.stem, found.get("title", path.stem), found.get("source", ""), size, names, found["corpora"],
                found.get("unseen", ()), extract, runs, report)  # fmt: skip
    in_size = {name: sized(replace(plan, size=name), sizes.get(name, {})) for name in names}
    for one in in_size.values():
        check(document, one, known.features)
    _refuse(document)
    return in_size[size]


def _refuse(document: Document) -> None:
    refuse(sorted(document.mistakes, key=lambda mistake: mistake.line))


@dataclass
class _Reader:
    """Reads the parts of a plan that depend on each other."""

    document: Document
    known: Known

    def knobs(self, train: str) -> KnobReader:
        """A reader of the options of a command, without those that a plan says in another way."""
        command = self.known.command(train)
        refused = {
            name: EmosetError(f"--{name} is said otherwise in a plan", f"write {said}") for name, said in _SAID.items()
        }
        kept = {name: knob for name, knob in command.knobs.items() if name not in refused}
        return KnobReader(self.document, train, Command(kept, {**command.refused, **refused}))

    def extractions(self, node: Node | None) -> dict[str, Extraction]:
        """Feature sets by the names that the plan gives them."""
        if node is None:
            return {}
        shape = map_of(
            record(feature=one_of("feature set with options", self.known.features.families), options=as_node)
        )
        found = {}
        for name, one in shape(self.document, node, ("extract",)).items():
            if "feature" not in one:
                line = self.document.lines["extract", name]
                self.document.wrong(line, ("extract", name), "the key 'feature' is missing", "add feature: wav2vec2")
            where = ("extract", name, "options")
            options = self.extract_options(one["options"], where) if "options" in one else {}
            found[name] = Extraction(name, one.get("feature") or "", options)
        return found

    def extract_options(self, node: Node, where: Where) -> dict[str, str]:
        """Options of ``emoset extract``."""
        found = record(**dict.fromkeys(EXTRACT, or_else(text, int=lambda _, inner, at: str(inner.value))))
        return {name: value for name, value in found(self.document, node, where).items() if value is not None}

    def runs(self, node: Node | None) -> dict[str, RunSet]:
        """The sets of runs by name; each may start from one before it."""
        if node is None:
            return {}
        shape = record(train=one_of("command of emoset train", self.known.commands), over=one_of("word", OVER),
                       unseen=flag, corpora=list_of(text), options=as_node, grid=as_node, seeds=list_of(integer),
                       **{"from": text})  # fmt: skip
        found: dict[str, RunSet] = {}
        sets = map_of(shape)(self.document, node, ("runs",))
        names = [*sets]
        for name, one in sets.items():
            where = ("runs", name)
            line = self.document.lines[where]
            for key, example in (("train", "train: cnn"), ("over", "over: each, or over: together")):
                if key not in one:
                    self.document.wrong(line, where, f"the key '{key}' is missing", f"add {example}")
            if one.get("train"):
                found[name] = self.run_set(name, one, self.origin(name, one, names), where)
        return found

    def origin(self, name: str, one: Mapping[str, Any], names: Sequence[str]) -> str:
        """The set of runs that this one starts from, "" for none; it stands before."""
        origin = one.get("from") or ""
        if not origin:
            return ""
        error = None
        if origin not in names:
            error = unknown("set of runs", origin, names)
        elif names.index(origin) >= names.index(name):
            mend = "name another one" if origin == name else f"move {origin} before {name}; they cannot need each other"
            error = EmosetError(f"{origin} is not before this set of runs, which starts from it", mend)
        elif "initial-model" not in self.known.command(one["train"]).knobs:
            error = EmosetError(f"{one['train']} does not start from another model", "leave from out")
        if error is None:
            return str(origin)
        where = ("runs", name, "from")
        self.document.wrong(self.document.lines[where], where, error.problem, error.mend)
        return ""

    def run_set(self, name: str, one: Mapping[str, Any], origin: str, where: Where) -> RunSet:
        """A set of runs whose command is known."""
        knobs = self.knobs(one["train"])
        options = knobs.options(one["options"], (*where, "options")) if "options" in one else {}
        points = self.points(knobs, one["grid"], (*where, "grid")) if "grid" in one else ({},)
        return RunSet(name, one["train"], one.get("over") == "together", one.get("corpora") or (), origin,
                      bool(one.get("unseen")), options, points, one.get("seeds") or (0,))  # fmt: skip

    def points(self, knobs: KnobReader, node: Node, where: Where) -> tuple[Mapping[str, Value], ...]:
        """Every combination of the values in a grid, the last name changing fastest."""
        axes = []
        for name, inner in map_of(as_node)(self.document, node, where).items():
            choices = knobs.choices(name, inner, (*where, name), (*where, name))
            if choices:
                axes.append(choices)
        return tuple({key: value for part in point for key, value in part.items()} for point in product(*axes))

    def report(self, node: Node | None, runs: Mapping[str, RunSet]) -> tuple[Wanted, ...]:
        """The sections of the report; without any, the scores of all runs."""
        if node is None:
            return (Wanted("scores", {}),)
        found = []
        value = or_else(text, list=list_of(text), bool=flag, int=integer, mapping=self.section_options)
        shapes = {**dict.fromkeys(SECTIONS, value), "runs": self.names_of(runs), "title": text}
        for index, one in enumerate(list_of(record(**shapes))(self.document, node, ("report",)) or ()):
            where: Where = ("report", index)
            kinds = [key for key in one if key in SECTIONS]
            if len(kinds) != 1:
                mend = f"write one of {', '.join(SECTIONS)}"
                self.document.wrong(self.document.lines[where], where, f"{len(kinds) or 'no'} kinds of section", mend)
                continue
            found.append(self.wanted(kinds[0], one, runs, where))
        return tuple(found)

    def wanted(self, kind: str, one: Mapping[str, Any], runs: Mapping[str, RunSet], where: Where) -> Wanted:
        """A section, its options those that its kind takes."""
        given = one[kind]
        options = dict(given) if isinstance(given, dict) else {"name": given} if isinstance(given, str) else {}
        chosen = options.pop("runs", None) or one.get("runs") or ()
        line = self.document.lines[(*where, kind)]
        for name in [name for name in options if name not in SECTIONS[kind]]:
            error = unknown(f"option of a section {kind}", name, [*SECTIONS[kind], "runs"])
            self.document.wrong(line, where, error.problem, error.mend)
        for name in [name for name in chosen if name is not None and name not in runs]:
            error = unknown("set of runs", name, runs)
            self.document.wrong(line, where, error.problem, error.mend)
        if kind == "paper" and options.get("name") not in self.known.papers:
            error = unknown("table of a paper", str(options.get("name")), self.known.papers)
            self.document.wrong(line, where, error.problem, error.mend)
        paper = options.get("published")
        if kind == "cross" and paper is not None and paper not in self.known.crossed:
            error = unknown("paper with figures across corpora", str(paper), self.known.crossed)
            self.document.wrong(line, where, error.problem, error.mend)
        return Wanted(kind, options, tuple(chosen), str(one.get("title") or ""))

    def section_options(self, document: Document, node: Node, where: Where) -> dict[str, Any]:
        """A shape: options of a section of any kind."""
        plain = or_else(text, list=list_of(text), bool=flag, int=integer)
        found: dict[str, Any] = map_of(plain)(document, node, where)
        return found

    def names_of(self, runs: Mapping[str, RunSet]) -> Any:
        """A shape: names of sets of runs."""
        return list_of(one_of("set of runs", runs))

    def sizes(
        self, node: Node | None, runs: Mapping[str, RunSet], extract: Mapping[str, Extraction]
    ) -> dict[str, dict[str, Any]]:
        """What each size says otherwise: corpora, seeds, sets of runs, options by command, by set, of features."""
        if node is None:
            return {}
        own = record(corpora=list_of(text), seeds=list_of(integer), options=as_node, grid=as_node)
        shape = record(corpora=list_of(text), unseen=list_of(text), seeds=list_of(integer), options=map_of(as_node),
                       extract=map_of(as_node), runs=map_of(own), only=self.names_of(runs))  # fmt: skip
        found = {}
        for name, size in map_of(shape)(self.document, node, ("sizes",)).items():
            where: Where = ("sizes", name)
            read = {key: size[key] for key in ("corpora", "unseen", "seeds", "only") if key in size}
            trains = dict.fromkeys(one.train for one in runs.values())
            read["options"] = {
                train: self.knobs(train).options(inner, (*where, "options", train))
                for train, inner in self.of(size, "options", trains, "command of the plan", where)
            }
            read["extract"] = {
                key: self.extract_options(inner, (*where, "extract", key))
                for key, inner in self.of(size, "extract", extract, "feature set of the plan", where)
            }
            read["runs"] = {
                key: self.own(runs[key], inner, (*where, "runs", key))
                for key, inner in self.of(size, "runs", runs, "set of runs", where)
            }
            found[name] = read
        return found

    def of(
        self, size: Mapping[str, Any], key: str, known: Iterable[str], kind: str, where: Where
    ) -> list[tuple[str, Any]]:
        """What a size says of things that the plan has; others are mistakes."""
        for name in [name for name in size.get(key, {}) if name not in known]:
            error = unknown(kind, name, known)
            place = (*where, key, name)
            self.document.wrong(self.document.lines[place], place, error.problem, error.mend)
        return [(name, inner) for name, inner in size.get(key, {}).items() if name in known]

    def own(self, one: RunSet, inner: Mapping[str, Any], where: Where) -> dict[str, Any]:
        """What a size says of one set of runs."""
        knobs = self.knobs(one.train)
        read = {key: inner[key] for key in ("corpora", "seeds") if key in inner}
        if "options" in inner:
            read["options"] = knobs.options(inner["options"], (*where, "options"))
        if "grid" in inner:
            read["points"] = self.points(knobs, inner["grid"], (*where, "grid"))
        return read
