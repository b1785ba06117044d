"""One job of a plan in a worker: its command is carried out, what it says goes to a log, how it ends to a record."""

import shlex
import traceback
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from emoset_cli.cli.common import strictly
from emoset_cli.errors import EmosetError


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

    An error of a user's kind ends in a record of a failed job, not here. Anything else is raised: the log holds its
    traceback.
    """
    from emoset_cli.plan.state import DONE, FAILED, Record, locked, log_file, write_record

    made = _made(words, machine.workspace)
    log = log_file(machine.workspace, job.id)
    log.parent.mkdir(parents=True, exist_ok=True)
    start = monotonic()
    facts: dict[str, Any]
    with log.open("a", encoding="utf-8", buffering=1) as file, redirect_stderr(file):
        file.write(f"$ emoset {shlex.join(made)}\n")
        try:
            with locked(machine.workspace, job.id):
                facts = {"state": DONE, **_done(made, machine)}
        except EmosetError as error:
            facts = {"state": FAILED, "problem": error.problem, "mend": error.mend}
            file.write(f"error: {error.problem}\n  mend: {error.mend}\n")
        except BaseException:
            file.write(traceback.format_exc())
            raise
    record = Record(
        job.id, job.name, job.kind, facts.pop("state"), f"emoset {shlex.join(made)}", monotonic() - start,
        sum(machine.utterances.get(key, 0) for key in job.corpora), **facts,
    )  # fmt: skip
    write_record(machine.workspace, record)
    return record


def _made(words: list[str], workspace: Path) -> list[str]:
    """The words with the paths of things that are made on the spot."""
    from emoset_cli.synth.models import MADE

    folder = made_folder(workspace)
    return [str(MADE[word[1:]](folder / word[1:])) if word.startswith("@") else word for word in words]


def made_folder(workspace: Path) -> Path:
    """Where things lie that plans make on the spot, by name."""
    return (workspace / "made").absolute()


def _done(words: list[str], machine: Machine) -> dict[str, Any]:
    """What a record says of a command that went well."""
    return _extracted(words, machine) if words[0] == "extract" else _trained(words, machine)


def _extracted(words: list[str], machine: Machine) -> dict[str, Any]:
    from emoset_cli.cli.data import extracted

    feature, key, *flags = words[1:]
    options = {flag.removeprefix("--"): value for flag, value in zip(flags[::2], flags[1::2], strict=True)}
    (row,) = extracted(feature, [key], options, machine.workspace, machine.workers, False, True, strictly)[0]
    return {"answer": Path(row["folder"]).name}


def _trained(words: list[str], machine: Machine) -> dict[str, Any]:
    from statistics import mean

    from emoset_cli.cli import deep, learn, search_options
    from emoset_cli.models import MODELS

    train = words[1]
    given = search_options.given(train, words[2:])
    given |= {"workspace": machine.workspace, "registry": machine.registry, "workers": machine.workers}
    if train in MODELS:
        given |= {"device": machine.device, "tensorboard": machine.tensorboard}
    trained = deep.trained if train in MODELS else learn.trained
    runs, _ = trained(train, given, strictly)
    devel = [mean(fold["devel_uar"] for fold in run.config["chosen"].values()) for run in runs]
    return {"answer": runs[0].name, "runs": [run.name for run in runs], "devel_uar": mean(devel)}
