"""How utterances are split: published lists, speaker ratios, folds, and leaving one of something out.

A specification is a word: ``published`` or the name of a published partition, ``speakers[:70/15/15]``, ``loso``,
``losgo:K``, ``folds:K``, ``loco``, ``lolo[:NAME[@LANGUAGE][+N]]``, or the path of a CSV file with columns ``utterance``
and one column a fold holding train, devel or test.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli.balance import deal, speaker_features
from emoset_cli.corpora import Corpus, Published, entry_of
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.languages import leave_one_out, read_spec
from emoset_cli.leaks import with_leaks
from emoset_cli.partition import PARTITIONS, Partition, checked, read_partition, refuse_nobody

_RATIO = (0.70, 0.15, 0.15)
_EVERY = 7  # training utterance serves as devel where there are no speakers: about the same share
_DEVEL_SHARE = 0.15  # of the training speakers, where a protocol names only the test speakers

# What `--partition` takes besides the names of published partitions: word -> what it does.
PROTOCOLS = {
    "published": "the corpus's own default partition (see `emoset corpora show`)",
    "speakers": "one random split by speakers, balanced in gender and labels; speakers:70/15/15 gives the shares",
    "loso": "leave one speaker out: a fold for each speaker",
    "losgo": "losgo:K leaves one of K speaker groups out; groups hold equally many speakers of each gender",
    "folds": "folds:K, K speaker-disjoint folds balanced in utterances, labels and gender",
    "loco": "leave one corpus out: a fold for each corpus (needs a label space that the corpora share)",
    "lolo": "leave one language out: a fold for each language; lolo:NAME makes one of each fold of the partition that "
    "each corpus has by that name (or lolo:folds:K), lolo:NAME@deu leaves out that language only, lolo:NAME+N adds N "
    "utterances of the language left out to train",
}


def goes_across(spec: str) -> bool:
    """Whether the specification divides several corpora together, by corpus or language."""
    return spec.partition(":")[0] in {"loco", "lolo"}


def make_partition(
    spec: str, utterances: Any, corpora: dict[str, Corpus], seed: int = 0, labels: Sequence[str | None] | None = None
) -> Partition:
    """The partition that ``spec`` names for these utterances (of one corpus; of several for loco and lolo).

    Args:
        spec: see above
        utterances: table of the corpora
        corpora: the registry
        seed: of what is drawn
        labels: of each utterance in the run's label space, None for what it leaves out, which ``lolo:NAME+N`` then does
            not draw; the corpora's own without it

    Raises:
        EmosetError: for an unknown specification, too few speakers, an empty partition, an utterance without a
            speaker, or a speaker in two partitions of a fold (unless the registry says the published list does that)
    """
    partition = _made(spec, utterances, corpora, seed, labels)
    return with_leaks(checked(partition, utterances), utterances, corpora)


def _made(
    spec: str, utterances: Any, corpora: dict[str, Corpus], seed: int, labels: Sequence[str | None] | None = None
) -> Partition:
    """`make_partition` without the checks."""
    if spec.endswith(".csv"):
        return read_partition(Path(spec), utterances)
    published = find_published(spec, entry_of(corpora, utterances["corpus"].iloc[0]))
    if published is not None:
        return _published(published, utterances)
    word, _, argument = spec.partition(":")
    refuse_nobody(utterances, corpora)
    if word == "lolo" and argument:
        labels = utterances["label"].tolist() if labels is None else labels
        return leave_one_out(argument, _parts(argument, utterances, corpora, seed), utterances, labels, seed)
    makers: dict[str, Callable[[Any, str, int], Partition]] = {
        "speakers": _ratio, "loso": _loso, "losgo": _losgo, "folds": _folds, "loco": _leave_out, "lolo": _leave_out,
    }  # fmt: skip
    return makers[word](utterances, word if goes_across(word) else argument, seed)


def _parts(argument: str, utterances: Any, corpora: dict[str, Corpus], seed: int) -> dict[str, Partition]:
    """The partition that each corpus has of its own, for ``lolo:ARGUMENT``."""
    name, *_ = read_spec(argument)
    tables = dict(list(utterances.groupby("corpus", sort=False)))
    lacking = [key for key in tables if name not in corpora[key].partitions]
    if lacking and name.partition(":")[0] not in PROTOCOLS.keys() - {"loco", "lolo"}:
        raise EmosetError(
            f"partition lolo:{argument}: {', '.join(lacking)} has no published partition '{name}'",
            "--partition lolo:folds:5 makes folds of any corpora; or leave the corpus out",
        )
    return {key: _made(name, table, corpora, seed) for key, table in tables.items()}


def find_published(spec: str, corpus: Corpus) -> Published | None:
    """The published partition that ``spec`` names; None if it is a protocol.

    Raises:
        EmosetError: if it is neither
    """
    word, _, argument = spec.partition(":")
    published = corpus.partitions.get((corpus.default_partition or "") if spec == "published" else spec)
    if published is None and word not in PROTOCOLS:
        raise unknown(f"partition of {corpus.key}", spec, [*PROTOCOLS, *corpus.partitions])
    if published is None and spec == "published":
        known = ", ".join(corpus.partitions) or "none"
        raise EmosetError(
            f"{corpus.key} has no default published partition (named ones: {known})", "--partition speakers"
        )
    if argument and word in {"published", "loso", "loco"}:
        raise EmosetError(f"'{spec}': {word} takes no argument", f"--partition {word}, or losgo:K for groups")
    return published


def default_spec(corpus: Corpus) -> str:
    """The published default of a corpus, else a random split by speakers."""
    return corpus.default_partition or "speakers"


def _table(utterances: Any, folds: dict[str, Any]) -> Any:
    import pandas as pd

    return pd.DataFrame(folds, index=pd.Index(utterances["utterance"], name="utterance"), dtype="str")


def _by_speaker(utterances: Any, parts: dict[str, str]) -> Any:
    return utterances["speaker"].map(parts).fillna("").astype("str").to_numpy()


def _speakers(utterances: Any) -> list[str]:
    return sorted(utterances["speaker"].unique())


def _published(published: Published, utterances: Any) -> Partition:
    used = utterances["label"].isin(published.labels or utterances["label"].unique())
    folds = {}
    notes = []
    for name, column in published.by.items():
        if column not in utterances:
            raise EmosetError(
                f"partition {published.name} needs '{column}', which the file names do not hold",
                "use another partition, or the release of the corpus that has it",
            )
        where = utterances[column].map(published.values).fillna("").astype("str").where(used, "").to_numpy()
        if "devel" not in where:
            notes.append(f"fold {name}: no devel is published; {_draw_devel(utterances, where)} serve as devel")
        folds[name] = where
    for name, fold in published.folds.items():
        devel = fold.devel
        rest = [s for s in _speakers(utterances[used]) if s not in {*fold.test, *fold.devel}]
        train = list(fold.train) if fold.train is not None else rest
        if not devel:
            order = _alternating(utterances, [speaker for speaker in train if speaker not in fold.test])
            devel = tuple(_devel_of(order, len(folds), len(order)))
            notes.append(f"fold {name}: no devel is published; training speakers {', '.join(devel)} serve as devel")
        parts = dict.fromkeys(train, "train") | dict.fromkeys(devel, "devel") | dict.fromkeys(fold.test, "test")
        folds[name] = np.where(used, _by_speaker(utterances, parts), "")
    table = _table(utterances, folds)
    return Partition(published.name, 0, table, published.source, published.speakers_cross, notes)


def _draw_devel(utterances: Any, where: np.ndarray) -> str:
    """Make 15 % of the training speakers devel in ``where``; every seventh utterance of a label without speakers."""
    train = where == "train"
    speakers = [speaker for speaker in _speakers(utterances[train]) if speaker]
    if len(speakers) > 1 and (utterances["speaker"][train] != "").all():
        order = _alternating(utterances, speakers)
        devel = _devel_of(order, 0, len(order))
        where[train & utterances["speaker"].isin(devel).to_numpy()] = "devel"
        return f"training speakers {', '.join(devel)}"
    number = utterances[train].groupby("label").cumcount().to_numpy()
    where[np.flatnonzero(train)[number % _EVERY == _EVERY - 1]] = "devel"
    return f"every {_EVERY}th training utterance of each label, without regard to speakers,"


def _ratio(utterances: Any, argument: str, seed: int) -> Partition:
    shares = _shares(argument)
    speakers = _speakers(utterances)
    if len(speakers) < 3:
        raise EmosetError(
            f"{len(speakers)} speakers ({', '.join(speakers)}) cannot make train, devel and test",
            "use the corpus as the test set of --partition loco, with others to train on",
        )
    groups = deal(speaker_features(utterances, speakers), shares, seed)
    parts = {speaker: PARTITIONS[group] for speaker, group in zip(speakers, groups, strict=True)}
    name = "speakers" + (f":{argument}" if argument else "")
    return Partition(name, seed, _table(utterances, {"1": _by_speaker(utterances, parts)}))


def _shares(argument: str) -> tuple[float, ...]:
    if not argument:
        return _RATIO
    try:
        shares = tuple(float(part) for part in argument.split("/"))
    except ValueError:
        shares = ()
    if len(shares) != 3 or not all(0 < share < np.inf for share in shares):
        raise EmosetError(
            f"'speakers:{argument}' does not give three shares", "for example --partition speakers:70/15/15"
        )
    return tuple(share / sum(shares) for share in shares)


def _loso(utterances: Any, argument: str, seed: int) -> Partition:
    speakers = _speakers(utterances)
    if len(speakers) < 3:
        raise EmosetError(
            f"loso needs at least 3 speakers, there are {len(speakers)}", "--partition loco with other corpora"
        )
    order = _alternating(utterances, speakers)
    folds = {}
    for speaker in speakers:
        devel = _devel_of(order, order.index(speaker) + 1, len(speakers) - 1)
        parts = dict.fromkeys(speakers, "train") | dict.fromkeys(devel, "devel") | {speaker: "test"}
        folds[speaker] = _by_speaker(utterances, parts)
    return Partition("loso", 0, _table(utterances, folds))


def _alternating(utterances: Any, speakers: list[str]) -> list[str]:
    """The speakers with genders in turn: first woman, first man, second woman, ..."""
    gender = dict(zip(utterances["speaker"], utterances["gender"], strict=True))
    ranks: dict[str, int] = {}
    keyed = []
    for speaker in speakers:
        ranks[gender[speaker]] = ranks.get(gender[speaker], 0) + 1
        keyed.append((ranks[gender[speaker]], gender[speaker], speaker))
    return [speaker for *_, speaker in sorted(keyed)]


def _devel_of(order: list[str], start: int, available: int) -> list[str]:
    """15 % of the ``available`` speakers, at least one, for devel: those from ``start`` on, round and round.

    With ``start`` going over all of ``order``, every speaker serves equally often.
    """
    count = max(1, round(_DEVEL_SHARE * available))
    return [order[(start + step) % len(order)] for step in range(min(count, available - 1))]


def _losgo(utterances: Any, argument: str, seed: int) -> Partition:
    return _groups(
        utterances, "losgo", argument, seed, speaker_features(utterances, _speakers(utterances), labels=False)
    )


def _folds(utterances: Any, argument: str, seed: int) -> Partition:
    return _groups(utterances, "folds", argument, seed, speaker_features(utterances, _speakers(utterances)))


def _groups(utterances: Any, word: str, argument: str, seed: int, features: np.ndarray) -> Partition:
    """K groups of speakers; in fold k group k is test, the next one devel, the rest train (Zhu & Sato 2020)."""
    speakers = _speakers(utterances)
    if len(speakers) < 3:
        raise EmosetError(
            f"{word} needs at least 3 speakers, there are {len(speakers)}", "--partition loco with other corpora"
        )
    if not argument.isdecimal() or not 3 <= int(argument) <= len(speakers):
        raise EmosetError(
            f"'{word}:{argument}' needs a number of groups from 3 to {len(speakers)} (the number of speakers)",
            f"for example --partition {word}:{min(5, len(speakers))}",
        )
    count = int(argument)
    groups = deal(features, (1 / count,) * count, seed)
    folds = {}
    for number in range(count):
        role = {number: "test", (number + 1) % count: "devel"}
        parts = {speaker: role.get(group, "train") for speaker, group in zip(speakers, groups, strict=True)}
        folds[str(number + 1)] = _by_speaker(utterances, parts)
    return Partition(f"{word}:{count}", seed, _table(utterances, folds))


def _leave_out(utterances: Any, word: str, seed: int) -> Partition:
    """Leave one corpus (loco) or language (lolo) out; devel is 15 % of the speakers of each corpus that stays."""
    key = {"loco": "corpus", "lolo": "language"}[word]
    values = sorted(utterances[key].unique())
    if len(values) < 2:
        raise EmosetError(
            f"{word} needs at least two {'corpora' if key == 'corpus' else 'languages'}, not {values}",
            "name more corpora with -t",
        )
    devel: set[tuple[str, str]] = set()
    for name, rows in utterances.groupby("corpus"):
        speakers = np.random.default_rng(seed).permutation(_speakers(rows)).tolist()
        order = _alternating(rows, speakers)
        devel |= {(name, speaker) for speaker in _devel_of(order, 0, len(order))}
    in_devel = np.array([pair in devel for pair in zip(utterances["corpus"], utterances["speaker"], strict=True)])
    folds = {
        value: np.where(utterances[key] == value, "test", np.where(in_devel, "devel", "train")) for value in values
    }
    return Partition(word, seed, _table(utterances, folds))
