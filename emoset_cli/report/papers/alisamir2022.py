"""Alisamir et al. 2022, Table II: emotion embeddings of one corpus and of several, the speech encoder frozen or tuned.

Source:
    S. Alisamir, F. Ringeval and F. Portet: Multi-corpus Affect Recognition with Emotion Embeddings and Self-Supervised
    Representations of Speech. ACII 2022.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.report.kinds import NONE
from emoset_cli.report.papers.paper import Paper, attributes_of, fitting, left_out, published
from emoset_cli.report.settings import Setting, group
from emoset_cli.report.tables import Column, Table
from emoset_cli.report.transfer import transfer_pairs
from emoset_cli.report.transfer_tables import told
from emoset_cli.runs import FINAL, Run

NAME = "alisamir2022"
FROZEN, TUNED, BANKS = "frozen", "tuned", "filterbanks"
SINGLE, MULTI = "single", "multi"
LOSO = "loso"
METHODS = {
    (SINGLE, FROZEN): "Single-corpus", (MULTI, FROZEN): "Multi-corpus", (SINGLE, TUNED): "Single-corpus + FT",
    (MULTI, TUNED): "Multi-corpus + FT", (SINGLE, BANKS): "Single-corpus, filterbanks",
    (MULTI, BANKS): "Multi-corpus, filterbanks",
}  # fmt: skip
# Row of the published table -> method and, of a cross-validation, its name.
PUBLISHED = {
    "single": ((SINGLE, FROZEN), ""), "multi": ((MULTI, FROZEN), ""), "single-ft": ((SINGLE, TUNED), ""),
    "multi-ft": ((MULTI, TUNED), ""), "single-ft-loso": ((SINGLE, TUNED), LOSO),
}  # fmt: skip
_AGAINST = {MULTI: SINGLE, TUNED: FROZEN}  # what a method is compared with: several corpora first
_KEPT = ("budget", "precision", "device")


def find(runs: Sequence[Run]) -> dict[str, Any]:
    """The rows of the table, as plain values: a row is a method, its runs differ by corpus and seed.

    Runs by cross-validation, as leave one speaker out, are rows of their own. ``cells`` of a row holds corpus -> what
    `transfer` finds there, with marks against the row ``against``, and ``published``: corpus -> the paper's figure, of
    the corpora with the same labels and partition; of a network of several only where all its corpora are the paper's.
    ``missing`` are rows of the paper without a run here.

    Raises:
        EmosetError: if no run fits, or two are the same row, corpus and seed
    """
    fit, out = fitting(runs, _why_not)
    if not fit:
        why = f": {out[0]['run']}: {out[0]['why']}" if out else ""
        raise EmosetError(f"no run fits the table{why}", "emoset train embedding, and with --multi-task")
    blocks: dict[str, list[Run]] = {}
    for run in fit:
        blocks.setdefault(_crossing(run), []).append(run)
    rows, compared = [], []
    for crossing in sorted(blocks, key=lambda name: (name != "", name)):
        found, unlike = _block(blocks[crossing], crossing)
        rows += found
        compared += unlike
    paper = published(NAME)
    corpora = {key for row in rows for key in row["cells"]}
    kinds = [(tuple(row["kind"]), row["crossing"]) for row in rows]
    return {
        "corpora": [*(key for key in paper["corpora"] if key in corpora), *sorted(corpora - set(paper["corpora"]))],
        "rows": rows,
        "missing": [name for name, kind in PUBLISHED.items() if kind not in kinds],
        "missing_corpora": [key for key in paper["corpora"] if key not in corpora],
        "published": paper,
        "left_out": [*out, *compared],
    }


def _why_not(run: Run) -> str:
    """Why a run has no place in the table, or nothing."""
    config = run.config
    if config.get("model") != "embedding":
        return f"it is no network of emotion embeddings (embedding) but {config.get('model')}"
    if config.get("mode") != "scratch" or config.get("initial"):
        return f"it is trained by {config.get('mode')}"
    if attributes_of(run)[1]:
        return "attributes take part in its training"
    if config.get("label_space", "own") != "own":
        return f"it is in label space {config['label_space']}, and the table is of the corpora's own labels"
    if set(map(str, config.get("heads") or {})) != set(map(str, config["corpora"])):
        return "its corpora share a classifier"
    return ""


def _crossing(run: Run) -> str:
    """The name of the cross-validation that a run is of; "" for a single fold."""
    told_of = run.config["partition"]
    return str(told_of["name"]).removeprefix("pool-") if len(told_of["folds"]) > 1 else ""


def _kind(setting: Setting) -> tuple[str, str]:
    config = setting.config
    frames = TUNED if config.get("encoder") else FROZEN if str(config["feature"]).startswith("wav2vec2") else BANKS
    return MULTI if len(config["corpora"]) > 1 else SINGLE, frames


def _block(runs: Sequence[Run], crossing: str) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """The rows of runs that are all by one cross-validation, or by none, and which cannot be compared."""
    settings = group(runs)
    kinds = {one.name: _kind(one) for one in settings}
    order = sorted(kinds, key=lambda name: (list(METHODS).index(kinds[name]), name.endswith(FINAL[1:])))
    against = {name: _reference(name, kinds) for name in order}
    found = transfer_pairs(runs, against, "the row named under against")
    heads = _heads(order, kinds, crossing)
    by_name = {one.name: one for one in settings}
    described = {one["name"]: one for one in found["settings"]}
    rows = []
    for name in (name for name in order if name in described):
        cells = {
            corpus: row["settings"][name]["test"] | {"of": {key: row[key] for key in ("n", "chance", "labels")}}
            for corpus, row in found["corpora"].items()
            if (row["settings"].get(name) or {}).get("test")
        }
        rows.append({
            "method": heads[name], "kind": list(kinds[name]), "crossing": crossing, "setting": name,
            "against": heads.get(against[name], ""), "cells": cells,
            **_published(by_name[name], cells, crossing), "wins": described[name]["against"],
            "runs": described[name]["runs"], "seeds": described[name]["seeds"],
            "frames": sorted({_frames(run) for run in by_name[name].runs}),
            "partitions": sorted({_partition(run, key) for run in by_name[name].runs for key in run.config["corpora"]}),
            **{key: described[name][key] for key in _KEPT},
        })  # fmt: skip
    return rows, [{"run": one["run"], "why": f"{one['why']} ({one['corpus']})"} for one in found["left_out"]]


def _reference(name: str, kinds: Mapping[str, tuple[str, str]]) -> str:
    """The setting that one is compared with, where there is exactly one such."""
    corpora, frames = kinds[name]
    wanted = (SINGLE, frames) if corpora == MULTI else (SINGLE, _AGAINST.get(frames, ""))
    same = [other for other, kind in kinds.items() if kind == wanted and not other.endswith(FINAL[1:])]
    return same[0] if len(same) == 1 else ""


def _heads(order: Sequence[str], kinds: Mapping[str, tuple[str, str]], crossing: str) -> dict[str, str]:
    """Setting -> name of the row; settings of one method are told apart by their own names."""
    last = f", {'LOSO' if crossing == LOSO else crossing}" if crossing else ""
    several = [kind for kind in METHODS if list(kinds.values()).count(kind) > 1]
    return {name: METHODS[kinds[name]] + last + (f": {name}" if kinds[name] in several else "") for name in order}


def _published(setting: Setting, cells: Mapping[str, Any], crossing: str) -> dict[str, Any]:
    """The paper's figures that may stand below a row, and why the others may not."""
    paper = published(NAME)
    names = [name for name, kind in PUBLISHED.items() if kind == (_kind(setting), crossing)]
    if not names:
        return {"published": {}, "not_beside": {}}
    why: dict[str, str] = {}
    for corpus in (corpus for corpus in cells if corpus in paper["corpora"]):
        runs = [run for run in setting.runs if corpus in run.config["corpora"]]
        if any(len(run.config["corpora"]) > 1 and set(run.config["corpora"]) != set(paper["corpora"]) for run in runs):
            why[corpus] = "trained with other corpora"
        elif cells[corpus]["of"]["labels"] != paper["labels"][corpus]:
            why[corpus] = f"{cells[corpus]['of']['labels']} labels here, {paper['labels'][corpus]} there"
        elif not crossing and any(_partition(run, corpus) != paper["partition"] for run in runs):
            why[corpus] = "of another partition"
    told_of = dict(zip(paper["corpora"], paper["table2"][names[0]], strict=False))
    return {
        "published": {corpus: told_of[corpus] for corpus in cells if corpus in told_of and corpus not in why},
        "not_beside": why,
    }


def _partition(run: Run, corpus: str) -> str:
    """The partition of one of a run's corpora."""
    told_of = run.config["partition"]
    start = f"{corpus}: partition "
    own = (str(note).removeprefix(start) for note in told_of.get("notes") or () if str(note).startswith(start))
    return next((note.rpartition(", seed")[0] for note in own), str(told_of["name"]).removeprefix("pool-"))


def _frames(run: Run) -> str:
    encoder = run.config.get("encoder")
    return f"encoder {str(encoder)[:8]}, fine-tuned" if encoder else str(run.config["feature"])


def tables(found: dict[str, Any]) -> list[Table]:
    """Ours with the paper's figures, what was trained, and the paper's table."""
    names = [Column(name, "text", name) for name in ("method", "whose", "against")]
    cells: list[list[Any]] = []
    runs: list[list[str]] = []
    for row in found["rows"]:
        values = [row["cells"].get(key) for key in found["corpora"]]
        cells.append([row["method"], "ours", row["against"] or None, *values, _mean(values)])
        runs.append(row["runs"])
        if row["published"]:
            theirs = [_cell(row["published"].get(key)) for key in found["corpora"]]
            cells.append([row["method"], "paper", None, *theirs, _mean(theirs)])
            runs.append([])
    shown = {"reference": "the row named under against"}
    note = (
        f"{told(shown, 'test')} Several folds count as one test: all utterances together. Average: the mean over the "
        "columns, where none is empty."
    )
    columns = [*names, *(Column(key, "marked", key) for key in found["corpora"]),
               Column("average", "percent", "average")]  # fmt: skip
    notes = [note, *_sizes(found), *sentences(found), *left_out(found)]
    ours = Table("Alisamir et al. 2022, Table II: within corpora, UAR [%]", columns, cells, " ".join(notes), runs)
    return [ours, _trained(found), _their_table(found["published"])]


def _cell(value: float | None) -> dict[str, Any] | None:
    cell = {"sd": None, "n": 1, "low": None, "high": None}
    return None if value is None else {"mean": round(value / 100, 5), **cell}


def _mean(cells: Sequence[dict[str, Any] | None]) -> float | None:
    values = [cell["mean"] for cell in cells if cell]
    return sum(values) / len(values) if len(values) == len(cells) else None


def _sizes(found: dict[str, Any]) -> list[str]:
    """Test utterances and chance of each corpus."""
    sizes: dict[str, dict[str, None]] = {}
    for row in found["rows"]:
        where = row["crossing"] or "one fold"
        for key, cell in row["cells"].items():
            sizes.setdefault(where, {})[f"{key} {cell['of']['n']:,} ({100 * cell['of']['chance']:.1f})"] = None
    return [f"Test utterances and chance [%], {where}: {', '.join(told)}." for where, told in sizes.items()]


def _trained(found: dict[str, Any]) -> Table:
    keys = ("setting", "frames", "partitions", "seeds", *_KEPT)
    columns = [Column("method", "text", "method"), *(Column(key, "text", key) for key in keys),
               Column("runs", "count", "runs")]  # fmt: skip
    rows = [
        [row["method"], row["setting"], *(", ".join(map(str, row[key])) or NONE for key in keys[1:4]),
         *(" or ".join(row[key]) or NONE for key in _KEPT), len(row["runs"])]
        for row in found["rows"]
    ]  # fmt: skip
    return Table("Settings", columns, rows, runs=[row["runs"] for row in found["rows"]])


def _their_table(paper: dict[str, Any]) -> Table:
    columns = [Column("method", "text", "method"), Column("metric", "text", "metric"),
               *(Column(name, "percent", key) for key, name in paper["corpora"].items()),
               Column("average", "percent", "average")]  # fmt: skip
    names = {name: METHODS[kind] + (", LOSO" if crossing else "") for name, (kind, crossing) in PUBLISHED.items()}
    rows: list[list[Any]] = [
        [names[name], "UAR (LOSO)" if name.endswith(LOSO) else "UAR", *(value / 100 for value in values)]
        for name, values in paper["table2"].items()
    ]
    rows += [
        [one["method"], one["metric"], *(None if value is None else value / 100 for value in one["values"]), None]
        for one in paper["table2_others"]
    ]
    note = "A single training each, seed 0; no intervals and no tests. The last rows are other works, by their numbers."
    return Table("Published: Alisamir et al. 2022, Table II [%]", columns, rows, note)


def sentences(found: dict[str, Any]) -> list[str]:
    """How often each row is above the one it is compared with, and what of the paper's table is missing."""
    lines = [
        f"{row['method']} is above {row['against']} on {one['above']} of {one['corpora']} corpora, significantly on "
        f"{one['plus']}; it is significantly worse on {one['minus']}."
        for row in found["rows"]
        if row["against"] and (one := row["wins"]) and one["corpora"]
    ]
    names = found["published"]["corpora"]
    if found["missing"]:
        rows = [METHODS[PUBLISHED[name][0]] + (", LOSO" if PUBLISHED[name][1] else "") for name in found["missing"]]
        lines.append(f"No run here of {len(rows)} of the paper's {len(PUBLISHED)} rows: {', '.join(rows)}.")
    if found["missing_corpora"]:
        lines.append(f"No run here of the paper's corpora {', '.join(names[key] for key in found['missing_corpora'])}.")
    reasons: dict[str, dict[str, None]] = {}
    for row in found["rows"]:
        for corpus, why in row["not_beside"].items():
            reasons.setdefault(why, {})[f"{row['method']} on {names[corpus]}"] = None
    return [*lines, *(f"Not beside the paper's, because {why}: {', '.join(of)}." for why, of in reasons.items())]


PAPER = Paper(
    title="Alisamir et al. 2022, Table II: emotion embeddings within corpora",
    source="S. Alisamir, F. Ringeval and F. Portet, ACII 2022, Table II",
    find=find,
    tables=tables,
    sentences=sentences,
    terms={
        "Single-corpus, multi-corpus": "A network for each corpus; one network for all, with a classifier for each.",
        "FT": "The speech encoder is trained as well; otherwise it is frozen (the paper's baseline), or the frames are "
        "mel filterbanks, of which the paper gives no figures.",
        "LOSO": "Leave one speaker out; one of the other speakers or more are devel, which the paper does not have.",
        "UAR": "Mean recall over the labels that occur. Over several seeds their mean and standard deviation (n − 1); "
        "of a single seed its 95 % bootstrap interval over speakers.",
        "Paper": "What was published stands below ours where corpora, number of labels and partition are the same. "
        "The encoder may be another one: see the settings.",
        "Mark": "+ / −: significantly more / fewer utterances right than the row named under against, run by run of "
        "the same seed (McNemar's test, which compares accuracy and not UAR; corrected over the corpora by Holm).",
    },
)
