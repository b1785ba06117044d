"""One command in several processes: the same numbers as in one, one answer, one set of files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

ARIA, CORA = "demo-aria", "demo-cora"
NETWORK = ["-nf", "4", "-N", "1", "-nm", "16", "-w", "1.5", "-bs", "15", "-do", "0", "--precision", "fp32"]
TRAIN = ["train", "cnn", "-mt", "-t", f"{ARIA},{CORA}", *NETWORK, "--rounds", "6", "-spe", "3", "--workers", "1"]


def launch(script, *words, processes=2, cwd=None):
    """Have torchrun start a script or ``-m MODULE`` in some processes; 0 starts it without torchrun."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes else []
    command = [sys.executable, *start, *script, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, cwd=cwd)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def trainings(prepared, tmp_path_factory):
    """Number of processes -> (what they recorded, the run) of one training."""
    found = {}
    for processes in (0, 2):
        folder = tmp_path_factory.mktemp(f"processes-{processes}")
        workspace = folder / "w"
        workspace.mkdir()
        (workspace / "corpora").symlink_to(prepared / "corpora")
        recorder = [str(Path(__file__).with_name("recorded.py"))]
        done = launch(recorder, folder, *TRAIN, "-d", workspace, "--json", processes=processes)
        (run,) = json.loads(done.stdout)  # one process answers
        found[processes] = (folder, run)
    return found


def largest(one, other):
    """The largest difference of some tensors by name."""
    assert one.keys() == other.keys()
    return max(float(np.abs(one[name].astype(float) - other[name]).max()) for name in one)


def test_gradients_of_two_processes_are_those_of_one(trainings):
    alone, shared = (folder for folder, _ in trainings.values())
    files = sorted(path.name for path in alone.glob("gradients-*"))
    assert len(files) == 4 and files == sorted(path.name for path in shared.glob("gradients-*"))
    for file in files:
        own, both = load_file(alone / file), load_file(shared / file)
        assert max(np.abs(values).max() for values in own.values()) > 1e-2 and largest(own, both) < 1e-5, file


def test_corpora_take_turns_alike_in_all_processes_and_each_has_its_share(trainings):
    (alone, _), (shared, _) = trainings.values()
    heads, rows = json.loads((alone / "0.json").read_text())
    told = [json.loads((shared / f"{rank}.json").read_text()) for rank in range(2)]
    assert heads[:4] == [ARIA, CORA, ARIA, CORA] and len(heads) == 36
    assert [own for own, _ in told] == [heads, heads]
    shares = [own[0] for _, own in told]
    assert sorted(shares[0] + shares[1]) == sorted(rows[0]) and len(rows[0]) % 2 == 1  # an uneven batch


def test_two_processes_end_with_the_weights_of_one(trainings):
    (_, one), (_, two) = trainings.values()
    assert one["run"] == two["run"] and two["device"] == f"2 x {one['device']}"
    for file in ("model.safetensors", "model-final.safetensors"):
        assert largest(*(load_file(Path(run["folder"]) / file) for run in (one, two))) < 1e-3, file
    history = [pd.read_csv(Path(run["folder"]) / "history.csv") for run in (one, two)]
    assert np.abs(history[0]["train_loss"] - history[1]["train_loss"]).max() < 1e-4
    tables = [pd.read_csv(Path(run["folder"]) / "predictions.csv") for run in (one, two)]
    assert tables[0]["utterance"].tolist() == tables[1]["utterance"].tolist()
    shares = [table.filter(like="probability_").to_numpy() for table in tables]
    assert np.allclose(*shares, atol=1e-3, equal_nan=True)


def test_features_of_two_processes_are_those_of_one_bit_by_bit(done, prepared, tmp_path):
    (tmp_path / "corpora").symlink_to(prepared / "corpora")
    words = ["extract", "egemaps", ARIA, CORA, "-d", tmp_path, "--json"]
    said = launch(["-m", "emoset_cli"], *words)
    assert [row["corpus"] for row in json.loads(said.stdout)] == [ARIA, CORA]  # one process answers
    (folder,) = (tmp_path / "features").iterdir()
    assert {path.name for path in folder.iterdir()} == {
        f"{key}{end}" for key in (ARIA, CORA) for end in (".npy", ".json")
    }
    for path in folder.iterdir():
        assert path.read_bytes() == (done / "features" / folder.name / path.name).read_bytes(), path.name
