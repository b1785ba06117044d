"""Networks: one file each, known by name here; torch is imported only when one of them is loaded."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

SHARED = "shared"  # the key of a part that exists once, for all corpora


@dataclass(frozen=True)
class Model:
    """A network: its module and the help of its command.

    The module has ``build(labels, *, adapters=False, **options) -> torch.nn.Module``; ``labels`` are those of each
    corpus, and what the options are and their defaults is told by its signature. ``options`` are those of the command
    line, ``adapters`` says whether it can have any.
    """

    module: str
    help: str
    options: tuple[str, ...]
    adapters: bool = True

    def load(self) -> Any:
        """The module, imported only when it is used."""
        return import_module(self.module)


_RESNET = ("blocks", "filters", "widen", "dropout_block")
_HEAD = ("dropout", "classifier", "share_attention")
MODELS: dict[str, Model] = {
    "cnn": Model(
        "emoset_cli.models.resnet",
        "Train EmoNet's residual network on log-mel spectrograms; write run folders.\n\n"
        "About 3 million weights, a tenth of them a corpus's own when there are adapters: 1x1 convolutions in parallel "
        "to every 3x3 one, batch norms, attention and classifier.\n\nExample: emoset train cnn -t emodb",
        (*_RESNET, *_HEAD),
    ),
    "vgg16": Model(
        "emoset_cli.models.vgg",
        "Train VGG16, known from ImageNet, on log-mel spectrograms in learnt colours; write run folders.\n\n"
        "Whole or in part; attention and a classifier for each corpus.\n\nExample: emoset train vgg16 -t emodb",
        (*_HEAD, "weights", "trainable_blocks"),
        adapters=False,
    ),
    "rnn": Model(
        "emoset_cli.models.rnn",
        "Train a recurrent network (GRU or LSTM) on log-mel spectrograms; write run folders.\n\n"
        "In adapters mode each layer has a linear adapter for each corpus.\n\nExample: emoset train rnn -t emodb",
        (*_HEAD, "cell"),
    ),
    "cnn-rnn": Model(
        "emoset_cli.models.fusion",
        "Train the residual and the recurrent network side by side; write run folders.\n\n"
        "One classifier for each corpus reads what both hear.\n\nExample: emoset train cnn-rnn -t emodb",
        (*_RESNET, *_HEAD, "cell"),
    ),
}
