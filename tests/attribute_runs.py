"""Run folders as a network with segments and heads for attributes leaves them, small enough to work by hand."""

import pandas as pd

from emoset_cli import runs

LABELS = {"emodb": ["anger", "fear", "sadness"], "crema-d": ["anger", "joy"]}


def utterances(corpus, hits, labels=None, fold="1", partition="test", start=0, language="deu"):
    """Predictions of a corpus: truths in turn, 4 speakers, right where ``hits`` says so, else the next label."""
    labels, rows = labels or LABELS[corpus], []
    for number, hit in enumerate(hits):
        truth = labels[number % len(labels)]
        guess = truth if hit else labels[(number + 1) % len(labels)]
        values = [corpus, f"{corpus}/{partition}{start + number:03d}", f"{partition}{number % 4}", "female", language,
                  fold, partition, truth, guess]  # fmt: skip
        rows.append(dict(zip(runs.PREDICTION_COLUMNS, values, strict=True)))
        rows[-1] |= {f"probability_{label}": float(label == guess) for label in labels}
    return rows


def segments(rows, hits):
    """Segments of utterances: ``hits`` has for each utterance whether each of its segments is right."""
    found = []
    for row, own in zip(rows, hits, strict=True):
        other = next(key.removeprefix("probability_") for key in row if key.startswith("probability_")
                     and key != f"probability_{row['truth']}")  # fmt: skip
        for start, hit in enumerate(own):
            head = {key: row[key] for key in runs.PREDICTION_COLUMNS} | {"prediction": row["truth"] if hit else other}
            found.append(head | {"start_s": float(start)} | {k: v for k, v in row.items() if k not in head})
    return found


def heard(rows, attribute, truths, posteriors, unit="utterance", start=0.0):
    """What a head says of utterances: its posterior of the truth, and the truth where that is at least a half."""
    return [
        {key: row[key] for key in ("corpus", "utterance", "speaker", "fold", "partition")}
        | {"unit": unit, "start_s": start if unit == "segment" else None, "attribute": attribute, "truth": truth,
           "prediction": truth if truth and posterior >= 0.5 else "other", "posterior": posterior if truth else None}
        for row, truth, posterior in zip(rows, truths, posteriors, strict=True)
    ]  # fmt: skip


def finish(folder, setting, rows, seed=0, labels=None, attributes=None, approach="", classes=None, further=None,
           **config):  # fmt: skip
    """A run folder; ``further`` are further tables as lists of rows, ``attributes`` that of the heads."""
    corpora = list(dict.fromkeys(row["corpus"] for row in rows))
    labels = labels or {corpus: LABELS[corpus] for corpus in corpora}
    shared = len({tuple(own) for own in labels.values()}) == 1 and len(labels) > 1
    config = {
        "emoset": "0.1.0", "model": "acrnn", "feature": "logmel", "mode": "scratch", "setting": setting,
        "corpora": corpora, "label_space": "three-class" if shared else "own", "labels": labels,
        "heads": {"three-class": labels[corpora[0]]} if shared else labels, "data": dict.fromkeys(corpora, "a81bc81b"),
        "partition": {"name": "losgo:2", "seed": seed, "hash": "8f31ab02", "folds": sorted({r["fold"] for r in rows})},
        "options": {"batch_size": 64, "preset": "quick", "precision": "fp32"}, "preset": "quick",
        "budget": "quick: patience 5, at most 12 epochs", "precision": "fp32", "device": "cpu", "seed": seed,
        "chosen": {}, "counts": {"train": 100}, "packages": {"torch": "2.11.0"},
    } | config  # fmt: skip
    tables = {kind: pd.DataFrame(table) for kind, table in (further or {}).items()}
    if any(kind.startswith("segments") for kind in tables):
        config["segments"] = {"segment_s": 3.0, "shift_s": 1.0}
    if attributes is not None:
        tables["attributes"] = pd.DataFrame(attributes)[runs.ATTRIBUTE_COLUMNS]
        config["attributes"] = {"approach": approach, "classes": classes, "unknown": {}}
    return runs.finish(folder, config, pd.DataFrame(rows), tables)
