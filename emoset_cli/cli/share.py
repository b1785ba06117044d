"""``emoset share``: a finished run as a folder that others can load, as ONNX, on the hub."""

from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import (
    DEFAULT_WORKSPACE,
    Json,
    Quiet,
    Registry,
    Workspace,
    answer,
    load_registry,
    say,
)


def share(
    name: Annotated[str, typer.Argument(metavar="RUN", help="finished run; RUN:final for a network's last epoch")],
    folder: Annotated[Path, typer.Argument(help="folder to write; it must be new or empty")],
    fold: Annotated[str, typer.Option("--fold", help="share this fold's model alone; all by default")] = "",
    onnx: Annotated[bool, typer.Option("--onnx", help="add an ONNX file for each head, checked; of one fold")] = False,
    calibrated: Annotated[
        bool, typer.Option("--calibrated", help="add the temperatures of emoset calibrate; ONNX applies them")
    ] = False,
    licence: Annotated[str, typer.Option("--licence", help="of the weights, for the card")] = "",
    push: Annotated[
        str,
        typer.Option("--push", metavar="USER/NAME", help="upload the folder to the Hugging Face hub; needs a token"),
    ] = "",
    private: Annotated[bool, typer.Option("--private", help="with --push: seen by you only")] = False,
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    force: Annotated[bool, typer.Option("--force", help="replace a shared model in that folder")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Share a model: write a folder with weights, settings and a model card, which loads on any machine.

    Weights are safetensors, all else is JSON and text. The folder is opened again as a stranger would and must say
    what the run says, to 1e-5; so must the ONNX. Wherever recordings are predicted, the folder may be named as RUN.

    Example: emoset share emodb_cnn shared/emodb-cnn --licence CC-BY-4.0
    """
    from emoset_cli import runs
    from emoset_cli.share.sharing import Wishes, share_run

    if push:
        from emoset_cli.share.push import check_name

        check_name(push)
    run = runs.find_run(workspace, name)
    wishes = Wishes(fold, onnx, calibrated, licence, force)
    found = share_run(run, folder, workspace, load_registry(registry, workspace), wishes)
    for line in found.pop("notes"):
        say(f"note: {line}", quiet)
    if push:
        from emoset_cli.share.push import push as upload

        found["pushed"] = upload(folder, push, private)
        say(f"uploaded: {found['pushed']}", quiet)
    _answer(found, as_json)


def _answer(found: dict[str, Any], as_json: bool) -> None:
    from emoset_cli.report.tables import Column, Table

    table = Table(
        f"Shared: {found['folder']}", [Column("file", "text", "file"), Column("bytes", "count", "bytes")],
        [[name, size] for name, size in found["files"].items()],
    )  # fmt: skip
    same = found["same"]
    table.note = f"Opened again, it differs from the run by {same['difference']:.1g} ({same['probes']} {same['on']})."
    checks = Table("ONNX", [
        Column("head", "text", "head"), Column("file", "text", "file"), Column("difference", "text", "difference"),
        Column("relative", "text", "relative"), Column("checked on", "text", "checked_on"),
    ], [
        [head, one["file"], f"{one['difference']:.1e}", f"{one['relative_difference']:.1e}",
         f"{len(one['checked_on'])} of {min(one['checked_on'])} to {max(one['checked_on'])}"]
        for head, one in found["onnx"].items()
    ], "Largest difference of a probability from the network's, as it is and relative to the probability.")  # fmt: skip
    answer(found, [table, *([checks] if found["onnx"] else [])], as_json)
