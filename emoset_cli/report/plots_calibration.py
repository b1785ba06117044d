"""Reliability diagrams as SVG: accuracy of each bin of confidence beside the diagonal, and how many are in it."""

from collections.abc import Mapping
from typing import Any

from emoset_cli.report.svg import BLUE, GREY, VERMILION, line, rect, svg, text, tip

_SIZE, _LEFT, _TOP, _GAP, _BELOW = 230, 46, 30, 62, 44
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def reliability_plot(score: Mapping[str, Any], title: str) -> str:
    """Two panels, as it is and at the temperature fitted on devel.

    A blue bar is the accuracy of the predictions with that confidence; vermilion between it and their mean confidence,
    the gap that counts in the ECE. Grey below: the share of the predictions.

    Args:
        score: of `emoset_cli.report.calibration.calibration_scores`
        title: read by screen readers; not drawn
    """
    parts: list[str] = []
    for number, (name, words) in enumerate((("before", "as it is"), ("after", "at the temperature"))):
        side = score[name]
        left = _LEFT + number * (_SIZE + _GAP)
        parts.append(text(left, 14, f"{words}: ECE {100 * side['ece']:.1f} %", font_weight=600))
        parts += _axes(left)
        parts += [_bar(left, one, score["n"]) for one in side["bins"] if one["n"]]
        parts.append(line(left, _TOP + _SIZE, left + _SIZE, _TOP, "soft", "3 3"))
    return svg(_LEFT + 2 * _SIZE + _GAP + 14, _TOP + _SIZE + _BELOW + 38, title, parts)


def _axes(left: float) -> list[str]:
    parts = []
    for tick in _TICKS:
        y = _TOP + _SIZE * (1 - tick)
        parts.append(line(left, y, left + _SIZE, y))
        parts.append(text(left - 8, y + 4, f"{100 * tick:.0f}", "soft", "end", font_size=11))
        parts.append(text(left + _SIZE * tick, _TOP + _SIZE + _BELOW + 16, f"{100 * tick:.0f}", "soft", "middle",
                          font_size=11))  # fmt: skip
    parts.append(text(left - 8, _TOP - 8, "accuracy [%]", "soft", font_size=11))
    middle = left + _SIZE / 2
    return [*parts, text(middle, _TOP + _SIZE + _BELOW + 32, "confidence [%]", "soft", "middle", font_size=11)]


def _bar(left: float, one: Mapping[str, Any], total: int) -> str:
    x, width = left + _SIZE * one["low"] + 1, _SIZE * (one["high"] - one["low"]) - 2
    floor = _TOP + _SIZE
    low, high = sorted((one["accuracy"], one["confidence"]))
    share = one["n"] / total
    words = (
        f"confidence {100 * one['confidence']:.1f} %, accuracy {100 * one['accuracy']:.1f} %: "
        f"{one['n']} of {total} predictions"
    )
    return tip(
        words,
        rect(x, floor - _SIZE * one["accuracy"], width, _SIZE * one["accuracy"], BLUE, 0.8)
        + rect(x, floor - _SIZE * high, width, _SIZE * (high - low), VERMILION, 0.35)
        + rect(x, floor + 6, width, (_BELOW - 10) * share, GREY, 0.8),
    )
