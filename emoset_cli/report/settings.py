"""Runs as columns of a table: which runs are the same setting with another seed, and what each setting is called."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from emoset_cli.runs import FINAL, Run

# What may differ between two runs of one setting: their data, their seed, and what came out.
_NOT_OF_THE_SETTING = {
    "emoset", "recipe", "setting", "seed", "corpora", "labels", "label_map", "data", "entries", "partition",
    "aggregate", "left_out", "cuts", "counts", "chosen", "not_converged", "packages", "parameters", "device", "initial",
    "budget", "feature_settings", "heads", "classes", "unknown", "heard", "scales", "values", "levels",
}  # fmt: skip
_BARE = {"model", "feature", "mode", "preset", "precision", "normalise", "label_space"}  # told by their value alone
_FIRST = ("model", "feature", "preset", "precision")  # told rather than other settings that differ as well


@dataclass
class Setting:
    """Runs that differ in corpora and seed only."""

    name: str
    runs: list[Run] = field(default_factory=list)

    @property
    def config(self) -> dict[str, Any]:
        """The settings of one of its runs: they agree in all that makes the setting."""
        return self.runs[0].config


def is_network(run: Run) -> bool:
    """Whether the run is of a network: trained in epochs, in one of the training modes."""
    return "mode" in run.config


def setting_of(run: Run) -> str:
    """The short text by which tables name what was trained: ``all > adapters``, of a baseline ``egemaps-v02 svm``."""
    return str(run.config.get("setting") or f"{run.config.get('feature')} {run.config.get('model')}")


def group(runs: Iterable[Run]) -> list[Setting]:
    """The runs by setting, in the order of their first.

    Runs of one short text (``scratch``) that differ in more than corpora and seed, such as the model, the budget or
    the precision, are settings of their own: a mean over them would be of nothing. The name then tells what differs:
    ``scratch (vgg16)``. Final epochs are settings of their own too: ``scratch, final``.
    """
    groups: dict[tuple[str, bool], dict[str, list[Run]]] = {}
    for run in runs:
        alike = groups.setdefault((setting_of(run), run.final), {})
        alike.setdefault(str(sorted(_traits(run).items())), []).append(run)
    settings = []
    for (text, final), variants in groups.items():
        told = _apart([_traits(members[0]) for members in variants.values()])
        for words, members in zip(told, variants.values(), strict=True):
            name = f"{text} ({words})" if words else text
            settings.append(Setting(name + (f", {FINAL[1:]}" if final else ""), members))
    return settings


def _traits(run: Run) -> dict[str, str]:
    """All that makes the setting, flat: the names inside ``options`` and the like stand beside the others."""
    base = (run.config.get("initial") or {}).get("corpora")
    traits = dict(_flat(run.config)) | ({"base": "+".join(sorted(map(str, base)))} if base else {})
    return traits | ({"feature": "speech encoder"} if run.config.get("encoder") else {})  # not what it hears, a wave


def _flat(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if name not in _NOT_OF_THE_SETTING:
            if isinstance(value, dict):
                yield from _flat(value)
            else:
                yield str(name), "none" if value in (None, "", []) else str(value)


def _apart(traits: Sequence[dict[str, str]]) -> list[str]:
    """As few words as tell the groups apart, for each of them; none for a single group."""
    names = sorted({name for one in traits for name in one}, key=lambda name: (_rank(name), name))
    told: list[str] = []
    for name in names:
        before, after = (len({tuple(str(one.get(key)) for key in keys) for one in traits})
                         for keys in (told, [*told, name]))  # fmt: skip
        if after > before:
            told.append(name)
    return [", ".join(_word(name, one.get(name)) for name in told) for one in traits]


def _rank(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def _word(name: str, value: str | None) -> str:
    words = name.replace("_", " ")
    if value is None:
        return f"default {words}"
    if value in ("True", "False", "none"):
        return words if value == "True" else f"no {words}"
    return value if name in _BARE else f"{words} {value}"
