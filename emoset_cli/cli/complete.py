"""What the Tab key offers: corpora, runs, plans, features, partitions and label spaces of this workspace.

A line of `WORDS` serves every command that has an option or argument of that name, also those still to come. Nothing
here loads pandas or torch: the shell waits for it.
"""

import inspect
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import typer

from emoset_cli.cli.common import load_registry
from emoset_cli.errors import EmosetError

Words = Callable[[Path, Any], Iterable[str]]


def _prepared(workspace: Path, registry: Any) -> Iterable[str]:
    from emoset_cli.prepare import prepared_corpora

    return prepared_corpora(workspace)


def _known(workspace: Path, registry: Any) -> Iterable[str]:
    return list(load_registry(registry, workspace))


def _folders(workspace: Path, registry: Any) -> Iterable[str]:
    return [f"{key}=" for key in _known(workspace, registry)]


def _runs(workspace: Path, registry: Any) -> Iterable[str]:
    from emoset_cli.runs import list_runs

    return list_runs(workspace)


def _any_runs(workspace: Path, registry: Any) -> Iterable[str]:
    from emoset_cli.runs import list_folders

    return list_folders(workspace)


def _spaces(workspace: Path, registry: Any) -> Iterable[str]:
    from emoset_cli.labels import COMMON, OWN, own_file, spaces

    return [OWN, COMMON, *spaces(own_file(workspace))]


def _partitions(workspace: Path, registry: Any) -> Iterable[str]:
    from emoset_cli.protocols import PROTOCOLS

    published = {name for corpus in load_registry(registry, workspace).values() for name in corpus.partitions}
    return [*PROTOCOLS, *sorted(published)]


def _features(workspace: Path, registry: Any) -> Iterable[str]:
    from emoset_cli.features import ALIASES, FAMILIES, FEATURES

    folder = workspace / "features"
    there = [path.name for path in folder.iterdir() if path.name.startswith(tuple(FAMILIES))] if folder.is_dir() else []
    return [*ALIASES, *FEATURES, *FAMILIES, *there]


def _models(workspace: Path, registry: Any) -> Iterable[str]:
    from emoset_cli.models import MODELS
    from emoset_cli.train import BASELINES

    return [*BASELINES, *MODELS]


def _plans(workspace: Path, registry: Any) -> Iterable[str]:
    from emoset_cli.cli.run import shipped

    return shipped()


def _searches(workspace: Path, registry: Any) -> Iterable[str]:
    from emoset_cli.cli.search_options import shipped

    return shipped()


def _tables(workspace: Path, registry: Any) -> Iterable[str]:
    from emoset_cli.report.paper_names import TABLES

    return TABLES


def _devices(workspace: Path, registry: Any) -> Iterable[str]:
    return "auto", "cpu", "cuda"


# An option's long name, or an argument's metavar or name -> what it may be. With a command before it: only there.
WORDS: dict[str, Words] = {
    "--task": _prepared, "--unseen": _prepared, "--corpora": _prepared, "corpora": _prepared,
    "evaluate --on": _prepared,
    "key": _known, "KEY...": _known, "CORPUS=FOLDER": _folders,
    "RUN": _runs, "RUN_A": _runs, "RUN_B": _runs, "--initial-model": _runs, "runs rm RUN": _any_runs,
    "--labels": _spaces, "--space": _spaces, "--partition": _partitions, "--feature": _features, "feature": _features,
    "runs list --model": _models, "run PLAN": _plans, "search PLAN": _searches, "table NAME": _tables,
    "--device": _devices,
}  # fmt: skip


def attach(app: typer.Typer, path: str = "") -> None:
    """Let the arguments and options of all commands below ``app`` offer their `WORDS`."""
    for group in app.registered_groups:
        assert group.typer_instance is not None
        attach(group.typer_instance, f"{path}{group.name} ")
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__.replace("_", "-")
        for parameter in inspect.signature(command.callback).parameters.values():
            for told in getattr(parameter.annotation, "__metadata__", ()):
                # In an annotation typer takes the first name of an option for its default.
                named = [told.default, *(told.param_decls or ()), told.metavar, parameter.name]
                keys = [key for one in named if isinstance(one, str) for key in (f"{path}{name} {one}", one)]
                if words := next((WORDS[key] for key in keys if key in WORDS), None):
                    told.autocompletion = _completion(words)


def _completion(words: Words) -> Callable[[typer.Context, str], list[str]]:
    """What typer calls; behind a comma the last of several words is completed. A fault offers nothing."""

    @wraps(words)
    def offered(ctx: typer.Context, incomplete: str) -> list[str]:
        before, comma, last = incomplete.rpartition(",")
        try:
            found = list(words(Path(ctx.params["workspace"] or "."), ctx.params.get("registry")))
        except (EmosetError, OSError):  # a registry with mistakes, a folder that cannot be read
            return []
        given = before.split(",")
        return [f"{before}{comma}{word}" for word in found if word.startswith(last) and word not in given]

    del offered.__wrapped__  # type: ignore[attr-defined]  # typer looks at the parameters
    return offered
