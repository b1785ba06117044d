"""What a paper published on corpora through each other's heads, beside what `cross` finds."""

from typing import Any

from emoset_cli.report.cross import SHARED, SHARED_ANY, SPACE
from emoset_cli.report.cross_pairs import CROSS, WITHIN
from emoset_cli.report.paper_names import CROSS as TABLES
from emoset_cli.report.papers.paper import published
from emoset_cli.report.tables import Column, Table

_SPACE = "three-class"  # the label space of the published figures
_METHODS = {
    "single": "Single-corpus", "single-ft": "Single-corpus + FT", "multi": "Multi-corpus",
    "multi-ft": "Multi-corpus + FT",
}  # fmt: skip
_UNSAID = "The paper does not say whether its predictions on common classes are among these or all of the head."


def with_published(found: dict[str, Any], name: str) -> dict[str, Any]:
    """What `cross` found, with the figures of a paper under ``published``.

    ``same`` says whether every method is of the paper's corpora; ``rows`` holds scoring -> method -> ``within`` and
    ``cross``. In a label space that is not the paper's there are no rows for it.
    """
    told = published(name)
    corpora = list(told["corpora"])
    kinds = {SPACE: _SPACE if found["space"] == _SPACE else "", SHARED: "common", SHARED_ANY: "common"}
    count = len(corpora)
    rows = {
        scoring: {
            _METHODS[method]: {WITHIN: _cell(within, count), CROSS: _cell(across, count * (count - 1))}
            for method, (within, across) in told["table3"][kind].items()
        }
        for scoring, kind in kinds.items()
        if kind
    }
    same = not found["further"] and all(set(one["corpora"]) == set(corpora) for one in found["methods"])
    source = f"{' '.join(told['source'].split())}, {TABLES[name]}"
    return found | {"published": {"name": name, "source": source, "corpora": corpora, "same": same, "rows": rows}}


def _cell(values: list[float], n: int) -> dict[str, Any]:
    mean, sd = values
    return {"mean": round(mean / 100, 5), "sd": round(sd / 100, 5), "n": n}


def rows_beside(found: dict[str, Any], scoring: str) -> list[list[Any]]:
    """Rows for the summary of a scoring, where the corpora are the paper's: method, within, across, corpora, pairs."""
    told = found.get("published")
    if not told or not told["same"]:
        return []
    return [[f"paper: {name}", one[WITHIN], one[CROSS], len(told["corpora"]), one[CROSS]["n"]]
            for name, one in told["rows"].get(scoring, {}).items()]  # fmt: skip


def notes_beside(found: dict[str, Any], scoring: str) -> list[str]:
    """What a reader must know of `rows_beside`."""
    if not rows_beside(found, scoring):
        return []
    return [f"Paper: {found['published']['source']}.", *([_UNSAID] if scoring != SPACE else [])]


def published_tables(found: dict[str, Any]) -> list[Table]:
    """The paper's figures in blocks of their own, where the corpora are others."""
    told = found.get("published")
    if not told or told["same"]:
        return []
    titles = {SPACE: f"label space {_SPACE}", SHARED: "common labels"}
    columns = [Column("method", "text", "method"), Column("within-corpus", "pairs", "within"),
               Column("cross-corpus", "pairs", "cross")]  # fmt: skip
    return [
        Table(
            f"Published: {told['name']}, {TABLES[told['name']]}, UAR [%]: {title}",
            columns,
            [[name, one[WITHIN], one[CROSS]] for name, one in told["rows"][scoring].items()],
            f"{told['source']}: {', '.join(told['corpora'])}. Other corpora than here, not to be subtracted."
            + (f" {_UNSAID}" if scoring != SPACE else ""),
        )
        for scoring, title in titles.items()
        if scoring in told["rows"]
    ]
