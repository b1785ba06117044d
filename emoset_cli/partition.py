"""Who is in which partition of which fold; no speaker is ever in two partitions of a fold."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from emoset_cli.errors import EmosetError
from emoset_cli.files import digest, write_text

PARTITIONS = ("train", "devel", "test")
# A second test of a fold that leaves a language out, or tests whole other corpora: test speakers of what is trained on.
WITHIN = "within"


@dataclass(frozen=True)
class Partition:
    """Who is in which partition of which fold.

    ``table`` is a DataFrame indexed by utterance with one column of "train", "devel", "test" or "" (not used) for
    each fold; one that leaves a language out holds "within" too, and so does one with corpora ``unseen``, whose
    utterances are all tested in each fold. What a reader of the results must know: ``notes`` say how it was made where
    that is not plain, ``gaps`` which labels a partition lacks, ``leaks`` what lies in two of its partitions (see
    `emoset_cli.leaks`).
    """

    name: str
    seed: int
    table: Any
    source: str = ""
    speakers_cross: bool = False
    notes: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    unseen: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Any]:
        """What the settings of a run say of it; ``unseen`` only where there is any."""
        told = {"name": self.name, "seed": self.seed, "hash": self.hash, "source": self.source}
        return told | ({"unseen": list(self.unseen)} if self.unseen else {})

    @property
    def folds(self) -> list[str]:
        """Names of the folds; one fold is called "1"."""
        return list(self.table.columns)

    @property
    def hash(self) -> str:
        """16 hex digits of who is where; the order of the utterances does not count."""
        table = self.table.sort_index()
        return digest([table.index.tolist(), self.folds, table.to_numpy().tolist()])

    def members(self, fold: str, partition: str) -> Any:
        """Boolean array over the rows of ``table``."""
        return (self.table[fold] == partition).to_numpy()

    def taught_or_tested(self, fold: str) -> Any:
        """Array over the rows of ``table``: the fold's column, in which "within" is "test" too."""
        return self.table[fold].replace(WITHIN, "test").to_numpy()


def checked(partition: Partition, utterances: Any) -> Partition:
    """The partition with its ``gaps`` filled in; shared speakers and empty partitions are refused.

    Raises:
        EmosetError: naming the fold, the partitions and the speakers
    """
    if not partition.speakers_cross:
        refuse_nobody(utterances[~utterances["corpus"].isin(partition.unseen)])
    speakers = (utterances["corpus"] + "/" + utterances["speaker"]).to_numpy()
    known = (utterances["speaker"] != "").to_numpy()
    labels = utterances["label"].to_numpy()
    gaps = []
    if not known.all():
        gaps.append(
            f"{(~known).sum()} utterances have no speaker: whether speakers are in several partitions cannot be checked"
        )
    for fold in partition.folds:
        where = partition.table[fold].to_numpy()
        for part in PARTITIONS:
            if not (where == part).any():
                raise EmosetError(
                    f"partition {partition.name}, fold {fold}: {part} is empty",
                    "choose another partition or other shares",
                )
        shared = _shared(partition.taught_or_tested(fold)[known], speakers[known])
        if shared and not partition.speakers_cross:
            some = ", ".join(f"{speaker} ({' and '.join(parts)})" for speaker, parts in shared[:5])
            raise EmosetError(
                f"partition {partition.name}, fold {fold}: {len(shared)} speakers are in two partitions: {some}",
                "give each speaker to one partition: a shared speaker inflates the results",
            )
        if shared:
            gaps.append(f"fold {fold}: {len(shared)} speakers are in several partitions, as published")
        everything = set(labels[where != ""])
        for part in [*PARTITIONS, *([WITHIN] if (where == WITHIN).any() else [])]:
            if gap := sorted(everything - set(labels[where == part]) - {""}):
                gaps.append(f"fold {fold}: {part} has no {', '.join(gap)}")
    return replace(partition, gaps=gaps)


def refuse_nobody(utterances: Any, corpora: Any = None) -> None:
    """Refuse utterances without a speaker: only an imported or published partition can be used for them.

    Args:
        utterances: the table
        corpora: the registry, whose partitions by columns the mend names

    Raises:
        EmosetError: naming the first such utterance
    """
    nobody = utterances[utterances["speaker"] == ""]
    if len(nobody):
        entry = (corpora or {}).get(nobody["corpus"].iloc[0])
        usable = [name for name, published in entry.partitions.items() if published.by] if entry else []
        raise EmosetError(
            f"{len(nobody)} utterances have no speaker, the first is {nobody['utterance'].iloc[0]}",
            f"use --partition {usable[0]}, which came with the corpus: speaker-independent ones cannot be made"
            if usable
            else "let `path` or a table in the registry name the speaker: partitions are speaker-independent",
        )


def pooled(partitions: Mapping[str, Partition]) -> Partition:
    """The partitions of several corpora put together, fold by fold: each corpus keeps its own, and all train at once.

    A single fold may have another name in each corpus; it is then called "1".

    Args:
        partitions: of each corpus, all with the same folds

    Raises:
        EmosetError: if the corpora have different folds
    """
    import pandas as pd

    tables = {
        key: one.table.set_axis(["1"], axis=1) if len(one.folds) == 1 else one.table for key, one in partitions.items()
    }
    names = list(dict.fromkeys(one.name for one in partitions.values()))
    shared_folds(
        {key: list(table.columns) for key, table in tables.items()},
        f"the corpora cannot be joined fold by fold by partition {' and '.join(names)}",
        "--partition losgo:5 or folds:5 gives all corpora the same folds, --partition speakers a single one",
    )
    seeds = {one.seed for one in partitions.values()}
    return Partition(
        name=f"pool-{'+'.join(names)}" if len(names) < 4 else "pool",
        seed=seeds.pop() if len(seeds) == 1 else 0,
        table=pd.concat(tables.values()),
        source="; ".join(f"{key}: {one.source}" for key, one in partitions.items() if one.source),
        speakers_cross=any(one.speakers_cross for one in partitions.values()),
        notes=[f"{key}: partition {one.name}, seed {one.seed}" for key, one in partitions.items()]
        + [f"{key}: {note}" for key, one in partitions.items() for note in one.notes],
    )


def shared_folds(folds: Mapping[str, list[str]], what: str, mend: str) -> list[str]:
    """Names of the folds that several corpora have in common.

    Args:
        folds: of each corpus
        what: whose folds must agree, for the error
        mend: how they would

    Raises:
        EmosetError: if they differ
    """
    first, *others = folds
    for other in others:
        if folds[first] != folds[other]:
            a, b = (
                ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") for names in (folds[first], folds[other])
            )
            raise EmosetError(f"{what}: {first} has the folds {a}, {other} has {b}", mend)
    return folds[first]


def with_unseen(partition: Partition, utterances: Any) -> Partition:
    """The partition with whole further corpora as its test, in each fold; its own test is then called "within".

    Source:
        Parry et al., "Speech Emotion Recognition in the Wild using Multi-task and Adversarial Learning": trained on
        some corpora together, tested out of domain on whole others.

    Args:
        partition: of the corpora that are trained on
        utterances: of the further ones
    """
    import pandas as pd

    index = pd.Index(utterances["utterance"], name="utterance")
    whole = pd.DataFrame("test", index=index, columns=partition.folds, dtype="str")
    table = pd.concat([partition.table.replace("test", WITHIN), whole])
    return replace(partition, table=table, unseen=tuple(dict.fromkeys(utterances["corpus"])))


def write_partition(path: Path, partition: Partition, utterances: Any) -> None:
    """Write the partition as CSV: corpus, utterance, speaker, label, then a column for each fold."""
    table = utterances[["corpus", "utterance", "speaker", "label"]].set_index("utterance", drop=False)
    joined = table.join(partition.table.rename(columns={"1": "partition"} if partition.folds == ["1"] else {}))
    write_text(path, joined.to_csv(index=False, lineterminator="\n"))


def _shared(where: Any, speakers: Any) -> list[tuple[str, list[str]]]:
    parts: dict[str, set[str]] = {}
    for speaker, part in set(zip(speakers, where, strict=True)):
        if part:
            parts.setdefault(speaker, set()).add(part)
    return sorted((speaker, sorted(found)) for speaker, found in parts.items() if len(found) > 1)


def read_partition(path: Path, utterances: Any) -> Partition:
    """A partition from a CSV file: column ``utterance`` and one column a fold holding train, devel, test or nothing.

    Raises:
        EmosetError: if it is no such table, names strangers or an utterance twice, or holds another word
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise EmosetError(
            f"there is no partition file {path}", "give a CSV with columns utterance and partition"
        ) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise EmosetError(
            f"{path} is not a CSV table ({error})", "give a CSV with columns utterance and partition"
        ) from None
    folds = [name for name in table.columns if name not in {"corpus", "utterance", "speaker", "label"}]
    if "utterance" not in table or not folds:
        raise EmosetError(
            f"{path} has columns {', '.join(table.columns)}", "it needs utterance and partition (or one a fold)"
        )
    if strangers := sorted(set(table["utterance"]) - set(utterances["utterance"])):
        some = ", ".join(strangers[:5])
        raise EmosetError(
            f"{path}: {len(strangers)} utterances are not in the corpus: {some}", "correct or remove them"
        )
    odd = sorted({value for fold in folds for value in table[fold]} - {*PARTITIONS, ""})
    if odd:
        raise EmosetError(f"{path} holds '{odd[0]}' where a partition is expected", "use train, devel, test or nothing")
    if table["utterance"].duplicated().any():
        twice = table["utterance"][table["utterance"].duplicated()].iloc[0]
        raise EmosetError(f"{path} lists {twice} twice", "remove one of the two lines")
    full = table.set_index("utterance")[folds].reindex(utterances["utterance"]).fillna("").astype("str")
    absent = len(set(utterances["utterance"]) - set(table["utterance"]))
    notes = [f"{absent} utterances are not in {path.name} and not used"] if absent else []
    return Partition(path.name, 0, full.rename(columns={"partition": "1"}), f"file {path.name}", notes=notes)
