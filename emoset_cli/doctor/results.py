"""Runs, searches, plans and their jobs, aggregates: whether they can be read as they were written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emoset_cli import keeping, runs
from emoset_cli.doctor.state import DAMAGED, OUTDATED, UNFINISHED, WHOLE, Checked
from emoset_cli.doctor.stores import BROKEN, said
from emoset_cli.errors import EmosetError
from emoset_cli.files import digest, read_json
from emoset_cli.plan.state import DONE, Record


def run(workspace: Path, name: str) -> Iterator[Checked]:
    """A run: settings and predictions by their hashes, its model, what it predicted across corpora."""
    folder = workspace / "runs" / name
    state = keeping.state(folder)
    if state != keeping.FINISHED:
        what = "it is being trained" if state == keeping.TRAINING else "its training did not come to an end"
        mend = "" if state == keeping.TRAINING else f"the same `emoset train` again, or emoset runs rm {name}"
        yield Checked("runs", name, UNFINISHED, what, mend)
        return
    try:
        found = runs.check_run(folder)
        _model(folder)
        faults = list(_crossings(folder))
    except BROKEN as error:
        yield Checked("runs", name, DAMAGED, said(error), "the same `emoset train` again with --force")
        return
    for fault in faults:
        yield Checked("runs", name, DAMAGED, fault, "emoset evaluate --cross again, after deleting that file")
    base = keeping.base_of(found.config)
    if base and not runs.is_done(workspace / "runs" / base):
        detail = f"its initial model {base} is not here: it can be used, but not trained again"
        yield Checked("runs", name, OUTDATED, detail, "train that again, if you need it")
    elif not faults:
        yield Checked("runs", name)


def _model(folder: Path) -> None:
    """Open every file of weights that ``model.json`` names; the format's own header tells whether it is whole.

    Raises:
        EmosetError: if one is missing or damaged
    """
    from safetensors import SafetensorError, safe_open

    made = read_json(folder / "model.json")
    named = [one[when] for one in made["folds"].values() for when in ("best", "final") if when in one]
    for name in named or ["model.safetensors"]:
        file = folder / Path(str(name)).name
        if not file.is_file():
            raise EmosetError(f"{name} is missing", "train the run again with --force")
        try:
            with safe_open(file, "numpy") as opened:
                opened.keys()
        except SafetensorError as error:
            raise EmosetError(f"{name} is damaged ({error})", "train the run again with --force") from None
    if not (folder / "partition.csv").is_file():
        raise EmosetError("partition.csv is missing", "train the run again with --force")


def _crossings(folder: Path) -> Iterator[str]:
    for described in sorted((folder / "cross").glob("*.json")):
        table = described.with_suffix(".csv")
        if not table.is_file() or digest(table.read_bytes()) != read_json(described).get("digest"):
            yield f"cross/{table.name} is not what was predicted"


def search(workspace: Path, name: str) -> Iterator[Checked]:
    """A search: its journal, whose last line a kill may have cut."""
    folder = workspace / "searches" / name
    again = f"delete {folder} and give the `emoset search` again: what is trained is found again"
    if fault := _lines(folder / "journal.log"):
        yield Checked("searches", name, DAMAGED, fault, again)
    elif not (folder / "best.yaml").is_file():
        mend = "the same `emoset search` again"
        yield Checked("searches", name, UNFINISHED, "it did not come to an end", mend)
    else:
        yield Checked("searches", name)


def plan(workspace: Path, name: str) -> Iterator[Checked]:
    """The log of a plan."""
    folder = workspace / "plans" / name
    fault = _lines(folder / "events.jsonl")
    yield Checked("plans", name, DAMAGED, fault, f"delete {folder}: the runs stay") if fault else Checked("plans", name)


def _lines(path: Path) -> str:
    """What is wrong with a file of JSON lines; a last line that was cut is none of it."""
    if not path.is_file():
        return ""
    *whole, _ = path.read_bytes().split(b"\n")
    for number, line in enumerate(whole, start=1):
        try:
            json.loads(line)
        except ValueError:
            return f"line {number} of {path.name} is not JSON"
    return ""


def job(workspace: Path, name: str) -> Iterator[Checked]:
    """The record of a job of `emoset run`."""
    path = workspace / "jobs" / f"{name}.json"
    try:
        record = Record(**read_json(path))
        gone = [one for one in record.runs if not runs.is_done(workspace / "runs" / one)]
    except BROKEN as error:
        yield Checked("jobs", name, DAMAGED, said(error), f"delete {path}: `emoset run` does the job again")
        return
    if record.state == DONE and gone:
        yield Checked("jobs", name, OUTDATED, f"its run {gone[0]} is gone", "nothing: `emoset run` trains it again")
    else:
        yield Checked("jobs", name, WHOLE, record.state)


def aggregate(workspace: Path, name: str) -> Iterator[Checked]:
    """A table of utterances drawn, and how."""
    import pandas as pd

    path = workspace / "aggregates" / f"{name}.json"
    try:
        made: Any = read_json(path)
        rows = len(pd.read_parquet(path.with_suffix(".parquet")))
    except BROKEN as error:
        yield Checked("aggregates", name, DAMAGED, said(error), "emoset corpora aggregate again with --force")
        return
    state = WHOLE if isinstance(made, dict) else DAMAGED
    yield Checked("aggregates", name, state, f"{rows} rows", "" if state == WHOLE else "emoset corpora aggregate again")
