"""DeepSpectrum: matplotlib's colours, torchvision's numbers, weights from anywhere, errors that say what to do."""

import json
import shutil
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.models.feature_extraction import get_graph_node_names
from torchvision.transforms.functional import normalize

from emoset_cli import feature_store, features
from emoset_cli.errors import EmosetError
from emoset_cli.features import deepspectrum
from emoset_cli.features.spectrogram import MEL, magma, painter
from emoset_cli.models import hardware, imagenet
from emoset_cli.models.layers.logmel import LogMel
from emoset_cli.prepare import read_utterances
from emoset_cli.store import AudioStore

NET = "squeezenet1_1"
NAME = f"deepspectrum-{NET}"
CORA = "demo-cora"
RATE = 16000


def random_network(name: str, seed: int = 0, **options: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return get_model(name, weights=None, **options).eval()


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return random_network(NET)


@pytest.fixture(scope="module")
def weights(network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from safetensors.torch import save_file

    file = tmp_path_factory.mktemp("weights") / f"{NET}.safetensors"
    save_file(network.state_dict(), file)
    return file


@pytest.fixture
def work(small: Path, tmp_path: Path) -> Path:
    """A workspace with the 18 utterances of demo-cora prepared, to write to."""
    shutil.copytree(small / "w" / "corpora", tmp_path / "w" / "corpora")
    return tmp_path / "w"


def tone(hertz: float, seconds: float = 0.5, amplitude: float = 0.3) -> np.ndarray:
    time = np.arange(int(seconds * RATE)) / RATE
    return np.round(32767 * amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def noise(seed: int, seconds: float) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3000, int(seconds * RATE)).astype(np.int16)


def picture_by_matplotlib(waveform: np.ndarray) -> Tensor:
    """The same picture from other parts: dB of the spectrogram, matplotlib's colours, torchvision's resizing."""
    from torchvision.transforms.v2.functional import resize

    decibels, _ = LogMel(**MEL).decibels(torch.from_numpy(waveform)[None], torch.tensor([len(waveform)]))
    colours = matplotlib.colormaps["magma"]((decibels[0].numpy()[::-1] + np.float32(80)) / np.float32(80), bytes=True)
    return resize(torch.from_numpy(colours[..., :3].copy()).permute(2, 0, 1), [224, 224], antialias=True)


# The picture


def test_magma_is_matplotlibs() -> None:
    official = matplotlib.colormaps["magma"]
    edges = np.arange(257, dtype=np.float32) / 256
    around = np.concatenate([edges, np.nextafter(edges[1:], 0), np.nextafter(edges[:-1], 1)]).astype(np.float32)
    values = np.concatenate([around, np.random.default_rng(0).random(10_000, dtype=np.float32)])
    assert np.array_equal(magma(values), official(values, bytes=True)[:, :3])
    table = magma(np.arange(256) / 256)
    assert len({tuple(row) for row in table.tolist()}) == 256
    assert np.array_equal(table, official(np.arange(256), bytes=True)[:, :3])


def test_a_picture_has_time_from_left_to_right_and_low_frequencies_at_the_bottom() -> None:
    paint = painter()
    low_then_high = np.concatenate([tone(300), tone(6000)])
    picture = paint(low_then_high)
    assert picture.shape == (3, 224, 224) and picture.dtype == torch.uint8
    brightness = picture.float().mean(0)
    left, right = brightness[:, 20:92].mean(1), brightness[:, 132:204].mean(1)  # by row
    assert left.argmax() > 180 and right.argmax() < 40
    silent_half = paint(np.concatenate([tone(300), np.zeros(8000, np.int16)])).float().mean(0)
    assert silent_half[:, 20:92].max() > 100 and silent_half[:, 132:].max() < 5


def test_a_picture_is_that_of_matplotlib() -> None:
    for waveform in (noise(1, 0.3), noise(2, 3.1), np.concatenate([tone(200, 1.0), noise(3, 0.05)])):
        assert torch.equal(painter()(waveform), picture_by_matplotlib(waveform))


def test_silence_and_a_few_samples_have_a_picture() -> None:
    black = torch.tensor([0, 0, 3], dtype=torch.uint8)[:, None, None].expand(3, 224, 224)
    assert torch.equal(painter()(np.zeros(3000, np.int16)), black)
    assert painter()(np.array([5], np.int16)).shape == (3, 224, 224)


def test_loudness_does_not_matter() -> None:
    soft = tone(500, amplitude=0.25)
    assert (painter()(soft).int() - painter()(2 * soft).int()).abs().max() <= 1


# The network


def reference(network: nn.Module, waveforms: list[np.ndarray]) -> np.ndarray:
    """Plain torchvision: pictures, its transforms' mean and sd, the network's own forward up to its classifier."""
    pictures = torch.stack([picture_by_matplotlib(waveform) for waveform in waveforms]).float() / 255
    with torch.no_grad():
        maps = network.features(normalize(pictures, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))  # type: ignore
    result: np.ndarray = maps.mean((2, 3)).numpy()
    return result


def extractor(weights: Path, **options: Any) -> Callable[[list[np.ndarray]], np.ndarray]:
    recipe = features.recipe("deepspectrum", {"model": NET, "weights": str(weights), "precision": "fp32", **options}, 1)
    names, extract = features.build(recipe.settings["feature"], **recipe.means)
    assert names == [f"neuron_{number}" for number in range(len(names))]
    result: Callable[[list[np.ndarray]], np.ndarray] = extract
    return result


def test_features_are_those_of_a_plain_forward(network: nn.Module, weights: Path) -> None:
    waveforms = [noise(1, 0.4), tone(440), noise(2, 1.7)]
    values = extractor(weights)(waveforms)
    assert values.dtype == np.float32 and values.shape == (3, 512)
    np.testing.assert_allclose(values, reference(network, waveforms), rtol=1e-4, atol=1e-5)


def test_features_do_not_depend_on_the_batch(weights: Path) -> None:
    extract = extractor(weights)
    waveforms = [noise(seed, 0.2 + 0.3 * seed) for seed in range(5)]
    together = extract(waveforms)
    alone = np.concatenate([extract([waveform]) for waveform in waveforms])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-6)


def test_bfloat16_is_near(weights: Path) -> None:
    waveforms = [noise(1, 0.4), tone(440)]
    exact, rough = (extractor(weights, precision=word)(waveforms) for word in ("fp32", "bf16"))
    assert 0 < np.abs(exact - rough).max() < 0.05 * np.abs(exact).max()


def test_a_layer_is_taken_before_the_relu_behind_it(network: nn.Module, weights: Path) -> None:
    read = imagenet.read_weights(NET, str(weights))
    picture = torch.randint(0, 255, (2, 3, 224, 224), dtype=torch.uint8)
    before, after = (imagenet.Activations(NET, layer, read)(picture) for layer in ("features.0", "features.1"))
    assert before.shape == after.shape == (2, 64) and (before < 0).any() and (after >= 0).all()


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "resnet18"])
def test_the_usual_layer_is_what_the_last_linear_layer_reads(name: str) -> None:
    whole = random_network(name)
    last = [module for module in whole.modules() if isinstance(module, nn.Linear)][-1]
    known = imagenet.Weights(whole.state_dict(), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    seen = imagenet.Activations(name, imagenet.default_layer(name), known)
    pictures = torch.randint(0, 255, (2, 3, 224, 224), dtype=torch.uint8)
    with torch.no_grad():
        expected = whole(normalize(pictures.float() / 255, known.mean, known.sd))
        torch.testing.assert_close(last(seen(pictures).clone()), expected, rtol=1e-3, atol=1e-4)


def test_vggs_usual_layer_is_fc2_with_its_relu() -> None:
    vgg = imagenet.build("vgg16")
    assert imagenet.default_layer("vgg16") == "classifier.4"
    assert isinstance(vgg.get_submodule("classifier.4"), nn.ReLU)
    fc2 = vgg.get_submodule("classifier.3")
    assert isinstance(fc2, nn.Linear) and fc2.out_features == 4096


def test_every_network_has_a_usual_layer_that_exists() -> None:
    assert all(imagenet.default_layer(name) for name in imagenet.networks())
    for family, layer in imagenet.LAYERS.items():
        if family == "maxvit":  # takes 2 s
            continue
        name = min((name for name in imagenet.networks() if name.startswith(family)), key=len)
        nodes = get_graph_node_names(imagenet.build(name), suppress_diff_warning=True)[1]
        assert any(f"{node}.".startswith(f"{layer}.") for node in nodes), (family, nodes[-5:])


# Weights


def test_equal_weights_have_one_digest_whatever_their_file(network: nn.Module, weights: Path, tmp_path: Path) -> None:
    torch.save(network.state_dict(), tmp_path / "same.pth")
    known = imagenet.read_weights(NET, str(weights)).digest
    assert imagenet.read_weights(NET, str(tmp_path / "same.pth")).digest == known
    other = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    other["features.0.weight"][0, 0, 0, 0] += 1e-6
    torch.save(other, tmp_path / "other.pth")
    assert imagenet.read_weights(NET, str(tmp_path / "other.pth")).digest != known


def test_weights_in_torchvisions_cache_are_found(
    network: nn.Module, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(network.state_dict(), tmp_path / "hub" / "checkpoints" / "squeezenet1_1-b8a52dc0.pth")
    known = imagenet.read_weights(NET, str(weights)).digest
    for name in ("", "DEFAULT", "IMAGENET1K_V1", "SqueezeNet1_1_Weights.IMAGENET1K_V1"):
        assert imagenet.read_weights(NET, name).digest == known


def test_weights_are_fetched_and_kept(network: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(url: str, file: str, promised: str, progress: bool) -> None:
        asked.append((url, promised))
        torch.save(network.state_dict(), file)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert imagenet.read_weights(NET).digest == imagenet.read_weights(NET).digest
    assert asked == [("https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth", "b8a52dc0")]


def test_old_densenet_names_and_files_without_counters_are_understood(tmp_path: Path) -> None:
    new = random_network("densenet121").state_dict()
    old = {
        name.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): tensor
        for name, tensor in new.items()
        if "num_batches" not in name
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "densenet121.pth")
    read = imagenet.read_weights("densenet121", str(tmp_path / "densenet121.pth")).tensors
    assert all(torch.equal(read[name], tensor) for name, tensor in new.items())


# Through the command line


def extract(emoset: Callable[..., Any], work: Path, weights: Path, *options: object) -> Any:
    common = ["--workers", 1, "--device", "cpu", "-d", work, "--json"]
    return emoset("extract", "deepspectrum", "--model", NET, "--weights", weights, *options, *common)


def rows(work: Path, name: str = NAME) -> np.ndarray:
    return feature_store.load(work, name, CORA, read_utterances(work, CORA))[1]


def test_extract_then_train(
    emoset: Callable[..., Any], work: Path, network: nn.Module, weights: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(weights, tmp_path / "mine.safetensors"))
    result = extract(emoset, work, copy, "--precision", "fp32")
    assert (result.code, result.err) == (0, f"note: {NET} in fp32, as asked; on cpu, one process\n")
    (row,) = result.json()
    assert (row["feature"], row["features"], row["utterances"], row["without_features"]) == (NAME, 512, 18, 0)
    folder = Path(row["folder"])
    assert folder.parent == work / "features" and folder.name.startswith(f"{NAME}_")
    made = json.loads((folder / f"{CORA}.json").read_text("utf-8"))["settings"]
    assert made["options"] == {"model": NET, "layer": "features", "precision": "fp32"}
    assert made["weights"] == imagenet.read_weights(NET, str(weights)).digest
    assert made["picture"]["mel"]["mels"] == 128 and made["mean"] == [0.485, 0.456, 0.406]

    table = read_utterances(work, CORA)
    store = AudioStore(work / "corpora" / CORA / "audio")
    waveforms = [store.samples(row.shard, row.offset, row.samples) for row in table.head(3).itertuples()]
    np.testing.assert_allclose(rows(work)[:3], reference(network, waveforms), rtol=1e-4, atol=1e-5)

    copy.unlink()  # training needs no weights
    folders = set()
    for name in ("deepspectrum", NAME, folder.name):
        (run,) = emoset("train", "svm", "-f", name, "--workers", 1, "-d", work, "--json").json()
        folders.add(run["folder"])
    assert len(folders) == 1 and f"svm-{NAME}_" in run["run"]
    result = emoset("evaluate", "-d", work, "--json")
    assert result.code == 0 and result.json()["scores"][0]["feature"] == NAME


def test_equal_settings_are_extracted_once(
    emoset: Callable[..., Any], work: Path, network: nn.Module, weights: Path, tmp_path: Path
) -> None:
    first = extract(emoset, work, weights).json()[0]
    before = {path: path.stat().st_mtime_ns for path in Path(first["folder"]).iterdir()}
    torch.save(network.state_dict(), tmp_path / "same.pth")
    again = extract(emoset, work, tmp_path / "same.pth", "--layer", "features")
    assert again.json()[0]["folder"] == first["folder"]
    named = emoset("extract", NAME, CORA, "--weights", weights, "--workers", 1, "-d", work, "--json")
    assert named.json()[0]["folder"] == first["folder"]
    assert {path: path.stat().st_mtime_ns for path in Path(first["folder"]).iterdir()} == before


def test_several_settings_are_told_apart(emoset: Callable[..., Any], work: Path, weights: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    other = tmp_path / "other.safetensors"
    save_file(random_network(NET, seed=1).state_dict(), other)
    one, two = (
        Path(extract(emoset, work, file, "--precision", "fp32").json()[0]["folder"]) for file in (weights, other)
    )
    assert one != two
    train = ["train", "svm", "--workers", 1, "-d", work, "-q"]
    for name in ("deepspectrum", NAME):
        refused = emoset(*train, "-f", name)
        assert (refused.code, refused.out) == (1, "")
        assert f"error: {name} was extracted with several settings: " in refused.err
        for folder, file in ((one, weights), (two, other)):
            assert f"{folder.name} (weights {imagenet.read_weights(NET, str(file)).digest})" in refused.err
        assert f"mend: choose: --feature {min(one.name, two.name)}\n" in refused.err
    assert emoset(*train, "-f", two.name).code == 0
    assert not np.allclose(rows(work, one.name), rows(work, two.name))
    third = extract(emoset, work, weights, "--layer", "features.3", "--precision", "fp32").json()[0]
    assert third["feature"] == f"{NAME}-features.3" and third["features"] == 128
    assert emoset(*train, "-f", f"{NAME}-features.3").code == 0


def test_a_stopped_extraction_goes_on(work: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_store, "_PER_JOB", 4)
    monkeypatch.setattr(feature_store, "_built", {})
    recipe = features.recipe("deepspectrum", {"model": NET, "weights": str(weights), "precision": "fp32"}, 1)
    table = read_utterances(work, CORA)
    forward, batches = imagenet.Activations.forward, []

    def stop_at_third(self: imagenet.Activations, images: Tensor) -> Tensor:
        if len(batches) == 2:
            raise KeyboardInterrupt
        batches.append(len(images))
        return forward(self, images)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(imagenet.Activations, "forward", stop_at_third)
        feature_store.extract(work, recipe, CORA, table, workers=1)
    parts = feature_store.feature_folder(work, recipe) / f"{CORA}.parts"
    assert len(list(parts.glob("*.npz"))) == 2
    with pytest.raises(EmosetError, match="no deepspectrum features were extracted here"):
        rows(work, "deepspectrum")
    monkeypatch.setattr(
        imagenet.Activations, "forward", lambda self, images: (batches.append(len(images)), forward(self, images))[1]
    )
    assert feature_store.extract(work, recipe, CORA, table, workers=1) == []
    assert batches == [4, 4, 4, 4, 2] and not parts.exists()
    resumed = rows(work)
    feature_store.extract(work, recipe, CORA, table, workers=1, force=True)
    assert np.array_equal(rows(work), resumed)


@pytest.mark.slow
def test_processes_make_no_difference(emoset: Callable[..., Any], work: Path, weights: Path, monkeypatch: Any) -> None:
    extract(emoset, work, weights, "--precision", "fp32")
    one = rows(work)
    recipe = features.recipe("deepspectrum", {"model": NET, "weights": str(weights), "precision": "fp32"}, 2)
    assert recipe.workers == 2 and recipe.means["threads"] == 1
    feature_store.extract(work, recipe, CORA, read_utterances(work, CORA), recipe.workers, force=True)
    np.testing.assert_allclose(rows(work), one, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("cores", "workers", "expected"), [(2, 0, (2, 1)), (64, 0, (8, 8)), (64, 1, (1, 1)), (4, 3, (3, 1))]
)
def test_processes_times_threads_never_exceed_the_cores(
    weights: Path, monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, expected: tuple[int, int]
) -> None:
    monkeypatch.setattr(deepspectrum, "cores", lambda: cores)
    recipe = features.recipe("deepspectrum", {"model": NET, "weights": str(weights)}, workers)
    assert (recipe.workers, recipe.means["threads"]) == expected


# What a user may do wrong


def wrong(emoset: Callable[..., Any], work: Path, words: list[object], problem: str, mend: str) -> None:
    for form in ([], ["--json"]):
        result = emoset(*words, "-d", work, *form)
        assert (result.code, result.out) == (1, "")
        first, second = result.err.splitlines()
        assert first.startswith("error: ") and problem in first, result.err
        assert second.startswith("  mend: ") and mend in second, result.err


MISTAKES = {
    "network": (["--model", "squeezenet1-1"], "unknown network 'squeezenet1-1'", "did you mean 'squeezenet1_1'?"),
    "network in name": (["vgg_16"], "unknown network 'vgg_16'", "did you mean 'vgg16'?"),
    "layer": (["--layer", "feature.3"], f"unknown layer of {NET} 'feature.3'", "'features.3'? known: classifier.0"),
    "weights": (["--weights", "IMAGENET"], f"unknown weights of {NET} 'IMAGENET'", "known: DEFAULT, IMAGENET1K_V1, a"),
    "no file": (["--weights", "no/such.pth"], "there is no weights file no/such.pth", "check the path given as --weig"),
    "precision": (["--precision", "fp8"], "unknown precision 'fp8'", "known: auto, bf16, fp32"),
    "device": (["--device", "gpu"], "unknown device 'gpu'", "known: auto, cpu, cuda"),
    "cuda": (["--device", "cuda"], "no CUDA device is usable here", "--device cpu"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_mistakes_in_options(
    emoset: Callable[..., Any], work: Path, weights: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    given, problem, mend = MISTAKES[what]
    words: list[object] = ["extract", "deepspectrum", CORA, "--model", NET, "--weights", weights, *given]
    if not given[0].startswith("-"):
        words = ["extract", f"deepspectrum-{given[0]}"]
    wrong(emoset, work, words, problem, mend)
    assert not (work / "features").exists()


def test_options_of_deepspectrum_are_not_for_opensmile(emoset: Callable[..., Any], work: Path) -> None:
    for option in ("model", "layer", "weights", "precision", "device"):
        words: list[object] = ["extract", "egemaps", f"--{option}", "x"]
        wrong(emoset, work, words, f"egemaps-v02 takes no --{option}", "leave it out: it is for deepspectrum")
    words = ["extract", NAME, "--model", "vgg16"]
    wrong(emoset, work, words, f"{NAME} is not vgg16", "name network and layer once")


def test_no_weights_and_no_internet(
    emoset: Callable[..., Any], work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: Any) -> None:
        raise urllib.error.URLError("Temporary failure in name resolution")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    file = tmp_path / "hub" / "checkpoints" / "vgg16-397923af.pth"
    problem = f"the weights IMAGENET1K_V1 of vgg16 are not in {file} and cannot be fetched from https://"
    mend = "put vgg16-397923af.pth there, or give a file by --weights FILE (.safetensors or .pth)"
    wrong(emoset, work, ["extract", "deepspectrum"], problem, mend)


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def test_files_that_are_no_weights_of_the_network(
    emoset: Callable[..., Any], work: Path, weights: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    def refused(file: Path, problem: str, mend: str) -> None:
        words: list[object] = ["extract", "deepspectrum", "--model", NET, "--weights", file]
        wrong(emoset, work, words, f"{file} {problem}", mend)

    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(weights.read_bytes()[:5000])
    refused(cut, "cannot be read as weights (", "give a .safetensors file, or a .pth file that holds a state dict")
    for name, content in (("empty.pth", b""), ("text.pth", b"hello"), ("empty.safetensors", b"")):
        (tmp_path / name).write_bytes(content)
        refused(tmp_path / name, "cannot be read as weights (", "give a .safetensors file")
    torch.save({"weights": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    refused(tmp_path / "trap.pth", "cannot be read as weights (", "holds a state dict and nothing else")
    assert not (tmp_path / "sprung").exists()
    torch.save({"epoch": 3, "state_dict": load_file(weights)}, tmp_path / "checkpoint.pth")
    refused(tmp_path / "checkpoint.pth", "holds no state dict", "save `model.state_dict()`")

    tensors = load_file(weights)
    changed = {name: tensor for name, tensor in tensors.items() if name != "features.0.bias"}
    changed["features.3.squeeze.weight"] = torch.zeros(2, 3)
    changed["head.weight"] = torch.zeros(1)
    save_file(changed, tmp_path / "wrong.safetensors")
    facts = ("1 tensors are missing, first features.0.bias; 1 are not of this network, first head.weight; "
             "1 have another shape, first features.3.squeeze.weight: (2, 3) instead of (16, 64, 1, 1)")  # fmt: skip
    refused(tmp_path / "wrong.safetensors", f"does not fit {NET}: {facts}", "name the network it was made for")
    tensors["features.0.bias"][0] = torch.nan
    save_file(tensors, tmp_path / "nan.safetensors")
    words: list[object] = ["extract", "deepspectrum", "--model", NET, "--weights", tmp_path / "nan.safetensors"]
    wrong(emoset, work, words, f"layer features of {NET} answers values that are no numbers", "choose an earlier layer")


def test_training_on_what_was_not_extracted(
    emoset: Callable[..., Any], prepared: Path, weights: Path, tmp_path: Path
) -> None:
    work = Path(shutil.copytree(prepared, tmp_path / "w"))
    train: list[object] = ["train", "svm", "-t", "demo-aria", "-f"]
    for name in ("deepspectrum", NAME):
        problem = f"no {name} features were extracted here"
        wrong(emoset, work, [*train, name], problem, "emoset extract deepspectrum")
    table = read_utterances(work, CORA).head(4)
    recipe = features.recipe("deepspectrum", {"model": NET, "weights": str(weights), "precision": "fp32"}, 1)
    feature_store.extract(work, recipe, CORA, table, workers=1)
    full = feature_store.feature_folder(work, recipe).name
    mend = f"emoset extract deepspectrum demo-aria --model {NET} --layer features --precision fp32, with the --weights"
    wrong(emoset, work, [*train, "deepspectrum"], f"demo-aria has no {full} features", f"{mend} it had")
    wrong(emoset, work, [*train, "deepspectrum-squeezenet"], "unknown extracted feature", f"known: {full}")
    wrong(emoset, work, [*train, "deepspectrums"], "unknown feature 'deepspectrums'", "did you mean 'deepspectrum'?")
    newer = ["train", "svm", "-t", CORA, "-f", NAME]
    wrong(
        emoset, work, newer, f"utterances of {CORA} are newer than its {full} features", "emoset extract deepspectrum"
    )
    (work / "features" / full / f"{CORA}.json").write_text("{", "utf-8")
    wrong(emoset, work, newer, f"no {NAME} features were extracted here", "emoset extract deepspectrum")


def test_what_the_machine_has_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for amx, avx, expected, why in (
        (True, True, "bf16", "AMX"), (False, True, "bf16", "AVX512-bf16"), (False, False, "fp32", "no bfloat16 units"),
    ):  # fmt: skip
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: amx)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda avx=avx: avx)
        precision, reason = hardware.choose_precision("auto", "auto")
        assert precision == expected and why in reason
        assert hardware.choose_precision("fp32", "cpu")[0] == "fp32"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert hardware.choose_precision("auto", "auto") == ("fp32", "this GPU has no bfloat16 units")
    assert hardware.choose_device("auto") == "cuda" and hardware.choose_device("cpu") == "cpu"


def test_the_help_tells_the_default_network(emoset: Callable[..., Any]) -> None:
    from inspect import signature

    text = " ".join(emoset("extract", "--help").out.split())
    assert "vgg16 by default" in text
    assert set(signature(deepspectrum.plan).parameters) == {*deepspectrum.OPTIONS, "name", "workers", "progress"}
