"""A folder becomes a proposal: the grammar of its names, its tables, and how much they explain."""

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from unicodedata import normalize

from emoset_cli.manifest import find_audio
from emoset_cli.propose.roles import Judgement, judge, literal_path
from emoset_cli.propose.shapes import form_of, outline, take_apart
from emoset_cli.propose.spans import Span
from emoset_cli.propose.tables import Found, find, match_speakers, read
from emoset_cli.propose.words import suggestions

_SHOWN = 5  # forms of names that are not explained
_BLANKS = re.compile(r"\s*/\s*")


@dataclass
class Proposal:
    """What is proposed for a folder.

    ``path`` is None where a table tells all. ``explained`` counts the names that it fits, ``forms`` the forms of the
    others (outline, number, an example), ``odd`` those that are not UTF-8. ``counts`` are those of the values of each
    group of the path, ``labels`` of the label codes.
    """

    folder: Path
    files: int
    path: str | None
    judgement: Judgement | None
    explained: int
    forms: list[tuple[str, int, str]]
    counts: dict[str, Counter[str]]
    labels: Counter[str]
    speakers: Counter[str]
    tables: list[Found] = field(default_factory=list)
    passed_tables: int = 0
    odd: int = 0

    @property
    def label_table(self) -> Found | None:
        """The table that tells the labels, if one does."""
        usable = (table for table in self.tables if table.key and "label" in table.known)
        in_names = self.judgement is not None and "label" in self.judgement.roles
        return None if in_names else max(usable, key=lambda table: table.share, default=None)

    @property
    def fields(self) -> list[tuple[str, Span]]:
        """Role and span of each group of the path, in order."""
        roles = self.judgement.roles if self.judgement and self.path else {}
        return sorted(roles.items(), key=lambda pair: pair[1].first)


def propose(folder: Path) -> Proposal:
    """Look at the names and tables of a folder and propose how they are read.

    Raises:
        EmosetError: if the folder is not there, cannot be read or holds no audio
    """
    folder = folder.expanduser().resolve()
    files = find_audio(folder)
    stems = [_stem(file.path) for file in files]
    readable = [stem for stem in stems if not any("\ud800" <= letter <= "\udfff" for letter in stem)]
    paths, passed = find(folder)
    found = [read(path, folder, readable) for path in paths]
    given = any(table.key and table.match != "speaker" and "label" in table.known for table in found)
    forms = Counter(map(form_of, readable))
    dominant = forms.most_common(1)[0][0] if forms else ""
    judgement = None
    path: str | None = None
    if readable:
        judgement = judge(take_apart([stem for stem in readable if form_of(stem) == dominant]), given)
        path = _path(judgement, given, readable)
    matches = _search(path, readable)
    while path and judgement and _repeats(matches) and judgement.folders < len(judgement.form.levels) - 1:
        judgement.folders += 1
        path = _path(judgement, given, readable)
        matches = _search(path, readable)
    rest = [stem for stem, match in matches if not match]
    counts = {group: _counted(matches, group) for group in re.compile(path or "").groupindex}
    none: Counter[str] = Counter()
    labels, speakers = counts.get("label", none), counts.get("speaker", none)
    proposal = Proposal(
        folder, len(files), path, judgement, len(readable) - len(rest), _others(rest), counts, labels,
        speakers, found, passed, len(stems) - len(readable),
    )  # fmt: skip
    for table in found:
        match_speakers(table, set(proposal.speakers))
    if teller := proposal.label_table:
        proposal.labels = Counter(teller.values(teller.known["label"]))
        if "speaker" in teller.known and "speaker" not in dict(proposal.fields):
            proposal.speakers = Counter(teller.values(teller.known["speaker"]))
    return proposal


def _stem(path: str) -> str:
    stem = path.rpartition(".")[0]
    return _BLANKS.sub("/", stem if stem.isascii() else normalize("NFC", stem)).strip()


def _search(path: str | None, stems: list[str]) -> list[tuple[str, re.Match[str] | None]]:
    search = re.compile(path or ".+").search
    return [(stem, search(stem)) for stem in stems]


def _repeats(matches: list[tuple[str, re.Match[str] | None]]) -> bool:
    """Whether two names in different folders would have the same id."""
    ids: dict[str, str] = {}
    return any(ids.setdefault(match[0].strip("/"), stem) != stem for stem, match in matches if match)


def _path(judgement: Judgement, given: bool, stems: list[str]) -> str | None:
    """The expression; None where a table tells the labels and the names tell no speaker."""
    roles = judgement.roles
    if given:
        return judgement.path() if "speaker" in roles else None
    if "label" not in roles:
        _make_up_label(judgement)
    if "label" not in roles:
        return literal_path(stems[0])
    path = judgement.path()
    return path if "speaker" in roles else path.replace("(?:^|/)", "(?:^|/)(?P<speaker>)", 1)


def _make_up_label(judgement: Judgement) -> None:
    """Where nothing looks like a label: the first field that varies and is not the speaker, as a mere guess."""
    speaker = judgement.roles.get("speaker")
    parts = judgement.form.parts
    free = [
        Span(i, i, (part,)) for i, part in enumerate(parts)
        if part.values and not (speaker and speaker.first <= i <= speaker.last) and not part.values[0].isdigit()
    ] or [Span(i, i, (p,)) for i, p in enumerate(parts) if p.values and (not speaker or i > speaker.last)]  # fmt: skip
    free = [span for span in free if span.level == 0] or free
    if free:
        chosen = max(free, key=lambda span: min(len(span.counts), 2))
        for name in [name for name, span in judgement.roles.items() if span.overlaps(chosen)]:
            del judgement.roles[name]
        judgement.roles["label"] = chosen
        judgement.sure["label"] = "a guess: nothing looks like a label"


def _others(stems: list[str]) -> list[tuple[str, int, str]]:
    """The commonest outlines of names, how many have each, and an example."""
    groups: dict[str, list[str]] = {}
    for stem in stems:
        groups.setdefault(outline(stem.rpartition("/")[2]), []).append(stem)
    ordered = sorted(groups.items(), key=lambda pair: -len(pair[1]))
    return [(shape, len(group), group[0]) for shape, group in ordered[:_SHOWN]]


def _counted(matches: list[tuple[str, re.Match[str] | None]], group: str) -> Counter[str]:
    return Counter(match[group] for _, match in matches if match and match[group])


def codes(proposal: Proposal) -> list[tuple[str, int, str]]:
    """Label codes in order, the files of each, and what it may mean ("" where nothing is known)."""
    known = suggestions(proposal.labels)
    return [(code, count, known.get(code, "")) for code, count in sorted(proposal.labels.items())]
