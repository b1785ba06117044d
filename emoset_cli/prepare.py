"""A corpus folder becomes an utterance table, a problems table and 16 kHz audio in the workspace."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from emoset_cli import audio, dimensions, levels, manifest, segments, store
from emoset_cli.checks import against_count, find_identical, judge_audio
from emoset_cli.corpora import Corpus
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.files import digest, read_json, sweep, write_json, write_table, write_text
from emoset_cli.problems import LEFT_OUT, Problem

# Columns of utterances.parquet that come from the audio; those from the name are in `manifest.read_names`.
# The last four are told by `levels.columns`.
AUDIO_COLUMNS = [
    "native_sample_rate", "channels", "duration_s", "shard", "offset", "samples", "audio",
    "peak_db", "rms_db", "silence", "clipped",
]  # fmt: skip
MIN_DURATION_S = 0.1
MAX_DURATION_S = 600.0  # features and networks hold an utterance as a whole


@dataclass
class Prepared:
    """What `prepare_corpus` found: the utterance table (a DataFrame), the problems, and files of other material."""

    key: str
    utterances: Any
    problems: list[Problem] = field(default_factory=list)
    other: int = 0


def corpus_folder(workspace: Path, key: str) -> Path:
    """Where a prepared corpus lives."""
    return workspace / "corpora" / key


def prepare_corpus(
    corpus: Corpus,
    source: Path,
    workspace: Path,
    workers: int = 0,
    force: bool = False,
    min_duration_s: float = MIN_DURATION_S,
    max_duration_s: float = MAX_DURATION_S,
    progress: Callable[[int, float], Any] = lambda files, seconds: None,
    total: Callable[[int], Any] = lambda files: None,
) -> Prepared:
    """Find, parse, check and decode a corpus; write its folder in the workspace; answer what was found.

    Only recordings that are new or changed (size or times) are decoded.

    Args:
        corpus: its registry entry
        source: the corpus folder; only read
        workspace: the folder of what the tool makes
        workers: threads, 0 for all cores
        force: decode everything again
        min_duration_s: shorter utterances are left out
        max_duration_s: longer utterances are left out; a recording that a table cuts into utterances may be longer
        progress: called with (recordings, seconds of speech) as they are done
        total: called once with the number of recordings to do

    Raises:
        EmosetError: if the folder holds no usable utterance
    """
    source = source.expanduser().resolve()
    folder = corpus_folder(workspace, corpus.key)
    if workspace.resolve().is_relative_to(source):
        raise EmosetError(
            f"the workspace {workspace} lies inside the corpus folder {source}, which is only read",
            "name a workspace elsewhere: --workspace FOLDER",
        )
    if not corpus.path and not corpus.tables:
        needs = f"{corpus.needs}: " if corpus.needs else ""
        raise EmosetError(
            f"the registry has no path grammar for {corpus.key}",
            f"{needs}add `path` or `tables` to it in your corpora.yaml, or import a table with `emoset corpora import`",
        )
    files = manifest.find_audio(source)
    found = manifest.read_names(corpus, source, files)
    if not found.rows:
        raise _nothing_found(corpus, source, found)
    wanted = {row["path"] for row in found.rows}
    files = [file for file in files if file.path in wanted]
    total(len(files))
    records = store.sync(folder / "audio", source, files, workers, force, progress)
    between = min_duration_s, max_duration_s
    whole, problems = judge_audio(corpus, [row for row in found.rows if "end_s" not in row], records, *between)
    pieces = [row for row in found.rows if "end_s" in row]
    cut, of_pieces = segments.cut(corpus, pieces, records, folder / "audio", *between)
    rows = [row | _audio_columns(records[row["path"]]) for row in whole] + cut
    rows.sort(key=lambda row: row["utterance"])
    problems = found.problems + problems + of_pieces + find_identical(rows) + against_count(corpus, rows)
    problems += dimensions.unknown(corpus, rows)
    if not rows:
        raise EmosetError(f"no recording of {corpus.key} in {source} is usable: {problems[0].detail}", problems[0].mend)
    problems.sort(key=lambda problem: (problem.problem, problem.path))
    prepared = Prepared(corpus.key, _table(corpus, rows), problems, found.other)
    _write(prepared, corpus, source, folder, *between)
    store.discard_unused(folder / "audio", {record["shard"] for record in records.values()})
    return prepared


def _nothing_found(corpus: Corpus, source: Path, found: manifest.Manifest) -> EmosetError:
    """Why no recording became an utterance: names of another form, or what is wrong with most of them."""
    kinds = Counter(problem.problem for problem in found.problems)
    kind = kinds.most_common(1)[0][0] if kinds else ""
    some = [problem for problem in found.problems if problem.problem == kind]
    if kind not in {"name not understood", ""}:
        counts = ", ".join(f"{kind} ({count})" for kind, count in kinds.most_common())
        problem = f"no recording of {corpus.key} in {source} is usable: {counts}; {some[0].path}: {some[0].detail}"
        return EmosetError(problem, some[0].mend)
    names = " and ".join(problem.path for problem in some[:2])
    return EmosetError(
        f"none of the names in {source} fits {corpus.key} (grammar: {corpus.path}){f': {names}' if names else ''}",
        f"check that the folder holds {corpus.name}; `emoset corpora show {corpus.key}` tells what is expected",
    )


def _table(corpus: Corpus, rows: list[dict[str, Any]]) -> Any:
    """The utterance table; numbers are floats even where none is known."""
    import pandas as pd

    table = pd.DataFrame(rows).drop(columns="end_s", errors="ignore")
    numbers = [name for name in ("age", "start_s", *corpus.dimensions) if name in table]
    return table.astype(dict.fromkeys(numbers, float))


def _audio_columns(record: dict[str, Any]) -> dict[str, Any]:
    clipped = audio.is_clipped(audio.Condition(peak=record["peak"], at_extreme=record["at_extreme"]))
    measured = levels.columns(record["peak"], record["rms"], record["dc"], record["silence"], clipped)
    found = record | measured | {"duration_s": record["samples"] / audio.SAMPLE_RATE}
    return {name: found.get(name) for name in AUDIO_COLUMNS}


def _write(
    prepared: Prepared, corpus: Corpus, source: Path, folder: Path, min_duration_s: float, max_duration_s: float
) -> None:
    sweep(folder)
    table = prepared.utterances
    write_table(folder / "utterances.parquet", lambda path: table.to_parquet(path, index=False))
    write_problems(folder / "problems.csv", prepared.problems)
    made = {
        "corpus": corpus.key,
        "source": str(source),
        "min_duration_s": min_duration_s,
        "max_duration_s": max_duration_s,
        "entry": entry_hash(corpus),
        "utterances": len(table),
        "left_out": sum(problem.action == LEFT_OUT for problem in prepared.problems),
        "other_material": prepared.other,
        "data": data_hash(table),
        "table": digest((folder / "utterances.parquet").read_bytes()),
    }
    write_json(folder / "prepare.json", made)


def write_problems(path: Path, problems: list[Problem]) -> None:
    """Write problems as CSV, a row each."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.DictWriter(out, [f.name for f in fields(Problem)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(problem) for problem in problems)
    write_text(path, out.getvalue())


def entry_hash(corpus: Corpus) -> str:
    """Hash of those parts of a registry entry that decide what an utterance is; not of its notes or place."""
    parts = (
        corpus.path, corpus.id, corpus.labels, corpus.genders, corpus.gender_codes, corpus.speaker_alias,
        corpus.languages, corpus.speaker_languages, corpus.where, corpus.exclude, corpus.tables, corpus.subsets,
        corpus.speaker, corpus.label, corpus.language_codes, corpus.ages, corpus.dimensions,
    )  # fmt: skip
    return digest(repr((*parts, corpus.scales) if corpus.scales else parts))  # as of old where there are none


def data_hash(table: Any) -> str:
    """Hash of what a result rests on: ids, speakers, labels and samples; not of paths or the shape of the store."""
    return digest([table[name].tolist() for name in ("utterance", "speaker", "label", "audio")])


def identical_across(tables: dict[str, Any]) -> list[tuple[str, str]]:
    """Pairs of utterances of different corpora whose samples are equal."""
    first: dict[str, str] = {}
    pairs = []
    for table in tables.values():
        own = dict(zip(table["audio"], table["utterance"], strict=True))
        pairs += [(first[sound], name) for sound, name in own.items() if sound in first]
        first = own | first
    return pairs


def prepared_corpora(workspace: Path) -> list[str]:
    """Keys of the corpora a workspace holds, sorted."""
    folder = workspace / "corpora"
    return sorted(path.parent.name for path in folder.glob("*/prepare.json")) if folder.is_dir() else []


def read_utterances(workspace: Path, key: str, corpus: Corpus | None = None) -> Any:
    """The utterance table of a prepared corpus, a DataFrame.

    Args:
        workspace: holds ``corpora/``
        key: of the corpus
        corpus: its registry entry, if the table must be what this entry makes of the recordings

    Raises:
        EmosetError: if it was not prepared, the table does not match what `prepare_corpus` wrote, or ``corpus`` says
            something else than the entry it was prepared with
    """
    import pandas as pd

    folder = corpus_folder(workspace, key)
    if not (folder / "prepare.json").is_file():
        known = prepared_corpora(workspace)
        if known:
            raise unknown(f"corpus (in {workspace})", key, known)
        raise EmosetError(f"{workspace} holds no prepared corpus", f"emoset prepare {key}=FOLDER")
    try:
        table = pd.read_parquet(folder / "utterances.parquet")
        made = read_json(folder / "prepare.json")
        if data_hash(table) == made["data"]:
            if corpus and entry_hash(corpus) != made["entry"]:
                raise EmosetError(
                    f"the registry says other things of {key} now than when it was prepared",
                    f"emoset prepare {key}={made['source']}",
                )
            return table
    except (FileNotFoundError, KeyError, TypeError, ValueError):
        pass
    except OSError as error:  # of damaged parquet it has no number, of the system it has one
        if error.errno:
            raise
    raise EmosetError(f"{folder} is half written or damaged", "give the `emoset prepare` command again")
