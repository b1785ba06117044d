"""``emoset train``: one command for each kind of model."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli import ranks
from emoset_cli.cli.common import (
    DEFAULT_WORKSPACE,
    Attempt,
    Force,
    Json,
    Quiet,
    Registry,
    Seed,
    Tasks,
    Workers,
    Workspace,
    answer,
    each,
    finish,
    load_registry,
    progress_bar,
    say,
)
from emoset_cli.cli.unseen import Unseen, trained_and_unseen
from emoset_cli.errors import EmosetError
from emoset_cli.train import BASELINES, NORMALISE

app = typer.Typer(help="Train a model; write a run folder.\n\nExample: emoset train svm -t emodb", no_args_is_help=True)


class Normalise(StrEnum):
    """Whose mean and sd features are standardised with: the keys of `NORMALISE`."""

    train = "train"
    corpus = "corpus"
    speaker = "speaker"


class ClassWeight(StrEnum):
    """Weights of labels in the loss."""

    none = "none"
    balanced = "balanced"


Feature = Annotated[str, typer.Option("--feature", "-f", help="feature set, as extracted")]
Split = Annotated[
    str,
    typer.Option(
        "--partition",
        help="published, a published partition's name, speakers[:70/15/15], loso, losgo:K, folds:K, loco, "
        "lolo[:NAME[+N]], or a CSV file; the one `prepare` wrote by default",
    ),
]
Space = Annotated[
    str,
    typer.Option(
        "--labels",
        help="label space: own, common, arousal, valence, three-class, three-class-parry, iemocap4, or one of yours",
    ),
]
Subset = Annotated[str, typer.Option("--subset", help="named filter of the registry, such as emonet494 of emodb")]
Aggregate = Annotated[
    bool,
    typer.Option(
        "--aggregate",
        help="cut each label of the label space to the rarest one, in each corpus and partition (test too), as EmoNet",
    ),
]
Pool = Annotated[
    bool, typer.Option("--pool", help="one run for all corpora, each with its own partition; needs a label space")
]
Norm = Annotated[Normalise, typer.Option("--normalise", help="; ".join(f"{k}: {v}" for k, v in NORMALISE.items()))]
Wccn = Annotated[
    float | None,
    typer.Option(
        "--wccn", help="project the features by within-class covariance normalisation, smoothed by this: 0 (none) to 1"
    ),
]
Repeat = Annotated[
    bool, typer.Option("--repeat", help="repeat training utterances of smaller corpora until all have equally many")
]
Dimensions = Annotated[str | None, typer.Option("--dimensions", hidden=True, help="refused: networks have it")]
Weight = Annotated[ClassWeight, typer.Option("--class-weight", help="balanced: rare labels weigh more in the loss")]


def _command(model: str) -> Callable[..., None]:
    """The command that trains one kind of baseline: all take the same options."""

    def train(
        task: Tasks = None,
        feature: Feature = "egemaps",
        partition: Split = "",
        labels: Space = "own",
        subset: Subset = "",
        aggregate: Aggregate = False,
        pool: Pool = False,
        unseen: Unseen = None,
        normalise: Norm = Normalise.train,
        class_weight: Weight = ClassWeight.none,
        wccn: Wccn = None,
        repeat: Repeat = False,
        dimensions: Dimensions = None,
        seed: Seed = 0,
        workspace: Workspace = DEFAULT_WORKSPACE,
        registry: Registry = None,
        workers: Workers = 0,
        force: Force = False,
        as_json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        runs, well = trained(model, locals())
        if runs:
            _answer_runs(runs, as_json)
        finish(well)

    return train


def trained(model: str, given: dict[str, Any], attempt: Attempt = each) -> tuple[list[Any], bool]:
    """Train with the options of a command, by their names; answer the runs and whether all went well.

    ``attempt`` does some work for every corpus: `each` goes on after errors, another may not.
    """
    data, options = _asked(model, given)
    return _train(given["task"], data, options, given["workers"], given["force"], given["quiet"], attempt)


def check(model: str, given: dict[str, Any]) -> None:
    """Refuse what `trained` would, but for features that are not there yet.

    Raises:
        EmosetError: if the corpora cannot be trained on with these options
    """
    from emoset_cli.train import baseline

    data, options = _asked(model, given)
    groups, data = _groups(given["task"], data)
    known = load_registry(data.registry, data.workspace)
    for group in groups:
        task = _task(group, data, None, options.seed, known)
        refuse_uncovered(group, task, data.labels)
        baseline.check(task, options)


def refuse_uncovered(group: list[str], task: Any, space: str) -> None:
    """Refuse a corpus of which a label space keeps nothing; only a note tells of it otherwise.

    Where labels are aggregated that may be so: EmoNet leaves out corpora whose labels are all of one kind.

    Raises:
        EmosetError: naming all such corpora
    """
    left = set(task.utterances["corpus"])
    gone = [key for key in group if key not in left and not task.cuts]
    if gone:
        raise EmosetError(f"label space {space} keeps no utterance of {', '.join(gone)}",
                          f"choose another one, or leave {', '.join(gone)} out")  # fmt: skip


def _asked(model: str, given: dict[str, Any]) -> tuple["_Data", Any]:
    """What is trained on, and how, by the options of a command."""
    from emoset_cli.train.fold import Options

    ranks.only_one(f"emoset train {model}")
    if given["dimensions"]:
        raise EmosetError(f"{model} learns labels, no --dimensions", "train a network, for example emoset train cnn")
    weight = None if given["class_weight"] == ClassWeight.none else str(given["class_weight"])
    options = Options(model, str(given["normalise"]), weight, given["seed"], given["wccn"], given["repeat"])
    names = ("feature", "partition", "labels", "subset", "aggregate", "pool", "unseen", "workspace", "registry")
    return _Data(**{name: given[name] for name in names}), options


for _name, _baseline in BASELINES.items():
    app.command(_name, help=_baseline.help)(_command(_name))


@dataclass(frozen=True)
class _Data:
    """The options that say what is trained on."""

    feature: str
    partition: str
    labels: str
    subset: str
    aggregate: bool
    pool: bool
    unseen: list[str] | None
    workspace: Path
    registry: Path | None


def _train(
    task: list[str] | None, data: _Data, options: Any, workers: int, force: bool, quiet: bool, attempt: Attempt
) -> tuple[list[Any], bool]:
    from emoset_cli import feature_store
    from emoset_cli.train import baseline

    known = load_registry(data.registry, data.workspace)
    name = feature_store.find(data.workspace, data.feature)
    groups, data = _groups(task, data)
    planned, well = attempt(groups, lambda group: _plan(group, data, name, options, known, quiet))
    folds = sum(len(run.task.partition.folds) for run in planned)
    already = [run.done and not force for run in planned]
    with progress_bar(f"train {options.model}", "folds", folds, quiet) as bar:
        runs = baseline.train(planned, workers, force, bar.advance)
    for run, was in zip(runs, already, strict=True):
        say(f"{'already trained' if was else 'trained'}: {run.folder}", quiet)
        for fold in run.config["not_converged"]:
            say(f"note: {run.name}: the SVM of fold {fold} did not converge", quiet)
    return runs, well


def _groups(task: list[str] | None, data: _Data) -> tuple[list[list[str]], _Data]:
    """The corpora of each run, and the data with the corpora that are only tested."""
    from emoset_cli.protocols import goes_across

    keys, unseen = trained_and_unseen(task, data.unseen, data.partition, data.labels, data.pool, data.workspace)
    across = goes_across(data.partition)
    if across and data.pool:
        raise EmosetError(
            f"--pool keeps each corpus's own partition, {data.partition} divides by corpus or language", "leave one out"
        )
    return [keys] if across or data.pool else [[key] for key in keys], replace(data, unseen=unseen)


def _task(group: list[str], data: _Data, feature: str | None, seed: int, known: Any) -> Any:
    """The data of a run; without a feature set, only who is trained and tested on."""
    from emoset_cli.train.task import build_task

    own = {key: partition_of(key, data.partition, seed, data.workspace, known) for key in group}
    spec, of = own[group[0]]
    draw, pool = seed if data.aggregate else None, own if data.pool else None
    return build_task(data.workspace, group, known, feature, spec, of, data.labels, data.subset, pool, draw,
                      unseen=data.unseen or ())  # fmt: skip


def _plan(group: list[str], data: _Data, feature: str, options: Any, known: Any, quiet: bool) -> Any:
    """The run of a corpus (of several together for loco and lolo), as far as it can be settled before training."""
    from emoset_cli.feature_store import settings
    from emoset_cli.prepare import entry_hash
    from emoset_cli.train.baseline import plan_run

    task = _task(group, data, feature, options.seed, known)
    draw = options.seed if data.aggregate else None
    for left, count in task.left_out.items():
        say(f"note: {left} has no entry in label space {data.labels}: {count} utterances left out", quiet)
    for leak in task.partition.leaks:
        say(f"WARNING: {', '.join(group)}: LEAK in partition {task.partition.name}: {leak}")
    if data.aggregate:
        before, after = (sum(sum(getattr(cut, at).values()) for cut in task.cuts) for at in ("before", "after"))
        say(f"note: {', '.join(group)}: aggregated, {after} of {before} places in folds kept, in test too", quiet)
    entries = {key: entry_hash(known[key]) for key in task.corpora}
    return plan_run(
        data.workspace, task, options, settings(data.workspace, feature), entries, data.labels, data.subset, draw
    )


def partition_of(key: str, spec: str, seed: int, workspace: Path, known: Any) -> tuple[str, int]:
    """The partition asked for, else the one `prepare` wrote for the corpus, with its seed."""
    from emoset_cli.corpora import get_corpus
    from emoset_cli.files import read_json
    from emoset_cli.prepare import corpus_folder
    from emoset_cli.protocols import default_spec

    written = corpus_folder(workspace, key) / "partition.json"
    if spec:
        return spec, seed
    if not written.is_file():
        return default_spec(get_corpus(known, key)), seed
    facts = read_json(written)
    return facts["spec"], facts["seed"]


def facts_of(key: str, spec: str, seed: int, workspace: Path, known: Any) -> list[Any]:
    """What decides the scores of a training on a corpus, besides its options: data, entry, partition and its seed."""
    from emoset_cli.corpora import get_corpus
    from emoset_cli.prepare import data_hash, entry_hash, read_utterances

    entry = get_corpus(known, key)
    partition = partition_of(key, spec, seed, workspace, known)
    return [data_hash(read_utterances(workspace, key, entry)), entry_hash(entry), *partition]


def _answer_runs(runs: list[Any], as_json: bool) -> None:
    from statistics import mean

    from emoset_cli.report.tables import Column, Table

    rows = []
    for run in runs:
        chosen = run.config["chosen"].values()
        rows.append({
            "run": run.name, "folder": str(run.folder), "corpora": run.config["corpora"],
            "partition": run.config["partition"]["name"], "folds": len(chosen), "counts": run.config["counts"],
            "devel_uar": mean(fold["devel_uar"] for fold in chosen),
            "C": sorted({fold["C"] for fold in chosen if "C" in fold}, reverse=True),
        })  # fmt: skip
    heads = [
        Column("run", "text", "run"), Column("partition", "text", "partition"), Column("folds", "count", "folds"),
        Column("devel UAR (mean of folds)", "percent", "devel_uar"), Column("C chosen", "text", "C"),
    ]  # fmt: skip
    cells = [[*(row[head.key] for head in heads[:-1]), ", ".join(f"{c:g}" for c in row["C"]) or None] for row in rows]
    note = "Devel only, on which C was chosen. Test: emoset evaluate RUN"
    answer(rows, [Table("Trained", heads, cells, note)], as_json)
