"""A plan of ``emoset run`` is read, set over corpora, checked, and taken apart into jobs."""

import contextlib
import io
from functools import cache
from pathlib import Path
from typing import Any

from emoset_cli.cli import learn, run_checks, search_options
from emoset_cli.cli.common import say
from emoset_cli.errors import EmosetError, unknown


def shipped() -> dict[str, Path]:
    """The plans that come with emoset, by name."""
    found = (Path(__file__).parents[1] / "plans").glob("*.yaml")
    return {path.stem: path for path in sorted(found, key=lambda path: path.stem)}


def read(name: str, size: str) -> Any:
    """The plan of a file, or one of ours.

    Raises:
        EmosetError: if there is none, it is wrong or has no such size
    """
    from emoset_cli.plan.read import read_plan

    path = file_of(name)
    shown = name if path == Path(name) else f"plans/{path.name}"
    return read_plan(path, shown, size, _known())


def file_of(name: str) -> Path:
    """The file of a plan: that of this path, or one of ours.

    Raises:
        EmosetError: if there is none
    """
    own = shipped()
    if Path(name).is_file():
        return Path(name)
    if name in own:
        return own[name]
    if name in search_options.shipped():
        raise EmosetError(f"{name} is a search of options, not a plan of runs", f"emoset search {name}")
    error = unknown("plan", name, own)
    raise EmosetError(f"{error.problem}: no such file, and emoset has none of this name", error.mend)


@cache
def _known() -> Any:
    """What a plan may name."""
    from importlib import import_module

    from emoset_cli.features import ALIASES, FAMILIES, FEATURES
    from emoset_cli.plan.agreement import Features
    from emoset_cli.plan.read import Known
    from emoset_cli.report.paper_names import CROSS
    from emoset_cli.report.papers import TABLES

    families = {family: import_module(module).OPTIONS for family, module in FAMILIES.items()}
    features = Features(frozenset({*FEATURES, *ALIASES}), families)
    return Known(search_options.commands(), search_options.command, list(TABLES), features, list(CROSS))


def over(
    plan: Any, corpora: list[str], unseen: list[str], seeds: list[int], only: list[str], workspace: Path, known: Any,
    workers: int, quiet: bool,
) -> Any:  # fmt: skip
    """What the plan is run over; synthetic corpora are made, others must be prepared.

    Raises:
        EmosetError: for an unknown set of runs, and for all that is wrong with the corpora
    """
    from emoset_cli.plan.jobs import Over
    from emoset_cli.prepare import prepared_corpora

    for name in only:
        if name not in plan.runs:
            raise unknown(f"set of runs of plan {plan.name}", name, plan.runs)
    tests = any(one.unseen for one in plan.runs.values())
    if unseen and not tests:
        raise EmosetError(f"no runs of plan {plan.name} test unseen corpora", "leave --unseen out")
    outside = (unseen or list(plan.unseen)) if tests else []
    if plan.synthetic and not corpora:
        corpora = [key for key in _demo(workspace, workers, quiet) if key not in outside]
    keys = corpora or list(plan.corpora)
    mistakes = run_checks.of_corpora(keys, outside, prepared_corpora(workspace), known, workspace)
    run_checks.refuse(plan, mistakes)
    return Over(tuple(keys), tuple(outside), tuple(dict.fromkeys(seeds)))


def _demo(workspace: Path, workers: int, quiet: bool) -> list[str]:
    """Make and prepare the synthetic corpora where they are not there; answer them."""
    from emoset_cli.cli.main import main
    from emoset_cli.prepare import prepared_corpora
    from emoset_cli.synth import demo

    keys = list(demo.CORPORA)
    if not set(keys) <= set(prepared_corpora(workspace)):
        say(f"synthesising {', '.join(keys)} into {workspace / 'recordings'}", quiet)
        folders = demo.write(workspace / "recordings")
        words = ["prepare", *(f"{key}={folder}" for key, folder in folders.items()), "--partition", "standard"]
        with contextlib.redirect_stdout(io.StringIO()):  # the table of corpora is no answer here
            if main([*words, "--workspace", str(workspace), "--workers", str(workers), "--quiet"]):
                raise EmosetError("the synthetic corpora could not be prepared", "see the lines above")
    return keys


def jobs(plan: Any, what: Any, workspace: Path, known: Any) -> list[Any]:
    """The jobs of a plan, each behind those it needs.

    Raises:
        EmosetError: if there are none, or a corpus was prepared by another entry of the registry
    """
    from emoset_cli.files import digest
    from emoset_cli.labels import own_file
    from emoset_cli.plan.jobs import jobs_of
    from emoset_cli.train import BASELINES

    own = own_file(workspace)
    spaces = digest(own.read_bytes()) if own else ""

    @cache
    def data(key: str, spec: str, seed: int) -> list[Any]:
        listed = Path(spec)
        lists = digest(listed.read_bytes()) if spec.endswith(".csv") and listed.is_file() else ""
        return [*learn.facts_of(key, spec, seed, workspace, known), repr(known[key].partitions), lists, spaces]

    def line(train: str, options: Any, keys: Any) -> list[str]:
        return search_options.command_line(train, search_options.plain(train, options), list(keys))[1:]

    def feature(train: str) -> str:
        return "egemaps" if train in BASELINES else ""

    return jobs_of(plan, what, line, data, _made_by, feature)


@cache
def _made_by(what: str) -> Any:
    """The version of a training command, or of a feature set: what it makes is not taken for that of another one."""
    from emoset_cli.features import find_feature, package_of
    from emoset_cli.models import MODELS
    from emoset_cli.train import BASELINES, baseline
    from emoset_cli.train.deep.settings import RECIPE

    if what in BASELINES:
        return baseline.RECIPE
    return RECIPE if what in MODELS else package_of(find_feature(what))


def skipped(plan: Any, found: list[Any]) -> list[str]:
    """Sets of runs that have nothing to do over the corpora."""
    return [name for name in plan.runs if not any(name in job.sets for job in found)]


def check(plan: Any, todo: list[Any], workspace: Path, registry: Path | None, device: str, tensorboard: bool) -> None:
    """Refuse jobs that are known to fail.

    Raises:
        EmosetError: that lists all reasons
    """
    machine = {"workspace": workspace, "registry": registry, "device": device, "tensorboard": tensorboard}
    run_checks.refuse(plan, run_checks.of_jobs(todo, machine))


def utterances(workspace: Path, what: Any) -> dict[str, int]:
    """How many utterances each corpus has."""
    from emoset_cli.prepare import read_utterances

    return {key: len(read_utterances(workspace, key)) for key in (*what.corpora, *what.unseen)}


def folder_of(workspace: Path, plan: Any, what: Any) -> Path:
    """Where the plan's log and report lie: by its name, its size and what it is run over."""
    from emoset_cli.files import digest

    return workspace / "plans" / f"{plan.name}-{plan.size}_{digest(what.corpora, what.unseen, what.seeds, length=8)}"


def again(name: str, size: str, corpora: list[str], unseen: list[str], seeds: list[int], registry: Path | None) -> str:
    """The command that does all this again."""
    import shlex

    words = ["emoset", "run", name, *(["--size", size] if size != "paper" else [])]
    words += ["--corpora", ",".join(corpora)] if corpora else []
    words += ["--unseen", ",".join(unseen)] if unseen else []
    words += [word for seed in seeds for word in ("--seed", str(seed))]
    return shlex.join([*words, *(["--registry", str(registry)] if registry else [])])
