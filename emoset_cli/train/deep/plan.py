"""A run of a network before it is trained: its settings, its folder and its data."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli import runs
from emoset_cli.errors import EmosetError
from emoset_cli.files import digest
from emoset_cli.models import MODELS
from emoset_cli.models.approaches import APPROACHES
from emoset_cli.partition import WITHIN
from emoset_cli.train.deep.attributes import classes_of
from emoset_cli.train.deep.dimensions import scaled, table_of
from emoset_cli.train.deep.initial import Initial, refuse_heard
from emoset_cli.train.deep.settings import RECIPE, TRANSFER, Settings
from emoset_cli.train.deep.tasks import Heard
from emoset_cli.train.task import Task


@dataclass(frozen=True)
class Planned:
    """A run before it is trained.

    ``adapters`` says whether the network has parts for each head within its trunk; ``attributes`` holds approach and
    classes of the attributes that take part, ``dimensions`` heads and scales of dimensional labels; None without any.
    """

    folder: Path
    workspace: Path
    settings: dict[str, Any]
    options: Settings
    heard: Heard
    adapters: bool
    initial: Initial | None
    attributes: dict[str, Any] | None = None
    dimensions: dict[str, Any] | None = None

    @property
    def done(self) -> bool:
        """Whether a run with these settings is finished."""
        return runs.is_done(self.folder)

    @property
    def multi_task(self) -> bool:
        """Whether one network learns several heads."""
        return len(self.heard.heads) > 1

    @property
    def setting(self) -> str:
        """What the run is called among its kind: ``scratch``, ``all`` (a shared base) or ``all > adapters``."""
        own = "" if self.options.model == "cnn" else f"{self.options.model} "
        if self.attributes:
            return f"{replace(self, attributes=None).setting} + {self.options.approach} {_joined(self.options)}"
        if self.dimensions:
            return f"{replace(self, dimensions=None).setting} + {'+'.join(self.options.dimensions)}"
        if self.initial:
            return f"{own}{self.initial.word} > {self.options.mode}"
        spaces = self.settings["label_space"].split(",")
        if len(spaces) > 1:
            return own + "+".join(space[:1].upper() for space in spaces)
        if len(self.heard.task.taught) > 1:
            return own + ("all" if spaces == ["own"] else spaces[0])
        return own + ("scratch" if spaces == ["own"] else f"{spaces[0]} scratch")


def plan_run(
    workspace: Path,
    heard: Heard,
    options: Settings,
    entries: dict[str, str],
    space: str,
    subset: str = "",
    aggregate: int | None = None,
    initial: Initial | None = None,
) -> Planned:
    """Settle the settings of a run and with them its folder.

    Args:
        workspace: holds ``runs/``
        heard: its data
        options: of network and training
        entries: hash of each corpus's registry entry
        space: label space; several joined by commas
        subset: named filter, or ""
        aggregate: seed of aggregation, None without it
        initial: model to start from

    Raises:
        EmosetError: if mode and initial model do not fit, a label is missing in training, or the initial model has
            heard what shall be tested
    """
    check_mode(options, initial is not None)
    if initial and initial.model["model"] != options.model:
        raise EmosetError(
            f"the initial model {initial.name} is a {initial.model['model']}, this is a {options.model}",
            f"emoset train {initial.model['model']}, or name another initial model",
        )
    task = heard.task
    check_labels(heard)
    dimensions = table_of(task, heard.heads, options.dimensions)
    feature: dict[str, Any] = {"feature": "logmel", **options.front}
    if options.feature:
        feature, options = _of_frames(workspace, options, heard)
    adapters = _has_adapters(options, len(heard.heads) > 1, initial)
    if initial:
        tested = task.partition.table.isin(["test", WITHIN]).any(axis=1).to_numpy()
        refuse_heard(initial, task.utterances, tested)
        options = _as_built(options, initial)
    split = task.partition
    plain = options.as_dict()
    brings = MODELS[options.model].brings
    plain["network"] = {name: value for name, value in plain["network"].items() if name != brings}
    settings = {
        "recipe": RECIPE,
        "model": options.model,
        "feature": feature,
        "mode": options.mode,
        "corpora": task.corpora,
        "heads": heard.heads,
        "label_space": space,
        "labels": task.labels,
        "subset": subset,
        "partition": split.facts,
        "options": {name: value for name, value in plain.items() if name not in {"model", "mode", "seed"}},
        "initial": initial.as_dict() if initial else None,
        **_brought(options),
        "seed": options.seed,
        "data": task.data,
        "entries": entries,
    }
    settings |= {"aggregate": f"labels cut to the rarest, seed {aggregate}"} if aggregate is not None else {}
    settings |= {"label_map": task.label_map} if task.label_map else {}
    settings |= {"levels": task.levels} if task.levels else {}
    if dimensions:
        values = scaled(task.utterances, dimensions, options.dimensions)
        settings["dimensions"] = dimensions | {"values": digest(np.nan_to_num(values, nan=-1.0).round(9).tolist())}
    folder = runs.run_folder(workspace, _words(settings, options, initial, task), settings)
    attributes = _attributes(options, heard)
    return Planned(folder, workspace, settings, options, heard, adapters, initial, attributes, dimensions)


def _attributes(options: Settings, heard: Heard) -> dict[str, Any] | None:
    """Approach and classes of the attributes that take part.

    Raises:
        EmosetError: if gradient reversal is to grow for ever
    """
    if not options.attributes:
        return None
    budget = options.budget
    if APPROACHES[options.approach].reversed and not (budget.max_epochs or (len(heard.heads) > 1 and budget.rounds)):
        raise EmosetError(
            f"gradient reversal grows until the last epoch, and preset {options.preset} has no last one",
            "say how many epochs there are at most by --epochs",
        )
    task = heard.task
    return {"approach": options.approach, "classes": classes_of(task.utterances, task.partition, options.attributes)}


def _joined(options: Settings) -> str:
    return "+".join(options.attributes)


def check_mode(options: Settings, begun: bool) -> None:
    """Refuse a mode that does not fit a start from an initial model (``begun``) or from new weights.

    Raises:
        EmosetError: if it does not, or the network has no adapters to train
    """
    new_adapters = options.mode == "adapters" and options.network.get("finetune")
    if options.mode in TRANSFER and not begun and not new_adapters:
        raise EmosetError(
            f"-m {options.mode} starts from a trained network, and none is named", "name a run by --initial-model RUN"
        )
    if options.mode not in TRANSFER and begun:
        raise EmosetError(
            f"-m {options.mode} starts from new weights, so an initial model has no use",
            "leave out --initial-model, or choose -m finetune, last-layer or adapters",
        )
    if options.mode == "adapters" and not MODELS[options.model].adapters:
        raise EmosetError(f"{options.model} has no adapters", "choose -m finetune or -m last-layer, or train cnn")


def check_labels(heard: Heard) -> None:
    """Refuse a head that does not see two labels in training, in each fold; one without labels is no matter of this.

    Raises:
        EmosetError: naming the first
    """
    task = heard.task
    heads = task.utterances["head"].to_numpy()
    for fold in task.partition.folds:
        train = task.partition.members(fold, "train")
        for head in (head for head, labels in heard.heads.items() if labels):
            taught = set(task.truth[train & (heads == head)].tolist())
            if len(taught) < 2:
                what = (
                    f"all training utterances of {head}, fold {fold}, are labelled {min(taught)}"
                    if taught
                    else (f"{head} has no training utterance in fold {fold}")
                )
                raise EmosetError(what, "choose another partition, or leave the corpus out")


def _has_adapters(options: Settings, several: bool, initial: Initial | None) -> bool:
    """Adapters mode and shared bases have them; finetune and last-layer have what the initial model has."""
    if options.mode == "adapters":
        return True
    if initial:
        return bool(initial.model["adapters"])
    return several and MODELS[options.model].adapters and MODELS[options.model].shared_adapters


def _as_built(options: Settings, initial: Initial) -> Settings:
    """The options with the network and log-mel settings of the initial model.

    Raises:
        EmosetError: if one was asked for that differs
    """
    if options.feature != initial.model.get("feature", ""):
        raise EmosetError(
            f"the initial model {initial.name} reads {initial.model.get('feature') or 'waveforms'}, this run does not",
            "give the same --feature, or none: a transfer keeps its input",
        )
    merged = {}
    for kind in ("network", "front"):
        asked, built = getattr(options, kind), initial.model[kind]
        for name, value in asked.items():
            if name in _CHANGEABLE or (built.get(name, value) == value and name in built):
                continue
            raise EmosetError(
                f"the initial model {initial.name} was built with {name} {built.get(name, 'by default')}, not {value}",
                "leave the option out: a transfer keeps its network",
            )
        merged[kind] = {n: v for n, v in built.items() if n not in _AUGMENTATION} | asked
    return replace(options, **merged)


def _brought(options: Settings) -> dict[str, str]:
    """What pretrained weights of a network are, by their content: they may lie anywhere."""
    option = MODELS[options.model].brings
    named = options.network.get(option, "") if option else ""
    if option == "weights":
        if named == "none":
            return {"imagenet": "none"}
        from emoset_cli.models.imagenet import read_weights

        return {"imagenet": read_weights(options.model, named).digest}
    if not option or (option == "finetune" and not named):
        return {}
    from emoset_cli.models.speech_load import read_encoder

    return {"encoder": read_encoder(named or _default_of(options.model, option)).digest}


def _default_of(model: str, option: str) -> str:
    """The default of an option, as the signature of the model's ``build`` tells it."""
    from inspect import signature

    return str(signature(MODELS[model].load().build).parameters[option].default)


def _of_frames(workspace: Path, options: Settings, heard: Heard) -> tuple[dict[str, Any], Settings]:
    """Settings of the stored frames that are read, and the options of a network that fits them.

    Raises:
        EmosetError: if options for waveforms are given as well
    """
    if options.front or options.network.get("finetune"):
        given = ", ".join(options.front) or "finetune"
        raise EmosetError(f"stored frames are read, so {given} has no use", "leave out --feature, or the other")
    from emoset_cli.feature_store import settings
    from emoset_cli.frame_store import FrameStore

    first = FrameStore(workspace, options.feature, str(heard.task.utterances["store"].iloc[0]))
    network = options.network | {"stored": [first.width, first.kept]}
    return settings(workspace, options.feature), replace(options, network=network)


_AUGMENTATION = {"noise", "time_masks", "time_mask_frames", "freq_masks", "freq_mask_mels", "speed", "pitch"}
_CHANGEABLE = _AUGMENTATION | {"dropout", "dropout_block", "trainable_blocks"}


def _words(settings: dict[str, Any], options: Settings, initial: Initial | None, task: Task) -> str:
    """The readable part of a run's name: corpora, model and mode, then whatever is not the default."""
    corpora = settings["corpora"]
    words, unseen = task.words
    usual = MODELS[options.model].recipe.get("preset", "cli-20")
    space = settings["label_space"]
    extras = [f"from-{initial.word}" if initial else "", settings["partition"]["name"].removesuffix(".csv"), unseen]
    extras += [space if space != "own" and corpora != space.split(",") else "", settings["subset"]]
    extras += ["aggregate" if "aggregate" in settings else "", options.preset if options.preset != usual else ""]
    extras += [f"seed{options.seed}" if options.seed else ""]
    heard = [options.feature.rpartition("_")[0] or options.feature] if options.feature else []
    heard += ["finetune"] if options.network.get("finetune") else []
    heard += options.dimensions
    heard += [options.approach, _joined(options)] if options.attributes else []
    text = f"{words}_{'-'.join([options.model, *heard, options.mode])}_{'-'.join(filter(None, extras))}"
    return "".join(c if c.isalnum() or c in "+-_." else "-" for c in text)


def seen(planned: Planned) -> Any:
    """Table of every utterance the finished model knows: its own train and devel, and all its initial model knew."""
    import pandas as pd

    from emoset_cli.train.deep.initial import heard

    task = planned.heard.task
    used = np.isin(task.partition.table.to_numpy(), ["train", "devel"]).any(axis=1)
    rows = task.utterances[used]
    own = pd.DataFrame({"corpus": rows["store"], "utterance": rows["id"], "speaker": rows["speaker"]})
    tables = [own, heard(planned.initial.file.parent)] if planned.initial else [own]
    return pd.concat(tables, ignore_index=True).drop_duplicates().sort_values(["corpus", "utterance"])
