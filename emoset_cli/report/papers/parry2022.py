"""Parry et al. 2022, Tables 2 and 3: attributes by multi-task learning, gradient reversal or a discriminator.

Source:
    J. Parry, E. DeMattos, A. Klementiev, A. Ind, D. Morse-Kopp, G. Clarke and D. Palaz: Speech Emotion Recognition in
    the Wild using Multi-task and Adversarial Learning. Interspeech 2022.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emoset_cli.errors import EmosetError
from emoset_cli.report.papers.paper import Paper, attributes_of, fitting, left_out, missing, published
from emoset_cli.report.scores import score_rows
from emoset_cli.report.seeds import ALPHA, marks_of, over_seeds
from emoset_cli.report.settings import group, is_network
from emoset_cli.report.tables import Column, Table, slug
from emoset_cli.runs import Run

APPROACHES = {"mtl": "MTL", "gr": "GR", "ad": "AD"}
LETTERS = {"corpus": "C", "speaker": "S", "gender": "G", "language": "L"}  # in the order of the paper's combinations
INSIDE = "in domain"
BASELINE, NONE = "baseline", "none"
_SINGLES = ("C", "G", "S", "L")


@dataclass(frozen=True)
class _Tested:
    """Test utterances of a run in one domain."""

    utterances: tuple[tuple[str, str, str], ...]  # fold, utterance, truth
    hits: np.ndarray
    scores: dict[str, Any]
    run: str


_Entries = dict[str, dict[int, _Tested]]  # domain -> seed


def find(runs: Sequence[Run]) -> dict[str, Any]:
    """UAR of each approach and combination of attributes, in the domain of the training and on each unseen corpus.

    ``domains`` holds domain -> approach -> combination -> the mean over seeds, with the ``difference`` to the
    baseline's mean and marks: each run is tested against the baseline of its seed on the same utterances (McNemar),
    corrected over the domains (Holm). ``above`` names what is above the baseline on every unseen corpus.

    Raises:
        EmosetError: if no run is without attributes, or runs of other settings or two of one seed share a cell
    """
    fit, out = fitting(runs, _why_not)
    cells: dict[tuple[str, str], list[Run]] = {}
    for run in fit:
        cells.setdefault(_cell_of(run), []).append(run)
    base = cells.pop((BASELINE, NONE), None)
    if not base:
        why = f" that fits ({out[0]['run']}: {out[0]['why']})" if out else ""
        raise EmosetError(f"no run without attributes{why}, to compare the others with", "name the baseline too")
    reference = {domain: seeds for domain, seeds in _entries(base).items() if seeds}
    found: dict[str, dict[str, dict[str, Any]]] = {
        domain: {BASELINE: {NONE: _uars(seeds)}} for domain, seeds in reference.items()
    }
    for cell, members in sorted(cells.items(), key=lambda item: _order(*item[0])):
        out += _fill(found, cell, members, base[0], reference)
    unseen = [domain for domain in found if domain != INSIDE]
    used = [*base, *(run for members in cells.values() for run in members)]
    return {
        "domains": found,
        "sizes": {domain: _size(seeds) for domain, seeds in reference.items()},
        "unseen": unseen,
        "above": _above(found, unseen),
        "budgets": sorted({str(run.config.get("budget", "")) for run in used}),
        "published": published("parry2022")["ua"],
        "left_out": out,
    }


def _fill(
    found: dict[str, dict[str, dict[str, Any]]], cell: tuple[str, str], runs: list[Run], base: Run, reference: _Entries
) -> list[dict[str, str]]:
    """Put the runs of a cell into all tables; answer what cannot be compared."""
    alike = [run for run in runs if _corpora(run) == _corpora(base)]
    out = [{"run": run.name, "why": f"it is of other corpora than '{base.name}'"} for run in runs if run not in alike]
    if not alike:
        return out
    entries = {domain: seeds for domain, seeds in _entries(alike).items() if domain in reference}
    out += _differing(entries, reference, alike)
    marks = marks_of(_hits(reference), _hits(entries))
    approach, names = cell
    for domain, seeds in entries.items():
        if seeds:
            own = _uars(seeds)
            difference = {"difference": own["mean"] - found[domain][BASELINE][NONE]["mean"]}
            found[domain].setdefault(approach, {})[names] = own | difference | marks.get(domain, {})
    return out


def _why_not(run: Run) -> str:
    """Why a run has no place in the table, or nothing."""
    if not is_network(run):
        return "it is no network"
    if len(run.config["corpora"]) - len(_unseen(run)) < 2:
        return "it is trained on one corpus"
    if len({tuple(map(str, own)) for own in run.config["labels"].values()}) > 1:
        return "its corpora have labels of their own, so that no UAR is of all together"
    if run.config["partition"]["name"] in {"loco", "lolo"}:
        return f"its partition {run.config['partition']['name']} has no domain"
    approach, names = attributes_of(run)
    if names and approach not in APPROACHES:
        return f"its approach is {approach}, not {', '.join(APPROACHES)}"
    return f"its attributes are {', '.join(names)}" if set(names) - set(LETTERS) else ""


def _cell_of(run: Run) -> tuple[str, str]:
    """Approach and attributes, as the paper abbreviates them: ``GR``, ``C+S``."""
    approach, names = attributes_of(run)
    if not names:
        return BASELINE, NONE
    return APPROACHES[approach], "+".join(letter for name, letter in LETTERS.items() if name in names)


def _order(approach: str, names: str) -> tuple[Any, ...]:
    """As the paper has its columns: single attributes, then several."""
    letters = names.split("+")
    places = [_SINGLES.index(names)] if names in _SINGLES else [list(LETTERS.values()).index(one) for one in letters]
    return len(letters), places, list(APPROACHES.values()).index(approach)


def _unseen(run: Run) -> list[str]:
    return [str(key) for key in run.config["partition"].get("unseen") or []]


def _corpora(run: Run) -> tuple[list[str], list[str]]:
    return sorted(map(str, run.config["corpora"])), _unseen(run)


def _entries(runs: Sequence[Run]) -> _Entries:
    """Domain -> seed -> what a run of one cell said there.

    Raises:
        EmosetError: if the runs are of several settings, or two are of one seed
    """
    settings = group(runs)
    if len(settings) > 1:
        names = " and ".join(f"'{setting.runs[0].name}' ({setting.name})" for setting in settings[:2])
        raise EmosetError(f"{names} are the same approach and attributes", "name the runs that shall count")
    found: _Entries = {name: {} for name in (INSIDE, *_unseen(runs[0]))}
    known: dict[int, str] = {}
    for run in runs:
        seed = int(run.config.get("seed") or 0)
        if seed in known:
            raise EmosetError(
                f"'{known[seed]}' and '{run.name}' are both '{settings[0].name}' with seed {seed}",
                "name the one that shall count",
            )
        known[seed] = run.name
        labels = [str(label) for label in next(iter(run.config["labels"].values()))]
        for domain, rows in _domains(run).items():
            if len(rows) and domain in found:
                found[domain][seed] = _tested(rows, labels, run.name)
    return found


def _domains(run: Run) -> dict[str, Any]:
    """Test utterances in the domain of the training, all corpora together, and of each unseen corpus."""
    test, unseen = run.predictions().query("partition == 'test'"), _unseen(run)
    inside = run.within() if unseen else test
    outside = {corpus: test[test["corpus"] == corpus] for corpus in unseen}
    return ({INSIDE: inside} if inside is not None else {}) | outside


def _tested(rows: Any, labels: list[str], run: str) -> _Tested:
    rows = rows.sort_values(["fold", "utterance"], kind="stable")
    rows = rows.assign(
        correct=(rows["truth"] == rows["prediction"]).astype(float),
        speaker=(rows["corpus"] + "/" + rows["speaker"]).where(rows["speaker"] != "", ""),
    )
    recurs = rows["utterance"].duplicated().any()  # in several folds: no further evidence
    hits = np.zeros(0, bool) if recurs else rows["correct"].to_numpy(dtype=bool)
    utterances = tuple(zip(rows["fold"], rows["utterance"], rows["truth"], strict=True))
    return _Tested(utterances, hits, score_rows(rows, labels, "test"), run)


def _differing(entries: _Entries, reference: _Entries, runs: Sequence[Run]) -> list[dict[str, str]]:
    """Take out of ``entries`` what is not of the utterances of the baseline of its seed, and tell it."""
    names = {int(run.config.get("seed") or 0): run.name for run in runs}
    out = []
    for domain, seeds in entries.items():
        for seed, one in list(seeds.items()):
            base = reference[domain].get(seed)
            if base and base.utterances != one.utterances:
                del seeds[seed]
                out.append({
                    "run": names[seed],
                    "why": f"it tests other utterances or truths ({domain}) than the baseline of its seed",
                })  # fmt: skip
    return out


def _hits(entries: _Entries) -> dict[str, dict[int, np.ndarray]]:
    return {domain: {seed: one.hits for seed, one in seeds.items()} for domain, seeds in entries.items()}


def _uars(seeds: dict[int, _Tested]) -> dict[str, Any]:
    found = over_seeds({seed: seeds[seed].scores["uar"] for seed in sorted(seeds)})
    assert found is not None
    return found | {"runs": [seeds[seed].run for seed in sorted(seeds)]}


def _size(seeds: dict[int, _Tested]) -> dict[str, Any]:
    scores = next(iter(seeds.values())).scores
    return {key: scores[key] for key in ("n", "n_speakers", "chance", "how")}


def _above(found: dict[str, dict[str, dict[str, Any]]], unseen: Sequence[str]) -> list[str]:
    """What is above the baseline on every unseen corpus, such as ``GR L``."""
    if not unseen:
        return []
    pairs = dict.fromkeys((approach, names) for domain in unseen for approach, own in found[domain].items()
                          for names in own if approach != BASELINE)  # fmt: skip
    cells = {pair: [found[domain].get(pair[0], {}).get(pair[1]) for domain in unseen] for pair in pairs}
    return [" ".join(pair) for pair, own in cells.items() if all(cell and cell["difference"] > 0 for cell in own)]


def tables(found: dict[str, Any]) -> list[Table]:
    """A table for each domain, unseen corpora first as in the paper, and the paper's."""
    ours = [_ours(found, domain) for domain in [*found["unseen"], INSIDE] if domain in found["domains"]]
    return [*ours, *(_published(domain, own) for domain, own in found["published"].items())]


def _grid(title: str, cells: dict[str, dict[str, Any]], kind: str, note: str) -> Table:
    """A row for each approach, the baseline first; a column for each combination of attributes."""
    combinations = {names: None for own in cells.values() for names in own}
    order = sorted(combinations, key=lambda names: _order("MTL", names) if names != NONE else (0,))
    heads = {names: "no attributes" if names == NONE else names for names in order}
    columns = [Column("approach", "text", "approach"), *(Column(heads[names], kind, slug(names)) for names in order)]
    shown = [name for name in (BASELINE, *APPROACHES.values()) if name in cells]
    rows = [[name, *(cells[name].get(names) for names in order)] for name in shown]
    return Table(title, columns, rows, note)


def _ours(found: dict[str, Any], domain: str) -> Table:
    size = found["sizes"][domain]
    note = (
        f"{size['n']:,} utterances of {size['n_speakers']} speakers, {size['how']}; chance {100 * size['chance']:.1f}. "
        "UAR in percent: mean ± standard deviation over seeds (their number), or of one seed with its 95 % interval. "
        "+ / −: significantly more / fewer utterances right than the baseline of the same seed (McNemar's test, which "
        f"compares accuracy and not UAR; p < {ALPHA:g} after Holm's correction over the domains). "
        f"C: corpus, G: gender, S: speaker, L: language. Budget: {' or '.join(found['budgets'])}."
    )
    where = "in domain" if domain == INSIDE else f"unseen {domain}"
    notes = [note, *left_out(found)]
    return _grid(f"Parry et al. 2022, Tables 2 and 3: {where}, UAR [%]", found["domains"][domain], "marked",
                 " ".join(notes))  # fmt: skip


def _published(domain: str, approaches: dict[str, dict[str, float]]) -> Table:
    cells = {name: {names: value / 100 for names, value in own.items()} for name, own in approaches.items()}
    note = "The second decimal is in table.json; the paper gives no spread and no test. " + (
        "Section 5, in the text; the rest is in supplementary material."
        if domain == INSIDE
        else "Its baseline of TESS is from Parry et al. 2019."
    )
    return _grid(f"Published: Parry et al. 2022, {domain}, UA [%]", cells, "percent", note)


def sentences(found: dict[str, Any]) -> list[str]:
    """What is above the baseline wherever it counts, as the paper concludes, and which of its rows are missing."""
    theirs, ours = (
        {f"{approach} {names}": None for cells in domains for approach, own in cells.items() for names in own}
        for domains in ([found["published"]["TESS"]], found["domains"].values())
    )
    lacking = [
        *missing(theirs, ours, "approaches with attributes"),
        *missing(["tess", "crema-d"], found["unseen"], "unseen corpora"),
    ]
    if not found["unseen"]:
        return ["No unseen corpus: these runs say nothing about other domains (emoset train --unseen).", *lacking]
    names = ", ".join(found["above"]) or "none"
    told = f"Above the baseline on every unseen corpus ({', '.join(found['unseen'])}), tested or not: {names}."
    return [told, *lacking]


PAPER = Paper(
    title="Parry et al. 2022: emotion in the wild with attributes",
    source="J. Parry et al., Interspeech 2022, Tables 2 and 3",
    find=find,
    tables=tables,
    sentences=sentences,
    terms={
        "MTL, GR, AD": "Multi-task learning: heads name the attributes. Gradient reversal: what they learn is reversed "
        "for the shared layers. Adversarial discriminator: another network names them from the emotion posteriors.",
        "In domain, unseen": "Test speakers of the corpora trained on, all together; a corpus that was not trained on.",
        "UAR (the paper's UA)": "Mean recall over the labels that occur.",
        "Mark": "Each run against the baseline of the same seed, on the same utterances (McNemar); the p values of one "
        "run are corrected over the domains (Holm). A mark is set where more than half of the seeds are significant in "
        "one direction. The paper sets in bold what is above the baseline, without a test.",
    },
)
