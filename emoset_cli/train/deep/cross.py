"""Utterances of one corpus through the head of another: predicted once and kept in the folder of the run.

``cross/HEAD_CORPUS_DIGITS.csv`` holds the predictions, with a probability for each label of the head;
``cross/HEAD_CORPUS_DIGITS.json``, written last, says what they are of. The digits change with the weights, the data
and the utterances.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli.errors import EmosetError
from emoset_cli.files import digest, read_json, sweep, write_json, write_text
from emoset_cli.partition import read_partition
from emoset_cli.prepare import corpus_folder, data_hash, read_utterances
from emoset_cli.runs import PREDICTION_COLUMNS, Run
from emoset_cli.train.deep.initial import known_to
from emoset_cli.train.deep.made import network_of
from emoset_cli.train.deep.members import members
from emoset_cli.train.deep.use import open_network, probabilities, weights_file


@dataclass(frozen=True)
class Crossing:
    """What is to be predicted: the test utterances ``rows`` of ``corpus`` through ``head``, each in its ``fold``.

    ``labels`` are those of the corpus, ``source`` says which utterances these are, ``known`` what was left out because
    the network knows it.
    """

    run: Run
    head: str
    corpus: str
    rows: Any
    labels: list[str]
    source: str
    known: dict[str, Any]
    data: str


def crossing(run: Run, head: str, corpus: str, workspace: Path, other: Run | None = None) -> Crossing:
    """The test utterances of a corpus, for a head that was not taught with it.

    Those of the run's own partition where the run has the corpus; else those of ``other``, a run that has it; else
    those of the partition `emoset prepare` wrote; else all of the corpus. Of the last three, what the network or the
    one it started from has heard, or whose speaker it has, is left out.

    Raises:
        EmosetError: if the corpus is not prepared here, or was prepared anew since
    """
    whole = read_utterances(workspace, corpus)
    holder = next((one for one in (run, other) if one and corpus in one.config["corpora"]), None)
    if holder:
        table = members(holder, workspace)
        rows = table[(table["corpus"] == corpus) & (table["partition"] == "test")].reset_index(drop=True)
        labels = _own_labels(holder, corpus, rows)
        source = f"test of {holder.config['partition']['name']}"
    else:
        rows, source = _prepared_test(workspace, corpus, whole)
        labels = sorted(set(whole["label"]))
    known: dict[str, Any] = {}
    if holder is not run:
        rows, known = _unheard(run, rows.drop_duplicates("utterance"))
        rows = _in_all_folds(rows, list(map(str, run.config["partition"]["folds"])))
    return Crossing(run, head, corpus, rows, labels, source, known, data_hash(whole))


def _own_labels(run: Run, corpus: str, rows: Any) -> list[str]:
    """The corpus's own words: as the run learnt them, where it did."""
    if run.config["label_space"] == "own":
        return [str(label) for label in run.config["labels"][corpus]]
    return sorted(set(rows["label"]))


def _prepared_test(workspace: Path, corpus: str, whole: Any) -> tuple[Any, str]:
    """Test of the partition that `emoset prepare` wrote, in any of its folds; all utterances where there is none."""
    file = corpus_folder(workspace, corpus) / "partition.csv"
    if not file.is_file():
        return whole, "all utterances, for want of a partition"
    tested = (read_partition(file, whole).table == "test").any(axis=1).to_numpy()
    name = read_json(file.with_suffix(".json"))["name"]
    return whole[tested].reset_index(drop=True), f"test of {name}, as prepared"


def _unheard(run: Run, rows: Any) -> tuple[Any, dict[str, Any]]:
    """The rows the network has neither heard nor heard the speaker of; and what these were."""
    by_name, by_voice = known_to(run.folder, rows["corpus"], rows["utterance"], rows["speaker"])
    heard = by_name | by_voice
    known = {"utterances": int(heard.sum()), "speakers": sorted(set(rows["speaker"][heard]))} if heard.any() else {}
    return rows[~heard], known


def _in_all_folds(rows: Any, folds: list[str]) -> Any:
    """The rows once for each fold, each of which is a network."""
    import pandas as pd

    return pd.concat([rows.assign(fold=fold) for fold in folds], ignore_index=True)


def predict_crossing(one: Crossing, workspace: Path, device: str = "auto") -> Path:
    """Predict what was not predicted yet; answer the file that describes the predictions.

    Raises:
        EmosetError: as `emoset_cli.train.deep.use.open_network` and `probabilities`
    """
    run, made = one.run, network_of(one.run)
    files = [weights_file(run, made, fold) for fold in made["folds"]]
    asked = [made, [digest(file.read_bytes()) for file in files], one.data, one.source, one.labels, one.known]
    digits = digest(asked, one.rows[["utterance", "fold"]].to_numpy().tolist(), length=8)
    folder = run.folder / "cross"
    described = folder / f"{_safe(one.head)}_{_safe(one.corpus)}_{digits}.json"
    if _whole(described):
        return described
    folder.mkdir(exist_ok=True)
    sweep(folder)
    text = _predicted(one, workspace, device).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    table = described.with_suffix(".csv")
    write_text(table, text)
    write_json(described, {
        "run": run.name, "head": one.head, "corpus": one.corpus, "labels": one.labels,
        "head_labels": made["heads"][one.head], "utterances": one.source, "known": one.known, "data": one.data,
        "weights": asked[1], "predictions": table.name, "digest": digest(table.read_bytes()),
    })  # fmt: skip
    return described


def _whole(described: Path) -> bool:
    """Whether the predictions were made already and are as they were written."""
    try:
        table = described.with_suffix(".csv")
        return bool(read_json(described)["digest"] == digest(table.read_bytes()))
    except (EmosetError, FileNotFoundError, KeyError, TypeError):
        return False


def _predicted(one: Crossing, workspace: Path, device: str) -> Any:
    """The rows with prediction and probabilities, fold by fold."""
    import pandas as pd

    labels = network_of(one.run)["heads"][one.head]
    shares = np.zeros((len(one.rows), len(labels)), np.float32)
    for fold in one.rows["fold"].unique():
        members = (one.rows["fold"] == fold).to_numpy()
        network = open_network(one.run, fold, device)
        shares[members] = probabilities(network, workspace, one.rows[members], one.head)
    prediction = np.array(labels, object)[shares.argmax(1)]
    table = one.rows.assign(partition="test", truth=one.rows["label"], prediction=prediction)[PREDICTION_COLUMNS]
    columns = {f"probability_{label}": shares[:, place] for place, label in enumerate(labels)}
    return pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1)


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "+-." else "-" for c in name)
