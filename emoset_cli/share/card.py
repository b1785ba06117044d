"""The model card of a shared model: ``README.md``, with what the Hugging Face hub reads at its top."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from emoset_cli.report.dimensions import dimensions_table, levels_table
from emoset_cli.report.tables import Column, Table, results_table

_USE = """It tells which of its labels an utterance sounds most like to raters or actors of its corpora. It is meant for
research on speech and emotion: comparing systems, describing corpora, exploring recordings in the languages and the
way of speaking it was trained on."""
_LIMITS = [
    "A label says how speech sounds, not what somebody feels.",
    "Most corpora are acted. What is spontaneous, overlapped, noisy or far from the microphone scores worse.",
    "Other languages, ages, rooms and microphones than those of its corpora were not tested unless a table says so.",
    "The intervals are of other speakers of the same kind; few tested speakers make them too narrow.",
    "Who is served worse (by gender, speaker, language) is for `emoset evaluate` to show on your own data.",
    "Do not use it to decide about people: hiring, insurance, policing, grading, diagnosis. Recognising emotions at "
    "work and in education is forbidden in some countries.",
]


def card(
    name: str,
    model: Mapping[str, Any],
    corpora: Sequence[Mapping[str, Any]],
    scores: Mapping[str, Any],
    licence: str = "",
    calibrated: bool = False,
) -> str:
    """The text of the card.

    Args:
        name: of the run
        model: ``config``, ``heads`` (head -> labels), ``input``, ``epoch``, ``folds`` and ``emoset`` (its version)
        corpora: of `emoset_cli.share.facts.corpora_facts`
        scores: of `emoset_cli.share.facts.results_facts`
        licence: of the weights, as their owner says it
        calibrated: whether temperatures lie beside the weights
    """
    config = model["config"]
    parts = [
        _front_matter(config, corpora, licence),
        f"# {name}\n",
        f"Speech emotion recognition with {config['model']}, trained and shared with emoset {model['emoset']}.\n",
        "```sh\npip install emoset\nemoset predict THIS_FOLDER RECORDINGS\n```\n",
        _heads(model["heads"], config.get("dimensions") or {}),
        _model(model, calibrated),
        _data(corpora),
        _partition(config, model["folds"]),
        results_table([dict(scores)]).markdown() if scores["corpora"] else "",
        dimensions_table(scores["dimensions"]).markdown() if scores.get("dimensions") else "",
        levels_table(scores["levels"]).markdown() if scores.get("levels") else "",
        _several(model["folds"], config),
        "## Intended use\n\n" + _USE + "\n",
        "## Limits\n\n" + "\n".join(f"- {line}" for line in _LIMITS) + "\n",
        _licences(corpora, licence),
        "## How to cite\n\nThe papers of the system and of the corpora are in `citations.bib`.\n",
        "## Files\n\nNothing in this folder runs code: JSON, safetensors and this text. `emoset.json` lists the files "
        "with their digests; `preprocessing.json` tells how a recording becomes what the model hears; `results.json` "
        "holds the scores in full.\n",
    ]
    return "\n".join(part for part in parts if part)


def _front_matter(config: Mapping[str, Any], corpora: Sequence[Mapping[str, Any]], licence: str) -> str:
    """Metadata of the hub; JSON is YAML, so nothing in a name can be taken for syntax."""
    languages = sorted({code for one in corpora for code in one["languages"]})
    facts = {
        "library_name": "emoset",
        "pipeline_tag": "audio-classification",
        "license": "other",
        "license_name": licence or "not-stated",
        "language": languages,
        "tags": ["speech-emotion-recognition", "emoset", str(config["model"])],
        "metrics": ["recall"],
    }
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items() if value]
    return "\n".join(["---", *lines, "---", ""])


def _heads(heads: Mapping[str, Sequence[str]], dimensions: Mapping[str, Any]) -> str:
    table = Table("Labels", [Column("head", "text", "head"), Column("labels", "text", "labels")])
    table.rows = [[head, ", ".join(labels)] for head, labels in heads.items()]
    if dimensions:
        table.columns.append(Column("dimensions", "text", "dimensions"))
        table.rows = [[*row, ", ".join(dimensions["heads"].get(row[0], []))] for row in table.rows]
    return table.markdown()


def _model(model: Mapping[str, Any], calibrated: bool) -> str:
    config, folds = model["config"], model["folds"]
    lines = [f"- {len(folds)} {'fold' if len(folds) == 1 else 'folds, each a model of its own'}; "
             f"weights of the {model['epoch']} epoch" if model["epoch"] else f"- {len(folds)} folds"]  # fmt: skip
    if total := (config.get("parameters") or {}).get("total"):
        lines.append(f"- {total:,} parameters")
    lines.append(f"- hears {model['input']['hears']} of 16 kHz mono audio (`preprocessing.json`)")
    if config.get("setting"):
        lines.append(f"- setting: {config['setting']}; mode: {config.get('mode')}; seed: {config.get('seed')}")
    if config["label_space"] != "own":
        lines.append(f"- its labels are of the label space {config['label_space']}, not the corpora's own words")
    lines += ["- with temperatures fitted on devel (`calibration.json`)"] if calibrated else []
    return "## Model\n\n" + "\n".join(lines) + "\n"


def _data(corpora: Sequence[Mapping[str, Any]]) -> str:
    columns = [
        Column("corpus", "text", "corpus"), Column("language", "text", "language"),
        Column("partition", "text", "partition"), Column("utterances", "count", "utterances"),
        Column("hours", "text", "hours"), Column("speakers", "count", "speakers"),
    ]  # fmt: skip
    table = Table("Data", columns)
    for one in corpora:
        language = ", ".join(one["languages"]) or None
        for part, numbers in (one["parts"] or {"not prepared where it was shared": {}}).items():
            hours = f"{numbers['hours']:.2f}" if numbers else None
            table.rows.append(
                [one["corpus"], language, part, numbers.get("utterances"), hours, numbers.get("speakers")]
            )
    names = [f"- **{one['corpus']}**: {_reference(one)}" for one in corpora]
    return table.markdown() + "\n" + "\n".join(names) + "\n"


def _reference(one: Mapping[str, Any]) -> str:
    told = [one["name"] or "not in the registry", one["reference"], one["nature"]]
    return "; ".join(str(word) for word in told if word) + ("; tested only, as a whole" if one["unseen"] else "")


def _partition(config: Mapping[str, Any], folds: Sequence[str]) -> str:
    split = config["partition"]
    lines = [f"- {split['name']}" + (", as published" if split.get("published") else "")]
    lines += [f"- {note}" for note in split.get("notes", [])]
    if split.get("leaks"):
        lines.append("- **speakers are in several of its partitions, as published: the scores are too good**")
    else:
        lines.append("- no speaker who is known is in two of train, devel and test")
    return "## Partition\n\n" + "\n".join(lines) + "\n"


def _several(folds: Sequence[str], config: Mapping[str, Any]) -> str:
    whole = config["partition"].get("of_folds", len(folds))
    if whole == 1:
        return ""
    here = f"fold {folds[0]} alone" if len(folds) == 1 else f"{len(folds)} of them"
    return f"The scores are of the whole run of {whole} folds; this folder holds {here}.\n"


def _licences(corpora: Sequence[Mapping[str, Any]], licence: str) -> str:
    table = Table("Licences", [Column("corpus", "text", "corpus"), Column("licence", "text", "licence"),
                               Column("access", "text", "access")])  # fmt: skip
    table.rows = [[one["corpus"], one["licence"] or "not known", one["access"] or one["obtain"]] for one in corpora]
    own = licence or "not stated by who shared it: ask before you use it"
    return (
        table.markdown() + "\nThe recordings are not here, but weights learnt from them may fall under their terms: "
        f"read them before you pass the model on.\n\nLicence of the weights: {own}.\n"
    )
