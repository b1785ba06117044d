"""Templates such as ``'{session}{letter}'``: texts with the names of columns in braces, and nothing cleverer."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from string import Formatter


def names_in(template: str) -> tuple[str, ...]:
    """The names that a template uses, in order.

    Raises:
        ValueError: if the braces do not fit, or a name carries a format (``{a:03}``) or conversion (``{a!r}``)

    Example:
        >>> names_in("{session}{letter}")
        ('session', 'letter')
    """
    names = []
    for _, name, form, conversion in Formatter().parse(template):
        if form or conversion:
            raise ValueError(f"{{{name}}} is to stand alone in its braces")
        if name is not None:
            names.append(name)
    return tuple(names)


@lru_cache(maxsize=256)
def filler(template: str) -> Callable[[Mapping[str, str]], str]:
    """A function that fills a template with texts; a name that has no text gives "".

    Unlike `str.format`, a dot or bracket in a name is part of the name: columns are called ``emotion.main``.

    Example:
        >>> filler("Ses{session}_{emotion.main}")({"session": "01", "emotion.main": "ang"})
        'Ses01_ang'
    """
    parts = [(literal, name) for literal, name, _, _ in Formatter().parse(template)]

    def fill(values: Mapping[str, str]) -> str:
        return "".join(literal + (values.get(name, "") if name is not None else "") for literal, name in parts)

    return fill
