"""Regular expressions that other people wrote, searched in many names: one that backtracks for ever is stopped."""

from collections.abc import Callable
from time import process_time
from typing import Any

from emoset_cli.errors import EmosetError

_ONE_S = 1.0  # for one name; a sane expression takes microseconds
_ALL_S = 10.0, 0.001  # for all: this, and so much a name


def searcher(expression: str, what: str, mend: str) -> Callable[[str], Any]:
    """A function that searches an expression in a text and answers a match or None, as `re.search` does.

    The standard library cannot be stopped once it backtracks; the package `regex` can, and reads the same expressions.

    Args:
        expression: as `re` takes it, checked when the registry was read
        what: how errors call it, for example "`path` of emodb"
        mend: what the user does about it

    Raises:
        EmosetError: from the function, if one text takes more than a second of computing, or all take long together

    Example:
        >>> search = searcher("(?P<take>[a-z])$", "`path` of mine", "correct it")
        >>> search("03a01Fa")["take"]
        'a'
    """
    import regex

    try:
        compiled = regex.compile(expression)
    except regex.error as error:
        raise EmosetError(f"{what} is not understood ({error}): {expression}", mend) from None
    start, count = process_time(), 0

    def search(text: str) -> Any:
        nonlocal count
        count += 1
        try:
            found = compiled.search(text, timeout=_ONE_S)
        except TimeoutError:
            raise _slow(f"does not come to an end on '{text[:100]}'") from None
        if count % 100 == 0 and process_time() - start > _ALL_S[0] + _ALL_S[1] * count:
            raise _slow(f"takes too long: {process_time() - start:.0f} s for {count} names")
        return found

    def _slow(how: str) -> EmosetError:
        return EmosetError(f"{what} {how}: {expression}", f"{mend}: no repetition inside a repetition, as in (a+)+")

    return search
