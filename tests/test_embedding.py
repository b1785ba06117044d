"""Emotion embeddings: the layers by hand, and training from filterbanks, stored frames and encoders on the way."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import speech_models
import torch

from emoset_cli import runs
from emoset_cli.errors import EmosetError
from emoset_cli.models import embedding, parts
from emoset_cli.models.layers.emotion import LastState, MeanState, emotion_model, positions
from emoset_cli.train.deep import checkpoint, device, sampling, use
from emoset_cli.train.deep.settings import Settings, settings_of

pytestmark = pytest.mark.usefixtures("one_thread")
ARIA, CORA = "demo-aria", "demo-cora"
LABELS = {"one": ["anger", "fear", "joy"], "two": ["calm", "sad"]}
SHORT = ["-e", 1, "-spe", 2, "-bs", 4, "--precision", "fp32", "--workers", 1, "-q"]


@pytest.fixture(scope="session")
def encoders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of tiny speech encoders."""
    folder = tmp_path_factory.mktemp("encoders")
    for name in ("wav2vec2", "wavlm", "whisper"):
        speech_models.save(folder / name, name)
    return folder


def train(emoset, workspace, *words, code=0):
    answer = emoset("train", "embedding", *words, "-d", workspace, "--json")
    assert answer.code == code, answer.err
    return answer.json() if code == 0 else answer.err


def weights(run, file="model.safetensors"):
    return checkpoint.load(Path(run["folder"]) / file)[0]


# ---------------------------------------------------------------- layers


@pytest.mark.parametrize("kind", [LastState, MeanState])
def test_an_embedding_depends_on_an_utterances_own_frames_only(kind):
    torch.manual_seed(0)
    model = kind(5, 16, 2, 0.0).eval()
    x = torch.randn(3, 9, 5)
    own = torch.tensor([4, 9, 1])
    together = model(x, own)
    for row, count in enumerate(own.tolist()):
        alone = model(x[row : row + 1, :count], own[row : row + 1])
        torch.testing.assert_close(together[row], alone[0], atol=1e-5, rtol=1e-5)


def test_the_last_state_is_that_of_a_plain_gru():
    model = LastState(5, 7, 1, 0.0)
    x = torch.randn(1, 6, 5)
    _, state = model.recurrent(x)
    torch.testing.assert_close(model(x, torch.tensor([6])), state[-1])


def test_positions_are_the_formula():
    found = positions(4, 6, torch.device("cpu"))
    for frame in range(4):
        for pair in range(3):
            angle = frame / 10_000 ** (2 * pair / 6)
            assert found[frame, 2 * pair] == pytest.approx(np.sin(angle), abs=1e-6)
            assert found[frame, 2 * pair + 1] == pytest.approx(np.cos(angle), abs=1e-6)


def test_emotion_models_refuse_what_makes_no_sense():
    with pytest.raises(EmosetError, match=r"Transformer of width 20 cannot have 8 heads"):
        emotion_model("transformer", 4, 20, 1, 0.0)
    with pytest.raises(EmosetError, match=r"unknown emotion model 'lstm'(.|\n)*gru, transformer"):
        emotion_model("lstm", 4, 20, 1, 0.0)
    with pytest.raises(EmosetError, match=r"--layers is 0"):
        emotion_model("gru", 4, 20, 0, 0.0)


def test_all_layers_are_weighed_evenly_at_first_and_the_weights_learn():
    frames = embedding.StoredFrames(4, 3)
    x = torch.randn(2, 5, 12).half()
    summed, own = frames(x, torch.tensor([5, 3]), "one")
    torch.testing.assert_close(summed, x.float().view(2, 5, 3, 4).mean(2), atol=1e-3, rtol=1e-3)
    summed.square().sum().backward()
    assert frames.importance.grad.abs().sum() > 0 and own.tolist() == [5, 3]
    assert embedding.StoredFrames(4, 1).importance is None


def test_a_batch_of_one_corpus_leaves_the_others_classifier_alone():
    model = embedding.build(LABELS, stored=(4, 1))
    model(torch.randn(2, 5, 4), torch.tensor([5, 2]), "one").sum().backward()
    touched = {
        name.split(".")[1] for name, weight in model.named_parameters() if weight.grad is not None and "heads" in name
    }
    assert touched == {"one"}
    assert parts.count(model)["head"] == {"one": 64 * 3 + 3, "two": 64 * 2 + 2}
    # 3 gates of 64 from 4 inputs and 64 states, with two biases each
    assert parts.count(model)["shared"] == 3 * 64 * (4 + 64 + 2)


@pytest.mark.parametrize("cell", ["gru", "transformer"])
def test_eight_utterances_can_be_learnt_by_heart(cell):
    torch.manual_seed(0)
    model = embedding.build({"one": ["a", "b"]}, cell=cell, stored=(4, 1))
    x, own = torch.randn(8, 12, 4), torch.randint(6, 13, (8,))
    truth = torch.tensor([0, 1] * 4)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(150):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x, own, "one"), truth).backward()
        optimizer.step()
    assert model.eval()(x, own, "one").argmax(1).tolist() == truth.tolist()


# ---------------------------------------------------------------- settings, order of batches


def test_usual_settings_are_the_papers():
    usual = settings_of("embedding", {})
    assert (usual.first_lr, usual.optimizer, usual.batch_size, usual.budget.max_epochs) == (1e-4, "adam", 1, 50)
    assert usual.sampling == "shuffled" and usual.repeat and not usual.balanced_weights
    assert settings_of("cnn", {}) == Settings()
    assert settings_of("embedding", {"first_lr": 0.1}).first_lr == 0.1


def test_shuffled_gives_every_batch_once_in_a_pass():
    order = sampling.turns({"a": 3, "b": 1}, "shuffled", 1.0, np.random.default_rng(0))
    passes = [sorted(next(order) for _ in range(4)) for _ in range(5)]
    assert passes == [["a", "a", "a", "b"]] * 5


# ---------------------------------------------------------------- the command


def test_corpora_are_trained_together_each_with_its_labels(emoset, workspace):
    (run,) = train(emoset, workspace, "-t", f"{ARIA},{CORA}", "-mt", "-e", 2, "-bs", 8, *SHORT[4:])
    folder = Path(run["folder"])
    config = runs.read_run(folder).config
    assert config["setting"] == "embedding all" and config["feature"] == "logmel"
    assert config["parameters"]["adapter"] == {} and set(config["parameters"]["head"]) == {ARIA, CORA}
    table = pd.read_csv(folder / "predictions.csv")
    assert set(table["corpus"]) == {ARIA, CORA}
    history = pd.read_csv(folder / "history.csv")
    assert history["lr"].tolist() == [1e-4, 1e-4]
    # smaller corpora are repeated: both give as many utterances an epoch, which the larger one has
    assert config["options"]["repeat"] is True


def test_stored_frames_are_read_and_a_run_can_be_used(emoset, workspace, encoders):
    assert emoset("extract", "wav2vec2", CORA, "--model", encoders / "wav2vec2", "--pool", "frames", "--layer", "all",
                  "-d", workspace, "-q", "--workers", 1).code == 0  # fmt: skip
    (run,) = train(emoset, workspace, "-t", CORA, "-f", "wav2vec2", *SHORT)
    made = json.loads((Path(run["folder"]) / "model.json").read_text())
    assert made["network"]["stored"] == [32, 3] and made["feature"].startswith("wav2vec2-wav2vec2-layerall-frames_")
    reproduced(workspace, run)
    wrong = emoset("train", "cnn", "-t", CORA, "-f", "wav2vec2", "-d", workspace)
    assert wrong.code == 1 and "cnn hears waveforms, it has no --feature" in wrong.err
    assert "so mels has no use" in train(emoset, workspace, "-t", CORA, "-f", "wav2vec2", "-nm", 16, code=1)
    missing = train(emoset, workspace, "-t", ARIA, "-f", "wav2vec2", code=1)
    assert f"{ARIA} has no wav2vec2-wav2vec2-layerall-frames" in missing


def reproduced(workspace, run):
    """The network of a run, opened again, predicts what its training wrote."""
    network = use.open_network(runs.read_run(Path(run["folder"])), device="cpu")
    table = pd.read_csv(Path(run["folder"]) / "predictions.csv")
    table = table[table["corpus"] == CORA]
    from emoset_cli.prepare import read_utterances

    rows = (
        read_utterances(workspace, CORA)
        .set_index("utterance", drop=False)
        .loc[table["utterance"]]
        .reset_index(drop=True)
    )
    found = use.probabilities(network, workspace, rows, CORA)
    written = table[[f"probability_{label}" for label in network.labels(CORA)]].to_numpy()
    np.testing.assert_allclose(found, written, atol=2e-5)


def test_fine_tuning_trains_all_but_the_convolutions_and_keeps_only_what_it_changed(emoset, workspace, encoders):
    name = encoders / "wav2vec2"
    (run,) = train(emoset, workspace, "-t", CORA, "--finetune", name, "--checkpointing", *SHORT)
    kept = weights(run)
    assert not any("feature_extractor" in name for name in kept)
    network = speech_models.network("wav2vec2")
    layer = "encoder.layers.0.attention.q_proj.weight"
    assert not torch.equal(kept[f"front.speech.transformer.{layer}"], network.state_dict()[layer])
    assert runs.read_run(Path(run["folder"])).config["encoder"]
    reproduced(workspace, run)
    (front,) = train(emoset, workspace, "-t", CORA, "--finetune", name, "--train-front", *SHORT)
    assert any("feature_extractor" in name for name in weights(front))


def test_a_run_refuses_another_encoder_than_its_own(emoset, workspace, tmp_path):
    folder = speech_models.save(tmp_path / "encoder")
    (run,) = train(emoset, workspace, "-t", CORA, "--finetune", folder, *SHORT)
    speech_models.save(folder, seed=1)
    with pytest.raises(EmosetError, match=r"is not the encoder that .* was trained with"):
        use.open_network(runs.read_run(Path(run["folder"])), device="cpu")


@pytest.mark.slow
@pytest.mark.parametrize(("encoder", "kind"), [("wav2vec2", "lora"), ("wavlm", "bottleneck"), ("whisper", "lora")])
def test_adapters_are_a_corpus_own_on_a_frozen_encoder(emoset, workspace, encoders, encoder, kind):
    words = ["--finetune", encoders / encoder, "-m", "adapters", "--adapter", kind, "--rank", 2]
    (run,) = train(
        emoset, workspace, "-t", f"{ARIA},{CORA}", "-mt", *words, "-lr", 0.01, "--sampling", "round-robin", *SHORT
    )
    kept = weights(run)
    config = runs.read_run(Path(run["folder"])).config
    sizes = config["parameters"]
    assert sizes["adapter"][ARIA] == sizes["adapter"][CORA] > 0
    assert sizes["trained"] < sizes["total"]
    own = {name for name in kept if name.startswith("front.")}
    assert own and all("lora_" in name or "bottlenecks" in name for name in own)  # nothing of the encoder itself
    changed = [name for name in own if name.endswith(("lora_B.corpus-demo-cora.weight", "demo-cora.up.weight"))]
    assert changed and all(kept[name].abs().sum() > 0 for name in changed)
    reproduced(workspace, run)


def test_new_adapters_change_nothing_and_a_new_corpus_trains_its_own_only(emoset, workspace, encoders):
    plain = embedding.build(LABELS, finetune=str(encoders / "wav2vec2")).eval()
    for kind in ("lora", "bottleneck"):
        adapted = embedding.build(LABELS, adapters=True, finetune=str(encoders / "wav2vec2"), adapter=kind).eval()
        waves, lengths = torch.randint(-3000, 3000, (2, 8000), dtype=torch.int16), torch.tensor([8000, 8000])
        one = adapted.front(waves, lengths, "one")[0]
        torch.testing.assert_close(one, plain.front(waves, lengths, "one")[0], atol=1e-5, rtol=1e-4)
        parts.freeze(adapted, "adapters", ["one"])
        trained = {parts.roles(adapted)[name] for name, weight in adapted.named_parameters() if weight.requires_grad}
        assert trained == {("adapter", "one"), ("head", "one")}
        parts.freeze(adapted, "adapters", ["one", "two"], fresh=True)
        adapted.front(waves, lengths, "one")[0].sum().backward()
        whose = {parts.roles(adapted)[n] for n, weight in adapted.named_parameters() if weight.grad is not None}
        assert whose == {("adapter", "one")}
    words = ["--finetune", encoders / "wav2vec2", "-m", "adapters"]
    (base,) = train(emoset, workspace, "-t", ARIA, *words, *SHORT)
    (new,) = train(emoset, workspace, "-t", CORA, *words, "-im", base["run"], *SHORT)
    before, after = weights(base), weights(new)
    shared = [name for name in after if name.startswith("emotion.")]
    assert shared and all(torch.equal(before[name], after[name]) for name in shared)


def test_what_does_not_go_together_is_refused(emoset, workspace, encoders):
    assert "-m adapters starts from a trained network" in train(emoset, workspace, "-t", CORA, "-m", "adapters", code=1)
    unknown = train(emoset, workspace, "-t", CORA, "--finetune", encoders / "nothing", code=1)
    assert "there is no folder" in unknown
    foreign = emoset("train", "cnn", "-t", CORA, "--finetune", encoders / "wav2vec2", "-d", workspace)
    assert foreign.code == 1 and "cnn has no --finetune" in foreign.err


def test_utterances_too_short_for_an_encoder_are_named(emoset, recordings, tmp_path, encoders):
    folder = shutil.copytree(recordings[CORA], tmp_path / "recordings")
    first = sorted(folder.rglob("*.wav"))[0]
    samples, rate = soundfile.read(first)
    soundfile.write(first, samples[rate // 2 : rate // 2 + rate // 50], rate)  # 20 ms
    words = [f"{CORA}={folder}", "--min-duration", 0.01, "-d", tmp_path / "w", "-q"]
    assert emoset("prepare", *words).code == 0
    message = train(emoset, tmp_path / "w", "-t", CORA, "--finetune", encoders / "wav2vec2", *SHORT, code=1)
    assert "1 utterances are too short for the encoder, the first is demo-cora/" in message and "(20 ms)" in message


# ---------------------------------------------------------------- memory, gradients


def test_memory_that_does_not_suffice_says_what_to_lower():
    options = Settings(batch_size=8)
    for error in (
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried"),
    ):
        with (
            pytest.raises(EmosetError, match=r"out of memory with --batch-size 8") as caught,
            device.enough_memory(options),
        ):
            raise error
        assert "--batch-size 4 --accumulate 2" in caught.value.mend
    with pytest.raises(RuntimeError, match="shapes"), device.enough_memory(options):
        raise RuntimeError("shapes do not fit")


def test_accumulated_batches_are_one_batch(emoset, workspace):
    """Two batches of 4 utterances whose gradients are summed move the weights as one of 8 does."""
    words = ["-t", CORA, "-e", 1, "--no-repeat", "-o", "sgd", "-lr", 0.1, "--precision", "fp32", "--workers", 1, "-q"]
    train_rows = 54  # of demo-cora's standard partition: the number must fit both batch sizes
    (whole,) = train(emoset, workspace, *words, "-bs", train_rows, "-spe", 1)
    (parted,) = train(emoset, workspace, *words, "-bs", train_rows // 2, "-spe", 2, "--accumulate", 2)
    one, other = weights(whole, "model-final.safetensors"), weights(parted, "model-final.safetensors")
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)
