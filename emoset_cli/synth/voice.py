"""A source-filter synthesiser of syllables: glottal pulses and breath through moving formants, noise for consonants."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emoset_cli.synth.sounds import CONSONANTS, VOWELS, Consonant, Syllable


@dataclass(frozen=True)
class Voice:
    """What a speaker cannot change: larynx and vocal tract.

    Args:
        f0_hz: usual pitch; men about 110, women about 205
        tract: factor on all formants; 1 is a tract of 17.5 cm, women about 1.17
        tilt_db: spectral tilt of the usual voice in dB an octave, above 0 is brighter
        breath_db: breath noise relative to the pulses at 1 kHz
        jitter: standard deviation of the period, as a share of it
        shimmer: standard deviation of the amplitude of a pulse, as a share of it
    """

    f0_hz: float = 110.0
    tract: float = 1.0
    tilt_db: float = 0.0
    breath_db: float = -24.0
    jitter: float = 0.006
    shimmer: float = 0.05


@dataclass(frozen=True)
class Prosody:
    """How an utterance is spoken; all values are of this utterance, added to or multiplied with the voice's.

    Args:
        pitch_st: pitch above the voice's usual one, in semitones
        range_st: how far stressed syllables rise above unstressed ones and the start above the end, in semitones
        rise_st: movement of the last syllable in semitones; above 0 it rises
        rate: syllables a second without the pauses
        level_db: RMS of the vowels in dB of full scale
        accent_db: how much louder stressed syllables are
        tilt_db: spectral tilt in dB an octave on top of the voice's
        breath_db: added to the voice's breath noise
        jitter: factor on the voice's
        shimmer: factor on the voice's
        formants: factor on the formants: a smile shortens the tract
        reach: how far vowels are from the neutral one; 1 is clear, below 1 slurred
        pause_s: mean pause between words
    """

    pitch_st: float = 0.0
    range_st: float = 3.0
    rise_st: float = 0.0
    rate: float = 4.5
    level_db: float = -28.0
    accent_db: float = 3.0
    tilt_db: float = 0.0
    breath_db: float = 0.0
    jitter: float = 1.0
    shimmer: float = 1.0
    formants: float = 1.0
    reach: float = 1.0
    pause_s: float = 0.06


def speak(
    voice: Voice, syllables: Sequence[Syllable], prosody: Prosody, rng: np.random.Generator, sample_rate: int
) -> np.ndarray:
    """Speak ``syllables``: a float32 waveform of full scale 1, without silence around it and without room.

    The level is that of ``prosody``; only where the peak would pass 0.98 is the whole utterance made softer.

    Shape:
        result: ``(samples,)``
    """
    plan = _plan(syllables, prosody, rng)
    hop = 1 << round(np.log2(0.007 * sample_rate))  # 6-8 ms
    blocks = int(np.ceil((plan.duration_s + 0.03) * sample_rate / hop))
    source = _source(voice, prosody, plan, blocks * hop, sample_rate, rng)
    centres = (np.arange(blocks) + 0.5) * (hop / sample_rate)
    scale = voice.tract * prosody.formants
    formants = np.stack([np.interp(centres, plan.at_s, track) for track in plan.formants_hz.T], axis=1) * scale
    fixed = _fixed_response(voice, prosody, 8 * hop, sample_rate)
    waveform = _filter(source.reshape(blocks, hop), formants, fixed, sample_rate)
    voiced = np.repeat(np.interp(centres, plan.at_s, plan.gain) > 0.5, hop)
    waveform *= 10 ** (prosody.level_db / 20) / np.sqrt(np.mean(waveform[voiced] ** 2))
    _add_noises(waveform, plan, scale, prosody, sample_rate, rng)
    peak = np.abs(waveform).max()
    return waveform if peak <= 0.98 else waveform * np.float32(0.98 / peak)


@dataclass
class _Plan:
    """Tracks through the points ``at_s``: voicing gain, pitch in semitones, F1-F3; and the noises (start, name)."""

    at_s: np.ndarray
    gain: np.ndarray
    pitch_st: np.ndarray
    formants_hz: np.ndarray  # (points, 3)
    noises: list[tuple[float, Consonant]]
    duration_s: float


def _plan(syllables: Sequence[Syllable], prosody: Prosody, rng: np.random.Generator) -> _Plan:
    neutral = np.array(VOWELS["@"])
    points: list[tuple[float, float, float, np.ndarray]] = [(0.0, 0.0, 0.0, neutral)]
    noises: list[tuple[float, Consonant]] = []
    now, tempo, count = 0.0, 4.5 / prosody.rate, len(syllables)
    lengths = rng.lognormal(0.0, 0.12, count)
    accents = rng.normal(0.0, 0.35, count)
    for i, syllable in enumerate(syllables):
        consonant, last = CONSONANTS[syllable.consonant], i == count - 1
        vowel = neutral + prosody.reach * (np.array(VOWELS[syllable.vowel]) - neutral)
        locus = 0.5 * (np.array(consonant.locus) + vowel)
        pitch = prosody.range_st * (0.5 * syllable.stressed + accents[i] + 0.5 - i / max(count - 1, 1))
        gain = 10 ** (prosody.accent_db * (0.5 if syllable.stressed else -0.5) / 20)
        closed = (consonant.hold_s + consonant.noise_s) * tempo**0.5
        length = max(0.05, tempo * lengths[i] * (0.2 if syllable.stressed else 0.14) * (1.35 if last else 1.0))
        if consonant.noise_s:
            noises.append((now + consonant.hold_s * tempo**0.5, consonant))
        points += [
            (now + 0.012, consonant.murmur * gain, pitch, locus),
            (now + closed, consonant.murmur * gain, pitch, locus),
            (now + closed + 0.02, gain, pitch, locus + 0.6 * (vowel - locus)),
            (now + closed + 0.4 * length, gain, pitch, vowel),
            (now + closed + length, 0.8 * gain, pitch + last * prosody.rise_st, vowel),
        ]
        now += closed + length
        if syllable.last and not last and (pause := rng.exponential(prosody.pause_s)) > 0.03:
            points += [(now + 0.02, 0.0, pitch, vowel), (now + pause, 0.0, pitch, vowel)]
            now += pause
    points.append((now + 0.025, 0.0, points[-1][2], points[-1][3]))
    at, gains, pitches = (np.array([point[k] for point in points]) for k in range(3))
    return _Plan(at, gains, pitches, np.stack([point[3] for point in points]), noises, now)


def _source(
    voice: Voice, prosody: Prosody, plan: _Plan, samples: int, sample_rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Glottal pulses, each at its true time between samples, and breath: both flat, `_filter` gives them colour."""
    grid = np.arange(0.0, samples / sample_rate, 0.002)
    mean_hz = voice.f0_hz * 2 ** (prosody.pitch_st / 12)
    knots = np.arange(0.0, grid[-1] + 0.3, 0.15)
    drift = np.interp(grid, knots, rng.normal(0, 0.2, len(knots)))
    hz = mean_hz * 2 ** ((np.interp(grid, plan.at_s, plan.pitch_st) + drift) / 12)
    phase = np.concatenate([[0.0], np.cumsum(0.5 * (hz[1:] + hz[:-1]) * 0.002)])
    times = np.interp(np.arange(int(phase[-1])) + 0.5, phase, grid)
    times += rng.normal(0, voice.jitter * prosody.jitter / 2**0.5, len(times)) / mean_hz
    heights = np.interp(times, plan.at_s, plan.gain) * (1 + rng.normal(0, voice.shimmer * prosody.shimmer, len(times)))
    at = np.clip(times * sample_rate, 0, samples - 2)
    whole = at.astype(np.int64)
    source = np.bincount(whole, heights * (1 - at + whole), samples)
    source += np.bincount(whole + 1, heights * (at - whole), samples)
    power = 10 ** ((voice.breath_db + prosody.breath_db) / 10) * mean_hz / sample_rate
    breath = np.diff(rng.standard_normal(samples + 1, np.float32)) * (power**0.5 * sample_rate / (2 * np.pi * 1000))
    source += breath * np.interp(np.arange(samples) / sample_rate, plan.at_s, plan.gain)
    return source.astype(np.float32)


def _fixed_response(voice: Voice, prosody: Prosody, size: int, sample_rate: int) -> np.ndarray:
    """What does not move within an utterance: glottal slope, tilt, radiation and F4-F8; minimum phase.

    Shape:
        result: complex ``(size / 2 + 1,)``
    """
    hz = np.fft.rfftfreq(size, 1 / sample_rate)
    glottal_hz = voice.f0_hz * 2 ** (prosody.pitch_st / 12)
    decibels = -20 * np.log10(1 + (hz / glottal_hz) ** 2)  # -12 dB an octave
    decibels += 20 * np.log10(np.maximum(hz, 20.0) / 1000)  # radiation, +6 dB an octave
    decibels += (voice.tilt_db + prosody.tilt_db) * np.log2(np.clip(hz, 150, 8000) / 500)
    magnitude = 10 ** (decibels / 20)
    for number in range(4, 9):  # a tube of 17.5 cm has one formant a kHz; no vowel moves the upper ones much
        centre = (number - 0.5) * 1000 * voice.tract * prosody.formants
        if centre < 0.47 * sample_rate:
            magnitude /= np.abs(np.fft.rfft(_resonance(np.array(centre), 60 + 0.05 * centre, sample_rate), size))
    cepstrum = np.fft.irfft(np.log(magnitude))
    cepstrum[1 : size // 2] *= 2
    cepstrum[size // 2 + 1 :] = 0
    response: np.ndarray = np.exp(np.fft.rfft(cepstrum))
    response[0] = 0  # no DC
    return response


def _resonance(centre_hz: np.ndarray, bandwidth_hz: np.ndarray | float, sample_rate: int) -> np.ndarray:
    """Denominators ``(..., 3)`` of two-pole resonators, scaled to gain 1 at 0 Hz. Source: Klatt 1980."""
    radius = np.exp(-np.pi * bandwidth_hz / sample_rate)
    middle = -2 * radius * np.cos(2 * np.pi * centre_hz / sample_rate)
    square = radius**2 * np.ones_like(middle)
    scaled: np.ndarray = np.stack([np.ones_like(middle), middle, square], axis=-1) / (1 + middle + square)[..., None]
    return scaled


def _filter(blocks: np.ndarray, formants_hz: np.ndarray, fixed: np.ndarray, sample_rate: int) -> np.ndarray:
    """Filter each block with the tract of its moment and add up the tails: no clicks, whatever the formants do.

    Shape:
        blocks: ``(blocks, hop)``
        formants_hz: ``(blocks, 3)``
        fixed: ``(4 * hop + 1,)``, of an FFT over 8 hops, so that tails of 40 ms fit
        result: ``(blocks * hop,)``
    """
    count, hop = blocks.shape
    size = 8 * hop
    parts = _resonance(formants_hz, 50 + 0.03 * formants_hz, sample_rate)  # (blocks, 3, 3)
    denominator = np.zeros((count, 7))
    for i in range(3):
        for j in range(3):
            for k in range(3):
                denominator[:, i + j + k] += parts[:, 0, i] * parts[:, 1, j] * parts[:, 2, k]
    spectrum = np.fft.rfft(blocks, size)
    spectrum *= fixed
    spectrum /= np.fft.rfft(denominator, size)
    pieces = np.fft.irfft(spectrum, size).astype(np.float32).reshape(count, 8, hop)
    out = np.zeros((count + 7, hop), np.float32)
    for part in range(8):
        out[part : part + count] += pieces[:, part]
    waveform: np.ndarray = out[:count].reshape(-1)
    return waveform


def _add_noises(
    waveform: np.ndarray, plan: _Plan, scale: float, prosody: Prosody, sample_rate: int, rng: np.random.Generator
) -> None:
    """Add the consonants' noises in place; brighter voices have louder ones."""
    for start_s, consonant in plan.noises:
        seconds = consonant.noise_s * (4.5 / prosody.rate) ** 0.5
        samples, start = int(seconds * sample_rate), int(start_s * sample_rate)
        size = 1 << max(6, int(samples - 1).bit_length())
        hz = np.fft.rfftfreq(size, 1 / sample_rate)
        shape = np.exp(-0.5 * (np.log2(np.maximum(hz, 30) / (consonant.noise_hz * scale)) / 0.5) ** 2)
        shape[0] = 0
        values = np.fft.irfft(shape * (rng.standard_normal(len(hz)) + 1j * rng.standard_normal(len(hz))))[:samples]
        values *= np.minimum(1, 2 * np.sin(np.linspace(0, np.pi, samples)))  # soft edges
        level = prosody.level_db + consonant.noise_db + 1.5 * prosody.tilt_db
        room = waveform[start : start + samples]
        room += (values * (10 ** (level / 20) / np.sqrt(np.mean(values**2))))[: len(room)].astype(np.float32)
