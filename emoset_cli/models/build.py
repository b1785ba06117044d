"""A network from what is written about it: its model, heads, options, and the attributes it is read for."""

from collections.abc import Mapping
from typing import Any

import torch

from emoset_cli.models import MODELS


def build_network(
    model: str,
    heads: dict[str, list[str]],
    adapters: bool,
    network: Mapping[str, Any],
    front: Mapping[str, Any],
    attributes: Mapping[str, Any] | None = None,
    dimensions: Mapping[str, Any] | None = None,
) -> Any:
    """The network with new weights.

    ``attributes`` holds ``approach`` and ``classes``; their classifiers become the part ``attributes`` of the network.
    ``dimensions`` holds ``heads``, the dimensions of each; their regression heads become the part ``dimensions``. Both
    are drawn apart from torch's random stream: a network begins with the same weights with and without them, and goes
    on with the same random numbers.

    Raises:
        EmosetError: as the model's ``build`` and `emoset_cli.models.layers.attributes.Attributes`
    """
    built = MODELS[model].load().build(heads, adapters=adapters, **network, front=dict(front))
    if attributes:
        from emoset_cli.models.layers.attributes import Attributes

        sizes = [len(labels) for labels in heads.values()]
        with torch.random.fork_rng(devices=[]):
            built.attributes = Attributes(built.width, sizes, attributes["classes"], attributes["approach"])
    if dimensions:
        from emoset_cli.models.layers.dimensions import Dimensions

        with torch.random.fork_rng(devices=[]):
            built.dimensions = Dimensions(built.width, dimensions["heads"])
    return built
