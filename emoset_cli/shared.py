"""A shared model: one folder that `emoset share` wrote, of which nothing is believed before it was checked.

``emoset.json`` marks the folder and lists its files with their digests; ``model.json`` and the weights are those of a
run. Everything is JSON or safetensors: nothing in it can run code, name a file outside or take more memory than its
weights.
"""

import json
import re
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.files import digest

MARK = "emoset.json"
FORMAT, VERSION = "emoset model", 1
AGAIN = "get the folder again from where it came, whole and unchanged"
ENCODER = "encoder"  # subfolder of the speech encoder that a network brings
_PLAIN = re.compile(rf"^(?:{ENCODER}/)?[A-Za-z0-9][\w.+-]{{0,199}}$", re.ASCII)
_LARGEST = 2**24  # bytes of a JSON file; the largest that emoset writes have a few thousand labels
_TEXTS = {"emoset", "name", "epoch"}


def is_shared(folder: Path) -> bool:
    """Whether a folder is marked as a shared model."""
    return (folder / MARK).is_file()


def read_shared(folder: Path) -> dict[str, Any]:
    """What ``emoset.json`` says, all of its types and file names checked.

    Raises:
        EmosetError: naming the file and what is wrong with it
    """
    path = folder / MARK
    facts = read_checked(path)
    if facts.get("format") != FORMAT:
        raise EmosetError(f"{path} is not of a shared model: its 'format' is {facts.get('format')!r}", AGAIN)
    if facts.get("version") != VERSION:
        raise EmosetError(
            f"{path} is of version {facts.get('version')!r}, this emoset reads {VERSION}",
            "install the emoset that wrote it" + (f", {facts['emoset']}" if "emoset" in facts else ""),
        )
    for name in _TEXTS:
        demand(isinstance(facts.get(name), str), path, f"'{name}' is no text")
    demand(isinstance(facts.get("files"), dict), path, "'files' is no table")
    for name, told in facts["files"].items():
        demand(isinstance(told, str), path, f"'files' tells no digest of {name!r}")
        checked_name(path, name)
    config = facts.get("config")
    demand(isinstance(config, dict), path, "'config' is no table")
    _check_config(path, config)
    return facts


def _check_config(path: Path, config: Any) -> None:
    """What those who use a run take for granted of its settings."""
    demand(_texts(config.get("corpora")), path, "'corpora' is no list of texts")
    labels = config.get("labels")
    # Of corpora with dimensions only there are none.
    fine = isinstance(labels, dict) and all(own == [] or _texts(own) for own in labels.values())
    demand(fine and set(labels) >= set(config["corpora"]), path, "'labels' does not list those of each corpus")
    for name in ("model", "label_space"):
        demand(isinstance(config.get(name), str), path, f"'{name}' is no text")
    split = config.get("partition")
    demand(isinstance(split, dict) and isinstance(split.get("name"), str), path, "'partition' has no name")
    demand(_texts(split.get("folds")), path, "'partition' has no list of folds")
    demand(split.get("unseen") is None or _texts(split["unseen"], True), path, "'unseen' is no list of texts")


def _texts(value: Any, empty: bool = False) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value) and (empty or bool(value))


def demand(fine: bool, path: Path, fault: str) -> None:
    """Refuse a file of a shared model that has a fault.

    Raises:
        EmosetError: unless it is fine
    """
    if not fine:
        raise EmosetError(f"{path} is damaged: {fault}", AGAIN)


def checked_name(path: Path, name: str) -> str:
    """A file name that lies in the folder of the file that names it.

    Raises:
        EmosetError: for an absolute name, ``..``, a hidden file or another folder
    """
    if not isinstance(name, str) or not _PLAIN.fullmatch(name):
        raise EmosetError(f"{path} names the file {str(name)[:200]!r}, which is not one of its folder", AGAIN)
    return name


def checked_file(folder: Path, name: str, told: str | None = None) -> Path:
    """A file of a shared model: a plain one, no link, with the digest that ``emoset.json`` tells.

    Args:
        folder: the shared model
        name: of the file
        told: its digest, None where nobody tells it

    Raises:
        EmosetError: if it is not there or not as it was written
    """
    path = folder / checked_name(folder / MARK, name)
    for part in (folder / ENCODER, path):
        if part.is_symlink():
            raise EmosetError(
                f"{part} is a link, and a shared model holds its files itself",
                "copy the folder with its links followed (cp -rL), or download it to a plain folder",
            )
    if not path.is_file():
        raise EmosetError(f"{path} is missing", AGAIN)
    if told is not None and digest(path.read_bytes()) != told:
        raise EmosetError(f"{path} is not the file that was shared: its digest is another", AGAIN)
    return path


def read_checked(path: Path) -> dict[str, Any]:
    """A JSON file of a stranger: one object, of bounded size and depth, without NaN.

    Raises:
        EmosetError: if it is not
    """
    if path.is_symlink() or not path.is_file():
        raise EmosetError(f"{path} is missing, or no plain file", AGAIN)
    if path.stat().st_size > _LARGEST:
        raise EmosetError(f"{path} has {path.stat().st_size:,} bytes, more than {_LARGEST:,}", AGAIN)
    try:
        value = json.loads(path.read_bytes(), parse_constant=_refuse_constant)
    except RecursionError:
        raise EmosetError(f"{path} is damaged: it is nested too deeply", AGAIN) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise EmosetError(f"{path} is not valid JSON ({str(error)[:200]})", AGAIN) from None
    if not isinstance(value, dict):
        raise EmosetError(f"{path} is damaged: it holds no table", AGAIN)
    return value


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")
