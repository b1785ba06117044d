"""One job of a plan in a worker: its command is carried out, what it says goes to a log, how it ends to a record."""

import os
import shlex
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TextIO

from emoset_cli.cli.common import strictly


@dataclass(frozen=True)
class Machine:
    """Where and how the jobs of a plan are done; nothing of it changes a result (but the precision of a device)."""

    workspace: Path
    registry: Path | None
    device: str
    workers: int
    tensorboard: bool
    utterances: dict[str, int]


def work(job: Any, words: list[str], machine: Machine) -> Any:
    """Carry out a job of `emoset_cli.plan.jobs`; answer its record, written to the workspace.

    None where another process is at it. An error ends in the record of a failed job, not here; the log holds the
    traceback of one that no user can mend.
    """
    from emoset_cli.plan.state import held, is_there, read_record, write_record

    with held(machine.workspace, job.id) as log:
        if log is None:
            return None
        record = read_record(machine.workspace, job.id)
        if record is None or not is_there(machine.workspace, job, record):  # else another process was faster
            with redirect_stderr(log):
                record = _attempt(job, _made(words, machine.workspace), machine, log)
            write_record(machine.workspace, record)
        return record


def _attempt(job: Any, words: list[str], machine: Machine, log: TextIO) -> Any:
    """Do it; what it says goes to the log, at whose end the log stands."""
    from emoset_cli.plan.state import DONE, FAILED, Record
    from emoset_cli.pool.job import do

    command = f"emoset {shlex.join(words)}"
    first = log.tell() == 0
    log.write(f"$ {command}\n")
    begun, start = os.fstat(log.fileno()).st_mtime, monotonic()
    ended = do(job.id, _done, (words, machine))
    facts: dict[str, Any]
    if ended.error is None:
        found, made = ended.value
        whole = first and all(file.stat().st_mtime >= begun for file in made)
        facts = {"state": DONE, "whole": whole, **found}
    else:
        problem, mend = ended.error.problem, ended.error.mend
        log.write(f"{ended.traceback}error: {problem}\n  mend: {mend}\n")
        facts = {"state": FAILED, "problem": problem, "mend": mend}
    utterances = sum(machine.utterances.get(key, 0) for key in job.corpora)
    return Record(job.id, job.name, job.kind, facts.pop("state"), command, monotonic() - start, utterances, **facts)


def _made(words: list[str], workspace: Path) -> list[str]:
    """The words with the paths of things that are made on the spot."""
    from emoset_cli.synth.models import MADE

    folder = made_folder(workspace)
    return [str(MADE[word[1:]](folder / word[1:])) if word.startswith("@") else word for word in words]


def made_folder(workspace: Path) -> Path:
    """Where things lie that plans make on the spot, by name."""
    return (workspace / "made").absolute()


def _done(words: list[str], machine: Machine) -> tuple[dict[str, Any], list[Path]]:
    """What a record says of a command that went well, and the files that were written last."""
    return _extracted(words, machine) if words[0] == "extract" else _trained(words, machine)


def _extracted(words: list[str], machine: Machine) -> tuple[dict[str, Any], list[Path]]:
    from emoset_cli.cli.data import extracted

    feature, key, *flags = words[1:]
    options = {flag.removeprefix("--"): value for flag, value in zip(flags[::2], flags[1::2], strict=True)}
    (row,) = extracted(feature, [key], options, machine.workspace, machine.workers, False, True, strictly)[0]
    folder = Path(row["folder"])
    return {"answer": folder.name}, [folder / f"{key}.json"]


def _trained(words: list[str], machine: Machine) -> tuple[dict[str, Any], list[Path]]:
    from statistics import mean

    from emoset_cli.cli import deep, learn, search_options
    from emoset_cli.models import MODELS
    from emoset_cli.report.ranking import devel_uar

    train = words[1]
    given = search_options.given(train, words[2:])
    given |= {"workspace": machine.workspace, "registry": machine.registry, "workers": machine.workers}
    if train in MODELS:
        given |= {"device": machine.device, "tensorboard": machine.tensorboard}
    trained = deep.trained if train in MODELS else learn.trained
    runs, _ = trained(train, given, strictly)
    uars = [uar for run in runs if (uar := devel_uar(run)) is not None]
    facts = {"answer": runs[0].name, "runs": [run.name for run in runs], "devel_uar": mean(uars) if uars else None}
    return facts, [run.folder / "done.json" for run in runs]
