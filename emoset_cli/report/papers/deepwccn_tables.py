"""What `deepwccn.find` finds as tables, one for each figure of the study, and what the study published."""

from collections.abc import Sequence
from typing import Any

from emoset_cli.report.papers.paper import left_out, missing, published
from emoset_cli.report.seeds import ALPHA
from emoset_cli.report.tables import Column, Table, slug

_MEASURES = {"uar": "UAR", "wa": "WA"}
_FOLDS = "Mean ± standard deviation over the folds of all seeds, each fold scored by itself: no interval."
TERMS = {
    "Within, across languages": "Test speakers of a language that was trained on; of the language left out. Trained on "
    "the others.",
    "WCCN, Deep-WCCN": "The covariance within each emotion is made the identity: of the features, by classic WCCN; of "
    "a network's embedding, while it is trained.",
    "UAR (the study's UA), WA": "Mean recall over the labels that occur; share of correct ones.",
    "Mark": "With (Deep-)WCCN against without, of the same seed and on the same utterances (McNemar); the p values are "
    "corrected over the languages (Holm). A mark is set where more than half of the seeds are significant in one "
    "direction. The study tests nothing.",
}


def tables(found: dict[str, Any]) -> list[Table]:
    """A table for each figure of which there is something, then what was published."""
    ours = [_within(found), _across(found), _gains(found), _added(found), _compared(found)]
    made = [table for table in ours if table.rows]
    made[0].note = " ".join([made[0].note, *left_out(found)])
    return [*made, _published_text(), _published_table()]


def _plus(languages: Sequence[str]) -> str:
    return " + ".join(languages)


def _case(row: dict[str, Any]) -> str:
    """``deu + eng → cmn``."""
    return f"{_plus(row['trained_on'])} → {row['tested_on']}"


def _columns(names: Sequence[str], kind: str = "spread") -> list[Column]:
    """UAR and WA for each name."""
    return [
        Column(f"{name} {told} [%]", kind, f"{slug(name)}_{key}") for name in names for key, told in _MEASURES.items()
    ]


def _within(found: dict[str, Any]) -> Table:
    rows = [row for row in found["cases"] if row["kind"] == "within" and not row["added"]]
    return _by_method(found, "Figure 2: within languages", rows)


def _by_method(found: dict[str, Any], title: str, rows: Sequence[dict[str, Any]]) -> Table:
    """A line for each training and language tested, columns for each method."""
    methods = [name for name in found["methods"] if any(row["method"] == name for row in rows)]
    cases: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        cases.setdefault(_case(row), {})[row["method"]] = row
    columns = [Column("trained on → tested on", "text", "case"), Column("utterances", "count", "utterances"),
               Column("chance [%]", "percent", "chance"), *_columns(methods)]  # fmt: skip
    cells = []
    for case, own in cases.items():
        first = next(iter(own.values()))
        numbers = [own[name][key] if name in own else None for name in methods for key in _MEASURES]
        cells.append([case, first["n"], first["chance"], *numbers])
    return Table(f"Deep-WCCN study, {title}", columns, cells, _FOLDS)


def _across(found: dict[str, Any]) -> Table:
    """Figure 3: each method within (-WL, averaged over trainings) and across (-CL), a line for each language."""
    rows = [row for row in found["means"] if row["across"] or row["within"]]
    languages = list(dict.fromkeys(row["tested_on"] for row in found["means"]))
    columns = [Column("method", "text", "method"), Column("language", "text", "kind"), *_columns(languages)]
    beside = [key for key in languages if key in found["published"]["across"]] if found["same"] else []
    columns += [
        Column(f"published {key} {told} [%]", "percent", f"published_{key}_{slug(told)}")
        for key in beside for told in ("UA", "WA")
    ]  # fmt: skip
    cells = []
    for name in found["methods"]:
        of = {row["tested_on"]: row for row in rows if row["method"] == name}
        for kind in ("within", "across"):
            numbers = [of[key][kind][measure] if key in of and of[key][kind] else None
                       for key in languages for measure in _MEASURES]  # fmt: skip
            told: dict[str, Any] = found["published"][kind] if name == _PROPOSED else {}
            paper = [_share(told[key][at]) if key in told else None for key in beside for at in (0, 1)]
            if any(numbers):
                cells.append([name, kind, *numbers, *paper])
    note = f"{_FOLDS} Within: averaged over the trainings that had the language. Across: it was left out of training."
    return Table("Deep-WCCN study, Figure 3: within and across languages", columns, cells, note)


_PROPOSED = "wav2vec 2.0 + Deep-WCCN"


def _gains(found: dict[str, Any]) -> Table:
    columns = [
        Column("method", "text", "method"), Column("by", "text", "whitening"),
        Column("left out", "text", "left_out"), *_columns(["without"]), *_columns(["with"]),
        Column("UAR with − without", "points", "uar_gain"), Column("WA with − without", "points", "wa_gain"),
        Column("+/−", "text", "mark"), Column("seeds +", "count", "plus"), Column("seeds −", "count", "minus"),
        Column("seeds", "count", "seeds"),
    ]  # fmt: skip
    if found["same"]:
        columns += [Column(f"published {told}", "points", f"published_{slug(told)}") for told in ("UA", "WA")]
    cells = []
    for row in found["gains"]:
        numbers = [row[side][key] for side in ("without", "with") for key in _MEASURES]
        told: dict[str, Any] = next(
            (own for name, own in found["published"]["gains"].items() if row["system"].startswith(name)), {}
        )
        paper = [_share(value) for value in told.get(row["left_out"], (None, None))] if found["same"] else []
        cells.append([row["system"], row["whitening"], row["left_out"], *numbers, row["gain"]["uar"],
                      row["gain"]["wa"], row["mark"], row["plus"], row["minus"], row["pairs"], *paper])  # fmt: skip
    note = (
        f"Across languages. {_FOLDS} + / −: significantly more / fewer utterances right with than without, of the same "
        f"seed (McNemar's test, which compares accuracy; p < {ALPHA:g} after Holm's correction over the languages)."
    )
    return Table("Deep-WCCN study, Figure 4: what (Deep-)WCCN changes", columns, cells, note)


def _added(found: dict[str, Any]) -> Table:
    """Figure 6: a line for each method and number of utterances added, columns for each language left out."""
    across = [row for row in found["cases"] if row["kind"] == "across"]
    methods = dict.fromkeys(row["method"] for row in across if row["added"])
    across = [row for row in across if row["method"] in methods]
    cases = dict.fromkeys(_case(row) for row in across)
    columns = [Column("method", "text", "method"), Column("utterances added", "count", "added"), *_columns(list(cases))]
    cells = []
    for name in methods:
        for added in sorted({row["added"] for row in across if row["method"] == name}):
            own = {_case(row): row for row in across if (row["method"], row["added"]) == (name, added)}
            cells.append(
                [name, added, *(own[case][key] if case in own else None for case in cases for key in _MEASURES)]
            )
    note = (
        f"{_FOLDS} Utterances of training speakers of the language tested, added to training; the study adds 30, 80 "
        "and 150 of 2 s and draws 60, 160 and 300 s."
    )
    return Table("Deep-WCCN study, Figure 6: utterances of the target language", columns, cells, note)


def _compared(found: dict[str, Any]) -> Table:
    """Table 4: the networks (without any, all methods), averaged as in Figure 3."""
    networks = [row for row in found["means"] if row["method"].startswith("wav2vec")] or found["means"]
    columns = [
        Column("language", "text", "kind"), Column("method", "text", "method"),
        Column("trained on", "text", "trained_on"), Column("tested on", "text", "tested_on"),
        Column("labels", "count", "labels"), Column("WA [%]", "spread", "wa"), Column("UAR [%]", "spread", "uar"),
    ]  # fmt: skip
    cells = [
        [kind, row["method"], " or ".join(map(_plus, row[kind]["trained_on"])), row["tested_on"], len(found["labels"]),
         row[kind]["wa"], row[kind]["uar"]]
        for kind in ("within", "across") for row in networks if row[kind]
    ]  # fmt: skip
    corpora = ", ".join(found["corpora"])
    where = "the study's" if found["same"] else f"not the study's: {corpora}"
    note = f"Corpora, partition and labels are {where}. The study's Table 4 follows, with what it compares itself with."
    return Table("Deep-WCCN study, Table 4: ours", columns, cells, note)


def _share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def _published_text() -> Table:
    """The numbers that section 5 tells in words; the figures are drawings."""
    paper = published("deepwccn")
    columns = [
        Column("what", "text", "what"), Column("method", "text", "method"), Column("tested on", "text", "tested_on"),
        Column("UA", "text", "ua"), Column("WA", "text", "wa"),
    ]  # fmt: skip
    rows = [[f"{kind} languages", _PROPOSED, key, *(f"{value:.1f} %" for value in own)]
            for kind in ("within", "across") for key, own in paper[kind].items()]  # fmt: skip
    rows += [["Figure 3: within − across", name, "deu", *map(_points, own)] for name, own in paper["falls"].items()]
    rows += [["Figure 4: with − without (Deep-)WCCN", name, key, *map(_points, of)]
             for name, own in paper["gains"].items() for key, of in own.items()]  # fmt: skip
    rows += [["Figure 6: with 150 s − without target language", _PROPOSED, key, *map(_points, own)]
             for key, own in paper["added"].items()]  # fmt: skip
    note = (
        "Emo-DB (deu), RAVDESS (eng) and the Mandarin half of ESD (cmn), four labels, five folds. "
        f'{paper["drawn"].strip()} For wav2vec 2.0 on German it says that Deep-WCCN gains nothing. Its "150 s" is none '
        "of the amounts it used (60, 160, 300 s, of 30, 80, 150 utterances)."
    )
    return Table("Published: Deep-WCCN study, section 5, in words", columns, rows, note)


def _points(value: float) -> str:
    return f"{value:.1f} points"


def _published_table() -> Table:
    columns = [
        Column("language", "text", "kind"), Column("reference", "text", "reference"),
        Column("method", "text", "method"), Column("trained on", "text", "trained_on"),
        Column("tested on", "text", "tested_on"), Column("classes", "count", "classes"),
        Column("WA [%]", "percent", "wa"), Column("UA [%]", "percent", "ua"),
    ]  # fmt: skip
    rows = [[kind, *line[:5], *map(_share, line[5:])]
            for kind, lines in published("deepwccn")["table4"].items() for line in lines]  # fmt: skip
    note = "Others' partitions, corpora and numbers of classes differ. DE: German, EN: English, CH: Mandarin."
    return Table("Published: Deep-WCCN study, Table 4", columns, rows, note)


def sentences(found: dict[str, Any]) -> list[str]:
    """What stands out, what a reader must not overlook, and what of the study is missing."""
    marks = [f"{row['system']} on {row['left_out']} ({row['mark']})" for row in found["gains"] if row["mark"]]
    told = [f"(Deep-)WCCN changes the accuracy across languages significantly: {', '.join(marks)}."] if marks else []
    if found["gains"] and not marks:
        told = ["(Deep-)WCCN changes nothing significantly across languages."]
    if len({tuple(row["seeds"]) for row in found["cases"]}) > 1:
        told.append("Methods have different seeds: see the tables' numbers of seeds and table.json.")
    left_out = {row["left_out"] for row in found["cases"]}
    theirs = found["published"]["languages"]
    return [*told, *missing(theirs.values(), found["corpora"], "corpora")] + (
        missing(theirs, left_out, "languages left out") if found["same"] else []
    )
