"""What a table of a paper is: how runs become its numbers, and these its tables; and which runs do not fit."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files as resources
from typing import Any

import numpy as np

from emoset_cli.report.tables import Table
from emoset_cli.runs import Run


@dataclass(frozen=True)
class Paper:
    """The tables of a paper.

    ``find`` makes of runs what JSON can hold, with ``left_out``: run and reason of each that does not fit. ``tables``
    prints that, the paper's own numbers last; ``sentences`` say what stands out; ``terms`` define the words.
    ``figures`` are SVG by name. ``baselines``: runs that are no networks have a place in it too.
    """

    title: str
    source: str
    find: Callable[[Sequence[Run]], dict[str, Any]]
    tables: Callable[[dict[str, Any]], list[Table]]
    sentences: Callable[[dict[str, Any]], list[str]]
    terms: Mapping[str, str]
    figures: Callable[[dict[str, Any]], dict[str, str]] = lambda found: {}
    baselines: bool = False


@lru_cache
def published(name: str) -> dict[str, Any]:
    """What a paper published, from ``published/NAME.yaml``, where each number has its table beside it. Only read it."""
    import yaml

    text = resources("emoset_cli.report.papers").joinpath("published", f"{name}.yaml").read_text("utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def fitting(runs: Sequence[Run], why_not: Callable[[Run], str]) -> tuple[list[Run], list[dict[str, str]]]:
    """The runs for which ``why_not`` is empty, each once, and the others with its answer."""
    once = list({(run.folder.resolve(), run.final): run for run in runs}.values())
    reasons = [why_not(run) for run in once]
    told = zip(once, reasons, strict=True)
    left_out = [{"run": run.name, "why": why} for run, why in told if why]
    return [run for run, why in zip(once, reasons, strict=True) if not why], left_out


def left_out(found: Mapping[str, Any]) -> list[str]:
    """A sentence for each reason."""
    reasons: dict[str, dict[str, None]] = {}
    for one in found["left_out"]:
        reasons.setdefault(one["why"], {})[one["run"]] = None
    return [f"Left out, because {why}: {', '.join(names)}." for why, names in reasons.items()]


def missing(theirs: Iterable[str], ours: Iterable[str], what: str) -> list[str]:
    """A sentence about what of a paper has no run here, or nothing.

    Example:
        >>> missing(["EmoDB", "CREMA-D"], ["EmoDB"], "corpora")
        ["No run here of 1 of the paper's 2 corpora: CREMA-D."]
    """
    theirs, ours = list(theirs), set(ours)
    lacking = [name for name in theirs if name not in ours]
    told = f"No run here of {len(lacking)} of the paper's {len(theirs)} {what}: {', '.join(lacking)}."
    return [told] if lacking else []


def spread(values: Sequence[float]) -> dict[str, Any] | None:
    """Mean and standard deviation (n - 1) with the values; None without any."""
    if not values:
        return None
    sd = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return {"mean": float(np.mean(values)), "sd": sd, "n": len(values), "values": list(map(float, values))}


def attributes_of(run: Run) -> tuple[str, list[str]]:
    """Approach and attributes of a run; ("", []) where it has none."""
    told = run.config.get("attributes") or {}
    names = [str(name) for name in told.get("classes") or {}]
    return (str(told["approach"]), names) if names else ("", [])
