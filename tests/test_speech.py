"""Speech encoders: transformers' numbers, whatever the batch; every file checked; nothing in a file is run."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from speech_models import TINY, extractor, network, save
from torch import Tensor

from emoset_cli.errors import EmosetError
from emoset_cli.models import hardware
from emoset_cli.models.layers.waves_front import WavesFront, own_frames
from emoset_cli.models.speech import SpeechEncoder
from emoset_cli.models.speech_load import MODEL_TYPES, read_encoder

LENGTHS = [9000, 16000, 14321, 15999, 250, 399]  # the last two are too short for all but Whisper's 320
WIDTH = 32


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("models")
    return {name: save(base / name, name) for name in TINY}


def noise(seed: int, samples: int) -> np.ndarray:
    """Coloured noise with an offset, int16."""
    white = np.random.default_rng(seed).normal(0, 2000, samples + 20)
    return (np.convolve(white, np.ones(21) / 4, "valid") + 300).astype(np.int16)


WAVES = [noise(seed, samples) for seed, samples in enumerate(LENGTHS)]


def batch_of(waves: list[np.ndarray], more: int = 0) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([len(wave) for wave in waves])
    batch = torch.zeros(len(waves), int(lengths.max()) + more, dtype=torch.int16)
    for row, wave in enumerate(waves):
        batch[row, : len(wave)] = torch.from_numpy(wave)
    return batch, lengths


@torch.inference_mode()
def computed(encoder: SpeechEncoder, waves: list[np.ndarray], more: int = 0) -> tuple[np.ndarray, np.ndarray]:
    hidden, frames = encoder(*batch_of(waves, more))
    return hidden.numpy(), frames.numpy()


@torch.inference_mode()
def by_transformers(name: str, wave: np.ndarray, normalise: bool = True) -> np.ndarray:
    """All states of one utterance, unpadded: ``(frames, layers + 1, width)``."""
    model_type = TINY[name][0]
    heard = extractor(model_type, normalise)(wave.astype(np.float32) / 32768, sampling_rate=16000, return_tensors="pt")
    heard = {key: value for key, value in heard.items() if key != "attention_mask" or model_type == "wav2vec2-bert"}
    model = network(name)
    out = (model.encoder if model_type == "whisper" else model)(**heard, output_hidden_states=True)
    states = list(out.hidden_states)
    if model_type != "sew":  # its last state is stretched and projected once more
        states[-1] = out.last_hidden_state
    return torch.stack(states, 2)[0].numpy()


def without_dropout(encoder: SpeechEncoder) -> None:
    for module in encoder.modules():
        for name in ("p", "dropout", "activation_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


# Numbers


@pytest.mark.parametrize("name", TINY)
def test_states_are_those_of_transformers(folders: dict[str, Path], name: str) -> None:
    encoder = SpeechEncoder(read_encoder(str(folders[name])), "all").eval()
    assert (encoder.width, encoder.layers, encoder.kept) == (WIDTH, 2, 3)
    for wave in WAVES[:3]:
        hidden, frames = computed(encoder, [wave])
        expected = by_transformers(name, wave)
        assert hidden.shape == (1, frames[0], 3, WIDTH) and hidden.dtype == np.float32
        assert frames[0] == encoder.frames_of(np.array([len(wave)]))[0]
        if TINY[name][0] == "whisper":  # frames of the filled-up second are left out
            assert frames[0] == len(wave) // 320
        elif TINY[name][0] == "wav2vec2-bert":  # transformers answers an odd last frame, but masks it
            assert len(expected) - frames[0] in {0, 1}
        else:
            assert frames[0] == len(expected)
        np.testing.assert_allclose(hidden[0], expected[: frames[0]], atol=1e-4)


@pytest.mark.parametrize("name", TINY)
def test_states_do_not_depend_on_the_batch(folders: dict[str, Path], name: str) -> None:
    encoder = SpeechEncoder(read_encoder(str(folders[name])), "all").eval()
    together, frames = computed(encoder, WAVES, more=1234)
    assert frames.tolist() == encoder.frames_of(np.array(LENGTHS)).tolist()
    assert np.isfinite(together).all()
    for row, wave in enumerate(WAVES):
        alone, own = computed(encoder, [wave])
        assert own[0] == frames[row] and (own[0] > 0) == (len(wave) >= (320 if name == "whisper" else 400))
        np.testing.assert_allclose(together[row, : own[0]], alone[0], atol=1e-4)
        assert (together[row, own[0] :] == 0).all()


@pytest.mark.parametrize("name", TINY)
def test_gradients_do_not_depend_on_the_batch_and_reach_everything(folders: dict[str, Path], name: str) -> None:
    encoder = SpeechEncoder(read_encoder(str(folders[name])), "mean").train()
    without_dropout(encoder)

    wanted = torch.randn(60, WIDTH, generator=torch.Generator().manual_seed(0))

    def gradients(parts: list[list[np.ndarray]]) -> dict[str, Tensor]:
        encoder.zero_grad()
        for waves in parts:
            hidden, _ = encoder(*batch_of(waves))
            (hidden * wanted[: hidden.shape[1]]).sum().backward()
        return {key: one.grad.clone() for key, one in encoder.named_parameters() if one.grad is not None}

    alone, together = gradients([[wave] for wave in WAVES[:2]]), gradients([WAVES[:2]])
    encoder.gradient_checkpointing()
    twice = gradients([WAVES[:2]])
    trainable = {key for key, one in encoder.named_parameters() if one.requires_grad}
    assert trainable == alone.keys() == together.keys() == twice.keys()
    for key, expected in alone.items():
        for other in (together[key], twice[key]):
            assert (other - expected).abs().max() <= 1e-4 * expected.abs().max() + 1e-5, key


def test_a_frozen_front_gets_no_gradient(folders: dict[str, Path]) -> None:
    for name, parts in (("wav2vec2", ["feature_extractor"]), ("whisper", ["conv1", "conv2"]), ("wav2vec2-bert", [])):
        encoder = SpeechEncoder(read_encoder(str(folders[name]))).train()
        encoder.freeze_front()
        encoder(*batch_of(WAVES[:1]))[0].sum().backward()
        still = {key.split(".")[1] for key, one in encoder.named_parameters() if one.grad is None}
        assert still - {"embed_positions"} == set(parts)


def test_lora_reaches_wavlms_attention(folders: dict[str, Path]) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    encoder = SpeechEncoder(read_encoder(str(folders["wavlm"])))
    before, _ = computed(encoder.eval(), WAVES[:1])
    inject_adapter_in_model(LoraConfig(r=2, target_modules=["q_proj", "v_proj"]), encoder.transformer)
    assert np.array_equal(computed(encoder.eval(), WAVES[:1])[0], before)
    encoder.train()(*batch_of(WAVES[:1]))[0].square().sum().backward()
    grads = {key: one.grad for key, one in encoder.named_parameters() if "lora_B" in key}
    assert len(grads) == 4 and all(grad is not None and grad.abs().max() > 0 for grad in grads.values())


def test_training_is_as_sure_as_computing_but_for_dropout(folders: dict[str, Path]) -> None:
    encoder = SpeechEncoder(read_encoder(str(folders["wav2vec2-conformer"])), "all").train()
    without_dropout(encoder)
    one = computed(encoder, WAVES[:3])[0]
    np.testing.assert_allclose(computed(encoder, WAVES[:3])[0], one)  # nothing masked, nothing left out
    np.testing.assert_allclose(computed(encoder.eval(), WAVES[:3])[0], one, atol=1e-6)  # batch norms keep still


@pytest.mark.parametrize("name", ["wav2vec2", "wav2vec2-large"])
def test_the_input_is_normalised_where_the_model_wants_it(tmp_path: Path, name: str) -> None:
    found = {}
    for normalise in (True, False):
        folder = save(tmp_path / str(normalise), name, normalise=normalise)
        read = read_encoder(str(folder))
        assert read.normalise is normalise and not read.note
        found[normalise] = computed(SpeechEncoder(read, "all").eval(), WAVES[:1])[0][0]
        np.testing.assert_allclose(found[normalise], by_transformers(name, WAVES[0], normalise), atol=1e-4)
    assert not np.allclose(found[True], found[False], atol=1e-3)
    shutil.move(tmp_path / "False" / "preprocessor_config.json", tmp_path / "gone.json")
    nested = {"feature_extractor": json.loads((tmp_path / "gone.json").read_text("utf-8"))}
    assert read_encoder(str(tmp_path / "False")).note.endswith("each utterance gets zero mean and unit variance")
    (tmp_path / "False" / "processor_config.json").write_text(json.dumps(nested), "utf-8")
    assert read_encoder(str(tmp_path / "False")).normalise is False


def test_layers(folders: dict[str, Path]) -> None:
    for name in ("wav2vec2", "wavlm-large", "whisper"):
        read = read_encoder(str(folders[name]))
        every = computed(SpeechEncoder(read, "all").eval(), WAVES[:2])[0]
        for layer, expected in (
            ("0", every[:, :, 0]), ("1", every[:, :, 1]), ("2", every[:, :, 2]), ("last", every[:, :, 2]),
            ("mean", every.mean(2)),
        ):  # fmt: skip
            encoder = SpeechEncoder(read, layer).eval()
            assert encoder.kept == 1
            np.testing.assert_allclose(computed(encoder, WAVES[:2])[0], expected, atol=1e-5)
    for layer in ("3", "-1", "first"):
        with pytest.raises(EmosetError, match=f"has no layer '{layer}'\n  mend: --layer last, mean, all or a num"):
            SpeechEncoder(read, layer)


def test_whisper_hears_long_utterances_in_pieces(folders: dict[str, Path]) -> None:
    encoder = SpeechEncoder(read_encoder(str(folders["whisper"])), "all").eval()  # a second at once
    long = noise(9, 40123)
    hidden, frames = computed(encoder, [WAVES[0], long])
    assert frames.tolist() == [28, 125] and encoder.heard(40123) == 48000
    for start in (0, 1, 2):
        expected = by_transformers("whisper", long[16000 * start : 16000 * (start + 1)])
        piece = hidden[1, 50 * start : 50 * (start + 1)][: 125 - 50 * start]
        np.testing.assert_allclose(piece, expected[: len(piece)], atol=1e-4)


@pytest.mark.parametrize("name", TINY)
def test_bfloat16_is_near(folders: dict[str, Path], name: str) -> None:
    read = read_encoder(str(folders[name]))
    exact, rough = (computed(SpeechEncoder(read).to_precision(word), WAVES)[0] for word in ("fp32", "bf16"))
    assert exact.dtype == rough.dtype == np.float32
    assert 0 < np.linalg.norm(rough - exact) < 0.03 * np.linalg.norm(exact)
    np.testing.assert_allclose(exact, computed(SpeechEncoder(read).eval(), WAVES)[0], atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4)), min_size=1, max_size=4),
    st.lists(st.integers(0, 400), min_size=1, max_size=3),
    st.booleans(),
)
@example([(1, 2), (5, 1)], [0], False)  # nothing is left for the last kernel
def test_the_front_is_a_stack_of_convolutions(shape: list[tuple[int, int]], lengths: list[int], bias: bool) -> None:
    class Layer(torch.nn.Module):
        def __init__(self, number: int, kernel: int, stride: int) -> None:
            super().__init__()
            self.conv = torch.nn.Conv1d(6 if number else 1, 6, kernel, stride, bias=bias)
            self.activation = torch.nn.GELU()

    class Encoder(torch.nn.Module):
        conv_layers = torch.nn.ModuleList(Layer(number, *one) for number, one in enumerate(shape))

    kernels, strides = (list(values) for values in zip(*shape, strict=True))
    waves = torch.zeros(len(lengths), max(max(lengths), 1))
    for row, length in enumerate(lengths):
        waves[row, :length] = torch.randn(length)
    with torch.no_grad():
        found = WavesFront(Encoder())(waves, torch.tensor(lengths))
        for row, frames in enumerate(own_frames(torch.tensor(lengths), kernels, strides).tolist()):
            if frames:
                expected = waves[row : row + 1, : lengths[row]]
                for layer in Encoder.conv_layers:
                    expected = layer.activation(layer.conv(expected[None] if expected.dim() == 2 else expected))
                assert expected.shape[2] == frames
                torch.testing.assert_close(found[row, :frames], expected[0].T, rtol=1e-4, atol=1e-5)


# Files


def test_equal_weights_have_one_digest_whatever_their_file(folders: dict[str, Path], tmp_path: Path) -> None:
    known = read_encoder(str(folders["wav2vec2"]))
    assert (known.name, known.short, known.model_type) == (str(folders["wav2vec2"]), "wav2vec2", "wav2vec2")
    model = network("wav2vec2")
    as_bin = tmp_path / "bin"
    as_bin.mkdir()
    shutil.copy(folders["wav2vec2"] / "config.json", as_bin)
    torch.save(model.state_dict(), as_bin / "pytorch_model.bin")
    assert read_encoder(str(as_bin)).digest == known.digest
    assert read_encoder(str(save(tmp_path / "seed", seed=1))).digest != known.digest
    config = json.loads((as_bin / "config.json").read_text("utf-8"))
    (as_bin / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}), "utf-8")
    assert read_encoder(str(as_bin)).digest != known.digest


def test_models_with_a_head_are_read_without_it(tmp_path: Path) -> None:
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC, WhisperConfig, WhisperForConditionalGeneration

    for name, kind, config in (
        ("wav2vec2", Wav2Vec2ForCTC, Wav2Vec2Config),
        ("whisper", WhisperForConditionalGeneration, WhisperConfig),
    ):
        model = kind(config(**TINY[name][1])).eval()
        inner = model.wav2vec2 if name == "wav2vec2" else model.model
        inner.load_state_dict(network(name).state_dict())
        model.save_pretrained(tmp_path / name)
        found = computed(SpeechEncoder(read_encoder(str(tmp_path / name)), "all").eval(), WAVES[:1])[0][0]
        np.testing.assert_allclose(found, by_transformers(name, WAVES[0])[: len(found)], atol=1e-4)


def test_a_name_of_the_hub_is_found_in_its_cache(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    kept = tmp_path / "models--lab--tiny-wavlm"
    (kept / "refs").mkdir(parents=True)
    (kept / "refs" / "main").write_text("0" * 40, "utf-8")
    shutil.copytree(folders["wavlm"], kept / "snapshots" / ("0" * 40))
    read = read_encoder("lab/tiny-wavlm")
    assert read.digest == read_encoder(str(folders["wavlm"])).digest and read.short == "tiny-wavlm"
    (kept / "snapshots" / ("0" * 40) / "model.safetensors").unlink()
    for name in ("lab/tiny-wavlm", "lab/other"):
        refused(
            name,
            f"{name} is no folder, and of the hub neither whole in its cache here nor to be fetched",
            f"on a machine with internet: hf download {name} --local-dir FOLDER; then give the folder as --model",
        )


def refused(name: Any, problem: str, mend: str) -> None:
    with pytest.raises(EmosetError) as caught:
        read_encoder(str(name))
    assert caught.value.problem.startswith(problem), caught.value
    assert caught.value.mend.startswith(mend), caught.value
    assert "\n" not in caught.value.problem + caught.value.mend


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)


def test_files_that_are_no_speech_encoder(folders: dict[str, Path], tmp_path: Path) -> None:
    refused("", "no speech encoder is named", "--model FOLDER, or a name of the hub")
    for name in ("no/such/folder", "./none", "bad name!"):
        refused(name, f"there is no folder '{name}'", "check the path given as --model")
    refused(tmp_path, f"the folder {tmp_path} has no config.json", "give the folder that `save_pretrained` wrote")
    config = tmp_path / "config.json"
    known = ", ".join(MODEL_TYPES)
    for text, problem, mend in (
        ("{", "config.json of ", "get the model again"),
        ("[]", "config.json of ", "get the model again"),
        ('{"model_type": "bert"}', f"{tmp_path} is a model of type 'bert', no speech enc", "name a model of one of: "),
        ("{}", f"{tmp_path} is of no model type, no speech encoder we know", f"name a model of one of: {known}"),
        ('{"model_type": "wav2vec2"}', f"{tmp_path} has no weights", f"put one of these into {tmp_path}: model.safe"),
    ):  # fmt: skip
        config.write_text(text, "utf-8")
        refused(tmp_path, problem, mend)
    (tmp_path / "model.safetensors").touch()
    config.write_text('{"model_type": "wav2vec2", "conv_dim": [3, 4]}', "utf-8")
    refused(tmp_path, f"config.json of {tmp_path} makes no wav2vec2 (", "get the model again")
    shutil.copytree(folders["wav2vec2"], tmp_path / "rate")
    (tmp_path / "rate" / "preprocessor_config.json").write_text('{"sampling_rate": 8000}', "utf-8")
    refused(tmp_path / "rate", f"{tmp_path / 'rate'} hears speech of 8000 Hz, the store has 16000", "name another mod")


def test_weights_that_are_damaged_or_do_not_fit(folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(folders["wav2vec2"], tmp_path / "m"))
    file = folder / "model.safetensors"
    whole = file.read_bytes()
    mend = "get the model again: *.safetensors, or a *.bin that holds tensors and nothing else"
    for raw in (b"", b"hello", whole[:5000]):
        file.write_bytes(raw)
        refused(folder, f"the weights of {folder} cannot be read (", mend)
    file.write_bytes(whole)
    tensors = load_file(file)
    key = "encoder.layers.1.attention.k_proj.bias"
    changed = {name: tensor for name, tensor in tensors.items() if name != key}
    changed["encoder.layers.0.attention.q_proj.weight"] = torch.zeros(2, 3)
    save_file(changed, file, {"format": "pt"})
    facts = (f"1 tensors are missing, first {key}; 1 have another shape, first "
             "encoder.layers.0.attention.q_proj.weight: (2, 3) instead of (32, 32)")  # fmt: skip
    refused(folder, f"the weights of {folder} do not fit its config.json: {facts}", "get the model again")
    config = json.loads((folder / "config.json").read_text("utf-8"))
    file.write_bytes(whole)
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}), "utf-8")
    refused(folder, f"the weights of {folder} do not fit its config.json: 16 tensors are missing", "get the model")
    file.unlink()
    torch.save({"encoder.layers.0": Trap(tmp_path / "sprung")}, folder / "pytorch_model.bin")
    refused(folder, f"the weights of {folder} cannot be read (", mend)
    assert not (tmp_path / "sprung").exists()


def test_code_of_a_repository_is_never_run(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["wav2vec2"], tmp_path / "m"))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    ours = {"AutoConfig": "mine.Mine", "AutoModel": "mine.Mine"}
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": ours}), "utf-8")
    (folder / "mine.py").write_text(f"from pathlib import Path\nPath({str(tmp_path / 'sprung')!r}).touch()\n", "utf-8")
    assert read_encoder(str(folder)).digest == read_encoder(str(folders["wav2vec2"])).digest
    assert not (tmp_path / "sprung").exists()


def test_the_docs_list_every_type() -> None:
    page = (Path(__file__).parents[1] / "docs" / "features.md").read_text("utf-8")
    table = page.partition("## Self-supervised speech")[2].partition("\n\n**Input")[0]
    assert sorted(re.findall(r"^\| `([a-z0-9-]+)` \|", table, re.MULTILINE)) == sorted(MODEL_TYPES)


def test_reading_says_nothing(folders: dict[str, Path], capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from transformers import Wav2Vec2Config, Wav2Vec2ForCTC
    from transformers.utils import logging

    Wav2Vec2ForCTC(Wav2Vec2Config(**TINY["wav2vec2"][1])).save_pretrained(tmp_path)
    before = logging.get_verbosity()
    capfd.readouterr()
    read_encoder(str(tmp_path))
    assert capfd.readouterr() == ("", "") and logging.get_verbosity() == before


def test_each_process_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    taken = []
    for number in range(1, 5):
        own = SimpleNamespace(name=f"LokyProcess-{number}")
        monkeypatch.setattr("multiprocessing.current_process", lambda own=own: own)
        taken.append(hardware.own_gpu("cuda"))
    assert taken == ["cuda:1", "cuda:0", "cuda:1", "cuda:0"] and hardware.own_gpu("cpu") == "cpu"
    monkeypatch.setattr("multiprocessing.current_process", lambda: SimpleNamespace(name="MainProcess"))
    assert hardware.own_gpu("cuda") == "cuda:0" and hardware.gpus("cuda") == 2 and hardware.gpus("cpu") == 0
