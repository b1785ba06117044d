"""``emoset search``: the options of a training that do best on devel, from a plan."""

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli import deep, learn, search_options
from emoset_cli.cli.common import (
    DEFAULT_WORKSPACE,
    Json,
    Quiet,
    Registry,
    Tasks,
    Workers,
    Workspace,
    answer,
    chosen_corpora,
    list_of,
    load_registry,
    say,
    strictly,
)
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.models import MODELS


class Device(StrEnum):
    """Where networks are trained."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def search(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="a YAML file, or the name of a plan of emoset's own")],
    task: Tasks = None,
    trials: Annotated[
        int | None, typer.Option("--trials", "-n", min=1, help="trials in all, those done before too; by the plan")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what would be tried")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="try again what failed")] = False,
    device: Annotated[Device, typer.Option("--device", help="of networks; auto takes a GPU where there is one")] = (
        Device.auto
    ),
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    workers: Workers = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Search for the options of a training that do best on devel; write runs and a folder with all trials.

    Each trial is an ordinary run. The same command goes on where it was stopped, and with more --trials it goes
    further. Test is never looked at. The best devel UAR of many trials is too good: emoset evaluate the best run.

    Example: emoset search svm-features -t emodb
    """
    from emoset_cli.search.run import search as run_search
    from emoset_cli.search.run import search_folder

    asked = _read(plan)
    asked = asked.asking(trials) if trials else asked
    if dry_run:
        _answer_plan(asked, as_json)
        return
    known = load_registry(registry, workspace)
    keys = chosen_corpora(task, workspace)
    folder = search_folder(workspace, asked, _data(asked, keys, workspace, known, str(device)))

    def attempt(options: dict[str, Any]) -> tuple[float, list[str]]:
        words = search_options.command_line(asked.train, options, keys)[3:]
        machine = {"workspace": workspace, "registry": registry, "workers": workers, "quiet": quiet}
        return _trained(asked.train, search_options.given(asked.train, words) | machine | {"device": str(device)})

    def command(options: dict[str, Any]) -> str:
        return shlex.join(search_options.command_line(asked.train, options, keys))

    def told(trial: Any, best: Any) -> None:
        found = f" failed: {trial.problem}" if trial.problem else f": devel UAR {100 * trial.uar:.1f}"
        say(f"trial {trial.number} of {asked.trials}{found}{f', best {100 * best.uar:.1f}' if best else ''}", quiet)

    done = run_search(asked, folder, attempt, command, told, retry)
    if any(trial.problem for trial in done):
        say("note: what failed is not tried again; to do that, give the command with --retry", quiet)
    say(f"search: {folder}", quiet)
    _answer_trials(asked, folder, done, command, as_json)


def _read(name: str) -> Any:
    """The plan of a file, or one of ours."""
    from emoset_cli.search.plan import read_plan

    own = search_options.shipped()
    path = Path(name)
    if not path.is_file() and name not in own:
        error = unknown("plan", name, own)
        raise EmosetError(f"{error.problem}: no such file, and emoset has none of this name", error.mend)
    file = path if path.is_file() else own[name]
    shown = name if path.is_file() else f"searches/{file.name}"
    return read_plan(file, shown, search_options.commands(), search_options.command)


def _trained(train: str, given: dict[str, Any]) -> tuple[float, list[str]]:
    """Train a trial; answer the mean devel UAR of its runs, at their best epochs, and their names."""
    from statistics import mean

    trained = deep.trained if train in MODELS else learn.trained
    runs, _ = trained(train, given, strictly)
    scored = runs[1:] if given.get("tune") else runs  # the shared network is only where the others start
    if any(fold["devel_uar"] is None for run in scored for fold in run.config["chosen"].values()):
        raise EmosetError(
            "a search goes by devel UAR, and these corpora have no labels", "name corpora with labels by -t"
        )
    devel = [mean(fold["devel_uar"] for fold in run.config["chosen"].values()) for run in scored]
    return mean(devel), [run.name for run in runs]


def _data(plan: Any, keys: list[str], workspace: Path, known: Any, device: str) -> dict[str, Any]:
    """What besides the plan decides the scores of its trials."""
    from emoset_cli.files import digest
    from emoset_cli.labels import own_file

    spec, seed = str(plan.options.get("partition", "")), int(plan.options.get("seed", 0))
    files = [path for path in (Path(spec), own_file(workspace)) if path and path.is_file()]
    data: dict[str, Any] = {"files": [digest(path.read_bytes()) for path in files], "corpora": {}}
    unseen = list_of([str(plan.options["unseen"])]) if plan.options.get("unseen") else []
    for key in [*keys, *unseen]:
        data["corpora"][key] = learn.facts_of(key, spec, seed, workspace, known)
    return data | (_of_network(plan, device) if plan.train in MODELS else _of_baseline(device))


def _of_network(plan: Any, device: str) -> dict[str, Any]:
    from emoset_cli.models.hardware import choose_precision
    from emoset_cli.train.deep.settings import RECIPE

    precision, _ = choose_precision(str(plan.options.get("precision", "auto")), device)
    return {"recipe": RECIPE, "precision": precision}


def _of_baseline(device: str) -> dict[str, Any]:
    from emoset_cli.train.baseline import RECIPE

    if device == Device.cuda:
        raise EmosetError("baselines are trained on the processor, not on cuda", "leave --device out")
    return {"recipe": RECIPE}


def _answer_plan(plan: Any, as_json: bool) -> None:
    """What would be tried: every trial of a grid, else the space."""
    from emoset_cli.knobs import told
    from emoset_cli.report.tables import Column, Table
    from emoset_cli.search.space import grid_point, options_at

    fixed = shlex.join(search_options.command_line(plan.train, plan.options, ["CORPORA"]))
    note = f"{plan.trials} trials ({plan.sampler})"
    base = Table("With", [Column("trained by", "text", "command")], [[fixed]])
    if plan.sampler == "grid":
        points = [options_at(plan.space, grid_point(plan.space, index)) for index in range(plan.trials)]
        heads = [Column("trial", "count", "trial"), *(Column(name, "text", name) for name in plan.searched)]
        rows = [[number, *map(told, point.values())] for number, point in enumerate(points, start=1)]
        answer({"plan": plan.as_dict(), "trials": points}, [Table("Would be tried", heads, rows, note), base], as_json)
        return
    heads = [Column("searched", "text", "searched"), Column("from", "text", "from")]
    rows = [
        [one.name, "; ".join(one.labels) or f"{told(one.low)} to {told(one.high)}, {one.how}"] for one in plan.space
    ]
    answer({"plan": plan.as_dict()}, [Table("Would be searched", heads, rows, note), base], as_json)


def _answer_trials(plan: Any, folder: Path, trials: list[Any], command: Any, as_json: bool) -> None:
    """All trials, best first, and the command line of the best."""
    from emoset_cli.knobs import told
    from emoset_cli.report.tables import Column, Table
    from emoset_cli.search.run import options_of, ranked

    order = ranked(trials)
    failed = [trial for trial in trials if trial.uar is None]
    if not order:
        raise EmosetError(f"all {len(failed)} trials failed, the last: {failed[-1].problem}",
                          "mend that, then give the command again with --retry")  # fmt: skip
    rows = [
        {
            "rank": rank if trial.uar is not None else None, "trial": trial.number, "devel_uar": trial.uar,
            "options": {name: options_of(plan, trial)[name] for name in plan.searched}, "runs": trial.runs,
            "state": "failed" if trial.problem else "done", "problem": trial.problem,
        }
        for rank, trial in enumerate([*order, *failed], start=1)
    ]  # fmt: skip
    best = {"trial": order[0].number, "devel_uar": order[0].uar, "command": command(options_of(plan, order[0]))}
    heads = [
        Column("rank", "count", "rank"), Column("devel UAR [%]", "percent", "devel_uar"),
        *(Column(name, "text", name) for name in plan.searched), Column("run", "text", "run"),
        Column("state", "text", "state"),
    ]  # fmt: skip
    cells = [
        [row["rank"], row["devel_uar"], *map(told, row["options"].values()), ", ".join(row["runs"]) or None,
         f"failed: {row['problem']}" if row["problem"] else "done"]
        for row in rows
    ]  # fmt: skip
    note = f"Devel only: the best of {len(order)} trials on the same utterances is too good. Test: emoset evaluate RUN"
    tables = [
        Table(plan.title or plan.name, heads, cells, note),
        Table("Best", [Column("train it by", "text", "command")], [[best["command"]]]),
    ]
    answer({"search": str(folder), "plan": plan.as_dict(), "trials": rows, "best": best}, tables, as_json)
