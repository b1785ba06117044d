"""The speech sounds of the synthesiser: vowels, consonants, and syllables spelt with them."""

from dataclasses import dataclass

# F1-F3 in Hz of men. Source: Peterson & Barney 1952 (means); "@" is the neutral tube of 17.5 cm.
VOWELS: dict[str, tuple[float, float, float]] = {
    "i": (270, 2290, 3010), "I": (390, 1990, 2550), "e": (530, 1840, 2480), "A": (660, 1720, 2410),
    "a": (730, 1090, 2440), "o": (570, 840, 2410), "U": (440, 1020, 2240), "u": (300, 870, 2240),
    "V": (640, 1190, 2390), "R": (490, 1350, 1690), "@": (500, 1500, 2500),
}  # fmt: skip


@dataclass(frozen=True)
class Consonant:
    """How a consonant sounds: a noise, a murmur, or both.

    Args:
        noise_hz: centre of the noise of a man's voice; 0 is none
        noise_db: its level below the vowels'
        noise_s: its duration
        hold_s: silence or murmur before the noise
        murmur: amplitude of the voicing meanwhile, 1 is a vowel's
        locus: F1-F3 in Hz towards which the neighbouring vowels bend
    """

    noise_hz: float = 0.0
    noise_db: float = -20.0
    noise_s: float = 0.0
    hold_s: float = 0.05
    murmur: float = 0.0
    locus: tuple[float, float, float] = (300, 1500, 2500)


# Textbook orders of size, set by hand: enough to sound like different consonants.
CONSONANTS: dict[str, Consonant] = {
    "": Consonant(hold_s=0.02, murmur=0.5, locus=VOWELS["@"]),
    "p": Consonant(900, -18, 0.012, 0.06, 0.0, (300, 900, 2300)),
    "t": Consonant(3800, -14, 0.016, 0.06, 0.0, (300, 1800, 2700)),
    "k": Consonant(1900, -14, 0.024, 0.06, 0.0, (300, 1900, 2200)),
    "b": Consonant(900, -20, 0.010, 0.05, 0.12, (250, 900, 2300)),
    "d": Consonant(3600, -18, 0.012, 0.05, 0.12, (250, 1800, 2700)),
    "g": Consonant(1900, -18, 0.018, 0.05, 0.12, (250, 1900, 2200)),
    "s": Consonant(5600, -15, 0.10, 0.01, 0.0, (300, 1700, 2600)),
    "S": Consonant(3100, -13, 0.10, 0.01, 0.0, (300, 1900, 2500)),
    "f": Consonant(4500, -24, 0.09, 0.01, 0.0, (300, 1000, 2300)),
    "h": Consonant(1500, -22, 0.06, 0.01, 0.0, VOWELS["@"]),
    "z": Consonant(5400, -20, 0.07, 0.01, 0.25, (280, 1700, 2600)),
    "m": Consonant(hold_s=0.06, murmur=0.4, locus=(250, 1000, 2200)),
    "n": Consonant(hold_s=0.06, murmur=0.4, locus=(250, 1500, 2600)),
    "l": Consonant(hold_s=0.05, murmur=0.6, locus=(350, 1150, 2800)),
    "r": Consonant(hold_s=0.04, murmur=0.6, locus=(380, 1250, 1600)),
}


@dataclass(frozen=True)
class Syllable:
    """One consonant (may be "") and one vowel; ``last`` ends a word."""

    consonant: str
    vowel: str
    stressed: bool = False
    last: bool = False


def spell(text: str) -> list[Syllable]:
    """The syllables of words written in the signs of `CONSONANTS` and `VOWELS`; ``'`` stands before a stressed one.

    Example:
        >>> [s.consonant + s.vowel for s in spell("'tali a'so") if s.stressed]
        ['ta', 'so']
    """
    out: list[Syllable] = []
    for word in text.split():
        consonant, stressed = "", False
        for at, sign in enumerate(word):
            if sign == "'":
                stressed = True
            elif sign in VOWELS:
                out.append(Syllable(consonant, sign, stressed, at == len(word) - 1))
                consonant, stressed = "", False
            else:
                assert sign in CONSONANTS and not consonant, f"{sign!r} in {word!r}"
                consonant = sign
        assert not consonant, f"{word!r} ends in a consonant"
    return out
