"""One training: epochs over batches of one corpus each, chosen on devel, resumable after any epoch.

The state after each epoch is one file. A training that was killed goes on from it with the same random streams; on
one processor with the same number of threads it ends with the same bits as one that was not.
"""

from time import monotonic
from typing import Any

import numpy as np
import torch

from emoset_cli.files import sweep, write_json
from emoset_cli.models import MODELS, parts
from emoset_cli.models.hardware import keep_memory
from emoset_cli.train.deep import checkpoint, device
from emoset_cli.train.deep.board import write_epoch
from emoset_cli.train.deep.training import STATE, Job, Training

RESULT, PROGRESS = "result.safetensors", "progress.json"


def train_fold(job: Job) -> str:
    """Train one fold to its end, predict devel and test with the best and the final weights; answer the fold.

    Leaves ``result.safetensors`` in the job's folder: ``best/...`` and ``final/...`` weights, ``probabilities/best``
    and ``probabilities/final``, and the history.
    """
    own = MODELS[job.options.model]
    torch.set_num_threads(1 if own.one_thread and not job.options.network.get(own.brings) else job.threads)
    keep_memory()
    sweep(job.folder)
    training = Training(job)
    training.resume()
    while not training.schedule.finished:
        _one_epoch(training)
    _finish(training)
    return job.fold


def _one_epoch(training: Training) -> None:
    start = monotonic()
    lr, stage = training.schedule.lr, training.schedule.stage
    loss, count = training.epoch()
    middle = monotonic()
    scores = device.of_main(training.devel())
    mean = float(np.mean(list(scores.values())))
    answer = training.schedule.update(mean)
    if training.schedule.improved:
        training.best = training.copy()
    row = {"fold": training.job.fold, "epoch": len(training.history) + 1, "step": stage, "lr": lr}
    row |= {"train_loss": round(loss, 6), "devel_uar": round(mean, 6), "best": int(training.schedule.improved)}
    training.history.append(row | {f"devel_uar:{head}": round(score, 6) for head, score in scores.items()})
    if answer == "step":
        training.take(training.best)
    if answer in {"step", "lower"}:
        training.start_optimizer()
    if training.main:
        training.save()
        speed = {"utterances_s": count / max(middle - start, 1e-9), "epoch_s": monotonic() - start}
        write_json(training.job.folder / PROGRESS, row | speed)
        if training.job.board:
            write_epoch(training.job.board, training.history)
    training.accelerator.wait_for_everyone()


def _finish(training: Training) -> None:
    """Predict with the final and the best weights, once, and write the result."""
    final = training.copy()
    found = {"final": training.predict("devel", "test")}
    training.take(training.best)
    found["best"] = training.predict("devel", "test")
    if not training.main:
        training.accelerator.wait_for_everyone()
        return
    tensors = checkpoint.prefixed("best", training.best) | checkpoint.prefixed("final", final)
    tensors |= {f"probabilities/{when}": torch.from_numpy(values) for when, values in found.items()}
    facts = {"history": training.history, "parameters": _parameters(training.network)}
    facts |= {"device": device.name(training.device)}
    checkpoint.save(training.job.folder / RESULT, tensors, facts)
    (training.job.folder / STATE).unlink(missing_ok=True)
    training.accelerator.wait_for_everyone()


def _parameters(model: torch.nn.Module) -> dict[str, Any]:
    """Sizes as `emoset_cli.models.parts.count` tells, and how many are trained in this mode."""
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return parts.count(model) | {"trained": trained}
