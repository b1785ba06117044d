"""A search: trial after trial, each kept when it is finished, with a table of all and the best one beside them."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from emoset_cli import runs
from emoset_cli.errors import EmosetError
from emoset_cli.files import sweep, write_text
from emoset_cli.knobs import Value
from emoset_cli.search.plan import OBJECTIVE, Plan
from emoset_cli.search.space import options_at
from emoset_cli.search.study import Journal, Trial, proposed

# Options, fixed and searched, to the mean devel UAR and the names of the runs.
Attempt = Callable[[dict[str, Value]], tuple[float, list[str]]]


def search_folder(workspace: Path, plan: Plan, data: dict[str, Any]) -> Path:
    """Where a search lives: the plan's name, then a signature of what it searches and of the data."""
    return workspace / "searches" / f"{plan.name}_{runs.signature(plan.settings() | {'data': data})}"


def search(
    plan: Plan,
    folder: Path,
    attempt: Attempt,
    command: Callable[[dict[str, Value]], str],
    told: Callable[[Trial, Trial | None], Any] = lambda trial, best: None,
    retry: bool = False,
) -> list[Trial]:
    """Do the trials that are not yet done; answer all.

    Args:
        plan: what is tried, and how often
        folder: of the search, see `search_folder`
        attempt: trains with some options
        command: the command line that does the same
        told: called with each trial that is new, and the best so far
        retry: try again what failed, with the same values
    """
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    _write_yaml(folder / "plan.yaml", plan.as_dict())
    journal = Journal(folder / "journal.log")
    trials = journal.trials()
    for number in range(1, plan.trials + 1):
        known = trials.get(number)
        if known and not (retry and known.problem):
            continue
        values = known.values if known else proposed(plan, number, list(trials.values()))
        trials[number] = _tried(plan, number, values, attempt)
        journal.add(plan, trials[number])
        _write(folder, plan, list(trials.values()), command)
        told(trials[number], best_of(list(trials.values())))
    _write(folder, plan, list(trials.values()), command)
    return list(trials.values())


def options_of(plan: Plan, trial: Trial) -> dict[str, Value]:
    """All options of a trial, fixed and searched."""
    return plan.options | options_at(plan.space, trial.values)


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The trial of the highest devel UAR, the first among equals; None where all failed."""
    return next(iter(ranked(trials)), None)


def ranked(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that did not fail, best first."""
    well = [trial for trial in trials if trial.uar is not None]
    return sorted(well, key=lambda trial: (-(trial.uar or 0.0), trial.number))


def _tried(plan: Plan, number: int, values: dict[str, Any], attempt: Attempt) -> Trial:
    trial = Trial(number, values)
    try:
        uar, names = attempt(options_of(plan, trial))
    except EmosetError as error:
        return Trial(number, values, problem=f"{error.problem} ({error.mend})")
    return Trial(number, values, uar, names)


def _write(folder: Path, plan: Plan, trials: list[Trial], command: Callable[[dict[str, Value]], str]) -> None:
    """The table of all trials, and the best one with its command line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["trial", "devel_uar", *plan.searched, "runs", "problem"])
    for trial in trials:
        options = options_of(plan, trial)
        uar = "" if trial.uar is None else trial.uar
        searched = [options[name] for name in plan.searched]
        writer.writerow([trial.number, uar, *searched, " ".join(trial.runs), trial.problem])
    write_text(folder / "trials.csv", out.getvalue())
    best = best_of(trials)
    if best:
        options = options_of(plan, best)
        facts: dict[str, Any] = {"objective": OBJECTIVE, "devel_uar": best.uar, "trial": best.number, "of": len(trials)}
        facts |= {"options": options, "runs": best.runs, "command": command(options)}
        _write_yaml(folder / "best.yaml", facts)


def _write_yaml(path: Path, facts: dict[str, Any]) -> None:
    import yaml

    write_text(path, yaml.safe_dump(facts, sort_keys=False, allow_unicode=True, width=10_000))
