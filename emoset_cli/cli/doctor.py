"""``emoset doctor``: the machine and the installation, and with a workspace named whether that is whole."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import DEFAULT_WORKSPACE, Json, Quiet, answer, finish, progress_bar, say
from emoset_cli.errors import EmosetError


def doctor(
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", "-d", envvar="EMOSET_WORKSPACE", help="check this workspace, file by file"),
    ] = None,
    benchmark: Annotated[
        bool | None,
        typer.Option("--benchmark/--no-benchmark", help="measure speeds for about 10 s; not with a workspace named"),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Look at the installation and the machine: versions, cores, GPU, memory, disk, speeds, and what would be slow.

    With a workspace: whether its corpora, features, runs, searches, plans and jobs are what emoset wrote, and what
    killed commands have left. Nothing is changed. Exit 1 where something is damaged or will not work.

    Example: emoset doctor --workspace emoset-data
    """
    from emoset_cli.doctor import machine, slow

    folder = workspace or DEFAULT_WORKSPACE
    checked = _workspace(workspace, quiet) if workspace else _Workspace({}, [], True)
    measure = benchmark if benchmark is not None else workspace is None
    facts = machine.facts(folder)
    speeds = _speeds(folder, quiet) if measure else []
    findings = slow.findings(facts, speeds)
    value = {
        "machine": facts, "speeds": speeds, "findings": [one._asdict() for one in findings],
        "workspace": checked.value,
    }  # fmt: skip
    answer(value, [*_machine_tables(facts, speeds, findings), *checked.tables], as_json)
    finish(checked.well and not any(one.fault for one in findings))


@dataclass(frozen=True)
class _Workspace:
    """What was found in a workspace: as JSON, as tables, and whether nothing is damaged."""

    value: dict[str, Any]
    tables: list[Any]
    well: bool


def _workspace(workspace: Path, quiet: bool) -> _Workspace:
    """Look at all of it; the table names what is not whole and counts the rest."""
    from emoset_cli.doctor import state
    from emoset_cli.doctor.workspace import checks
    from emoset_cli.report.tables import Column, Table

    todo = checks(workspace)
    found: list[state.Checked] = []
    with progress_bar(f"look at {workspace}", "parts", len(todo), quiet) as bar:
        for check in todo:
            found += check()
            bar.advance()
    order = [state.DAMAGED, state.OUTDATED, state.UNFINISHED, state.LEFT_OVER]
    bad = sorted((one for one in found if one.state in order), key=lambda one: order.index(one.state))
    rows = [[part, sum(one.part == part and one.state == state.WHOLE for one in found),
             sum(one.part == part for one in bad)] for part in dict.fromkeys(one.part for one in found)]  # fmt: skip
    heads = [Column("part", "text", "part"), Column("whole", "count", "whole"), Column("not", "count", "not")]
    tables = [Table(f"Workspace {workspace}", heads, rows)]
    if bad:
        names = ("state", "part", "name", "detail", "mend")
        heads = [Column(name, "text", name) for name in names]
        short = [one._replace(detail=one.detail.replace(f"{workspace}{os.sep}", "")) for one in bad]
        tables.append(Table("Not whole", heads, [[getattr(one, name) or None for name in names] for one in short]))
    damaged = any(one.state == state.DAMAGED for one in found)
    say(f"{workspace} is {'damaged' if damaged else 'whole'}", quiet)
    value = {"folder": str(workspace), "damaged": damaged, "checked": [one._asdict() for one in found]}
    return _Workspace(value, tables, not damaged)


def _speeds(folder: Path, quiet: bool) -> list[dict[str, Any]]:
    from emoset_cli.doctor.speed import measure

    speeds = []
    with progress_bar("measure", "speeds", None, quiet) as bar:
        try:
            for one in measure(folder):
                speeds.append(one)
                bar.advance()
        except OSError as error:  # no disk to write to: what could be measured is told
            say(f"note: the disk could not be measured: {EmosetError(str(error), '').problem}", quiet)
    return speeds


def _machine_tables(facts: dict[str, Any], speeds: list[dict[str, Any]], findings: list[Any]) -> list[Any]:
    from emoset_cli.report.kinds import size
    from emoset_cli.report.tables import Column, Table

    pair = [Column("what", "text", "what"), Column("value", "text", "value")]
    gpus = [f"{gpu['name']}, {size(gpu['memory'])}" for gpu in facts["gpus"]]
    memory, disk = facts["memory"], facts["disk"]
    rows = [
        ["system", facts["system"]], ["processor", facts["processor"]],
        ["cores", f"{facts['cores']} of {facts['cores_of_machine']}, {facts['threads']} for a network"],
        ["units", ", ".join(facts["flags"]) or None], ["bfloat16", facts["bf16"] or "emulated"],
        ["load", None if facts["load"] is None else f"{facts['load']:g}"], ["GPU", "; ".join(gpus) or None],
        ["memory", " of ".join(size(part) for part in (memory["free"], memory["total"]) if part is not None) or None],
        ["disk", f"{size(disk['free'])} of {size(disk['total'])} free in {disk['folder']}"],
        *([name, text] for name, text in facts["environment"].items()),
    ]  # fmt: skip
    tables = [Table("Versions", pair, [[name, text] for name, text in facts["versions"].items()]),
              Table("Machine", pair, rows)]  # fmt: skip
    if speeds:
        heads = [Column("speed", "text", "what"), Column("value", "text", "value"), Column("of", "text", "of")]
        cells = [[one["what"], f"{one['value']:,.0f} {one['unit']}", one["of"]] for one in speeds]
        tables.append(Table("Speeds", heads, cells))
    if findings:
        names = ("what", "why", "mend")
        cells = [[getattr(one, name) for name in names] for one in findings]
        tables.append(Table("Slow or wrong", [Column(name, "text", name) for name in names], cells))
    return tables
