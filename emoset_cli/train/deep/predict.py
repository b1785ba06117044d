"""Probabilities of a model for rows of a table, whatever batches they are computed in."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from emoset_cli.train.deep.batches import Plan, Source
from emoset_cli.train.deep.device import computing


@torch.no_grad()
def probabilities(
    model: Any, waves: Source, plans: Iterable[Plan], device: torch.device, precision: str, wide: int, rows: int
) -> np.ndarray:
    """Softmax over the labels of each utterance's head, float32 ``(rows, wide)``; NaN in rows no plan names.

    Args:
        model: of `emoset_cli.models`
        waves: reads the utterances
        plans: batches of `emoset_cli.train.deep.batches.to_predict`
        device: where the model is
        precision: fp32 or bf16
        wide: most labels any head has; the columns behind those of a head are 0
        rows: utterances of the table
    """
    model.eval()
    found = np.full((rows, wide), np.nan, np.float32)
    for batch in waves.ahead(plans):
        with computing(device, precision):
            logits = model(batch.waves.to(device), batch.lengths.to(device), batch.head)
        shares = logits.float().softmax(1).cpu().numpy()
        found[batch.rows] = 0.0
        found[batch.rows, : shares.shape[1]] = shares
    return found


@torch.no_grad()
def embeddings(
    model: Any, waves: Source, plans: Iterable[Plan], device: torch.device, precision: str, rows: int
) -> np.ndarray:
    """What the head reads of each utterance, float32 ``(rows, width)``; arguments as `probabilities`.

    Every row must be in a plan.
    """
    model.eval()
    found: dict[int, np.ndarray] = {}
    for batch in waves.ahead(plans):
        with computing(device, precision):
            values = model.embed(batch.waves.to(device), batch.lengths.to(device), batch.head)
        found |= dict(zip(batch.rows.tolist(), values.float().cpu().numpy(), strict=True))
    return np.stack([found[row] for row in range(rows)])
