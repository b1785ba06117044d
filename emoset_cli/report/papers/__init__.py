"""Tables of papers, filled in with one's own runs: the registry.

A table is one file, one line here and one in `emoset_cli.report.paper_names`; what was published is in ``published/``.
"""

from emoset_cli.report.papers import (
    alisamir2022,
    deepwccn,
    emonet2021_fig7,
    emonet2021_table3,
    emonet2021_table4,
    parry2022,
    zhu2020,
)
from emoset_cli.report.papers.paper import Paper

TABLES: dict[str, Paper] = {
    "emonet2021-table3": emonet2021_table3.PAPER,
    "emonet2021-table4": emonet2021_table4.PAPER,
    "emonet2021-fig7": emonet2021_fig7.PAPER,
    "alisamir2022-table2": alisamir2022.PAPER,
    "deepwccn": deepwccn.PAPER,
    "zhu2020": zhu2020.PAPER,
    "parry2022": parry2022.PAPER,
}
