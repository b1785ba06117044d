"""The results of docs/results.md: eGeMAPS + SVM on EmoDB, RAVDESS, EMOVO and URDU, by the commands a user types.

Usage: python benchmarks/baselines.py [--corpora FOLDER] [--workspace FOLDER]. Writes docs/results.md anew.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
KEYS = ["emodb", "ravdess", "emovo", "urdu"]
SINGLE = [
    ("EmoDB, all 535", "-t emodb --partition alisamir2022"),
    ("EmoDB, all 535, balanced weights", "-t emodb --partition alisamir2022 --class-weight balanced"),
    ("EmoDB, recognised ≥ 80 %, natural ≥ 60 %", "-t emodb --partition alisamir2022 --subset emonet494"),
    ("RAVDESS", "-t ravdess --partition alisamir2022"),
    ("EMOVO", "-t emovo --partition speakers"),
    ("URDU", "-t urdu --partition speakers"),
]
LOSO = [(key, norm) for key in ("emodb", "ravdess") for norm in ("train", "corpus", "speaker")]


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.environ.get("EMOSET_CORPORA") or PROJECT.parent / "shared" / "corpora"
    parser.add_argument("--corpora", type=Path, default=Path(default))
    parser.add_argument("--workspace", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = options.workspace or Path(folder)
        page = _page(options.corpora.resolve(), workspace)
    (PROJECT / "docs" / "results.md").write_text(page, encoding="utf-8")
    print(page)


def _emoset(workspace: Path, words: str) -> Any:
    command = [sys.executable, "-c", "from emoset_cli.cli.main import main; main()", *words.split()]
    done = subprocess.run(
        [*command, "--json", "-q", "-d", str(workspace)], capture_output=True, text=True, check=False, cwd=PROJECT
    )
    if done.returncode:
        raise SystemExit(f"emoset {words}\n{done.stderr}")
    return json.loads(done.stdout)


def _page(corpora: Path, workspace: Path) -> str:
    prepared = _emoset(workspace, "prepare " + " ".join(f"{key}={corpora / key}" for key in KEYS))["corpora"]
    _emoset(workspace, "extract egemaps")
    parts = [_INTRO, "## Corpora\n", _corpora(prepared), "## Problems found\n", _problems(workspace), "## One split\n"]
    rows = []
    for title, options in SINGLE:
        run = _emoset(workspace, f"train svm {options}")[0]["run"]
        score = next(iter(_emoset(workspace, f"evaluate {run}")["scores"][0]["corpora"].values()))
        rows.append([title, f"`{options}`", *_both(score)])
    heads = ["data", "options of `emoset train svm`", "devel UAR [%]", "test UAR [%]", "devel WA [%]", "test WA [%]",
             "chance [%]", "test utterances (speakers)"]  # fmt: skip
    parts += [_table(heads, rows), _EMONET, "## Leave one speaker out, three normalisations\n"]
    runs = {}
    rows = []
    for key, norm in LOSO:
        run = _emoset(workspace, f"train svm -t {key} --partition loso --normalise {norm}")[0]["run"]
        runs[key, norm] = run
        test = _emoset(workspace, f"evaluate {run}")["scores"][0]["corpora"][key]["test"]
        folds = test["folds"]
        rows.append([key, norm, _interval(test["uar"]), _interval(test["wa"]),
                     f"{100 * folds['mean']:.1f} ± {100 * folds['sd']:.1f}", str(folds["n"])])  # fmt: skip
    parts.append(_table(["corpus", "`--normalise`", "test UAR [%]", "test WA [%]", "UAR of folds [%]", "folds"], rows))
    parts += [_NORM, "## A comparison\n", _comparison(workspace, runs["emodb", "train"], runs["emodb", "speaker"])]
    return "\n".join(parts)


def _both(score: dict[str, Any]) -> list[str]:
    devel, test = score["devel"], score["test"]
    numbers = [_interval(part[name]) for name in ("uar", "wa") for part in (devel, test)]
    return [*numbers, f"{100 * test['chance']:.1f}", f"{test['n']} ({test['n_speakers']})"]


def _interval(value: dict[str, Any]) -> str:
    point = f"{100 * value['value']:.1f}"
    if value["low"] is None:  # one speaker
        return point
    return f"{point} [{100 * value['low']:.1f}, {100 * value['high']:.1f}]"


def _corpora(prepared: list[dict[str, Any]]) -> str:
    heads = ["corpus", "utterances", "labels", "speakers (f/m)", "language", "mean duration ± sd [s]", "total [h]"]
    rows = [
        [row["corpus"], str(row["utterances"]), str(len(row["labels"])),
         f"{row['speakers']} ({row['female']}/{row['male']})", row["language"],
         f"{row['duration_s']['mean']:.2f} ± {row['duration_s']['sd']:.2f}", f"{row['total_h']:.2f}"]
        for row in prepared
    ]  # fmt: skip
    return _table(heads, rows)


def _problems(workspace: Path) -> str:
    rows = []
    for key in KEYS:
        with (workspace / "corpora" / key / "problems.csv").open(encoding="utf-8", newline="") as file:
            problems = list(csv.DictReader(file))
        for (kind, action), count in sorted(Counter((p["problem"], p["action"]) for p in problems).items()):
            first = next(p for p in problems if p["problem"] == kind)
            rows.append([key, kind, f"{count} {action}", f"{first['path']}: {first['detail']}"])
    return _table(["corpus", "problem", "recordings", "the first"], rows)


def _comparison(workspace: Path, reference: str, other: str) -> str:
    result = _emoset(workspace, f"compare {reference} {other}")
    page = Path(result["report"]).with_name("results.md")
    tables = page.read_text(encoding="utf-8").split("## ")
    return next(table.partition("\n")[2].strip() for table in tables if table.startswith("Comparison")) + "\n"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


_INTRO = """# Baseline results

Made by `python benchmarks/baselines.py` on the four corpora as published (EmoDB 535 WAV files; RAVDESS speech, EMOVO
and URDU as 16 kHz mono FLAC). Features: eGeMAPS v02. Model: linear SVM, C from 1 to 1e-9 chosen on devel, refit on
train + devel. Seed 0. In brackets: 95 % intervals, of the UAR by bootstrap over speakers, of the WA by Wilson.
"""
_EMONET = """
EmoNet (Gerczuk et al. 2021, Table 3) gives devel 71.9 and test 48.4 UAR for eGeMAPS + SVM on its 494 utterances of
EMO-DB; its speakers in each partition are not published, so the rows here are beside it, not a reproduction. Two test
speakers make a wide and untrustworthy interval: the results of leaving one speaker out, below, are the better measure.
"""
_NORM = """
With one corpus, `corpus` is the same as `train`: both use the training utterances. `speaker` standardises each speaker
by all of their own utterances; it uses no labels but needs many recordings of a test speaker beforehand.
"""

if __name__ == "__main__":
    main()
