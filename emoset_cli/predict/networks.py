"""A network's run as something that hears pieces of recordings: probabilities of its heads, mean over its folds."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from emoset_cli.audio import SAMPLE_RATE
from emoset_cli.calibration import calibrated
from emoset_cli.cores import threads
from emoset_cli.models import MODELS
from emoset_cli.predict.extractor import frames_of, recipe_for
from emoset_cli.predict.stored import Temperatures
from emoset_cli.predict.windows import Piece
from emoset_cli.runs import Run


class NetworkModel:
    """See `emoset_cli.predict.model.Model`."""

    together = 256
    speakers = False

    def __init__(
        self, run: Run, heads: Sequence[str], folds: Sequence[str], weights: str, device: str, workers: int,
        temperatures: Temperatures,
    ) -> None:  # fmt: skip
        import torch

        from emoset_cli.models.hardware import choose_device, keep_few_kernels, keep_memory
        from emoset_cli.train.deep.use import open_network

        keep_memory()
        keep_few_kernels()
        self._networks = [open_network(run, fold, device) for fold in folds]
        self._temperatures = [temperatures.get(fold, {}) for fold in folds]
        made = self._networks[0].made
        if choose_device(device) == "cpu":
            own = MODELS[made["model"]]
            alone = own.one_thread and not made["network"].get(own.brings)
            torch.set_num_threads(1 if alone else min(workers or threads(1), threads(1)))
        self.heads = {head: self._networks[0].labels(head) for head in heads}
        scales = {head: self._networks[0].dimensions(head) for head in heads}
        self.dimensions = {head: own for head, own in scales.items() if own}
        self.notes: list[str] = []
        self._frames: Any = None
        self._rate = float(SAMPLE_RATE)
        if made.get("feature"):
            recipe, note = recipe_for(run.name, run.config["feature_settings"], weights, device, workers)
            self.notes += [note] if note else []
            self._frames, self._rate = frames_of(recipe.settings["feature"], recipe.means)

    def heard(self, batches: Iterable[list[Piece]], many: bool) -> Iterator[tuple[list[Piece], np.ndarray]]:
        """Probabilities, then dimensions of all heads side by side; NaN for what is too short to be heard."""
        for batch in batches:
            yield batch, self._values([piece.samples for piece in batch])

    def _values(self, waves: list[np.ndarray]) -> np.ndarray:
        from emoset_cli.train.deep.batches import InMemory
        from emoset_cli.train.deep.use import said_of

        able = self._able(waves)
        inputs = [wave for wave, one in zip(waves, able, strict=True) if one]
        if self._frames:
            inputs = self._frames(inputs) if inputs else []
            audible = np.array([len(frames) > 0 for frames in inputs], bool)
            able[np.flatnonzero(able)[~audible]] = False
            inputs = [frames for frames in inputs if len(frames)]
        width = sum(map(len, [*self.heads.values(), *self.dimensions.values()]))
        values = np.full((len(waves), width), np.nan, np.float32)
        if inputs:
            source = InMemory(inputs, self._rate)
            folds = []
            for network, own in zip(self._networks, self._temperatures, strict=True):
                said = {head: said_of(network, source, head) for head in self.heads}
                shares = [scaled(one, own.get(head)) if one.shape[1] else one for head, (one, _) in said.items()]
                folds.append(np.concatenate([*shares, *(one for _, one in said.values())], 1))
            values[able] = np.mean(folds, axis=0) if len(folds) > 1 else folds[0]
        return values

    def _able(self, waves: list[np.ndarray]) -> np.ndarray:
        """Whether an encoder makes a frame of each waveform, ``(waves,)``."""
        frames = getattr(self._networks[0].model, "frames_of", None)
        if frames is None or self._frames:
            return np.ones(len(waves), bool)
        found: np.ndarray = frames(np.array([len(wave) for wave in waves])) >= 1
        return found

    def said(self, values: np.ndarray, others: np.ndarray | None = None) -> tuple[dict[str, np.ndarray], Any, Any]:
        """Probabilities by head, each ``(pieces, labels)``, and dimensions; a network has no other scores."""
        parts = [*self.heads.values(), *self.dimensions.values()]
        found = np.split(values, np.cumsum([len(part) for part in parts])[:-1], axis=1)
        count = len(self.heads)
        shares = dict(zip(self.heads, found[:count], strict=True))
        return shares, {}, dict(zip(self.dimensions, found[count:], strict=True))


def scaled(shares: np.ndarray, temperature: float | None) -> np.ndarray:
    """Probabilities at a temperature of calibration; as they are without one."""
    return shares if temperature is None else calibrated(shares, temperature).astype(np.float32)


def network_heads(run: Run) -> dict[str, list[str]]:
    """The corpora that each head of a network is for; a head of a label space among several is for none."""
    from emoset_cli.train.deep.made import network_of
    from emoset_cli.train.deep.members import heads_of

    if "," in str(run.config["label_space"]):
        return {head: [] for head in network_of(run)["heads"]}
    return heads_of(run)
