"""Training curves as TensorBoard events: one file a fold below the run's ``tensorboard/``, to which epochs are added.

The events are TensorBoard's own records, written by its own writer. `torch.utils.tensorboard.SummaryWriter` would be a
new file at each resume, and must be kept open from epoch to epoch; here a call opens, adds and closes.
"""

import re
from pathlib import Path
from time import time
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.files import digest

TAGS = {"train_loss": "train/loss", "lr": "train/learning rate", "devel_uar": "devel/UAR", "devel_ccc": "devel/CCC"}
FILE = "events.out.tfevents.emoset"  # TensorBoard finds files by the third word
_OF_CORPUS = ("devel_uar:", "devel_ccc:")
_LENGTH, _CHECKS = 8, 4  # bytes of a record: its length, a checksum, the event, a checksum


def require() -> None:
    """See that TensorBoard is installed, before hours of training find out.

    Raises:
        EmosetError: if it is not
    """
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise EmosetError(f"TensorBoard is not installed ({error})", "pip install 'emoset[tensorboard]'") from error


def write_epoch(folder: Path, history: list[dict[str, Any]]) -> None:
    """Add the last row of ``history`` to the events of its fold, and any earlier epoch that they lack.

    Epochs that were lost when a training was killed, and are trained again, take the place of the old ones: the file
    then says that it starts anew at that epoch, which TensorBoard calls purging. Half a record at the end, left by a
    killed process, is cut off.

    Args:
        folder: of the run; the events go to ``tensorboard/FOLD``
        history: all epochs so far, as in ``history.csv``

    Raises:
        EmosetError: if TensorBoard is not installed
    """
    require()
    from tensorboard.compat.proto.event_pb2 import Event, SessionLog
    from tensorboard.summary.writer.record_writer import RecordWriter

    rows = [row for row in history if row["fold"] == history[-1]["fold"]]
    file = folder / "tensorboard" / _folder_name(str(rows[-1]["fold"])) / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    known, whole = _known(file)
    new = [row for row in rows if row["epoch"] not in known] or rows[-1:]
    first = int(new[0]["epoch"])
    with file.open("ab") as raw:
        raw.truncate(whole)
        writer = RecordWriter(raw)
        if not whole:
            writer.write(Event(wall_time=time(), file_version="brain.Event:2").SerializeToString())
        if any(epoch >= first for epoch in known):
            start = Event(wall_time=time(), step=first, session_log=SessionLog(status=SessionLog.START))
            writer.write(start.SerializeToString())
        for row in rows[rows.index(new[0]) :]:
            writer.write(_event(row).SerializeToString())


def _event(row: dict[str, Any]) -> Any:
    """All numbers of an epoch as one event: it is there whole or not at all."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary

    values = [Summary.Value(tag=tag, simple_value=float(row[key])) for key, tag in _tags(row).items()]
    return Event(wall_time=time(), step=int(row["epoch"]), summary=Summary(value=values))


def _tags(row: dict[str, Any]) -> dict[str, str]:
    """Column -> tag, of the columns that hold a number in this row."""
    of_corpora = {
        key: f"{TAGS[start.removesuffix(':')]} {key.removeprefix(start)}"
        for start in _OF_CORPUS for key in row if key.startswith(start)
    }  # fmt: skip
    return {key: tag for key, tag in (TAGS | of_corpora).items() if row.get(key) not in (None, "")}


def _known(file: Path) -> tuple[set[int], int]:
    """The epochs that stand in an event file, and how many of its bytes are whole records."""
    from tensorboard.compat.proto.event_pb2 import Event

    raw = file.read_bytes() if file.is_file() else b""
    known: set[int] = set()
    at = 0
    while at + _LENGTH <= len(raw):
        start = at + _LENGTH + _CHECKS
        end = start + int.from_bytes(raw[at : at + _LENGTH], "little")
        if end + _CHECKS > len(raw):
            break
        event = Event.FromString(raw[start:end])
        if event.HasField("session_log"):
            known = {epoch for epoch in known if epoch < event.step}
        elif event.HasField("summary"):
            known.add(event.step)
        at = end + _CHECKS
    return known, at


def _folder_name(fold: str) -> str:
    """The fold's name where it can be a folder's, else with what cannot stand there replaced and a hash behind."""
    safe = re.sub(r"[^\w.+-]", "-", fold)
    return safe if safe == fold and fold.strip(".") else f"{safe}-{digest(fold, length=6)}"
