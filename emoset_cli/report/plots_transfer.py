"""Heat maps of UARs, corpora by settings, coloured by the difference to the reference, as SVG."""

from typing import Any

from emoset_cli.report.kinds import marks, percent, points
from emoset_cli.report.svg import BLUE, GREY, VERMILION, rect, room, short, svg, text, tip

_CELL, _ROW, _LETTERS = 98, 44, 14
_DEEPEST = 0.72  # opacity of the strongest colour; beyond it ink is no longer legible on blue and vermilion
_LEAST = 0.05  # the scale reaches at least this far, so that noise does not look like a discovery


def heat_map(found: dict[str, Any], partition: str, title: str) -> str:
    """UAR in percent of each corpus (rows) and setting (columns), the difference to the reference below it.

    Blue is above the reference, vermilion below, paler the nearer; the reference itself is grey. The sign is written
    too, so that nobody needs the colours. Both partitions of one ``found`` have one scale.

    Args:
        found: of `transfer.transfer`
        partition: devel or test; marks of significance are drawn on test, where they were tested
        title: read by screen readers; not drawn

    Source:
        Gerczuk et al. 2021 (EmoNet), Figure 7.
    """
    names = [setting["name"] for setting in found["settings"]]
    corpora = [corpus for corpus, row in found["corpora"].items() if any(_cells(row, names, partition))]
    heads = {name: _lines(name) for name in names}
    left, top = max(room(corpora, 13), 62) + 14, max(map(len, heads.values()), default=1) * 14 + 16
    reach = _reach(found)
    parts = []
    for column, (name, lines) in enumerate(heads.items()):
        weight = 600 if name == found["reference"] else 400
        for number, words in enumerate(reversed(lines)):
            x, y = left + _CELL * (column + 0.5), top - 10 - 14 * number
            parts.append(text(x, y, words, "ink", "middle", font_weight=weight))
    for number, corpus in enumerate(corpora):
        row, y = found["corpora"][corpus], top + _ROW * number
        parts.append(text(left - 12, y + 20, short(corpus), "ink", "end", font_size=13))
        parts.append(text(left - 12, y + 34, f"chance {percent(row['chance'])}", "soft", "end", font_size=10))
        for column, (name, cell) in enumerate(zip(names, _cells(row, names, partition), strict=True)):
            parts += [_cell(left + _CELL * column, y, cell, reach, f"{corpus}, {name}")] if cell else []
    bottom = top + _ROW * len(corpora)
    parts.append(_legend(left, bottom + 14, reach, found["reference"]))
    return svg(left + max(_CELL * len(names), 360) + 4, bottom + 52, title, parts)


def _cells(row: dict[str, Any], names: list[str], partition: str) -> list[dict[str, Any] | None]:
    return [(row["settings"].get(name) or {}).get(partition) for name in names]


def _reach(found: dict[str, Any]) -> float:
    """The largest difference of all, to which the strongest colour belongs."""
    cells = [cell for row in found["corpora"].values() for parts in row["settings"].values() for cell in parts.values()]
    return max([_LEAST, *(abs(float(cell["difference"])) for cell in cells if cell and "difference" in cell)])


def _lines(name: str) -> list[str]:
    """The name in lines that fit above a column."""
    lines = [""]
    for word in name.split():
        if lines[-1] and len(lines[-1]) + len(word) >= _LETTERS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return [short(line, _LETTERS) for line in lines]


def _shade(difference: float, reach: float) -> tuple[str, float]:
    return (BLUE if difference > 0 else VERMILION), _DEEPEST * abs(difference) / reach


def _cell(x: float, y: float, cell: dict[str, Any], reach: float, where: str) -> str:
    difference = cell.get("difference")
    colour, opacity = (GREY, 0.13) if difference is None else _shade(difference, reach)
    mark = marks(cell) if "mark" in cell else ""
    spread = f" ± {percent(cell['sd'])} over {cell['n']} seeds" if cell["n"] > 1 else ""
    against = f", {points(difference)} points" if difference is not None else ""
    middle = x + _CELL / 2
    large = text(middle, y + 20, f"{percent(cell['mean'])}{mark and f' {mark}'}", "ink", "middle", font_size=14,
                 font_weight=600)  # fmt: skip
    small = text(middle, y + 35, points(difference), "ink", "middle", font_size=10.5) if difference is not None else ""
    box = rect(x + 1, y + 1, _CELL - 2, _ROW - 2, colour, opacity, 3)
    return tip(f"{where}: UAR {percent(cell['mean'])} %{spread}{against}", box + large + small)


def _legend(x: float, y: float, reach: float, reference: str) -> str:
    """Nine steps from the worst to the best difference."""
    step, parts = 32, [text(x, y + 30, f"points of UAR against {reference}", "soft", font_size=11)]
    for number in range(-4, 5):
        difference = reach * number / 4
        colour, opacity = _shade(difference, reach)
        at = x + step * (number + 4)
        parts.append(rect(at, y, step - 2, 14, colour if number else GREY, opacity if number else 0.13))
        if number in (-4, 0, 4):
            words = points(difference) if number else "0"
            parts.append(text(at + step / 2 - 1, y + 11, words, "ink", "middle", font_size=10))
    return "".join(parts)
