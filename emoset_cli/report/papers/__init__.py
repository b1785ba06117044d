"""Tables of papers, filled in with one's own runs: the registry. A paper is one file and one line here."""

from emoset_cli.report.papers import deepwccn, parry2022, zhu2020
from emoset_cli.report.papers.paper import Paper

TABLES: dict[str, Paper] = {"zhu2020": zhu2020.PAPER, "parry2022": parry2022.PAPER, "deepwccn": deepwccn.PAPER}
