"""The state of one training: model, data, optimiser, schedule, and how an epoch changes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emoset_cli import metrics
from emoset_cli.audio import SAMPLE_RATE
from emoset_cli.errors import EmosetError
from emoset_cli.models import MODELS, parts
from emoset_cli.train.deep import checkpoint, device, initial
from emoset_cli.train.deep.batches import Batch, Plan, Shuffled, open_source, to_predict
from emoset_cli.train.deep.losses import balanced_weights, build_loss
from emoset_cli.train.deep.norms import Latest, settle
from emoset_cli.train.deep.optim import build_optimizer, decayed_lr, groups, individual_decay
from emoset_cli.train.deep.predict import probabilities
from emoset_cli.train.deep.sampling import turns
from emoset_cli.train.deep.schedule import Fixed, Plateau, lrs_for
from emoset_cli.train.deep.settings import Settings
from emoset_cli.train.repeat import corpus_groups, repeated

STATE = "state.safetensors"


@dataclass(frozen=True)
class Job:
    """One fold of a run, as a process needs it.

    ``utterances`` has the columns of `emoset_cli.train.deep.tasks.Heard`; ``truth`` and ``where`` (train, devel, test
    or "") are by row; ``start`` is the initial model's file, or None; ``board`` the folder that gets TensorBoard's, or
    None.
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


class Training:
    """The model of a job, its data and everything that changes from epoch to epoch."""

    def __init__(self, job: Job) -> None:
        options = job.options
        self.job, self.options = job, options
        torch.manual_seed(options.seed)
        self.rng = np.random.default_rng(options.seed)
        self.accelerator = device.accelerator(job.device)
        self.device = self.accelerator.device
        self.main = self.accelerator.is_main_process
        self.model = build_model(job)
        if job.start:
            tensors, _ = checkpoint.load(job.start) or ({}, {})
            initial.transfer(self.model, tensors, options.mode)
        parts.freeze(self.model, options.mode, list(job.heads), fresh=job.start is None)
        self.model = self.model.to(self.device, memory_format=torch.channels_last)
        self.waves = open_source(job.workspace, job.utterances, options.feature)
        self.samples = self.waves.lengths
        self.window = round(options.window_s * self.waves.rate)
        self._refuse_too_short()
        self.codes = _codes(job)
        self.head = job.utterances["head"].to_numpy().astype(str)
        self.streams = self._streams()
        self.losses = {head: self._loss(head) for head in job.heads}
        self.schedule: Any = self._schedule()
        self.steps = 0
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, torch.Tensor] = {}
        self.latest = Latest()
        self.start_optimizer()

    @property
    def network(self) -> Any:
        """The model itself, not its wrapper for several devices."""
        return self.accelerator.unwrap_model(self.model)

    def _refuse_too_short(self) -> None:
        """Refuse utterances in which an encoder hears nothing.

        Raises:
            EmosetError: naming the first of them
        """
        frames_of = getattr(self.network, "frames_of", None)
        if frames_of is None or self.options.feature:
            return
        used = self.job.where != ""
        short = self.job.utterances[used][frames_of(self.samples[used]) < 1]
        if short.empty:
            return
        raise EmosetError(
            f"{len(short)} utterances are too short for the encoder, the first is {short['id'].iloc[0]} "
            f"({1000 * short['samples'].iloc[0] / SAMPLE_RATE:.0f} ms)",
            "leave them out by `emoset prepare` with a larger --min-duration",
        )

    def _streams(self) -> dict[str, Shuffled]:
        rows = {head: self.rows(head, "train") for head in self.job.heads}
        if self.options.repeat:
            rows = self._repeated(np.concatenate(list(rows.values())))
        return {
            head: Shuffled(head, own, self.samples, self.options.batch_size, self.window) for head, own in rows.items()
        }

    def _repeated(self, train: np.ndarray) -> dict[str, np.ndarray]:
        """Training rows of each head, where each of its corpora has as many as the largest of all."""
        stores, languages = (self.job.utterances[name].to_numpy().astype(str) for name in ("store", "language"))
        groups = np.char.add(np.char.add(self.head, "/"), corpus_groups(stores, languages, self.job.where))
        more = repeated(train, groups[train], np.random.default_rng(self.options.seed))
        return {head: more[self.head[more] == head] for head in self.job.heads}

    def _loss(self, head: str) -> Any:
        count = len(self.job.heads[head])
        taught = torch.from_numpy(self.codes[self.rows(head, "train")])
        weights = balanced_weights(taught, count).to(self.device) if self.options.balanced_weights else None
        return build_loss(self.options.loss, count, weights)

    def _schedule(self) -> Any:
        options, budget = self.options, self.options.budget
        lrs = lrs_for(options.mode, options.first_lr, options.lr_steps)
        if len(self.job.heads) > 1 and budget.rounds:
            return Fixed(lrs, -(-budget.rounds // self.rounds_an_epoch))
        return Plateau(lrs, budget.patience, budget.max_epochs)

    @property
    def rounds_an_epoch(self) -> int:
        """Batches of each head between two looks at devel: as a mean corpus has, at most the budget's."""
        whole = max(1, round(float(np.mean([stream.batches for stream in self.streams.values()]))))
        most = self.options.budget.steps
        if self.options.steps_per_epoch:
            return most
        return min(whole, most) if most else whole

    def start_optimizer(self) -> None:
        """A new optimiser, without momentum, at the schedule's learning rate."""
        options = self.options
        decay: Any = options.weight_decay
        if options.individual_decay:
            decay = {head: individual_decay(len(self.rows(head, "train"))) for head in self.streams}
        optimizer = build_optimizer(options.optimizer, groups(self.network, decay), self.schedule.lr)
        self.model, self.optimizer = self.accelerator.prepare(self.network, optimizer)
        self.optimizer.zero_grad(set_to_none=True)

    def rows(self, head: str, part: str) -> np.ndarray:
        """Row numbers of a head's utterances in a partition."""
        return np.flatnonzero((self.head == head) & (self.job.where == part))

    # ---------------- an epoch

    def plans(self) -> Iterator[Plan]:
        """The batches of an epoch, this process's share of each."""
        shuffled = self.options.sampling == "shuffled"
        sizes = {head: stream.batches if shuffled else len(stream.rows) for head, stream in self.streams.items()}
        count = self.rounds_an_epoch * len(self.streams)
        order = turns(sizes, self.options.sampling, self.options.temperature, self.rng)
        rank, world = self.accelerator.process_index, self.accelerator.num_processes
        for _ in range(count):
            plan = self.streams[next(order)].next(self.rng)
            share = slice(rank, None, world) if len(plan.rows) >= 2 * world else slice(None)
            yield Plan(plan.head, plan.rows[share], plan.starts[share], plan.lengths[share])

    def epoch(self) -> tuple[float, int]:
        """Train for an epoch, then let the norms settle; answer the mean loss and the number of utterances."""
        loss, count = self.train()
        settle(self.network, self.latest.batches(), self.device, self.options.precision)
        device.alike(self.network)
        return loss, count

    def train(self) -> tuple[float, int]:
        """Train for an epoch; answer the mean loss and the number of utterances."""
        parts.train_mode(self.network)
        total, count = 0.0, 0
        self.latest = Latest()
        plans = list(self.plans())
        for number, batch in enumerate(self.waves.ahead(plans), start=1):
            loss = self.step(batch, number % self.options.accumulate == 0 or number == len(plans))
            if not np.isfinite(loss):
                raise EmosetError(
                    f"the loss is not finite in epoch {len(self.history) + 1}, step {number}, fold {self.job.fold}",
                    "train with a lower --learning-rate or with --precision fp32; the last good epoch is kept",
                )
            total, count = total + loss * len(batch.rows), count + len(batch.rows)
            self.latest.add(batch)
        return total / count, count

    def step(self, batch: Batch, update: bool = True) -> float:
        """The gradients of a batch and, where its turn has come, one update of the weights; answers the loss."""
        with device.enough_memory(self.options):
            loss = self._loss_of(batch)
            self.accelerator.backward(loss / self.options.accumulate)
        if update:
            self.steps += 1
            for group in self.optimizer.param_groups:
                group["lr"] = decayed_lr(self.schedule.lr, self.options.lr_decay, self.steps)
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        return float(loss.detach())

    def _loss_of(self, batch: Batch) -> Any:
        """The loss of a batch, and what a network that sees the truth in training adds of its own."""
        truth = torch.from_numpy(self.codes[batch.rows]).to(self.device)
        heard = (batch.waves.to(self.device), batch.lengths.to(self.device), batch.head)
        with device.computing(self.device, self.options.precision):
            if getattr(self.network, "sees_truth", False):
                logits, further = self.model(*heard, truth)
            else:
                logits, further = self.model(*heard), 0.0
        return self.losses[batch.head](logits.float(), truth) + further

    # ---------------- devel and test

    def predict(self, *partitions: str) -> np.ndarray:
        """Probabilities of the utterances of some partitions, ``(utterances, most labels)``; NaN in other rows."""
        window = self.window if self.options.eval_window == "crop" else None
        plans = [
            plan for head in self.job.heads for part in partitions if len(rows := self.rows(head, part))
            for plan in to_predict(head, rows, self.samples, window, self.waves.rate)
        ]  # fmt: skip
        wide = max(len(labels) for labels in self.job.heads.values())
        return probabilities(
            self.network, self.waves, plans, self.device, self.options.precision, wide, len(self.codes)
        )

    def devel(self) -> dict[str, float]:
        """UAR of each head that has devel utterances."""
        guess = self.predict("devel").argmax(1)
        scores = {}
        for head, labels in self.job.heads.items():
            rows = self.rows(head, "devel")
            if len(rows):
                words = np.array(labels)
                scores[head] = metrics.uar(self.job.truth[rows], words[guess[rows] % len(words)], labels)
        return scores

    # ---------------- state

    def save(self) -> None:
        """Write everything that the next epoch needs."""
        tensors, numbers = checkpoint.optimizer_state(self.optimizer)
        streams, rng = checkpoint.random_state(self.rng)
        facts = {
            "optimizer": numbers, "rng": rng, "schedule": self.schedule.to_dict(), "steps": self.steps,
            "history": self.history, "queues": {head: stream.state() for head, stream in self.streams.items()},
        }  # fmt: skip
        everything = checkpoint.prefixed("model", self.copy()) | checkpoint.prefixed("best", self.best)
        everything |= checkpoint.prefixed("optimizer", tensors) | checkpoint.prefixed("rng", streams)
        checkpoint.save(self.job.folder / STATE, everything, facts)

    def resume(self) -> None:
        """Take up the state of an earlier process, where there was one."""
        state = checkpoint.load(self.job.folder / STATE)
        if state is None:
            return
        tensors, facts = state
        self.schedule = type(self.schedule).from_dict(facts["schedule"])
        self.take(checkpoint.under("model", tensors))
        self.best = checkpoint.under("best", tensors)
        self.start_optimizer()
        checkpoint.restore_optimizer(self.optimizer, checkpoint.under("optimizer", tensors), facts["optimizer"])
        self.steps, self.history = facts["steps"], facts["history"]
        for head, queue in facts["queues"].items():
            self.streams[head].restore(queue)
        checkpoint.restore_random(self.rng, checkpoint.under("rng", tensors), facts["rng"])

    def copy(self) -> dict[str, torch.Tensor]:
        """The weights as they are now, but those that an encoder brought and nothing changes."""
        kept = parts.kept(self.network)
        return {name: one.detach().cpu().clone() for name, one in self.network.state_dict().items() if name in kept}

    def take(self, weights: dict[str, torch.Tensor]) -> None:
        """Put back what `copy` took."""
        self.network.load_state_dict(weights, strict=False)


def build_model(job: Job) -> Any:
    """The network of a job with new weights."""
    build = MODELS[job.options.model].load().build
    options = {**job.options.network, "front": dict(job.options.front)}
    return build(job.heads, adapters=job.adapters, **options)


def _codes(job: Job) -> np.ndarray:
    """Number of each utterance's label among those of its head, int64 ``(utterances,)``."""
    places = {(head, label): code for head, labels in job.heads.items() for code, label in enumerate(labels)}
    return np.array([places[pair] for pair in zip(job.utterances["head"], job.truth.tolist(), strict=True)], np.int64)
