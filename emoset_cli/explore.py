"""What is in prepared corpora, in numbers: durations, levels, labels by speaker, labels shared.

Everything is computed from utterance tables; no audio is read. The answer is plain data, the same that the page shows
and `stats.json` holds.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli import labels as label_spaces
from emoset_cli.errors import EmosetError
from emoset_cli.levels import SILENCE_DB

HISTOGRAM = 0.0, 10.0, 0.25  # seconds: from, to, width of a bin (the range of EmoNet's Fig. 3)
_WHISKER = 1.5  # interquartile ranges, as in EmoNet's Fig. 2
# Column -> from, to, width of a bin; what lies beyond counts in the outermost bin.
MEASURES = {"rms_db": (-70.0, 0.0, 1.0), "peak_db": (-48.0, 2.0, 1.0), "silence": (0.0, 1.0, 0.02)}
_EXTREMES = 3  # utterances named at each end


def explore(
    tables: dict[str, Any], label_order: Mapping[str, Sequence[str]] | None = None, user_spaces: Path | None = None
) -> dict[str, Any]:
    """All numbers about some prepared corpora.

    Args:
        tables: corpus -> utterance table (a DataFrame), as `prepare.read_utterances` gives it
        label_order: corpus -> its labels in the order to show them; others follow in alphabetical order
        user_spaces: file of the user's label spaces

    Returns:
        ``corpora`` (durations, levels, clipping, formats and cells of each), ``durations`` (one histogram),
        ``overlap`` (labels that corpora share) and ``spaces`` (what each label space maps and leaves out)

    Raises:
        EmosetError: if a table was made by a version that did not measure levels
    """
    order = label_order or {}
    labels = {key: _ordered(table["label"], order.get(key, ())) for key, table in tables.items()}
    return {
        "corpora": {key: _corpus(key, table, labels[key] or [""]) for key, table in tables.items()},
        "durations": duration_histogram({key: table["duration_s"].to_numpy() for key, table in tables.items()}),
        "overlap": overlap(labels),
        "spaces": coverage(tables, user_spaces),
        "silence_below_db": SILENCE_DB,
    }


def _corpus(key: str, table: Any, labels: list[str]) -> dict[str, Any]:
    if absent := [name for name in (*MEASURES, "clipped") if name not in table]:
        raise EmosetError(
            f"the utterance table of {key} has no {', '.join(absent)}: an older emoset prepared it",
            "give the `emoset prepare` command again",
        )
    ranked = table.sort_values(["duration_s", "utterance"])
    ends = {"shortest": ranked.head(_EXTREMES), "longest": ranked.tail(_EXTREMES)[::-1]}
    return {
        "utterances": len(table),
        "hours": float(table["duration_s"].sum() / 3600),
        "duration_s": box(table["duration_s"].to_numpy()),
        **{
            end: dict(zip(rows["utterance"], map(float, rows["duration_s"]), strict=True)) for end, rows in ends.items()
        },
        **{name: box(table[name].to_numpy()) | {"histogram": _counts(table[name], *MEASURES[name])}
           for name in MEASURES},
        "clipped": int(table["clipped"].sum()),
        "formats": _formats(table),
        "cells": cells(table, labels),
        "genders": by_gender(table, labels),
    }  # fmt: skip


def _ordered(found: Any, order: Sequence[str]) -> list[str]:
    names = set(found) - {""}  # of a corpus without labels
    return [label for label in order if label in names] + sorted(names - set(order))


def box(values: np.ndarray) -> dict[str, Any]:
    """What a box plot draws: quartiles, and whiskers to the furthest values within 1.5 times their distance.

    ``outliers`` are the values beyond the whiskers, rounded to 0.01 and each once; ``beyond`` counts all of them.

    Example:
        >>> drawn = box(np.array([1, 2, 3, 4, 20.0]))
        >>> drawn["q1"], drawn["median"], drawn["q3"], drawn["high"], drawn["outliers"]
        (2.0, 3.0, 4.0, 4.0, [20.0])

    Source:
        Gerczuk et al. 2021 (EmoNet), Fig. 2.
    """
    values = np.asarray(values, np.float64)
    q1, median, q3 = np.percentile(values, (25, 50, 75))
    reach = _WHISKER * (q3 - q1)
    inside = (values >= q1 - reach) & (values <= q3 + reach)
    return {
        "n": len(values), "mean": float(values.mean()), "min": float(values.min()), "max": float(values.max()),
        "q1": float(q1), "median": float(median), "q3": float(q3),
        "low": float(min(values[inside].min(), q1)), "high": float(max(values[inside].max(), q3)),
        "beyond": int((~inside).sum()), "outliers": np.unique(np.round(values[~inside], 2)).tolist(),
    }  # fmt: skip


def duration_histogram(durations: dict[str, np.ndarray]) -> dict[str, Any]:
    """Utterances by duration, in bins of 0.25 s from 0 to 10 s; ``longer`` counts the others.

    A bin holds its lower edge and not its upper one: 10 s exactly is longer.

    Source:
        Gerczuk et al. 2021 (EmoNet), Fig. 3.
    """
    low, high, width = HISTOGRAM
    edges = np.arange(round((high - low) / width) + 1) * width + low
    counts = {}
    for key, values in durations.items():
        inside = values[values < high]
        counts[key] = np.bincount(((inside - low) // width).astype(int), minlength=len(edges) - 1).tolist()
    longer = {key: int((values >= high).sum()) for key, values in durations.items()}
    return {"edges": edges.tolist(), "counts": counts, "longer": longer}


def _counts(values: Any, low: float, high: float, width: float) -> list[int]:
    bins = round((high - low) / width)
    places = np.clip(np.floor((values.to_numpy() - low) / width + 1e-9), 0, bins - 1).astype(int)
    return [int(n) for n in np.bincount(places, minlength=bins)]


def _formats(table: Any) -> dict[str, int]:
    """``"16000 Hz, 1 channel"`` -> utterances, the commonest first."""
    found = table.groupby(["native_sample_rate", "channels"]).size().sort_values(ascending=False)
    return {f"{rate} Hz, {n} channel{'s' if n > 1 else ''}": int(count) for (rate, n), count in found.items()}


def cells(table: Any, labels: Sequence[str]) -> dict[str, Any]:
    """Utterances of each speaker in each label; ``empty`` counts the pairs without any.

    Speakers are in order of gender (women, men, unknown) and name. ``counts`` is ``(speakers, labels)``.
    """
    import pandas as pd

    known = table.drop_duplicates("speaker").set_index("speaker")["gender"]
    speakers = sorted(known.index, key=lambda name: (_rank(known[name]), _natural(name)))
    counts = pd.crosstab(table["speaker"], table["label"]).reindex(index=speakers, columns=list(labels), fill_value=0)
    return {
        "labels": list(labels),
        "speakers": speakers,
        "genders": [str(known[name]) for name in speakers],
        "counts": counts.to_numpy().tolist(),
        "empty": int((counts == 0).to_numpy().sum()),
        "of": int(counts.size),
    }


def _rank(gender: str) -> int:
    return {"female": 0, "male": 1}.get(gender, 2)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key that puts speaker 2 before speaker 10."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def by_gender(table: Any, labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Label -> utterances of women, of men and of speakers whose gender is not known."""
    kind = table["gender"].where(table["gender"].isin(["female", "male"]), "unknown")
    found = table.groupby(["label", kind]).size()
    return {label: {gender: int(found.get((label, gender), 0)) for gender in ("female", "male", "unknown")}
            for label in labels}  # fmt: skip


def overlap(labels: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """How many labels each pair of corpora shares; the diagonal is the number of a corpus's own labels.

    Words are compared as they are: joy and happiness are two labels. ``common`` are those that all corpora have.
    """
    keys = list(labels)
    own = {key: set(labels[key]) for key in keys}
    everyone = {label: [key for key in keys if label in own[key]] for key in keys for label in labels[key]}
    return {
        "corpora": keys,
        "shared": [[len(own[a] & own[b]) for b in keys] for a in keys],
        "labels": dict(sorted(everyone.items(), key=lambda item: (-len(item[1]), item[0]))),
        "common": [label for label in labels[keys[0]] if all(label in own[key] for key in keys)] if keys else [],
    }


def coverage(
    tables: Mapping[str, Any], user_spaces: Path | None = None
) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """Label space -> corpus -> utterances ``mapped`` to each of its labels, and those ``left_out`` by their own label.

    A label without an entry is left out, never guessed. ``common`` is among the spaces if several corpora share at
    least two labels.
    """
    counts = {
        key: table["label"].value_counts().drop("", errors="ignore").sort_index() for key, table in tables.items()
    }
    labels = {key: [str(label) for label in found.index] for key, found in counts.items()}
    order = {name: list(space.labels) for name, space in label_spaces.spaces(user_spaces).items()}
    shared = sorted(set.intersection(*map(set, labels.values()))) if len(labels) > 1 else []
    order |= {label_spaces.COMMON: shared} if len(shared) > 1 else {}
    covered: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for name, names in order.items():
        mapped = label_spaces.relabel(labels, name, user_spaces)
        covered[name] = {}
        for key, words in labels.items():
            rows = list(zip(words, mapped[key], map(int, counts[key]), strict=True))
            sums = {label: sum(n for _, to, n in rows if to == label) for label in names}
            covered[name][key] = {"mapped": sums, "left_out": {word: n for word, to, n in rows if to is None}}
    return covered
