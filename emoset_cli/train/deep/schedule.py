"""When the learning rate steps down and when training ends: state machines that know only devel UARs."""

from dataclasses import KW_ONLY, asdict, dataclass, field
from typing import Any, Self

from emoset_cli.errors import EmosetError

# First learning rate and number of learning rates, each a tenth of the one before. What starts from a trained network
# would be torn out of its place by 0.1. Source: Gerczuk et al. 2021, section 5.2.
_SCRATCH, _TUNING = (0.1, 3), (0.01, 2)
STARTS = {"scratch": _SCRATCH, "adapters": _SCRATCH, "finetune": _TUNING, "last-layer": _TUNING}


def lrs_for(mode: str, first: float | None = None, steps: int | None = None) -> tuple[float, ...]:
    """The learning rates of a training mode, first to last.

    Args:
        mode: a key of `STARTS`
        first: another learning rate to start from
        steps: another number of learning rates

    Raises:
        EmosetError: if the first learning rate is not above 0

    Example:
        >>> lrs_for("adapters"), lrs_for("finetune")
        ((0.1, 0.01, 0.001), (0.01, 0.001))
    """
    usual, count = STARTS[mode]
    if first is not None and not 0 < first < float("inf"):
        raise EmosetError(f"--learning-rate is {first:g}", "give a number above 0")
    return tuple((usual if first is None else first) / 10**step for step in range(steps or count))


@dataclass
class _Steps:
    """Where a training is: its learning rate and its best epoch. ``best_epoch`` counts from 1, 0 is none."""

    lrs: tuple[float, ...]
    _: KW_ONLY
    stage: int = 0
    epoch: int = 0
    stage_epochs: int = 0
    best: float = 0.0
    best_epoch: int = 0
    improved: bool = False
    finished: bool = False

    @property
    def lr(self) -> float:
        """The learning rate of the epoch to come."""
        return self.lrs[self.stage]

    def to_dict(self) -> dict[str, Any]:
        """All of the state, fit for JSON."""
        return asdict(self) | {"lrs": list(self.lrs)}

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> Self:
        """The state that `to_dict` answered."""
        return cls(**(state | {"lrs": tuple(state["lrs"])}))

    def _count(self, devel_uar: float) -> None:
        assert not self.finished, "training went on after its end"
        assert devel_uar == devel_uar, "devel UAR is not a number"
        self.epoch += 1
        self.stage_epochs += 1
        self.improved = self.best_epoch == 0 or devel_uar > self.best
        if self.improved:
            self.best, self.best_epoch = devel_uar, self.epoch

    def _lower(self, answer: str) -> str:
        """The next learning rate, or the end after the last."""
        if self.stage + 1 == len(self.lrs):
            self.finished = True
            return "stop"
        self.stage += 1
        self.stage_epochs = 0
        return answer


@dataclass
class Plateau(_Steps):
    """Steps down when devel UAR has not risen for ``patience`` epochs, and ends after the last learning rate.

    A learning rate also ends after ``max_epochs`` epochs (0: no limit). An equal UAR is no rise, so the first of
    equally good epochs is the best one. EmoNet's code counts only rises of more than 0.005 as such for its patience;
    the paper does not, nor does this.
    """

    patience: int = 20
    max_epochs: int = 0
    since: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        if self.patience < 1 or self.max_epochs < 0:
            raise EmosetError(
                f"--patience is {self.patience} and --max-epochs {self.max_epochs}",
                "give a patience of 1 or more, and 0 (no limit) or more epochs",
            )

    def update(self, devel_uar: float) -> str:
        """Take the devel UAR of an epoch; what is next.

        Returns:
            "go" to train on, "step" to go back to the best weights and on with the new ``lr``, "stop" at the end
        """
        self._count(devel_uar)
        self.since = 0 if self.improved else self.since + 1
        if self.since < self.patience and self.stage_epochs != self.max_epochs:
            return "go"
        self.since = 0
        return self._lower("step")


@dataclass
class Fixed(_Steps):
    """``epochs`` epochs at each learning rate, whatever devel says: EmoNet's multi-task training.

    The best epoch is known here too, but training does not go back to it.
    """

    epochs: int = 1

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise EmosetError(f"{self.epochs} rounds at each learning rate", "give 1 or more --rounds")

    def update(self, devel_uar: float) -> str:
        """Take the devel UAR of an epoch; what is next.

        Returns:
            "go" to train on, "lower" to go on from the present weights with the new ``lr``, "stop" at the end
        """
        self._count(devel_uar)
        return "go" if self.stage_epochs < self.epochs else self._lower("lower")
