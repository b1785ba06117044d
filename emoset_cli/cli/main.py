"""The command ``emoset``: commands below, and the one place where an error becomes two lines and an exit code."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from emoset_cli import __version__, ranks
from emoset_cli.cli import (
    calibrate,
    complete,
    corpora,
    data,
    deep,
    demo,
    doctor,
    explain,
    papers,
    plot,
    predict,
    probe,
    results,
    run,
    runs,
    search,
    share,
    transfer,
)
from emoset_cli.cli.common import complain
from emoset_cli.errors import EmosetError, of_fault, of_system

_SHARED = ("extract", "train")  # what several processes can do together, see `emoset_cli.ranks`
_INTERRUPTED = 130  # exit code after SIGINT, as shells give it

app = typer.Typer(
    name="emoset",
    help="Train and compare speech emotion recognition over many corpora, each with its own labels.\n\n"
    "Example: emoset demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(corpora.app, name="corpora")
app.command()(data.prepare)
app.command()(data.extract)
app.add_typer(deep.app, name="train")
app.command()(run.run)
app.command()(search.search)
app.command()(results.evaluate)
app.command()(results.compare)
app.command()(calibrate.calibrate)
app.command()(predict.predict)
app.command()(share.share)
app.command()(transfer.transfer)
app.command()(papers.table)
app.add_typer(runs.app, name="runs")
app.add_typer(plot.app, name="plot")
app.command()(probe.probe)
app.command()(explain.explain)
app.command()(demo.demo)
app.command()(doctor.doctor)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"emoset {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and stop")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="EMOSET_DEBUG", help="show the traceback of an error")
    ] = False,
) -> None:
    """Keep ``--debug`` where `main` finds it; refuse what several processes cannot do together."""
    if debug:
        os.environ["EMOSET_DEBUG"] = "1"
    if context.invoked_subcommand not in _SHARED:
        ranks.only_one(f"emoset {context.invoked_subcommand}")


def _debugging() -> bool:
    """Whether tracebacks are wanted; ``EMOSET_DEBUG=0`` says no, as to the option."""
    return os.environ.get("EMOSET_DEBUG", "").lower() not in {"", "0", "false", "f", "no", "n", "off"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; answer the exit code: 0 done, 1 an error or a failed check, 2 wrong usage, 130 stopped."""
    code = 1
    if "_EMOSET_COMPLETE" in os.environ:  # the Tab key asks
        complete.attach(app)
    try:
        app(args=list(sys.argv[1:] if arguments is None else arguments), prog_name="emoset")
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if code == _INTERRUPTED:  # typer makes this of Ctrl-C, without a word
            sys.stderr.write("interrupted: what was done is kept, the same command goes on from there\n")
    except EmosetError as error:
        complain(error)
        if _debugging():
            raise
    except BrokenPipeError:  # the reader of our answer (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        complain(of_system(error))
        if _debugging():
            raise
    except Exception as error:
        complain(of_fault(error))
        if _debugging():
            raise
    if arguments is None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is said; the end of the interpreter would say it again
        sys.exit(code)
    return code
