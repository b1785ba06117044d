"""``emoset train``: one command for each kind of model."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import (
    DEFAULT_WORKSPACE,
    Force,
    Json,
    Quiet,
    Registry,
    Seed,
    Tasks,
    Workers,
    Workspace,
    answer,
    chosen_corpora,
    each,
    finish,
    load_registry,
    progress_bar,
    say,
)
from emoset_cli.train import NORMALISE

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
        help="published, a published partition's name, speakers[:70/15/15], loso, losgo:K, folds:K, loco, lolo, "
        "or a CSV file; the one `prepare` wrote by default",
    ),
]
Space = Annotated[
    str, typer.Option("--labels", help="label space: own, common, arousal, valence, three-class, three-class-parry")
]
Subset = Annotated[str, typer.Option("--subset", help="named filter of the registry, such as emonet494 of emodb")]
Norm = Annotated[Normalise, typer.Option("--normalise", help="; ".join(f"{k}: {v}" for k, v in NORMALISE.items()))]
Weight = Annotated[ClassWeight, typer.Option("--class-weight", help="balanced: rare labels weigh more in the loss")]


@app.command()
def svm(
    task: Tasks = None,
    feature: Feature = "egemaps",
    partition: Split = "",
    labels: Space = "own",
    subset: Subset = "",
    normalise: Norm = Normalise.train,
    class_weight: Weight = ClassWeight.none,
    seed: Seed = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    workers: Workers = 0,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train linear SVMs on functionals, a run for each corpus; write run folders.

    EmoNet's baseline: standardise, choose C from 1 to 1e-9 by devel UAR, refit on train + devel, predict test once.

    Example: emoset train svm -t emodb,ravdess --partition loso --normalise speaker
    """
    _train("svm", **_chosen(locals()))


@app.command()
def forest(
    task: Tasks = None,
    feature: Feature = "egemaps",
    partition: Split = "",
    labels: Space = "own",
    subset: Subset = "",
    normalise: Norm = Normalise.train,
    class_weight: Weight = ClassWeight.none,
    seed: Seed = 0,
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    workers: Workers = 0,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train random forests (100 trees, depth 5) on functionals, a run for each corpus; write run folders.

    Example: emoset train forest -t emodb --feature emobase
    """
    _train("forest", **_chosen(locals()))


def _chosen(options: dict[str, Any]) -> dict[str, Any]:
    """The options of a command, enumerations as the words they stand for."""
    return {name: value.value if isinstance(value, StrEnum) else value for name, value in options.items()}


def _train(
    model: str, task: list[str] | None, feature: str, partition: str, labels: str, subset: str, normalise: str,
    class_weight: str, seed: int, workspace: Path, registry: Path | None, workers: int, force: bool, as_json: bool,
    quiet: bool,
) -> None:  # fmt: skip
    from emoset_cli.features import find_feature, settings
    from emoset_cli.prepare import entry_hash
    from emoset_cli.train import baseline
    from emoset_cli.train.task import build_task

    known = load_registry(registry, workspace)
    name = find_feature(feature)
    weight = None if class_weight == "none" else class_weight
    options = baseline.Options(model, normalise, weight, seed)
    keys = chosen_corpora(task, workspace)
    together = partition.partition(":")[0] in {"loco", "lolo"}

    def plan(group: list[str]) -> baseline.Planned:
        spec, random_seed = _partition_of(group[0], partition, seed, workspace, known)
        data = build_task(workspace, group, known, name, spec, random_seed, labels, subset)
        entries = {key: entry_hash(known[key]) for key in group}
        for left, count in data.left_out.items():
            say(f"note: {left} has no entry in label space {labels}: {count} utterances left out", quiet)
        return baseline.plan_run(workspace, data, options, settings(name), entries, labels, subset)

    planned, well = each([keys] if together else [[key] for key in keys], plan)
    folds = sum(len(run.task.partition.folds) for run in planned)
    already = [run.done and not force for run in planned]
    with progress_bar(f"train {model}", "folds", folds, quiet) as bar:
        runs = baseline.train(planned, workers, force, bar.advance)
    for run, was in zip(runs, already, strict=True):
        say(f"{'already trained' if was else 'trained'}: {run.folder}", quiet)
        for fold in run.config["not_converged"]:
            say(f"note: {run.name}: the SVM of fold {fold} did not converge", quiet)
    if runs:
        _answer_runs(runs, as_json)
    finish(well)


def _partition_of(key: str, spec: str, seed: int, workspace: Path, known: Any) -> tuple[str, int]:
    """The partition asked for, else the one `prepare` wrote for the corpus, with its seed."""
    from emoset_cli.files import read_json
    from emoset_cli.prepare import corpus_folder
    from emoset_cli.protocols import default_spec

    written = corpus_folder(workspace, key) / "partition.json"
    if spec:
        return spec, seed
    if not written.is_file():
        return default_spec(known[key]), seed
    facts = read_json(written)
    return facts["spec"], facts["seed"]


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
