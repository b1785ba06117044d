"""Random changes of training spectrograms, and the front end that makes them."""

import numpy as np
import pytest
import torch
from torchaudio.functional import resample

from emoset_cli.errors import EmosetError
from emoset_cli.models.layers import augment
from emoset_cli.models.layers.front import Front
from emoset_cli.models.layers.logmel import LogMel

EVERYTHING = {"noise": 3.0, "time_masks": 2, "freq_masks": 2, "speed": 0.1, "pitch": 2.0}


def sounds(*lengths, seed=0):
    """Noise with a moving level, int16, padded: (waves, lengths)."""
    rng = np.random.default_rng(seed)
    waves = torch.zeros(len(lengths), max(lengths), dtype=torch.int16)
    for row, length in zip(waves, lengths, strict=True):
        level = 3_000 * (1.2 + np.sin(np.arange(length) / 900))
        row[:length] = torch.from_numpy((level * rng.standard_normal(length)).clip(-32767, 32767).astype(np.int16))
    return waves, torch.tensor(lengths)


def harmonics(seconds=1.0):
    """A voice-like sound, 180 Hz and its harmonics below 4 kHz: float32 (1, samples)."""
    time = torch.arange(round(16_000 * seconds)) / 16_000
    tone = sum(torch.sin(2 * torch.pi * 180 * n * time) / n for n in range(1, 22))
    return 0.2 * tone[None] * (0.55 + 0.45 * torch.sin(2 * torch.pi * 3 * time))


@pytest.mark.parametrize("options", [{}, EVERYTHING])
def test_nothing_is_changed_in_evaluation(options):
    waves, lengths = sounds(9_000, 6_000)
    front = Front(**options).eval()
    state = torch.get_rng_state()
    ours, frames = front(waves, lengths)
    plain, own = LogMel()(waves, lengths)
    assert torch.equal(ours, plain) and torch.equal(frames, own)
    assert torch.equal(state, torch.get_rng_state())


def test_nothing_is_changed_or_drawn_by_default():
    waves, lengths = sounds(9_000, 6_000)
    state = torch.get_rng_state()
    assert torch.equal(Front().train()(waves, lengths)[0], LogMel()(waves, lengths)[0])
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("name", EVERYTHING)
def test_each_option_changes_training_and_keeps_padding_and_range(name):
    waves, lengths = sounds(16_000, 9_000, 3_000, 300)
    front = Front(**{name: EVERYTHING[name]}).train()
    torch.manual_seed(0)
    x, frames = front(waves, lengths)
    plain, _ = front.eval()(waves, lengths)
    assert x.shape != plain.shape or not torch.equal(x, plain)
    assert x.dtype == torch.float32 and x.min() >= 0 and x.max() <= 1 and x.shape[3] == int(frames.max())
    for row, count in zip(x, frames.tolist(), strict=True):
        assert (row[:, :, count:] == 0).all() and row[:, :, :count].any()


def test_everything_comes_from_the_global_generator():
    waves, lengths = sounds(9_000, 6_000)
    front = Front(**EVERYTHING).train()
    torch.manual_seed(7)
    first = [front(waves, lengths)[0] for _ in range(3)]
    torch.manual_seed(7)
    again = [front(waves, lengths)[0] for _ in range(3)]
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])


def test_silence_stays_silent():
    waves, lengths = sounds(9_000, 6_000)
    waves[1] = 0
    front = Front(**EVERYTHING).train()
    for seed in range(5):
        torch.manual_seed(seed)
        x, _ = front(waves, lengths)
        assert (x[1] == 0).all() and x[0].any()


def test_noise_is_as_strong_as_asked_for():
    torch.manual_seed(0)
    x = torch.full((4, 1, 64, 100), 0.5)
    x[:, :, :10] = 0  # the floor
    noisy = augment.add_noise(x, 0.05)
    assert (noisy[:, :, :10] == 0).all()
    assert float((noisy - x)[:, :, 10:].std()) == pytest.approx(0.05, rel=0.03)
    waves, lengths = sounds(32_000)
    front = Front(noise=4.0).train()
    off = (front(waves, lengths)[0] - front.eval()(waves, lengths)[0]) * 80
    assert float(off.std()) == pytest.approx(4.0, rel=0.1)


def runs_of(hit):
    """Lengths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], hit.astype(int), [0]])))
    return (edges[1::2] - edges[::2]).tolist()


@pytest.mark.parametrize("widest", [0, 5, 30])
def test_time_masks(widest):
    torch.manual_seed(widest)
    frames = torch.tensor([100, 40, 7, 1] * 100)
    x = torch.rand(400, 1, 8, 100) + 0.1
    x *= torch.arange(100) < frames[:, None, None, None]
    masked = augment.mask_frames(x, frames, 1, widest)
    widths = {100: [], 40: [], 7: [], 1: []}
    for row, before, count in zip(masked[:, 0], x[:, 0], frames.tolist(), strict=True):
        hit = (row != before).any(0).numpy()
        stretches = runs_of(hit)
        assert len(stretches) <= 1 and not hit[count:].any()
        assert row[:, hit].numpy() == pytest.approx(float(before[:, :count].mean()), abs=1e-5)
        widths[count].append(sum(stretches))
    for count, seen in widths.items():
        most = min(widest, count // 2)
        assert set(seen) <= set(range(most + 1)) and max(seen) >= most - 2
        assert np.mean(seen) == pytest.approx(most / 2, abs=0.15 * most + 1e-9)


def test_mel_masks_spare_padding():
    torch.manual_seed(0)
    frames = torch.tensor([50, 20] * 50)
    x = torch.rand(100, 1, 64, 50) + 0.1
    x *= torch.arange(50) < frames[:, None, None, None]
    masked = augment.mask_mels(x, frames, 2, 8)
    for row, before, count in zip(masked[:, 0], x[:, 0], frames.tolist(), strict=True):
        hit = (row != before).any(1).numpy()
        assert hit.sum() <= 16 and len(runs_of(hit)) <= 2
        assert (row[:, count:] == 0).all()
        assert row[hit, :count].numpy() == pytest.approx(float(before[:, :count].mean()), abs=1e-5)


@pytest.mark.parametrize(("new", "old"), [(10, 9), (10, 11)])
def test_speed_is_that_of_a_resampled_sound(new, old):
    wave, lengths = harmonics(), torch.tensor([16_000])
    mel = LogMel()
    hop = round(256 * old / new)
    ours, frames = mel(wave, lengths, hop, mel.make_filters(hop / 256))
    slow = resample(wave, old, new)
    theirs, _ = mel(slow, torch.tensor([slow.shape[1]]))
    assert abs(int(frames[0]) - theirs.shape[3]) <= 1
    count = min(int(frames[0]), theirs.shape[3])
    middle = slice(5, count - 5)
    ours, theirs = ours[0, 0, :, middle] * 80, theirs[0, 0, :, middle] * 80
    loud = theirs > 40
    assert float((ours - theirs)[loud].abs().mean()) < 1.5  # dB
    same_pitch = mel(wave, lengths, hop)[0][0, 0, :, middle] * 80
    assert float((same_pitch - theirs)[loud].abs().mean()) > 4


@pytest.mark.parametrize("semitones", [-7, 2, 5])
def test_pitch_moves_a_tone_by_semitones_and_keeps_the_duration(semitones):
    mel, lengths = LogMel(), torch.tensor([16_000])
    time = torch.arange(16_000) / 16_000
    ratio = 2 ** (semitones / 12)
    low, high = (torch.sin(2 * torch.pi * f * time)[None] for f in (1_500, 1_500 * ratio))
    shifted, frames = mel(low, lengths, None, mel.make_filters(ratio))
    there, own = mel(high, lengths)
    assert torch.equal(frames, own)
    assert torch.equal(shifted[0, 0, :, 5:-5].argmax(0), there[0, 0, :, 5:-5].argmax(0))
    assert not torch.equal(shifted[0, 0, :, 5:-5].argmax(0), mel(low, lengths)[0][0, 0, :, 5:-5].argmax(0))


def test_speed_and_pitch_are_drawn_from_all_of_their_range():
    torch.manual_seed(0)
    assert {round(augment.draw(1.0, 0.1), 3) for _ in range(200)} == set(np.linspace(0.9, 1.1, 9).round(3))
    waves, lengths = sounds(16_000)
    front = Front(speed=0.2).train()
    counts = {int(front(waves, lengths)[1]) for _ in range(60)}
    assert (min(counts), max(counts)) == (1 + 16_000 // 307, 1 + 16_000 // 205) and len(counts) == 9


def test_nothing_of_it_is_saved():
    front = Front(**EVERYTHING).train()
    front(*sounds(4_000))
    assert not front.state_dict() and not list(front.parameters())


@pytest.mark.parametrize(
    ("options", "problem", "mend"),
    [
        ({"noise": -1.0}, "noise is -1", "from 0 on"),
        ({"time_masks": -1}, "time_masks is -1", "from 0 on"),
        ({"time_mask_frames": -5}, "time_mask_frames is -5", "from 0 on"),
        ({"freq_masks": -2}, "freq_masks is -2", "from 0 on"),
        ({"freq_mask_mels": 40}, "freq_mask_mels is 40", "from 0 to 32"),
        ({"speed": 0.6}, "speed is 0.6", "from 0 to 0.5"),
        ({"pitch": 13.0}, "pitch is 13", "from 0 to 12"),
        ({"pitch": float("nan")}, "pitch is nan", "from 0 to 12"),
        ({"win": 400, "pitch": 12.0}, "mel filters lie between the frequencies", "longer window"),
    ],
)
def test_impossible_settings(options, problem, mend):
    with pytest.raises(EmosetError) as caught:
        Front(**options)
    assert problem in caught.value.problem and mend in caught.value.mend
