"""The results of docs/adversarial-results.md: corpus discriminators and attributes on real corpora, by user's commands.

Usage: python benchmarks/adversarial.py [--corpora FOLDER] [--workspace FOLDER]. Writes docs/adversarial-results.md and
docs/images/attributes_*.svg anew. Interrupted, it goes on where it was when --workspace names a folder that stays.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from common import KEYS, PROJECT, answered, machine, table

# Less than the papers by far: what two cores do in about an hour each. Chosen on devel of other splits, never on test.
ACRNN = "train acrnn --partition losgo:10 -bs 8 -lr 0.0003 --epoch-decay 1 -e 4 -spe 72 --seed 0"
TWO = "-t emodb,ravdess -mt"
RECONCILED = {
    "mono-corpus emodb": f"{ACRNN} -t emodb",
    "mono-corpus ravdess": f"{ACRNN} -t ravdess",
    "+ corpus discriminator": f"{ACRNN} {TWO} --corpus-discriminator train",
    "+ adversarial": f"{ACRNN} {TWO} --corpus-discriminator adversarial",
}
WILD = (
    "train cnn-lstm -t emodb,emovo,ravdess --unseen urdu --pool --labels three-class-parry "
    "--partition speakers:80/10/10 --hop 320 -w 3 -o adam -lr 0.001 -bs 16 -bw -e 14 --seed 0"
)
APPROACHES = {
    "single": WILD,
    **{
        f"{approach} {attribute}": f"{WILD} --attributes {attribute} --approach {approach}"
        for attribute in ("corpus", "language")
        for approach in ("mtl", "gr", "ad")
    },
}
DRAWN = ["single", "mtl corpus", "gr corpus"]  # the paper's Figure 2


def main() -> None:
    """Run everything and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(os.environ.get("EMOSET_CORPORA") or PROJECT.parent / "shared" / "corpora")
    parser.add_argument("--corpora", type=Path, default=default)
    parser.add_argument("--workspace", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = options.workspace or Path(folder)
        answered(workspace, "prepare " + " ".join(f"{key}={options.corpora.resolve() / key}" for key in KEYS))
        wild = {name: answered(workspace, words)[0]["run"] for name, words in APPROACHES.items()}
        reconciled = {name: answered(workspace, words)[0]["run"] for name, words in RECONCILED.items()}
        parts = [*zhu(workspace, reconciled), *parry(workspace, wild)]
    facts = machine()
    head = f"""# Multi-task and adversarial learning on real corpora

Made by `python benchmarks/adversarial.py` on {facts["cores"]} cores of {facts["processor"]}, seed 0.

{READING}

"""
    text = head + "\n\n".join(parts) + "\n"
    (PROJECT / "docs" / "adversarial-results.md").write_text(text, encoding="utf-8")


def zhu(workspace: Path, runs: dict[str, str]) -> list[str]:
    """Sections on the corpus discriminator: Table 2, confusions of definite and ambiguous utterances."""
    told = answered(workspace, "table zhu2020 " + " ".join(runs.values()))
    crossed = answered(workspace, f"evaluate {runs['+ adversarial']} --cross")
    return [
        "## A corpus discriminator (Zhu & Sato 2020, Table 2)",
        _commands(RECONCILED.values()),
        _tables(told),
        "### Corpus-definite and corpus-ambiguous utterances (its Figure 2)",
        _ambiguous(crossed),
    ]


def parry(workspace: Path, runs: dict[str, str]) -> list[str]:
    """Sections on attributes: in and out of domain, probes, pictures."""
    told = answered(workspace, "table parry2022 " + " ".join(runs.values()))
    probed = answered(workspace, "probe " + " ".join(runs.values()))
    pictures = []
    for name in DRAWN:
        drawn = answered(workspace, f"plot embedding {runs[name]} --method tsne --color corpus --on devel")
        picture = next(Path(drawn["page"]).parent.rglob("embedding_corpus.svg"))
        safe = name.replace(" ", "-")
        shutil.copyfile(picture, PROJECT / "docs" / "images" / f"attributes_{safe}.svg")
        apart = next(one["silhouette"] for one in drawn["silhouettes"] if one["by"] == "corpus")
        pictures.append(f"![t-SNE of the embedding, by corpus: {name}](images/attributes_{safe}.svg)\n\n"
                        f"{name}: silhouette by corpus {apart:.2f}.")  # fmt: skip
    return [
        "## Attributes in the wild (Parry et al. 2022, Tables 2 and 3, reduced)",
        _commands(APPROACHES.values()),
        _tables(told),
        "### What can be read from the embedding",
        _probes(runs, probed),
        "### Embeddings by corpus (its Figure 2)",
        *pictures,
    ]


def _tables(told: dict[str, Any]) -> str:
    """The tables of a page, as Markdown, one level down."""
    page = (Path(told["report"]).parent / "results.md").read_text("utf-8")
    return ("\n" + page.strip()).replace("\n## ", "\n### ").strip()


def _ambiguous(crossed: dict[str, Any]) -> str:
    """Which labels the discriminator is unsure of, and where utterances go by the other corpus's classifier."""
    parts = []
    for one in crossed["ambiguity"]:
        rows: list[list[object]] = [[label["label"], label["n"], f"{100 * label['share']:.0f}"]
                                    for label in one["labels"]]  # fmt: skip
        told = f"{100 * one['share']:.0f} % of {one['n']} test utterances are ambiguous"
        told += f", most of {one['most_ambiguous']}" if one["most_ambiguous"] else ""
        parts.append(f"{one['corpus']}: {told}.\n\n{table(['label', 'utterances', 'ambiguous [%]'], rows)}")
    for one in crossed["confusions"]:
        for kind in ("definite", "ambiguous"):
            counts = [[label, *row] for label, row in zip(one["labels"], one[kind]["counts"], strict=True)]
            title = f"Corpus-{kind} utterances of {one['corpus']} through the classifier of {one['head']}:"
            parts.append(f"{title}\n\n{table(['truth', *one['columns']], counts)}")
    return "\n\n".join(parts)


def _probes(runs: dict[str, str], probed: dict[str, Any]) -> str:
    """UAR of each attribute by network; all networks were tested on the same utterances."""
    found = {(one["run"], one["attribute"]): one for one in probed["probes"]}
    names = list(dict.fromkeys(one["attribute"] for one in probed["probes"]))
    rows: list[list[object]] = [
        [name, *(f"{100 * found[run, attribute]['uar']['value']:.1f}" for attribute in names)]
        for name, run in runs.items()
    ]
    first = next(iter(runs.values()))
    chances = ", ".join(f"{attribute} {100 * found[first, attribute]['chance']:.1f}" for attribute in names)
    n = found[first, "corpus"]["n"]
    note = (
        f"UAR [%] of a linear classifier fitted on the embeddings of training utterances and scored on {n} of speakers "
        f"held out (speaker: on other utterances of these speakers). Chance: {chances}."
    )
    return f"{table(['network', *names], rows)}\n\n{note}"


def _commands(lines: Any) -> str:
    return "```sh\n" + "\n".join(f"emoset {line}" for line in lines) + "\n```"


READING = ""

if __name__ == "__main__":
    main()
