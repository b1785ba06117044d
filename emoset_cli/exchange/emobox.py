"""EmoBox's file lists: ``CORPUS/fold_1/CORPUS_train_fold_1.jsonl`` and so on, a recording a line."""

import json
import re
from pathlib import Path

from emoset_cli.errors import EmosetError
from emoset_cli.exchange.listing import PARTITION_WORDS, Listing, Options, Row

_FOLD = re.compile(r"fold_(\d+)")
_LIST = re.compile(r"(?P<corpus>.+)_(?P<part>train|valid|val|dev|test)_fold(?P<tidy>_?)\d+\.jsonl")

Folds = dict[str, dict[str, Path]]  # fold -> partition -> list


def find(source: Path) -> dict[str, Folds]:
    """The corpora in a folder: "" for the folder itself (EmoBox's ``data/emodb``), else names (of ``data``)."""
    if not source.is_dir():
        return {}
    if folds := _folds(source):
        return {"": folds}
    return {path.name: folds for path in sorted(source.iterdir()) if path.is_dir() and (folds := _folds(path))}


def _folds(folder: Path) -> Folds:
    """Some corpora have each list twice (``fold1`` and ``fold_1`` in the name): the second is the one they use."""
    found: Folds = {}
    for path in sorted(folder.glob("fold_*/*.jsonl"), key=lambda path: (len(path.name), path.name)):
        fold, name = _FOLD.fullmatch(path.parent.name), _LIST.fullmatch(path.name)
        if fold and name:
            found.setdefault(fold[1], {})[PARTITION_WORDS[name["part"]]] = path
    return dict(sorted(found.items(), key=lambda item: int(item[0])))


def read(folds: Folds, options: Options) -> Listing:
    """The recordings of all folds. EmoBox lists no speakers; words of its ``label_map.json`` replace raw labels."""
    folder = next(iter(next(iter(folds.values())).values())).parent.parent
    words = _label_map(folder / "label_map.json")
    rows: list[Row] = []
    for fold, lists in folds.items():
        for part, path in lists.items():
            for number, record in enumerate(_records(path), 1):
                row = _row(path, number, record)
                rows.append(row | {"label": words.get(row["label"], row["label"]), f"fold_{fold}": part})
    if not rows:
        raise EmosetError(f"{folder} lists no files", "get EmoBox's data folder again")
    used = f"words of {folder.name}/label_map.json stand for EmoBox's codes" if words else ""
    notes = [f"{len(folds)} folds: {', '.join(folds)}", *([used] if used else [])]
    columns = {fold: f"fold_{fold}" for fold in folds}
    if len(folds) == 1:
        (column,) = columns.values()
        rows = [{("split" if name == column else name): value for name, value in row.items()} for row in rows]
        columns = dict.fromkeys(columns, "split")
    return Listing(rows, columns, texts={"emobox_key"}, notes=notes)


def _row(path: Path, number: int, record: object) -> Row:
    if not isinstance(record, dict) or not isinstance(record.get("wav"), str) or "emo" not in record:
        raise EmosetError(
            f"{path}, record {number} has no 'wav' and 'emo'", "give a list of EmoBox with a record a line"
        )
    row = {"file": record["wav"], "label": str(record["emo"]), "emobox_key": str(record.get("key", ""))}
    if "end_time" in record and "start_time" in record:
        row |= {"start_s": str(record["start_time"]), "end_s": str(record["end_time"])}
    return row


def _records(path: Path) -> list[object]:
    records: list[object] = []
    try:
        with path.open(encoding="utf-8") as file:
            records.extend(json.loads(line) for line in file if line.strip())
    except (ValueError, RecursionError) as error:
        raise EmosetError(f"{path}, record {len(records) + 1} is not JSON ({error})", "get this list again") from None
    return records


def _label_map(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        words = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise EmosetError(f"{path} is not JSON ({error})", "get this file again") from None
    if not isinstance(words, dict):
        raise EmosetError(f"{path} holds no map of labels", "get this file again")
    return {str(code): str(word) for code, word in words.items()}
