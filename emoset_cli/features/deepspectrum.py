"""DeepSpectrum: activations of an ImageNet network that looks at the spectrogram of an utterance.

Source: Amiriparian et al., Interspeech 2017 (DeepSpectrum); Gerczuk et al. 2021, section 4.2 (VGG16's ``fc2``, magma).
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from emoset_cli.cores import cores
from emoset_cli.errors import EmosetError
from emoset_cli.features import Plan, exact, threads_of_torch
from emoset_cli.features.spectrogram import SETTINGS, SIDE, painter

PACKAGE = "torchvision"
OPTIONS = ("model", "layer", "weights", "precision", "device")
AGAIN = "with the --weights it had"
_PROCESSES = 8  # at most: each holds the whole network


def plan(
    name: str = "",
    model: str = "",
    layer: str = "",
    weights: str = "",
    precision: str = "auto",
    device: str = "auto",
    workers: int = 0,
    progress: bool = False,
) -> Plan:
    """Settle what is extracted, after a look at the weights and one empty picture through the network.

    Args:
        name: behind ``deepspectrum-`` of the feature's name: a network and perhaps a layer, instead of the next two
        model: torchvision's name of an ImageNet network; VGG16 by default
        layer: see `emoset_cli.models.imagenet.LAYERS` for each network's default
        weights: torchvision's name or a file, see `emoset_cli.models.imagenet.read_weights`
        precision: auto, fp32 or bf16
        device: auto, cpu or cuda
        workers: cores to use, 0 for all
        progress: show a bar while weights are fetched

    Raises:
        EmosetError: for what is not known, or weights that are not there or do not fit
    """
    from emoset_cli.models import hardware, imagenet

    named, _, named_layer = name.partition("-")
    if (model and named not in {"", model}) or (layer and named_layer not in {"", layer}):
        raise EmosetError(
            f"deepspectrum-{name} is not {' '.join(filter(None, (model, layer)))}", "name network and layer once"
        )
    model = model or named or "vgg16"
    usual = imagenet.default_layer(model)
    layer = layer or named_layer or usual
    device = hardware.choose_device(device)
    precision, why = hardware.choose_precision(precision, device)
    read = imagenet.read_weights(model, weights, progress)
    count = _look(imagenet.Activations(model, layer, read), f"layer {layer} of {model}")
    settings = {
        "options": {"model": model, "layer": layer, "precision": precision},
        "weights": read.digest, "mean": read.mean, "sd": read.sd, "picture": SETTINGS,
    }  # fmt: skip
    free = workers or cores()
    processes = hardware.gpus(device) or min(free, _PROCESSES)
    means = {
        "model": model, "layer": layer, "weights": weights, "precision": precision, "device": device,
        "threads": free // processes, "count": count,
    }  # fmt: skip
    threads = f"{processes} processes" if processes > 1 else "one process"
    note = f"{model} in {precision}, {why}; on {device}, {threads}"
    return Plan("-".join([model, *([layer] if layer != usual else [])]), settings, means, processes, note)


def _look(network: Any, what: str) -> int:
    """The number of features, found by one black picture.

    Raises:
        EmosetError: if the network cannot look at such a picture, or what it sees is no number
    """
    import torch

    try:
        seen = network.to_precision("fp32")(torch.zeros(1, 3, SIDE, SIDE, dtype=torch.uint8))
    except (RuntimeError, AssertionError, AttributeError) as error:
        raise EmosetError(f"{what} does not answer a picture of 224x224 ({error})", "choose another layer") from error
    if not torch.isfinite(seen).all():
        raise EmosetError(f"{what} answers values that are no numbers", "choose an earlier layer or other weights")
    return int(seen.shape[1])


def build(
    model: str, layer: str, weights: str, precision: str, device: str, threads: int, count: int
) -> tuple[list[str], Callable[[list[np.ndarray]], np.ndarray]]:
    """Names of the features, and a function from a batch of utterances to them; all arguments as `plan` settled them.

    The function takes 16 kHz int16 waveforms, each of shape ``(samples,)``, and answers float32 ``(batch, features)``.
    """
    import torch

    from emoset_cli.models import hardware, imagenet

    hardware.keep_memory()
    network = imagenet.Activations(model, layer, imagenet.read_weights(model, weights))
    where = hardware.own_gpu(device)
    network.to_precision(precision).to(where)
    paint = painter()

    def extract(waveforms: list[np.ndarray]) -> np.ndarray:
        with threads_of_torch(threads, device), exact():
            pictures = torch.stack([paint(waveform) for waveform in waveforms])  # batch, 3, 224, 224
            values: np.ndarray = network(pictures.to(where)).cpu().numpy()
            return values

    return [f"neuron_{number}" for number in range(count)], extract
