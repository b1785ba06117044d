"""Nonsense from outside: whatever is in a file or on the command line, there is an answer and no file goes astray.

Each example ends with exit code 0, 1 or 2 and words; never with a traceback or a fault of ours, never after more than
`_LIMIT_S`, and never with a file outside the workspace. ``EMOSET_FUZZ=50`` tries so many times more;
`benchmarks/fuzz.py` does and prints what came out.
"""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import struct
import threading
from collections import Counter
from pathlib import Path

import pytest
import soundfile
import typer
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from emoset_cli import audio, files, runs
from emoset_cli.cli.main import app, main
from emoset_cli.errors import EmosetError

pytestmark = pytest.mark.slow

TIMES = int(os.environ.get("EMOSET_FUZZ", "1"))
COUNTS = os.environ.get("EMOSET_FUZZ_COUNTS", "")  # a file for the counts
_LIMIT_S = 60  # of one example; a busy machine included
outcomes: Counter[tuple[str, str]] = Counter()
faults: dict[str, str] = {}  # the last line of what is wrong -> all of it; only with counts, else it fails at once


class HangError(BaseException):
    """An example that takes too long; no Exception, so that nothing of ours takes it for its own."""


def fuzzed(examples):
    return settings(
        max_examples=examples * TIMES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True,
        phases=(Phase.explicit, Phase.reuse, Phase.generate),
    )  # fmt: skip


@contextlib.contextmanager
def limited():
    """Raise `HangError` in what takes too long, where the system can."""
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(*_):
        raise HangError

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, _LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def said(area, *words, forged=False):
    """What a command line answers; it must be fit for a user. Where files were forged a fault in one line is too."""
    out, err = io.StringIO(), io.StringIO()
    with limited(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in words])
    out, err = out.getvalue(), err.getvalue()
    well = code in (0, 1, 2) and "Traceback" not in out + err and "a fault of emoset" not in err
    if forged and re.search(r"^error: .*\n  mend: this is a fault of emoset", err, re.MULTILINE) and code == 1:
        outcomes[area, "exit 1, forged files told as a fault"] += 1
        return code, out, err
    if code == 1:
        well = well and bool(out or re.search(r"^error: \S(?:.|\n)*^  mend: \S", err, re.MULTILINE))
    if code == 2:
        well = well and bool(err)
    told = f"emoset {' '.join(map(str, words))}\n{out[-800:]}{err[-2000:]}"
    assert well or COUNTS, told
    if not well:
        faults.setdefault(" ".join(err.strip().splitlines()[-2:-1]) + f" exit {code}", told)
    outcomes[area, f"exit {code}" if well else "FAULT"] += 1
    return code, out, err


def outside(folder):
    """Every file of a folder by size and time: what must not change."""
    return {path: path.stat()[6:9:2] for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module", autouse=True)
def told():
    yield
    if COUNTS:
        found = {}
        for (area, outcome), count in outcomes.items():
            found.setdefault(area, {})[outcome] = count
        Path(COUNTS).write_text(json.dumps({"outcomes": found, "faults": list(faults.values())}), "utf-8")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder to go wild in, in which commands run: nothing but what is named may appear in it."""
    folder = tmp_path_factory.mktemp("fuzz")
    before, home = Path.cwd(), os.environ.get("HOME")
    os.chdir(folder)
    os.environ["HOME"] = str(folder)
    yield folder
    os.chdir(before)
    if home is not None:
        os.environ["HOME"] = home


# ---------------- bytes


NUMBERS = st.sampled_from([0, 1, 2, 3, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFF0000])


@st.composite
def broken(draw, wholes):
    """One of some whole files, with a few things done to it."""
    raw = bytearray(draw(st.sampled_from(wholes)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, min(len(raw), 200))) if draw(st.booleans()) else draw(st.integers(0, len(raw)))
        how = draw(st.sampled_from(["cut", "number", "byte", "insert", "drop", "double"]))
        if how == "cut":
            del raw[at:]
        elif how == "number":
            raw[at : at + 4] = struct.pack(draw(st.sampled_from("<>")) + "I", draw(NUMBERS))
        elif how == "byte":
            raw[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif how == "insert":
            raw[at:at] = draw(st.binary(max_size=40))
        elif how == "drop":
            del raw[at : at + draw(st.integers(1, 40))]
        else:
            raw[at:at] = raw[at : at + 100]
    return bytes(raw)


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """A second of noise in each format, short enough to be broken at any place."""
    import numpy as np

    folder = tmp_path_factory.mktemp("sounds")
    noise = np.random.default_rng(0).normal(0, 0.1, (3000, 2))
    found = []
    for name, rate, kind in (("a.wav", 16000, None), ("b.wav", 44100, "FLOAT"), ("c.wav", 8000, "PCM_U8"),
                             ("d.flac", 16000, None), ("e.ogg", 22050, None), ("f.mp3", 16000, None),
                             ("g.aiff", 16000, None), ("h.au", 16000, "ULAW"), ("i.w64", 16000, None)):  # fmt: skip
        try:
            soundfile.write(folder / name, noise, rate, kind)
        except (ValueError, soundfile.SoundFileError):  # an old libsndfile
            continue
        found.append((folder / name).read_bytes())
    return found


def heard(place, raw):
    """What `audio.read` says of some bytes, and how many samples it hands over."""
    path = place / "sound.wav"
    path.write_bytes(raw)
    count = 0

    def add(block):
        nonlocal count
        count += len(block)

    with limited():
        condition = audio.read(path, add)
    path.unlink()
    return condition, count


def test_any_bytes_are_a_recording_or_a_reason(place, sounds):
    @fuzzed(60)
    @given(st.one_of(st.binary(max_size=300), broken(sounds), broken(sounds)))
    def check(raw):
        condition, count = heard(place, raw)
        assert condition.failure or condition.samples == count > 0
        assert count < 200 * max(len(raw), 1)
        outcomes["audio", "refused" if condition.failure else "read"] += 1

    check()


def riff(promised, raw=bytes(3200)):
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", promised, b"WAVE", b"fmt ", 16, 1, 1, 16000, 32000, 2, 16)
    return head + struct.pack("<4sI", b"data", promised) + raw


@pytest.mark.parametrize("promised", [2_000_000_000, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFF0, 0])
def test_a_header_that_promises_gigabytes_is_read_for_what_there_is(place, promised):
    condition, count = heard(place, riff(promised))
    assert count in {0, 1600}
    assert bool(condition.failure) == (count == 0)


def test_a_corpus_of_nonsense_is_prepared_and_every_recording_accounted_for(place, small, sounds):
    good = min((small / "recordings").rglob("*_p*"))
    grammar = re.sub(r"p\d+", "p{}", good.relative_to(small / "recordings").as_posix())
    source, workspace = place / "corpus", place / "prepared"

    @fuzzed(6)
    @given(st.lists(broken([*sounds, good.read_bytes()]), min_size=1, max_size=4))
    def check(raws):
        shutil.rmtree(source, ignore_errors=True)
        for number, raw in enumerate(raws, start=1):
            path = source / grammar.format(f"{number:02}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(raw)
        before = outside(source)
        code, out, _ = said("corpus", "prepare", f"demo-cora={source}", "-d", workspace, "--json", "-q")
        if code == 0:
            (corpus,) = json.loads(out)["corpora"]
            assert corpus["utterances"] + corpus["left_out"] >= len(raws)
        assert outside(source) == before
        assert {path.name for path in place.iterdir()} <= {"corpus", "prepared"}

    check()
    shutil.rmtree(source)
    shutil.rmtree(workspace, ignore_errors=True)


# ---------------- text: registry, plans, tables


WORDS = st.sampled_from(
    ["emodb", "demo-cora", "label", "speaker", "path", "labels", "language", "deu", "train", "svm", "cnn", "space",
     "choice", "runs", "corpora", "tables", "file", "anger", "joy", "../../out", "/etc/passwd", "~", "(?P<label>.)",
     "(?P<speaker>a+)+$", "(", "\\", "{", "[", "é", "\u202e", "", " ", "no", "null", ".nan", "1e999", "0x1F",
     "2020-01-01", "&a", "*a", "!!python/object/apply:os.system [touch out]", "<<", "|", ">", "- ", "? ", "\t",
     "\x00", "\ufeff", "%"]
)  # fmt: skip
LEAVES = st.one_of(
    WORDS, st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.none(), st.dates(), st.binary(max_size=4)
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.one_of(WORDS, LEAVES), inner, max_size=4),
    max_leaves=12,
)
ENTRY = {
    "name": "Mine", "language": "deu", "path": "(?P<label>[a-z]+)/(?P<speaker>[a-z]+)", "labels": {"a": "anger"},
    "tables": {"t": {"file": "t.csv", "key": "name", "columns": {"label": "emotion"}}},
    "partitions": {"p": {"by": "speaker", "train": ["a"], "devel": ["b"], "test": ["c"]}}, "count": {"utterances": 5},
}  # fmt: skip
SEARCH = {"train": "svm", "options": {"feature": "egemaps"}, "space": {"normalise": {"choice": ["train", "corpus"]}},
          "search": {"sampler": "grid", "trials": 3}}  # fmt: skip
PLAN = {"corpora": ["demo-cora"], "runs": {"mine": {"train": "svm", "over": "each"}}}


@st.composite
def changed(draw, whole):
    """A tree like the one given: somewhere a part is replaced, dropped, or put under another name."""
    if not isinstance(whole, dict | list) or draw(st.integers(0, 3)) == 0:
        return draw(TREES) if draw(st.booleans()) else whole
    if isinstance(whole, list):
        return [draw(changed(part)) for part in whole]
    tree = dict(whole)
    key = draw(st.sampled_from(list(tree)))
    value = tree.pop(key)
    how = draw(st.integers(0, 5))
    if how:
        tree[draw(st.one_of(WORDS, LEAVES)) if how == 1 else key] = draw(changed(value))
    return tree


def dumped(tree):
    try:
        return yaml.dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass")
    except (ValueError, TypeError, yaml.YAMLError):  # a key of bytes beside one of text cannot be sorted
        return repr(tree).encode("utf-8", "surrogatepass")


def texts(example):
    """Bytes of a YAML file: a valid one changed as a tree or as bytes, words in a row, anything."""
    trees = changed(example).map(dumped)
    rows = st.lists(WORDS | st.sampled_from([": ", "\n", "\n  ", ", "]), max_size=20).map(
        lambda words: "".join(words).encode("utf-8", "surrogatepass")
    )
    return st.one_of(trees, trees, trees, broken([dumped(example)]), rows, st.binary(max_size=60))


@pytest.mark.parametrize(
    ("area", "example", "words"),
    [
        ("registry", {"mine": ENTRY}, ["corpora", "list", "--registry", "{}"]),
        ("label spaces", {"mine": {"map": {"calm": ["boredom"]}, "source": "me"}}, ["corpora", "spaces", "-d", "{w}"]),
        ("search plan", SEARCH, ["search", "{}", "--dry-run", "-d", "{w}"]),
        ("run plan", PLAN, ["run", "{}", "--dry-run", "-d", "{w}"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_any_yaml_is_read_or_refused(place, small, area, example, words):
    workspace = place / "w"
    shutil.copytree(small / "w", workspace)
    file = workspace / "label_spaces.yaml" if area == "label spaces" else place / "file.yaml"

    @fuzzed(25)
    @given(texts(example))
    def check(raw):
        file.write_bytes(raw)
        said(area, *(word.format(file, w=workspace) for word in words))
        assert {path.name for path in place.iterdir()} <= {"w", "file.yaml"}

    check()
    shutil.rmtree(workspace)
    (place / "file.yaml").unlink(missing_ok=True)


CELLS = st.one_of(
    WORDS, st.sampled_from(["train", "devel", "test", "1", "-1", "nan", "1e9", '"', "'", ";", "a.wav", "../a.wav"]),
    st.text(max_size=5),
)  # fmt: skip


@st.composite
def tables(draw, columns, cells):
    """Bytes of a CSV file with some of these columns."""
    heads = draw(st.lists(st.sampled_from(columns) | CELLS, min_size=1, max_size=6))
    rows = draw(st.lists(st.lists(cells | CELLS, max_size=7), max_size=6))
    between = draw(st.sampled_from([",", ",", ";", "\t"]))
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join(between.join(row) for row in [heads, *rows])
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "utf-16", "latin-1"])), "replace")


LISTED = b"file,label,speaker,gender,start,end,split\na.wav,joy,1,female,0,1.5,train\nb.wav,anger,2,male,0,2,test\n"


def test_any_table_is_imported_or_refused(place):
    columns = ["file", "label", "speaker", "gender", "language", "start", "end", "split", "age", "text"]
    cells = st.sampled_from(["a.wav", "b.wav", "joy", "anger", "1", "2", "0.5", "deu", "train", "test", "female"])
    workspace, file = place / "w", place / "list.csv"

    @fuzzed(25)
    @given(st.one_of(tables(columns, cells), broken([LISTED]), broken([LISTED]), st.binary(max_size=100)))
    def check(raw):
        shutil.rmtree(workspace, ignore_errors=True)
        file.write_bytes(raw)
        said("table", "corpora", "import", "mine", file, "--language", "deu", "-d", workspace)
        assert {path.name for path in place.iterdir()} <= {"w", "list.csv"}

    check()
    shutil.rmtree(workspace, ignore_errors=True)
    file.unlink()


def test_any_partition_is_used_or_refused(place, small):
    who = (small / "w" / "corpora" / "demo-cora" / "partition.csv").read_bytes()
    names = [line.split(",")[1] for line in who.decode("utf-8").splitlines()[1:7]]
    cells = st.sampled_from([*names, "train", "devel", "test", ""])
    file = place / "who.csv"

    @fuzzed(15)
    @given(st.one_of(tables(["utterance", "partition", "1", "corpus"], cells), broken([who]), st.binary(max_size=100)))
    def check(raw):
        file.write_bytes(raw)
        said("partition", "corpora", "leaks", "demo-cora", "--partition", file, "-d", small / "w")

    check()
    file.unlink()


# ---------------- runs


@pytest.fixture(scope="module")
def network(small, tmp_path_factory):
    """The workspace `small` with a tiny network."""
    folder = shutil.copytree(small / "w", tmp_path_factory.mktemp("network") / "w")
    tiny = ["-nf", "2", "-N", "1", "-nm", "16", "-w", "0.5", "--preset", "quick", "-e", "1", "-p", "1", "-bs", "8"]
    words = ["train", "cnn", "-t", "demo-cora", *tiny, "--precision", "fp32", "--workers", "1", "-d", str(folder), "-q"]
    assert main(words) == 0
    return folder


def signed(folder):
    """Let ``done.json`` agree with what lies there now, as one who means ill would."""
    done = {path.name: files.digest(path.read_bytes()) for path in folder.glob("*.csv")}
    done["config.yaml"] = files.digest((folder / "config.yaml").read_bytes())
    (folder / "done.json").write_text(json.dumps(done | {"rows": 1}), "utf-8")


@pytest.mark.parametrize("name", ["config.yaml", "done.json", "model.json", "predictions.csv", "history.csv"])
def test_any_run_is_read_or_refused(place, network, name):
    whole = runs.find_run(network, "demo-cora_cnn").folder
    workspace = place / "w"
    folder = workspace / "runs" / whole.name
    raw = (whole / name).read_bytes()
    tree = yaml.safe_load(raw) if name.endswith(("yaml", "json")) else None

    def made(changed_tree):
        try:
            return json.dumps(changed_tree, default=str).encode("utf-8", "surrogatepass")
        except TypeError:  # a key of bytes
            return dumped(changed_tree)

    trees = changed(tree).map(made if name.endswith("json") else dumped) if tree is not None else broken([raw])

    @fuzzed(4)
    @given(st.one_of(trees, trees, broken([raw])), st.booleans())
    def check(new, agreed):
        shutil.rmtree(workspace, ignore_errors=True)
        shutil.copytree(network / "corpora", workspace / "corpora", copy_function=os.link)
        shutil.copytree(whole, folder)
        (folder / name).write_bytes(new)
        if agreed and name != "done.json":
            signed(folder)
        for words in (["runs", "list"], ["runs", "show", folder.name], ["doctor"],
                      ["evaluate", folder.name, "-o", workspace / "report"],
                      ["probe", folder.name, "--attributes", "label"]):  # fmt: skip
            said("run", *words, "-d", workspace, forged=agreed)
        assert {path.name for path in place.iterdir()} <= {"w"}

    check()
    shutil.rmtree(workspace, ignore_errors=True)


def header(text, body=b"", size=None):
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return struct.pack("<Q", len(raw) if size is None else size) + raw + body


HEADERS = st.one_of(
    st.binary(max_size=60),
    st.builds(header, st.text(max_size=30), st.binary(max_size=30),
              st.none() | st.sampled_from([0, 8, 100, 2**31, 2**63 - 1, 2**64 - 1])),
    st.builds(
        lambda tree, body: header(json.dumps(tree), body),
        st.dictionaries(
            st.sampled_from(["a", "../../out", "__metadata__", "/etc/passwd", ""]),
            st.fixed_dictionaries(
                {},
                optional={"dtype": st.sampled_from(["F32", "F64", "X", 1]), "shape": st.lists(st.integers(-1, 2**40)),
                          "data_offsets": st.lists(st.integers(-1, 2**63), max_size=3), "emoset": st.text(max_size=5)},
            ),
            max_size=3,
        ),
        st.binary(max_size=30),
    ),
)  # fmt: skip


def test_any_weights_are_loaded_or_refused(place, network):
    from emoset_cli.train.deep.use import open_network

    workspace = shutil.copytree(network, place / "w")
    run = runs.find_run(workspace, "demo-cora_cnn")
    weights = run.folder / "model.safetensors"
    raw = weights.read_bytes()

    @fuzzed(30)
    @given(st.one_of(HEADERS, HEADERS, broken([raw])))
    def check(new):
        weights.write_bytes(new)
        try:
            with limited():
                open_network(run, "1", "cpu")
        except EmosetError:
            outcomes["weights", "refused"] += 1
        else:
            outcomes["weights", "loaded"] += 1
        assert {path.name for path in place.iterdir()} == {"w"}

    check()
    shutil.rmtree(workspace)


# ---------------- command lines


def leaves(group, path=()):
    for name, command in group.commands.items():
        yield from leaves(command, (*path, name)) if hasattr(command, "commands") else [((*path, name), command)]


COMMANDS = {" ".join(path): command for path, command in leaves(typer.main.get_command(app)) if path != ("demo",)}
VALUES = st.one_of(
    st.sampled_from([
        "", "0", "1", "-1", "3", "0.5", "nan", "inf", "1e400", "99999999999999999999", "x", "--", "-", "=", "a=b", ",",
        "emodb", "demo-cora", "demo-cora,demo-cora", "demo-cora=corpus", "demo-cora_svm", "demo-cora_svm:final",
        ":final", "own", "common", "arousal", "loso", "losgo:99", "speakers:1/1/1", "folds:0", "lolo:", "egemaps",
        "svm-features", "zhu2020", "none", "missing/folder", "corpus", "\u202e", "é", "\x00", "*", "(",
        "cpu", "fp32",
    ]),
    st.text(max_size=6).filter(lambda text: not re.search(r"^[-~]|[/\\:]|\.\.", text)),  # names no place outside
)  # fmt: skip
# What keeps an example short: these commands would else train, extract or measure for minutes.
LEASHED = {"run": ["--limit", "0"], "search": ["--dry-run"], "doctor": ["--no-benchmark"]}
EMPTY = (
    "train ",
    "extract",
    "transfer",
    "table",
    "probe",
    "plot ",
    "evaluate",
    "compare",
    "predict",
    "explain",
    "run ",
)


@st.composite
def command_lines(draw):
    """A command, and some of its own options and arguments with values that may or may not fit."""
    name = draw(st.sampled_from(sorted(COMMANDS)))
    words = []
    for parameter in COMMANDS[name].params:
        if parameter.name in {"help", "workspace"} or draw(st.integers(0, 3)):
            continue
        options = [word for word in [*parameter.opts, *parameter.secondary_opts] if word.startswith("-")]
        if options:
            words.append(draw(st.sampled_from(options)))
        if not getattr(parameter, "is_flag", False):
            words.append(draw(VALUES))
    if draw(st.integers(0, 2)) == 0:
        words.insert(draw(st.integers(0, len(words))), draw(VALUES))
    return name, words


def test_any_command_line_has_an_answer(place, small):
    full, empty = place / "w", place / "empty"

    @fuzzed(80)
    @given(command_lines())
    def check(line):
        name, words = line
        bare = f"{name} ".startswith(EMPTY)  # no data for these
        shutil.rmtree(empty, ignore_errors=True)
        if not bare and not full.exists():
            shutil.copytree(small / "w", full)
        before = outside(small)
        said("command line", *name.split(), *LEASHED.get(name, []), *words, "-d", empty if bare else full)
        assert outside(small) == before
        for path in place.iterdir():  # the folder of --out and the like, as asked
            if path.name not in {"w", "empty"}:
                assert any(path.name in word for word in words), (path, line)
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    check()
    for folder in (full, empty):
        shutil.rmtree(folder, ignore_errors=True)
