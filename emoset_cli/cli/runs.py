"""``emoset runs``: what is in the workspace, one run in full, two side by side, and away with those not needed."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import DEFAULT_WORKSPACE, Json, Quiet, Workspace, answer, complain, finish, list_of, say
from emoset_cli.errors import EmosetError

app = typer.Typer(help="List, show, compare and remove runs.\n\nExample: emoset runs list", no_args_is_help=True)


@app.command("list")
def list_runs(
    task: Annotated[
        list[str] | None, typer.Option("--task", "-t", help="only runs of one of these corpora, separated by commas")
    ] = None,
    model: Annotated[list[str] | None, typer.Option("--model", help="only runs of these models: svm, cnn, ...")] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """List the runs of the workspace with their scores, date and size, unfinished ones too.

    Example: emoset runs list -t emodb --model svm
    """
    from emoset_cli.report.run_tables import runs_table
    from emoset_cli.runs import list_folders

    corpora, models = list_of(task), list_of(model)
    rows, well = [], True
    for name in list_folders(workspace):
        try:
            row = _row(workspace / "runs" / name)
        except EmosetError as error:
            complain(error)
            well = False
            continue
        if (not corpora or set(corpora) & set(row["corpora"])) and (not models or row["model"] in models):
            rows.append(row)
    answer(rows, [runs_table(rows)], as_json)
    finish(well)


def _row(folder: Path) -> dict[str, Any]:
    """What the list tells of a run; of an unfinished one only what its folder tells."""
    from statistics import mean

    from emoset_cli.keeping import size, state
    from emoset_cli.report.scores import PARTITIONS, plain_uars
    from emoset_cli.runs import is_done, read_run

    row: dict[str, Any] = {
        "run": folder.name, "model": None, "corpora": [], "partition": None, "seed": None, "devel_uar": None,
        "test_uar": None, "date": _date(folder), "bytes": size(folder), "state": state(folder),
    }  # fmt: skip
    if not is_done(folder):
        corpora, _, rest = folder.name.partition("_")  # as `runs.run_folder` was given the words
        return row | {"corpora": corpora.split("+"), "model": rest.partition("_")[0].partition("-")[0]}
    run = read_run(folder)
    by_part = {part: list(plain_uars(run, part).values()) for part in PARTITIONS}
    return row | {
        "model": str(run.config.get("model")), "corpora": [str(key) for key in run.config["corpora"]],
        "partition": run.config["partition"]["name"], "seed": run.config["seed"],
        **{f"{part}_uar": mean(found) if found else None for part, found in by_part.items()},
    }  # fmt: skip


def _date(folder: Path) -> str:
    from emoset_cli.keeping import changed

    return datetime.fromtimestamp(changed(folder)).isoformat(" ", "minutes")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="RUN", help="a run, or an unambiguous part of its name")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Show a run: settings, scores with intervals, the end of its history, its files, and what it rests on.

    Example: emoset runs show emodb_svm
    """
    from emoset_cli import keeping
    from emoset_cli.report.dimensions import dimension_scores
    from emoset_cli.report.run_tables import run_tables, scores_rows
    from emoset_cli.report.scores import score_run
    from emoset_cli.runs import find_run

    run = find_run(workspace, name)
    shown: dict[str, Any] = {
        "run": run.name, "state": keeping.state(run.folder), "date": _date(run.folder), "folder": str(run.folder),
        "initial": keeping.base_of(run.config), "built_on": keeping.built_on(workspace).get(run.folder.name, []),
        "config": run.config, "scores": scores_rows(score_run(run)), "dimensions": dimension_scores([run]),
        "history": _history(run.folder / "history.csv"),
        "files": keeping.files(run.folder),
    }  # fmt: skip
    answer(shown, run_tables(shown), as_json)


def _history(path: Path) -> list[dict[str, str]]:
    """A row an epoch; none of a baseline."""
    import csv

    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        if any(None in row or None in row.values() for row in rows):  # cells without a column, columns without a cell
            raise csv.Error("a row is longer or shorter than the head")
        return [{str(name): str(value) for name, value in row.items()} for row in rows]
    except (csv.Error, UnicodeDecodeError) as error:
        raise EmosetError(f"{path} is no table of epochs ({error})", "train again with --force") from None


@app.command()
def diff(
    a: Annotated[str, typer.Argument(metavar="RUN_A", help="a run; RUN:final for a network's last epoch")],
    b: Annotated[str, typer.Argument(metavar="RUN_B", help="another")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
) -> None:
    """Show in which settings two runs differ, and their scores side by side.

    Whether a difference of scores means something is what `emoset compare` tests.

    Example: emoset runs diff emodb_svm emodb_forest
    """
    from emoset_cli.report.run_tables import difference, difference_tables
    from emoset_cli.report.scores import PARTITIONS, plain_uars
    from emoset_cli.runs import find_run

    both = [find_run(workspace, name) for name in (a, b)]
    if len({(run.folder, run.final) for run in both}) < 2:
        raise EmosetError(f"'{a}' and '{b}' are the same run", "name two different ones")
    found = difference(
        [run.name for run in both],
        [run.config for run in both],
        [{part: plain_uars(run, part) for part in PARTITIONS} for run in both],
    )
    answer(found, difference_tables(found), as_json)


@app.command()
def rm(
    names: Annotated[list[str], typer.Argument(metavar="RUN", help="runs, finished or not")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="also a run that is being trained, or that others started from")
    ] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Remove runs with all their files, after a question; reports made of them stay.

    Example: emoset runs rm emodb_svm-egemaps-v02_standard_3f2a --yes
    """
    from emoset_cli import keeping
    from emoset_cli.report.kinds import size
    from emoset_cli.report.tables import Column, Table

    folders = keeping.removable(workspace, names, force)
    weights = {folder.name: keeping.size(folder) for folder in folders}
    if not yes:
        _ask(f"remove {', '.join(weights)} ({size(sum(weights.values()))})?")
    freed = keeping.remove(workspace, folders)
    say(f"removed {len(folders)} runs, {size(freed)} are free again", quiet)
    heads = [Column("removed", "text", "run"), Column("size", "bytes", "bytes")]
    rows = [{"run": name, "bytes": weight} for name, weight in weights.items()]
    answer(rows, [Table("Removed", heads, [list(row.values()) for row in rows])], as_json)


def _ask(question: str) -> None:
    """Ask on the terminal; anything but yes ends the command."""
    if not sys.stdin.isatty():
        raise EmosetError(f"nobody is there to ask: {question}", "give --yes")
    if not typer.confirm(question, err=True):
        raise EmosetError("nothing was removed", "answer y, or give --yes")
