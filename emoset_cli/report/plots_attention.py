"""Attention drawn over the spectrogram that a network heard."""

from base64 import b64encode
from io import BytesIO
from typing import Any

import numpy as np

from emoset_cli.report.svg import GREY, VERMILION, rect, svg, text

_WIDE, _HIGH, _LEFT, _TOP, _HEAD = 460, 120, 46, 6, 9
_RGB = tuple(int(VERMILION[at : at + 2], 16) for at in (1, 3, 5))


def attention_plot(spectrogram: np.ndarray, weights: np.ndarray, seconds: float, heads: bool, title: str) -> str:
    """A grey spectrogram under its attention, and below how much each moment counts in sum; of heads, a row each.

    Args:
        spectrogram: ``(mels, frames)``, low bands first
        weights: ``(bands of frequency, columns)``, low ones first, or ``(heads, columns)``
        seconds: that the picture lasts
        heads: whether the rows of ``weights`` are heads, which have no place in frequency
        title: read by screen readers; not drawn
    """
    low, high = float(spectrogram.min()), float(spectrogram.max())
    grey = 255 - np.round(205 * (spectrogram - low) / (high - low or 1.0)).astype(np.uint8)
    parts = [_picture(grey[::-1], _LEFT, _TOP, _WIDE, _HIGH, smooth=True)]
    share = weights / (weights.max() or 1.0)
    if not heads:
        parts.append(_picture(_tinted(share[::-1], 0.75), _LEFT, _TOP, _WIDE, _HIGH, smooth=True))
    parts.append(text(_LEFT - 6, _TOP + 10, "high", "soft", "end"))
    parts.append(text(_LEFT - 6, _TOP + _HIGH, "low", "soft", "end"))
    below = weights if heads else weights.sum(0, keepdims=True)
    y = _TOP + _HIGH + 6
    for number, row in enumerate(below):
        parts.append(rect(_LEFT, y, _WIDE, _HEAD, GREY, 0.12))
        parts.append(_picture(_tinted(row[None] / (row.max() or 1.0), 1.0), _LEFT, y, _WIDE, _HEAD, smooth=False))
        name = f"head {number + 1}" if heads else "sum"
        parts.append(text(_LEFT - 6, y + _HEAD - 1, name, "soft", "end", font_size=10))
        y += _HEAD + 2
    for at in (0.0, 0.5, 1.0):
        anchor = {0.0: "start", 0.5: "middle", 1.0: "end"}[at]
        parts.append(text(_LEFT + at * _WIDE, y + 12, f"{at * seconds:.2f} s", "soft", anchor))
    return svg(_LEFT + _WIDE + 4, y + 18, title, parts)


def _tinted(share: np.ndarray, most: float) -> np.ndarray:
    """Vermilion as opaque as its share, ``(rows, columns, 4)``."""
    image = np.zeros((*share.shape, 4), np.uint8)
    image[..., :3] = _RGB
    image[..., 3] = np.round(255 * most * share)
    return image


def _picture(values: np.ndarray, x: float, y: float, wide: float, high: float, smooth: bool) -> str:
    from PIL import Image

    out = BytesIO()
    image: Any = Image.fromarray(np.ascontiguousarray(values))
    image.save(out, format="PNG", optimize=True)
    look = "auto" if smooth else "pixelated"
    return (
        f'<image x="{x}" y="{y}" width="{wide}" height="{high}" preserveAspectRatio="none" '
        f'style="image-rendering: {look}" href="data:image/png;base64,{b64encode(out.getvalue()).decode()}"/>'
    )
