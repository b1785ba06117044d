"""What a plan is: sets of runs over corpora, features they need, and the sections of the report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from emoset_cli.knobs import Value

PAPER, SMOKE = "paper", "smoke"  # the size of a plan as it stands; the one on synthetic corpora


@dataclass(frozen=True)
class Extraction:
    """A feature set with options, under a name by which runs call it."""

    name: str
    feature: str
    options: Mapping[str, str]


@dataclass(frozen=True)
class RunSet:
    """Runs of one command: one for each corpus, or one for all ``together``; for each point of a grid and each seed.

    ``corpora`` are those of the plan where it is empty. ``origin`` names the set whose runs they start from;
    ``unseen`` says that the plan's unseen corpora are tested.
    """

    name: str
    train: str
    together: bool = False
    corpora: tuple[str, ...] = ()
    origin: str = ""
    unseen: bool = False
    options: Mapping[str, Value] = field(default_factory=dict)
    points: tuple[Mapping[str, Value], ...] = ({},)
    seeds: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Wanted:
    """A section of the report: its kind, its options, and the sets of runs it is of (all where there are none)."""

    kind: str
    options: Mapping[str, Any]
    runs: tuple[str, ...] = ()
    title: str = ""


@dataclass(frozen=True)
class Plan:
    """A plan in one of its sizes; ``reduced`` says what is not as in the paper's size."""

    name: str
    title: str
    source: str
    size: str
    sizes: tuple[str, ...]
    corpora: tuple[str, ...]
    unseen: tuple[str, ...]
    extract: Mapping[str, Extraction]
    runs: Mapping[str, RunSet]
    report: tuple[Wanted, ...]
    reduced: tuple[str, ...] = ()

    @property
    def synthetic(self) -> bool:
        """Whether its corpora are synthesised: a smoke size that names none."""
        return self.size == SMOKE and not self.corpora
