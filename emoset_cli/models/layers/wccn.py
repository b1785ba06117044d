"""Within-class covariance normalisation (WCCN): over a whole training set, and over batches as a layer."""

import torch
from torch import nn

from emoset_cli.errors import EmosetError

JITTER = 1e-6  # share of each feature's variance that is added where a covariance cannot be inverted
SINGULAR = 1e-12  # share of its variance a feature keeps, given those after it, below which it counts as collinear


class DeepWCCN(nn.Module):
    """Projection that makes the mean within-class covariance of the features the identity; nothing is learnt by SGD.

    Each training batch gives a covariance per class; a class's estimate is the plain average of those of all batches
    so far (eq 6), the within-class covariance is the mean over the classes seen so far, smoothed towards the identity
    (eq 7). ``A A^T`` is its inverse, and ``y = A^T x`` (eq 5). The gradient flows through ``x`` only. In evaluation,
    and in training without ``truth``, the projection of the last batch serves, the identity before the first.

    A class that is absent from a batch or has a single example in it keeps its estimate and its count of batches, and
    a batch that holds a NaN or an infinity changes nothing (our choice; the paper does not say). Statistics are
    float64 whatever the features are; the output is float32 or float64.

    Args:
        width: features
        labels: classes
        alpha: smoothing, 0 to 1; 1 is the identity

    Shape:
        x: ``(batch, width)``
        truth: ``(batch,)``, int64; numbers of the labels
        out: ``(batch, width)``

    Raises:
        EmosetError: if alpha is outside 0 to 1

    Source:
        'End-to-end transfer learning for speaker-independent cross-language speech emotion recognition', section 3.2.
    """

    covariance: torch.Tensor
    batches: torch.Tensor
    projection: torch.Tensor

    def __init__(self, width: int, labels: int, alpha: float) -> None:
        super().__init__()
        self.alpha = smoothing(alpha)
        double = torch.float64
        self.register_buffer("covariance", torch.zeros(labels, width, width, dtype=double))
        self.register_buffer("batches", torch.zeros(labels, dtype=torch.int64))
        self.register_buffer("projection", torch.eye(width, dtype=double))

    def forward(self, x: torch.Tensor, truth: torch.Tensor | None = None) -> torch.Tensor:
        """Project a batch; in training with ``truth``, update the statistics by it first."""
        if self.training and truth is not None:
            self._update(x.detach(), truth)
        with torch.autocast(x.device.type, enabled=False):
            x = x if x.dtype == torch.float64 else x.float()
            return x @ self.projection.to(x.dtype)

    @torch.no_grad()
    def _update(self, x: torch.Tensor, truth: torch.Tensor) -> None:
        """Take a batch into the statistics; new tensors, since a backward pass may yet read the old projection."""
        with torch.autocast(x.device.type, enabled=False):
            batch, count = batch_covariance(x, truth, len(self.batches))
            usable = (count > 1) & batch.isfinite().flatten(1).all(1)  # labels
            self.batches = self.batches + usable
            step = (batch - self.covariance) / self.batches.clamp(min=1)[:, None, None]
            self.covariance = torch.where(usable[:, None, None], self.covariance + step, self.covariance)
            seen = self.batches > 0
            if seen.any():  # the estimates of unseen classes are zero: the sum is over the seen
                self.projection = projection(self.covariance.sum(0) / seen.sum(), self.alpha)


def smoothing(alpha: float) -> float:
    """The smoothing, if it is one.

    Raises:
        EmosetError: if it is outside 0 to 1
    """
    if not 0 <= alpha <= 1:
        raise EmosetError(
            f"the smoothing of the within-class covariance is {alpha:g}", "give alpha from 0 (none) to 1 (no WCCN)"
        )
    return float(alpha)


def batch_covariance(x: torch.Tensor, truth: torch.Tensor, labels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Covariance of each class's examples about their own mean, over their number (eq 4); zero for an absent class.

    Args:
        x: ``(batch, width)``
        truth: numbers of the labels, ``(batch,)``
        labels: how many there are

    Returns:
        covariances, ``(labels, width, width)``, float64, and how many examples each class has, ``(labels,)``
    """
    x = x.double()
    member = truth[:, None] == torch.arange(labels, device=truth.device)  # batch, labels
    count = member.sum(0)
    share = member.double() / count.clamp(min=1)
    # About the class's first example at first: then what is constant in a class has a variance of zero, not nearly so.
    centred = x - x[member.int().argmax(0)][truth]
    centred = centred - (share.T @ centred)[truth]
    return (share.T[:, None] * centred.T) @ centred, count


def projection(covariance: torch.Tensor, alpha: float) -> torch.Tensor:
    """Cholesky factor ``A`` of the inverse of the smoothed covariance: ``A A^T = ((1 - alpha) S + alpha I)^-1``.

    Where that has no inverse in float64 (collinear or constant features, fewer examples than features, little or no
    smoothing), each feature's variance is first raised by `JITTER` of it, that of a constant one by `JITTER` of the
    mean variance.

    Args:
        covariance: ``S``, symmetric and without negative eigenvalues, ``(width, width)``
        alpha: 0 to 1

    Returns:
        ``A``, lower triangular, ``(width, width)``, float64
    """
    unit = torch.eye(len(covariance), dtype=torch.float64, device=covariance.device)
    smooth = (1 - alpha) * covariance.double() + alpha * unit
    factor = _upper_factor(smooth)
    if factor is None:
        factor = _upper_factor(smooth + JITTER * torch.diag(_variances(smooth)), always=True)
        assert factor is not None
    inverse: torch.Tensor = torch.linalg.solve_triangular(factor, unit, upper=True)
    return inverse.T


def _variances(covariance: torch.Tensor) -> torch.Tensor:
    """Variance of each feature; of those that hardly vary, the mean variance, or 1 where none varies."""
    own = covariance.diagonal()
    mean = own.mean()
    return torch.where(own > SINGULAR * mean, own, torch.where(mean > 0, mean, torch.ones_like(mean)))


def _upper_factor(covariance: torch.Tensor, always: bool = False) -> torch.Tensor | None:
    """Upper triangular ``U`` with ``U U^T`` the covariance, whose ``U^-T`` is lower: the inverse is never formed.

    None where there is none, unless ``always``.
    """
    lower, failed = torch.linalg.cholesky_ex(covariance.flip(0, 1))
    factor: torch.Tensor = lower.flip(0, 1)
    if not always and (failed or (factor.diagonal().square() <= SINGULAR * _variances(covariance)).any()):
        return None
    return factor
