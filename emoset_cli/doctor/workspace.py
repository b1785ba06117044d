"""Every part of a workspace looked at, one thing after the other; nothing is changed."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from emoset_cli.doctor import results, stores
from emoset_cli.doctor.state import DAMAGED, LEFT_OVER, Checked
from emoset_cli.errors import EmosetError
from emoset_cli.files import left_aside
from emoset_cli.runs import list_folders

Check = Callable[[], Iterator[Checked]]


def checks(workspace: Path) -> list[Check]:
    """What there is to look at, each a function that answers what it found.

    Raises:
        EmosetError: if the folder is not there, or holds nothing of emoset
    """
    if not workspace.is_dir():
        raise EmosetError(f"{workspace} is not there", "give the folder that holds what emoset made")
    found: list[Check] = [partial(stores.corpus, workspace, name) for name in _folders(workspace / "corpora")]
    found += [partial(stores.features, workspace, name) for name in _folders(workspace / "features")]
    found += [partial(results.run, workspace, name) for name in list_folders(workspace)]
    found += [partial(results.search, workspace, name) for name in _folders(workspace / "searches")]
    found += [partial(results.plan, workspace, name) for name in _folders(workspace / "plans")]
    found += [partial(results.job, workspace, name) for name in _stems(workspace / "jobs")]
    found += [partial(results.aggregate, workspace, name) for name in _stems(workspace / "aggregates")]
    own = {"corpora.yaml": _registry, "label_spaces.yaml": _spaces}
    found += [partial(check, workspace / name) for name, check in own.items() if (workspace / name).is_file()]
    aside = left_aside(workspace)
    if not found and not aside:
        raise EmosetError(f"{workspace} holds nothing that emoset made", "give another folder, or prepare a corpus")
    return [*found, partial(_aside, workspace, aside)]


def _folders(folder: Path) -> list[str]:
    there = folder.iterdir() if folder.is_dir() else iter(())
    return sorted(path.name for path in there if path.is_dir() and not path.name.startswith("."))


def _stems(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []


def _registry(path: Path) -> Iterator[Checked]:
    from emoset_cli.corpora import load_corpora

    yield from _yours(path, lambda: load_corpora(path))


def _spaces(path: Path) -> Iterator[Checked]:
    from emoset_cli.labels import spaces

    yield from _yours(path, lambda: spaces(path))


def _yours(path: Path, read: Callable[[], object]) -> Iterator[Checked]:
    """A file that the user wrote."""
    try:
        read()
    except EmosetError as error:
        yield Checked("registry", path.name, DAMAGED, error.problem, error.mend)
    else:
        yield Checked("registry", path.name)


def _aside(workspace: Path, paths: Iterable[Path]) -> Iterator[Checked]:
    """What killed commands left; the next command of the kind removes it."""
    for path in paths:
        name = path.relative_to(workspace).as_posix()
        yield Checked("files", name, LEFT_OVER, "of a command that was killed", "the next such command removes it")
