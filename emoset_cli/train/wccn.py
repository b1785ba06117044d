"""Classic within-class covariance normalisation of functionals, fitted on the training utterances as a whole."""

import numpy as np


def check(alpha: float) -> None:
    """Refuse a smoothing that is none.

    Raises:
        EmosetError: if it is outside 0 to 1
    """
    from emoset_cli.models.layers.wccn import smoothing

    smoothing(alpha)


def fit(features: np.ndarray, labels: np.ndarray, alpha: float) -> np.ndarray:
    """The projection ``A``, with which ``features @ A`` has the identity as its smoothed mean within-class covariance.

    A label with a single utterance has no covariance and takes no part; if no label has one, ``A`` is the identity.

    Args:
        features: standardised, ``(utterances, features)``
        labels: ``(utterances,)``
        alpha: smoothing, 0 (none) to 1 (no normalisation)

    Returns:
        ``(features, features)``, float64

    Source:
        'End-to-end transfer learning for speaker-independent cross-language speech emotion recognition', section 3.2,
        equations 4, 5 and 7.
    """
    import torch

    from emoset_cli.models.layers.wccn import batch_covariance, projection

    covariances = []
    for label in sorted(set(labels)):
        own = torch.from_numpy(features[labels == label])
        if len(own) > 1:
            covariance, _ = batch_covariance(own, torch.zeros(len(own), dtype=torch.int64), 1)
            covariances.append(covariance[0])
    if not covariances:
        return np.eye(features.shape[1])
    return np.ascontiguousarray(projection(torch.stack(covariances).mean(0), alpha).numpy())
