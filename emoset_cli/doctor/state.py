"""What a check says of one thing in a workspace."""

from typing import NamedTuple

WHOLE = "whole"
UNFINISHED = "unfinished"  # an interrupted command; the same command goes on
OUTDATED = "outdated"  # whole, but what it was made of has changed or gone
LEFT_OVER = "left over"  # of no use to anybody
DAMAGED = "damaged"  # not what emoset wrote


class Checked(NamedTuple):
    """A thing (``part`` corpora, features, runs, ...; its ``name``), its state, and the mend where it is not whole."""

    part: str
    name: str
    state: str = WHOLE
    detail: str = ""
    mend: str = ""
