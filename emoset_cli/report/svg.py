"""The pieces plots are made of: SVG text with its light colours as attributes, and classes to re-colour it.

Every element carries its light colour as an attribute, so a saved file works in a paper and in converters that know
no CSS, and a class (``ink``, ``soft``, ``line``), by which a page may re-colour it in the dark. Colours are Okabe and
Ito's, told apart by the colour-blind; where colour means something, shape or place says it too.

Source:
    Okabe and Ito 2008, Color Universal Design.
"""

from collections.abc import Iterable
from html import escape
from typing import Any

INK, SOFT, LINE = "#1b2530", "#667281", "#d9dee4"
BLUE, VERMILION, AMBER, GREY = "#0072b2", "#d55e00", "#e69f00", "#8a94a0"
GREEN, SKY, PINK = "#009e73", "#56b4e9", "#cc79a7"
GENDERS = {"female": AMBER, "male": BLUE}
_FONT = "-apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"


def svg(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """The whole picture; ``title`` is read by screen readers and not drawn."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" font-family="{_FONT}" font-size="12"><title>{escape(title)}</title>'
        + "".join(parts)
        + "</svg>"
    )


def text(x: float, y: float, words: str, tone: str = "ink", anchor: str = "start", **more: Any) -> str:
    """Words at the foot of their letters; ``anchor`` is start, middle or end, ``more`` further attributes."""
    fill = {"ink": INK, "soft": SOFT, "white": "#fff"}[tone]
    extra = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in more.items())
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}'
    return f'<text class="{tone}" fill="{fill}" {place}>{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, tone: str = "line", dash: str = "", width: float = 1) -> str:
    """A line in one of the tones ink, soft, line."""
    stroke = {"ink": INK, "soft": SOFT, "line": LINE}[tone]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{tone}-stroke" stroke="{stroke}" '
        f'stroke-width="{width}"{dashes}/>'
    )


def rect(x: float, y: float, width: float, height: float, fill: str, opacity: float = 1, radius: float = 2) -> str:
    """A filled rectangle with its upper left corner at x, y."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" rx="{radius}" '
        f'fill="{fill}" fill-opacity="{opacity:.2f}"/>'
    )


def tip(words: str, parts: str) -> str:
    """``parts`` with a tooltip."""
    return f"<g><title>{escape(words)}</title>{parts}</g>"


def short(words: str, length: int = 16) -> str:
    """The words, cut to ``length`` letters."""
    return words if len(words) <= length else words[: length - 1] + "…"


def room(names: Iterable[str], size: float = 12) -> float:
    """Width in px that the longest name takes, guessed from its letters."""
    return max((len(short(name)) for name in names), default=0) * size * 0.58


def mark(x: float, y: float, gender: str, radius: float) -> str:
    """The mark of a speaker: women round and amber, men square and blue, others round and grey."""
    fill = GENDERS.get(gender, GREY)
    if gender == "male":
        return rect(x - radius * 0.9, y - radius * 0.9, radius * 1.8, radius * 1.8, fill, 1, 1)
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{fill}"/>'
