"""Speakers and languages of an imported source, where its format does not tell them."""

import re
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path

from emoset_cli.corpora import Corpus
from emoset_cli.errors import EmosetError
from emoset_cli.exchange.listing import Listing

UNKNOWN_LANGUAGE, SEVERAL_LANGUAGES = "und", "mul"  # ISO 639-3


@dataclass(frozen=True)
class Speakers:
    """Where speakers come from that a format does not tell.

    Args:
        pattern: a regular expression searched in the file name; its group ``speaker`` or first group is the speaker
        corpus: an entry of the registry whose grammar reads the file names
        language: ISO 639-3 code of all utterances, where the format tells none
    """

    pattern: str = ""
    corpus: Corpus | None = None
    language: str = ""


def name_speakers(
    listing: Listing, source: Path, audio: Path | None, how: Speakers, known: Corpus | None = None
) -> list[str]:
    """Fill in speakers and languages; answer the warnings.

    Args:
        listing: what the source tells, changed in place
        source: for messages
        audio: folder the listed names are relative to, or None
        how: where speakers come from
        known: the built-in entry of the same key; its language counts where it has one and the user names none

    Raises:
        EmosetError: if a name does not fit, or a language is none
    """
    if known is not None and not how.language and len(known.languages) == 1:
        how = replace(how, language=known.languages[0])
    if how.pattern:
        _by_pattern(listing, source, how.pattern)
    if how.corpus:
        _by_grammar(listing, source, audio, how.corpus)
    if how.language and not any(row.get("language") for row in listing.rows):
        listing.facts["language"] = how.language
    _languages(listing, source)
    warnings = []
    nobody = [row["file"] for row in listing.rows if not row.get("speaker")]
    if nobody:
        which = "only the imported partition" if listing.folds else "no partition"
        warnings.append(
            f"{len(nobody)} of {len(listing.rows)} utterances have no speaker: speaker-independent partitions cannot "
            f"be made, {which} can be used, and no result will be known to be speaker-independent "
            "(--speaker-pattern or --as can name speakers)"
        )
    for fold, column in listing.folds.items():
        shared = crossing_speakers(listing, column)
        if shared:
            some = ", ".join(shared[:5]) + (", ..." if len(shared) > 5 else "")
            warnings.append(
                f"fold {fold}: {len(shared)} speakers are in several partitions ({some}): "
                "results on it are NOT speaker-independent"
            )
    return warnings


def crossing_speakers(listing: Listing, column: str) -> list[str]:
    """Speakers that are in several partitions of a fold's column."""
    parts = defaultdict(set)
    for row in listing.rows:
        if row.get(column) and row.get("speaker"):
            parts[row["speaker"]].add(row[column])
    return sorted(speaker for speaker, found in parts.items() if len(found) > 1)


def _by_pattern(listing: Listing, source: Path, pattern: str) -> None:
    try:
        search = re.compile(pattern)
    except re.error as error:
        raise EmosetError(f"--speaker-pattern '{pattern}' does not compile ({error})", "correct it") from None
    group: int | str = "speaker" if "speaker" in search.groupindex else min(search.groups, 1)
    strangers = []
    for row in listing.rows:
        found = search.search(row["file"])
        if found and found[group]:
            row["speaker"] = found[group]
        else:
            strangers.append(row["file"])
    if strangers:
        raise EmosetError(
            f"{source}: --speaker-pattern '{pattern}' finds no speaker in {len(strangers)} of {len(listing.rows)} "
            f"names, the first is {strangers[0]}",
            r"correct it: it is searched in the listed name, as in '([^/_]+)_[^/]*$'",
        )


def _by_grammar(listing: Listing, source: Path, audio: Path | None, corpus: Corpus) -> None:
    """Speaker, gender, text and the further groups of a known corpus's file names; its words for the labels, if they
    are others for the same.
    """
    from emoset_cli.manifest import read_names
    from emoset_cli.store import SourceFile

    if not corpus.path:
        raise EmosetError(f"the registry has no path grammar for {corpus.key}", "give another corpus with --as")
    files = sorted({row["file"] for row in listing.rows})
    names = read_names(corpus, audio or source, [SourceFile(file, 0, 0, 0) for file in files])
    rows = {row["path"]: row for row in names.rows}
    strangers = [file for file in files if file not in rows]
    if strangers:
        why = {problem.path: problem.detail for problem in names.problems}
        raise EmosetError(
            f"{source}: {len(strangers)} of {len(files)} names do not fit {corpus.key}, the first is {strangers[0]} "
            f"({why.get(strangers[0], 'other material')})",
            "give the corpus they are of with --as, or --speaker-pattern",
        )
    for row in listing.rows:
        found = rows[row["file"]]
        for name, value in found.items():
            if name not in {"utterance", "corpus", "path", "label"} and not row.get(name) and value is not None:
                row[name] = str(value)
                listing.texts |= {name} if isinstance(value, str) else set()
    pairs = {(row["label"], rows[row["file"]]["label"]) for row in listing.rows}
    ours = dict(pairs)
    if len(pairs) == len(ours) == len(set(ours.values())):
        changed = [f"{theirs} is {word}" for theirs, word in sorted(pairs) if theirs != word]
        listing.notes += [f"labels as {corpus.key} names them: {', '.join(changed)}"] if changed else []
        listing.facts |= {f"label {theirs}": word for theirs, word in pairs}


def _languages(listing: Listing, source: Path) -> None:
    """ISO 639-3 codes for what languages are called; one for all becomes a fact of the corpus."""
    named = {row["language"] for row in listing.rows if row.get("language")} | {listing.facts.get("language", "")} - {
        ""
    }
    codes = {name: name if re.fullmatch("[a-z]{3}", name) else _code(name, source) for name in named}
    for row in listing.rows:
        if row.get("language"):
            row["language"] = codes[row["language"]]
    used = {row.get("language", "") for row in listing.rows}
    if used == {""}:
        listing.facts["language"] = codes.get(listing.facts.get("language", ""), UNKNOWN_LANGUAGE)
        if listing.facts["language"] == UNKNOWN_LANGUAGE:
            listing.notes.append(f"the language is not known ({UNKNOWN_LANGUAGE}); --language tells it")
    else:
        listing.facts["language"] = used.pop() if len(used) == 1 else SEVERAL_LANGUAGES


def _code(name: str, source: Path) -> str:
    from audformat.utils import map_language

    try:
        return str(map_language(name))
    except ValueError:
        raise EmosetError(
            f"{source}: '{name}' is no language", "use the three letters of ISO 639-3, for example deu, eng, cmn"
        ) from None
