"""A run: one training with its folder, from which everything later is computed.

``runs/emodb_svm-egemaps-v02_3f2a91c0/`` holds ``config.yaml``, the model, ``partition.csv``, ``predictions.csv``
and ``done.json``. The last is written last: a folder without it is unfinished and is never read as a result. A network
adds ``predictions-final.csv``: ``predictions.csv`` is of its best devel epoch, that one of its final epoch, and where a
run is asked for, ``NAME:final`` means the latter. A run that leaves a language out or tests unseen corpora adds
``predictions-within.csv``, of test speakers of what was trained on (a network, ``predictions-within-final.csv`` too). A
network that hears segments adds ``predictions-segments.csv``, one whose heads name attributes (corpus, gender, ...)
``attributes.csv``, one that learns dimensional labels ``dimensions.csv``; these have a ``-final`` too. A
shared model (`emoset_cli.shared`) is a run without tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.files import digest, read_json, write_json, write_text
from emoset_cli.shared import AGAIN, is_shared, read_shared

# One row of predictions.csv is one utterance in one fold and partition; the columns `score_LABEL` (decision
# values) or `probability_LABEL` follow these.
PREDICTION_COLUMNS = [
    "corpus", "utterance", "speaker", "gender", "language", "fold", "partition", "truth", "prediction",
]  # fmt: skip

SEGMENT_COLUMNS = [*PREDICTION_COLUMNS, "start_s"]  # a row is one segment; `start_s` in the utterance
# One row of attributes.csv is what one head said of one utterance or segment (`unit`; `start_s` is empty for an
# utterance). `truth` is empty where it is not known or is no class of the head; `posterior`, of the truth, then too.
ATTRIBUTE_COLUMNS = [
    "corpus", "utterance", "speaker", "fold", "partition", "unit", "start_s", "attribute", "truth", "prediction",
    "posterior",
]  # fmt: skip

# One row of dimensions.csv is what a network said of one dimension of one utterance, in the units of its corpus;
# `truth` is empty where it is not known.
DIMENSION_COLUMNS = ["corpus", "utterance", "speaker", "fold", "partition", "dimension", "truth", "prediction"]

FINAL = ":final"  # behind a run's name: its final epoch
# What further tables `finish` takes: kind -> what it is of.
FURTHER = {
    "final": "the final epoch, where predictions.csv is of the best devel epoch",
    "within": "test speakers of what was trained on, where predictions.csv is of a language left out or unseen corpora",
    "within-final": "the same, of the final epoch",
    "segments": "segments, whose mean is an utterance of predictions.csv",
    "segments-final": "the same, of the final epoch",
    "attributes": "what the heads for attributes say of the utterances, or of their segments",
    "attributes-final": "the same, of the final epoch",
    "dimensions": "what a network says of dimensional labels, such as arousal",
    "dimensions-final": "the same, of the final epoch",
}


# What readers of ``config.yaml`` rely on, by type; the first line must be there.
_SHAPE = {
    "model": str,
    "feature": str,
    "corpora": list,
    "labels": dict,
    "label_space": str,
    "partition": dict,
    "seed": int,
    "data": dict,
    "chosen": dict,
}
_MAYBE = {"mode": str, "setting": str, "options": dict, "counts": dict, "packages": dict, "initial": dict,
          "attributes": dict, "dimensions": dict, "levels": dict, "heads": dict, "left_out": dict,
          "parameters": dict}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A finished run: its folder and its resolved settings (``config.yaml``).

    With ``final`` its predictions are those of the final epoch, not of the best devel epoch.
    """

    folder: Path
    config: dict[str, Any]
    final: bool = False

    @property
    def name(self) -> str:
        """The folder's name, readable words and the signature; ``:final`` behind it for the final epoch."""
        return self.folder.name + (FINAL if self.final else "")

    @property
    def shared(self) -> bool:
        """Whether it is a shared model: a stranger may have written it, and it holds no predictions."""
        return is_shared(self.folder)

    @property
    def again(self) -> str:
        """How to mend a file of it that is damaged or missing."""
        return AGAIN if self.shared else "train the run again with --force"

    @property
    def has_final(self) -> bool:
        """Whether the final epoch's predictions were kept beside those of the best (a baseline has no epochs)."""
        return not self.shared and _file("final") in read_json(self.folder / "done.json")

    @property
    def unseen(self) -> list[str]:
        """The corpora that are only tested, as a whole; the others of the run are then tested in `within`."""
        return [str(key) for key in self.config.get("partition", {}).get("unseen", [])]

    def final_epoch(self) -> "Run":
        """The same run with the predictions of its final epoch.

        Raises:
            EmosetError: if the run has none
        """
        if not self.has_final:
            raise EmosetError(f"run '{self.folder.name}' has no final epoch", f"give its name without '{FINAL}'")
        return replace(self, final=True)

    def predictions(self) -> Any:
        """Read the predictions as a DataFrame; ids, speakers, labels and folds are strings.

        Raises:
            EmosetError: if the file is not the one the training wrote, or the run is a shared model
        """
        if self.shared:
            raise EmosetError(
                f"{self.folder} is a shared model: it holds no predictions, its scores stand in its README.md",
                "name the run it was made of, or let it predict recordings of yours",
            )
        return _read_table(self.folder, _file("final" if self.final else ""))

    def within(self) -> Any | None:
        """The predictions within the training languages or corpora, as `predictions`; None where the run has none.

        Raises:
            EmosetError: if the file is not the one the training wrote
        """
        return self._further("within")

    def segments(self) -> Any | None:
        """The predictions of segments, `SEGMENT_COLUMNS`; None where the run hears whole utterances.

        Raises:
            EmosetError: if the file is not the one the training wrote
        """
        return self._further("segments")

    def attributes(self) -> Any | None:
        """What the heads for attributes say, `ATTRIBUTE_COLUMNS`, with numbers or NaN in ``start_s`` and ``posterior``.

        None where the run has no such heads.

        Raises:
            EmosetError: if the file is not the one the training wrote
        """
        return self._further("attributes")

    def dimensions(self) -> Any | None:
        """What a network says of dimensional labels, `DIMENSION_COLUMNS`, with numbers or NaN in ``truth``.

        None where the run has none.

        Raises:
            EmosetError: if the file is not the one the training wrote
        """
        return self._further("dimensions")

    def _further(self, kind: str) -> Any | None:
        """A table of `FURTHER`, of this epoch; None where the run has none."""
        name = _file(f"{kind}-final" if self.final else kind)
        if self.shared:
            return None
        return _read_table(self.folder, name) if name in read_json(self.folder / "done.json") else None


def signature(settings: dict[str, Any]) -> str:
    """8 hex digits that change with any setting that can change a result."""
    return digest(settings, length=8)


def run_folder(workspace: Path, words: str, settings: dict[str, Any]) -> Path:
    """Where the run with these settings lives: readable words, then its signature."""
    return workspace / "runs" / f"{words}_{signature(settings)}"


def is_done(folder: Path) -> bool:
    """Whether the run in ``folder`` was finished."""
    return (folder / "done.json").is_file()


def _file(kind: str) -> str:
    if kind.startswith(("attributes", "dimensions")):
        return f"{kind}.csv"
    return f"predictions-{kind}.csv" if kind else "predictions.csv"


def finish(
    folder: Path, config: dict[str, Any], predictions: Any, further: Mapping[str, Any] = MappingProxyType({})
) -> Run:
    """Write the settings and predictions of a run, then the mark that it is whole.

    Args:
        folder: of the run
        config: its resolved settings
        predictions: of the best devel epoch, or of a model that has no epochs
        further: tables by their kind, a key of `FURTHER`; with the same columns, but of attributes and dimensions
    """
    import yaml

    assert further.keys() <= FURTHER.keys(), further.keys()
    write_text(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False, allow_unicode=True, width=120))
    tables = {_file(""): predictions} | {_file(kind): table for kind, table in further.items()}
    for name, table in tables.items():
        write_text(folder / name, table.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    written = {name: digest((folder / name).read_bytes()) for name in ("config.yaml", *tables)}
    write_json(folder / "done.json", written | {"rows": len(predictions)})
    return Run(folder, config)


def _as_written(folder: Path, name: str) -> bytes:
    """The bytes of a file that `finish` wrote.

    Raises:
        EmosetError: if the file is not the one the training wrote
    """
    path = folder / name
    raw = path.read_bytes() if path.is_file() else b""
    if digest(raw) != read_json(folder / "done.json").get(name):
        raise EmosetError(f"{path} was changed after the training wrote it", "train again with --force")
    return raw


def _read_table(folder: Path, name: str) -> Any:
    """A table that `finish` wrote."""
    import io

    import pandas as pd

    numbers = ["start_s", "posterior", *(["truth", "prediction"] if name.startswith("dimensions") else [])]
    empty = {column: [""] for column in numbers}
    texts = {*PREDICTION_COLUMNS, "unit", "attribute", "dimension"} - set(numbers)
    raw = _as_written(folder, name)
    try:
        table = pd.read_csv(io.BytesIO(raw), dtype=dict.fromkeys(texts, "str"), keep_default_na=False, na_values=empty)
    except ValueError:  # of one who has changed done.json too
        table = pd.DataFrame()
    if not {"corpus", "utterance", "fold", "partition", "truth", "prediction"} <= set(table.columns):
        raise EmosetError(f"{folder / name} is no table of predictions", "train again with --force")
    return table


def read_run(folder: Path) -> Run:
    """Read a finished run.

    Raises:
        EmosetError: if the folder is not a run, an unfinished one, or its settings were changed
    """
    import yaml

    config = folder / "config.yaml"
    if not is_done(folder) or not config.is_file():
        state = "an unfinished run" if config.is_file() else "not a run"
        raise EmosetError(f"{folder} is {state}", "give the same `emoset train` command again: it resumes")
    try:
        settings = yaml.safe_load(_as_written(folder, "config.yaml"))
    except (yaml.YAMLError, ValueError, RecursionError):  # of one who has changed done.json too
        settings = None
    if fault := _misshapen(settings):
        raise EmosetError(f"{config} holds no settings of a run: {fault}", "train again with --force")
    return Run(folder, settings)


def _misshapen(settings: Any) -> str:
    """What of some settings is not as readers expect it; "" for nothing."""
    if not isinstance(settings, dict):
        return "it is not a list of settings"
    for key, kind in (_SHAPE | _MAYBE).items():
        if key in _SHAPE and key not in settings:
            return f"'{key}' is missing"
        if settings.get(key) is not None and not isinstance(settings[key], kind):
            return f"'{key}' is not a {kind.__name__}"
    labels = settings["labels"]
    if not settings["corpora"] or any(not isinstance(labels.get(str(key)), list) for key in settings["corpora"]):
        return "'labels' are not those of 'corpora'"
    counts = settings.get("parameters")
    if counts and not all(isinstance(counts.get(key), int) for key in ("total", "trained", "shared")):
        return "'parameters' are not numbers of weights"
    return "" if isinstance(settings["partition"].get("name"), str) else "'partition' has no name"


def find_run(workspace: Path, name: str) -> Run:
    """The run called ``name``: a path, also of a shared model, a name below ``runs/``, or an unambiguous part of one.

    With ``:final`` behind it, the same run with the predictions of its final epoch.

    Raises:
        EmosetError: if there is no such run, or several, or it has no final epoch
    """
    if name.endswith(FINAL):
        return find_run(workspace, name.removesuffix(FINAL)).final_epoch()
    path = Path(name)
    if is_shared(path):
        folder = path.resolve()
        return Run(folder, read_shared(folder)["config"])
    if (path / "config.yaml").is_file():
        return read_run(path)
    if path.parent != Path() and path.is_dir():
        raise EmosetError(f"{path} is neither a run nor a shared model", "name the folder that holds config.yaml")
    return read_run(workspace / "runs" / the_one(name, list_runs(workspace)))


def the_one(name: str, names: list[str]) -> str:
    """The run that a name or an unambiguous part of one means, among ``names``.

    Raises:
        EmosetError: if there is none, or several
    """
    hits = [name] if name in names else [known for known in names if name in known]
    if not hits:
        raise unknown("run", name, names)
    if len(hits) > 1:
        raise EmosetError(f"'{name}' fits several runs: {', '.join(hits)}", "give more of the name")
    return hits[0]


def list_runs(workspace: Path) -> list[str]:
    """Names of the finished runs of a workspace, sorted."""
    return [name for name in list_folders(workspace) if is_done(workspace / "runs" / name)]


def list_folders(workspace: Path) -> list[str]:
    """Names of all runs of a workspace, unfinished ones too, sorted."""
    folder = workspace / "runs"
    found = folder.iterdir() if folder.is_dir() else iter(())
    return sorted(entry.name for entry in found if entry.is_dir() and not entry.name.startswith("."))


def check_run(folder: Path) -> Run:
    """Read a finished run and look at everything that `finish` wrote.

    Raises:
        EmosetError: naming what is not as it was written
    """
    run = read_run(folder)
    for name in read_json(folder / "done.json"):
        if name != "rows":
            _as_written(folder, name)
    return run
