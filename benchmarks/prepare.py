"""Speed and memory of ``emoset prepare``: the four real corpora, then four copies of each, into fresh workspaces.

The copies are links under corpora keys of their own (``emodb-1`` to ``emodb-4``), added by a temporary registry.
"Cold" is a fresh workspace; the recordings themselves lie in the system's file cache, as after unpacking them.
"""

import json
import tempfile
from pathlib import Path

import yaml
from common import KEYS, PROJECT, Cost, alternate, arguments, claim, conclude, emoset, folders, measure, middle

COPIES = 4
TARGET_SPEED = 400  # times real time
TARGET_GROWTH = 1.2  # of peak memory with four times the data: the table of utterances grows, nothing else may


def main() -> None:
    """Measure one and four times the data in turn, each cold and then again."""
    options = arguments(__doc__, rounds=2)
    once = folders(options)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        data = {"1": once, str(COPIES): _copies(place, once)}
        work = {}
        for times, corpora in data.items():
            words = ["prepare", *(f"{key}={folder}" for key, folder in corpora.items()), "--json", "-q"]
            words += ["--registry", place / "corpora.yaml"]
            work[f"{times} cold"] = lambda words=words: _cold(place, words)
            work[f"{times} again"] = lambda words=words: measure(emoset(*words, "-d", place / "workspace"))
        costs = alternate(work, options.rounds)
    rows: list[list[object]] = []
    for name, found in costs.items():
        hours = sum(corpus["total_h"] for corpus in json.loads(found[0].out)["corpora"])
        wall = middle(found)
        rows.append([name.replace(" ", " x, "), f"{hours:.2f}", f"{wall:.2f}", f"{middle(found, 'cpu_s'):.2f}",
                     f"{3600 * hours / wall:.0f}", f"{middle(found, 'peak_mb'):.0f}"])  # fmt: skip
    growth = middle(costs[f"{COPIES} cold"], "peak_mb") / max(middle(costs["1 cold"], "peak_mb"), 1)
    claims = [
        claim("`emoset prepare` of four corpora, cold", float(str(rows[0][4])), "x real time", f">= {TARGET_SPEED} x",
              TARGET_SPEED, at_least=True),
        claim(f"peak memory, {COPIES} x the data / 1 x", growth, "x", "does not grow with hours", TARGET_GROWTH),
    ]  # fmt: skip
    heads = ["data", "speech [h]", "wall [s]", "processor time [s]", "x real time", "peak memory [MB]"]
    conclude("prepare", "emoset prepare of EmoDB, RAVDESS, EMOVO and URDU", heads, rows, claims, costs=costs)


def _cold(place: Path, words: list[object]) -> Cost:
    with tempfile.TemporaryDirectory(dir=place) as fresh:
        cost = measure(emoset(*words, "-d", Path(fresh) / "workspace"))
        workspace = place / "workspace"
        if workspace.exists():
            workspace.rename(Path(fresh) / "old")
        (Path(fresh) / "workspace").rename(workspace)  # for the second run
    return cost


def _copies(place: Path, once: dict[str, Path]) -> dict[str, Path]:
    """Links to the corpora under further keys, and the registry that knows these."""
    builtin = yaml.safe_load((PROJECT / "corpora.yaml").read_text(encoding="utf-8"))
    keys = {f"{key}-{number}": key for key in KEYS for number in range(1, COPIES + 1)}
    entries = {copy: builtin[key] for copy, key in keys.items()}
    (place / "corpora.yaml").write_text(json.dumps(entries), encoding="utf-8")  # JSON is YAML with all texts quoted
    for copy, key in keys.items():
        (place / copy).symlink_to(once[key])
    return {copy: place / copy for copy in keys}


if __name__ == "__main__":
    main()
