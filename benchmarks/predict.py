"""Speed of ``emoset predict`` on EmoDB's recordings beside the bare forward speed of the same model.

"Bare" is the model alone on waveforms that are decoded and in memory: for a network its forward in the batches that
training evaluates in, already padded; for an SVM its features and decision values. "predict" is everything between
files and answers: finding, reading and resampling them, batches of similar length, putting together, CSV and JSON. Both
have one thread or process, and run in turn in one process, whose start is not counted; the whole command's time stands
beside them.

Memory is the highest of the command's processes together for a recording of five minutes and one 12 times as long.
``--write`` puts the tables into docs/predict.md.
"""

import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from common import PROJECT, Cost, arguments, claim, conclude, emoset, folders, machine, measure, middle, ratio, table

PAGE = PROJECT / "docs" / "predict.md"
MARKS = "<!-- benchmarks/predict.py -->\n", "<!-- end -->\n"
RUNS = {"cnn": "emodb_cnn", "svm on eGeMAPS": "emodb_svm"}
SHORT_S, TIMES = 300, 12
RECORDINGS = 180  # of EmoDB, evenly spread
LEAST = 50  # % of the bare speed


def main() -> None:
    """Train both, measure both in turn, then memory."""
    options = arguments(__doc__, rounds=3, write="put the tables into docs/predict.md", memory="measure memory too")
    corpus = folders(options, ["emodb"])["emodb"]
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        common = ["-q", "-d", workspace]
        measure(emoset("prepare", f"emodb={corpus}", *common))
        measure(emoset("extract", "egemaps", *common))
        some = _links(corpus, workspace / "some")
        measure(emoset("train", "svm", "-t", "emodb", *common))
        quick = ["--preset", "quick", "-spe", "1", "-e", "1", "--precision", "fp32"]  # speed is that of any weights
        measure(emoset("train", "cnn", "-t", "emodb", *quick, *common))
        told = json.loads(measure([sys.executable, __file__, "speed", folder, str(some), str(options.rounds)]).out)
        whole = {
            name: [measure(emoset("predict", run, some, "--workers", "1", *common, "--json"))
                   for _ in range(options.rounds)] for name, run in RUNS.items()
        }  # fmt: skip
        peaks = _peaks(workspace, corpus) if options.memory else {}
    rows: list[list[object]] = []
    claims = []
    for name in RUNS:
        costs = {what: [Cost(one, 0) for one in told[name][what]] for what in ("bare", "predict")}
        speeds = {what: told["seconds"] / middle(found) for what, found in costs.items()}
        share = 100 * ratio(costs["bare"], costs["predict"])
        rows.append([name, f"{speeds['bare']:.0f}", f"{speeds['predict']:.0f}", f"{share:.0f} %",
                     f"{middle(whole[name]):.1f}"])  # fmt: skip
        claims.append(claim(f"predict / bare, {name}", share, "%", f">= {LEAST} %", LEAST, at_least=True))
    heads = ["model", "bare [s of speech / s]", "predict [s of speech / s]", "share", "whole command [s]"]
    words = f"{told['recordings']} recordings, {told['seconds'] / 60:.1f} minutes of speech"
    memory_rows: list[list[object]] = []
    if peaks:
        memory_rows = [[name, *(f"{found[seconds]:.0f}" for seconds in sorted(found))] for name, found in peaks.items()]
        for name, found in peaks.items():
            grown = found[SHORT_S * TIMES] - found[SHORT_S]
            claims.append(claim(f"memory of {TIMES} times the length, {name}", grown, "MB more", "<= 100 MB", 100))
    memory_heads = ["model", f"{SHORT_S / 60:g} minutes [MB]", f"{SHORT_S * TIMES / 60:g} minutes [MB]"]
    conclude("predict", "Predicting EmoDB's recordings", heads, rows, claims, told=words, raw=told, memory=peaks)
    if options.write:
        parts = [f"{words}, on {machine()['processor']}; one thread, one process; median of {options.rounds} rounds.",
                 table(heads, rows)]  # fmt: skip
        parts += ["Highest memory of one recording, in windows:", table(memory_heads, memory_rows)] if peaks else []
        _put("\n\n".join(parts) + "\n")


def _links(corpus: Path, folder: Path) -> Path:
    """A folder of links to some of the recordings."""
    folder.mkdir()
    paths = sorted((corpus / "wav").glob("*.wav"))
    for number in range(RECORDINGS):
        path = paths[number * len(paths) // RECORDINGS]
        (folder / path.name).symlink_to(path)
    return folder


def _put(text: str) -> None:
    """Replace what stands between the marks of the page."""
    page = PAGE.read_text(encoding="utf-8")
    start, end = map(re.escape, MARKS)
    PAGE.write_text(
        re.sub(f"(?s)({start}).*?({end})", lambda found: found[1] + text + found[2], page), encoding="utf-8"
    )


def _peaks(workspace: Path, corpus: Path) -> dict[str, dict[int, float]]:
    """Peak memory in MB of predicting recordings of two lengths, by model and seconds."""
    import numpy as np
    import soundfile

    parts = [soundfile.read(path, dtype="int16")[0] for path in sorted((corpus / "wav").glob("*.wav"))]
    speech = np.concatenate(parts)[: SHORT_S * 16000]
    found: dict[str, dict[int, float]] = {name: {} for name in RUNS}
    for times in (1, TIMES):
        file = workspace / f"{times}.flac"
        with soundfile.SoundFile(file, "w", 16000, 1) as out:
            for _ in range(times):
                out.write(speech)
        for name, run in RUNS.items():
            words = ["predict", run, file, "--window", "10", "--hop", "10", "--workers", "1"]
            cost = measure(emoset(*words, "-q", "--json", "-d", workspace))
            found[name][SHORT_S * times] = cost.peak_mb or 0.0
    return found


def speed(workspace: Path, some: Path, rounds: int) -> None:
    """Both models in turn, after a first look at a few recordings; prints JSON."""
    import numpy as np
    import torch

    from emoset_cli import audio, runs
    from emoset_cli.predict import facts, predicting, windows, write
    from emoset_cli.predict.inputs import find_recordings
    from emoset_cli.predict.model import open_model
    from emoset_cli.predict.windows import Piece

    torch.set_num_threads(1)
    cut = windows.cut_of(None, None, 3.0)
    recordings, _ = find_recordings([some])
    waves = []
    for one in recordings:
        blocks: list[Any] = []
        audio.read(one.path, blocks.append)
        waves.append(np.concatenate(blocks))
    order = sorted(range(len(waves)), key=lambda row: len(waves[row]))
    padded = _padded([waves[row] for row in order])
    models = {name: open_model(runs.find_run(workspace, run), workers=1) for name, run in RUNS.items()}
    torch.set_num_threads(1)
    told: dict[str, Any] = {name: {"bare": [], "predict": []} for name in RUNS}
    told |= {"recordings": len(waves), "seconds": sum(map(len, waves)) / 16000}
    for number in range(rounds + 1):
        for name, model in models.items():
            start = time.perf_counter()
            if name == "cnn":
                _forward(model, padded)
            else:
                batches = [[Piece(row, 0, 0, waves[row]) for row in order]]
                for _, values in model.heard(batches, False):
                    model.said(values)
            between = time.perf_counter()
            found = predicting.predict(model, recordings, cut, workers=1)
            answer = {"heads": model.heads, "recordings": [facts.facts_of(one, model.heads, None, {}) for one in found]}
            write.predictions_csv(answer)
            json.dumps(answer)
            if number:  # the first round warms up
                told[name]["bare"].append(between - start)
                told[name]["predict"].append(time.perf_counter() - between)
    print(json.dumps(told))


def _padded(waves: list[Any]) -> list[tuple[Any, Any]]:
    """Batches of eight utterances of similar length, as training evaluates them, and their lengths."""
    import torch

    batches = []
    for at in range(0, len(waves), 8):
        some = waves[at : at + 8]
        batch = torch.zeros(len(some), max(map(len, some)), dtype=torch.int16)
        for row, wave in enumerate(some):
            batch[row, : len(wave)] = torch.from_numpy(wave)
        batches.append((batch, torch.tensor([len(wave) for wave in some])))
    return batches


def _forward(model: Any, batches: list[tuple[Any, Any]]) -> None:
    """The network alone."""
    import torch

    network = model._networks[0]
    (head,) = model.heads
    with torch.no_grad():
        for batch, lengths in batches:
            network.model(batch, lengths, head).softmax(1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["speed"]:
        sys.path.insert(0, str(PROJECT))
        speed(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
