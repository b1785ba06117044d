"""Corpora through each other's heads: which pairs a set of runs makes, and which of them belong together."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from emoset_cli.errors import EmosetError
from emoset_cli.report.settings import group
from emoset_cli.runs import Run

KINDS = WITHIN, CROSS, UNSEEN = "within", "cross", "unseen"


@dataclass(frozen=True)
class Member:
    """A head of a run, and the corpora that taught it."""

    run: Run
    head: str
    corpora: list[str]


@dataclass(frozen=True)
class Method:
    """A line of the summary: a run over several corpora, or runs on one corpus each, of one setting and seed."""

    name: str
    members: list[Member]

    @property
    def corpora(self) -> list[str]:
        """All its corpora, in order."""
        return list(dict.fromkeys(corpus for one in self.members for corpus in one.corpora))

    @property
    def runs(self) -> list[Run]:
        """Its runs, each once."""
        return list({one.run.name: one.run for one in self.members}.values())


@dataclass(frozen=True)
class Pair:
    """A corpus's test utterances through a head: ``within`` a corpus, ``cross``, or of a corpus ``unseen`` by all.

    ``other`` is a run of the method that has the corpus, where the member's own does not.
    """

    method: str
    member: Member
    corpus: str
    kind: str
    other: Run | None

    @property
    def key(self) -> tuple[str, str, str]:
        """Run, head and corpus."""
        return self.member.run.name, self.member.head, self.corpus


def methods(runs: Sequence[tuple[Run, Mapping[str, list[str]]]]) -> list[Method]:
    """The runs as methods: those of one corpus together, by setting and seed; each run of several corpora alone.

    Args:
        runs: each with the corpora that taught each of its heads

    Raises:
        EmosetError: if two runs of one setting and seed are on the same corpus
    """
    heads = {run.name: dict(own) for run, own in runs}
    found: list[Method] = []
    for kind in ("single-corpus", "multi-corpus"):
        of_kind = [run for run, own in runs if (sum(map(len, own.values())) == 1) == (kind == "single-corpus")]
        for setting in group(of_kind):
            seeds = [f"seed {run.config.get('seed')}" for run in setting.runs]
            told = kind == "single-corpus" or len(set(seeds)) == len(seeds)  # runs of other corpora have the same seed
            bundles: dict[str, list[Run]] = {}
            for seed, run in zip(seeds, setting.runs, strict=True):
                bundles.setdefault(seed if told else run.name, []).append(run)
            for which, bundle in bundles.items():
                name = f"{kind}: {setting.name}" + (f", {which}" if len(bundles) > 1 else "")
                members = [Member(run, head, corpora) for run in bundle for head, corpora in heads[run.name].items()]
                found.append(_refuse_twice(Method(name, members)))
    return found


def _refuse_twice(method: Method) -> Method:
    taught = Counter(corpus for one in method.members for corpus in one.corpora)
    if twice := [corpus for corpus, count in taught.items() if count > 1]:
        names = " and ".join(one.run.name for one in method.members if twice[0] in one.corpora)
        raise EmosetError(
            f"{names} are both '{method.name}' on {twice[0]}", "name the runs that shall count, one for each corpus"
        )
    return method


def pairs(method: Method, further: Sequence[str] = ()) -> Iterator[Pair]:
    """Each corpus through each head of a method; ``further`` corpora that none of its heads was taught with too."""
    own = method.corpora
    for member in method.members:
        for corpus in dict.fromkeys([*own, *further]):
            kind = WITHIN if corpus in member.corpora else CROSS if corpus in own else UNSEEN
            other = next((run for run in method.runs if corpus in run.config["corpora"]), None)
            yield Pair(method.name, member, corpus, kind, other)


def without_pairs(found: Sequence[Method], further: Sequence[str]) -> tuple[list[Method], list[Method]]:
    """The methods that make a pair across corpora, and those that make none."""
    able = [any(pair.kind != WITHIN for pair in pairs(one, further)) for one in found]
    return ([one for one, can in zip(found, able, strict=True) if can],
            [one for one, can in zip(found, able, strict=True) if not can])  # fmt: skip
