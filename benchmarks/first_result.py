"""The first result on EmoDB, from the raw folder to scores, against nkululeko 1.14 on the same files and speakers.

emoset: prepare, extract egemaps, train svm, evaluate, each a process of its own (partition alisamir2022: test speakers
15 and 16; C chosen on devel from ten values, then a refit). nkululeko: one process; openSMILE eGeMAPS v02,
standardised, linear SVM with its default C, trained on all other speakers. "Warm" is the same again; nkululeko then
reads its stored features and trains anew, emoset finds its run done, so ``train --force`` is measured too.

nkululeko needs an environment of its own: give its interpreter by --nkululeko, else its rows are left out.
"""

import csv
import json
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from common import PROJECT, Cost, alternate, arguments, claim, conclude, emoset, folders, measure, middle, ratio

TARGET_WARM_S = 3.0
TEST = ["15", "16"]
_INI = """[EXP]
root = ./
name = results
[DATA]
databases = ['emodb']
emodb = ./emodb.csv
emodb.type = csv
emodb.absolute_path = True
emodb.split_strategy = {speakers}
target = emotion
labels = {labels}
[FEATS]
type = ['os']
set = eGeMAPSv02
scale = standard
[MODEL]
type = svm
kernel = linear
"""


def main() -> None:
    """Cold runs in turn, then warm ones in turn."""
    options = arguments(__doc__, rounds=3)
    source = folders(options, ["emodb"])["emodb"]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        chain = _Chain(place, source)
        cold: dict[str, Callable[[], Cost]] = {"emoset, cold": chain.cold}
        warm: dict[str, Callable[[], Cost]] = {"emoset, warm": chain.again, "emoset, warm, trained again": chain.forced}
        if options.nkululeko:
            other = _Nkululeko(options.nkululeko, place, source)
            cold["nkululeko, cold"], warm["nkululeko, warm"] = other.cold, other.again
        costs = alternate(cold, max(1, options.rounds // 2)) | alternate(warm, options.rounds)
        told = f"emoset: test UAR {chain.uar():.3f} of {chain.tested} utterances"
        if options.nkululeko:
            uar, tested, again = *other.result(costs["nkululeko, warm"][-1].err), other.by_hand(chain.workspace)
            told += f"; nkululeko: {uar:.3f} of {tested}; its recipe on emoset's features by scikit-learn: {again:.3f}"
            if tested != chain.tested or abs(uar - again) > 0.02:
                raise SystemExit(f"not the same task: {told}")
    rows: list[list[object]] = [
        [name, f"{middle(found):.2f}", f"{min(one.wall_s for one in found):.2f}", f"{middle(found, 'cpu_s'):.2f}",
         f"{middle(found, 'peak_mb'):.0f}"]
        for name, found in costs.items()
    ]  # fmt: skip
    rows += [[f"emoset {part}", f"{cost.wall_s:.2f}", "", f"{cost.cpu_s:.2f}", f"{cost.peak_mb or 0:.0f}"]
             for part, cost in chain.parts.items()]  # fmt: skip
    claims = [claim("first result on EmoDB, warm, 4 processes", middle(costs["emoset, warm"]), "s",
                    f"< {TARGET_WARM_S:g} s", TARGET_WARM_S)]  # fmt: skip
    if options.nkululeko:
        pairs = {"cold": "emoset, cold", "warm": "emoset, warm", "warm, trained again": "emoset, warm, trained again"}
        claims += [
            claim(f"nkululeko / emoset, {what}", ratio(costs[f"nkululeko, {what.split(',')[0]}"], costs[ours]), "x",
                  ">= 1 x", 1.0, at_least=True)
            for what, ours in pairs.items()
        ]  # fmt: skip
    else:
        told += "; nkululeko skipped: give --nkululeko PYTHON, an interpreter that has nkululeko 1.14.1"
    print(told)
    heads = ["what", "wall, median [s]", "wall, best [s]", "processor time [s]", "peak memory [MB]"]
    conclude("first_result", "First result on EmoDB, raw folder to scores", heads, rows, claims, costs=costs, told=told)


class _Chain:
    """The four commands; ``parts`` keeps what each took the last time."""

    def __init__(self, place: Path, source: Path) -> None:
        self._place, self._source = place, source
        self.workspace, self.parts, self.tested = place / "none", {}, 0
        self._score: dict = {}

    def cold(self) -> Cost:
        """All four in a fresh workspace."""
        self.workspace = Path(tempfile.mkdtemp(dir=self._place))
        return self._run("cold")

    def again(self) -> Cost:
        """All four again."""
        return self._run("warm")

    def forced(self) -> Cost:
        """All four again, the SVM trained anew."""
        return self._run("warm, trained again", "--force")

    def _run(self, state: str, *force: str) -> Cost:
        split = ["--partition", "alisamir2022"]
        commands = {
            "prepare": ["prepare", f"emodb={self._source}", *split],
            "extract": ["extract", "egemaps"],
            "train": ["train", "svm", "-t", "emodb", *split, *force],
            "evaluate": ["evaluate", "--json"],
        }
        total = Cost(0.0, 0.0)
        for name, words in commands.items():
            cost = measure(emoset(*words, "-q", "-d", self.workspace))
            self.parts[f"{name}, {state}"] = cost
            total += cost
        self._score = json.loads(cost.out)["scores"][0]["corpora"]["emodb"]["test"]
        self.tested = self._score["n"]
        return total

    def uar(self) -> float:
        """UAR on test, as `emoset evaluate` said last."""
        return float(self._score["uar"]["value"])


class _Nkululeko:
    """The same task given to nkululeko: a CSV of files, speakers, genders and emotions, and an INI file."""

    def __init__(self, python: Path, place: Path, source: Path) -> None:
        sys.path.insert(0, str(PROJECT))
        from emoset_cli.corpora import load_corpora
        from emoset_cli.manifest import find_audio, read_names

        corpus = load_corpora()["emodb"]
        rows = read_names(corpus, source, find_audio(source)).rows
        self._command = [str(python), "-m", "nkululeko.nkululeko", "--config", "emodb.ini"]
        self._place, self._folder = place, place
        self._table = [["file", "speaker", "gender", "emotion"]]
        self._table += [[str(source / row["path"]), f"s{row['speaker']}", row["gender"], row["label"]] for row in rows]
        names = sorted(corpus.label_names)
        self._ini = _INI.format(speakers=[f"s{speaker}" for speaker in TEST], labels=names)

    def cold(self) -> Cost:
        """In a fresh folder."""
        self._folder = Path(tempfile.mkdtemp(dir=self._place))
        (self._folder / "emodb.ini").write_text(self._ini, encoding="utf-8")
        with (self._folder / "emodb.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(self._table)
        return measure(self._command, cwd=self._folder)

    def again(self) -> Cost:
        """In the same folder."""
        return measure(self._command, cwd=self._folder)

    def result(self, told: str) -> tuple[float, int]:
        """UAR and number of test utterances among what it told."""
        uar = re.findall(r"result \(TEST\): test: ([\d.]+) UAR", told)
        tested = re.findall(r"macro avg +[\d.]+ +[\d.]+ +[\d.]+ +(\d+)", told)
        if not uar or not tested:
            raise SystemExit(f"nkululeko printed no result:\n{told[-1500:]}")
        return float(uar[-1]), int(tested[-1])

    def by_hand(self, workspace: Path) -> float:
        """What its recipe gives on emoset's features: the same task gives the same number."""
        import numpy as np
        from sklearn.metrics import balanced_accuracy_score
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        from emoset_cli import feature_store
        from emoset_cli.prepare import read_utterances

        table = read_utterances(workspace, "emodb")
        _, values = feature_store.load(workspace, "egemaps-v02", "emodb", table)
        test = table["speaker"].isin(TEST).to_numpy()
        scaler = StandardScaler().fit(values[~test])
        model = SVC(kernel="linear", C=1.0).fit(scaler.transform(values[~test]), table["label"][~test])
        guess = model.predict(scaler.transform(values[test]))
        return float(balanced_accuracy_score(np.asarray(table["label"][test]), guess))


if __name__ == "__main__":
    main()
