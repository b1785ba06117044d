"""Synthetic speech: the same for a seed, true to the physics it is asked for, whole after a kill."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from emoset_cli.errors import EmosetError
from emoset_cli.synth import demo, prosody
from emoset_cli.synth.models import MADE, NETWORK, _put, tiny_encoder, tiny_network
from emoset_cli.synth.sounds import CONSONANTS, VOWELS, spell
from emoset_cli.synth.voice import Prosody, Voice, speak

STEADY = Prosody(range_st=0.0, accent_db=0.0, rate=2.0, pause_s=0.0, breath_db=-20)
REGISTRY = Path(__file__).parents[1] / "corpora.yaml"


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pitch_hz(waveform: np.ndarray, sample_rate: int) -> np.ndarray:
    """F0 of each voiced 50 ms frame: the first high peak of the normalised autocorrelation."""
    size = int(0.05 * sample_rate)
    out = []
    for start in range(0, len(waveform) - 2 * size, size // 2):
        frame, rest = waveform[start : start + size], waveform[start : start + 2 * size]
        if np.sqrt(np.mean(frame**2)) < 0.3 * np.sqrt(np.mean(waveform**2)):
            continue
        windows = np.lib.stride_tricks.sliding_window_view(rest, size)
        similarity = windows @ frame / np.sqrt((windows**2).sum(1) * (frame @ frame))
        lags = np.arange(int(sample_rate / 500), int(sample_rate / 60))
        values = similarity[lags]
        good = lags[(values > 0.9 * values.max()) & (values >= similarity[lags - 1]) & (values >= similarity[lags + 1])]
        if values.max() > 0.5 and len(good):
            out.append(sample_rate / good[0])
    return np.array(out)


def tilt_db(waveform: np.ndarray, sample_rate: int) -> float:
    """Level of 1-5 kHz over that of 0-1 kHz."""
    power = np.abs(np.fft.rfft(waveform)) ** 2
    hz = np.fft.rfftfreq(len(waveform), 1 / sample_rate)
    return float(10 * np.log10(power[(hz > 1000) & (hz < 5000)].sum() / power[(hz > 60) & (hz < 1000)].sum()))


@pytest.mark.parametrize("key", demo.CORPORA)
def test_seed_alone_decides(key: str) -> None:
    items = demo.utterances(key)[:6]
    forward = [demo.waveform(item, 3) for item in items]
    demo._speaker.cache_clear()
    backward = [demo.waveform(item, 3) for item in reversed(items)][::-1]
    assert all(np.array_equal(a, b) for a, b in zip(forward, backward, strict=True))
    other = demo.waveform(items[0], 4)
    assert other.shape != forward[0].shape or not np.array_equal(other, forward[0])


@pytest.mark.parametrize("key", demo.CORPORA)
def test_waveforms_are_sound(key: str) -> None:
    corpus = demo.CORPORA[key]
    for item in demo.utterances(key)[::9]:
        values = demo.waveform(item)
        assert values.dtype == np.float32 and values.shape[1] == corpus.channels
        assert np.isfinite(values).all() and np.abs(values).max() <= 0.98001
        assert np.abs(values.mean(0)).max() < 5e-4
        assert 0.5 < len(values) / corpus.sample_rate < 6


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(CONSONANTS)), st.sampled_from(sorted(VOWELS))), min_size=1, max_size=5),
    st.floats(70, 350), st.floats(0.9, 1.3), st.floats(1.5, 9), st.sampled_from([8000, 16000, 22050, 48000]),
)  # fmt: skip
def test_speaks_anything(
    pairs: list[tuple[str, str]], f0_hz: float, tract: float, rate: float, sample_rate: int
) -> None:
    syllables = spell("".join(consonant + vowel for consonant, vowel in pairs))
    values = speak(Voice(f0_hz, tract), syllables, Prosody(rate=rate), rng(), sample_rate)
    assert values.dtype == np.float32 and np.isfinite(values).all() and 0 < np.abs(values).max() <= 0.98001


@pytest.mark.parametrize("sample_rate", [16000, 44100])
@pytest.mark.parametrize("f0_hz", [90.0, 140.0, 220.0])
def test_pitch_is_the_voices(f0_hz: float, sample_rate: int) -> None:
    values = speak(Voice(f0_hz, jitter=0.0, shimmer=0.0), spell("mama"), STEADY, rng(), sample_rate)
    assert np.median(pitch_hz(values, sample_rate)) == pytest.approx(f0_hz, rel=0.05)


def test_an_octave_is_twelve_semitones() -> None:
    def measured(pitch_st: float) -> float:
        values = speak(Voice(100), spell("mala"), dataclasses.replace(STEADY, pitch_st=pitch_st), rng(), 16000)
        return float(np.median(pitch_hz(values, 16000)))

    assert measured(12.0) / measured(0.0) == pytest.approx(2.0, rel=0.04)


@pytest.mark.parametrize("tract", [1.0, 1.17])
@pytest.mark.parametrize("vowel", ["i", "a", "e"])
def test_formants_are_where_the_vowel_has_them(vowel: str, tract: float) -> None:
    voice = Voice(60.0, tract, breath_db=-60, jitter=0.0, shimmer=0.0)  # low, so that harmonics lie close
    values = speak(voice, spell(vowel), dataclasses.replace(STEADY, rate=0.5), rng(), 16000)
    frame = values[len(values) // 2 : len(values) // 2 + 6000] * np.hanning(6000)
    power = np.abs(np.fft.rfft(frame, 16000)) ** 2
    smooth = 10 * np.log10(np.convolve(power, np.hanning(120), "same"))
    hz = np.arange(len(smooth))
    for wanted in VOWELS[vowel][:2]:
        near = (hz > wanted * tract - 200) & (hz < wanted * tract + 200)
        level = smooth + 6 * np.log2(np.maximum(hz, 100) / 1000)  # undo the slope of the source
        assert hz[near][level[near].argmax()] == pytest.approx(wanted * tract, abs=75)


def test_level_is_the_prosodys() -> None:
    soft, loud = (
        speak(Voice(), spell("mala"), dataclasses.replace(STEADY, level_db=level), rng(), 16000) for level in (-40, -34)
    )
    assert 20 * np.log10(np.std(loud) / np.std(soft)) == pytest.approx(6.0, abs=0.01)


def test_jitter_and_shimmer_roughen_the_periods() -> None:
    def likeness(jitter: float, shimmer: float) -> float:
        values = speak(Voice(100, jitter=jitter, shimmer=shimmer), spell("a"), STEADY, rng(), 16000)
        middle = values[len(values) // 3 : 2 * len(values) // 3]
        return max(float(np.corrcoef(middle[lag:], middle[:-lag])[0, 1]) for lag in range(140, 180))

    assert likeness(0.0, 0.0) > likeness(0.03, 0.0) and likeness(0.0, 0.0) > likeness(0.0, 0.3)


def test_anger_is_louder_faster_brighter_and_higher_than_sadness() -> None:
    facts: dict[str, list[tuple[float, float, float, float]]] = {"anger": [], "sadness": []}
    for item in demo.utterances("demo-aria"):
        if item.label in facts and item.text in {"s01", "s02"}:
            values = demo.waveform(item)[:, 0]
            active = values[np.abs(values) > 0.1 * np.abs(values).max()]
            pitch = float(np.median(pitch_hz(values, 16000)))
            facts[item.label].append((10 * np.log10(np.mean(active**2)), -len(values), tilt_db(values, 16000), pitch))
    anger, sadness = (np.mean(facts[label], axis=0) for label in ("anger", "sadness"))
    assert anger[0] > sadness[0] + 5 and anger[1] > sadness[1] + 4000
    assert anger[2] > sadness[2] + 3 and anger[3] > sadness[3] * 1.15


def test_women_speak_higher_and_with_shorter_tracts() -> None:
    voices = {
        gender: [prosody.speaker(gender, ["anger"], rng(seed)).voice for seed in range(40)]
        for gender in ("female", "male")
    }
    women, men = voices["female"], voices["male"]
    assert min(v.f0_hz for v in women) > np.mean([v.f0_hz for v in men])
    assert np.mean([v.tract for v in women]) == pytest.approx(1.17, abs=0.03)


def test_no_strength_is_neutral_speech() -> None:
    who = prosody.speaker("female", ["anger"], rng())
    anger = prosody.render("anger", who, Prosody(), 0.0, rng(1))
    assert anger == prosody.render("neutral", who, Prosody(), 1.0, rng(1))
    assert prosody.render("anger", who, Prosody(), 1.0, rng(1)).level_db > anger.level_db


def test_unknown_emotion() -> None:
    with pytest.raises(EmosetError, match=r"unknown emotion of the synthesiser 'angr'\n  mend: did you mean 'anger'"):
        prosody.render("angr", prosody.speaker("male", [], rng()), Prosody(), 1.0, rng())


def test_write_is_whole_idempotent_and_mends_itself(tmp_path: Path) -> None:
    folder = demo.write(tmp_path, keys=["demo-cora"])["demo-cora"]
    first = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")}
    assert len(first) == 109
    demo.write(tmp_path, keys=["demo-cora"])
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")} == times

    def check() -> None:
        demo.write(tmp_path, keys=["demo-cora"])
        assert {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")} == first

    (folder / "angry/ada_p03_v1.wav").unlink()
    check()
    (folder / "demo.json").unlink()  # as after a kill: no note yet, a file missing, one aside, one of another seed
    (folder / "angry/ada_p03_v1.wav").unlink()
    (folder / "angry/.ada_p03_v1.wav.999999999.tmp").write_bytes(b"half")
    (folder / "calm/ada_p03_v1.wav").write_bytes(first[Path("calm/ada_p04_v1.wav")])
    check()
    (folder / "demo.json").write_text("{")
    check()


def test_fewer_takes_leave_none_behind_and_foreign_files_alone(tmp_path: Path) -> None:
    folder = demo.write(tmp_path, scale=2, keys=["demo-cora"])["demo-cora"]
    (folder / "calm/mine.wav").write_bytes(b"mine")
    assert len(list(folder.rglob("*_v*.wav"))) == 216
    demo.write(tmp_path, scale=1, keys=["demo-cora"])
    assert len(list(folder.rglob("*_v*.wav"))) == 108 and (folder / "calm/mine.wav").exists()


@pytest.mark.parametrize("key", demo.CORPORA)
def test_files_are_of_the_native_format_and_hold_the_waveform(key: str, tmp_path: Path) -> None:
    corpus, item = demo.CORPORA[key], demo.utterances(key)[7]
    path = tmp_path / Path(item.path).name
    path.write_bytes(demo._encode(corpus, demo.waveform(item)))
    info = soundfile.info(path)
    assert (info.samplerate, info.channels, info.format, info.subtype) == (
        corpus.sample_rate, corpus.channels, corpus.format, corpus.subtype,
    )  # fmt: skip
    assert np.abs(soundfile.read(path, always_2d=True)[0] - demo.waveform(item)).max() < 2**-15


@pytest.mark.parametrize("key", demo.CORPORA)
def test_registry_says_the_same(key: str) -> None:
    entry, corpus = yaml.safe_load(REGISTRY.read_text(encoding="utf-8"))[key], demo.CORPORA[key]
    items = demo.utterances(key)
    assert entry["labels"] == corpus.labels
    assert {gender: tuple(names) for gender, names in entry["speakers"].items()} == corpus.speakers
    count = entry["count"]
    assert (count["utterances"], count["speakers"]) == (len(items), len({item.speaker for item in items}))
    assert count["labels"] == {label: sum(item.label == label for item in items) for label in corpus.labels.values()}
    for item in demo.utterances(key, 11)[::7]:
        match = re.search(entry["path"], str(Path(item.path).with_suffix("").as_posix()))
        assert match and match["speaker"] == item.speaker and match["text"] == item.text
        assert entry["labels"][match["label"]] == item.label and int(match["take"]) == item.take
    for parts in entry["partitions"].values():
        assert not set(parts["devel"]) & set(parts["test"])


def test_mistakes(tmp_path: Path) -> None:
    with pytest.raises(EmosetError, match=r"unknown demo corpus 'aria'\n  mend: .*demo-aria, demo-brio, demo-cora"):
        demo.write(tmp_path, keys=["aria"])
    with pytest.raises(EmosetError, match=r"scale of the demo corpora is 0\n  mend: give 1 or more"):
        demo.write(tmp_path, scale=0)
    with pytest.raises(EmosetError, match=r"seed of the demo corpora is -1\n  mend: give 0 or more"):
        demo.write(tmp_path, seed=-1)
    assert not list(tmp_path.iterdir())


# ---------------------------------------------------------------- tiny networks


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_is_whole_at_once_and_the_same_for_a_seed(name, tmp_path):
    made = MADE[name](tmp_path / "a")
    files = sorted(file for file in (tmp_path / "a").rglob("*") if file.is_file())
    before = [(file.name, file.read_bytes(), file.stat().st_mtime_ns) for file in files]
    assert MADE[name](tmp_path / "a") == made and not list(tmp_path.rglob(".*"))
    assert [(file.name, file.read_bytes(), file.stat().st_mtime_ns) for file in files] == before
    MADE[name](tmp_path / "b")
    assert all((tmp_path / "b" / told).read_bytes() == raw for told, raw, _ in before)
    other = MADE[name](tmp_path / "c", seed=1)  # type: ignore[call-arg]
    file = other if other.is_file() else other / "model.safetensors"
    assert file.read_bytes() not in [raw for _, raw, _ in before]


def test_the_tiny_network_sees_and_the_tiny_encoder_hears(tmp_path):
    from emoset_cli.models import imagenet
    from emoset_cli.models.pretraining import read_masked

    read = imagenet.read_weights(NETWORK, str(tiny_network(tmp_path / "network")))
    assert sum(tensor.numel() for tensor in read.tensors.values()) < 1.3e6
    assert read_masked(str(tiny_encoder(tmp_path / "encoder")), True, False).width == 32


def test_an_encoder_that_another_process_made_meanwhile_is_kept(tmp_path):
    folder = tiny_encoder(tmp_path / "encoder")
    whole = (folder / "model.safetensors").read_bytes()
    aside = tiny_encoder(tmp_path / "other", seed=1)
    _put(aside, folder)
    assert (folder / "model.safetensors").read_bytes() == whole
    (folder / "model.safetensors").unlink()
    with pytest.raises(OSError, match="not empty"):
        _put(aside, folder)
