"""Networks: one file each, known by name here; torch is imported only when one of them is loaded."""

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

SHARED = "shared"  # the key of a part that exists once, for all corpora
FILTERBANKS = {"mels": 40, "win": 400, "hop": 160}  # 25 ms every 10 ms, of Zhu & Sato 2020 and Parry et al. 2022 alike


@dataclass(frozen=True)
class Model:
    """A network: its module and the help of its command.

    The module has ``build(labels, *, adapters=False, **options) -> torch.nn.Module``; ``labels`` are those of each
    corpus, and what the options are and their defaults is told by its signature.

    Args:
        module: its name
        help: of the command
        options: of ``build`` that the command line has
        adapters: whether it can have any
        shared_adapters: whether a base that corpora share has some for each of them, as EmoNet's
        batch_norm: whether a batch needs two utterances
        frames: whether it can read stored frames instead of waveforms
        one_thread: whether more threads slow it down on a CPU, as they do small recurrent layers
        fixed_window: whether every utterance is cropped or padded to the same length: ``window_s`` of ``build``
        spectrogram: whether it hears log-mel spectrograms, ``front`` of ``build``
        attributes: whether attributes of speech and dimensional labels can be read from it in training: it has
            ``width``, ``embed`` and ``classify``, and its loss is that of its logits
        brings: the option of ``build`` that names pretrained weights, "" if there is none
        recipe: fields of `emoset_cli.train.deep.settings.Settings` whose usual value is another one than EmoNet's
    """

    module: str
    help: str
    options: tuple[str, ...]
    adapters: bool = True
    shared_adapters: bool = True
    batch_norm: bool = True
    frames: bool = False
    one_thread: bool = False
    fixed_window: bool = False
    spectrogram: bool = True
    attributes: bool = True
    brings: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)

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
        brings="weights",
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
    "embedding": Model(
        "emoset_cli.models.embedding",
        "Train emotion embeddings: GRU or Transformer, one linear classifier a corpus; write run folders.\n\n"
        "It reads mel filterbanks, the frames of emoset extract wav2vec2 (--feature), or fine-tunes a speech encoder "
        "end to end (--finetune).\n\nExample: emoset train embedding -t emodb",
        ("dropout", "cell", "layers", "width", "finetune", "train_front", "adapter", "rank", "checkpointing"),
        shared_adapters=False,
        batch_norm=False,
        frames=True,
        one_thread=True,
        brings="finetune",
        recipe={
            "preset": "alisamir2022",
            "optimizer": "adam",
            "first_lr": 1e-4,
            "lr_steps": 1,
            "lr_decay": 0.0,
            "batch_size": 1,
            "weight_decay": 0.0,
            "balanced_weights": False,
            "sampling": "shuffled",
            "repeat": True,
            "window_s": 30.0,
        },
    ),
    "wccn": Model(
        "emoset_cli.models.xlsr_wccn",
        "Train wav2vec 2.0 end to end with statistics pooling and Deep-WCCN; write run folders.\n\n"
        "Cross-entropy plus wav2vec 2.0's own loss. Corpora share one classifier in a label space.\n\n"
        "Example: emoset train wccn -t emodb,ravdess --pool --labels iemocap4 --encoder FOLDER",
        ("dropout", "encoder", "width", "wccn", "alpha", "ssl_weight", "checkpointing"),
        adapters=False,
        batch_norm=False,
        fixed_window=True,
        spectrogram=False,
        attributes=False,
        brings="encoder",
        # The weight decay is PyTorch's 5e-4: that of λ|w|² is twice λ.
        recipe={
            "preset": "deep-wccn",
            "optimizer": "adagrad",
            "first_lr": 3e-4,
            "lr_steps": 1,
            "lr_decay": 0.0,
            "batch_size": 14,
            "weight_decay": 2.5e-4,
            "balanced_weights": False,
            "sampling": "shuffled",
            "repeat": True,
            "window_s": 2.0,
            "eval_window": "crop",
        },
    ),
    "acrnn": Model(
        "emoset_cli.models.acrnn",
        "Train an attention-based convolutional recurrent network on segments of 3 s; write run folders.\n\n"
        "One encoder, a classifier for each corpus and, with --corpus-discriminator, one that tells corpora apart "
        "(Zhu & Sato 2020). Predictions are of utterances and of segments.\n\n"
        "Example: emoset train acrnn -t emodb,ravdess -mt --corpus-discriminator adversarial --partition losgo:10",
        ("dropout",),
        adapters=False,
        batch_norm=False,
        fixed_window=True,
        recipe={
            "preset": "zhu2020",
            "optimizer": "adam",
            "first_lr": 1e-4,
            "lr_steps": 1,
            "lr_decay": 0.0,
            "epoch_decay": 0.91,
            "least_lr": 1e-5,
            "weight_decay": 0.0,
            "balanced_weights": False,
            "sampling": "mixed",
            "segment_s": 3.0,
            "shift_s": 1.0,
            "eval_window": "crop",
            "choose_by": "wa",
            "front": {**FILTERBANKS, "normalise": "global"},
        },
    ),
    "cnn-lstm": Model(
        "emoset_cli.models.cnn_lstm",
        "Train a CNN-LSTM, with or without attributes of speech; write run folders.\n\n"
        "Corpus, gender, speaker and language can be learnt beside emotions, unlearnt by gradient reversal, or hidden "
        "from a discriminator (Parry et al. 2022).\n\n"
        "Example: emoset train cnn-lstm -t emodb,ravdess --pool --labels three-class --attributes corpus --approach gr",
        ("dropout",),
        adapters=False,
        batch_norm=False,
        recipe={
            "preset": "parry2022",
            "first_lr": 2e-3,
            "lr_steps": 1,
            "lr_decay": 0.0,
            "weight_decay": 0.0,
            "balanced_weights": False,
            "sampling": "mixed",
            "window_s": 10.0,
            "front": {
                **FILTERBANKS, "normalise": "utterance",
                "time_masks": 1, "time_mask_frames": 30, "freq_masks": 1, "freq_mask_mels": 3,
            },
        },
    ),
}  # fmt: skip
