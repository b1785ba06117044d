"""Names are taken apart: the forms they have, and the fields of names of one form.

A field is a stretch of the path between separators, or of letters or digits within such a stretch; where letters of
fixed number cross freely (``Fa`` in ``03a01Fa``) each letter is one.
"""

import re
from collections import Counter
from dataclasses import dataclass
from itertools import groupby, pairwise

from emoset_cli.propose.words import are_genders

SEPARATORS = r"\s_\-.,;:+&=#@!~'\"()\[\]{}$%^|<>?*\\/`"
_CHUNK = re.compile(f"[^{SEPARATORS}]+")
_RUN = re.compile(r"\d+|\D+")
_HOLE = "\0"
_MOST = 0.95  # of the names must have what is taken for the rule
_LETTERS = 4  # more in a row are a word
_DIGITS = 50  # values of two digits in a row of digits; more are a counter


@dataclass(frozen=True)
class Part:
    """A literal text of a path, or a field with its value in each name of the sample.

    ``level`` is 0 in the name itself, 1 in its folder, 2 in the folder above. ``chunk`` numbers the stretches between
    separators within the level.
    """

    level: int
    chunk: int
    literal: str = ""
    values: tuple[str, ...] = ()

    @property
    def counts(self) -> Counter[str]:
        """How many names have each value."""
        return Counter(self.values)

    @property
    def pattern(self) -> str:
        """An expression that takes its values and others of their kind."""
        return pattern_of(set(self.values)) if self.values else escape(self.literal)


@dataclass
class Form:
    """Names of one form: the sample that was taken apart, and its parts from the outermost folder to the name."""

    stems: list[str]
    levels: list[list[Part]]  # outermost folder first; the last is the name

    @property
    def parts(self) -> list[Part]:
        """All parts, in order."""
        return [part for level in self.levels for part in level]


def form_of(stem: str) -> str:
    """What names of one form share: the separators of the last part of the path.

    Example:
        >>> form_of("f1/dis-f1-b1") == form_of("m2/rab-m2-d4"), form_of("a_b") == form_of("a-b")
        (True, False)
    """
    return _CHUNK.sub(_HOLE, stem.rpartition("/")[2])


def take_apart(stems: list[str]) -> Form:
    """The fields of names of one form. Names that are unlike most of the others are left out of the sample.

    Args:
        stems: paths without extension, all with the same `form_of`
    """
    rows = [stem.split("/") for stem in stems]
    depths = Counter(map(len, rows))
    depth = max(d for d in depths if sum(n for e, n in depths.items() if e >= d) >= _MOST * len(rows))
    rows = [row[-depth:] for row in rows if len(row) >= depth]
    columns = list(zip(*rows, strict=True))
    kept = set(range(len(rows)))
    split: list[list[tuple[int, str, list[str]]]] = []
    for column in columns:
        pieces, odd = _pieces(column)
        split.append(pieces)
        kept -= odd
    keep = sorted(kept)
    levels = []
    for number, pieces in enumerate(split):
        level: list[Part] = []
        for chunk, literal, values in pieces:
            level += [Part(depth - 1 - number, chunk, literal)] if literal else []
            if values:
                fields = _letters([values[i] for i in keep])
                level += [Part(depth - 1 - number, chunk, values=tuple(field)) for field in fields]
        levels.append(level)
    return Form(["/".join(rows[i]) for i in keep], levels)


def _pieces(texts: tuple[str, ...]) -> tuple[list[tuple[int, str, list[str]]], set[int]]:
    """(chunk, literal, values) of each piece of one level, and the rows that do not fit most of the others."""
    forms = [_CHUNK.sub(_HOLE, text) for text in texts]
    form, count = Counter(forms).most_common(1)[0]
    if count < _MOST * len(texts):
        return [(0, "", list(texts))], set()
    odd = {i for i, other in enumerate(forms) if other != form}
    chunks = [_CHUNK.findall(text) for text in texts]
    pieces: list[tuple[int, str, list[str]]] = []
    for number, literal in enumerate(form.split(_HOLE)):
        if number:
            values = [row[number - 1] if i not in odd else "" for i, row in enumerate(chunks)]
            runs, strange = _runs(values, odd)
            odd |= strange
            pieces += [(number - 1, "", run) for run in runs]
        if literal:
            pieces.append((number, literal, []))
    return pieces, odd


def _runs(values: list[str], skip: set[int]) -> tuple[list[list[str]], set[int]]:
    """The runs of letters and of digits, where most values have them alike; else the values as they are."""
    runs = [_RUN.findall(value) for value in values]
    kinds = [tuple(run[0].isdigit() for run in row) for row in runs]
    counts = Counter(kind for i, kind in enumerate(kinds) if i not in skip)
    kind, count = counts.most_common(1)[0]
    if count < _MOST * counts.total():
        return [values], set()
    strange = {i for i, other in enumerate(kinds) if other != kind and i not in skip}
    filled = [row if found == kind else [""] * len(kind) for row, found in zip(runs, kinds, strict=True)]
    return [list(column) for column in zip(*filled, strict=True)], strange


def _letters(values: list[str]) -> list[list[str]]:
    """Letters or pairs of digits of fixed number as fields of their own, where they cross freely."""
    whole = set(values)
    width = len(values[0])
    if len(whole) < 2 or any(len(value) != width for value in whole):
        return [values]
    if all(value.isdigit() for value in whole):
        cuts = range(2, width, 2) if width % 2 == 0 else []
        pairs = [{value[at : at + 2] for value in whole} for at in range(0, width, 2)]
        if not cuts or not all(2 <= len(pair) <= _DIGITS for pair in pairs) or not _cross(whole, list(cuts)):
            return [values]
    else:
        if width > _LETTERS:
            return [values]
        cuts = [at for at in range(1, width) if _freely(whole, at)]
    edges = [0, *cuts, width]
    return [[value[a:b] for value in values] for a, b in pairwise(edges)]


def _freely(whole: set[str], at: int) -> bool:
    left, right = {value[:at] for value in whole}, {value[at:] for value in whole}
    if len(left) == 1 or len(right) == 1:
        return are_genders(right if len(left) == 1 else left)
    return len(whole) >= 4 and _cross(whole, [at])


def _cross(whole: set[str], cuts: list[int]) -> bool:
    """Whether most combinations of the pieces occur."""
    product = 1
    edges = [0, *cuts, len(next(iter(whole)))]
    for a, b in pairwise(edges):
        product *= len({value[a:b] for value in whole})
    return product <= 2 * len(whole)


def pattern_of(values: set[str]) -> str:
    """An expression that takes all these values and others of their kind.

    Example:
        >>> pattern_of({"01", "24"}), pattern_of({"1", "10"}), pattern_of({"F", "M"}), pattern_of({"ang", "sadly"})
        ('\\\\d{2}', '\\\\d+', '[FM]', '[a-z]+')
    """
    if len(values) == 1:
        return escape(next(iter(values)))
    if are_genders(values):
        return f"[{''.join(sorted(values))}]" if max(map(len, values)) == 1 else "(?:" + "|".join(sorted(values)) + ")"
    texts = "".join(values)
    kinds = ("[0-9]", "[a-z]", "[A-Z]", "[A-Za-z]")
    kind = next((kind for kind in kinds if re.fullmatch(f"{kind}*", texts)), "") or _other_kind(texts)
    kind = kind.replace("[0-9]", r"\d")
    widths = {len(value) for value in values}
    if len(widths) > 1:
        return kind + "+"
    width = widths.pop()
    return kind if width == 1 else f"{kind}{{{width}}}"


def _other_kind(texts: str) -> str:
    if re.fullmatch("[A-Za-z0-9]*", texts):
        return "[A-Za-z0-9]"
    if re.search(f"[{SEPARATORS}]", texts):
        return "[^/]"
    if re.fullmatch(r"[^\W\d_]*", texts):
        return r"[^\W\d_]"
    return r"[^\s/_.-]" if any(letter.isdigit() for letter in texts) else r"[^\s\d/_.-]"


def escape(text: str) -> str:
    r"""A text as an expression; a dot in brackets, for ``\.wav`` is taken for an extension.

    Example:
        >>> escape("a.b (1)")
        'a[.]b \\(1\\)'
    """
    return re.sub(r"([\^$*+?{}\[\]\\|()])", r"\\\1", text.replace(".", "\0")).replace("\0", "[.]")


def outline(stem: str) -> str:
    """A name with letters as ``a`` or ``A`` and digits as ``9``, for people.

    Example:
        >>> outline("wav/03a01Fa")
        'wav/99a99Aa'
    """
    kinds = ("9" if c.isdigit() else "A" if c.isupper() else "a" if c.isalpha() else c for c in stem.rpartition("/")[2])
    runs = ((kind, len(list(run))) for kind, run in groupby(kinds))
    short = "".join(kind * count if count <= 4 else kind * 4 + "..." for kind, count in runs)
    folder = stem.rpartition("/")[0]
    return f"{folder}/{short}" if folder else short
