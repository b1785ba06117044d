"""``emoset run``: a plan becomes runs, comparisons and a report."""

import shlex
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli import learn, run_tables, search_options
from emoset_cli.cli.common import (
    DEFAULT_WORKSPACE,
    Device,
    Json,
    Quiet,
    Registry,
    Workers,
    Workspace,
    answer,
    finish,
    list_of,
    load_registry,
    say,
)
from emoset_cli.cli.job import Machine, made_folder, work
from emoset_cli.errors import EmosetError, unknown


def run(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="a YAML file, or the name of a plan of emoset's own")],
    size: Annotated[str, typer.Option("--size", help="paper, smoke (synthetic corpora), or another of the plan")] = (
        "paper"
    ),
    corpora: Annotated[
        list[str] | None, typer.Option("--corpora", "-t", help="instead of the plan's, separated by commas")
    ] = None,
    unseen: Annotated[list[str] | None, typer.Option("--unseen", help="instead of the plan's unseen corpora")] = None,
    seeds: Annotated[list[int] | None, typer.Option("--seed", min=0, help="instead of the plan's; several: again")] = (
        None
    ),
    only: Annotated[list[str] | None, typer.Option("--only", help="these sets of runs, and what they need")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="at most so many jobs now; 0: only the report")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show the jobs, their state and time")] = False,
    scheduler: Annotated[str, typer.Option("--scheduler", help="address of a Dask scheduler: jobs go there")] = "",
    device: Device = "auto",
    tensorboard: Annotated[bool, typer.Option("--tensorboard/--no-tensorboard", help="curves of networks")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="folder for the report")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    workers: Workers = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Carry out a plan: features, trainings, tests, tables; write runs and a report.

    Each job is a command of emoset. What is done stays done, what was interrupted goes on, what failed is tried again;
    a failure stops only what needs it. The same command continues.

    Example: emoset run emonet2021-table4 --corpora emodb,ravdess --dry-run
    """
    from emoset_cli.plan.jobs import with_needs
    from emoset_cli.plan.schedule import Progress
    from emoset_cli.plan.state import FAILED, read_records, states

    workspace = workspace.absolute()
    asked = _read(plan, size)
    known = load_registry(registry, workspace)
    over = _over(asked, list_of(corpora), list_of(unseen), tuple(seeds or ()), workspace, known, workers, quiet)
    jobs = _jobs(asked, over, workspace, known)
    for name in list_of(only):
        if name not in asked.runs:
            raise unknown(f"set of runs of plan {asked.name}", name, asked.runs)
    todo = with_needs(jobs, list_of(only)) if only else jobs
    records = read_records(workspace)
    progress = Progress(jobs, states(workspace, jobs, records), records)
    counts = _utterances(workspace, over)
    if dry_run:
        answer(*run_tables.dry_run(asked, over, progress, todo, counts, _count(workers)), as_json)
        return
    open_ = [job for job in todo if progress.states[job.id] != "done"]
    folder = _folder(workspace, asked, over)
    words = _words(plan, size, over, asked)
    _carry_out(asked, folder, progress, open_ if limit is None else open_[:limit],
               Machine(workspace, registry.absolute() if registry else None, device, 1, tensorboard, counts),
               workers, scheduler, words, quiet)  # fmt: skip
    page, sections = _report(asked, over, progress, workspace, out or folder / "report", words, device, quiet)
    say(f"report: {page}", quiet)
    value, tables = run_tables.done(asked, progress, folder, page, sections)
    answer(value, tables, as_json)
    finish(not progress.count(FAILED))


def _read(name: str, size: str) -> Any:
    """The plan of a file, or one of ours."""
    from emoset_cli.features import FAMILIES
    from emoset_cli.plan.read import Known, read_plan
    from emoset_cli.report.paper_names import CROSS
    from emoset_cli.report.papers import TABLES

    own = shipped()
    path = Path(name)
    if not path.is_file() and name not in own:
        if name in search_options.shipped():
            raise EmosetError(f"{name} is a search of options, not a plan of runs", f"emoset search {name}")
        error = unknown("plan", name, own)
        raise EmosetError(f"{error.problem}: no such file, and emoset has none of this name", error.mend)
    shown = name if path.is_file() else f"plans/{own[name].name}"
    known = Known(search_options.commands(), search_options.command, list(TABLES), list(FAMILIES), list(CROSS))
    return read_plan(path if path.is_file() else own[name], shown, size, known)


def shipped() -> dict[str, Path]:
    """The plans that come with emoset, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parents[1] / "plans").glob("*.yaml"))}


def _over(
    plan: Any, corpora: list[str], unseen: list[str], seeds: tuple[int, ...], workspace: Path, known: Any, workers: int,
    quiet: bool,
) -> Any:  # fmt: skip
    """What the plan is run over; synthetic corpora are made, others must be prepared."""
    from emoset_cli.plan.jobs import Over
    from emoset_cli.prepare import prepared_corpora

    if plan.synthetic and not corpora:
        corpora, unseen = _demo(plan, workspace, workers, quiet), unseen
    keys, outside = corpora or list(plan.corpora), unseen or list(plan.unseen)
    needed = [*keys, *(key for key in outside if any(one.unseen for one in plan.runs.values()))]
    for key in needed:
        if key not in known:
            raise unknown("corpus", key, known)
    there = prepared_corpora(workspace)
    missing = [key for key in needed if key not in there]
    if missing:
        have = [key for key in keys if key in there]
        mend = f"emoset prepare {' '.join(f'{key}=FOLDER' for key in missing[:3])}"
        mend += f"; or run it on those you own: --corpora {','.join(have or there)}" if have or there else ""
        raise EmosetError(f"{workspace} lacks {len(missing)} prepared corpora: {', '.join(missing)}", mend)
    both = [key for key in keys if key in outside]
    if both:
        raise EmosetError(f"{', '.join(both)} cannot be both trained on and unseen", "leave it out of one of them")
    return Over(tuple(keys), tuple(outside), seeds)


def _demo(plan: Any, workspace: Path, workers: int, quiet: bool) -> list[str]:
    """Make and prepare the synthetic corpora, and answer those that the plan trains on."""
    from emoset_cli.cli.main import main
    from emoset_cli.prepare import prepared_corpora
    from emoset_cli.synth import demo

    keys = list(demo.CORPORA)
    if not set(keys) <= set(prepared_corpora(workspace)):
        say(f"synthesising {', '.join(keys)} into {workspace / 'recordings'}", quiet)
        folders = demo.write(workspace / "recordings")
        words = ["prepare", *(f"{key}={folder}" for key, folder in folders.items()), "--partition", "standard"]
        import contextlib
        import io

        with contextlib.redirect_stdout(io.StringIO()):  # the table of corpora is no answer here
            if main([*words, "--workspace", str(workspace), "--workers", str(workers), "--quiet"]):
                raise EmosetError("the synthetic corpora could not be prepared", "see the lines above")
    return [key for key in keys if key not in plan.unseen]


def _jobs(plan: Any, over: Any, workspace: Path, known: Any) -> list[Any]:
    from emoset_cli.features import FAMILIES
    from emoset_cli.files import digest
    from emoset_cli.labels import own_file
    from emoset_cli.plan.jobs import jobs_of
    from emoset_cli.train import BASELINES

    own = own_file(workspace)
    spaces = digest(own.read_bytes()) if own and own.is_file() else ""

    @cache
    def data(key: str, spec: str, seed: int) -> list[Any]:
        return [*learn.facts_of(key, spec, seed, workspace, known), spaces]

    def line(train: str, options: Any, keys: Any) -> list[str]:
        return search_options.command_line(train, options, list(keys))[1:]

    def feature(train: str) -> str:
        return "egemaps" if train in BASELINES else ""

    return jobs_of(plan, over, line, data, feature, FAMILIES)


def _utterances(workspace: Path, over: Any) -> dict[str, int]:
    from emoset_cli.prepare import read_utterances

    return {key: len(read_utterances(workspace, key)) for key in (*over.corpora, *over.unseen)}


def _folder(workspace: Path, plan: Any, over: Any) -> Path:
    """Where the plan's log and report lie: by its name, its size and what it is run over."""
    from emoset_cli.files import digest

    return workspace / "plans" / f"{plan.name}-{plan.size}_{digest(over.corpora, over.unseen, over.seeds, length=8)}"


def _words(name: str, size: str, over: Any, plan: Any) -> str:
    """The command that does all this again."""
    words = ["emoset", "run", name, *(["--size", size] if size != "paper" else [])]
    if over.corpora != plan.corpora and not plan.synthetic:
        words += ["--corpora", ",".join(over.corpora)]
    words += ["--unseen", ",".join(over.unseen)] if over.unseen != plan.unseen else []
    return shlex.join([*words, *(word for seed in over.seeds for word in ("--seed", str(seed)))])


def _count(workers: int) -> int:
    from emoset_cli.cores import cores

    return workers or cores()


def _carry_out(
    plan: Any, folder: Path, progress: Any, todo: list[Any], machine: Machine, workers: int, scheduler: str,
    words: str, quiet: bool,
) -> None:  # fmt: skip
    """Do the jobs, with their progress on stderr and in the log."""
    from dataclasses import replace

    from emoset_cli.cli.run_live import shown
    from emoset_cli.cores import cores
    from emoset_cli.plan.schedule import Events, run_jobs

    if not todo:
        return
    _make(plan, todo, machine.workspace)
    count = min(_count(workers), len(todo))
    machine = replace(machine, workers=max(1, (workers or cores()) // count))
    events = Events(folder / "events.jsonl")
    events.add("started", plan=plan.name, size=plan.size, command=words, jobs=len(progress.jobs), todo=len(todo))
    try:
        with ExitStack() as stack:
            pool = stack.enter_context(_pool(count, scheduler))
            told = stack.enter_context(shown(plan, progress, machine, count, quiet))
            run_jobs(progress, todo, pool, work, (machine,), machine.workspace, events, told)
    except BaseException as error:
        events.add("interrupted", why=type(error).__name__)
        raise
    events.add("ended", **{state: progress.count(state) for state in ("done", "failed", "blocked")})


def _pool(workers: int, scheduler: str) -> Any:
    from emoset_cli.pool import pool

    return pool(workers, scheduler)


def _make(plan: Any, todo: list[Any], workspace: Path) -> None:
    """Make the things that words with @ name."""
    from emoset_cli.synth.models import MADE

    for name in dict.fromkeys(word[1:] for job in todo for word in job.words if word.startswith("@")):
        if name not in MADE:
            raise unknown(f"thing that plan {plan.name} has made on the spot", name, MADE)
        MADE[name](made_folder(workspace) / name)


def _report(
    plan: Any, over: Any, progress: Any, workspace: Path, folder: Path, words: str, device: str, quiet: bool
) -> tuple[Path, list[Any]]:
    """Write the plan's page from what is finished."""
    from emoset_cli.cli.run_report import report

    return report(plan, over, progress, workspace, folder, words, device, partial(say, quiet=quiet))
