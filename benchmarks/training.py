"""Speed and memory of ``emoset train cnn`` on EmoDB's real utterances: batches of 64, at most 5 seconds each.

Counted is the training itself (reading, log-mel, forward, backward, update), not devel. The precisions and modes run
in turn in one process, an epoch each. "Data path" is reading batches from the store and making log-mel frames of them,
with nothing running ahead. "Of peak" compares the operations of the convolutions and matrix products, counted by
PyTorch, with what a large matrix product reaches in the same precision in the same run.

Memory is the highest resident memory of processes of their own that train as the command does, epochs of 12 batches
with devel and a checkpoint after each: for 256 utterances, and for the same 4 and 16 times. Batches are whole in all of
them. Sizes are compared after equally many batches: memory grows with their number, whatever the size, since the C
library keeps what they freed; how far is told for the smallest. ``--memory`` measures nothing else.
"""

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import PROJECT, Cost, arguments, claim, conclude, emoset, folders, matrix_product, measure, middle, ratio

WHOLE = 256  # utterances, four batches
TIMES = (1, 4, 16)  # the same utterances
EPOCH = 12  # batches, where memory is measured
COMPARED = 48  # batches, of each size
BATCHES = (12, 48, 96)  # told of the smallest
KINDS = {
    "scratch, float32": ("scratch", "fp32"),
    "scratch, bfloat16": ("scratch", "bf16"),
    "adapters, bfloat16": ("adapters", "bf16"),
}


def main() -> None:
    """Measure every kind in turn, then memory."""
    options = arguments(__doc__, rounds=3, memory="measure memory alone")
    found = folders(options, ["emodb"])
    with tempfile.TemporaryDirectory() as workspace:
        measure(emoset("prepare", f"emodb={found['emodb']}", "-q", "-d", workspace))
        told = None if options.memory else _own("speed", workspace, options.rounds)
        peaks = {
            times: {int(batches): peak for batches, peak in _own("memory", workspace, times).items()} for times in TIMES
        }
    if told is None:
        heads = ["utterances", *(f"after {batches} batches [MB]" for batches in BATCHES)]
        rows = [
            [WHOLE * times, *(f"{one[batches]:.0f}" if batches in one else "" for batches in BATCHES)]
            for times, one in peaks.items()
        ]
        conclude("training-memory", "Peak memory of training on EmoDB", heads, rows, _flat(peaks), raw=peaks)
    else:
        _conclude(told, peaks)


def _own(what: str, workspace: str, number: int) -> Any:
    """What one of the measurements below answers in a process of its own."""
    return json.loads(measure([sys.executable, __file__, what, workspace, str(number)]).out)


def _conclude(told: dict[str, Any], peaks: dict[int, dict[int, float]]) -> None:
    costs = {kind: [Cost(1 / rate, 0) for rate in told["rates"][kind]] for kind in KINDS}
    rates = {kind: 1 / middle(costs[kind]) for kind in KINDS}
    rows: list[list[object]] = [
        [kind, f"{rates[kind]:.0f}", f"{100 * told['data'][kind]:.1f} %",
         f"{rates[kind] * told['gflop'][kind] / 1000:.2f}", f"{told['peak'][precision] / 1000:.2f}",
         f"{100 * rates[kind] * told['gflop'][kind] / told['peak'][precision]:.0f} %"]
        for kind, (_, precision) in KINDS.items()
    ]  # fmt: skip
    fast = "scratch, bfloat16"
    claims = [
        claim("scratch in bfloat16", rates[fast], "utterances/s", ">= 150 (with AMX)", 150, at_least=True),
        claim("scratch in float32", rates["scratch, float32"], "utterances/s", ">= 45", 45, at_least=True),
        claim("bfloat16 / float32", ratio(costs["scratch, float32"], costs[fast]), "x", "> 1 x", 1.0, at_least=True),
        claim("adapters / scratch, bfloat16", ratio(costs[fast], costs["adapters, bfloat16"]), "x", ">= 0.8 x", 0.8,
              at_least=True),
        claim("data path, scratch in bfloat16", 100 * told["data"][fast], "%", "< 10 %", 10),
        *_flat(peaks),
    ]  # fmt: skip
    heads = ["mode", "utterances/s", "data path", "TFLOP/s", "matrix product [TFLOP/s]", "of peak"]
    words = f"{told['utterances']} training utterances of {told['seconds']:.1f} s on average; {_words(peaks)}"
    conclude("training", "Training EmoNet's network on EmoDB", heads, rows, claims, told=words, raw=told, memory=peaks)


def _flat(peaks: dict[int, dict[int, float]]) -> list[dict[str, Any]]:
    """That memory does not grow with the size of a corpus."""
    return [
        claim(f"peak memory, {times} x the utterances", peaks[times][COMPARED] / peaks[1][COMPARED], "x", "<= 1.05 x",
              1.05)
        for times in TIMES[1:]
    ]  # fmt: skip


def _words(peaks: dict[int, dict[int, float]]) -> str:
    sizes = ", ".join(f"{found[COMPARED]:.0f} MB for {WHOLE * times} utterances" for times, found in peaks.items())
    longer = ", ".join(f"{found:.0f} MB after {batches}" for batches, found in peaks[1].items() if batches in BATCHES)
    return f"peak memory after {COMPARED} batches {sizes}; of {WHOLE} {longer} batches"


def _job(workspace: Path, mode: str, precision: str, times: int = 0) -> Any:
    """A training of EmoDB as the command makes it; the adapters are those of a new base.

    With ``times`` it is one of `WHOLE` utterances, each of them so many times.
    """
    import os

    import numpy as np
    import pandas as pd

    from emoset_cli.corpora import load_corpora
    from emoset_cli.train.deep import data, tasks
    from emoset_cli.train.deep.settings import Settings
    from emoset_cli.train.task import build_task

    task = build_task(workspace, ["emodb"], load_corpora(), None, "alisamir2022", heads=True)
    heard = tasks.with_heads(task, "own", False)
    where = task.partition.table.iloc[:, 0].to_numpy().astype(str)
    options = Settings(mode=mode, precision=precision, preset="quick", steps_per_epoch=6)
    if times:
        where[np.flatnonzero(where == "train")[WHOLE:]] = ""
        epochs = (BATCHES[-1] if times == 1 else COMPARED) // EPOCH
        options = replace(options, steps_per_epoch=EPOCH, lr_steps=1, patience=epochs, max_epochs=epochs)
    times = times or 1
    table = pd.concat([heard.task.utterances] * times, ignore_index=True)
    folder = workspace / f"bench-{mode}-{precision}-{times}"
    folder.mkdir(exist_ok=True)
    return data.Job(
        folder, workspace, options, heard.heads, mode == "adapters", "1", table, np.tile(task.truth, times),
        np.tile(where, times), None, "cpu", len(os.sched_getaffinity(0)),
    )  # fmt: skip


def _data_path(training: Any) -> float:
    """Seconds of an epoch's reading and log-mel."""
    steps = list(training.data.steps(training.rng))
    start = time.perf_counter()
    for [plan] in steps:
        batch = training.data.waves.read(plan)
        training.network.front(batch.waves, batch.lengths)
    return time.perf_counter() - start


def _gflop(training: Any) -> float:
    """Operations of forward and backward for a mean utterance, in 1e9."""
    from torch.utils.flop_counter import FlopCounterMode

    steps = list(training.data.steps(training.rng))
    with FlopCounterMode(display=False) as counter:
        for [plan] in steps:
            training.step([training.data.waves.read(plan)])
    return float(counter.get_total_flops()) / sum(len(plan.rows) for [plan] in steps) / 1e9


def speed(workspace: Path, rounds: int) -> None:
    """All kinds in turn, after a first epoch of each; prints JSON."""
    import torch

    from emoset_cli.cores import cores
    from emoset_cli.models.hardware import keep_few_kernels, keep_memory
    from emoset_cli.train.deep.training import Training

    torch.set_num_threads(cores())
    keep_memory()
    keep_few_kernels()
    trainings = {kind: Training(_job(workspace, *which)) for kind, which in KINDS.items()}
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    data, gflop = {}, {}
    for kind, training in trainings.items():
        gflop[kind] = _gflop(training)
        training.epoch()
    for _ in range(rounds):
        for kind, training in trainings.items():
            start = time.perf_counter()
            count = training.train()["rows"]
            rates[kind].append(count / (time.perf_counter() - start))
            data[kind] = _data_path(training) * rates[kind][-1] / count
    first = next(iter(trainings.values()))
    lengths = first.data.samples[first.data.rows("emodb", "train")].clip(max=80000) / 16000
    peak = {precision: matrix_product(precision) for precision in ("fp32", "bf16")}
    print(json.dumps({
        "rates": rates, "data": data, "gflop": gflop, "peak": peak, "utterances": len(lengths),
        "seconds": float(lengths.mean()),
    }))  # fmt: skip


def memory(workspace: Path, times: int) -> None:
    """Train as the command does; prints the peak in MB after each epoch, by the number of batches, as JSON."""
    import resource

    from emoset_cli.train.deep import loop

    peaks: dict[int, float] = {}

    class Watched(loop.Training):
        """Looks at the memory after each checkpoint."""

        def save(self) -> None:
            super().save()
            peaks[self.updates] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    loop.Training = Watched
    loop.train_fold(_job(workspace, "scratch", "bf16", times))
    print(json.dumps(peaks))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in {"speed", "memory"}:
        sys.path.insert(0, str(PROJECT))
        {"speed": speed, "memory": memory}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
