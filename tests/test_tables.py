"""Tables and expressions that are wrong: each ends in one error that names the file and what to do, in bounded time."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emoset_cli.bounded import searcher
from emoset_cli.corpora import Corpus, Table, load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.manifest import KEPT, LEFT_OUT, Manifest, find_audio, read_names
from emoset_cli.prepare import prepare_corpus
from emoset_cli.store import SourceFile
from emoset_cli.tables import READERS, find_tables, read_records
from emoset_cli.templates import filler, names_in

ENTRY = r"""
mine:
  language: deu
  path: '(?:^|/)(?P<speaker>s\d+)_(?P<number>\d+)$'
  labels: {joy: happiness, fear: fear}
  tables: {labels: {TABLE}}
"""
CSV = "file: labels.csv, key: name, columns: {label: emotion, arousal: act}"


@pytest.fixture
def entry(tmp_path: Path) -> Callable[[str], Corpus]:
    def load(table: str = CSV, more: str = "") -> Corpus:
        (tmp_path / "own.yaml").write_text(ENTRY.replace("TABLE", table) + more, encoding="utf-8")
        return load_corpora(tmp_path / "own.yaml")["mine"]

    return load


def names(corpus: Corpus, folder: Path, *paths: str) -> Manifest:
    return read_names(corpus, folder, [SourceFile(path, 1, 1, 1) for path in paths or ("s1_1.wav", "s2_1.wav")])


def test_templates() -> None:
    assert names_in("Ses{a}_{b.c}!") == ("a", "b.c") and names_in("plain") == ()
    assert filler("{{{a}}}-{none}")({"a": "x"}) == "{x}-"
    for wrong in ("{a:03}", "{a!r}"):
        with pytest.raises(ValueError, match="is to stand alone in its braces"):
            names_in(wrong)


GOOD = "name,emotion,act\ns1_1,joy,1.5\ns2_1,fear,2\n"


def test_byte_order_mark_other_line_ends_and_trailing_separators(entry: Callable, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", ",\r\n").encode())
    assert [row["arousal"] for row in names(entry(), tmp_path).rows] == [1.5, 2.0]


JSON = CSV.replace("labels.csv", "l.json")
JSONL = CSV.replace("labels.csv", "l.jsonl")
XLSX = CSV.replace("labels.csv", "l.xlsx")
LINES = "file: l.txt, format: lines, key: name, columns: {label: emotion}"
LINES += r", line: '^(?P<name>(?:\w|\w\w)+) (?P<emotion>\w+)$'"
SEMICOLONS = GOOD.replace(",", ";")
BROKEN = [
    (CSV, "name,emotion\ns1_1,joy\n", r"csv has no column act \(it has name, emotion\)", "correct `tables` of mine"),
    (CSV, SEMICOLONS, r"csv has no column name, emotion, act \(it has name;", 'it looks separated by ";"'),
    (CSV, "", r"csv has no column name, emotion, act \(it is empty\)", "correct `tables`"),
    (CSV, "name,emotion,act\n\n , ,\n", "csv holds no rows", "get it again"),
    (CSV, "name,emotion,act,act\ns1_1,joy,1,2\n", "csv has two columns 'act'", "rename one of the two"),
    (CSV, GOOD + "s3_1,joy\n", "csv, line 4: 2 cells under 3 columns", "complete this line, or quote"),
    (CSV, GOOD + "s3_1,joy,1,what, this\n", "csv, line 4: 5 cells under 3 columns", "or quote what holds"),
    (CSV, GOOD + 's3_1,joy,"1\ns4_1,joy,2\n', r"as utf-8 \(unexpected end of data, line 5", "mend the quotes"),
    (CSV, GOOD + 's3_1,joy,"a"b\n', r"as utf-8 \(',' expected after '\"', line 4", "inside a quoted cell is doubled"),
    (CSV, GOOD + "s2_1,joy,2\n", "csv lists 's2_1' twice, with different values", "remove one of the two lines"),
    (CSV, "name,emotion,act\nt_1,joy,1\nt_2.wav,joy,1\n", "csv names none of the recordings: it has 't_1' and 't_2' "
     "as `key`, they have 's1_1' and 's2_1' as `match`", "correct `key` or `match` of `tables` of mine"),
    (CSV, GOOD.encode() + b"s2_1,f\xe4r,2\n", r"as utf-8 \(line 4: invalid cont", "`encoding` in `tables` of mine"),
    (CSV, GOOD.encode("utf-16"), r"as utf-8 \(line 1: invalid start byte", "correct `encoding`"),
    (CSV + ", encoding: latin-1", GOOD.encode("utf-16"), r"as latin-1 \(it holds NUL", "say `encoding: utf-16`"),
    (CSV + ", encoding: utf-16", b"\xff\xfea", r"as utf-16 \(line 1: truncated data", "correct `encoding`"),
    (CSV + ", encoding: hex", "00", r"as hex \('hex' is not a text encoding", "correct `encoding`"),
    (CSV, GOOD + "s3_1,joy,high\n", "csv holds 'high' in column act, where numbers are", "are no `dimensions`"),
    (JSON, "{", "l.json:1 is not valid JSON", "correct or export it anew"),
    (JSON, '{"a": {"x": 1}, "a": {"x": 2}}', "json lists 'a' twice, with different values", "remove one"),
    (JSON, '"x"', "json holds 'x' where records are expected", "correct `tables`"),
    (JSON, "[1]", "json holds '1' where a record is expected", "correct `tables`"),
    (JSON, "[]", r"json has no column name, emotion, act \(it is empty\)", "correct"),
    (JSON, "[" * 100_000, "json is nested too deeply", "correct"),
    (JSON + ", records: a.b", '{"a": {"c": 1, "d": 2}}', r"has no 'b' where `records` looks .* \(it has c, d\)", ""),
    (JSON + ", records: a.b", '{"a": []}', r"has no 'b' where `records` looks for it \(it has \[\]\)", "correct"),
    (JSONL, '{"name": "s1_1"}\n{"name"\n', "l.jsonl:2 is not valid JSON", "correct or remove this line"),
    (JSONL, "[1]\n", "l.jsonl:1 holds no object", "write each line as"),
    (XLSX, "name,emotion", "l.xlsx is not a sound XLSX file", "save it anew as XLSX, or as CSV"),
    (XLSX, b"PK\x05\x06" + b"\0" * 18, "l.xlsx is not a sound XLSX file", "save it anew"),
    (LINES, "one\ntwo three four\n", r"no line of .*l.txt fits .* \(it holds: one / two three four\)", "correct"),
    (LINES, "a" * 60 + " joy!\n", r"`line`, to `tables` of mine .* does not come to an end on 'aaa", "no repet"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "content", "problem", "mend"), BROKEN)
def test_broken_tables(entry: Callable, tmp_path: Path, table: str, content: Any, problem: str, mend: str) -> None:
    file = tmp_path / re.findall(r"file: (\S+),", table)[0]
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(EmosetError) as caught:
        names(entry(table, "  dimensions: [arousal]\n" if "arousal" in table else ""), tmp_path)
    assert re.search(problem, caught.value.problem) and re.search(mend, caught.value.mend), caught.value


def test_tables_that_may_not_be_read(entry: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "labels.csv").write_text(GOOD)

    def forbidden(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    corpus = entry()
    monkeypatch.setattr(Path, "read_bytes", forbidden)
    with pytest.raises(EmosetError, match=r"labels.csv cannot be read \(Permission denied\)\n  mend: let it be read"):
        names(corpus, tmp_path)


def test_a_required_table_that_is_missing(entry: Callable, tmp_path: Path) -> None:
    with pytest.raises(
        EmosetError, match=r"labels.csv, which gives label, arousal of mine, is not in .*\n  mend: copy it into"
    ):
        names(entry(), tmp_path)


def test_recordings_without_a_row_and_rows_without_a_recording(entry: Callable, tmp_path: Path) -> None:
    rows = "".join(f"s9_{number},joy,1\n" for number in range(1000))
    (tmp_path / "labels.csv").write_text(GOOD + rows + ",joy,1\n")
    manifest = names(entry(), tmp_path, "s1_1.wav", "s2_1.wav", "s3_1.wav")
    assert [row["label"] for row in manifest.rows] == ["happiness", "fear"]
    absent, summary, *few = sorted(manifest.problems, key=lambda problem: problem.problem)
    assert (absent.problem, absent.action, absent.path, absent.detail) == (
        "not in table", LEFT_OUT, "s3_1.wav", "labels.csv has no row for it",
    )  # fmt: skip
    assert summary.problem == "recording missing" and summary.detail.startswith("1001 recordings that")
    assert [problem.detail for problem in few] == [f"no recording fits 's9_{number}'" for number in range(5)]


def test_optional_tables_ask_for_nothing(tmp_path: Path) -> None:
    optional = CSV.replace("label: emotion, ", "mood: emotion, ")
    text = ENTRY.replace("TABLE", optional).replace(r"_(?P<number>\d+)", r"_(?P<number>\d+)_(?P<label>joy|fear)")
    (tmp_path / "own.yaml").write_text(text)
    mine = load_corpora(tmp_path / "own.yaml")["mine"]
    (tmp_path / "labels.csv").write_text("name,emotion,act\ns1_1_joy,a,1\ns9_9_joy,b,2\n")
    manifest = names(mine, tmp_path, "s1_1_joy.wav", "s2_1_joy.wav")
    assert manifest.problems == [] and [row["mood"] for row in manifest.rows] == ["a", None]
    (tmp_path / "own.yaml").write_text(text.replace("key: name", "key: name, optional: false"))
    manifest = names(load_corpora(tmp_path / "own.yaml")["mine"], tmp_path, "s1_1_joy.wav", "s2_1_joy.wav")
    assert sorted(problem.problem for problem in manifest.problems) == ["not in table", *["recording missing"] * 2]
    (tmp_path / "labels.csv").unlink()
    (found,) = names(mine, tmp_path, "s1_1_joy.wav").problems
    assert (found.problem, found.action) == ("table missing", KEPT)


def test_files_are_found_in_order_and_loops_end(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    for path in ("b/x.csv", "a/x.csv", "a/deep/y.csv", "a/.hidden.csv", "~$x.csv"):
        (corpus / path).parent.mkdir(parents=True, exist_ok=True)
        (corpus / path).touch()
    (corpus / "a" / "loop").symlink_to(corpus)
    (tmp_path / "above.csv").touch()
    shown = [path.relative_to(tmp_path).as_posix() for path in find_tables(corpus, "**/*.csv")]
    assert shown == ["corpus/a/deep/y.csv", "corpus/a/x.csv", "corpus/b/x.csv"]
    assert find_tables(corpus, "above.csv") == [tmp_path / "above.csv"]
    assert find_tables(corpus, "**/above.csv") == [] and find_tables(corpus, str(tmp_path / "none*.csv")) == []


SCHEMA = [
    ("file: a.ods, format: ods, key: k, columns: {label: e}", "format: 'ods' is no format of tables", "use csv, json"),
    (
        "file: a.csv, key: k, columns: {label: e}, sheet: x",
        "sheet: 'sheet' is of no use in a csv file",
        "'format: xlsx'",
    ),
    ("file: a.csv, key: k, columns: {label: e}, records: x", "'records' is of no use in a csv file", "'format: json'"),
    ("file: a.csv, key: k, columns: {label: e}, line: x", "'line' is of no use in a csv file", "'format: lines'"),
    ("file: a, format: lines, key: k, columns: {label: e}", "labels: 'line' is missing", "add 'line: ...'"),
    (
        "file: a, format: lines, line: '(', key: k, columns: {label: e}",
        "line: this regular expression does not",
        "correct",
    ),
    ("file: a, format: lines, line: '(?P<k>a)', key: k, columns: {label: e}", "no group 'e'", "known: k"),
    ("file: a, key: '{k', columns: {label: e}", "key: the template is not understood", "write it as in"),
    (
        "file: a, key: k, match: where, columns: {label: e}",
        "match: a recording has no 'where'",
        "known: id, number, path",
    ),
    ("file: a, key: k, match: '{x}', columns: {label: e}", "match: {x} names no group, column of", "known: id"),
    (
        "file: a, key: k, columns: {label: e, number: n}",
        "columns.number: there is a column 'number' already",
        "another",
    ),
    ("file: a, key: k, columns: {label: e, start_s: n}", "columns: start_s and end_s belong together", "give both"),
    ("file: a, key: k, columns: {label: e}, optional: 1", "optional: '1' stands where true or false", "write true"),
    ("file: a, key: k, columns: {mood: e}", "path: the expression has no group 'label'", "let a table or 'label: TEMP"),
]
MORE = [
    ("  speaker: '{who}'\n", r"speaker: {who} names no group of 'path' and no column", "known: label, number"),
    ("  speaker: someone\n", "speaker: the template names no column", "write it as in"),
    ("  ages: {s1: 300}\n", "ages.s1: 300 is no age in years", "give years, 1 to 120"),
    ("  citation: {title: A}\n", "citation: 'type' is missing", "use article, book"),
    ("  citation: {type: paper}\n", "citation.type: 'paper' is no type of BibTeX entry", "use article, book"),
    ("  dimensions: [valence]\n", r"dimensions\[0\]: there is no column 'valence'", "known: gender"),
    ("  shares_speakers: [emod]\n", r"shares_speakers\[0\]: there is no other corpus 'emod'", "did you mean 'emodb'"),
    ("  shares_speakers: [mine]\n", r"shares_speakers\[0\]: there is no other corpus 'mine'", "known:"),
    ("  language_codes: {en: eng}\n", "language_codes: the expression in 'path' has no group 'language'", "add"),
    ("  gender: {f: female}\n", "gender: the expression in 'path' has no group 'gender'", "add"),
    ("  subsets: {x: {label: {none_of: [joy]}}}\n", r"none_of\[0\]: 'joy' is no label of this corpus", "known: fear"),
    ("  id: '{speaker}_{row}'\n", "id: {row} names no column", "known: label, number"),
]  # fmt: skip


@pytest.mark.parametrize(
    "table, more, problem, mend",
    [(table, "", problem, mend) for table, problem, mend in SCHEMA]
    + [("file: a, key: k, columns: {label: e}", more, problem, mend) for more, problem, mend in MORE],
)
def test_mistakes_in_the_registry(entry: Callable, table: str, more: str, problem: str, mend: str) -> None:
    with pytest.raises(EmosetError) as caught:
        entry(table, more)
    assert re.search(r"own.yaml:\d+: mine\.?[^\n]*" + problem, str(caught.value)), caught.value
    assert re.search(mend, str(caught.value)), caught.value


def test_only_tables_and_several_cuts(tmp_path: Path) -> None:
    cut = "{file: a, key: k, columns: {label: e, start_s: s, end_s: t}}"
    for text, problem in (
        (f"tables: {{a: {cut}, b: {cut}}}", "tables: several tables hold start_s and end_s"),
        ("tables: {a: {file: a, key: k, columns: {mood: e}}}", "tables: neither 'path' nor a table gives the label"),
    ):
        (tmp_path / "own.yaml").write_text(f"mine: {{language: deu, {text}}}\n")
        with pytest.raises(EmosetError, match=problem):
            load_corpora(tmp_path / "own.yaml")


def test_facts_are_read(entry: Callable) -> None:
    mine = entry(
        CSV.replace(".csv", ".tsv"), "  ages: {s1: 31.5}\n  citation: {type: misc, year: 2005, pages: 10--12}\n"
    )
    assert mine.ages == {"s1": 31.5} and mine.citation == {"type": "misc", "year": "2005", "pages": "10--12"}
    assert mine.tables["labels"].separator == "\t" and mine.tables["labels"].required
    assert [load(name).format for name in ("a.json", "a.jsonl", "a.xlsx", "a.txt")] == ["json", "jsonl", "xlsx", "csv"]


def load(file: str) -> Table:
    from emoset_cli.corpora import _table

    return _table({"file": file})


@pytest.mark.parametrize("expression", [r"^(?P<a>(?:a|aa)+)$", r"(?P<a>(?:x+x+)+y)", r"^(?P<a>(?:\w+\s?)*)!$"])
def test_expressions_that_backtrack_for_ever_are_stopped(expression: str) -> None:
    search = searcher(expression, "`path` of mine", "correct it")
    start = time.process_time()
    try:
        search("aaxx" * 10 + "a" * 40 + "x" * 40)
    except EmosetError as error:
        assert re.match(r"`path` of mine does not come to an end on 'aaxx", error.problem)
        assert error.mend == "correct it: no repetition inside a repetition, as in (a+)+"
    assert time.process_time() - start < 5


def test_expressions_that_are_slow_on_every_name_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    from emoset_cli import bounded

    ticks = iter(range(10_000))
    monkeypatch.setattr(bounded, "process_time", lambda: float(next(ticks)))
    search = searcher("a", "`path` of mine", "correct it")
    with pytest.raises(EmosetError, match=r"`path` of mine takes too long: \d+ s for \d+ names: a"):
        for _ in range(10_000):
            search("b")


def test_an_endless_path_is_told_by_its_place(tmp_path: Path) -> None:
    text = "mine: {language: deu, path: '^(?P<speaker>(?:a|aa)+)_(?P<label>x)$', labels: {x: joy}}\n"
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(EmosetError, match=r"`path` of mine \(.*own.yaml, line 1\) does not come to an end on 'aaa"):
        names(load_corpora(tmp_path / "own.yaml")["mine"], tmp_path, "a" * 60 + ".wav")


BUILT_IN = load_corpora()


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("emodb", "wav/14b09Tbxx"), ("ravdess", "Actor_07/03-01-03-01-02-01-07"), ("emovo", "f1/dis-f1-b1"),
        ("urdu", "Angry/SM1_F10_A010"), ("crema-d", "1091_WSI_SAD_XX"), ("tess", "OA_bite_neutral"),
        ("savee", "AudioData/KL/sa15"), ("cafe", "Colère/Fort/01-C-2-3"), ("esd", "0001/Angry/train/0001_000351"),
        ("meld", "output_repeated_splits_test/dia0_utt1"), ("iemocap", "Ses01F_impro01_MXX0"),
    ],
)  # fmt: skip
def test_both_engines_read_the_grammars_alike(key: str, path: str) -> None:
    expression = BUILT_IN[key].path or ""
    ours, theirs = searcher(expression, "it", "mend")(path), re.search(expression, path)
    assert theirs and ours[0] == theirs[0] and ours.groupdict() == theirs.groupdict()


def test_both_engines_compile_every_grammar() -> None:
    for corpus in BUILT_IN.values():
        for expression in (corpus.path, *(table.line for table in corpus.tables.values())):
            searcher(expression or "", "it", "mend")("no such name")


def test_names_that_fit_nothing_are_told_in_short(tmp_path: Path, emoset: Callable) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(2_000):
        (folder / f"x{number}.wav").touch()
    answer = emoset("prepare", f"emodb={folder}", "-d", tmp_path / "w")
    assert answer.code == 1 and answer.out == "" and len(answer.err.splitlines()) == 2
    assert "fits emodb (grammar: (?:^|/)" in answer.err and "): x0.wav and x1.wav" in answer.err
    soundfile.write(folder / "03a01Fa.wav", np.random.default_rng(0).normal(0, 3000, 4000).astype(np.int16), 16000)
    answer = emoset("prepare", f"emodb={folder}", "-d", tmp_path / "w")
    assert answer.code == 0 and len(answer.err.splitlines()) < 20
    assert "problem: emodb: name not understood, 2000 left out; x0.wav: the name does not fit" in answer.err
    problems = (tmp_path / "w" / "corpora" / "emodb" / "problems.csv").read_text(encoding="utf-8")
    assert problems.count("name not understood") == 2_000


def test_what_is_wrong_with_all_names_is_told(entry: Callable, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for number in range(3):
        (folder / f"s1_{number}.wav").touch()
    (folder / "labels.csv").write_text("name,emotion,act\ns1_0,rage,1\ns1_1,rage,1\n")
    with pytest.raises(
        EmosetError, match=r"is usable: unknown label \(2\), not in table \(1\); s1_0.wav: label code 'rage'"
    ):
        prepare_corpus(entry(), folder, tmp_path / "w")


def test_links_that_go_round_end(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "03a01Fa.wav").touch()
    for link, target in (("a/b/up", tmp_path), ("a/b/self", tmp_path / "a" / "b"), ("c", tmp_path / "a")):
        (tmp_path / link).symlink_to(target)
    assert [file.path for file in find_audio(tmp_path)] == ["a/b/03a01Fa.wav"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=80)
    | st.text("name,emotion\n\"'{}[]:;\t0as_1", max_size=80).map(str.encode)
    | st.just(b"name,emotion\ns1_1,joy\n"),
    format=st.sampled_from(sorted(READERS)),
)
def test_any_bytes_end_in_records_or_an_error_of_ours(tmp_path: Path, content: bytes, format: str) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    table = Table(file="any", format=format, key="name", columns={"label": "emotion"}, line="(?P<name>.)(?P<emotion>.)")
    try:
        assert all(
            {"name", "emotion"} <= set(record) or format.startswith("json") for record in read_records(path, table, "x")
        )
    except EmosetError as error:
        assert str(path) in error.problem and error.mend
