"""What the heads for attributes (corpus, gender, speaker, language) know: accuracy, and the share of definite rows."""

from collections.abc import Iterator, Sequence
from typing import Any

from emoset_cli.report.tables import Column, Table
from emoset_cli.runs import Run

DEFINITE = 0.8  # posterior of the truth from which an utterance or segment is definite: Zhu & Sato 2020, section 4
ALL = "all"
UNITS = ("utterance", "segment")
_ORDER = ("test", "within", "devel")


def attribute_scores(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """For each run with heads for attributes: what each of them knows of each corpus, and of all together.

    Rows are by run, partition (test first), attribute, unit and corpus; each is a row of `known` with ``chance``, 1 /
    number of the head's classes, which are those of training. An utterance that recurs in folds (devel of a
    cross-validation) counts in each.
    """
    rows = []
    for run in runs:
        table = run.attributes()
        if table is None:
            continue
        classes = {str(name): len(own) for name, own in run.config["attributes"]["classes"].items()}
        for partition, attribute, unit, corpus, part in _groups(table):
            rows.append({
                "run": run.name, "approach": str(run.config["attributes"]["approach"]), "partition": partition,
                "attribute": attribute, "unit": unit, "corpus": corpus, **known(part), "classes": classes[attribute],
                "chance": 1 / classes[attribute],
            })  # fmt: skip
    return rows


def _groups(table: Any) -> Iterator[tuple[str, str, str, str, Any]]:
    """Partition, attribute, unit, corpus and their rows; of several corpora, first those of all."""
    assert set(table["partition"]) <= set(_ORDER), f"partitions {set(table['partition'])}"
    for partition in (one for one in _ORDER if one in set(table["partition"])):
        of_partition = table[table["partition"] == partition]
        for attribute in of_partition["attribute"].unique():
            for unit in UNITS:
                part = of_partition[(of_partition["attribute"] == attribute) & (of_partition["unit"] == unit)]
                corpora = sorted(set(part["corpus"]))
                if len(corpora) > 1:
                    yield partition, str(attribute), unit, ALL, part
                for corpus in corpora:
                    yield partition, str(attribute), unit, corpus, part[part["corpus"] == corpus]


def known(rows: Any) -> dict[str, Any]:
    """Counts and shares of rows of `Run.attributes`: of those whose truth the head could say.

    ``n`` of them are known and ``n_unknown`` not; ``accuracy`` is the share whose prediction is the truth, ``definite``
    the share whose posterior of the truth is at least `DEFINITE`. Both are None where nothing is known.

    Source:
        Zhu & Sato 2020, section 4: of the attribute corpus, the share of definite samples is their r_cor.

    Example:
        >>> import pandas as pd
        >>> rows = pd.DataFrame({"truth": ["a", "a", "b", ""], "prediction": ["a", "b", "b", "a"],
        ...                      "posterior": [0.8, 0.3, 0.79, None]})
        >>> {name: value if name[0] == "n" else round(value, 3) for name, value in known(rows).items()}
        {'n': 3, 'n_unknown': 1, 'accuracy': 0.667, 'definite': 0.333}
    """
    told = rows[rows["truth"] != ""]
    return {
        "n": len(told),
        "n_unknown": len(rows) - len(told),
        "accuracy": float((told["truth"] == told["prediction"]).mean()) if len(told) else None,
        "definite": float((told["posterior"] >= DEFINITE).mean()) if len(told) else None,
    }


def attributes_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows of `attribute_scores`, without devel where there is a test."""
    columns = [
        Column("run", "text", "run"), Column("approach", "text", "approach"), Column("partition", "text", "partition"),
        Column("attribute", "text", "attribute"), Column("unit", "text", "unit"), Column("corpus", "text", "corpus"),
        Column("known", "count", "n"), Column("unknown", "count", "n_unknown"),
        Column("classes", "count", "classes"), Column("chance [%]", "percent", "chance"),
        Column("accuracy [%]", "percent", "accuracy"), Column("definite [%]", "percent", "definite"),
    ]  # fmt: skip
    tested = {row["run"] for row in rows if row["partition"] == "test"}
    shown = [row for row in rows if row["partition"] != "devel" or row["run"] not in tested]
    note = (
        f"Definite: the posterior of the truth is at least {DEFINITE:g}; of the attribute corpus this share is the "
        "r_cor of Zhu & Sato 2020. Unknown: the attribute is not known or, as a test speaker's name, no class of the "
        "head; these do not count. Chance: 1 / classes; where a corpus has one value only, a head that always says it "
        "is right without listening."
    )
    return Table("Attributes", columns, [[row[column.key] for column in columns] for row in shown], note)
