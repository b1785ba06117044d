"""The state of one training: model, data, optimiser, schedule, and how an epoch changes them."""

from typing import Any

import numpy as np
import torch

from emoset_cli import metrics, ranks
from emoset_cli.concordance import ccc
from emoset_cli.errors import EmosetError
from emoset_cli.models import parts
from emoset_cli.models.approaches import APPROACHES
from emoset_cli.models.build import build_network
from emoset_cli.models.layers.front import Front
from emoset_cli.train.deep import checkpoint, device, initial
from emoset_cli.train.deep.approaches import Discriminators, Lesson, attribute_losses, weight_at
from emoset_cli.train.deep.batches import Batch
from emoset_cli.train.deep.data import Data, Job
from emoset_cli.train.deep.losses import DIMENSION_LOSSES, balanced_weights, build_loss
from emoset_cli.train.deep.norms import Latest, settle
from emoset_cli.train.deep.optim import build_optimizer, decayed_lr, groups, individual_decay
from emoset_cli.train.deep.predict import Answers, answers
from emoset_cli.train.deep.schedule import Fixed, Plateau, lrs_for

STATE = "state.safetensors"


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
        made = (options.model, job.heads, job.adapters, options.network, options.front, job.attributes, job.dimensions)
        network = build_network(*made)
        if job.start:
            tensors, _ = checkpoint.load(job.start) or ({}, {})
            initial.transfer(network, tensors, options.mode)
        parts.freeze(network, options.mode, list(job.heads), fresh=job.start is None)
        self.model: Any = Lesson(network.to(self.device, memory_format=torch.channels_last))
        self.data = Data(job)
        self.data.refuse_too_short(self.network)
        if not job.start:
            self._fit_fronts()
        self.losses = {head: self._loss(head) for head in job.heads}
        self.schedule: Any = self._schedule()
        self.updates = 0
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, torch.Tensor] = {}
        self.latest = Latest()
        self.start_optimizer()
        self._own_chance()

    @property
    def network(self) -> Any:
        """The model itself, not its wrapper for several devices."""
        return self.accelerator.unwrap_model(self.model).network

    def _own_chance(self) -> None:
        """Let each of several processes drop and augment by draws of its own; batches are drawn alike in all."""
        if ranks.rank():
            torch.manual_seed((self.options.seed * 1009 + len(self.history)) * 1009 + ranks.rank())

    def _fit_fronts(self) -> None:
        """Take mean and sd of the training utterances' spectrograms, where they are normalised by them."""
        for front in self.network.modules():
            if isinstance(front, Front) and front.normalise == "global":
                heard = self.data.whole.ahead(self.data.training_utterances())
                front.fit((batch.waves.to(self.device), batch.lengths.to(self.device)) for batch in heard)

    def _loss(self, head: str) -> Any:
        count = len(self.job.heads[head])
        if not count:
            return lambda logits, truth: logits.sum()  # of none, so 0
        taught = torch.from_numpy(self.data.codes[self.data.rows(head, "train")])
        weights = balanced_weights(taught, count).to(self.device) if self.options.balanced_weights else None
        return build_loss(self.options.loss, count, weights)

    def _schedule(self) -> Any:
        options, budget = self.options, self.options.budget
        lrs = lrs_for(options.mode, options.first_lr, options.lr_steps)
        if len(self.job.heads) > 1 and budget.rounds:
            return Fixed(lrs, -(-budget.rounds // self.data.rounds_an_epoch))
        return Plateau(lrs, budget.patience, budget.max_epochs)

    @property
    def epochs(self) -> int:
        """Of the whole training at most, 0 where there is no limit."""
        each = self.schedule.epochs if isinstance(self.schedule, Fixed) else self.schedule.max_epochs
        return int(each) * len(self.schedule.lrs)

    def start_optimizer(self) -> None:
        """New optimisers, without momentum, at the schedule's learning rate."""
        options = self.options
        decay: Any = options.weight_decay
        if options.individual_decay:
            decay = {head: individual_decay(len(self.data.rows(head, "train"))) for head in self.job.heads}
        network, apart = self.network, Discriminators.needed(self.network)
        optimizer = build_optimizer(options.optimizer, groups(network, decay, apart), self.schedule.lr)
        self.discriminators = Discriminators(network, options, self.schedule.lr) if apart else None
        alone = "discriminators learn" if apart else "Deep-WCCN learns" if getattr(network, "sees_truth", False) else ""
        if alone and ranks.several():
            raise EmosetError(f"{alone} on one device only", "start the training without torchrun or accelerate launch")
        self.model, self.optimizer = self.accelerator.prepare(Lesson(network), optimizer)
        self.optimizer.zero_grad(set_to_none=True)

    @property
    def optimizers(self) -> dict[str, Any]:
        """All optimisers by name, for a checkpoint."""
        return {"optimizer": self.optimizer} | (self.discriminators.optimizers if self.discriminators else {})

    # ---------------- an epoch

    def epoch(self) -> dict[str, Any]:
        """Train for an epoch, then let the norms settle; answers what `train` does."""
        told = self.train()
        settle(self.network, self.latest.batches(), self.device, self.options.precision)
        return told

    def train(self) -> dict[str, Any]:
        """Train for an epoch; answers ``rows`` (how many were heard) and what is noted in its history: mean losses."""
        parts.train_mode(self.network)
        totals: dict[str, float] = {"train_loss": 0.0}
        count = 0
        self.latest = Latest()
        steps = list(self.data.steps(self.rng, self.accelerator.process_index, self.accelerator.num_processes))
        for number, batches in enumerate(self.data.waves.steps_ahead(steps), start=1):
            losses = self.step(batches, number % self.options.accumulate == 0 or number == len(steps))
            if not np.isfinite(losses["train_loss"]):
                raise EmosetError(
                    f"the loss is not finite in epoch {len(self.history) + 1}, step {number}, fold {self.job.fold}",
                    "train with a lower --learning-rate or with --precision fp32; the last good epoch is kept",
                )
            heard = sum(batch.utterances for batch in batches)
            totals |= {name: totals.get(name, 0.0) + loss * heard for name, loss in losses.items()}
            count += heard
            for batch in batches:
                self.latest.add(batch)
        weight = {"attribute_weight": self.weight} if APPROACHES[self.options.approach].weight else {}
        return {"rows": count} | {name: total / count for name, total in ranks.mean(totals).items()} | weight

    @property
    def weight(self) -> float:
        """The weight α of attributes in this epoch."""
        return weight_at(self.options, len(self.history), self.epochs)

    @property
    def epoch_lr(self) -> float:
        """The learning rate of this epoch."""
        options = self.options
        return max(options.least_lr, float(self.schedule.lr) * options.epoch_decay ** len(self.history))

    @property
    def lr(self) -> float:
        """The learning rate of the next update."""
        return decayed_lr(self.epoch_lr, self.options.lr_decay, self.updates + 1)

    def step(self, batches: list[Batch], update: bool = True) -> dict[str, float]:
        """The gradients of some batches and, where its turn has come, one update; answers the losses by name."""
        heard = [(batch.waves.to(self.device), batch.lengths.to(self.device), batch.head) for batch in batches]
        rows = np.concatenate([batch.rows for batch in batches])
        codes = {name: torch.from_numpy(own[rows]).to(self.device) for name, own in self.data.attributes.items()}
        with device.enough_memory(self.options):
            losses = self._losses_of(batches, heard, codes)
            self.accelerator.backward(losses["train_loss"] / self.options.accumulate)
        if update:
            lr = self.lr
            self.updates += 1
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            self.optimizer.step()
            self.optimizer.zero_grad(set_to_none=True)
        if self.discriminators:
            with device.enough_memory(self.options):
                self.discriminators.unlearn(heard, codes)
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def _losses_of(self, batches: list[Batch], heard: Any, codes: dict[str, Any]) -> dict[str, Any]:
        """The loss of some batches, and those of attributes beside; discriminators have learnt from them then.

        ``L = sum of the corpora's`` (Zhu & Sato 2020, eq 2), and with attributes of weight α (Parry et al. 2022, eqs 1
        to 3) ``(1 - α) L + α mean(attributes)``, the latter subtracted where they are discriminators.
        """
        truth = [torch.from_numpy(self.data.codes[batch.rows]).to(self.device) for batch in batches]
        with device.computing(self.device, self.options.precision):
            said = self.model(heard, truth)
        pairs = zip(batches, said.logits, truth, strict=True)
        each = [batch.weight * self.losses[batch.head](logits.float(), true) for batch, logits, true in pairs]
        loss = sum(each) + said.further + self._dimension_loss(batches, said.values)
        if said.embedding is None:
            return {"train_loss": loss}
        approach, own = APPROACHES[self.options.approach], {}
        if self.discriminators:
            own = self.discriminators.learn(said, codes, self.lr)
        if approach.weight:
            spoken = said.attributes or self.network.attributes(said.embedding, said.logits[0])
            losses = attribute_losses(spoken, codes)
            mean = torch.stack(list(losses.values())).mean()
            loss = (1 - self.weight) * loss + (-self.weight if approach.apart else self.weight) * mean
            own = own or losses
        return {"train_loss": loss} | {f"attribute_loss:{name}": one for name, one in own.items()}

    def _dimension_loss(self, batches: list[Batch], values: Any) -> Any:
        """The loss of the dimensions of some batches, weighted; 0 where there are none."""
        total: Any = 0.0
        for batch, own in zip(batches, values, strict=bool(values)):
            if own is not None:
                truth = torch.from_numpy(self.data.values[batch.rows][:, self.data.columns[batch.head]]).to(self.device)
                total = total + batch.weight * DIMENSION_LOSSES[self.options.dimension_loss](own, truth)
        return self.options.dimension_weight * total

    # ---------------- devel and test

    def predict(self, *partitions: str) -> Answers:
        """What the network says of the rows of some partitions; NaN in other rows. Several processes share the work."""
        wide = max(len(labels) for labels in self.job.heads.values())
        plans = self.data.to_predict(*partitions)
        shared = len(plans) >= ranks.world()
        found = answers(
            self.network, self.data.waves, ranks.share(plans) if shared else plans, self.device, self.options.precision,
            wide, len(self.data.codes), self.data.columns,
        )  # fmt: skip
        if not shared:
            return found
        attributes = {name: device.merged(values, self.device) for name, values in found.attributes.items()}
        values = device.merged(found.values, self.device) if self.data.columns else found.values
        return Answers(device.merged(found.shares, self.device), attributes, values)

    def devel(self) -> dict[str, dict[str, float]]:
        """UAR and accuracy, by name as in `emoset_cli.metrics.METRICS`, of each head that has devel rows.

        ``ccc`` has the concordance of its dimensions, as ``HEAD:DIMENSION``, where devel has values; 0 where it is not
        defined.
        """
        found = self.predict("devel")
        scores: dict[str, dict[str, float]] = {"uar": {}, "wa": {}, "ccc": {}}
        for head, labels in self.job.heads.items():
            rows = self.data.rows(head, "devel")
            for column, name in zip(self.data.columns.get(head, ()), self._dimensions(head), strict=True):
                true = self.data.values[rows, column]
                if (known := np.isfinite(true)).any():
                    concordance = ccc(true[known], found.values[rows, column][known])
                    scores["ccc"][f"{head}:{name}"] = concordance or 0.0
            if len(rows) and labels:
                said = np.array(labels)[found.shares[rows, : len(labels)].argmax(1)]
                for name in ("uar", "wa"):
                    scores[name][head] = metrics.METRICS[name](self.data.truth[rows], said, labels)
        return scores

    def _dimensions(self, head: str) -> list[str]:
        return self.job.dimensions["heads"].get(head, []) if self.job.dimensions else []

    def chosen_by(self, scores: dict[str, dict[str, float]]) -> float:
        """What decides on the best epoch: the mean over heads of the measure of labels, and of devel CCC of dimensions.

        A head with both counts twice, once for each; its CCC is the mean of its dimensions.
        """
        each = list(scores[self.options.choose_by].values())
        for head in self.data.columns:
            own = [scores["ccc"][key] for name in self._dimensions(head) if (key := f"{head}:{name}") in scores["ccc"]]
            each += [float(np.mean(own))] if own else []
        return float(np.mean(each))

    # ---------------- state

    def save(self) -> None:
        """Write everything that the next epoch needs."""
        streams, rng = checkpoint.random_state(self.rng)
        facts: dict[str, Any] = {
            "rng": rng, "schedule": self.schedule.to_dict(), "steps": self.updates, "history": self.history,
            "queues": {head: stream.state() for head, stream in self.data.streams.items()},
        }  # fmt: skip
        everything = checkpoint.prefixed("model", self.copy()) | checkpoint.prefixed("best", self.best)
        everything |= checkpoint.prefixed("rng", streams)
        for name, optimizer in self.optimizers.items():
            tensors, facts[name] = checkpoint.optimizer_state(optimizer)
            everything |= checkpoint.prefixed(name, tensors)
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
        for name, optimizer in self.optimizers.items():
            checkpoint.restore_optimizer(optimizer, checkpoint.under(name, tensors), facts[name])
        self.updates, self.history = facts["steps"], facts["history"]
        for head, queue in facts["queues"].items():
            self.data.streams[head].restore(queue)
        checkpoint.restore_random(self.rng, checkpoint.under("rng", tensors), facts["rng"])
        self._own_chance()

    def copy(self) -> dict[str, torch.Tensor]:
        """The weights as they are now, but those that an encoder brought and nothing changes."""
        kept = parts.kept(self.network)
        return {name: one.detach().cpu().clone() for name, one in self.network.state_dict().items() if name in kept}

    def take(self, weights: dict[str, torch.Tensor]) -> None:
        """Put back what `copy` took."""
        self.network.load_state_dict(weights, strict=False)
