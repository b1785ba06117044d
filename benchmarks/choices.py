"""What was chosen on EmoDB's devel partition, and why: precision, batch norms, what is heard in evaluation.

Trainings of the `quick` preset with one epoch at each learning rate: five seeds in float32 and in bfloat16, and three
seeds in bfloat16 without taking the statistics of batch norms anew before devel. Each is one process with one thread,
as many at a time as there are cores. Test is not looked at.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from common import arguments, claim, conclude, emoset, folders, measure

SEEDS = 5
EPOCHS = 1  # at each learning rate
KINDS = {
    "bfloat16": ("bf16", True, SEEDS),
    "float32": ("fp32", True, SEEDS),
    "bfloat16, running averages only": ("bf16", False, 3),
}


def main() -> None:
    """Train everything, then compare."""
    options = arguments(__doc__, rounds=1)
    found = folders(options, ["emodb"])
    from emoset_cli.parallel import run_jobs

    with tempfile.TemporaryDirectory() as workspace:
        measure(emoset("prepare", f"emodb={found['emodb']}", "-q", "-d", workspace))
        jobs = [
            (Path(workspace), kind, precision, settled, seed)
            for kind, (precision, settled, seeds) in KINDS.items() for seed in range(seeds)
        ]  # fmt: skip
        done = list(run_jobs(one, jobs))
    told = {kind: sorted((one for one in done if one["kind"] == kind), key=lambda one: one["seed"]) for kind in KINDS}
    rows: list[list[object]] = [
        [kind, _each(one["best"] for one in runs), _spread(one["best"] for one in runs),
         _spread(one["final"] for one in runs), _spread(one["early"] for one in runs)]
        for kind, runs in told.items()
    ]  # fmt: skip
    gap = [b["best"] - f["best"] for b, f in zip(told["bfloat16"], told["float32"], strict=True)]
    half = 2.776 * stdev(gap) / len(gap) ** 0.5  # Student's t for 4 degrees of freedom, 95 %
    early = [mean(one["early"] for one in told[kind]) for kind in ("bfloat16", "bfloat16, running averages only")]
    claims = [
        claim(f"bfloat16 - float32, mean of {SEEDS} seeds, 95 % interval [{100 * (mean(gap) - half):.1f}, "
              f"{100 * (mean(gap) + half):.1f}]", 100 * mean(gap), "points of devel UAR", "interval holds 0 or more",
              -100 * half, at_least=True),
        claim("statistics taken anew - running averages, devel UAR of the first two epochs",
              100 * (early[0] - early[1]), "points", "> 0", 0, at_least=True),
    ]  # fmt: skip
    whole, crop = ([one[how] for one in told["bfloat16"]] for how in ("whole", "crop"))
    words = (
        f"Devel utterances heard whole {_spread(whole)}, the middle 5 s of them {_spread(crop)} "
        f"({told['bfloat16'][0]['long']} of {told['bfloat16'][0]['devel']} are longer than 5 s)"
    )
    heads = ["training", "devel UAR at the best epoch, by seed", "mean (sd)", "final epoch", "first two epochs"]
    conclude("choices", "What was chosen on EmoDB's devel partition", heads, rows, claims, told=words, runs=told)


def _each(values: Iterable[float]) -> str:
    return " ".join(f"{100 * value:.1f}" for value in values)


def _spread(values: Iterable[float]) -> str:
    found = [100 * value for value in values]
    return f"{mean(found):.1f} ({stdev(found):.1f})"


def one(workspace: Path, kind: str, precision: str, settled: bool, seed: int) -> dict[str, Any]:
    """One training; its devel UARs, and those of its best weights on whole and on cropped utterances."""
    from dataclasses import replace

    import numpy as np

    from emoset_cli.corpora import load_corpora
    from emoset_cli.train.deep import checkpoint, loop, tasks, training
    from emoset_cli.train.deep.settings import Settings
    from emoset_cli.train.task import build_task

    task = build_task(workspace, ["emodb"], load_corpora(), None, "alisamir2022", heads=True)
    heard = tasks.with_heads(task, "own", False)
    folder = workspace / f"{precision}-{settled}-{seed}"
    folder.mkdir()
    where = task.partition.table.iloc[:, 0].to_numpy().astype(str)
    settings = Settings(precision=precision, preset="quick", max_epochs=EPOCHS, seed=seed)
    job = training.Job(
        folder, workspace, settings, heard.heads, False, "1", heard.task.utterances, task.truth, where, None, "cpu", 1
    )
    if not settled:
        training.settle = lambda *_: None
    loop.train_fold(job)
    tensors, facts = checkpoint.load(folder / loop.RESULT) or ({}, {})
    uars = [row["devel_uar"] for row in facts["history"]]
    told = {"kind": kind, "seed": seed, "best": max(uars), "final": uars[-1], "early": mean(uars[:2])}
    for how in ("whole", "crop"):
        again = training.Training(replace(job, options=replace(settings, eval_window=how)))
        again.network.load_state_dict(checkpoint.under("best", tensors))
        told[how] = again.devel()["emodb"]
    rows = again.rows("emodb", "devel")
    return told | {"devel": len(rows), "long": int(np.sum(again.samples[rows] > 80000))}


if __name__ == "__main__":
    main()
