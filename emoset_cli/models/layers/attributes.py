"""Attributes of speech read from a network: a classifier each, and gradient reversal in front of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.models.approaches import APPROACHES, ATTRIBUTES
from emoset_cli.models.layers.perceptron import Perceptron


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # type: ignore[override]
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return -gradient


def reverse(x: Tensor) -> Tensor:
    """The same values, whose gradient comes back with the other sign.

    Source:
        Ganin et al. 2016; Parry et al. 2022, section 3.2.1: ``R(x) = x``, ``dR/dx = -I``.

    Example:
        >>> x = torch.ones(2, requires_grad=True)
        >>> (3 * reverse(x)).sum().backward()
        >>> x.grad.tolist()
        [-3.0, -3.0]
    """
    turned: Tensor = _Reversed.apply(x)  # type: ignore[no-untyped-call]
    return turned


class Attributes(nn.Module):
    """A classifier for each attribute; what it reads is told by the approach.

    Args:
        width: of the embedding
        labels: number of labels of each emotion classifier
        classes: attribute -> its values
        approach: a key of `APPROACHES`

    Shape:
        embedding: ``(batch, width)``; logits: of emotions, ``(batch, labels)``
        out: attribute -> logits ``(batch, classes)``, float32

    Raises:
        EmosetError: for another approach or attribute, one with a single value, or discriminators of the softmax of
            several classifiers

    Source:
        Zhu & Sato 2020, section 3.1; Parry et al. 2022, section 3.
    """

    def __init__(self, width: int, labels: Sequence[int], classes: Mapping[str, Sequence[str]], approach: str) -> None:
        super().__init__()
        if approach not in APPROACHES:
            raise unknown("approach", approach, APPROACHES)
        self.approach = APPROACHES[approach]
        for name, values in classes.items():
            if name not in ATTRIBUTES:
                raise unknown("attribute", name, ATTRIBUTES)
            if len(values) < 2:
                raise EmosetError(
                    f"all training utterances have the same {name}: {', '.join(values) or 'an unknown one'}",
                    f"leave {name} out of the attributes, or train on more corpora together",
                )
        if self.approach.reads == "softmax":
            if len(labels) > 1:
                raise EmosetError(
                    f"an adversarial discriminator reads one softmax, and there are {len(labels)} classifiers",
                    "--pool with a label space gives all corpora one; or choose another --approach",
                )
            if not labels[0]:
                raise EmosetError("an adversarial discriminator reads the softmax of labels, and there are none",
                                  "choose another --approach")  # fmt: skip
            width = labels[0]
        self.heads = nn.ModuleDict(
            {name: Perceptron(width, self.approach.hidden, len(values)) for name, values in classes.items()}
        )

    def own_parts(self) -> dict[str, tuple[str, str]]:
        """Role and corpus of each parameter, for `emoset_cli.models.parts.roles`."""
        return {name: ("attribute", "") for name, _ in self.named_parameters()}

    def forward(self, embedding: Tensor, logits: Tensor) -> dict[str, Tensor]:
        """What each attribute's classifier says."""
        x = logits.float().softmax(1) if self.approach.reads == "softmax" else embedding.float()
        x = reverse(x) if self.approach.reversed else x
        return {name: head(x) for name, head in self.heads.items()}


def attributes_of(model: nn.Module) -> Attributes | None:
    """The attribute classifiers of a network; None if it has none."""
    found = getattr(model, "attributes", None)
    assert found is None or isinstance(found, Attributes)
    return found


def encoder_weights(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """The trained parameters that the embedding depends on: all but the heads, of labels, attributes and dimensions."""
    return [
        (name, weight)
        for name, weight in model.named_parameters()
        if weight.requires_grad and not name.startswith(("heads.", "attributes.", "dimensions."))
    ]
