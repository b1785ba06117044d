"""How time, memory and disk grow with the corpus: real recordings of EmoDB and EMOVO once, and up to 16 times.

Each copy differs in one sample, so that no recording is the same as another: features are kept by what is heard, and
would else be made once. Every command runs in a process of its own with one thread; its time is processor time, which
a busy neighbour disturbs least, and its memory the largest resident set that the system reports.

Usage: python benchmarks/scaling.py [--corpora FOLDER] [--recordings N] [--workspace FOLDER]. With --workspace it goes
on where it was interrupted. Writes results/scaling.json, and docs/scaling.md anew (--page: from what was measured).
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import scaling_page
import soundfile
from common import PROJECT, RESULTS, emoset, machine, measure
from deepspectrum import random_weights
from speech import random_encoder

KEY = "repeated"
TIMES = [1, 2, 4, 8, 16]
FEW = 24  # recordings for the stages whose throughput alone is measured
EMODB = {"W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "joy", "T": "sadness", "N": "neutral"}
EMOVO = {"rab": "anger", "dis": "disgust", "pau": "fear", "gio": "joy", "tri": "sadness", "neu": "neutral",
         "sor": "surprise"}  # fmt: skip
LABELS = sorted({*EMODB.values(), *EMOVO.values()})
ENTRY = {KEY: {"language": "deu", "path": r"(?P<speaker>c\d\d-\w+?)_(?P<label>[a-z]+)_\d+$",
               "labels": {label: label for label in LABELS}}}  # fmt: skip
SMALL = "-nf 4 -N 1 -nm 32 -w 3 -bs 32 --precision fp32 --preset cli-20 -p 9 -e 1"
FULL = "--precision fp32 --preset quick -bs 8 -w 3 -e 1 -p 9 --steps-per-epoch 1"


def main() -> None:
    """Measure what was not yet measured and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("EMOSET_CORPORA") or PROJECT.parent / "shared" / "corpora")
    parser.add_argument("--corpora", type=Path, default=default)
    parser.add_argument("--recordings", type=int, default=1123, help="of EmoDB and EMOVO together that 1 x holds")
    parser.add_argument("--workspace", type=Path, default=None)
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    file = RESULTS / "scaling.json"
    told = {"recordings": options.recordings, "machine": machine(), "measured": {}}
    if file.is_file() and (options.workspace or options.page):
        before = json.loads(file.read_text("utf-8"))
        told = before if options.page or before["recordings"] == options.recordings else told
    if not options.page:
        with tempfile.TemporaryDirectory() as folder:
            place = (options.workspace or Path(folder)).resolve()
            for name, do in steps(place, options.corpora.resolve(), options.recordings):
                if name not in told["measured"]:
                    told["measured"][name] = do()
                    RESULTS.mkdir(exist_ok=True)
                    file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    (PROJECT / "docs" / "scaling.md").write_text(scaling_page.page(told), encoding="utf-8")


def steps(place: Path, corpora: Path, recordings: int) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """All that is measured: its name, and what measures it; each needs what was done before it."""
    source = place / "source"
    if not (place / "corpora.yaml").is_file():
        copies(source, corpora, recordings)
        place.joinpath("corpora.yaml").write_text(json.dumps(ENTRY), encoding="utf-8")
    for times in TIMES:
        folder = place / f"x{times}"
        for stage, words, made in commands(source, times):
            yield f"{stage} x{times}", lambda words=words, made=made, folder=folder: told(words, made, folder)
    few = place / "few"
    for stage, words in throughput(place, source, few):
        yield stage, lambda words=words: told(words, "", few)


def commands(source: Path, times: int) -> list[tuple[str, str, str]]:
    """Stage, command, and the folder whose growth is its disk, for so many copies."""
    return [
        ("prepare", f"prepare {KEY}={source / f'x{times}'} --partition speakers", "corpora"),
        ("extract egemaps", f"extract egemaps {KEY}", "features"),
        ("train svm", f"train svm -t {KEY}", "runs"),
        ("train forest", f"train forest -t {KEY}", "runs"),
        ("train cnn", f"train cnn -t {KEY} {SMALL}", "runs"),
        ("evaluate", "evaluate svm", "reports"),
        ("compare", "compare svm forest", "reports"),
    ]


def throughput(place: Path, source: Path, few: Path) -> Iterator[tuple[str, str]]:
    """Stages of which only the speed is measured, on a few recordings."""
    yield "few: prepare", f"prepare {KEY}={source / 'few'} --partition speakers"
    encoder = place / "wav2vec2-base"
    if not encoder.is_dir():
        random_encoder(place)
    yield "few: extract wav2vec2-base, fp32", f"extract wav2vec2 --model {encoder} --precision fp32 --pool mean"
    weights = place / "random.safetensors"
    if not weights.is_file():
        random_weights(place, "squeezenet1_0")
    words = f"extract deepspectrum --model squeezenet1_0 --weights {weights} --precision fp32"
    yield "few: extract deepspectrum squeezenet1_0, fp32", words
    yield "few: train cnn, EmoNet's size, fp32", f"train cnn -t {KEY} {FULL}"


def told(words: str, made: str, folder: Path) -> dict[str, Any]:
    """Cost of a command, what it said in numbers, and the bytes it left."""
    before = size(folder / made) if made else 0
    again = [] if words.split()[0] in {"evaluate", "compare"} else ["--workers", "1", "--force"]
    line = emoset(*words.split(), *again, "--json", "-q", "-d", folder)
    if words.split()[0] in {"prepare", "train"}:
        line += ["--registry", str(folder.parent / "corpora.yaml")]
    cost = measure(line, watch=False)
    print(f"{cost.cpu_s:8.1f} s {cost.peak_mb or 0:8.0f} MB  emoset {words}", flush=True)
    answer = json.loads(cost.out)
    found: dict[str, Any] = {"cpu_s": cost.cpu_s, "wall_s": cost.wall_s, "peak_mb": cost.peak_mb}
    found["bytes"] = size(folder / made) - before if made else 0
    if words.startswith("prepare"):
        (corpus,) = answer["corpora"]
        found |= {"utterances": corpus["utterances"], "hours": corpus["total_h"]}
    if "train cnn" in words:
        found["epochs"] = answer[0]["epochs"][0]
    return found


def size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def copies(source: Path, corpora: Path, recordings: int) -> None:
    """Write all copies, and a folder of links for each number of them: ``x1``, ``x2``, ... and ``few``."""
    files = [
        (path, f"emodb{path.stem[:2]}", EMODB[path.stem[5]]) for path in sorted((corpora / "emodb").rglob("*.wav"))
    ]
    for path in sorted((corpora / "emovo").rglob("*-*-*.*")):
        label, speaker, _ = path.stem.split("-", 2)
        files.append((path, f"emovo{speaker}", EMOVO[label]))
    chosen = [files[at * len(files) // recordings] for at in range(min(recordings, len(files)))]
    folders = [source / f"x{times}" for times in TIMES]
    for folder in [*folders, source / "all", source / "few"]:
        folder.mkdir(parents=True, exist_ok=True)
    for number, (path, speaker, label) in enumerate(chosen):
        samples, rate = soundfile.read(path, dtype="int16")
        first = samples.reshape(len(samples), -1)[0, 0]
        for copy in range(max(TIMES)):
            samples.reshape(len(samples), -1)[0, 0] = first // 2 + copy  # a sample of its own
            file = source / "all" / f"c{copy:02d}-{speaker}_{label}_{number}.wav"
            soundfile.write(file, samples, rate)
            few = [source / "few"] if copy == 0 and number % (len(chosen) // FEW) == 0 else []
            for folder in [folder for folder, times in zip(folders, TIMES, strict=True) if copy < times] + few:
                (folder / file.name).hardlink_to(file)


if __name__ == "__main__":
    main()
