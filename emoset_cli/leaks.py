"""Leaks: the same recording, take or speaker where a model is taught and where it is tested.

Two kinds are told apart. `in_partition` finds what lies in two partitions of one fold: that inflates a result.
`anywhere` finds equal recordings in two corpora or under two speakers: they leak as soon as a partition divides them,
and one of the labels or speakers is wrong.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from emoset_cli.corpora import Corpus
from emoset_cli.partition import PARTITIONS, Partition

# Kind -> what it is, in words.
KINDS = {
    "audio": "the same samples",
    "take": "takes of one sentence",
    "speaker": "a speaker of two corpora",
}


@dataclass(frozen=True)
class Leak:
    """All leaks of one kind; ``groups`` holds what belongs together, utterances (of speakers: ``corpus/speaker``).

    ``partition`` is empty where no partition is concerned.
    """

    kind: str
    partition: str
    text: str
    groups: list[list[str]] = field(default_factory=list)

    def facts(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return asdict(self) | {"count": len(self.groups)}


def find(partitions: Iterable[Partition], utterances: Any, corpora: dict[str, Corpus]) -> list[Leak]:
    """All leaks of some partitions, and equal recordings in two corpora or under two speakers that none of them holds.

    Args:
        partitions: each over some of the utterances
        utterances: table of one or several corpora
        corpora: registry entries, which say what takes are and which corpora share speakers
    """
    by_name = utterances.set_index("utterance", drop=False)
    found = [leak for one in partitions for leak in in_partition(one, by_name.loc[one.table.index], corpora)]
    known = {frozenset(group) for leak in found for group in leak.groups}
    return found + anywhere(utterances, known)


def in_partition(partition: Partition, utterances: Any, corpora: dict[str, Corpus]) -> list[Leak]:
    """What lies in two partitions of a fold: equal recordings, takes of one sentence, speakers that corpora share.

    Takes are told by the registry's ``take``; utterances with an empty value there are of no take. Speakers that two
    corpora share are told by ``shares_speakers``.

    Args:
        partition: who is where
        utterances: table whose rows are those of the partition, in any order
        corpora: registry entries
    """
    table = utterances.set_index("utterance", drop=False).loc[partition.table.index]
    found = []
    for kind, codes in (("audio", _twins(table)), ("take", _takes(table, corpora))):
        groups, first = _crossing(partition, table, codes, KINDS[kind])
        if groups:
            found.append(Leak(kind, partition.name, first + _more(groups, "groups"), groups))
    return found + _shared_speakers(partition, table, corpora)


def with_leaks(partition: Partition, utterances: Any, corpora: dict[str, Corpus]) -> Partition:
    """The partition with its ``leaks`` filled in, a sentence for each kind."""
    return replace(partition, leaks=[leak.text for leak in in_partition(partition, utterances, corpora)])


def _more(groups: list[list[str]], what: str) -> str:
    return f"; {len(groups) - 1} more such {what}" if len(groups) > 1 else ""


def anywhere(utterances: Any, known: Iterable[frozenset[str]] = ()) -> list[Leak]:
    """Equal recordings in two corpora or under two speakers, but for the groups that are ``known``."""
    skip = set(known)
    whose = utterances["corpus"] + "/" + utterances["speaker"]
    twins = utterances.assign(whose=whose)[utterances["audio"].duplicated(keep=False)]
    groups: dict[str, list[list[str]]] = {"two corpora": [], "two speakers": []}
    for _, rows in twins.groupby("audio", sort=False):
        names = rows["utterance"].tolist()
        if rows["whose"].nunique() > 1 and frozenset(names) not in skip:
            groups["two corpora" if rows["corpus"].nunique() > 1 else "two speakers"].append(names)
    leaks = []
    for where, found in groups.items():
        if found:
            text = f"{KINDS['audio']} in {where}: {' and '.join(found[0])}{_more(found, 'groups')}"
            leaks.append(Leak("audio", "", text, found))
    return leaks


def _twins(table: Any) -> np.ndarray:
    """A number for each group of equal recordings, -1 for recordings without an equal; ``(utterances,)``."""
    return _numbered(table["audio"], table["audio"].duplicated(keep=False).to_numpy())


def _takes(table: Any, corpora: dict[str, Corpus]) -> np.ndarray:
    """A number for each group of takes of one sentence, -1 for utterances without another take; ``(utterances,)``."""
    import pandas as pd

    names = pd.Series("", index=table.index)
    for key, rows in table.groupby("corpus"):
        columns = list(corpora[key].take) if key in corpora else []
        if not columns or not set(columns) <= set(rows):
            continue
        joined = pd.Series(key, index=rows.index)
        told = pd.Series(True, index=rows.index)
        for column in columns:
            words = rows[column].astype("str")
            told &= rows[column].notna() & (words != "")
            joined = joined + "\n" + words
        names[rows.index[told]] = joined[told]
    return _numbered(names, ((names != "") & names.duplicated(keep=False)).to_numpy())


def _numbered(names: Any, used: np.ndarray) -> np.ndarray:
    codes = np.full(len(names), -1)
    codes[used] = np.unique(names.to_numpy()[used].astype(str), return_inverse=True)[1]
    return codes


def _crossing(partition: Partition, table: Any, codes: np.ndarray, what: str) -> tuple[list[list[str]], str]:
    """Groups that lie in two partitions of any fold, and the first of them in words."""
    order = np.argsort(codes, kind="stable")
    ends = np.searchsorted(codes[order], np.arange(codes.max(initial=-1) + 2))
    groups: dict[int, list[str]] = {}
    first = ""
    names = table["utterance"].to_numpy()
    for fold in partition.folds if len(ends) > 1 else []:
        where = partition.taught_or_tested(fold)
        bits = np.zeros(len(ends) - 1, int)
        for bit, part in enumerate(PARTITIONS):
            here = codes[where == part]
            bits[here[here >= 0]] |= 1 << bit
        for code in np.flatnonzero(bits & (bits - 1)):
            members = order[ends[code] : ends[code + 1]]
            if not first:
                used = [f"{names[row]} ({where[row]})" for row in members if where[row]]
                first = f"fold {fold}: {what} in " + " and ".join(used)
            groups.setdefault(int(code), names[members].tolist())
    return list(groups.values()), first


def _shared_speakers(partition: Partition, table: Any, corpora: dict[str, Corpus]) -> list[Leak]:
    """Speakers in different partitions under two corpora that share speakers by the registry.

    Equal ids are one speaker. Where no ids are equal, nobody can tell who is who, and the corpora as a whole count.
    """
    found = []
    for a, b in combinations(table["corpus"].unique(), 2):
        declared = any(y in corpora[x].shares_speakers for x, y in ((a, b), (b, a)) if x in corpora)
        if not declared:
            continue
        people = {key: set(table["speaker"][table["corpus"] == key]) for key in (a, b)}
        both: list[str | None] = [*sorted((people[a] & people[b]) - {""})]
        groups: list[list[str]] = []
        first = ""
        for speaker in both or [None]:
            parts = _where(partition, table, (a, b), speaker)
            if parts:
                who = f"speaker {speaker}" if speaker else "speakers, whom their ids do not tell,"
                first = first or f"{parts[0]}: {who} in {parts[1]}, which share speakers by the registry"
                groups.append([f"{key}/{speaker or '*'}" for key in (a, b)])
        if groups:
            found.append(Leak("speaker", partition.name, first + _more(groups, "speakers"), groups))
    return found


def _where(partition: Partition, table: Any, pair: tuple[str, str], speaker: str | None) -> tuple[str, str] | None:
    """The first fold that divides the speaker of both corpora, and into what; None for all speakers of both."""
    mine = np.ones(len(table), bool) if speaker is None else (table["speaker"] == speaker).to_numpy()
    for fold in partition.folds:
        where = partition.taught_or_tested(fold)
        a, b = (set(where[mine & (table["corpus"] == key).to_numpy()]) - {""} for key in pair)
        if a and b and len(a | b) > 1:
            told = [f"{key} ({', '.join(sorted(parts))})" for key, parts in zip(pair, (a, b), strict=True)]
            return f"fold {fold}", " and ".join(told)
    return None
