"""Files that are whole or not there: every artefact is written aside, then renamed."""

import hashlib
import json
import os
import platform
import re
import time
from collections.abc import Callable, Iterator
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
    aside = path.with_name(f".{path.name}.{_machine()}-{os.getpid()}.tmp")
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


def sweep(folder: Path) -> None:
    """Remove what killed processes left aside in ``folder``; files of live processes are kept.

    Those of another machine that shares the folder are kept for a week.
    """
    for path in folder.glob(".*.tmp"):
        match = _ASIDE.match(path.name)
        if match and not (_alive(int(match[2])) if match[1] in (None, _machine()) else _young(path)):
            path.unlink(missing_ok=True)


def _machine() -> str:
    """Eight hex digits for this machine's name."""
    return digest(platform.node(), length=8)


def _young(path: Path) -> bool:
    try:
        return time.time() - path.stat().st_mtime < _ELSEWHERE_S
    except FileNotFoundError:
        return False


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
