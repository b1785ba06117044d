"""``emoset corpora new`` and ``try``: an entry for an unknown corpus is proposed, edited, and tried."""

from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import (
    DEFAULT_WORKSPACE,
    Force,
    Json,
    Quiet,
    Registry,
    Workspace,
    answer,
    finish,
    load_registry,
    say,
)
from emoset_cli.errors import EmosetError

Folder = Annotated[Path, typer.Argument(help="folder that holds the corpus")]


def new(
    folder: Folder,
    key: Annotated[str, typer.Option("--key", help="of the corpus; by default made of the folder's name")] = "",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="write the entry here, not to stdout")] = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Propose an entry of the registry for an unknown corpus, from its file names and tables; print or write it.

    No audio is read. Name the labels in it, correct it, then try it.

    Example: emoset corpora new ~/corpora/unknown --key mine --out mine.yaml
    """
    from emoset_cli.corpora import load_corpora
    from emoset_cli.files import write_text
    from emoset_cli.propose import entry_text, key_of, propose

    key = key or key_of(folder.expanduser().resolve().name)
    if key != key_of(key):
        raise EmosetError(f"'{key}' is no key of a corpus", f"use a-z, 0-9 and - as in --key {key_of(key)}")
    if key in load_corpora():
        raise EmosetError(
            f"the built-in registry has a corpus '{key}'",
            f"emoset corpora try {key} {folder}, or choose another --key, as in --key my-{key}",
        )
    if out and out.exists() and not force:
        raise EmosetError(f"{out} exists", "choose another --out, or give --force to replace it")
    proposal = propose(folder)
    text = entry_text(proposal, key)
    if out:
        write_text(out, text)
    if as_json:
        answer(_facts(proposal, key, text), [], as_json)
    elif out:
        answer(None, [_groups(proposal)], as_json)
    else:
        typer.echo(text, nl=False)
    say(f"{proposal.explained} of {proposal.files} names are explained by the path", quiet)
    say(f"name the labels, then: emoset corpora try {key} {folder} --registry {out or 'FILE'}", quiet)


def try_entry(
    key: Annotated[str, typer.Argument(help="corpus")],
    folder: Folder,
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Try an entry of the registry on a folder without reading audio; exit 1 where something is not explained.

    Example: emoset corpora try mine ~/corpora/unknown --registry mine.yaml
    """
    from emoset_cli.corpora import get_corpus
    from emoset_cli.propose import try_entry as work
    from emoset_cli.propose.trial import refuse_unnamed

    own = registry or workspace / "corpora.yaml"
    if own.is_file():
        refuse_unnamed(own, key)
    trial = work(get_corpus(load_registry(registry, workspace), key), folder)
    value = {
        "corpus": key,
        "files": trial.files,
        "utterances": trial.utterances,
        "other_material": trial.other,
        "labels": dict(sorted(trial.labels.items())),
        "speakers": dict(sorted(trial.speakers.items())),
        "labels_without_files": trial.unused,
        "problems": {
            kind: {"count": count, "examples": [dict(zip(("path", "detail", "mend"), e, strict=True)) for e in some]}
            for kind, (count, some) in trial.problems.items()
        },
        "notes": trial.notes,
        "well": trial.well,
    }
    answer(value, _tables(trial), as_json)
    for note in trial.notes:
        say(f"note: {note}", quiet)
    finish(trial.well)


def _tables(trial: Any) -> list[Any]:
    from emoset_cli.report.tables import Column, Table

    heads = [Column("", "text", "what"), Column("number", "count", "count")]
    rows = [
        ["audio files", trial.files], ["utterances", trial.utterances], ["other material", trial.other],
        ["labels", len(trial.labels)], ["speakers", len(trial.speakers)],
        *([f"not explained: {kind}", count] for kind, (count, _) in trial.problems.items()),
    ]  # fmt: skip
    tables = [Table(f"Trial of {trial.key}", heads, rows)]
    for name, counts in (("label", trial.labels), ("speaker", trial.speakers)):
        columns = [Column(name, "text", name), Column("utterances", "count", "count")]
        missing = [[label, 0] for label in trial.unused] if name == "label" else []
        shown = [[value, count] for value, count in sorted(counts.items())[:_MOST]] + missing
        note = f"and {len(counts) - _MOST} more" if len(counts) > _MOST else ""
        tables.append(Table(f"Utterances by {name}", columns, shown, note))
    examples = [
        [kind, path, detail, mend] for kind, (_, some) in trial.problems.items() for path, detail, mend in some
    ]  # fmt: skip
    if examples:
        columns = [Column(name, "text", name) for name in ("problem", "file", "detail", "mend")]
        tables.append(Table("Examples of what is not explained", columns, examples))
    return tables


_MOST = 40  # rows of speakers or labels


def _groups(proposal: Any) -> Any:
    from emoset_cli.report.tables import Column, Table

    heads = [
        Column("group", "text", "group"), Column("confidence", "text", "sure"), Column("values", "count", "values"),
        Column("for example", "text", "examples"),
    ]  # fmt: skip
    rows = [[g["group"], g["confidence"], g["values"], ", ".join(g["examples"])] for g in _described(proposal)]
    return Table(
        f"Proposed groups of {proposal.folder.name}", heads, rows, proposal.path or "no path: a table tells all"
    )


def _described(proposal: Any) -> list[dict[str, Any]]:
    sure = proposal.judgement.sure if proposal.judgement else {}
    return [
        {
            "group": name,
            "confidence": sure.get(name),
            "values": len(proposal.counts[name]),
            "examples": sorted(proposal.counts[name])[:6],
        }
        for name, _ in proposal.fields
    ]


def _facts(proposal: Any, key: str, text: str) -> dict[str, Any]:
    from emoset_cli.propose.proposal import codes

    return {
        "corpus": key,
        "files": proposal.files,
        "path": proposal.path,
        "explained": proposal.explained,
        "not_explained": [{"form": f, "count": count, "example": name} for f, count, name in proposal.forms],
        "not_utf8": proposal.odd,
        "groups": _described(proposal),
        "labels": [{"code": code, "files": count, "perhaps": word or None} for code, count, word in codes(proposal)],
        "tables": [
            {
                "file": table.file, "columns": table.columns, "key": table.key or None, "match": table.match,
                "share": round(table.share, 4), "known": table.known, "wrong": table.wrong or None,
            }
            for table in proposal.tables
        ],
        "entry": text,
    }  # fmt: skip
