"""Deep-WCCN's network: windows, masks, wav2vec 2.0's own loss, and training from waveforms to predictions."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import speech_models
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import Wav2Vec2ForPreTraining

from emoset_cli.errors import EmosetError
from emoset_cli.models import xlsr_wccn
from emoset_cli.models.layers.masking import SPAN, negatives, span_mask
from emoset_cli.models.pretraining import read_masked
from emoset_cli.synth.models import tiny_encoder
from emoset_cli.train.deep import checkpoint
from emoset_cli.train.deep.settings import settings_of

pytestmark = pytest.mark.usefixtures("one_thread")
ARIA, CORA = "demo-aria", "demo-cora"
LABELS = {"common": ["anger", "calm", "sad"]}
SHORT = ["-e", 1, "-spe", 2, "--precision", "fp32", "--workers", 1, "-q"]


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoder(tmp_path_factory.mktemp("pretrained"))


def network(encoder, **options):
    torch.manual_seed(0)
    return xlsr_wccn.build(LABELS, encoder=str(encoder), width=16, **options)


def waves(count, samples=20_000, seed=0):
    drawn = np.random.default_rng(seed).integers(-5000, 5000, (count, samples)).astype(np.int16)
    return torch.from_numpy(drawn), torch.full((count,), samples)


# ---------------------------------------------------------------- masks


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(1, 120), st.integers(0, 2**31))
def test_masks_are_spans_and_negatives_are_other_masked_frames(batch, frames, seed):
    torch.manual_seed(seed)
    mask = span_mask(batch, frames)
    assert mask.shape == (batch, frames)
    for row in mask:
        runs = "".join("x" if on else "." for on in row.tolist()).split(".")
        assert all(len(run) >= SPAN for run in runs if run)
    assert mask.any() == bool(frames >= SPAN and mask.any())
    found = negatives(mask, 7)
    for row in range(batch):
        for frame in mask[row].nonzero().squeeze(1).tolist():
            others = found[row, frame] - row * frames
            assert (others != frame).all() and mask[row, others].all()
    assert (found[~mask] == 0).all()


def test_about_half_of_the_frames_are_masked():
    torch.manual_seed(0)
    share = float(np.mean([span_mask(8, 99).float().mean() for _ in range(50)]))
    assert 0.4 < share < 0.55  # 49 % in wav2vec 2.0, section 4.2


# ---------------------------------------------------------------- the network


def test_every_waveform_has_two_seconds_of_zero_mean_and_unit_variance(encoder):
    model = network(encoder)
    heard, _ = waves(2)
    x = model._window(heard)
    assert x.shape == (2, 32_000)
    torch.testing.assert_close(x.mean(1), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.square().mean(1), torch.ones(2), atol=1e-3, rtol=0)
    assert torch.isfinite(model._window(torch.zeros(1, 100, dtype=torch.int16))).all()  # silence


def test_what_is_pooled_is_mean_and_standard_deviation(encoder):
    model = network(encoder).eval()
    states = torch.randn(3, 9, 32)
    spread = torch.from_numpy(states.numpy().std(1))
    expected = model.hidden(torch.cat([states.mean(1), spread], 1)).relu()
    torch.testing.assert_close(model._pooled(states), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("large", [False, True])
def test_the_encoders_loss_is_that_of_transformers_for_the_same_masks(encoder, large, tmp_path):
    folder = tiny_encoder(tmp_path, **speech_models.LARGE) if large else encoder  # XLSR-53 is a large one
    model = read_masked(str(folder), True, False)
    reference = Wav2Vec2ForPreTraining.from_pretrained(folder, config=model.network.config)
    x = torch.randn(3, 32_000)
    model.train()
    torch.manual_seed(3)
    states, loss = model.with_loss(x)
    reference.train()
    torch.manual_seed(3)
    mask = span_mask(3, 99)
    others = negatives(mask, 5)
    answer = reference(x, mask_time_indices=mask, sampled_negative_indices=others)
    assert loss > 0
    torch.testing.assert_close(loss, answer.loss)
    torch.testing.assert_close(reference.project_hid(states), answer.projected_states)
    expected = reference.eval().wav2vec2(x, mask_time_indices=mask).last_hidden_state
    model.eval()
    torch.manual_seed(3)
    torch.testing.assert_close(model.with_loss(x)[0], expected)
    torch.testing.assert_close(model(x), reference.wav2vec2(x).last_hidden_state)


def test_training_answers_a_pair_and_evaluation_is_the_same_whatever_the_batch(encoder):
    model = network(encoder, ssl_weight=1e-3).train()
    heard, lengths = waves(6)
    truth = torch.tensor([0, 0, 1, 1, 2, 2])
    logits, own = model(heard, lengths, "common", truth)
    assert logits.shape == (6, 3) and float(own.detach()) > 0
    assert not torch.equal(model.heads["common"].wccn.projection, torch.eye(16, dtype=torch.float64))
    model.eval()
    together = model(heard, lengths, "common")
    torch.testing.assert_close(model(heard[2:3], lengths[2:3], "common"), together[2:3], atol=1e-4, rtol=1e-4)


def test_without_deep_wccn_and_without_the_encoders_loss(encoder, tmp_path):
    plain = network(encoder, wccn=False, ssl_weight=0.0).train()
    heard, lengths = waves(3)
    _, own = plain(heard, lengths, "common", torch.tensor([0, 1, 2]))
    assert plain.heads["common"].wccn is None and float(own.detach()) == 0
    hubert = speech_models.save(tmp_path / "hubert", "hubert")
    assert network(hubert, ssl_weight=0.0)(heard, lengths, "common").shape == (3, 3)
    with pytest.raises(EmosetError, match=r"is a hubert, whose own loss is not wav2vec 2.0's") as caught:
        network(hubert)
    assert "--ssl-weight 0" in caught.value.mend
    bare = speech_models.save(tmp_path / "bare", "wav2vec2")
    with pytest.raises(EmosetError, match=r"has no heads of its pre-training: "):
        network(bare)
    with pytest.raises(EmosetError, match=r"is a whisper, which hears no waveforms"):
        network(speech_models.save(tmp_path / "whisper", "whisper"))
    with pytest.raises(EmosetError, match=r"alpha"):
        network(encoder, alpha=1.5)
    with pytest.raises(EmosetError, match=r"--ssl-weight is -1"):
        network(encoder, ssl_weight=-1.0)
    with pytest.raises(EmosetError, match=r"wccn hears waveforms, not spectrograms"):
        network(encoder, front={"mels": 32})


@pytest.mark.slow
def test_eight_utterances_can_be_learnt_by_heart(encoder):
    model = network(encoder, dropout=0.0, ssl_weight=0.0).train()
    heard, lengths = waves(8)
    truth = torch.tensor([0, 1] * 4)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        logits, own = model(heard, lengths, "common", truth)
        (torch.nn.functional.cross_entropy(logits, truth) + own).backward()
        optimizer.step()
    assert model.eval()(heard, lengths, "common").argmax(1).tolist() == truth.tolist()


# ---------------------------------------------------------------- the command


def test_usual_settings_are_the_papers():
    usual = settings_of("wccn", {})
    assert (usual.first_lr, usual.optimizer, usual.batch_size, usual.window_s) == (3e-4, "adagrad", 14, 2.0)
    assert usual.eval_window == "crop" and usual.repeat and usual.network == {"window_s": 2.0}
    assert 2 * usual.weight_decay == pytest.approx(5e-4)
    assert settings_of("wccn", {"window_s": 1.0}).network == {"window_s": 1.0}


@pytest.mark.slow
def test_a_language_is_left_out_and_both_kinds_of_test_are_told(emoset, prepared, tmp_path, encoder):
    words = ["-t", f"{ARIA},{CORA}", "--labels", "common", "--partition", "lolo:folds:3", "--encoder", encoder]
    workspace = shutil.copytree(prepared, tmp_path / "w")
    answer = emoset("train", "wccn", *words, *SHORT, "-bs", 8, "-d", workspace, "--json")
    assert answer.code == 0, answer.err
    (run,) = answer.json()
    folder = Path(run["folder"])
    across, within = (pd.read_csv(folder / f"predictions{kind}.csv") for kind in ("", "-within"))
    test = across[across["partition"] == "test"]
    left = test["fold"].str.partition("/")[0]
    assert len(test) and (left == test["language"]).all()
    assert len(within) and (within["fold"].str.partition("/")[0] != within["language"]).all()
    tensors = checkpoint.load(next(folder.glob("model-1.safetensors")))[0]
    assert any(name.endswith("wccn.projection") for name in tensors)
    told = emoset("evaluate", run["run"], "-d", workspace, "-q")
    assert told.code == 0 and "Within and across languages" in told.out
