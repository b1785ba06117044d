"""Baselines on functionals, fold by fold: standardise on train, choose on devel, refit on train + devel, test once.

Source: Gerczuk et al. 2021, section 4.1. A finished fold is a file; a killed training takes up at the first fold
that has none. The folds of all runs asked for are one list of jobs for all cores.
"""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli import __version__, runs
from emoset_cli.errors import EmosetError
from emoset_cli.files import at_work, digest, sweep, write_bytes, write_json
from emoset_cli.parallel import run_jobs
from emoset_cli.partition import PARTITIONS, WITHIN, write_partition
from emoset_cli.train import BASELINES
from emoset_cli.train.fold import Options, fit_fold, read_fold, winners
from emoset_cli.train.heard import heard_facts
from emoset_cli.train.repeat import corpus_groups
from emoset_cli.train.task import Task, span

RECIPE = 1  # raise when a change here alters results: runs of an older recipe are then not taken for new ones


@dataclass(frozen=True)
class Planned:
    """A run before it is trained: its folder, its settings (hashed into the folder's name) and its data."""

    folder: Path
    settings: dict[str, Any]
    task: Task
    options: Options

    @property
    def done(self) -> bool:
        """Whether a run with these settings is finished."""
        return runs.is_done(self.folder)


def plan_run(
    workspace: Path,
    task: Task,
    options: Options,
    feature: dict[str, Any],
    entries: dict[str, str],
    space: str,
    subset: str,
    aggregate: int | None = None,
) -> Planned:
    """Settle the settings and with them the folder of a run.

    Args:
        workspace: holds ``runs/``
        task: its data
        options: of the model
        feature: settings of the feature set (`emoset_cli.features.settings`)
        entries: hash of each corpus's registry entry
        space: label space
        subset: named filter, or ""
        aggregate: seed of aggregation, None without it

    Raises:
        EmosetError: if a fold has a single label to train on, speakers that are not known shall be normalised, or a
            corpus repeated that is alone
    """
    check(task, options)
    split = task.partition
    settings = {
        "recipe": RECIPE,
        "model": options.model,
        "feature": feature,
        "corpora": task.corpora,
        "label_space": space,
        "labels": task.labels,
        "subset": subset,
        "partition": split.facts,
        "options": {"normalise": options.normalise, "class_weight": options.class_weight} | options.further,
        "seed": options.seed,
        "data": task.data,
        "entries": entries,
    }
    settings |= {"aggregate": f"labels cut to the rarest, seed {aggregate}"} if aggregate is not None else {}
    settings |= {"label_map": task.label_map} if task.label_map else {}
    settings |= {"levels": task.levels} if task.levels else {}
    further = [space if space != "own" else "", subset, "aggregate" if aggregate is not None else ""]
    words = _words(task, options, feature["feature"], further)
    return Planned(runs.run_folder(workspace, words, settings), settings, task, options)


def check(task: Task, options: Options) -> None:
    """Refuse data that do not fit the options, see `plan_run`; features are not looked at."""
    if options.repeat and len(task.taught) < 2:
        raise EmosetError(
            f"{task.taught[0]} is trained alone: --repeat has nothing to fill up",
            "leave it out, or train several corpora together by --pool or --partition lolo:NAME",
        )
    if options.normalise == "speaker" and (nobody := int((task.utterances["speaker"] == "").sum())):
        raise EmosetError(
            f"{nobody} utterances have no speaker: they cannot be normalised by speaker",
            "--normalise train or --normalise corpus",
        )
    split = task.partition
    for fold in split.folds:
        if len(taught := set(task.truth[split.members(fold, "train")])) < 2:
            raise EmosetError(
                f"all training utterances of {'+'.join(task.taught)}, fold {fold}, are labelled {taught.pop()}",
                "choose another partition",
            )


def _words(task: Task, options: Options, feature: str, further: list[str]) -> str:
    """The readable part of a run's name: corpora, model and feature, then partition and whatever is not the default."""
    corpora, unseen = task.words
    extras = [task.partition.name.removesuffix(".csv"), unseen, *further]
    extras += [options.normalise if options.normalise != "train" else "", options.class_weight or ""]
    extras += [f"wccn{options.wccn:g}" if options.wccn is not None else "", "repeat" if options.repeat else ""]
    extras += [f"seed{options.seed}" if options.seed else ""]
    words = f"{corpora}_{options.model}-{feature}_{'-'.join(filter(None, extras))}"
    return "".join(c if c.isalnum() or c in "+-_." else "-" for c in words)


def train(
    planned: Iterable[Planned],
    workers: int = 0,
    force: bool = False,
    progress: Callable[[int], Any] = lambda folds: None,
) -> list[runs.Run]:
    """Train what is not yet trained; answer the finished runs in the order given.

    Args:
        planned: runs of `plan_run`
        workers: processes, 0 for all cores
        force: train again what is finished; the old files stay until the new ones are whole
        progress: called with the number of folds done
    """
    runs_asked = list(planned)
    kept = [] if force else [run.folder for run in runs_asked if run.done]
    jobs = []
    for run in runs_asked:
        folds = run.task.partition.folds
        parts = run.folder / "folds"
        if run.done:
            shutil.rmtree(parts, ignore_errors=True)  # killed between done.json and here, it was left
        sweep(run.folder)
        if run.folder in kept:
            progress(len(folds))
            continue
        parts.mkdir(parents=True, exist_ok=True)
        sweep(parts)
        finished = [fold for fold in folds if _is_whole(_part(parts, fold))]
        progress(len(finished))
        jobs += [_fold_job(run, fold, parts) for fold in folds if fold not in finished]
    with at_work(run.folder for run in runs_asked if run.folder not in kept):
        for _ in run_jobs(fit_fold, jobs, workers if len(jobs) > 3 else 1):  # a process starts slower than three folds
            progress(1)
        return [runs.read_run(run.folder) if run.folder in kept else _assemble(run) for run in runs_asked]


def _part(parts: Path, fold: str) -> Path:
    return parts / f"{digest(fold)}.safetensors"


def _is_whole(path: Path) -> bool:
    """Whether a fold is there and undamaged; else it is fitted again."""
    from safetensors import SafetensorError

    try:
        read_fold(path)
    except (FileNotFoundError, SafetensorError):
        return False
    return True


def _fold_job(run: Planned, fold: str, parts: Path) -> tuple:
    task = run.task
    _, groups = _groups(task, run.options.normalise)
    where = task.partition.table[fold].to_numpy().astype(str)
    filled = None
    if run.options.repeat:
        corpora, languages = (task.utterances[name].to_numpy().astype(str) for name in ("corpus", "language"))
        filled = corpus_groups(corpora, languages, where)
    return (run.options, task.features, task.truth, groups, where, _part(parts, fold), filled)


def _groups(task: Task, how: str) -> tuple[list[str], np.ndarray]:
    """Names of the groups that are standardised alike, and the number of each utterance's, ``(utterances,)``."""
    corpora = task.utterances["corpus"].to_numpy().astype(str)
    names = {
        "train": np.full(len(corpora), "all"),
        "corpus": corpora,
        "speaker": np.char.add(np.char.add(corpora, "/"), task.utterances["speaker"].to_numpy().astype(str)),
    }[how]
    found, groups = np.unique(names, return_inverse=True)
    return found.tolist(), groups


def _assemble(run: Planned) -> runs.Run:
    """Make the run folder whole from its folds: one model file, one table of predictions, the resolved settings."""
    import pandas as pd
    import safetensors.numpy

    tensors: dict[str, np.ndarray] = {}
    folds: dict[str, Any] = {}
    tables, within = [], []
    for fold in run.task.partition.folds:
        arrays, facts = read_fold(_part(run.folder / "folds", fold))
        tables += [_predictions(run, fold, "devel", arrays["devel_scores"], facts["devel_labels"])]
        tables += [_predictions(run, fold, "test", arrays["test_scores"], facts["labels"])]
        if "within_scores" in arrays:
            within += [_predictions(run, fold, WITHIN, arrays["within_scores"], facts["labels"])]
        tensors |= {f"{fold}/{n}": array for n, array in arrays.items() if not n.endswith("_scores")}
        folds[fold] = {name: fact for name, fact in facts.items() if name != "devel_labels"}
    write_bytes(run.folder / "model.safetensors", safetensors.numpy.save(tensors))
    model = {"model": run.options.model, "feature": run.settings["feature"], "columns": run.task.columns}
    how = run.options.normalise
    model |= {"normalise": how, "groups": _groups(run.task, how)[0]} | run.options.further
    write_json(run.folder / "model.json", model | {"folds": folds})
    write_partition(run.folder / "partition.csv", run.task.partition, run.task.utterances)
    further = {WITHIN: pd.concat(within, ignore_index=True)} if within else {}
    done = runs.finish(run.folder, _config(run, folds), pd.concat(tables, ignore_index=True), further)
    shutil.rmtree(run.folder / "folds")
    return done


def _predictions(run: Planned, fold: str, part: str, scores: np.ndarray, labels: list[str]) -> Any:
    members = run.task.partition.members(fold, part)
    rows = run.task.utterances[members][["corpus", "utterance", "speaker", "gender", "language"]]
    table = rows.assign(fold=fold, partition=part, truth=run.task.truth[members])
    table["prediction"] = winners(labels, scores)
    prefix = BASELINES[run.options.model].load().PREFIX
    return table.assign(**{f"{prefix}{label}": scores[:, column] for column, label in enumerate(labels)})


def _config(run: Planned, folds: dict[str, Any]) -> dict[str, Any]:
    split = run.task.partition
    chosen = {f: {**facts["setting"], "devel_uar": round(facts["devel_uar"], 6)} for f, facts in folds.items()}
    stuck = [fold for fold, facts in folds.items() if not facts["converged"]]
    parts = [*PARTITIONS, *([WITHIN] if (split.table == WITHIN).any(axis=None) else [])]
    counts = {part: span([int(split.members(fold, part).sum()) for fold in split.folds]) for part in parts}
    return {
        "emoset": __version__,
        **run.settings,
        "feature": run.settings["feature"]["feature"],
        "feature_settings": run.settings["feature"],
        "partition": {
            **run.settings["partition"],
            "folds": split.folds,
            "published": bool(split.source),
            "notes": split.notes + split.gaps,
            "leaks": split.leaks,
        },
        "left_out": run.task.left_out,
        **({"cuts": [asdict(cut) for cut in run.task.cuts]} if run.task.cuts else {}),
        "counts": counts,
        "heard": heard_facts(run.task.utterances, split.table),
        "chosen": chosen,
        "not_converged": stuck,
        "packages": {name: version(name) for name in ("numpy", "scikit-learn", "pandas")},
    }  # fmt: skip
