"""``emoset evaluate`` and ``emoset compare``: from predictions to numbers, intervals, tests and a report."""

from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import DEFAULT_WORKSPACE, Device, Json, Quiet, Workspace, answer, each, finish, list_of, say
from emoset_cli.errors import EmosetError
from emoset_cli.report.paper_names import CROSS

_PUBLISHED = ", ".join(f"{name} ({table})" for name, table in CROSS.items())
Out = Annotated[Path | None, typer.Option("--out", "-o", help="folder of the report; below the workspace by default")]


def evaluate(
    names: Annotated[list[str] | None, typer.Argument(metavar="RUN", help="runs; all by default")] = None,
    cross: Annotated[
        bool, typer.Option("--cross", help="test utterances of each corpus through the heads of the others instead")
    ] = False,
    on: Annotated[
        list[str] | None, typer.Option("--on", help="with --cross: further corpora, which no network was trained on")
    ] = None,
    space: Annotated[
        str | None, typer.Option("--space", help="with --cross: label space to score in; three-class by default")
    ] = None,
    published: Annotated[
        str | None, typer.Option("--published", help=f"with --cross: figures of a paper beside yours: {_PUBLISHED}")
    ] = None,
    device: Device = "auto",
    out: Out = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score runs with intervals; write an HTML report, tables (Markdown, LaTeX, CSV) and metrics.json.

    A run is named by its folder or an unambiguous part of its name. A network's scores are those of its best devel
    epoch; RUN:final are those of its last. Both stand side by side in a table of their own.

    With --cross networks predict other corpora, in a label space and on common labels; runs of one corpus each count
    together. What was predicted is kept in the run folders.

    Example: emoset evaluate emodb_svm
    """
    from emoset_cli.cli.crossing import cross_evaluate

    if cross:
        cross_evaluate(
            workspace, names, list_of(on), space or "three-class", published or "", device, out, as_json, quiet
        )
        return
    _refuse_without_cross(on, space, published, device)
    from emoset_cli import runs

    names = names or runs.list_runs(workspace)
    if not names:
        raise EmosetError(f"{workspace} holds no finished run", "emoset train svm")
    found, well = each(names, lambda name: runs.find_run(workspace, name))
    found = list({(run.folder, run.final): run for run in found}.values())
    if not found:
        finish(False)
    section = scored(workspace, out, found)
    say(f"report: {section.page}", quiet)
    answer({"report": str(section.page), **section.value}, section.tables, as_json)
    finish(well)


def scored(workspace: Path, out: Path | None, found: list[Any], whole: bool = True) -> Any:
    """The scores of runs, as a `Section` with its page (which has much of each run; not if not ``whole``)."""
    from emoset_cli.report.attributes import attribute_scores
    from emoset_cli.report.dimensions import dimension_scores, level_scores
    from emoset_cli.report.epochs import epoch_scores, epochs_table
    from emoset_cli.report.html import inner_tables
    from emoset_cli.report.languages import across_tables, domain_scores, language_scores
    from emoset_cli.report.scores import score_runs
    from emoset_cli.report.section import Section
    from emoset_cli.report.segments import segment_scores
    from emoset_cli.report.tables import results_table

    scores = score_runs(found)
    epochs, languages, domains = epoch_scores(found, scores), language_scores(found), domain_scores(found)
    further = {"epochs": epochs, "languages": languages, "domains": domains}
    inner = {"segments": segment_scores(found, scores), "attributes": attribute_scores(found)}
    inner |= {"dimensions": dimension_scores(found), "levels": level_scores(found)}
    further |= inner
    pages = {"scores": _report(workspace, out, found, scores, [], further)} if whole else {}
    tables = [results_table(scores)] if any(score["corpora"] for score in scores) else []
    tables += [*across_tables(languages, domains).values(), *inner_tables(**inner)]
    tables += [epochs_table(epochs)] if epochs else []
    return Section("Scores", tables, {"scores": scores, **further}, pages=pages)


def _refuse_without_cross(on: list[str] | None, space: str | None, published: str | None, device: str) -> None:
    values = {"--on": on, "--space": space, "--published": published, "--device": device != "auto"}
    given = [name for name, value in values.items() if value]
    if given:
        raise EmosetError(f"{given[0]} is about corpora through other heads", "add --cross, or leave it out")


def compare(
    names: Annotated[list[str], typer.Argument(metavar="RUN", help="two or more runs; the first is the reference")],
    out: Out = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Test whether runs differ on the same test utterances (McNemar, Holm); write a report.

    Refuses runs whose test utterances differ, and says which do. RUN:final is a network's last epoch.

    Example: emoset compare emodb_svm emodb_forest
    """
    from emoset_cli import runs
    from emoset_cli.report.comparison import compare_many

    found = [runs.find_run(workspace, name) for name in names]
    if len({(run.folder, run.final) for run in found}) < 2:
        raise EmosetError("there are no two different runs to compare", "name a reference and at least one other run")
    section = compared(workspace, out, found, compare_many(found))
    say(f"report: {section.page}", quiet)
    answer({"report": str(section.page), **section.value}, section.tables, as_json)


def compared(workspace: Path, out: Path | None, found: list[Any], comparisons: list[dict[str, Any]]) -> Any:
    """Comparisons of runs, as a `Section` with its page."""
    from emoset_cli.report.epochs import epoch_scores
    from emoset_cli.report.languages import across_tables, domain_scores, language_scores
    from emoset_cli.report.scores import score_runs
    from emoset_cli.report.section import Section
    from emoset_cli.report.tables import comparison_table

    scores = score_runs(found)
    across = {"languages": language_scores(found), "domains": domain_scores(found)}
    page = _report(workspace, out, found, scores, comparisons, {"epochs": epoch_scores(found, scores), **across})
    tables = [*map(comparison_table, comparisons), *across_tables(**across).values()]
    return Section("Comparisons", tables, {"comparisons": comparisons, **across}, pages={"comparisons": page})


def _report(
    workspace: Path, out: Path | None, found: list[Any], scores: Any, comparisons: list[Any],
    further: dict[str, Any],
) -> Path:  # fmt: skip
    """Write the report of these runs, with their corpora and problems where the workspace holds them as trained on.

    ``further`` are the tables of rows that `write_report` takes by name.
    """
    import csv

    import pandas as pd

    from emoset_cli.files import digest
    from emoset_cli.prepare import corpus_folder, data_hash, prepared_corpora, read_utterances
    from emoset_cli.report.html import write_report
    from emoset_cli.report.tables import corpora_rows

    used = {key for run in found for key in run.config["corpora"]}
    tables = {key: read_utterances(workspace, key) for key in prepared_corpora(workspace) if key in used}
    for key, table in list(tables.items()):
        if {run.config["data"][key] for run in found if key in run.config["corpora"]} != {data_hash(table)}:
            say(f"WARNING: {key} was prepared anew since a run was trained: the report does not describe it")
            del tables[key]
    rows = corpora_rows(pd.concat(tables.values())) if tables else []
    problems: list[dict[str, Any]] = []
    for key in tables:
        with (corpus_folder(workspace, key) / "problems.csv").open(encoding="utf-8", newline="") as file:
            problems += csv.DictReader(file)
    kind = "compare" if comparisons else "evaluate"
    name = found[0].name if len(found) == 1 else f"{len(found)}-runs_{digest([run.name for run in found], length=8)}"
    folder = out or workspace / "reports" / f"{kind}_{name.replace(':', '-')}"  # RUN:final is no name for a folder
    return write_report(folder, found, scores, rows, comparisons, problems, **further)
