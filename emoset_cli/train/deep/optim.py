"""Optimisers with Keras' settings, and weight decay by corpus."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from emoset_cli.errors import unknown
from emoset_cli.models import parts

SHARED_DECAY = 1e-6  # of shared kernels where each corpus has its own decay. Source: EmoNet's adapter_resnet.py
# EmoNet's --individual-weight-decay: at least so many training utterances -> lambda.
INDIVIDUAL_DECAY = ((10_000, 1e-6), (1_000, 5e-4), (500, 2e-3), (0, 5e-3))


@dataclass(frozen=True)
class Optimizer:
    """How an optimiser is made, and its help."""

    build: Callable[..., torch.optim.Optimizer]
    options: dict[str, Any]
    help: str


# Options are Keras' defaults, which EmoNet uses; PyTorch's differ.
OPTIMISERS = {
    "sgd": Optimizer(torch.optim.SGD, {"momentum": 0.9}, "momentum 0.9 (the paper's)"),
    "rmsprop": Optimizer(torch.optim.RMSprop, {"alpha": 0.9, "eps": 1e-7}, "for learning rates about 0.001"),
    "adam": Optimizer(torch.optim.Adam, {"eps": 1e-7}, "for learning rates about 0.001"),
    "adagrad": Optimizer(torch.optim.Adagrad, {}, "for learning rates about 0.0003 (Deep-WCCN's)"),
    "adadelta": Optimizer(torch.optim.Adadelta, {"rho": 0.95, "eps": 1e-7}, "hardly moves at rates far below 1"),
}


def build_optimizer(name: str, parameters: list[dict[str, Any]], lr: float) -> torch.optim.Optimizer:
    """An optimiser of parameter groups, see `groups`.

    Raises:
        EmosetError: if there is no such optimiser
    """
    if name not in OPTIMISERS:
        raise unknown("optimizer", name, OPTIMISERS)
    chosen = OPTIMISERS[name]
    return chosen.build(parameters, lr=lr, **chosen.options)


def groups(model: nn.Module, weight_decay: float | dict[str, float], apart: bool = False) -> list[dict[str, Any]]:
    """Parameter groups of what is trained, a group for each weight decay, in the order of the model.

    The penalty is ``lambda * |w|^2`` as in Keras, whose gradient is ``2 * lambda * w``: PyTorch's ``weight_decay`` is
    twice lambda. Only kernels (weights of two or more dimensions) have one, biases and norms none.

    Args:
        model: whose frozen parameters are left out
        weight_decay: lambda of all kernels; or by corpus, of its own kernels (EmoNet's code: of its adapters only),
            while shared ones have `SHARED_DECAY`
        apart: whether classifiers of attributes have an optimiser of their own, and are left out
    """
    roles = parts.roles(model)
    found: dict[float, list[nn.Parameter]] = {}
    for name, weight in model.named_parameters():
        if not weight.requires_grad or (apart and roles[name][0] == "attribute"):
            continue
        decay = _decay(roles[name][1], weight_decay) if weight.ndim >= 2 else 0.0
        found.setdefault(2 * decay, []).append(weight)
    return [{"params": weights, "weight_decay": decay} for decay, weights in found.items()]


def _decay(corpus: str, weight_decay: float | dict[str, float]) -> float:
    if isinstance(weight_decay, dict):
        return weight_decay.get(corpus, SHARED_DECAY)
    return weight_decay


def individual_decay(train_utterances: int) -> float:
    """EmoNet's lambda by the size of a corpus: the smaller, the stronger.

    Example:
        >>> individual_decay(300), individual_decay(20_000)
        (0.005, 1e-06)
    """
    return next(decay for least, decay in INDIVIDUAL_DECAY if train_utterances >= least)


def decayed_lr(lr: float, decay: float, steps: int) -> float:
    """Learning rate after a number of updates: Keras' ``decay``.

    Example:
        >>> decayed_lr(0.1, 1e-6, 1_000_000)
        0.05
    """
    return lr / (1 + decay * steps)
