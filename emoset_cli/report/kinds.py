"""How a kind of value is printed in a table, and into which parts CSV takes it apart."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

NONE = "–"


@dataclass(frozen=True)
class Kind:
    """How a kind of value is printed, and into which parts CSV takes it apart."""

    text: Callable[[Any], str]
    parts: tuple[str, ...] = ("value",)


def _interval(form: Callable[[float], str]) -> Callable[[Any], str]:
    """``71.9 [65.1, 78.0]``; without an interval the value alone."""

    def text(value: Any) -> str:
        parts = value if isinstance(value, dict) else {"value": value}
        main = NONE if parts["value"] is None else form(parts["value"])
        low, high = parts.get("low"), parts.get("high")
        return main if low is None and high is None else f"{main} [{_end(form, low, '−')}, {_end(form, high, '')}]"

    return text


def _end(form: Callable[[float], str], value: float | None, sign: str) -> str:
    return f"{sign}∞" if value is None else form(value)


def percent(value: float) -> str:
    """``0.7194`` as ``71.9``."""
    return f"{100 * value:.1f}"


def points(value: float) -> str:
    """A difference of shares as percentage points with its sign: ``+3.1``, ``−0.4``."""
    return f"{100 * value:+.1f}".replace("-", "−")


def decibels(value: float) -> str:
    """One decimal with a true minus; nothing is −0.0."""
    return f"{round(value, 1) + 0.0:.1f}".replace("-", "−")


def size(value: float) -> str:
    """Bytes in the unit that leaves a short number.

    Example:
        >>> size(0), size(999), size(123_456), size(5e9)
        ('0 B', '999 B', '123.5 kB', '5.0 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.95:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def p_value(value: float) -> str:
    """``0.034``; below a thousandth ``< .001``."""
    return "< .001" if value < 0.001 else f"{value:.3f}"


def _span(value: dict[str, int]) -> str:
    """``12``; where folds or corpora differ ``12 to 40``."""
    low, high = value["low"], value["high"]
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def marks(value: dict[str, Any]) -> str:
    """``+`` of one pair of runs, ``+2/3`` of several seeds; in brackets where no majority of the seeds agrees.

    Example:
        >>> one = {"mark": "+", "plus": 2, "minus": 0, "pairs": 3}
        >>> marks(one), marks(one | {"mark": "", "plus": 1, "minus": 1}), marks(one | {"pairs": 1})
        ('+2/3', '(+1 −1/3)', '+')
    """
    if value["pairs"] < 2:
        return str(value["mark"])
    counts = " ".join(f"{sign}{value[key]}" for sign, key in (("+", "plus"), ("−", "minus")) if value[key])
    if not counts:
        return ""
    return f"{counts}/{value['pairs']}" if value["mark"] else f"({counts}/{value['pairs']})"


def _seeds(value: dict[str, Any]) -> str:
    """``72.6 ± 1.2 (3) +2/3`` over three seeds, ``72.6 + [65.1, 78.0]`` of a single one; marks only where tested."""
    mark = f" {marks(value)}".rstrip() if "mark" in value else ""
    if value["n"] > 1:
        return f"{percent(value['mean'])} ± {percent(value['sd'])} ({value['n']}){mark}"
    main, bracket, ends = _interval(percent)({**value, "value": value["mean"]}).partition(" [")
    return main + mark + bracket + ends


def _pairs(value: dict[str, Any]) -> str:
    """``50.8 (11.6)``, mean and standard deviation over pairs of corpora; of a single pair ``50.8``."""
    return percent(value["mean"]) + (f" ({percent(value['sd'])})" if value["sd"] is not None else "")


def _spread(value: dict[str, Any]) -> str:
    """``72.6 ± 1.2``; of a single number, which has no spread, ``72.6``."""
    return percent(value["mean"]) + ("" if value["sd"] is None else f" ± {percent(value['sd'])}")


_ENDS = ("value", "low", "high")
_SPREAD = ("mean", "sd")
_PAIR = ("a", "b")
_SEEDS = ("mean", "sd", "n", "low", "high")
KINDS = {
    "text": Kind(str),
    "count": Kind(lambda value: f"{value:,}"),
    "percent": Kind(_interval(percent), _ENDS),
    "percents": Kind(lambda value: f"{percent(value['a'])} → {percent(value['b'])}", _PAIR),
    "counts": Kind(lambda value: f"{value['a']:,} / {value['b']:,}", _PAIR),
    "cut": Kind(lambda value: f"{value['before']:,} → {value['after']:,}", ("before", "after")),
    "points": Kind(_interval(points), _ENDS),
    "ratio": Kind(_interval(lambda value: f"{value:.2f}"), _ENDS),
    "coefficient": Kind(lambda value: f"{value:.2f}".replace("-", "−")),
    "spread": Kind(_spread, _SPREAD),
    "pairs": Kind(_pairs, ("mean", "sd", "n")),
    "portion": Kind(lambda value: f"{value['count']:,} ({percent(value['share'])})", ("count", "share")),
    "seconds": Kind(lambda value: f"{value['mean']:.2f} ± {value['sd']:.2f}", _SPREAD),
    "hours": Kind(lambda value: f"{value:.2f}"),
    "bytes": Kind(size),
    "duration": Kind(lambda value: f"{value:.2f}"),
    "decibels": Kind(_interval(decibels), _ENDS),
    "p": Kind(p_value),
    "span": Kind(_span, ("low", "high")),
    "seeds": Kind(_seeds, _SEEDS),
    "marked": Kind(_seeds, (*_SEEDS, "mark", "plus", "minus", "pairs")),
}


def parts_of(kind: str, value: Any) -> list[Any]:
    """The value taken apart for CSV; an absent part is empty."""
    names = KINDS[kind].parts
    if len(names) > 1:
        parts = value if isinstance(value, dict) else {"value": value}
        return ["" if parts.get(name) is None else parts[name] for name in names]
    return ["" if value is None else value]
