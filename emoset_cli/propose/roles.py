"""What the fields of names are: speaker, label, text or take, judged by how their values occur together.

A speaker has many files and most of the labels; a label is had by most speakers; both are repeated, a counter is not.
Known words (``angry``, ``Actor``) raise a score, they decide nothing alone.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from math import log2
from statistics import median

from emoset_cli.propose.shapes import Form, escape
from emoset_cli.propose.spans import Span, crossing, same, spans_of
from emoset_cli.propose.words import GENDERS, KEYWORDS, are_genders, emotion_share

_TRIED = 12  # candidates for each of speaker and label that are tried together
_MOST_LABELS = 40


@dataclass
class Judgement:
    """The roles of the spans of a form; ``others`` are further candidates for speaker and label, best first.

    ``folders`` is how many folders the path takes at least: more than roles need, where names repeat in folders.
    """

    form: Form
    roles: dict[str, Span] = field(default_factory=dict)
    sure: dict[str, str] = field(default_factory=dict)
    others: dict[str, list[Span]] = field(default_factory=dict)
    folders: int = 0

    def path(self) -> str:
        """The expression for the names, from the outermost folder that is needed."""
        parts = self.form.parts
        outer = max(self.folders, *(span.level for span in self.roles.values()), 0)
        starts = {span.first: (name, span) for name, span in self.roles.items()}
        texts: list[str] = []
        index = 0
        for level in self.form.levels:
            number = level[0].level
            used = any(span.level == number for span in self.roles.values())
            text = ""
            for part in level:
                if index in starts:
                    name, span = starts[index]
                    text += f"(?P<{name}>{span.pattern()})"
                elif not any(span.first < index <= span.last for span in self.roles.values()):
                    text += part.pattern
                index += 1
            if number <= outer:
                name = f"folder{number}" if number <= self.folders else ""
                texts.append(text if used or number == 0 else f"(?P<{name}>[^/]+)" if name else "[^/]+")
        assert index == len(parts)
        return "(?:^|/)" + "/".join(texts) + "$"


Score = Callable[[Form, Span], float | None]


def judge(form: Form, label_given: bool = False) -> Judgement:
    """The likeliest roles of the fields of a form.

    Args:
        form: names taken apart
        label_given: a table tells the labels: none is looked for in the names
    """
    spans = spans_of(form)
    speakers = _best(form, spans, _speaker_score)
    labels = [] if label_given else _best(form, spans, _label_score)
    pairs = [
        (s_score + l_score + _together(speaker, label), {"speaker": speaker, "label": label})
        for s_score, speaker in speakers[:_TRIED]
        for l_score, label in labels[:_TRIED]
        if not speaker.overlaps(label) and not same(speaker, label)
    ]
    pairs.sort(key=lambda pair: -pair[0])
    found = Judgement(form)
    if pairs:
        found.roles = dict(pairs[0][1])
    elif labels and (not speakers or labels[0][0] >= speakers[0][0]):
        found.roles = {"label": labels[0][1]}
    elif speakers:
        found.roles = {"speaker": speakers[0][1]}
    for name, span in found.roles.items():
        rivals = [pair for pair in pairs if _rival(pair[1][name], span)]
        margin = pairs[0][0] - rivals[0][0] if rivals and pairs else 2.0
        found.sure[name] = "sure" if margin >= 1.5 else "likely" if margin >= 0.6 else "a guess"
        candidates = speakers if name == "speaker" else labels
        found.others[name] = [other for _, other in candidates if other not in found.roles.values()][:3]
    _name_the_rest(found)
    return found


def _rival(other: Span, chosen: Span) -> bool:
    """Another field, with other values: not the same told twice, nor a part of it."""
    return other != chosen and not other.overlaps(chosen) and not same(other, chosen)


def _best(form: Form, spans: list[Span], score: Score) -> list[tuple[float, Span]]:
    """Candidates, best first; of those that tell the same, the one that tells it best."""
    scored = [(value, span) for span in spans if (value := score(form, span)) is not None]
    scored.sort(key=lambda pair: (-round(pair[0], 6), pair[1].level, pair[1].first))
    kept: list[tuple[float, Span]] = []
    for value, span in scored:
        for i, (best, other) in enumerate(kept):
            if same(span, other):
                inner = span.level < other.level and set(span.counts) == set(other.counts)
                bonus = 1.0 if span.level != other.level or not span.overlaps(other) else 0.0
                kept[i] = (best + bonus, span if inner else other)
                break
        else:
            kept.append((value, span))
    return sorted(kept, key=lambda pair: -pair[0])


def _speaker_score(form: Form, span: Span) -> float | None:
    counts, total = span.counts, len(span.values)
    kinds = len(counts)
    if kinds < 2 or kinds > total / 1.5 or are_genders(counts):
        return None
    words = all(value.isalpha() for value in counts)
    score = min(1.5, log2(kinds) / 3) - 4 * emotion_share(counts)
    score += 3 * (_keyword(form, span) == "speaker") - 1.5 * (_keyword(form, span) in {"text", "take", "label"})
    score += 2.5 * (span.gender is not None) + 1.5 * _gendered(counts)
    score += 0.7 * (span.level > 0 or _first(form, span))
    score += 0.8 * (words and len({len(value) for value in counts}) > 1) - 1.0 * (words and kinds > 60)
    score -= 1.0 * (words and max(map(len, counts)) == 1) + 0.3 * (len(span.parts) > 1 and span.gender is None)
    return score - _counter(form, span) - 2.0 * (median(counts.values()) < 3)


def _label_score(form: Form, span: Span) -> float | None:
    counts, total = span.counts, len(span.values)
    kinds = len(counts)
    words = all(re.fullmatch(r"[^\W\d]+([- ][^\W\d]+)*", value) for value in counts)
    known = emotion_share(counts)
    if kinds > _MOST_LABELS or (kinds < 2 and not known) or are_genders(counts):
        return None
    if kinds > total / 2 and known < 0.5:
        return None
    score = 4 * known + 1.0 * (3 <= kinds <= 10) - 1.0 * (kinds > 20)
    score += 1.5 * (_keyword(form, span) == "label") - 2.0 * (_keyword(form, span) not in {"", "label"})
    score += 0.5 * words - 1.5 * (span.gender is not None) - 1.5 * _gendered(counts)
    score -= 0.03 * span.first  # of equals the earlier
    return score - _counter(form, span) - 1.0 * (median(counts.values()) < 3) - 0.5 * (len(span.parts) > 1)


def _together(speaker: Span, label: Span) -> float:
    """How freely the two cross: 2 where every speaker has every label."""
    return 2 * crossing(speaker, label) - 0.5 * (len(speaker.counts) < len(label.counts))


def _first(form: Form, span: Span) -> bool:
    """Whether it begins the name, but for constants and the gender."""
    fields = [set(part.values) for part in form.levels[-1]]
    varying = [
        part
        for part, values in zip(form.levels[-1], fields, strict=True)
        if len(values) > 1 and not are_genders(values)
    ]
    return bool(varying) and varying[0] in span.parts


def _keyword(form: Form, span: Span) -> str:
    """What the constant word before a field, or at its beginning, says it is."""
    for part in reversed(form.parts[: span.first + (len(span.parts) > 1 and len(set(span.parts[0].values)) == 1)]):
        word = part.literal or (part.values[0] if len(set(part.values)) == 1 else "")
        if part.level != span.level or not word or word.isdigit():
            return ""
        letters = re.sub(r"[\W_]", "", word).lower()
        if letters:
            return KEYWORDS.get(letters, "")
    return ""


def _gendered(values: Counter[str]) -> bool:
    """Whether values are told by gender and number: f1, m12, male3."""
    found = [re.fullmatch(r"(?:s|spk)?([a-z]+)_?\d+", value.lower()) for value in values]
    return all(found) and {GENDERS.get(match[1]) for match in found if match} == {"female", "male"}


def _counter(form: Form, span: Span) -> float:
    """How much a field looks like a take (a, b, c or 1, 2, 3, the first ones most) or the number of an item."""
    counts = span.counts
    ordered = sorted(counts)
    letters = "".join(ordered).lower() == "abcdefghijklmnopqrstuvwxyz"[: len(ordered)] and len(ordered) > 1
    numbers = all(value.isdigit() for value in counts)
    run = numbers and [int(value) for value in ordered] == list(range(1, len(ordered) + 1))
    falling = counts[ordered[0]] > 1.5 * counts[ordered[-1]] and counts[ordered[0]] == max(counts.values())
    before = form.parts[span.first - 1] if span.first else None
    follows = numbers and before is not None and before.chunk == span.parts[0].chunk and len(set(before.values)) > 1
    follows = follows and before is not None and before.level == span.level and not are_genders(set(before.values))
    return 2.0 * letters + 1.5 * ((run or letters) and falling) + 1.0 * bool(follows)


def _name_the_rest(found: Judgement) -> None:
    """Name what is neither speaker nor label: gender, text, take, and fields of which nothing is known."""
    parts = found.form.parts
    outer = max((span.level for span in found.roles.values()), default=0)
    taken = {i for span in found.roles.values() for i in range(span.first, span.last + 1)}
    speaker = found.roles.get("speaker")
    nested = speaker is not None and speaker.gender is not None
    free = [
        i for i, part in enumerate(parts)
        if part.values and i not in taken and part.level <= outer and len(set(part.values)) > 1
    ]  # fmt: skip
    groups: list[list[int]] = []
    for i in free:
        joined = groups and i == groups[-1][-1] + 1 and parts[i].chunk == parts[i - 1].chunk
        if joined and parts[i].level == parts[i - 1].level and len(groups[-1]) < 2 and parts[i].values[0].isdigit():
            groups[-1].append(i)
        else:
            groups.append([i])
    rest = [Span(group[0], group[-1], tuple(parts[group[0] : group[-1] + 1])) for group in groups]
    rest = [span for span in rest if not any(same(span, other) for other in found.roles.values())]
    if not nested:
        for span in rest:
            if are_genders(span.counts) and "gender" not in found.roles:
                found.roles["gender"] = span
    rest = [span for span in rest if span not in found.roles.values()]
    texts = [span for span in rest if _is_text(found, span)]
    if texts:
        found.roles["text"] = max(texts, key=lambda span: (_keyword(found.form, span) == "text", len(span.counts)))
    number = 0
    for span in rest:
        if span in found.roles.values():
            continue
        takes = _counter(found.form, span) >= 1.5 or _keyword(found.form, span) == "take"
        name = "take" if takes else "number" if len(span.counts) > len(span.values) / 10 else ""
        if not name or name in found.roles:
            number += 1
            name = f"field{number}"
        found.roles[name] = span


def _is_text(found: Judgement, span: Span) -> bool:
    """Whether its values cross with the speakers, as sentences do."""
    speaker = found.roles.get("speaker")
    keyword = _keyword(found.form, span)
    if keyword == "text":
        return True
    if speaker is None or keyword or len(span.counts) < 3 or _counter(found.form, span) >= 1.5:
        return False
    return crossing(speaker, span) >= 0.5 and len(span.counts) <= len(span.values) / 3


def literal_path(stem: str) -> str:
    """The expression for one name, where nothing can be told apart."""
    return f"(?:^|/)(?P<speaker>)(?P<label>{escape(stem.rpartition('/')[2])})$"
