"""Plots of labels: by speaker, with the pairs that do not occur, and shared by corpora (as SVG text, see `svg`)."""

from collections.abc import Sequence
from typing import Any

from emoset_cli.report.svg import BLUE, GENDERS, GREY, VERMILION, line, mark, rect, room, short, svg, text, tip

_SPEAKERS = 60  # more are not drawn one by one
_BINS = ((0, 0), (1, 1), (2, 4), (5, 9), (10, 19), (20, 49), (50, 99), (100, 10**9))  # utterances of a speaker


def cells_plot(found: dict[str, Any], title: str) -> str:
    """Utterances of each speaker (columns) in each label (rows); a pair without any is hatched.

    Above: all utterances of the speaker. At the right: of women and of men. More than 60 speakers are drawn as
    numbers of speakers who have so many utterances of a label.

    Args:
        found: as `explore.cells` gives it
        title: read by screen readers; not drawn
    """
    return _each_speaker(found, title) if len(found["speakers"]) <= _SPEAKERS else _many_speakers(found, title)


def _each_speaker(found: dict[str, Any], title: str) -> str:
    labels, speakers, genders, counts = (found[name] for name in ("labels", "speakers", "genders", "counts"))
    size, tall = min(34.0, max(15.0, 720 / len(speakers))), 26
    left, bars = room(labels) + 16, 40
    turned = room([short(name, 10) for name in speakers], 10.5) > size - 3
    names = room([short(name, 10) for name in speakers], 10.5) + 10 if turned else 16
    top = bars + names + 18
    xs, most = _columns(left, size, genders), max(max(map(max, counts)), 1)
    totals = [sum(row) for row in counts]
    parts = [text(left - 10, top + tall * row + 17, short(label), "ink", "end") for row, label in enumerate(labels)]
    for x, speaker, gender, row, total in zip(xs, speakers, genders, counts, totals, strict=True):
        high = (bars - 14) * total / max(totals)
        column = rect(x + 1.5, bars - high, size - 3, high, GENDERS.get(gender, GREY), 0.85, 1)
        if x == xs[totals.index(max(totals))]:
            column += text(x + size / 2, bars - high - 4, f"{total}", "soft", "middle", font_size=10)
        column += mark(x + size / 2, bars + 9, gender, min(4, size / 4))
        if turned:
            at = (x + size / 2 + 4, top - 5)
            turn = f"rotate(-90 {at[0]:.1f} {at[1]:.1f})"
            column += text(*at, short(speaker or "?", 10), "soft", font_size=10.5, transform=turn)
        else:
            column += text(x + size / 2, bars + 28, speaker or "?", "soft", "middle", font_size=10.5)
        parts.append(tip(f"{speaker} ({gender or 'gender unknown'}): {total} utterances", column))
        for number, (label, n) in enumerate(zip(labels, row, strict=True)):
            cell = _cell(x, top + tall * number, size, tall, n, most)
            parts.append(tip(f"{speaker}, {label}: {n or 'no'} utterances", cell))
    right = xs[-1] + size + 22
    parts += _totals(found, right, top, tall)
    return svg(right + 150, top + tall * len(labels) + 6, title, parts)


def _columns(left: float, size: float, genders: Sequence[str]) -> list[float]:
    """Left edge of each speaker's column, with a gap where the gender changes."""
    xs, x = [], left
    for index, gender in enumerate(genders):
        x += 10 if index and gender != genders[index - 1] else 0
        xs.append(x)
        x += size
    return xs


def _cell(x: float, y: float, width: float, height: float, n: int, most: int) -> str:
    if n == 0:
        return _empty(x, y, width, height)
    shade = 0.12 + 0.83 * (n / most) ** 0.6
    box = rect(x + 1, y + 1, width - 2, height - 2, BLUE, shade)
    tone = "white" if shade > 0.6 else "ink"
    size = 10.5 if len(f"{n}") * 6.4 < width - 2 else 8.5
    return box + text(x + width / 2, y + height / 2 + 3.8, f"{n}", tone, "middle", font_size=size)


def _empty(x: float, y: float, width: float, height: float) -> str:
    """A cell without an utterance: a pale frame, struck through; seen without colour too."""
    stroke = (
        f'<path d="M{x + 3:.1f} {y + height - 3:.1f}L{x + width - 3:.1f} {y + 3:.1f}" stroke="{VERMILION}" '
        'stroke-width="1.2" stroke-opacity="0.6"/>'
    )
    return rect(x + 1, y + 1, width - 2, height - 2, VERMILION, 0.1) + stroke


def _totals(found: dict[str, Any], x: float, top: float, tall: float) -> list[str]:
    """Columns at the right: utterances of women, men and unknown of each label."""
    kinds = [kind for kind in ("female", "male", "") if kind in found["genders"]]
    parts = []
    for place, kind in enumerate(kinds):
        at = x + 44 * place + 26
        parts += [mark(at - 6, top - 17, kind, 4), text(at, top - 4, "sum", "soft", "end", font_size=10)]
        for row in range(len(found["labels"])):
            rows = zip(found["genders"], found["counts"], strict=True)
            n = sum(counts[row] for gender, counts in rows if gender == kind)
            parts.append(text(at, top + tall * row + 17, f"{n}", "ink" if n else "soft", "end", font_size=11.5))
    return parts


def _many_speakers(found: dict[str, Any], title: str) -> str:
    labels, counts = found["labels"], found["counts"]
    most = max(map(max, counts))
    bins = [(low, high) for low, high in _BINS if low <= most]
    left, top, size, tall = room(labels) + 16, 48.0, 66, 26
    words = f"how many of {len(counts)} speakers have so many utterances of a label"
    parts = [text(left, 12, words, "soft", font_size=11)]
    for column, (low, high) in enumerate(bins):
        words = f"{low}" if low == high else f"{low}+" if high > most else f"{low}–{high}"
        place = left + size * (column + 0.5)
        parts.append(text(place, top - 10, "none" if low == 0 else words, "soft", "middle", font_size=11))
        for row, label in enumerate(labels):
            n = sum(low <= one[row] <= high for one in counts)
            y = top + tall * row
            cell = (
                rect(left + size * column + 1, y + 1, size - 2, tall - 2, VERMILION, 0.08 + 0.6 * n / len(counts))
                + text(place, y + 17, f"{n}", "ink", "middle", font_size=11)
                if low == 0
                else _cell(left + size * column, y, size, tall, n, len(counts))
                if n
                else ""
            )
            parts.append(tip(f"{label}: {n} speakers have {words} utterances", cell))
    parts += [text(left - 10, top + tall * row + 17, short(label), "ink", "end") for row, label in enumerate(labels)]
    right = left + size * len(bins) + 22
    parts += _totals(found, right, top, tall)
    return svg(right + 150, top + tall * len(labels) + 6, title, parts)


def overlap_plot(found: dict[str, Any], title: str = "Labels that corpora share") -> str:
    """Labels shared by each pair of corpora; on the diagonal, underlined, how many each has.

    Args:
        found: as `explore.overlap` gives it
        title: read by screen readers; not drawn
    """
    keys, shared = found["corpora"], found["shared"]
    size = 46 if len(keys) <= 12 else 28
    left, top = room(keys) + 16, room(keys) * 0.75 + 24
    names = {key: [label for label, where in found["labels"].items() if key in where] for key in keys}
    parts = []
    for index, key in enumerate(keys):
        x, y = left + size * (index + 0.5), top + size * (index + 0.5) + 4
        parts.append(text(x, top - 9, short(key), "ink", transform=f"rotate(-45 {x:.1f} {top - 9:.1f})"))
        parts.append(text(left - 10, y, short(key), "ink", "end"))
    for row, a in enumerate(keys):
        for column, b in enumerate(keys):
            n, either = shared[row][column], len({*names[a], *names[b]})
            x, y = left + size * column, top + size * row
            both = [label for label in names[a] if label in names[b]]
            same = row == column
            words = f"{a}: {n} labels" if same else f"{a} and {b} share {n} of {either} labels"
            words += f": {', '.join(both)}" if both else ""
            shade = 0.0 if same else 0.06 + 0.86 * n / max(either, 1)
            cell = rect(x + 1, y + 1, size - 2, size - 2, BLUE, shade, 3)
            if same:
                cell += line(x + 6, y + size - 6, x + size - 6, y + size - 6, "soft", width=1.5)
            tone = "soft" if same or not n else "white" if shade > 0.6 else "ink"
            parts.append(tip(words, cell + text(x + size / 2, y + size / 2 + 4, f"{n}", tone, "middle")))
    return svg(left + size * len(keys) + room(keys[-1:]) * 0.72, top + size * len(keys) + 4, title, parts)


def labels_plot(rows: Sequence[dict[str, Any]], title: str = "Utterances by label") -> str:
    """Labels of many corpora in little room: the darker a cell, the larger the label's part of its corpus.

    Labels of most corpora come first; numbers show on hover.

    Args:
        rows: as `tables.corpora_rows` gives them
        title: read by screen readers; not drawn
    """
    where: dict[str, int] = {}
    for row in rows:
        for label in row["labels"]:
            where[label] = where.get(label, 0) + 1
    labels = sorted(where, key=lambda label: (-where[label], label))
    size, left, top = 21, room([row["corpus"] for row in rows]) + 16, room(labels) * 0.8 + 40
    width = left + size * len(labels)
    parts = [text(left - 10, top - 10, "corpora", "soft", "end", font_size=10.5)]
    for index, label in enumerate(labels):
        x = left + size * (index + 0.5)
        turn = f"rotate(-60 {x + 4:.1f} {top - 24:.1f})"
        parts.append(text(x + 4, top - 24, short(label), "ink", transform=turn))
        parts.append(text(x, top - 10, f"{where[label]}", "soft", "middle", font_size=10))
    for index, row in enumerate(rows):
        y = top + size * index
        parts.append(line(left, y + size / 2, width, y + size / 2))
        parts.append(text(left - 10, y + size / 2 + 4, short(row["corpus"]), "ink", "end"))
        for label, n in row["labels"].items():
            shade = 0.2 + 0.8 * (n / row["utterances"]) ** 0.5
            cell = rect(left + size * labels.index(label) + 1, y + 1, size - 2, size - 2, BLUE, shade, 3)
            parts.append(tip(f"{row['corpus']}, {label}: {n} of {row['utterances']} utterances", cell))
        parts.append(text(width + 10, y + size / 2 + 4, f"{row['utterances']:,}", "soft", font_size=11))
    parts.append(text(width + 10, top - 10, "utterances", "soft", font_size=10.5))
    return svg(width + room(labels[-1:]) * 0.5 + 76, top + size * len(rows) + 4, title, parts)
