"""A finished run becomes a folder that loads on any machine: written aside, opened again, checked, then renamed."""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoset_cli import __version__
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.files import digest, read_json, write_bytes, write_json, write_text
from emoset_cli.models import MODELS
from emoset_cli.runs import Run
from emoset_cli.shared import ENCODER, FORMAT, MARK, VERSION, is_shared

TOLERANCE = 1e-5  # of any probability: how far a shared model may be from the run


@dataclass(frozen=True)
class Content:
    """What goes into a shared model beside its weights: file name -> text, or a value that becomes JSON."""

    texts: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)


def folds_of(run: Run, fold: str = "") -> list[str]:
    """The folds that are shared: all of the run, or the one that is named.

    Raises:
        EmosetError: if the run has no such fold, or is a shared model itself
    """
    if run.shared:
        raise EmosetError(f"{run.folder} is a shared model already", "copy the folder, or name the run it was made of")
    folds = [str(name) for name in run.config["partition"]["folds"]]
    if fold and fold not in folds:
        raise unknown(f"fold of {run.name}", fold, folds)
    return [fold] if fold else folds


def refuse_target(folder: Path, force: bool) -> None:
    """Refuse to write over what is there, unless it is a shared model and ``force`` is given.

    Raises:
        EmosetError: if it is not
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not is_shared(folder):
        raise EmosetError(f"{folder} is there already, and is no shared model", "name a new folder")
    if not force:
        raise EmosetError(f"{folder} holds a shared model already", "give --force to replace it, or name a new folder")


def write_folder(
    run: Run, folder: Path, folds: Sequence[str], content: Content, check: Callable[[Run], Any] = lambda shared: None
) -> Path:
    """Write the folder; it is there as a whole, or not at all.

    Args:
        run: with ``final``, the weights of its final epoch
        folder: to be written or replaced
        folds: of `folds_of`
        content: texts and JSON
        check: called with the shared model before it has its name; what it raises ends the sharing

    Raises:
        EmosetError: if a file of the run is missing, or as ``check`` says
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        made = _network(run, aside, folds) if _is_network(run) else _baseline(run, aside, folds)
        write_json(aside / "model.json", made)
        for name, text in content.texts.items():
            write_text(aside / name, text)
        for name, value in content.values.items():
            write_json(aside / name, value)
        mark(run, aside, folds)
        from emoset_cli.runs import find_run

        check(find_run(aside, str(aside)))
        _put(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return folder


def mark(run: Run, folder: Path, folds: Sequence[str]) -> None:
    """Write ``emoset.json``: what the folder is, the run's settings, and all other files with their digests."""
    split = run.config["partition"]
    config = run.config | {"partition": split | {"folds": list(folds), "of_folds": len(split["folds"])}}
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MARK)
    write_json(folder / MARK, {
        "format": FORMAT, "version": VERSION, "emoset": __version__, "name": run.name,
        "epoch": ("final" if run.final else "best") if _is_network(run) else "",
        "config": json.loads(json.dumps(config)),
        "files": {path.relative_to(folder).as_posix(): digest(path.read_bytes()) for path in files},
    })  # fmt: skip


def _is_network(run: Run) -> bool:
    return run.config["model"] in MODELS


def _network(run: Run, aside: Path, folds: Sequence[str]) -> dict[str, Any]:
    """Copy the weights, and the encoder that they are used with; answer the new ``model.json``."""
    from emoset_cli.train.deep.made import network_of
    from emoset_cli.train.deep.use import weights_file

    made = network_of(run)
    files = {}
    for number, fold in enumerate(folds, start=1):
        name = f"model{f'-{number}' if len(folds) > 1 else ''}.safetensors"
        write_bytes(aside / name, weights_file(run, made, fold).read_bytes())
        files[fold] = {"best": name}
    network = dict(made["network"])
    option = MODELS[made["model"]].brings
    if "encoder" in run.config:
        network[option] = _encoder(aside, str(network.get(option, "")), made["model"], option)
    return made | {"network": network, "folds": files}


def _encoder(aside: Path, name: str, model: str, option: str) -> str:
    """Copy the files of the speech encoder; answer what the model calls it from now on."""
    from inspect import signature

    from emoset_cli.models.speech_load import encoder_files

    named = name or str(signature(MODELS[model].load().build).parameters[option].default)
    (aside / ENCODER).mkdir()
    for file in encoder_files(named):
        if file.suffix == ".bin":
            raise EmosetError(
                f"the weights of {named} are in {file.name}, a format that can hold code",
                "convert them to model.safetensors, train with that folder, and share again",
            )
        shutil.copyfile(file, aside / ENCODER / file.name)
    return ENCODER


def _baseline(run: Run, aside: Path, folds: Sequence[str]) -> dict[str, Any]:
    """Copy the arrays of the folds; answer the new ``model.json``."""
    import safetensors.numpy

    made: dict[str, Any] = read_json(run.folder / "model.json")
    file = run.folder / "model.safetensors"
    if not file.is_file():
        raise EmosetError(f"{file} is missing", "train the run again with --force")
    kept = {
        name: array for name, array in safetensors.numpy.load_file(file).items() if name.rpartition("/")[0] in folds
    }
    write_bytes(aside / "model.safetensors", safetensors.numpy.save(kept))
    return made | {"folds": {fold: made["folds"][fold] for fold in folds}}


def _put(aside: Path, folder: Path) -> None:
    """Rename the whole folder to its place; what was there goes only then."""
    old = aside.with_name(f"{aside.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    aside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
