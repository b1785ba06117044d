"""The one exception a user may see: what is wrong, and how to mend it."""

from collections.abc import Iterable
from difflib import get_close_matches


class EmosetError(Exception):
    """A mistake the user can mend.

    Args:
        problem: what is wrong; names the file, the key and the value
        mend: what to type or change, in the imperative
    """

    def __init__(self, problem: str, mend: str) -> None:
        super().__init__(problem, mend)
        self.problem = problem
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.problem}\n  mend: {self.mend}"


def unknown(kind: str, name: str, known: Iterable[str]) -> EmosetError:
    """The error for a name that is not in a registry; says which names are, and the nearest one.

    Example:
        >>> print(unknown("corpus", "emo-db", ["crema-d", "emodb"]))
        unknown corpus 'emo-db'
          mend: did you mean 'emodb'? known: crema-d, emodb
    """
    names = sorted(str(name) for name in known)
    near = [other for other in names if _letters(other) == _letters(str(name))]
    near = near or get_close_matches(str(name), names, n=1)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return EmosetError(f"unknown {kind} '{name}'", f"{hint}known: {', '.join(names) or 'none'}")


def _letters(name: str) -> str:
    """The name without case and punctuation: EMO-DB is nearer to emodb than to emov-db."""
    return "".join(letter for letter in name.lower() if letter.isalnum())
