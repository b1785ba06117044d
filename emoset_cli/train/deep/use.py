"""A finished network in use: probabilities through any of its heads, and embeddings, of any prepared utterances."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.files import digest
from emoset_cli.models import MODELS, parts
from emoset_cli.models.build import build_network
from emoset_cli.models.hardware import choose_device
from emoset_cli.runs import Run
from emoset_cli.train.deep import predict
from emoset_cli.train.deep.batches import Plan, Source, open_source, to_predict
from emoset_cli.train.deep.made import network_of, run_file
from emoset_cli.train.deep.segments import cut_up, mean_of_segments
from emoset_cli.train.deep.weights import bounded, read_weights


@dataclass(frozen=True)
class Network:
    """The network of one fold of a run, with the weights of its best or its final epoch.

    ``made`` is the run's ``model.json``: what the network is built from and how utterances are read for it. ``weights``
    is the hash of its file of weights.
    """

    run: str
    fold: str
    model: Any
    made: dict[str, Any]
    weights: str
    device: torch.device

    def labels(self, head: str) -> list[str]:
        """The labels of a head, in the order of its probabilities.

        Raises:
            EmosetError: if there is no such head
        """
        if head not in self.made["heads"]:
            raise unknown(f"head of {self.run}", head, self.made["heads"])
        return list(self.made["heads"][head])

    def dimensions(self, head: str) -> dict[str, tuple[float, float]]:
        """Low and high of each dimension of a head: those of its corpus; 0 and 1 where its corpora differ in them."""
        return scales_of(self.made, head)


def scales_of(made: dict[str, Any], head: str) -> dict[str, tuple[float, float]]:
    """See `Network.dimensions`; of a ``model.json``."""
    table = made.get("dimensions") or {"heads": {}, "scales": {}}
    found = {}
    for name in table["heads"].get(head, ()):
        known = table["scales"][head].get(name) if head in table["scales"] else None
        ends = {tuple(own[name]) for own in table["scales"].values() if name in own}
        low, high = known or (next(iter(ends)) if len(ends) == 1 else (0.0, 1.0))
        found[name] = (float(low), float(high))
    return found


def weights_file(run: Run, made: dict[str, Any], fold: str) -> Path:
    """The weights of a fold, of the best or the final epoch as the run was asked for.

    Raises:
        EmosetError: if there is no such fold or no such file
    """
    if fold not in made["folds"]:
        raise unknown(f"fold of {run.name}", fold, made["folds"])
    return run_file(run, str(made["folds"][fold]["final" if run.final else "best"]))


def open_network(run: Run, fold: str = "1", device: str = "auto") -> Network:
    """The network of a fold as it was trained, ready to predict.

    Args:
        run: of a network; ``RUN:final`` for its last epoch
        fold: one of the run's
        device: auto, cpu or cuda

    Raises:
        EmosetError: if the run is of a baseline, there is no such fold, or its weights are missing or damaged
    """
    made = network_of(run)
    file = weights_file(run, made, fold)
    _check_encoder(run, made)
    with bounded(run.folder, run.folder / "model.json", run.again) if run.shared else nullcontext():
        model = build_network(
            made["model"], made["heads"], made["adapters"], made["network"], made["front"], made.get("attributes"),
            made.get("dimensions"),
        )  # fmt: skip
    # What an encoder brings may be missing: a run keeps of it what it has trained.
    tensors = read_weights(file, model.state_dict(), parts.brought(model), run.again, finite=run.shared)
    model.load_state_dict(tensors, strict=False)
    where = torch.device(choose_device(device))
    model = model.to(where, memory_format=torch.channels_last).eval()
    return Network(run.name, fold, model, made, digest(file.read_bytes()), where)


def _check_encoder(run: Run, made: dict[str, Any]) -> None:
    """Refuse another encoder than the one the run was trained with.

    Raises:
        EmosetError: if it is another one, or not there any more
    """
    if "encoder" not in run.config:
        return
    from emoset_cli.models.speech_load import read_encoder

    name = made["network"].get(MODELS[made["model"]].brings, "")
    if name and read_encoder(name).digest != run.config["encoder"]:
        raise EmosetError(f"{name} is not the encoder that {run.name} was trained with", "put the old one there again")


def probabilities(network: Network, workspace: Path, utterances: Any, head: str) -> np.ndarray:
    """Probabilities of the labels of a head, float32 ``(utterances, labels)``, whatever corpus the utterances are of.

    An utterance goes the whole path of the head: its adapters, norms and attention, too. It is evaluated as in the
    training, in the same precision and window.

    Args:
        network: of `open_network`
        workspace: in which the utterances are prepared
        utterances: rows of utterance tables (`emoset_cli.prepare.read_utterances`), of one or several corpora
        head: one of the network's

    Raises:
        EmosetError: if there is no such head, or the stored audio was damaged
    """
    return probabilities_of(network, source_of(network, workspace, utterances), head)


def probabilities_of(network: Network, whole: Source, head: str) -> np.ndarray:
    """As `probabilities`, of all that a source reads, prepared or not."""
    return said_of(network, whole, head)[0]


def said_of(network: Network, whole: Source, head: str) -> tuple[np.ndarray, np.ndarray]:
    """All that a head says: `probabilities_of`, and its dimensions in their units, float32 ``(..., dimensions)``."""
    scales = network.dimensions(head)
    wide = len(network.labels(head))
    read, owner, plans = reading(network, whole, head)
    columns = {head: list(range(len(scales)))} if scales else {}
    precision = network.made["precision"]
    said = predict.answers(network.model, read, plans, network.device, precision, wide, len(owner), columns)
    shares, values = (mean_of_segments(one, owner, len(whole.lengths)) for one in (said.shares, said.values))
    low, high = np.array(list(scales.values()), np.float32).reshape(-1, 2).T
    return shares, low + (high - low) * values


def embeddings(network: Network, workspace: Path, utterances: Any, head: str) -> np.ndarray:
    """What a head reads of each utterance, float32 ``(utterances, width)``; all else as `probabilities`.

    Where the network hears segments, both are means over those of an utterance.
    """
    network.labels(head)
    read, owner, plans = reading(network, source_of(network, workspace, utterances), head)
    found = predict.embeddings(network.model, read, plans, network.device, network.made["precision"], len(owner))
    return mean_of_segments(found, owner, len(utterances))


def source_of(network: Network, workspace: Path, utterances: Any) -> Source:
    """The reader of utterances."""
    rows = utterances.assign(store=utterances["corpus"], id=utterances["utterance"])
    return open_source(workspace, rows, network.made.get("feature", ""))


def reading(network: Network, whole: Source, head: str) -> tuple[Source, np.ndarray, list[Plan]]:
    """The reader of the utterances or their segments, the utterance of each, and the batches of all of them."""
    made = network.made
    source, owner = cut_up(whole, *made.get("segments", (0.0, 0.0)))
    window = round(made["window_s"] * source.rate) if made["eval_window"] == "crop" else None
    return source, owner, to_predict(head, np.arange(len(owner)), source.lengths, window, source.rate)
