"""One table, described once, printed as Markdown, LaTeX (booktabs) or CSV."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from emoset_cli.report.kinds import KINDS, NONE, parts_of


@dataclass(frozen=True)
class Column:
    """A column: ``name`` is its heading, ``kind`` one of `KINDS`, ``key`` its heading in CSV."""

    name: str
    kind: str
    key: str

    def __post_init__(self) -> None:
        assert self.kind in KINDS, f"column {self.name}: kind {self.kind}"


@dataclass
class Table:
    """A title, columns, rows of plain values and a note below; prints itself.

    Pages that know the runs link each number to those it is of: a value's own ``runs``, else those of its row.

    Printed percents are shares times 100 with one decimal; CSV keeps the shares in full, so that nobody computes
    with rounded numbers.

    Example:
        >>> columns = [Column("corpus", "text", "corpus"), Column("WA", "percent", "wa")]
        >>> table = Table("Sizes", columns, [["emodb", 0.5]])
        >>> print(table.csv().strip())
        corpus,wa,wa_low,wa_high
        emodb,0.5,,
    """

    title: str
    columns: list[Column]
    rows: list[list[Any]] = field(default_factory=list)
    note: str = ""
    runs: list[list[str]] = field(default_factory=list)  # of each row, where its values do not tell

    def sources(self) -> list[list[tuple[str, ...]]]:
        """The runs that each cell's number is of; words are of none."""
        named = next((place for place, column in enumerate(self.columns) if column.key == "run"), None)
        found = []
        for number, row in enumerate(self.rows):
            own = self.runs[number] if self.runs else [] if named is None else [str(row[named])]
            found.append([_sources(column, value, own) for column, value in self._pairs(row)])
        return found

    def cells(self) -> list[list[str]]:
        """Each row as printed text, not escaped."""
        return [
            [NONE if value is None else KINDS[column.kind].text(value) for column, value in self._pairs(row)]
            for row in self.rows
        ]

    def _pairs(self, row: list[Any]) -> list[tuple[Column, Any]]:
        return list(zip(self.columns, row, strict=True))

    def markdown(self) -> str:
        """A GitHub table under a heading; label names cannot break out of their cell."""
        lines = [[_markdown(column.name) for column in self.columns]]
        lines += [["---" if column.kind == "text" else "---:" for column in self.columns]]
        lines += [[_markdown(cell) for cell in row] for row in self.cells()]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"## {_markdown(self.title)}\n\n{body}\n" + (f"\n{_markdown(self.note)}\n" if self.note else "")

    def latex(self) -> str:
        """A ``table`` environment; it needs booktabs, and graphicx to fit a wide table to the line."""
        line = " & ".join
        spec = "".join("l" if column.kind == "text" else "r" for column in self.columns)
        rows = [line(map(_latex, row)) + r" \\" for row in self.cells()]
        wide = len(self.columns) > 6
        start, end = ([r"\resizebox{\linewidth}{!}{%"], [r"\end{tabular}}"]) if wide else ([], [r"\end{tabular}"])
        note = [rf"\par\smallskip\footnotesize {_latex(self.note)}"] if self.note else []
        return "\n".join([
            r"\begin{table}[t]", r"\centering\small",
            rf"\caption{{{_latex(self.title)}}}", rf"\label{{tab:{slug(self.title)}}}", *start,
            rf"\begin{{tabular}}{{{spec}}}", r"\toprule",
            line(_latex(column.name) for column in self.columns) + r" \\", r"\midrule",
            *rows, r"\bottomrule", *end, *note, r"\end{table}",
        ]) + "\n"  # fmt: skip

    def csv(self) -> str:
        """Unrounded values, a column for each part of a cell (``uar``, ``uar_low``, ``uar_high``); absent is empty."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([
            column.key + (f"_{part}" if part != "value" else "")
            for column in self.columns for part in KINDS[column.kind].parts
        ])  # fmt: skip
        for row in self.rows:
            writer.writerow([part for column, value in self._pairs(row) for part in parts_of(column.kind, value)])
        return out.getvalue()


def _sources(column: Column, value: Any, row: Sequence[str]) -> tuple[str, ...]:
    if column.kind == "text" or value is None:
        return ()
    return tuple(value["runs"]) if isinstance(value, dict) and "runs" in value else tuple(row)


def slug(text: str) -> str:
    """Lower case, digits and hyphens only: for LaTeX labels and file names.

    Example:
        >>> slug("Recall: emodb, test")
        'recall-emodb-test'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def _markdown(text: str) -> str:
    text = re.sub(r"([\\`*<>&|~]|\](?=[(\[:]))", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "±": r"$\pm$", "−": r"$-$", "∞": r"$\infty$", "→": r"$\to$", "–": "--",
}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in " ".join(text.split()))


def in_order(scores: Sequence[dict[str, Any]], partitions: Sequence[str]) -> list[tuple[Any, str, str, Any]]:
    """Score, corpus, partition and its numbers, in the order of the rows of `results_table`."""
    corpora = dict.fromkeys(corpus for score in scores for corpus in score["corpora"])
    return [
        (score, corpus, partition, score["corpora"][corpus][partition])
        for partition in partitions
        for corpus in corpora
        for score in scores
        if partition in score["corpora"].get(corpus, {})
    ]


def results_table(scores: Sequence[dict[str, Any]], partitions: Sequence[str] = ("test", "devel")) -> Table:
    """The table of results: a row for each partition, corpus and run; test first, devel under its own name."""
    found = in_order(scores, partitions)
    columns = [
        Column("corpus", "text", "corpus"), Column("run", "text", "run"), Column("partition", "text", "partition"),
        Column("utterances", "count", "utterances"), Column("speakers", "count", "speakers"),
        Column("labels", "count", "labels"), Column("chance [%]", "percent", "chance"),
        Column("UAR [%]", "percent", "uar"), Column("WA [%]", "percent", "wa"), Column("F1 [%]", "percent", "f1"),
        Column("UAR of folds [%]", "spread", "folds"),
    ]  # fmt: skip
    rows = [
        [corpus, score["run"], partition, part["n"], part["n_speakers"], len(part["labels"]), part["chance"],
         part["uar"], part["wa"], part["f1"], part["folds"]]
        for score, corpus, partition, part in found
    ]  # fmt: skip
    if not any(part["folds"] for *_, part in found):
        columns, rows = columns[:-1], [row[:-1] for row in rows]
    notes = noted((part["uar"]["note"], f"{corpus} {partition}") for _, corpus, partition, part in found)
    return Table("Results", columns, rows, " ".join(["In brackets: 95 % intervals.", *notes]))


def noted(notes: Iterable[tuple[str, str]]) -> list[str]:
    """A sentence for each note with the places it holds for, in their order; an empty note is none."""
    where: dict[str, dict[str, None]] = {}
    for note, place in notes:
        if note:
            where.setdefault(note, {})[place] = None
    return [f"{note[0].upper()}{note[1:]}: {', '.join(places)}." for note, places in sorted(where.items())]


def recall_table(score: dict[str, Any], corpus: str, partition: str) -> Table:
    """Recall and number of utterances of each label of one corpus in one run."""
    columns = [Column("label", "text", "label"), Column("utterances", "count", "utterances"),
               Column("recall [%]", "percent", "recall")]  # fmt: skip
    recalls = score["corpora"][corpus][partition]["recall"]
    rows = [[label, recall["n"], recall["value"]] for label, recall in recalls.items()]
    return Table(f"Recall: {corpus}, {partition}, {score['run']}", columns, rows)


def comparison_table(comparison: dict[str, Any]) -> Table:
    """A row for each corpus, then one for all utterances pooled; differences are B minus A, the reference."""
    columns = [
        Column("corpus", "text", "corpus"), Column("utterances", "count", "utterances"),
        Column("UAR A → B [%]", "percents", "uar"), Column("UAR B − A", "points", "uar_difference"),
        Column("WA A → B [%]", "percents", "wa"), Column("WA B − A", "points", "wa_difference"),
        Column("only A / B right", "counts", "only"),
        Column("p", "p", "p"), Column("p (Holm)", "p", "p_holm"), Column("+/−", "text", "mark"),
        Column("odds ratio", "ratio", "odds_ratio"),
    ]  # fmt: skip
    groups = dict(comparison["corpora"]) | ({"pooled": comparison["pooled"]} if "pooled" in comparison else {})
    rows = [
        [name, one["n"], one.get("uar"), one.get("uar_difference"), one["wa"], one["difference"],
         {"a": one["mcnemar"]["only_a"], "b": one["mcnemar"]["only_b"]}, one["mcnemar"]["p"], one.get("p_holm"),
         one["mark"], one["odds_ratio"]]
        for name, one in groups.items()
    ]  # fmt: skip
    left_out = [f"{run} alone holds {', '.join(names)}." for run, names in comparison["left_out"].items() if names]
    note = " ".join([
        f"A: {comparison['a']} (reference). B: {comparison['b']}. Partition: {comparison['partition']}.",
        "p: McNemar's test, which compares accuracy (WA), not UAR; Holm's correction is over the corpora.",
        "+ / −: B is better / worse at the 5 % level. In brackets: 95 % intervals.", *left_out,
    ])  # fmt: skip
    runs = [[comparison["a"], comparison["b"]] for _ in rows]
    return Table(f"Comparison: {comparison['b']} against {comparison['a']}", columns, rows, note, runs)


def corpora_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The corpora in the shape of EmoNet's Table 1; a row is what `corpora_rows` gives.

    Source:
        Gerczuk et al. 2021 (EmoNet), Table 1.
    """
    columns = [
        Column("corpus", "text", "corpus"), Column("utterances", "count", "utterances"),
        Column("labels", "count", "labels"), Column("speakers (f/m)", "text", "speakers"),
        Column("language", "text", "language"), Column("mean duration [s]", "seconds", "duration_s"),
        Column("total [h]", "hours", "total_h"),
    ]  # fmt: skip
    cells = [
        [row["corpus"], row["utterances"], len(row["labels"]),
         f"{row['speakers'] or 'unknown'} ({row['female']}/{row['male']})", row["language"], row["duration_s"],
         row["total_h"]]
        for row in rows
    ]  # fmt: skip
    return Table("Corpora", columns, cells)


def corpora_rows(utterances: Any) -> list[dict[str, Any]]:
    """What `corpora_table` and the overview plot show of a table of utterances (a DataFrame).

    ``labels`` counts utterances by label, ``duration_s`` has mean and standard deviation; speakers of unknown
    gender count as neither female nor male, and utterances of unknown speakers count as of none.
    """
    rows = []
    for corpus, part in utterances.groupby("corpus", sort=True):
        gender = part.drop_duplicates("speaker")["gender"]
        seconds = part["duration_s"]
        rows.append({
            "corpus": str(corpus),
            "utterances": len(part),
            "labels": {
                str(label): int(count) for label, count in sorted(part["label"].value_counts().items()) if label
            },
            "speakers": int(part.loc[part["speaker"] != "", "speaker"].nunique()),
            "female": int((gender == "female").sum()),
            "male": int((gender == "male").sum()),
            "language": ", ".join(sorted(set(map(str, part["language"])))),
            "duration_s": {"mean": float(seconds.mean()), "sd": float(seconds.std(ddof=0))},
            "total_h": float(seconds.sum() / 3600),
        })  # fmt: skip
    return rows
