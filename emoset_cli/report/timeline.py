"""A recording's timeline as a picture: how probable each label is from beginning to end, and which one wins when."""

from collections.abc import Sequence
from typing import Any

from emoset_cli.report.svg import BLUE, VERMILION, line, rect, room, short, svg, text, tip

_WIDTH, _ROW, _GAP = 860, 34, 8
_STEPS = 430  # columns at most: a longer timeline shows means of neighbouring windows
_TICKS = 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800  # seconds


def timeline_plot(
    windows: Sequence[dict[str, Any]], stretches: Sequence[tuple[float, float, str]], head: str,
    labels: Sequence[str], seconds: float, title: str,
) -> str:  # fmt: skip
    """A row for each label: its probability as a blue area, a vermilion bar below where it is the most probable.

    Args:
        windows: of `emoset_cli.predict.facts.facts_of`
        stretches: beginning, end and label of each stretch of one label
        head: whose probabilities
        labels: of the head
        seconds: of the recording
        title: read by screen readers; not drawn
    """
    left, top = room(labels) + 14, 6
    width = _WIDTH - left - 12
    scale = width / seconds
    parts = []
    columns = _columns(windows, head, labels, seconds)
    for place, label in enumerate(labels):
        foot = top + (place + 1) * _ROW + place * _GAP
        parts.append(text(left - 8, foot - _ROW / 2 + 4, short(label), "ink", "end"))
        parts.append(line(left, foot, left + width, foot))
        parts.append(_area([(begin, end, shares[place]) for begin, end, shares in columns], left, foot, scale))
        for begin, end, winner in stretches:
            if winner == label:
                bar = rect(left + begin * scale, foot + 1, max((end - begin) * scale, 0.5), 4, VERMILION, 1, 1)
                parts.append(tip(f"{label}: {clock(begin)} to {clock(end)}", bar))
    bottom = top + len(labels) * (_ROW + _GAP)
    parts += _axis(left, bottom, width, seconds)
    return svg(_WIDTH, bottom + 26, title, parts)


def clock(seconds: float) -> str:
    """``1:02:03``, ``2:05``; a fraction only below ten seconds.

    Example:
        >>> clock(3723), clock(125.4), clock(2.5)
        ('1:02:03', '2:05', '0:02.5')
    """
    whole = int(seconds)
    start = f"{whole // 3600}:{whole // 60 % 60:02d}" if whole >= 3600 else f"{whole // 60}"
    tenths = round(10 * (seconds - whole)) if seconds < 10 else 0
    return f"{start}:{whole % 60:02d}" + (f".{tenths}" if 0 < tenths < 10 else "")


def _columns(
    windows: Sequence[dict[str, Any]], head: str, labels: Sequence[str], seconds: float
) -> list[tuple[float, float, list[float]]]:
    """Beginning, end and the labels' probabilities of each column: that of a window, or the mean of some."""
    together = -(-len(windows) // _STEPS)
    groups = [windows[at : at + together] for at in range(0, len(windows), together)]
    found: list[tuple[float, float, list[float]]] = []
    for number, group in enumerate(groups):
        middle = [(window["start_s"] + window["end_s"]) / 2 for window in (group[0], group[-1])]
        begin = found[-1][1] if found else 0.0
        last = number == len(groups) - 1
        following = groups[number + 1][0] if not last else {}
        end = seconds if last else (middle[1] + (following["start_s"] + following["end_s"]) / 2) / 2
        shares = [sum(one["said"][head]["probabilities"][label] for one in group) / len(group) for label in labels]
        found.append((begin, end, shares))
    return found


def _area(steps: Sequence[tuple[float, float, float]], left: float, foot: float, scale: float) -> str:
    """A stepped area over its foot, 1 as high as a row."""
    places = [f"M{left:.1f} {foot:.1f}"]
    for begin, end, share in steps:
        y = foot - share * _ROW
        places.append(f"L{left + begin * scale:.1f} {y:.1f}H{left + end * scale:.1f}")
    return f'<path d="{"".join(places)}V{foot:.1f}Z" fill="{BLUE}" fill-opacity="0.70"/>'


def _axis(left: float, y: float, width: float, seconds: float) -> list[str]:
    tick = next((step for step in _TICKS if seconds / step <= 10), _TICKS[-1])
    parts = []
    for number in range(int(seconds / tick + 1e-9) + 1):
        x = left + number * tick / seconds * width
        parts += [line(x, y, x, y + 4, "soft"), text(x, y + 18, clock(number * tick), "soft", "middle", font_size=11)]
    return parts
