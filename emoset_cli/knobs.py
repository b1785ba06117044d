"""The options of a training command as a YAML file may set them: their kinds, words and limits."""

from collections.abc import Mapping
from dataclasses import dataclass

from emoset_cli.errors import EmosetError, unknown

Value = bool | int | float | str


@dataclass(frozen=True)
class Knob:
    """An option of a training command as a plan may set it.

    ``kind`` is bool, int, float or str; ``words`` those it takes, any if there are none; ``low`` and ``high`` limits of
    a number. ``fixed`` says that it decides what is scored: values of it cannot be compared.
    """

    kind: type
    words: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    fixed: bool = False

    def check(self, value: Value) -> None:
        """Refuse what the command would refuse.

        Raises:
            EmosetError: if the value is no word of the option or outside its limits
        """
        if self.words and value not in self.words:
            raise unknown("value", str(value), self.words)
        if isinstance(value, str):
            return
        if self.low is not None and value < self.low:
            raise EmosetError(f"{told(value)} is below {told(self.low)}", f"take {told(self.low)} or more")
        if self.high is not None and value > self.high:
            raise EmosetError(f"{told(value)} is above {told(self.high)}", f"take {told(self.high)} or less")


@dataclass(frozen=True)
class Command:
    """What a training command takes: its options, and for others why a plan does not set them."""

    knobs: Mapping[str, Knob]
    refused: Mapping[str, EmosetError]


def told(value: Value) -> str:
    """A value as the command line takes it; truth values, and the word that leaves an option out, as YAML writes them.

    Example:
        >>> [told(value) for value in (True, 3, 0.0001, "gru", "")]
        ['true', '3', '0.0001', 'gru', "''"]
    """
    return str(value).lower() if isinstance(value, bool) else str(value) or "''"
