"""Zhu & Sato 2020, Table 2: a classifier for each corpus, alone, together, and with a discriminator of corpora.

Source:
    Z. Zhu and Y. Sato: Reconciliation of Multiple Corpora for Speech Emotion Recognition by Multiple Classifiers with
    an Adversarial Corpus Discriminator. Interspeech 2020.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from emoset_cli import metrics
from emoset_cli.errors import EmosetError
from emoset_cli.report.attributes import DEFINITE, known
from emoset_cli.report.papers.paper import Paper, attributes_of, fitting, left_out, missing, published, spread
from emoset_cli.report.scores import natural
from emoset_cli.report.settings import group, is_network
from emoset_cli.report.tables import Column, Table
from emoset_cli.runs import Run

MONO, MULTIPLE, TRAIN, ADVERSARIAL = "mono", "multiple", "train", "adversarial"
ROLES = {
    MONO: "mono-corpus",
    MULTIPLE: "multiple emotion classifier",
    TRAIN: "+ corpus discriminator",
    ADVERSARIAL: "+ adversarial",
}
UNITS = {"segment": "segments", "utterance": "utterances"}


def find(runs: Sequence[Run]) -> dict[str, Any]:
    """The rows of the table for segments and for utterances, as plain values.

    A row is a setting on some corpora and a partition; its runs differ by seed and are the paper's repetitions. Each
    number has the ``mean`` and ``sd`` over the folds of all repetitions, each fold scored by itself, as the paper
    averages; ``pooled`` has the utterances of all folds counted together, mean over the repetitions. ``uneven`` names
    corpora of which the runs do not test the same utterances.

    Raises:
        EmosetError: if no run fits, or two are the same row and seed
    """
    fit, out = fitting(runs, _why_not)
    if not fit:
        why = f": {out[0]['run']}: {out[0]['why']}" if out else ""
        raise EmosetError(f"no run fits the table{why}", "emoset train acrnn, with --multi-task for several corpora")
    rows = sorted(_rows(fit), key=lambda row: list(ROLES).index(row["role"]))
    _name(rows)
    corpora = list(dict.fromkeys(corpus for row in rows for corpus in row["corpora"]))
    for row in rows:
        row["units"] = {unit: _measured(row["of"], unit) for unit in UNITS}
        row["budgets"] = sorted({str(run.config.get("budget", "")) for run in row["of"]})
        del row["of"]
    return {
        "corpora": corpora,
        "rows": rows,
        "chance": {corpus: _chance(fit, corpus) for corpus in corpora},
        "uneven": [corpus for corpus in corpora if len({_tested(run, corpus) for run in fit} - {frozenset()}) > 1],
        "published": published("zhu2020")["rows"],
        "left_out": out,
    }


def _why_not(run: Run) -> str:
    """Why a run has no place in the table, or nothing."""
    if not is_network(run):
        return "it is no network"
    corpora, heads = set(map(str, run.config["corpora"])), set(map(str, run.config.get("heads") or {}))
    if heads != corpora:
        return "its corpora share a head"
    if run.config.get("initial"):
        return "it starts from another run"
    approach, names = attributes_of(run)
    if names and names != ["corpus"]:
        return f"its attributes are {', '.join(names)}, and the table is about corpus alone"
    if names and len(corpora) == 1:
        return "with one corpus there is nothing to discriminate"
    return f"its approach is {approach}, not train or adversarial" if names and approach not in ROLES else ""


def _rows(runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """The runs by setting, corpora and partition."""
    for setting in group(runs):
        bundles: dict[tuple[str, ...], dict[int, Run]] = {}
        for run in setting.runs:
            key = (*map(str, run.config["corpora"]), str(run.config["partition"]["name"]))
            seed = int(run.config.get("seed") or 0)
            other = bundles.setdefault(key, {}).setdefault(seed, run)
            if other is not run:
                raise EmosetError(
                    f"'{other.name}' and '{run.name}' are both '{setting.name}' with seed {seed}",
                    "name the one that shall count",
                )
        for (*corpora, partition), seeds in bundles.items():
            approach, _ = attributes_of(next(iter(seeds.values())))
            yield {
                "role": approach or (MONO if len(corpora) == 1 else MULTIPLE), "setting": setting.name,
                "corpora": corpora, "partition": partition, "seeds": sorted(seeds),
                "runs": [run.name for run in seeds.values()], "of": list(seeds.values()),
            }  # fmt: skip


def _name(rows: list[dict[str, Any]]) -> None:
    """Call each row as the paper does; rows of one name are told apart by what differs."""
    for row in rows:
        row["model"] = ROLES[row["role"]] + (f" {row['corpora'][0]}" if row["role"] == MONO else "")
    plain = [row["model"] for row in rows]
    for row in rows:
        same = [other for other, name in zip(rows, plain, strict=True) if name == row["model"]]
        facts = [[one["setting"], "+".join(one["corpora"]), one["partition"]] for one in same]
        differ = [words for words, column in zip(facts[same.index(row)], zip(*facts, strict=True), strict=True)
                  if len(set(column)) > 1]  # fmt: skip
        row["told"] = ", ".join(differ)
    for row in rows:
        told = row.pop("told")
        row["model"] += f" ({told})" if told else ""


def _measured(runs: Sequence[Run], unit: str) -> dict[str, Any] | None:
    """WA, UAR and r_cor of each corpus and their means, over the folds of all repetitions; None without the unit."""
    folds: dict[str, list[dict[str, Any]]] = {}
    pooled: dict[str, list[dict[str, float]]] = {}
    joint: list[dict[str, float]] = []
    names = [run.name for run in runs]
    for run in runs:
        table = run.segments() if unit == "segment" else run.predictions()
        if table is None:
            return None
        table = table[table["partition"] == "test"]
        by_fold: dict[str, list[dict[str, Any]]] = {}
        for corpus, rows in table.groupby("corpus", sort=False):
            labels = [str(label) for label in run.config["labels"][corpus]]
            keys = ["utterance", "start_s"] if unit == "segment" else ["utterance"]
            if not rows.duplicated(keys).any():
                pooled.setdefault(str(corpus), []).append(_scores(rows, labels) | {"n": len(rows)})
            definite = _definite(run, str(corpus), unit)
            for fold in sorted(set(rows["fold"]), key=natural):
                found = _scores(rows[rows["fold"] == fold], labels) | {"definite": definite.get(fold)}
                folds.setdefault(str(corpus), []).append(found)
                by_fold.setdefault(fold, []).append(found)
        count = table["corpus"].nunique()
        whole = [of_fold for of_fold in by_fold.values() if len(of_fold) == count > 1]
        joint += [{key: sum(one[key] for one in of_fold) / count for key in ("wa", "uar")} for of_fold in whole]
    return {
        "corpora": {
            corpus: {key: _spread(of_corpus, key, names) for key in ("wa", "uar", "definite")}
            | {"pooled": {key: _spread(pooled.get(corpus, []), key, names) for key in ("wa", "uar", "n")}}
            for corpus, of_corpus in folds.items()
        },
        "mean": {key: _spread(joint, key, names) for key in ("wa", "uar")},
        "folds": max(map(len, folds.values()), default=0) // len(runs),
    }


def _scores(rows: Any, labels: list[str]) -> dict[str, Any]:
    pair = rows["truth"].tolist(), rows["prediction"].tolist()
    return {"wa": metrics.wa(*pair, labels), "uar": metrics.uar(*pair, labels)}


def _definite(run: Run, corpus: str, unit: str) -> dict[str, float]:
    """Fold -> share of corpus-definite test rows of a corpus; empty where no head names corpora."""
    table = run.attributes()
    if table is None:
        return {}
    chosen = {"attribute": "corpus", "partition": "test", "corpus": corpus, "unit": unit}
    for column, value in chosen.items():
        table = table[table[column] == value]
    shares = {str(fold): known(rows)["definite"] for fold, rows in table.groupby("fold")}
    return {fold: share for fold, share in shares.items() if share is not None}


def _spread(folds: Sequence[dict[str, Any]], key: str, runs: list[str]) -> dict[str, Any] | None:
    found = spread([one[key] for one in folds if one[key] is not None])
    return found and found | {"runs": runs}


def _tested(run: Run, corpus: str) -> frozenset[str]:
    table = run.predictions()
    return frozenset(table["utterance"][(table["corpus"] == corpus) & (table["partition"] == "test")])


def _chance(runs: Sequence[Run], corpus: str) -> float:
    """1 / labels that occur among the test utterances of a corpus."""
    tables = (run.predictions() for run in runs if corpus in map(str, run.config["corpora"]))
    first = next(tables)
    return metrics.chance(sorted(set(first["truth"][(first["corpus"] == corpus) & (first["partition"] == "test")])))


def tables(found: dict[str, Any]) -> list[Table]:
    """A table for each unit that there is, and the paper's."""
    return [*(_table(found, unit) for unit in UNITS if any(row["units"][unit] for row in found["rows"])),
            _published(found["published"])]  # fmt: skip


def _table(found: dict[str, Any], unit: str) -> Table:
    rows = [row for row in found["rows"] if row["units"][unit]]
    keys = {"wa": "WA", "uar": "UAR", "definite": "r_cor"}
    columns = [
        Column("model", "text", "model"),
        *(Column(f"{corpus} {name} [%]", "spread", f"{corpus}_{key}") for corpus in found["corpora"]
          for key, name in keys.items()),
        *(Column(f"mean {keys[key]} [%]", "spread", f"mean_{key}") for key in ("wa", "uar")),
        Column("repetitions", "count", "repetitions"), Column("folds", "count", "folds"),
        Column("budget", "text", "budget"),
    ]  # fmt: skip
    cells = []
    for row in rows:
        own = row["units"][unit]
        numbers = [(own["corpora"].get(corpus) or {}).get(key) for corpus in found["corpora"] for key in keys]
        means = [own["mean"][key] for key in ("wa", "uar")]
        cells.append(
            [row["model"], *numbers, *means, len(row["seeds"]), own["folds"], " or ".join(row["budgets"]) or None]
        )
    chances = ", ".join(f"{corpus} {100 * chance:.1f}" for corpus, chance in found["chance"].items())
    note = (
        "Mean ± standard deviation over the folds of all repetitions, each fold scored by itself, as the paper "
        "averages; utterances of all folds counted together are in table.json (pooled). The spread is of folds and "
        f"trainings, no interval. r_cor: share of {UNITS[unit]} whose own corpus has a posterior of at least "
        f"{DEFINITE:g}. The paper's samples are segments. Chance of the UAR [%]: {chances}."
    )
    notes = [note, *sentences(found), *left_out(found)]
    return Table(f"Zhu & Sato 2020, Table 2: {UNITS[unit]}", columns, cells, " ".join(notes))


def sentences(found: dict[str, Any]) -> list[str]:
    """What a reader must not overlook, and what of the paper's table is missing."""
    uneven = [f"The runs test different utterances of {corpus}: their rows cannot be compared."
              for corpus in found["uneven"]]  # fmt: skip
    return [
        *uneven,
        *missing(ROLES.values(), (ROLES[row["role"]] for row in found["rows"]), "models"),
        *missing(["emodb", "crema-d"], found["corpora"], "corpora"),
    ]


def _published(told: dict[str, dict[str, list[float | None]]]) -> Table:
    columns = [
        Column("model", "text", "model"),
        *(Column(f"{corpus} {name} [%]", "percent", f"{corpus}_{name}") for corpus in ("EmoDB", "CREMA-D")
          for name in ("WA", "UA", "r_cor")),
        Column("mean WA [%]", "percent", "mean_wa"), Column("mean UA [%]", "percent", "mean_ua"),
    ]  # fmt: skip
    none = [None, None, None]
    rows = [
        [name, *own.get("EmoDB", none), *own.get("CREMA-D", none), *own.get("mean", none[:2])]
        for name, own in told.items()
    ]
    note = "Averages over ten cross-validations of ten folds (LOSGO), of segments; the paper gives no spread."
    return Table("Published: Zhu & Sato 2020, Table 2", columns, rows, note)


PAPER = Paper(
    title="Zhu & Sato 2020: multiple classifiers with an adversarial corpus discriminator",
    source="Z. Zhu and Y. Sato, Interspeech 2020, Table 2",
    find=find,
    tables=tables,
    sentences=sentences,
    terms={
        "Rows": "Mono-corpus: a network for each corpus. Multiple emotion classifier: one network with a head for each "
        "corpus. + corpus discriminator: a further head names the corpus, without adversarial learning. "
        "+ adversarial: the encoder is trained to make it fail.",
        "Repetitions, folds": "Runs that differ by their seed only; folds of each.",
        "WA, UAR (the paper's UA)": "Share of correct ones; mean recall over the labels that occur.",
        "r_cor": "Share of corpus-definite ones: the discriminator gives their own corpus a posterior of at least 0.8.",
    },
)
