"""Shared models: the same numbers elsewhere, ONNX, the card, the hub; and that a stranger's folder can do no harm."""

import json
import os
import pickle
import shutil
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from emoset_cli import runs
from emoset_cli.errors import EmosetError
from emoset_cli.files import digest
from emoset_cli.models.build import build_network
from emoset_cli.models.layers.attention import pooling, positions
from emoset_cli.models.layers.frames import Frames
from emoset_cli.models.network import Network
from emoset_cli.models.resnet import Block, ConvNorm
from emoset_cli.models.rnn import RNN
from emoset_cli.share import push
from emoset_cli.share.graph import Exportable, TracedFrames
from emoset_cli.share.onnx_files import check_onnx, onnx_files
from emoset_cli.share.probes import probes
from emoset_cli.train.deep.use import open_network

ARIA, CORA = "demo-aria", "demo-cora"
BOTH = "demo-aria+demo-cora_cnn"
STEM = "trunks.cnn.stem.conv.weight"  # of the CNN
HEADS = {"a": ["anger", "joy", "calm"], "b": ["anger", "fear"]}

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def models(crossed, trained, tmp_path_factory):
    """A CNN on two corpora, an SVM and a forest, shared: name -> folder. Copy what you change."""
    from emoset_cli.cli.main import main

    out = tmp_path_factory.mktemp("shared")
    for name, run, workspace in (("cnn", BOTH, crossed), ("svm", f"{CORA}_svm", trained),
                                 ("forest", f"{CORA}_forest", trained)):  # fmt: skip
        assert main(["share", run, str(out / name), "-d", str(workspace), "-q", "--licence", "CC-BY-4.0"]) == 0
    return {name: out / name for name in ("cnn", "svm", "forest")}


@pytest.fixture
def copied(models, tmp_path):
    return lambda name="cnn": Path(shutil.copytree(models[name], tmp_path / name))


def open_shared(folder):
    return open_network(runs.find_run(folder / "nowhere", str(folder)), "1", "cpu")


def signed(folder):
    """Write the digests anew, as somebody who means harm would."""
    mark = folder / "emoset.json"
    facts = json.loads(mark.read_text("utf-8"))
    facts["files"] = {
        name: digest((folder / name).read_bytes()) for name in facts["files"] if (folder / name).is_file()
    }
    mark.write_text(json.dumps(facts), "utf-8")


def changed(folder, file, change):
    """Change a JSON file of a shared model."""
    facts = json.loads((folder / file).read_text("utf-8"))
    change(facts)
    (folder / file).write_text(json.dumps(facts), "utf-8")
    if file != "emoset.json":
        signed(folder)


# ---------------- the same numbers


@pytest.mark.parametrize(("name", "run"), [("cnn", BOTH), ("svm", f"{CORA}_svm"), ("forest", f"{CORA}_forest")])
def test_a_shared_model_predicts_what_the_run_predicts(
    emoset, models, crossed, trained, recordings, tmp_path, name, run
):
    files = sorted(recordings[CORA].rglob("*.wav"))[:3]
    workspace = crossed if name == "cnn" else trained
    ours = emoset("predict", run, *files, "--as", CORA, "--json", "-d", workspace).json()
    theirs = emoset("predict", models[name], *files, "--as", CORA, "--json", "-d", tmp_path).json()
    for one, other in zip(ours["recordings"], theirs["recordings"], strict=True):
        assert other["said"][CORA]["probabilities"] == pytest.approx(one["said"][CORA]["probabilities"], abs=1e-5)


def test_the_folder_tells_what_it_is(models):
    folder = models["cnn"]
    card = (folder / "README.md").read_text("utf-8")
    for word in ("CC-BY-4.0", "Demo Cora (synthetic speech", "| demo-aria | qaa | train | 120 |", "chance [%]",
                 "Intended use", "Limits", "anger, calm, happiness", "| demo-cora | CC0-1.0 |"):  # fmt: skip
        assert word in card, word
    assert "[25" in card or "[" in card.partition("## Results")[2].partition("##")[0]  # intervals
    heard = json.loads((folder / "preprocessing.json").read_text("utf-8"))
    assert heard["spectrogram"]["mels"] == 16 and heard["labels"][CORA] == ["anger", "calm", "happiness"]
    assert "gerczuk2021emonet" in (folder / "citations.bib").read_text("utf-8")
    scores = json.loads((folder / "results.json").read_text("utf-8"))
    assert set(scores["corpora"]) == {ARIA, CORA}
    assert str(folder.parent) not in "".join(path.read_text("utf-8") for path in folder.glob("*.json"))


def test_one_fold_is_shared_alone(emoset, trained, tmp_path):
    assert emoset("share", f"{CORA}_svm", tmp_path / "x", "--fold", "9", "-d", trained).err.startswith(
        "error: unknown fold of"
    )
    assert emoset("share", f"{CORA}_svm", tmp_path / "x", "--fold", "1", "-d", trained, "-q").code == 0
    assert runs.find_run(tmp_path, str(tmp_path / "x")).config["partition"]["folds"] == ["1"]


def test_what_is_there_is_not_written_over(emoset, models, copied, trained, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work", "utf-8")
    for target, problem, force in (("mine", "is no shared model", True), ("svm", "give --force", False)):
        copied("svm") if target == "svm" else None
        answer = emoset("share", f"{CORA}_svm", tmp_path / target, "-d", trained, *(["--force"] if force else []))
        assert (answer.code, answer.out) == (1, "") and problem in answer.err
    assert (tmp_path / "mine" / "thesis.txt").read_text("utf-8") == "years of work"
    (tmp_path / "svm" / "left.onnx").write_bytes(b"old")
    assert emoset("share", f"{CORA}_svm", tmp_path / "svm", "-d", trained, "--force", "-q").code == 0
    assert not (tmp_path / "svm" / "left.onnx").exists() and not [*tmp_path.glob(".*")]


def test_a_shared_model_holds_no_predictions(emoset, models, tmp_path):
    for command in ("evaluate", "calibrate"):
        answer = emoset(command, models["cnn"], "-d", tmp_path)
        assert answer.code == 1 and "is a shared model: it holds no predictions" in answer.err
    assert "is a shared model already" in emoset("share", models["cnn"], tmp_path / "again", "-d", tmp_path).err
    assert "has no final epoch" in emoset("predict", f"{models['cnn']}:final", tmp_path, "-d", tmp_path).err


# ---------------- ONNX


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("cnn", {"blocks": 1, "filters": 2}), ("rnn", {"units": 4}),
        ("cnn-rnn", {"blocks": 1, "filters": 2, "units": 4}), ("acrnn", {}), ("cnn-lstm", {}),
        ("embedding", {"cell": "transformer", "width": 8}), ("embedding", {"width": 8}),
        ("embedding", {"stored": [6, 2], "width": 8}),
    ],
)  # fmt: skip
def test_the_graph_hears_what_the_network_hears(model, options, monkeypatch):
    """Padding masked by tensors is padding masked by numbers; without ONNX's own layers, which cannot be called."""
    from emoset_cli.share import graph

    monkeypatch.setattr(graph, "_with_onnx_layers", lambda module: module)
    torch.manual_seed(0)
    front = {"hop": 400, "mels": 32, "normalise": "utterance" if model == "cnn-lstm" else "none"}
    network = build_network(model, HEADS, model == "cnn", options, front).eval()
    lengths = torch.tensor([30, 21, 9]) if "stored" in options else torch.tensor([16000, 9000, 2001])
    heard = torch.randn(3, int(lengths.max()), 12) if "stored" in options else torch.randn(3, 16000) / 10
    for row, length in enumerate(lengths.tolist()):
        heard[row, length:] = 0
    with torch.no_grad():
        for head in HEADS:
            due = (network(heard, lengths, head) / 2.0).softmax(1)
            assert torch.allclose(Exportable(network, head, 2.0)(heard, lengths), due, atol=1e-6)


def test_frames_by_tensors_are_frames_by_numbers():
    own, x = [9, 4, 1], torch.ones(3, 2, 9)
    plain, traced = Frames(own, 9, x.device), TracedFrames(torch.tensor(own), 9, x.device)
    for way in (lambda f: f, lambda f: f.halved(), lambda f: f.halved(False), lambda f: f.even(),
                lambda f: f.at_least(4, 12)):  # fmt: skip
        assert torch.equal(way(plain).valid, way(traced).valid)
        assert torch.equal(way(plain).counts(), way(traced).counts())
    one, other = x.clone(), x.clone()
    plain.clear_(one)
    traced.clear_(other)
    assert torch.equal(one, other) and one.sum() == 2 * sum(own)


class Small(torch.nn.Module):
    """The least trunk with all that ONNX might know otherwise: adapters, a halving block, attention, a GRU."""

    channels = 8

    def __init__(self, corpora):
        super().__init__()
        self.stem, self.block = ConvNorm(1, 2, 1, corpora), Block(2, 4, 0.0, corpora)
        self.attention = pooling("attention", 4, 0.3)
        self.recurrent = RNN(corpora, True, 16, "gru", 1, 4, 0.0, "avgpool", 0.3, True)

    def forward(self, x, frames, corpus):
        y = self.block(self.stem(x, corpus, frames, relu=False), corpus, frames.halved())
        heard = self.attention(*positions(y, frames.halved()))
        return torch.cat([heard, self.recurrent(x, frames, corpus)], 1)


@pytest.mark.slow
def test_onnx_is_checked_and_takes_any_batch_and_length(models):
    """Whole networks: benchmarks/onnx_check.py."""
    import onnxruntime

    torch.manual_seed(0)
    network = Network({"a": HEADS["a"]}, {"small": Small(["a"])}, 0.0, {"mels": 16}).eval()
    made = {"heads": {"a": HEADS["a"]}, "feature": "", "eval_window": "whole", "network": {}}
    opened = SimpleNamespace(model=network, made=made)
    some, what = probes(runs.find_run(models["cnn"], str(models["cnn"])), models["cnn"], made, "1")
    assert what == "noise" and len({len(one) for one in some}) == 8  # the corpora are not in that workspace
    files, told = onnx_files(opened, some, {"a": 3.0})
    assert told["a"]["difference"] <= 1e-5 and told["a"]["temperature"] == 3.0
    session = onnxruntime.InferenceSession(files[told["a"]["file"]])
    for batch, samples in ((1, 4000), (5, 23_456)):
        heard, lengths = torch.randn(batch, samples) / 10, torch.full((batch,), samples)
        (got,) = session.run(None, {"heard": heard.numpy(), "lengths": lengths.numpy()})
        with torch.no_grad():
            due = (network(heard, lengths, "a") / 3.0).softmax(1)
        assert np.abs(got - due.numpy()).max() <= 1e-5
    with torch.no_grad():
        network.trunks["small"].stem.conv.weight.add_(0.1)  # the file is now of other weights
    with pytest.raises(EmosetError, match=r"the ONNX of head a differs by .* more than 1e-05\n.*without --onnx"):
        check_onnx(opened, "a", 3.0, files[told["a"]["file"]], some)


def test_what_has_no_onnx_says_so(emoset, trained, tmp_path):
    answer = emoset("share", f"{CORA}_svm", tmp_path / "x", "--onnx", "-d", trained)
    assert answer.code == 1 and "is of a svm, which has no ONNX here" in answer.err
    assert not (tmp_path / "x").exists()
    with pytest.raises(EmosetError, match="hears waveforms by a speech encoder, which has no ONNX here"):
        Exportable(torch.nn.Linear(1, 1), "a")


# ---------------- a stranger's folder


class Harm:
    """Unpickled, it makes a file."""

    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return (os.mkdir, (str(self.proof),))


@pytest.mark.parametrize("how", ["pickle", "torch"])
def test_a_pickle_is_not_read(copied, tmp_path, how):
    folder, proof = copied(), tmp_path / "proof"
    weights = folder / "model.safetensors"
    weights.write_bytes(pickle.dumps(Harm(proof))) if how == "pickle" else torch.save({"x": Harm(proof)}, weights)
    signed(folder)
    with pytest.raises(EmosetError, match=r"model.safetensors is damaged: it is a pickle, .*\n.*get the folder again"):
        open_shared(folder)
    assert not proof.exists()


def test_yaml_tags_do_nothing(copied, tmp_path):
    """Neither beside emoset.json, where no YAML is read, nor in a folder that looks like a finished run."""
    folder, proof = copied(), tmp_path / "proof"
    text = f"!!python/object/apply:os.mkdir ['{proof}']"
    (folder / "config.yaml").write_text(text, "utf-8")
    assert open_shared(folder).labels(CORA)
    (folder / "emoset.json").unlink()
    (folder / "done.json").write_text(json.dumps({"config.yaml": digest(text.encode())}), "utf-8")
    with pytest.raises(EmosetError, match=r"config.yaml holds no settings of a run"):
        runs.find_run(tmp_path, str(folder))
    assert not proof.exists()


@pytest.mark.parametrize(
    "name", ["../cnn2/model.safetensors", "{tmp}/model.safetensors", "..", "a/../b", ".hidden", "C:\\x"]
)
def test_file_names_stay_in_the_folder(copied, tmp_path, name):
    folder = copied()
    shutil.copyfile(folder / "model.safetensors", tmp_path / "model.safetensors")
    name = name.replace("{tmp}", str(tmp_path))
    changed(folder, "model.json", lambda facts: facts["folds"]["1"].update(best=name))
    with pytest.raises(EmosetError, match=r"model.json names the file .*, which is not one of its folder\n.*get the"):
        open_shared(folder)
    folder = copied("svm")
    changed(folder, "emoset.json", lambda facts: facts["files"].update({name: "00"}))
    with pytest.raises(EmosetError, match=r"names the file .*, which is not one of its folder"):
        runs.find_run(tmp_path, str(folder))


def test_links_are_not_followed(copied, tmp_path):
    folder = copied()
    (folder / "model.safetensors").rename(tmp_path / "elsewhere")
    (folder / "model.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EmosetError, match=r"model.safetensors is a link, .*\n.*cp -rL"):
        open_shared(folder)


@pytest.mark.parametrize(
    ("start", "problem"),
    [
        (struct.pack("<Q", 2**40), "it is no whole safetensors file"),
        (struct.pack("<Q", 2**62) + b"{", "it is no whole safetensors file"),
        (struct.pack("<Q", 99) + b"{", "it is no whole safetensors file"),
        (b"", "it is no whole safetensors file"),
    ],
)
def test_a_huge_header_takes_no_memory(copied, start, problem):
    folder = copied()
    (folder / "model.safetensors").write_bytes(start)
    signed(folder)
    with pytest.raises(EmosetError, match=rf"model.safetensors is damaged: {problem}.*\n.*get the folder again"):
        open_shared(folder)


def rewritten(folder, change):
    """Change the tensors of a shared model."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    signed(folder)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: t.update({STEM: torch.zeros(4, 1, 5, 5)}), r"the shape \(4, 1, 5, 5\), not"),
        (lambda t: t[STEM].fill_(float("nan")), "numbers that are none"),
        (lambda t: t[STEM].fill_(float("inf")), "numbers that are none"),
        (lambda t: t.pop(STEM), "trunks.cnn.stem.conv.weight is missing"),
        (lambda t: t.update(more=torch.zeros(1)), "more is no part of this network"),
        (lambda t: t.update({STEM: t[STEM].double()}), "float64"),
    ],
)  # fmt: skip
def test_weights_must_fit(copied, change, problem):
    folder = copied()
    rewritten(folder, change)
    with pytest.raises(EmosetError, match=rf"model.safetensors is damaged: .*{problem}.*\n.*get the folder again"):
        open_shared(folder)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda m: m.pop("heads"), "it does not tell 'heads'"),
        (lambda m: m.update(heads={"a": ["x", "x"]}), "'heads' is not as"),
        (lambda m: m.update(model="../os"), "there is no model"),
        (lambda m: m["network"].update(filters="4"), "'filters' of 'network' is '4'"),
        (lambda m: m["network"].update(filters=10**9), "'filters' of 'network'"),
        (lambda m: m["network"].update(labels={}), "no option 'labels'"),
        (lambda m: m["network"].update(filters=60_000), "far larger than its weights"),
        (lambda m: m["network"].update(blocks=-3), "the network has -3 blocks"),
        (lambda m: m["front"].update(mels=60_000, win=60_000), "far larger than its weights"),
        (lambda m: m["front"].update(floor_db=5), "floor"),
        (lambda m: m.update(feature="../x"), "'feature' is not as"),
        (lambda m: m.update(window_s=1e300), "'window_s' is not as"),
        (lambda m: m.update(folds={"1": {}}), "'folds' is not as"),
        (lambda m: m.update(model="embedding", network={"finetune": "/etc"}), "'finetune' names '/etc'"),
        (lambda m: m.update(model="embedding", network={"finetune": "encoder"}), "no encoder lies in"),
    ],
)
def test_the_description_of_the_network_is_checked(copied, change, problem):
    folder = copied()
    changed(folder, "model.json", change)
    with pytest.raises(EmosetError, match=rf"model.json is damaged: .*{problem}.*\n.*get the folder again"):
        open_shared(folder)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"{", "is not valid JSON"), (b"\xff\xfe", "is not valid JSON"), (b'{"a": NaN}', "NaN is no number"),
        (b"[1]", "it holds no table"), (b'{"a":' * 100_000, "nested too deeply|not valid JSON"),
        (b"{}", "its 'format' is None"), (b'{"format": "emoset model", "version": 9}', "is of version 9"),
        (b" " * (2**24 + 1), "has 16,777,217 bytes"),
        (b'{"format": "emoset model", "version": 1}', "is no text"),
    ],
)  # fmt: skip
def test_the_mark_is_checked(copied, raw, problem):
    folder = copied()
    (folder / "emoset.json").write_bytes(raw)
    with pytest.raises(EmosetError, match=rf"emoset.json .*({problem})"):
        runs.find_run(folder, str(folder))


@pytest.mark.parametrize("name", ["corpora", "labels", "model", "label_space", "partition"])
def test_settings_that_others_rely_on_are_there(copied, name):
    folder = copied()
    changed(folder, "emoset.json", lambda facts: facts["config"].pop(name))
    with pytest.raises(EmosetError, match=rf"emoset.json is damaged: '{name}'"):
        runs.find_run(folder, str(folder))


def test_a_changed_or_missing_file_is_noticed(copied):
    folder = copied()
    with (folder / "model.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(EmosetError, match=r"model.safetensors is not the file that was shared"):
        open_shared(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(EmosetError, match=r"model.safetensors is missing\n.*get the folder again"):
        open_shared(folder)


@pytest.mark.parametrize(
    ("name", "array", "value"),
    [
        ("svm", "1/model.coef", np.zeros((2, 2))), ("svm", "1/mean", np.full((1, 88), np.nan)),
        ("forest", "1/model.left", None), ("forest", "1/model.feature", np.full(1, 10**6)),
    ],
)  # fmt: skip
def test_the_arrays_of_a_baseline_are_checked(emoset, copied, recordings, tmp_path, name, array, value):
    """A tree whose branches lead back to its root would be walked for ever."""
    from safetensors.numpy import load_file, save_file

    folder = copied(name)
    arrays = load_file(folder / "model.safetensors")
    arrays[array] = np.zeros_like(arrays[array]) if value is None else value
    save_file(arrays, folder / "model.safetensors")
    signed(folder)
    answer = emoset("predict", folder, next(recordings[CORA].rglob("*.wav")), "-d", tmp_path)
    assert (answer.code, answer.out) == (1, "")
    assert "model.safetensors is damaged" in answer.err and "get the folder again" in answer.err


# ---------------- the hub


class Hub:
    """What the hub's client is asked for."""

    def __init__(self):
        self.asked = {}

    def create_repo(self, name, private, exist_ok):
        self.asked |= {"name": name, "private": private}
        return f"https://hub/{name}"

    def upload_folder(self, repo_id, folder_path, allow_patterns, commit_message):
        self.asked |= {"to": repo_id, "files": {*allow_patterns}}


def test_only_the_listed_files_are_uploaded(copied, monkeypatch):
    folder, hub = copied(), Hub()
    (folder / "private-notes.txt").write_text("not for you", "utf-8")
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: hub)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_x")
    assert push.push(folder, "ada/cnn", private=True) == "https://hub/ada/cnn"
    listed = {*json.loads((folder / "emoset.json").read_text("utf-8"))["files"], "emoset.json"}
    assert hub.asked == {"name": "ada/cnn", "private": True, "to": "ada/cnn", "files": listed}


def test_without_token_or_network_the_folder_stays(emoset, trained, tmp_path, monkeypatch):
    words = ["share", f"{CORA}_svm", tmp_path / "x", "-d", trained, "-q", "--force", "--push", "ada/svm"]
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    answer = emoset(*words)
    assert answer.code == 1 and "no token of the hub is here" in answer.err and "hf auth login" in answer.err
    assert (tmp_path / "x" / "emoset.json").is_file()
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_x")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    answer = emoset(*words)
    assert answer.code == 1 and "the hub cannot be reached" in answer.err and "hf upload ada/svm" in answer.err


@pytest.mark.parametrize("name", ["cnn", "a/b/c", "a b/c", "--x/y"])
def test_the_name_on_the_hub_is_checked_first(emoset, trained, tmp_path, name):
    answer = emoset("share", f"{CORA}_svm", tmp_path / "x", "-d", trained, f"--push={name}")
    assert answer.code == 1 and "names no repository of the hub" in answer.err and not (tmp_path / "x").exists()
