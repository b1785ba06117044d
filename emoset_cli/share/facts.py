"""What a shared model tells of itself: its input, its corpora and its scores, as plain values."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from emoset_cli.corpora import Corpus
from emoset_cli.errors import EmosetError
from emoset_cli.report.dimensions import dimension_scores, level_scores
from emoset_cli.report.scores import score_run
from emoset_cli.runs import Run

SAMPLE_RATE = 16_000  # Hz, of the audio that every model hears


def input_facts(run: Run, made: Mapping[str, Any], model: Any = None) -> dict[str, Any]:
    """How a recording becomes what the model hears, as ``preprocessing.json`` says it.

    Args:
        run: the model's
        made: its ``model.json``
        model: the network, None for a baseline
    """
    found: dict[str, Any] = {
        "sample_rate": SAMPLE_RATE,
        "channels": "one: the mean of all channels",
        "samples": "resampled, rounded to 16 bit and divided by 32768",
    }
    if model is None:
        groups = made.get("groups", [])
        found |= {"hears": "functionals of whole utterances", "feature": made["feature"]}
        return found | {"normalise": made["normalise"], "groups": groups, "columns": made["columns"]}
    if made["eval_window"] == "crop":
        found["utterance"] = f"the middle {made['window_s']:g} s of what is longer"
    else:
        found["utterance"] = "whole, however long"
    if made.get("segments"):
        longest, shift = made["segments"]
        found["segments"] = {
            "longest_s": longest, "shift_s": shift, "utterance": "the mean of its segments' probabilities",
        }  # fmt: skip
    found["precision"] = made["precision"]
    if made["feature"]:
        return found | {"hears": "stored frames", "feature": run.config.get("feature_settings", made["feature"])}
    front = spectrogram_of(model)
    if front is None:
        return found | {"hears": "the waveform, by a speech encoder"}
    mel = front.logmel
    fitted = {"mean": front.mean.tolist(), "scale": front.scale.tolist()} if front.normalise == "global" else {}
    return found | {
        "hears": "a log-mel spectrogram",
        "spectrogram": {
            "mels": mel.mels, "win_samples": mel.win, "hop_samples": mel.hop, "f_min_hz": mel.f_min,
            "f_max_hz": mel.f_max, "mel_scale": mel.mel_scale, "window": "Hann, periodic", "power": 2,
            "frames": "frame t is centred on sample t * hop, zeros beyond both ends, 1 + samples // hop of them",
            "reference": "the loudest value of the utterance" if mel.ref == "max" else f"a power of {mel.ref:g}",
            "floor_db": mel.floor_db, "scaled": "(dB - floor) / -floor: 0 at the floor, 1 at the reference",
            "normalise": front.normalise, **fitted,
        },
    }  # fmt: skip


def spectrogram_of(model: Any) -> Any | None:
    """The part of a network that makes its spectrograms; None where it has none."""
    from emoset_cli.models.layers.front import Front

    return next((part for part in model.modules() if isinstance(part, Front)), None)


def corpora_facts(run: Run, workspace: Path, known: Mapping[str, Corpus], folds: Sequence[str]) -> list[dict[str, Any]]:
    """What is known of each corpus of a run: from the registry, and from the workspace where it is prepared there.

    ``parts`` counts utterances, hours and speakers of train, devel and test over the shared folds, each utterance
    once in a partition; None where the workspace does not hold the corpus as it was trained on.
    """
    from emoset_cli.train.deep.members import members

    try:
        rows = members(run, workspace)
        rows = rows[rows["fold"].isin(list(folds))]
    except EmosetError:
        rows = None
    return [_corpus(run, str(key), known.get(str(key)), rows) for key in run.config["corpora"]]


def _corpus(run: Run, key: str, entry: Corpus | None, rows: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"corpus": key, "labels": [str(word) for word in run.config["labels"][key]]}
    for name in ("name", "reference", "licence", "access", "obtain", "nature"):
        found[name] = getattr(entry, name) if entry else None
    found["languages"] = list(entry.languages) if entry else []
    found["unseen"] = key in run.unseen
    found["parts"] = None
    if rows is not None:
        own = rows[rows["corpus"] == key]
        found["languages"] = sorted({str(word) for word in own["language"]} - {""}) or found["languages"]
        found["parts"] = {str(part): _part(some) for part, some in own.groupby("partition", sort=False)}
    return found


def _part(rows: Any) -> dict[str, Any]:
    once = rows.drop_duplicates("utterance")
    speakers = once.loc[once["speaker"] != "", "speaker"]
    return {
        "utterances": len(once), "hours": round(float(once["duration_s"].sum()) / 3600, 4),
        "speakers": int(speakers.nunique()) or None,
    }  # fmt: skip


def results_facts(run: Run) -> dict[str, Any]:
    """The scores of the run the model is of, as `emoset evaluate` reckons them, of dimensions and levels too."""
    further = {"dimensions": dimension_scores([run]), "levels": level_scores([run])}
    return score_run(run) | {name: rows for name, rows in further.items() if rows}
