"""Leave one language out fold by fold: who is where, from the partition that each corpus has of its own.

Source:
    'End-to-end transfer learning for speaker-independent cross-language speech emotion recognition', sections 4.1.4,
    4.4 and 5.4.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from emoset_cli.aggregate import ranks
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.partition import WITHIN, Partition, shared_folds


def read_spec(spec: str) -> tuple[str, str, int]:
    """What stands behind ``lolo:``, taken apart.

    Returns:
        the partition of each corpus; the one language that is left out, "" for each in turn; how many of its utterances
        are added

    Raises:
        EmosetError: if a ``+`` is not followed by a number, or an ``@`` by a language

    Example:
        >>> read_spec("deep-wccn@deu+30"), read_spec("folds:5")
        (('deep-wccn', 'deu', 30), ('folds:5', '', 0))
    """
    words, plus, count = spec.partition("+")
    name, at, language = words.partition("@")
    if plus and not (count.isascii() and count.isdecimal() and int(count)):
        raise EmosetError(
            f"'lolo:{spec}' does not say how many utterances of the language left out are added",
            f"for example --partition lolo:{words}+30",
        )
    if at and not language:
        raise EmosetError(
            f"'lolo:{spec}' does not say which language is left out", f"for example --partition lolo:{name}@deu"
        )
    return name, language, int(count or 0)


def leave_one_out(
    spec: str, partitions: Mapping[str, Partition], utterances: Any, labels: Sequence[str | None], seed: int
) -> Partition:
    """A fold ``LANGUAGE/FOLD`` for each language, or the one that is named, and each fold of the corpora's partitions.

    Train and devel are those of the fold in the other languages; test is the fold's test in the language left out, and
    the fold's test in the others is called ``within``. With utterances to be added, these are drawn from the fold's
    train in the language left out, never from its devel or test.

    Args:
        spec: what stands behind ``lolo:``
        partitions: of each corpus, all with the same folds
        utterances: of all these corpora
        labels: of each utterance, for the draw; None for what no run will use
        seed: of the draw

    Raises:
        EmosetError: if the corpora have different folds, there is a single language, none of the name, or too few
            utterances to draw
    """
    import pandas as pd

    name, only, count = read_spec(spec)
    folds = shared_folds(
        {key: one.folds for key, one in partitions.items()},
        f"partition lolo:{spec}",
        "--partition lolo:folds:5 gives all corpora the same folds",
    )
    own = pd.concat([one.table for one in partitions.values()]).loc[utterances["utterance"]]
    languages = utterances["language"].to_numpy()
    used = sorted(set(languages[(own != "").any(axis=1).to_numpy()]))
    if len(used) < 2:
        raise EmosetError(f"lolo needs at least two languages, not {used}", "name more corpora with -t")
    if only and only not in used:
        raise unknown(f"language of lolo:{name}", only, used)
    columns = {}
    for language in [only] if only else used:
        mine = languages == language
        for fold in folds:
            where = own[fold].to_numpy().astype(str)
            column = np.where(mine, np.where(where == "test", where, ""), np.where(where == "test", WITHIN, where))
            pool = np.flatnonzero(mine & (where == "train"))
            column[_draw(f"lolo:{spec}", f"{language}/{fold}", utterances, pool, labels, count, seed)] = "train"
            columns[f"{language}/{fold}"] = column
    sources = dict.fromkeys(one.source for one in partitions.values() if one.source)
    return Partition(
        name=f"lolo:{spec}",
        seed=seed if count or not sources else 0,
        table=pd.DataFrame(columns, index=pd.Index(utterances["utterance"], name="utterance"), dtype="str"),
        source="; ".join(sources),
        speakers_cross=any(one.speakers_cross for one in partitions.values()),
        notes=[f"{key}: {note}" for key, one in partitions.items() for note in one.notes],
    )


def _draw(
    spec: str, fold: str, utterances: Any, pool: np.ndarray, labels: Sequence[str | None], count: int, seed: int
) -> np.ndarray:
    """Rows of ``count`` utterances of the pool: as many of each label, while there are any.

    The first of a longer draw are those of a shorter one: utterances are in an order that their ids and the seed alone
    decide, and one of each label is taken in turn.
    """
    rows = [row for row in pool if labels[row] is not None]
    if count > len(rows):
        raise EmosetError(
            f"partition {spec}, fold {fold}: {count} utterances are to be added, there are {len(rows)} to draw from",
            f"--partition {spec.rpartition('+')[0]}+{len(rows)}, or fewer",
        )
    if not count:
        return np.zeros(0, int)
    turns: dict[str | None, int] = {}
    order = []
    for row in np.array(rows)[np.argsort(ranks(utterances["utterance"].iloc[rows], seed))]:
        turns[labels[row]] = turns.get(labels[row], 0) + 1
        order.append((turns[labels[row]], str(labels[row]), row))
    return np.array([row for *_, row in sorted(order)[:count]])
