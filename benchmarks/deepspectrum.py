"""Speed of ``emoset extract deepspectrum``, from the store to features, beside the machine's own matrix products.

VGG16 up to ``fc2`` with random weights, unless ``--model`` and ``--weights`` name others; speed does not depend on the
numbers. "Whole" counts everything from the start of the process to its end, reading the weights included. "Warm" is
what a corpus of many hours comes near to: the worker processes run and have their network. The peak is the speed of
large matrix products in as many processes, just before and just after; the share counts the network's products only.
The plain loop is what one would write in an evening: float32, batches of 32, torch's own threads, the same pictures.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from common import PROJECT, Cost, alternate, arguments, claim, conclude, emoset, folders, measure, middle, processor_s

KEY = "emodb"
SIZE = 2048  # of the matrices
TARGET = 30  # images a second with VGG16, on two cores with AMX
PRECISIONS = ["fp32", "bf16"]


def main() -> None:
    """Measure whole processes, warm workers and the plain loop in turn."""
    more = argparse.ArgumentParser(add_help=False)
    more.add_argument("--model", default="vgg16")
    more.add_argument("--weights", type=Path)
    ours, sys.argv[1:] = more.parse_known_args()
    about = f"{__doc__}\n--model NETWORK and --weights FILE: of the network, see `emoset extract --help`"
    options = arguments(about, rounds=3, quick="96 utterances, warm only")
    with tempfile.TemporaryDirectory() as workspace:
        measure(emoset("prepare", f"{KEY}={folders(options, [KEY])[KEY]}", "-q", "-d", workspace))
        weights = str(ours.weights.resolve() if ours.weights else random_weights(Path(workspace), ours.model))
        work = {}
        for precision in PRECISIONS:
            chosen = ["--model", ours.model, "--weights", weights, "--precision", precision]
            extract = emoset("extract", "deepspectrum", KEY, *chosen, "-d", workspace, "-q", "--force", "--json")
            if not options.quick:
                work[f"whole {precision}"] = lambda extract=extract: measure(extract)
            work[f"warm {precision}"] = lambda precision=precision: measure([
                sys.executable, __file__, "warm", workspace, ours.model, weights, precision, str(int(options.quick))
            ])  # fmt: skip
        work["plain loop"] = lambda: measure(
            [sys.executable, __file__, "plain", workspace, ours.model, weights, "fp32", str(int(options.quick))]
        )
        costs = alternate(work, options.rounds)
    facts = {name: [json.loads(cost.out) for cost in done] for name, done in costs.items() if "whole" not in name}
    _conclude(ours.model, costs, facts)


def _conclude(model: str, costs: dict[str, list[Cost]], facts: dict[str, list[dict[str, float]]]) -> None:
    loop = facts["plain loop"]
    rows: list[list[object]] = [["plain loop, fp32", "", f"{_mid(loop, 'images_s'):.1f}", *_work(loop)]]
    for precision in PRECISIONS:
        warm, whole = facts[f"warm {precision}"], costs.get(f"whole {precision}", [])
        count = warm[0]["images"]
        told = f"{middle(whole):.1f} ({count / middle(whole):.1f} images/s)" if whole else ""
        rows.append([f"emoset, {precision}", told, f"{_mid(warm, 'images_s'):.1f}", *_work(warm)])
    best = facts["warm bf16"]
    faster = median(one["images_s"] / other["images_s"] for one, other in zip(best, loop, strict=True))
    fp32 = median(a["images_s"] / b["images_s"] for a, b in zip(facts["warm fp32"], loop, strict=True))
    claims = [
        claim(f"{model}, store to features, bf16", _mid(best, "images_s"), "images/s",
              f">= {TARGET} with AMX", TARGET, at_least=True),
        claim("its share of the peak of bf16 matrix products", 100 * _mid(best, "share"), "%", ">= 75 %", 75, True),
        claim("bf16 / plain loop", faster, "x", ">= 2 x", 2, at_least=True),
        claim("fp32 / plain loop", fp32, "x", ">= 1 x", 1, at_least=True),
    ]  # fmt: skip
    heads = ["way", "whole [s]", "warm: images/s", "GFLOP/image", "GFLOP/s", "peak [GFLOP/s]", "share of peak",
             "processor time/image [ms]"]  # fmt: skip
    title = f"DeepSpectrum with {model} on EmoDB, from the store to features"
    conclude("deepspectrum", title, heads, rows, claims, costs=costs, facts=facts)


def _mid(facts: list[dict[str, float]], what: str) -> float:
    return float(median(one[what] for one in facts))


def _work(facts: list[dict[str, float]]) -> list[str]:
    return [f"{_mid(facts, 'gflop'):.1f}", f"{_mid(facts, 'gflop_s'):.0f}", f"{_mid(facts, 'peak'):.0f}",
            f"{100 * _mid(facts, 'share'):.0f} %", f"{1000 * _mid(facts, 'cpu_s_image'):.0f}"]  # fmt: skip


def random_weights(workspace: Path, model: str) -> Path:
    """Random weights of a network, as a file."""
    import torch
    from safetensors.torch import save_file
    from torchvision.models import get_model

    torch.manual_seed(0)
    save_file(get_model(model, weights=None).state_dict(), workspace / "random.safetensors")
    return workspace / "random.safetensors"


def products(precision: str) -> tuple[float, float]:
    """GFLOP/s of large matrix products with this process's threads (wall), and the threads."""
    import torch

    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    one, other = (torch.randn(SIZE, SIZE).to(dtype) for _ in range(2))
    one @ other
    start, times = time.perf_counter(), 0
    while (took := time.perf_counter() - start) < 1.0:
        one @ other
        times += 1
    return 2 * SIZE**3 * times / took / 1e9, torch.get_num_threads()


def _facts(images: int, took: float, cpu: float, peak: float, network: Any) -> str:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        network.to_precision("fp32")(torch.zeros(1, 3, 224, 224, dtype=torch.uint8))
    gflop = counter.get_total_flops() / 1e9
    reached = gflop * images / took
    told = {"images": images, "images_s": images / took, "gflop": gflop, "gflop_s": reached, "peak": peak}
    return json.dumps(told | {"share": reached / peak, "cpu_s_image": cpu / images})


def warm(workspace: Path, model: str, weights: str, precision: str, quick: bool) -> None:
    """Extract twice in one process; time the second, and the matrix products of the same workers around it."""
    from emoset_cli import feature_store, features
    from emoset_cli.models import imagenet
    from emoset_cli.parallel import run_jobs
    from emoset_cli.prepare import read_utterances

    table = read_utterances(workspace, KEY).head(96 if quick else None)
    recipe = features.recipe("deepspectrum", {"model": model, "weights": weights, "precision": precision})

    def extract(rows: Any) -> None:
        feature_store.extract(workspace, recipe, KEY, rows, recipe.workers, force=True)

    def peak() -> float:
        done = run_jobs(products, [(precision,)] * recipe.workers, recipe.workers)
        return sum(speed for speed, _ in done)

    extract(table.head(32 * recipe.workers))
    before, start, cpu = peak(), time.perf_counter(), processor_s()
    extract(table)
    took, cpu = time.perf_counter() - start, processor_s() - cpu
    network = imagenet.Activations(model, recipe.means["layer"], imagenet.read_weights(model, weights))
    print(_facts(len(table), took, cpu, (before + peak()) / 2, network))


def plain(workspace: Path, model: str, weights: str, precision: str, quick: bool) -> None:
    """The plain loop, pictures included."""
    import torch
    from torchvision.models import get_model
    from torchvision.models.feature_extraction import create_feature_extractor
    from torchvision.transforms.functional import normalize

    from emoset_cli.features.spectrogram import painter
    from emoset_cli.models import imagenet
    from emoset_cli.prepare import read_utterances
    from emoset_cli.store import AudioStore

    table = read_utterances(workspace, KEY).head(96 if quick else None)
    store, paint = AudioStore(workspace / "corpora" / KEY / "audio"), painter()
    read = imagenet.read_weights(model, weights)
    whole = get_model(model, weights=None).eval()
    whole.load_state_dict(read.tensors)
    layer = imagenet.default_layer(model)
    network = create_feature_extractor(whole, {layer: "out"}, suppress_diff_warning=True)
    cells = list(table[["shard", "offset", "samples"]].itertuples(index=False, name=None))

    def loop(cells: list[tuple[Any, ...]]) -> None:
        for at in range(0, len(cells), 32):
            pictures = torch.stack([paint(store.samples(*cell)) for cell in cells[at : at + 32]])
            with torch.no_grad():
                network(normalize(pictures.float() / 255, read.mean, read.sd))

    loop(cells[:32])
    before, start, cpu = products(precision)[0], time.perf_counter(), time.process_time()
    loop(cells)
    took, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = (before + products(precision)[0]) / 2
    print(_facts(len(cells), took, cpu, peak, imagenet.Activations(model, layer, read)))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in {"warm", "plain"}:
        sys.path.insert(0, str(PROJECT))
        what, folder, name, file, word, quick = sys.argv[1:]
        {"warm": warm, "plain": plain}[what](Path(folder), name, file, word, quick == "1")
    else:
        main()
