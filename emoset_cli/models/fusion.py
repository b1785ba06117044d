"""The residual and the recurrent network side by side, under one head for each corpus."""

from typing import Any

from emoset_cli.models.network import Network
from emoset_cli.models.resnet import ResNet
from emoset_cli.models.rnn import MELS, RNN


def build(
    labels: dict[str, list[str]],
    *,
    adapters: bool = False,
    blocks: int = 2,
    filters: int = 32,
    widen: int = 1,
    dropout_block: float = 0.0,
    cell: str = "gru",
    layers: int = 2,
    units: int = 256,
    dropout: float = 0.2,
    classifier: str = "attention",
    attention_scale: float = 0.3,
    share_attention: bool = False,
    front: dict[str, Any] | None = None,
) -> Network:
    """The network; its trunks are those of `resnet.build` and `rnn.build`, which tell the options.

    Both hear the same frames; the head reads their embeddings one behind the other. Trained parts of either network
    fit by name.

    Args:
        labels: of each corpus
        adapters: whether each corpus has its own adapters and norms in both trunks
        blocks: of the residual network, as ``filters``, ``widen`` and ``dropout_block``
        filters: of its first convolution
        widen: factor on all its filters
        dropout_block: share dropped between a block's two convolutions
        cell: ``gru`` or ``lstm``
        layers: recurrent layers
        units: of each of them
        dropout: share dropped before the last layer, and between recurrent layers
        classifier: ``attention`` or ``avgpool``
        attention_scale: smoothing λ of the attention weights
        share_attention: whether all corpora have one attention a trunk
        front: options of `emoset_cli.models.layers.front.Front`

    Raises:
        EmosetError: if an option is out of range

    Source:
        Gerczuk et al. 2021, section 8, names it as future work; without adapters, its ref. 105.
    """
    pooling = (classifier, attention_scale, share_attention)
    cnn = ResNet(labels, adapters, blocks, filters * widen, dropout_block, *pooling)
    rnn = RNN(labels, adapters, (front or {}).get("mels", MELS), cell, layers, units, dropout, *pooling)
    return Network(labels, {"cnn": cnn, "rnn": rnn}, dropout, front)
