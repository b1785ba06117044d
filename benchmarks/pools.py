"""``emoset run`` with two processes of joblib's loky beside a Dask cluster of two local workers: the same list of jobs.

The jobs are SVMs and small networks on EmoDB and EMOVO, each way in a workspace of its own, in turn. What they leave
must be equal bit by bit. Writes results/pools.json and the table in docs/cluster.md.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common import PROJECT, Cost, arguments, claim, conclude, emoset, folders, machine, measure, middle, ratio, table

CORPORA = ["emodb", "emovo"]
WORKERS = 2
PLAN = """title: SVMs and small networks
corpora: [emodb, emovo]
runs:
  svm:
    train: svm
    over: each
    options: {partition: speakers}
    grid: {normalise: [train, corpus, speaker]}
  cnn:
    train: cnn
    over: each
    options: {partition: speakers, filters: 4, blocks: 1, num-mels: 32, window: 2, precision: fp32, patience: 9,
              epochs: 1, steps-per-epoch: 4}
    seeds: [0, 1]
"""
PAGE = PROJECT / "docs" / "cluster.md"


def main() -> None:
    """Run the plan each way in turn and write the table."""
    options = arguments(__doc__, rounds=3)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "plan.yaml").write_text(PLAN, encoding="utf-8")
        corpora = [f"{key}={folder}" for key, folder in folders(options, CORPORA).items()]
        measure(emoset("prepare", *corpora, "-q", "-d", place / "prepared"))
        measure(emoset("extract", "egemaps", "-q", "-d", place / "prepared"))
        costs: dict[str, list[Cost]] = {"processes": [], "dask": []}
        left: dict[str, list[dict[str, str]]] = {"processes": [], "dask": []}
        with cluster() as address:
            ways = {"processes": ["--workers", str(WORKERS)], "dask": ["--scheduler", address]}
            for turn in range(options.rounds):
                for way in list(ways)[:: 1 if turn % 2 else -1]:
                    workspace = place / f"{way}-{turn}"
                    shutil.copytree(place / "prepared", workspace)
                    line = emoset("run", place / "plan.yaml", *ways[way], "-q", "--json", "-d", workspace)
                    costs[way].append(measure(line))
                    left[way].append(results(workspace))
    same = all(one == left["processes"][0] for found in left.values() for one in found)
    jobs = len({file.partition("/")[0] for file in left["processes"][0]})
    quotient = ratio(costs["dask"], costs["processes"])
    rows: list[list[object]] = [
        [f"{WORKERS} processes (joblib's loky)", f"{middle(costs['processes']):.1f}", "1.00"],
        [f"Dask, {WORKERS} local workers", f"{middle(costs['dask']):.1f}", f"{quotient:.2f}"],
    ]
    heads = ["way", "wall time [s]", "x processes"]
    claims = [
        claim("Dask / processes, wall time", quotient, "x", "<= 1.25 x", 1.25),
        claim("files of all runs equal bit by bit", float(same), "of 1", "1", 1, at_least=True),
    ]
    conclude("pools", "emoset run by processes and by Dask", heads, rows, claims, costs=costs)
    files, facts = len(left["processes"][0]), machine()
    told = (
        f"{jobs} runs, {options.rounds} rounds, medians, on {facts['cores']} cores of {facts['processor']} while other "
        f"work\nran: only the ratio tells. The {files} files of results and weights are "
        f"{'equal bit by bit' if same else 'NOT EQUAL'} in all rounds. Starting the\ncluster is not counted."
    )
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.partition("<!-- pools -->")[0], text.partition("<!-- /pools -->")[2]
    PAGE.write_text(f"{before}<!-- pools -->\n{told}\n\n{table(heads, rows)}\n<!-- /pools -->{after}", encoding="utf-8")


@contextmanager
def cluster() -> Iterator[str]:
    """A Dask cluster of local workers with a thread each, in a process of its own; its address."""
    process = subprocess.Popen([sys.executable, __file__, "cluster"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, cwd=PROJECT)  # fmt: skip
    assert process.stdin and process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def serve() -> None:
    """What that process does: say the address, and wait until nobody needs it."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None) as found:
        print(found.scheduler_address, flush=True)
        sys.stdin.read()


def results(workspace: Path) -> dict[str, str]:
    """File of a run -> digest, of all that must not depend on who did it: predictions, weights, settings."""
    files = [
        path for path in sorted((workspace / "runs").rglob("*")) if path.suffix in {".csv", ".safetensors", ".json"}
    ]
    return {str(path.relative_to(workspace / "runs")): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


if __name__ == "__main__":
    if sys.argv[1:] == ["cluster"]:
        serve()
    else:
        main()
