"""The data of one run: utterances, labels in a label space, features and partition of one or several corpora."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli import labels as label_spaces
from emoset_cli.aggregate import Cut, balance
from emoset_cli.corpora import Corpus, Rule, get_corpus
from emoset_cli.errors import EmosetError, unknown
from emoset_cli.feature_store import load
from emoset_cli.leaks import with_leaks
from emoset_cli.partition import Partition, checked, pooled, with_unseen
from emoset_cli.prepare import data_hash, read_utterances
from emoset_cli.protocols import make_partition


@dataclass(frozen=True)
class Task:
    """What a model is trained and tested on; row i of every part is the same utterance.

    ``features`` is float32 ``(utterances, features)``, without columns where a model hears the waveforms. ``truth``
    holds labels of the label space, ``left_out`` counts what that has no entry for, per corpus and label. ``cuts`` are
    the counts before and after aggregation, empty without it. ``label_map`` is the user's own label space, empty for
    one of ours. ``dimensions`` are those that each corpus has, ``scales`` low and high of those that can be learnt, and
    ``levels`` the labels from low to high of corpora where they have an order, in their own label space.
    """

    corpora: list[str]
    utterances: Any
    truth: np.ndarray
    columns: list[str]
    features: np.ndarray
    partition: Partition
    labels: dict[str, list[str]]
    left_out: dict[str, int]
    data: dict[str, str] = field(default_factory=dict)
    cuts: list[Cut] = field(default_factory=list)
    label_map: dict[str, str] = field(default_factory=dict)
    dimensions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    scales: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)
    levels: dict[str, list[str]] = field(default_factory=dict)

    @property
    def corpora_heard(self) -> list[str]:
        """The corpora whose utterances these are: domains take the place of corpora, but not here."""
        return list(self.dimensions)

    @property
    def taught(self) -> list[str]:
        """The corpora that are trained on: all but those that are only tested."""
        return [key for key in self.corpora if key not in self.partition.unseen]

    @property
    def words(self) -> tuple[str, str]:
        """Of a run's name: the corpora trained on, and behind the partition those only tested, or nothing."""
        taught, unseen = (
            "+".join(keys) if len(keys) < 5 else f"{len(keys)}-corpora" for keys in (self.taught, self.partition.unseen)
        )
        return taught, f"unseen-{unseen}" if unseen else ""


def build_task(
    workspace: Path,
    keys: list[str],
    registry: dict[str, Corpus],
    feature: str | None,
    partition: str,
    seed: int = 0,
    space: str = "own",
    subset: str = "",
    pool: dict[str, tuple[str, int]] | None = None,
    aggregate: int | None = None,
    heads: bool = False,
    unseen: Sequence[str] = (),
    dimensions: Sequence[str] = (),
) -> Task:
    """Load what is needed to train on ``keys``; the partition is made on whole corpora, then cut to what is used.

    Args:
        workspace: holds the prepared corpora and features
        keys: corpora; several only for a partition across corpora (loco, lolo) or with ``pool``
        registry: entries by key
        feature: full name of the feature set; None for a model that hears the waveforms
        partition: specification, see `emoset_cli.partition`
        seed: of random partitions
        space: name of a label space
        subset: named filter of the registry, such as ``emonet494`` of emodb
        pool: specification and seed of each corpus's own partition; put together they replace ``partition``
        aggregate: seed with which labels are cut to the rarest one, see `emoset_cli.aggregate`; None keeps all
        heads: the model has a classifier for each corpus, so that corpora trained together keep their own labels
        unseen: further corpora, tested as a whole (but for what the label space leaves out) and not trained on; they
            come last in all parts of the task, and ``subset`` is not about them
        dimensions: that the model learns beside labels: a corpus may then have no labels

    Raises:
        EmosetError: if something was not prepared or extracted, names nothing, or leaves fewer than two labels
    """
    import pandas as pd

    trained_on, keys = keys, [*keys, *unseen]
    tables = {key: read_utterances(workspace, key, get_corpus(registry, key)) for key in keys}
    whole = pd.concat(tables.values(), ignore_index=True)
    taught = whole[whole["corpus"].isin(trained_on)]
    own = {key: table["label"].tolist() for key, table in tables.items()}
    user_file = label_spaces.own_file(workspace)
    mapped = label_spaces.relabel(own, space, user_file)
    kept = {key: _in_subset(tables[key], registry[key], "" if key in unseen else subset) for key in keys}
    targets = np.array([target for key in keys for target in mapped[key]], dtype=object)
    _refuse_unlabelled(registry, keys, space, dimensions)
    targets[~np.concatenate([kept[key] for key in keys])] = None
    used = np.array([target is not None for target in targets])
    parts = {key: make_partition(spec, tables[key], registry, of) for key, (spec, of) in (pool or {}).items()}
    split = pooled(parts) if pool else make_partition(partition, taught, registry, seed, targets.tolist())
    if not (heads and pool and aggregate is None):
        _refuse_own(keys, space, across=not pool or bool(unseen), aggregate=aggregate is not None)
    if unseen:
        _refuse_empty(unseen, whole, used, space)
        split = with_unseen(split, whole.iloc[len(taught) :])
    if not used.any():
        raise EmosetError(f"no utterance is left in label space {space}", "choose another --labels")
    cut, drawn, cuts = _aggregated(replace(split, table=split.table[used]), whole[used], targets[used], aggregate)
    used[used] = drawn
    utterances, truth = whole[used].reset_index(drop=True), targets[used].astype(str)
    cut = with_leaks(checked(cut, utterances.assign(label=truth)), utterances, registry)
    if len(set(truth)) < 2 and not (dimensions and all(not registry[key].labelled for key in keys)):
        raise EmosetError(f"all utterances are labelled {truth[0]}", "a classifier needs two labels: add corpora")
    columns, features = _features(workspace, feature, utterances)
    spaces = label_spaces.spaces(user_file)
    by_corpus = {key: truth[(utterances["corpus"] == key).to_numpy()] for key in keys}
    return Task(
        corpora=list(keys),
        utterances=utterances,
        truth=truth,
        columns=columns,
        features=features,
        partition=cut,
        labels={
            key: list(spaces[space].labels) if space in spaces else _names(by_corpus[key], registry[key])
            for key in keys
        },
        left_out=label_spaces.left_out(own, mapped, kept),
        data={key: data_hash(table) for key, table in tables.items()},
        cuts=cuts,
        label_map=spaces[space].map if space in spaces and space not in label_spaces.spaces() else {},
        dimensions={key: registry[key].dimensions for key in keys},
        scales={key: registry[key].scales for key in keys if registry[key].scales},
        levels={key: list(registry[key].levels) for key in keys if space == label_spaces.OWN and registry[key].levels},
    )


def _aggregated(
    cut: Partition, utterances: Any, targets: Any, seed: int | None
) -> tuple[Partition, np.ndarray, list[Cut]]:
    """The partition balanced, which rows any fold still uses, and the counts; all as it is without a seed."""
    if seed is None:
        return cut, np.ones(len(utterances), bool), []
    cut, cuts = balance(cut, utterances, targets, seed)
    drawn = (cut.table != "").any(axis=1).to_numpy()
    return replace(cut, table=cut.table[drawn]), drawn, cuts


def _features(workspace: Path, feature: str | None, utterances: Any) -> tuple[list[str], np.ndarray]:
    """Names and values of the features of each utterance; none of them without a feature set."""
    if feature is None:
        return [], np.zeros((len(utterances), 0), np.float32)
    loaded = [load(workspace, feature, key, rows) for key, rows in utterances.groupby("corpus", sort=False)]
    return loaded[0][0], np.concatenate([values for _, values in loaded])


def _refuse_own(keys: list[str], space: str, across: bool, aggregate: bool) -> None:
    """Refuse the corpora's own words where labels must be shared."""
    if space != label_spaces.OWN or (len(keys) == 1 and not aggregate):
        return
    why = "this partition tests across corpora" if across else "they are trained together"
    problem = f"the corpora {', '.join(keys)} have different labels, and {why}"
    if len(keys) == 1:
        problem = f"there is nothing to aggregate in {keys[0]}'s own labels"
    raise EmosetError(problem, "name a label space they share, for example --labels three-class or --labels common")


def _refuse_unlabelled(registry: dict[str, Corpus], keys: list[str], space: str, dimensions: Sequence[str]) -> None:
    """Refuse corpora without labels where nothing but labels is learnt."""
    for key in keys:
        corpus = registry[key]
        if not corpus.labelled and (space != label_spaces.OWN or not dimensions):
            problem = f"{key} has no labels, only dimensions: {', '.join(corpus.dimensions)}"
            mend = (
                f"train a network by --dimensions {','.join(corpus.dimensions)}, in its own labels, or leave {key} out"
            )
            raise EmosetError(problem, mend)


def _refuse_empty(unseen: Sequence[str], whole: Any, used: np.ndarray, space: str) -> None:
    """Refuse a corpus to be tested of which the label space keeps nothing."""
    for key in unseen:
        if not used[(whole["corpus"] == key).to_numpy()].any():
            raise EmosetError(
                f"no utterance of {key} is in label space {space}: there is nothing to test",
                f"choose another --labels, or leave {key} out of --unseen",
            )


def _names(truth: np.ndarray, corpus: Corpus) -> list[str]:
    """The labels of a corpus that occur, in registry order."""
    return [label for label in corpus.label_names or sorted(set(truth)) if label and label in set(truth)]


def _in_subset(table: Any, corpus: Corpus, subset: str) -> np.ndarray:
    keep = np.ones(len(table), bool)
    if not subset:
        return keep
    if subset not in corpus.subsets:
        raise unknown(f"subset of {corpus.key}", subset, corpus.subsets)
    for column, rule in corpus.subsets[subset].items():
        if column not in table or table[column].isna().all():
            raise EmosetError(
                f"subset {subset} needs '{column}', which {corpus.key} does not have here",
                f"put its table into the corpus folder (see `emoset corpora show {corpus.key}`) and prepare again",
            )
        keep &= _fits(table[column], rule)
    if not keep.any():
        raise EmosetError(f"no utterance of {corpus.key} is in subset {subset}", "check the table it is read from")
    return keep


def _fits(values: Any, rule: Rule) -> np.ndarray:
    import pandas as pd

    fits = np.ones(len(values), bool)
    if rule.any_of:
        fits &= values.isin(rule.any_of).to_numpy()
    if rule.none_of:
        fits &= ~values.isin(["", *rule.none_of]).to_numpy() & values.notna().to_numpy()
    if rule.min is not None or rule.max is not None:
        numbers = pd.to_numeric(values, errors="coerce").to_numpy(float)
        low = -np.inf if rule.min is None else rule.min
        high = np.inf if rule.max is None else rule.max
        fits &= (numbers >= low) & (numbers <= high)
    return fits


def span(numbers: list[int]) -> int | str:
    """One number where all folds agree, else the smallest and the largest."""
    low, high = min(numbers), max(numbers)
    return low if low == high else f"{low} to {high} a fold"
