"""Losses of a batch of utterances of one corpus."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from emoset_cli.errors import unknown

FOCUS = 2.0  # gamma of Lin et al. 2017
FOCAL_SCALE = 0.25  # their alpha, which EmoNet applies to all labels alike: it only scales the learning rate


def balanced_weights(truth: Tensor, labels: int) -> Tensor:
    """Weight of each label, so that each label that occurs weighs the same; their mean over the utterances is 1.

    ``n / (C n_c)`` for ``n`` utterances, ``n_c`` of label ``c``, ``C`` labels that occur (scikit-learn's "balanced").
    A label that does not occur has weight 0.

    Args:
        truth: number of the label of each training utterance, ``(utterances,)``
        labels: number of labels

    Example:
        >>> balanced_weights(torch.tensor([0, 0, 0, 2]), 3).tolist()
        [0.6666666865348816, 0.0, 2.0]
    """
    counts = torch.bincount(truth.long(), minlength=labels).double()
    occurring = int((counts > 0).sum())
    weights = counts.sum() / (occurring * counts.clamp(min=1))
    return weights.where(counts > 0, 0.0).float()


def build_loss(name: str, labels: int, weights: Tensor | None) -> Callable[[Tensor, Tensor], Tensor]:
    """The loss of a batch: ``(batch, labels)`` logits and ``(batch,)`` numbers of the true labels to one number.

    With weights it is ``sum(w_i * l_i) / batch`` as in Keras, not divided by the sum of weights as PyTorch's own: a
    batch with rare labels moves the network further than one without.

    Args:
        name: a key of `LOSSES`
        labels: number of labels
        weights: of each label, ``(labels,)``, or None

    Raises:
        EmosetError: if there is no such loss
    """
    if name not in LOSSES:
        raise unknown("loss", name, LOSSES)
    each = LOSSES[name].each

    def loss(logits: Tensor, truth: Tensor) -> Tensor:
        assert logits.shape[1] == labels, f"{logits.shape[1]} logits for {labels} labels"
        losses = each(functional.log_softmax(logits.float(), dim=1), truth)
        return (losses if weights is None else losses * weights[truth]).mean()

    return loss


def _cross_entropy(log_probabilities: Tensor, truth: Tensor) -> Tensor:
    return functional.nll_loss(log_probabilities, truth, reduction="none")


def _focal(log_probabilities: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy times ``(1 - p)^2``: what is right already counts little."""
    cross_entropy = _cross_entropy(log_probabilities, truth)
    return FOCAL_SCALE * (1 - torch.exp(-cross_entropy)) ** FOCUS * cross_entropy


def _ordinal(log_probabilities: Tensor, truth: Tensor) -> Tensor:
    """Cross-entropy with soft labels, ``softmax(-|rank - true rank|)`` (Diaz and Marathe 2019)."""
    ranks = torch.arange(log_probabilities.shape[1], device=log_probabilities.device)
    if len(ranks) < 3:
        return _cross_entropy(log_probabilities, truth)  # two labels have no order, as in EmoNet
    soft = functional.softmax(-(ranks - truth[:, None]).abs().float(), dim=1)  # batch, labels
    return -(soft * log_probabilities).sum(1)


@dataclass(frozen=True)
class Loss:
    """A loss and its help; ``each`` maps log probabilities ``(batch, labels)`` and truth to ``(batch,)`` losses."""

    each: Callable[[Tensor, Tensor], Tensor]
    help: str


LOSSES = {
    "cross-entropy": Loss(_cross_entropy, "the paper's"),
    "focal": Loss(_focal, "utterances that are right already count less (Lin et al. 2017, gamma 2)"),
    "ordinal": Loss(
        _ordinal,
        "the labels' order in the registry is a scale: a neighbour of the truth is less wrong (Diaz and Marathe 2019)",
    ),
}
