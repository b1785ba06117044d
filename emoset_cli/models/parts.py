"""Whose a parameter is: shared by all corpora, or a corpus's adapter or head; freezing follows from it."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from emoset_cli.errors import unknown
from emoset_cli.models import SHARED
from emoset_cli.models.layers.per_corpus import PerCorpus

TRAINED = {  # mode: roles that are trained; None for everything
    "scratch": None,
    "finetune": None,
    "last-layer": frozenset({"head"}),
    "adapters": frozenset({"adapter", "head"}),
}


def roles(model: nn.Module) -> dict[str, tuple[str, str]]:
    """Role and corpus of each parameter and buffer by its name in ``model.state_dict()``.

    The role is ``shared`` (corpus ""), ``adapter`` (with the corpus's norms), ``head`` or ``attribute``. A part that
    corpora could have of their own but share in this model has the role ``shared``. Besides `PerCorpus`, a module with
    a method ``own_parts`` tells which of its parameters are whose.
    """
    names = [name for name, _ in model.named_parameters()] + [name for name, _ in model.named_buffers()]
    found = dict.fromkeys(names, ("shared", ""))
    for prefix, part in model.named_modules():
        if own_parts := getattr(part, "own_parts", None):
            found |= {f"{prefix}.{name}" if prefix else name: whose for name, whose in own_parts().items()}
        if not isinstance(part, PerCorpus):
            continue
        for corpus in part.corpora:
            start = f"{prefix}.{corpus.replace('.', '/')}." if prefix else f"{corpus.replace('.', '/')}."
            own = ("shared", "") if corpus == SHARED else (part.role, corpus)
            found |= {name: own for name in names if name.startswith(start)}
    return found


def count(model: nn.Module) -> dict[str, Any]:
    """Number of parameters by role, and in total; buffers do not count.

    Returns:
        ``shared``, ``adapter`` and ``head`` by corpus, ``total``; ``attribute`` by its name where there are any
    """
    whose = roles(model)
    counted: dict[str, Any] = {"shared": 0, "adapter": {}, "head": {}, "total": 0}
    for name, parameter in model.named_parameters():
        role, corpus = whose[name]
        counted["total"] += parameter.numel()
        if role == "shared":
            counted["shared"] += parameter.numel()
        elif role == "attribute":
            own = counted.setdefault("attribute", {})
            attribute = name.split(".")[2]  # attributes.heads.NAME
            own[attribute] = own.get(attribute, 0) + parameter.numel()
        else:
            counted[role][corpus] = counted[role].get(corpus, 0) + parameter.numel()
    return counted


def freeze(model: nn.Module, mode: str, corpora: Iterable[str], fresh: bool = False) -> None:
    """Let those parameters be trained that the mode trains.

    Args:
        model: with parts per corpus
        mode: scratch and finetune train everything; last-layer the heads and adapters the adapters and heads of
            some corpora
        corpora: whose
        fresh: no initial model was given: in adapters mode only what is ``pretrained`` is frozen, the rest being new

    A module with the attribute ``always_frozen`` is trained in no mode, or those of its parameters that it names; one
    with ``pretrained`` brings weights of its own. Classifiers of attributes are trained in every mode.

    Raises:
        EmosetError: for another mode
    """
    if mode not in TRAINED:
        raise unknown("training mode", mode, TRAINED)
    trained, wanted, whose, known = TRAINED[mode], set(corpora), roles(model), brought(model)
    for name, parameter in model.named_parameters():
        role, corpus = whose[name]
        new = fresh and role == "shared" and name not in known
        own = trained is not None and (role == "attribute" or (role in trained and corpus in wanted))
        parameter.requires_grad_(trained is None or new or own)
    for part in model.modules():
        frozen = getattr(part, "always_frozen", False)
        for weight in part.parameters() if frozen is True else map(part.get_parameter, frozen or ()):
            weight.requires_grad_(False)


def brought(model: nn.Module) -> set[str]:
    """Names of the parameters and buffers in modules that bring weights of their own, adapters left out."""
    whose = roles(model)
    starts = tuple(f"{name}." for name, part in model.named_modules() if getattr(part, "pretrained", False))
    return {name for name in whose if starts and name.startswith(starts) and whose[name][0] == "shared"}


def kept(model: nn.Module) -> set[str]:
    """Names in ``model.state_dict()`` of all that a run keeps: the frozen weights that an encoder brought are not."""
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    buffers = {name for name, _ in model.named_buffers()}
    own = brought(model)
    trained = any(name not in frozen and name not in buffers for name in own)
    return set(model.state_dict()) - (own & (frozen if trained else frozen | buffers))


def train_mode(model: nn.Module) -> None:
    """Set a model to training; norms that are frozen stay as in evaluation, and so do their running statistics."""
    model.train()
    for part in model.modules():
        statistics: torch.Tensor | None = getattr(part, "running_mean", None)
        own = list(part.parameters(recurse=False))
        if statistics is not None and own and not any(parameter.requires_grad for parameter in own):
            part.train(False)
