"""What all commands share: options, tables and JSON on stdout, talk and progress on stderr, the exit code."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.errors import EmosetError

Workspace = Annotated[
    Path,
    typer.Option("--workspace", "-d", envvar="EMOSET_WORKSPACE", help="folder that holds what emoset makes"),
]
Registry = Annotated[
    Path | None,
    typer.Option(
        "--registry", envvar="EMOSET_REGISTRY", help="your corpora.yaml, merged over the built-in registry "
        "(without it: corpora.yaml in the workspace, where there is one)",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="print one JSON value instead of a table")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress and no notes on stderr; errors remain")]
Workers = Annotated[int, typer.Option("--workers", min=0, help="cores to use; 0 for all")]
Force = Annotated[bool, typer.Option("--force", help="do again what is already done")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="of every random choice; written into the run")]
Tasks = Annotated[
    list[str] | None,
    typer.Option("--task", "-t", help="corpora, separated by commas or by several -t; all prepared ones by default"),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda; auto takes a GPU where there is one")]
DEFAULT_WORKSPACE = Path("emoset-data")
Attempt = Callable[[Iterable[Any], Callable[[Any], Any]], tuple[list[Any], bool]]  # as `each`


def say(text: str, quiet: bool = False) -> None:
    """A line on stderr."""
    if not quiet:
        sys.stderr.write(text + "\n")


def complain(error: EmosetError) -> None:
    """The two lines of every error, the one place that prints them."""
    sys.stderr.write(f"error: {error.problem}\n  mend: {error.mend}\n")


def answer(value: Any, tables: Iterable[Any], as_json: bool) -> None:
    """The answer on stdout: tables of `emoset_cli.report.tables`, or ``value`` as JSON."""
    if as_json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n")
        sys.stdout.flush()  # a full disk or a reader that has gone shows here, not after the exit code is settled
        return
    import shutil

    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    terminal = sys.stdout.isatty()
    console = Console(file=sys.stdout, width=shutil.get_terminal_size().columns if terminal else 240, highlight=False)
    for table in tables:
        drawn = RichTable(title=Text(table.title), title_justify="left", caption_justify="left")
        drawn.caption = Text(table.note) if table.note else None
        for column in table.columns:
            justify: Any = "left" if column.kind == "text" else "right"
            drawn.add_column(Text(column.name), justify=justify, overflow="fold")
        for row in table.cells():
            drawn.add_row(*map(Text, row))  # as text: rich would read [s] as markup
        console.print(drawn)
    sys.stdout.flush()


@contextmanager
def progress_bar(what: str, unit: str, total: int | None, quiet: bool) -> Iterator[Any]:
    """A bar on stderr with counts, hours of speech per second and time left; nothing where stderr is no terminal.

    Yields an object with ``advance(count, seconds_of_speech)`` and ``total(count)``.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = [
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit),
        TextColumn("{task.fields[speed]}"), TimeRemainingColumn(),
    ]  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), disable=quiet or not sys.stderr.isatty()) as progress:
        yield _Bar(progress, progress.add_task(what, total=total, speed=""))


class _Bar:
    def __init__(self, progress: Any, task: Any) -> None:
        from time import monotonic

        self._progress, self._task, self._seconds = progress, task, 0.0
        self._clock, self._start = monotonic, monotonic()

    def advance(self, count: int = 1, seconds: float = 0.0) -> None:
        self._seconds += seconds
        spent = max(self._clock() - self._start, 1e-3)
        speed = f"{self._seconds / 3600 / spent:.3f} h/s" if self._seconds else ""
        self._progress.update(self._task, advance=count, speed=speed)

    def total(self, count: int) -> None:
        self._progress.update(self._task, total=count)


def each(items: Iterable[Any], work: Callable[[Any], Any]) -> tuple[list[Any], bool]:
    """Do ``work`` for every item though some fail; answer the results and whether all went well."""
    results = []
    well = True
    for item in items:
        try:
            results.append(work(item))
        except EmosetError as error:
            complain(error)
            well = False
    return results, well


def strictly(items: Iterable[Any], work: Callable[[Any], Any]) -> tuple[list[Any], bool]:
    """As `each`, but the first error ends it."""
    return [work(item) for item in items], True


_LONG_S = 120.0  # an utterance beyond is told of where an encoder hears it as a whole
_ENCODER_GB_S = 0.018  # measured: 10.5 GB for 580 s in float32, of the first layers of wav2vec 2.0, base or large


def tell_of_long(utterances: Any) -> None:
    """Say that the longest utterance of a table takes much memory in a speech encoder, which hears it as a whole."""
    longest = utterances.loc[utterances["duration_s"].idxmax()]
    if longest["duration_s"] > _LONG_S:
        many = int((utterances["duration_s"] > _LONG_S).sum())
        say(
            f"WARNING: {longest['utterance']} lasts {longest['duration_s']:.0f} s ({many} last more than {_LONG_S:.0f} "
            f"s), and a speech encoder hears an utterance as a whole: that takes about "
            f"{longest['duration_s'] * _ENCODER_GB_S:.0f} GB of memory; emoset prepare --max-duration {_LONG_S:.0f} "
            "leaves them out"
        )


def finish(well: bool) -> None:
    """Exit code 1 where something failed, after all that could be done was done."""
    if not well:
        raise typer.Exit(1)


def load_registry(registry: Path | None, workspace: Path) -> Any:
    """The built-in corpora, with the user's own merged over."""
    from emoset_cli.corpora import load_corpora

    own = workspace / "corpora.yaml"
    return load_corpora(registry or (own if own.is_file() else None))


def list_of(words: Iterable[str] | None) -> list[str]:
    """Words separated by commas or given one by one, each once and in order."""
    return list(dict.fromkeys(part for word in words or [] for part in word.split(",")))


def chosen_corpora(tasks: list[str] | None, workspace: Path) -> list[str]:
    """The corpora that ``-t`` names, each once and prepared; all prepared ones without it."""
    from emoset_cli.errors import unknown
    from emoset_cli.prepare import prepared_corpora

    prepared = prepared_corpora(workspace)
    keys = list_of(tasks) or prepared
    if not prepared:
        raise EmosetError(f"{workspace} holds no prepared corpus", "emoset prepare CORPUS=FOLDER")
    for key in keys:
        if key not in prepared:
            raise unknown(f"prepared corpus (in {workspace})", key, prepared)
    return keys
