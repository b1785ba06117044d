"""The results of docs/transfer-results.md: EmoNet's baselines and transfer on four real corpora, by a user's commands.

Usage: python benchmarks/transfer.py [--corpora FOLDER] [--workspace FOLDER] [--weights FILE] [--seeds N]. Writes
docs/transfer-results.md anew. Interrupted, it goes on where it was when --workspace names a folder that stays:
finished runs are not trained again.
"""

import argparse
import os
import tempfile
from pathlib import Path

from common import KEYS, PROJECT, answered, machine

NETWORK = "squeezenet1_0"
GROUPS = ["emodb,emovo,urdu", "ravdess"]
# Title and command of each setting; {seed} runs over the seeds for those of the main rows.
# Batches of 32 at half the learning rate: as many updates as with 64, in half the time.
BASES = {
    "all": "train cnn -mt --preset quick -bs 32 -lr 0.05",
    "arousal": "train cnn --pool --aggregate --labels arousal --preset quick -bs 32 -lr 0.05",
}
MAIN = [
    "train cnn -m scratch --preset quick -bs 32 -lr 0.05 --seed {seed}",
    "train cnn -m adapters -im {all} --preset quick -bs 32 -lr 0.05 --seed {seed}",
]
FURTHER = [
    "train cnn -m adapters -im {arousal} --preset quick -bs 32 -lr 0.05",
    "train cnn -m last-layer -im {all} --preset quick -bs 32",
    "train cnn -m finetune -im {all} --preset quick -bs 32",
]
PAPER = """The paper's figures for EMO-DB (494 utterances on speakers of its own choice, patience 50, bases of 26
corpora), test UAR: eGeMAPS 48.4, DeepSpectrum (VGG16) 61.3, ResNet from scratch 59.2 at the best epoch and 61.6 at the
final one, adapters from `all` 72.6."""


READING = """What of the paper's claims holds here, at this budget and with four corpora: no transfer differs
significantly from scratch on any corpus after Holm's correction. Adapters from `all` are level with scratch on EmoDB
(46.1 against 44.4 on test, 49.3 against 49.4 on devel), EMOVO and RAVDESS; on URDU they are above on devel and below on
test, with 48 utterances tested. Adapter tuning is above last-layer tuning on EmoDB, RAVDESS and URDU, as in the paper,
and below on EMOVO. A base trained on arousal alone serves worse than one on all labels, but for EMOVO. The SVMs on
eGeMAPS and DeepSpectrum features, cheap to train, are level with the networks or above: significantly on RAVDESS, and
with DeepSpectrum on EmoDB. None of this says what the paper's budget (hundreds of times as many steps, 26 corpora)
would give."""


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = PROJECT.parent / "shared"
    default = Path(os.environ.get("EMOSET_CORPORA") or shared / "corpora")
    parser.add_argument("--corpora", type=Path, default=default)
    parser.add_argument("--weights", type=Path, default=shared / "weights" / f"{NETWORK}-imagenet.safetensors")
    parser.add_argument("--workspace", type=Path, default=None)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--report", action="store_true", help="train nothing: tell what is finished in --workspace")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = options.workspace or Path(folder)
        runs = (
            finished(workspace) if options.report
            else train(options.corpora.resolve(), options.weights.resolve(), workspace, options.seeds)
        )  # fmt: skip
        result = answered(workspace, "transfer " + " ".join(runs))
        page = (Path(result["report"]).parent / "results.md").read_text("utf-8")
    (PROJECT / "docs" / "transfer-results.md").write_text(_page(page, options.seeds), encoding="utf-8")


def train(corpora: Path, weights: Path, workspace: Path, seeds: int) -> list[str]:
    """Names of all runs, the bases left out: their task is another one."""
    answered(workspace, "prepare " + " ".join(f"{key}={corpora / key}" for key in KEYS))
    answered(workspace, "extract egemaps")
    answered(workspace, f"extract deepspectrum --model {NETWORK} --weights {weights}")
    found = [answered(workspace, f"train svm -f {name}") for name in ("egemaps", f"deepspectrum-{NETWORK}")]
    bases = {name: answered(workspace, words)[0]["run"] for name, words in BASES.items()}
    main = [words.format(seed=seed, **bases) for seed in range(seeds) for words in MAIN]
    further = [words.format(**bases) for words in FURTHER]
    for keys in GROUPS:
        found += [answered(workspace, f"{words} -t {keys}") for words in [*main, *further]]
    return [run["run"] for runs in found for run in runs]


def finished(workspace: Path) -> list[str]:
    """Names of the finished runs of one corpus."""
    names = [folder.parent.name for folder in sorted(workspace.glob("runs/*/done.json"))]
    return [name for name in names if name.partition("_")[0] in KEYS]


def _page(tables: str, seeds: int) -> str:
    facts = machine()
    lines = [words.format(seed=0, all="ALL", arousal="AROUSAL") for words in [*BASES.values(), *MAIN, *FURTHER]]
    commands = "\n".join(f"emoset {line}" for line in lines)
    return f"""# Transfer between real corpora

Made by `python benchmarks/transfer.py` on {facts["cores"]} cores of {facts["processor"]}; the main rows with {seeds}
seeds, both bases and the other rows with one. ALL and AROUSAL are the runs of the first two commands. The budget is a
small machine's, far from the paper's.

```sh
{commands}
```

{PAPER}

{READING}

{tables}"""


if __name__ == "__main__":
    main()
