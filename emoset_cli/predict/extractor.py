"""The features a run was trained on, of waveforms that are in no workspace: made as they were, or refused."""

from collections.abc import Callable
from typing import Any

import numpy as np

from emoset_cli import feature_store, features
from emoset_cli.errors import EmosetError
from emoset_cli.features import Recipe

_WEIGHTS = {"wav2vec2": "model", "deepspectrum": "weights"}  # family: its option that tells where weights lie


def recipe_for(run: str, made: dict[str, Any], weights: str, device: str, workers: int) -> tuple[Recipe, str]:
    """What extracts the features of a run again, and a note where the extractor's package is another one now.

    Args:
        run: its name
        made: the settings of the feature set, as the run keeps them
        weights: where the weights lie of a set that needs some; a run knows them by hash only
        device: auto, cpu or cuda
        workers: cores to use, 0 for all

    Raises:
        EmosetError: if the weights are not there or are others, or weights are given that nothing needs
    """
    family = features.family_of(made["feature"])
    if not family and weights:
        raise EmosetError(f"{made['feature']} needs no weights", "leave --weights out")
    if family == "wav2vec2" and not weights:
        raise EmosetError(
            f"{run} reads {made['feature']}, and does not know where that encoder lies here",
            f"--weights FOLDER, or its whole name on the hub ({made['options']['model']})",
        )
    options = dict(made["options"]) | {"device": device} if family else {}
    options |= {_WEIGHTS[family]: weights} if family else {}
    name = family or made["feature"]
    recipe = features.recipe(name, options, workers)
    now, then = (_flat(settings, family) for settings in (recipe.settings, made))
    differ = sorted(key for key in now.keys() | then.keys() if now.get(key) != then.get(key))
    if not differ:
        return recipe, ""
    if "weights" in differ:
        raise EmosetError(
            f"{run} learnt from {made['feature']} with other weights than {weights or 'these'}",
            "give the --weights it had",
        )
    if differ == ["package"]:
        return recipe, f"{run} learnt from features of {then['package']}, here is {now['package']}: they may differ"
    raise EmosetError(
        f"{run} learnt from other {made['feature']} features: not the same {', '.join(differ)}",
        "use the version of emoset it was trained with",
    )


def _flat(settings: dict[str, Any], family: str) -> dict[str, Any]:
    """Settings without the name of an encoder's folder: the same weights may lie elsewhere."""
    named = {"feature", "model"} if family == "wav2vec2" else set()
    flat = {key: value for key, value in settings.items() if key != "options"} | settings["options"]
    return {key: value for key, value in flat.items() if key not in named}


def heard(name: str, means: dict[str, Any], waves: list[np.ndarray]) -> np.ndarray:
    """A vector of each waveform, float32 ``(waves, features)``; a row is not finite where one is too short."""
    _, extract = feature_store.extractor(name, means)
    values: np.ndarray = extract(waves)
    return values.astype(np.float32, copy=False)


def frames_of(name: str, means: dict[str, Any]) -> tuple[Callable[[list[np.ndarray]], list[np.ndarray]], float]:
    """A function from waveforms to the frames of each, float16 ``(frames, values)``, and how many make a second."""
    _, extract = feature_store.extractor(name, means)
    seconds = 10
    (silence,) = list(extract([np.zeros(seconds * 16_000, np.int16)]))
    return lambda waves: list(extract(waves)), float(np.ceil(len(silence) / seconds))
