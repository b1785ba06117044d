"""The values of fields of names, alone and of several parts in a row, and how those of two fields occur together."""

from collections import Counter
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import exp
from random import Random

from emoset_cli.propose.shapes import Form, Part
from emoset_cli.propose.words import are_genders

SAMPLE = 6000  # names for the judgement; patterns are made of all


@lru_cache(maxsize=4)
def _picked(count: int) -> list[int]:
    """Which names make the sample; at random, for every n-th may always be the same label."""
    return sorted(Random(0).sample(range(count), SAMPLE))


@dataclass(frozen=True)
class Span:
    """A field, or several parts in a row that are one value (``f`` and ``01`` of ``f01``), in each name of a sample."""

    first: int  # index into `Form.parts`
    last: int
    parts: tuple[Part, ...]

    @cached_property
    def values(self) -> tuple[str, ...]:
        """Its value in each name of the sample."""
        count = max(len(part.values) for part in self.parts)
        if count > SAMPLE:
            picked = _picked(count)
            columns = [
                tuple(part.values[i] for i in picked) if part.values else (part.literal,) * SAMPLE
                for part in self.parts
            ]
        else:
            columns = [part.values or (part.literal,) * count for part in self.parts]
        return columns[0] if len(columns) == 1 else tuple(map("".join, zip(*columns, strict=True)))

    @cached_property
    def counts(self) -> Counter[str]:
        """How many names of the sample have each value."""
        return Counter(self.values)

    @property
    def level(self) -> int:
        """0 in the name, 1 in its folder, 2 in the folder above."""
        return self.parts[0].level

    @property
    def gender(self) -> int | None:
        """Which of its parts tells the gender, if another one numbers the speakers."""
        found = [i for i, part in enumerate(self.parts) if part.values and are_genders(set(part.values))]
        return found[0] if found and len(self.parts) > 1 else None

    def pattern(self) -> str:
        """Its expression, with the gender as a group within."""
        marked = self.gender
        return "".join(
            f"(?P<gender>{part.pattern})" if i == marked else part.pattern for i, part in enumerate(self.parts)
        )

    def overlaps(self, other: "Span") -> bool:
        """Whether the two share a part."""
        return self.first <= other.last and other.first <= self.last


def spans_of(form: Form) -> list[Span]:
    """All fields of a form, and those made of several parts."""
    parts = form.parts
    spans = [Span(i, i, (part,)) for i, part in enumerate(parts) if part.values]
    for i in range(len(parts)):
        for j in range(i + 1, min(i + 4, len(parts))):
            run = parts[i : j + 1]
            if len({part.level for part in run}) == 1 and _one_value(run):
                spans.append(Span(i, j, tuple(run)))
    return spans


def _one_value(run: list[Part]) -> bool:
    """Letters and a number that may be one name: ``S``, ``F``, ``12``; over a separator only ``F_01``."""
    filled = [part for part in run if part.values]
    if not run[0].values or not run[-1].values or len(filled) < 2 or len(set(run[-1].values)) == 1:
        return False
    varying = [part for part in filled if len(set(part.values)) > 1]
    genders = [part for part in varying if are_genders(set(part.values))]
    if len(filled) < len(run):  # over a separator
        if len(genders) != 1 or len(varying) != 2 or len(filled) != 2 or genders[0] is not run[0]:
            return False
        other = varying[1]
        if not all(value.isdigit() for value in set(other.values)):
            return False
        pairs = set(zip(genders[0].values, other.values, strict=True))
        return len(pairs) > len(set(other.values))  # the same number in both genders
    return len({part.chunk for part in run}) == 1 and len(varying) - len(genders) <= 1 and len(genders) <= 1


def same(a: Span, b: Span) -> bool:
    """Whether two fields tell the same in other words."""
    return len(a.counts) == len(b.counts) == len(set(zip(a.values, b.values, strict=True)))


def crossing(a: Span, b: Span) -> float:
    """Share of the combinations of values that occur, of those to be expected in a sample of this size."""
    product = len(a.counts) * len(b.counts)
    expected = product * (1 - exp(-SAMPLE / product)) if len(a.values) == SAMPLE else product
    return min(1.0, len(set(zip(a.values, b.values, strict=True))) / expected)
