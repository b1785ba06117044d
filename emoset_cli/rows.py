"""A recording, or a piece of it, becomes a row of the utterance table; what cannot be used becomes a problem."""

import re
from collections.abc import Iterator
from typing import Any

from emoset_cli import dimensions
from emoset_cli.corpora import Corpus
from emoset_cli.errors import EmosetError
from emoset_cli.joins import UNKNOWN
from emoset_cli.names import Recording, speaker_of
from emoset_cli.problems import KEPT, LEFT_OUT, Problem
from emoset_cli.templates import filler

_GENDERS = {"f": "female", "m": "male", "female": "female", "male": "male", "other": ""} | dict.fromkeys(UNKNOWN, "")
# Columns of names and tables that a row does not carry as they are.
_ABSORBED = {"label", "speaker", "gender", "language", "text", "age", "start_s", "end_s"}
Fault = tuple[str, str, str, str]  # problem, action, detail, mend
_ISO = re.compile("[a-z]{3}")  # 639-3


def rows_of(
    corpus: Corpus, recording: Recording, required: list[set[str]]
) -> Iterator[dict[str, Any] | Problem | None]:
    """The rows of a recording: one, or one for each piece that a table cuts from it; None for other material.

    A row whose speaker nobody knows is followed by a problem that says so, where a published partition can use it.

    Args:
        corpus: its registry entry
        recording: with what the tables say of it
        required: of `joins.required_tables`

    Raises:
        EmosetError: if a table names a gender or a language in a way the registry does not tell
    """
    local = _id(corpus, recording, recording.texts)
    if recording.stem in corpus.exclude:
        yield _excluded(corpus, recording, local, recording.stem)
    elif lacking := [name for group in required if not recording.tables & group for name in sorted(group)]:
        if local in corpus.exclude:
            yield _excluded(corpus, recording, local, local)
            return
        files = ", ".join(dict.fromkeys(corpus.tables[name].file for name in lacking))
        mend = "add a row, or remove the recording"
        yield _problem(corpus, recording, local, "not in table", f"{files} has no row for it", mend)
    elif recording.pieces is None:
        yield from _row(corpus, recording, local, recording.texts, recording.values)
    else:
        for number, piece in enumerate(recording.pieces, 1):
            start = piece.values["start_s"]
            texts = recording.texts | piece.texts | {"row": f"{number:04d}"}
            texts["start_ms"] = "" if start is None else str(round(start * 1000))
            local = _id(corpus, recording, texts, number)
            yield from _row(corpus, recording, local, texts, recording.values | piece.values)


def _id(corpus: Corpus, recording: Recording, texts: dict[str, str], number: int = 0) -> str:
    if corpus.id:
        return filler(corpus.id)(texts)
    return f"{recording.stem if corpus.path else recording.id}_{number:04d}" if number else recording.id


def _problem(corpus: Corpus, recording: Recording, local: str, kind: str, detail: str, mend: str) -> Problem:
    return Problem(corpus.key, recording.path, f"{corpus.key}/{local}", kind, LEFT_OUT, detail, mend)


def _excluded(corpus: Corpus, recording: Recording, local: str, named: str) -> Problem:
    mend = "nothing: the registry names this file"
    return _problem(corpus, recording, local, "excluded", corpus.exclude[named], mend)


def _row(
    corpus: Corpus, recording: Recording, local: str, texts: dict[str, str], values: dict[str, Any]
) -> Iterator[dict[str, Any] | Problem | None]:
    if local in corpus.exclude:
        yield _excluded(corpus, recording, local, local)
        return
    if any(texts.get(name, "") not in allowed for name, allowed in corpus.where.items()):
        yield None
        return
    code = filler(corpus.label)(texts) if corpus.label else texts.get("label", "")
    speaker = speaker_of(corpus, texts)
    nobody = speaker.lower() in UNKNOWN and "speaker" not in recording.groups
    wrong = _wrong_label(corpus, code) or (_nobody(corpus, speaker, texts) if nobody else _stranger(corpus, speaker))
    if wrong:
        yield Problem(corpus.key, recording.path, f"{corpus.key}/{local}", *wrong)
    if wrong and wrong[1] == LEFT_OUT:
        return
    if nobody:
        speaker = ""
    row: dict[str, Any] = {
        "utterance": f"{corpus.key}/{local}",
        "corpus": corpus.key,
        "speaker": speaker,
        "gender": corpus.genders.get(speaker) or _gender(corpus, texts.get("gender", "")),
        "language": _language(corpus, texts.get("language", "")) or corpus.language_of(speaker),
        "label": corpus.labels.get(code, code),
        "text": texts.get("text", ""),
        "path": recording.path,
    }
    row |= {name: texts[name] for name in recording.groups if name not in _ABSORBED}
    row |= {name: value for name, value in values.items() if name not in _ABSORBED}
    row |= {name: _number(texts[name]) for name in corpus.dimensions if name in recording.groups}
    if corpus.ages or "age" in texts:
        age = values.get("age", _number(texts.get("age", "")))
        row["age"] = corpus.ages.get(speaker) if age is None else age
    if not values.get("start_s") is values.get("end_s") is None:  # else the whole recording
        row |= {name: values[name] for name in ("start_s", "end_s")}
    for fault in dimensions.tidied(corpus, row, texts, _place(corpus)):
        yield Problem(corpus.key, recording.path, row["utterance"], *fault)
    yield row


def _wrong_label(corpus: Corpus, code: str) -> Fault | None:
    if code in corpus.labels or (code and not corpus.labels) or not corpus.labelled:
        return None
    mend = f"add '{code}' to `labels` of {_place(corpus)}" if code else "give it a label, or remove it"
    known = f" is none of {', '.join(corpus.labels)}" if corpus.labels else " is no label"
    return "unknown label", LEFT_OUT, f"label code '{code}'{known}", mend


def _nobody(corpus: Corpus, speaker: str, texts: dict[str, str]) -> Fault | None:
    """Speakers called "Unknown" are not one speaker: only a partition that does not go by speakers can use them."""
    if not corpus.speaker and "speaker" not in texts:  # nothing tells any speaker of this corpus
        return None
    usable = any(published.by and published.speakers_cross for published in corpus.partitions.values())
    mend = "name the speaker, or nothing: a partition by speakers cannot use it"
    return "speaker not known", KEPT if usable else LEFT_OUT, f"its speaker is '{speaker}', which may be anybody", mend


def _stranger(corpus: Corpus, speaker: str) -> Fault | None:
    if not corpus.genders or speaker in corpus.genders:
        return None
    mend = f"add '{speaker}' to `speakers` of {_place(corpus)} or correct the name"
    return "unknown speaker", LEFT_OUT, f"speaker '{speaker}' is not in the registry", mend


def _gender(corpus: Corpus, code: str) -> str:
    if code in corpus.gender_codes:
        return corpus.gender_codes[code].replace("unknown", "")
    if code.lower() in UNKNOWN or (corpus.genders and not corpus.gender_codes):
        return ""
    if corpus.gender_codes or code.lower() not in _GENDERS:
        raise EmosetError(
            f"'{code}' is no gender that {corpus.key} tells",
            f"add '{code}: female' or so to `gender` of {_place(corpus)}",
        )
    return _GENDERS[code.lower()]


def _language(corpus: Corpus, code: str) -> str:
    language = corpus.language_codes.get(code, code)
    if code and not _ISO.fullmatch(language):
        mend = f"add '{code}' to `language_codes` of {_place(corpus)}, as in 'German: deu'"
        raise EmosetError(f"'{code}' is no ISO 639-3 language code", mend)
    return language


def _place(corpus: Corpus) -> str:
    return f"{corpus.key} ({corpus.where_defined})"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
