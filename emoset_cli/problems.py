"""What is wrong with a recording or a corpus, as a row of ``problems.csv``."""

from dataclasses import dataclass

LEFT_OUT, KEPT = "left out", "kept"


@dataclass(frozen=True)
class Problem:
    """One fault of one recording (or of the corpus, with an empty path): a row of ``problems.csv``."""

    corpus: str
    path: str
    utterance: str
    problem: str
    action: str
    detail: str
    mend: str
