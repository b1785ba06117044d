"""``--unseen``: whole corpora that a training only tests, beside those it is trained on."""

from pathlib import Path
from typing import Annotated

import typer

from emoset_cli.cli.common import chosen_corpora
from emoset_cli.errors import EmosetError

Unseen = Annotated[
    list[str] | None,
    typer.Option(
        "--unseen",
        help="corpora, separated by commas, that are only tested, as a whole; needs a label space, and --pool if "
        "several are trained on",
    ),
]


def trained_and_unseen(
    task: list[str] | None, unseen: list[str] | None, partition: str, labels: str, pool: bool, workspace: Path
) -> tuple[list[str], list[str]]:
    """The corpora that are trained on and those that are only tested: all prepared others where no ``-t`` is given.

    Args:
        task: corpora of ``-t``
        unseen: corpora of ``--unseen``
        partition: specification
        labels: label space; several joined by commas
        pool: whether the corpora are trained together
        workspace: in which they are prepared

    Raises:
        EmosetError: if a corpus is both, or nothing could be tested on whole other corpora that way
    """
    from emoset_cli.protocols import goes_across

    keys = chosen_corpora(task, workspace)
    if not unseen:
        return keys, []
    outside = chosen_corpora(unseen, workspace)
    both = [key for key in keys if key in outside]
    if task and both:
        raise EmosetError(
            f"{', '.join(both)} cannot be both trained on and unseen", "leave it out of -t, or out of --unseen"
        )
    keys = [key for key in keys if key not in outside]
    if not keys:
        raise EmosetError("all prepared corpora are unseen: none is left to train on", "name fewer by --unseen")
    if goes_across(partition):
        raise EmosetError(
            f"--unseen and --partition {partition} both choose the corpora that are tested", "leave one of them out"
        )
    if len(keys) > 1 and not pool:
        raise EmosetError(
            f"{', '.join(keys)} do not share one classifier, which --unseen {','.join(outside)} needs",
            "add --pool and a label space, for example --labels three-class, or name one corpus by -t",
        )
    if "," in labels:
        raise EmosetError(f"--labels {labels} are several domains, --unseen needs one label space", "name one of them")
    return keys, outside
