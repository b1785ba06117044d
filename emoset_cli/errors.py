"""The one exception a user may see: what is wrong, and how to mend it."""

import errno
import os
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


def of_system(error: OSError) -> EmosetError:
    """The system's refusal (disk full, read-only folder, no permission) as an error with a mend."""
    where = error.filename or "a file"
    reason = os.strerror(error.errno) if error.errno else str(error)
    mends = {
        errno.ENOSPC: "free some disk space and give the same command again: what was done is kept",
        errno.EDQUOT: "free some of your quota and give the same command again: what was done is kept",
        errno.EROFS: "choose a folder that can be written to with --workspace",
        errno.EACCES: "choose a folder you may write to with --workspace, or change its permissions",
        errno.EMFILE: "raise the limit of open files (ulimit -n) or use fewer --workers",
    }
    return EmosetError(f"{where}: {reason}", mends.get(error.errno or 0, "see that the file can be read or written"))


def of_fault(error: Exception) -> EmosetError:
    """A mistake of ours in one line, with how to see and report it; want of memory is no mistake of ours.

    Example:
        >>> print(of_fault(KeyError("text")))
        KeyError: 'text'
          mend: this is a fault of emoset: EMOSET_DEBUG=1 before the same command shows where; please report that
    """
    if isinstance(error, MemoryError):
        return EmosetError("the memory does not suffice", "use fewer --workers: what was done is kept")
    told = " ".join(str(error).split())
    return EmosetError(
        f"{type(error).__name__}: {told}".removesuffix(": "),
        "this is a fault of emoset: EMOSET_DEBUG=1 before the same command shows where; please report that",
    )
