"""What a command finds in runs, whatever its kind: tables and pictures, with words about them, and its own page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from emoset_cli.report.tables import Table


@dataclass
class Section:
    """A part of a report.

    ``value`` is what JSON holds of it, ``figures`` are SVG by name, ``pages`` full pages of its own by what they are
    of. ``problem`` and ``mend`` say why there is nothing.
    """

    title: str
    tables: Sequence[Table] = ()
    value: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, str] = field(default_factory=dict)
    sentences: Sequence[str] = ()
    left_out: Sequence[str] = ()
    terms: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    pages: Mapping[str, Path] = field(default_factory=dict)
    problem: str = ""
    mend: str = ""

    @property
    def page(self) -> Path:
        """The full page, where there is a single one."""
        (page,) = self.pages.values()
        return page
