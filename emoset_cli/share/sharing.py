"""All of sharing a run: its facts, its card, its weights and graphs, and the checks."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoset_cli import __version__, calibration
from emoset_cli.cite import bibtex
from emoset_cli.corpora import Corpus
from emoset_cli.errors import EmosetError
from emoset_cli.files import read_json, write_bytes, write_json
from emoset_cli.models import MODELS
from emoset_cli.runs import Run
from emoset_cli.share.card import card
from emoset_cli.share.facts import corpora_facts, input_facts, results_facts
from emoset_cli.share.folder import Content, folds_of, mark, refuse_target, write_folder
from emoset_cli.share.papers import OPENSMILE, PAPERS


@dataclass(frozen=True)
class Wishes:
    """What of a run is to be shared, and how; see the options of ``emoset share``."""

    fold: str = ""
    onnx: bool = False
    calibrated: bool = False
    licence: str = ""
    force: bool = False


def share_run(run: Run, folder: Path, workspace: Path, known: Mapping[str, Corpus], wishes: Wishes) -> dict[str, Any]:
    """Write the folder.

    Args:
        run: a finished one
        folder: to be written
        workspace: in which the run's corpora may be prepared: the card then tells their hours and speakers
        known: the registry
        wishes: options

    Returns:
        ``folder``, ``files`` with their bytes, ``same`` (the check), ``onnx`` (head -> check),
        ``notes``

    Raises:
        EmosetError: if there is no such fold, something is in the way, or a check fails
    """
    folds = folds_of(run, wishes.fold)
    refuse_target(folder, wishes.force)
    network = run.config["model"] in MODELS
    if wishes.onnx and not network:
        raise EmosetError(f"{run.name} is of a {run.config['model']}, which has no ONNX here", "leave --onnx out")
    if wishes.onnx and len(folds) > 1:
        raise EmosetError(f"{run.name} has {len(folds)} folds, and each a network of its own",
                          f"choose one for --onnx, as --fold {folds[0]}")  # fmt: skip
    temperatures = calibration.read(run) if wishes.calibrated else {}
    if run.config["model"] == "svm":  # its decision values become probabilities by them alone
        temperatures = calibration.fit(run)
    opened, made = _opened(run, folds[0]) if network else (None, read_json(run.folder / "model.json"))
    corpora = corpora_facts(run, workspace, known, folds)
    scores = results_facts(run)
    model: dict[str, Any] = {
        "config": run.config | {"partition": run.config["partition"] | {"of_folds": len(folds_of(run))}},
        "heads": made["heads"] if network else _heads(run), "folds": folds, "emoset": __version__,
        "input": input_facts(run, made, opened.model if opened else None),
        "epoch": ("final" if run.final else "best") if network else "",
    }  # fmt: skip
    bib, uncited = _citations(run, known)
    values = {"preprocessing.json": model["input"] | {"labels": model["heads"]}, "results.json": scores}
    if temperatures:
        values[calibration.FILE] = {"folds": {fold: temperatures[fold] for fold in folds}}
    text = card(run.name, model, corpora, scores, wishes.licence, bool(temperatures))
    checks: dict[str, Any] = {"same": {}, "onnx": {}}

    def check(shared: Run) -> None:
        from emoset_cli.share.same import check_same, check_same_arrays

        if not network:
            checks["same"] = check_same_arrays(run, shared, folds)
            return
        checks["same"] = check_same(run, shared, workspace, folds)
        if wishes.onnx:
            checks["onnx"] = _add_onnx(run, shared, workspace, folds[0], temperatures.get(folds[0], {}))
            mark(run, shared.folder, folds)

    content = Content({"README.md": text, "citations.bib": bib}, json.loads(json.dumps(values)))
    write_folder(run, folder, folds, content, check)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    notes = [f"the registry has no citation of {', '.join(uncited)}"] if uncited else []
    if any(one["parts"] is None for one in corpora):
        notes.append("the corpora are not in this workspace as they were trained on: the card lacks hours and speakers")
    return {
        "folder": str(folder), "files": {path.relative_to(folder).as_posix(): path.stat().st_size for path in files},
        **checks, "notes": notes,
    }  # fmt: skip


def _opened(run: Run, fold: str) -> tuple[Any, dict[str, Any]]:
    from emoset_cli.train.deep.use import open_network

    network = open_network(run, fold, "cpu")
    return network, network.made


def _heads(run: Run) -> dict[str, list[str]]:
    """The labels of a baseline's corpora."""
    return {str(key): [str(word) for word in run.config["labels"][key]] for key in run.config["corpora"]}


def _add_onnx(run: Run, shared: Run, workspace: Path, fold: str, temperatures: Mapping[str, float]) -> dict[str, Any]:
    """Write the graphs of the shared model into its folder; answer what ``onnx.json`` says."""
    from emoset_cli.share.onnx_files import onnx_files
    from emoset_cli.share.probes import probes
    from emoset_cli.train.deep.use import open_network

    network = open_network(shared, fold, "cpu")
    some, _ = probes(run, workspace, network.made, fold)
    files, told = onnx_files(network, some, temperatures)
    for name, raw in files.items():
        write_bytes(shared.folder / name, raw)
    write_json(shared.folder / "onnx.json", told)
    return told


def _citations(run: Run, known: Mapping[str, Corpus]) -> tuple[str, list[str]]:
    """BibTeX of the system and of the corpora, and the corpora that have none."""
    entries = [PAPERS[run.config["model"]]]
    entries += [OPENSMILE] if run.config["model"] not in MODELS else []
    uncited = []
    for key in map(str, run.config["corpora"]):
        if key in known and known[key].citation:
            entries.append(bibtex(known[key]))
        else:
            uncited.append(key)
    return "\n\n".join(entries) + "\n", uncited
