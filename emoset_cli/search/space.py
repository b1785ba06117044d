"""What a search tries: options of a command, and the ranges and choices from which their values come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from emoset_cli.knobs import Value, told

RANGES = ("int", "uniform", "log")
_DIGITS = 4  # significant ones of a number drawn from a range


@dataclass(frozen=True)
class Dimension:
    """A name under which something is searched.

    ``how`` is one of `RANGES`, within ``low`` and ``high``, or "choice": each of ``choices`` sets the same options.
    """

    name: str
    how: str
    low: float = 0
    high: float = 0
    choices: tuple[dict[str, Value], ...] = ()

    @property
    def options(self) -> tuple[str, ...]:
        """The options that it sets."""
        return tuple(self.choices[0]) if self.choices else (self.name,)

    @property
    def labels(self) -> tuple[str, ...]:
        """Its choices in words, each another."""
        return tuple(
            told(choice[self.name]) if self.options == (self.name,)
            else ", ".join(f"{name} {told(value)}" for name, value in choice.items())
            for choice in self.choices
        )  # fmt: skip

    def at(self, value: Any) -> dict[str, Value]:
        """The options at a number of its range, or at a choice's label."""
        return self.choices[self.labels.index(value)] if self.choices else {self.name: value}

    def rounded(self, value: Any) -> Any:
        """A value that was drawn, with few digits and within the bounds; labels and whole numbers stay."""
        if self.how not in {"uniform", "log"}:
            return value
        return min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)

    def as_dict(self) -> dict[str, Any]:
        """As a plan writes it."""
        if self.choices and self.options == (self.name,):
            return {"choice": [choice[self.name] for choice in self.choices]}
        return {self.how: list(self.choices) or [self.low, self.high]}


def options_at(space: Sequence[Dimension], values: Mapping[str, Any]) -> dict[str, Value]:
    """The options that values of all dimensions set, in the order of the space."""
    return {name: value for dimension in space for name, value in dimension.at(values[dimension.name]).items()}


def grid_size(space: Sequence[Dimension]) -> int:
    """Number of points of a space of choices."""
    return prod(len(dimension.choices) for dimension in space)


def grid_point(space: Sequence[Dimension], index: int) -> dict[str, str]:
    """The labels at a point of the grid, from 0; the last dimension changes fastest.

    Example:
        >>> cell = Dimension("cell", "choice", choices=({"cell": "gru"}, {"cell": "lstm"}))
        >>> blocks = Dimension("blocks", "choice", choices=({"blocks": 1}, {"blocks": 2}))
        >>> grid_point([cell, blocks], 1)
        {'cell': 'gru', 'blocks': '2'}
    """
    found = {}
    for dimension in reversed(space):
        index, place = divmod(index, len(dimension.choices))
        found[dimension.name] = dimension.labels[place]
    return dict(reversed(found.items()))
