"""How far trainings are, told on stderr: each writes ``progress.json`` after an epoch, whatever process it is in."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

from emoset_cli.cli.common import say
from emoset_cli.errors import EmosetError
from emoset_cli.files import read_json

_EVERY_S = 1.0


@contextmanager
def watched(quiet: bool) -> Iterator[Callable[[list[Path]], None]]:
    """Yield a function that takes the folders of trainings; until the block ends each new epoch is told in a line."""
    ended = Event()
    watcher: list[Thread] = []

    def started(folders: list[Path]) -> None:
        if not quiet and folders:
            watcher.append(Thread(target=_watch, args=(folders, ended), daemon=True))
            watcher[0].start()

    try:
        yield started
    finally:
        ended.set()
        for thread in watcher:
            thread.join()


def _watch(folders: list[Path], ended: Event) -> None:
    told: dict[Path, int] = {}
    last = False
    while not last:
        last = ended.wait(_EVERY_S)
        for folder in folders:
            row = _progress(folder)
            if row and row["epoch"] != told.get(folder):
                told[folder] = row["epoch"]
                say(_line(folder, row))


def _progress(folder: Path) -> dict[str, Any] | None:
    try:
        row: dict[str, Any] = read_json(folder / "progress.json")
    except EmosetError:
        return None  # no epoch is over yet, or the run is finished and its folder gone
    return row


def _line(folder: Path, row: dict[str, Any]) -> str:
    run = folder.parents[1].name.rpartition("_")[0]
    fold = f", fold {row['fold']}" if row["fold"] != "1" else ""
    reached = [f"devel UAR {100 * row['devel_uar']:.1f}"] if row["devel_uar"] is not None else []
    reached += [f"devel CCC {row['devel_ccc']:.2f}"] if "devel_ccc" in row else []
    return (
        f"{run}{fold}: epoch {row['epoch']}, lr {row['lr']:g}, loss {row['train_loss']:.3f}, {', '.join(reached)}"
        f"{' *' if row['best'] else ''}, {row['utterances_s']:.0f} utterances/s"
    )
