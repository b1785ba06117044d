"""Weights that a network begins with."""

from torch import nn


def he_normal(*layers: nn.Module) -> None:
    """Give convolutions and dense layers in front of a ReLU He-normal weights and zero biases, in place.

    PyTorch's own start is a third of that variance: behind six such layers nothing of an input is left, and training
    begins only after hundreds of updates.

    Source:
        He et al. 2015, eq 10.
    """
    for layer in layers:
        assert isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Linear), type(layer)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
