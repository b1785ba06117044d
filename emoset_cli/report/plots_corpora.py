"""Plots of what recordings are like: durations and levels of each corpus (as SVG text, see `svg`)."""

from collections.abc import Callable, Sequence
from math import ceil, log10
from typing import Any

from emoset_cli.report.svg import (
    AMBER,
    BLUE,
    GREEN,
    GREY,
    PINK,
    SKY,
    VERMILION,
    line,
    rect,
    room,
    short,
    svg,
    text,
    tip,
)

_COLOURS = (BLUE, VERMILION, GREEN, AMBER, SKY, PINK)  # of corpora, in their order; one colour if there are more
_LINEAR_S = 10.0  # seconds up to which the axis of the box plots is linear
# Measure -> heading, unit, ticks; the ends of the axis are those of `explore.MEASURES`.
_PANELS = {
    "rms_db": ("Loudness", "rms, dB of full scale", (-60, -40, -20, 0)),
    "peak_db": ("Peak", "dB of full scale", (-40, -20, 0)),
    "silence": ("Silence", "share of 20 ms frames, %", (0, 0.25, 0.5, 0.75, 1)),
}


def colours(corpora: Sequence[str]) -> dict[str, str]:
    """A colour for each corpus while there are few enough to tell them apart, else blue for all."""
    few = len(corpora) <= len(_COLOURS)
    return {key: _COLOURS[index] if few else BLUE for index, key in enumerate(corpora)}


def duration_histogram(histogram: dict[str, Any], title: str = "Durations of all utterances") -> str:
    """Utterances by duration from 0 to 10 s, corpora stacked; how many are longer stands at the right.

    Source:
        Gerczuk et al. 2021 (EmoNet), Fig. 3.
    """
    edges, counts = histogram["edges"], histogram["counts"]
    width, height, left, top = 860, 240, 46, 34
    most = max((sum(column) for column in zip(*counts.values(), strict=True)), default=1) or 1
    step, tick = width / (len(edges) - 1), _round_tick(most / 4)
    parts = []
    for index in range(int(most / tick) + 1):
        y = top + height * (1 - index * tick / most)
        parts += [line(left, y, left + width, y), text(left - 8, y + 4, f"{index * tick}", "soft", "end", font_size=11)]
    fills = colours(list(counts))
    coloured = len(set(fills.values())) > 1
    for place, column in enumerate(zip(*counts.values(), strict=True)):
        stack, below = "", 0
        pieces = list(zip(counts, column, strict=True)) if coloured else [(next(iter(counts)), sum(column))]
        for key, n in pieces:
            tall = height * n / most
            stack += rect(left + step * place + 0.75, top + height - below - tall, step - 1.5, tall, fills[key], 0.9, 0)
            below += tall
        if below:
            each = ", ".join(f"{key} {n}" for key, n in zip(counts, column, strict=True) if n)
            words = f"{edges[place]:.2f} to {edges[place + 1]:.2f} s: {sum(column)} utterances ({each})"
            parts.append(tip(words, stack))
    for second in range(round(edges[0]), round(edges[-1]) + 1):
        x = left + width * (second - edges[0]) / (edges[-1] - edges[0])
        parts.append(text(x, top + height + 17, f"{second}", "soft", "middle", font_size=11))
    parts.append(text(left + width, top + height + 34, "duration [s]", "soft", "end", font_size=11))
    longer = sum(histogram["longer"].values())
    parts.append(text(left + width + 10, top + height - 6, f"{longer:,} longer", "soft", font_size=11))
    if coloured:
        x = left
        for key, fill in fills.items():
            parts += [rect(x, 7, 10, 10, fill, 0.9), text(x + 15, 16, short(key), "ink", font_size=11.5)]
            x += 34 + room([key], 11.5)
    return svg(left + width + 100, top + height + 40, title, parts)


def _round_tick(size: float) -> int:
    """The next 1, 2 or 5 times a power of ten."""
    power = 10 ** max(0, ceil(log10(size)) - 1) if size > 1 else 1
    return int(next(step * power for step in (1, 2, 5, 10) if step * power >= size))


def duration_boxes(corpora: dict[str, dict[str, Any]], title: str = "Durations of each corpus") -> str:
    """A box plot of durations for each corpus; whiskers reach to 1.5 times the box, dots lie beyond.

    The axis is linear to 10 s and logarithmic above, on a tinted ground.

    Args:
        corpora: corpus -> numbers, ``duration_s`` among them
        title: read by screen readers; not drawn

    Source:
        Gerczuk et al. 2021 (EmoNet), Fig. 2.
    """
    longest = max(one["duration_s"]["max"] for one in corpora.values())
    left, top, step = room(corpora, 13) + 16, 10.0, 34 if len(corpora) <= 12 else 26
    linear, logarithmic = (640, 220) if longest > _LINEAR_S else (860, 0)
    decades = max(1.0, log10(longest / _LINEAR_S)) if logarithmic else 1.0
    bottom = top + step * len(corpora)

    def at(seconds: float) -> float:
        if seconds <= _LINEAR_S:
            return left + linear * seconds / _LINEAR_S
        return left + linear + logarithmic * log10(seconds / _LINEAR_S) / decades

    parts = [rect(at(_LINEAR_S), top, logarithmic, bottom - top, GREY, 0.1, 0)] if logarithmic else []
    ticks = [*range(0, 11, 2), *(t for t in (20, 50, 100, 200, 500, 1000, 2000) if t <= max(longest, 100))]
    for tick in ticks if logarithmic else range(11):
        parts.append(line(at(tick), top, at(tick), bottom))
        parts.append(text(at(tick), bottom + 16, f"{tick}", "soft", "middle", font_size=11))
    words = "duration [s], logarithmic above 10 s" if logarithmic else "duration [s]"
    parts.append(text(left + linear + logarithmic, bottom + 34, words, "soft", "end", font_size=11))
    fills = colours(list(corpora))
    for row, (key, one) in enumerate(corpora.items()):
        parts.append(_box(key, one["duration_s"], at, top + step * (row + 0.5), left, fills[key]))
    return svg(left + linear + logarithmic + 24, bottom + 40, title, parts)


def _box(key: str, one: dict[str, Any], at: Callable[[float], float], y: float, left: float, fill: str) -> str:
    dots = {round(at(value) * 2) / 2 for value in one["outliers"]}  # as many as can be seen
    drawn = line(at(one["low"]), y, at(one["q1"]), y, "soft", width=1.5)
    drawn += line(at(one["q3"]), y, at(one["high"]), y, "soft", width=1.5)
    drawn += "".join(line(at(one[end]), y - 5, at(one[end]), y + 5, "soft", width=1.5) for end in ("low", "high"))
    drawn += "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{fill}" fill-opacity="0.55"/>' for x in sorted(dots)
    )
    drawn += rect(at(one["q1"]), y - 9, max(at(one["q3"]) - at(one["q1"]), 1.5), 18, fill, 0.8, 3)
    drawn += line(at(one["median"]), y - 9, at(one["median"]), y + 9, "ink", width=2)
    words = (
        f"{key}: median {one['median']:.2f} s, quartiles {one['q1']:.2f} and {one['q3']:.2f} s, "
        f"{one['min']:.2f} to {one['max']:.2f} s, {one['beyond']} of {one['n']} beyond the whiskers"
    )
    return tip(words, text(left - 10, y + 4, short(key), "ink", "end", font_weight=600) + drawn)


def condition_plot(
    corpora: dict[str, dict[str, Any]], measures: dict[str, tuple[float, float, float]], title: str = "Levels"
) -> str:
    """How loudness, peak and silence are distributed in each corpus; a line marks the median.

    Each curve is as tall as its row, whatever the size of the corpus.

    Args:
        corpora: corpus -> numbers, each measure with its ``histogram``
        measures: measure -> from, to, width of a bin (`explore.MEASURES`)
        title: read by screen readers; not drawn
    """
    left, top, panel, gap = room(corpora, 13) + 16, 48.0, 262, 44
    step = 42 if len(corpora) <= 12 else 30
    bottom = top + step * len(corpora)
    fills = colours(list(corpora))
    parts = []
    for row, key in enumerate(corpora):
        y = top + step * (row + 1)
        parts.append(text(left - 10, y - 6, short(key), "ink", "end", font_weight=600))
    for column, (name, (heading, unit, ticks)) in enumerate(_PANELS.items()):
        x0 = left + column * (panel + gap)
        low, high, _ = measures[name]
        parts += [text(x0, 14, heading, "ink", font_weight=600), text(x0, 31, unit, "soft", font_size=11)]
        for tick in ticks:
            x = x0 + panel * (tick - low) / (high - low)
            words = f"{100 * tick:.0f}" if name == "silence" else f"{tick}".replace("-", "−")
            parts += [line(x, top, x, bottom), text(x, bottom + 16, words, "soft", "middle", font_size=11)]
        for row, (key, one) in enumerate(corpora.items()):
            place = x0, top + step * (row + 1), panel, step - 8
            parts.append(_curve(key, name, one[name], place, (low, high), fills[key]))
    return svg(left + 3 * panel + 2 * gap + 14, bottom + 24, title, parts)


def _curve(
    key: str,
    name: str,
    one: dict[str, Any],
    place: tuple[float, float, float, float],
    ends: tuple[float, float],
    fill: str,
) -> str:
    """One histogram as a stepped area over its base line, the median as a line."""
    (x0, y, width, height), (low, high) = place, ends
    counts = one["histogram"]
    most, step = max(counts) or 1, width / len(counts)
    path = f"M{x0:.1f} {y:.1f}"
    for index, n in enumerate(counts):
        path += f"V{y - height * n / most:.1f}H{x0 + step * (index + 1):.1f}"
    median = x0 + width * min(max((one["median"] - low) / (high - low), 0), 1)
    drawn = f'<path d="{path}V{y:.1f}Z" fill="{fill}" fill-opacity="0.75"/>' + line(x0, y, x0 + width, y)
    drawn += line(median, y - height, median, y, "ink", width=1.5)
    heading = _PANELS[name][0].lower()
    told = [
        f"{100 * one[part]:.0f} %" if name == "silence" else f"{one[part]:.1f} dB" for part in ("median", "q1", "q3")
    ]
    words = f"{key}: {heading} {told[0]} (median), half of it {told[1]} to {told[2]}"
    return tip(words, drawn)
