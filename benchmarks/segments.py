"""Speed of ``emoset train acrnn`` on segments of EmoDB and RAVDESS, and of ``emoset train cnn-lstm`` on utterances.

Counted is the training itself, on all cores; kinds run in turn in one process, an epoch each. "Outside" is the share of
the time in which neither forward nor backward runs: waiting for batches, copying, the updates of the weights, and
log-mel frames, which are a part of the forward pass but no product of the network's layers. "Of peak" compares the
operations of convolutions and matrix products, counted by PyTorch (recurrent layers by hand, which it does not count),
with what a large matrix product reaches in the same precision in the same run. "Kept frames" compares log-mel frames
made of a batch with the same frames read from a memory map.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import PROJECT, Cost, arguments, claim, conclude, emoset, folders, matrix_product, measure, middle

KEYS = ["emodb", "ravdess"]
KINDS = {
    "acrnn, bfloat16": ("acrnn", "bf16", {}),
    "acrnn, float32": ("acrnn", "fp32", {}),
    "acrnn adversarial, bfloat16": ("acrnn", "bf16", {"attributes": ["corpus"], "approach": "adversarial"}),
    "cnn-lstm, bfloat16": ("cnn-lstm", "bf16", {}),
    "cnn-lstm, float32": ("cnn-lstm", "fp32", {}),
}
STEPS = 6  # of 64 rows, between two looks at the clock


def main() -> None:
    """Measure every kind in turn."""
    options = arguments(__doc__, rounds=3)
    found = folders(options, KEYS)
    with tempfile.TemporaryDirectory() as workspace:
        measure(emoset("prepare", *(f"{key}={folder}" for key, folder in found.items()), "-q", "-d", workspace))
        told = json.loads(measure([sys.executable, __file__, "speed", workspace, str(options.rounds)]).out)
    rows: list[list[object]] = []
    claims = []
    for kind, (_, precision, _) in KINDS.items():
        one = told["kinds"][kind]
        rate = 1 / middle([Cost(1 / value, 0) for value in one["rates"]])
        outside = 100 * middle([Cost(value, 0) for value in one["outside"]])
        share = 100 * rate * one["gflop"] / told["peak"][precision]
        rows.append([kind, f"{rate:.0f}", f"{1000 / rate:.0f} s", f"{outside:.1f} %",
                     f"{rate * one['gflop'] / 1000:.2f}", f"{told['peak'][precision] / 1000:.2f}",
                     f"{share:.0f} %"])  # fmt: skip
        claims.append(claim(f"outside forward and backward, {kind}", outside, "%", "< 10 %", 10))
    heads = ["training", "rows/s", "1,000 rows", "outside", "TFLOP/s", "matrix product [TFLOP/s]", "of peak"]
    frames = told["frames"]
    words = (
        f"rows of acrnn are segments of 3 s, of cnn-lstm utterances of {told['seconds']:.1f} s on average; log-mel "
        f"frames of 64 segments: {1000 * frames['made']:.0f} ms on the fly, {1000 * frames['kept']:.0f} ms when kept, "
        f"{100 * (frames['made'] - frames['kept']) / frames['step']:.1f} % of a step of acrnn in bfloat16"
    )
    conclude("segments", "Training acrnn and cnn-lstm on EmoDB and RAVDESS", heads, rows, claims, told=words, raw=told)


def _training(workspace: Path, kind: str) -> Any:
    """A training as the command makes it: acrnn with a classifier for each corpus, cnn-lstm with one for both."""
    import os

    from emoset_cli.corpora import load_corpora
    from emoset_cli.train.deep import data, tasks, training
    from emoset_cli.train.deep.attributes import classes_of
    from emoset_cli.train.deep.settings import settings_of
    from emoset_cli.train.task import build_task

    model, precision, given = KINDS[kind]
    space = "own" if model == "acrnn" else "three-class"
    pool = dict.fromkeys(KEYS, ("alisamir2022", 0))
    task = build_task(workspace, KEYS, load_corpora(), None, "", space=space, pool=pool, heads=True)
    heard = tasks.with_heads(task, space, space != "own")
    options = settings_of(model, {"precision": precision, "steps_per_epoch": STEPS, **given})
    classes = classes_of(heard.task.utterances, task.partition, options.attributes)
    attributes = {"approach": options.approach, "classes": classes} if classes else None
    folder = workspace / f"bench-{digits(kind)}"
    folder.mkdir(exist_ok=True)
    where = task.partition.table.iloc[:, 0].to_numpy().astype(str)
    job = data.Job(
        folder, workspace, options, heard.heads, False, "1", heard.task.utterances, task.truth, where, None, "cpu",
        len(os.sched_getaffinity(0)), attributes=attributes,
    )  # fmt: skip
    return training.Training(job)


def digits(kind: str) -> str:
    """A name for a folder."""
    return kind.replace(", ", "-").replace(" ", "-")


def _recurrent_gflop(network: Any, frames: list[int]) -> float:
    """Operations of a mean row's LSTM, forward and backward (twice forward): products with weights, as hand-counted."""
    import torch

    total = 0.0
    for layer in network.modules():
        if isinstance(layer, torch.nn.LSTM):
            weights = sum(one.numel() for name, one in layer.named_parameters() if name.startswith("weight"))
            total += 3 * 2 * weights * sum(frames) / len(frames) / 1e9
    return total


def _gflop(training: Any) -> float:
    """Operations of forward and backward of a mean row, in 1e9."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    seen: list[int] = []
    hooks = [
        layer.register_forward_hook(lambda _, given, out: seen.append(given[0].shape[1]))
        for layer in training.network.modules() if isinstance(layer, torch.nn.LSTM)
    ]  # fmt: skip
    rows = 0
    with FlopCounterMode(display=False) as counter:
        for plans in training.data.steps(training.rng):
            training.step([training.data.waves.read(plan) for plan in plans])
            rows += sum(len(plan.rows) for plan in plans)
    for hook in hooks:
        hook.remove()
    passes = 2 if "adversary" in training.optimizers else 1  # the third step is another one
    return float(counter.get_total_flops()) / rows / 1e9 + passes * _recurrent_gflop(training.network, seen)


def _timed(training: Any) -> tuple[float, float, int]:
    """Seconds of an epoch, and of those what lies in forward and backward without the front end; and the rows."""
    inside = [0.0]

    def clocked(function: Any, sign: float = 1.0) -> Any:
        def run(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            answer = function(*arguments, **named)
            inside[0] += sign * (time.perf_counter() - start)
            return answer

        return run

    network, accelerator = training.network, training.accelerator
    kept = network.front.forward, training.model.forward, accelerator.backward
    network.front.forward = clocked(kept[0], -1.0)
    training.model.forward, accelerator.backward = clocked(kept[1]), clocked(kept[2])
    discriminators = training.discriminators
    learn, unlearn = (discriminators.learn, discriminators.unlearn) if discriminators else (None, None)
    if discriminators:
        discriminators.learn, discriminators.unlearn = clocked(learn), clocked(unlearn)
    start = time.perf_counter()
    rows = training.train()["rows"]
    wall = time.perf_counter() - start
    network.front.forward, training.model.forward, accelerator.backward = kept
    if discriminators:
        discriminators.learn, discriminators.unlearn = learn, unlearn
    return wall, inside[0], rows


def _frames(workspace: Path, training: Any) -> dict[str, float]:
    """Seconds that log-mel frames of 64 segments take, made on the fly and read from a memory map of float16."""
    import numpy as np
    import torch

    plans = next(training.data.steps(training.rng))
    batches = [training.data.waves.read(plan) for plan in plans]
    training.network.eval()
    made, kept = [], []
    for _ in range(5):
        start = time.perf_counter()
        frames = [training.network.front(batch.waves, batch.lengths)[0] for batch in batches]
        made.append(time.perf_counter() - start)
    file = workspace / "frames.npy"
    np.save(file, torch.cat(frames).numpy().astype(np.float16))
    for _ in range(5):
        start = time.perf_counter()
        found = np.load(file, mmap_mode="r")
        torch.from_numpy(np.stack([found[row] for row in range(len(found))])).float()
        kept.append(time.perf_counter() - start)
    start = time.perf_counter()
    training.step(batches)
    step = time.perf_counter() - start
    return {"made": middle([Cost(one, 0) for one in made]), "kept": middle([Cost(one, 0) for one in kept]),
            "step": step}  # fmt: skip


def speed(workspace: Path, rounds: int) -> None:
    """All kinds in turn, after a first epoch of each; prints JSON."""
    import torch

    from emoset_cli.cores import cores
    from emoset_cli.models.hardware import keep_memory

    torch.set_num_threads(cores())
    keep_memory()
    trainings = {kind: _training(workspace, kind) for kind in KINDS}
    found: dict[str, Any] = {
        kind: {"rates": [], "outside": [], "gflop": _gflop(one)} for kind, one in trainings.items()
    }
    for _ in range(rounds):
        for kind, training in trainings.items():
            wall, inside, rows = _timed(training)
            found[kind]["rates"].append(rows / wall)
            found[kind]["outside"].append(1 - inside / wall)
    whole = trainings["cnn-lstm, bfloat16"].data
    print(json.dumps({
        "kinds": found, "peak": {precision: matrix_product(precision) for precision in ("fp32", "bf16")},
        "seconds": float(whole.samples[whole.where == "train"].mean() / 16000),
        "frames": _frames(workspace, trainings["acrnn, bfloat16"]),
    }))  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["speed"]:
        sys.path.insert(0, str(PROJECT))
        speed(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
