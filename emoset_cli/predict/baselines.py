"""A baseline's run as something that hears pieces of recordings: features, standardised as trained, then its folds."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from emoset_cli import calibration
from emoset_cli.cores import cores
from emoset_cli.pool import pool
from emoset_cli.predict.extractor import heard, recipe_for
from emoset_cli.predict.stored import Fold, Temperatures, read_described, read_folds
from emoset_cli.predict.windows import Piece
from emoset_cli.runs import Run
from emoset_cli.train import BASELINES


class BaselineModel:
    """See `emoset_cli.predict.model.Model`."""

    together = 16

    def __init__(
        self, run: Run, heads: Sequence[str], folds: Sequence[str], weights: str, device: str, workers: int,
        temperatures: Temperatures,
    ) -> None:  # fmt: skip
        made = read_described(run)
        self.speakers = made["normalise"] == "speaker"
        self._module = BASELINES[made["model"]].load()
        self._groups = [str(name) for name in made["groups"]]
        self._by_corpus = made["normalise"] == "corpus"
        self._folds = read_folds(run, made, folds, temperatures)
        words = [str(word) for own in run.config["labels"].values() for word in own]
        labels = [word for word in dict.fromkeys(words) if any(word in fold.labels for fold in self._folds)]
        self.heads = dict.fromkeys(heads, labels)
        self.dimensions: dict[str, dict[str, tuple[float, float]]] = {}
        recipe, note = recipe_for(run.name, made["feature"], weights, device, workers)
        self.notes = [note] if note else []
        self._recipe, self._workers = recipe, recipe.workers or workers or cores()

    def heard(self, batches: Iterable[list[Piece]], many: bool) -> Iterator[tuple[list[Piece], np.ndarray]]:
        """Features of the pieces, NaN for what is too short; by several processes where there is ``many`` to do."""
        name, means = self._recipe.settings["feature"], self._recipe.means
        if not many or self._workers < 2:
            for batch in batches:
                yield batch, heard(name, means, [piece.samples for piece in batch])
            return
        under_way: dict[str, list[Piece]] = {}
        todo = enumerate(batches)
        more = True
        with pool(self._workers) as workplace:
            while more or under_way:
                while more and len(under_way) < 2 * self._workers:
                    number, batch = next(todo, (-1, []))
                    more = number >= 0
                    if more:
                        under_way[str(number)] = batch
                        workplace.submit(str(number), heard, name, means, [piece.samples for piece in batch])
                for ended in workplace.finished(timeout_s=60.0) if under_way else []:
                    if ended.traceback:
                        raise RuntimeError(f"in a worker process:\n{ended.traceback}")
                    if ended.error:
                        raise ended.error
                    yield under_way.pop(ended.key), ended.value

    def said(
        self, values: np.ndarray, others: np.ndarray | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Probabilities and, of an SVM, decision values by head, each ``(pieces, labels)``, mean over the folds.

        Args:
            values: features of pieces, ``(pieces, features)``
            others: features of all that is known of their speaker, by which a run by speaker standardises them
        """
        bad = ~np.isfinite(values).all(axis=1)
        plain = np.where(bad[:, None], 0.0, values.astype(np.float64))
        shares: dict[str, np.ndarray] = {}
        scores: dict[str, np.ndarray] = {}
        for head, labels in self.heads.items():
            found = [self._of_fold(fold, head, plain, others, labels) for fold in self._folds]
            shares[head] = np.mean([one for one, _ in found], axis=0)
            shares[head][bad] = np.nan
            if self._module.PREFIX == "score_":
                mean = np.ma.masked_invalid(np.stack([score for _, score in found])).mean(axis=0)  # type: ignore[no-untyped-call]
                scores[head] = np.where(bad[:, None], np.nan, mean.filled(np.nan))
        return shares, scores, {}

    def _of_fold(
        self, fold: Fold, head: str, values: np.ndarray, others: np.ndarray | None, labels: list[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and scores in the order of ``labels``; of a label the fold has not learnt, 0 and -inf."""
        if others is not None:
            known = others[np.isfinite(others).all(axis=1)].astype(np.float64)
            mean, scale = known.mean(axis=0), known.std(axis=0)
            scale = np.where(scale > 0, scale, 1.0)
        else:
            group = self._groups.index(head) if self._by_corpus else 0
            mean, scale = fold.mean[group], fold.scale[group]
        standard = (values - mean) / scale
        if fold.wccn is not None:
            standard = standard @ fold.wccn
        own = self._module.scores(fold.model, standard)
        scores = np.full((len(values), len(labels)), -np.inf)
        scores[:, [labels.index(label) for label in fold.labels]] = own
        temperature = fold.temperatures.get(head, 1.0)
        if self._module.PREFIX == "score_":
            return calibration.probabilities(scores, temperature), scores
        shares = np.where(np.isinf(scores), 0.0, scores)
        return shares if temperature == 1.0 else calibration.calibrated(shares, temperature), scores


def baseline_heads(run: Run) -> dict[str, list[str]]:
    """The corpora that each head of a baseline is for.

    A baseline has one set of labels. It has several heads only where each corpus is standardised by itself: then to
    speak as a corpus is to be standardised like it. What was tested unseen is standardised like nothing that was learnt
    from, and has no head.
    """
    made = read_described(run)
    corpora = [str(key) for key in run.config["corpora"]]
    taught = [key for key in corpora if key not in run.unseen]
    if made["normalise"] == "corpus":
        return {key: [key] for key in taught}
    return {corpora[0] if len(corpora) == 1 else str(run.config["label_space"]): corpora}
