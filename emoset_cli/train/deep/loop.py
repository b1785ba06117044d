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
from emoset_cli.models.hardware import keep_few_kernels, keep_memory
from emoset_cli.partition import WITHIN
from emoset_cli.train.deep import checkpoint, device
from emoset_cli.train.deep.board import write_epoch
from emoset_cli.train.deep.data import Job
from emoset_cli.train.deep.predict import Answers
from emoset_cli.train.deep.segments import Segments, mean_of_segments
from emoset_cli.train.deep.training import STATE, Training

RESULT, PROGRESS = "result.safetensors", "progress.json"


def train_fold(job: Job) -> str:
    """Train one fold to its end, predict devel and test with the best and the final weights; answer the fold.

    Leaves ``result.safetensors`` in the job's folder: ``best/...`` and ``final/...`` weights, the history and, for
    either, ``probabilities/best`` of utterances, ``segments/best`` where they were cut into segments, whose
    ``owner`` and ``starts_s`` tell utterance and beginning, ``attributes/best/NAME`` of the rows that were heard, and
    ``dimensions/best`` of utterances, 0 to 1, a column for each dimension.
    """
    own = MODELS[job.options.model]
    torch.set_num_threads(1 if own.one_thread and not job.options.network.get(own.brings) else job.threads)
    keep_memory()
    keep_few_kernels()
    sweep(job.folder)
    training = Training(job)
    training.resume()
    while not training.schedule.finished:
        _one_epoch(training)
    _finish(training)
    return job.fold


def _one_epoch(training: Training) -> None:
    start = monotonic()
    stage = training.schedule.stage
    lr = training.epoch_lr
    told = training.epoch()
    middle = monotonic()
    scores = training.devel()
    means = {name: round(float(np.mean(list(own.values()))), 6) for name, own in scores.items() if own}
    answer = training.schedule.update(training.chosen_by(scores))
    if training.schedule.improved:
        training.best = training.copy()
    count = told.pop("rows")
    row = {"fold": training.job.fold, "epoch": len(training.history) + 1, "step": stage, "lr": lr}
    row |= {"train_loss": round(told.pop("train_loss"), 6), "devel_uar": means.get("uar")}
    row |= {"best": int(training.schedule.improved)}
    more = {f"devel_uar:{head}": score for head, score in scores["uar"].items()} | told
    if training.options.choose_by == "wa" and scores["wa"]:
        more |= {"devel_wa": means["wa"]} | {f"devel_wa:{head}": score for head, score in scores["wa"].items()}
    if scores["ccc"]:
        more |= {"devel_ccc": means["ccc"]} | {f"devel_ccc:{name}": score for name, score in scores["ccc"].items()}
    training.history.append(row | {name: round(value, 6) for name, value in more.items()})
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
    said = {"final": training.predict("devel", "test", WITHIN)}
    training.take(training.best)
    said["best"] = training.predict("devel", "test", WITHIN)
    if not training.main:
        training.accelerator.wait_for_everyone()
        return
    tensors = checkpoint.prefixed("best", training.best) | checkpoint.prefixed("final", final)
    tensors |= {name: torch.from_numpy(values) for name, values in _found(training, said).items()}
    facts = {"history": training.history, "parameters": _parameters(training.network)}
    facts |= {"device": device.name(training.device)}
    checkpoint.save(training.job.folder / RESULT, tensors, facts)
    (training.job.folder / STATE).unlink(missing_ok=True)
    training.accelerator.wait_for_everyone()


def _found(training: Training, said: dict[str, Answers]) -> dict[str, np.ndarray]:
    """The predictions by the names they have in the result."""
    data = training.data
    found: dict[str, np.ndarray] = {}
    for when, (shares, attributes, values) in said.items():
        if data.columns:
            found[f"dimensions/{when}"] = mean_of_segments(values, data.owner, len(data.job.truth))
        found |= {f"attributes/{when}/{name}": values for name, values in attributes.items()}
        if isinstance(data.waves, Segments):
            found |= {f"segments/{when}": shares, "owner": data.owner, "starts_s": data.waves.starts_s}
            shares = mean_of_segments(shares, data.owner, len(data.job.truth))
        found[f"probabilities/{when}"] = shares
    return found


def _parameters(model: torch.nn.Module) -> dict[str, Any]:
    """Sizes as `emoset_cli.models.parts.count` tells, and how many are trained in this mode."""
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    return parts.count(model) | {"trained": trained}
