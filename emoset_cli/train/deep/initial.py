"""The initial model of a transfer (``-im``): which weights go where, and whether it has heard what will be tested."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from emoset_cli import runs
from emoset_cli.errors import EmosetError
from emoset_cli.files import digest, read_json
from emoset_cli.models.parts import roles

SEEN = "seen.csv"


@dataclass(frozen=True)
class Initial:
    """A trained network to start from: its run, its file of weights and what it was built with."""

    name: str
    file: Path
    config: dict[str, Any]
    model: dict[str, Any]

    @property
    def word(self) -> str:
        """What the base learnt from, as settings are named: ``all``, ``arousal``, ``A+V`` or the corpus."""
        spaces = self.config["label_space"].split(",")
        if len(spaces) > 1:
            return "+".join(space[:1].upper() for space in spaces)
        if len(self.config["corpora"]) > 1:
            return "all" if spaces == ["own"] else spaces[0]
        return str(self.config["corpora"][0]) if spaces == ["own"] else f"{self.config['corpora'][0]} {spaces[0]}"

    def as_dict(self) -> dict[str, Any]:
        """What the new run's settings say of it; another base of the same name is another run."""
        config = self.config
        return {
            "run": self.name, "weights": digest(self.file.read_bytes()), "setting": self.word,
            "mode": config["mode"], "corpora": config["corpora"], "label_space": config["label_space"],
        }  # fmt: skip


def read_initial(workspace: Path, name: str) -> Initial:
    """The network of a run, named as everywhere (``RUN:final`` for its last epoch).

    Raises:
        EmosetError: if it is no run of a network, or one of several folds
    """
    run = runs.find_run(workspace, name)
    made = read_json(run.folder / "model.json")
    if "network" not in made:
        raise EmosetError(
            f"{run.name} holds no network: nothing can be transferred from a {made.get('model')}",
            "name a run of emoset train cnn, vgg16, rnn or cnn-rnn",
        )
    if len(made["folds"]) > 1:
        raise EmosetError(
            f"{run.name} has {len(made['folds'])} folds, and each a network of its own",
            "train the initial model with a partition of one fold, for example --partition speakers",
        )
    last = "final" if run.name.endswith(":final") else "best"
    file = run.folder / next(iter(made["folds"].values()))[last]
    if not file.is_file():
        raise EmosetError(f"{file} is missing", "train the initial model again with --force")
    return Initial(run.name, file, run.config, made)


def heard(initial: Initial) -> Any:
    """Every utterance and speaker the initial model, or what it started from, has learnt from or was chosen on."""
    import pandas as pd

    return pd.read_csv(initial.file.parent / SEEN, dtype=str, keep_default_na=False)


def refuse_heard(initial: Initial, utterances: Any, tested: Any) -> None:
    """Refuse a test on utterances or speakers the initial model knows.

    Args:
        initial: the model to start from
        utterances: table of the new run
        tested: whether a row is tested in any fold, ``(utterances,)``

    Raises:
        EmosetError: naming the first of them
    """
    known = heard(initial)
    rows = utterances[tested]
    names = set(known["utterance"])
    voices = {pair for pair in zip(known["corpus"], known["speaker"], strict=True) if pair[1]}
    twice = [name for name in rows["id"] if name in names]
    pairs = list(zip(rows["store"], rows["speaker"], strict=True))
    spoken = sorted({f"{corpus}/{speaker}" for corpus, speaker in pairs if (corpus, speaker) in voices})
    if twice or spoken:
        what = f"{len(twice)} test utterances" if twice else f"{len(spoken)} test speakers"
        first = twice[0] if twice else spoken[0]
        raise EmosetError(
            f"the initial model {initial.name} was trained on {what} of this run, the first is {first}",
            "train both with the same partition and seed: what was heard in training cannot be tested",
        )


def transfer(model: torch.nn.Module, tensors: dict[str, torch.Tensor], mode: str) -> list[str]:
    """Copy weights and running statistics of the initial model; answer the names that were copied.

    Shared parts are always taken. ``adapters`` begins with new adapters and norms, as the paper does; ``finetune`` and
    ``last-layer`` take a corpus's own, and the mean over the initial model's corpora for one it does not know.
    Classifiers are always new: labels differ.

    Raises:
        EmosetError: if a shared part has another shape
    """
    own = roles(model)
    copied = {}
    for name, now in model.state_dict().items():
        role, corpus = own[name]
        found = None
        if role == "shared":
            found = tensors.get(name)
        elif role == "adapter" and mode != "adapters":
            found = tensors[name] if name in tensors else _mean(name, corpus, tensors)
        if found is None:
            continue
        if found.shape != now.shape:
            raise EmosetError(
                f"{name} of the initial model has shape {tuple(found.shape)}, here it is {tuple(now.shape)}",
                "do not change the network's options in a transfer",
            )
        copied[name] = found
    model.load_state_dict(copied, strict=False)
    return sorted(copied)


def _mean(name: str, corpus: str, tensors: dict[str, torch.Tensor]) -> torch.Tensor | None:
    """The mean of a corpus-specific part over all corpora of the initial model; None where it has no such part."""
    same = [tensor for other, tensor in sorted(tensors.items()) if _is_same_part(other, name, corpus)]
    if not same:
        return None
    return torch.stack([tensor.double() for tensor in same]).mean(0).to(same[0].dtype)


def _is_same_part(other: str, name: str, corpus: str) -> bool:
    """Whether two names differ only where ``name`` names its corpus."""
    key = corpus.replace(".", "/")  # as `PerCorpus` names its parts
    pairs = list(zip(other.split("."), name.split("."), strict=False))
    return other.count(".") == name.count(".") and all(a == b or b == key for a, b in pairs)
