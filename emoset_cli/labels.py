"""Label spaces: how the labels of several corpora become labels they share."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emoset_cli import yaml_schema as ys
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.yaml_tree import Mistake, Where, refuse

OWN, COMMON = "own", "common"  # label spaces that need no map

_BUILTIN = Path(__file__).with_name("label_spaces.yaml")
_SPACES = ys.map_of(ys.record(map=ys.map_of(ys.list_of(ys.text)), source=ys.text))


@dataclass(frozen=True)
class Space:
    """A label space: its ``labels`` in order, and the ``map`` from labels of corpora to them."""

    name: str
    labels: tuple[str, ...]
    map: dict[str, str]
    source: str


def spaces(user_file: Path | None = None) -> dict[str, Space]:
    """The label spaces that have a map, those of a user's file after the built-in ones.

    A user's file adds spaces; it cannot redefine a built-in one, or the same name would mean two things in two reports.

    Args:
        user_file: a YAML file of the form ``name: {map: {label: [labels of corpora]}, source: ...}``

    Raises:
        EmosetError: that lists every mistake of the file with line, key and mend
    """
    found = _read(_BUILTIN, _BUILTIN.name, {OWN, COMMON})
    return found | _read(user_file, str(user_file), {OWN, COMMON, *found}) if user_file else found


def map_labels(labels: Iterable[str], space: Space) -> list[str | None]:
    """The label of each utterance in ``space``; None where the space has none: count and name these.

    Example:
        >>> map_labels(["anger", "sadness", "pain"], spaces()["arousal"])
        ['high', 'low', None]
    """
    return [space.map.get(label) for label in labels]


def relabel(
    labels: Mapping[str, Sequence[str]], name: str, user_file: Path | None = None
) -> dict[str, list[str | None]]:
    """The label of each utterance of each corpus in the label space ``name``; None where it has none: count these.

    Args:
        labels: corpus -> label of each utterance
        name: own, common or a space of `spaces`
        user_file: further spaces

    Raises:
        EmosetError: if there is no such label space, or the corpora share fewer than two labels

    Example:
        >>> relabel({"a": ["anger", "calm", "joy"], "b": ["joy", "anger"]}, "common")
        {'a': ['anger', None, 'joy'], 'b': ['joy', 'anger']}
    """
    if name == OWN:
        return {key: list(words) for key, words in labels.items()}
    if name == COMMON:
        shared = set(common_labels([tuple(dict.fromkeys(words)) for words in labels.values()]))
        return {key: [word if word in shared else None for word in words] for key, words in labels.items()}
    known = spaces(user_file)
    if name not in known:
        raise unknown("label space", name, [OWN, COMMON, *known])
    return {key: map_labels(words, known[name]) for key, words in labels.items()}


def order(name: str, mapped: Mapping[str, Sequence[str | None]], user_file: Path | None = None) -> list[str]:
    """The labels of a label space in its own order; where it has none, those that occur, in alphabetical order."""
    known = spaces(user_file)
    found = {label for labels in mapped.values() for label in labels if label is not None}
    return list(known[name].labels) if name in known else sorted(found)


def left_out(
    labels: Mapping[str, Sequence[str]], mapped: Mapping[str, Sequence[str | None]], used: Any = None
) -> dict[str, int]:
    """Utterances without an entry in a label space, by ``corpus/label``: every tool that leaves labels out names them.

    Args:
        labels: corpus -> label of each utterance
        mapped: what `relabel` made of them
        used: corpus -> which utterances count; all by default
    """
    counts: dict[str, int] = {}
    for key, words in labels.items():
        counted = [True] * len(words) if used is None else used[key]
        for word, to, one_used in zip(words, mapped[key], counted, strict=True):
            if to is None and one_used:
                counts[f"{key}/{word}"] = counts.get(f"{key}/{word}", 0) + 1
    return counts


def own_file(workspace: Path) -> Path | None:
    """The user's label spaces: ``label_spaces.yaml`` in the workspace, where there is one."""
    path = workspace / "label_spaces.yaml"
    return path if path.is_file() else None


def common_labels(labels: Sequence[Iterable[str]]) -> tuple[str, ...]:
    """The labels that all corpora have, in the order of the first.

    Args:
        labels: the labels of each corpus

    Raises:
        EmosetError: if fewer than two are shared: nothing to tell apart

    Example:
        >>> common_labels([("anger", "boredom", "sadness"), ("sadness", "anger")])
        ('anger', 'sadness')
    """
    named = [tuple(dict.fromkeys(names)) for names in labels]
    shared = tuple(label for label in named[0] if all(label in names for names in named)) if named else ()
    if len(shared) < 2:
        several = "; ".join(", ".join(names) for names in named)
        raise EmosetError(
            f"the corpora share {len(shared)} labels ({several}), at least 2 are needed",
            "choose other corpora, or a label space that maps them, for example --labels valence",
        )
    return shared


def _read(file: Path, name: str, taken: set[str]) -> dict[str, Space]:
    values, lines = ys.read_yaml(file, _SPACES, name)
    mistakes: list[Mistake] = []

    def wrong(where: Where, problem: str, mend: str) -> None:
        mistakes.append(Mistake(name, lines[where], where, problem, mend))

    found = {key: _space(key, fields, wrong) for key, fields in values.items()}
    for key in found:
        if key in taken:
            wrong((key,), f"label space '{key}' is emoset's own", "give yours another name")
    refuse(mistakes)
    return found


def _space(key: str, fields: dict[str, Any], wrong: Any) -> Space:
    for needed in ("map", "source"):
        if not fields.get(needed):
            wrong((key,), f"'{needed}' is missing", f"add '{needed}: ...' to the label space")
    groups: dict[str, tuple[str, ...]] = fields.get("map") or {}
    if len(groups) == 1:
        wrong((key, "map"), "there is one label only: nothing to tell apart", "add a second one")
    to: dict[str, str] = {}
    for label, terms in groups.items():
        for index, term in enumerate(terms):
            if term in to:
                wrong(
                    (key, "map", label, index), f"'{term}' is mapped to '{to[term]}' already", "remove one of the two"
                )
            to.setdefault(term, label)
    return Space(key, tuple(groups), to, fields.get("source", ""))
