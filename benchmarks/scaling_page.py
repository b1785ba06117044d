"""The page docs/scaling.md from what scaling.py measured: growth, what large corpora would cost, what breaks first."""

from math import log2
from textwrap import fill
from typing import Any

import numpy as np
from common import table

CORPORA = {  # hours and utterances
    "EmoSet, 26 corpora (Gerczuk et al. 2021)": (65.6, 84161),
    "MSP-Podcast 1.8, counted at 5.5 s an utterance": (73042 * 5.5 / 3600, 73042),
    "100,000 h, counted at 3 s an utterance": (100_000.0, 120_000_000),
}
MACHINES, CORES = 16, 16
MEMORY_GB = 64
SEEN = 0.25  # the share of the time at the largest size that must depend on the size for it to be a measurement
# Stage -> how its work is shared among cores and machines.
SHARED = {
    "prepare": "threads of one machine",
    "extract egemaps": "processes, Dask workers or ranks: any number",
    "train svm": "folds and values of C; one fit is one thread",
    "train forest": "folds; the trees of one fit are one thread",
    "train cnn": "ranks: GPUs of any number of machines",
    "evaluate": "one process",
    "compare": "one process",
}
BY_HOURS = {"prepare", "extract egemaps"}  # these read all of the audio, the others an utterance each
FREE = {"extract egemaps", "train cnn"}  # shared by machines as well
NOTE = {
    "prepare": "the table of utterances and the names of all recordings are in memory",
    "extract egemaps": "the features of a corpus are joined into one array, which is in memory twice for a moment",
    "train svm": "features of all utterances in memory, twice; liblinear needs more passes over more utterances",
    "train forest": "as svm; trees grow with utterances and are deeper with more of them",
    "train cnn": "audio is mapped from disk, batch by batch; what grows is the table of utterances and predictions",
    "evaluate": "predictions of all utterances as one CSV in memory; draws of the bootstrap are over speakers",
    "compare": "predictions of both runs in memory",
}


def page(told: dict[str, Any]) -> str:
    """The page, from what `scaling.py` keeps."""
    measured = told["measured"]
    stages = [stage for stage in SHARED if f"{stage} x16" in measured]
    times = [n for n in (1, 2, 4, 8, 16) if all(f"{stage} x{n}" in measured for stage in stages)]
    facts, base = told["machine"], measured["prepare x1"]
    largest = measured[f"prepare x{times[-1]}"]
    parts = [
        "# Scaling",
        f"""Written by `python benchmarks/scaling.py --recordings {told["recordings"]}`, from one measurement of each
cell on {facts["processor"]}, while other work ran on the machine: so time is processor time of one thread. 1 x is
{base["utterances"]} recordings of EmoDB and EMOVO, {60 * base["hours"]:.0f} minutes; {times[-1]} x repeats them under
new names and speakers, each copy different in one sample: {largest["utterances"]:,} utterances, {largest["hours"]:.1f}
hours. Whatever is beyond that is extrapolated, and says so.""",
        "## Measured: growth",
        "Processor time in seconds, the start of the process (imports, 1 to 4 s) included:",
        _growth(stages, times, measured, "cpu_s", "{:.1f}"),
        f"""The straight line is fitted to all sizes, each weighted by its time: start + slope x utterances; beside it
how far the measurement that fits worst is from it. Where the largest size takes {SEEN:.0%} more than the line says,
there is none: the exponent is that of the last doubling.""",
        "Peak memory in MB, the largest resident set of the process:",
        _growth(stages, times, measured, "peak_mb", "{:.0f}"),
        "What a stage leaves on disk, in MB:",
        _growth(stages, times, measured, "bytes", "{:.2f}", 1e6),
        f"`train cnn` is EmoNet's network with 4 filters and a block a module, {base_epochs(measured, times)} epochs "
        "at each size, devel after each; `train svm` is the whole search for C and the last fit.",
        "## Measured: throughput",
        f"""Of one thread, the slope of the straight line, or where there is none the mean at {times[-1]} x; "above"
where less than {SEEN:.0%} of the time at {times[-1]} x comes from the slope: then it is what {SEEN:.0%} would be.
The last three rows are of a few recordings, the start of the process and the reading of weights included, which
makes them too low by far for a large corpus
([Speed](speed.md) has them warm).""",
        _throughput(stages, times, measured),
        "## Extrapolated: what large corpora would cost",
        f"""Time goes on along the straight line, or with the exponent where there is none, by hours of audio where
all of it is read, by utterances else; memory and disk as from {times[-3]} x to {times[-1]} x. "<" stands where the
slope was not seen and is what it could be
at most. Of the CNN this is {base_epochs(measured, times)} epochs of the small network; EmoNet's own has several times
its work, and a GPU does it. "On {MACHINES}" is {MACHINES} machines of {CORES} cores, where the stage can be shared so
far, and without loss on the way. Peak memory counts pages of mapped audio too, which the system takes back when it
needs them: of `prepare` and `train cnn` it is an upper bound.""",
        *(_cost(name, hours, count, stages, times, measured) for name, (hours, count) in CORPORA.items()),
        "## What breaks first",
        f"""Hours of speech (at 3 s an utterance) at which a stage needs {MEMORY_GB} GB of memory, and at which it takes
30 days on one core; extrapolated. The first line is what breaks first.""",
        _breaks(stages, times, measured),
        _READING,
    ]
    return "\n\n".join(part if part[:1] in "|#" or "\n\n" in part else fill(part, 118) for part in parts) + "\n"


_READING = """What follows from it:

- **What grows faster than its corpus breaks first** (an exponent above 1 in the first table): take a forest or a
  network there.
- **Memory, not time, is the wall of the others** on one machine: tables of utterances, features and predictions are
  held whole.
  The rows of `prepare` and `train cnn` are upper bounds (see above), the others are not.
- **Parts that stay in one process** (`prepare`, `evaluate`, `compare`) are cheap for each utterance, and become the
  longest where the others are shared by many machines: Amdahl's law at work.
- **Files**: the audio store writes shards, not one file, and each is mapped when it is read. A feature set is one array
  a corpus: split a very large corpus into several entries of the registry, which are trained on together with `--pool`.
- **Reports** name no single utterance but those of `emoset explain`; a page does not grow with the corpus.
- Not measured here: networks of many GPUs, file systems shared by many machines, and corpora whose speakers are as many
  as their utterances, over which the bootstrap draws.

See [Clusters](cluster.md) for the lines that spread the work."""


def base_epochs(measured: dict[str, Any], times: list[int]) -> int:
    """Epochs of the CNN, the same at each size."""
    epochs = {measured[f"train cnn x{n}"]["epochs"] for n in times}
    assert len(epochs) == 1, epochs
    return int(epochs.pop())


def _growth(
    stages: list[str], times: list[int], measured: dict[str, Any], what: str, form: str, unit: float = 1.0
) -> str:
    rows = []
    for stage in stages:
        values = [measured[f"{stage} x{n}"][what] / unit for n in times]
        rows.append([f"`{stage}`", *map(form.format, values), f"{values[-1] / max(values[0], 1e-9):.1f} x"])
        if what == "cpu_s":
            start, slope, off = line(stage, times, measured)
            curve = power(stage, times, measured)
            text = f"no: exponent {curve:.1f} at the end" if curve else f"{start:.1f} s + {1000 * slope:.2f} ms each"
            rows[-1] += [text, "" if curve else f"{off:.0%}"]
    heads = ["stage", *(f"{n} x" for n in times), f"{times[-1]} x / 1 x"]
    return table(heads + ["straight line", "off by at most"] * (what == "cpu_s"), rows)


def line(stage: str, times: list[int], measured: dict[str, Any]) -> tuple[float, float, float]:
    """Seconds at the start, seconds for an utterance (not below 0), and the largest relative distance from it."""
    counts = np.array([measured[f"prepare x{n}"]["utterances"] for n in times], float)
    spent = np.array([measured[f"{stage} x{n}"]["cpu_s"] for n in times])
    slope, start = np.polyfit(counts, spent, 1, w=1 / spent)
    if slope < 0 or start < 0:  # a line through 0, or a level one
        slope, start = (
            (0.0, float(spent.mean()))
            if slope < 0
            else (float((counts / spent).sum() / ((counts / spent) ** 2).sum()), 0.0)
        )
    return float(start), float(slope), float(np.abs((start + slope * counts) / spent - 1).max())


def power(stage: str, times: list[int], measured: dict[str, Any]) -> float | None:
    """The exponent from the last size but one to the last, where that lies far above the straight line; else None."""
    start, slope, _ = line(stage, times, measured)
    before, last = (measured[f"{stage} x{n}"]["cpu_s"] for n in times[-2:])
    curved = last > (1 + SEEN) * (start + slope * measured[f"prepare x{times[-1]}"]["utterances"])
    return log2(last / before) / log2(times[-1] / times[-2]) if curved else None


def _slope(stage: str, times: list[int], measured: dict[str, Any]) -> tuple[float, bool]:
    """Seconds for an utterance, and whether that was seen; else what it could be at most."""
    _, slope, _ = line(stage, times, measured)
    last, count = measured[f"{stage} x{times[-1]}"]["cpu_s"], measured[f"prepare x{times[-1]}"]["utterances"]
    least = SEEN * last / count
    if power(stage, times, measured):
        return last / count, True
    return (slope, True) if slope >= least else (least, False)


def _throughput(stages: list[str], times: list[int], measured: dict[str, Any]) -> str:
    last = measured[f"prepare x{times[-1]}"]
    seconds_each = 3600 * last["hours"] / last["utterances"]
    rows: list[list[object]] = []
    for stage in stages:
        slope, seen = _slope(stage, times, measured)
        above = "" if seen else "above "
        rows.append([f"`{stage}`", f"{above}{1 / slope:,.0f}", f"{above}{seconds_each / slope:,.0f}", SHARED[stage]])
    few = measured.get("few: prepare")
    for stage, cost in measured.items():
        if few and stage.startswith("few: ") and stage != "few: prepare":
            rows.append([f"{stage[5:]}", f"{few['utterances'] / cost['cpu_s']:.1f}",
                         f"{3600 * few['hours'] / cost['cpu_s']:.1f}", SHARED["train cnn"]])  # fmt: skip
    return table(["stage", "utterances/s", "x real time", "its work is shared by"], rows)


def _at(stage: str, times: list[int], measured: dict[str, Any], count: float) -> tuple[float, float, float]:
    """Seconds, MB and bytes of a stage with so many utterances."""
    spent = [measured[f"{stage} x{n}"] for n in times]
    counts = [measured[f"prepare x{n}"]["utterances"] for n in times]
    start, _, _ = line(stage, times, measured)
    seconds = start + _slope(stage, times, measured)[0] * count
    if curve := power(stage, times, measured):
        seconds = spent[-1]["cpu_s"] * (count / counts[-1]) ** curve
    more = (count - counts[-1]) / (counts[-1] - counts[-3])
    memory, disk = (
        spent[-1][what] + more * max(spent[-1][what] - spent[-3][what], 0.0) for what in ("peak_mb", "bytes")
    )
    return seconds, memory, disk


def _cost(name: str, hours: float, count: int, stages: list[str], times: list[int], measured: dict[str, Any]) -> str:
    rows = []
    for stage in stages:
        seconds, memory, disk = _at(stage, times, measured, count)
        last = measured[f"prepare x{times[-1]}"]
        if stage in BY_HOURS:
            seconds, _, _ = _at(stage, times, measured, last["utterances"] * hours / last["hours"])
        if stage == "prepare":
            disk = last["bytes"] * hours / last["hours"]
        below = "" if _slope(stage, times, measured)[1] else "< "
        parts = MACHINES * CORES if stage in FREE else CORES if stage == "prepare" else 1
        rows.append(
            [
                f"`{stage}`",
                below + _time(seconds),
                below + _time(seconds / parts),
                f"{memory / 1000:,.1f}",
                f"{disk / 1e9:,.2f}",
            ]
        )
    heads = ["stage", "one core", f"on {MACHINES}", "memory [GB]", "disk [GB]"]
    return f"### {name}: {hours:,.0f} h, {count:,} utterances\n\n{table(heads, rows)}"


def _breaks(stages: list[str], times: list[int], measured: dict[str, Any]) -> str:
    def first(stage: str, what: int, limit: float) -> float:
        low, high = 1e3, 1e13
        if _at(stage, times, measured, high)[what] < limit:
            return high
        for _ in range(100):
            middle = (low * high) ** 0.5
            low, high = (middle, high) if _at(stage, times, measured, middle)[what] < limit else (low, middle)
        return low

    found = [(stage, first(stage, 1, MEMORY_GB * 1000), first(stage, 0, 30 * 86400)) for stage in stages]
    found.sort(key=lambda one: min(one[1], one[2]))
    rows = [[f"`{stage}`", _hours(memory), _hours(time), NOTE[stage]] for stage, memory, time in found]
    return table(["stage", f"{MEMORY_GB} GB at", "30 days at", "what grows"], rows)


def _hours(utterances: float) -> str:
    hours = utterances * 3 / 3600
    if hours > 1e7:
        return "beyond 10,000,000 h"
    digits = 10 ** max(0, len(str(int(hours))) - 2)
    return f"{round(hours / digits) * digits:,.0f} h"


def _time(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}"
    return f"{seconds:.0f} s"
