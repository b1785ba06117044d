"""Commands in two processes of torchrun: the same numbers as in one, one answer, one set of files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import recorded
import speech_models
from safetensors.numpy import load_file

from emoset_cli import __version__, cores, ranks
from emoset_cli.errors import EmosetError

pytestmark = pytest.mark.slow

ARIA, CORA = "demo-aria", "demo-cora"
NETWORK = ["-nf", "4", "-N", "1", "-nm", "16", "-w", "1.5", "-bs", "15", "-do", "0", "--precision", "fp32"]
TRAIN = ["train", "cnn", "-mt", "-t", f"{ARIA},{CORA}", *NETWORK, "-lr", "0.001", "--seed", "2"]
TRAIN += ["--rounds", "2", "-spe", "2", "--workers", "1"]


def environment():
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}


def place_of(folder, prepared):
    """A folder with what is not told of the workspace in it, and the commands that are given there."""
    (folder / "w").mkdir(parents=True)
    (folder / "w" / "corpora").symlink_to(prepared / "corpora")
    frames = ["extract", "wav2vec2", CORA, "--model", str(folder.parent / "encoder"), "--pool", "frames"]
    frames += ["--precision", "fp32", "--workers", "1"]
    commands = [["extract", "egemaps", ARIA, CORA], frames, TRAIN]
    return [[*words, "-d", str(folder / "w"), "--json", "-q"] for words in commands]


@pytest.fixture(scope="module")
def both(prepared, tmp_path_factory):
    """What one process and two of torchrun made and recorded, and what the two said."""
    place = tmp_path_factory.mktemp("ranks")
    alone, shared = place / "alone", place / "shared"
    speech_models.save(place / "encoder")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for folder, launch, skipped in ((alone, [], 1), (shared, torchrun, 0)):
        (folder / "commands.json").write_text(json.dumps(place_of(folder, prepared)[skipped:]))
        command = [sys.executable, *launch, recorded.__file__, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=600)
        assert done.returncode == 0, done.stderr[-3000:]
    return alone, shared, done.stdout


def largest(one, other):
    """The largest difference of some tensors by name."""
    assert one.keys() == other.keys()
    return max(float(np.abs(one[name].astype(float) - other[name]).max()) for name in one)


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run_of(place):
    (folder,) = (place / "w" / "runs").iterdir()
    return folder


def test_one_process_answers(both):
    _, shared, said = both
    read = json.JSONDecoder().raw_decode
    egemaps, end = read(said)
    frames, end = read(said, end + 1)
    runs, end = read(said, end + 1)
    assert not said[end:].strip()
    assert [row["corpus"] for row in [*egemaps, *frames]] == [ARIA, CORA, CORA]
    assert [row["run"] for row in runs] == [run_of(shared).name] and runs[0]["device"].startswith("2 x ")


def test_features_of_two_processes_are_those_of_one_bit_by_bit(both, done):
    alone, shared, _ = both
    frames, vectors = sorted((shared / "w" / "features").iterdir(), key=lambda folder: "egemaps" in folder.name)
    assert files(frames) == files(alone / "w" / "features" / frames.name) and len(files(frames)) > 5
    whole = {key: raw for key, raw in files(done / "features" / vectors.name).items() if key.stem in {ARIA, CORA}}
    assert files(vectors) == whole and len(whole) == 4


def test_gradients_of_two_processes_are_those_of_one(both):
    """A ReLU at its edge may fall to either side after the first update, so the first batch of either corpus counts."""
    alone, shared, _ = both
    names = sorted(path.name for path in alone.glob("gradients-*"))
    assert len(names) == 2 and names == sorted(path.name for path in shared.glob("gradients-*"))
    for name in names:
        own, together = load_file(alone / name), load_file(shared / name)
        norm = sum(float(np.square(values.astype(float)).sum()) for values in own.values()) ** 0.5
        assert largest(own, together) / norm < 1e-5, name


def test_corpora_take_turns_alike_in_all_processes_and_each_has_its_share(both):
    alone, shared, _ = both
    whole = json.loads((alone / "0.json").read_text())
    told = [json.loads((shared / f"{rank}.json").read_text()) for rank in range(2)]
    turns = [head for head, _ in whole]
    assert turns == [ARIA, CORA] * (len(turns) // 2) and len(turns) > 8
    assert [[head for head, _ in own] for own in told] == [turns, turns]
    for (_, rows), (_, first), (_, second) in zip(whole, *told, strict=True):
        assert sorted(first + second) == sorted(rows) and abs(len(first) - len(second)) < 2
    assert any(len(rows) % 2 for _, rows in whole)  # shares of unequal size


def test_two_processes_end_with_the_network_of_one(both):
    folders = [run_of(place) for place in both[:2]]
    assert folders[0].name == folders[1].name
    weights = [load_file(folder / "model-final.safetensors") for folder in folders]
    learnt = [{name: own[name] for name in own if "running" not in name} for own in weights]
    assert largest(*learnt) < 1e-4
    history = [pd.read_csv(folder / "history.csv") for folder in folders]
    assert np.abs(history[0]["train_loss"] - history[1]["train_loss"]).max() < 1e-3
    tables = [pd.read_csv(folder / "predictions-final.csv") for folder in folders]
    assert tables[0]["utterance"].tolist() == tables[1]["utterance"].tolist()
    shares = [table.filter(like="probability_").to_numpy() for table in tables]
    assert np.allclose(*shares, atol=1e-2, equal_nan=True)


def test_the_package_can_be_started_as_a_module():
    words = [sys.executable, "-m", "emoset_cli", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, env=environment(), timeout=300)
    assert (done.returncode, done.stdout) == (0, f"emoset {__version__}\n")


def test_an_error_of_one_process_is_that_of_all(monkeypatch):
    monkeypatch.setattr(ranks, "_gathered", lambda own: [own, ("the other's disk is full", "free some space")])
    with pytest.raises(EmosetError, match="the other's disk is full"), ranks.in_step():
        pass


def test_processes_of_one_machine_share_its_cores(monkeypatch):
    alone = cores.cores()
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("LOCAL_RANK", "1"), ("LOCAL_WORLD_SIZE", "2")):
        monkeypatch.setenv(name, value)
    assert cores.cores() == max(1, alone // 2)
    assert list(ranks.share(range(5))) == [1, 3] and not ranks.is_main()


@pytest.mark.parametrize("words", [["evaluate"], ["train", "svm", "-t", CORA], ["run", "zhu2020", "--dry-run"]])
def test_other_commands_are_for_one_process(words, emoset, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    answer = emoset(*words, "-d", tmp_path)
    assert (answer.code, answer.out) == (1, "")
    assert "is not for several processes, and 2 were started" in answer.err
    assert "start it without torchrun or accelerate launch" in answer.err
