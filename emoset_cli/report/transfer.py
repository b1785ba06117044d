"""Settings side by side on each corpus: mean UAR over seeds, and McNemar's test of each seed against the reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.report.scores import PARTITIONS, score_run
from emoset_cli.report.seeds import marks_of, over_seeds
from emoset_cli.report.settings import Setting, group
from emoset_cli.runs import FINAL, Run


@dataclass(frozen=True)
class _Entry:
    """One run on one of its corpora: its predictions there and their scores."""

    run: Run
    seed: int
    rows: Any  # of devel and test, in a fixed order
    labels: tuple[str, ...]
    scores: dict[str, Any]

    def hits(self) -> np.ndarray:
        """Whether each test utterance is right, in an order that is the same in all runs that may be compared."""
        test = self.rows[self.rows["partition"] == "test"]
        hits: np.ndarray = (test["truth"] == test["prediction"]).to_numpy()
        return hits


def transfer(runs: Sequence[Run], reference: str = "scratch") -> dict[str, Any]:
    """Compare settings (`settings.group`) with the reference on each corpus, over seeds; plain values for JSON.

    The final epoch of the reference stands beside its best devel epoch, as a setting of its own. A run over several
    corpora counts on each of them. What cannot be compared is left out and told in ``left_out``.

    ``settings`` describes each column and sums up how often it beats the reference; ``any`` does so for the best
    transfer on each corpus, as the paper counts; ``corpora`` holds corpus ->
    setting -> ``devel`` and ``test`` (mean UAR over the seeds, with the interval where there is a single seed and the
    names of the ``runs``), the ``difference`` to the reference's mean and, in ``test``, the marks: ``pairs`` runs of
    equal seed were tested, ``plus`` and ``minus`` of them differ significantly, and ``mark`` is set if more than half
    do so in one direction.

    Args:
        runs: of one or more settings
        reference: name of a setting, or its short text where that is of one setting only

    Raises:
        EmosetError: if no setting has that name, several do, or two runs are the same setting, corpus and seed
    """
    settings = _grouped(runs)
    chosen = _find(settings, reference)
    settings = _with_final(settings, chosen)
    names = _order([setting.name for setting in settings], chosen.name)
    return _compared(settings, names, dict.fromkeys(names[1:], names[0]), names[0])


def transfer_pairs(runs: Sequence[Run], pairs: Mapping[str, str], told: str) -> dict[str, Any]:
    """As `transfer`, but each setting is compared with one of its own, as adapters with the same base's last layer.

    Args:
        runs: of one or more settings
        pairs: name of a setting -> that of the setting it is compared with, "" for none; they stand in the table in
            this order, each behind the one it is compared with
        told: what they are compared with, in words
    """
    settings = _grouped(runs)
    names = list(dict.fromkeys(name for pair in pairs.items() for name in reversed(pair) if name))
    return _compared([setting for setting in settings if setting.name in names], names, pairs, told)


def _grouped(runs: Sequence[Run]) -> list[Setting]:
    return group({(run.folder.resolve(), run.final): run for run in runs}.values())


def _compared(
    settings: Sequence[Setting], names: list[str], pairs: Mapping[str, str], reference: str
) -> dict[str, Any]:
    """Settings in the order of their names; ``pairs`` says which is compared with which."""
    entries, left_out = _comparable(settings, names)
    names = [name for name in names if entries[name]]
    pairs = {name: other for name, other in pairs.items() if name in names and other in names}
    corpora = sorted({corpus for one in entries.values() for corpus in one})
    hits = {name: _hits(entries[name]) for name in names}
    marks = {name: marks_of(hits[other], hits[name]) for name, other in pairs.items()}
    table = {
        corpus: _corpus({name: entries[name].get(corpus, {}) for name in names}, pairs,
                        {name: one.get(corpus, {}) for name, one in marks.items()})
        for corpus in corpora
    }  # fmt: skip
    by_name = {setting.name: setting for setting in settings}
    transfers = [name for name in names if name in pairs and by_name[name].config.get("initial")]
    return {
        "reference": reference,
        "settings": [_described(by_name[name], entries[name], table, name in pairs) for name in names],
        "any": wins(table, *transfers) if len(transfers) > 1 else None,
        "corpora": table,
        "left_out": left_out,
    }


def _find(settings: Sequence[Setting], reference: str) -> Setting:
    """The setting that is meant by a name, or by the short text of several variants' names."""
    hits = [setting for setting in settings if setting.name == reference]
    hits = hits or [setting for setting in settings if setting.name.startswith(f"{reference} (")]
    hits = [setting for setting in hits if not setting.runs[0].final] or hits
    if not hits:
        raise unknown("setting", reference, [setting.name for setting in settings])
    if len(hits) > 1:
        names = ", ".join(setting.name for setting in hits)
        raise EmosetError(
            f"'{reference}' fits several settings: {names}", f"--reference '{hits[0].name}', or name fewer runs"
        )
    return hits[0]


def _with_final(settings: list[Setting], reference: Setting) -> list[Setting]:
    """The settings with the final epochs of the reference, where it has any, as one more."""
    finals = [run.final_epoch() for run in reference.runs if run.has_final and not run.final]
    name = f"{reference.name}, {FINAL[1:]}"
    return [one for one in settings if one.name != name or not finals] + ([Setting(name, finals)] if finals else [])


def _order(names: list[str], reference: str) -> list[str]:
    """The reference, its final epoch, the others by name."""
    first = [name for name in (reference, f"{reference}, {FINAL[1:]}") if name in names]
    return first + sorted(name for name in names if name not in first)


def _comparable(
    settings: Sequence[Setting], names: list[str]
) -> tuple[dict[str, dict[str, dict[int, _Entry]]], list[dict[str, Any]]]:
    """Setting -> corpus -> seed -> entry, of what agrees with the first run on that corpus; and what does not."""
    entries: dict[str, dict[str, dict[int, _Entry]]] = {name: {} for name in names}
    left_out: list[dict[str, Any]] = []
    anchors: dict[str, _Entry] = {}
    for setting in sorted(settings, key=lambda setting: names.index(setting.name)):
        for run in setting.runs:
            for corpus, entry in _entries(run).items():
                why = _differs(anchors.setdefault(corpus, entry), entry)
                if why:
                    left_out.append({"run": run.name, "setting": setting.name, "corpus": corpus, "why": why})
                    continue
                seeds = entries[setting.name].setdefault(corpus, {})
                if entry.seed in seeds:
                    raise EmosetError(
                        f"'{seeds[entry.seed].run.name}' and '{run.name}' are both '{setting.name}' on {corpus} with "
                        f"seed {entry.seed}",
                        "name the runs that shall count, one for each setting, corpus and seed",
                    )
                seeds[entry.seed] = entry
    return entries, left_out


def _entries(run: Run) -> dict[str, _Entry]:
    """The run on each of its corpora."""
    table = run.predictions().sort_values(["partition", "fold", "utterance"], kind="stable")
    scores = score_run(run)["corpora"]
    labels = {corpus: tuple(map(str, run.config["labels"][corpus])) for corpus in scores}
    seed = int(run.config.get("seed") or 0)
    return {
        corpus: _Entry(run, seed, table[table["corpus"] == corpus], labels[corpus], parts)
        for corpus, parts in scores.items()
    }


def _differs(first: _Entry, other: _Entry) -> str:
    """Why two runs on a corpus cannot be compared, or nothing."""
    if set(first.labels) != set(other.labels):
        return f"other labels than '{first.run.name}'"
    for partition in PARTITIONS:
        a, b = (one.rows[one.rows["partition"] == partition] for one in (first, other))
        for column, what in (("utterance", "utterances"), ("fold", "folds"), ("truth", "truths")):
            if a[column].tolist() != b[column].tolist():
                return f"other {partition} {what} than '{first.run.name}'"
    return ""


def _hits(entries: dict[str, dict[int, _Entry]]) -> dict[str, dict[int, np.ndarray]]:
    return {corpus: {seed: entry.hits() for seed, entry in seeds.items()} for corpus, seeds in entries.items()}


def _corpus(
    entries: dict[str, dict[int, _Entry]], pairs: Mapping[str, str], marks: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """The row of a corpus: its size, and the cell of each setting that has runs on it."""
    any_of = next(entry for seeds in entries.values() for entry in seeds.values())
    part = any_of.scores.get("test") or any_of.scores["devel"]
    cells = {}
    for name, seeds in entries.items():
        if seeds:
            cell = {partition: _over_seeds(seeds, partition) for partition in PARTITIONS}
            for partition in PARTITIONS:
                base, own = _over_seeds(entries.get(pairs.get(name, ""), {}), partition), cell[partition]
                if base and own:
                    own["difference"] = own["mean"] - base["mean"]
            if cell["test"]:
                cell["test"] |= marks.get(name, {})
            cells[name] = cell
    return {"n": part["n"], "n_speakers": part["n_speakers"], "labels": len(any_of.labels), "chance": part["chance"],
            "settings": cells}  # fmt: skip


def _over_seeds(entries: dict[int, _Entry], partition: str) -> dict[str, Any] | None:
    """The UARs of a partition over the seeds, with the runs they are of."""
    held = {seed: entry for seed, entry in entries.items() if partition in entry.scores}
    found = over_seeds({seed: entry.scores[partition]["uar"] for seed, entry in held.items()})
    return found and found | {"runs": [entry.run.name for entry in held.values()]}


def _described(
    setting: Setting, entries: dict[str, dict[int, _Entry]], table: dict[str, Any], compared: bool
) -> dict[str, Any]:
    """What a reader must know of a column, and how it stands against the reference."""
    runs = {entry.run.name: entry.run for seeds in entries.values() for entry in seeds.values()}
    facts = [run.config | {"initial": (run.config.get("initial") or {}).get("run")} for run in runs.values()]
    told = {
        name: sorted({str(one[name]) for one in facts if one.get(name) is not None})
        for name in ("model", "mode", "initial", "budget", "precision", "device")
    }
    seeds = sorted({entry.seed for seeds in entries.values() for entry in seeds.values()})
    against = wins(table, setting.name) if compared else None
    return {"name": setting.name, "runs": list(runs), "seeds": seeds, **told, "against": against}


def wins(table: dict[str, Any], *names: str) -> dict[str, Any]:
    """On how many corpora a setting is above and below the reference.

    Of several settings the best counts on each corpus: it is significantly better where one of them is, worse only
    where all of them are.
    """
    cells = [[row["settings"][name]["test"] for name in names if name in row["settings"]] for row in table.values()]
    cells = [[cell for cell in row if cell and "difference" in cell] for row in cells]
    best = [max(cell["difference"] for cell in row) for row in cells if row]

    def count(key: str, sign: str) -> int:
        enough = any if sign == "+" else all
        return sum(enough(cell.get(key) == sign for cell in row) for row in cells if row)

    return {
        "corpora": len(best),
        "above": sum(value > 0 for value in best),
        "below": sum(value < 0 for value in best),
        "plus": count("mark", "+"),
        "minus": count("mark", "−"),
        "plus_uncorrected": count("mark_uncorrected", "+"),
        "minus_uncorrected": count("mark_uncorrected", "−"),
        "mean_difference": float(np.mean(best)) if best else None,
    }
