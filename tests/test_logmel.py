"""Log-mel spectrograms against their definition and against physics."""

import numpy as np
import pytest
import torch

from emoset_cli import audio
from emoset_cli.errors import EmosetError
from emoset_cli.models.layers import logmel
from emoset_cli.models.layers.logmel import LogMel


def voice(samples, seed=0, amplitude=0.3):
    """A tone that moves, with noise: float32 (samples,)."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(samples) / logmel.SAMPLE_RATE
    tone = np.sin(2 * np.pi * (200 + 30 * seed) * seconds + 3 * np.sin(2 * np.pi * 5 * seconds))
    return (amplitude * (tone + 0.1 * rng.standard_normal(samples)) / 1.5).astype(np.float32)


def batch(*waves, behind=0):
    lengths = torch.tensor([len(wave) for wave in waves])
    padded = torch.zeros(len(waves), int(lengths.max()) + behind)
    for row, wave in zip(padded, waves, strict=True):
        row[: len(wave)] = torch.from_numpy(wave)
    return padded, lengths


def htk_filters(mels, win, f_min, f_max):
    """Triangles on the mel scale of the HTK book, mel = 1127 ln(1 + f / 700), by their definition: float64."""

    def mel(hertz):
        return 1127 * np.log(1 + np.asarray(hertz, np.float64) / 700)

    corners = 700 * (np.exp(np.linspace(mel(f_min), mel(f_max), mels + 2) / 1127) - 1)
    hertz = np.arange(win // 2 + 1) * logmel.SAMPLE_RATE / win
    bank = np.zeros((mels, len(hertz)))
    for number, (low, centre, high) in enumerate(zip(corners, corners[1:], corners[2:], strict=False)):
        rise, fall = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
        bank[number] = np.clip(np.minimum(rise, fall), 0, None)
    return bank


def reference(wave, mels=64, win=512, hop=256, f_min=20.0, f_max=8000.0, floor=-80.0):
    """Spectrogram in dB of one utterance, frame by frame in float64: (mels, frames)."""
    padded = np.concatenate([np.zeros(win // 2), wave.astype(np.float64), np.zeros(win)])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(win) / win)
    starts = range(0, len(wave) // hop * hop + 1, hop)
    power = np.stack([np.abs(np.fft.rfft(padded[start : start + win] * hann)) ** 2 for start in starts], 1)
    power = htk_filters(mels, win, f_min, f_max) @ power
    return np.maximum(10 * np.log10(np.maximum(power, 1e-30) / power.max()), floor)


@pytest.mark.parametrize(
    "options",
    [{}, {"mels": 40, "win": 400, "hop": 160}, {"f_min": 80.0, "f_max": 7600.0, "floor": -60.0}],
)
def test_it_is_its_definition(options):
    wave = voice(9_321)
    ours, frames = LogMel(**{k.replace("floor", "floor_db"): v for k, v in options.items()}).decibels(*batch(wave))
    theirs = reference(wave, **options)
    assert ours.shape[1:] == theirs.shape and int(frames[0]) == theirs.shape[1]
    assert ours[0].numpy() == pytest.approx(theirs, abs=2e-3)
    assert ours.max() == 0


def test_the_filters_are_those_of_the_htk_book():
    filters = LogMel().filters.numpy()
    assert pytest.approx(htk_filters(64, 512, 20.0, 8000.0), abs=1e-5) == filters.T
    assert (filters.sum(0) > 0).all()


def test_slaney_filters_have_unit_area():
    bank = LogMel(mels=40, win=1024, mel_scale="slaney").filters.numpy()
    assert bank[:, 20:].sum(0) * logmel.SAMPLE_RATE / 1024 == pytest.approx(1.0, rel=0.1)


def test_half_the_amplitude_is_6_db_less():
    wave = voice(16_000)
    mel = LogMel(ref=1.0, floor_db=-200.0)
    loud, _ = mel.decibels(*batch(wave))
    soft, _ = mel.decibels(*batch(wave / 2))
    assert (loud - soft).numpy() == pytest.approx(20 * np.log10(2), abs=1e-3)  # 6.02 dB
    own, _ = LogMel().decibels(*batch(wave))
    halved, _ = LogMel().decibels(*batch(wave / 2))
    assert own.numpy() == pytest.approx(halved.numpy(), abs=1e-3)  # against its own maximum


def test_a_pure_tone_is_where_and_as_loud_as_it_should_be():
    seconds = torch.arange(16_000) / 16_000
    tone = torch.sin(2 * torch.pi * 1_000 * seconds)[None]  # 1 kHz is the 32nd of 512 frequencies
    mel = LogMel(ref=(512 / 4) ** 2)
    decibels, _ = mel.decibels(tone, torch.tensor([16_000]))
    loudest = int(decibels[0, :, 30].argmax())
    corners = 700 * (np.exp(np.linspace(1127 * np.log(1 + 20 / 700), 1127 * np.log(1 + 8000 / 700), 66) / 1127) - 1)
    assert corners[loudest] < 1_000 < corners[loudest + 2]
    weights = mel.filters[31:34, loudest].double()
    expected = 10 * np.log10(float((weights * torch.tensor([0.25, 1, 0.25])).sum()))  # Hann: half amplitude beside it
    assert float(decibels[0, loudest, 30]) == pytest.approx(expected, abs=0.02)


def test_an_utterance_does_not_depend_on_batch_and_padding():
    waves = [voice(samples, seed) for seed, samples in enumerate([16_000, 511, 8_000, 12_345, 256, 1, *[4_000] * 14])]
    mel = LogMel()
    together, frames = mel(*batch(*waves, behind=3_000))
    assert frames.tolist() == [1 + len(wave) // 256 for wave in waves]
    for row, count, wave in zip(together, frames.tolist(), waves, strict=True):
        alone, _ = mel(*batch(wave))
        assert alone.shape == (1, 1, 64, count)
        assert row[:, :, :count].numpy() == pytest.approx(alone[0].numpy(), abs=1e-5)
        assert (row[:, :, count:] == 0).all()


def test_scaled_values_reach_from_floor_to_maximum():
    scaled, _ = LogMel()(*batch(voice(16_000), voice(4_000, 1)))
    assert scaled.shape == (2, 1, 64, 63) and scaled.dtype == torch.float32
    assert scaled.min() == 0 and scaled.amax((1, 2, 3)).tolist() == [1.0, 1.0]


def test_silence_is_at_the_floor():
    waves = torch.zeros(2, 8_000, dtype=torch.int16)
    waves[1, :4_000] = torch.from_numpy((voice(4_000) * 32768).astype(np.int16))
    lengths = torch.tensor([8_000, 4_000])
    decibels, _ = LogMel().decibels(waves, lengths)
    assert (decibels[0] == -80).all() and decibels[1].max() == 0
    assert (LogMel(ref=1.0).decibels(waves, lengths)[0][0] == -80).all()
    assert (LogMel()(waves, lengths)[0][0] == 0).all()


def test_the_quietest_sound_is_no_silence():
    waves = torch.zeros(1, 4_000, dtype=torch.int16)
    waves[0, 2_000] = 1
    assert LogMel().decibels(waves, torch.tensor([4_000]))[0].max() == 0


def test_int16_is_divided_by_32768():
    wave = (voice(5_000) * 32768).astype(np.int16)
    lengths = torch.tensor([5_000])
    mel = LogMel(ref=1.0)
    whole, _ = mel(torch.from_numpy(wave)[None], lengths)
    parts, _ = mel(torch.from_numpy(wave / np.float32(32768))[None], lengths)
    assert torch.equal(whole, parts)


def test_autocast_does_not_coarsen_it():
    waves, lengths = batch(voice(5_000))
    plain, _ = LogMel()(waves, lengths)
    with torch.autocast("cpu", torch.bfloat16):
        under, _ = LogMel()(waves, lengths)
    assert torch.equal(plain, under)


def test_the_sample_rate_is_that_of_the_store_and_nothing_is_saved():
    assert logmel.SAMPLE_RATE == audio.SAMPLE_RATE
    assert not LogMel().state_dict() and not list(LogMel().parameters())


@pytest.mark.parametrize(
    ("options", "problem", "mend"),
    [
        ({"mels": 128}, "1 of 128 mel filters lie between the frequencies of a window of 512 samples", "fewer mels"),
        ({"hop": 0}, "no spectrogram has 64 mels, window 512 and hop 0", "1 <= hop <= window"),
        ({"win": 501}, "no spectrogram has 64 mels, window 501", "an even window"),
        ({"f_max": 9000.0}, "mel filters cannot reach from 20 to 9000 Hz", "f_max <= 8000"),
        ({"floor_db": 0.0}, "a floor of 0 dB leaves nothing", "negative floor"),
        ({"ref": 0.0}, "a reference power of 0.0 has no dB", "above 0"),
    ],
)
def test_impossible_settings(options, problem, mend):
    with pytest.raises(EmosetError) as caught:
        LogMel(**options)
    assert problem in caught.value.problem and mend in caught.value.mend
