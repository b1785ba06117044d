"""What a network says of rows of a table, whatever batches it is computed in: probabilities, attributes, embeddings."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch

from emoset_cli.models.layers.attributes import attributes_of
from emoset_cli.models.layers.dimensions import dimensions_of
from emoset_cli.train.deep.batches import Plan, Source
from emoset_cli.train.deep.device import computing


class Answers(NamedTuple):
    """Probabilities float32 ``(rows, labels)``, and for each attribute ``(rows, classes)``; NaN in unread rows.

    ``values`` are dimensions, ``(rows, dimensions)``, NaN also of those that a row's head does not have.
    """

    shares: np.ndarray
    attributes: dict[str, np.ndarray]
    values: np.ndarray


@torch.no_grad()
def answers(
    model: Any, waves: Source, plans: Iterable[Plan], device: torch.device, precision: str, wide: int, rows: int,
    columns: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> Answers:  # fmt: skip
    """Softmax over the labels of each utterance's head, and over the values of attributes that have a classifier.

    Args:
        model: of `emoset_cli.models`
        waves: reads the utterances
        plans: batches of `emoset_cli.train.deep.batches.to_predict`
        device: where the model is
        precision: fp32 or bf16
        wide: most labels any head has; the columns behind those of a head are 0
        rows: utterances of the table
        columns: head -> place of each of its dimensions among all
    """
    model.eval()
    regression = dimensions_of(model) if columns else None
    values = np.full(
        (rows, 1 + max((place for own in columns.values() for place in own), default=-1)), np.nan, np.float32
    )
    found = np.full((rows, wide), np.nan, np.float32)
    classifiers = attributes_of(model)
    own: dict[str, np.ndarray] = {}
    for batch in waves.ahead(plans):
        with computing(device, precision):
            embedding = model.embed(batch.waves.to(device), batch.lengths.to(device), batch.head)
            logits = model.classify(embedding, batch.head)
        shares = logits.float().softmax(1).cpu().numpy()
        found[batch.rows] = 0.0
        found[batch.rows, : shares.shape[1]] = shares
        if regression and (told := regression(embedding, batch.head)) is not None:
            values[np.ix_(batch.rows, np.array(columns[batch.head]))] = told.cpu().numpy()
        for name, said in (classifiers(embedding, logits) if classifiers else {}).items():
            classes = own.setdefault(name, np.full((rows, said.shape[1]), np.nan, np.float32))
            classes[batch.rows] = said.softmax(1).cpu().numpy()
    return Answers(found, own, values)


@torch.no_grad()
def embeddings(
    model: Any, waves: Source, plans: Iterable[Plan], device: torch.device, precision: str, rows: int
) -> np.ndarray:
    """What the head reads of each utterance, float32 ``(rows, width)``; arguments as `answers`.

    Every row must be in a plan.
    """
    model.eval()
    found: dict[int, np.ndarray] = {}
    for batch in waves.ahead(plans):
        with computing(device, precision):
            values = model.embed(batch.waves.to(device), batch.lengths.to(device), batch.head)
        found |= dict(zip(batch.rows.tolist(), values.float().cpu().numpy(), strict=True))
    return np.stack([found[row] for row in range(rows)])
