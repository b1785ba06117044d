"""Unknown corpora: fields of names are told apart by how they occur together; labels have to be named."""

import re
import time
from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoset_cli.corpora import load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.manifest import find_audio, read_names
from emoset_cli.propose import Proposal, entry_text, key_of, propose, try_entry
from emoset_cli.propose.shapes import pattern_of

DOC = Path(__file__).parents[1] / "docs" / "new-corpus.md"


def lay(folder: Path, names: Iterable[str]) -> Path:
    """Empty files: audio is not read."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def named(text: str) -> str:
    """The entry with each code named by itself: label-W."""
    return re.sub(r"^    ('(?:[^']|'')*'):  #.*$", lambda m: f"    {m[1]}: {m[1]}", text, flags=re.M)


def loaded(proposal: Proposal, tmp_path: Path) -> Any:
    file = tmp_path / "entry.yaml"
    file.write_text(named(entry_text(proposal, "mine")), encoding="utf-8")
    return load_corpora(file)["mine"]


def groups(proposal: Proposal, stem: str) -> dict[str, str]:
    assert proposal.path
    match = re.search(proposal.path, stem)
    assert match, (proposal.path, stem)
    return match.groupdict()


GRAMMARS = {
    "fixed-width": (
        [f"wav/{s}{t}{e}{v}" for s, t, e, v in product(
            ["03", "08", "09", "11", "14"], ["a01", "a02", "b01", "b03"], "WLFNT", "ab")],
        "wav/08b03Fa", {"speaker": "08", "label": "F", "text": "b03", "take": "a"},
    ),
    "label in a folder": (
        [f"{e}/{s}_{n:02d}" for e, s, n in product(["angry", "happy", "sad"], ["ann", "robert", "zoe"], range(1, 9))],
        "happy/robert_03", {"label": "happy", "speaker": "robert"},
    ),
    "speaker in a folder": (
        [f"speaker-{s}/x-{e}-{t}-{v}" for s, e, t, v in product(range(1, 9), ["01", "02", "03", "04"], "12", "12")],
        "speaker-4/x-03-1-2", {"speaker": "4", "label": "03"},
    ),
    "gender and number apart": (
        [f"{g}_{s}_{t}_{e}" for g, s, t, e in product("FM", ["01", "02", "03"], ["dog", "sun", "house"],
                                                     ["ANGRY", "SAD", "NEUTRAL"])],
        "F_02_sun_SAD", {"speaker": "F_02", "gender": "F", "label": "SAD"},
    ),
    "letters of the label and a number": (
        [f"{s}/{e}{n:02d}" for s, e, n in product(["DC", "JE", "JK", "KL"], ["a", "d", "f", "h", "n", "sa", "su"],
                                                  range(1, 13))],
        "JK/sa07", {"speaker": "JK", "label": "sa"},
    ),
    "blanks and brackets": (
        [f"my [take] {s} ({e}) +{n}" for s, e, n in product(["f1", "f2", "m1", "m2"], ["wut", "trauer", "angst"],
                                                           range(1, 7))],
        "my [take] m1 (wut) +3", {"speaker": "m1", "gender": "m", "label": "wut"},
    ),
    "unicode": (
        [f"{e}/{s}-{n}" for e, s, n in product(["生气", "高兴", "悲伤"], ["王五", "李四", "张三丰"], range(1, 8))],
        "高兴/李四-3", {"label": "高兴", "speaker": "李四"},
    ),
    "session words": (
        [f"sess{v}/spk{s:02d}_emo{e}_utt{t}" for v, s, e, t in product("12", range(1, 13), "1234", "123")],
        "sess2/spk07_emo3_utt1", {"speaker": "07", "label": "3", "text": "1"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_grammar_is_found(grammar: str, tmp_path: Path) -> None:
    stems, example, expected = GRAMMARS[grammar]
    folder = lay(tmp_path / "corpus", (f"{stem}.wav" for stem in stems))
    proposal = propose(folder)
    assert proposal.explained == proposal.files == len(stems)
    found = groups(proposal, example)
    assert {name: found.get(name) for name in expected} == expected, proposal.path
    trial = try_entry(loaded(proposal, tmp_path), folder)
    assert trial.well and trial.utterances == len(stems) and set(trial.labels) == set(proposal.labels)


def same_groups(proposal: Proposal, key: str, folder: Path) -> None:
    """Speakers are those of the registry, labels tell the same files apart."""
    rows = read_names(load_corpora()[key], folder, find_audio(folder)).rows
    assert rows and proposal.explained == proposal.files
    pairs = set()
    for row in rows:
        found = groups(proposal, row["path"].rpartition(".")[0])
        assert found["speaker"] == row["speaker"], proposal.path
        pairs.add((found["label"], row["label"]))
    assert len(pairs) == len({label for label, _ in pairs}) == len({label for _, label in pairs})


@pytest.mark.real
@pytest.mark.parametrize("key", ["emodb", "ravdess", "emovo", "urdu"])
def test_real_corpora_are_told_as_the_registry_does(key: str, real: Path) -> None:
    same_groups(propose(real / key), key, real / key)


@pytest.mark.parametrize("key", ["demo-aria", "demo-brio", "demo-cora"])
def test_demo_corpora_are_told_as_the_registry_does(key: str, recordings: dict[str, Path]) -> None:
    same_groups(propose(recordings[key]), key, recordings[key])


def test_labels_in_a_table(tmp_path: Path, emoset: Callable[..., Any]) -> None:
    folder = lay(tmp_path / "corpus", (f"audio/rec{n:04d}.wav" for n in range(60)))
    rows = [f"rec{n:04d}.wav;{['joy', 'rage', 'calm'][n % 3]};p{n % 5};{'FM'[n % 5 % 2]}" for n in range(60)]
    (folder / "labels.csv").write_text("File;Emotion;Speaker ID;Sex\n" + "\n".join(rows) + "\n", encoding="utf-8")
    (folder / "notes.txt").write_text("nothing of use\n", encoding="utf-8")
    (folder / "broken.json").write_text("{", encoding="utf-8")
    proposal = propose(folder)
    table = proposal.tables[0] if proposal.tables[0].file == "labels.csv" else proposal.tables[1]
    assert (table.key, table.match, table.share) == ("File", "stem", 1.0)
    text = entry_text(proposal, "mine")
    assert "separator: ';'" in text and "label: 'Emotion'" in text and "speaker: 'Speaker ID'" in text
    assert "names no recordings" in text and "broken.json is not read" in text
    trial = try_entry(loaded(proposal, tmp_path), folder)
    assert trial.well and trial.labels == {"joy": 20, "rage": 20, "calm": 20} and len(trial.speakers) == 5


def test_table_of_speakers_and_one_without_header(tmp_path: Path) -> None:
    stems = [f"{s}_{e}_{n}" for s, e, n in product([1001, 1002, 1003, 1004], ["ANG", "HAP", "SAD"], range(1, 5))]
    folder = lay(tmp_path / "corpus", (f"{stem}.wav" for stem in stems))
    (folder / "actors.csv").write_text("ActorID,Age,Sex\n1001,51,Male\n1002,21,Female\n1003,30,Male\n1004,44,Female\n")
    (folder / "list.txt").write_text("".join(f"{stem}.wav extra{i % 2}\n" for i, stem in enumerate(stems)))
    proposal = propose(folder)
    text = entry_text(proposal, "mine")
    assert "match: 'speaker'" in text and "age: 'Age'" in text and "gender: 'Sex'" in text
    listed = next(table for table in proposal.tables if table.file == "list.txt")
    assert listed.key == "column1" and listed.settings["format"] == "lines" and len(listed.rows) == len(stems)
    assert try_entry(loaded(proposal, tmp_path), folder).well


def test_names_that_repeat_in_folders_keep_their_folder(tmp_path: Path) -> None:
    stems, example, _ = GRAMMARS["session words"]
    proposal = propose(lay(tmp_path / "corpus", (f"{stem}.wav" for stem in stems)))
    assert groups(proposal, example)["folder1"] == "sess2"
    assert "folder1: 2 values (sess1, sess2), 144 files each; without it names repeat" in entry_text(proposal, "mine")


def test_two_grammars_the_rest_is_listed(tmp_path: Path) -> None:
    stems = [f"{s}_{e}_{n}" for s, e, n in product(["f1", "f2", "m1"], ["sad", "happy"], range(1, 9))]
    folder = lay(tmp_path / "corpus", [f"{stem}.wav" for stem in stems] + [f"noise-{n}.wav" for n in range(1, 6)])
    proposal = propose(folder)
    assert (proposal.explained, proposal.files) == (48, 53)
    assert proposal.forms == [("aaaa...-9", 5, "noise-1")]
    trial = try_entry(loaded(proposal, tmp_path), folder)
    assert not trial.well and trial.problems["name not understood"][0] == 5 and trial.utterances == 48


@pytest.mark.parametrize("name", ["a.wav", "angry.wav", "03a01Fa.wav", "x y/(1)+[2].wav", "it's.a\nb.wav", "Σ$.flac"])
def test_one_file_gives_a_valid_entry(name: str, tmp_path: Path) -> None:
    folder = lay(tmp_path / "corpus", [name])
    proposal = propose(folder)
    assert proposal.explained == 1
    assert try_entry(loaded(proposal, tmp_path), folder).utterances == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("ab01_-. ()[]+'\"#:{}é字", min_size=1, max_size=9), min_size=1, max_size=30, unique=True))
def test_any_names_give_a_valid_entry(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    tmp_path = tmp_path_factory.mktemp("any")
    folder = lay(tmp_path / "corpus", (f"{name.strip(' .')}x.wav" for name in names))
    loaded(propose(folder), tmp_path)


def test_no_audio(tmp_path: Path, emoset: Callable[..., Any]) -> None:
    with pytest.raises(EmosetError, match="holds no audio"):
        propose(tmp_path)
    result = emoset("corpora", "new", tmp_path)
    assert (result.code, result.out) == (1, "") and "holds no audio" in result.err


@pytest.mark.slow
def test_hundred_thousand_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from emoset_cli.propose import proposal as module
    from emoset_cli.store import SourceFile

    codes = ["ANG", "FEA", "HAP", "NEU", "SAD"]
    files = [SourceFile(f"{1000 + n // 100}_{n // 5 % 20:02d}_{codes[n % 5]}.wav", 0, 0, 0) for n in range(100_000)]
    monkeypatch.setattr(module, "find_audio", lambda folder: files)
    start = time.process_time()
    proposal = propose(tmp_path)
    assert time.process_time() - start < 15
    assert proposal.explained == 100_000
    assert groups(proposal, "1007_03_SAD") == {"speaker": "1007", "text": "03", "label": "SAD"}


def test_refusals(tmp_path: Path, emoset: Callable[..., Any]) -> None:
    stems, _, _ = GRAMMARS["label in a folder"]
    folder = lay(tmp_path / "Some Corpus", (f"{stem}.wav" for stem in stems))
    out = tmp_path / "entry.yaml"
    assert emoset("corpora", "new", folder, "--out", out).code == 0
    again = emoset("corpora", "new", folder, "--out", out)
    assert again.code == 1 and "exists" in again.err and "--force" in again.err
    assert emoset("corpora", "new", folder, "--out", out, "--force").code == 0
    assert "no key of a corpus" in emoset("corpora", "new", folder, "--key", "Some Corpus").err
    assert "built-in registry has a corpus 'emodb'" in emoset("corpora", "new", folder, "--key", "emodb").err
    result = emoset("corpora", "try", "some-corpus", folder, "--registry", out)
    assert (result.code, result.out) == (1, "")
    assert "3 label codes have no name: 'angry' (line" in result.err and "name this label" in result.err
    with pytest.raises(EmosetError, match="nothing stands where a text is expected"):  # prepare refuses it too
        load_corpora(out)
    with pytest.raises(EmosetError, match="neither path nor tables"):
        try_entry(load_corpora()["abc"], folder)


def test_try_tells_what_is_not_explained(tmp_path: Path, emoset: Callable[..., Any]) -> None:
    stems, _, _ = GRAMMARS["label in a folder"]
    folder = lay(tmp_path / "corpus", (f"{stem}.wav" for stem in stems))
    text = named(entry_text(propose(folder), "mine"))
    file = tmp_path / "entry.yaml"
    file.write_text(text.replace("    'sad': 'sad'\n", "    'bored': 'boredom'\n"), encoding="utf-8")
    result = emoset("corpora", "try", "mine", folder, "--registry", file, "--json")
    assert result.code == 1
    value = result.json()
    assert value["problems"]["unknown label"]["count"] == 24 and value["labels"] == {"angry": 24, "happy": 24}
    assert value["labels_without_files"] == ["boredom"] and value["well"] is False
    assert "language is und" in result.err
    table = emoset("corpora", "try", "mine", folder, "--registry", file)
    assert "add 'sad' to `labels`" in table.out


def test_json_of_new(tmp_path: Path, emoset: Callable[..., Any]) -> None:
    stems, _, _ = GRAMMARS["fixed-width"]
    folder = lay(tmp_path / "corpus", (f"{stem}.wav" for stem in stems))
    value = emoset("corpora", "new", folder, "--json").json()
    assert value["corpus"] == "corpus" and value["explained"] == value["files"] == len(stems)
    assert {"code": "W", "files": 40, "perhaps": "anger"} in value["labels"]
    assert [group["group"] for group in value["groups"]] == ["speaker", "text", "label", "take"]
    assert value["entry"].startswith("# Proposed by")
    assert key_of("Änderung 1") == "nderung-1"


def test_the_documented_example_from_folder_to_table(
    tmp_path: Path, emoset: Callable[..., Any], monkeypatch: Any
) -> None:
    import numpy as np
    import pandas as pd
    import soundfile

    monkeypatch.chdir(tmp_path)
    (tmp_path / "frost" / "talks").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for speaker, text, label, take in product(["f01", "f02", "m01", "m02"], "123", "NTW", "12"):
        sound = rng.normal(0, 0.1, 4000)
        soundfile.write(tmp_path / "frost" / "talks" / f"{speaker}_s{text}_{label}{take}.wav", sound, 16000)
    doc = DOC.read_text(encoding="utf-8")
    commands = [line[9:].split() for line in doc.splitlines() if line.startswith("$ emoset ")]
    entry, labels = re.findall(r"```yaml\n(.*?)```", doc, re.S)
    assert emoset(*commands[0]).code == 0
    file = tmp_path / "frost.yaml"
    text = file.read_text(encoding="utf-8")
    assert text.endswith(entry)
    assert emoset(*commands[1]).code == 1
    file.write_text(text[: text.index("  labels:\n")] + labels, encoding="utf-8")
    for command in commands[1:]:
        result = emoset(*command)
        assert result.code == 0, result.err
    table = pd.read_parquet(tmp_path / "emoset-data" / "corpora" / "frost" / "utterances.parquet")
    assert len(table) == 72 and set(table["label"]) == {"neutral", "sadness", "anger"}
    assert set(table["speaker"]) == {"f01", "f02", "m01", "m02"} and set(table["gender"]) == {"female", "male"}


@given(st.sets(st.text("aBz019é_-字 ", min_size=1, max_size=6), min_size=1, max_size=8))
def test_a_pattern_takes_its_values(values: set[str]) -> None:
    assert all(re.fullmatch(pattern_of(values), value) for value in values)
