"""wav2vec 2.0 fine-tuned end to end, statistics pooling, Deep-WCCN: emotions across languages."""

from typing import Any

import torch
from torch import nn

from emoset_cli.errors import EmosetError
from emoset_cli.models.layers.logmel import SAMPLE_RATE
from emoset_cli.models.layers.per_corpus import PerCorpus
from emoset_cli.models.layers.wccn import DeepWCCN

EPS = 1e-7  # below a waveform's or a frame's variance


def build(
    labels: dict[str, list[str]],
    *,
    adapters: bool = False,
    encoder: str = "facebook/wav2vec2-large-xlsr-53",
    width: int = 192,
    dropout: float = 0.3,
    alpha: float = 0.4,
    wccn: bool = True,
    ssl_weight: float = 1.2e-3,
    window_s: float = 2.0,
    checkpointing: bool = False,
    front: dict[str, Any] | None = None,
) -> "XlsrWccn":
    """The network; defaults lie between the three that the paper tuned (its Table 3).

    Args:
        labels: of each classifier
        adapters: this network has none
        encoder: a wav2vec 2.0 model with its pre-training heads, a name or a folder
        width: of the embedding
        dropout: share dropped before Deep-WCCN
        alpha: smoothing of the covariance, 0 to 1
        wccn: whether there is a Deep-WCCN
        ssl_weight: λ of eq 9, of wav2vec 2.0's own loss; 0 leaves it out
        window_s: every waveform has so many seconds, cropped or zero-padded
        checkpointing: compute the encoder's activations again in the backward pass instead of keeping them
        front: this network reads waveforms and has no such options

    Raises:
        EmosetError: if the encoder cannot be read or has no pre-training heads, or an option is out of range

    Source:
        "End-to-end transfer learning for speaker-independent cross-language speech emotion recognition", sections 3
        and 4.5.
    """
    from emoset_cli.models.pretraining import read_masked

    assert not adapters, "wccn has no adapters"
    if front:
        raise EmosetError("wccn hears waveforms, not spectrograms", f"leave out {', '.join(sorted(front))}")
    for name, value in (("dropout", dropout), ("ssl-weight", ssl_weight)):
        if value < 0 or (name == "dropout" and value >= 1):
            raise EmosetError(f"--{name} is {value:g}", "give a number from 0 on (a dropout below 1)")
    model = read_masked(encoder, ssl_weight > 0, checkpointing)
    return XlsrWccn(labels, model, width, dropout, alpha if wccn else None, ssl_weight, window_s)


class XlsrWccn(nn.Module):
    """Waveform of 2 s, encoder, mean and standard deviation over time, dense, Deep-WCCN, layer norm, linear.

    In training the encoder hears masked frames, as wav2vec 2.0 does, and the answer is a pair: logits, and its own loss
    (`emoset_cli.models.pretraining.MaskedEncoder`) times ``ssl_weight``. Masks are those of wav2vec 2.0's
    pre-training; the paper does not say otherwise. Whether the classifier hears the same masked frames is not told
    either: here it does, one pass serves both losses.

    Shape:
        waves: ``(batch, samples)``, int16 or float32, zero-padded; lengths: ``(batch,)``; truth: ``(batch,)``
        out: ``(batch, labels)``, float32; in training, with the truth, a pair of these and a number
    """

    sees_truth = True

    def __init__(
        self, labels: dict[str, list[str]], encoder: Any, width: int, dropout: float, alpha: float | None,
        ssl_weight: float, window_s: float,
    ) -> None:  # fmt: skip
        super().__init__()
        self.encoder, self.ssl_weight, self.samples = encoder, ssl_weight, round(window_s * SAMPLE_RATE)
        self.hidden = nn.Linear(2 * encoder.width, width)
        self.dropout = nn.Dropout(dropout)
        sizes = iter([len(own) for own in labels.values()])
        self.heads = PerCorpus("head", labels, lambda: Classifier(width, next(sizes), alpha))

    def embed(self, waves: torch.Tensor, lengths: torch.Tensor, corpus: str) -> torch.Tensor:
        """The embedding before Deep-WCCN, ``(batch, width)``, float32."""
        return self._pooled(self.encoder(self._window(waves)))

    def classify(self, embedding: torch.Tensor, corpus: str) -> torch.Tensor:
        """Logits of embeddings of one head."""
        logits: torch.Tensor = self.heads.pick(corpus)(embedding, None)
        return logits

    def forward(
        self, waves: torch.Tensor, lengths: torch.Tensor, corpus: str, truth: torch.Tensor | None = None
    ) -> Any:
        """Logits of a batch of one head; in training, with the truth, the encoder's own loss as well."""
        head = self.heads.pick(corpus)
        if not self.training or truth is None:
            return self.classify(self.embed(waves, lengths, corpus), corpus)
        states, loss = self.encoder.with_loss(self._window(waves))
        return head(self._pooled(states), truth), self.ssl_weight * loss

    def _window(self, waves: torch.Tensor) -> torch.Tensor:
        """Every waveform with as many samples, zero mean and unit variance, float32."""
        x = waves.float()[:, : self.samples]
        x = nn.functional.pad(x, (0, self.samples - x.shape[1]))
        x = x - x.mean(1, keepdim=True)
        return x / (x.square().mean(1, keepdim=True) + EPS).sqrt()

    def _pooled(self, states: torch.Tensor) -> torch.Tensor:
        """Dense layer on mean and standard deviation over time, ``(batch, width)``."""
        states = states.float()
        spread = (states.var(1, unbiased=False) + EPS).sqrt()
        with torch.autocast(states.device.type, enabled=False):
            embedded: torch.Tensor = self.dropout(self.hidden(torch.cat([states.mean(1), spread], 1)).relu())
        return embedded


class Classifier(nn.Module):
    """Deep-WCCN, layer norm, linear; reckoned in float32.

    Shape:
        x: ``(batch, width)``; truth: ``(batch,)`` or None; out: ``(batch, labels)``
    """

    def __init__(self, width: int, labels: int, alpha: float | None) -> None:
        super().__init__()
        self.wccn = DeepWCCN(width, labels, alpha) if alpha is not None else None
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, labels)

    def forward(self, x: torch.Tensor, truth: torch.Tensor | None) -> torch.Tensor:
        """Logits of embeddings; with the truth, in training, Deep-WCCN learns their covariance first."""
        with torch.autocast(x.device.type, enabled=False):
            if self.wccn is not None:
                x = self.wccn(x, truth)
            logits: torch.Tensor = self.out(self.norm(x))
            return logits
