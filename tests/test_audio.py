"""Reading audio: bit-exact where it can be, true to the physics where it is resampled, never an exception."""

import io
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from emoset_cli import audio
from emoset_cli.audio import Condition, is_clipped


def read(path: Path) -> tuple[np.ndarray, Condition]:
    blocks: list[np.ndarray] = []
    condition = audio.read(path, lambda block: blocks.append(block.copy()))
    assert all(block.dtype == np.int16 and block.ndim == 1 for block in blocks)
    return np.concatenate([np.zeros(0, np.int16), *blocks]), condition


def noise(seconds: float = 0.5, rate: int = 16000, level: float = 0.1, channels: int = 1) -> np.ndarray:
    """Float noise of an rms; shape (samples, channels)."""
    return np.random.default_rng(0).normal(0, level, (int(seconds * rate), channels))


def tone(hz: float, rate: int, seconds: float = 1.0, level: float = 0.5) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)


def spectrum(samples: np.ndarray) -> tuple[float, float]:
    """Frequency [Hz] and level (amplitude of full scale) of the strongest component, edges left out."""
    middle = samples[2000:-2000] / 32768
    window = np.hanning(len(middle))
    bins = np.abs(np.fft.rfft(middle * window)) * 2 / window.sum()
    peak = int(bins.argmax())
    return peak * audio.SAMPLE_RATE / len(middle), float(bins[peak])


def wav(
    data: bytes, size: int | None = None, before: bytes = b"", after: bytes = b"", riff: int | None = None
) -> bytes:
    """A 16 kHz mono PCM16 WAV, with chunks around its data and sizes that may lie."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16000, 32000, 2, 16)
    body = b"WAVE" + form + before + b"data" + struct.pack("<I", len(data) if size is None else size) + data + after
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def pcm(seconds: float = 0.5) -> np.ndarray:
    return np.rint(noise(seconds)[:, 0] * 32767).astype(np.int16)


@pytest.mark.parametrize("extension", ["wav", "flac", "aiff", "au", "caf", "w64", "rf64"])
def test_16_khz_mono_passes_bit_for_bit(tmp_path: Path, extension: str) -> None:
    written = pcm()
    written[:4] = [-32768, 32767, 0, -1]
    soundfile.write(tmp_path / f"a.{extension}", written, 16000, subtype="PCM_16")
    samples, condition = read(tmp_path / f"a.{extension}")
    assert np.array_equal(samples, written)
    assert (condition.failure, condition.missing) == ("", 0)
    assert (condition.native_sample_rate, condition.channels) == (16000, 1)
    assert (condition.native_frames, condition.samples) == (len(written), len(written))


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("channels", [1, 2])
def test_resampling_keeps_frequency_and_level(tmp_path: Path, rate: int, subtype: str, channels: int) -> None:
    signal = np.tile(tone(1000, rate)[:, None], (1, channels))
    soundfile.write(tmp_path / "a.wav", signal, rate, subtype=subtype)
    samples, condition = read(tmp_path / "a.wav")
    hz, level = spectrum(samples)
    assert hz == pytest.approx(1000, abs=1.5)
    assert abs(20 * np.log10(level / 0.5)) < 0.1
    assert abs(len(samples) - 16000) <= 1
    assert (condition.native_sample_rate, condition.channels) == (rate, channels)
    assert (condition.peak, condition.dc) == (pytest.approx(0.5, abs=0.01), pytest.approx(0, abs=1e-3))
    assert condition.rms == pytest.approx(0.5 / 2**0.5, rel=0.01)


@pytest.mark.parametrize("hz", [8500, 10000, 15000, 20000])
def test_tones_above_8_khz_vanish(tmp_path: Path, hz: float) -> None:
    soundfile.write(tmp_path / "a.wav", tone(hz, 44100), 44100, subtype="PCM_24")
    samples, _ = read(tmp_path / "a.wav")
    assert np.abs(samples[1000:-1000]).max() < 0.5 * 32768 * 10 ** (-60 / 20)


@pytest.mark.parametrize("extension", ["mp3", "ogg", "opus"])
def test_lossy_formats(tmp_path: Path, extension: str) -> None:
    form = {"format": "OGG", "subtype": "OPUS"} if extension == "opus" else {}
    rate = 48000 if extension == "opus" else 44100
    soundfile.write(tmp_path / f"a.{extension}", tone(1000, rate), rate, **form)
    samples, condition = read(tmp_path / f"a.{extension}")
    hz, level = spectrum(samples)
    assert condition.failure == "" and condition.missing == 0
    assert hz == pytest.approx(1000, abs=1.5) and abs(20 * np.log10(level / 0.5)) < 0.2


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_block_boundaries_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: int) -> None:
    signal = noise(1.0, rate, channels=2)
    soundfile.write(tmp_path / "a.wav", signal, rate, subtype="FLOAT")
    whole, one = read(tmp_path / "a.wav")
    mono = signal.astype(np.float32).mean(axis=1)
    reference = soxr.resample(mono, rate, 16000, quality="HQ")
    assert np.array_equal(whole, np.clip(np.rint(reference * 32768), -32768, 32767).astype(np.int16))
    for size in (64, 999, 2 * rate // 4, 2 * rate):  # the last ones divide the recording without rest
        monkeypatch.setattr(audio, "_BLOCK", size)
        blocks, many = read(tmp_path / "a.wav")
        assert np.array_equal(blocks, whole)
        assert many.at_extreme == one.at_extreme and many.span == one.span and many.samples == one.samples
        for name in ("peak", "rms", "dc", "end"):
            assert getattr(many, name) == pytest.approx(getattr(one, name), rel=1e-6, abs=1e-9)


def test_blocks_of_exact_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = pcm()
    soundfile.write(tmp_path / "a.flac", written, 16000)
    for size in (1000, 4000, 8000, 8001):
        monkeypatch.setattr(audio, "_BLOCK", size)
        assert np.array_equal(read(tmp_path / "a.flac")[0], written)


def test_memory_of_a_block_does_not_grow_with_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "_BLOCK", 800)
    soundfile.write(tmp_path / "a.wav", noise(0.1, channels=8), 16000)
    sizes: list[int] = []
    audio.read(tmp_path / "a.wav", lambda block: sizes.append(len(block)))
    assert max(sizes) == 100 and sum(sizes) == 1600


def test_stereo_is_the_mean_of_its_channels(tmp_path: Path) -> None:
    pair = np.rint(noise(channels=2) * 32767).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", pair, 16000)
    samples, _ = read(tmp_path / "a.wav")
    assert np.abs(samples - pair.mean(axis=1)).max() <= 0.5
    soundfile.write(tmp_path / "b.wav", np.stack([pair[:, 0], -pair[:, 0]], axis=1), 16000)
    assert read(tmp_path / "b.wav")[1].span == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_nan_and_infinity_are_told(tmp_path: Path, value: float, rate: int) -> None:
    signal = noise(0.2, rate)
    signal[-5] = value
    soundfile.write(tmp_path / "a.wav", signal, rate, subtype="FLOAT")
    assert read(tmp_path / "a.wav")[1].failure == "it holds NaN or infinite samples"


def test_floats_in_the_range_of_int16_are_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", (noise() * 32768).astype(np.float32), 16000, subtype="FLOAT")
    assert "times full scale; float samples belong into -1..1" in read(tmp_path / "a.wav")[1].failure
    soundfile.write(tmp_path / "b.wav", np.full((100, 2), 3e38, np.float32), 44100, subtype="FLOAT")
    assert read(tmp_path / "b.wav")[1].failure.startswith("its samples reach 3e+38 times full scale")


def test_floats_somewhat_over_full_scale_are_cut_not_wrapped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([1.0, -1.0, 1.5, -1.5] * 100), 16000, subtype="FLOAT")
    samples, condition = read(tmp_path / "a.wav")
    assert samples[:4].tolist() == [32767, -32768, 32767, -32768]
    assert condition.peak == 1.5


@pytest.mark.parametrize(
    "content, failure",
    [
        (b"", "the file has 0 bytes"),
        (wav(b""), "it holds no samples"),
        (b"RIFF", "it cannot be decoded"),
        (b"no audio at all" * 100, "it cannot be decoded"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "it is a git-lfs pointer, not audio (run `git lfs pull` in the corpus)",
        ),
    ],
    ids=["empty", "header", "cut header", "text", "git-lfs"],
)  # fmt: skip
@pytest.mark.parametrize("extension", ["wav", "flac", "mp3"])
def test_what_is_no_audio_is_told(tmp_path: Path, content: bytes, failure: str, extension: str) -> None:
    path = tmp_path / f"a.{extension}"
    path.write_bytes(content)
    samples, condition = read(path)
    assert condition.failure.startswith(failure)
    assert len(samples) == condition.samples == 0


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frames", [0, 1])
def test_almost_nothing_to_resample(tmp_path: Path, channels: int, frames: int) -> None:
    soundfile.write(tmp_path / "a.wav", np.full((frames, channels), 0.3), 44100)
    samples, condition = read(tmp_path / "a.wav")
    assert len(samples) <= 1 and (condition.failure == "it holds no samples" or condition.samples == 1)


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.wav").symlink_to(tmp_path / "gone.wav")
    assert read(tmp_path / "a.wav")[1].failure == "it cannot be opened (No such file or directory)"
    assert read(tmp_path)[1].failure == "it cannot be opened (Is a directory)"


@pytest.mark.parametrize("rate", [1, 999, 1_000_001, 2**31 - 1])
def test_absurd_rates_are_told_and_fill_no_memory(tmp_path: Path, rate: int) -> None:
    content = bytearray(wav(pcm().tobytes()))
    content[24:28] = struct.pack("<I", rate)
    (tmp_path / "a.wav").write_bytes(content)
    assert read(tmp_path / "a.wav")[1].failure == f"its header gives a sample rate of {rate} Hz"


def test_a_wav_that_was_cut_misses_samples(tmp_path: Path) -> None:
    written = pcm(1.0)
    (tmp_path / "a.wav").write_bytes(wav(written.tobytes())[: 44 + 16000])
    samples, condition = read(tmp_path / "a.wav")
    assert condition.failure == "" and np.array_equal(samples, written[:8000])
    assert condition.missing == pytest.approx(0.5)


@pytest.mark.parametrize("rate, subtype, channels", [(44100, "PCM_24", 2), (48000, "FLOAT", 1), (8000, "PCM_U8", 1)])
def test_cut_recordings_of_other_kinds(tmp_path: Path, rate: int, subtype: str, channels: int) -> None:
    soundfile.write(tmp_path / "a.wav", noise(1.0, rate, channels=channels), rate, subtype=subtype)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[: len(content) // 2])
    assert read(tmp_path / "a.wav")[1].missing == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0xFFFFFFFF - 36, 0x7FFFF000], ids=["ffmpeg", "minus header", "sox"])
def test_a_header_from_a_pipe_is_no_cut(tmp_path: Path, size: int) -> None:
    written = pcm()
    (tmp_path / "a.wav").write_bytes(wav(written.tobytes(), size, riff=0xFFFFFFFF))
    samples, condition = read(tmp_path / "a.wav")
    assert np.array_equal(samples, written) and (condition.missing, condition.failure) == (0, "")


def test_a_header_of_size_zero_is_no_cut(tmp_path: Path) -> None:
    written = pcm()
    (tmp_path / "a.wav").write_bytes(wav(written.tobytes(), 0, riff=8))  # what a killed libsndfile leaves
    samples, condition = read(tmp_path / "a.wav")
    assert np.array_equal(samples, written) and (condition.missing, condition.failure) == (0, "")
    (tmp_path / "b.wav").write_bytes(wav(written.tobytes(), 0))  # libsndfile believes it: told, not passed over
    assert read(tmp_path / "b.wav")[1].failure == "it holds no samples"


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_flac_that_was_cut_is_told(tmp_path: Path, share: float) -> None:
    soundfile.write(tmp_path / "a.flac", pcm(2.0), 16000)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: int(len(content) * share)])
    _, condition = read(tmp_path / "a.flac")
    assert condition.failure or condition.missing > 0


def test_a_flac_that_breaks_in_a_later_block_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "_BLOCK", 4096)
    soundfile.write(tmp_path / "a.flac", pcm(2.0), 16000)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: int(len(content) * 0.7)])
    _, condition = read(tmp_path / "a.flac")
    assert condition.failure.startswith("decoding breaks off after 1.")


def test_a_flac_from_a_pipe_promises_nothing(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", pcm(), 16000)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0  # the 36 bits of STREAMINFO that count samples
    content[22:26] = bytes(4)
    (tmp_path / "a.flac").write_bytes(content)
    samples, condition = read(tmp_path / "a.flac")
    assert condition.missing == 0 and (condition.failure or len(samples) == 8000)


@pytest.mark.parametrize(
    "before, after",
    [
        (chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0\0"), b""),
        (chunk(b"PAD ", bytes(4044)), b""),
        (chunk(b"FLLR", bytes(4000)) + chunk(b"odd ", b"123"), b""),
        (b"", chunk(b"LIST", b"INFOIART\x04\0\0\0abc\0")),
        (chunk(b"bext", bytes(602)), chunk(b"id3 ", bytes(33))),
    ],
    ids=["LIST", "PAD", "FLLR and odd", "LIST after", "bext, id3"],
)  # fmt: skip
def test_other_chunks_are_no_sound(tmp_path: Path, before: bytes, after: bytes) -> None:
    written = pcm()
    (tmp_path / "a.wav").write_bytes(wav(written.tobytes(), before=before, after=after))
    samples, condition = read(tmp_path / "a.wav")
    assert np.array_equal(samples, written) and (condition.missing, condition.failure) == (0, "")
    content = wav(written.tobytes(), before=before)
    (tmp_path / "cut.wav").write_bytes(content[:-8000])
    assert read(tmp_path / "cut.wav")[1].missing == pytest.approx(0.25)


def test_full_scale_is_not_clipping(tmp_path: Path) -> None:
    signal = tone(440, 44100) + noise(1.0, 44100, 0.05)[:, 0]
    signal /= np.abs(signal).max()
    for subtype in ("PCM_16", "PCM_24", "FLOAT"):
        soundfile.write(tmp_path / "a.wav", signal, 44100, subtype=subtype)
        _, condition = read(tmp_path / "a.wav")
        assert condition.peak == pytest.approx(1, abs=1e-3) and not is_clipped(condition)


@pytest.mark.parametrize("level", [1.0, 0.5])
@pytest.mark.parametrize("side", ["both", "above", "below"])
def test_cut_peaks_are_clipping(tmp_path: Path, level: float, side: str) -> None:
    low, high = (-level if side != "above" else -9), (level if side != "below" else 9)
    signal = np.clip(1.3 * level * (tone(440, 44100, level=1) + noise(1.0, 44100, 0.05)[:, 0]), low, high)
    scale = 1 if side == "both" else level / np.abs(signal).max()
    signal = np.stack([0.2 * noise(1.0, 44100)[:, 0], scale * signal], axis=1)  # one channel of two
    for subtype in ("PCM_16", "PCM_24", "FLOAT"):
        soundfile.write(tmp_path / "a.wav", signal, 44100, subtype=subtype)
        condition = read(tmp_path / "a.wav")[1]
        assert condition.at_extreme > 100 and is_clipped(condition)


def test_coarse_or_soft_recordings_are_not_clipped(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", noise(level=0.5).clip(-1, 1), 16000, subtype="PCM_U8")
    assert not is_clipped(read(tmp_path / "a.wav")[1])
    soundfile.write(tmp_path / "b.wav", np.rint(noise() * 20).astype(np.int16), 16000)
    assert not is_clipped(read(tmp_path / "b.wav")[1])


@pytest.mark.parametrize("rate", [16000, 48000])
@pytest.mark.parametrize("offset", [0.1, -0.02, 0.0])
def test_dc_is_measured(tmp_path: Path, rate: int, offset: float) -> None:
    soundfile.write(tmp_path / "a.wav", noise(1.0, rate) + offset, rate)
    condition = read(tmp_path / "a.wav")[1]
    assert condition.dc == pytest.approx(offset, abs=2e-3)
    assert condition.rms == pytest.approx((offset**2 + 0.01 * 16000 / rate) ** 0.5, rel=0.03)


def test_edges_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signal = np.zeros(8000)
    signal[:320], signal[-320:] = 0.25, -0.5
    soundfile.write(tmp_path / "a.wav", signal, 16000)
    for size in (audio._BLOCK, 330, 4000):
        monkeypatch.setattr(audio, "_BLOCK", size)
        condition = read(tmp_path / "a.wav")[1]
        assert (condition.start, condition.end) == (pytest.approx(0.25, abs=1e-4), pytest.approx(0.5, abs=1e-4))


def _bytes_of(extension: str) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, noise(0.1, 22050, channels=2), 22050, format=extension)
    return out.getvalue()


WHOLE = {extension: _bytes_of(extension) for extension in ("wav", "flac", "ogg", "mp3", "aiff")}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"RIFF\x24\0\0\0WAVEfmt ", b"fLaC\0\0\0\x22", b"OggS", b"ID3"]))
def test_any_bytes_end_in_a_failure_or_samples(content: bytes, magic: bytes) -> None:
    _never_raises(magic + content, "wav")
    _never_raises(magic + content, "flac")


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(sorted(WHOLE)))
def test_damaged_recordings_end_in_a_failure_or_samples(data: st.DataObject, extension: str) -> None:
    content = bytearray(WHOLE[extension])
    header = st.integers(0, min(60, len(content) - 1))
    for at in data.draw(st.lists(st.one_of(header, st.integers(0, len(content) - 1)), max_size=6)):
        content[at] = data.draw(st.integers(0, 255))
    _never_raises(bytes(content[: data.draw(st.integers(0, len(content)))]), extension)


def _never_raises(content: bytes, extension: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"a.{extension}")
        path.write_bytes(content)
        samples, condition = read(path)
    assert condition.failure or len(samples) == condition.samples > 0
    assert 0 <= condition.missing < 3e5
