"""Gerczuk et al. 2021 (EmoNet), Table 3: the baselines on each corpus by itself, SVMs and the ResNet from scratch."""

from collections.abc import Sequence
from typing import Any

from emoset_cli.report.papers import emonet2021 as emonet
from emoset_cli.report.papers.paper import Paper
from emoset_cli.report.scores import PARTITIONS
from emoset_cli.report.settings import Setting, group
from emoset_cli.report.tables import Table
from emoset_cli.report.transfer import transfer
from emoset_cli.report.transfer_tables import settings_table, told, trained
from emoset_cli.runs import FINAL, Run

BEST, LAST = "ResNet best", "ResNet final"
FEATURES = {"egemaps": "eGeMAPS", "deepspectrum": "DeepSpectrum"}  # begin of a feature set's name -> the paper's word
HEADS = (BEST, LAST, *FEATURES.values())
_THEIR_NETWORK = "vgg16"


def find(runs: Sequence[Run]) -> dict[str, Any]:
    """What `transfer` finds of SVMs and the ResNet, all compared with the ResNet's best epoch where there is one.

    ``heads`` holds setting -> column of the table.

    Raises:
        EmosetError: if no run fits, the ResNets are of several settings, or two runs are the same setting and seed
    """
    fit, out = emonet.pick(runs, _why_not, "emoset train svm, emoset train cnn")
    settings = group(fit)
    networks = [one for one in settings if one.config["model"] == "cnn"]
    reference = emonet.scratch_of(networks) if networks else settings[0]
    found = emonet.with_published(transfer(fit, reference.name), out, "table3")
    names = [setting["name"] for setting in found["settings"]]
    return found | {"heads": _heads(settings, names)}


def _why_not(run: Run) -> str:
    """Why a run has no place in the table, or nothing."""
    if run.config.get("initial"):
        return "it starts from another run"
    if run.config["model"] != "svm":
        return emonet.unlike_network(run)
    if _feature(run) not in FEATURES:
        return f"its features are {run.config['feature']}, not {' or '.join(FEATURES.values())}"
    return "it is trained on several corpora" if len(run.config["corpora"]) > 1 else emonet.unlike_labels(run)


def _feature(run: Run) -> str:
    return str(run.config["feature"]).partition("-")[0]


def _heads(settings: Sequence[Setting], names: Sequence[str]) -> dict[str, str]:
    """Setting -> column, in the paper's order; settings of one column are told apart by their names."""
    heads = {name: LAST if name.endswith(FINAL[1:]) else BEST for name in names}
    for setting in settings:
        if setting.config["model"] == "svm" and setting.name in heads:
            network = str(setting.config["feature"]).partition("-")[2] if _feature(setting.runs[0]) != "egemaps" else ""
            own = network and network != _THEIR_NETWORK
            heads[setting.name] = FEATURES[_feature(setting.runs[0])] + (f" ({network})" if own else "")
    several = {head for head in heads.values() if list(heads.values()).count(head) > 1}
    heads = {name: f"{head}: {name}" if head in several else head for name, head in heads.items()}
    return dict(sorted(heads.items(), key=lambda item: HEADS.index(_paper_head(item[1]))))


def _paper_head(head: str) -> str:
    """The paper's column that one of ours belongs to."""
    return next(name for name in HEADS if head.startswith(name))


def tables(found: dict[str, Any]) -> list[Table]:
    """Ours with the paper's figures, what was trained, and the paper's table."""
    heads = found["heads"]
    columns = [emonet.column(head, part) for head in heads.values() for part in PARTITIONS]
    ours = {
        corpus: [(row["settings"].get(name) or {}).get(part) for name in heads for part in PARTITIONS]
        for corpus, row in found["corpora"].items()
    }
    shown = {key: dict(zip(found["published"]["columns"], _pairs(values), strict=True))
             for key, values in found["published"]["rows"].items()}  # fmt: skip
    theirs = {key: [cell for head in heads.values() for cell in row[_paper_head(head)]] for key, row in shown.items()}
    notes = [told(found, "test"), *trained(found), *emonet.coverage(found)]
    table = emonet.beside(found, "EmoNet, Table 3: baselines, UAR [%]", columns, ours, theirs, " ".join(notes))
    whole = [emonet.column(head, part) for head in found["published"]["columns"] for part in PARTITIONS]
    rows = {key: [cell for pair in row.values() for cell in pair] for key, row in shown.items()}
    note = "EmoNet's own partitions; a single training each, and no intervals."
    published = emonet.published_table("Published: EmoNet, Table 3, UAR [%]", whole, rows, note)
    return [table, settings_table(found), published]


def _pairs(values: Sequence[float]) -> list[list[dict[str, Any]]]:
    """Devel and test of each column."""
    cells = [emonet.figure(value) for value in values]
    return [cells[place : place + 2] for place in range(0, len(cells), 2)]


def sentences(found: dict[str, Any]) -> list[str]:
    """On how many corpora each column is the best on test, and which of the paper's corpora are missing."""
    best = dict.fromkeys(found["heads"].values(), 0)
    whole = 0
    for row in found["corpora"].values():
        cells = {head: (row["settings"].get(name) or {}).get("test") for name, head in found["heads"].items()}
        means = {head: cell["mean"] for head, cell in cells.items() if cell}
        if 1 < len(means) == len(cells):
            whole += 1
            best[max(means, key=lambda head: means[head])] += 1
    counts = ", ".join(f"{head} {count}" for head, count in best.items())
    lines = [f"Best on test of {whole} corpora that have all columns: {counts} times."] if whole else []
    return [*lines, *emonet.coverage(found)]


PAPER = Paper(
    title="EmoNet, Table 3: baselines on each corpus",
    source=f"{emonet.SOURCE}, Table 3",
    find=find,
    tables=tables,
    sentences=sentences,
    terms={
        "ResNet best, final": "The network from scratch: the predictions of the best devel epoch, and of the last one.",
        "eGeMAPS, DeepSpectrum": "A linear SVM on functionals, or on what a network known from ImageNet (VGG16 in the "
        "paper) makes of a picture of the spectrogram. C is chosen on devel, then train + devel is fitted again.",
        **emonet.TERMS,
    },
    baselines=True,
)
