"""Tables of predicted recordings, one for each head."""

from typing import Any

from emoset_cli.report.tables import Column, Table

_ALL = 200  # rows of a table; further ones are counted


def predicted_tables(answer: dict[str, Any]) -> list[Table]:
    """A table for each head: a row a recording, its prediction, the probability of each label and its dimensions.

    Args:
        answer: what ``emoset predict --json`` answers
    """
    recordings = answer["recordings"]
    windows = any(one["windows"] for one in recordings)
    told = any(one["concerns"] for one in recordings)
    tables = []
    for head, labels in answer["heads"].items():
        columns = [Column("recording", "text", "recording"), Column("s", "duration", "seconds")]
        columns += [Column("windows", "count", "windows")] if windows else []
        scales = answer.get("dimensions", {}).get(head, {})
        columns += [Column("prediction", "text", "prediction")] if labels else []
        columns += [Column(f"{label} [%]", "percent", label) for label in labels]
        columns += [
            Column(f"{name} ({low:g} to {high:g})", "coefficient", name) for name, (low, high) in scales.items()
        ]
        columns += [Column("concerns", "text", "concerns")] if told else []
        rows = []
        for one in recordings[:_ALL]:
            said = one["said"][head]
            row = [one["recording"], one["seconds"], *([len(one["windows"])] if windows else [])]
            row += [said["prediction"]] if labels else []
            row += [said["probabilities"][label] for label in labels]
            row += [said["dimensions"][name] for name in scales]
            rows.append(row + ([", ".join(concern["kind"] for concern in one["concerns"])] if told else []))
        more = len(recordings) - len(rows)
        tables.append(Table(f"Predictions: {head}", columns, rows, _note(answer, windows, more)))
    return tables


def _note(answer: dict[str, Any], windows: bool, more: int) -> str:
    folds = answer["folds"]
    told = [f"{answer['run']}, mean of {len(folds)} folds." if len(folds) > 1 else f"{answer['run']}."]
    told += ["Of recordings in windows: mean over their windows."] if windows else []
    told += [f"{more} further recordings: --json or --out FOLDER."] if more else []
    return " ".join(told)
