"""Synthetic corpora, a workspace with everything done on them, and the real corpora where there are any."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from emoset_cli.cli.main import main

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is loaded: the test processes share the cores


@dataclass(frozen=True)
class Result:
    """What a command answered: exit code, stdout, stderr."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def emoset(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command line in this process, as the shell would."""
    for name in ("EMOSET_WORKSPACE", "EMOSET_REGISTRY", "EMOSET_DEBUG"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> Result:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return run


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Torch with one thread: several of small products only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _once(folder: Path, make: Callable[[Path], Any]) -> Path:
    """Make ``folder`` in one of the test processes; the others wait for it."""
    done = folder.with_suffix(".done")
    lock = folder.with_suffix(".lock")
    while not done.exists():
        try:
            lock.mkdir(parents=True)
        except FileExistsError:
            time.sleep(0.1)
            continue
        try:
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # another process may have failed half-way
                make(folder)
                done.touch()
        finally:
            lock.rmdir()
    return folder


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder common to all test processes of this run."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@pytest.fixture(scope="session")
def recordings(shared: Path) -> dict[str, Path]:
    """The three synthetic corpora: key -> folder. Never write there; copy what you change."""
    from emoset_cli.synth import demo

    folder = _once(shared / "recordings", demo.write)
    return {key: folder / key for key in demo.CORPORA}


@pytest.fixture(scope="session")
def prepared(shared: Path, recordings: dict[str, Path]) -> Path:
    """A workspace in which the demo corpora are prepared, without features. Never write there."""

    def make(folder: Path) -> None:
        where = [f"{key}={path}" for key, path in recordings.items()]
        assert main(["prepare", *where, "--partition", "standard", "-d", str(folder), "-q"]) == 0

    return _once(shared / "prepared", make)


@pytest.fixture(scope="session")
def done(shared: Path, prepared: Path) -> Path:
    """As `prepared`, with eGeMAPS extracted. Never write there."""

    def make(folder: Path) -> None:
        shutil.copytree(prepared, folder)
        assert main(["extract", "egemaps", "-d", str(folder), "-q"]) == 0

    return _once(shared / "done", make)


@pytest.fixture(scope="session")
def trained(shared: Path, done: Path) -> Path:
    """As `done`, with an SVM and a forest trained on demo-aria and on demo-cora. Never write there."""

    def make(folder: Path) -> None:
        shutil.copytree(done, folder)
        for model in ("svm", "forest"):
            assert main(["train", model, "-t", "demo-aria,demo-cora", "--workers", "1", "-d", str(folder), "-q"]) == 0

    return _once(shared / "trained", make)


@pytest.fixture
def results(trained: Path, tmp_path: Path) -> Path:
    """A copy of `trained` to write to."""
    return Path(shutil.copytree(trained, tmp_path / "results"))


@pytest.fixture(scope="session")
def small(shared: Path, recordings: dict[str, Path]) -> Path:
    """``recordings/``: the first sentence of demo-cora, 18 utterances; ``w/``: a workspace as `trained` from them.

    For tests that do much over again. Never write there.
    """

    def make(place: Path) -> None:
        others = shutil.ignore_patterns("*_p0[2-9]_*")
        folder = shutil.copytree(recordings["demo-cora"], place / "recordings", ignore=others)
        common = ["-d", str(place / "w"), "-q", "--workers", "1"]
        steps = [["prepare", f"demo-cora={folder}"], ["extract", "egemaps"], ["train", "svm"], ["train", "forest"]]
        assert [main([*step, *common]) for step in steps] == [0, 0, 0, 0]

    return _once(shared / "small", make)


@pytest.fixture(scope="session")
def pair(shared: Path, recordings: dict[str, Path]) -> Path:
    """A workspace with 18 utterances of demo-cora and 30 of demo-aria, and their eGeMAPS. Never write there.

    For tests that train much over again.
    """
    few = {"demo-cora": ("*_p0[2-9]_*",), "demo-aria": ("*_s0[2-9]_*", "[fm]0[45]_*")}

    def make(place: Path) -> None:
        where = []
        for key, names in few.items():
            some = shutil.ignore_patterns(*names)
            where.append(f"{key}={shutil.copytree(recordings[key], place / 'recordings' / key, ignore=some)}")
        common = ["-d", str(place), "-q", "--workers", "1"]
        assert [main([*step, *common]) for step in (["prepare", *where], ["extract", "egemaps"])] == [0, 0]

    return _once(shared / "pair", make)


@pytest.fixture(scope="session")
def crossed(shared: Path, prepared: Path) -> Path:
    """As `prepared`, with tiny CNNs: demo-aria and demo-cora together, and each of them alone. Never write there."""

    def make(folder: Path) -> None:
        shutil.copytree(prepared, folder)
        tiny = ["-nf", "4", "-N", "1", "-nm", "16", "-w", "1.5", "-bs", "16", "--precision", "fp32", "--workers", "1"]
        common = ["-t", "demo-aria,demo-cora", *tiny, "-p", "1", "-e", "1", "-d", str(folder), "-q"]
        assert main(["train", "cnn", *common]) == 0
        assert main(["train", "cnn", "-mt", "--preset", "quick", "--rounds", "2", *common]) == 0

    return _once(shared / "crossed", make)


@pytest.fixture
def workspace(done: Path, tmp_path: Path) -> Path:
    """A copy of `done` to write to."""
    return Path(shutil.copytree(done, tmp_path / "workspace"))


@pytest.fixture(scope="session")
def real() -> Iterator[Path]:
    """The folder of real corpora: EMOSET_CORPORA, or ``../shared/corpora`` beside the project."""
    folder = Path(os.environ.get("EMOSET_CORPORA") or Path(__file__).parents[2] / "shared" / "corpora")
    if not (folder / "emodb").is_dir():
        pytest.skip("no real corpora here: set EMOSET_CORPORA")
    yield folder
