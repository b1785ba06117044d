"""What a model should not be believed about: recordings far from what it learnt from, each concern in words."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from emoset_cli import audio
from emoset_cli.checks import SILENT_SPAN
from emoset_cli.errors import EmosetError

QUIET = 0.01  # peak, of full scale: below it 16-bit samples keep fewer than 9 bits
CLIPPED_A_SECOND = 1.0  # samples at the extreme: in an hour some touch it that are not clipped
ROUNDED_S = 0.002  # a run keeps its lengths to a thousandth
MISSING_S = 0.01  # a header that promises more than this beyond the file's end is wrong


class Concern(NamedTuple):
    """A word for it, one of `KINDS`, and what it is in this case."""

    kind: str
    text: str


KINDS = {
    "silent": "all samples are the same, give or take a step of 16 bit",
    "very quiet": "its peak is below 1 % of full scale",
    "clipped": "samples pile up at its extreme",
    "truncated": "its header promises more than the file holds",
    "narrow": "its sample rate is below 16 kHz and below all that the run learnt from: high frequencies are missing",
    "shorter": "shorter than every utterance the run learnt from",
    "longer": "predicted as a whole, and longer than every utterance the run learnt from",
}


def concerns(condition: audio.Condition, windows: bool, learnt: Mapping[str, Any]) -> list[Concern]:
    """The concerns about a recording.

    Args:
        condition: as it was read
        windows: whether it was cut into windows
        learnt: what the run tells of what it has heard (``heard`` of its settings); empty where it does not
    """
    found = []
    seconds = condition.samples / audio.SAMPLE_RATE
    if condition.span <= SILENT_SPAN:
        found.append(Concern("silent", f"all {seconds:.1f} s are silent"))
    elif condition.peak < QUIET:
        found.append(Concern("very quiet", f"its peak is {condition.peak:.2%} of full scale"))
    if audio.is_clipped(condition) and condition.at_extreme >= CLIPPED_A_SECOND * seconds:
        found.append(Concern("clipped", f"{condition.at_extreme} samples lie at its extreme"))
    if condition.missing > MISSING_S:
        found.append(Concern("truncated", f"its header promises {condition.missing:.2f} s more than the file holds"))
    rate, rates = condition.native_sample_rate, learnt.get("sample_rates", [])
    if rate < min([audio.SAMPLE_RATE, *rates]):
        others = f", the run learnt from {min(rates)} Hz and more" if rates else ""
        found.append(Concern("narrow", f"{rate} Hz hold nothing above {rate / 2000:g} kHz{others}"))
    if lengths := learnt.get("seconds"):
        if seconds < lengths["least"] - ROUNDED_S:
            found.append(Concern("shorter", f"{seconds:.2f} s, the run learnt from {lengths['least']:.2f} s and more"))
        elif seconds > lengths["most"] + ROUNDED_S and not windows:
            found.append(Concern("longer", f"{seconds:.1f} s, the run learnt from {lengths['most']:.1f} s at most"))
    return found


def language_note(run: str, language: str, learnt: Mapping[str, Any]) -> str:
    """What is to be said of a language that the run has not learnt from; "" if it has, or does not tell."""
    known = learnt.get("languages", [])
    if not language or not known or language in known:
        return ""
    return f"{run} has not learnt from {language}, but from {', '.join(known)}: what it says may be far off"


def check_language(language: str) -> None:
    """Refuse a language that is not written as the registry writes them.

    Raises:
        EmosetError: if it is not
    """
    if language and not (len(language) == 3 and language.isascii() and language.isalpha() and language.islower()):
        raise EmosetError(f"--language {language} is no language code", "give three letters (ISO 639-3), such as deu")
