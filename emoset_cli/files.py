"""Files that are whole or not there: every artefact is written aside, then renamed."""

import hashlib
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError

_ASIDE = re.compile(r"^\..+\.(?:([0-9a-f]{8})-)?(\d+)\.tmp$")
_ELSEWHERE_S = 7 * 24 * 3600.0  # whether a process of another machine lives is not seen from here


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a path beside ``path`` to write to; rename it to ``path`` when the block ends well.

    A process killed at any moment leaves either the old file, the new file or a hidden ``.NAME.MACHINE-PID.tmp``,
    which `sweep` removes later, never half a file under the real name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = _aside_of(path)
    try:
        yield aside
        aside.replace(path)
    except BaseException as error:
        aside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno and error.filename is None:
            error.filename = str(path)  # a full disk is told by write(), which knows no name
        raise


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic(path) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")


def write_bytes(path: Path, raw: bytes) -> None:
    """Write ``raw``, atomically."""
    with atomic(path) as aside:
        aside.write_bytes(raw)


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically. NaN is refused: it is not JSON."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file of ours.

    Raises:
        EmosetError: if the file is not there or is not JSON
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise EmosetError(f"{path} is missing", "run the command that writes it again") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise EmosetError(f"{path} is not valid JSON ({error})", "delete it and run the command again") from None


def write_table(path: Path, write: Callable[[Path], Any]) -> None:
    """Call ``write`` with a path aside, then rename: for writers that want a path (parquet, safetensors)."""
    with atomic(path) as aside:
        write(aside)


def digest(*parts: Any, length: int = 16) -> str:
    """Hex digest of JSON-able values and bytes; the order counts, the order of dict keys does not.

    Example:
        >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
        True
    """
    state = hashlib.blake2b(digest_size=32)
    for part in parts:
        raw = part if isinstance(part, bytes | bytearray | memoryview) else json.dumps(part, sort_keys=True).encode()
        state.update(len(raw).to_bytes(8, "little"))
        state.update(raw)
    return state.hexdigest()[:length]


@contextmanager
def at_work(folders: Iterable[Path]) -> Iterator[None]:
    """Mark folders as being written to by this process; `at_work_in` sees it. A kill leaves a mark that `sweep` takes.

    It locks nothing: it tells other commands that it would be a pity to remove these folders now.
    """
    marks = [_aside_of(folder / "at-work") for folder in folders]
    try:
        for mark in marks:
            mark.touch()
        yield
    finally:
        for mark in marks:
            mark.unlink(missing_ok=True)


def at_work_in(folder: Path) -> bool:
    """Whether a living process writes to ``folder`` or below it."""
    return any(_left(path) is False for path in folder.rglob(".*.tmp"))


def left_aside(folder: Path) -> list[Path]:
    """What killed processes left aside in ``folder`` and below, sorted."""
    return sorted(path for path in folder.rglob(".*.tmp") if _left(path))


def remove_folder(folder: Path) -> None:
    """Remove a folder as a whole: it is renamed first, so that nobody ever finds half of it under its name.

    Of a link only the link goes.
    """
    if folder.is_symlink():
        folder.unlink()
        return
    aside = _aside_of(folder)
    folder.replace(aside)
    shutil.rmtree(aside)


def sweep(folder: Path) -> None:
    """Remove what killed processes left aside in ``folder``; what live processes write is kept.

    What a process of another machine that shares the folder writes is kept for a week.
    """
    for path in folder.glob(".*.tmp"):
        if _left(path, own=True):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _left(path: Path, own: bool = False) -> bool | None:
    """Whether nobody writes a file or folder aside any more; None for a name that is of no such form.

    With ``own``, what this very process has left counts as well.
    """
    if not (match := _ASIDE.match(path.name)):
        return None
    if match[1] not in (None, _machine()):
        return not _young(path)
    pid = int(match[2])
    return (own and pid == os.getpid()) or not _alive(pid)


def _aside_of(path: Path) -> Path:
    """The name under which this process writes or removes ``path``."""
    return path.with_name(f".{path.name}.{_machine()}-{os.getpid()}.tmp")


def _machine() -> str:
    """Eight hex digits for this machine's name."""
    return digest(platform.node(), length=8)


def _young(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < _ELSEWHERE_S
    except FileNotFoundError:
        return False


def _alive(pid: int) -> bool:
    """Whether there is such a process on this machine."""
    if os.name == "nt":  # there os.kill ends a process, whatever the signal
        return _alive_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _alive_on_windows(pid: int) -> bool:
    import ctypes

    kernel: Any = getattr(ctypes, "windll").kernel32  # noqa: B009 (it is there on Windows only)
    handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        return False
    code = ctypes.c_ulong()
    known = kernel.GetExitCodeProcess(handle, ctypes.byref(code))
    kernel.CloseHandle(handle)
    return bool(known) and code.value == 259  # STILL_ACTIVE
