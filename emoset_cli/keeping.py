"""What the runs of a workspace weigh and rest on, and taking them away again."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.files import at_work_in, remove_folder, sweep
from emoset_cli.runs import FINAL, is_done, list_folders, list_runs, read_run, the_one

FINISHED, UNFINISHED, TRAINING = "finished", "unfinished", "being trained"


def state(folder: Path) -> str:
    """Whether a run is `FINISHED`, `UNFINISHED` or `TRAINING` just now."""
    if at_work_in(folder):
        return TRAINING
    return FINISHED if is_done(folder) else UNFINISHED


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in _files(folder))


def files(folder: Path) -> dict[str, int]:
    """Bytes of each file below a folder, by its POSIX path, sorted."""
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(_files(folder))}


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def changed(folder: Path) -> float:
    """When a run was finished, or else last written to: seconds since 1970."""
    done = folder / "done.json"
    return (done if done.is_file() else folder).stat().st_mtime


def base_of(config: dict[str, Any]) -> str:
    """The run that a run started from (``--initial-model``), without its ``:final``; "" for none."""
    return str((config.get("initial") or {}).get("run", "")).removesuffix(FINAL)


def built_on(workspace: Path) -> dict[str, list[str]]:
    """The finished runs that started from each run, by its name."""
    found: dict[str, list[str]] = {}
    for name in list_runs(workspace):
        try:
            base = base_of(read_run(workspace / "runs" / name).config)
        except EmosetError:  # damaged: `emoset doctor` says so
            continue
        if base:
            found.setdefault(base, []).append(name)
    return found


def removable(workspace: Path, names: Iterable[str], force: bool = False) -> list[Path]:
    """The folders of the runs that may be removed together, each once.

    Args:
        workspace: whose runs
        names: of runs, or unambiguous parts of names; unfinished runs too
        force: also those that are being trained, or that others started from

    Raises:
        EmosetError: if there is no such run, or it is being trained, or a run that is kept started from it
    """
    known = list_folders(workspace)
    chosen = list(dict.fromkeys(the_one(name.removesuffix(FINAL), known) for name in names))
    folders = [workspace / "runs" / name for name in chosen]
    if force:
        return folders
    bases = built_on(workspace)
    for folder in folders:
        if state(folder) == TRAINING:
            raise EmosetError(f"{folder.name} is being trained", "wait until it has ended, or give --force")
        if kept := [name for name in bases.get(folder.name, []) if name not in chosen]:
            raise EmosetError(
                f"{folder.name} is the initial model of {len(kept)} runs, the first is {kept[0]}",
                "name these too, or give --force: they can still be read, but not be trained again without it",
            )
    return folders


def remove(workspace: Path, folders: Iterable[Path]) -> int:
    """Remove runs, each as a whole; answer the bytes that are free now."""
    freed = 0
    for folder in folders:
        freed += size(folder)
        remove_folder(folder)
    sweep(workspace / "runs")  # a run that a killed `rm` had taken away half
    return freed
