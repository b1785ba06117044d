"""Gerczuk et al. 2021 (EmoNet), Figure 7: heat maps of transfer from one corpus (a) and from all of them (b)."""

from collections.abc import Sequence
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.report.papers import emonet2021 as emonet
from emoset_cli.report.papers import emonet2021_table4 as table4
from emoset_cli.report.papers.paper import Paper
from emoset_cli.report.plots_transfer import heat_map
from emoset_cli.report.scores import PARTITIONS
from emoset_cli.report.settings import Setting, group
from emoset_cli.report.tables import Table
from emoset_cli.report.transfer import transfer, transfer_pairs
from emoset_cli.report.transfer_tables import against_table, settings_table, uar_table
from emoset_cli.report.transfer_tables import sentences as told_of
from emoset_cli.runs import Run

CHOSEN = ("demos", "iemocap", "fau-aibo", "gemep")  # the paper's bases of one corpus
LAST_LAYER = "last-layer"
# Part -> what it shows; the first is coloured as the paper's, the second answers the same question against scratch.
PARTS = {
    "7a": "bases of one corpus, against last-layer tuning of the same base",
    "7a_scratch": "bases of one corpus, against scratch",
    "7b": "bases of several corpora, against scratch",
}


def find(runs: Sequence[Run]) -> dict[str, Any]:
    """``parts`` holds each of `PARTS` for which there are runs, as `transfer` finds it.

    Raises:
        EmosetError: if no run fits, there is nothing to compare, or settings or seeds are not unique
    """
    fit, out = emonet.pick(runs, emonet.unlike_network, "emoset train cnn -m adapters --initial-model RUN")
    alone = [run for run in fit if emonet.base_of(run)[1]]
    several = [run for run in fit if emonet.base_of(run)[0] and not emonet.base_of(run)[1]]
    scratch = [run for run in fit if not emonet.base_of(run)[0]]
    parts: dict[str, dict[str, Any]] = {}
    pairs = _pairs(group(alone))
    if pairs:
        parts["7a"] = transfer_pairs(alone, pairs, "last-layer of the same base")
    for name, own in (("7a_scratch", alone), ("7b", several)):
        if own and scratch:
            parts[name] = transfer([*scratch, *own], emonet.scratch_of(group([*scratch, *own])).name)
    if not parts:
        raise EmosetError(
            "no transfer that can be compared: neither with scratch nor with the last layer of the same base",
            "emoset train cnn -m scratch, and -m adapters and -m last-layer with --initial-model",
        )
    for part in parts.values():
        out += [{"run": one["run"], "why": f"{one['why']} ({one['corpus']})"} for one in part["left_out"]]
    unique = {(one["run"], one["why"]): one for one in out}
    return {"parts": parts, "left_out": list(unique.values())}


def _pairs(settings: Sequence[Setting]) -> dict[str, str]:
    """Setting of a base of one corpus -> the last-layer tuning of that base, in the paper's order of bases.

    Raises:
        EmosetError: if a base has several settings of last-layer tuning
    """
    heads: dict[str, list[str]] = {}
    for setting in settings:
        if setting.config["mode"] == LAST_LAYER:
            heads.setdefault(emonet.base_of(setting.runs[0])[0], []).append(setting.name)
    for base, names in heads.items():
        if len(names) > 1:
            raise EmosetError(f"last-layer tuning of {base} is of several settings: {', '.join(names)}",
                              "name the runs that shall count")  # fmt: skip
    others = [one for one in settings if one.config["mode"] != LAST_LAYER]
    known = [(emonet.base_of(one.runs[0])[0], one) for one in others]
    order = sorted(known, key=lambda pair: (_rank(pair[0]), pair[1].name))
    return {one.name: heads[base][0] for base, one in order if base in heads}


def _rank(base: str) -> tuple[int, str]:
    return (CHOSEN.index(base) if base in CHOSEN else len(CHOSEN)), base


def tables(found: dict[str, Any]) -> list[Table]:
    """Devel and test, wins and settings of each part, and the paper's Table 4, which is 7b on test."""
    made = []
    for name, part in found["parts"].items():
        for table in (uar_table(part, "test"), uar_table(part, "devel"), against_table(part), settings_table(part)):
            table.title = f"EmoNet, Figure {_label(name)}: {table.title[0].lower()}{table.title[1:]}"
            made += [table] if table.rows else []
    return [*made, table4.published_table()]


def _label(part: str) -> str:
    return part.replace("_", ", against ")


def figures(found: dict[str, Any]) -> dict[str, str]:
    """A heat map of each part on devel and test; what 7a compares with stands in the tables only."""
    made = {}
    for name, part in found["parts"].items():
        kept = [one for one in part["settings"] if name != "7a" or one["against"]]
        shown = part | {"settings": kept}
        for partition in PARTITIONS:
            if any(cell[partition] for row in part["corpora"].values() for cell in row["settings"].values()):
                title = f"{partition} UAR by corpus and setting: {PARTS[name]}"
                made[f"figure_{name}_{partition}"] = heat_map(shown, partition, title)
    return made


def sentences(found: dict[str, Any]) -> list[str]:
    """How often each setting is above what it is compared with."""
    lines = [f"Figure {_label(name)}: {words}" for name, part in found["parts"].items() for words in told_of(part)]
    return [*lines, *(f"No runs for {_label(name)}: {what}." for name, what in PARTS.items()
                      if name not in found["parts"])]  # fmt: skip


PAPER = Paper(
    title="EmoNet, Figure 7: heat maps of transfer",
    source=f"{emonet.SOURCE}, Figure 7",
    find=find,
    tables=tables,
    sentences=sentences,
    figures=figures,
    terms={
        "7a": "Networks trained on one corpus (the paper: DEMoS, IEMOCAP, FAU Aibo, GEMEP), transferred to the others. "
        "The colour is the difference to tuning only the classifier of the same base; in a further map, to scratch.",
        "7b": "Networks of all corpora, transferred to each. The colour is the difference to scratch.",
        "Colour": "Blue is above, vermilion below; the number is the mean UAR, below it the difference in points. "
        "Learning rates and epochs were chosen on devel: its scores are no result.",
        "Published": "The values of Figure 7 are in a drawing only, but those of 7b on test are Table 4's.",
        **{name: told for name, told in emonet.TERMS.items() if name != "Paper"},
    },
)
