"""The initial model of a transfer (``-im``): which weights go where, and whether it has heard what will be tested."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emoset_cli import runs
from emoset_cli.errors import EmosetError
from emoset_cli.files import digest
from emoset_cli.models.parts import roles
from emoset_cli.train.deep.made import network_of
from emoset_cli.train.deep.use import weights_file

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
        unseen = self.config["partition"].get("unseen", [])
        first, *others = (str(key) for key in self.config["corpora"] if key not in unseen)
        if others:
            return "all" if spaces == ["own"] else spaces[0]
        return first if spaces == ["own"] else f"{first} {spaces[0]}"

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
    made = network_of(run)
    if len(made["folds"]) > 1:
        raise EmosetError(
            f"{run.name} has {len(made['folds'])} folds, and each a network of its own",
            "train the initial model with a partition of one fold, for example --partition speakers",
        )
    return Initial(run.name, weights_file(run, made, next(iter(made["folds"]))), run.config, made)


def heard(folder: Path) -> Any:
    """Every utterance and speaker the network of a run, or what it started from, has learnt from or was chosen on.

    Raises:
        EmosetError: if the run's folder does not hold that table
    """
    import pandas as pd

    if not (folder / SEEN).is_file():
        raise EmosetError(f"{folder / SEEN} is missing", "train the run again with --force")
    return pd.read_csv(folder / SEEN, dtype=str, keep_default_na=False)


def known_to(folder: Path, corpora: Iterable[str], utterances: Iterable[str], speakers: Iterable[str]) -> np.ndarray:
    """Whether the network of a run knows each utterance, and its speaker; bool ``(2, utterances)``.

    Args:
        folder: of the run
        corpora: corpus of each utterance
        utterances: ids there
        speakers: of each utterance; an unknown one ("") is not recognised
    """
    seen = heard(folder)
    names = set(seen["utterance"])
    voices = {pair for pair in zip(seen["corpus"], seen["speaker"], strict=True) if pair[1]}
    by_name = [name in names for name in utterances]
    return np.array([by_name, [pair in voices for pair in zip(corpora, speakers, strict=True)]], bool)


def refuse_heard(initial: Initial, utterances: Any, tested: Any) -> None:
    """Refuse a test on utterances or speakers the initial model knows.

    Args:
        initial: the model to start from
        utterances: table of the new run
        tested: whether a row is tested in any fold, ``(utterances,)``

    Raises:
        EmosetError: naming the first of them
    """
    rows = utterances[tested]
    by_name, by_voice = known_to(initial.file.parent, rows["store"], rows["id"], rows["speaker"])
    twice = rows["id"][by_name].tolist()
    spoken = sorted(set((rows["store"] + "/" + rows["speaker"])[by_voice]))
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
