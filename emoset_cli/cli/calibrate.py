"""``emoset calibrate``: how sure runs may be of what they say."""

from typing import Annotated

import typer

from emoset_cli.cli.common import DEFAULT_WORKSPACE, Json, Quiet, Workspace, answer, each, finish, say
from emoset_cli.cli.results import Out


def calibrate(
    names: Annotated[list[str], typer.Argument(metavar="RUN", help="finished runs; RUN:final for a last epoch")],
    bins: Annotated[int, typer.Option("--bins", min=1, max=1000, help="of the reliability diagrams and the ECE")] = 15,
    out: Out = None,
    workspace: Workspace = DEFAULT_WORKSPACE,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Fit temperatures on devel; write them beside the run, and reliability diagrams and calibration errors.

    A temperature changes how sure a model is and never what it predicts. `emoset predict --calibrated` and
    `emoset share --calibrated` apply it.

    Example: emoset calibrate emodb_cnn
    """
    from emoset_cli import calibration, runs
    from emoset_cli.files import digest
    from emoset_cli.report.calibration import calibration_scores, calibration_table, write_calibration

    found, well = each(dict.fromkeys(names), lambda name: runs.find_run(workspace, name))
    fitted, fine = each(found, lambda run: (run, calibration.fit(run)))
    if not fitted:
        finish(False)
    for run, temperatures in fitted:
        say(f"temperatures: {calibration.write(run, temperatures)}", quiet)
    scores = [score for run, temperatures in fitted for score in calibration_scores(run, temperatures, bins)]
    named = [run.name for run, _ in fitted]
    name = named[0].replace(":", "-") if len(named) == 1 else f"{len(named)}-runs_{digest(named, length=8)}"
    report = write_calibration(out or workspace / "reports" / f"calibrate_{name}", scores, bins)
    say(f"report: {report.parent}", quiet)
    value = {
        "report": str(report.parent), "bins": bins, "scores": scores,
        "temperatures": {run.name: temperatures for run, temperatures in fitted},
    }  # fmt: skip
    answer(value, [calibration_table(scores, bins)], as_json)
    finish(well and fine)
