"""Leave one speaker out on RAVDESS: 24 folds of the SVM on cached eGeMAPS, C chosen within each fold from ten values.

The parts: the same command again, when the run is there, is all but the training; an interpreter that only imports
scikit-learn's SVM shows what that import takes (every worker process pays it too); the rest are the 24 x 11 fits.
"""

import json
import sys
import tempfile

from common import alternate, arguments, claim, conclude, emoset, folders, measure, middle

TARGET_S = 60


def main() -> None:
    """Prepare and extract once, then train in turn with the parts."""
    options = arguments(__doc__, rounds=2)
    found = folders(options, ["ravdess"])
    with tempfile.TemporaryDirectory() as workspace:
        measure(emoset("prepare", f"ravdess={found['ravdess']}", "-q", "-d", workspace))
        measure(emoset("extract", "egemaps", "-q", "-d", workspace))
        train = emoset("train", "svm", "-t", "ravdess", "--partition", "loso", "-q", "--json", "-d", workspace)
        work = {
            "train svm --partition loso": lambda: measure([*train, "--force"]),
            "the same again, already trained": lambda: measure(train),
            "import sklearn.svm alone": lambda: measure([sys.executable, "-c", "import sklearn.svm"]),
        }
        costs = alternate(work, options.rounds)
    whole, again, _ = costs.values()
    [run] = json.loads(whole[0].out)
    fits = middle(whole, "cpu_s") - middle(again, "cpu_s")
    rows: list[list[object]] = [
        [name, f"{middle(found):.2f}", f"{middle(found, 'cpu_s'):.2f}", f"{middle(found, 'peak_mb'):.0f}"]
        for name, found in costs.items()
    ]
    rows.append([f"training alone ({run['folds']} folds, 11 fits each), imports included", "", f"{fits:.2f}", ""])
    claims = [
        claim(f"`emoset train svm -t ravdess --partition loso`, {run['folds']} folds", middle(whole), "s",
              f"< {TARGET_S} s", TARGET_S)
    ]  # fmt: skip
    heads = ["part", "wall [s]", "processor time [s]", "peak memory [MB]"]
    conclude("loso", "LOSO of the SVM on cached eGeMAPS of RAVDESS", heads, rows, claims, costs=costs)


if __name__ == "__main__":
    main()
