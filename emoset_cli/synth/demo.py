"""Three demo corpora of synthetic emotional speech in invented languages, written as folders of audio.

They differ in what real corpora differ in: labels, language, speakers, file names, sample rate, channels and format.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli import files
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.synth import prosody
from emoset_cli.synth.sounds import Syllable, spell
from emoset_cli.synth.voice import Prosody, speak

VERSION = 1  # raise when a change anywhere in synth/ alters a sample: written corpora are then written anew


@dataclass(frozen=True)
class Language:
    """An invented language.

    Args:
        vowels: signs of `sounds.VOWELS`
        consonants: signs of `sounds.CONSONANTS`; syllables without one come in by the way
        syllables: fewest and most of a word
        stressed: which syllable of a word is stressed; -1 is the last
        words: of a sentence
        neutral: how it is spoken without emotion
    """

    vowels: str
    consonants: str
    syllables: tuple[int, int]
    stressed: int
    words: int
    neutral: Prosody


@dataclass(frozen=True)
class DemoCorpus:
    """A demo corpus. The registry says the same of its names and counts: change both, a test compares.

    Args:
        labels: code in the file name to the corpus's word
        speakers: gender to speakers
        path: builds a file's name without its extension
        strength: mean strength of its emotions: how well its speakers act
        noise_db: mean of the noise floor, in dB of full scale
    """

    key: str
    language: Language
    labels: dict[str, str]
    speakers: dict[str, tuple[str, ...]]
    texts: tuple[str, ...]
    path: str
    sample_rate: int
    channels: int
    format: str
    subtype: str
    strength: float
    noise_db: float

    def gender(self, speaker: str) -> str:
        """Gender of one of the speakers."""
        return next(gender for gender, names in self.speakers.items() if speaker in names)


@dataclass(frozen=True)
class Utterance:
    """One recording to be made; ``path`` is relative to the corpus folder, with its extension."""

    corpus: str
    path: str
    speaker: str
    label: str
    text: str
    take: int


CORPORA: dict[str, DemoCorpus] = {
    corpus.key: corpus
    for corpus in (
        DemoCorpus(
            "demo-aria",
            Language("aeiou", "ptksmnl", (2, 4), -2, 2, Prosody(rate=4.6)),
            {"W": "anger", "L": "boredom", "F": "happiness", "N": "neutral", "T": "sadness"},
            {"female": ("f01", "f02", "f03", "f04", "f05"), "male": ("m01", "m02", "m03", "m04", "m05")},
            ("s01", "s02", "s03", "s04"),
            "{speaker}_{text}_{code}{take}",
            sample_rate=16000, channels=1, format="WAV", subtype="PCM_16", strength=1.2, noise_db=-66.0,
        ),
        DemoCorpus(
            "demo-brio",
            Language("aAIoUV", "bdgSfrz", (1, 3), 0, 3, Prosody(rate=4.2, range_st=3.5, accent_db=4.5)),
            {"01": "anger", "02": "fear", "03": "joy", "04": "sadness"},
            {"female": ("02", "04", "06", "08"), "male": ("01", "03", "05", "07")},
            ("01", "02", "03", "04"),
            "speaker-{speaker}/brio-{code}-{text}-{take:02d}",
            sample_rate=44100, channels=2, format="FLAC", subtype="PCM_16", strength=0.9, noise_db=-62.0,
        ),
        DemoCorpus(
            "demo-cora",
            Language("aieuR", "thmnrks", (1, 3), -1, 3, Prosody(rate=5.0, range_st=2.5, accent_db=2.0)),
            {"angry": "anger", "calm": "calm", "happy": "happiness"},
            {"female": ("ada", "bea", "cleo", "dora"), "male": ("egon", "falk")},
            ("p01", "p02", "p03", "p04", "p05", "p06"),
            "{code}/{speaker}_{text}_v{take}",
            sample_rate=22050, channels=1, format="WAV", subtype="PCM_24", strength=1.0, noise_db=-58.0,
        ),
    )
}  # fmt: skip


def utterances(key: str, scale: int = 1) -> list[Utterance]:
    """All utterances of a demo corpus: speakers x texts x labels, in ``scale`` takes.

    Example:
        >>> utterances("demo-aria")[0].path, len(utterances("demo-aria")), len(utterances("demo-brio", 2))
        ('f01_s01_W1.wav', 200, 256)
    """
    return list(_utterances(_corpus(key), scale))


def waveform(item: Utterance, seed: int = 0) -> np.ndarray:
    """Synthesise one utterance: float32 of full scale 1 at the native sample rate of its corpus.

    Depends on ``item`` and ``seed`` only, not on what was synthesised before.

    Shape:
        result: ``(samples, channels)``
    """
    corpus = _corpus(item.corpus)
    who, gain_db, noise_db = _speaker(corpus.key, item.speaker, seed)
    rng = _rng(seed, item.corpus, item.path)
    strength = float(np.clip(rng.normal(corpus.strength, 0.3), 0.1, 2.0))
    way = prosody.render(item.label, who, corpus.language.neutral, strength, rng)
    rate = corpus.sample_rate
    speech = speak(who.voice, _sentence(corpus.key, item.text), way, rng, rate) * np.float32(10 ** (gain_db / 20))
    before, after = (int(seconds * rate) for seconds in rng.uniform(0.08, 0.25, 2))
    out = rng.standard_normal((before + len(speech) + after, corpus.channels), np.float32)
    out *= np.float32(10 ** (noise_db / 20))
    for channel in range(corpus.channels):  # the second microphone stands farther away
        late = before + channel * rate // 2000
        out[late : late + len(speech), channel] += speech * np.float32(0.8**channel)
    peak = np.abs(out).max()
    return out if peak <= 0.98 else out * np.float32(0.98 / peak)


def write(folder: Path, seed: int = 0, scale: int = 1, keys: Iterable[str] | None = None) -> dict[str, Path]:
    """Write the demo corpora to ``folder``/KEY and return where each is; nothing is done where it is there already.

    ``demo.json`` is written last and says how the corpus was made; without it, or when it says something else,
    the corpus is written anew; takes beyond ``scale`` are removed.

    Args:
        scale: takes of each text; 1 is what the registry counts
        keys: of the corpora; None is all

    Raises:
        EmosetError: if a key is unknown, or ``scale`` or ``seed`` is out of range
    """
    if scale < 1:
        raise EmosetError(
            f"scale of the demo corpora is {scale}", "give 1 or more: it is the number of takes of each text"
        )
    if seed < 0:
        raise EmosetError(f"seed of the demo corpora is {seed}", "give 0 or more")
    chosen = [_corpus(key) for key in (CORPORA if keys is None else keys)]
    return {corpus.key: _write(corpus, folder / corpus.key, seed, scale) for corpus in chosen}


def _write(corpus: DemoCorpus, folder: Path, seed: int, scale: int) -> Path:
    items = list(_utterances(corpus, scale))
    note = folder / "demo.json"
    made = {"corpus": corpus.key, "seed": seed, "scale": scale, "version": VERSION, "utterances": len(items)}
    if _noted(note) == made and all((folder / item.path).is_file() for item in items):
        return folder
    note.unlink(missing_ok=True)
    wanted = {folder / item.path for item in items}
    for parent in {path.parent for path in wanted}:
        files.sweep(parent)
    for item in items:
        raw = _encode(corpus, waveform(item, seed))
        with files.atomic(folder / item.path) as aside:
            aside.write_bytes(raw)
    beginnings = {_without_take(path) for path in wanted}
    for path in folder.rglob(f"*.{corpus.format.lower()}"):  # takes of a larger scale; nobody else's files
        if path not in wanted and _without_take(path) in beginnings:
            path.unlink()
    files.write_json(note, made)
    return folder


def _without_take(path: Path) -> str:
    return path.with_suffix("").as_posix().rstrip("0123456789")


def _noted(note: Path) -> Any:
    try:
        return json.loads(note.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _encode(corpus: DemoCorpus, values: np.ndarray) -> bytes:
    import soundfile

    memory = io.BytesIO()
    soundfile.write(memory, values, corpus.sample_rate, corpus.subtype, format=corpus.format)
    return memory.getvalue()


def _utterances(corpus: DemoCorpus, scale: int) -> Iterator[Utterance]:
    names = sorted(name for group in corpus.speakers.values() for name in group)
    for speaker, text, (code, label), take in product(names, corpus.texts, corpus.labels.items(), range(1, scale + 1)):
        path = corpus.path.format(speaker=speaker, text=text, code=code, take=take)
        yield Utterance(corpus.key, f"{path}.{corpus.format.lower()}", speaker, label, text, take)


def _corpus(key: str) -> DemoCorpus:
    if key not in CORPORA:
        raise unknown("demo corpus", key, CORPORA)
    return CORPORA[key]


@lru_cache(maxsize=256)
def _speaker(key: str, name: str, seed: int) -> tuple[prosody.Speaker, float, float]:
    """The speaker, and gain and noise floor in dB of the room."""
    corpus = CORPORA[key]
    rng = _rng(seed, key, name)
    who = prosody.speaker(corpus.gender(name), list(corpus.labels.values()), rng)
    return who, float(rng.normal(0, 2.0)), float(rng.normal(corpus.noise_db, 4.0))


@lru_cache(maxsize=256)
def _sentence(key: str, text: str) -> tuple[Syllable, ...]:
    """The syllables of a text: the same for each seed, as the texts of a corpus are given."""
    language = CORPORA[key].language
    rng = _rng(0, key, text)
    words = []
    for _ in range(language.words):
        count = int(rng.integers(language.syllables[0], language.syllables[1] + 1))
        stressed = max(0, language.stressed + count) if language.stressed < 0 else min(language.stressed, count - 1)
        parts = [
            ("'" if at == stressed else "")
            + (str(rng.choice(list(language.consonants))) if at == 0 or rng.random() < 0.9 else "")
            + str(rng.choice(list(language.vowels)))
            for at in range(count)
        ]
        words.append("".join(parts))
    return tuple(spell(" ".join(words)))


def _rng(*parts: object) -> np.random.Generator:
    raw = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(raw, "little"))
