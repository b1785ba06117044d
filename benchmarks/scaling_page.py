"""The page docs/scaling.md from what scaling.py measured: growth, what large corpora would cost, what breaks first."""

from math import log2
from typing import Any

from common import table

CORPORA = {  # hours and utterances
    "EmoSet, 26 corpora (Gerczuk et al. 2021)": (65.6, 84161),
    "MSP-Podcast 1.8, counted at 5.5 s an utterance": (73042 * 5.5 / 3600, 73042),
    "100,000 h, counted at 3 s an utterance": (100_000.0, 120_000_000),
}
MACHINES, CORES = 16, 16
MEMORY_GB = 64
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
FREE = {"extract egemaps", "train cnn"}  # shared by machines as well
NOTE = {
    "prepare": "the table of utterances and the names of all recordings are in memory",
    "extract egemaps": "the features of a corpus are joined into one array, which is in memory twice for a moment",
    "train svm": "features of all utterances in memory as float32 and float64; liblinear is linear in utterances",
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
        _growth(stages, times, measured, "cpu_s", "{:.1f}", 1),
        """The exponent is that of the growth between the last three columns, `log2` of how much more the last doubling
costs than the one before it; the start of the process falls out of it. 1 is linear; small differences are noise.""",
        "Peak memory in MB, the largest resident set of the process:",
        _growth(stages, times, measured, "peak_mb", "{:.0f}", 0),
        "What a stage leaves on disk, in MB:",
        _growth(stages, times, measured, "bytes", "{:.2f}", 0, 1e6),
        f"`train cnn` is EmoNet's network with 4 filters and a block a module, {base_epochs(measured, times)} epochs "
        "at each size, devel after each; `train svm` is the whole search for C and the last fit.",
        "## Measured: throughput",
        "Of one thread, from the last doubling above; the last three rows on a few recordings, the start of the "
        "process\nand the reading of weights included, which makes them too low by far for a large corpus "
        "([Speed](speed.md) has them warm).",
        _throughput(stages, times, measured),
        "## Extrapolated: what large corpora would cost",
        f"""Time goes on as between 8 x and 16 x, with the exponent above where it is over 1.15, else linearly; memory
and disk linearly from 4 x to 16 x. Of the CNN this is {base_epochs(measured, times)} epochs of the small network;
EmoNet's own has several times its work, and a GPU does it. "On {MACHINES}" is {MACHINES} machines of {CORES} cores,
where the stage can be shared so far, and without loss on the way.""",
        *(_cost(name, hours, count, stages, times, measured) for name, (hours, count) in CORPORA.items()),
        "## What breaks first",
        f"""Hours of speech (at 3 s an utterance) at which a stage needs {MEMORY_GB} GB of memory, and at which it takes
30 days on one core; extrapolated. The first line is what breaks first.""",
        _breaks(stages, times, measured),
        _READING,
    ]
    return "\n\n".join(parts) + "\n"


_READING = """What follows from it:

- **Memory, not time, is the first wall** of what holds whole tables: an SVM's features, the predictions of a run and
  their report. A network, which reads batch by batch, has no such wall.
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
    stages: list[str],
    times: list[int],
    measured: dict[str, Any],
    what: str,
    form: str,
    exponent: int,
    unit: float = 1.0,
) -> str:
    rows = []
    for stage in stages:
        values = [measured[f"{stage} x{n}"][what] / unit for n in times]
        last = f"{_exponent(values):.2f}" if exponent else f"{values[-1] / max(values[0], 1e-9):.1f} x"
        rows.append([f"`{stage}`", *(form.format(value) for value in values), last])
    return table(["stage", *(f"{n} x" for n in times), "exponent" if exponent else f"{times[-1]} x / 1 x"], rows)


def _exponent(values: list[float]) -> float:
    """How the last two doublings grow: their increments are in the ratio 2^p."""
    first, second = values[-2] - values[-3], values[-1] - values[-2]
    return log2(second / first) if first > 0 and second > 0 else 1.0


def _throughput(stages: list[str], times: list[int], measured: dict[str, Any]) -> str:
    a, b = (measured[f"prepare x{n}"] for n in times[-2:])
    rows: list[list[object]] = []
    for stage in stages:
        spent = measured[f"{stage} x{times[-1]}"]["cpu_s"] - measured[f"{stage} x{times[-2]}"]["cpu_s"]
        more = (b["utterances"] - a["utterances"]) / max(spent, 1e-9)
        rows.append([f"`{stage}`", f"{more:,.0f}", f"{3600 * (b['hours'] - a['hours']) / max(spent, 1e-9):,.0f}",
                     SHARED[stage]])  # fmt: skip
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
    power = _exponent([one["cpu_s"] for one in spent])
    power = power if power > 1.15 else 1.0
    slope = (spent[-1]["cpu_s"] - spent[-2]["cpu_s"]) / (counts[-1] ** power - counts[-2] ** power)
    seconds = spent[-1]["cpu_s"] + max(slope, 0.0) * (count**power - counts[-1] ** power)
    more = (count - counts[-1]) / (counts[-1] - counts[-3])
    memory, disk = (
        spent[-1][what] + more * max(spent[-1][what] - spent[-3][what], 0.0) for what in ("peak_mb", "bytes")
    )
    return max(seconds, 0.0), memory, disk


def _cost(name: str, hours: float, count: int, stages: list[str], times: list[int], measured: dict[str, Any]) -> str:
    rows = []
    for stage in stages:
        seconds, memory, disk = _at(stage, times, measured, count)
        if stage == "prepare":  # audio is by hours, not by utterances
            last = measured[f"prepare x{times[-1]}"]
            disk = last["bytes"] * hours / last["hours"]
        parts = MACHINES * CORES if stage in FREE else CORES if stage == "prepare" else 1
        rows.append(
            [f"`{stage}`", _time(seconds), _time(seconds / parts), f"{memory / 1000:,.1f}", f"{disk / 1e9:,.2f}"]
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
