"""Utterances that a table cuts from longer recordings: are their times sound, and which samples are theirs."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from emoset_cli import levels
from emoset_cli.audio import SAMPLE_RATE, Condition, is_clipped
from emoset_cli.checks import SILENT_SPAN, recording_faults, too_long
from emoset_cli.corpora import Corpus
from emoset_cli.problems import KEPT, LEFT_OUT, Problem
from emoset_cli.store import AudioStore, audio_hash

_TOUCH_S = 0.01  # segments that overlap by no more than this touch
_AT_EXTREME = 0.99  # of the recording's peak; resampling rounds the tops of clipped waves
_BEYOND_S = 0.05  # a segment that ends this much after its recording is rounded, not wrong

Rows = list[dict[str, Any]]


def check_times(corpus: Corpus, rows: Rows) -> tuple[Rows, list[Problem]]:
    """The rows whose ``start_s`` and ``end_s`` make sense (those without pass), and problems, overlaps among them."""
    if not any("end_s" in row for row in rows):
        return rows, []
    sound: Rows = []
    problems = []
    last: dict[str, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda row: (row["path"], row.get("start_s") or 0, row.get("end_s") or 0)):
        if "end_s" not in row:
            sound.append(row)
            continue
        start, end = row["start_s"], row["end_s"]
        before = last.get(row["path"])
        if start is None or end is None or not 0 <= start < end:
            problems.append(_out_of_range(corpus, row, "which is no stretch of time"))
            continue
        if before and (before["start_s"], before["end_s"]) == (start, end):
            detail = f"the same stretch as {before['utterance']}"
            problems.append(_problem(corpus, row, "repeated segment", LEFT_OUT, detail, "remove one of the two rows"))
            continue
        if before and before["end_s"] - start > _TOUCH_S:
            detail = f"{min(before['end_s'], end) - start:.2f} s of it lie in {before['utterance']} too"
            mend = "nothing if both speak at once; else correct the times"
            problems.append(_problem(corpus, row, "overlapping segments", KEPT, detail, mend))
        if before is None or end > before["end_s"]:
            last[row["path"]] = row
        sound.append(row)
    return sorted(sound, key=lambda row: row["utterance"]), problems


def cut(
    corpus: Corpus,
    rows: Rows,
    records: dict[str, dict[str, Any]],
    folder: Path,
    min_duration_s: float,
    max_duration_s: float,
) -> tuple[Rows, list[Problem]]:
    """The rows with the samples that are theirs, as columns of the utterance table, and what is wrong with the others.

    Args:
        corpus: its registry entry
        rows: with ``start_s`` and ``end_s``
        records: of `store.sync`, by path
        folder: the store
        min_duration_s: shorter segments are left out
        max_duration_s: longer segments are left out
    """
    store = AudioStore(folder)
    usable: Rows = []
    problems: list[Problem] = []
    by_path: dict[str, Rows] = defaultdict(list)
    for row in rows:
        by_path[row["path"]].append(row)
    for path, pieces in by_path.items():
        record = records[path]
        faults = recording_faults(record)
        useless = [fault for fault in faults if fault[1] == LEFT_OUT]
        problems += [Problem(corpus.key, path, "", *fault) for fault in faults if fault[1] == KEPT]
        for row in pieces:
            found = [_problem(corpus, row, *useless[0])] if useless else []
            if not found:
                row, found = _cut(corpus, row, record, store, min_duration_s, max_duration_s)
            problems += found
            if not found:
                usable.append(row)
    return usable, problems


def _cut(
    corpus: Corpus,
    row: dict[str, Any],
    record: dict[str, Any],
    store: AudioStore,
    min_duration_s: float,
    max_duration_s: float,
) -> tuple[dict[str, Any], list[Problem]]:
    start, end = (round(row[name] * SAMPLE_RATE) for name in ("start_s", "end_s"))
    total = record["samples"]
    if start >= total or end > total + _BEYOND_S * SAMPLE_RATE:
        return row, [_out_of_range(corpus, row, f"but the recording has {total / SAMPLE_RATE:.2f} s")]
    count = min(end, total) - start
    if count < min_duration_s * SAMPLE_RATE:
        detail = f"{count / SAMPLE_RATE * 1000:.0f} ms of speech"
        return row, [_problem(corpus, row, "too short", LEFT_OUT, detail, "lower --min-duration if you want it")]
    if count > max_duration_s * SAMPLE_RATE:
        return row, [_problem(corpus, row, "too long", LEFT_OUT, *too_long(count / SAMPLE_RATE))]
    samples = store.samples(record["shard"], record["offset"] + start, count)
    measured = levels.measure(samples)
    if measured.high - measured.low <= SILENT_SPAN:
        detail = f"all {count / SAMPLE_RATE:.2f} s are silent"
        return row, [_problem(corpus, row, "silent", LEFT_OUT, detail, "check the times of this row")]
    peak = max(measured.high, -measured.low) / 32768
    extremes = int(max((samples == measured.high).sum(), (samples == measured.low).sum()))
    clipped = is_clipped(Condition(peak=peak, at_extreme=extremes))
    columns = {
        "native_sample_rate": record["native_sample_rate"], "channels": record["channels"],
        "duration_s": count / SAMPLE_RATE, "shard": record["shard"], "offset": record["offset"] + start,
        "samples": count, "audio": audio_hash(samples),
    } | levels.columns(peak, measured.rms, measured.dc, measured.silence, clipped)  # fmt: skip
    return row | columns, []


def _out_of_range(corpus: Corpus, row: dict[str, Any], why: str) -> Problem:
    told = ["?" if row[name] is None else f"{row[name]:.2f}" for name in ("start_s", "end_s")]
    detail = f"it goes from {told[0]} to {told[1]} s, {why}"
    return _problem(corpus, row, "segment out of range", LEFT_OUT, detail, "correct the times of this row")


def _problem(corpus: Corpus, row: dict[str, Any], kind: str, action: str, detail: str, mend: str) -> Problem:
    return Problem(corpus.key, row["path"], row["utterance"], kind, action, detail, mend)
