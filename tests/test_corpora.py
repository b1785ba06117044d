"""The registry's files: merged over each other, each mistake told with its line and mend (entries: test_registry)."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emoset_cli.corpora import Corpus, Fold, Rule, get_corpus, load_corpora
from emoset_cli.errors import EmosetError

BUILT_IN = load_corpora()
REGISTRY = (Path(__file__).parent.parent / "corpora.yaml").read_text(encoding="utf-8")
DEFAULT_OF_EMODB = (
    REGISTRY[: REGISTRY.index("default_partition:", REGISTRY.index("\nemodb:"))].count("\n") + 1
)  # its line


def test_facts_of_the_papers():
    emodb, ravdess, esd = BUILT_IN["emodb"], BUILT_IN["ravdess"], BUILT_IN["esd"]
    assert emodb.partitions["alisamir2022"].folds == {"1": Fold(None, ("11", "13"), ("15", "16"))}
    assert ravdess.partitions["alisamir2022"].folds["1"].test == ("22", "23", "24")
    assert emodb.subsets == {"emonet494": {"recognised": Rule(min=80), "natural": Rule(min=60)}}
    assert emodb.tables["quality"].separator == "\t" and emodb.tables["quality"].decimal == ","
    assert emodb.label_names == ("anger", "boredom", "disgust", "fear", "happiness", "sadness", "neutral")
    folds = emodb.partitions["deep-wccn"].folds.values()
    assert sorted(speaker for fold in folds for speaker in fold.test) == sorted(emodb.genders)
    assert esd.partitions["official"].speakers_cross and esd.partitions["official"].by == {"1": "split"}
    assert esd.language_of("0001") == "cmn" and esd.language_of("0020") == "eng" and esd.language_of("0021") == ""
    mandarin = {speaker for speaker, language in esd.speaker_languages.items() if language == "cmn"}
    for fold in esd.partitions["deep-wccn"].folds.values():
        assert {*fold.train, *fold.devel, *fold.test} == mandarin


def test_loading_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys, time, emoset_cli.corpora as c; a = time.process_time(); c.load_corpora();"
        "assert time.process_time() - a < 0.2;"
        "assert not {'pandas', 'numpy', 'sklearn', 'torch'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_corpus():
    assert get_corpus(BUILT_IN, "emodb") is BUILT_IN["emodb"]
    with pytest.raises(EmosetError, match="unknown corpus 'emo-db'\n  mend: did you mean 'emodb'"):
        get_corpus(BUILT_IN, "emo-db")


MINE = """\
mine:
  language: deu
  path: '(?:^|/)(?P<speaker>s\\d)_(?P<label>[AB])$'
  labels: {A: anger, B: boredom}
  speakers:
    female: [s1, s2]
    male: [s3, s4]
"""


def load(tmp_path: Path, text: str | bytes) -> dict[str, Corpus]:
    file = tmp_path / "my.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_corpora(file)


def test_users_corpus_is_added(tmp_path):
    corpora = load(tmp_path, MINE)
    assert list(corpora) == [*BUILT_IN, "mine"]
    mine = corpora["mine"]
    assert mine.name == "mine" and mine.languages == ("deu",) and mine.licence is None and mine.partitions == {}
    assert mine.genders == {"s1": "female", "s2": "female", "s3": "male", "s4": "male"} and mine.count is None
    assert mine.where_defined == f"{tmp_path / 'my.yaml'}, line 1"


def test_users_fields_replace_built_in_ones_field_by_field(tmp_path):
    corpora = load(tmp_path, "emodb:\n  licence: mine\n  count: null\n  default_partition: audeering\n")
    emodb, before = corpora["emodb"], BUILT_IN["emodb"]
    assert (emodb.licence, emodb.count, emodb.default_partition) == ("mine", None, "audeering")
    assert (emodb.path, emodb.labels, emodb.partitions) == (before.path, before.labels, before.partitions)
    assert emodb.where_defined == f"{before.where_defined} and {tmp_path / 'my.yaml'}, line 1"
    assert corpora["ravdess"] == BUILT_IN["ravdess"]


def test_entry_with_every_optional_field(tmp_path):
    corpora = load(
        tmp_path,
        MINE.replace("deu", "{deu: [s1, s2], eng: [s3, s4]}")
        + "  tables: {extra: {file: a.csv, key: name, columns: {age: Age}}}\n"
        "  subsets: {old: {age: {min: 60.5, max: 90}, label: {any_of: [anger]}}}\n"
        "  partitions:\n"
        "    cv: {folds: {'1': {devel: [s1], test: [s2]}, '2': {test: [s1]}}, source: me}\n"
        "    cross: {train: [s1], devel: [s1], test: [s2], speakers_cross: true, source: me}\n"
        "  speaker_alias: {s9: s1}\n",
    )
    mine = corpora["mine"]
    assert mine.languages == ("deu", "eng") and mine.language_of("s3") == "eng"
    assert mine.subsets["old"] == {"age": Rule(60.5, 90.0), "label": Rule(any_of=("anger",))}
    assert (mine.tables["extra"].encoding, mine.tables["extra"].separator, mine.tables["extra"].decimal) == (
        "utf-8",
        ",",
        ".",
    )
    assert mine.partitions["cv"].folds == {"1": Fold(None, ("s1",), ("s2",)), "2": Fold(None, (), ("s1",))}


# What a user writes (appended to MINE unless it starts a file of its own), line, what the error says, how it is mended.
WHOLE = [
    ("mine:\n  language: deu\n  path: (?P<speaker>(?P<gender>[fm]).)(?P<label>b)\n  labels: {b: joy}\n", 3,
     "path: the codes of group 'gender' are not told", "add 'gender: {CODE: female"),
    ("", 1, "the file is empty", "write 'key: value' lines"),
    ("# nothing\n", 1, "the file is empty", "write 'key: value' lines"),
    ("- emodb\n", 1, "a list stands where a mapping is expected", "write 'key: value' lines"),
    ("emodb\n", 1, "'emodb' stands where a mapping is expected", "write 'key: value' lines"),
    ("mine:\n  labels: {A: anger\n", 3, "this is not valid YAML: while parsing a flow mapping", "indent, colon"),
    ("mine:\n\tlanguage: deu\n", 2, "this is not valid YAML: .*cannot start any token", "indent, colon, quotes"),
    ("mine:\n  language: deu\n---\nmine: {}\n", 3, "a second document begins", "remove the line '---'"),
    ("mine:\n  language: !!python/name:os.system deu\n", 2,
     "YAML tag tag:yaml.org,2002:python/name:os.system is not allowed", "remove the tag"),
    ("a: &x {language: deu}\nb: *x\n", 2, r"alias \*x is not used here", "write the value out"),
    ("mine: " + "[" * 200_000, 1, "nested more than 50 deep", "close the brackets"),
    (b"mine:\n  name: Kurzg\xe4\n", 2, "byte 0xe4 is not UTF-8", "save the file as UTF-8"),
    ("mine:\n  name: a\x01b\n", 2, "this is not valid YAML: .*control characters", "remove the character"),
    ("emodb:\n  licence: a\n  licence: b\n", 3, "emodb.licence: the key stands already on line 2", "remove one"),
    ("emodb: {}\nemodb: {}\n", 2, "emodb: the key stands already on line 1", "remove one of the two"),
    ("no: {}\n", 1, "key: no is true or false to YAML, not a text", "quote it: 'no'"),
    ("[a]: {}\n", 1, "key: a list stands where a text is expected", "write one text"),
    ("emodb:\n  lisence: a\n", 2, "emodb: unknown key 'lisence'", "did you mean 'licence'"),
    ("emodb: 3\n", 1, "emodb: '3' stands where a mapping is expected", "write 'key: value' lines"),
    ("Mine:\n  language: deu\n", 1, "'Mine' is no key of a corpus", "use a-z, 0-9 and -"),
    ("mine:\n  year: 2000\n", 1, "mine: 'language' is missing", "add 'language: ...' to the entry"),
    ("mine:\n  language: deu\n  path: (?P<speaker>a)(?P<label>b)\n", 1, "mine: 'labels' is missing", "add 'labels"),
    ("emodb:\n  partitions: null\n", DEFAULT_OF_EMODB, "there is no partition 'alisamir2022'", "known: none"),
]  # fmt: skip

APPENDED = [
    ("  year: MMV\n", "year: 'MMV' stands where a number is expected", "write it as in 535"),
    ("  year: 2_005\n", "year: '2_005' stands where a number is expected", "write it as in 535"),
    ("  nature: sung\n", "nature: 'sung' is no nature of speech", "use acted, elicited, natural, synthetic"),
    ("  licence: ''\n", "licence: the text is empty", "fill it in or remove the key"),
    ("  name:\n", "name: nothing stands where a text is expected", "fill it in or remove the key"),
    ("  name: [a]\n", "name: a list stands where a text is expected", "write one text"),
    ("  licence: 2005-01-01\n", "licence: 2005-01-01 is a date to YAML, not a text", "quote it: '2005-01-01'"),
    ("  notes: true\n", "notes: 'true' stands where a list is expected", r"write \[first, second\]"),
    ("  notes: []\n", "notes: the list is empty", "fill it in or remove the key"),
    ("  exclude: {1:30: broken}\n", "exclude: key: 1:30 is a number to YAML", "quote it: '1:30'"),
    ("  exclude: {~: broken}\n", "exclude: key: ~ is nothing", "quote it: '~'"),
    ("  exclude: {<<: broken}\n", "exclude: key: << is a merge key", "quote it: '<<'"),
    ("  speaker_alias: {s9: s8}\n", r"speaker_alias.s9: speaker 's8' is not in 'speakers'", "known: s1, s2, s3, s4"),
    ("  gender: {F: female}\n", "gender: the expression in 'path' has no group 'gender'", r"add \(\?P<gender>"),
    ("  where: {split: [train]}\n", "where.split: the expression in 'path' has no group 'split'", "known: label"),
    ("  id: '{spaeker}'\n", r"id: {spaeker} names no group of 'path'", "did you mean 'speaker'"),
    ("  id: '{speaker'\n", "id: the template is not understood", "write it as in"),
    ("  id: '{speaker.x}'\n", "id: {speaker.x} names no group", "known: label, speaker"),
    ("  id: all\n", "id: the template names no group: all utterances would be one", "write it as in"),
    ("  take: [speaker, word]\n", r"take\[1\]: there is no column 'word'", "known: gender, label, lang"),
    ("  tables: {t: {file: a.csv, key: k}}\n", "tables.t: 'columns' is missing", "add 'columns: ...' to the table"),
    ("  tables: {t: {file: a, key: k, columns: {b: c}, encoding: latin-x}}\n", "unknown encoding 'latin-x'", "utf-8"),
    ("  tables: {t: {file: a, key: k, columns: {b: c}, separator: ', '}}\n", "one character is expected", "write"),
    ("  tables: {t: {file: a, key: k, columns: {label: c}}}\n", "there is a column 'label' already", "another name"),
    ("  subsets: {best: {quality: {min: 3}}}\n", "subsets.best.quality: there is no column 'quality'", "known: gender"),
    ("  subsets: {best: {label: {any_of: [joy]}}}\n", r"any_of\[0\]: 'joy' is no label of this corpus", "known: anger"),
    ("  subsets: {best: {label: {}}}\n", "subsets.best.label: the rule is empty", "give min, max or any_of"),
    ("  subsets: {best: {text: {min: .inf}}}\n", "'.inf' stands where a number is expected", "as in 80 or 0.5"),
    ("  count: {labels: {anger: 1, joy: 2}}\n", "count.labels.joy: 'joy' is no label of this corpus", "known: anger"),
    ("  count: {utterances: 3, labels: {anger: 1, boredom: 1}}\n", "labels sum to 2, but 'utterances' is 3", "correct"),
    ("  count: {speakers: 3}\n", "count.speakers: 3 speakers are counted, but 'speakers' lists 4", "correct one"),
    ("  partitions: {p: {test: [s1]}}\n", "partitions.p: 'source' is missing", "say who published the partition"),
    ("  partitions: {p q: {test: [s1], source: me}}\n", "'p q' is no name", "use a-z, 0-9 and -"),
    ("  partitions: {p: {source: me}}\n", "partitions.p: 0 ways to divide are given", "give 'by' with 'values'"),
    ("  partitions: {p: {devel: [s1], source: me}}\n", "partitions.p: 'test' is missing", "name the test speakers"),
    ("  partitions: {p: {by: label, source: me}}\n", "'by' and 'values' belong together", "give both or none"),
    ("  partitions: {p: {by: x, values: {a: test}, source: me}}\n", "p.by: there is no column 'x'", "known: gender"),
    ("  partitions: {p: {by: label, values: {A: dev}, source: me}}\n", "'dev' is no partition", "use train, devel"),
    ("  partitions: {p: {test: [s1], labels: [joy], source: me}}\n", r"p.labels\[0\]: 'joy' is no label", "known:"),
    ("  partitions: {p: {test: [s5], source: me}}\n", r"p.test\[0\]: speaker 's5' is not in 'speakers'", "known: s1"),
    ("  partitions: {p: {devel: [s1], test: [s2, s1], source: me}}\n",
     r"p.test\[1\]: speaker 's1' stands already in 'devel': speakers never cross", "speakers_cross: true"),
    ("  partitions: {p: {folds: {'1': {train: [s1], test: [s1]}}, source: me}}\n",
     r"p.folds.1.test\[0\]: speaker 's1' stands already in 'train'", "speakers_cross: true"),
    ("  partitions: {p: {test: [s1, s1], speakers_cross: true, source: me}}\n",
     r"p.test\[1\]: speaker 's1' stands already in 'test'", "remove one"),
    ("  partitions: {p: {test: [s1], speakers_cross: yes, source: me}}\n", "'yes' stands where true or false", "write"),
    ("  default_partition: p\n", "default_partition: there is no partition 'p'", "known: none"),
]  # fmt: skip

CHANGED = [
    ("deu", "de", 2, "language: 'de' is no ISO 639-3 language code", "use the three letters of ISO 639-3"),
    ("deu", "{deu: [s1, s2, s3]}", 2, "language: speaker 's4' has no language", "add the speaker to a language"),
    ("deu", "{deu: [s1, s2, s3, s4, s5]}", 2, r"language.deu\[4\]: speaker 's5' is not in 'speakers'", "known: s1"),
    (r"s\d", r"(s\d", 3, "path: this regular expression does not compile: .*unterminated", "correct it"),
    (r"s\d", "[[s]", 3, "path: this regular expression does not compile: Possible nested set", "correct it"),
    (r"s\d", "s{99999999999999999999}", 3, "path: this regular expression does not compile", "correct it"),
    ("<label>", "<emotion>", 3, "path: the expression has no group 'label'", r"mark it .* as \(\?P<label>"),
    ("<speaker>", "<who>", 3, "path: the expression has no group 'speaker'", r"mark it in the expression"),
    ("_(?P<label>", "_(?P<audio>x)(?P<label>", 3, "group 'audio' has the name of a column", "give it another name"),
    ("$'", r"\.wav$'", 3, "path: a file extension stands here", "end the expression with"),
    ("[AB]", "[ABC]", 3, "path: 'C' of group 'label' is not in 'labels'", "add it to 'labels' or remove it"),
    ("[AB]", "A|B|CC", 3, "path: 'CC' of group 'label' is not in 'labels'", "add it to 'labels' or remove it"),
    ("[AB]", "A", 4, "labels.B: 'B' never occurs: group 'label' is A", "add it to 'path' or remove it"),
    ("_(?P<label>", "_(?P<gender>[FM])(?P<label>[AB])$'\n  gender: {F: woman, M: male}\n  id: '", 4,
     "gender.F: 'woman' is no gender here", "use female or male"),
    ("s1, s2", "s1, 03", 6, r"mine.speakers.female\[1\]: 03 is a number to YAML, not a text", "quote it: '03'"),
    ("s1, s2", "s1, 08", 6, r"mine.speakers.female\[1\]: 08 is a number to YAML, not a text", "quote it: '08'"),
    ("s1, s2", "s1, 1e-3", 6, r"female\[1\]: 1e-3 is a number to YAML, not a text", "quote it: '1e-3'"),
    ("s1, s2", "s1, on", 6, r"female\[1\]: on is true or false to YAML, not a text", "quote it: 'on'"),
    ("s1, s2", "s1, s3", 7, r"speakers.male\[0\]: speaker 's3' stands already in 'female'", "remove one"),
    ("female:", "femal:", 6, "speakers: unknown key 'femal'", "did you mean 'female'"),
    ("B: boredom", "no: boredom", 4, "labels: key: no is true or false to YAML", "quote it: 'no'"),
    ("B: boredom", "B: null", 4, "labels.B: null is nothing", "quote it: 'null'"),
]  # fmt: skip


def refused(tmp_path: Path, text: str | bytes, line: int, problem: str, mend: str) -> None:
    with pytest.raises(EmosetError) as caught:
        load(tmp_path, text)
    told = str(caught.value)
    file = "corpora.yaml" if line == DEFAULT_OF_EMODB else str(tmp_path / "my.yaml")
    assert re.search(f"{re.escape(file)}:{line}: [^\n]*{problem}", told), told
    assert re.search(mend, told), told
    assert told.count("\n  mend: ") == 1


@pytest.mark.parametrize(("text", "line", "problem", "mend"), WHOLE)
def test_mistake_in_a_file(tmp_path, text, line, problem, mend):
    refused(tmp_path, text, line, problem, mend)


@pytest.mark.parametrize(("text", "problem", "mend"), APPENDED)
def test_mistake_in_a_field(tmp_path, text, problem, mend):
    refused(tmp_path, MINE + text, 8, problem, mend)


@pytest.mark.parametrize(("old", "new", "line", "problem", "mend"), CHANGED)
def test_mistake_in_a_changed_line(tmp_path, old, new, line, problem, mend):
    assert MINE.count(old) >= 1
    refused(tmp_path, MINE.replace(old, new, 1), line, problem, mend)


def test_all_mistakes_of_a_file_are_told_at_once(tmp_path):
    with pytest.raises(EmosetError) as caught:
        load(tmp_path, MINE.replace("s1, s2", "01, 02") + "  lisence: free\n")
    told = str(caught.value).replace(str(tmp_path), "")
    assert told == (
        "3 mistakes in /my.yaml\n"
        "  /my.yaml:6: mine.speakers.female[0]: 01 is a number to YAML, not a text (quote it: '01')\n"
        "  /my.yaml:6: mine.speakers.female[1]: 02 is a number to YAML, not a text (quote it: '02')\n"
        "  /my.yaml:8: mine: unknown key 'lisence' (did you mean 'licence'? known: access, ages, citation, "
        "count, default_partition, dimensions, exclude, gender, id, label, labels, language, language_codes, "
        "levels, licence, name, nature, needs, notes, obtain, partitions, path, reference, shares_speakers, sources, "
        "speaker, speaker_alias, speakers, subsets, tables, take, where, year)\n"
        "  mend: correct these places of /my.yaml"
    )


def test_very_many_mistakes_are_cut(tmp_path):
    with pytest.raises(EmosetError, match=r"30 mistakes in .*\n(.*\n){20}  \.\.\. and 10 more\n"):
        load(tmp_path, "emodb:\n  notes: [" + "1, " * 29 + "1]\n")


def test_missing_file(tmp_path):
    with pytest.raises(
        EmosetError, match=r"my\.yaml cannot be read \(No such file or directory\)\n  mend: give the path"
    ):
        load_corpora(tmp_path / "my.yaml")
    with pytest.raises(EmosetError, match=r"cannot be read \(Is a directory\)"):
        load_corpora(tmp_path)


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where hundreds of user's files are merged over a registry of emodb alone, which is read quickly."""
    entries = re.split(r"(?m)^(?=[a-z0-9-]+:)", REGISTRY)
    (emodb,) = [entry for entry in entries if entry.startswith("emodb:")]
    (tmp_path / "corpora.yaml").write_text(emodb, "utf-8")
    monkeypatch.setattr("emoset_cli.corpora._builtin_file", lambda: tmp_path / "corpora.yaml")
    return tmp_path


KEYS = [
    "emodb",
    "mine",
    "language",
    "path",
    "labels",
    "speakers",
    "male",
    "partitions",
    "p",
    "test",
    "count",
    "deu",
    "s1",
    "'03'",
]
PIECES = st.lists(st.sampled_from([*KEYS, *":,-[]{}\n?'\"#&*!|>~", "03", "no", "\n  ", ": ", "\n    "]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(lambda t: t.encode("utf-8", "surrogatepass")),
                      PIECES.map(lambda parts: "".join(parts).encode())))  # fmt: skip
def test_any_bytes_end_in_corpora_or_an_error_of_ours(scratch, text):
    try:
        assert isinstance(load(scratch, text), dict)
    except EmosetError as error:
        assert error.mend and re.search(r"(my|corpora)\.yaml", error.problem)


VALUES = st.recursive(
    st.sampled_from(["s1", "'03'", "03", "no", "null", "''", "anger", "A", "'(?P<speaker>s)(?P<label>A)'", "1"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(st.sampled_from([*KEYS, "female", "devel", "source", "by"]), inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        ),
    ),
    max_leaves=8,
)
FIELDS = (
    "name language year path id labels speakers gender where tables subsets take count partitions default_partition"
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.dictionaries(st.sampled_from(FIELDS.split()), VALUES, max_size=4), key=st.sampled_from(["emodb", "mine"])
)
def test_any_values_end_in_corpora_or_an_error_of_ours(scratch, fields, key):
    text = f"{key}:\n  licence: x\n" + "".join(f"  {name}: {value}\n" for name, value in fields.items())
    try:
        assert key in load(scratch, text)
    except EmosetError as error:
        assert re.search(r"yaml:\d+: ", error.problem)


def test_a_prepared_corpus_needs_the_registry_with_its_entry(emoset, recordings, tmp_path):
    own, place = tmp_path / "own.yaml", tmp_path / "w"
    path = r"(?P<label>[a-z]+)/(?P<speaker>[a-z]+)_p\d+_v\d$"
    own.write_text(
        f"mine: {{name: m, language: qaa, path: '{path}', labels: {{angry: anger, happy: happiness, calm: calm}}}}"
    )
    assert emoset("prepare", f"mine={recordings['demo-cora']}", "--registry", own, "-d", place, "-q").code == 0
    answer = emoset("corpora", "aggregate", "--labels", "arousal", "-d", place)
    assert (answer.code, answer.out) == (1, "")
    assert "mine is prepared, but the registry has no entry for it" in answer.err
    assert "by --registry, or put it into the workspace as corpora.yaml" in answer.err
    assert emoset("corpora", "stats", "-d", place, "-o", tmp_path / "page").code == 0
    assert emoset("corpora", "leaks", "-d", place).code == 0
