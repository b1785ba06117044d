"""Words for what networks do with spectrograms and with attributes of speech (corpus, gender, speaker, language)."""

from dataclasses import dataclass

NORMALISE = {
    "none": "0 is the floor, 1 the loudest value of an utterance (EmoNet)",
    "utterance": "each mel band has zero mean and unit variance over the utterance (Parry et al. 2022)",
    "global": "each mel band by mean and sd over all training utterances (Zhu & Sato 2020)",
}
ATTRIBUTES = ("corpus", "gender", "speaker", "language")


@dataclass(frozen=True)
class Approach:
    """What becomes of attributes.

    Args:
        help: in words
        reads: what their classifiers read, ``embedding`` or ``softmax`` (of the emotion classifier)
        weight: α of the loss, see `emoset_cli.train.deep.approaches`; 0 where the loss has none
        hidden: units of the hidden layers of an attribute's classifier
        apart: whether these classifiers are discriminators, with an optimiser of their own
        reversed: whether the gradient changes its sign between them and the embedding
        unlearns: whether the encoder is updated against them in a step of its own
    """

    help: str
    reads: str = "embedding"
    weight: float = 0.0
    hidden: tuple[int, ...] = ()
    apart: bool = False
    reversed: bool = False
    unlearns: bool = False


_ZHU, _PARRY = (128, 128, 128), (980, 980)  # the latter, with the layers around them, are 1 million weights
APPROACHES = {
    "single": Approach("attributes play no part"),
    "mtl": Approach("multi-task: the embedding shall tell them too (Parry et al. 2022)", weight=0.1),
    "gr": Approach(
        "gradient reversal: the embedding shall not tell them, more and more with each epoch", weight=0.5, reversed=True
    ),
    "ad": Approach(
        "adversarial discriminators read the softmax of emotions, which shall not tell them",
        reads="softmax", weight=0.5, hidden=_PARRY, apart=True,
    ),
    "train": Approach(
        "discriminators read the embedding, the network does not hear of them (Zhu & Sato 2020)",
        hidden=_ZHU, apart=True,
    ),
    "adversarial": Approach(
        "and in a third step of each batch the encoder unlearns what they read (Zhu & Sato 2020)",
        hidden=_ZHU, apart=True, unlearns=True,
    ),
}  # fmt: skip
