"""``emoset run``: a plan becomes runs, comparisons and a report."""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli import run_over, run_tables
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
from emoset_cli.cli.run_over import shipped as shipped
from emoset_cli.errors import EmosetError


def run(
    plan: Annotated[
        str,
        typer.Argument(metavar="[PLAN]", help="a YAML file, or a plan of emoset's own; without it, these are listed"),
    ] = "",
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
    show: Annotated[bool, typer.Option("--show", help="only print the plan's YAML, to change and run a copy")] = False,
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
    a failure stops only what needs it. The same command continues. Without PLAN, the plans of emoset are listed.

    Example: emoset run emonet2021-table4 --corpora emodb,ravdess --dry-run
    """
    from emoset_cli.plan.jobs import with_needs
    from emoset_cli.plan.schedule import Progress
    from emoset_cli.plan.state import BLOCKED, DONE, FAILED, read_records, states

    if not plan:
        answer(*run_tables.plans([run_over.read(name, "paper") for name in shipped()]), as_json)
        return
    if show:
        run_over.read(plan, size)
        _show(run_over.file_of(plan), as_json)
        return
    workspace, registry = workspace.absolute(), registry.absolute() if registry else None
    given = (list_of(corpora), list_of(unseen), list(seeds or ()))
    asked, sets, known = run_over.read(plan, size), list_of(only), load_registry(registry, workspace)
    over = run_over.over(asked, *given, sets, workspace, known, workers, quiet)
    jobs = run_over.jobs(asked, over, workspace, known)
    chosen = with_needs(jobs, sets) if only else jobs
    if not chosen:
        raise EmosetError(f"{', '.join(sets)} of plan {asked.name} have nothing to do over {', '.join(over.corpora)}",
                          "name other sets by --only, or other --corpora")  # fmt: skip
    for name in run_over.skipped(asked, jobs):
        say(f"note: {name}: none of its runs is possible over {', '.join(over.corpora)}", quiet)
    records = read_records(workspace)
    found = states(workspace, jobs, records)
    todo = [job for job in chosen if found[job.id] != DONE][:limit]
    progress = Progress(jobs, todo, found, records)
    counts = run_over.utterances(workspace, over)
    machine = Machine(workspace, registry, device, 1, tensorboard, counts)
    run_over.check(asked, todo, workspace, registry, "auto" if scheduler else device, tensorboard)
    if dry_run:
        answer(*run_tables.dry_run(asked, over, progress, chosen, counts, _count(workers)), as_json)
        return
    folder = run_over.folder_of(workspace, asked, over)
    words = run_over.again(plan, size, *given, registry)
    if todo:
        _carry_out(asked, folder, progress, machine, workers, scheduler, words, quiet)
        progress.records = read_records(workspace)
        progress.states = states(workspace, jobs, progress.records)
    page: Path | None = None
    sections: list[Any] = []
    if progress.count(FAILED) or any(job.words[0] == "train" for job in jobs if progress.states[job.id] == DONE):
        page, sections = _report(asked, over, progress, workspace, out or folder / "report", words, device, quiet)
        say(f"report: {page}", quiet)
    else:
        say("no report: none of the runs is finished", quiet)
    answer(*run_tables.done(asked, progress, folder, workspace, page, sections), as_json)
    finish(not any(progress.states[job.id] in {FAILED, BLOCKED} for job in todo))


def _show(file: Path, as_json: bool) -> None:
    """The text of a plan on stdout, as it is, or what it says as JSON."""
    import yaml

    text = file.read_text("utf-8")
    if as_json:
        answer(yaml.safe_load(text), (), as_json)
    else:
        typer.echo(text, nl=False)


def _count(workers: int) -> int:
    from emoset_cli.cores import cores

    return workers or cores()


def _carry_out(
    plan: Any, folder: Path, progress: Any, machine: Machine, workers: int, scheduler: str, words: str, quiet: bool
) -> None:
    """Do the jobs, with their progress on stderr and in the log."""
    from dataclasses import replace

    from emoset_cli.cli.run_live import shown
    from emoset_cli.plan.schedule import Events, run_jobs

    _make(progress.todo, machine.workspace)
    count = min(_count(workers), len(progress.todo))
    machine = replace(machine, workers=max(1, _count(workers) // count))
    events = Events(folder / "events.jsonl")
    sizes = {"jobs": len(progress.jobs), "todo": len(progress.todo)}
    events.add("started", plan=plan.name, size=plan.size, command=words, **sizes)
    try:
        with ExitStack() as stack:
            pool = stack.enter_context(_pool(count, scheduler))
            told = stack.enter_context(shown(plan, progress, machine, count, quiet))
            run_jobs(progress, pool, work, (machine,), machine.workspace, events, told)
    except BaseException as error:
        events.add("interrupted", why=type(error).__name__)
        raise
    events.add("ended", **{state: progress.count(state) for state in ("done", "failed", "blocked")})


def _pool(workers: int, scheduler: str) -> Any:
    from emoset_cli.pool import pool

    return pool(workers, scheduler)


def _make(todo: list[Any], workspace: Path) -> None:
    """Make the things that words with @ name."""
    from emoset_cli.synth.models import MADE

    for name in dict.fromkeys(word[1:] for job in todo for word in job.words if word.startswith("@")):
        MADE[name](made_folder(workspace) / name)


def _report(
    plan: Any, over: Any, progress: Any, workspace: Path, folder: Path, words: str, device: str, quiet: bool
) -> tuple[Path, list[Any]]:
    """Write the plan's page from what is finished."""
    from emoset_cli.cli.run_report import report

    return report(plan, over, progress, workspace, folder, words, device, partial(say, quiet=quiet))
