"""``emoset plot``: pictures of what networks have learnt."""

import shlex
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import DEFAULT_WORKSPACE, Device, Json, Quiet, Workspace, answer, list_of, say
from emoset_cli.cli.results import Out
from emoset_cli.errors import EmosetError, unknown

app = typer.Typer(
    help="Draw what networks have learnt.\n\nExample: emoset plot embedding emodb_cnn", no_args_is_help=True
)

_COLORS = ("label", "corpus", "speaker", "gender", "prediction")
_ALL = ["train", "devel", "test", "within"]
_ON = {name: [name] for name in _ALL} | {"all": _ALL}


@app.callback()
def group() -> None:
    """Keep ``plot`` a group though it has one command."""


@app.command()
def embedding(
    name: Annotated[str, typer.Argument(metavar="RUN", help="of a network; RUN:final for its last epoch")],
    method: Annotated[str, typer.Option("--method", help="umap, tsne or pca")] = "umap",
    on: Annotated[str, typer.Option("--on", help="utterances of test, devel, train, within or all")] = "test",
    color: Annotated[
        list[str] | None,
        typer.Option(
            "--color", help="a panel each for label, corpus, speaker, gender, prediction; label,corpus by default"
        ),
    ] = None,
    rule: Annotated[
        str, typer.Option("--rule", help="alisamir2022: only correct test utterances with labels of several corpora")
    ] = "",
    fold: Annotated[str, typer.Option("--fold", help="of a run of several folds")] = "",
    seed: Annotated[int, typer.Option("--seed", min=0, help="of umap and tsne")] = 0,
    device: Device = "auto",
    out: Out = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw a network's embedding of its utterances; print silhouettes by label, corpus and speaker.

    Writes a page that tells of each utterance, pictures (SVG), the coordinates (embedding.csv) and the full embedding
    (embeddings.npy, .csv). Silhouettes are of the full embedding, not of the picture.

    Example: emoset plot embedding emodb+ravdess_cnn --rule alisamir2022
    """
    from emoset_cli import runs

    picture = Picture(method, on, tuple(list_of(color)), rule, fold, seed)
    check(picture)
    section = drawn(runs.find_run(workspace, name), workspace, picture, device, out, quiet)
    say(f"page: {section.page}", quiet)
    answer({"page": str(section.page), **section.value}, section.tables, as_json)


@dataclass(frozen=True)
class Picture:
    """What to draw, as the options of the command; without colors by label and corpus."""

    method: str = "umap"
    on: str = "test"
    colors: tuple[str, ...] = ()
    rule: str = ""
    fold: str = ""
    seed: int = 0


def drawn(run: Any, workspace: Path, picture: Picture, device: str, out: Path | None, quiet: bool) -> Any:
    """The embedding of a run, as a `Section` with its page."""
    from emoset_cli import embed
    from emoset_cli.files import digest
    from emoset_cli.report.embedding_page import drawn_panels, groups_of, silhouettes_table, write_embedding_page
    from emoset_cli.report.section import Section
    from emoset_cli.train.deep.embedded import embedded

    method, on, colors, rule, fold, seed = astuple(picture)
    table, values = embedded(run, workspace, _ON[on], fold, device)
    kept = embed.shown(table, run.config["labels"], rule)
    table, values = table[kept].reset_index(drop=True), values[kept]
    alone = table["corpus"].nunique() == 1
    if alone and not colors:
        say(f"note: all utterances are of {table['corpus'].iloc[0]}: no panel by corpus", quiet)
    colors = list(colors) or (["label"] if alone else ["label", "corpus"])
    points, numbers = embed.project(values, method, seed)
    found: dict[str, Any] = {
        "run": run.name, "fold": fold, "method": method, "metric": embed.METRIC, "seed": seed, "on": on, "rule": rule,
        "rule_told": embed.RULES.get(rule, ""), "n": len(table), "width": values.shape[1], **numbers,
        "silhouettes": embed.silhouettes(values, {by: groups_of(table, by) for by in ("label", "corpus", "speaker")}),
    }  # fmt: skip
    options = {"--method": method, "--on": on, "--rule": rule, "--fold": fold, "--seed": str(seed)}
    words = [word for pair in options.items() if pair[1] for word in pair] + ["--color", ",".join(colors)]
    safe = run.name.replace(":", "-")
    folder = out or workspace / "reports" / f"embedding_{safe}_{digest(words, length=8)}"
    command = f"emoset plot embedding {shlex.join([run.name, *words])}"
    page = write_embedding_page(folder, found, table, points, values, colors, command)
    panels = drawn_panels(found, table, points, colors)
    figures = {f"{run.name}, by {color}": svg for color, svg in panels.items()}
    tables = [silhouettes_table(found)]
    return Section(f"Embedding of {run.name}", tables, found, figures, pages={run.name: page})


def check(picture: Picture) -> None:
    """Refuse mistyped words before anything is computed."""
    from emoset_cli import embed

    method, on, colors, rule, *_ = astuple(picture)
    words = [("projection", method, embed.METHODS), ("choice of --on", on, _ON)]
    words += [("color", color, _COLORS) for color in colors] + ([("rule", rule, embed.RULES)] if rule else [])
    for kind, word, known in words:
        if word not in known:
            raise unknown(kind, word, known)
    if rule and on != "test":
        raise EmosetError(f"rule {rule} is about test utterances, not {on}", "leave --on or --rule out")
