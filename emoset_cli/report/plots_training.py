"""Training curves: devel UAR and training loss over the epochs, read from a run's ``history.csv`` and drawn as SVG."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import floor, isfinite, log10, nan
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.report.svg import BLUE, GREY, VERMILION, line, svg, text, tip
from emoset_cli.runs import Run

_NEEDED = ("epoch", "lr", "train_loss", "devel_uar")
_OF_CORPUS = "devel_uar:"
_CCC = "devel_ccc"  # of a run that learns dimensions
_STEP = 1.5  # a learning rate that changes by this factor has stepped
_WIDTH, _HEIGHT, _TOP, _GAP, _LEFT = 330, 170, 44, 66, 44

History = dict[str, list[dict[str, float]]]  # fold -> its epochs, each with the numbers of its columns and `best`


def read_history(run: Run) -> History:
    """The epochs of each fold from ``history.csv``; ``best`` is 1 for the one whose weights were kept.

    Empty if there is no such file: it holds no result, so that a report does without.

    Raises:
        EmosetError: if the file is not as the training writes it
    """
    path = run.folder / "history.csv"
    if not path.is_file():
        return {}
    best = {str(fold): one.get("epoch") for fold, one in (run.config.get("chosen") or {}).items()}
    folds: History = {}
    try:
        for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))):
            numbers = {key: float(row[key] or nan) for key in _NEEDED}
            further = [key for key in row if key.startswith(_OF_CORPUS) or key == _CCC]
            numbers |= {key: float(row[key]) for key in further if row[key]}
            folds.setdefault(row["fold"], []).append(numbers | {"best": float(numbers["epoch"] == best[row["fold"]])})
    except (KeyError, TypeError, ValueError, csv.Error, AttributeError) as error:
        raise EmosetError(f"{path} is not as the training wrote it", "train again with --force") from error
    return folds


def training_plot(history: History, title: str) -> str:
    """Two panels over the epochs: devel UAR and training loss; a dot where the weights of the run are from.

    A run on dimensions without labels has devel CCC in the place of UAR, drawn from 0 on.

    With one fold, dashed lines stand where the learning rate steps, and thin lines show the single corpora of a run
    over several. Several folds are thin lines of their own; their rates step at different epochs and are not drawn.

    Args:
        history: of `read_history`, not empty
        title: read by screen readers; not drawn
    """
    rows = [row for fold in history.values() for row in fold]
    first, last = (end(row["epoch"] for row in rows) for end in (min, max))
    single = len(history) == 1
    corpora = sorted({key for row in rows for key in row if key.startswith(_OF_CORPUS)}) if single else []
    highest = max((row["train_loss"] for row in rows if isfinite(row["train_loss"])), default=1.0) or 1.0
    quarters = [0, 0.25, 0.5, 0.75, 1]
    if any(isfinite(row["devel_uar"]) for row in rows):
        reached: Any = ("devel UAR [%]", "devel_uar", 1.0, quarters, lambda tick: f"{100 * tick:.0f}", BLUE)
    else:
        reached = ("devel CCC", _CCC, 1.0, quarters, lambda tick: f"{tick:.2f}", BLUE)
        history = {fold: [_from_0(row) for row in epochs] for fold, epochs in history.items()}
        rows = [row for epochs in history.values() for row in epochs]
    panels = [
        reached,
        ("training loss", "train_loss", *_scale(highest), lambda tick: f"{tick:.3g}", VERMILION),
    ]
    parts: list[str] = []
    for number, (name, key, top, ticks, words, colour) in enumerate(panels):
        place = _Panel(_LEFT + number * (_WIDTH + _GAP), first, max(last, first + 1), top)
        parts += place.axes(name, ticks, words)
        parts += place.steps(next(iter(history.values()))) if single else []
        if key == "devel_uar" and len(corpora) > 1:
            parts += [place.curve(rows, corpus, GREY, 1, corpus.removeprefix(_OF_CORPUS)) for corpus in corpora]
        for fold, epochs in history.items():
            parts.append(place.curve(epochs, key, colour, 2 if single else 1, name if single else f"fold {fold}"))
            parts += [place.dot(row, key, colour, words) for row in epochs if row["best"]]
    return svg(_LEFT + 2 * _WIDTH + _GAP + 12, _TOP + _HEIGHT + 36, title, parts)


def _from_0(row: dict[str, float]) -> dict[str, float]:
    return row | {_CCC: max(0.0, row.get(_CCC, nan))}


def _scale(highest: float) -> tuple[float, list[float]]:
    """The upper end of an axis from 0 and its six ticks, round numbers both."""
    size = 10.0 ** floor(log10(highest))
    step = next(size * factor for factor in (0.2, 0.25, 0.5, 1, 2) if size * factor * 5 >= highest)
    return step * 5, [step * tick for tick in range(6)]


@dataclass(frozen=True)
class _Panel:
    """Where a panel's epochs, from ``first`` to ``last``, and values, from 0 to ``highest``, lie on the picture."""

    left: float
    first: float
    last: float
    highest: float

    def x(self, epoch: float) -> float:
        return self.left + _WIDTH * (epoch - self.first) / (self.last - self.first)

    def y(self, value: float) -> float:
        return _TOP + _HEIGHT * (1 - value / self.highest)

    def axes(self, name: str, ticks: Sequence[float], words: Callable[[float], str]) -> list[str]:
        parts = [text(self.left, 14, name, "ink", font_weight=600)]
        for tick in ticks:
            parts.append(line(self.left, self.y(tick), self.left + _WIDTH, self.y(tick)))
            parts.append(text(self.left - 8, self.y(tick) + 4, words(tick), "soft", "end", font_size=11))
        below = _TOP + _HEIGHT + 16
        for at in (self.first, self.last):
            parts.append(text(self.x(at), below, f"{at:.0f}", "soft", "middle", font_size=11))
        return [*parts, text(self.left + _WIDTH / 2, below, "epoch", "soft", "middle", font_size=11)]

    def steps(self, epochs: Sequence[dict[str, float]]) -> list[str]:
        """A dashed line before the first epoch of each further learning rate, and the rates above."""
        parts = [text(self.left, _TOP - 8, f"lr {epochs[0]['lr']:.2g}", "soft", font_size=10.5)]
        free = self.left + 52  # where the next rate has room
        for before, row in pairwise(epochs):
            if before["lr"] / _STEP < row["lr"] < before["lr"] * _STEP:  # the slow decay within a step
                continue
            x, rate = self.x((before["epoch"] + row["epoch"]) / 2), f"{row['lr']:.2g}"
            parts.append(line(x, _TOP - 4, x, _TOP + _HEIGHT, "soft", "3 3"))
            if x >= free:
                parts.append(text(x, _TOP - 8, rate, "soft", font_size=10.5))
                free = x + len(rate) * 7
        return parts

    def curve(self, epochs: Sequence[dict[str, float]], key: str, colour: str, width: float, words: str) -> str:
        known = [row for row in epochs if isfinite(row.get(key, nan))]
        points = " ".join(f"{self.x(row['epoch']):.1f},{self.y(row[key]):.1f}" for row in known)
        drawn = f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="{width}"/>'
        return tip(words, drawn)

    def dot(self, row: dict[str, float], key: str, colour: str, words: Callable[[float], str]) -> str:
        if not isfinite(row[key]):
            return ""
        x, y = self.x(row["epoch"]), self.y(row[key])
        circle = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>'
        return tip(f"best devel epoch {row['epoch']:.0f}: {words(row[key])}", circle)
