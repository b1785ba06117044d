"""``emoset explain``: whom a run serves worse, where it is wrong, and what its attention lay on."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import DEFAULT_WORKSPACE, Device, Json, Quiet, Workspace, answer, say
from emoset_cli.cli.results import Out
from emoset_cli.errors import EmosetError

_LONGEST_S = 20.0  # of a recording in a page


def explain(
    name: Annotated[str, typer.Argument(metavar="RUN", help="to be explained; RUN:final for a network's last epoch")],
    other: Annotated[str, typer.Argument(metavar="OTHER", help="a run to set beside it, of the same utterances")] = "",
    on: Annotated[str, typer.Option("--on", help="test or devel")] = "test",
    most: Annotated[int, typer.Option("--most", min=1, max=100, help="most utterances of a kind")] = 8,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="put the recordings into the page")] = True,
    device: Device = "auto",
    out: Out = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Show whom a run serves worse, its surest mistakes, and where another run disagrees; write a page.

    Scores by gender, speaker, language and duration have intervals. Each utterance can be heard, and where the network
    has attention, that is drawn over the spectrogram.

    Example: emoset explain emodb_cnn emodb_svm
    """
    from emoset_cli import runs
    from emoset_cli.files import digest
    from emoset_cli.report.explain import explain as explained
    from emoset_cli.report.explain import explain_tables
    from emoset_cli.report.explain_page import write_explain_page

    if on not in ("test", "devel"):
        raise EmosetError(f"--on is test or devel, not {on}", "give one of them")
    run = runs.find_run(workspace, name)
    against = runs.find_run(workspace, other) if other else None
    rows = _rows(run, workspace, on)
    found = explained(run, against, rows, on, most)
    kinds = ("mistakes", "disagreements", "right")
    shown = list({row["utterance"]: row for kind in kinds for row in found[kind]}.values())
    sounds = _sounds(workspace, shown, rows) if audio else {}
    maps = _maps(run, workspace, shown, rows, device, quiet)
    words = [run.name, *([against.name] if against else []), "--on", on, "--most", str(most)]
    words += [] if audio else ["--no-audio"]
    safe = run.name.replace(":", "-")
    folder = out or workspace / "reports" / f"explain_{safe}_{digest(words, length=8)}"
    page = write_explain_page(folder, found, sounds, maps, f"emoset explain {shlex.join(words)}")
    say(f"page: {page}", quiet)
    answer({"page": str(page), **found, "maps": sorted(maps)}, explain_tables(found), as_json)


def _rows(run: Any, workspace: Path, on: str) -> Any:
    """The predictions on a partition, each utterance once, with what the tables of utterances know of them."""
    import pandas as pd

    from emoset_cli.prepare import data_hash, read_utterances

    rows = run.predictions()
    rows = rows[rows["partition"] == on]
    if rows.empty:
        raise EmosetError(f"{run.name} has no predictions on {on}", "choose the other --on")
    if rows["utterance"].duplicated().any():
        raise EmosetError(f"utterances recur in the folds of {run.name} on {on}", "--on test has each once")
    tables = []
    for key in rows["corpus"].unique():
        table = read_utterances(workspace, key)
        if data_hash(table) != run.config["data"][key]:
            mend = "give the `emoset train` command again, and name the new run"
            raise EmosetError(f"{key} was prepared anew since {run.name} was trained", mend)
        tables.append(table)
    whole = pd.concat(tables, ignore_index=True, join="inner").set_index("utterance")
    further = [column for column in whole if column not in rows]
    return rows.join(whole[further], on="utterance").reset_index(drop=True)


def _sounds(workspace: Path, shown: list[dict[str, Any]], rows: Any) -> dict[str, bytes]:
    """The recordings as WAV files."""
    import io
    import wave

    from emoset_cli.audio import SAMPLE_RATE
    from emoset_cli.prepare import corpus_folder
    from emoset_cli.store import AudioStore

    stores: dict[str, Any] = {}
    found = {}
    by_name = rows.set_index("utterance")
    for row in shown:
        key = row["corpus"]
        stores.setdefault(key, AudioStore(corpus_folder(workspace, key) / "audio"))
        cell = by_name.loc[row["utterance"]]
        samples = stores[key].samples(cell["shard"], int(cell["offset"]), int(cell["samples"]))
        out = io.BytesIO()
        with wave.open(out, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(samples[: round(_LONGEST_S * SAMPLE_RATE)].tobytes())
        found[row["utterance"]] = out.getvalue()
    return found


def _maps(
    run: Any, workspace: Path, shown: list[dict[str, Any]], rows: Any, device: str, quiet: bool
) -> dict[str, str]:
    """Pictures of attention, where the run is of a network that has any."""
    from emoset_cli.report.settings import is_network

    if not is_network(run):
        return {}
    from emoset_cli.report.plots_attention import attention_plot
    from emoset_cli.train.deep.attended import attended, has_attention
    from emoset_cli.train.deep.members import heads_of
    from emoset_cli.train.deep.use import open_network

    head_of = {corpus: head for head, corpora in heads_of(run).items() for corpus in corpora}
    networks: dict[str, Any] = {}
    found = {}
    for row in shown:
        if row["fold"] not in networks:
            networks[row["fold"]] = open_network(run, row["fold"], device)
        network = networks[row["fold"]]
        if not has_attention(network):
            say(f"note: {run.name} has no attention over a spectrogram to draw", quiet)
            return {}
        one = attended(network, workspace, rows[rows["utterance"] == row["utterance"]], head_of[row["corpus"]])
        title = f"Attention of {run.name} in {row['utterance']}"
        found[row["utterance"]] = attention_plot(one.spectrogram, one.weights, one.seconds, one.heads, title)
    return found
