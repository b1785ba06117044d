"""What ``model.json`` says a network is built from: checked, for a stranger may have written it."""

import math
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.models import MODELS
from emoset_cli.runs import Run
from emoset_cli.shared import ENCODER, checked_file, checked_name, demand, read_checked, read_shared

_LARGEST = 65_536  # of any number in it; what memory allows is checked where the network is built
_EPOCHS = ("best", "final")


def run_file(run: Run, name: str) -> Path:
    """A file of a run's folder; of a shared model it must be the one that was shared.

    Raises:
        EmosetError: if the name is none of the folder, or the file is not there
    """
    if run.shared:
        return checked_file(run.folder, name, read_shared(run.folder)["files"].get(name, "not listed"))
    file = run.folder / checked_name(run.folder / "model.json", name)
    if not file.is_file():
        raise EmosetError(f"{file} is missing", run.again)
    return file


def network_of(run: Run) -> dict[str, Any]:
    """What the network of a run is built from, and how utterances are read for it (``model.json``).

    Raises:
        EmosetError: if the run is of a baseline, or the file is not as a training writes it
    """
    path = run_file(run, "model.json")
    made = read_checked(path)
    if "network" not in made:
        raise EmosetError(
            f"{run.name} holds no network, it is of a {made.get('model')}",
            f"name a run of emoset train {', '.join(MODELS)}",
        )
    demand(made.get("model") in list(MODELS), path, f"there is no model {str(made.get('model'))[:80]!r}")
    for name, fine in _FINE.items():
        demand(name in made or name in _OPTIONAL, path, f"it does not tell '{name}'")
        demand(name not in made or fine(made[name]), path, f"'{name}' is not as a training writes it")
    _check_options(path, "network", made["network"], MODELS[made["model"]].load().build)
    from emoset_cli.models.layers.front import Front

    _check_options(path, "front", made["front"], Front)
    regression = made.get("dimensions", {}).get("heads", {})
    for head, labels in made["heads"].items():
        demand(bool(labels) or head in regression, path, f"head {head!r} has neither labels nor dimensions")
    demand(set(regression) <= set(made["heads"]), path, "'dimensions' are of heads that it does not have")
    for files in made["folds"].values():
        for file in files.values():
            checked_name(path, file)
    return made | {"network": made["network"] | _encoder(run, path, made)}


def _encoder(run: Run, path: Path, made: Mapping[str, Any]) -> dict[str, str]:
    """The encoder that a network brings: of a shared model, the one in its folder."""
    option = MODELS[made["model"]].brings
    named = made["network"].get(option, "") if option else ""
    if not run.shared or named in {"", "none"}:
        return {}
    demand(named == ENCODER, path, f"'{option}' names {str(named)[:200]!r}, which is not in its folder")
    listed = [name for name in read_shared(run.folder)["files"] if name.startswith(f"{ENCODER}/")]
    demand(bool(listed), path, f"no encoder lies in {run.folder / ENCODER}")
    for name in listed:
        run_file(run, name)
    stray = {entry.name for entry in (run.folder / ENCODER).iterdir()} - {name.partition("/")[2] for name in listed}
    demand(not stray, path, f"{run.folder / ENCODER} holds what was not shared: {', '.join(sorted(stray))}")
    return {option: str(run.folder / ENCODER)}


def _check_options(path: Path, kind: str, given: Mapping[str, Any], build: Callable[..., Any]) -> None:
    """Options must be those of ``build``, of the type that their defaults have.

    Raises:
        EmosetError: naming the first that is not
    """
    known = {name: one for name, one in signature(build).parameters.items() if one.kind is not Parameter.VAR_KEYWORD}
    for name, value in given.items():
        demand(name in known and name not in {"labels", "adapters", "front"}, path, f"'{kind}' has no option {name!r}")
        usual = known[name].default
        fine = _OF_TYPE[type(usual)](value)
        demand(fine, path, f"'{name}' of '{kind}' is {str(value)[:80]!r}")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _LARGEST


def _number(value: Any) -> bool:
    return _whole(value) or (isinstance(value, float) and math.isfinite(value) and abs(value) <= _LARGEST)


def _plain_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value) and len(set(value)) == len(value)


def _classes(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(_plain_texts(own) for own in value.values())


def _scales(value: Any) -> bool:
    """The table of `emoset_cli.train.deep.dimensions`."""
    if not isinstance(value, dict) or not _classes(value.get("heads")) or not all(value["heads"].values()):
        return False
    scales: Any = value.get("scales")
    ends = [own for one in scales.values() for own in one.values()] if _full(scales) else []
    return bool(ends) and all(
        isinstance(own, list) and len(own) == 2 and all(map(_number, own)) and own[0] < own[1] for own in ends
    )


def _full(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(one, dict) for one in value.values())


_OF_TYPE: dict[type, Callable[[Any], bool]] = {
    bool: lambda value: isinstance(value, bool),
    int: _whole,
    float: _number,
    str: lambda value: isinstance(value, str),
    type(None): lambda value: isinstance(value, list) and all(map(_whole, value)),
}
_FINE: dict[str, Callable[[Any], bool]] = {
    "heads": _classes,
    "adapters": lambda value: isinstance(value, bool),
    "network": lambda value: isinstance(value, dict),
    "front": lambda value: isinstance(value, dict),
    "feature": lambda value: isinstance(value, str) and "/" not in value and "\\" not in value and ".." not in value,
    "precision": lambda value: value in ("fp32", "bf16"),
    "eval_window": lambda value: value in ("whole", "crop"),
    "window_s": lambda value: _number(value) and value > 0,
    "segments": lambda value: (
        isinstance(value, list) and len(value) == 2 and all(map(_number, value)) and 0 < value[1] <= value[0]
    ),
    "attributes": lambda value: (
        isinstance(value, dict) and isinstance(value.get("approach"), str) and _classes(value.get("classes"))
    ),
    "dimensions": _scales,
    "folds": lambda value: isinstance(value, dict) and bool(value) and all(
        isinstance(files, dict) and set(files) <= set(_EPOCHS) and "best" in files for files in value.values()
    ),
}  # fmt: skip
_OPTIONAL = {"segments", "attributes", "dimensions"}
