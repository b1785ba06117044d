"""Files are whole or not there; jobs over cores answer all of their results."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoset_cli import files
from emoset_cli.cores import cores
from emoset_cli.errors import EmosetError
from emoset_cli.parallel import run_jobs

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_atomic_keeps_the_old_file_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    files.write_text(path, "old")
    for error in (RuntimeError, KeyboardInterrupt, OSError(28, "No space left on device")):
        with pytest.raises(error if isinstance(error, type) else OSError), files.atomic(path) as aside:
            aside.write_text("half")
            assert path.read_text() == "old"
            raise error
    assert path.read_text() == "old" and names(path.parent) == ["a.txt"]
    files.write_text(path, "größer\n")
    assert path.read_bytes() == "größer\n".encode()


def test_a_kill_leaves_the_old_file_and_what_sweep_removes(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    code = (
        "import os, sys, pathlib; from emoset_cli.files import atomic\n"
        "with atomic(pathlib.Path(sys.argv[1])) as aside: aside.write_text('half'); os.kill(os.getpid(), 9)"
    )
    root = str(Path(files.__file__).parents[1])
    assert subprocess.run([sys.executable, "-c", code, path], env=os.environ | {"PYTHONPATH": root}).returncode == -9
    assert path.read_text() == "old" and len(names(tmp_path)) == 2
    files.sweep(tmp_path)
    assert names(tmp_path) == ["a.txt"]


def test_sweep_keeps_what_live_processes_write(tmp_path: Path) -> None:
    live = f".a.txt.{os.getppid()}.tmp"
    for name in (live, f".b.txt.{dead_pid()}.tmp", f".own.{os.getpid()}.tmp", ".user.tmp", "c.tmp", ".x.12.tmp.bak"):
        (tmp_path / name).touch()
    files.sweep(tmp_path)
    assert names(tmp_path) == sorted([live, ".user.tmp", "c.tmp", ".x.12.tmp.bak"])


@settings(max_examples=30)
@given(JSON)
def test_json_round_trip(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "round.json"
    files.write_json(path, value)
    assert files.read_json(path) == value


def test_json_refuses_what_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", float("nan"))
    assert names(tmp_path) == []


def test_reading_json_tells_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(EmosetError, match=r"a\.json is missing\n  mend: run the command that writes it again"):
        files.read_json(path)
    for content in (b"", b'{"a": 1', b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(EmosetError, match=r"a\.json is not valid JSON \(.*\)\n  mend: delete it and run"):
            files.read_json(path)


def test_write_table_renames(tmp_path: Path) -> None:
    files.write_table(tmp_path / "a.bin", lambda aside: aside.write_bytes(b"1"))
    assert names(tmp_path) == ["a.bin"] and (tmp_path / "a.bin").read_bytes() == b"1"


@given(st.lists(st.binary(max_size=4) | JSON, max_size=4), st.lists(st.binary(max_size=4) | JSON, max_size=4))
def test_digest_tells_values_apart(one: list, other: list) -> None:
    def known(parts: list) -> list:
        return [part if isinstance(part, bytes) else json.dumps(part, sort_keys=True).encode() for part in parts]

    assert (files.digest(*one) == files.digest(*other)) == (known(one) == known(other))


def test_digest_does_not_change_between_versions() -> None:
    assert files.digest({"b": 2, "a": [1, "x"]}, b"\0", length=8) == files.digest({"a": [1, "x"], "b": 2}, b"\0")[:8]
    assert files.digest("ab", "c") != files.digest("a", "bc")
    assert files.digest("emoset") == "8e5f99bbfc2a395e"


def square(number: int) -> int:
    return number * number


def die(number: int) -> None:
    os._exit(1)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_jobs_in_threads(workers: int) -> None:
    assert sorted(run_jobs(square, [(n,) for n in range(10)], workers, threads=True)) == [n * n for n in range(10)]
    assert list(run_jobs(square, [], workers, threads=True)) == []
    assert cores() >= 1


def test_an_error_in_a_thread_arrives() -> None:
    def fail(number: int) -> None:
        raise OSError(28, f"No space left on device {number}")

    for workers in (1, 2):
        with pytest.raises(OSError, match="No space left"):
            list(run_jobs(fail, [(1,), (2,)], workers, threads=True))


def test_a_killed_worker_is_told() -> None:
    with pytest.raises(
        EmosetError, match=r"worker was killed 3 times at the same job, perhaps for want of memory\n  mend: .*fewer"
    ):
        list(run_jobs(die, [(1,), (2,)], 2))
