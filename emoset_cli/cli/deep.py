"""``emoset train cnn`` and its like: networks that hear the waveforms, one command for each entry of `MODELS`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from emoset_cli import ranks
from emoset_cli.cli.common import Attempt, each, finish, list_of, load_registry, say, tell_of_long
from emoset_cli.cli.deep_answer import answer_runs
from emoset_cli.cli.deep_options import (
    DIMENSIONS,
    FRONT,
    MACHINE,
    NETWORK,
    OPTIONS,
    SETTINGS,
    SPEECH,
    of_panel,
    signature,
)
from emoset_cli.cli.learn import app as app
from emoset_cli.cli.learn import partition_of, refuse_uncovered
from emoset_cli.cli.unseen import trained_and_unseen
from emoset_cli.errors import EmosetError
from emoset_cli.models import MODELS
from emoset_cli.train.deep.settings import settings_of


def _command(model: str) -> Callable[..., None]:
    """The command that trains one kind of network."""

    def train(**given: Any) -> None:
        runs, well = trained(model, given)
        if runs and ranks.is_main():
            answer_runs(runs, given["as_json"])
        finish(well)

    train.__signature__ = signature(model)  # type: ignore[attr-defined]
    return train


for _name, _model in MODELS.items():
    app.command(_name, help=_model.help)(_command(_name))


def trained(model: str, given: dict[str, Any], attempt: Attempt = each) -> tuple[list[Any], bool]:
    """Train with the options of a command, by their names; answer the runs and whether all went well.

    ``attempt`` does some work for every corpus: `each` goes on after errors, another may not. With ``tune`` the shared
    run is the first.
    """
    settings = _settings(model, given)
    mode, initial, tune = (settings.pop(name, None) for name in ("mode", "initial_model", "tune"))
    machine = _Machine(**of_panel(MACHINE, given), **{name: given[name] for name in ("workers", "force", "quiet")})
    return _train(given["task"], mode, initial, tune, settings, _data(given), machine, attempt)


def check_options(model: str, given: dict[str, Any], begun: bool) -> None:
    """Refuse options of a training that do not go together; ``begun`` says that it starts from another network.

    Raises:
        EmosetError: if they do not
    """
    from emoset_cli.train.deep.plan import check_mode

    settings = _settings(model, given)
    for name in ("initial_model", "tune"):
        settings.pop(name, None)
    check_mode(settings_of(settings.pop("model"), settings | {"precision": "fp32"}), begun)


def check(given: dict[str, Any]) -> None:
    """Refuse what `trained` would of the data, but for features that are not there yet.

    Raises:
        EmosetError: if the corpora cannot be trained on in this way
    """
    from emoset_cli.train.deep.dimensions import table_of
    from emoset_cli.train.deep.plan import check_labels

    groups, data = _groups(given["task"], None, _data(given))
    known = load_registry(data.registry, data.workspace)
    for group in groups:
        built, heard = _heard(group, data, given["seed"], known)
        for space, one in built.items():
            refuse_uncovered(group, one, space)
        check_labels(heard)
        table_of(heard.task, heard.heads, data.dimensions)


def _settings(model: str, given: dict[str, Any]) -> dict[str, Any]:
    """What `settings_of` takes, and mode, initial model and tune."""
    settings = of_panel(SETTINGS, given)
    settings |= {"model": model, "seed": given["seed"], "front": of_panel(FRONT, given)}
    settings |= _attributes(of_panel(SPEECH, given))
    settings |= of_panel(DIMENSIONS, given)
    if "dimensions" in settings:
        settings["dimensions"] = list_of([settings["dimensions"]])
    settings["network"] = _network(model, of_panel(NETWORK, given))
    return settings


def _data(given: dict[str, Any]) -> "_Data":
    names = ("partition", "labels", "subset", "aggregate", "pool", "unseen", "multi_task", "workspace", "registry")
    dimensions = list_of([given["dimensions"]] if given["dimensions"] else [])
    return _Data(**{name: given[name] for name in names}, dimensions=dimensions)


@dataclass(frozen=True)
class _Data:
    """The options that say what is trained on."""

    partition: str
    labels: str
    subset: str
    aggregate: bool
    pool: bool
    unseen: list[str] | None
    multi_task: bool
    workspace: Path
    registry: Path | None
    dimensions: list[str]


@dataclass(frozen=True)
class _Machine:
    """The options that say where and how, but change no signature (precision is resolved into the settings)."""

    precision: str
    device: str
    tensorboard: bool
    workers: int
    force: bool
    quiet: bool


def _attributes(given: dict[str, Any]) -> dict[str, Any]:
    """The settings of attributes of speech; a corpus discriminator is one of them by another word."""
    word = given.pop("corpus_discriminator", None)
    if word and ("attributes" in given or "approach" in given):
        raise EmosetError("--corpus-discriminator is short for --attributes corpus and an --approach, which are given",
                          "leave it out, or the two others")  # fmt: skip
    if word and word != "off":
        given |= {"attributes": ["corpus"], "approach": word}
    elif "attributes" in given:
        given["attributes"] = list_of([given["attributes"]])
    return given


def _network(model: str, given: dict[str, Any]) -> dict[str, Any]:
    """The network options that were given; those of another model are refused."""
    wanted = {name: value for name, value in given.items() if value is not False or OPTIONS[name].default is None}
    for name in wanted:
        if name not in MODELS[model].options:
            others = ", ".join(other for other, entry in MODELS.items() if name in entry.options)
            raise EmosetError(f"{model} has no {OPTIONS[name].names[0]}", f"leave it out; it is an option of {others}")
    return wanted


def _train(
    tasks: list[str] | None, mode: str, initial_model: str | None, tune: str | None, settings: dict[str, Any],
    data: _Data, machine: _Machine, attempt: Attempt,
) -> tuple[list[Any], bool]:  # fmt: skip
    from emoset_cli.feature_store import find
    from emoset_cli.models.hardware import choose_precision
    from emoset_cli.train.deep.board import require
    from emoset_cli.train.deep.initial import read_initial

    if machine.tensorboard:
        require()
    machine = replace(machine, quiet=machine.quiet or not ranks.is_main())
    known = load_registry(data.registry, data.workspace)
    groups, data = _groups(tasks, tune, data)
    precision, why = choose_precision(machine.precision, machine.device)
    say(f"precision: {precision} ({why})", machine.quiet)
    initial = read_initial(data.workspace, initial_model) if initial_model else None
    model = settings.pop("model")
    if settings.get("feature"):
        settings["feature"] = find(data.workspace, settings["feature"])
    options = settings_of(model, settings | {"mode": mode, "precision": precision})
    planned, well = attempt(groups, lambda group: _plan(group, data, options, known, initial, machine.quiet))
    if tune and any(len(run.heard.task.partition.folds) > 1 for run in planned):
        raise EmosetError(
            "--tune starts from one network, and a partition of several folds makes one for each",
            "leave --tune out, or choose a partition of one fold, for example --partition speakers",
        )
    runs = _run(planned, machine)
    if tune and runs:
        base = read_initial(data.workspace, runs[0].name)
        alone = _Data(
            data.partition, "own", "", False, False, None, False, data.workspace, data.registry, data.dimensions
        )
        after = settings_of(model, settings | {"mode": tune, "precision": precision})
        tuned, tuned_well = attempt(
            groups[0], lambda key: _plan([key], alone, _of_corpus(after, known[key]), known, base, machine.quiet)
        )
        runs += _run(tuned, machine)
        well = well and tuned_well
    return runs, well


def _of_corpus(options: Any, corpus: Any) -> Any:
    """The options with those dimensions only that a corpus has."""
    own = [name for name in options.dimensions if name in corpus.dimensions]
    if own == options.dimensions:
        return options
    return replace(options, dimensions=own, **({} if own else {"dimension_loss": "ccc", "dimension_weight": 1.0}))


def _groups(tasks: list[str] | None, tune: str | None, data: _Data) -> tuple[list[list[str]], _Data]:
    """The corpora of each run, and the data with the corpora that are only tested."""
    from emoset_cli.protocols import goes_across

    keys, unseen = trained_and_unseen(tasks, data.unseen, data.partition, data.labels, data.pool, data.workspace)
    together = data.multi_task or data.pool or goes_across(data.partition)
    _check_together(data, keys, tune, together)
    return [keys] if together else [[key] for key in keys], replace(data, unseen=unseen)


def _check_together(data: _Data, keys: list[str], tune: str | None, together: bool) -> None:
    from emoset_cli.protocols import goes_across

    if tune and not together:
        raise EmosetError("--tune transfers a shared network, and each corpus is trained alone", "add --multi-task")
    if data.multi_task and len(keys) < 2:
        raise EmosetError(f"--multi-task needs several corpora, here is {', '.join(keys)}", "name more by -t")
    if data.multi_task and data.pool:
        raise EmosetError("--multi-task gives each corpus its classifier, --pool one to all", "leave one of them out")
    if "," in data.labels and not data.pool:
        raise EmosetError(f"--labels {data.labels} are several domains", "add --pool (and --aggregate, as EmoNet)")
    if goes_across(data.partition) and (data.pool or data.multi_task):
        raise EmosetError(
            f"{data.partition} divides by corpus or language, not within corpora", "leave --pool and --multi-task out"
        )


def _heard(group: list[str], data: _Data, seed: int, known: Any) -> tuple[dict[str, Any], Any]:
    """The data of a run in each label space, and as a network hears them."""
    from emoset_cli.protocols import goes_across
    from emoset_cli.train.deep import tasks
    from emoset_cli.train.task import build_task

    own = {key: partition_of(key, data.partition, seed, data.workspace, known) for key in group}
    spec, of = own[group[0]]
    draw = seed if data.aggregate else None
    pool = own if data.pool or data.multi_task else None
    built = {
        space: build_task(data.workspace, group, known, None, spec, of, space, data.subset, pool, draw, data.multi_task,
                          data.unseen or (), data.dimensions)
        for space in data.labels.split(",")
    }  # fmt: skip
    if len(built) > 1:
        return built, tasks.domains(built)
    together = data.pool or goes_across(data.partition) or bool(data.unseen)
    return built, tasks.with_heads(built[data.labels], data.labels, together)


def _plan(group: list[str], data: _Data, options: Any, known: Any, initial: Any, quiet: bool) -> Any:
    """The run of a corpus, or of several together, as far as it can be settled before training."""
    from emoset_cli.prepare import entry_hash
    from emoset_cli.train.deep.attributes import unknown
    from emoset_cli.train.deep.dimensions import unknown_values
    from emoset_cli.train.deep.plan import plan_run

    built, heard = _heard(group, data, options.seed, known)
    draw = options.seed if data.aggregate else None
    for space, one in built.items():
        for left, count in one.left_out.items():
            say(f"note: {left} has no entry in label space {space}: {count} utterances left out", quiet)
        for leak in one.partition.leaks:
            say(f"WARNING: {', '.join(group)}: LEAK in partition {one.partition.name}: {leak}")
    for name, count in unknown(heard.task.utterances, heard.task.partition, options.attributes).items():
        say(f"note: {count} training utterances have no {name}: they teach emotions, but not {name}", quiet)
    if options.network.get("finetune") and options.eval_window == "whole":
        tell_of_long(heard.task.utterances)
    entries = {key: entry_hash(known[key]) for key in [*group, *(data.unseen or [])]}
    planned = plan_run(data.workspace, heard, options, entries, data.labels, data.subset, draw, initial)
    if planned.dimensions:
        for key, counts in unknown_values(heard.task, planned.dimensions).items():
            for name, count in counts.items():
                say(f"note: {count} training utterances of {key} have no {name}, and do not teach it", quiet)
    return planned


def _run(planned: list[Any], machine: _Machine) -> list[Any]:
    """Train the runs with their progress on stderr."""
    from emoset_cli.cli.watching import watched
    from emoset_cli.train.deep.run import train

    already = [run.done and not machine.force for run in planned]
    with watched(machine.quiet) as started:
        runs = train(planned, machine.device, machine.workers, machine.force, machine.tensorboard, started)
    for run, was in zip(runs, already, strict=True):
        say(f"{'already trained' if was else 'trained'}: {run.folder}", machine.quiet)
    return runs
