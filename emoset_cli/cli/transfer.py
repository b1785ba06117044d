"""``emoset transfer``: what transfer is worth, settings against a reference over corpora and seeds."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import DEFAULT_WORKSPACE, Json, Quiet, Workspace, answer, each, finish, say
from emoset_cli.cli.results import Out
from emoset_cli.errors import EmosetError


def transfer(
    names: Annotated[list[str] | None, typer.Argument(metavar="RUN", help="runs; all of networks by default")] = None,
    reference: Annotated[str, typer.Option("--reference", "-r", help="setting to compare the others with")] = "scratch",
    baselines: Annotated[bool, typer.Option("--baselines", help="without RUN: SVMs and forests too")] = False,
    out: Out = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Set training settings side by side on each corpus, with marks, heat maps and a report.

    Runs of one setting are averaged over their seeds and tested against the reference of the same seed (McNemar, Holm).
    Runs that differ from the reference in labels or in devel or test utterances are left out and named.

    Example: emoset transfer --reference scratch --baselines
    """
    from emoset_cli import runs
    from emoset_cli.files import digest
    from emoset_cli.report.settings import is_network

    found, well = each(names or runs.list_runs(workspace), lambda name: runs.find_run(workspace, name))
    found = [run for run in found if names or baselines or is_network(run)]
    if not found and not well:
        finish(False)
    if not found:
        raise EmosetError(f"{workspace} holds no finished run of a network", "emoset train cnn")
    options = [*(names or []), "--reference", reference, *(["--baselines"] if baselines else [])]
    folder = out or workspace / "reports" / f"transfer_{digest([run.name for run in found], reference, length=8)}"
    section = side_by_side(found, reference, folder, f"emoset transfer {shlex.join(options)}")
    say(f"report: {section.page}", quiet)
    answer({"report": str(section.page), **section.value}, section.tables, as_json)
    finish(well)


def side_by_side(found: list[Any], reference: str, folder: Path, command: str) -> Any:
    """Settings against the reference, as a `Section` with its page in ``folder``."""
    from emoset_cli.report.section import Section
    from emoset_cli.report.transfer import transfer as compare_settings
    from emoset_cli.report.transfer_page import heat_maps, write_transfer_page
    from emoset_cli.report.transfer_tables import left_out, sentences, transfer_tables

    result = compare_settings(found, reference)
    page = write_transfer_page(folder, result, found, command)
    return Section(f"Transfer against {result['reference']}", transfer_tables(result), result, heat_maps(result),
                   sentences(result), left_out(result), pages={"transfer": page})  # fmt: skip
