"""Labels that are numbers (arousal, valence, an age): what of them a row of the utterance table keeps."""

from collections.abc import Iterator, Mapping
from math import inf, isfinite
from typing import Any

from emoset_cli.corpora import Corpus
from emoset_cli.joins import UNKNOWN
from emoset_cli.problems import KEPT, Problem


def tidied(
    corpus: Corpus, row: dict[str, Any], texts: Mapping[str, str], place: str
) -> Iterator[tuple[str, str, str, str]]:
    """Make what is no number, or lies outside the scale, an unknown value of ``row``; tell it.

    Args:
        corpus: the registry entry
        row: of the utterance table; a dimension that it does not have is one of unknown value
        texts: what names and tables write
        place: of the entry, for the mend

    Returns:
        problem, action, detail and mend of each such value
    """
    for name in corpus.dimensions:
        value, written = row.get(name), texts.get(name, "")
        row[name] = value if value is not None and isfinite(value) else None
        low, high = corpus.scales.get(name, (-inf, inf))
        if row[name] is None and written.strip().lower() not in UNKNOWN:
            mend = f"correct the name, or the expression `path` of {place}"
            yield "no number", KEPT, f"its {name} is '{written}'", mend
        elif row[name] is not None and not low <= row[name] <= high:
            row[name] = None
            mend = f"correct the value, or low and high of {name} in `dimensions` of {place}"
            yield "value out of range", KEPT, f"its {name} is {value:g}, not within {low:g} to {high:g}", mend


def unknown(corpus: Corpus, rows: list[dict[str, Any]]) -> list[Problem]:
    """How many rows lack a value, a problem for each dimension that some of them lack."""
    found = []
    for name in corpus.dimensions:
        lacking = sum(row[name] is None for row in rows)
        if lacking:
            detail = f"{lacking} of {len(rows)} utterances have no {name}"
            mend = f"nothing, if it is not known: they do not teach {name}"
            found.append(Problem(corpus.key, "", "", "value not known", KEPT, detail, mend))
    return found
