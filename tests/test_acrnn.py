"""The ACRNN layer by layer, and trainings with attributes through the command line."""

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from emoset_cli.models import parts
from emoset_cli.models.build import build_network
from emoset_cli.train.deep import checkpoint

pytestmark = pytest.mark.usefixtures("one_thread")

ARIA, BRIO, CORA = "demo-aria", "demo-brio", "demo-cora"
FRONT = {"mels": 40, "win": 400, "hop": 160, "normalise": "global"}
SMALL = ["-e", 2, "-spe", 2, "-bs", 16, "--precision", "fp32", "-q", "--workers", 1]
LIGHT = ["-nm", 20, "--hop", 320, *SMALL]  # of cnn-lstm


def train(emoset, workspace, model, *words):
    answer = emoset("train", model, *words, "-d", workspace, "--json")
    assert answer.code == 0, answer.err
    return answer.json()[0]


def read(run, name):
    return pd.read_csv(Path(run["folder"]) / name, dtype={"fold": str, "speaker": str}, keep_default_na=False)


def weights(run, file="model.safetensors"):
    return checkpoint.load(Path(run["folder"]) / file)[0]


def test_each_layer_has_the_papers_shape_and_the_weights_counted_by_hand():
    """Zhu & Sato 2020, Table 1."""
    network = build_network("acrnn", {"emodb": list("abcdefg"), "crema-d": list("abcdef")}, False, {}, FRONT)
    trunk = network.trunks["acrnn"]
    shapes = {}
    layers = {"conv1": trunk.convolutions[0], "pool1": trunk.pools[0], "conv2": trunk.convolutions[1],
              "pool2": trunk.pools[1], "tdfc": trunk.dense, "blstm": trunk.recurrent, "attention": trunk.attention,
              "fc": trunk.out, "dropout": trunk.dropout}  # fmt: skip

    def note(name):
        def hook(module, given, out):
            shapes[name] = tuple((out[0] if isinstance(out, tuple) else out).shape[1:])

        return hook

    for name, layer in layers.items():
        layer.register_forward_hook(note(name))
    heads = [network.heads[key].hidden for key in ("emodb", "crema-d")]
    network(torch.randn(2, 48_000) * 0.1, torch.tensor([48_000, 30_000]), "emodb")
    assert shapes == {
        "conv1": (128, 300, 40), "pool1": (128, 150, 10), "conv2": (256, 150, 10), "pool2": (256, 150, 2),
        "tdfc": (150, 768), "blstm": (150, 256), "attention": (8, 256), "fc": (128,), "dropout": (128,),
    }  # fmt: skip
    assert trunk.dense.in_features == 512 and trunk.out.in_features == 2048
    by_hand = {
        "conv1": 128 * 5 * 3 + 128,
        "conv2": 256 * 128 * 5 * 3 + 256,
        "tdfc": 512 * 768 + 768,
        "blstm": 2 * (4 * 128 * (768 + 128) + 2 * 4 * 128),
        "attention": 256 * 256 + 8 * 256,
        "fc": 2048 * 128 + 128,
    }
    counted = {name: sum(one.numel() for one in layers[name].parameters()) for name in by_hand}
    assert counted == by_hand
    told = parts.count(network)
    assert told["shared"] == sum(by_hand.values()) == 2_137_216
    assert told["head"] == {"emodb": 3 * (128 * 128 + 128) + 129 * 7, "crema-d": 3 * (128 * 128 + 128) + 129 * 6}
    assert all(len(hidden) == 3 for hidden in heads)


def test_what_is_heard_of_a_segment_does_not_depend_on_its_batch():
    network = build_network("acrnn", {"x": list("ab")}, False, {}, FRONT).eval()
    waves, lengths = torch.randn(3, 48_000) * 0.1, torch.tensor([48_000, 20_000, 3_000])
    for row, length in enumerate(lengths.tolist()):
        waves[row, length:] = 0
    together = network(waves, lengths, "x")
    alone = [network(waves[i : i + 1, :n], lengths[i : i + 1], "x") for i, n in enumerate(lengths.tolist())]
    assert torch.allclose(together, torch.cat(alone), atol=1e-5)


@pytest.mark.parametrize(("name", "network"), [("acrnn", {"window_s": 0.5}), ("cnn-lstm", {})])
def test_a_network_fits_eight_utterances(name, network):
    torch.manual_seed(0)
    model = build_network(name, {"x": ["high", "low"]}, False, network | {"dropout": 0.0}, FRONT | {"hop": 320})
    time = torch.arange(8000) / 16_000
    tones = torch.tensor([300.0, 320.0, 340.0, 360.0, 2000.0, 2100.0, 2200.0, 2300.0])
    waves, lengths = 0.3 * torch.sin(2 * torch.pi * tones[:, None] * time), torch.full((8,), 8000)
    truth = (tones < 1000).long()
    model.front.fit([(waves, lengths)])
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(model(waves, lengths, "x"), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if loss < 0.1:
            break
    assert (model.eval()(waves, lengths, "x").argmax(1) == truth).all() and loss < 0.4


@pytest.fixture(scope="module")
def pair(prepared, tmp_path_factory):
    """A workspace in which the same network was trained without, with, and against a corpus discriminator."""
    import shutil

    from emoset_cli.cli.main import main

    folder = tmp_path_factory.mktemp("pair") / "ws"
    shutil.copytree(prepared, folder)
    words = ["train", "cnn-lstm", "-t", f"{ARIA},{CORA}", "-mt", "--partition", "speakers", "--segment", "1",
             "--shift", "0.5", "--adversarial-lr", "0.0001", "--epoch-decay", "0.91", "--choose-by", "wa",
             *map(str, LIGHT)]  # fmt: skip
    for word in ("off", "train", "adversarial"):
        assert main([*words, "--corpus-discriminator", word, "-d", str(folder)]) == 0
    return folder


def found(folder, word):
    [one] = [path for path in (folder / "runs").iterdir() if f"cnn-lstm{word}-scratch" in path.name]
    return {"folder": str(one), "run": one.name}


@pytest.mark.slow
def test_a_discriminator_alone_changes_nothing_and_against_it_the_encoder_moves(pair):
    off, beside, against = (found(pair, word) for word in ("", "-train-corpus", "-adversarial-corpus"))
    plain, watched, moved = (weights(run) for run in (off, beside, against))
    assert all(torch.equal(watched[name], value) for name, value in plain.items())
    assert {name.split(".")[0] for name in watched.keys() - plain.keys()} == {"attributes"}
    assert not torch.equal(moved["trunks.cnn-lstm.dense.weight"], plain["trunks.cnn-lstm.dense.weight"])


def test_segments_and_utterances_are_both_written(pair):
    run = found(pair, "-train-corpus")
    whole, segments = read(run, "predictions.csv"), read(run, "predictions-segments.csv")
    assert set(segments["utterance"]) == set(whole["utterance"]) and len(segments) > len(whole)
    shares = [name for name in whole if name.startswith("probability_")]
    own = segments[segments["corpus"] == ARIA]
    labels = [name for name in shares if own[name].iloc[0] != ""]
    means = own.groupby("utterance")[labels].agg(lambda column: column.astype(float).mean())
    told = whole.set_index("utterance").loc[means.index, labels].astype(float)
    assert np.allclose(means.to_numpy(), told.to_numpy(), atol=1e-5)
    assert sorted(set(segments["start_s"].astype(float)))[:2] == [0.0, 0.5]
    config = json.loads((Path(run["folder"]) / "model.json").read_text())
    assert config["segments"] == [1.0, 0.5] and config["attributes"]["classes"] == {"corpus": [ARIA, CORA]}


def test_history_tells_the_discriminators_loss_and_the_learning_rate(pair):
    with (Path(found(pair, "-adversarial-corpus")["folder"]) / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["lr"]) for row in rows] == pytest.approx([2e-3, 0.91 * 2e-3])
    assert all(float(row["attribute_loss:corpus"]) > 0 for row in rows)
    best = max(float(row["devel_wa"]) for row in rows)
    chosen = [row for row in rows if row["best"] == "1"][-1]
    assert float(chosen["devel_wa"]) == best


@pytest.mark.parametrize("approach", ["mtl", "gr", "ad"])
def test_attributes_of_a_cnn_lstm(emoset, workspace, approach):
    words = ["-t", f"{ARIA},{CORA}", "--pool", "--labels", "three-class", "--attributes", "corpus,gender"]
    run = train(emoset, workspace, "cnn-lstm", *words, "--approach", approach, *LIGHT)
    assert run["setting"] == f"cnn-lstm three-class + {approach} corpus+gender"
    assert run["parameters"]["attribute"].keys() == {"corpus", "gender"}
    with (Path(run["folder"]) / "history.csv").open() as file:
        told = [float(row["attribute_weight"]) for row in csv.DictReader(file)]
    assert told == {"mtl": [0.1, 0.1], "gr": [0.0, 0.5], "ad": [0.5, 0.5]}[approach]


@pytest.mark.slow
def test_a_stopped_training_with_discriminators_ends_with_the_same_bits(emoset, workspace, monkeypatch):
    from emoset_cli.train.deep import loop

    words = ["-t", f"{ARIA},{CORA}", "-mt", "--corpus-discriminator", "adversarial", "--partition", "speakers", *LIGHT]
    whole = train(emoset, workspace, "cnn-lstm", *words)
    kept = {path.name: path.read_bytes() for path in Path(whole["folder"]).iterdir()}
    before = loop._one_epoch
    done = []

    def once(training):
        if done:
            raise KeyboardInterrupt
        done.append(before(training))

    monkeypatch.setattr(loop, "_one_epoch", once)
    assert emoset("train", "cnn-lstm", *words, "--force", "-d", workspace).code != 0
    monkeypatch.setattr(loop, "_one_epoch", before)
    train(emoset, workspace, "cnn-lstm", *words, "--force")
    assert {path.name: path.read_bytes() for path in Path(whole["folder"]).iterdir()} == kept


@pytest.mark.slow
def test_other_networks_take_attributes_too(emoset, workspace):
    words = ["-t", f"{ARIA},{CORA}", "-mt", "--sampling", "mixed", "-bs", 16, "--precision", "fp32", "-q"]
    small = ["-nf", 4, "-N", 1, "-nm", 16, "-w", 1.5, "--preset", "quick", "--rounds", 2]
    cnn = train(emoset, workspace, "cnn", *words, *small, "--attributes", "gender", "--approach", "gr")
    assert cnn["setting"] == "all + gr gender"
    gru = train(emoset, workspace, "embedding", *words, "-e", 1, "-nm", 16, "--corpus-discriminator", "adversarial")
    assert gru["setting"] == "embedding all + adversarial corpus"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--corpus-discriminator", "train"], f"have the same corpus: {ARIA}"),
        (["--corpus-discriminator", "train", "--approach", "gr"], "short for --attributes corpus"),
        (["--attributes", "gender", "--approach", "gr", "-e", "0"], "preset zhu2020 has no last one"),
    ],
)
def test_what_the_command_refuses(emoset, workspace, words, problem):
    answer = emoset("train", "acrnn", "-t", ARIA, *words, "-d", workspace, "-q")
    assert answer.code == 1 and problem in answer.err and answer.out == "" and "Traceback" not in answer.err


def test_too_few_bands_are_refused(emoset, workspace):
    answer = emoset("train", "acrnn", "-t", CORA, "-nm", 16, "-e", 1, "-d", workspace)
    assert (answer.code, answer.out) == (1, "")
    assert "acrnn pools 20 mel bands into one, and a segment has 16" in answer.err and "--num-mels" in answer.err
