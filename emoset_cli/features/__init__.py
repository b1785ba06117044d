"""Features by name: one extractor a file, one line each in `FEATURES` or `FAMILIES`.

An extractor module has ``PACKAGE`` (whose version is part of the settings) and ``build(**options)``, which answers the
names of the features and a function from a batch of waveforms to an array. That of a family also has ``OPTIONS``,
which the user may give, ``plan(**options)``, which settles them in a `Plan`, and ``AGAIN``, what its settings leave out
for who wants to extract with them once more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from typing import Any, NamedTuple

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.features.egemaps import SETS


@dataclass(frozen=True)
class Feature:
    """A feature set: its extractor's module and the options that make it this set."""

    module: str
    options: dict[str, Any]


FEATURES = {name: Feature("emoset_cli.features.egemaps", {"feature_set": official}) for name, official in SETS.items()}
ALIASES = {"egemaps": "egemaps-v02", "gemaps": "gemaps-v01b", "compare": "compare-2016"}
# Sets with options of the user's, named FAMILY-WHAT_WAS_CHOSEN: only extracting them tells which there are.
FAMILIES = {"deepspectrum": "emoset_cli.features.deepspectrum", "wav2vec2": "emoset_cli.features.wav2vec2"}
FRAMES = "frames"  # the pooling of sets that hold each frame of an utterance, not a vector: see `frame_store`


class Plan(NamedTuple):
    """What the options of a family come to; see `Recipe`. ``name`` is what stands behind the family's name."""

    name: str
    settings: dict[str, Any]
    means: dict[str, Any]
    workers: int
    note: str


@dataclass(frozen=True)
class Recipe:
    """A feature set about to be extracted.

    Args:
        settings: everything that can change its numbers, and ``feature``, its name
        means: what else its extractor needs (where a file lies, how many threads); changes no number
        workers: processes to use, 0 for all cores
        note: what was chosen for the user, in words; "" if nothing
    """

    settings: dict[str, Any]
    means: dict[str, Any] = field(default_factory=dict)
    workers: int = 0
    note: str = ""


def find_feature(name: str) -> str:
    """The full name of a feature set, aliases resolved; a name of a family as it is.

    Raises:
        EmosetError: for an unknown name
    """
    full = ALIASES.get(name, name)
    if full not in FEATURES and not family_of(full):
        raise unknown("feature", name, [*FEATURES, *ALIASES, *FAMILIES])
    return full


def family_of(name: str) -> str:
    """The family of a feature set's name, "" if it is of none."""
    family = name.partition("-")[0]
    return family if family in FAMILIES else ""


def has_frames(settings: dict[str, Any]) -> bool:
    """Whether a set with these settings holds frames."""
    return bool(settings["options"].get("pool") == FRAMES)


def again(name: str) -> str:
    """What the settings of a family leave out for who wants to extract with them once more."""
    told: str = import_module(FAMILIES[family_of(name)]).AGAIN
    return told


def recipe(name: str, options: dict[str, Any] | None = None, workers: int = 0, progress: bool = False) -> Recipe:
    """What is to be done to extract a feature set.

    Args:
        name: as the user gives it
        options: those the user gives, by name; only a family takes any
        workers: cores to use, 0 for all
        progress: show a bar while something is fetched

    Raises:
        EmosetError: for an unknown name, or options that it does not take or that do not fit
    """
    full = find_feature(name)
    family = family_of(full)
    module = import_module(FAMILIES[family]) if family else None
    for option in options or {}:
        if option not in (module.OPTIONS if module else ()):
            able = [other for other, path in FAMILIES.items() if option in import_module(path).OPTIONS]
            raise EmosetError(f"{full} takes no --{option}", f"leave it out: it is for {', '.join(able)}")
    if not module:
        return Recipe(settings(full), {}, workers)
    rest = full.removeprefix(family).removeprefix("-")
    plan: Plan = module.plan(name=rest, workers=workers, progress=progress, **options or {})
    made = _settings(f"{family}-{plan.name}", FAMILIES[family], plan.settings)
    return Recipe(made, plan.means, plan.workers, plan.note)


def settings(name: str) -> dict[str, Any]:
    """Everything that can change the numbers of a feature set without options of the user's."""
    feature = FEATURES[name]
    return _settings(name, feature.module, {"options": feature.options})


def package_of(name: str) -> str:
    """The package that computes a feature set, with its version."""
    family = family_of(name)
    return _package(FAMILIES[family] if family else FEATURES[name].module)


def _package(module: str) -> str:
    package = import_module(module).PACKAGE
    return f"{package} {version(package)}"


def _settings(name: str, module: str, further: dict[str, Any]) -> dict[str, Any]:
    return {
        "feature": name,
        "extractor": module.rpartition(".")[2],
        "package": _package(module),
        **further,
        "sample_rate": 16000,
    }


def build(name: str, **means: Any) -> tuple[list[str], Any]:
    """Names and batch extractor of a feature set; ``means`` are those of its recipe."""
    family = family_of(name)
    module = import_module(FAMILIES[family] if family else FEATURES[name].module)
    result: tuple[list[str], Any] = module.build(**(means if family else FEATURES[name].options))
    return result


@contextmanager
def threads_of_torch(count: int, device: str) -> Iterator[None]:
    """Let torch use so many threads on a CPU, for the other processes need the other cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count if device == "cpu" else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def exact() -> Iterator[None]:
    """Convolve float32 as float32 on CUDA too, not as TF32 with its 10 bits."""
    import torch

    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
