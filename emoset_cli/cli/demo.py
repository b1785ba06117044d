"""``emoset demo``: the whole chain on synthetic corpora, with nothing from outside."""

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from emoset_cli.cli.common import Quiet, Seed, Workers, Workspace, say


def demo(
    workspace: Workspace = Path("emoset-demo"),
    scale: Annotated[int, typer.Option("--scale", min=1, help="times as many utterances")] = 1,
    seed: Seed = 0,
    workers: Workers = 0,
    quiet: Quiet = False,
) -> None:
    """Synthesise three small emotional corpora and run prepare, extract, train, compare and evaluate on them.

    Writes the recordings and all results to the workspace, last an HTML report. Each command is shown as it is run.

    Example: emoset demo
    """
    from emoset_cli.cli.main import main
    from emoset_cli.synth import demo as corpora

    def step(*words: str) -> None:
        say(f"\n$ emoset {shlex.join(words)}", quiet)
        more = ["--workspace", str(workspace), *(["--quiet"] if quiet else [])]
        more += ["--workers", str(workers)] if workers and words[0] in {"prepare", "extract", "train"} else []
        if code := main([*words, *more]):
            raise typer.Exit(code)

    say(f"synthesising three corpora into {workspace / 'recordings'}", quiet)
    folders = corpora.write(workspace / "recordings", seed, scale)
    tasks = ["-t", ",".join(folders)]
    step("prepare", *(f"{key}={folder}" for key, folder in folders.items()), "--partition", "standard")
    step("extract", "egemaps", *folders)
    step("train", "svm", *tasks, "--partition", "standard")
    step("train", "forest", *tasks, "--partition", "standard")
    step("train", "svm", *tasks, "--partition", "loso", "--normalise", "speaker")
    step("train", "svm", *tasks, "--partition", "loco", "--labels", "arousal")
    names = _runs_of(workspace, list(folders))
    step("compare", *(name for name in names if re.match("demo-aria_.*_standard_", name)))
    report = workspace / "report"
    step("evaluate", *names, "--out", str(report))
    say(f"\nThe report is {(report / 'report.html').resolve()}", quiet)


def _runs_of(workspace: Path, keys: list[str]) -> list[str]:
    """The runs trained on the present recordings; a demo of another seed or scale may have left others."""
    from emoset_cli.files import read_json
    from emoset_cli.prepare import corpus_folder
    from emoset_cli.runs import find_run, list_runs

    data = {key: read_json(corpus_folder(workspace, key) / "prepare.json")["data"] for key in keys}
    found = [find_run(workspace, str(workspace / "runs" / name)) for name in list_runs(workspace)]
    return [run.name for run in found if run.config["data"].items() <= data.items()]
