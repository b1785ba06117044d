"""Optuna, as far as a search needs it: what to try next, and the journal of finished trials.

The journal holds finished trials only, a line each. What to try next comes from them alone: for every trial a study in
memory is made anew from those before it, with a seed of its own. So a search that was killed goes on as if nothing had
happened, and a trial that was under way leaves no trace but the epochs of its run.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.files import digest
from emoset_cli.search.plan import Plan
from emoset_cli.search.space import Dimension, grid_point

_NAME = "emoset"  # of the study within its journal


@dataclass(frozen=True)
class Trial:
    """A finished trial, its values by dimension; ``problem`` says why it failed, "" if it did not.

    ``number`` counts from 1. ``uar`` is the mean devel UAR of its runs, None if it failed.
    """

    number: int
    values: dict[str, Any]
    uar: float | None = None
    runs: list[str] = field(default_factory=list)
    problem: str = ""


def proposed(plan: Plan, number: int, past: Sequence[Trial]) -> dict[str, Any]:
    """The values of a trial, by dimension.

    Args:
        plan: of the search
        number: of the trial, from 1
        past: the trials before it
    """
    if plan.sampler == "grid":
        return dict(grid_point(plan.space, number - 1))
    import optuna

    _silence(optuna)
    seed = int(digest(plan.seed, number, length=8), 16)
    samplers = optuna.samplers
    sampler = samplers.TPESampler(seed=seed) if plan.sampler == "tpe" else samplers.RandomSampler(seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials([_frozen(plan, trial) for trial in sorted(past, key=lambda trial: trial.number)])
    drawn = study.ask(_distributions(plan)).params
    return {dimension.name: dimension.rounded(drawn[dimension.name]) for dimension in plan.space}


class Journal:
    """The finished trials of a search on disk, in the form of Optuna's journal: its own tools read it."""

    def __init__(self, path: Path) -> None:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        _silence(optuna)
        _repair(path)
        with _damage(path):
            storage = JournalStorage(JournalFileBackend(str(path), _Unlocked()))  # type: ignore[arg-type]
            self._study = optuna.create_study(
                storage=storage, study_name=_NAME, direction="maximize", load_if_exists=True
            )

    def trials(self) -> dict[int, Trial]:
        """By number; of a trial that was tried again the last."""
        found = {}
        for frozen in self._study.get_trials(deepcopy=False):
            facts = frozen.user_attrs
            found[facts["number"]] = Trial(
                facts["number"], dict(frozen.params), frozen.value, facts["runs"], facts["problem"]
            )
        return dict(sorted(found.items()))

    def add(self, plan: Plan, trial: Trial) -> None:
        """Write a finished trial."""
        self._study.add_trial(_frozen(plan, trial))


class _Unlocked:
    """No lock: one command writes a search, and a lock would outlive it when it is killed."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        return


def _repair(path: Path) -> None:
    """Take away the half line that a killed process left at the end."""
    if path.is_file():
        raw = path.read_bytes()
        whole = raw.rfind(b"\n") + 1
        if whole < len(raw):
            with path.open("r+b") as file:
                file.truncate(whole)


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise EmosetError(
            f"{path} is not the journal of a search ({error})",
            f"delete {path.parent} and give the command again: what is trained is found again",
        ) from None


def _silence(optuna: Any) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def _frozen(plan: Plan, trial: Trial) -> Any:
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState.FAIL if trial.uar is None else TrialState.COMPLETE,
        value=trial.uar,
        params=trial.values,
        distributions=_distributions(plan),
        user_attrs={"number": trial.number, "runs": trial.runs, "problem": trial.problem},
    )


def _distributions(plan: Plan) -> dict[str, Any]:
    return {dimension.name: _distribution(dimension) for dimension in plan.space}


def _distribution(dimension: Dimension) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dimension.choices:
        return CategoricalDistribution(dimension.labels)
    if dimension.how == "int":
        return IntDistribution(int(dimension.low), int(dimension.high))
    return FloatDistribution(dimension.low, dimension.high, log=dimension.how == "log")
