"""A plan in one of its sizes: other corpora, fewer sets of runs, options that make it cheaper."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from emoset_cli.knobs import told
from emoset_cli.plan.plan import SMOKE, Plan, RunSet


def sized(plan: Plan, size: Mapping[str, Any]) -> Plan:
    """The plan with what a size says otherwise."""
    kept = _with_origins(plan.runs, size.get("only") or plan.runs)
    runs = {name: plan.runs[name] for name in kept}
    dropped = [name for name in plan.runs if name not in kept]
    alike: dict[str, list[str]] = {}  # what is said otherwise -> the sets of which it is said
    for name, one in list(runs.items()):
        own = size.get("runs", {}).get(name, {})
        options = {**size.get("options", {}).get(one.train, {}), **own.get("options", {})}
        further = {key: own[key] for key in ("corpora", "points", "seeds") if key in own}
        if "seeds" in size and "seeds" not in further:
            further["seeds"] = size["seeds"]
        runs[name] = replace(one, options={**one.options, **options}, **further)
        words = [
            f"{option} left out" if value == "" else f"{option} {told(value)}" for option, value in options.items()
        ]
        words += [f"{key} {_listed(value)}" for key, value in further.items() if key != "points"]
        words += [f"{len(further['points'])} of {len(one.points)} points of the grid"] if "points" in further else []
        alike.setdefault(", ".join(words), []).append(name)
    reduced = [f"without {_listed(dropped)}"] if dropped else []
    reduced += [f"{'all runs' if names == [*runs] and len(runs) > 1 else _listed(names)}: {words}"
                for words, names in alike.items() if words]  # fmt: skip
    extract = {
        name: replace(one, options={**one.options, **size.get("extract", {}).get(name, {})})
        for name, one in plan.extract.items()
    }
    reduced += [
        f"features {name}: {', '.join(f'{option} {value}' for option, value in options.items())}"
        for name, options in size.get("extract", {}).items()
    ]
    corpora = () if plan.size == SMOKE else plan.corpora
    unseen = () if plan.size == SMOKE else plan.unseen
    sections = [replace(one, runs=tuple(name for name in one.runs if name in kept)) if one.runs else one
                for one in plan.report if not one.runs or set(one.runs) & set(kept)]  # fmt: skip
    return replace(plan, corpora=size.get("corpora", corpora), unseen=size.get("unseen", unseen), extract=extract,
                   runs=runs, report=tuple(sections), reduced=tuple(reduced))  # fmt: skip


def _with_origins(runs: Mapping[str, RunSet], wanted: Iterable[str]) -> list[str]:
    """The sets that are wanted and those that they start from, in the order of the plan."""
    found = set(wanted)
    for name, one in reversed(list(runs.items())):  # an origin stands before
        if name in found and one.origin:
            found.add(one.origin)
    return [name for name in runs if name in found]


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(str, values))
