"""Plots of results as SVG text: drawn in a millisecond, sharp at any size, complete in itself (see `svg`)."""

from collections.abc import Sequence
from typing import Any

from emoset_cli.report.svg import BLUE, GREY, VERMILION
from emoset_cli.report.svg import line as _line
from emoset_cli.report.svg import mark as _mark
from emoset_cli.report.svg import rect as _rect
from emoset_cli.report.svg import room as _room
from emoset_cli.report.svg import short as _short
from emoset_cli.report.svg import svg as _svg
from emoset_cli.report.svg import text as _text
from emoset_cli.report.svg import tip as _tip


def confusion_plot(confusion: dict[str, Any], title: str) -> str:
    """A confusion matrix: rows are truths, shade is the share of the row; hits blue, errors vermilion.

    Each cell holds percent of its row and, where there is room, the count. The last column of the counts,
    predictions outside the corpus's labels, is drawn only if there are any. With ``columns`` the predictions are in
    the labels of another corpus; a hit is then the same word.

    Args:
        confusion: ``labels`` and ``counts``, ``(labels, labels + 1)``; or ``columns`` too and ``(labels, columns)``
        title: read by screen readers; not drawn
    """
    labels, counts = confusion["labels"], confusion["counts"]
    others = ["other"] if "columns" not in confusion and any(row[-1] for row in counts) else []
    columns = [*confusion.get("columns", labels), *others]
    size = 60 if len(columns) <= 8 else 46 if len(columns) <= 13 else 36
    left = _room(labels) + 58
    slant = _room(columns) > size - 6
    top = (_room(columns) * 0.75 + 30) if slant else 42
    parts = [_text(left, 13, "prediction", "soft"), _text(left - 12, top - 9, "truth", "soft", "end")]
    for index, column in enumerate(columns):
        x = left + size * (index + 0.5)
        turn = {"transform": f"rotate(-45 {x:.1f} {top - 9:.1f})"} if slant else {}
        parts.append(_text(x, top - 9, _short(column), "ink", "start" if slant else "middle", **turn))
    for row, (label, numbers) in enumerate(zip(labels, counts, strict=True)):
        y, total = top + size * row, sum(numbers)
        parts.append(_text(left - 46, y + size / 2 + 4, _short(label), "ink", "end"))
        parts.append(_text(left - 10, y + size / 2 + 4, f"{total}", "soft", "end", font_size=11))
        for column, count in enumerate(numbers[: len(columns)]):
            x, share = left + size * column, count / total if total else 0.0
            tip = f"{label} → {columns[column]}: {count} of {total} ({100 * share:.1f} %)"
            parts.append(_tip(tip, _cell(x, y, size, count, share, label == columns[column])))
    width = left + size * len(columns) + (_room(columns[-1:]) * 0.72 if slant else 4)
    return _svg(width, top + size * len(labels) + 4, title, parts)


def _cell(x: float, y: float, size: float, count: int, share: float, hit: bool) -> str:
    colour = BLUE if hit else VERMILION
    box = _rect(x + 1, y + 1, size - 2, size - 2, colour, 0.05 + 0.9 * share, 3)
    if not count:
        return box
    # On a pale cell white is not legible; ink follows the page into the dark.
    tone, middle = ("white" if share > 0.75 else "ink"), x + size / 2
    large = 15 if size >= 60 else 13 if size >= 46 else 11
    number = _text(middle, y + size / 2 + (1 if size >= 46 else 4), f"{100 * share:.0f}", tone, "middle",
                   font_size=large, font_weight=600 if hit else 400)  # fmt: skip
    small = _text(middle, y + size / 2 + 15, f"{count}", tone, "middle", font_size=10, opacity=0.75)
    return box + number + (small if size >= 46 else "")


def recall_plot(recall: dict[str, dict[str, Any]], chance: float, uar: float, title: str) -> str:
    """Recall of each label as a bar, best first; chance is dashed, the UAR (their mean) a full line.

    A bar below chance is vermilion. Labels that do not occur are left out.
    """
    known = [(label, one["value"], one["n"]) for label, one in recall.items() if one["value"] is not None]
    known.sort(key=lambda item: -item[1])
    left, width, step, top = _room([label for label, *_ in known]) + 14, 330, 28, 26
    bottom = top + step * len(known)
    parts = [
        _line(left + width * chance, top - 4, left + width * chance, bottom + 4, "soft", "3 3"),
        _text(left + width * chance, bottom + 18, f"chance {100 * chance:.3g} %", "soft", "middle", font_size=11),
    ]
    for index, (label, value, n) in enumerate(known):
        y = top + step * index
        bar = (
            _text(left - 10, y + step / 2 + 4, _short(label), "ink", "end")
            + _rect(left, y + 5, width, step - 10, GREY, 0.13)
            + _rect(left, y + 5, width * value, step - 10, BLUE if value >= chance else VERMILION, 0.88)
            + _text(left + width + 38, y + step / 2 + 4, f"{100 * value:.0f} %", "ink", "end", font_weight=600)
            + _text(left + width + 78, y + step / 2 + 4, f"{n}", "soft", "end", font_size=11)
        )
        parts.append(_tip(f"{label}: recall {100 * value:.1f} %, {n} utterances", bar))
    parts += [
        _line(left + width * uar, top - 4, left + width * uar, bottom + 4, "ink", width=1.5),
        _text(left + width * uar, 14, f"UAR {100 * uar:.1f} %", "ink", "middle", font_weight=600),
    ]
    return _svg(left + width + 84, bottom + 26, title, parts)


def speaker_plot(speakers: dict[str, dict[str, Any]], uar: float, chance: float, title: str) -> str:
    """UAR of each speaker, sorted, as dots that hang from the UAR of all; women round and amber, men square and blue.

    Args:
        speakers: speaker -> ``uar``, ``n``, ``gender``
        uar: of all utterances together, not the mean of the speakers
        chance: 1 / number of labels
        title: read by screen readers; not drawn
    """
    ranked = sorted(speakers.items(), key=lambda item: item[1]["uar"])
    width, height, left, top = 430, 190, 34, 30
    step = width / max(len(ranked), 1)
    names = len(ranked) <= 40
    parts = []
    for tick in (0, 25, 50, 75, 100):
        y = top + height * (1 - tick / 100)
        parts += [_line(left, y, left + width, y), _text(left - 8, y + 4, f"{tick}", "soft", "end", font_size=11)]
    level, low = top + height * (1 - uar), top + height * (1 - chance)
    apart = max(0.0, 13 - abs(low - level)) * (1 if chance <= uar else -1)  # the two words never overlap
    parts += [
        _line(left, low, left + width, low, "soft", "3 3"),
        _text(left + width + 6, low + 4 + apart, "chance", "soft", font_size=11),
        _line(left, level, left + width, level, "ink", width=1.5),
        _text(left + width + 6, level + 4, "UAR", "ink", font_size=11, font_weight=600),
    ]
    for index, (speaker, one) in enumerate(ranked):
        x, y = left + step * (index + 0.5), top + height * (1 - one["uar"])
        mark = _line(x, level, x, y, "soft") + _mark(x, y, one["gender"], min(6, max(2.5, step / 3)))
        if names:
            at = top + height + 14
            turn = {"transform": f"rotate(-50 {x + 3:.1f} {at - 3:.1f})"} if len(speaker) * 7 > step else {}
            place = (x + 3, at - 3, "end") if turn else (x, at, "middle")
            mark += _text(place[0], place[1], _short(speaker, 12), "soft", place[2], font_size=10.5, **turn)
        parts.append(_tip(f"{speaker}: UAR {100 * one['uar']:.1f} %, {one['n']} utterances, {one['gender']}", mark))
    parts.append(_gender_key(left, sorted({one["gender"] for _, one in ranked}), len(ranked)))
    slant = any(len(speaker) * 7 > step for speaker in speakers)
    below = 16 + (_room([_short(name, 12) for name in speakers], 10.5) * 0.8 if slant else 4) if names else 8
    return _svg(left + width + 52, top + height + below, title, parts)


def _gender_key(x: float, genders: Sequence[str], count: int) -> str:
    parts = [_text(x, 14, f"UAR [%] of {count} speakers", "soft", font_size=11)]
    x += 150
    for gender in genders:
        name = gender or "gender unknown"
        parts += [_mark(x, 10, gender, 4.5), _text(x + 9, 14, name, "soft", font_size=11)]
        x += 9 + len(name) * 6.5 + 14
    return "".join(parts)


def strip_plot(value: float, low: float | None, high: float | None, chance: float) -> str:
    """A score on a line from 0 to 100 %: dot, its interval as a bar, chance as a tick; for a table's cell."""
    width, height = 130, 18
    middle = height / 2

    def at(share: float) -> float:
        return 4 + (width - 8) * share

    parts = [_line(at(0), middle, at(1), middle), _line(at(chance), 3, at(chance), height - 3, "soft", width=1.5)]
    if low is not None and high is not None:
        parts.append(_rect(at(low), middle - 3, at(high) - at(low), 6, BLUE, 0.35, 3))
    parts.append(f'<circle cx="{at(value):.1f}" cy="{middle}" r="4.5" fill="{BLUE}"/>')
    return _svg(width, height, f"UAR {100 * value:.1f} %, chance {100 * chance:.1f} %", parts)


def corpora_plot(rows: Sequence[dict[str, Any]], title: str = "Corpora") -> str:
    """Corpora by labels: the area of a dot is the number of utterances; at the right the hours of speech.

    Args:
        rows: as `tables.corpora_rows` gives them
        title: read by screen readers; not drawn
    """
    found: dict[str, list[int]] = {}
    for row in rows:
        for label, n in row["labels"].items():
            found.setdefault(label, []).append(n)
    labels = sorted(found, key=lambda label: (-len(found[label]), -sum(found[label])))
    most = max((n for row in rows for n in row["labels"].values()), default=1)
    hours = max((row["total_h"] for row in rows), default=1) or 1
    step = 46 if len(labels) <= 18 else 40
    left, top = _room([row["corpus"] for row in rows]) + 16, _room(labels) * 0.75 + 22
    right = left + step * len(labels) + 26
    parts = [_text(right, top - 10, "hours", "soft", font_size=11)]
    for index, label in enumerate(labels):
        x = left + step * (index + 0.5)
        turn = f"rotate(-45 {x:.1f} {top - 10:.1f})"
        parts.append(_text(x, top - 10, _short(label), "ink", transform=turn))
    for index, row in enumerate(rows):
        y = top + 52 * (index + 0.5)
        parts.append(_line(left, y, left + step * len(labels), y))
        parts.append(_text(left - 10, y + 4, _short(row["corpus"]), "ink", "end", font_weight=600))
        for label, n in row["labels"].items():
            x, radius = left + step * (labels.index(label) + 0.5), max(2.0, (step / 2 - 3) * (n / most) ** 0.5)
            dot = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{BLUE}" fill-opacity="0.85"/>'
            inside = radius >= 10
            place, tone = (y + 3.5, "white") if inside else (y + radius + 11, "soft")
            dot += _text(x, place, f"{n}", tone, "middle", font_size=9.5)
            parts.append(_tip(f"{row['corpus']}, {label}: {n} utterances", dot))
        bar = _rect(right, y - 7, 110 * row["total_h"] / hours, 14, VERMILION, 0.85)
        parts.append(bar + _text(right + 110 * row["total_h"] / hours + 7, y + 4, f"{row['total_h']:.2f}", "ink"))
    return _svg(right + 160, top + 52 * len(rows) + 8, title, parts)
