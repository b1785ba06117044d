"""An imported corpus in the workspace: its table as ``imports/KEY.csv``, its entry at the end of a corpora.yaml."""

import csv
import io
import re
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.exchange.listing import Listing
from emoset_cli.files import atomic, write_text

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*( [A-Za-z0-9(][A-Za-z0-9_.()-]*)*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"}  # other things to YAML
_WIDTH = 110


def table_text(listing: Listing) -> str:
    """The listing as CSV."""
    out = io.StringIO()
    columns = listing.columns
    writer = csv.DictWriter(out, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(listing.rows)
    return out.getvalue()


def entry_text(key: str, fields: dict[str, Any], comment: str) -> str:
    """An entry of the registry as YAML; texts that YAML would take for something else are quoted."""
    body = {name: value for name, value in fields.items() if value not in (None, {}, [], ())}
    return f"# {comment}\n{key}:\n" + "".join(_yaml(name, value, 2) for name, value in body.items())


def _yaml(name: str, value: Any, indent: int) -> str:
    start = f"{' ' * indent}{_scalar(name)}:"
    flow = f"{start} {_flow(value)}\n"
    nested = isinstance(value, dict) and any(isinstance(item, dict | list) for item in value.values())
    if not isinstance(value, dict | list) or (len(flow) <= _WIDTH and not nested):
        return flow
    if isinstance(value, list):
        return f"{start}\n" + "".join(f"{' ' * (indent + 2)}- {_flow(item)}\n" for item in value)
    return f"{start}\n" + "".join(_yaml(str(key), item, indent + 2) for key, item in value.items())


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else _scalar(value)


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    if not text.isprintable():
        raise EmosetError(f"{text!r} holds control characters", "remove them from the source")
    return "'" + text.replace("'", "''") + "'"


def add_entry(registry: Path, key: str, text: str, table: Path, rows: str, force: bool) -> bool:
    """Write the table and append the entry to a user's registry, whose other text stays as it is.

    Args:
        registry: the user's corpora.yaml; made if it is not there
        key: of the entry
        text: of `entry_text`
        table: where the entry expects its table
        rows: of `table_text`
        force: replace an entry and table that differ

    Returns:
        whether anything had to be written

    Raises:
        EmosetError: if the key is taken by something else, or the registry would not load with the entry
    """
    from emoset_cli.corpora import load_corpora

    before = _text_of(registry)
    own = load_corpora(registry).get(key) if before.strip() and _block(before, key) else None
    after = _without(before, key) if own else before
    after = after.rstrip("\r\n") + "\n\n" + text if after.strip() else text
    with atomic(registry) as aside:
        aside.write_text(after, encoding="utf-8", newline="")
        try:
            entry = load_corpora(aside)[key]
        except (EmosetError, KeyError) as error:
            problem = str(error).replace(str(aside), str(registry)) if isinstance(error, EmosetError) else "it is lost"
            problem = problem.partition("\n  mend: ")[0]
            raise EmosetError(
                f"{registry} would not load with the entry {key}: {problem}", "correct this first, then import again"
            ) from None
        same = own == entry and table.is_file() and table.read_text(encoding="utf-8") == rows
        if own and not same and not force:
            raise EmosetError(
                f"{registry} has another entry '{key}', or {table} differs", "choose another key, or give --force"
            )
        if same:
            aside.write_text(before, encoding="utf-8", newline="")
        else:
            write_text(table, rows)
    return not same


def _text_of(registry: Path) -> str:
    """The text of a file with its own line ends; "" if it is not there."""
    try:
        return registry.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise EmosetError(f"{registry} is not UTF-8 ({error})", "save the file as UTF-8") from None


def _block(text: str, key: str) -> tuple[int, int] | None:
    """First and last line (exclusive) of an entry; comments after it belong to what follows."""
    lines = text.splitlines()
    head = re.compile(rf"(['\"]?){re.escape(key)}\1\s*:(\s|$)")
    starts = [number for number, line in enumerate(lines) if head.match(line)]
    if not starts:
        return None
    end = starts[0] + 1
    last = end
    while end < len(lines) and (not lines[end].strip() or lines[end][0] in " \t#"):
        end += 1
        last = end if lines[end - 1].strip() and lines[end - 1][0] in " \t" else last
    first = starts[0]
    if first and lines[first - 1].startswith("# Imported by emoset"):
        first -= 1
    return first, last


def _without(text: str, key: str) -> str:
    found = _block(text, key)
    lines = text.splitlines(keepends=True)
    return text if found is None else "".join([*lines[: found[0]], *lines[found[1] :]])
