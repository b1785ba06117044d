"""What a user does in a week: the commands, the corpora that change, the files that go bad."""

import fnmatch
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

FEW = {"demo-cora": "*_p0[2-9]_*", "demo-aria": "*_s0[2-9]_*"}  # left out: one sentence of each remains
SOUNDS = {".wav", ".flac", ".ogg", ".mp3"}
STATES = ("as it was", "one more", "one less", "another sound")
TINY = ["-nf", "4", "-N", "1", "-nm", "16", "-w", "1.5", "-bs", "8", "--precision", "fp32", "-p", "1"]
# What is trained; the same words on the same data give the same run.
TRAIN = {
    "svm": [["train", "svm"], ["train", "svm", "--partition", "loso"], ["train", "svm", "--feature", "gemaps"],
            ["train", "svm", "--pool", "--labels", "arousal"], ["train", "svm", "--normalise", "speaker"]],
    "forest": [["train", "forest"], ["train", "forest", "--partition", "speakers", "--seed", "1"]],
    "cnn": [["train", "cnn", *TINY, "-e", "2"], ["train", "cnn", *TINY, "-e", "1", "-mt", "--rounds", "2"],
            ["train", "cnn", *TINY, "-e", "3", "-t", "demo-cora"]],
}  # fmt: skip
SEARCH = """\
train: svm
options: {feature: egemaps}
space:
  normalise: {choice: [train, speaker]}
  class-weight: {choice: [none, balanced]}
search: {sampler: grid, trials: 4}
"""
PLAN = """\
corpora: [demo-cora, demo-aria]
runs:
  svm: {train: svm, over: each, options: {partition: "folds:3"}}
  forest: {train: forest, over: each, options: {partition: "speakers"}}
"""
WEIGHTS = {
    "prepare": 8, "extract": 8, "train svm": 9, "train forest": 5, "train cnn": 8, "evaluate": 5, "compare": 4,
    "predict": 5, "share": 4, "runs": 10, "corpora": 8, "run": 3, "search": 4, "calibrate": 4, "explain": 4,
    "doctor": 6, "transfer": 2,
}  # fmt: skip


class Life:
    """The places of a week and what may be done there.

    Args:
        place: holds everything: ``recordings/``, ``w/`` (the workspace), ``out/``, plans
        rng: of every choice
    """

    def __init__(self, place: Path, rng: random.Random) -> None:
        self.place, self.rng = place, rng
        self.workspace, self.out = place / "w", place / "out"
        self.recordings = {key: place / "recordings" / key for key in FEW}
        self.state = dict.fromkeys(FEW, STATES[0])
        self.disturbed: set[str] = set()  # parts of the workspace that were damaged by hand

    def begin(self) -> None:
        """Synthesise and lay out the corpora; write the plans."""
        from emoset_cli.synth import demo

        demo.write(self.place / "all", keys=FEW)
        for key, others in FEW.items():
            shutil.copytree(self.place / "all" / key, self.recordings[key], ignore=shutil.ignore_patterns(others))
            (self.place / "aside").mkdir(exist_ok=True)
        self.out.mkdir()
        (self.place / "search.yaml").write_text(SEARCH, "utf-8")
        (self.place / "plan.yaml").write_text(PLAN, "utf-8")

    # ---------------- corpora that change

    def change(self, key: str, state: str) -> None:
        """Bring the recordings of a corpus into one of `STATES`."""
        here = self.recordings[key]
        first, second, more = self._changing(key)
        sounds = {first: first, second: second, more: None}  # name -> whose sound it has
        sounds |= {"one more": {more: more}, "one less": {first: None}, "another sound": {second: more}}.get(state, {})
        for name, sound in sounds.items():
            if sound:
                self._put(key, sound, here / name)
            else:
                (here / name).unlink(missing_ok=True)
        self.state[key] = state

    def _put(self, key: str, name: Path, path: Path) -> None:
        """Copy a recording aside and rename it, as one who minds the readers; nothing where it is the same already."""
        source = self.place / "all" / key / name
        if path.is_file() and path.read_bytes() == source.read_bytes():
            return
        aside = self.place / "aside" / path.name
        shutil.copy(source, aside)
        aside.replace(path)

    def _changing(self, key: str) -> tuple[Path, Path, Path]:
        """Two recordings of a corpus, and one that it has not at first, of a speaker that it has."""
        every = self.place / "all" / key
        names = sorted(path.relative_to(every) for path in every.rglob("*") if path.suffix in SOUNDS)
        others = [name for name in names if fnmatch.fnmatch(name.name, FEW[key])]
        kept = [name for name in names if name not in others]
        return kept[0], kept[-1], others[0]

    # ---------------- files that go bad

    def disturb(self) -> str:
        """Cut or delete a file of features or of the audio store, or change a corpus; answer what was done."""
        if self.rng.random() < 0.5:
            key, state = self.rng.choice(list(FEW)), self.rng.choice(STATES)
            self.change(key, state)
            return f"{key}: {state}"
        patterns = ["features/*/*.npy", "features/*/*.json", "features/*/*.parts/*.npz", "corpora/*/audio/*.i16",
                    "corpora/*/audio/*.json", "corpora/*/utterances.parquet", "corpora/*/partition.csv"]  # fmt: skip
        found = sorted(self.workspace.glob(self.rng.choice(patterns)))
        if not found:
            return "nothing"
        path = self.rng.choice(found)
        self.disturbed.add(path.relative_to(self.workspace).parts[0])
        if self.rng.random() < 0.5:
            path.unlink(missing_ok=True)
            return f"{path.suffix} deleted"
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        return f"{path.suffix} cut"

    # ---------------- commands

    def runs(self) -> list[str]:
        """Names of the folders in ``runs/``."""
        folder = self.workspace / "runs"
        return sorted(path.name for path in folder.iterdir() if path.name[0] != ".") if folder.is_dir() else []

    def command(self, kind: str = "") -> tuple[str, list[str]]:
        """A command of a kind: its kind and its words."""
        kind = kind or self.rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        words = getattr(self, "_" + kind.replace(" ", "_"))()
        return kind, [*map(str, words), "-d", str(self.workspace)]

    def _run_names(self, count: int, network: bool = False) -> list[str]:
        found = [name for name in self.runs() if "_cnn-" in name or not network]
        return self.rng.sample(found, min(count, len(found))) or ["demo-cora_svm"]

    def _workers(self) -> list[str]:
        return ["--workers", self.rng.choice(["1", "1", "1", "2"]), "-q"]

    def _prepare(self) -> list[str]:
        keys = self.rng.choice([["demo-cora"], ["demo-aria"], list(FEW), list(FEW)])
        force = ["--force"] if self.rng.random() < 0.2 else []
        return ["prepare", *(f"{key}={self.recordings[key]}" for key in keys), *force, *self._workers()]

    def _extract(self) -> list[str]:
        force = ["--force"] if self.rng.random() < 0.2 else []
        corpora = self.rng.choice([[], [], ["demo-cora"], ["demo-aria"]])
        return ["extract", self.rng.choice(["egemaps", "egemaps", "gemaps"]), *corpora, *force, *self._workers()]

    def _train(self, model: str) -> list[str]:
        force = ["--force"] if self.rng.random() < 0.15 else []
        return [*self.rng.choice(TRAIN[model]), *force, *self._workers()]

    def _train_svm(self) -> list[str]:
        return self._train("svm")

    def _train_forest(self) -> list[str]:
        return self._train("forest")

    def _train_cnn(self) -> list[str]:
        return self._train("cnn")

    def _evaluate(self) -> list[str]:
        return ["evaluate", *self.rng.choice([[], self._run_names(1), self._run_names(2)]), "-q"]

    def _compare(self) -> list[str]:
        runs = self.runs()
        corpus = self.rng.choice(runs or ["none"]).split("_")[0]
        alike = [name for name in runs if name.split("_")[0] == corpus]
        return ["compare", *(self.rng.sample(alike, 2) if len(alike) > 1 else self._run_names(2)), "-q"]

    def _transfer(self) -> list[str]:
        return ["transfer", "--baselines", "-q"]

    def _predict(self) -> list[str]:
        where = self.recordings[self.rng.choice(list(FEW))]
        some = sorted(path for path in where.rglob("*") if path.suffix in SOUNDS)
        files = self.rng.sample(some, 3)
        out = self.out / f"predicted-{self.rng.randint(1, 3)}"
        return ["predict", *self._run_names(1), *map(str, files), "-o", str(out), "--force", *self._workers()]

    def _share(self) -> list[str]:
        return ["share", *self._run_names(1), str(self.out / f"shared-{self.rng.randint(1, 3)}"), "--force", "-q"]

    def _runs(self) -> list[str]:
        what = self.rng.choice(["list", "list", "show", "diff", "rm"])
        names = {"list": [], "show": self._run_names(1), "diff": self._run_names(2) * 2, "rm": self._run_names(1)}[what]
        return ["runs", what, *names[: 2 if what == "diff" else 1], *(["--yes"] if what == "rm" else [])]

    def _corpora(self) -> list[str]:
        return self.rng.choice([
            ["corpora", "check", "-q"], ["corpora", "stats", "-q"], ["corpora", "leaks", "-q"], ["corpora", "list"],
            ["corpora", "aggregate", "--labels", "arousal,valence", "--force", "-q"],
            ["corpora", "export", "demo-cora", str(self.out / "exported"), "--format", "emonet", "--force", "-q"],
        ])  # fmt: skip

    def _run(self) -> list[str]:
        return ["run", str(self.place / "plan.yaml"), "--workers", self.rng.choice("12"), "-q"]

    def _search(self) -> list[str]:
        return ["search", str(self.place / "search.yaml"), "-t", self.rng.choice(list(FEW)), "--workers", "1", "-q",
                *self.rng.choice([[], ["--retry"]])]  # fmt: skip

    def _calibrate(self) -> list[str]:
        return ["calibrate", *self._run_names(1, network=True), "-q"]

    def _explain(self) -> list[str]:
        return ["explain", *self._run_names(self.rng.choice([1, 2])), "-q"]

    def _doctor(self) -> list[str]:
        return ["doctor", "--json"]


def everything(workspace: Path, place: Path, brief: bool = False) -> Iterator[list[str]]:
    """All commands that make runs, each once, in one process; ``brief``: one of each model."""
    end = ["--workers", "1", "-q", "-d", str(workspace)]
    for commands in TRAIN.values():
        for words in commands[-1:] if brief else commands:
            yield [*words, *end]
    if brief:
        return
    for key in FEW:
        yield ["search", str(place / "search.yaml"), "-t", key, *end]
    yield ["run", str(place / "plan.yaml"), *end]
