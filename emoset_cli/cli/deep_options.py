"""The options of ``emoset train cnn`` and its like: a line for each, and where its value goes."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from inspect import Parameter, Signature
from typing import Annotated, Any

import typer

from emoset_cli.cli import common
from emoset_cli.cli.learn import Aggregate, Pool, Split, Subset
from emoset_cli.cli.unseen import Unseen
from emoset_cli.models import MODELS
from emoset_cli.models.approaches import APPROACHES, ATTRIBUTES, NORMALISE
from emoset_cli.train.deep.settings import (
    CHOOSE_BY,
    DIMENSION_LOSSES,
    EVAL_WINDOWS,
    MODES,
    PRECISIONS,
    PRESETS,
    SAMPLING,
)

SETTINGS, SPEECH, NETWORK = "Training", "Attributes of speech", "Network"
DIMENSIONS = "Dimensional labels"
FRONT, DATA, MACHINE = "Spectrogram and augmentation", "Data", "Machine"
_LONG = 70  # characters


@dataclass(frozen=True)
class Option:
    """An option: ``kind`` is its type or the words to choose from, ``panel`` its place in the help.

    Options of the panels Training, Attributes, Network and Spectrogram are fields of `Settings`, of its ``network`` or
    of its ``front``, under the option's name; None there is what is usual for the model.
    """

    panel: str
    kind: Any
    default: Any
    names: tuple[str, ...]
    help: str
    limits: dict[str, float] = field(default_factory=dict)

    def parameter(self, name: str, hidden: bool = False) -> Parameter:
        """As a parameter of a command; hidden from its help where only other commands can use it."""
        kind, default = self.kind, self.default
        if isinstance(kind, list):
            kind = StrEnum(name.title(), {word: word for word in kind})  # type: ignore[misc, no-redef]
            default = kind[default] if default else default
        # A long help tells the words itself.
        limits: dict[str, Any] = {**self.limits, "metavar": name.upper() if len(self.help) > _LONG else None}
        told = typer.Option(*self.names, help=self.help, rich_help_panel=self.panel, hidden=hidden, **limits)
        shown: Any = kind if default is not None else kind | None
        annotation: Any = Annotated[shown, told]
        return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _told(known: dict[str, Any]) -> str:
    return "; ".join(f"{word}: {getattr(told, 'help', told)}" for word, told in known.items())


_TUNE = [mode for mode in MODES if mode != "scratch"]
_FIRST_LR = (
    "the first; then a tenth, then a hundredth. 0.1; 0.01 in finetune and last-layer, which make two steps. embedding: "
    "0.0001 all the time, acrnn: 0.0001 at first, wccn: 0.0003, cnn-lstm: 0.002"
)
_LABELS = (
    "label space, as of train svm; several joined by commas, with --pool, are domains of one network: "
    "arousal,valence is EmoNet's A+V"
)

OPTIONS = {
    "mode": Option(SETTINGS, list(MODES), "scratch", ("--mode", "-m"), _told(MODES)),
    "initial_model": Option(
        SETTINGS, str, None, ("--initial-model", "-im"), "run to start from; RUN:final for its last epoch"
    ),
    "multi_task": Option(
        DATA, bool, False, ("--multi-task", "-mt"), "one network for all corpora, each with its own labels"
    ),
    "tune": Option(SETTINGS, _TUNE, None, ("--tune",), "then transfer the shared network to each corpus, in this mode"),
    "preset": Option(
        SETTINGS, list(PRESETS), None, ("--preset",),
        f"cli-20, embedding: alisamir2022, wccn: deep-wccn, acrnn: zhu2020, cnn-lstm: parry2022. {_told(PRESETS)}",
    ),
    "patience": Option(
        SETTINGS, int, None, ("--patience", "-p"), "epochs without a better devel UAR; by preset", {"min": 1}
    ),
    "max_epochs": Option(
        SETTINGS, int, None, ("--epochs", "-e"), "most epochs at each learning rate, 0: no limit; by preset", {"min": 0}
    ),
    "rounds": Option(
        SETTINGS, int, None, ("--rounds",), "multi-task: rounds at each learning rate; by preset", {"min": 1}
    ),
    "steps_per_epoch": Option(
        SETTINGS, int, None, ("--steps-per-epoch", "-spe"), "batches, or rounds, between looks at devel; by preset",
        {"min": 1},
    ),
    "batch_size": Option(
        SETTINGS, int, None, ("--batch-size", "-bs"), "utterances: 64, embedding: 1, wccn: 14", {"min": 1}
    ),
    "accumulate": Option(
        SETTINGS, int, None, ("--accumulate",), "batches whose gradients make one update: 1", {"min": 1}
    ),
    "first_lr": Option(SETTINGS, float, None, ("--learning-rate", "-lr"), _FIRST_LR, {"min": 0.0}),
    "optimizer": Option(
        SETTINGS, ["sgd", "rmsprop", "adam", "adagrad", "adadelta"], None, ("--optimizer", "-o"),
        "sgd (momentum 0.9), embedding, acrnn: adam, wccn: adagrad",
    ),
    "epoch_decay": Option(
        SETTINGS, float, None, ("--epoch-decay",), "factor on the learning rate, each epoch: 1, acrnn: 0.91",
        {"min": 0.0, "max": 1.0},
    ),
    "least_lr": Option(
        SETTINGS, float, None, ("--least-lr",), "where --epoch-decay ends: 0, acrnn: 0.00001", {"min": 0.0}
    ),
    "choose_by": Option(
        SETTINGS, list(CHOOSE_BY), None, ("--choose-by",), f"the best epoch: uar, acrnn: wa. {_told(CHOOSE_BY)}"
    ),
    "segment_s": Option(
        SETTINGS, float, None, ("--segment",),
        "seconds of the segments that utterances are cut into: 0 (whole utterances), acrnn: 3", {"min": 0.0},
    ),
    "shift_s": Option(
        SETTINGS, float, None, ("--shift",), "seconds from one segment to the next; acrnn: 1", {"min": 0.0}
    ),
    "loss": Option(
        SETTINGS, ["cross-entropy", "focal", "ordinal"], None, ("--loss", "-l"), "of the labels: cross-entropy"
    ),
    "balanced_weights": Option(
        SETTINGS, bool, None, ("--balanced-weights/--no-balanced-weights", "-bw"),
        "rare labels weigh more in the loss: yes; embedding, wccn, acrnn and cnn-lstm: no",
    ),
    "weight_decay": Option(
        SETTINGS, float, None, ("--weight-decay",),
        "λ of λ|w|² on kernels (PyTorch's is twice that): 1e-6, wccn: 2.5e-4, embedding, acrnn, cnn-lstm: 0",
        {"min": 0.0},
    ),
    "individual_decay": Option(
        SETTINGS, bool, False, ("--individual-weight-decay", "-iwd"), "L2 by size of the corpus, 1e-6 to 5e-3"
    ),
    "sampling": Option(
        SETTINGS, list(SAMPLING), None, ("--sampling",),
        "which corpus gives the next batch: round-robin; embedding and wccn: shuffled; acrnn and cnn-lstm: mixed. "
        f"{_told(SAMPLING)}",
    ),
    "repeat": Option(
        SETTINGS, bool, None, ("--repeat/--no-repeat",),
        "repeat utterances of smaller corpora until all have as many: no; embedding and wccn: yes",
    ),
    "temperature": Option(
        SETTINGS, float, None, ("--temperature",),
        "of --sampling temperature: shares to the power of 1 / temperature: 2",
    ),
    "window_s": Option(
        SETTINGS, float, None, ("--window", "-w"),
        "longest stretch heard in training, in seconds: 5, embedding: 30, cnn-lstm: 10, wccn: 2 (shorter ones are "
        "padded), acrnn: its segment",
    ),
    "eval_window": Option(
        SETTINGS, list(EVAL_WINDOWS), None, ("--eval-window",), f"whole; wccn, acrnn: crop. {_told(EVAL_WINDOWS)}"
    ),
    "feature": Option(
        SETTINGS, str, None, ("--feature", "-f"), "embedding: stored frames, as extracted; waveforms by default"
    ),
    "attributes": Option(
        SPEECH, str, None, ("--attributes",), f"that take part in training, joined by commas: {', '.join(ATTRIBUTES)}"
    ),
    "approach": Option(SPEECH, list(APPROACHES), None, ("--approach",), _told(APPROACHES)),
    "attribute_weight": Option(
        SPEECH, float, None, ("--attribute-weight",), "α of their loss: mtl 0.1, gr 0.5 in the last epoch, ad 0.5",
        {"min": 0.0, "max": 1.0},
    ),
    "adversarial_lr": Option(
        SPEECH, float, None, ("--adversarial-lr",), "learning rate of the adversarial step: 5e-8", {"min": 0.0}
    ),
    "corpus_discriminator": Option(
        SPEECH, ["off", *(name for name, one in APPROACHES.items() if one.apart and one.reads == "embedding")], None,
        ("--corpus-discriminator",), "short for --attributes corpus --approach train or adversarial",
    ),
    "dimensions": Option(
        DIMENSIONS, str, None, ("--dimensions",),
        "learnt too by the corpora that have them, joined by commas: arousal,valence",
    ),
    "dimension_loss": Option(
        DIMENSIONS, list(DIMENSION_LOSSES), None, ("--dimension-loss",), f"ccc. {_told(DIMENSION_LOSSES)}"
    ),
    "dimension_weight": Option(
        DIMENSIONS, float, None, ("--dimension-weight",), "of their loss beside that of the labels: 1", {"min": 0.0}
    ),
    "labels": Option(DATA, str, "own", ("--labels",), _LABELS),
    "normalise": Option(
        FRONT, list(NORMALISE), None, ("--normalise",),
        f"z-scores of spectrograms: none, acrnn: global, cnn-lstm: utterance. {_told(NORMALISE)}",
    ),
    "mels": Option(
        FRONT, int, None, ("--num-mels", "-nm"), "mel bands: 64, acrnn, cnn-lstm: 40", {"min": 8}
    ),
    "win": Option(FRONT, int, None, ("--win",), "samples of a frame: 512, acrnn, cnn-lstm: 400", {"min": 16}),
    "hop": Option(FRONT, int, None, ("--hop",), "samples between frames: 256, acrnn, cnn-lstm: 160", {"min": 8}),
    "f_min": Option(FRONT, float, None, ("--f-min",), "lowest frequency, Hz: 20", {"min": 0.0}),
    "f_max": Option(FRONT, float, None, ("--f-max",), "highest frequency, Hz: 8000", {"min": 1.0}),
    "floor_db": Option(FRONT, float, None, ("--floor-db",), "floor below the maximum, dB: -80", {"max": -1.0}),
    "noise": Option(FRONT, float, None, ("--noise",), "sd of random noise on spectrograms, dB: 0", {"min": 0.0}),
    "time_masks": Option(
        FRONT, int, None, ("--time-masks",), "SpecAugment: masks over time: 0, cnn-lstm: 1", {"min": 0}
    ),
    "time_mask_frames": Option(FRONT, int, None, ("--time-mask-frames",), "most frames of a mask: 30", {"min": 1}),
    "freq_masks": Option(
        FRONT, int, None, ("--freq-masks",), "SpecAugment: masks over mel bands: 0, cnn-lstm: 1", {"min": 0}
    ),
    "freq_mask_mels": Option(
        FRONT, int, None, ("--freq-mask-mels",), "most mel bands of a mask: 8, cnn-lstm: 3", {"min": 1}
    ),
    "speed": Option(FRONT, float, None, ("--speed",), "most change of speed, as a share: 0", {"min": 0.0, "max": 0.5}),
    "pitch": Option(FRONT, float, None, ("--pitch",), "most change of pitch, semitones: 0", {"min": 0.0, "max": 12.0}),
    "blocks": Option(NETWORK, int, None, ("--blocks", "-N"), "residual blocks in each of three modules: 2", {"min": 1}),
    "filters": Option(NETWORK, int, None, ("--filters", "-nf"), "filters of the first convolution: 32", {"min": 1}),
    "widen": Option(NETWORK, int, None, ("--widen", "-wf"), "factor of all filters: 1", {"min": 1}),
    "dropout": Option(
        NETWORK, float, None, ("--dropout", "-do"),
        "share, of the classifier: 0.2, wccn: 0.3, acrnn, cnn-lstm: 0.5; embedding, between layers: 0",
        {"min": 0.0, "max": 0.9},
    ),
    "dropout_block": Option(
        NETWORK, float, None, ("--dropout-block",), "share, within residual blocks: 0", {"min": 0.0, "max": 0.9}
    ),
    "classifier": Option(NETWORK, ["attention", "avgpool"], None, ("--classifier", "-c"), "pooling: attention"),
    "share_attention": Option(
        NETWORK, bool, False, ("--share-feature-layer", "-sfl"), "one attention for all corpora"
    ),
    "cell": Option(
        NETWORK, ["gru", "lstm", "transformer"], None, ("--cell",),
        "gru; rnn, cnn-rnn: gru or lstm; embedding: gru or transformer",
    ),
    "layers": Option(NETWORK, int, None, ("--layers",), "embedding: layers of the emotion model: 1", {"min": 1}),
    "width": Option(NETWORK, int, None, ("--width",), "of the embedding: embedding 64, wccn 192", {"min": 1}),
    "finetune": Option(
        NETWORK, str, None, ("--finetune",),
        "embedding: a speech encoder, name or folder, that hears the waveforms and is trained too (-m adapters: its "
        "adapters only)",
    ),
    "train_front": Option(NETWORK, bool, False, ("--train-front",), "with --finetune: its convolutions too"),
    "adapter": Option(NETWORK, ["lora", "bottleneck"], None, ("--adapter",), "with --finetune -m adapters: lora"),
    "rank": Option(NETWORK, int, None, ("--rank",), "of LoRA, or width of the bottleneck: 8", {"min": 1}),
    "checkpointing": Option(
        NETWORK, bool, False, ("--checkpointing",), "gradient checkpointing of the encoder: less memory, more time"
    ),
    "encoder": Option(
        NETWORK, str, None, ("--encoder",),
        "wccn: a wav2vec 2.0 model with its pre-training heads, name or folder: facebook/wav2vec2-large-xlsr-53",
    ),
    "wccn": Option(NETWORK, bool, None, ("--deep-wccn/--no-deep-wccn",), "wccn: with or without Deep-WCCN"),
    "alpha": Option(
        NETWORK, float, None, ("--alpha",), "wccn: smoothing of the covariance: 0.4", {"min": 0.0, "max": 1.0}
    ),
    "ssl_weight": Option(
        NETWORK, float, None, ("--ssl-weight",), "wccn: λ of the encoder's own loss: 0.0012", {"min": 0.0}
    ),
    "weights": Option(NETWORK, str, None, ("--weights",), "vgg16: a file, a torchvision name, or none for random ones"),
    "trainable_blocks": Option(
        NETWORK, int, None, ("--trainable-blocks",), "vgg16: convolution blocks trained, from the top: 5",
        {"min": 0, "max": 5},
    ),
    "precision": Option(MACHINE, list(PRECISIONS), "auto", ("--precision",), _told(PRECISIONS)),
    "device": Option(
        MACHINE, ["auto", "cpu", "cuda"], "auto", ("--device",), "auto takes a GPU where there is one"
    ),
    "tensorboard": Option(MACHINE, bool, False, ("--tensorboard",), "also write the curves as TensorBoard events"),
}  # fmt: skip
_COMMON: dict[str, tuple[Any, Any]] = {
    "task": (common.Tasks, None),
    "partition": (Split, ""),
    "subset": (Subset, ""),
    "aggregate": (Aggregate, False),
    "pool": (Pool, False),
    "unseen": (Unseen, None),
    "seed": (common.Seed, 0),
    "workspace": (common.Workspace, common.DEFAULT_WORKSPACE),
    "registry": (common.Registry, None),
    "workers": (common.Workers, 0),
    "force": (common.Force, False),
    "as_json": (common.Json, False),
    "quiet": (common.Quiet, False),
}


def signature(model: str) -> Signature:
    """The parameters of the command that trains a network; what only other networks have is hidden, and refused."""
    own = MODELS[model]
    useless = {name for name, option in OPTIONS.items() if option.panel == NETWORK} - set(own.options)
    useless |= set() if own.frames else {"feature"}
    useless |= {name for name, option in OPTIONS.items() if option.panel == FRONT and not own.spectrogram}
    useless |= {name for name, option in OPTIONS.items() if option.panel in (SPEECH, DIMENSIONS) and not own.attributes}
    plain = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in _COMMON.items()
    ]
    least: dict[str, dict[str, float]] = {"batch_size": {"min": 2}} if own.batch_norm else {}
    options = {name: replace(one, limits=least.get(name, one.limits)) for name, one in OPTIONS.items()}
    return Signature([*[one.parameter(name, name in useless) for name, one in options.items()], *plain])


def of_panel(panel: str, given: dict[str, Any]) -> dict[str, Any]:
    """The values given for the options of a panel, plain words; what was left out is absent."""
    found = {name: given[name] for name, option in OPTIONS.items() if option.panel == panel and given[name] is not None}
    return {name: str(value) if isinstance(value, StrEnum) else value for name, value in found.items()}
