"""What `cross` finds as tables: the summary in the shape of Alisamir et al.'s Table III, every pair, confusions."""

from collections.abc import Iterator, Sequence
from typing import Any

from emoset_cli.report.attributes import DEFINITE
from emoset_cli.report.cross import SHARED, SHARED_ANY, SPACE
from emoset_cli.report.cross_pairs import CROSS, UNSEEN, WITHIN
from emoset_cli.report.cross_published import notes_beside, published_tables, rows_beside
from emoset_cli.report.tables import Column, Table

TITLES = {
    SPACE: "label space {space}",
    SHARED: "common labels, prediction among them",
    SHARED_ANY: "common labels, prediction among all of the head",
}
TOLD = {
    SPACE: "Truth and prediction are mapped to {space}. Utterances whose label has no entry there are left out; a "
    "prediction without an entry is an error.",
    SHARED: "Utterances whose label both corpora have; the prediction is the likeliest of the labels they share.",
    SHARED_ANY: "Utterances whose label both corpora have; the prediction is the likeliest of all labels of the head, "
    "and one that is not shared is an error.",
}
_PAIRS = "Mean (standard deviation, n − 1) of the UAR over ordered pairs of corpora: a spread of pairs, no interval."


def cross_tables(found: dict[str, Any]) -> list[Table]:
    """For each scoring the methods, then the pairs; ``found`` is of `cross`."""
    return summary_tables(found) + pair_tables(found)


def summary_tables(found: dict[str, Any]) -> list[Table]:
    """The methods by each scoring, with what was published where `with_published` has put it."""
    return [_methods(found, name) for name in _scored(found)] + published_tables(found)


def pair_tables(found: dict[str, Any]) -> list[Table]:
    """The pairs by each scoring."""
    return [_pairs(found, name) for name in _scored(found)]


def _scored(found: dict[str, Any]) -> list[str]:
    return [name for name, one in found["scorings"].items() if one["pairs"]]


def _methods(found: dict[str, Any], scoring: str) -> Table:
    """A line for each method.

    Source:
        Alisamir et al. 2022, Table III.
    """
    space = found["space"]
    columns = [
        Column("method", "text", "method"), Column("within-corpus", "pairs", "within"),
        Column("cross-corpus", "pairs", "cross"), Column("corpora", "count", "corpora"),
        Column("pairs across", "count", "pairs"),
    ]  # fmt: skip
    corpora = {method["name"]: len(method["corpora"]) for method in found["methods"]}
    rows = [
        [one["method"], one[WITHIN], one[CROSS], corpora[one["method"]], (one[CROSS] or {"n": 0})["n"]]
        for one in found["scorings"][scoring]["methods"]
    ]
    if found["further"]:
        columns.append(Column("unseen corpora", "pairs", "unseen"))
        rows = [[*row, one[UNSEEN]] for row, one in zip(rows, found["scorings"][scoring]["methods"], strict=True)]
    rows += rows_beside(found, scoring)
    notes = [TOLD[scoring].format(space=space), _PAIRS, *left_out(found, scoring), *notes_beside(found, scoring)]
    of = {method["name"]: method["runs"] for method in found["methods"]}
    title = f"UAR across corpora [%]: {TITLES[scoring].format(space=space)}"
    return Table(title, columns, rows, " ".join(notes), [of.get(row[0], []) for row in rows])


def _pairs(found: dict[str, Any], scoring: str) -> Table:
    """A line for each corpus through each head."""
    columns = [
        Column("method", "text", "method"), Column("corpus", "text", "corpus"), Column("head", "text", "head"),
        Column("utterances", "count", "utterances"), Column("speakers", "count", "speakers"),
        Column("labels", "count", "labels"), Column("chance [%]", "percent", "chance"),
        Column("UAR [%]", "percent", "uar"), Column("WA [%]", "percent", "wa"),
        Column("left out", "count", "left_out"), Column("predictions outside", "count", "errors"),
    ]  # fmt: skip
    pairs = found["scorings"][scoring]["pairs"]
    rows = [
        [one["method"], one["corpus"], one["head"], one["n"], one["n_speakers"], len(one["labels"]), one["chance"],
         one["uar"], one["wa"], sum(one["left_out"].values()), sum(one["errors"].values())]
        for one in pairs
    ]  # fmt: skip
    notes = ["In brackets: 95 % intervals, of the UAR over speakers.", *_outside(pairs), *tested(found)]
    title = f"Corpora through heads: {TITLES[scoring].format(space=found['space'])}"
    return Table(title, columns, rows, " ".join(notes), [[one["run"]] for one in pairs])


def _outside(pairs: Sequence[dict[str, Any]]) -> list[str]:
    """The labels that were left out, and the predictions that were errors whatever the truth."""
    words = {"left_out": ("corpus", "Left out"), "errors": ("head", "Predictions outside")}
    notes = []
    for name, (whose, told) in words.items():
        labels = dict.fromkeys(f"{one[whose]}/{label}" for one in pairs for label in one[name])
        notes += [f"{told}: {', '.join(labels)}."] if labels else []
    return notes


def tested(found: dict[str, Any]) -> list[str]:
    """Which utterances of each corpus are tested, and what was left out because a network knows it."""
    sources: dict[str, dict[str, None]] = {}
    notes = []
    for one in found["utterances"]:
        sources.setdefault(one["utterances"], {})[one["corpus"]] = None
        if one["known"]:
            notes.append(
                f"{one['run']} has heard {one['known']['utterances']} utterances of {one['corpus']} or their speakers "
                f"({', '.join(one['known']['speakers'])}): left out."
            )
    told = "; ".join(f"{', '.join(corpora)}: {source}" for source, corpora in sources.items())
    return [f"Tested: {told}.", *dict.fromkeys(notes)] if told else []


def left_out(found: dict[str, Any], scoring: str) -> list[str]:
    """A sentence for each reason why pairs are not scored."""
    reasons: dict[str, dict[str, None]] = {}
    for one in found["left_out"]:
        if one["scoring"] in ("", scoring):
            reasons.setdefault(one["why"], {})[f"{one['corpus']} through {one['head']}"] = None
    return [f"Left out, because {why}: {', '.join(places)}." for why, places in reasons.items()]


def matrices(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Title and confusion of each pair across corpora; then of its definite and of its ambiguous utterances.

    A title is such as ``cafe through gemep: multi-corpus: all``.

    Source:
        Alisamir et al. 2022, Figure 3; Zhu & Sato 2020, Figure 2.
    """
    for one in found["confusions"]:
        where = f"{one['corpus']} through {one['head']}"
        yield f"{where}: {one['method']}", one
        for name in ("definite", "ambiguous"):
            if one.get(name):
                yield f"{where}, corpus-{name}: {one['method']}", one[name]


def confusion_tables(found: dict[str, Any]) -> list[Table]:
    """Each corpus's labels (rows) in another's (columns): counts with the share of the row."""
    return [
        Table(
            title,
            [Column("truth", "text", "truth"), *(Column(label, "portion", label) for label in one["columns"])],
            [[label, *(_portion(count, sum(counts)) for count in counts)]
             for label, counts in zip(one["labels"], one["counts"], strict=True)],
            "Utterances, in brackets percent of the row.",
        )
        for title, one in matrices(found)
    ]  # fmt: skip


def ambiguity_tables(found: dict[str, Any]) -> list[Table]:
    """Which labels of a corpus are corpus-ambiguous, a line each; no table where no head names corpora."""
    columns = [
        Column("method", "text", "method"), Column("corpus", "text", "corpus"), Column("label", "text", "label"),
        Column("utterances", "count", "utterances"), Column("ambiguous [%]", "portion", "ambiguous"),
    ]  # fmt: skip
    rows = [
        [one["method"], one["corpus"], row["label"], row["n"], _portion(row["ambiguous"], row["n"])]
        for one in found["ambiguity"]
        for row in one["labels"]
    ]
    most = [
        f"Most ambiguous of {one['corpus']} ({one['method']}): {one['most_ambiguous'] or 'none'}."
        for one in found["ambiguity"]
    ]
    unknown = [
        f"{one['n_unknown']} utterances of {one['corpus']} have no posterior and are in neither."
        for one in found["ambiguity"]
        if one["n_unknown"]
    ]
    note = (
        f"Ambiguous: the posterior of the utterance's own corpus is below {DEFINITE:g} (Zhu & Sato 2020, whose samples "
        "are segments); in brackets percent of the label."
    )
    runs = [[one["run"]] for one in found["ambiguity"] for _ in one["labels"]]
    return (
        [Table("Corpus-ambiguous utterances", columns, rows, " ".join([note, *most, *unknown]), runs)] if rows else []
    )


def _portion(count: int, total: int) -> dict[str, Any]:
    return {"count": count, "share": count / total}
