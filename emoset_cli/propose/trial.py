"""An edited entry is tried on its folder, without reading audio: what it explains, and what it does not."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from emoset_cli.corpora import Corpus
from emoset_cli.errors import EmosetError
from emoset_cli.manifest import LEFT_OUT, find_audio, read_names
from emoset_cli.yaml_tree import Document, Node, read_tree

_SHOWN = 5  # examples of each problem
_KNOWN = {"excluded"}  # problems that the entry itself explains


@dataclass
class Trial:
    """What an entry makes of a folder.

    ``labels`` and ``speakers`` count utterances; ``problems`` maps each kind to its number and some examples (path,
    detail, mend). ``codes`` are label codes of the entry that no file has.
    """

    key: str
    files: int
    utterances: int
    other: int
    labels: Counter[str]
    speakers: Counter[str]
    problems: dict[str, tuple[int, list[tuple[str, str, str]]]] = field(default_factory=dict)
    unused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether everything is explained, and there is something."""
        return self.utterances > 0 and not self.problems.keys() - _KNOWN


def refuse_unnamed(registry: Path, key: str) -> None:
    """Say which labels of an entry have no name yet, before the registry says that they are empty.

    Raises:
        EmosetError: if there are such, or the file is no YAML
    """
    unnamed: list[tuple[str, int]] = []
    for name, value in _pairs(read_tree(registry, Document(str(registry)))):
        labels = [node for field, node in _pairs(value) if field == "labels"] if name == key else []
        for node in labels:
            unnamed += [(code, label.line) for code, label in _pairs(node) if label.kind == "null" or not label.value]
    if unnamed:
        codes = ", ".join(f"'{code}' (line {line})" for code, line in unnamed[:20])
        more = f" and {len(unnamed) - 20} more" if len(unnamed) > 20 else ""
        raise EmosetError(
            f"{registry}: {key}.labels: {len(unnamed)} label codes have no name: {codes}{more}",
            f"name this label: write what it means after the code, as in '{unnamed[0][0]}': anger",
        )


def _pairs(node: Node) -> list[tuple[str, Node]]:
    return [(str(key.value), value) for key, value in node.value] if node.kind == "mapping" else []


def try_entry(corpus: Corpus, folder: Path) -> Trial:
    """Read the names and tables of a folder as `emoset prepare` would, without the audio.

    Raises:
        EmosetError: if the folder holds no audio, the entry reads no names, or a table does not fit
    """
    folder = folder.expanduser().resolve()
    if not corpus.path and not corpus.tables:
        raise EmosetError(f"the entry {corpus.key} has neither path nor tables", "emoset corpora new FOLDER")
    files = find_audio(folder)
    found = read_names(corpus, folder, files)
    labels = Counter(str(row["label"]) for row in found.rows)
    trial = Trial(
        corpus.key, len(files), len(found.rows), found.other, labels, Counter(str(row["speaker"]) for row in found.rows)
    )
    counts = Counter(problem.problem for problem in found.problems if problem.action == LEFT_OUT)
    for kind, count in counts.most_common():
        some = [problem for problem in found.problems if problem.problem == kind][:_SHOWN]
        trial.problems[kind] = count, [(problem.path, problem.detail, problem.mend) for problem in some]
    trial.unused = [label for label in corpus.label_names if label not in labels]
    trial.notes = [f"{p.path}: {p.detail}; {p.mend}" for p in found.problems if p.action != LEFT_OUT][:_SHOWN]
    if "und" in corpus.languages:
        trial.notes.append("the language is und, undetermined: write its ISO 639-3 code")
    if "" in trial.speakers:
        trial.notes.append(f"{trial.speakers['']} utterances have no speaker: no partition by speakers is possible")
    return trial
