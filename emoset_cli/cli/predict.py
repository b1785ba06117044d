"""``emoset predict``: emotions of anybody's recordings, by any finished run."""

from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import (
    DEFAULT_WORKSPACE,
    Device,
    Json,
    Quiet,
    Workers,
    Workspace,
    answer,
    complain,
    finish,
    list_of,
    progress_bar,
    say,
)
from emoset_cli.errors import unknown


def predict(
    name: Annotated[
        str, typer.Argument(metavar="RUN", help="finished run or shared folder; RUN:final for a last epoch")
    ],
    places: Annotated[
        list[Path], typer.Argument(metavar="FILE_OR_FOLDER", help="recordings in any format, folders with all below")
    ],
    speak: Annotated[
        list[str] | None,
        typer.Option("--as", help="with the labels of these corpora, separated by commas; all of the run by default"),
    ] = None,
    space: Annotated[
        str,
        typer.Option("--space", help="in one label space, such as three-class: the mean over these corpora's heads"),
    ] = "",
    fold: Annotated[str, typer.Option("--fold", help="of a run of several; else the mean over all")] = "",
    window: Annotated[
        float | None,
        typer.Option("--window", help="seconds; longer recordings are cut into windows (by default, those over 30 s)"),
    ] = None,
    hop: Annotated[
        float | None,
        typer.Option("--hop", help="seconds between the beginnings of two windows; half a window by default"),
    ] = None,
    language: Annotated[
        str, typer.Option("--language", help="of the recordings, such as deu: says if the run has not learnt from it")
    ] = "",
    speakers: Annotated[
        str,
        typer.Option(
            "--speakers", help="of a run --normalise speaker: one (all are of one person) or folder (one each)"
        ),
    ] = "",
    weights: Annotated[
        str, typer.Option("--weights", help="of a run on deepspectrum or wav2vec2: where the weights of these lie")
    ] = "",
    calibrated: Annotated[
        bool, typer.Option("--calibrated", help="as sure as the temperatures of emoset calibrate make it")
    ] = False,
    device: Device = "auto",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="folder for predictions (CSV, JSON) and timelines")
    ] = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    workers: Workers = 0,
    force: Annotated[bool, typer.Option("--force", help="write over an earlier answer in --out")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Predict the emotions of recordings; print the probability of each label, or write them with timelines.

    Recordings are mixed down and resampled as by prepare. Long ones are predicted in windows; with --out each of them
    gets a timeline as CSV, JSON, labels for Audacity and a picture (SVG). Recordings that cannot be read are named, the
    others go on.

    Example: emoset predict emodb_cnn interview.mp3 calls/ --out predicted
    """
    from emoset_cli import labels as label_spaces
    from emoset_cli import runs
    from emoset_cli.predict import facts, heads, inputs, predicting, windows, write
    from emoset_cli.predict.concerns import check_language, language_note
    from emoset_cli.predict.model import open_model
    from emoset_cli.report.predicted import predicted_tables

    if out and not force:
        write.refuse_existing(out)
    if speakers and speakers not in predicting.SPEAKERS:
        raise unknown("choice of --speakers", speakers, predicting.SPEAKERS)
    check_language(language)
    run = runs.find_run(workspace, name)
    learnt = run.config.get("heard", {})
    cut = windows.cut_of(window, hop, learnt.get("seconds", {}).get("median"))
    recordings, missing = inputs.find_recordings(places)
    for error in missing:
        complain(error)
    if not recordings:
        finish(False)
    model = open_model(run, list_of(speak), fold, weights, device, workers, calibrated)
    known = label_spaces.spaces(label_spaces.own_file(workspace))
    spoken = heads.mapped(run.name, run.config, model.heads, space, known) if space else None
    notes = [*model.notes, *_of_space(spoken), language_note(run.name, language, learnt)]
    notes += (
        [] if learnt else [f"{run.name} does not tell what it has heard: train it again to learn what is unlike it"]
    )
    with progress_bar("predict", "recordings", len(recordings), quiet) as bar:
        found = predicting.predict(model, recordings, cut, speakers, workers, bar.advance)
    failed = [(one.recording.name, one.failure) for one in found if one.failure]
    for _, failure in failed:
        complain(failure)
    if len(failed) == len(found):
        finish(False)
    scales = {} if spoken else model.dimensions
    named = {head: list(own) for head, own in scales.items()}
    told = [facts.facts_of(one, model.heads, spoken, learnt, named) for one in found if not one.failure]
    notes = [note for note in [*notes, *facts.format_notes(told)] if note]
    value: dict[str, Any] = {
        "run": run.name, "folds": [fold] if fold else [str(one) for one in run.config["partition"]["folds"]],
        "heads": {spoken.space.name: list(spoken.space.labels)} if spoken else model.heads,
        "dimensions": {head: {name: list(ends) for name, ends in own.items()} for head, own in scales.items()},
        "mean_of": list(spoken.to) if spoken else [], "calibrated": calibrated,
        "window_s": cut.window / 16000, "hop_s": cut.hop / 16000, "recordings": told,
        "failed": [{"recording": one, "problem": error.problem, "mend": error.mend} for one, error in failed],
        "notes": notes,
    }  # fmt: skip
    for note in notes:
        say(f"note: {note}", quiet)
    for note in facts.concern_notes(told):
        say(f"WARNING: {note}", quiet)
    if out:
        _write(out, value)
        say(f"written: {out}", quiet)
    answer(value, predicted_tables(value), as_json)
    finish(not failed and not missing)


def _of_space(spoken: Any) -> list[str]:
    """What the heads cannot say in a label space."""
    if not spoken:
        return []
    notes = [f"{head} has no label that is {' or '.join(labels)}" for head, labels in spoken.silent.items()]
    return notes + [f"{head} has fewer than two labels of {spoken.space.name}: left out" for head in spoken.without]


def _write(out: Path, value: dict[str, Any]) -> None:
    from emoset_cli.files import write_text
    from emoset_cli.predict import write
    from emoset_cli.predict.facts import stretches
    from emoset_cli.predict.write import of_head, write_answer
    from emoset_cli.report.timeline import timeline_plot

    for base, one in write_answer(out, value):
        for head, labels in write.labelled(value).items():
            found = stretches(one["windows"], head, one["seconds"])
            title = f"{one['recording']}, {head}"
            picture = timeline_plot(one["windows"], found, head, labels, one["seconds"], title)
            write_text(of_head(base, head, value, ".svg"), picture)
