"""What the parts of a plan must agree on: runs with those they start from, with features, corpora and seeds."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.knobs import told
from emoset_cli.plan.plan import PAPER, Plan, RunSet
from emoset_cli.yaml_tree import Document


@dataclass(frozen=True)
class Features:
    """The feature sets there are: names, and those that take options, with which."""

    names: frozenset[str]
    families: Mapping[str, tuple[str, ...]]


def check(document: Document, plan: Plan, features: Features) -> None:
    """Note what does not agree in a plan of some size."""
    for name, made in plan.extract.items():
        taken = features.families.get(made.feature, ())
        for option in [option for option in made.options if option not in taken]:
            error = unknown(f"option of feature {made.feature}", option, taken)
            _wrong(document, plan, ("extract", name), error)
    for key in sorted({key for key in plan.corpora if plan.corpora.count(key) > 1}):
        _wrong(document, plan, ("corpora",), EmosetError(f"{key} stands twice", "remove one"))
    for key in [key for key in plan.corpora if key in plan.unseen]:
        error = EmosetError(f"{key} is both trained on and unseen", "remove it from one of corpora and unseen")
        _wrong(document, plan, ("unseen",), error)
    for one in plan.runs.values():
        for error in _of_runs(plan, one, features):
            _wrong(document, plan, ("runs", one.name), error)


def _wrong(document: Document, plan: Plan, where: tuple[str, ...], error: EmosetError) -> None:
    """Note a mistake where the size says the thing itself, else where the plan does; once."""
    own = ("sizes", plan.size, *where)
    place = own if plan.size != PAPER and own in document.lines else where
    line = document.lines.get(place, 1)
    if not any(one.line == line and one.problem == error.problem for one in document.mistakes):
        document.wrong(line, place, error.problem, error.mend)


def _of_runs(plan: Plan, one: RunSet, features: Features) -> Iterator[EmosetError]:
    checks: tuple[Callable[[Plan, RunSet, Features], Iterator[EmosetError]], ...] = (_features, _origin, _corpora)
    for look in checks:
        yield from look(plan, one, features)
    for name in sorted({name for point in one.points for name in point if name in one.options}):
        value = told(one.options[name])
        yield EmosetError(f"{name} is set to {value} under options, and by the grid", "remove one of the two")
    if len(set(one.seeds)) < len(one.seeds):
        yield EmosetError("a seed stands twice", "give each seed once")


def _features(plan: Plan, one: RunSet, features: Features) -> Iterator[EmosetError]:
    for name in dict.fromkeys(str({**one.options, **point}.get("feature", "")) for point in one.points):
        if name in plan.extract or not name:
            continue
        if name in features.families:
            options = f"{{feature: {name}, options: {{model: ...}}}}"
            yield EmosetError(f"feature {name} takes options of its own", f"add extract: {{{name}: {options}}}")
        elif name not in features.names:
            yield unknown("feature", name, [*features.names, *features.families, *plan.extract])


def _origin(plan: Plan, one: RunSet, _: Features) -> Iterator[EmosetError]:
    if not one.origin:
        return
    base = plan.runs[one.origin]
    if base.train != one.train:
        yield EmosetError(
            f"{one.train} cannot start from {base.name}, which is of {base.train}", f"write train: {base.train}"
        )
    lacking = [str(seed) for seed in one.seeds if seed not in base.seeds] if len(base.seeds) > 1 else []
    if lacking:
        yield EmosetError(
            f"it starts from the run of the same seed, and {base.name} has none of seed {', '.join(lacking)}",
            f"take seeds from {', '.join(map(str, base.seeds))}, or give {base.name} a single seed",
        )


def _corpora(plan: Plan, one: RunSet, _: Features) -> Iterator[EmosetError]:
    known = plan.corpora
    for key in [key for key in one.corpora if known and key not in known]:
        yield unknown("corpus of the plan", key, known)
    if one.unseen and not plan.unseen and not plan.synthetic:
        yield EmosetError("it tests unseen corpora, and the plan names none", "add unseen: [KEY] to the plan")
