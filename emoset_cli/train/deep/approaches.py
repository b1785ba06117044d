"""What attributes of speech do in training: one forward pass for everything, their losses, the discriminators' updates.

A step of training is, with discriminators (the paper's steps 2 and 3; the others have none of their own):

1. the network learns emotions (and by ``mtl``, ``gr`` and ``ad`` more or less of the attributes);
2. discriminators learn from the embedding, or softmax, of that pass, without the network;
3. by ``adversarial`` the encoder alone unlearns what they read, in a second pass.

Step 2 reads what step 1 has computed, before the update of step 1: a pass is saved, and what it reads is one update
old.

Source:
    Zhu & Sato 2020, section 2.2; Parry et al. 2022, section 3.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from emoset_cli.models.approaches import APPROACHES
from emoset_cli.models.layers.attributes import attributes_of, encoder_weights
from emoset_cli.models.layers.dimensions import dimensions_of
from emoset_cli.train.deep.attributes import UNKNOWN
from emoset_cli.train.deep.device import computing
from emoset_cli.train.deep.optim import build_optimizer
from emoset_cli.train.deep.settings import Settings

Waves = tuple[Tensor, Tensor, str]  # what a network hears of a batch: waves, lengths, head


class Said(NamedTuple):
    """What a network says of the batches of a step.

    ``logits`` of each batch; ``embedding`` ``(utterances, width)`` of all of them, None without attributes; what their
    classifiers say, none where they are discriminators; a ``further`` loss of the network's own; and ``values`` of the
    dimensions of each batch, None where its head has none.
    """

    logits: list[Tensor]
    embedding: Tensor | None
    attributes: dict[str, Tensor]
    further: Any
    values: Sequence[Tensor | None] = ()


class Lesson(nn.Module):
    """All that a step of training asks of a network in a single forward pass, as several devices need it."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, heard: Sequence[Waves], truth: Sequence[Tensor]) -> Said:
        """Hear batches of one head each; the truth is for networks that ask for it."""
        attributes = attributes_of(self.network)
        if getattr(self.network, "sees_truth", False):
            pairs = [self.network(*one, true) for one, true in zip(heard, truth, strict=True)]
            return Said([logits for logits, _ in pairs], None, {}, sum(further for _, further in pairs))
        embedded = [self.network.embed(*one) for one in heard]
        logits = [self.network.classify(one, head) for one, (_, _, head) in zip(embedded, heard, strict=True)]
        regression = dimensions_of(self.network)
        values = (
            [regression(one, head) for one, (_, _, head) in zip(embedded, heard, strict=True)] if regression else []
        )
        if attributes is None:
            return Said(logits, None, {}, 0.0, values)
        embedding = torch.cat(embedded)
        apart = attributes.approach.apart
        return Said(logits, embedding, {} if apart else attributes(embedding, logits[0]), 0.0, values)


def attribute_losses(said: Mapping[str, Tensor], codes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mean cross-entropy of each attribute over the utterances where it is known; 0 where it is of none.

    Args:
        said: attribute -> logits ``(utterances, classes)``
        codes: attribute -> number of the value, `UNKNOWN` where it is not known
    """
    found = {}
    for name, logits in said.items():
        known = codes[name] != UNKNOWN
        total = functional.cross_entropy(logits.float(), codes[name], ignore_index=UNKNOWN, reduction="sum")
        found[name] = total / known.sum().clamp(min=1)
    return found


def weight_at(options: Settings, epoch: int, epochs: int) -> float:
    """The weight α of the attributes in an epoch: the same in all, but from 0 to its end by gradient reversal.

    Args:
        options: with an approach
        epoch: counted from 0
        epochs: of the whole training, as its budget allows at most

    Example:
        >>> gr = Settings(attributes=["corpus"], approach="gr")
        >>> [weight_at(gr, epoch, 11) for epoch in (0, 5, 10)]
        [0.0, 0.25, 0.5]
    """
    chosen = APPROACHES[options.approach]
    end = chosen.weight if options.attribute_weight is None else options.attribute_weight
    return end * min(1.0, epoch / max(1, epochs - 1)) if chosen.reversed else end


class Discriminators:
    """The optimisers of attribute classifiers that learn apart from the network; see `needed`.

    ``optimizers`` are by name, for a checkpoint.
    """

    def __init__(self, network: Any, options: Settings, lr: float) -> None:
        found = attributes_of(network)
        assert found is not None, "no attribute has a classifier"
        self.network, self.attributes, self.precision = network, found, options.precision
        own = [{"params": list(found.parameters()), "weight_decay": 0.0}]
        self.optimizers = {"discriminator": build_optimizer(options.optimizer, own, lr)}
        if found.approach.unlearns:
            encoder = [{"params": [weight for _, weight in encoder_weights(network)], "weight_decay": 0.0}]
            self.optimizers["adversary"] = build_optimizer(options.optimizer, encoder, options.adversarial_lr)

    @staticmethod
    def needed(network: Any) -> bool:
        """Whether a network has attribute classifiers that learn apart from it."""
        found = attributes_of(network)
        return found is not None and found.approach.apart

    def learn(self, said: Said, codes: Mapping[str, Tensor], lr: float) -> dict[str, Tensor]:
        """Step 2: the discriminators learn, at the network's learning rate; answers their losses."""
        assert said.embedding is not None
        losses = attribute_losses(self.attributes(said.embedding.detach(), said.logits[0].detach()), codes)
        optimizer = self.optimizers["discriminator"]
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return losses

    def unlearn(self, heard: Sequence[Waves], codes: Mapping[str, Tensor]) -> None:
        """Step 3: the encoder alone moves so that discriminators, as they are, are wrong; ``adversarial`` only."""
        optimizer = self.optimizers.get("adversary")
        if optimizer is None:
            return
        with computing(heard[0][0].device, self.precision):
            embedding = torch.cat([self.network.embed(*one) for one in heard])
        losses = attribute_losses(self.attributes(embedding, embedding), codes)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(-torch.stack(list(losses.values())).mean())
        optimizer.step()
        self.network.zero_grad(set_to_none=True)
