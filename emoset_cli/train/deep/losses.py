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


def ccc_loss(values: Tensor, truth: Tensor) -> Tensor:
    """1 − the concordance correlation coefficient over the batch, mean over its dimensions.

    A dimension of which fewer than two values are known, or whose known values are all alike, has no concordance: it
    takes no part. Where none is left the loss is 0, with a gradient of 0.

    Args:
        values: that are predicted, ``(batch, dimensions)``
        truth: likewise, NaN where it is not known

    Source:
        Lin, Biometrics 45 (1989) 255-268, with population moments.
    """
    known = truth.isfinite()
    count = known.sum(0)
    share = known / count.clamp(min=1)  # batch, dimensions
    x, y = values.float().where(known, 0.0), truth.float().where(known, 0.0)
    x_mean, y_mean = (share * x).sum(0), (share * y).sum(0)
    x_off, y_off = x - x_mean, y - y_mean
    covariance, y_variance = (share * x_off * y_off).sum(0), (share * y_off.square()).sum(0)
    apart = (share * x_off.square()).sum(0) + y_variance + (x_mean - y_mean).square()
    usable = (count >= 2) & (y_variance > ALIKE)
    return _mean_of(1 - 2 * covariance / apart.clamp(min=ALIKE), usable)


def mse_loss(values: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error over the known values of each dimension, mean over those that have some; see `ccc_loss`."""
    known = truth.isfinite()
    count = known.sum(0)
    errors = (values.float() - truth.float()).where(known, 0.0).square().sum(0) / count.clamp(min=1)
    return _mean_of(errors, count > 0)


def _mean_of(losses: Tensor, usable: Tensor) -> Tensor:
    return losses.where(usable, 0.0).sum() / usable.sum().clamp(min=1)


ALIKE = 1e-8  # variance, on a scale of 0 to 1, below which values are all alike but for rounding
DIMENSION_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"ccc": ccc_loss, "mse": mse_loss}


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
