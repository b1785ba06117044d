"""The report: one HTML page that needs no other file, and the tables, plots and numbers beside it."""

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from emoset_cli import files
from emoset_cli.report import plots
from emoset_cli.report.attributes import attributes_table
from emoset_cli.report.dimensions import dimensions_table, levels_table
from emoset_cli.report.epochs import epochs_table, parameters_table
from emoset_cli.report.languages import across_tables
from emoset_cli.report.page import render, write_beside
from emoset_cli.report.plots_training import read_history, training_plot
from emoset_cli.report.segments import segments_table
from emoset_cli.report.settings import is_network
from emoset_cli.report.tables import (
    Column,
    Table,
    comparison_table,
    corpora_table,
    in_order,
    recall_table,
    results_table,
    slug,
)
from emoset_cli.runs import FINAL, Run

_SHOWN_PROBLEMS = 200
# Settings with a place of their own on the page; the rest is listed as it is.
_KNOWN = {"emoset", "model", "feature", "corpora", "labels", "partition", "chosen", "data", "packages", "counts",
          "options", "seed", "label_space", "recipe", "entries", "feature_settings", "setting", "mode", "initial",
          "preset", "budget", "precision", "device", "parameters", "heads", "attributes", "dimensions",
          "levels"}  # fmt: skip


def write_report(
    folder: Path,
    runs: Sequence[Run],
    scores: Sequence[dict[str, Any]],
    corpora_rows: Sequence[dict[str, Any]] | None = None,
    comparisons: Sequence[dict[str, Any]] | None = None,
    problems: Sequence[dict[str, Any]] | None = None,
    command: str = "",
    epochs: Sequence[dict[str, Any]] = (),
    languages: Sequence[dict[str, Any]] = (),
    domains: Sequence[dict[str, Any]] = (),
    segments: Sequence[dict[str, Any]] = (),
    attributes: Sequence[dict[str, Any]] = (),
    dimensions: Sequence[dict[str, Any]] = (),
    levels: Sequence[dict[str, Any]] = (),
) -> Path:
    """Write ``report.html`` and, beside it, tables (Markdown, LaTeX, CSV), ``metrics.json`` and figures (SVG).

    The same runs give the same bytes: the page holds no date and no path of this machine. The page is written last,
    so where it is, all is.

    Args:
        folder: made if missing; files of ours in it are replaced one by one, each whole
        runs: the runs of ``scores``, in the same order
        scores: from `scores.score_runs`
        corpora_rows: from `tables.corpora_rows`
        comparisons: from `comparison.compare_many`
        problems: rows of ``problems.csv``
        command: the command that made this report; without it, one that makes the same
        epochs: from `epochs.epoch_scores`, of the same runs
        languages: from `languages.language_scores`, of the same runs
        domains: from `languages.domain_scores`, of the same runs
        segments: from `segments.segment_scores`, of the same runs
        attributes: from `attributes.attribute_scores`, of the same runs
        dimensions: from `dimensions.dimension_scores`, of the same runs
        levels: from `dimensions.level_scores`, of the same runs

    Returns:
        path of the page
    """
    assert [run.name for run in runs] == [score["run"] for score in scores]
    comparisons, corpora_rows = list(comparisons or []), list(corpora_rows or [])
    deep = [table for table in (epochs_table(epochs) if epochs else None, parameters_table(runs)) if table]
    across = across_tables(languages, domains)
    inner = inner_tables(dimensions, levels, segments, attributes)
    results = [results_table(scores)] if any(score["corpora"] for score in scores) else []
    tables = [*results, *across.values(), *inner, *deep]
    tables += [corpora_table(corpora_rows)] if corpora_rows else []
    tables += [comparison_table(one) for one in comparisons]
    tables += [recall_table(*place) for place in _places(scores)]
    figures = _figures(scores, corpora_rows) | _curves(runs, scores)
    write_beside(folder, tables, figures)
    facts = {"scores": list(scores), "comparisons": comparisons} | ({"epochs": list(epochs)} if epochs else {})
    further = {"languages": languages, "domains": domains, "segments": segments, "attributes": attributes,
               "dimensions": dimensions, "levels": levels}  # fmt: skip
    facts |= {name: list(rows) for name, rows in further.items() if rows}
    files.write_json(folder / "metrics.json", facts)
    page = _page(runs, scores, corpora_rows, comparisons, list(problems or []), figures, command, across, inner, deep)
    files.write_text(folder / "report.html", page)
    return folder / "report.html"


def inner_tables(dimensions: Any, levels: Any, segments: Any, attributes: Any) -> list[Table]:
    """Tables of what some runs tell besides labels of utterances, from rows as `write_report` takes them."""
    made = ((dimensions_table, dimensions), (levels_table, levels), (segments_table, segments))
    return [make(rows) for make, rows in (*made, (attributes_table, attributes)) if rows]


def _places(scores: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str, str]]:
    """Each run's corpora with the partition that is shown in full: test, or devel where there is no test."""
    for score in scores:
        for corpus, parts in score["corpora"].items():
            yield score, corpus, "test" if "test" in parts else "devel"


def _figure_name(scores: Sequence[dict[str, Any]], score: dict[str, Any], corpus: str, kind: str) -> str:
    """File name of a figure; runs of one name (from different workspaces) are told apart by their number."""
    same = sum(other["run"] == score["run"] for other in scores) > 1
    number = f"_{next(index for index, other in enumerate(scores, 1) if other is score)}" if same else ""
    return re.sub(r"[^\w.+-]+", "-", "_".join(filter(None, (f"{score['run']}{number}", corpus, kind))))


def _figures(scores: Sequence[dict[str, Any]], corpora_rows: Sequence[dict[str, Any]]) -> dict[str, str]:
    """File name without its suffix -> SVG."""
    figures = {"corpora": plots.corpora_plot(corpora_rows)} if corpora_rows else {}
    for score, corpus, partition in _places(scores):
        part = score["corpora"][corpus][partition]
        what, uar = f"{corpus}, {partition}, {score['run']}", part["uar"]["value"]
        drawn = {
            "confusion": plots.confusion_plot(part["confusion"], f"Confusion matrix: {what}"),
            "recall": plots.recall_plot(part["recall"], part["chance"], uar, f"Recall of each label: {what}"),
            "speakers": plots.speaker_plot(part["speakers"], uar, part["chance"], f"UAR of each speaker: {what}"),
        }
        figures |= {_figure_name(scores, score, corpus, f"{partition}_{kind}"): svg for kind, svg in drawn.items()}
    return figures


def _curves(runs: Sequence[Run], scores: Sequence[dict[str, Any]]) -> dict[str, str]:
    """The training curve of each network, by file name."""
    return {
        _figure_name(scores, score, "", "training"): training_plot(history, f"Training of {run.name}")
        for run, score in zip(runs, scores, strict=True)
        if (history := read_history(run))
    }


def _page(
    runs: Sequence[Run],
    scores: Sequence[dict[str, Any]],
    corpora_rows: list[dict[str, Any]],
    comparisons: list[dict[str, Any]],
    problems: list[dict[str, Any]],
    figures: dict[str, str],
    command: str,
    across: dict[str, Table],
    inner: list[Table],
    deep: list[Table],
) -> str:
    from markupsafe import Markup

    names = [score["run"] for score in scores]
    return render(
        "report.html.j2",
        title=", ".join(dict.fromkeys(_corpora_of(runs, scores))),
        version=next((str(run.config["emoset"]) for run in runs if "emoset" in run.config), ""),
        headlines=_headlines(scores),
        corpora=corpora_table(corpora_rows) if corpora_rows else None,
        corpora_figure=Markup(figures.get("corpora", "")),
        ids={
            known: f"run-{number}" for number, name in enumerate(names, 1) for known in (name, name.removesuffix(FINAL))
        },
        runs=[
            _run_view(run, score, scores, figures, i) for i, (run, score) in enumerate(zip(runs, scores, strict=True))
        ],
        comparisons=[comparison_table(one) for one in comparisons],
        across=across,
        inner=inner,
        deep=deep,
        problems=problem_tables(problems),
        problem_count=len(problems),
        shown_problems=_SHOWN_PROBLEMS,
        command=command or f"emoset evaluate {shlex.join(names)}",
        packages=sorted({f"{name} {version}" for run in runs for name, version in _pairs(run.config.get("packages"))}),
    )


def _corpora_of(runs: Sequence[Run], scores: Sequence[dict[str, Any]]) -> list[str]:
    """The corpora that are scored, by their labels or else by dimensions only."""
    labelled = [corpus for score in scores for corpus in score["corpora"]]
    measured = [str(corpus) for run in runs for corpus in (run.config.get("dimensions") or {}).get("scales", {})]
    return labelled + measured


def _headlines(scores: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tables at the top: test first, devel apart, each row with its interval drawn on a line."""
    from markupsafe import Markup

    headlines = []
    for partition in ("test", "devel"):
        table = results_table(scores, [partition])
        parts = [part for *_, part in in_order(scores, [partition])]
        strips = [plots.strip_plot(part["uar"]["value"], part["uar"]["low"], part["uar"]["high"], part["chance"])
                  for part in parts]  # fmt: skip
        if parts:
            hows = sorted({part["how"] for part in parts})
            headlines.append(
                {"partition": partition, "table": table, "strips": list(map(Markup, strips)), "hows": hows}
            )
    return headlines


def _run_view(
    run: Run, score: dict[str, Any], scores: Sequence[dict[str, Any]], figures: dict[str, str], index: int
) -> dict[str, Any]:
    """What the page shows of one run."""
    from markupsafe import Markup

    corpora = []
    for _, corpus, partition in _places([score]):
        part = score["corpora"][corpus][partition]
        name = _figure_name(scores, score, corpus, partition)
        drawn = {kind: Markup(figures[f"{name}_{kind}"]) for kind in ("confusion", "recall", "speakers")}
        corpora.append({"corpus": corpus, "partition": partition, **part, "figures": drawn})
    return {
        "id": f"run-{index + 1}",
        "name": run.name,
        "settings": _settings(run.config),
        "chosen": _chosen_table(run.config.get("chosen") or {}),
        "network": is_network(run),
        "curve": Markup(figures.get(_figure_name(scores, score, "", "training"), "")),
        "corpora": corpora,
        "pooled": score.get("pooled", {}),
        "hashes": [("partition", str((run.config.get("partition") or {}).get("hash", ""))),
                   *((f"data of {corpus}", str(hashed)) for corpus, hashed in _pairs(run.config.get("data")))],
    }  # fmt: skip


def _settings(config: dict[str, Any]) -> list[tuple[str, str]]:
    """Pairs of words for the list of settings, the ones a reader asks for first."""
    partition, initial = config.get("partition") or {}, config.get("initial") or {}
    counts = config.get("parameters") or {}
    published = " (published)" if partition.get("published") else ""
    settings = [
        ("setting", config.get("setting")),
        ("model", config.get("model")),
        ("mode", config.get("mode")),
        ("initial model", f"{initial['run']} ({initial.get('setting')})" if initial else None),
        ("attributes", _attributes(config.get("attributes") or {})),
        ("parameters", f"{counts['total']:,}, {counts['trained']:,} of them trained" if counts else None),
        ("feature", config.get("feature")),
        ("extracted with", (config.get("feature_settings") or {}).get("package")),
        ("corpora", ", ".join(map(str, config.get("corpora", [])))),
        ("labels", config.get("label_space")),
        ("partition", f"{partition.get('name', '')}{published}"),
        ("folds", len(partition.get("folds") or [1])),
        ("partition seed", partition.get("seed")),
        ("seed", config.get("seed")),
        *((key, config.get(key)) for key in ("budget", "precision", "device")),
        *((key, value) for key, value in _pairs(config.get("options")) if key not in ("preset", "precision")),
        *_pairs(config.get("counts")),
        *((key, value) for key, value in config.items() if key not in _KNOWN),
    ]
    return [(str(name).replace("_", " "), _words(value)) for name, value in settings if value not in (None, "", {}, [])]


def _attributes(told: dict[str, Any]) -> str:
    """Such as ``adversarial: corpus (2 classes), speaker (34 classes)``: too many speakers to name them all."""
    heads = ", ".join(f"{name} ({len(own)} classes)" for name, own in _pairs(told.get("classes")))
    return f"{told['approach']}: {heads}" if told else ""


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _pairs(value: Any) -> list[tuple[str, Any]]:
    return [(str(key), inner) for key, inner in value.items()] if isinstance(value, dict) else []


def _chosen_table(chosen: dict[str, Any]) -> Table | None:
    """What each fold chose on devel, and the devel UAR that made it choose."""
    keys = list(dict.fromkeys(key for one in chosen.values() for key in one if key not in ("grid", "devel_uar")))
    uars = {"final_devel_uar": "final devel UAR [%]", "devel_uar": "devel UAR [%]"}
    further = [key for key in keys if key not in uars]
    ends = [key for key in uars if key in keys or key == "devel_uar"]
    columns = [Column("fold", "text", "fold"), *(Column(key, "text", slug(key)) for key in further),
               *(Column(uars[key], "percent", key) for key in ends)]  # fmt: skip
    rows = [
        [str(fold), *(None if one.get(key) is None else _words(one[key]) for key in further), *map(one.get, ends)]
        for fold, one in chosen.items()
    ]
    return Table("Chosen on devel", columns, rows) if rows else None


def problem_tables(problems: list[dict[str, Any]]) -> list[Table]:
    """Problems counted by kind, then one by one."""
    if not problems:
        return []
    count = Counter((str(row["corpus"]), str(row["problem"]), str(row["action"])) for row in problems)
    heads = [Column(name, "text", name) for name in ("corpus", "problem", "action")]
    keys = ("corpus", "path", "problem", "action", "detail")
    return [
        Table("By kind", [*heads, Column("files", "count", "files")], [[*key, n] for key, n in sorted(count.items())]),
        Table("One by one", [Column(key, "text", key) for key in keys],
              [[str(row.get(key, "")) for key in keys] for row in problems[:_SHOWN_PROBLEMS]]),
    ]  # fmt: skip
