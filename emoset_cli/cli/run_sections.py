"""The sections of a plan's report, each from the runs that are finished; one that cannot be made says why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from emoset_cli.cli import crossing, papers, plot, probe, results, transfer
from emoset_cli.cli.common import chosen_corpora, list_of
from emoset_cli.errors import EmosetError

MANY = 40  # runs of which no page tells one by one: `emoset evaluate RUN` does
_NAMED = 8  # jobs that are named where some are not done


@dataclass(frozen=True)
class Part:
    """What a section is made of: its entry in the plan, and the finished runs with their jobs."""

    wanted: Any
    found: Sequence[tuple[Any, Any]]  # job, run
    plan: Any
    workspace: Path
    folder: Path  # of the section's own page
    command: str
    device: str

    @property
    def runs(self) -> list[Any]:
        """The runs, each once: two jobs may be the same training, one with a default in words."""
        return list({run.name: run for _, run in self.found}.values())

    @property
    def options(self) -> Mapping[str, Any]:
        """The section's options."""
        found: Mapping[str, Any] = self.wanted.options
        return found

    @property
    def sets(self) -> list[str]:
        """The sets of runs that the section is of."""
        return list(self.wanted.runs or self.plan.runs)


def section(part: Part, jobs: Sequence[tuple[Any, str]]) -> Any:
    """The section of a plan's report, a `Section`.

    Args:
        part: what it is made of
        jobs: all jobs that it is of, with their states
    """
    from emoset_cli.report.section import Section

    if part.found:
        try:
            made = MAKERS[part.wanted.kind](part)
        except EmosetError as error:
            made = Section(_title(part.wanted), problem=error.problem, mend=error.mend)
    else:
        what = f"none of {len(jobs)} jobs of it is done" if jobs else "the plan has no jobs for it over these corpora"
        made = Section(_title(part.wanted), problem=what, mend=f"{part.command}; see the table of runs")
    named = [f"{job.name} ({state})" for job, state in jobs if state != "done"]
    if named and part.found:
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        told = f"Of {len(jobs)} jobs of this section {len(named)} are not done: {', '.join(named[:_NAMED])}{more}."
        made = replace(made, sentences=[told, *made.sentences])
    return replace(made, title=part.wanted.title or made.title)


def _title(wanted: Any) -> str:
    from emoset_cli.report.papers import TABLES

    if wanted.kind == "paper":
        return TABLES[wanted.options["name"]].title
    return str(wanted.kind).capitalize()


def _scores(part: Part) -> Any:
    made = results.scored(part.workspace, part.folder, part.runs, len(part.runs) <= MANY)
    further = [] if made.pages else [f"{len(part.runs)} runs: `emoset evaluate RUN` makes a page about one."]
    return replace(made, sentences=further)


def _paper(part: Part) -> Any:
    from emoset_cli.report.papers import TABLES
    from emoset_cli.report.settings import is_network

    name = part.options["name"]
    found = [run for run in part.runs if TABLES[name].baselines or is_network(run)]
    return papers.filled_in(name, found, part.folder, part.command)


def _transfer(part: Part) -> Any:
    return transfer.side_by_side(part.runs, part.options.get("reference", "scratch"), part.folder, part.command)


def _compare(part: Part) -> Any:
    """Runs against that of the first set, of the same corpora and seed."""
    from emoset_cli.report.comparison import compare_many

    def rank(pair: tuple[Any, Any]) -> int:
        return min(part.sets.index(name) for name in pair[0].sets if name in part.sets)

    def place(pair: tuple[Any, Any]) -> tuple[list[str], int]:
        config = pair[1].config
        return list(map(str, config["corpora"])), int(config.get("seed") or 0)

    comparisons: list[dict[str, Any]] = []
    compared: list[Any] = []
    out = []
    for (corpora, seed), group in groupby(sorted(part.found, key=lambda pair: (place(pair), rank(pair))), key=place):
        pairs = list({run.name: (job, run) for job, run in reversed(list(group))}.values())[::-1]
        reference = pairs[0][1]
        where = f"{'+'.join(corpora)}, seed {seed}"
        if rank(pairs[0]) or len(pairs) < 2:
            out.append(f"{where}: there is no run of {part.sets[0]}, or nothing to compare it with.")
            continue
        for _, other in pairs[1:]:
            try:
                comparisons += compare_many([reference, other])
            except EmosetError as error:
                out.append(f"{where}: {error.problem}.")
            else:
                compared += [run for run in (reference, other) if run not in compared]
    if not comparisons:
        raise EmosetError("no two runs can be compared: " + " ".join(out), "name two sets of runs of the same corpora")
    made = results.compared(part.workspace, part.folder, compared, comparisons)
    return replace(made, left_out=out)


def _devel(part: Part) -> Any:
    from emoset_cli.report.ranking import ranking
    from emoset_cli.report.section import Section

    tables = []
    for name in part.sets:
        runs = [(run, job.points[name]) for job, run in part.found if name in job.sets]
        tables += [ranking(f"{name}: devel UAR [%]", runs)] if runs else []
    return Section("Ranked by devel UAR", tables)


def _cross(part: Part) -> Any:
    from emoset_cli import labels
    from emoset_cli.errors import unknown
    from emoset_cli.train.deep.members import taught_heads

    known, space = labels.spaces(labels.own_file(part.workspace)), part.options.get("space", "three-class")
    if space not in known:
        raise unknown("label space", space, known)
    published = part.options.get("published", "")
    if published:
        crossing.check_published(published)
    able, out = _tried(_networks(part), lambda run: (run, taught_heads(run)))
    on = _words(part.options.get("on"))
    further = chosen_corpora(on, part.workspace) if on else []
    made = crossing.crossed(
        able, further, part.workspace, known[space], part.device, part.folder, part.command, True, published
    )
    return replace(made, left_out=[*out, *made.left_out])


def _embedding(part: Part) -> Any:
    """A picture of the first seed of each setting, of its first fold."""
    from emoset_cli.report.section import Section

    options = part.options
    rule = "alisamir2022" if options.get("correct") else ""

    def draw(run: Any) -> Any:
        method, on, seed = options.get("method", "umap"), options.get("partition", "test"), options.get("seed", 0)
        picture = plot.Picture(method, on, tuple(_words(options.get("color"))), rule, _fold(run), seed)
        plot.check(picture)
        return plot.drawn(run, part.workspace, picture, part.device, part.folder / run.name, quiet=True)

    drawn, out = _tried(_first_seeds(_networks(part)), draw)
    if not drawn:
        raise EmosetError("no embedding can be drawn: " + " ".join(out), "see what is said of each run")
    figures = {name: svg for one in drawn for name, svg in one.figures.items()}
    pages = {name: page for one in drawn for name, page in one.pages.items()}
    return Section("Embeddings", [table for one in drawn for table in one.tables], figures=figures, pages=pages,
                   left_out=out, sentences=_told(part))  # fmt: skip


def _probe(part: Part) -> Any:
    from emoset_cli.probe import ATTRIBUTES

    found, out = _tried(
        _first_seeds(_networks(part)),
        lambda run: probe.probed(run, list(ATTRIBUTES), part.workspace, _fold(run), 0, part.device, True),
    )
    if not found:
        raise EmosetError("nothing can be probed: " + " ".join(out), "see what is said of each run")
    return replace(probe.read_out(found, 0), left_out=out, sentences=_told(part))


def _networks(part: Part) -> list[Any]:
    from emoset_cli.report.settings import is_network

    found = [run for run in part.runs if is_network(run)]
    if not found:
        raise EmosetError("no finished run of it is of a network", "name sets of networks as its runs")
    return found


def _first_seeds(runs: Sequence[Any]) -> list[Any]:
    """Of runs that differ by their seed alone, the one of the smallest."""
    from emoset_cli.report.settings import group

    chosen: dict[tuple[str, ...], Any] = {}
    for setting in group(runs):
        for run in sorted(setting.runs, key=lambda run: int(run.config.get("seed") or 0)):
            chosen.setdefault((setting.name, *map(str, run.config["corpora"])), run)
    return [run for run in runs if run in chosen.values()]


def _told(part: Part) -> list[str]:
    """Which runs and folds `_first_seeds` and `_fold` take, where there are more."""
    runs = _networks(part)
    several = [f"Of {len(runs)} runs one for each setting, of its first seed."] if runs != _first_seeds(runs) else []
    return several + (["Of runs with several folds the first fold."] if any(map(_fold, runs)) else [])


def _fold(run: Any) -> str:
    """The first fold of a run of several."""
    folds = [str(name) for name in run.config["partition"]["folds"]]
    return folds[0] if len(folds) > 1 else ""


def _tried(items: Sequence[Any], work: Callable[[Any], Any]) -> tuple[list[Any], list[str]]:
    """What ``work`` makes of each run, and a sentence for each with which it fails."""
    made, out = [], []
    for run in items:
        try:
            made.append(work(run))
        except EmosetError as error:
            out.append(f"{run.name}: {error.problem}.")
    return made, out


def _words(value: Any) -> list[str]:
    return list_of([value] if isinstance(value, str) else value)


MAKERS: dict[str, Callable[[Part], Any]] = {
    "scores": _scores,
    "paper": _paper,
    "transfer": _transfer,
    "compare": _compare,
    "devel": _devel,
    "cross": _cross,
    "embedding": _embedding,
    "probe": _probe,
}
