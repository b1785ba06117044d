"""A plan over corpora becomes jobs: each one command line of emoset, known by what decides its result.

A command that needs the result of another job holds its id in braces: ``--initial-model {1a2b3c4d5e}`` stands for the
run, ``--feature {...}`` for the feature set that it makes. A word that begins with ``@`` is made on the spot.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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

    ``sets`` are the sets of runs it belongs to ("extract" alone for features), ``name`` what people call it, by the
    first of them. ``needs`` are the ids of jobs that must be done before. ``kind`` is the same for jobs that take
    equally long for an utterance. ``points`` holds of each set the point of its grid: option -> value in words.
    """

    id: str
    sets: tuple[str, ...]
    name: str
    words: tuple[str, ...]
    corpora: tuple[str, ...]
    needs: tuple[str, ...]
    kind: str
    points: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def set(self) -> str:
        """The set of runs it is counted in."""
        return self.sets[0]

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
    made_by: Callable[[str], Any],
    default_feature: Callable[[str], str],
) -> list[Job]:
    """The jobs of a plan, each behind those it needs.

    Args:
        plan: what is wanted
        over: the corpora, and further what replaces the plan's
        line: makes a command line
        data: of corpus, partition and seed: what besides the command decides a result
        made_by: of a training command or a feature set: the version of what makes it
        default_feature: the feature set that a command reads where no option says so; "" for none

    Raises:
        EmosetError: if nothing at all is left to do over these corpora
    """
    maker = _Maker(plan, over, line, data, made_by, default_feature)
    for one in plan.runs.values():
        maker.add(one)
    if not maker.jobs:
        raise EmosetError(f"plan {plan.name} has nothing to do over {', '.join(over.corpora)}", "name other --corpora")
    sets = maker.sets()
    return [replace(job, sets=sets.get(job.id, job.sets), points=maker.points.get(job.id, {}))
            for job in maker.jobs.values()]  # fmt: skip


def with_needs(jobs: Sequence[Job], wanted: Iterable[str]) -> list[Job]:
    """The jobs of these sets and all that they need, in the same order."""
    names = set(wanted)
    chosen = {job.id for job in jobs if names & {*job.sets}}
    for job in reversed(jobs):  # what is needed stands before
        if job.id in chosen:
            chosen |= set(job.needs)
    return [job for job in jobs if job.id in chosen]


class _Maker:
    """Collects jobs; the same job asked for twice is one."""

    def __init__(
        self, plan: Plan, over: Over, line: Line, data: Callable[[str, str, int], Any], made_by: Callable[[str], Any],
        default_feature: Callable[[str], str],
    ) -> None:  # fmt: skip
        self.plan, self.over, self.line, self.data = plan, over, line, data
        self.made_by, self.default_feature = made_by, default_feature
        self.jobs: dict[str, Job] = {}
        self.of_set: dict[str, list[Job]] = {}
        self.seeded: dict[str, int] = {}
        self.points: dict[str, dict[str, dict[str, str]]] = {}

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

    def sets(self) -> dict[str, tuple[str, ...]]:
        """The sets of runs that ask for a training, by its id."""
        found: dict[str, dict[str, None]] = {}
        for name, made in self.of_set.items():
            for job in made:
                found.setdefault(job.id, {})[name] = None
        return {key: tuple(names) for key, names in found.items()}

    def bases(self, one: RunSet, seed: int) -> list[Job | None]:
        """Where runs start from: nothing, or the jobs of another set, those of the same seed where it has several."""
        if not one.origin:
            return [None]
        seeds = self.over.seeds or self.plan.runs[one.origin].seeds
        return [job for job in self.of_set[one.origin] if len(seeds) == 1 or self.seeded[job.id] == seed]

    def train(
        self, one: RunSet, point: Mapping[str, Value], seed: int, base: Job | None, group: tuple[str, ...]
    ) -> Job:
        """A training over one group of corpora, and the extraction of what it reads."""
        options = dict(sorted({**one.options, **point}.items()))  # their order in YAML makes no other job
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
        made_by = self.made_by(one.train)
        origin = [f"from {base.name}"] if base and len(self.of_set[one.origin]) > 1 else []
        several = [f"seed {seed}"] if len(self.over.seeds or one.seeds) > 1 else []
        name = " ".join([one.name, *map(_point, point.items()), *origin, "+".join(group), *several])
        data = {key: self.data(key, str(options.get("partition", "")), seed) for key in (*group, *unseen)}
        job = self.keep(one.name, name, words, group, needs, [data, made_by], f"{one.train} {setting}")
        self.seeded[job.id] = seed
        place = {key: told(value) for key, value in point.items()} | ({"from": base.name} if base else {})
        self.points.setdefault(job.id, {}).setdefault(one.name, place)
        return job

    def extract(self, feature: str, key: str) -> Job:
        """The extraction of a feature set for one corpus."""
        made = self.plan.extract.get(feature) or Extraction(feature, feature, {})
        flags = [word for name, value in sorted(made.options.items()) for word in (f"--{name}", value)]
        words = [EXTRACT, made.feature, key, *flags]
        kind = " ".join([EXTRACT, made.feature, *flags])
        data = [self.data(key, "", 0), self.made_by(made.feature)]
        return self.keep(EXTRACT, f"{feature} {key}", words, (key,), [], data, kind)

    def keep(
        self, of: str, name: str, words: Sequence[str], corpora: tuple[str, ...], needs: Sequence[str], data: Any,
        kind: str,
    ) -> Job:  # fmt: skip
        """A job by the digest of all that decides its result; one that is there already keeps its name."""
        job = Job("", (of,), name, tuple(words), corpora, tuple(needs), kind)
        job = replace(job, id=digest(job.words, data, length=10))
        return self.jobs.setdefault(job.id, job)


def _apart(group: tuple[str, ...], base: Job | None) -> bool:
    """Whether a run on ``group`` from ``base`` is a transfer: not from the very corpus itself."""
    return base is None or base.corpora != group


def _point(item: tuple[str, Value]) -> str:
    name, value = item
    return f"{name}={told(value)}"
