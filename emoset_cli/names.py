"""The path of a recording becomes named texts, by the expression of its corpus."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from unicodedata import normalize

from emoset_cli.bounded import searcher
from emoset_cli.corpora import Corpus
from emoset_cli.problems import LEFT_OUT, Problem
from emoset_cli.store import SourceFile
from emoset_cli.templates import filler

_BLANKS = re.compile(r"\s*/\s*")  # around the parts of a path


@dataclass
class Piece:
    """What one row of a table says of a recording: ``texts`` as written, ``values`` as columns."""

    texts: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)


@dataclass
class Recording(Piece):
    """A recording whose name is understood.

    ``texts`` holds the groups of the path and what tables say, for templates; ``values`` the columns of tables, numbers
    as numbers; ``pieces`` the rows of a table that cut it, None where no table does; ``tables`` those with a row of it.
    """

    path: str = ""
    stem: str = ""
    id: str = ""
    groups: tuple[str, ...] = ()
    pieces: list[Piece] | None = None
    tables: set[str] = field(default_factory=set)


@dataclass
class Names:
    """The recordings that are understood, the problems with others, and how many are other material."""

    recordings: list[Recording] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    other: int = 0


def parse_names(corpus: Corpus, files: Iterable[SourceFile]) -> Names:
    """Search the corpus's expression in each path, without extension and stray blanks, in Unicode's composed form.

    Raises:
        EmosetError: if the expression backtracks for ever
    """
    where = f"`path` of {corpus.key} ({corpus.where_defined})"
    search = searcher(corpus.regex.pattern, where, "correct it")
    groups = tuple(corpus.regex.groupindex)
    early = {name: values for name, values in corpus.where.items() if name in groups}
    names = Names()

    def not_understood(path: str, detail: str, mend: str) -> None:
        path = path.encode(errors="backslashreplace").decode()
        names.problems.append(Problem(corpus.key, path, "", "name not understood", LEFT_OUT, detail, mend))

    for file in files:
        stem = file.path.rpartition(".")[0]
        if not stem.isascii():
            if any(
                "\ud800" <= letter <= "\udfff" for letter in file.path
            ):  # bytes that are not UTF-8: no table has them
                not_understood(file.path, "the name is not UTF-8", "rename it, for example with convmv")
                continue
            stem = normalize("NFC", stem)
        stem = _BLANKS.sub("/", stem).strip()
        match = search(stem)
        if match is None:
            not_understood(
                file.path, f"the name does not fit {corpus.path}", f"rename or remove it, or correct {where}"
            )
            continue
        texts = {name: value or "" for name, value in match.groupdict().items()}
        if any(texts[name] not in values for name, values in early.items()):
            names.other += 1
            continue
        names.recordings.append(
            Recording(texts, path=file.path, stem=PurePosixPath(stem).name, id=match[0].strip("/"), groups=groups)
        )
        texts["path"] = stem
        texts.setdefault("stem", names.recordings[-1].stem)
        texts.setdefault("id", names.recordings[-1].id)
    return names


def speaker_of(corpus: Corpus, texts: dict[str, str]) -> str:
    """The speaker that names and tables tell so far."""
    speaker = filler(corpus.speaker)(texts) if corpus.speaker else texts.get("speaker", "")
    return corpus.speaker_alias.get(speaker, speaker)
