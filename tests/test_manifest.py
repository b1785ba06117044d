"""File names become rows: what fits is read, what does not is named, nothing is dropped in silence."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emoset_cli.corpora import Corpus, load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.manifest import KEPT, LEFT_OUT, Manifest, find_audio, read_names
from emoset_cli.store import SourceFile

ARIA = load_corpora()["demo-aria"]
ENTRY = r"""
mini:
  name: Mini
  language: deu
  path: '(?:^|/)(?P<speaker>[a-z]\d)_(?P<text>s\d)_(?P<label>[A-Z])(?P<take>\d)?$'
  labels: {W: anger, N: neutral, T: sadness}
  speakers: {female: [f1, f2], male: [m1], unknown: [x1]}
  speaker_alias: {g1: f1}
  where: {text: [s1, s2, s9]}
  exclude: {f1_s9_W: it is a door, f2_s9_T1: it is a dog}
"""
TABLE = r"""
  tables:
    ratings:
      file: ratings.txt
      encoding: latin-1
      separator: "\t"
      decimal: ","
      key: Satz
      columns: {recognised: erkannt, natural: natürlich, remark: Bemerkung}
"""


@pytest.fixture
def entry(tmp_path: Path) -> Callable[[str], Corpus]:
    def load(more: str = "", key: str = "mini") -> Corpus:
        (tmp_path / "own.yaml").write_text(ENTRY + more, encoding="utf-8")
        return load_corpora(tmp_path / "own.yaml")[key]

    return load


def names(corpus: Corpus, *paths: str, folder: Path = Path()) -> Manifest:
    return read_names(corpus, folder, [SourceFile(path, 1, 1, 1) for path in paths])


def test_names_become_columns(entry: Callable) -> None:
    manifest = names(entry(), "b/m1_s2_N3.flac", "a/f1_s1_W.WAV", "x1_s1_T.mp3")
    assert manifest.problems == [] and manifest.other == 0
    by_id = {row.pop("utterance"): row for row in manifest.rows}
    assert list(by_id) == ["mini/f1_s1_W", "mini/m1_s2_N3", "mini/x1_s1_T"]
    assert by_id["mini/m1_s2_N3"] == {
        "corpus": "mini", "speaker": "m1", "gender": "male", "language": "deu", "label": "neutral", "text": "s2",
        "path": "b/m1_s2_N3.flac", "take": "3",
    }  # fmt: skip
    assert (by_id["mini/f1_s1_W"]["gender"], by_id["mini/f1_s1_W"]["take"]) == ("female", "")
    assert by_id["mini/x1_s1_T"]["gender"] == ""


@pytest.mark.parametrize(
    "path, problem, detail, mend, utterance",
    [
        (
            "readme.wav",
            "name not understood",
            r"the name does not fit (?:^|/)",
            "rename or remove it, or correct `path` of mini (",
            "",
        ),
        (
            "f1_s1_Q.wav",
            "unknown label",
            "label code 'Q' is none of W, N, T",
            "add 'Q' to `labels` of mini (",
            "mini/f1_s1_Q",
        ),
        (
            "z9_s1_W.wav",
            "unknown speaker",
            "speaker 'z9' is not in the registry",
            "add 'z9' to `speakers` of mini (",
            "mini/z9_s1_W",
        ),
        ("f1_s9_W.wav", "excluded", "it is a door", "nothing: the registry names this file", "mini/f1_s9_W"),
        ("deep/f2_s9_T1.wav", "excluded", "it is a dog", "nothing", "mini/f2_s9_T1"),
        ("deep/f2_s9_T2.wav", "", "", "", "mini/f2_s9_T2"),
        ("\udce4_s1_W.wav", "name not understood", "the name is not UTF-8", "rename it", ""),
        ("\udce4/f1_s1_W.wav", "name not understood", "the name is not UTF-8", "rename it", ""),
    ],
)
def test_names_that_are_wrong(entry: Callable, path: str, problem: str, detail: str, mend: str, utterance: str) -> None:
    manifest = names(entry(), path, "f1_s1_W.wav", "m1_s1_N.wav")
    assert {"mini/f1_s1_W", "mini/m1_s1_N"} <= {row["utterance"] for row in manifest.rows}
    if not problem:
        assert manifest.problems == [] and len(manifest.rows) == 3
        return
    (found,) = manifest.problems
    assert (found.problem, found.action, found.utterance) == (problem, LEFT_OUT, utterance)
    assert found.detail.startswith(detail) and found.mend.startswith(mend)
    assert found.path == path.replace("\udce4", "\\udce4") and found.path.encode()
    assert len(manifest.rows) == 2


def test_mends_name_the_file_and_the_line(entry: Callable, tmp_path: Path) -> None:
    (found,) = names(entry(), "f1_s1_Q.wav").problems
    assert found.mend == f"add 'Q' to `labels` of mini ({tmp_path / 'own.yaml'}, line 2)"


def test_other_material_is_counted(entry: Callable) -> None:
    manifest = names(entry(), "f1_s0_W.wav", "z9_s3_Q.wav", "f1_s1_W.wav")
    assert manifest.other == 2 and manifest.problems == [] and len(manifest.rows) == 1


def test_aliases(entry: Callable) -> None:
    (row,) = names(entry(), "g1_s1_W.wav").rows
    assert (row["utterance"], row["speaker"], row["gender"]) == ("mini/g1_s1_W", "f1", "female")


def test_gender_codes_languages_and_ids(entry: Callable) -> None:
    more = r"""
other:
  language: {deu: [a1], eng: [b1]}
  path: '(?P<speaker>[a-z]\d)(?P<gender>w|m)(?P<label>\d\d)$'
  id: '{speaker}-{label}'
  labels: {"01": anger, "02": fear}
  gender: {w: female, m: male}
"""
    rows = names(entry(more, "other"), "x/a1w01.wav", "b1m02.wav").rows
    found = [[row[name] for name in ("utterance", "speaker", "gender", "language", "label")] for row in rows]
    assert found == [["other/a1-01", "a1", "female", "deu", "anger"], ["other/b1-02", "b1", "male", "eng", "fear"]]


def test_repeated_ids_keep_the_first(entry: Callable) -> None:
    manifest = names(entry(), "a/f1_s1_W.wav", "b/f1_s1_W.wav", "c/f1_s1_W.flac", "m1_s1_N.wav")
    assert [row["path"] for row in manifest.rows] == ["a/f1_s1_W.wav", "m1_s1_N.wav"]
    assert [(p.problem, p.path, p.action) for p in manifest.problems] == [
        ("repeated id", "b/f1_s1_W.wav", LEFT_OUT), ("repeated id", "c/f1_s1_W.flac", LEFT_OUT),
    ]  # fmt: skip
    assert manifest.problems[0].detail == "the same utterance as a/f1_s1_W.wav"
    assert manifest.problems[0].mend.startswith("remove one of the two files")


@settings(max_examples=50)
@given(
    st.lists(
        st.text(max_size=12) | st.from_regex(r"\A([a-z]/)?(f1|m1|q7)_s[0-9]_[WNQ]\.wav\Z"), max_size=12, unique=True
    )
)
def test_every_file_is_a_row_a_problem_or_counted(paths: list[str]) -> None:
    assert_all_told(ARIA, paths)


@settings(max_examples=50)
@given(st.lists(st.from_regex(r"\A([ab]/)?f0[1-9]_s0[12]_[WQ]1\.wav\Z"), max_size=12, unique=True))
def test_every_utterance_is_a_row_or_a_problem(paths: list[str]) -> None:
    assert_all_told(ARIA, paths)


def assert_all_told(corpus: Corpus, paths: list[str]) -> None:
    manifest = names(corpus, *paths)
    told = [row["path"] for row in manifest.rows] + [problem.path for problem in manifest.problems]
    assert len(told) + manifest.other == len(paths)
    ids = [row["utterance"] for row in manifest.rows]
    assert ids == sorted(set(ids))
    assert names(corpus, *reversed(paths)).rows == manifest.rows or len({p.rpartition("/")[2] for p in paths}) < len(
        paths
    )


def ratings(folder: Path, text: str, encoding: str = "latin-1") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ratings.txt").write_bytes(text.encode(encoding))


# As erkennung.txt of EmoDB: latin-1, decimal comma, cells padded with spaces and no-break spaces, CRLF.
GOOD = (
    "Satz\terkannt\tnatürlich\tBemerkung\r\nf1_s1_W\xa0\t\xa097,5 \t80\tschön\xa0\r\n"
    "m1_s1_N.wav\t100,00\t\t\r\n\r\nz9_s9_Z\t1\t1\t\r\n"
)


@pytest.mark.parametrize("where", ["corpus", ""])
def test_tables_are_joined(entry: Callable, tmp_path: Path, where: str) -> None:
    ratings(tmp_path / where, GOOD)
    manifest = names(entry(TABLE), "f1_s1_W.flac", "m1_s1_N.wav", "x1_s1_T.wav", folder=tmp_path / "corpus")
    assert manifest.problems == []
    found = [[row[name] for name in ("recognised", "natural", "remark")] for row in manifest.rows]
    assert found == [[97.5, 80.0, "schön"], [100.0, None, ""], [None, None, None]]


def test_a_missing_table_is_told(entry: Callable, tmp_path: Path) -> None:
    manifest = names(entry(TABLE), "f1_s1_W.wav", folder=tmp_path)
    (found,) = manifest.problems
    assert (found.problem, found.action, found.path) == ("table missing", KEPT, "ratings.txt")
    assert found.detail == f"ratings.txt is not in {tmp_path}: no recognised, natural, remark"
    assert found.mend.startswith("copy ratings.txt into the corpus folder")
    assert manifest.rows[0]["recognised"] is None


NO_COLUMN = (
    r"ratings.txt has no column natürlich, Bemerkung \(it has Satz, erkannt\)\n"
    r"  mend: correct `tables` of mini \(.*own.yaml, line 2\)"
)
TWICE = "ratings.txt lists 'f1_s1_W' twice, with different values\n  mend: remove one"


@pytest.mark.parametrize(
    "text, encoding, problem",
    [
        ("Satz\terkannt\nf1_s1_W\t1\n", "latin-1", NO_COLUMN),
        ("", "latin-1", r"ratings.txt has no column Satz, erkannt, natürlich, Bemerkung"),
        (GOOD + "f1_s1_W\t96\t80\tschön\n", "latin-1", TWICE),
        (GOOD + '"' + "x" * 200_000 + "\n", "latin-1", r"ratings.txt cannot be read as latin-1 \(field larger"),
    ],
    ids=["columns", "empty", "twice", "quote"],
)  # fmt: skip
def test_tables_that_are_wrong(entry: Callable, tmp_path: Path, text: str, encoding: str, problem: str) -> None:
    ratings(tmp_path, text, encoding)
    with pytest.raises(EmosetError, match=problem):
        names(entry(TABLE), "f1_s1_W.wav", folder=tmp_path)


def test_a_table_of_another_encoding(entry: Callable, tmp_path: Path) -> None:
    ratings(tmp_path, GOOD)
    with pytest.raises(EmosetError, match=r"ratings.txt cannot be read as utf-8 \(.*\)\n  mend: correct `encoding`"):
        names(entry(TABLE.replace("latin-1", "utf-8")), "f1_s1_W.wav", folder=tmp_path)


def test_the_same_line_twice_is_no_contradiction(entry: Callable, tmp_path: Path) -> None:
    ratings(tmp_path, GOOD + "f1_s1_W\t97,5\t80\tschön\n")
    assert names(entry(TABLE), "f1_s1_W.wav", folder=tmp_path).rows[0]["recognised"] == 97.5


def tree(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")


def found(folder: Path) -> list[str]:
    return [file.path for file in find_audio(folder)]


def test_audio_is_found_by_extension(tmp_path: Path) -> None:
    tree(
        tmp_path,
        "b/1.WAV",
        "a/2.flac",
        "a.b/3.Mp3",
        "a/2.txt",
        "4.wav.bak",
        "wav",
        "a/._2.flac",
        ".hidden/5.wav",
        ".6.wav",
    )
    tree(tmp_path, "folder.wav/7.ogg")
    assert found(tmp_path) == ["a.b/3.Mp3", "a/2.flac", "b/1.WAV", "folder.wav/7.ogg"]


def test_links_are_followed_but_loops_are_not(tmp_path: Path) -> None:
    tree(tmp_path, "corpus/1.wav", "elsewhere/2.wav", "elsewhere/3.wav")
    corpus = tmp_path / "corpus"
    for link, target in (
        ("more", tmp_path / "elsewhere"),
        ("loop", corpus),
        ("up", tmp_path),
        ("self.wav", "self.wav"),
    ):
        (corpus / link).symlink_to(target)
    (corpus / "4.wav").symlink_to(tmp_path / "elsewhere/3.wav")
    (corpus / "gone.wav").symlink_to("nowhere.wav")
    files = {file.path: file for file in find_audio(corpus)}
    assert {"1.wav", "4.wav", "gone.wav", "self.wav"} <= set(files)
    assert sorted(path.rpartition("/")[2] for path in files).count("2.wav") == 1
    assert files["gone.wav"][1:] == files["self.wav"][1:] == (-1, 0, 0)


@pytest.mark.parametrize(
    "where, problem",
    [
        ("gone", r"gone is not a folder\n  mend: give the folder that holds the corpus, as in emodb=FOLDER"),
        ("corpus/1.wav", r"1\.wav is not a folder"),
        (
            "empty",
            r"empty holds no audio \(aif, aifc, .*\)\n  mend: give the folder that holds the corpus's recordings",
        ),
    ],
)
def test_folders_that_are_wrong(tmp_path: Path, where: str, problem: str) -> None:
    tree(tmp_path, "corpus/1.wav", "empty/readme.txt")
    with pytest.raises(EmosetError, match=problem):
        find_audio(tmp_path / where)


def test_a_folder_that_may_not_be_read_is_not_passed_over(tmp_path: Path, monkeypatch: Any) -> None:
    tree(tmp_path, "a/1.wav", "b/2.wav")
    scandir = os.scandir

    def forbidden(path: Any) -> Any:
        if str(path).endswith("b"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(EmosetError, match=r"b cannot be read \(Permission denied\)\n  mend: change its permissions"):
        find_audio(tmp_path)
