"""The shell's side of every command: help, JSON, exit codes, errors in two lines, full disks and closed pipes."""

import errno
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from emoset_cli import __version__, files
from emoset_cli.cli.main import app, main

ARIA, CORA = "demo-aria", "demo-cora"
RUN = [sys.executable, "-c", "from emoset_cli.cli.main import main; main()"]
HEAVY = {
    "torch", "pandas", "sklearn", "opensmile", "numpy", "pyarrow", "soundfile", "soxr", "scipy", "statsmodels",
    "matplotlib", "joblib", "jinja2", "yaml", "safetensors", "torchaudio", "torchvision", "accelerate",
    "optuna", "umap", "transformers", "peft",
}  # fmt: skip


def commands(group=None, path=()):
    """(words, command) of every command and group below ``group``."""
    group = group or typer.main.get_command(app)
    yield list(path), group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, name))


ALL = list(commands())
LEAVES = [" ".join(words) for words, command in ALL if not hasattr(command, "commands")]


def snapshot(folder):
    """Every file below a folder: its path and what it holds."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def two_lines(err):
    """The last two lines of stderr must be a problem and its mend; answer them."""
    lines = err.rstrip("\n").split("\n")
    assert re.match(r"error: \S", lines[-2]), err
    assert re.match(r"  mend: \S", lines[-1]), err
    assert "Traceback" not in err
    return lines[-2].removeprefix("error: "), lines[-1].removeprefix("  mend: ")


# ---------------- help


def test_the_commands_are_those_of_the_design():
    assert {"prepare", "extract", "train svm", "train forest", "evaluate", "compare", "demo", "corpora list",
            "corpora show", "corpora check", "corpora stats"} <= set(LEAVES)  # fmt: skip


@pytest.mark.parametrize("words", [words for words, _ in ALL], ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_begins_with_what_it_does_and_ends_with_an_example(emoset, words, option):
    answer = emoset(*words, option)
    assert (answer.code, answer.err) == (0, "")
    assert "Usage: emoset" in answer.out
    assert re.search(rf"Example: emoset {' '.join(words)}", answer.out), answer.out


def test_help_loads_nothing_heavy():
    """All helps in one process: if none of them loads a heavy package, none is there at the end."""
    helps = [[*words, "--help"] for words, _ in ALL] + [["--version"]]
    code = (
        "import io, sys\nfrom emoset_cli.cli.main import main\nout, sys.stdout = sys.stdout, io.StringIO()\n"
        f"codes = [main(words) for words in {helps!r}]\nprint(codes, sorted(sys.modules), file=out, sep='\\n')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    codes, loaded = map(eval, done.stdout.splitlines())
    assert set(codes) == {0}
    assert set(loaded) & HEAVY == set()


def test_version(emoset):
    assert emoset("--version") == type(emoset("--version"))(0, f"emoset {__version__}\n", "")


@pytest.mark.parametrize("words", [[], ["train"], ["corpora"]], ids=" ".join)
def test_a_group_without_a_command_shows_its_help(emoset, words):
    answer = emoset(*words)
    assert "Usage: emoset" in answer.out + answer.err
    assert answer.code == 2


# ---------------------------------------------------------------- --json and --quiet

# A line that works for each command; {w} is the workspace, {r} the recordings.
LINES = {
    "prepare": "prepare demo-cora={r}/demo-cora -d {w}",
    "extract": "extract egemaps demo-cora -d {w}",
    "train svm": "train svm -t demo-cora -d {w}",
    "train forest": "train forest -t demo-cora -d {w}",
    "train cnn": "train cnn -t demo-cora {tiny} -nf 2 -N 1 -d {w}",
    "train vgg16": "train vgg16 -t demo-cora {tiny} -spe 1 -bs 8 --weights none --trainable-blocks 0 --hop 512 -d {w}",
    "train rnn": "train rnn -t demo-cora {tiny} -d {w}",
    "train cnn-rnn": "train cnn-rnn -t demo-cora {tiny} -nf 2 -N 1 -d {w}",
    "train embedding": "train embedding -t demo-cora -e 1 -spe 1 -bs 4 -d {w}",
    "train acrnn": "train acrnn -t demo-cora -e 1 -spe 1 -bs 4 --segment 1 --shift 1 -nm 20 --hop 320 -d {w}",
    "train cnn-lstm": "train cnn-lstm -t demo-cora -e 1 -spe 1 -bs 4 -nm 16 --hop 320 -d {w}",
    "train wccn": "train wccn -t demo-cora -e 1 -spe 1 -bs 4 --encoder {w}/encoder --ssl-weight 0 -d {w}",
    "plot embedding": "plot embedding demo-cora_cnn --method pca -d {w}",
    "transfer": "transfer --reference 'egemaps-v02 svm' --baselines -d {w}",
    "probe": "probe demo-cora_cnn -d {w}",
    "table": "table zhu2020 -d {w}",
    "search": "search {w}/plan.yaml -t demo-cora -d {w}",
    "run": "run {w}/mine.yaml --workers 1 -d {w}",
    "evaluate": "evaluate demo-cora_svm demo-aria_svm -d {w}",
    "explain": "explain demo-cora_svm demo-cora_forest -d {w}",
    "compare": "compare demo-cora_svm demo-cora_forest -d {w}",
    "doctor": "doctor -d {w}",
    "runs list": "runs list -d {w}",
    "runs show": "runs show demo-cora_svm -d {w}",
    "runs diff": "runs diff demo-cora_svm demo-cora_forest -d {w}",
    "runs rm": "runs rm mine -y -d {w}",
    "predict": "predict demo-cora_svm {r}/demo-cora/calm --out {w}/out --force -d {w}",
    "calibrate": "calibrate demo-cora_forest -d {w}",
    "share": "share demo-cora_svm {w}/shared --force -d {w}",
    "corpora list": "corpora list -d {w}",
    "corpora show": "corpora show emodb -d {w}",
    "corpora check": "corpora check demo-cora -d {w}",
    "corpora cite": "corpora cite emodb ravdess -d {w}",
    "corpora spaces": "corpora spaces -d {w}",
    "corpora stats": "corpora stats demo-aria demo-cora -d {w}",
    "corpora leaks": "corpora leaks demo-cora --partition loso -d {w}",
    "corpora aggregate": "corpora aggregate --labels arousal,valence -t demo-aria -d {w}",
    "corpora import": "corpora import mine {w}/files.csv --language deu -d {w}",
    "corpora export": "corpora export demo-cora {w}/out --format emonet --force -d {w}",
    "corpora new": "corpora new {r}/demo-cora --key mine --out {w}/new.yaml --force",
    "corpora try": "corpora try demo-cora {r}/demo-cora -d {w}",
}
TINY = "--preset quick -e 1 -p 1 -nm 32 -w 1 -lr 0.01 --precision fp32"
WITHOUT_JSON = {"demo"}  # it shows the answers of the commands it runs
WITHOUT_TABLE = {"corpora cite": "@inproceedings{emodb2005,"}  # what a reader pastes elsewhere
WITHOUT_QUIET = {"corpora list", "corpora show", "corpora cite", "corpora spaces",
                 "runs list", "runs show", "runs diff"}  # they never talk  # fmt: skip


def line(name, workspace, recordings):
    if name == "corpora import":
        (workspace / "files.csv").write_text("file,label,speaker\na.wav,joy,1\nb.wav,anger,2\n", "utf-8")
    if name == "runs rm":
        (workspace / "runs" / "mine_svm_1").mkdir()  # an unfinished run
    if name == "train wccn":
        import speech_models

        speech_models.save(workspace / "encoder")
    if name in {"plot embedding", "probe", "table"}:
        assert main([*line("train cnn", workspace, recordings), "-q"]) == 0
    if name == "run":
        (workspace / "mine.yaml").write_text("corpora: [demo-cora]\nruns: {mine: {train: svm, over: each}}\n", "utf-8")
    if name == "search":
        (workspace / "plan.yaml").write_text("train: svm\nspace: {normalise: {choice: [train, corpus]}}\n"
                                             "search: {sampler: grid}\n", "utf-8")  # fmt: skip
    return shlex.split(LINES[name].format(w=workspace, r=recordings[CORA].parent, tiny=TINY))


def test_every_command_has_a_line_here():
    assert set(LINES) | WITHOUT_JSON == set(LEAVES)


FEW = {"train svm", "train cnn"}  # of the trainings, where time is short


def each_line():
    slow = {name for name in LINES if name.startswith("train ")} - FEW
    return [pytest.param(name, marks=[pytest.mark.slow] * (name in slow)) for name in LINES]


@pytest.mark.parametrize("name", each_line())
def test_json_is_one_value_on_stdout(emoset, results, recordings, name):
    words = line(name, results, recordings)
    answer = emoset(*words, "--json")
    assert answer.code == 0
    assert "Traceback" not in answer.err
    value = json.loads(answer.out, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    assert isinstance(value, dict | list) and value
    if name == "runs rm":  # that one is gone
        words = line(name, results, recordings)
    table = emoset(*words)
    assert table.code == 0
    assert WITHOUT_TABLE.get(name, "┏") in table.out


@pytest.mark.slow
@pytest.mark.parametrize("name", LINES)
def test_quiet_prints_nothing_on_stderr_when_all_is_well(emoset, results, recordings, name):
    quiet = [] if name in WITHOUT_QUIET else ["--quiet"]
    answer = emoset(*line(name, results, recordings), *quiet)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out


def test_json_holds_the_facts_of_the_table(emoset, results):
    value = emoset("evaluate", "demo-cora_svm", "-d", results, "--json").json()
    (score,) = value["scores"]
    test = score["corpora"][CORA]["test"]
    assert (test["n"], test["n_speakers"], test["chance"]) == (36, 2, pytest.approx(1 / 3))
    table = emoset("evaluate", "demo-cora_svm", "-d", results).out
    assert f"{100 * test['uar']['value']:.1f} [" in table
    assert Path(value["report"]).is_file()
    rows = emoset("corpora", "list", "-d", results, "--json").json()
    assert {row["key"] for row in rows if row["prepared"]} == {"demo-aria", "demo-brio", "demo-cora"}


def test_a_workspace_may_be_named_by_the_environment(emoset, results, monkeypatch):
    monkeypatch.setenv("EMOSET_WORKSPACE", str(results))
    assert emoset("corpora", "check", CORA, "--json").json() == [
        {"corpus": CORA, "utterances": 108, "problem": "none", "count": 0, "action": ""}
    ]


# ---------------- wrong usage and errors


@pytest.mark.parametrize(
    "words",
    [
        "prepar", "--no-such", "prepare", "extract", "compare", "corpora show", "train mlp", "train svm --no-such",
        "train cnn -m half", "train cnn -bs 1", "train cnn --precision fp8", "train cnn --speed 2",
        "transfer --no-such", "search", "search svm-features --trials 0", "search svm-features --device gpu",
        "train svm --seed -1", "train svm --seed one",
        "train svm --workers -1", "train svm --normalise speakers",
        "train svm --class-weight heavy", "prepare a=b --min-duration -1", "prepare a=b --min-duration nan",
        "demo --scale 0", "evaluate --json=yes", "train svm stray", "corpora cite", "corpora stats --no-such",
        "corpora aggregate", "corpora aggregate --labels arousal --seed -1", "corpora import mine",
        "corpora export a b", "corpora new", "corpora try demo-cora", "runs rm", "runs diff one",
        "share", "share demo-cora_svm", "calibrate", "calibrate demo-cora_svm --bins 0",
    ],
)  # fmt: skip
def test_wrong_usage_exits_2(emoset, words):
    answer = emoset(*words.split())
    assert (answer.code, answer.out) == (2, "")
    assert answer.err
    assert "Traceback" not in answer.err


# Command line -> what its problem and its mend must say.
ERRORS = {
    "predict demo-dora_svm {r} -d {w}": ("unknown run 'demo-dora_svm'", "known: demo-aria_forest"),
    "predict demo-cora_svm {r}/none -d {w}": ("none is not there", "a folder that holds some"),
    "predict demo-cora_svm {r} --as emo-db -d {w}": ("unknown corpus or head of .* 'emo-db'", "known: demo-cora"),
    "predict demo-cora_svm {r} --space three -d {w}": ("unknown label space 'three'", "three-class"),
    "predict demo-cora_svm {r} --fold 2 -d {w}": ("unknown fold of demo-cora_svm.* '2'", "known: 1"),
    "predict demo-cora_svm {r} --window 0.01 -d {w}": ("a window of 0.01 s", "--window from 0.1 to 600"),
    "predict demo-cora_svm {r} --window 2 --hop 3 -d {w}": ("leave gaps", "--hop from 0.01"),
    "predict demo-cora_svm {r} --language German -d {w}": ("'?German'? is no language code", "three letters"),
    "predict demo-cora_svm {r} --speakers two -d {w}": ("unknown choice of --speakers 'two'", "known: folder, one"),
    "predict demo-cora_svm {r} --weights x -d {w}": ("egemaps-v02 needs no weights", "leave --weights out"),
    "corpora show emo-db": ("unknown corpus 'emo-db'", "did you mean 'emodb'?"),
    "corpora check demo-arja -d {w}": ("unknown prepared corpus .* 'demo-arja'", "did you mean 'demo-aria'?"),
    "corpora cite emo-db": ("unknown corpus 'emo-db'", "did you mean 'emodb'?"),
    "corpora cite ad": ("no citation of ad", "add 'citation"),
    "corpora spaces --registry no.yaml -d {w}/empty": ("no.yaml", ""),
    "corpora stats demo-arja -d {w}": ("unknown prepared corpus .* 'demo-arja'", "did you mean 'demo-aria'?"),
    "corpora stats -d {w}/empty": ("empty holds no prepared corpus", "emoset prepare CORPUS=FOLDER"),
    "corpora leaks demo-arja -d {w}": ("unknown prepared corpus .* 'demo-arja'", "did you mean 'demo-aria'?"),
    "corpora leaks demo-cora --partition losso -d {w}": ("unknown partition of demo-cora 'losso'", "'loso'"),
    "corpora aggregate --labels own -d {w}": ("cannot be aggregated in their own labels", "--labels arousal,valence"),
    "corpora aggregate --labels arousl -d {w}": ("unknown label space 'arousl'", "did you mean 'arousal'?"),
    "corpora import mine {r}/none -d {w}": ("none is not there", "give the file or folder"),
    "corpora import mine {r}/demo-cora --format tabel -d {w}": ("unknown format 'tabel'", "did you mean 'table'?"),
    "corpora export demo-arja {w}/o --format emonet -d {w}": ("unknown prepared corpus", "did you mean 'demo-aria'?"),
    "corpora export demo-cora {w}/o --format emobox -d {w}": ("unknown format to write 'emobox'", "emonet"),
    "corpora new {r}/none": ("none is not a folder", "give the folder"),
    "corpora new {r}/demo-cora --key emodb": ("the built-in registry has a corpus 'emodb'", "choose another --key"),
    "corpora new {r}/demo-cora --key Mine": ("'Mine' is no key of a corpus", "--key mine"),
    "corpora try demo-dora {r}/demo-cora -d {w}": ("unknown corpus 'demo-dora'", "did you mean 'demo-cora'?"),
    "corpora try demo-cora {r}/none -d {w}": ("none is not a folder", "give the folder"),
    "prepare emo-db={r} -d {w}": ("unknown corpus 'emo-db'", "did you mean 'emodb'?"),
    "prepare emodb -d {w}": ("'emodb' is not CORPUS=FOLDER", "for example: emoset prepare emodb=emodb"),
    "prepare demo-cora= -d {w}": ("'demo-cora=' is not CORPUS=FOLDER", "for example"),
    "prepare demo-cora={r}/none -d {w}": ("none is not a folder", "give the folder that holds the corpus"),
    "prepare demo-cora={r}/demo-aria -d {w}": ("none of the names in .* fits demo-cora", "corpora show demo-cora"),
    "prepare demo-cora=a demo-cora=b -d {w}": ("demo-cora is given 2 times", "one folder"),
    "prepare demo-cora={r}/demo-cora -d {w} --min-duration inf": ("no recording of demo-cora", "--min-duration"),
    "prepare demo-cora={r}/demo-cora -d {w} --partition losso": ("unknown partition of demo-cora 'losso'", "'loso'"),
    "extract egemap -d {w}": ("unknown feature 'egemap'", "did you mean 'egemaps'?"),
    "extract egemaps demo-arja -d {w}": ("unknown prepared corpus .* 'demo-arja'", "did you mean 'demo-aria'?"),
    "extract egemaps -d {w}/empty": ("empty holds no prepared corpus", "emoset prepare CORPUS=FOLDER"),
    "train svm -t emodb -d {w}": ("unknown prepared corpus .* 'emodb'", "known: demo-aria, demo-brio, demo-cora"),
    "train svm -t demo-aria,,demo-cora -d {w}": ("unknown prepared corpus .* ''", "known: demo-aria"),
    "train svm -t demo-cora -f emobas -d {w}": ("unknown feature 'emobas'", "did you mean 'emobase'?"),
    "train svm -t demo-cora -f emobase -d {w}": ("demo-cora has no emobase features", "extract emobase demo-cora"),
    "train svm -t demo-cora --partition los -d {w}": ("unknown partition of demo-cora 'los'", "did you mean 'loso'?"),
    "train svm -t demo-cora --partition losgo:9 -d {w}": ("'losgo:9' needs a number of groups from 3 to 6", "losgo:5"),
    "train svm -t demo-cora --partition speakers:7 -d {w}": ("does not give three shares", "speakers:70/15/15"),
    "train svm -t demo-cora --partition no.csv -d {w}": ("no partition file no.csv", "columns utterance and partition"),
    "train svm -t demo-cora --partition loco -d {w} --labels common": ("loco needs at least two corpora", "-t"),
    "train svm -t demo-cora --labels arousl -d {w}": ("unknown label space 'arousl'", "did you mean 'arousal'?"),
    "train svm -t demo-cora --subset all -d {w}": ("unknown subset of demo-cora 'all'", "known: none"),
    "train svm -t demo-cora --registry no.yaml -d {w}": ("no.yaml", ""),
    "search svm-feature -d {w}": ("unknown plan 'svm-feature': no such file", "did you mean 'svm-features'?"),
    "search svm-features -d {w}/empty": ("empty holds no prepared corpus", "emoset prepare CORPUS=FOLDER"),
    "search svm-features -t demo-arja -d {w}": ("unknown prepared corpus .* 'demo-arja'", "did you mean 'demo-aria'?"),
    "search svm-features --device cuda -d {w}": ("baselines are trained on the processor", "leave --device out"),
    "evaluate demo-dora -d {w}": ("unknown run 'demo-dora'", "known: demo-aria_forest"),
    "evaluate demo-cora -d {w}": ("'demo-cora' fits several runs", "give more of the name"),
    "evaluate -d {w}/empty": ("empty holds no finished run", "emoset train svm"),
    "compare demo-cora_svm demo-aria_svm -d {w}": ("share no corpus", "compare runs that hold the same corpus"),
    "compare demo-cora_svm demo-cora_svm -d {w}": ("no two different runs", "at least one other run"),
    "doctor -d {w}/none": ("none is not there", "give the folder"),
    "runs show demo-dora -d {w}": ("unknown run 'demo-dora'", "known: demo-aria_forest"),
    "runs diff demo-cora_svm demo-cora_svm-e -d {w}": ("are the same run", "name two different ones"),
    "runs rm demo-dora -y -d {w}": ("unknown run 'demo-dora'", "known: demo-aria_forest"),
    "runs rm demo-cora -y -d {w}": ("'demo-cora' fits several runs", "give more of the name"),
    "runs rm demo-cora_svm -d {w}": ("nobody is there to ask: remove demo-cora_svm", "give --yes"),
    "probe demo-dora -d {w}": ("unknown run 'demo-dora'", "known: demo-aria_forest"),
    "table zhu202 demo-cora_svm -d {w}": ("unknown table 'zhu202'", "did you mean 'zhu2020'?"),
    "table zhu2020 -d {w}": ("holds no finished run of a network", "emoset train acrnn"),
    "table zhu2020 demo-cora_svm -d {w}": ("no run fits the table: .*: it is no network", "emoset train acrnn"),
    "compare demo-cora_svm nothing -d {w}": ("unknown run 'nothing'", "known: demo-aria_forest"),
}  # fmt: skip


@pytest.mark.parametrize("words", ERRORS)
def test_an_error_is_two_lines_and_leaves_stdout_empty(emoset, trained, recordings, words):
    given = words.format(w=trained, r=recordings[CORA].parent).split()
    for json_too in [[], ["--json"]]:
        answer = emoset(*given, *json_too)
        assert (answer.code, answer.out) == (1, "")
        problem, mend = two_lines(answer.err)
        assert re.search(ERRORS[words][0], problem), problem
        assert ERRORS[words][1] in mend


def test_a_corpus_prepared_with_an_own_registry_needs_it_again(emoset, recordings, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(
        "mine:\n  name: Mine\n  language: deu\n  path: '(?P<label>angry|calm|happy)/(?P<speaker>[a-z]+)_'\n"
        "  id: '{label}-{speaker}'\n  labels: {angry: anger, calm: calm, happy: happiness}\n",
        "utf-8",
    )
    emoset("prepare", f"mine={recordings[CORA]}", "-d", tmp_path, "--registry", own)
    answer = emoset("train", "svm", "-d", tmp_path)
    assert answer.code == 1
    assert two_lines(answer.err)[0] == "unknown corpus 'mine'"


def test_debug_shows_the_traceback():
    def run(*words):
        return subprocess.run([*RUN, *words], capture_output=True, text=True, env=os.environ | {"EMOSET_DEBUG": ""})

    shown, hidden = run("--debug", "corpora", "show", "emo-db"), run("corpora", "show", "emo-db")
    assert (shown.returncode, hidden.returncode) == (1, 1)
    assert "Traceback" in shown.stderr
    assert "error: unknown corpus 'emo-db'" in shown.stderr
    assert two_lines(hidden.stderr)


# ---------------- closed pipes, full disks, read-only folders


@pytest.mark.parametrize("words", [["corpora", "list"], ["corpora", "show", "emodb", "--json"]], ids=" ".join)
def test_a_reader_that_goes_away_is_no_error(words):
    process = subprocess.Popen([*RUN, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    _, err = process.communicate()
    assert err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("words", [["corpora", "list"], ["corpora", "show", "emodb", "--json"]], ids=" ".join)
def test_an_answer_that_cannot_be_written_is_an_error(words):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*RUN, *words], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert "No space left on device" in two_lines(done.stderr)[0]


# What still has something to write in the workspace `small`.
WRITERS = {
    "prepare": "prepare demo-cora={r} -d {w} --workers 2",
    "extract": "extract egemaps demo-cora -d {w} --force --workers 1",
    "extract, new set": "extract gemaps demo-cora -d {w} --workers 1",
    "train": "train svm -t demo-cora -d {w} --seed 3",
    "train a network": "train cnn -t demo-cora --preset quick -e 1 -p 1 -nm 16 -w 1 -nf 2 -N 1 -d {w} -q",
    "train, folds": "train forest -t demo-cora -d {w} --partition folds:3 --workers 1",
    "search": "search svm-features -t demo-cora -d {w}",
    "evaluate": "evaluate demo-cora_svm-egemaps-v02_standard_ -d {w}",
    "compare": "compare demo-cora_svm-egemaps-v02_standard_ demo-cora_forest-egemaps-v02_standard_ -d {w}",
}


@pytest.fixture
def fewer(small, tmp_path):
    """The recordings without calm speech: another state of the corpus, which `prepare` has to write down."""
    folder = shutil.copytree(small / "recordings", tmp_path / "recordings")
    shutil.rmtree(folder / "calm")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("code", ["ENOSPC", "EROFS", "EACCES", "EIO"])
@pytest.mark.parametrize("name", WRITERS)
def test_when_the_system_refuses_to_write_nothing_is_lost(emoset, small, fewer, tmp_path, monkeypatch, name, code):
    """At the first, second, ... file that is written: two lines, nothing is lost, and later all is well."""
    results = shutil.copytree(small / "w", tmp_path / "w")
    words = WRITERS[name].format(w=results, r=fewer).split()
    before = snapshot(results)
    number = getattr(errno, code)
    replace = Path.replace
    for allowed in (0, 1, 3) if code == "ENOSPC" else (0,):
        calls = []

        def refuse(path, target, calls=calls, allowed=allowed):
            calls.append(target)
            if len(calls) > allowed:
                raise OSError(number, os.strerror(number), str(target))
            return replace(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", refuse)
            answer = emoset(*words)
        if len(calls) <= allowed:
            break  # the command writes fewer files
        assert (answer.code, answer.out) == (1, "")
        problem, mend = two_lines(answer.err)
        assert os.strerror(number) in problem
        assert str(results) in problem
        assert mend
        after = snapshot(results)
        assert not [path for path in after if path.endswith(".tmp")]
        if allowed == 0:
            assert {path: after.get(path) for path in before} == before
    answer = emoset(*words)
    assert answer.code == 0, answer.err
    assert not [path for path in snapshot(results) if path.endswith(".tmp")]


DRIVER = """
import json, subprocess, sys
from pathlib import Path
from emoset_cli.cli.main import main
disk, source, recordings = map(Path, sys.argv[1:4])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(disk)], check=True)
subprocess.run(["cp", "-r", f"{source}/.", str(disk / "w")], check=True)
told = []
def run(line, state):
    out, err = (Path(sys.argv[4]) / name for name in ("out", "err"))
    with out.open("w") as sys.stdout, err.open("w") as sys.stderr:
        code = main(line.format(w=disk / "w", r=recordings).split())
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    half = [str(path) for path in disk.rglob("*.tmp")]
    told.append([line, state, code, out.read_text(), err.read_text(), half])
for line in sys.argv[5:]:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    run(line, "read-only")
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    for left in (0, 8, 60):
        subprocess.run(["head", "-c", "100m", "/dev/zero"], stdout=(disk / "filler").open("wb"), stderr=-3)
        with (disk / "filler").open("r+b") as filler:
            filler.truncate(max(0, (disk / "filler").stat().st_size - 1024 * left))
        run(line, f"{left} KiB left")
        (disk / "filler").unlink()
    run(line, "free")
print(json.dumps(told))
"""


def mounts():
    """Whether this process may mount a file system of its own."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    return subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not mounts(), reason="needs root and the right to mount")
def test_a_disk_that_is_really_full_or_read_only(small, fewer, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["unshare", "-m", sys.executable, "-c", DRIVER, disk, small / "w", fewer, tmp_path, *WRITERS.values()]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    if "mount" in done.stderr:
        pytest.skip(f"cannot mount here: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    refused = 0
    for command, state, code, out, err, half in json.loads(done.stdout):
        assert half == [], (command, state)
        assert "Traceback" not in err
        if state == "free":
            assert code == 0, (command, err)
        elif code:
            refused += 1
            assert out == ""
            problem, _ = two_lines(err)
            assert os.strerror(errno.EROFS if state == "read-only" else errno.ENOSPC) in problem
            assert str(disk) in problem, (command, state, problem)
        else:
            assert state != "read-only", command
    assert refused >= 3 * len(WRITERS)  # 60 KiB are enough for some


def test_force_keeps_the_old_result_until_the_new_one_is_whole(emoset, small, tmp_path, monkeypatch):
    results = shutil.copytree(small / "w", tmp_path / "w")
    before = snapshot(results)
    with monkeypatch.context() as patch:
        patch.setattr(files, "atomic", lambda path: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full", str(path))))
        answer = emoset("train", "svm", "-d", results, "--force", "--workers", 1)
    assert (answer.code, answer.out) == (1, "")
    assert two_lines(answer.err)
    assert {path: raw for path, raw in snapshot(results).items() if "/folds/" not in path} == before
    assert emoset("evaluate", "demo-cora_svm", "-d", results).code == 0
    answer = emoset("train", "svm", "-d", results, "--force", "--workers", 1)
    assert answer.code == 0
    assert answer.err.startswith("trained: ")


def test_a_nameless_refusal_of_the_system_gets_the_name_of_the_file(tmp_path):
    with pytest.raises(OSError, match="No space left") as error, files.atomic(tmp_path / "table.csv"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert error.value.filename == str(tmp_path / "table.csv")
    assert list(tmp_path.iterdir()) == []


def test_main_answers_the_exit_code_and_exits_only_as_a_program():
    assert main(["--version"]) == 0
    done = subprocess.run([*RUN, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"emoset {__version__}\n")
