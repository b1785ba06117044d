"""Speed and memory of ``emoset train cnn`` on EmoDB's real utterances: batches of 64, at most 5 seconds each.

Counted is the training itself (reading, log-mel, forward, backward, update), not devel. The precisions and modes run
in turn in one process, an epoch each. "Data path" is reading batches from the store and making log-mel frames of them,
with nothing running ahead. "Of peak" compares the operations of the convolutions and matrix products, counted by
PyTorch, with what a large matrix product reaches in the same precision in the same run. Memory is that of processes of
their own, for 256 utterances and for four times as many: batches are whole in both.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import PROJECT, Cost, arguments, claim, conclude, emoset, folders, measure, middle, ratio

WHOLE = 256  # utterances, four batches
KINDS = {
    "scratch, float32": ("scratch", "fp32"),
    "scratch, bfloat16": ("scratch", "bf16"),
    "adapters, bfloat16": ("adapters", "bf16"),
}


def main() -> None:
    """Measure every kind in turn, then memory."""
    options = arguments(__doc__, rounds=3)
    found = folders(options, ["emodb"])
    with tempfile.TemporaryDirectory() as workspace:
        measure(emoset("prepare", f"emodb={found['emodb']}", "-q", "-d", workspace))
        told = json.loads(measure([sys.executable, __file__, "speed", workspace, str(options.rounds)]).out)
        memory = {
            times: measure([sys.executable, __file__, "memory", workspace, str(times)]).peak_mb for times in (1, 4)
        }
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
        claim("peak memory, 4 x the utterances", (memory[4] or 0) / (memory[1] or 1), "x", "<= 1.05 x", 1.05),
    ]  # fmt: skip
    heads = ["mode", "utterances/s", "data path", "TFLOP/s", "matrix product [TFLOP/s]", "of peak"]
    conclude("training", "Training EmoNet's network on EmoDB", heads, rows, claims, told=_words(told, memory), raw=told)


def _words(told: dict[str, Any], memory: dict[int, float | None]) -> str:
    sizes = " and ".join(f"{peak or 0:.0f} MB for {WHOLE * times} utterances" for times, peak in memory.items())
    return f"{told['utterances']} training utterances of {told['seconds']:.1f} s on average; peak memory {sizes}"


def _training(workspace: Path, mode: str, precision: str, times: int = 0) -> Any:
    """A training of EmoDB as the command makes it; the adapters are those of a new base.

    With ``times`` it is one of `WHOLE` utterances, each of them so many times.
    """
    import os

    import numpy as np
    import pandas as pd

    from emoset_cli.corpora import load_corpora
    from emoset_cli.train.deep import tasks, training
    from emoset_cli.train.deep.settings import Settings
    from emoset_cli.train.task import build_task

    task = build_task(workspace, ["emodb"], load_corpora(), None, "alisamir2022", heads=True)
    heard = tasks.with_heads(task, "own", False)
    where = task.partition.table.iloc[:, 0].to_numpy().astype(str)
    if times:
        where[np.flatnonzero(where == "train")[WHOLE:]] = ""
    times = times or 1
    table = pd.concat([heard.task.utterances] * times, ignore_index=True)
    folder = workspace / f"bench-{mode}-{precision}-{times}"
    folder.mkdir(exist_ok=True)
    options = Settings(mode=mode, precision=precision, preset="quick", steps_per_epoch=6 * times)
    job = training.Job(
        folder, workspace, options, heard.heads, mode == "adapters", "1", table, np.tile(task.truth, times),
        np.tile(where, times), None, "cpu", len(os.sched_getaffinity(0)),
    )  # fmt: skip
    return training.Training(job)


def _peak(precision: str) -> float:
    """GFLOP/s of a large matrix product."""
    import torch

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(2048, 2048).to(kind) for _ in range(2))
    best = 0.0
    for _ in range(6):
        start = time.perf_counter()
        a @ b
        best = max(best, 2 * 2048**3 / (time.perf_counter() - start) / 1e9)
    return best


def _data_path(training: Any) -> float:
    """Seconds of an epoch's reading and log-mel."""
    plans = list(training.plans())
    start = time.perf_counter()
    for plan in plans:
        batch = training.waves.read(plan)
        training.network.front(batch.waves, batch.lengths)
    return time.perf_counter() - start


def _gflop(training: Any) -> float:
    """Operations of forward and backward for a mean utterance, in 1e9."""
    from torch.utils.flop_counter import FlopCounterMode

    plans = list(training.plans())
    with FlopCounterMode(display=False) as counter:
        for plan in plans:
            training.step(training.waves.read(plan))
    return float(counter.get_total_flops()) / sum(len(plan.rows) for plan in plans) / 1e9


def speed(workspace: Path, rounds: int) -> None:
    """All kinds in turn, after a first epoch of each; prints JSON."""
    import torch

    from emoset_cli import parallel
    from emoset_cli.models.hardware import keep_memory

    torch.set_num_threads(parallel.cores())
    keep_memory()
    trainings = {kind: _training(workspace, *which) for kind, which in KINDS.items()}
    rates: dict[str, list[float]] = {kind: [] for kind in KINDS}
    data, gflop = {}, {}
    for kind, training in trainings.items():
        gflop[kind] = _gflop(training)
        training.epoch()
    for _ in range(rounds):
        for kind, training in trainings.items():
            start = time.perf_counter()
            _, count = training.train()
            rates[kind].append(count / (time.perf_counter() - start))
            data[kind] = _data_path(training) * rates[kind][-1] / count
    first = next(iter(trainings.values()))
    lengths = first.samples[first.rows("emodb", "train")].clip(max=80000) / 16000
    peak = {precision: _peak(precision) for precision in ("fp32", "bf16")}
    print(json.dumps({
        "rates": rates, "data": data, "gflop": gflop, "peak": peak, "utterances": len(lengths),
        "seconds": float(lengths.mean()),
    }))  # fmt: skip


def memory(workspace: Path, times: int) -> None:
    """Equally many batches whatever the size, with devel and checkpoints."""
    training = _training(workspace, "scratch", "bf16", times)
    for _ in range(8 // times):
        training.epoch()
        training.devel()
        training.save()


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in {"speed", "memory"}:
        sys.path.insert(0, str(PROJECT))
        {"speed": speed, "memory": memory}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
