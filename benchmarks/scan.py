"""How long finding, reading and joining the names of a corpus takes; empty files, for nothing is decoded.

Three made-up corpora: one with labels in a table of MSP-Podcast's form, one whose names hold everything, and one none
of whose names fits. Prints a table and writes JSON (--out, by default scan.json).

    python benchmarks/scan.py 100000
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from emoset_cli.corpora import load_corpora
from emoset_cli.manifest import find_audio, read_names

LIMIT_S = 20  # of one core, for 100,000 names


def podcasts(folder: Path, count: int) -> None:
    """Names and labels as of MSP-Podcast: every tenth speaker is unknown, every thousandth recording lacks a row."""
    (folder / "Audios").mkdir(parents=True)
    (folder / "Labels").mkdir()
    with (folder / "Labels" / "labels_consensus.csv").open("w", encoding="utf-8") as table:
        table.write("FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n")
        for number in range(count):
            name = f"MSP-PODCAST_{number // 1000:04d}_{number % 1000:04d}.wav"
            (folder / "Audios" / name).touch()
            speaker = "Unknown" if number % 10 == 0 else str(number // 60)
            if number % 1000:
                table.write(f"{name},{'AHSNU'[number % 5]},{number % 7}.5,3.25,4.0,{speaker},Female,Train\n")


def plain(folder: Path, count: int) -> None:
    """Names as of CREMA-D, in folders of a thousand."""
    for number in range(count):
        if number % 1000 == 0:
            (folder / f"{number // 1000:03d}").mkdir(parents=True)
        name = f"{1001 + number % 91}_{number // 91 % 26**3:05d}_{('ANG', 'SAD')[number % 2]}_XX.wav"
        (folder / f"{number // 1000:03d}" / name).touch()


def strange(folder: Path, count: int) -> None:
    """Names that fit nothing."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"recording {number}.wav").touch()


CORPORA = {"table": (podcasts, "msp-podcast"), "names": (plain, "plain"), "unparsable": (strange, "emodb")}
PLAIN = r"""
plain:
  language: eng
  path: '(?:^|/)(?P<speaker>\d{4})_(?P<text>\d{5})_(?P<label>ANG|SAD)_(?P<intensity>LO|MD|HI|XX)$'
  labels: {ANG: anger, SAD: sadness}
"""


def main() -> None:
    """Make the corpora, measure, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=100_000, help="recordings")
    parser.add_argument("--out", type=Path, default=Path("scan.json"))
    options = parser.parse_args()
    results = []
    print(f"{options.count} names; CPU seconds of one core")
    print(f"{'corpus':12} {'find':>6} {'read':>6} {'all':>6} {'rows':>8} problems")
    with tempfile.TemporaryDirectory() as where:
        (Path(where) / "own.yaml").write_text(PLAIN, encoding="utf-8")
        registry = load_corpora(Path(where) / "own.yaml")
        for name, (make, key) in CORPORA.items():
            folder = Path(where) / name
            make(folder, options.count)
            start = time.process_time()
            files = find_audio(folder)
            found = time.process_time() - start
            manifest = read_names(registry[key], folder, files)
            total = time.process_time() - start
            rows, problems = len(manifest.rows), len(manifest.problems)
            print(f"{name:12} {found:6.2f} {total - found:6.2f} {total:6.2f} {rows:8} {problems}")
            results.append(
                {"corpus": name, "names": options.count, "find_s": found, "read_s": total - found, "rows": rows}
                | {"problems": problems, "within_limit": total < LIMIT_S * max(1, options.count / 100_000)}
            )
    options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
