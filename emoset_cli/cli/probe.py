"""``emoset probe``: what can be read from the embeddings of networks."""

from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import (
    DEFAULT_WORKSPACE,
    Device,
    Json,
    Quiet,
    Seed,
    Workspace,
    answer,
    each,
    finish,
    list_of,
    say,
)
from emoset_cli.errors import unknown


def probe(
    names: Annotated[list[str], typer.Argument(metavar="RUN", help="networks; RUN:final for its last epoch")],
    attributes: Annotated[
        list[str] | None, typer.Option("--attributes", help="corpus, gender, speaker, language, label; all by default")
    ] = None,
    fold: Annotated[str, typer.Option("--fold", help="of runs of several folds")] = "",
    seed: Seed = 0,
    device: Device = "auto",
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Probe networks' embeddings for attributes with a linear classifier; print UAR, accuracy and chance.

    Fitted on train, chosen on devel, scored on test, so on speakers it has not heard; of the attribute speaker on other
    utterances of the same test speakers. Where whole corpora or languages are tested, the test within those trained on
    is meant. Several networks are set side by side.

    Example: emoset probe emodb+ravdess_acrnn --attributes corpus,gender
    """
    from emoset_cli import runs
    from emoset_cli.probe import ATTRIBUTES

    chosen = list_of(attributes) or list(ATTRIBUTES)
    for name in chosen:
        if name not in ATTRIBUTES:
            raise unknown("attribute", name, ATTRIBUTES)
    found, well = each(
        dict.fromkeys(names),
        lambda name: probed(runs.find_run(workspace, name), chosen, workspace, fold, seed, device, quiet),
    )
    if not found:
        finish(False)
    section = read_out(found, seed)
    answer(section.value, section.tables, as_json)
    finish(well)


def read_out(found: list[tuple[list[dict[str, Any]], set[str]]], seed: int) -> Any:
    """What `probed` found in several runs, as a `Section`."""
    from emoset_cli.report.probe_tables import probe_tables
    from emoset_cli.report.section import Section

    same = len({frozenset(tested) for _, tested in found}) == 1
    result = {"seed": seed, "same": same, "probes": [one for probes, _ in found for one in probes]}
    return Section("Probes", probe_tables(result), result)


def probed(
    run: Any, attributes: list[str], workspace: Path, fold: str, seed: int, device: str, quiet: bool
) -> tuple[list[dict[str, Any]], set[str]]:
    """What the probes of a run found, and its test utterances."""
    from emoset_cli import probe as probes
    from emoset_cli.partition import WITHIN
    from emoset_cli.report.embedding_page import groups_of
    from emoset_cli.train.deep.embedded import embedded

    say(f"probing {run.name}", quiet)
    table, values = embedded(run, workspace, ["train", "devel", "test", WITHIN], fold, device)
    tested = WITHIN if (table["partition"] == WITHIN).any() else "test"  # other corpora have other values
    speakers = groups_of(table, "speaker")

    def part(name: str, attribute: str) -> tuple[Any, list[str], list[str]]:
        rows = (table["partition"] == name).to_numpy()
        words = [str(word) for word, kept in zip(groups_of(table, attribute), rows, strict=True) if kept]
        return values[rows], words, [word for word, kept in zip(speakers, rows, strict=True) if kept]

    found = []
    for attribute in attributes:
        train, devel, test = (part(name, attribute) for name in ("train", "devel", tested))
        own = probes.within(devel, test, seed) if attribute == "speaker" else probes.held_out(train, devel, test)
        found.append({"run": run.name, "fold": fold, "width": int(values.shape[1]), "attribute": attribute, **own})
    return found, set(table["utterance"][table["partition"] == tested])
