"""``emoset prepare`` and ``emoset extract``: from recordings to utterances and features."""

import sys
from collections import Counter
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
    Workers,
    Workspace,
    answer,
    chosen_corpora,
    each,
    finish,
    load_registry,
    progress_bar,
    say,
    tell_of_long,
)
from emoset_cli.errors import EmosetError

Split = Annotated[
    str,
    typer.Option(
        "--partition",
        help="published, a published partition's name, speakers[:70/15/15], loso, losgo:K, folds:K or a CSV file; "
        "by default the published default, else speakers",
    ),
]


def prepare(
    folders: Annotated[list[str], typer.Argument(metavar="CORPUS=FOLDER", help="corpora and where they lie")],
    partition: Split = "",
    seed: Seed = 0,
    min_duration: Annotated[float, typer.Option("--min-duration", min=0, help="seconds; shorter is left out")] = 0.1,
    max_duration: Annotated[
        float, typer.Option("--max-duration", min=0, help="seconds; longer utterances are left out")
    ] = 600.0,
    strict: Annotated[bool, typer.Option("--strict", help="exit 1 if there is any problem")] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    workers: Workers = 0,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check and decode corpora; write utterance table, problems, partition and 16 kHz audio to the workspace.

    The folders are only read. A second run does what changed.

    Example: emoset prepare emodb=~/corpora/emodb ravdess=~/corpora/ravdess
    """
    from emoset_cli import prepare as work
    from emoset_cli.corpora import get_corpus
    from emoset_cli.protocols import find_published, goes_across

    known = load_registry(registry, workspace)
    for key, times in Counter(argument.partition("=")[0] for argument in folders).items():
        if times > 1:
            raise EmosetError(f"{key} is given {times} times", "give each corpus one folder, which holds all of it")

    def one(argument: str) -> Any:
        key, equals, folder = argument.partition("=")
        if not (key and equals and folder):
            raise EmosetError(f"'{argument}' is not CORPUS=FOLDER", f"for example: emoset prepare emodb={argument}")
        with progress_bar(f"prepare {key}", "recordings", None, quiet) as bar:
            return work.prepare_corpus(
                get_corpus(known, key), Path(folder), workspace, workers, force, min_duration, max_duration,
                bar.advance, bar.total,
            )  # fmt: skip

    if goes_across(partition):
        mend = f"emoset train svm --partition {partition}"
        raise EmosetError(f"{partition} goes across corpora, `prepare` splits each by itself", mend)
    for argument in folders if partition and not partition.endswith(".csv") else []:
        find_published(partition, get_corpus(known, argument.partition("=")[0]))  # before any work is done
    done, well = each(folders, one)
    partitions: dict[str, Any] = {}

    def split(prepared: Any) -> None:
        partitions[prepared.key] = _partition(prepared, known, workspace, partition, seed, quiet)

    _, parted = each(done, split)
    _tell_problems(done, workspace, quiet)
    leaks = _leaks_across(workspace, quiet)
    _answer_prepared(done, partitions, leaks, as_json)
    finish(well and parted and not (strict and (leaks or any(prepared.problems for prepared in done))))


def _partition(prepared: Any, known: Any, workspace: Path, spec: str, seed: int, quiet: bool) -> dict[str, Any] | None:
    """Make and write the partition of a corpus; say what its reader must know.

    A partition asked for must be possible; the default one need not (a corpus of two speakers has none).
    """
    from emoset_cli.files import write_json
    from emoset_cli.partition import write_partition
    from emoset_cli.prepare import corpus_folder
    from emoset_cli.protocols import default_spec, make_partition

    folder = corpus_folder(workspace, prepared.key)
    asked = bool(spec)
    spec = str(Path(spec).resolve()) if spec.endswith(".csv") else spec or default_spec(known[prepared.key])
    try:
        partition = make_partition(spec, prepared.utterances, known, seed)
    except EmosetError as error:
        for name in ("partition.csv", "partition.json"):
            (folder / name).unlink(missing_ok=True)
        if asked:
            raise EmosetError(f"{prepared.key}: {error.problem}", error.mend) from None
        say(f"note: {prepared.key}: no partition: {error.problem}; {error.mend}", quiet)
        return None
    write_partition(folder / "partition.csv", partition, prepared.utterances)
    facts = {"spec": spec, "name": partition.name, "seed": seed, "hash": partition.hash, "folds": len(partition.folds)}
    write_json(
        folder / "partition.json", facts | {"notes": partition.notes, "gaps": partition.gaps, "leaks": partition.leaks}
    )
    for line in partition.notes + partition.gaps:
        say(f"note: {prepared.key}: partition {partition.name}, {line}", quiet)
    if partition.speakers_cross:
        say(
            f"WARNING: {prepared.key}: partition {partition.name} is not known to be speaker-independent: "
            "what a model knows of its training speakers may help it on devel and test"
        )
    for line in partition.leaks:
        say(f"WARNING: {prepared.key}: LEAK in partition {partition.name}: {line}")
    return facts


def _tell_problems(done: list[Any], workspace: Path, quiet: bool) -> None:
    for prepared in done:
        counts = Counter((problem.problem, problem.action) for problem in prepared.problems)
        first = {problem.problem: problem for problem in reversed(prepared.problems)}
        for (kind, action), count in sorted(counts.items()):
            example = first[kind]
            where = f"{example.path}: " if example.path else ""
            say(f"problem: {prepared.key}: {kind}, {count} {action}; {where}{example.detail}", quiet)
        if prepared.other:
            say(f"note: {prepared.key}: {prepared.other} files are other material of the corpus and not used", quiet)
        if counts:
            say(f"  all of them: {workspace / 'corpora' / prepared.key / 'problems.csv'}", quiet)


def _leaks_across(workspace: Path, quiet: bool) -> list[tuple[str, str]]:
    from emoset_cli.prepare import identical_across, prepared_corpora, read_utterances

    keys = prepared_corpora(workspace)
    pairs = identical_across({key: read_utterances(workspace, key) for key in keys}) if len(keys) > 1 else []
    for first, second in pairs[:5]:
        say(f"WARNING: LEAK across corpora: {first} and {second} hold the same samples")
    if len(pairs) > 5:
        say(f"WARNING: and {len(pairs) - 5} more such pairs")
    return pairs


def _answer_prepared(done: list[Any], partitions: dict[str, Any], leaks: list, as_json: bool) -> None:
    if not done:
        return
    import pandas as pd

    from emoset_cli.report.tables import corpora_rows, corpora_table

    rows = corpora_rows(pd.concat([prepared.utterances for prepared in done]))
    value = [
        row
        | {
            "problems": dict(Counter(problem.problem for problem in prepared.problems)),
            "left_out": sum(problem.action == "left out" for problem in prepared.problems),
            "other_material": prepared.other,
            "partition": partitions.get(prepared.key),
        }
        for row in rows
        for prepared in done
        if prepared.key == row["corpus"]
    ]
    answer({"corpora": value, "identical_across_corpora": leaks}, [corpora_table(rows)], as_json)


def _deep(name: str, help: str) -> Any:
    return typer.Option(name, help=help, rich_help_panel="Deep features")


Network = Annotated[
    str,
    _deep(
        "--model",
        "deepspectrum: torchvision's name of an ImageNet network, vgg16 by default; wav2vec2: a speech encoder of "
        "transformers (wav2vec2, XLS-R, HuBERT, WavLM, Whisper, ...), a folder or a name of the hub",
    ),
]
Layer = Annotated[
    str,
    _deep(
        "--layer",
        "deepspectrum: whose activations are taken, by default what the last layer reads; wav2vec2: last (default), "
        "a number, mean (over all layers) or all",
    ),
]
Pool = Annotated[
    str,
    _deep(
        "--pool",
        "wav2vec2: mean over the utterance's frames (default), meansd (and their standard deviation), or frames: "
        "each one, for models that listen in time",
    ),
]
Weights = Annotated[
    str, _deep("--weights", "torchvision's name of weights, or a file (.safetensors, .pth); torchvision's by default")
]
Precision = Annotated[str, _deep("--precision", "auto, fp32 or bf16; auto: bf16 where the machine is made for it")]
Device = Annotated[str, _deep("--device", "auto, cpu or cuda; auto: CUDA where there is a device")]


def extract(
    feature: Annotated[
        str, typer.Argument(help="feature set: egemaps, emobase, compare-2016, deepspectrum, wav2vec2, ...")
    ],
    corpora: Annotated[list[str] | None, typer.Argument(help="corpora; all prepared ones by default")] = None,
    model: Network = "",
    layer: Layer = "",
    pool: Pool = "",
    weights: Weights = "",
    precision: Precision = "",
    device: Device = "",
    workspace: Workspace = DEFAULT_WORKSPACE,
    workers: Workers = 0,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Extract a feature set for prepared corpora; write it to the workspace, where training finds it.

    Interrupted, it goes on where it was; features are kept by audio and settings, so nothing stale is ever used.

    Example: emoset extract egemaps emodb
    """
    from emoset_cli import features
    from emoset_cli.report.tables import Column, Table

    features.find_feature(feature)  # before anything is read
    given = {
        "model": model, "layer": layer, "pool": pool, "weights": weights, "precision": precision, "device": device,
    }  # fmt: skip
    options = {option: value for option, value in given.items() if value}
    done, well = extracted(feature, chosen_corpora(corpora, workspace), options, workspace, workers, force, quiet)
    heads = [
        Column("corpus", "text", "corpus"), Column("feature", "text", "feature"),
        Column("utterances", "count", "utterances"), Column("without", "count", "without_features"),
        Column("features", "count", "features"), Column("speech [h]", "hours", "hours"),
        Column("folder", "text", "folder"),
    ]  # fmt: skip
    if done and ranks.is_main():
        answer(done, [Table("Features", heads, [[row[head.key] for head in heads] for row in done])], as_json)
    finish(well and not any(row["without_features"] for row in done))


def extracted(
    feature: str, keys: list[str], options: dict[str, str], workspace: Path, workers: int, force: bool, quiet: bool,
    attempt: Attempt = each,
) -> tuple[list[dict[str, Any]], bool]:  # fmt: skip
    """Extract a feature set for some corpora; answer their rows of the table and whether all went well."""
    from emoset_cli import features

    quiet = quiet or not ranks.is_main()
    recipe = features.recipe(feature, options, workers, not quiet and sys.stderr.isatty())
    if recipe.note:
        say(f"note: {recipe.note}", quiet)
    return attempt(keys, lambda key: _extract(workspace, recipe, key, force, quiet))


def _extract(workspace: Path, recipe: Any, key: str, force: bool, quiet: bool) -> dict[str, Any]:
    """Extract a feature set for one corpus; answer its row of the table."""
    from time import monotonic

    from emoset_cli import feature_store, frame_store
    from emoset_cli.features import family_of, has_frames
    from emoset_cli.prepare import read_utterances

    name = recipe.settings["feature"]
    utterances = read_utterances(workspace, key)
    if family_of(name) == "wav2vec2" and ranks.is_main():
        tell_of_long(utterances)
    start = monotonic()
    with progress_bar(f"{name} {key}", "utterances", int(utterances["audio"].nunique()), quiet) as bar:
        if has_frames(recipe.settings):
            bad = frame_store.extract(workspace, recipe, key, utterances, recipe.workers, force, bar.advance)
            columns = frame_store.shape(workspace, recipe, key)
        else:
            bad = feature_store.extract(workspace, recipe, key, utterances, recipe.workers, force, bar.advance)
            columns, _ = feature_store.shape(workspace, recipe, key)
    for utterance in bad[:5] if ranks.is_main() else []:
        say(f"problem: {utterance} has no finite {name} features: too short for the extractor")
    return {
        "corpus": key, "feature": name, "utterances": len(utterances), "without_features": len(bad),
        "features": columns, "hours": float(utterances["duration_s"].sum() / 3600),
        "seconds": monotonic() - start, "folder": str(feature_store.feature_folder(workspace, recipe)),
    }  # fmt: skip
