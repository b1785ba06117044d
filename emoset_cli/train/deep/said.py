"""What a network said of devel and test, as tables: utterances, segments, attributes, dimensions."""

from typing import Any

import numpy as np

from emoset_cli.partition import PARTITIONS, WITHIN
from emoset_cli.train.deep.attributes import UNKNOWN, codes_of
from emoset_cli.train.deep.dimensions import in_units
from emoset_cli.train.deep.plan import Planned
from emoset_cli.train.deep.segments import mean_of_segments

_TESTED = (*PARTITIONS[1:], WITHIN)
_WHO = ["corpus", "utterance", "speaker"]


def said_tables(run: Planned, fold: str, tensors: dict[str, Any], when: str) -> dict[str, Any]:
    """Tables of a fold by their kind as `emoset_cli.runs.finish` takes them; predictions of utterances are "".

    Args:
        run: that was trained
        fold: of it
        tensors: of its result, see `emoset_cli.train.deep.loop.train_fold`
        when: best or final
    """
    shares = tensors[f"probabilities/{when}"].numpy()
    every = np.arange(len(shares))
    tables = {
        "": _predictions(run, fold, shares, every, PARTITIONS[1:]),
        WITHIN: _predictions(run, fold, shares, every, (WITHIN,)),
    }
    cut = "owner" in tensors
    owner = tensors["owner"].numpy() if cut else every
    starts = tensors["starts_s"].numpy() if cut else None
    if cut:
        own = tensors[f"segments/{when}"].numpy()
        tables["segments"] = _predictions(run, fold, own, owner, _TESTED, starts)
    start = f"attributes/{when}/"
    said = {name.removeprefix(start): one.numpy() for name, one in tensors.items() if name.startswith(start)}
    if said:
        tables["attributes"] = _attributes(run, fold, said, owner, starts)
    if run.dimensions:
        tables["dimensions"] = _dimensions(run, fold, tensors[f"dimensions/{when}"].numpy())
    return tables


def _predictions(
    run: Planned, fold: str, shares: np.ndarray, owner: np.ndarray, parts: tuple[str, ...],
    starts: np.ndarray | None = None,
) -> Any:  # fmt: skip
    """One row for each utterance, or segment, of some partitions.

    Columns are labels of all heads, empty where not of its own.
    """
    import pandas as pd

    task, heads = run.heard.task, run.heard.heads
    heard = task.utterances["head"].to_numpy()[owner]
    labels = list(dict.fromkeys(label for words in heads.values() for label in words))
    wide = np.full((len(heard), len(labels)), np.nan)
    prediction = np.full(len(heard), "", object)
    labelled = {head: words for head, words in heads.items() if words}
    for head, words in labelled.items():
        rows = heard == head
        wide[np.ix_(rows, [labels.index(word) for word in words])] = shares[rows, : len(words)]
        prediction[rows] = np.array(words, object)[np.nan_to_num(shares[rows, : len(words)]).argmax(1)]
    tables = []
    for part in parts:
        members = task.partition.members(fold, part)[owner] & np.isin(heard, list(labelled))
        rows = task.utterances.iloc[owner[members]][[*_WHO, "gender", "language"]]
        table = rows.assign(fold=fold, partition=part, truth=task.truth[owner[members]], prediction=prediction[members])
        if starts is not None:
            table = table.assign(start_s=starts[members].round(3))
        columns = {f"probability_{label}": wide[members, place] for place, label in enumerate(labels)}
        tables.append(pd.concat([table, pd.DataFrame(columns, index=table.index)], axis=1))
    return pd.concat(tables)


def _attributes(
    run: Planned, fold: str, said: dict[str, np.ndarray], owner: np.ndarray, starts: np.ndarray | None
) -> Any:
    """One row for each attribute of each utterance and, where there are any, each segment."""
    import pandas as pd

    task = run.heard.task
    where = task.partition.table[fold].to_numpy()
    every = np.arange(len(where))
    tables = []
    for name, values in said.items():
        whole = mean_of_segments(values, owner, len(where))
        units: list[tuple[str, np.ndarray, np.ndarray, Any]] = [("utterance", every, whole, None)]
        if starts is not None:
            units.append(("segment", owner, values, starts))
        for unit, rows, shares, begin in units:
            tested = np.isin(where[rows], _TESTED)
            at, shares = rows[tested], shares[tested]
            assert run.attributes is not None
            classes = np.array(run.attributes["classes"][name], object)
            codes = codes_of(task.utterances, {name: list(classes)})[name][at]
            known = codes != UNKNOWN
            posterior = np.where(known, shares[np.arange(len(at)), np.where(known, codes, 0)], np.nan)
            tables.append(task.utterances.iloc[at][_WHO].assign(
                fold=fold, partition=where[at], unit=unit, start_s="" if begin is None else begin[tested].round(3),
                attribute=name, truth=np.where(known, classes[np.where(known, codes, 0)], ""),
                prediction=classes[shares.argmax(1)], posterior=posterior,
            ))  # fmt: skip
    return pd.concat(tables)


def _dimensions(run: Planned, fold: str, values: np.ndarray) -> Any:
    """One row for each dimension of each utterance whose head and corpus have it, in the units of the corpus."""
    import pandas as pd

    task = run.heard.task
    assert run.dimensions is not None
    where = task.partition.table[fold].to_numpy()
    tested = np.flatnonzero(np.isin(where, _TESTED))
    stores = task.utterances["store"].to_numpy().astype(str)
    tables = []
    for place, name in enumerate(run.options.dimensions):
        said = in_units(values[:, place], stores, run.dimensions, name)
        at = tested[np.isfinite(said[tested])]
        tables.append(task.utterances.iloc[at][_WHO].assign(
            fold=fold, partition=where[at], dimension=name,
            truth=task.utterances[name].to_numpy(float)[at], prediction=said[at],
        ))  # fmt: skip
    return pd.concat(tables)
