"""Prepared corpora and features of a workspace against the hashes they were written with."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from emoset_cli import feature_store, frame_store
from emoset_cli.doctor.state import DAMAGED, LEFT_OVER, OUTDATED, UNFINISHED, WHOLE, Checked
from emoset_cli.errors import EmosetError
from emoset_cli.features import family_of
from emoset_cli.files import digest, read_json
from emoset_cli.partition import read_partition
from emoset_cli.prepare import corpus_folder, read_utterances
from emoset_cli.store import AudioStore

BROKEN = (EmosetError, OSError, ValueError, KeyError, TypeError, AttributeError, csv.Error)  # of files of ours


def said(error: BaseException) -> str:
    """An error in one line."""
    return (
        error.problem if isinstance(error, EmosetError) else f"{type(error).__name__}: {' '.join(str(error).split())}"
    )


def corpus(workspace: Path, key: str) -> Iterator[Checked]:
    """A prepared corpus: table, every sample, problems, partition, shards nobody needs."""
    folder = corpus_folder(workspace, key)
    again = f"emoset prepare {key}=FOLDER"
    if not (folder / "prepare.json").is_file():
        yield Checked("corpora", key, UNFINISHED, "its preparation did not come to an end", again)
        return
    try:
        table = read_utterances(workspace, key)
        made = read_json(folder / "prepare.json")
        again = f"emoset prepare {key}={made['source']}"
        raw = (folder / "utterances.parquet").read_bytes()
        if made.get("table", digest(raw)) != digest(raw):  # older workspaces have none
            raise EmosetError("utterances.parquet is not what `emoset prepare` wrote", again)
        faults = [*_audio(folder, table), *_problems(folder), *_partition(folder, table)]
        used = set(table["shard"])
    except BROKEN as error:
        yield Checked("corpora", key, DAMAGED, said(error), again)
        return
    for fault in faults:
        yield Checked("corpora", key, DAMAGED, fault, f"{again} --force")
    if not faults:
        detail = f"{len(table)} utterances, {table['duration_s'].sum() / 3600:.2f} h"
        yield Checked("corpora", key, WHOLE, detail)
    shards = (folder / "audio").iterdir()
    spare = sorted(path for path in shards if path.suffix in {".i16", ".json"} and path.stem not in used)
    if spare:
        detail = f"{len(spare)} files in audio/ that no utterance needs"
        yield Checked("corpora", key, LEFT_OVER, detail, f"{again}, which takes them away")


def _audio(folder: Path, table: Any) -> Iterator[str]:
    """That every sample is the one that was written."""
    store = AudioStore(folder / "audio")
    bad = []
    for cell in table[["utterance", "shard", "offset", "samples", "audio"]].itertuples(index=False, name=None):
        try:
            store.verified(*cell)
        except BROKEN:
            bad.append(cell[0])
    if bad:
        yield f"the samples of {len(bad)} utterances are not what was written, the first is {bad[0]}"


def _problems(folder: Path) -> Iterator[str]:
    with (folder / "problems.csv").open(encoding="utf-8", newline="") as file:
        lacking = {"problem", "action", "path"} - set(csv.DictReader(file).fieldnames or ())
    if lacking:
        yield f"problems.csv lacks the column {min(lacking)}"


def _partition(folder: Path, table: Any) -> Iterator[str]:
    """A corpus may have none; what there is must fit."""
    rows, facts = folder / "partition.csv", folder / "partition.json"
    if rows.is_file() != facts.is_file():
        yield f"{'partition.json' if rows.is_file() else 'partition.csv'} is missing beside the other"
    elif rows.is_file() and read_partition(rows, table).hash != read_json(facts)["hash"]:
        yield "partition.csv is not what partition.json tells of"


def features(workspace: Path, full: str) -> Iterator[Checked]:
    """A feature set: a table or frames of each corpus."""
    folder = workspace / "features" / full
    keys = {path.name.removesuffix(".json") for path in folder.glob("*.json")}
    begun = {path.name.removesuffix(".parts") for path in folder.iterdir() if path.is_dir()} - keys
    for key in sorted(keys):
        yield _features(workspace, folder, key)
        if (folder / f"{key}.parts").is_dir():
            detail = "an extraction did not come to an end"
            yield Checked("features", f"{full}/{key}", UNFINISHED, detail, _extract(full, key))
    for key in sorted(begun):
        yield Checked("features", f"{full}/{key}", UNFINISHED, "they are not all there", _extract(full, key))


def _features(workspace: Path, folder: Path, key: str) -> Checked:
    name = f"{folder.name}/{key}"
    again = _extract(folder.name, key)
    try:
        there = (frame_store if (folder / key).is_dir() else feature_store).check(folder, key)
    except BROKEN as error:
        return Checked("features", name, DAMAGED, said(error), f"{again}{' and' if ',' in again else ''} --force")
    try:
        table = read_utterances(workspace, key)
    except EmosetError:
        return Checked(
            "features", name, OUTDATED, f"{key} is not prepared here", f"delete {folder / key}*, or prepare it"
        )
    lacking = set(table["audio"]) - there
    if lacking:
        return Checked("features", name, OUTDATED, f"{len(lacking)} recordings are newer than they", again)
    return Checked("features", name, WHOLE, f"{len(there)} recordings")


def _extract(full: str, key: str) -> str:
    name = full.rpartition("_")[0]
    family = family_of(name)
    return f"emoset extract {family or name} {key}{', with the options it was given' if family else ''}"
