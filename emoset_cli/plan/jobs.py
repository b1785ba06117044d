"""A plan over corpora becomes jobs: each one command line of emoset, known by what decides its result.

A command that needs the result of another job holds its id in braces: ``--initial-model {1a2b3c4d5e}`` stands for the
run, ``--feature {...}`` for the feature set that it makes. A word that begins with ``@`` is made on the spot.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.files import digest
from emoset_cli.knobs import Value, told
from emoset_cli.plan.plan import Extraction, Plan, RunSet

EXTRACT = "extract"
_HOLE = re.compile(r"\{([0-9a-f]{10})\}")


@dataclass(frozen=True)
class Job:
    """One command line: ``words`` are those behind ``emoset``.

    ``set`` is the set of runs it belongs to ("extract" for features), ``name`` what people call it. ``needs`` are the
    ids of jobs that must be done before. ``kind`` is the same for jobs that take equally long for an utterance.
    ``sets`` are all sets that want it, each with the point of its grid: option -> value in words.
    """

    id: str
    set: str
    name: str
    words: tuple[str, ...]
    corpora: tuple[str, ...]
    needs: tuple[str, ...]
    kind: str
    sets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def filled(self, answers: Mapping[str, str]) -> list[str]:
        """The words with the results of other jobs in their places; without a result, what will stand there."""
        return [_HOLE.sub(lambda hole: answers.get(hole[1], f"<{hole[1]}>"), word) for word in self.words]


@dataclass(frozen=True)
class Over:
    """What a plan is run over: corpora, unseen corpora, seeds (those of the plan where there are none)."""

    corpora: tuple[str, ...]
    unseen: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()


# The words of ``emoset train``: command, options, corpora.
Line = Callable[[str, Mapping[str, Value], Sequence[str]], list[str]]


def jobs_of(
    plan: Plan,
    over: Over,
    line: Line,
    data: Callable[[str, str, int], Any],
    default_feature: Callable[[str], str],
    families: Iterable[str],
) -> list[Job]:
    """The jobs of a plan, each behind those it needs.

    Args:
        plan: what is wanted
        over: the corpora, and further what replaces the plan's
        line: makes a command line
        data: of corpus, partition and seed: what besides the command decides a result
        default_feature: the feature set that a command reads where no option says so; "" for none
        families: feature sets that take options, and are found by what was extracted

    Raises:
        EmosetError: if nothing at all is left to do over these corpora
    """
    maker = _Maker(plan, over, line, data, default_feature, frozenset(families))
    for one in plan.runs.values():
        maker.add(one)
    if not maker.jobs:
        raise EmosetError(f"plan {plan.name} has nothing to do over {', '.join(over.corpora)}", "name other --corpora")
    return list(maker.jobs.values())


def with_needs(jobs: Sequence[Job], wanted: Iterable[str]) -> list[Job]:
    """The jobs of these sets and all that they need, in the same order."""
    chosen = {job.id for job in jobs if job.sets.keys() & set(wanted)}
    for job in reversed(jobs):  # what is needed stands before
        if job.id in chosen:
            chosen |= set(job.needs)
    return [job for job in jobs if job.id in chosen]


class _Maker:
    """Collects jobs; the same job asked for twice is one."""

    def __init__(
        self, plan: Plan, over: Over, line: Line, data: Callable[[str, str, int], Any],
        default_feature: Callable[[str], str], families: frozenset[str],
    ) -> None:  # fmt: skip
        self.plan, self.over, self.line, self.data = plan, over, line, data
        self.default_feature, self.families = default_feature, families
        self.jobs: dict[str, Job] = {}
        self.of_set: dict[str, list[Job]] = {}

    def add(self, one: RunSet) -> None:
        """The jobs of a set: over its corpora, its points, its seeds, and the runs it starts from."""
        keys = [key for key in one.corpora or self.over.corpora if key in self.over.corpora]
        groups = [tuple(keys)] if one.together else [(key,) for key in keys]
        made = []
        for point in one.points:
            for seed in self.over.seeds or one.seeds:
                for base in self.bases(one, seed):
                    made += [self.train(one, point, seed, base, group) for group in groups if _apart(group, base)]
        self.of_set[one.name] = made

    def bases(self, one: RunSet, seed: int) -> list[Job | None]:
        """Where runs start from: nothing, or the jobs of another set, those of the same seed where it has several."""
        if not one.origin:
            return [None]
        found = self.of_set[one.origin]
        same = [job for job in found if ("--seed", str(seed)) in zip(job.words, job.words[1:], strict=False)]
        seeds = self.over.seeds or self.plan.runs[one.origin].seeds
        return [*same] if len(seeds) > 1 else [*found]

    def train(
        self, one: RunSet, point: Mapping[str, Value], seed: int, base: Job | None, group: tuple[str, ...]
    ) -> Job:
        """A training over one group of corpora, and the extraction of what it reads."""
        options: dict[str, Value] = {**one.options, **point}
        unseen = self.over.unseen if one.unseen else ()
        needs = [base.id] if base else []
        feature = str(options.get("feature") or self.default_feature(one.train))
        if feature:
            made = [self.extract(feature, key) for key in (*group, *unseen)]
            needs += [job.id for job in made]
            if feature in self.plan.extract:
                options["feature"] = f"{{{made[0].id}}}"
        setting = digest(one.train, {name: str(value) for name, value in options.items()}, length=8)
        options |= {"unseen": ",".join(unseen)} if unseen else {}
        options |= {"initial-model": f"{{{base.id}}}"} if base else {}
        options["seed"] = seed
        words = self.line(one.train, options, group)
        origin = [f"from {base.name}"] if base and len(self.of_set[one.origin]) > 1 else []
        several = [f"seed {seed}"] if len(self.over.seeds or one.seeds) > 1 else []
        name = " ".join([one.name, *map(_point, point.items()), *origin, "+".join(group), *several])
        data = {key: self.data(key, str(options.get("partition", "")), seed) for key in (*group, *unseen)}
        place = {key: told(value) for key, value in point.items()} | ({"from": base.name} if base and origin else {})
        return self.keep(one.name, name, words, group, needs, data, f"{one.train} {setting}", place)

    def extract(self, feature: str, key: str) -> Job:
        """The extraction of a feature set for one corpus."""
        own = self.plan.extract.get(feature)
        if not own and feature in self.families:
            raise EmosetError(f"feature {feature} takes options of its own", "say under extract which")
        made = own or Extraction(feature, feature, {})
        flags = [word for name, value in made.options.items() for word in (f"--{name}", value)]
        words = [EXTRACT, made.feature, key, *flags]
        kind = " ".join([EXTRACT, made.feature, *flags])
        return self.keep(EXTRACT, f"{feature} {key}", words, (key,), [], {key: self.data(key, "", 0)}, kind)

    def keep(
        self, of: str, name: str, words: Sequence[str], corpora: tuple[str, ...], needs: Sequence[str], data: Any,
        kind: str, place: Mapping[str, str] = MappingProxyType({}),
    ) -> Job:  # fmt: skip
        """A job by the digest of all that decides its result; one that is there already keeps its first set."""
        job = Job("", of, name, tuple(words), corpora, tuple(needs), kind)
        key = digest(job.words, data, length=10)
        job = self.jobs.get(key) or replace(job, id=key)
        self.jobs[key] = replace(job, sets={of: dict(place)} | dict(job.sets))
        return self.jobs[key]


def _apart(group: tuple[str, ...], base: Job | None) -> bool:
    """Whether a run on ``group`` from ``base`` is a transfer: not from the very corpus itself."""
    return base is None or base.corpora != group


def _point(item: tuple[str, Value]) -> str:
    name, value = item
    return f"{name}={told(value)}"
