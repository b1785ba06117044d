"""The options of the training commands as a plan of a search may set them, read from the commands themselves."""

import inspect
import types
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

from emoset_cli.cli.deep import app
from emoset_cli.errors import EmosetError
from emoset_cli.knobs import Command, Knob, Value, told
from emoset_cli.models import MODELS

# What `emoset search` is told itself, or what is of no use in a search.
_ELSEWHERE = {"task", "workspace", "registry", "workers", "force", "as_json", "quiet", "device", "tensorboard"}
# These decide which utterances are scored, in which labels, or by what luck.
_SCORED = {"partition", "labels", "subset", "aggregate", "pool", "unseen", "seed"}


def commands() -> list[str]:
    """What can be trained."""
    return [str(command.name) for command in app.registered_commands]


def command(train: str) -> Command:
    """What one of the commands takes in a plan."""
    knobs: dict[str, Knob] = {}
    refused: dict[str, EmosetError] = {}
    for name, parameter in _parameters(train).items():
        option = _long(parameter)
        owners = [model for model, entry in MODELS.items() if name in entry.options]
        if name in _ELSEWHERE:
            mend = "leave it out; see emoset search --help"
            refused[option] = EmosetError(f"--{option} is no part of a plan", mend)
        elif parameter.annotation.__metadata__[0].hidden:  # it is another network's
            mend = f"leave it out{'; it is an option of ' + ', '.join(owners) if owners else ''}"
            refused[option] = EmosetError(f"{train} has no --{option}", mend)
        else:
            knobs[option] = _knob(name, parameter)
    return Command(knobs, refused)


def command_line(train: str, options: dict[str, Value], corpora: list[str]) -> list[str]:
    """The words of ``emoset train`` that train with these options."""
    words = ["emoset", "train", train, "-t", ",".join(corpora)]
    by_name = {_long(parameter): parameter for parameter in _parameters(train).values()}
    for name, value in options.items():
        if isinstance(value, bool):
            off = _declared(by_name[name])[0].partition("/")[2]
            words += [f"--{name}"] if value else [off] if off else []
        elif value != "":
            words += [f"--{name}", told(value)]
    return words


def plain(train: str, options: dict[str, Value]) -> dict[str, Value]:
    """The options without those that have their default: whoever says it trains nothing else."""
    by_name = {_long(parameter): parameter.default for parameter in _parameters(train).values()}
    return {name: value for name, value in options.items() if value != by_name.get(name)}


def given(train: str, words: list[str]) -> dict[str, Any]:
    """The values of all options of a command, by their names, as the command line ``words`` sets them."""
    from typer.main import get_command

    group: Any = get_command(app)
    return dict(group.commands[train].make_context(train, words).params)


def shipped() -> dict[str, Path]:
    """The plans that come with emoset, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parents[1] / "searches").glob("*.yaml"))}


@cache
def _parameters(train: str) -> dict[str, inspect.Parameter]:
    callback: Any = next(entry.callback for entry in app.registered_commands if entry.name == train)
    return dict(inspect.signature(callback).parameters)


def _declared(parameter: inspect.Parameter) -> tuple[str, ...]:
    """Its names on the command line, ``--on/--off`` for a flag that can be taken back."""
    told_of = parameter.annotation.__metadata__[0]
    return tuple(word for word in (told_of.default, *told_of.param_decls) if isinstance(word, str))


def _long(parameter: inspect.Parameter) -> str:
    return _declared(parameter)[0].partition("/")[0].removeprefix("--")


def _knob(name: str, parameter: inspect.Parameter) -> Knob:
    annotated = get_args(parameter.annotation)
    kind: Any = annotated[0]
    told_of = annotated[1]
    if get_origin(kind) is types.UnionType:  # X | None
        kind = get_args(kind)[0]
    kind = str if get_origin(kind) is list else kind  # words joined by commas
    words = tuple(str(word) for word in kind) if issubclass(kind, StrEnum) else ()
    if not issubclass(kind, bool | int | float):
        kind = str
    return Knob(kind, words, told_of.min, told_of.max, name in _SCORED)
