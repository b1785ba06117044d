"""What the benchmarks share: whole processes measured in turn, tables on stdout, JSON in ``results/``.

A busy neighbour slows whatever runs at that moment. So whatever is compared runs in turn within each round, and a
ratio is the median of the rounds' ratios. Wall time says what a user waits; processor time disturbs less easily.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = Path(__file__).resolve().parent / "results"
KEYS = ["emodb", "ravdess", "emovo", "urdu"]
PACKAGES = [
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "joblib",
    "opensmile",
    "soundfile",
    "soxr",
    "torch",
    "torchvision",
    "transformers",
    "typer",
]
_FLAGS = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"]
_SAMPLE_S = 0.05  # between two looks at a process's memory


@dataclass(frozen=True)
class Cost:
    """What a command took; processor time and peak memory include its worker processes.

    ``peak_mb`` is the largest sum of proportional set sizes (shared pages count once), None where there is no /proc.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float | None = None
    out: str = ""
    err: str = ""

    def __add__(self, other: "Cost") -> "Cost":
        peaks = [peak for peak in (self.peak_mb, other.peak_mb) if peak is not None]
        return Cost(self.wall_s + other.wall_s, self.cpu_s + other.cpu_s, max(peaks, default=None))


def arguments(about: str, rounds: int, **flags: str) -> argparse.Namespace:
    """The options of a benchmark; further ``flags`` are switches with their help."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("EMOSET_CORPORA") or PROJECT.parent / "shared" / "corpora")
    parser.add_argument("--corpora", type=Path, default=default, help="holds emodb/, ravdess/, ...; $EMOSET_CORPORA")
    parser.add_argument("--rounds", type=int, default=rounds, help="how often everything is measured")
    parser.add_argument("--nkululeko", type=Path, help="interpreter of an environment that holds nkululeko 1.14.1")
    for name, what in flags.items():
        parser.add_argument(f"--{name}", action="store_true", help=what)
    return parser.parse_args()


def folders(options: argparse.Namespace, keys: Iterable[str] = KEYS) -> dict[str, Path]:
    """Where the corpora lie; ends the script where one is not there."""
    found = {key: options.corpora.resolve() / key for key in keys}
    for key, folder in found.items():
        if not folder.is_dir():
            raise SystemExit(f"no {key} in {options.corpora}: give --corpora FOLDER or set EMOSET_CORPORA")
    return found


def emoset(*words: object) -> list[str]:
    """The command line of ``emoset`` in this interpreter, as its entry point starts it."""
    return [sys.executable, "-c", "from emoset_cli.cli.main import main; main()", *map(str, words)]


def answered(workspace: Path, words: str) -> Any:
    """The JSON answer of a command on a workspace; its time and progress go to stderr."""
    start = time.perf_counter()
    done = subprocess.run(
        emoset(*words.split(), "--json", "-d", workspace), stdout=subprocess.PIPE, text=True, check=False, cwd=PROJECT
    )
    sys.stderr.write(f"== {time.perf_counter() - start:.0f} s: emoset {words}\n")
    if done.returncode:
        raise SystemExit(f"emoset {words}: exit code {done.returncode}")
    return json.loads(done.stdout)


def measure(command: Sequence[str], cwd: Path | None = None, watch: bool = True) -> Cost:
    """Run a command to its end; ends the script if it fails.

    To watch the memory of a process and its workers takes some processor time of its own. Without, the peak is the
    largest resident set of any one of them.
    """
    path = os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EMOSET_")}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd, env=environment | {"PYTHONPATH": path}
        )
        peak = _Peak(process.pid) if watch else None
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        told = [_read(file) for file in (out, err)]
    if process.returncode:
        line = " ".join(map(str, command))
        raise SystemExit(f"{line}: exit code {process.returncode}\n{told[0][-500:]}{told[1][-1500:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, peak.stop() if peak else usage.ru_maxrss / 1024, *told)


def _read(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))


class _Peak:
    """Looks at the memory of a process and its descendants until `stop`."""

    def __init__(self, pid: int) -> None:
        self._pid, self._peak, self._over = pid, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> float | None:
        self._over.set()
        self._thread.join()
        return self._peak or None

    def _watch(self) -> None:
        while not self._over.wait(_SAMPLE_S):
            everything = sum(_proc_kb(f"/proc/{pid}/smaps_rollup", "Pss:") for pid in _tree(self._pid))
            highest = _proc_kb(f"/proc/{self._pid}/status", "VmHWM:")  # between two looks, of the first process
            self._peak = max(self._peak, everything / 1024, highest / 1024)


def _tree(pid: int) -> list[int]:
    found = [pid]
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += _tree(int(child))
    except OSError:  # it has gone
        pass
    return found


def processor_s() -> float:
    """Processor time of this process and its living descendants, where /proc tells; else of this process."""
    try:
        ticks = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13] for pid in _tree(os.getpid())]
    except OSError:
        return time.process_time()
    return sum(int(tick) for pair in ticks for tick in pair) / os.sysconf("SC_CLK_TCK")


def _proc_kb(path: str, field: str) -> int:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)


def alternate(work: dict[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Do everything once, then everything again: what is compared meets the same neighbours."""
    costs: dict[str, list[Cost]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, do in work.items():
            costs[name].append(do())
    return costs


def middle(costs: Iterable[Cost], what: str = "wall_s") -> float:
    """The median of a measure."""
    return float(median(getattr(cost, what) or 0.0 for cost in costs))


def ratio(slow: Iterable[Cost], fast: Iterable[Cost], what: str = "wall_s") -> float:
    """How many times the second is faster: the median over the rounds."""
    pairs = zip(slow, fast, strict=True)
    return float(median(getattr(one, what) / getattr(other, what) for one, other in pairs))


def claim(what: str, value: float, unit: str, target: str, limit: float, at_least: bool = False) -> dict[str, Any]:
    """A measured value beside its target; ``limit`` is what it must not pass (or, ``at_least``, must reach)."""
    met = value >= limit if at_least else value <= limit
    return {"what": what, "value": value, "unit": unit, "target": target, "met": bool(met)}


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table with columns of even width."""
    cells = [[str(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def conclude(
    name: str, title: str, heads: Sequence[str], rows: list[list[object]], claims: list[dict[str, Any]], **raw: Any
) -> None:
    """Print the table, then the claims; write all of it, with the single measurements, as JSON."""
    print(f"\n{title}\n\n{table(heads, rows)}\n")
    for one in claims:
        print(f"{one['what']}: {one['value']:.2f} {one['unit']} (target {one['target']}: {verdict(one)})")
    RESULTS.mkdir(exist_ok=True)
    plain = {key: _plain(value) for key, value in raw.items()}
    value = {"name": name, "title": title, "heads": list(heads), "rows": rows, "claims": claims, "machine": machine()}
    (RESULTS / f"{name}.json").write_text(json.dumps(value | {"raw": plain}, indent=1) + "\n", encoding="utf-8")


def matrix_product(precision: str) -> float:
    """GFLOP/s of a large matrix product in float32 (fp32) or bfloat16 (bf16), with as many threads as torch has."""
    import torch

    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(2048, 2048).to(kind) for _ in range(2))
    best = 0.0
    for _ in range(6):
        start = time.perf_counter()
        a @ b
        best = max(best, 2 * 2048**3 / (time.perf_counter() - start) / 1e9)
    return best


def verdict(one: dict[str, Any]) -> str:
    """Whether a claim holds, in a word."""
    return "met" if one["met"] else "MISSED"


def _plain(value: Any) -> Any:
    if isinstance(value, Cost):
        return {key: part for key, part in asdict(value).items() if key not in {"out", "err"}}
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    cpu = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    facts = dict(line.split(":", 1) for line in cpu.split("\n\n")[0].splitlines() if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    flags = facts.get("flags", "").split()
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "processor": facts.get("model name") or platform.processor() or platform.machine(),
        "flags": [flag for flag in _FLAGS if flag in flags],
        "system": f"{platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
