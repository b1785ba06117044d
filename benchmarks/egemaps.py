"""Speed of ``emoset extract egemaps`` with 2 processes against one bare ``opensmile.Smile.process_signal`` loop.

Both read the same arrays from the store of a prepared workspace. "Whole" counts everything from the start of the
process to its end. "Warm" compares within one process, where openSMILE is imported and the worker processes run
already: what a corpus of many hours comes near to. Features that are not equal bit for bit end the script. Two
processes need two free cores; where others use them, the processor times tell more than the walls.
"""

import json
import sys
import tempfile
import time
from math import isnan, nan
from pathlib import Path
from typing import Any

from common import KEYS, PROJECT, Cost, alternate, arguments, claim, conclude, emoset, folders, measure, middle, ratio

WORKERS = 2
TARGET = 1.8
FEATURE = "egemaps-v02"


def main() -> None:
    """Measure each corpus by itself, the bare loop and the command in turn."""
    options = arguments(__doc__, rounds=1, quick="EmoDB alone")
    found = folders(options, ["emodb"] if options.quick else KEYS)
    with tempfile.TemporaryDirectory() as workspace:
        measure(emoset("prepare", *(f"{key}={folder}" for key, folder in found.items()), "-q", "-d", workspace))
        work = {}
        for key in found:
            extract = emoset("extract", "egemaps", key, "-d", workspace, "-q", "--force", "--workers", WORKERS)
            work[f"bare {key}"] = lambda key=key: _self("bare", workspace, key)
            work[f"emoset {key}"] = lambda extract=extract: measure(extract)
        costs = alternate(work, options.rounds)
        for key in found:
            _self("equal", workspace, key)
        warm = [json.loads(_self("warm", workspace, "emodb").out) for _ in range(options.rounds)]
    whole = {who: [sum((costs[f"{who} {key}"][turn] for key in found), Cost(0, 0)) for turn in range(options.rounds)]
             for who in ("bare", "emoset")}  # fmt: skip
    hours = {key: json.loads(costs[f"bare {key}"][0].out)["hours"] for key in found}
    rows = [_row(key, hours[key], costs[f"bare {key}"], costs[f"emoset {key}"]) for key in found]
    rows += [_row("together", sum(hours.values()), whole["bare"], whole["emoset"])] if len(found) > 1 else []
    bare, ours = ([Cost(one[who], nan) for one in warm] for who in ("bare", "emoset"))
    rows.append(_row("emodb, warm", hours["emodb"], bare, ours))
    claims = [
        claim(f"`emoset extract egemaps` with {WORKERS} processes / bare loop, whole processes",
              ratio(whole["bare"], whole["emoset"]), "x", f">= {TARGET} x", TARGET, at_least=True),
        claim("the same, warm", ratio(bare, ours), "x", f">= {TARGET} x", TARGET, at_least=True),
    ]  # fmt: skip
    heads = ["corpus", "speech [h]", "bare loop [s]", "emoset [s]", "ratio", "emoset x real time",
             "processor time: bare [s]", "emoset [s]", "ratio if cores are free, at most"]  # fmt: skip
    title = "eGeMAPS v02: a bare opensmile loop and emoset extract, equal bit for bit"
    conclude("egemaps", title, heads, rows, claims, costs=costs, warm=warm)


def _row(name: str, hours: float, bare: list[Cost], ours: list[Cost]) -> list[object]:
    return [name, f"{hours:.2f}", f"{middle(bare):.1f}", f"{middle(ours):.1f}", f"{ratio(bare, ours):.2f}",
            f"{3600 * hours / middle(ours):.0f}", *_used(bare, ours)]  # fmt: skip


def _used(bare: list[Cost], ours: list[Cost]) -> list[str]:
    """Processor times, and the ratio they allow on cores that nobody else uses."""
    one, other = middle(bare, "cpu_s"), middle(ours, "cpu_s")
    return ["", "", ""] if isnan(one) else [f"{one:.1f}", f"{other:.1f}", f"{WORKERS * one / other:.2f}"]


def _self(what: str, workspace: str, key: str) -> Cost:
    return measure([sys.executable, __file__, what, workspace, key])


def _waveforms(workspace: Path, key: str) -> list[Any]:
    """The recordings of a corpus as a bare loop wants them: float32 between -1 and 1."""
    import numpy as np
    import pandas as pd

    folder = workspace / "corpora" / key
    table = pd.read_parquet(folder / "utterances.parquet").drop_duplicates("audio")
    cells = zip(table["shard"], table["offset"], table["samples"], strict=True)
    shards = {shard: np.fromfile(folder / "audio" / f"{shard}.i16", np.int16) for shard in table["shard"].unique()}
    return [shards[shard][at : at + samples].astype(np.float32) / 32768 for shard, at, samples in cells]


def _loop(waveforms: list[Any]) -> Any:
    import numpy as np
    import opensmile

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    return np.concatenate([smile.process_signal(waveform, 16000).to_numpy() for waveform in waveforms])


def bare(workspace: Path, key: str) -> None:
    """The bare loop as a process of its own; keeps its features for `equal`."""
    import numpy as np

    waveforms = _waveforms(workspace, key)
    np.save(workspace / f"{key}.npy", _loop(waveforms))
    print(json.dumps({"hours": sum(map(len, waveforms)) / 16000 / 3600}))


def equal(workspace: Path, key: str) -> None:
    """Compare what both wrote."""
    import numpy as np

    from emoset_cli import feature_store
    from emoset_cli.prepare import read_utterances

    table = read_utterances(workspace, key).drop_duplicates("audio")
    _, values = feature_store.load(workspace, FEATURE, key, table)
    if not np.array_equal(values, np.load(workspace / f"{key}.npy")):
        raise SystemExit(f"the features of {key} differ")


def warm(workspace: Path, key: str) -> None:
    """Both in one process, after a first extraction has started the worker processes; wall time only."""
    from emoset_cli import feature_store
    from emoset_cli.prepare import read_utterances

    table, waveforms = read_utterances(workspace, key), _waveforms(workspace, key)
    feature_store.extract(workspace, FEATURE, key, table.head(8 * feature_store._PER_JOB), WORKERS, force=True)
    _loop(waveforms[:4])
    took = {}
    work = {"bare": lambda: _loop(waveforms),
            "emoset": lambda: feature_store.extract(workspace, FEATURE, key, table, WORKERS, force=True)}  # fmt: skip
    for name, do in work.items():
        start = time.perf_counter()
        do()
        took[name] = time.perf_counter() - start
    print(json.dumps(took))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in {"bare", "equal", "warm"}:
        sys.path.insert(0, str(PROJECT))
        {"bare": bare, "equal": equal, "warm": warm}[sys.argv[1]](Path(sys.argv[2]), sys.argv[3])
    else:
        main()
