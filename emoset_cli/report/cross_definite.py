"""Corpus-definite and corpus-ambiguous utterances: whose corpus a network's discriminator knows, and whose it does not.

Source:
    Zhu & Sato 2020, section 4 and Figure 2.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from emoset_cli.report.attributes import DEFINITE, UNITS
from emoset_cli.runs import Run


def corpus_posteriors(run: Run) -> dict[str, float]:
    """Test utterance -> the posterior of its own corpus, mean over its rows; empty where no head names corpora.

    A run that has rows of segments only gives the mean over these.
    """
    table = run.attributes()
    if table is None:
        return {}
    table = table[(table["attribute"] == "corpus") & (table["partition"] == "test") & (table["truth"] != "")]
    parts = (table[table["unit"] == unit] for unit in UNITS)
    rows = next((part for part in parts if len(part)), table)
    return {str(name): float(mean) for name, mean in rows.groupby("utterance")["posterior"].mean().items()}


def split(table: Any, posteriors: Mapping[str, float]) -> dict[str, Any]:
    """Predictions by whether their utterance's corpus is definite: ``definite``, ``ambiguous`` and ``unknown`` rows.

    Definite: the posterior is at least `DEFINITE`; unknown: there is none.
    """
    known = table["utterance"].isin(posteriors)
    definite = known & (table["utterance"].map(posteriors) >= DEFINITE)
    return {"definite": table[definite], "ambiguous": table[known & ~definite], "unknown": table[~known]}


def ambiguity(parts: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    """How many utterances of each label are corpus-ambiguous, and which label has the largest share of them.

    Args:
        parts: of `split`
        labels: of the corpus, in their order; those that do not occur are left out

    Returns:
        ``labels`` with ``n``, ``ambiguous`` and ``share`` of each, ``most_ambiguous`` (None where no utterance is
        ambiguous; of equal shares, the first), ``n``, ``share`` of all and ``n_unknown``
    """
    counts = {name: Counter(map(str, part["truth"])) for name, part in parts.items()}
    rows: list[dict[str, Any]] = []
    for label in labels:
        ambiguous = counts["ambiguous"][label]
        if n := ambiguous + counts["definite"][label]:
            rows.append({"label": label, "n": n, "ambiguous": ambiguous, "share": ambiguous / n})
    total, ambiguous = sum(row["n"] for row in rows), sum(row["ambiguous"] for row in rows)
    most = max(rows, key=lambda row: row["share"], default=None)
    return {
        "labels": rows,
        "most_ambiguous": most["label"] if most and ambiguous else None,
        "n": total,
        "share": ambiguous / total if total else None,
        "n_unknown": len(parts["unknown"]),
    }
