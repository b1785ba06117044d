"""Gerczuk et al. 2021 (EmoNet), Table 4: adapters from networks of all corpora, against the network from scratch."""

from collections.abc import Sequence
from typing import Any

from emoset_cli.report.papers import emonet2021 as emonet
from emoset_cli.report.papers.paper import Paper, published
from emoset_cli.report.settings import Setting, group
from emoset_cli.report.tables import Table
from emoset_cli.report.transfer import transfer, wins
from emoset_cli.report.transfer_tables import against_table, settings_table, told, trained
from emoset_cli.runs import FINAL, Run

SCRATCH, ADAPTERS = "scratch", "adapters"
MODES = (ADAPTERS, "finetune", "last-layer")


def find(runs: Sequence[Run]) -> dict[str, Any]:
    """What `transfer` finds of transfers from bases of several corpora; ``heads`` holds setting -> column.

    Raises:
        EmosetError: if no run fits, none or several settings are from scratch, or two runs are the same
    """
    fit, out = emonet.pick(runs, why_not, "emoset train cnn --multi-task --tune adapters")
    settings = group(fit)
    found = transfer(fit, emonet.scratch_of(settings).name)
    return emonet.with_published(found, out, "table4") | {"heads": heads_of(settings, found)}


def why_not(run: Run) -> str:
    """Why a run has no place in the table, or nothing."""
    return emonet.unlike_network(run) or ("it starts from one corpus" if emonet.base_of(run)[1] else "")


def heads_of(settings: Sequence[Setting], found: dict[str, Any]) -> dict[str, str]:
    """Setting -> column, in the paper's order: adapters by their base as the paper calls it, then the other modes."""
    place: dict[str, tuple[int, int]] = {}
    for setting in settings:
        base, tuned = emonet.base_of(setting.runs[0])[0], str(setting.config["mode"])
        place[setting.name] = (MODES.index(tuned), list(emonet.BASES.values()).index(base)) if base else (-1, -1)
    names = [one["name"] for one in found["settings"] if not one["name"].endswith(FINAL[1:])]
    heads: dict[str, str] = {}
    for name in sorted(names, key=lambda name: place[name]):
        mode, which = place[name]
        plain = SCRATCH if mode < 0 else list(emonet.BASES.values())[which]
        heads[name] = plain if mode <= 0 and plain not in heads.values() else name
    return heads


def tables(found: dict[str, Any]) -> list[Table]:
    """Ours with the paper's figures, how often each beats scratch, what was trained, and the paper's table."""
    heads = found["heads"]
    ours = {
        corpus: [(row["settings"].get(name) or {}).get("test") for name in heads]
        for corpus, row in found["corpora"].items()
    }
    shown = _published()
    theirs = {key: [row.get(head) for head in heads.values()] for key, row in shown.items()}
    notes = [told(found, "test"), *trained(found), *emonet.coverage(found)]
    columns = [emonet.column(head) for head in heads.values()]
    table = emonet.beside(found, "EmoNet, Table 4: transfer, test UAR [%]", columns, ours, theirs, " ".join(notes))
    return [table, against_table(found), settings_table(found), published_table()]


def _published() -> dict[str, dict[str, dict[str, Any]]]:
    """Corpus -> column -> cell."""
    told = published(emonet.NAME)["table4"]
    return {key: dict(zip(told["columns"], map(emonet.figure, values), strict=True))
            for key, values in told["rows"].items()}  # fmt: skip


def published_table() -> Table:
    """The paper's Table 4."""
    shown = _published()
    columns = [emonet.column(name) for name in published(emonet.NAME)["table4"]["columns"]]
    note = (
        "Adapters on networks of all 26 corpora. + / −: significantly more / fewer utterances right than scratch (the "
        "paper's baseline; McNemar's test, p < 0.05, not corrected). EmoNet's own partitions; a single training each."
    )
    rows = {key: list(row.values()) for key, row in shown.items()}
    return emonet.published_table("Published: EmoNet, Table 4, test UAR [%]", columns, rows, note)


def sentences(found: dict[str, Any]) -> list[str]:
    """On how many corpora the best adapters are above scratch, as the paper counts, and which rows are missing."""
    adapters = [name for name, head in found["heads"].items() if head in emonet.BASES.values()]
    one = wins(found["corpora"], *adapters)
    lines = []
    if one["corpora"]:
        lines.append(
            f"Adapters of at least one base are above {found['reference']} on {one['above']} of {one['corpora']} "
            f"corpora, significantly on {one['plus']}; those of every base are significantly worse on {one['minus']}. "
            "The paper: 21 of 26, 10 and 2. Which base is best is known from test only, so that this is too good."
        )
    return [*lines, *emonet.coverage(found)]


PAPER = Paper(
    title="EmoNet, Table 4: transfer from networks of all corpora",
    source=f"{emonet.SOURCE}, Table 4",
    find=find,
    tables=tables,
    sentences=sentences,
    terms={
        "scratch": "The paper's baseline: the network trained on the corpus alone, best devel epoch.",
        "all, arousal, valence, A+V": "Adapters, batch norms, attention and classifier tuned on the corpus; all else "
        "is of one network that heard all corpora: each with its own labels, mapped to arousal, to valence, or both.",
        "all > last-layer, all > finetune": "On the same network the classifier only, or all weights.",
        **emonet.TERMS,
    },
)
