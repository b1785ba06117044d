"""Runs of networks: every fold a job, resumable; then a run folder as the baselines have, with best and final epoch."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from emoset_cli import __version__, ranks, runs
from emoset_cli.cores import cores, threads
from emoset_cli.files import at_work, digest, sweep, write_json, write_text
from emoset_cli.models import MODELS
from emoset_cli.parallel import run_jobs
from emoset_cli.partition import PARTITIONS, WITHIN, write_partition
from emoset_cli.train.deep import checkpoint
from emoset_cli.train.deep.attributes import unknown
from emoset_cli.train.deep.data import Job
from emoset_cli.train.deep.dimensions import unknown_values
from emoset_cli.train.deep.initial import SEEN
from emoset_cli.train.deep.loop import RESULT, train_fold
from emoset_cli.train.deep.plan import Planned, seen
from emoset_cli.train.deep.said import said_tables
from emoset_cli.train.heard import heard_facts
from emoset_cli.train.task import span

EPOCHS = ("best", "final")


def train(
    planned: Iterable[Planned],
    device: str = "auto",
    workers: int = 0,
    force: bool = False,
    tensorboard: bool = False,
    started: Callable[[list[Path]], Any] = lambda folders: None,
) -> list[runs.Run]:
    """Train what is not yet trained; answer the finished runs in the order given.

    Several trainings share the cores, each with as many threads as are left for it; on a GPU they go one by one.

    Args:
        planned: runs of `emoset_cli.train.deep.plan.plan_run`
        device: auto, cpu or cuda
        workers: processes, 0 for all cores
        force: train again what is finished; the old files stay until the new ones are whole
        tensorboard: write the curves to ``tensorboard/`` of the run as well, after each epoch
        started: called with the folders of all trainings; each holds ``progress.json`` after its first epoch
    """
    import torch

    asked = list(planned)
    kept = [] if force else [run.folder for run in asked if run.done]
    todo = [run for run in asked if run.folder not in kept]
    for folder in kept if ranks.is_main() else []:
        sweep(folder)  # killed between done.json and its end, a training leaves its mark
    count = sum(len(run.heard.task.partition.folds) for run in todo)
    single = (device != "cpu" and torch.cuda.is_available()) or count < 2 or ranks.several()
    workers = 1 if single else min(workers or cores(), count)
    jobs = [job for run in todo for job in _jobs(run, device, threads(workers), tensorboard)]
    started([job.folder for job in jobs])
    unfinished = ranks.of_main(lambda: [checkpoint.load(job.folder / RESULT) is None for job in jobs])
    with at_work(run.folder for run in todo):
        for _ in run_jobs(train_fold, [(job,) for job, left in zip(jobs, unfinished, strict=True) if left], workers):
            pass
        with ranks.in_step():
            for run in todo if ranks.is_main() else []:
                _assemble(run)
    return [runs.read_run(run.folder) for run in asked]


def _part(run: Planned, fold: str) -> Path:
    return run.folder / "folds" / digest(fold)


def _jobs(run: Planned, device: str, threads: int, tensorboard: bool) -> list[Job]:
    if ranks.is_main():
        if run.done:
            shutil.rmtree(run.folder / "folds", ignore_errors=True)
        sweep(run.folder)
    task = run.heard.task
    jobs = []
    for fold in task.partition.folds:
        folder = _part(run, fold)
        if ranks.is_main():
            folder.mkdir(parents=True, exist_ok=True)
        where = task.partition.table[fold].to_numpy().astype(str)
        start = run.initial.file if run.initial else None
        jobs.append(
            Job(folder, run.workspace, run.options, run.heard.heads, run.adapters, fold, task.utterances, task.truth,
                where, start, device, threads, run.folder if tensorboard else None, run.attributes, run.dimensions)
        )  # fmt: skip
    return jobs


def _assemble(run: Planned) -> None:
    """Make the run folder whole from its folds."""
    import pandas as pd

    folds: dict[str, Any] = {}
    tables: dict[str, list[Any]] = {}
    names = run.heard.task.partition.folds
    facts: dict[str, Any] = {}
    for number, fold in enumerate(names, start=1):
        found = checkpoint.load(_part(run, fold) / RESULT)
        assert found is not None, f"{run.folder}: fold {fold} has no result"
        tensors, facts = found
        files = {when: f"model{f'-{number}' if len(names) > 1 else ''}{'-final' * (when == 'final')}.safetensors"
                 for when in EPOCHS}  # fmt: skip
        for when, file in files.items():
            checkpoint.save(run.folder / file, checkpoint.under(when, tensors), {"fold": fold, "epoch": when})
            for kind, table in said_tables(run, fold, tensors, when).items():
                tables.setdefault(kind if when == "best" else f"{kind}-{when}".lstrip("-"), []).append(table)
        folds[fold] = files | {"history": facts["history"]}
    write_text(run.folder / "history.csv", _csv([row for fold in folds.values() for row in fold["history"]]))
    write_json(run.folder / "model.json", _model(run, folds))
    write_partition(run.folder / "partition.csv", run.heard.task.partition, run.heard.task.utterances)
    write_text(run.folder / SEEN, seen(run).to_csv(index=False, lineterminator="\n"))
    config = _config(run, folds, facts)
    whole = {kind: pd.concat(parts, ignore_index=True) for kind, parts in tables.items()}
    further = {kind: table for kind, table in whole.items() if kind and len(table)}
    runs.finish(run.folder, config, whole[""], further)
    shutil.rmtree(run.folder / "folds")


def _csv(history: list[dict[str, Any]]) -> str:
    import pandas as pd

    return str(pd.DataFrame(history).to_csv(index=False, lineterminator="\n"))


def _model(run: Planned, folds: dict[str, Any]) -> dict[str, Any]:
    """What a reader needs to build the network again."""
    options = run.options
    network = dict(options.network)
    if MODELS[options.model].brings == "weights":
        network["weights"] = "none"  # what the file held is in the model's own weights now
    facts = {"model": options.model, "adapters": run.adapters, "heads": run.heard.heads}
    facts |= {"network": network, "front": options.front, "feature": options.feature, "precision": options.precision}
    facts |= {"eval_window": options.eval_window, "window_s": options.window_s, "sample_rate": 16000}
    facts |= {"segments": [options.segment_s, options.shift_s]} if options.segment_s else {}
    facts |= {"attributes": run.attributes} if run.attributes else {}
    facts |= {"dimensions": run.dimensions} if run.dimensions else {}
    return facts | {"folds": {fold: {when: one[when] for when in EPOCHS} for fold, one in folds.items()}}


def _config(run: Planned, folds: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    task = run.heard.task
    split = task.partition
    parts = [*PARTITIONS, *([WITHIN] if (split.table == WITHIN).any(axis=None) else [])]
    counts = {part: [int(split.members(fold, part).sum()) for fold in split.folds] for part in parts}
    return {
        "emoset": __version__,
        **run.settings,
        "feature": run.settings["feature"]["feature"],
        "feature_settings": run.settings["feature"],
        "setting": run.setting,
        "multi_task": run.multi_task,
        "budget": run.options.budget_words(run.multi_task),
        "preset": run.options.preset,
        "precision": run.options.precision,
        "device": facts["device"],
        "partition": {
            **run.settings["partition"],
            "folds": split.folds,
            "published": bool(split.source),
            "notes": split.notes + split.gaps,
            "leaks": split.leaks,
        },
        "left_out": task.left_out,
        **({"cuts": [asdict(cut) for cut in task.cuts]} if task.cuts else {}),
        **_views(run),
        "counts": {part: span(numbers) for part, numbers in counts.items()},
        "heard": heard_facts(task.utterances, split.table),
        "chosen": {fold: _chosen(one["history"]) for fold, one in folds.items()},
        "parameters": facts["parameters"],
        "not_converged": [],
        "packages": {name: version(name) for name in ("numpy", "torch", "torchaudio", "accelerate", "pandas")},
    }


def _views(run: Planned) -> dict[str, Any]:
    """What is only where it was asked for: segments; attributes and dimensions with how many utterances lack them."""
    task, options = run.heard.task, run.options
    found: dict[str, Any] = {}
    if options.segment_s:
        found["segments"] = {"segment_s": options.segment_s, "shift_s": options.shift_s}
    if run.attributes:
        lacking = unknown(task.utterances, task.partition, options.attributes)
        found["attributes"] = run.attributes | {"unknown": lacking}
    if run.dimensions:
        found["dimensions"] = run.settings["dimensions"] | {"unknown": unknown_values(task, run.dimensions)}
    return found


def _chosen(history: list[dict[str, Any]]) -> dict[str, Any]:
    best = [row for row in history if row["best"]][-1]
    more = {name: best[name] for name in ("devel_wa", "devel_ccc") if name in best}
    return more | {
        "devel_uar": best["devel_uar"],
        "epoch": best["epoch"],
        "epochs": len(history),
        "final_devel_uar": history[-1]["devel_uar"],
    }
