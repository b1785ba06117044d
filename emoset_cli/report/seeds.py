"""Several seeds of one setting: their mean, and one mark for what McNemar's test says of each against the reference."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from emoset_cli import stats

ALPHA = 0.05
Hits = Mapping[str, Mapping[int, np.ndarray]]  # place -> seed -> whether each utterance is right, in a fixed order


def marks_of(reference: Hits, other: Hits) -> dict[str, dict[str, Any]]:
    """Place -> McNemar's test of each seed that both have; Holm's correction is over the places of a seed.

    A place is what a row of the table is of, such as a corpus; utterances that both have must stand in the same order.
    ``mark`` is set if more than half of the ``pairs`` of seeds are significant in one direction.
    """
    tests: dict[int, dict[str, Any]] = {}
    for place, seeds in other.items():
        for seed in sorted(set(seeds) & set(reference.get(place, {}))):
            a, b = reference[place][seed], seeds[seed]
            if len(a):
                test = stats.mcnemar(a, b)
                tests.setdefault(seed, {})[place] = {
                    "seed": seed, "only_reference": test.only_a, "only_setting": test.only_b, "p": test.p,
                }  # fmt: skip
    pairs: dict[str, list[dict[str, Any]]] = {}
    for of_seed in tests.values():
        for (place, test), p in zip(of_seed.items(), stats.holm([one["p"] for one in of_seed.values()]), strict=True):
            gain = test["only_setting"] - test["only_reference"]
            signs = {"mark": stats.mark(gain, p, ALPHA), "mark_uncorrected": stats.mark(gain, test["p"], ALPHA)}
            pairs.setdefault(place, []).append({**test, "p_holm": p, **signs})
    return {place: _verdict(of_place) for place, of_place in pairs.items()}


def _verdict(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    """One mark for several seeds: set only if more than half of them are significant in one direction."""
    found: dict[str, Any] = {"pairs": len(pairs)}
    for name in ("mark", "mark_uncorrected"):
        plus, minus = (sum(pair[name] == sign for pair in pairs) for sign in ("+", "−"))
        found[name] = "+" if 2 * plus > len(pairs) else "−" if 2 * minus > len(pairs) else ""
        if name == "mark":
            found |= {"plus": plus, "minus": minus}
    return found | {"tests": pairs}


def over_seeds(uars: Mapping[int, dict[str, Any]]) -> dict[str, Any] | None:
    """Mean UAR over the seeds with their standard deviation (n - 1); of a single seed its interval instead.

    Args:
        uars: seed -> ``value``, ``low`` and ``high``; without any the answer is None
    """
    if not uars:
        return None
    values = [float(uar["value"]) for uar in uars.values()]
    single = next(iter(uars.values())) if len(uars) == 1 else {"low": None, "high": None}
    return {
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "n": len(values),
        "low": single["low"],
        "high": single["high"],
        "values": dict(zip(map(str, uars), values, strict=True)),
    }
