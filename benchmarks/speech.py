"""Speed of ``emoset extract wav2vec2``, from the store to pooled features, beside transformers' own documented loop.

wav2vec2-base with random weights, unless ``--model`` names another: speed does not depend on the numbers. The plain
loop is what transformers' pages show: one utterance at a time through feature extractor and model in float32, with
torch's own threads. "Warm" is what a corpus of many hours comes near to: the worker processes run and have their
network. A busy neighbour hurts the plain loop most, for its threads wait for each other; so it also runs with one
thread, and processor time is compared with that. Also told: how far our float32 is from transformers', and bfloat16
from float32, on random weights.
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
UTTERANCES, QUICK = 96, 14  # every n-th of the corpus
PRECISIONS = ["fp32", "bf16"]


def main() -> None:
    """Measure the plain loop and the warm workers in turn."""
    more = argparse.ArgumentParser(add_help=False)
    more.add_argument("--model")
    ours, sys.argv[1:] = more.parse_known_args()
    about = f"{__doc__}\n--model NAME_OR_FOLDER: of the encoder, see `emoset extract --help`"
    options = arguments(about, rounds=3, quick=f"{QUICK} utterances, about 40 s")
    with tempfile.TemporaryDirectory() as workspace:
        measure(emoset("prepare", f"{KEY}={folders(options, [KEY])[KEY]}", "-q", "-d", workspace))
        model = str(ours.model or random_encoder(Path(workspace)))

        def run(what: str) -> Cost:
            return measure([sys.executable, __file__, what, workspace, model, str(int(options.quick))])

        work = {"plain": lambda: run("plain"), "alone": lambda: run("alone")}
        work |= {precision: lambda precision=precision: run(precision) for precision in PRECISIONS}
        costs = alternate(work, options.rounds)
        told = json.loads(run("numbers").out)
    facts = {name: [json.loads(cost.out.splitlines()[-1]) for cost in done] for name, done in costs.items()}
    _conclude(Path(model).name, costs, facts, told)


def _conclude(
    model: str, costs: dict[str, list[Cost]], facts: dict[str, list[dict[str, float]]], told: dict[str, float]
) -> None:
    plain = facts["plain"]
    names = {
        "plain": "transformers' loop, fp32",
        "alone": "the same, one thread",
        "fp32": "emoset, fp32",
        "bf16": "emoset, bf16",
    }
    rows: list[list[object]] = [
        [names[way], f"{middle(costs[way]):.1f}", f"{_mid(done, 'hours_s'):.5f}", f"{3600 * _mid(done, 'hours_s'):.1f}",
         f"{_mid(done, 'cpu_s'):.2f}", f"{_ratio(done, plain):.2f}"]
        for way, done in facts.items()
    ]  # fmt: skip
    less = _mid(facts["alone"], "cpu_s") / _mid(facts["bf16"], "cpu_s")
    claims = [
        claim("bf16 / plain loop", _ratio(facts["bf16"], plain), "x", ">= 3 x", 3, at_least=True),
        claim("fp32 / plain loop", _ratio(facts["fp32"], plain), "x", ">= 1 x", 1, at_least=True),
        claim("bf16 / plain loop with one thread, processor time", less, "x", ">= 1.8 x", 1.8, at_least=True),
        claim("fp32: largest difference of a state from transformers'", 1e5 * told["from_transformers"], "1e-5",
              "<= 1e-4", 10),
        claim("bf16: relative error of pooled features", 100 * told["relative_error"], "%", "<= 2 %", 2),
        claim("bf16: least cosine of an utterance's pooled features", told["cosine"], "", ">= 0.999", 0.999, True),
    ]  # fmt: skip
    heads = ["way", "whole process [s]", "warm: hours of speech/s", "x real time", "processor time/s of speech [s]",
             "x plain loop"]  # fmt: skip
    title = f"Speech encoder {model} on {plain[0]['seconds']:.0f} s of EmoDB, from the store to pooled features"
    conclude("speech", title, heads, rows, claims, costs=costs, facts=facts, numbers=told)


def _mid(facts: list[dict[str, float]], what: str) -> float:
    return float(median(one[what] for one in facts))


def _ratio(fast: list[dict[str, float]], slow: list[dict[str, float]]) -> float:
    return float(median(one["hours_s"] / other["hours_s"] for one, other in zip(fast, slow, strict=True)))


def random_encoder(workspace: Path) -> Path:
    """wav2vec2-base with random weights."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    Wav2Vec2Model(Wav2Vec2Config()).save_pretrained(workspace / "wav2vec2-base")
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(workspace / "wav2vec2-base")
    return workspace / "wav2vec2-base"


def _sample(workspace: Path, quick: bool) -> Any:
    from emoset_cli.prepare import read_utterances

    table = read_utterances(workspace, KEY)
    return table.iloc[:: max(1, len(table) // (QUICK if quick else UTTERANCES))]


def _facts(table: Any, took: float, cpu: float) -> str:
    seconds = float(table["duration_s"].sum())
    return json.dumps({"seconds": seconds, "hours_s": seconds / 3600 / took, "cpu_s": cpu / seconds})


def warm(workspace: Path, model: str, quick: bool, precision: str) -> None:
    """Extract twice in one process; time the second."""
    from emoset_cli import feature_store, features

    table = _sample(workspace, quick)
    recipe = features.recipe("wav2vec2", {"model": model, "precision": precision})
    feature_store._PER_JOB = max(1, min(feature_store._PER_JOB, len(table) // (4 * recipe.workers)))

    def extract() -> None:
        feature_store.extract(workspace, recipe, KEY, table, recipe.workers, force=True)

    extract()
    start, cpu = time.perf_counter(), processor_s()
    extract()
    print(_facts(table, time.perf_counter() - start, processor_s() - cpu))


def _loop(workspace: Path, model: str, table: Any) -> Any:
    """transformers as its pages show it, an utterance at a time: yields ``(frames, width)``."""
    import numpy as np
    import torch
    from transformers import AutoFeatureExtractor, AutoModel

    from emoset_cli.store import AudioStore

    hear, network = AutoFeatureExtractor.from_pretrained(model), AutoModel.from_pretrained(model).eval()
    store = AudioStore(workspace / "corpora" / KEY / "audio")
    while True:
        for cell in table[["shard", "offset", "samples"]].itertuples(index=False, name=None):
            wave = store.samples(*cell).astype(np.float32) / 32768
            with torch.no_grad():
                yield network(**hear(wave, sampling_rate=16000, return_tensors="pt")).last_hidden_state[0]


def alone(workspace: Path, model: str, quick: bool) -> None:
    """The plain loop with one thread."""
    import torch

    torch.set_num_threads(1)
    plain(workspace, model, quick)


def plain(workspace: Path, model: str, quick: bool) -> None:
    """The plain loop, warm after all utterances."""
    table = _sample(workspace, quick)
    states = _loop(workspace, model, table)
    for _ in range(len(table)):
        next(states)
    start, cpu = time.perf_counter(), time.process_time()
    for _ in range(len(table)):
        next(states).mean(0)
    print(_facts(table, time.perf_counter() - start, time.process_time() - cpu))


def numbers(workspace: Path, model: str, quick: bool) -> None:
    """How far float32 is from transformers', and bfloat16 from float32."""
    import numpy as np
    import torch

    from emoset_cli.models.speech import SpeechEncoder
    from emoset_cli.models.speech_load import read_encoder
    from emoset_cli.store import AudioStore

    table = _sample(workspace, True)
    store, read = AudioStore(workspace / "corpora" / KEY / "audio"), read_encoder(model)
    exact, rough = (SpeechEncoder(read).to_precision(word) for word in PRECISIONS)
    theirs, most, pairs = _loop(workspace, model, table), 0.0, []
    for cell in table[["shard", "offset", "samples"]].itertuples(index=False, name=None):
        wave = torch.from_numpy(store.samples(*cell))[None]
        with torch.inference_mode():
            one, other = (encoder(wave, torch.tensor([wave.shape[1]]))[0][0] for encoder in (exact, rough))
            most = max(most, float((one - next(theirs)).abs().max()))
            pairs.append((one.mean(0).numpy(), other.mean(0).numpy()))
    first, second = (np.stack(half) for half in zip(*pairs, strict=True))
    norms = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    error = float(np.linalg.norm(first - second) / np.linalg.norm(first))
    told = {
        "from_transformers": most,
        "relative_error": error,
        "cosine": float(((first * second).sum(1) / norms).min()),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in {"plain", "alone", "numbers", *PRECISIONS}:
        sys.path.insert(0, str(PROJECT))
        what, folder, name, quick = sys.argv[1:]
        given = (Path(folder), name, quick == "1")
        others = {"plain": plain, "alone": alone, "numbers": numbers}
        warm(*given, what) if what in PRECISIONS else others[what](*given)
    else:
        main()
