"""The page about an embedding: its picture, which tells of each utterance, silhouettes, and the files beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli import __version__, files
from emoset_cli.report.kinds import percent
from emoset_cli.report.page import render, write_beside
from emoset_cli.report.plots_embedding import scatter
from emoset_cli.report.tables import Column, Table

NAMES = {"umap": "UMAP", "tsne": "t-SNE", "pca": "PCA"}
COLUMNS = {"label": "truth"}  # of the table of utterances, where it is not the word of --color


def silhouettes_table(found: dict[str, Any]) -> Table:
    """The silhouettes of `embed.silhouettes`; ``found`` as `write_embedding_page` takes it."""
    columns = [
        Column("groups by", "text", "by"), Column("groups", "count", "groups"), Column("utterances", "count", "n"),
        Column("silhouette", "coefficient", "silhouette"), Column("note", "text", "note"),
    ]  # fmt: skip
    rows = [[one[column.key] for column in columns] for one in found["silhouettes"]]
    note = (
        f"Mean silhouette coefficient in all {found['width']} dimensions of the embedding ({found['metric']} "
        "distance), not in the picture: 1 far apart, 0 one in another, below 0 nearer to another group."
    )
    return Table(f"Silhouettes: {found['run']}, {found['on']}", columns, rows, note, [[found["run"]] for _ in rows])


def groups_of(table: Any, color: str) -> list[str]:
    """The group of each utterance, for a word of --color; speakers are told apart by their corpus."""
    if color == "speaker":
        pairs = zip(table["corpus"], table["speaker"], strict=True)
        return [f"{corpus}/{name}" if name else "" for corpus, name in pairs]
    return [str(word) for word in table[COLUMNS.get(color, color)]]


def drawn_panels(found: dict[str, Any], table: Any, points: np.ndarray, colors: Sequence[str]) -> dict[str, str]:
    """A picture (SVG) for each of ``colors``; arguments as of `write_embedding_page`."""
    facts = [_told(row) for row in table.to_dict("records")]
    name = NAMES[found["method"]]
    return {color: scatter(points.tolist(), groups_of(table, color), facts, f"{name} by {color}") for color in colors}


def write_embedding_page(
    folder: Path, found: dict[str, Any], table: Any, points: np.ndarray, values: np.ndarray, colors: Sequence[str],
    command: str,
) -> Path:  # fmt: skip
    """Write ``report.html`` and, beside it, pictures (SVG), tables, ``embedding.json``, and the embedding itself.

    ``embedding.csv`` holds coordinates and facts of each utterance, ``embeddings.npy`` the full embedding in the same
    order, and ``embeddings.csv`` the same with ids. The page needs no other file and no network.

    Args:
        folder: made if missing; files of ours in it are replaced one by one, each whole
        found: facts: run, method, metric, seed, on, rule, fold, n, width, silhouettes
        table: an utterance a row
        points: coordinates, ``(utterances, 2)``
        values: the embedding, ``(utterances, width)``
        colors: label, corpus, speaker, gender or prediction: a panel for each
        command: that makes this page

    Returns:
        path of the page
    """
    from markupsafe import Markup

    facts = [_told(row) for row in table.to_dict("records")]
    panels = drawn_panels(found, table, points, colors)
    summary = silhouettes_table(found)
    write_beside(folder, [summary], {f"embedding_{color}": drawn for color, drawn in panels.items()})
    _write_values(folder, table, points, values)
    files.write_json(folder / "embedding.json", found)
    page = render(
        "embedding.html.j2",
        title=f"{NAMES[found['method']]} of {found['run']}",
        version=__version__,
        panels={color: Markup(drawn) for color, drawn in panels.items()},
        settings=_settings(found),
        table=summary,
        method=found["method"],
        facts=facts,
        command=command,
        ids={},
    )
    files.write_text(folder / "report.html", page)
    return folder / "report.html"


def _told(row: dict[str, Any]) -> str:
    """What a mark tells of its utterance."""
    verdict = "right" if row["truth"] == row["prediction"] else f"taken for {row['prediction']}"
    speaker = ", ".join(filter(None, (row["speaker"] and f"speaker {row['speaker']}", row["gender"])))
    return " · ".join(filter(None, (row["utterance"], f"{row['truth']}, {verdict}", speaker, row["partition"])))


def _settings(found: dict[str, Any]) -> list[tuple[str, str]]:
    """What the picture is of, in pairs of words."""
    explained = found.get("explained")
    pairs = [
        ("run", found["run"]), ("fold", found["fold"]), ("utterances", f"{found['n']:,}, {found['on']}"),
        ("rule", f"{found['rule']}: {found['rule_told']}" if found["rule"] else ""),
        ("embedding", f"{found['width']} dimensions"), ("projection", NAMES[found["method"]]),
        ("distance", found["metric"]), ("seed", "" if found["method"] == "pca" else str(found["seed"])),
        ("variance in the picture", f"{percent(explained)} %" if explained is not None else ""),
    ]  # fmt: skip
    return [(name, value) for name, value in pairs if value]


def _write_values(folder: Path, table: Any, points: np.ndarray, values: np.ndarray) -> None:
    import pandas as pd

    placed = table.assign(x=points[:, 0], y=points[:, 1])
    files.write_text(folder / "embedding.csv", placed.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    wide = pd.DataFrame(values, columns=[f"e{number}" for number in range(values.shape[1])])
    wide.insert(0, "utterance", table["utterance"].to_numpy())
    files.write_text(folder / "embeddings.csv", wide.to_csv(index=False, float_format="%.9g", lineterminator="\n"))

    def save(aside: Path) -> None:
        with aside.open("wb") as file:
            np.save(file, values, allow_pickle=False)

    files.write_table(folder / "embeddings.npy", save)
