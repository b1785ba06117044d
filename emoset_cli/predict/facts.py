"""What was predicted as plain values, from which tables, files and pictures are made."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from emoset_cli import levels
from emoset_cli.audio import SAMPLE_RATE
from emoset_cli.predict.concerns import concerns
from emoset_cli.predict.heads import Mapped
from emoset_cli.predict.predicting import Predicted


def facts_of(
    one: Predicted, heads: Mapping[str, Sequence[str]], space: Mapped | None, learnt: Mapping[str, Any],
    dimensions: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> dict[str, Any]:  # fmt: skip
    """A recording's facts.

    ``said`` holds for each head ``prediction``, ``probability`` (its), ``probabilities`` of all labels and, of an SVM,
    ``scores``: of a recording in windows their mean. Where a head has dimensional labels, ``dimensions`` holds them in
    their units; where it has no others, ``prediction`` and ``probability`` are None. ``windows`` are the same for each
    of them; empty of a recording that was heard as a whole.

    Args:
        one: what was predicted
        heads: labels of each head
        space: the label space that is spoken in instead, None for the heads' own words
        learnt: what the run has heard
        dimensions: of each head that has some
    """
    condition = one.condition
    shares, scores, values = one.shares, one.scores, one.values
    if space:
        shares, scores, values = {space.space.name: space.mean(one.shares)}, {}, {}
        heads, dimensions = {space.space.name: space.space.labels}, {}
    audible = np.isfinite(np.concatenate([*shares.values(), *values.values()], 1)).all(axis=1)

    def told(head: str, rows: Any, scored: bool = False) -> dict[str, Any]:
        """What a head says in the mean of some pieces."""
        own = scores[head][rows].mean(0) if scored and head in scores else None
        said = _said(heads[head], shares[head][rows].mean(0), own)
        if head in dimensions:
            means = values[head][rows].mean(0).tolist()
            said["dimensions"] = dict(zip(dimensions[head], means, strict=True))
        return said

    measured = levels.columns(condition.peak, condition.rms, condition.dc, condition.silence, False)
    found: dict[str, Any] = {
        "recording": one.recording.name,
        "seconds": round(condition.samples / SAMPLE_RATE, 3),
        "native_sample_rate": condition.native_sample_rate,
        "channels": condition.channels,
        "level_db": round(measured["rms_db"], 2),
        "concerns": [concern._asdict() for concern in concerns(condition, one.windows, learnt)],
        "said": {head: told(head, audible, scored=True) for head in heads},
        "windows": [],
    }
    if one.windows:
        ends = (one.starts + one.lengths) / SAMPLE_RATE
        found["windows"] = [
            {
                "start_s": round(one.starts[row] / SAMPLE_RATE, 3), "end_s": round(float(ends[row]), 3),
                "level_db": round(float(one.levels_db[row]), 2),
                "said": {head: told(head, [row]) for head in heads},
            }
            for row in range(len(one.starts)) if audible[row]
        ]  # fmt: skip
    return found


def _said(labels: Sequence[str], shares: np.ndarray, scores: np.ndarray | None) -> dict[str, Any]:
    if not labels:
        return {"prediction": None, "probability": None, "probabilities": {}}
    best = int(shares.argmax())
    told: dict[str, Any] = {"prediction": labels[best], "probability": float(shares[best])}
    told["probabilities"] = {label: float(value) for label, value in zip(labels, shares, strict=True)}
    if scores is not None:
        finite = zip(labels, scores, strict=True)
        told["scores"] = {label: float(value) if np.isfinite(value) else None for label, value in finite}
    return told


def stretches(windows: Sequence[dict[str, Any]], head: str, seconds: float) -> list[tuple[float, float, str]]:
    """A recording divided among its windows: beginning, end and label of each stretch, neighbours of one label joined.

    Where windows overlap, each half of the overlap goes to the nearer window.

    Example:
        >>> windows = [{"start_s": 0.0, "end_s": 3.0, "said": {"x": {"prediction": "joy"}}},
        ...            {"start_s": 2.0, "end_s": 5.0, "said": {"x": {"prediction": "anger"}}}]
        >>> stretches(windows, "x", 5.0)
        [(0.0, 2.5, 'joy'), (2.5, 5.0, 'anger')]
    """
    found: list[tuple[float, float, str]] = []
    for number, window in enumerate(windows):
        begin = 0.0 if number == 0 else found[-1][1]
        end = seconds if number == len(windows) - 1 else (window["end_s"] + windows[number + 1]["start_s"]) / 2
        label = window["said"][head]["prediction"]
        if found and found[-1][2] == label:
            found[-1] = (found[-1][0], end, label)
        else:
            found.append((begin, end, label))
    return found


def format_notes(facts: Sequence[dict[str, Any]]) -> list[str]:
    """What was resampled or mixed down, counted."""
    notes = []
    rates: dict[int, int] = {}
    for one in facts:
        if one["native_sample_rate"] != SAMPLE_RATE:
            rates[one["native_sample_rate"]] = rates.get(one["native_sample_rate"], 0) + 1
    if rates:
        counts = ", ".join(f"{count} of {rate} Hz" for rate, count in sorted(rates.items()))
        notes.append(f"resampled to 16 kHz: {counts}")
    if mixed := sum(one["channels"] > 1 for one in facts):
        notes.append(f"mixed down to one channel: {mixed}")
    return notes


def concern_notes(facts: Sequence[dict[str, Any]]) -> list[str]:
    """Each kind of concern with its count and the first recording."""
    found: dict[str, list[str]] = {}
    for one in facts:
        for concern in one["concerns"]:
            found.setdefault(concern["kind"], []).append(f"{one['recording']} ({concern['text']})")
    return [f"{kind}: {len(some)} of {len(facts)}, the first is {some[0]}" for kind, some in found.items()]
