"""The Deep-WCCN study, Figures 2 to 4 and 6 and Table 4: within and across languages, with and without (Deep-)WCCN.

Source:
    'End-to-end transfer learning for speaker-independent cross-language speech emotion recognition', section 5.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from emoset_cli.errors import EmosetError
from emoset_cli.report.languages import language_scores
from emoset_cli.report.papers.deepwccn_tables import TERMS, sentences, tables
from emoset_cli.report.papers.paper import Paper, fitting, published, spread
from emoset_cli.report.seeds import marks_of
from emoset_cli.report.settings import group, is_network, setting_of
from emoset_cli.runs import Run

WAVES = "wav2vec 2.0"  # what the study calls its network
_Method = tuple[str, str]  # what recognises, and "Deep-WCCN", "WCCN" or nothing
_Cell = tuple[_Method, int, str]  # method, utterances added, language left out


def find(runs: Sequence[Run]) -> dict[str, Any]:
    """What each method scores within and across languages, as plain values.

    A method is what recognises, with or without (Deep-)WCCN. ``cases`` has a row for each method, number of utterances
    added, language left out and language tested: mean and deviation over the folds of all seeds, each fold scored by
    itself. ``means`` averages within a language over the trainings that had it, beside across it (Figure 3).
    ``gains`` is with (Deep-)WCCN minus without, across, where both are there: the mean over folds of equal seeds, and
    McNemar's test of each seed, corrected over the languages (Figure 4). ``same`` says whether corpora, partition and
    labels are the study's.

    Raises:
        EmosetError: if no run fits, or runs of other settings, or two of one seed, are one method
    """
    fit, out = fitting(runs, _why_not)
    if not fit:
        why = f": {out[0]['run']}: {out[0]['why']}" if out else ""
        raise EmosetError(f"no run fits the table{why}", "emoset train wccn --partition lolo:NAME --labels iemocap4")
    study = _commonest([_study(run) for run in fit])
    out += [{"run": run.name, "why": f"it is of {_told(_study(run))}; most are of {_told(study)}"}
            for run in fit if _study(run) != study]  # fmt: skip
    used = [run for run in fit if _study(run) == study]
    cells = _cells(used)
    cases = [row for cell, seeds in cells.items() for row in _rows(cell, seeds)]
    gains, further = _gains(cells)
    corpora, partition, space = study
    paper = published("deepwccn")
    labels = [str(label) for label in used[0].config["labels"][corpora[0]]]
    return {
        "corpora": list(corpora),
        "partition": partition,
        "label_space": space,
        "labels": labels,
        "same": set(corpora) == set(paper["languages"].values())
        and partition == paper["partition"]
        and labels == paper["labels"],
        "methods": [name_of(method) for method in dict.fromkeys(method for method, *_ in cells)],
        "cases": cases,
        "means": _means(cases),
        "gains": gains,
        "published": paper,
        "left_out": out + further,
    }


def _why_not(run: Run) -> str:
    """Why a run has no place in the table, or nothing."""
    name = str(run.config["partition"]["name"])
    if not name.startswith("lolo:"):
        return "it leaves no language out fold by fold (--partition lolo:NAME)"
    if run.config.get("initial"):
        return "it starts from another run"
    return ""


def _study(run: Run) -> tuple[tuple[str, ...], str, str]:
    """Corpora, the partition of each of them, and label space: what runs must share to stand in one table."""
    name, _, _ = str(run.config["partition"]["name"]).removeprefix("lolo:").partition("+")
    return tuple(sorted(map(str, run.config["corpora"]))), name.partition("@")[0], str(run.config["label_space"])


def _told(study: tuple[tuple[str, ...], str, str]) -> str:
    corpora, partition, space = study
    return f"{', '.join(corpora)} by {partition} in {space}"


def _commonest(studies: Sequence[Any]) -> Any:
    return max(dict.fromkeys(studies), key=studies.count)


def _method(run: Run) -> _Method:
    """What recognises, and what whitens."""
    options = run.config["options"]
    if not is_network(run):
        return setting_of(run), "WCCN" if options.get("wccn") is not None else ""
    final = ", final" if run.final else ""
    if run.config["model"] != "wccn":
        return setting_of(run) + final, ""
    return WAVES + final, "Deep-WCCN" if options["network"].get("wccn", True) else ""


def name_of(method: _Method) -> str:
    """As tables call a method: ``wav2vec 2.0 + Deep-WCCN``."""
    return " + ".join(filter(None, method))


def _cells(runs: Sequence[Run]) -> dict[_Cell, dict[int, Run]]:
    """The runs by cell and seed; a run is in as many cells as it leaves languages out.

    Raises:
        EmosetError: if the runs of a cell are of several settings, or two are of one seed
    """
    found: dict[_Cell, list[Run]] = {}
    for run in runs:
        added = int(str(run.config["partition"]["name"]).partition("+")[2] or 0)
        for language in dict.fromkeys(str(fold).partition("/")[0] for fold in run.config["partition"]["folds"]):
            found.setdefault((_method(run), added, language), []).append(run)
    return {cell: _by_seed(cell, found[cell]) for cell in sorted(found, key=_order)}


def _order(cell: _Cell) -> tuple[Any, ...]:
    """Baselines first, as the figures have them, each before its (Deep-)WCCN."""
    (system, whitening), added, language = cell
    return system.startswith(WAVES), system, whitening, added, language


def _by_seed(cell: _Cell, runs: Sequence[Run]) -> dict[int, Run]:
    method, added, language = cell
    what = f"{name_of(method)} with {language} left out" + (f" and {added} utterances added" if added else "")
    settings = group(runs)
    if len(settings) > 1:
        names = " and ".join(f"'{setting.runs[0].name}' ({setting.name})" for setting in settings[:2])
        raise EmosetError(f"{names} are both {what}", "name the runs that shall count")
    seeds: dict[int, Run] = {}
    for run in runs:
        other = seeds.setdefault(int(run.config.get("seed") or 0), run)
        if other is not run:
            raise EmosetError(
                f"'{other.name}' and '{run.name}' are both {what}, seed {run.config.get('seed') or 0}",
                "name the one that shall count",
            )
    return dict(sorted(seeds.items()))


def _rows(cell: _Cell, seeds: dict[int, Run]) -> Iterator[dict[str, Any]]:
    """The scores of a cell on each language tested, over the folds of all seeds."""
    method, added, left_out = cell
    heard: dict[str, list[dict[str, Any]]] = {}
    for run in seeds.values():
        for row in language_scores([run]):
            if row["left_out"] == left_out:
                heard.setdefault(row["tested_on"], []).append(row)
    for tested, rows in heard.items():
        names = [row["run"] for row in rows]
        yield {
            "method": name_of(method), "added": added, "left_out": left_out, "trained_on": rows[0]["trained_on"],
            "tested_on": tested, "kind": rows[0]["kind"], "seeds": list(seeds), "n": rows[0]["n"],
            "folds": rows[0]["folds"], "chance": rows[0]["chance"],
            **{key: _over([value for row in rows for value in row[key]["values"]], names) for key in ("uar", "wa")},
        }  # fmt: skip


def _over(values: Sequence[float], runs: Sequence[str]) -> dict[str, Any]:
    found = spread(values)
    assert found is not None
    return found | {"runs": list(dict.fromkeys(runs))}


def _means(cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each method and language, nothing added: within, averaged over the trainings that had it; and across."""
    plain = [row for row in cases if not row["added"]]
    found = []
    for method, tested in dict.fromkeys((row["method"], row["tested_on"]) for row in plain):
        mine = [row for row in plain if (row["method"], row["tested_on"]) == (method, tested)]
        row: dict[str, Any] = {"method": method, "tested_on": tested}
        for kind in ("within", "across"):
            parts = [one for one in mine if one["kind"] == kind]
            row[kind] = _mean_of(parts) if parts else None
        found.append(row)
    return found


def _mean_of(cases: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """All folds of some cases together, and what each was trained on."""
    numbers = {
        key: _over([value for one in cases for value in one[key]["values"]],
                   [name for one in cases for name in one[key]["runs"]])
        for key in ("uar", "wa")
    }  # fmt: skip
    return {"trained_on": [one["trained_on"] for one in cases], **numbers}


def _gains(cells: dict[_Cell, dict[int, Run]]) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """What (Deep-)WCCN changes across each language, nothing added; and what cannot be compared."""
    found: list[dict[str, Any]] = []
    out: list[dict[str, str]] = []
    for method in dict.fromkeys(method for method, *_ in cells if method[1]):
        pairs = {
            language: (cells[(method[0], ""), 0, language], seeds)
            for (one, added, language), seeds in cells.items()
            if one == method and not added and ((method[0], ""), 0, language) in cells
        }
        without: dict[str, dict[int, Any]] = {}
        having: dict[str, dict[int, Any]] = {}
        for language, (plain, own) in pairs.items():
            for seed in sorted(plain.keys() & own.keys()):
                a, b = (_tested(runs[seed], language) for runs in (plain, own))
                if a[_WHICH].to_numpy().tolist() == b[_WHICH].to_numpy().tolist():
                    without.setdefault(language, {})[seed], having.setdefault(language, {})[seed] = a, b
                else:
                    why = f"it tests other utterances of {language} than '{plain[seed].name}'"
                    out.append({"run": own[seed].name, "why": why})
        marks = marks_of(_hits(without), _hits(having))
        for language in having:
            plain, own = pairs[language]
            found.append(
                {"system": method[0], "whitening": method[1], "left_out": language, "seeds": sorted(having[language])}
                | _difference(language, [(plain[seed], own[seed]) for seed in sorted(having[language])])
                | marks[language]
            )
    return found, out


_WHICH = ["fold", "utterance", "truth"]


def _tested(run: Run, language: str) -> Any:
    """The test utterances of the folds that leave a language out, in a fixed order."""
    table = run.predictions()
    mine = (table["partition"] == "test") & (table["language"] == language)
    return table[mine].sort_values(["fold", "utterance"], kind="stable")


def _hits(tested: dict[str, dict[int, Any]]) -> dict[str, dict[int, np.ndarray]]:
    return {
        language: {seed: (rows["truth"] == rows["prediction"]).to_numpy() for seed, rows in seeds.items()}
        for language, seeds in tested.items()
    }


def _difference(language: str, pairs: Sequence[tuple[Run, Run]]) -> dict[str, Any]:
    """Without, with, and the mean difference over the folds of the seeds that both have."""
    sides: list[dict[str, list[float]]] = []
    for place in (0, 1):
        rows = [row for row in language_scores([pair[place] for pair in pairs])
                if row["tested_on"] == row["left_out"] == language]  # fmt: skip
        sides.append({key: [value for row in rows for value in row[key]["values"]] for key in ("uar", "wa")})
    names = [[pair[place].name for pair in pairs] for place in (0, 1)]
    return {
        "without": {key: _over(sides[0][key], names[0]) for key in sides[0]},
        "with": {key: _over(sides[1][key], names[1]) for key in sides[1]},
        "gain": {
            key: {"value": float(np.mean(np.subtract(sides[1][key], sides[0][key]))), "runs": names[0] + names[1]}
            for key in ("uar", "wa")
        },
    }


PAPER = Paper(
    title="Deep-WCCN: within and across languages",
    source="'End-to-end transfer learning for speaker-independent cross-language speech emotion recognition', "
    "Figures 2 to 4 and 6, Table 4",
    find=find,
    tables=tables,
    sentences=sentences,
    terms=TERMS,
    baselines=True,
)
