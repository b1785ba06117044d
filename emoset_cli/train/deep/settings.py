"""What a user chooses of a network and its training: one record, checked, all of it part of a run's signature."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.models import MODELS
from emoset_cli.models.approaches import APPROACHES, ATTRIBUTES

RECIPE = 1  # raise when a change of training alters results: runs of an older recipe are then not taken for new ones
MODES = {
    "scratch": "everything from new weights",
    "finetune": "all weights of the initial model, at a lower learning rate",
    "last-layer": "the classifiers only, on the frozen initial model",
    "adapters": "each corpus's adapters, batch norms and classifier, on the frozen shared layers of the initial model",
}
TRANSFER = ("finetune", "last-layer", "adapters")
EVAL_WINDOWS = {
    "whole": "devel and test utterances are heard whole, however long",
    "crop": "the middle --window seconds of them, as EmoNet takes a fixed part",
}
SAMPLING = {
    "round-robin": "each corpus in turn (EmoNet's): small corpora are heard over and over",
    "proportional": "by chance, as often as a corpus has utterances: large corpora rule",
    "sqrt": "by chance, by the square root of the number of utterances: between the two",
    "temperature": "by chance, by the number of utterances to the power 1 / --temperature (2 is sqrt)",
    "shuffled": "every batch of every corpus once an epoch, in random order (emotion embeddings)",
    "mixed": "every batch has utterances of all corpora, as they come (adversarial learning)",
}
CHOOSE_BY = {"uar": "mean devel UAR of the corpora", "wa": "mean devel accuracy of the corpora (Zhu & Sato 2020)"}
DIMENSION_LOSSES = {
    "ccc": "1 - concordance correlation coefficient over a batch, mean over dimensions",
    "mse": "mean squared error, on a scale of 0 to 1",
}
PRECISIONS = {"auto": "bf16 where the processor has units for it, else fp32", "fp32": "float32", "bf16": "bfloat16"}


@dataclass(frozen=True)
class Preset:
    """A budget: devel patience and most epochs at each learning rate, and rounds at each rate in multi-task training.

    ``max_epochs`` 0 is no limit. ``rounds`` 0: several corpora too are trained in epochs, with patience. ``steps`` is
    the most batches (in multi-task training: rounds) an epoch has, 0 for as many as hold every training utterance once.
    """

    patience: int
    max_epochs: int
    rounds: int
    steps: int
    help: str


PRESETS = {
    "paper-50": Preset(50, 0, 2500, 0, "the paper's: patience 50, 2,500 rounds at each learning rate"),
    "cli-20": Preset(20, 0, 2500, 0, "EmoNet's command line: patience 20, 2,500 rounds at each learning rate"),
    "quick": Preset(
        3, 3, 18, 6, "for small machines: at most 3 epochs of 6 batches, or 18 rounds, at each learning rate"
    ),
    "alisamir2022": Preset(50, 50, 0, 0, "emotion embeddings: 50 epochs, the best of them on devel"),
    "deep-wccn": Preset(10, 100, 0, 0, "Deep-WCCN: early stopping; its patience is not told, 10 is our choice"),
    "zhu2020": Preset(500, 0, 0, 0, "adversarial corpus discriminator: patience 500"),
    "parry2022": Preset(20, 150, 0, 0, "attributes: 150 epochs with early stopping, whose patience is our choice"),
}


@dataclass(frozen=True)
class Settings:
    """A network and its training. Defaults are EmoNet's (Gerczuk et al. 2021, sections 5.2 and 6), see `settings_of`.

    ``window_s`` is the longest stretch of an utterance heard in training, in seconds. ``first_lr`` and ``lr_steps``
    (how many learning rates there are, each a tenth of the one before) None are by mode. What else is None is by
    preset. ``repeat``: utterances of smaller corpora are repeated until all have as many. ``accumulate`` is the number
    of batches an update sums the gradients of. ``feature`` names stored frames that are read instead of waveforms.
    The learning rate is ``epoch_decay`` to the power of the epoch, down to ``least_lr``. ``segment_s`` and ``shift_s``
    cut utterances into segments that are heard one by one; 0 is whole ones. ``attributes`` of speech take part as
    ``approach`` says, with the weight ``attribute_weight`` (None is the approach's) or, where the encoder unlearns them
    in a step of its own, that step's ``adversarial_lr``. ``dimensions`` are dimensional labels that the corpora which
    have them learn beside theirs, by ``dimension_loss`` times ``dimension_weight``.
    ``network`` and ``front`` are options of the model's ``build`` and of `emoset_cli.models.layers.front.Front` that
    are not the defaults.
    """

    model: str = "cnn"
    mode: str = "scratch"
    preset: str = "cli-20"
    patience: int | None = None
    max_epochs: int | None = None
    rounds: int | None = None
    steps_per_epoch: int | None = None
    batch_size: int = 64
    first_lr: float | None = None
    lr_steps: int | None = None
    lr_decay: float = 1e-6
    optimizer: str = "sgd"
    loss: str = "cross-entropy"
    balanced_weights: bool = True
    weight_decay: float = 1e-6
    individual_decay: bool = False
    window_s: float = 5.0
    eval_window: str = "whole"
    sampling: str = "round-robin"
    temperature: float = 2.0
    repeat: bool = False
    accumulate: int = 1
    feature: str = ""
    epoch_decay: float = 1.0
    least_lr: float = 0.0
    choose_by: str = "uar"
    segment_s: float = 0.0
    shift_s: float = 0.0
    attributes: list[str] = field(default_factory=list)
    approach: str = "single"
    attribute_weight: float | None = None
    adversarial_lr: float = 5e-8
    dimensions: list[str] = field(default_factory=list)
    dimension_loss: str = "ccc"
    dimension_weight: float = 1.0
    precision: str = "fp32"
    seed: int = 0
    network: dict[str, Any] = field(default_factory=dict)
    front: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        words: list[tuple[str, str, Iterable[str]]] = [
            ("model", self.model, MODELS),
            ("training mode", self.mode, MODES),
            ("preset", self.preset, PRESETS),
            ("evaluation window", self.eval_window, EVAL_WINDOWS),
            ("sampling", self.sampling, SAMPLING),
            ("precision", self.precision, ["fp32", "bf16"]),
            ("measure to choose by", self.choose_by, CHOOSE_BY),
            ("approach", self.approach, APPROACHES),
            ("loss of dimensions", self.dimension_loss, DIMENSION_LOSSES),
            *(("attribute", name, ATTRIBUTES) for name in self.attributes),
        ]
        for kind, value, known in words:
            if value not in known:
                raise unknown(kind, value, known)
        if self.feature and not MODELS[self.model].frames:
            readers = ", ".join(name for name, entry in MODELS.items() if entry.frames)
            raise EmosetError(f"{self.model} hears waveforms, it has no --feature", f"leave it out; {readers} has it")
        for name, number in (("window", self.window_s), ("temperature", self.temperature)):
            if not number > 0:
                raise EmosetError(f"--{name} is {number:g}", "give a number above 0")
        for name, count in (("batch-size", self.batch_size), ("accumulate", self.accumulate)):
            if count < 1:
                raise EmosetError(f"--{name} is {count}", "give a whole number from 1 on")
        if self.batch_size < 2 and MODELS[self.model].batch_norm:
            raise EmosetError(f"--batch-size is {self.batch_size}", "batch norm needs at least 2 utterances")
        self._check_rates()
        self._check_segments()
        self._check_attributes()
        self._check_dimensions()

    def _check_rates(self) -> None:
        if not 0 < self.epoch_decay <= 1:
            raise EmosetError(f"--epoch-decay is {self.epoch_decay:g}", "give a factor above 0, up to 1 (none)")
        for name, rate in (("least-lr", self.least_lr), ("adversarial-lr", self.adversarial_lr)):
            if not 0 <= rate < float("inf"):
                raise EmosetError(f"--{name} is {rate:g}", "give a learning rate from 0 on")

    def _check_segments(self) -> None:
        if self.segment_s < 0 or (self.segment_s and not 0 < self.shift_s <= self.segment_s):
            raise EmosetError(
                f"segments of {self.segment_s:g} s every {self.shift_s:g} s",
                "give a --segment above 0 (0: whole utterances) and a --shift above 0, no longer than the segment",
            )

    def _check_attributes(self) -> None:
        """Refuse attributes without an approach and the other way round, and what cannot go together."""
        chosen = APPROACHES[self.approach]
        if self.approach == "single":
            if self.attributes:
                raise EmosetError(
                    f"attributes {', '.join(self.attributes)} are named, and not what becomes of them",
                    "add --approach mtl, gr, ad, train or adversarial, or leave --attributes out",
                )
            return
        if not self.attributes:
            raise EmosetError(f"--approach {self.approach} is about attributes, and none is named",
                              f"add --attributes, of {', '.join(ATTRIBUTES)}")  # fmt: skip
        if not MODELS[self.model].attributes:
            able = ", ".join(name for name, entry in MODELS.items() if entry.attributes)
            raise EmosetError(f"{self.model} has no --attributes", f"leave them out; {able} have them")
        if self.mode == "last-layer":
            raise EmosetError("-m last-layer leaves the embedding as it is, so attributes change nothing",
                              "choose -m scratch or -m finetune")  # fmt: skip
        if self.attribute_weight is not None and not (chosen.weight and 0 <= self.attribute_weight < 1):
            raise EmosetError(
                f"--attribute-weight is {self.attribute_weight:g} with --approach {self.approach}",
                "give a share from 0 to below 1 with mtl, gr or ad; the others have no such weight",
            )
        if chosen.unlearns and self.accumulate > 1:
            raise EmosetError("the adversarial step comes after each batch, so batches cannot be accumulated",
                              "leave --accumulate out")  # fmt: skip

    def _check_dimensions(self) -> None:
        """Refuse dimensions that cannot be learnt in this way, and their options without them."""
        if not self.dimensions:
            if self.dimension_loss != "ccc" or self.dimension_weight != 1.0:
                raise EmosetError("--dimension-loss and --dimension-weight are about dimensions, and none is named",
                                  "add --dimensions, such as arousal,valence")  # fmt: skip
            return
        if not MODELS[self.model].attributes:
            able = ", ".join(name for name, entry in MODELS.items() if entry.attributes)
            raise EmosetError(f"{self.model} has no --dimensions", f"leave them out; {able} have them")
        if not 0 < self.dimension_weight < float("inf"):
            raise EmosetError(f"--dimension-weight is {self.dimension_weight:g}", "give a number above 0")
        if self.dimension_loss == "ccc" and self.batch_size < 2:
            raise EmosetError("the concordance of a batch of one utterance is not defined",
                              "add --batch-size 16, or --dimension-loss mse")  # fmt: skip

    @property
    def budget(self) -> Preset:
        """The preset with what was chosen otherwise."""
        base = PRESETS[self.preset]
        given = {
            "patience": self.patience, "max_epochs": self.max_epochs, "rounds": self.rounds,
            "steps": self.steps_per_epoch,
        }  # fmt: skip
        return Preset(**(asdict(base) | {name: value for name, value in given.items() if value is not None}))

    def budget_words(self, multi_task: bool) -> str:
        """The budget as tables name it."""
        budget = self.budget
        if multi_task and budget.rounds:
            return f"{self.preset}: {budget.rounds} rounds at each learning rate"
        most = f", at most {budget.max_epochs} epochs" if budget.max_epochs else ""
        most += f" of at most {budget.steps} batches" if budget.steps else ""
        return f"{self.preset}: patience {budget.patience}{most} at each learning rate"

    def as_dict(self) -> dict[str, Any]:
        """Plain values for the signature; a preset is spelt out, so that a later change of presets changes it."""
        plain = {name: value for name, value in asdict(self).items() if name != "steps_per_epoch"}
        plain = {name: value for name, value in plain.items() if name not in _LATER or value != _LATER[name]}
        return plain | {name: value for name, value in asdict(self.budget).items() if name != "help"}


# Settings that came after the first runs: at these values they are left out, so that those keep their signatures.
_LATER: dict[str, Any] = {
    "lr_steps": None, "repeat": False, "accumulate": 1, "feature": "", "epoch_decay": 1.0, "least_lr": 0.0,
    "choose_by": "uar", "segment_s": 0.0, "shift_s": 0.0, "attributes": [], "approach": "single",
    "attribute_weight": None, "adversarial_lr": 5e-8, "dimensions": [], "dimension_loss": "ccc",
    "dimension_weight": 1.0,
}  # fmt: skip


def settings_of(model: str, given: dict[str, Any]) -> Settings:
    """The settings of a network: what is given, else what is usual for the model.

    Raises:
        EmosetError: for an unknown word or a number out of range
    """
    usual = MODELS[model].recipe
    front = usual.get("front", {}) | given.get("front", {})
    chosen = Settings(**({"model": model} | usual | given | {"front": front}))
    if chosen.segment_s:
        chosen = replace(chosen, window_s=chosen.segment_s)
    if not MODELS[model].fixed_window:
        return chosen
    return replace(chosen, network=chosen.network | {"window_s": chosen.window_s})
