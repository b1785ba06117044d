"""Gerczuk et al. 2021 (EmoNet): which runs have a place in its tables, and the published figures beside ours.

Source:
    M. Gerczuk, S. Amiriparian, S. Ottl and B. W. Schuller: EmoNet: A Transfer Learning Framework for Multi-Corpus
    Speech Emotion Recognition. IEEE Transactions on Affective Computing, 2021.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.report.papers.paper import attributes_of, fitting, published
from emoset_cli.report.settings import Setting
from emoset_cli.report.tables import Column, Table, slug
from emoset_cli.runs import Run

NAME = "emonet2021"
SOURCE = "M. Gerczuk et al., IEEE Transactions on Affective Computing, 2021"
BASES = {"own": "all", "arousal": "arousal", "valence": "valence", "arousal,valence": "A+V"}  # label space -> the base
OURS, PAPERS = "ours", "paper"
TERMS = {
    "UAR": "Mean recall over the corpus's labels that occur in the truth. Over several seeds their mean and standard "
    "deviation (n − 1); of a single seed its 95 % bootstrap interval over speakers.",
    "Paper": "What was published stands below ours where corpus and number of labels are the same. The partitions of "
    "the paper are its own and are not published, and its budget is another one: the two are not to be subtracted.",
    "Mark": "+ / −: significantly more / fewer utterances right (McNemar's test of runs of one seed, which compares "
    "accuracy and not UAR). Ours are corrected over the corpora (Holm), the paper's are not.",
}


def pick(runs: Sequence[Run], why_not: Callable[[Run], str], needed: str) -> tuple[list[Run], list[dict[str, str]]]:
    """The runs that have a place, as `as_published`, and the others with the reason.

    Args:
        runs: of any kind
        why_not: says why a run has no place, or nothing
        needed: command that makes a run of the table

    Raises:
        EmosetError: if none has a place
    """
    fit, out = fitting([as_published(run) for run in runs], why_not)
    if not fit:
        why = f": {out[0]['run']}: {out[0]['why']}" if out else ""
        raise EmosetError(f"no run fits the table{why}", needed)
    return fit, out


def as_published(run: Run) -> Run:
    """The run, told as one in the corpus's own labels where it is of the part of the corpus that the paper takes.

    These are, in the registry's words, EmoDB's subset ``emonet494``, DEMoS's ``emonet9365`` and IEMOCAP's
    ``emonet5531`` in label space ``iemocap4``; other parts and spaces stay what they are.
    """
    corpora = [str(key) for key in run.config["corpora"]]
    told = published(NAME)["corpora"].get(corpora[0], {}) if len(corpora) == 1 else {}
    change: dict[str, Any] = {}
    if told.get("subset") and run.config.get("subset") == told["subset"]:
        change["subset"] = ""
    if told.get("space") and run.config.get("label_space") == told["space"]:
        change["label_space"] = "own"
        if "setting" in run.config:
            change["setting"] = str(run.config["setting"]).removeprefix(f"{told['space']} ")
    return replace(run, config=run.config | change)


def unlike_network(run: Run) -> str:
    """Why a run is not EmoNet's network on one corpus, from scratch or from a base of the paper; or nothing."""
    config = run.config
    if config.get("model") != "cnn":
        return f"it is no ResNet (cnn) but {config.get('model')}"
    if attributes_of(run)[1]:
        return "attributes take part in its training"
    if len(config["corpora"]) > 1:
        return "it is trained on several corpora: a base to start from"
    return unlike_labels(run) or _unlike_base(run)


def unlike_labels(run: Run) -> str:
    """Why a run does not tell the labels of its corpus, or nothing."""
    space = run.config.get("label_space", "own")
    return "" if space == "own" else f"it is in label space {space}, and the table is of the corpora's own labels"


def _unlike_base(run: Run) -> str:
    initial = run.config.get("initial")
    if not initial:
        return ""
    space = str(initial.get("label_space", "own"))
    if len(initial["corpora"]) == 1 and space != "own":
        return f"it starts from one corpus in label space {space}"
    return "" if space in BASES else f"it starts from a base in label space {space}"


def base_of(run: Run) -> tuple[str, bool]:
    """What a run starts from, as its setting tells: a corpus (and True), or ``all``, ``arousal``, ``valence``, ``A+V``.

    From the record of the initial model; of a run from scratch it is ``("", False)``.
    """
    initial = run.config.get("initial")
    if not initial:
        return "", False
    alone = len(initial["corpora"]) == 1
    return (str(initial["corpora"][0]) if alone else BASES[str(initial.get("label_space", "own"))]), alone


def scratch_of(settings: Sequence[Setting]) -> Setting:
    """The setting from scratch.

    Raises:
        EmosetError: if there is none, or several, so that it is not clear which is the one to compare with
    """
    found = [one for one in settings if one.config.get("mode") == "scratch" and not one.runs[0].final]
    if not found:
        raise EmosetError("no run from scratch fits, to compare the others with", "emoset train cnn -m scratch")
    if len(found) > 1:
        told = " and ".join(f"'{one.runs[0].name}' ({one.name})" for one in found[:2])
        raise EmosetError(f"{told} are both from scratch, of several settings", "name the runs that shall count")
    return found[0]


def with_published(found: dict[str, Any], left_out: list[dict[str, str]], table: str) -> dict[str, Any]:
    """What `transfer` found, with the paper's table, which corpora both have, and what is left out, by reason.

    ``same`` are the corpora with as many labels as in the paper, ``other_labels`` those with more or fewer, and
    ``missing`` the paper's corpora that ours lack.
    """
    told = published(NAME)
    known = {key: row for key, row in found["corpora"].items() if key in told["corpora"]}
    same = [key for key, row in known.items() if row["labels"] == told["corpora"][key]["labels"]]
    compared = [{"run": one["run"], "why": f"{one['why']} ({one['corpus']})"} for one in found["left_out"]]
    return found | {
        "left_out": [*left_out, *compared],
        "same": same,
        "other_labels": {key: row["labels"] for key, row in known.items() if key not in same},
        "missing": [key for key in told["corpora"] if key not in known],
        "published": {"corpora": told["corpora"], **told[table]},
    }


def coverage(found: dict[str, Any]) -> list[str]:
    """Which of the paper's rows have ours beside them, and which are missing."""
    told = found["published"]["corpora"]
    names = ", ".join(told[key]["name"] for key in found["missing"])
    lines = [f"No run here of {len(found['missing'])} of the paper's {len(told)} corpora: {names}."] if names else []
    other = ", ".join(
        f"{told[key]['name']} ({n} labels here, {told[key]['labels']} there)"
        for key, n in found["other_labels"].items()
    )
    lines += [f"Not beside the paper's, because the labels differ: {other}."] if other else []
    differ = [told[key] for key in found["same"] if told[key].get("subset")]
    sizes = ", ".join(f"{one['name']} ({one['utterances']:,} utterances, --subset {one['subset']})" for one in differ)
    return lines + ([f"The paper takes a part of the corpus: {sizes}."] if sizes else [])


def figure(value: float | str) -> dict[str, Any]:
    """A published figure, ``66.7+`` with its mark, as a cell of kind seeds or marked.

    Example:
        >>> figure("70.0-")["mean"], figure("70.0-")["mark"], "mark" in figure(59.2)
        (0.7, '−', False)
    """
    number, sign = str(value).rstrip("+-"), str(value)[-1]
    cell: dict[str, Any] = {"mean": round(float(number) / 100, 5), "sd": None, "n": 1, "low": None, "high": None}
    mark = {"+": "+", "-": "−"}.get(sign)
    return cell | ({"mark": mark, "plus": int(mark == "+"), "minus": int(mark == "−"), "pairs": 1} if mark else {})


def beside(
    found: dict[str, Any], title: str, columns: Sequence[Column], ours: Mapping[str, list[Any]],
    theirs: Mapping[str, list[Any]], note: str,
) -> Table:  # fmt: skip
    """A row for each corpus of ours, and below it the paper's where the corpora are the same."""
    first = [Column("corpus", "text", "corpus"), Column("whose", "text", "whose"),
             Column("test utterances", "count", "utterances"), Column("chance [%]", "percent", "chance")]  # fmt: skip
    rows = []
    for corpus, cells in ours.items():
        row = found["corpora"][corpus]
        rows.append([corpus, OURS, row["n"], row["chance"], *cells])
        if corpus in found["same"]:
            told = found["published"]["corpora"][corpus]
            rows.append([told["name"], PAPERS, None, told["chance"] / 100, *theirs[corpus]])
    return Table(title, [*first, *columns], rows, note)


def published_table(title: str, columns: Sequence[Column], rows: Mapping[str, list[Any]], note: str) -> Table:
    """The paper's table, whole."""
    told = published(NAME)["corpora"]
    first = [Column("corpus", "text", "corpus"), Column("chance [%]", "percent", "chance")]
    cells = [[told[key]["name"], told[key]["chance"] / 100, *own] for key, own in rows.items()]
    return Table(title, [*first, *columns], cells, note)


def column(name: str, partition: str = "") -> Column:
    """A column of UARs."""
    words = f"{name} {partition}".strip()
    return Column(words, "seeds" if partition == "devel" else "marked", slug(words))
