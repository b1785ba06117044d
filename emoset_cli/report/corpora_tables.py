"""The numbers of `explore` as tables: durations, levels, labels by gender, labels shared, label spaces."""

from collections.abc import Sequence
from typing import Any

from emoset_cli.report.tables import Column, Table, corpora_table


def stat_tables(stats: dict[str, Any], rows: Sequence[dict[str, Any]]) -> list[Table]:
    """All tables of a page about corpora, in its order.

    Args:
        stats: of `explore.explore`
        rows: of `tables.corpora_rows`
    """
    several = [overlap_table(stats["overlap"])] if len(stats["overlap"]["corpora"]) > 1 else []
    return [corpora_table(rows), *several, durations_table(stats["corpora"]),
            levels_table(stats["corpora"], stats["silence_below_db"]), labels_table(stats["corpora"]),
            spaces_table(stats["spaces"])]  # fmt: skip


def durations_table(corpora: dict[str, dict[str, Any]]) -> Table:
    """Quartiles of the durations of each corpus, its ends, and how many utterances lie beyond the whiskers."""
    columns = [
        Column("corpus", "text", "corpus"), Column("shortest [s]", "duration", "min"),
        Column("lower quartile", "duration", "q1"), Column("median", "duration", "median"),
        Column("upper quartile", "duration", "q3"), Column("longest [s]", "duration", "max"),
        Column("beyond whiskers", "count", "beyond"), Column("longest utterance", "text", "longest"),
    ]  # fmt: skip
    cells = [
        [key, *(one["duration_s"][c.key] for c in columns[1:-1]), next(iter(one["longest"]))]
        for key, one in corpora.items()
    ]
    return Table("Durations", columns, cells, "Whiskers reach to 1.5 times the distance of the quartiles.")


def levels_table(corpora: dict[str, dict[str, Any]], below_db: float) -> Table:
    """Loudness, peak and silence of each corpus as median and quartiles, clipped recordings and native formats."""
    columns = [
        Column("corpus", "text", "corpus"), Column("loudness [dB]", "decibels", "rms_db"),
        Column("peak [dB]", "decibels", "peak_db"), Column("silence [%]", "percent", "silence"),
        Column("clipped", "count", "clipped"), Column("clipped [%]", "percent", "clipped_share"),
        Column("native formats", "text", "formats"),
    ]  # fmt: skip
    cells = [
        [key, *({"value": one[name]["median"], "low": one[name]["q1"], "high": one[name]["q3"]}
                for name in ("rms_db", "peak_db", "silence")),
         one["clipped"], one["clipped"] / one["utterances"],
         ", ".join(f"{form} ({n:,})" if len(one["formats"]) > 1 else form for form, n in one["formats"].items())]
        for key, one in corpora.items()
    ]  # fmt: skip
    note = (
        "Medians of utterances, in brackets quartiles. Loudness: rms without DC offset, dB of full scale. "
        f"Silence: share of 20 ms frames more than {below_db:.0f} dB below the loudest one."
    )
    return Table("Levels", columns, cells, note)


def labels_table(corpora: dict[str, dict[str, Any]]) -> Table:
    """Utterances of each label of each corpus, by gender, and how many speakers have it and lack it."""
    columns = [
        Column("corpus", "text", "corpus"), Column("label", "text", "label"),
        Column("utterances", "count", "utterances"), Column("of women", "count", "female"),
        Column("of men", "count", "male"), Column("unknown", "count", "unknown"),
        Column("speakers with it", "count", "speakers"), Column("without it", "count", "without"),
    ]  # fmt: skip
    cells = []
    for key, one in corpora.items():
        for index, (label, genders) in enumerate(one["genders"].items()):
            having = sum(row[index] > 0 for row in one["cells"]["counts"])
            without = len(one["cells"]["counts"]) - having
            cells.append([key, label, sum(genders.values()), *genders.values(), having, without])
    empty = [f"{key}: {one['cells']['empty']} of {one['cells']['of']}" for key, one in corpora.items()]
    note = f"Pairs of speaker and label without an utterance: {'; '.join(empty)}."
    return Table("Labels and speakers", columns, cells, note)


def speakers_table(key: str, found: dict[str, Any]) -> Table:
    """Utterances of each speaker of one corpus in each label."""
    columns = [Column("speaker", "text", "speaker"), Column("gender", "text", "gender"),
               Column("utterances", "count", "utterances"),
               *(Column(label, "count", label) for label in found["labels"])]  # fmt: skip
    rows = zip(found["speakers"], found["genders"], found["counts"], strict=True)
    return Table(f"Speakers: {key}", columns, [[name, gender or None, sum(n), *n] for name, gender, n in rows])


def overlap_table(found: dict[str, Any]) -> Table:
    """Labels that pairs of corpora share; on the diagonal the number of a corpus's labels."""
    columns = [Column("corpus", "text", "corpus"), *(Column(key, "count", key) for key in found["corpora"])]
    cells = [[key, *row] for key, row in zip(found["corpora"], found["shared"], strict=True)]
    common = ", ".join(found["common"]) or "none"
    note = f"Diagonal: labels of the corpus. Labels of all of them (--labels common): {common}."
    return Table("Labels shared", columns, cells, note)


def spaces_table(spaces: dict[str, dict[str, dict[str, dict[str, int]]]]) -> Table:
    """What each label space makes of each corpus, and the labels it has no entry for."""
    columns = [
        Column("label space", "text", "space"), Column("corpus", "text", "corpus"), Column("mapped", "text", "mapped"),
        Column("utterances", "count", "utterances"), Column("left out", "count", "left_out"),
        Column("labels without an entry", "text", "labels"),
    ]  # fmt: skip
    cells = [
        [space, key, _words(one["mapped"]), sum(one["mapped"].values()), sum(one["left_out"].values()),
         _words(one["left_out"]) or None]
        for space, corpora in spaces.items() for key, one in corpora.items()
    ]  # fmt: skip
    return Table("Label spaces", columns, cells, "A label without an entry leaves its utterances out; none is guessed.")


def _words(counts: dict[str, int]) -> str:
    return ", ".join(f"{label} {n:,}" for label, n in counts.items())
