"""The data of a training: what is read, who is where, and the batches of an epoch."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli.audio import SAMPLE_RATE
from emoset_cli.errors import EmosetError
from emoset_cli.models import MODELS
from emoset_cli.train.deep.attributes import codes_of
from emoset_cli.train.deep.batches import Plan, Shuffled, open_source, to_predict
from emoset_cli.train.deep.dimensions import scaled
from emoset_cli.train.deep.sampling import turns
from emoset_cli.train.deep.segments import cut_up
from emoset_cli.train.deep.settings import Settings
from emoset_cli.train.repeat import corpus_groups, repeated

_NONE: dict[str, Any] = {"heads": {}, "scales": {}}
MIXED = ""  # the one stream of batches that hold utterances of all heads


@dataclass(frozen=True)
class Job:
    """One fold of a run, as a process needs it.

    ``utterances`` has the columns of `emoset_cli.train.deep.tasks.Heard`; ``truth`` and ``where`` (train, devel, test
    or "") are by row; ``start`` is the initial model's file, or None; ``board`` the folder that gets TensorBoard's, or
    None; ``attributes`` holds approach and classes of the attributes that take part, ``dimensions`` is the table of
    `emoset_cli.train.deep.dimensions`; either is None without any.
    """

    folder: Path
    workspace: Path
    options: Settings
    heads: dict[str, list[str]]
    adapters: bool
    fold: str
    utterances: Any
    truth: np.ndarray
    where: np.ndarray
    start: Path | None
    device: str
    threads: int
    board: Path | None = None
    attributes: dict[str, Any] | None = None
    dimensions: dict[str, Any] | None = None


class Data:
    """What a training reads. Rows are utterances, or segments where utterances are cut into them.

    ``whole`` reads utterances and ``waves`` rows; ``owner`` is the utterance of each row, ``head``, ``where`` and
    ``truth`` its classifier, partition and label, ``codes`` and ``attributes`` the numbers of label and attributes.
    ``values`` are its dimensions, 0 to 1, NaN where not known, ``(rows, dimensions)``; ``columns`` those of each head.
    """

    def __init__(self, job: Job) -> None:
        options = job.options
        self.job, self.options = job, options
        self.whole = open_source(job.workspace, job.utterances, options.feature)
        self.waves, self.owner = cut_up(self.whole, options.segment_s, options.shift_s)
        self.samples = self.waves.lengths
        self.window = round(options.window_s * self.waves.rate)
        self.head = job.utterances["head"].to_numpy().astype(str)[self.owner]
        self.where, self.truth = job.where[self.owner], job.truth[self.owner]
        self.codes = _codes(job)[self.owner]
        classes = job.attributes["classes"] if job.attributes else {}
        self.attributes = {name: codes[self.owner] for name, codes in codes_of(job.utterances, classes).items()}
        names = options.dimensions if job.dimensions else []
        self.columns = {
            head: [names.index(name) for name in own] for head, own in (job.dimensions or _NONE)["heads"].items()
        }
        self.values = scaled(job.utterances, job.dimensions or _NONE, names).astype(np.float32)[self.owner]
        self.streams = self._streams()

    def rows(self, head: str, part: str) -> np.ndarray:
        """Numbers of a head's rows in a partition."""
        return np.flatnonzero((self.head == head) & (self.where == part))

    def _streams(self) -> dict[str, Shuffled]:
        rows = {head: self.rows(head, "train") for head in self.job.heads}
        if self.options.repeat:
            rows = self._repeated(np.concatenate(list(rows.values())))
        mixed = self.options.sampling == "mixed"
        if mixed:
            rows = {MIXED: np.sort(np.concatenate(list(rows.values())))}
        return {
            head: Shuffled(head, own, self.samples, self.options.batch_size, self.window, by_length=not mixed)
            for head, own in rows.items()
        }

    def _repeated(self, train: np.ndarray) -> dict[str, np.ndarray]:
        """Training rows of each head, where each of its corpora has as many as the largest of all."""
        stores, languages = (self.job.utterances[name].to_numpy().astype(str)[self.owner]
                             for name in ("store", "language"))  # fmt: skip
        groups = np.char.add(np.char.add(self.head, "/"), corpus_groups(stores, languages, self.where))
        more = repeated(train, groups[train], np.random.default_rng(self.options.seed))
        return {head: more[self.head[more] == head] for head in self.job.heads}

    @property
    def rounds_an_epoch(self) -> int:
        """Batches of each stream between two looks at devel: as a mean one has, at most the budget's."""
        whole = max(1, round(float(np.mean([stream.batches for stream in self.streams.values()]))))
        most = self.options.budget.steps
        if self.options.steps_per_epoch:
            return most
        return min(whole, most) if most else whole

    def steps(self, rng: np.random.Generator, rank: int = 0, world: int = 1) -> Iterator[list[Plan]]:
        """The batches of each step of an epoch, one of each head that takes part, this process's share of each."""
        shuffled = self.options.sampling == "shuffled"
        sizes = {head: stream.batches if shuffled else len(stream.rows) for head, stream in self.streams.items()}
        count = self.rounds_an_epoch * len(self.streams)
        how = "round-robin" if self.options.sampling == "mixed" else self.options.sampling
        order = turns(sizes, how, self.options.temperature, rng)
        for _ in range(count):
            plan = self.streams[next(order)].next(rng)
            parts = self._by_head(plan) if plan.head == MIXED else [plan]
            yield [_share(part, rank, world) for part in parts]

    def _by_head(self, plan: Plan) -> list[Plan]:
        """A mixed batch taken apart; a single utterance of a head sits out where a batch norm needs two."""
        heads = self.head[plan.rows]
        least = 2 if MODELS[self.options.model].batch_norm else 1
        parts = [_taken(plan, np.flatnonzero(heads == head), head) for head in self.job.heads]
        return [part for part in parts if len(part.rows) >= least] or parts[:1]

    def to_predict(self, *partitions: str) -> list[Plan]:
        """Batches that hold each row of some partitions once."""
        window = self.window if self.options.eval_window == "crop" else None
        return [
            plan for head in self.job.heads for part in partitions if len(rows := self.rows(head, part))
            for plan in to_predict(head, rows, self.samples, window, self.waves.rate)
        ]  # fmt: skip

    def training_utterances(self) -> list[Plan]:
        """Batches for ``whole`` that hold each training utterance once."""
        taught = np.flatnonzero(self.job.where == "train")
        return to_predict(MIXED, taught, self.whole.lengths, None, self.whole.rate)

    def refuse_too_short(self, network: Any) -> None:
        """Refuse utterances in which an encoder hears nothing.

        Raises:
            EmosetError: naming the first of them
        """
        frames_of = getattr(network, "frames_of", None)
        if frames_of is None or self.options.feature:
            return
        used = self.where != ""
        short = self.job.utterances.iloc[self.owner[used][frames_of(self.samples[used]) < 1]]
        if short.empty:
            return
        raise EmosetError(
            f"{len(short)} utterances are too short for the encoder, the first is {short['id'].iloc[0]} "
            f"({1000 * short['samples'].iloc[0] / SAMPLE_RATE:.0f} ms)",
            "leave them out by `emoset prepare` with a larger --min-duration",
        )


def _share(plan: Plan, rank: int, world: int) -> Plan:
    """What a process has of a batch; all of it where there are fewer rows than processes."""
    if world == 1 or len(plan.rows) < world:
        return plan
    return _taken(plan, slice(rank, None, world))._replace(whole=len(plan.rows))


def _taken(plan: Plan, which: Any, head: str | None = None) -> Plan:
    return Plan(plan.head if head is None else head, plan.rows[which], plan.starts[which], plan.lengths[which])


def _codes(job: Job) -> np.ndarray:
    """Number of each utterance's label among those of its head, int64 ``(utterances,)``; 0 of a head without labels."""
    places = {(head, label): code for head, labels in job.heads.items() for code, label in enumerate(labels)}
    places |= {(head, ""): 0 for head, labels in job.heads.items() if not labels}
    return np.array([places[pair] for pair in zip(job.utterances["head"], job.truth.tolist(), strict=True)], np.int64)
