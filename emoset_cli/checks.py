"""What can be wrong with recordings: each alone, one against another, all against the published count."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import fields
from math import inf, log10
from statistics import median
from typing import Any

from emoset_cli import audio
from emoset_cli.corpora import Corpus
from emoset_cli.problems import KEPT, LEFT_OUT, Problem

_DC = 0.005, 0.05  # of full scale, and of the rms: both must be passed
_CUT = 0.25, 0.05  # of the rms: this recording ends louder than the first, half of the corpus softer than the second
_QUIET = 0.01  # peak, of full scale: below it 16-bit samples keep fewer than 9 bits
SILENT_SPAN = 2  # 16-bit steps between the highest and the lowest sample
_MISSING_S = 0.01  # a header that promises more than this beyond the file's end is wrong
_OVER = 1.05  # of full scale; decoders of MP3 and OGG overshoot a little
_REPLACE = "get this file again from the corpus's source"


def judge_audio(
    corpus: Corpus,
    rows: list[dict[str, Any]],
    records: dict[str, dict[str, Any]],
    min_duration_s: float,
    max_duration_s: float = inf,
) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Split rows of a manifest into usable ones and problems found in their audio (some problems are only noted).

    Args:
        corpus: its registry entry
        rows: of `manifest.read_names`
        records: of `store.sync`, by path
        min_duration_s: shorter recordings are left out
        max_duration_s: longer recordings are left out
    """
    usable = []
    problems = []
    conditions = {path: _condition(record) for path, record in records.items()}
    ends = [condition.end / condition.rms for condition in conditions.values() if condition.rms > 0]
    ends_softly = bool(ends) and median(ends) < _CUT[1]
    usual = Counter((c.native_sample_rate, c.channels) for c in conditions.values() if not c.failure).most_common(1)
    for row in rows:
        condition = conditions[row["path"]]
        found = list(_faults(condition, min_duration_s, max_duration_s, ends_softly))
        if not condition.failure and (condition.native_sample_rate, condition.channels) != usual[0][0]:
            found.append(_odd_format(condition, *usual[0][0]))
        problems += [Problem(corpus.key, row["path"], row["utterance"], *fault) for fault in found]
        if all(action == KEPT for _, action, _, _ in found):
            usable.append(row)
    return usable, problems


def recording_faults(record: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """(problem, action, detail, mend) for each fault of a recording that is cut into utterances.

    One that breaks off is of use as far as it goes.
    """
    condition = _condition(record)
    condition.missing = 0.0
    return list(_faults(condition, 0.0, inf, ends_softly=False))


def _condition(record: dict[str, Any]) -> audio.Condition:
    known = {field.name for field in fields(audio.Condition)}
    return audio.Condition(**{name: value for name, value in record.items() if name in known})


def _faults(
    c: audio.Condition, min_duration_s: float, max_duration_s: float, ends_softly: bool
) -> Iterable[tuple[str, str, str, str]]:
    """(problem, action, detail, mend) for each fault of a recording; one that makes it useless stands alone."""
    duration = c.samples / audio.SAMPLE_RATE
    if c.failure:
        yield _kind(c.failure), LEFT_OUT, c.failure, _REPLACE
    elif c.missing > _MISSING_S:
        detail = f"its header promises {duration + c.missing:.2f} s, the file holds {duration:.2f} s"
        yield "truncated", LEFT_OUT, detail, _REPLACE
    elif c.span <= SILENT_SPAN:
        yield "silent", LEFT_OUT, f"all {duration:.2f} s are silent", _REPLACE
    elif duration < min_duration_s:
        yield "too short", LEFT_OUT, f"{duration * 1000:.0f} ms of speech", "lower --min-duration if you want it"
    elif duration > max_duration_s:
        yield "too long", LEFT_OUT, *too_long(duration)
    else:
        yield from _blemishes(c, ends_softly)


def too_long(seconds: float) -> tuple[str, str]:
    """Detail and mend of an utterance that is too long to be held as a whole."""
    detail = f"{seconds / 60:.1f} minutes are no utterance: features and networks hold one as a whole"
    return detail, "cut it by a table with `start` and `end`, or raise --max-duration"


def _kind(failure: str) -> str:
    if "NaN" in failure:
        return "NaN or infinite samples"
    return "empty" if failure in {"the file has 0 bytes", "it holds no samples"} else "unreadable"


def _blemishes(c: audio.Condition, ends_softly: bool) -> Iterable[tuple[str, str, str, str]]:
    if audio.is_clipped(c):
        detail = f"{c.at_extreme} samples lie at its extreme ({c.peak:.2f} of full scale)"
        yield "clipped", KEPT, detail, "judge it by ear"
    if c.peak > _OVER:
        detail = f"its peak is {c.peak:.2f} of full scale, and what passes 1 is cut"
        yield "over full scale", KEPT, detail, "scale the recording down"
    if c.peak < _QUIET:
        detail = f"its peak is {20 * log10(c.peak):.0f} dB of full scale"
        yield "very quiet", KEPT, detail, "nothing for features that ignore level; else scale the corpus"
    if abs(c.dc) > _DC[0] and abs(c.dc) > _DC[1] * c.rms:
        detail = f"mean {c.dc:+.3f} of full scale, {abs(c.dc) / c.rms:.0%} of its rms"
        yield "DC offset", KEPT, detail, "nothing for features that ignore DC; else high-pass the corpus"
    if ends_softly and c.end > _CUT[0] * c.rms:
        detail = f"its last 20 ms are at {c.end / c.rms:.0%} of its rms; half of the corpus ends below {_CUT[1]:.0%}"
        yield "may be cut off", KEPT, detail, "listen to its end"


def _odd_format(c: audio.Condition, sample_rate: int, channels: int) -> tuple[str, str, str, str]:
    detail = f"{c.native_sample_rate} Hz, {c.channels} channels; most are {sample_rate} Hz, {channels} channels"
    return "odd format", KEPT, detail, "nothing: it is mixed and resampled like the others"


def find_identical(rows: list[dict[str, Any]]) -> list[Problem]:
    """Recordings whose 16 kHz samples are equal: byte-identical files, and copies in another format."""
    same: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        same[row["audio"]].append(row)
    problems = []
    for first, *others in same.values():
        for row in others:
            differs = [what for what in ("speaker", "label") if row[what] != first[what]]
            detail = f"the same samples as {first['utterance']}"
            detail += f", under another {' and '.join(differs)}" if differs else ""
            mend = "remove one of the two" + (
                ": it leaks between partitions" if "speaker" in differs else " if you wish"
            )
            problems.append(
                Problem(row["corpus"], row["path"], row["utterance"], "identical recording", KEPT, detail, mend)
            )
    return problems


def against_count(corpus: Corpus, rows: list[dict[str, Any]]) -> list[Problem]:
    """Differences to what the corpus's authors publish: missing and surplus utterances, labels and speakers."""
    if corpus.count is None:
        return []
    labels = Counter(row["label"] for row in rows)
    pairs: list[tuple[str, int | None, int]] = [("utterances", corpus.count.utterances, len(rows))]
    pairs += [("speakers", corpus.count.speakers, len({row["speaker"] for row in rows}))]
    pairs += [(f"utterances of {label}", n, labels[label]) for label, n in corpus.count.labels.items()]
    problems = []
    for what, published, found in pairs:
        if published is None or found == published:
            continue
        kind, mend = "missing", "check that the folder holds the whole corpus"
        if found > published:
            kind, mend = "surplus", "check for files of another release"
        detail = f"{found} {what} found, {published} published"
        problems.append(Problem(corpus.key, "", "", kind, KEPT, detail, mend))
    return problems
