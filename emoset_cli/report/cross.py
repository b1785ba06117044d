"""Corpora through each other's heads: what each pair of them scores, and what each method does on average."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli.errors import EmosetError
from emoset_cli.files import digest, read_json
from emoset_cli.labels import COMMON, OWN, Space
from emoset_cli.report.cross_definite import ambiguity, corpus_posteriors, split
from emoset_cli.report.cross_pairs import CROSS, KINDS, WITHIN, Method, Pair, pairs
from emoset_cli.report.scores import score_rows

SPACE, SHARED, SHARED_ANY = "space", "common", "common_any"
_SCORES = ("how", "n", "n_speakers", "labels", "chance", "uar", "wa")


def cross(
    found: Sequence[Method], files: Mapping[tuple[str, str, str], Path], space: Space, further: Sequence[str] = ()
) -> dict[str, Any]:
    """Score every pair of every method, as plain values for JSON.

    ``scorings`` holds three: ``space``, truth and prediction mapped to a label space; ``common``, utterances whose
    label both corpora have, the prediction being the likeliest of the common labels; ``common_any``, the same
    utterances with the likeliest of all labels of the head, where one that is not common is an error. Each has
    ``pairs`` and, for each of ``methods``, mean and standard deviation (n - 1) over the pairs of a kind.
    ``confusions`` are of the labels as they are; where a head of the network names corpora, ``definite`` and
    ``ambiguous`` of them are of the utterances whose own corpus it does and does not know, and ``ambiguity`` says how
    many of each label these are. ``left_out`` says which pairs are not scored and why.

    Args:
        found: of `methods`
        files: what describes the predictions of each pair that is not within a corpus
        space: whose labels truth and prediction are mapped to
        further: corpora beyond those of the methods

    Raises:
        EmosetError: if a run's labels cannot be mapped, or a file was changed
    """
    scorings: dict[str, list[dict[str, Any]]] = {SPACE: [], SHARED: [], SHARED_ANY: []}
    confusions, utterances, left_out = [], [], []
    posteriors = {run.name: corpus_posteriors(run) for method in found for run in method.runs}
    ambiguous: dict[tuple[str, str], dict[str, Any]] = {}
    for pair in (pair for method in found for pair in pairs(method, further)):
        where = {"method": pair.method, "run": pair.member.run.name, "corpus": pair.corpus, "head": pair.member.head,
                 "kind": pair.kind}  # fmt: skip
        heard = _read(pair, files)
        utterances.append(where | {"utterances": heard.source, "known": heard.known})
        if not len(heard.table):
            left_out.append(where | {"scoring": "", "why": "the network knows all test utterances or speakers"})
            continue
        if pair.kind != WITHIN:
            confusions.append(where | confusion(heard.table, heard.labels, heard.head_labels))
        own = posteriors[pair.member.run.name]
        if pair.kind == CROSS and heard.table["utterance"].isin(own).any():
            parts = split(heard.table, own)
            confusions[-1] |= {
                name: confusion(parts[name], heard.labels, heard.head_labels) if len(parts[name]) else None
                for name in ("definite", "ambiguous")
            }
            told = {name: where[name] for name in ("method", "run", "corpus")}
            ambiguous[pair.member.run.name, pair.corpus] = told | ambiguity(parts, heard.labels)
        for scoring, scored in _scored(pair, heard, space).items():
            if isinstance(scored, str):
                left_out.append(where | {"scoring": scoring, "why": scored})
            else:
                scorings[scoring].append(where | scored)
    return {
        "space": space.name,
        "methods": [
            {"name": one.name, "runs": [run.name for run in one.runs], "corpora": one.corpora} for one in found
        ],
        "further": list(further),
        "scorings": {
            name: {"pairs": rows, "methods": [summary(method.name, rows) for method in found]}
            for name, rows in scorings.items()
        },
        "confusions": confusions,
        "ambiguity": list(ambiguous.values()),
        "utterances": utterances,
        "left_out": left_out,
    }


@dataclass(frozen=True)
class _Heard:
    """Predictions of a pair; the truth is in the corpus's own words unless the run itself learnt others."""

    table: Any
    labels: list[str]
    head_labels: list[str]
    source: str
    known: dict[str, Any]


def _read(pair: Pair, files: Mapping[tuple[str, str, str], Path]) -> _Heard:
    """The predictions of a pair: within a corpus those of the run, else those of its file."""
    import pandas as pd

    run, config = pair.member.run, pair.member.run.config
    if pair.kind == WITHIN:
        table = run.predictions()
        table = table[(table["corpus"] == pair.corpus) & (table["partition"] == "test")].reset_index(drop=True)
        words = list(map(str, config["heads"][pair.member.head]))
        columns = [f"probability_{label}" for label in words]
        table[columns] = table[columns].apply(pd.to_numeric)
        return _Heard(table, words, words, f"test of {config['partition']['name']}", {})
    described = files[pair.key]
    facts = read_json(described)
    raw = (described.parent / facts["predictions"]).read_bytes()
    if digest(raw) != facts["digest"]:
        raise EmosetError(f"{described.parent / facts['predictions']} was changed after it was written", "delete it")
    text = dict.fromkeys(("utterance", "speaker", "fold", "truth", "prediction", "gender"), "str")
    table = pd.read_csv(io.BytesIO(raw), dtype=text, keep_default_na=False, na_values={})
    return _Heard(table, facts["labels"], facts["head_labels"], facts["utterances"], facts["known"])


def _scored(pair: Pair, heard: _Heard, space: Space) -> dict[str, dict[str, Any] | str]:
    """The scores of each scoring, or why there are none."""
    learnt = str(pair.member.run.config["label_space"])
    if learnt not in (OWN, COMMON, space.name):
        raise EmosetError(
            f"{pair.member.run.name} was trained in label space {learnt}, whose labels have no entry in {space.name}",
            f"--space {learnt}, or name runs on the corpora's own labels",
        )
    identity = {label: label for label in space.labels}
    to_prediction = space.map if learnt in (OWN, COMMON) else identity
    to_truth = identity if pair.kind == WITHIN and learnt == space.name else space.map
    found: dict[str, dict[str, Any] | str] = {SPACE: in_space(heard.table, space, to_truth, to_prediction)}
    if learnt == space.name:
        return found
    common = [label for label in heard.labels if label in heard.head_labels]
    for name in (SHARED, SHARED_ANY):
        found[name] = on_common(heard.table, common, heard.head_labels, restricted=name == SHARED)
    return found


def in_space(
    table: Any, space: Space, to_truth: Mapping[str, str], to_prediction: Mapping[str, str]
) -> dict[str, Any] | str:
    """Scores with truth and prediction mapped to a label space.

    Utterances whose label has no entry are left out (``left_out`` counts them by label); a prediction without an entry
    is an error (``errors``).
    """
    truth = table["truth"].map(to_truth)
    kept = table[truth.notna()].assign(truth=truth[truth.notna()])
    if kept.empty:
        return f"none of its labels has an entry in {space.name}"
    prediction = kept["prediction"].map(to_prediction)
    return _measured(kept.assign(prediction=prediction.fillna("")), list(space.labels)) | {
        "left_out": _counts(table["truth"][truth.isna()]), "errors": _counts(kept["prediction"][prediction.isna()]),
    }  # fmt: skip


def on_common(table: Any, common: Sequence[str], head_labels: Sequence[str], restricted: bool) -> dict[str, Any] | str:
    """Scores of the utterances whose label the head has too.

    Args:
        table: predictions, with a column ``probability_LABEL`` for each label of the head
        common: labels that corpus and head share
        head_labels: all of the head
        restricted: whether the prediction is the likeliest of the common labels; else it is that of all labels
    """
    if len(common) < 2:
        shared = f"only '{common[0]}'" if common else "no label"
        return f"corpus and head share {shared}, and at least 2 labels are needed"
    kept = table[table["truth"].isin(common)]
    if kept.empty:
        return "none of its test utterances has a label that corpus and head share"
    if restricted and len(common) < len(head_labels):
        shares = kept[[f"probability_{label}" for label in common]].to_numpy(float)
        kept = kept.assign(prediction=np.array(common, object)[shares.argmax(1)])
    return _measured(kept, list(common)) | {
        "left_out": _counts(table["truth"][~table["truth"].isin(common)]),
        "errors": _counts(kept["prediction"][~kept["prediction"].isin(common)]),
    }


def _measured(rows: Any, labels: list[str]) -> dict[str, Any]:
    scores = score_rows(rows.assign(correct=(rows["truth"] == rows["prediction"]).astype(float)), labels, "test")
    return {name: scores[name] for name in _SCORES}


def _counts(words: Any) -> dict[str, int]:
    return {str(word): int(count) for word, count in sorted(words.value_counts().items())}


def confusion(table: Any, labels: Sequence[str], head_labels: Sequence[str]) -> dict[str, Any]:
    """Counts of truths (rows, those that occur) and predictions in the head's labels (``columns``)."""
    rows = [label for label in labels if label in set(table["truth"])]
    cells = Counter(zip(table["truth"], table["prediction"], strict=True))
    return {
        "labels": rows,
        "columns": list(head_labels),
        "counts": [[cells[row, column] for column in head_labels] for row in rows],
    }


def summary(method: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation (n - 1) of the UAR over the pairs of each kind; None without a pair."""
    found: dict[str, Any] = {"method": method}
    for kind in KINDS:
        uars = [row["uar"]["value"] for row in rows if row["method"] == method and row["kind"] == kind]
        sd = float(np.std(uars, ddof=1)) if len(uars) > 1 else None
        found[kind] = {"mean": float(np.mean(uars)), "sd": sd, "n": len(uars)} if uars else None
    return found
