"""Scatter plots of embeddings as SVG: a mark for each utterance, in the colour and shape of its group."""

from collections import Counter
from collections.abc import Sequence

from emoset_cli.report.scores import natural
from emoset_cli.report.svg import AMBER, BLUE, GREEN, GREY, PINK, SKY, VERMILION, rect, short, svg, text, tip

_COLOURS = (BLUE, VERMILION, GREEN, AMBER, PINK, SKY)
_SHAPES = ("circle", "square", "triangle", "diamond", "cross")
_MOST = 24  # groups with a mark of their own: 6 colours and 5 shapes make 30
_SIZE, _EDGE, _LINE = 440, 12, 19
OTHERS = "others"


def scatter(points: Sequence[Sequence[float]], groups: Sequence[str], tips: Sequence[str], title: str) -> str:
    """Utterances in a plane, without axes: what they measure has no name. The key at the right counts each group.

    The marks have ``data-i``, the number of the utterance, and ``data-g``, that of its group, by which a page may find
    them. Of more than 24 groups the largest are told apart.

    Args:
        points: x and y of each utterance; both are drawn to one scale
        groups: of each utterance; "" is unknown
        tips: tooltip of each utterance
        title: read by screen readers; not drawn
    """
    names = [name or "unknown" for name in groups]
    counts = Counter(names)
    own = sorted(sorted(counts, key=lambda name: -counts[name])[:_MOST], key=natural)
    rest = sum(count for name, count in counts.items() if name not in own)
    xs, ys = ([float(point[axis]) for point in points] for axis in (0, 1))
    span = max(max(xs) - min(xs), max(ys) - min(ys)) or 1.0
    radius = 4.5 if len(names) <= 400 else 3.2 if len(names) <= 2000 else 2.2
    parts = [rect(0.5, 0.5, _SIZE - 1, _SIZE - 1, GREY, 0.07, 6)]
    for number, (x, y, name, words) in enumerate(zip(xs, ys, names, tips, strict=True)):
        group = own.index(name) if name in own else len(own)
        at = [_EDGE + (_SIZE - 2 * _EDGE) * (0.5 + (value - (max(axis) + min(axis)) / 2) / span)
              for value, axis in ((x, xs), (y, ys))]  # fmt: skip
        mark = tip(words, _mark(at[0], _SIZE - at[1], group, group == len(own), radius))
        parts.append(f'<g class="dot" data-i="{number}" data-g="{group}">{mark}</g>')
    keys = [(name, counts[name]) for name in own] + ([(OTHERS, rest)] if rest else [])
    for group, (name, count) in enumerate(keys):
        y = 16 + _LINE * group
        key = _mark(_SIZE + 22, y - 4, group, name == OTHERS and group == len(own), 5)
        key += text(_SIZE + 35, y, short(name, 22), "ink") + text(_SIZE + 205, y, f"{count:,}", "soft", "end")
        parts.append(f'<g class="key" data-g="{group}">{tip(f"{name}: {count} utterances", key)}</g>')
    return svg(_SIZE + 210, max(_SIZE, 12 + _LINE * len(keys)), title, parts)


def _mark(x: float, y: float, group: int, other: bool, radius: float) -> str:
    """The mark of a group: six colours and five shapes in turn, so that neighbours differ in both."""
    colour, shape = (GREY, "circle") if other else (_COLOURS[group % len(_COLOURS)], _SHAPES[group % len(_SHAPES)])
    look = f'fill="{colour}" fill-opacity="0.8"'
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" {look}/>'
    r = radius * 1.15
    paths = {
        "square": [(-r * 0.85, -r * 0.85), (r * 0.85, -r * 0.85), (r * 0.85, r * 0.85), (-r * 0.85, r * 0.85)],
        "triangle": [(0, -r * 1.1), (r, r * 0.8), (-r, r * 0.8)],
        "diamond": [(0, -r * 1.2), (r * 1.2, 0), (0, r * 1.2), (-r * 1.2, 0)],
        "cross": [(a * r * 1.1, b * r * 1.1) for a, b in (
            (-1, -0.6), (-0.6, -1), (0, -0.4), (0.6, -1), (1, -0.6), (0.4, 0), (1, 0.6), (0.6, 1), (0, 0.4), (-0.6, 1),
            (-1, 0.6), (-0.4, 0),
        )],
    }  # fmt: skip
    corners = "L".join(f"{x + dx:.1f} {y + dy:.1f}" for dx, dy in paths[shape])
    return f'<path d="M{corners}Z" {look}/>'
