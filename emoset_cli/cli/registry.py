"""``emoset corpora show``, ``cite`` and ``spaces``: what the registry and the label spaces say."""

from pathlib import Path
from typing import Annotated, Any

import typer

from emoset_cli.cli.common import (
    DEFAULT_WORKSPACE,
    Json,
    Registry,
    Workspace,
    answer,
    each,
    finish,
    load_registry,
)

# Fields of an entry in the order in which people read them: our name -> theirs.
_FIELDS = {
    "corpus": "corpus", "needs": "you must supply", "next": "how to go on", "languages": "language", "year": "year",
    "nature": "nature", "licence": "licence", "access": "access", "obtain": "where to get it", "reference": "reference",
    "labels": "labels", "levels": "from low to high", "count": "count", "genders": "speakers",
    "ages": "ages in years", "partitions": "partitions",
    "default_partition": "default partition", "subsets": "subsets", "dimensions": "dimensions", "take": "takes share",
    "notes": "notes", "path": "path", "id": "id", "speaker": "speaker", "label": "label",
    "gender_codes": "codes of gender", "language_codes": "codes of language", "speaker_languages": "who speaks what",
    "speaker_alias": "other names of speakers", "shares_speakers": "shares speakers with", "where": "only where",
    "exclude": "left out", "tables": "tables", "sources": "sources", "where_defined": "defined in", "bibtex": "cite",
}  # fmt: skip


def show(
    key: Annotated[str, typer.Argument(help="corpus")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Show everything the registry says of a corpus: what you must supply, licence, labels, speakers, partitions.

    Example: emoset corpora show emodb
    """
    from emoset_cli.corpora import get_corpus
    from emoset_cli.report.tables import Column, Table

    corpus = get_corpus(load_registry(registry, workspace), key)
    value = _facts(corpus)
    told = value | {
        "genders": _by_gender(corpus.genders),
        "speaker_languages": _by_language(corpus),
        "labels": _codes(corpus.labels),
        "count": _counted(corpus.count) if corpus.count else None,
        "ages": ", ".join(f"{speaker}: {age:g}" for speaker, age in corpus.ages.items()),
        "partitions": [line for published in corpus.partitions.values() for line in _partition(published)],
        "tables": [
            f"{name}: {', '.join(table.columns)} from {table.file} (key {table.key})"
            for name, table in corpus.tables.items()
        ],
        "levels": " < ".join(corpus.levels),
        "dimensions": ", ".join(_scaled(corpus, name) for name in corpus.dimensions),
        **{name: ", ".join(value[name]) for name in ("languages", "take", "sources", "shares_speakers")},
    }
    cells = [[name, "\n".join(_lines(told[field]))] for field, name in _FIELDS.items() if not _empty(told[field])]
    answer(value, [Table(corpus.name, [Column("", "text", "field"), Column("", "text", "value")], cells)], as_json)


def cite(
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="corpora")],
    workspace: Workspace = DEFAULT_WORKSPACE,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Print the BibTeX entries of corpora; exit 1 where the registry has no citation.

    Example: emoset corpora cite emodb ravdess > corpora.bib
    """
    from emoset_cli.cite import bibtex
    from emoset_cli.corpora import get_corpus

    known = load_registry(registry, workspace)
    chosen = dict.fromkeys(key for text in keys for key in text.split(","))
    cited, well = each(chosen, lambda key: {"corpus": key, "bibtex": bibtex(get_corpus(known, key))})
    if cited and as_json:
        answer(cited, [], as_json)
    elif cited:
        typer.echo("\n\n".join(entry["bibtex"] for entry in cited))
    finish(well)


def spaces(workspace: Workspace = DEFAULT_WORKSPACE, registry: Registry = None, as_json: Json = False) -> None:
    """List the label spaces with their sources, and which labels of each corpus have no entry in them.

    Of the prepared corpora, where there are any; else of all whose labels are known. Your own label spaces go to
    label_spaces.yaml in the workspace.

    Example: emoset corpora spaces
    """
    from emoset_cli import labels
    from emoset_cli.report.tables import Column, Table

    found = labels.spaces(labels.own_file(workspace))
    gaps = {
        key: {name: [label for label in words if label not in space.map] for name, space in found.items()}
        for key, words in _labels_of(workspace, registry).items()
    }
    value = {
        "spaces": {
            name: {"labels": list(space.labels), "map": space.map, "source": space.source}
            for name, space in found.items()
        },
        "no_entry": gaps,
    }
    heads = [Column("label space", "text", "space"), Column("label", "text", "label"), Column("of", "text", "terms")]
    rows = [
        [name, target, ", ".join(term for term, to in space.map.items() if to == target)]
        for name, space in found.items()
        for target in space.labels
    ]
    sources = [[name, space.source] for name, space in found.items()]
    cells = [[key, *(", ".join(missing) or None for missing in gaps[key].values())] for key in gaps]
    tables = [
        Table("Label spaces", heads, rows),
        Table("Sources", [Column("label space", "text", "space"), Column("source", "text", "source")], sources),
        Table("Labels without an entry", [Column(name, "text", name) for name in ("corpus", *found)], cells),
    ]
    answer(value, tables, as_json)


def _labels_of(workspace: Path, registry: Path | None) -> dict[str, list[str]]:
    """The labels of each prepared corpus, as found; without such of each known one, as told."""
    from emoset_cli.prepare import prepared_corpora, read_utterances

    if prepared := prepared_corpora(workspace):
        return {key: sorted(read_utterances(workspace, key)["label"].unique()) for key in prepared}
    return {
        key: list(corpus.label_names) for key, corpus in load_registry(registry, workspace).items() if corpus.labels
    }


def _facts(corpus: Any) -> dict[str, Any]:
    """All fields of an entry, with its BibTeX and what to type next."""
    from dataclasses import asdict

    from emoset_cli.cite import bibtex

    facts = {name: value for name, value in asdict(corpus).items() if name not in {"key", "citation"}}
    prepare = f"emoset prepare {corpus.key}=FOLDER"
    if not corpus.path and not corpus.tables:
        prepare = f"emoset corpora import {corpus.key} TABLE.csv --audio FOLDER, then {prepare}"
    facts |= {"citation": corpus.citation, "bibtex": bibtex(corpus) if corpus.citation else None, "next": prepare}
    return {"corpus": corpus.key, **facts}


def _by_gender(genders: dict[str, str]) -> dict[str, str]:
    groups: dict[str, list[str]] = {}
    for speaker, gender in genders.items():
        groups.setdefault(gender or "gender not known", []).append(speaker)
    return {f"{len(speakers)} {gender}": " ".join(speakers) for gender, speakers in groups.items()}


def _by_language(corpus: Any) -> dict[str, str]:
    return {code: " ".join(s for s, c in corpus.speaker_languages.items() if c == code) for code in corpus.languages}


def _codes(labels: dict[str, str]) -> list[str]:
    return [", ".join(f"{label} ({code})" if code != label else label for code, label in labels.items())] * bool(labels)


def _scaled(corpus: Any, name: str) -> str:
    low, high = corpus.scales.get(name, (None, None))
    return name if low is None else f"{name} ({low:g} to {high:g})"


def _counted(count: Any) -> list[str]:
    lines = [f"{count.utterances} utterances"] if count.utterances else []
    lines += [f"{count.speakers} speakers"] if count.speakers else []
    return lines + [", ".join(f"{label} {number}" for label, number in count.labels.items())] * bool(count.labels)


def _partition(published: Any) -> list[str]:
    """A line that says what it is, and one for each fold."""
    crossing = "; NOT known to be speaker-independent" if published.speakers_cross else ""
    labels = f"; labels {', '.join(published.labels)}" if published.labels else ""
    lines = [f"{published.name}: {published.source}{labels}{crossing}"]
    if published.by:
        parts: dict[str, list[str]] = {}
        for value, part in published.values.items():
            parts.setdefault(part, []).append(value)
        told = "; ".join(f"{part}: {' '.join(values)}" for part, values in parts.items())
        lines.append(f"  by {', '.join(published.by.values())}; {told}")
    for name, fold in published.folds.items():
        parts = {"train": list(fold.train or ()), "devel": list(fold.devel), "test": list(fold.test)}
        told = "; ".join(f"{part}: {' '.join(speakers)}" for part, speakers in parts.items() if speakers)
        lines.append(f"  fold {name}; {told}" if len(published.folds) > 1 else f"  {told}")
    return lines


def _empty(fact: Any) -> bool:
    return fact in (None, "", [], {}, ()) or (isinstance(fact, dict) and not any(fact.values()))


def _lines(fact: Any) -> list[str]:
    if isinstance(fact, dict):
        return [f"{name}: {_short(value)}" for name, value in fact.items()]
    if isinstance(fact, list | tuple):
        return [str(item) for item in fact]
    return [str(fact)]


def _short(value: Any) -> str:
    if isinstance(value, dict):
        told = {name: _short(item) for name, item in value.items() if not _empty(item)}
        return "; ".join(f"{name} {item}" for name, item in told.items())
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
