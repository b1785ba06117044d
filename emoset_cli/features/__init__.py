"""Features by name: one extractor a file, one line each in `FEATURES`.

An extractor module has ``PACKAGE`` (whose version is part of the settings) and ``build(**options)``, which answers the
names of the features and a function from a batch of waveforms to an array.
"""

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

from emoset_cli.errors import unknown
from emoset_cli.features.egemaps import SETS


@dataclass(frozen=True)
class Feature:
    """A feature set: its extractor's module and the options that make it this set."""

    module: str
    options: dict[str, Any]


FEATURES = {name: Feature("emoset_cli.features.egemaps", {"feature_set": official}) for name, official in SETS.items()}
ALIASES = {"egemaps": "egemaps-v02", "gemaps": "gemaps-v01b", "compare": "compare-2016"}


def find_feature(name: str) -> str:
    """The full name of a feature set, aliases resolved.

    Raises:
        EmosetError: for an unknown name
    """
    full = ALIASES.get(name, name)
    if full not in FEATURES:
        raise unknown("feature", name, [*FEATURES, *ALIASES])
    return full


def settings(name: str) -> dict[str, Any]:
    """Everything that can change a feature's numbers: extractor, its package's version, options."""
    feature = FEATURES[name]
    module = import_module(feature.module)
    return {
        "feature": name,
        "extractor": feature.module.rpartition(".")[2],
        "package": f"{module.PACKAGE} {version(module.PACKAGE)}",
        "options": feature.options,
        "sample_rate": 16000,
    }


def build(name: str) -> tuple[list[str], Any]:
    """Names and batch extractor of a feature set."""
    feature = FEATURES[name]
    result: tuple[list[str], Any] = import_module(feature.module).build(**feature.options)
    return result
