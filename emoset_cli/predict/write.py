"""The files of ``emoset predict --out``: predictions, and a timeline of each recording that was cut into windows."""

import csv
import io
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.files import write_json, write_text
from emoset_cli.predict.facts import stretches

PREDICTIONS = "predictions.csv"
TIMELINES = "timelines"


def refuse_existing(folder: Path) -> None:
    """Refuse to write over an earlier answer.

    Raises:
        EmosetError: if the folder holds one
    """
    if (folder / PREDICTIONS).exists():
        raise EmosetError(f"{folder} holds predictions already", "choose another --out, or add --force")
    if folder.exists() and not folder.is_dir():
        raise EmosetError(f"{folder} is no folder", "choose another --out")


def write_answer(folder: Path, answer: dict[str, Any]) -> list[tuple[Path, dict[str, Any]]]:
    """Write the timelines, predictions.json and, last, predictions.csv; an earlier answer goes.

    Args:
        folder: made if it is not there
        answer: what the command answers with ``--json``

    Returns:
        for each recording in windows the path of its timeline without an ending, and its facts
    """
    if (folder / PREDICTIONS).exists():  # timelines of an earlier answer would be taken for those of this one
        (folder / PREDICTIONS).unlink()
        shutil.rmtree(folder / TIMELINES, ignore_errors=True)
    cut = [one for one in answer["recordings"] if one["windows"]]
    written = []
    for name, one in zip(_names(one["recording"] for one in cut), cut, strict=True):
        base = folder / TIMELINES / name
        write_json(base.with_name(f"{name}.json"), one)
        write_text(base.with_name(f"{name}.csv"), timeline_csv(one, answer))
        for head in labelled(answer):
            write_text(base.with_name(f"{_of_head(name, head, answer)}.txt"), audacity(one, head))
        written.append((base, one))
    write_json(folder / "predictions.json", answer)
    write_text(folder / PREDICTIONS, predictions_csv(answer))
    return written


def labelled(answer: dict[str, Any]) -> dict[str, list[str]]:
    """The heads that have labels, with them: only these divide a recording into stretches."""
    return {head: labels for head, labels in answer["heads"].items() if labels}


def of_head(base: Path, head: str, answer: dict[str, Any], ending: str) -> Path:
    """The file of one head of a timeline; its name is in that of the file where there are several."""
    return base.with_name(_of_head(base.name, head, answer) + ending)


def _of_head(name: str, head: str, answer: dict[str, Any]) -> str:
    return name if len(answer["heads"]) == 1 else f"{name}.{_safe(head)}"


def _safe(name: str) -> str:
    return re.sub(r"[^\w+.-]+", "-", name).strip("-.") or "x"


def _names(recordings: Iterable[str]) -> list[str]:
    """A file name for each recording: that of its own file, with a number where it comes again."""
    found: dict[str, str] = {}  # in lower case: not all systems tell cases apart
    for recording in recordings:
        own = _safe(Path(recording).name)[:180]
        number, name = 1, own
        while name.lower() in found:
            number += 1
            name = f"{own}-{number}"
        found[name.lower()] = name
    return list(found.values())


def _dimensions(answer: dict[str, Any]) -> list[str]:
    return list(dict.fromkeys(name for own in answer.get("dimensions", {}).values() for name in own))


def _values(said: dict[str, Any], names: list[str]) -> list[str]:
    return [_number(said.get("dimensions", {}).get(name)) for name in names]


def _labels(heads: dict[str, list[str]]) -> list[str]:
    return list(dict.fromkeys(label for labels in heads.values() for label in labels))


def _csv(rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def predictions_csv(answer: dict[str, Any]) -> str:
    """A row for each recording and head; labels of other heads are empty."""
    labels = _labels(answer["heads"])
    scored = any("scores" in said for one in answer["recordings"] for said in one["said"].values())
    head: list[object] = [
        "recording",
        "seconds",
        "windows",
        "level_db",
        "concerns",
        "head",
        "prediction",
        "probability",
    ]
    head += [f"probability_{label}" for label in labels] + ([f"score_{label}" for label in labels] if scored else [])
    names = _dimensions(answer)
    head += [f"dimension_{name}" for name in names]
    rows: list[list[object]] = [head]
    for one in answer["recordings"]:
        kinds = "; ".join(concern["kind"] for concern in one["concerns"])
        start = [one["recording"], one["seconds"], len(one["windows"]), one["level_db"], kinds]
        for name, said in one["said"].items():
            row = [*start, name, said["prediction"], _number(said["probability"])]
            row += [_number(said["probabilities"].get(label)) for label in labels]
            row += [_number(said["scores"].get(label)) for label in labels] if scored else []
            rows.append(row + _values(said, names))
    return _csv(rows)


def timeline_csv(one: dict[str, Any], answer: dict[str, Any]) -> str:
    """A row for each window and head."""
    labels, names = _labels(answer["heads"]), _dimensions(answer)
    head: list[object] = ["start_s", "end_s", "level_db", "head", "prediction", "probability"]
    head += [f"probability_{label}" for label in labels] + [f"dimension_{name}" for name in names]
    rows: list[list[object]] = [head]
    for window in one["windows"]:
        start = [window["start_s"], window["end_s"], window["level_db"]]
        for name, said in window["said"].items():
            row = [*start, name, said["prediction"], _number(said["probability"])]
            row += [_number(said["probabilities"].get(label)) for label in labels]
            rows.append(row + _values(said, names))
    return _csv(rows)


def audacity(one: dict[str, Any], head: str) -> str:
    """A label track that Audacity imports: begin, end and label of each stretch, with tabs between."""
    found = stretches(one["windows"], head, one["seconds"])
    return "".join(f"{begin:.6f}\t{end:.6f}\t{label}\n" for begin, end, label in found)
