"""Searches: plans and their mistakes, what is tried, going on after a kill, and that test is never looked at."""

import csv
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from statistics import mean
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from emoset_cli import metrics, runs
from emoset_cli.cli import search as cli
from emoset_cli.cli import search_options
from emoset_cli.errors import EmosetError
from emoset_cli.search.plan import read_plan
from emoset_cli.search.run import best_of, options_of, search, search_folder
from emoset_cli.search.space import Dimension, grid_point, grid_size
from emoset_cli.search.study import Journal, Trial

CORA, ARIA = "demo-cora", "demo-aria"
GRID = """train: svm
options: {partition: standard}
space:
  normalise: {choice: [train, corpus]}
  class-weight: {choice: [none, balanced]}
search: {sampler: grid}
"""
WIDE = """title: Everything
source: nowhere
train: cnn
options: {preset: quick, multi-task: true, balanced-weights: false, labels: common}
space:
  learning-rate: {log: [1e-4, 1e-1]}
  dropout: {uniform: [0.0, 0.6]}
  blocks: {int: [1, 3]}
  share-feature-layer: {choice: [true, false]}
  size: {choice: [{filters: 16, widen: 2}, {filters: 32, widen: 1}]}
search: {sampler: tpe, trials: 20, seed: 3, objective: mean devel UAR}
"""


def read(path, text):
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_plan(path, path.name, search_options.commands(), search_options.command)


@pytest.fixture
def wide(tmp_path):
    return read(tmp_path / "wide.yaml", WIDE)


@pytest.fixture
def little(small, tmp_path):
    """A workspace of 18 utterances to write to, and a plan of four SVMs beside it."""
    (tmp_path / "plan.yaml").write_text(GRID, "utf-8")
    return Path(shutil.copytree(small / "w", tmp_path / "w"))


def rows(workspace):
    (path,) = workspace.glob("searches/*/trials.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ---------------------------------------------------------------- plans


def test_a_plan_says_everything(wide):
    assert wide.options == {"preset": "quick", "multi-task": True, "balanced-weights": False, "labels": "common"}
    assert [(one.name, one.how, one.low, one.high) for one in wide.space[:3]] == [
        ("learning-rate", "log", 1e-4, 0.1), ("dropout", "uniform", 0.0, 0.6), ("blocks", "int", 1, 3),
    ]  # fmt: skip
    assert wide.space[3].labels == ("true", "false")
    assert wide.space[4].labels == ("filters 16, widen 2", "filters 32, widen 1")
    assert wide.searched == ["learning-rate", "dropout", "blocks", "share-feature-layer", "filters", "widen"]
    assert (wide.sampler, wide.trials, wide.seed) == ("tpe", 20, 3)


@pytest.mark.parametrize("name", [*search_options.shipped(), "wide"])
def test_a_resolved_plan_is_the_same_plan(name, tmp_path):
    path = search_options.shipped().get(name)
    plan = read(tmp_path / f"{name}.yaml", path.read_text("utf-8") if path else WIDE)
    assert read(tmp_path / f"{name}.yaml", yaml.safe_dump(plan.as_dict(), sort_keys=False)) == plan


def test_the_plan_of_the_page_is_one(tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "search.md").read_text("utf-8")
    plan = read(tmp_path / "p.yaml", page.partition("```yaml\n")[2].partition("```")[0])
    assert plan.searched == ["learning-rate", "dropout", "blocks", "filters", "widen"]
    table = page.partition("Plans that come with emoset")[2].partition("##")[0]
    assert all(f"| `{name}` |" in table for name in search_options.shipped())


def test_an_empty_word_leaves_an_option_out(tmp_path):
    plan = read(tmp_path / "p.yaml", of_space("feature: {choice: ['', wav2vec2]}", "embedding", "grid"))
    assert plan.space[0].labels == ("''", "wav2vec2")
    lines = [search_options.command_line("embedding", options, [CORA]) for options in plan.space[0].choices]
    assert [line[5:] for line in lines] == [[], ["--feature", "wav2vec2"]]


def test_what_a_plan_leaves_out(tmp_path):
    plan = read(tmp_path / "a.yaml", "train: svm\nspace: {normalise: {choice: [train, corpus]}}\n")
    assert (plan.title, plan.options, plan.sampler, plan.trials, plan.seed) == ("", {}, "tpe", 20, 0)
    assert read(tmp_path / "a.yaml", GRID).trials == 4
    assert read(tmp_path / "a.yaml", GRID).asking(100).trials == 4
    assert read(tmp_path / "a.yaml", GRID).asking(3).trials == 3


def of_space(entry, train="cnn", sampler="tpe"):
    return f"train: {train}\nspace:\n  {entry}\nsearch: {{sampler: {sampler}}}\n"


# Plan -> its line, its problem and its mend.
WRONG = {
    "[1, 2]": (1, "a list stands where a mapping is expected", "key: value"),
    "title: x\nspace: {}": (1, "the key 'train' is missing", "add train: cnn"),
    "train: cnn": (1, "the key 'space' is missing", "add space:"),
    "train: cmn\nspace: {}": (1, "unknown command of emoset train 'cmn'", "did you mean 'cnn'?"),
    "train: no\nspace: {}": (1, "no is true or false to YAML", "quote it: 'no'"),
    "train: cnn\nspaces: {}\nspace: {blocks: {int: [1, 2]}}": (2, "unknown key 'spaces'", "did you mean 'space'?"),
    "train: cnn\nspace: {}": (2, "space: nothing is searched", "add an option"),
    "train: cnn\nspace: []": (2, "space: a list stands where a mapping", "key: value"),
    of_space("learning_rate: {log: [1, 2]}"): (3, "unknown option of emoset train cnn", "did you mean 'learning-rate'"),
    of_space("filters: {choice: [16]}", "rnn"): (3, "rnn has no --filters", "an option of cnn, cnn-rnn"),
    of_space("cell: {choice: [gru]}"): (3, "cnn has no --cell", "leave it out; it is an option of rnn, cnn-rnn"),
    of_space("blocks: {choice: [1]}", "svm"): (3, "unknown option of emoset train svm 'blocks'", "known: "),
    of_space("task: {choice: [emodb]}"): (3, "--task is no part of a plan", "leave it out; see emoset search --help"),
    of_space("seed: {int: [0, 9]}"): (3, "devel UARs of different seed cannot be compared", "give it under options"),
    of_space("labels: {choice: [own]}"): (3, "different labels cannot be compared", "search once for each"),
    of_space("dropout: 0.2"): (3, "space.dropout: '0.2' stands where a mapping is expected", "key: value"),
    of_space("dropout: {}"): (3, "no ways are given to search it", "write one of choice"),
    of_space("dropout: {log: [1, 2], choice: [0]}"): (3, "2 ways are given to search it", "write one of choice"),
    of_space("dropout: {range: [0, 0.2]}"): (3, "unknown key 'range'", "known: choice, int, log, uniform"),
    of_space("dropout: {uniform: [0.4, 0.1]}"): (3, "lower bound 0.4 is not below the upper", r"write \[0.1, 0.4\]"),
    of_space("dropout: {uniform: [0.4, 0.4]}"): (3, "lower bound 0.4 is not below", "give it under options"),
    of_space("dropout: {uniform: [0.4]}"): (3, "1 numbers stand where two bounds", r"uniform: \[low, high\]"),
    of_space("dropout: {uniform: 0.4}"): (3, "'0.4' stands where a list is expected", "first, second"),
    of_space("dropout: {uniform: [0, 2]}"): (3, r"uniform\[1\]: 2.0 is above 0.9", "take 0.9 or less"),
    of_space("blocks: {int: [0, 2]}"): (3, r"int\[0\]: 0 is below 1", "take 1 or more"),
    of_space("learning-rate: {log: [0, 1]}"): (3, "a logarithmic range begins above 0", "such as 1e-4"),
    of_space("learning-rate: {log: ['1e-4', 1]}"): (3, "'1e-4' stands where a number is expected", "without quotes"),
    of_space("learning-rate: {log: [.nan, 1]}"): (3, "'.nan' stands where a number is expected", "0.01 or 1e-4"),
    of_space("dropout: {int: [0, 1]}"): (3, "dropout is no whole number", "write uniform"),
    of_space("blocks: {log: [1, 4]}"): (3, "blocks takes whole numbers", "write int"),
    of_space("blocks: {int: [1, 2.5]}"): (3, "'2.5' stands where a number is expected", "3 or -60"),
    of_space("classifier: {int: [1, 2]}"): (3, "classifier is no number", r"choice: \[attention, avgpool\]"),
    of_space("share-feature-layer: {int: [0, 1]}"): (3, "is no number", r"choice: \[true, false\]"),
    of_space("dropout: {uniform: [0, 0.5]}", sampler="grid"): (3, "a grid has no ranges", "sampler: tpe"),
    of_space("classifier: {choice: [avgpol]}"): (3, "unknown value 'avgpol'", "did you mean 'avgpool'?"),
    of_space("classifier: {choice: []}"): (3, "the list is empty", "fill it in"),
    of_space("classifier: {choice: avgpool}"): (3, "'avgpool' stands where a list is expected", "first, second"),
    of_space("classifier: {choice: [avgpool, avgpool]}"): (3, "this choice stands twice", "remove one"),
    of_space("loss: {choice: [focal, no]}"): (3, "no is true or false to YAML", "quote it: 'no'"),
    of_space("share-feature-layer: {choice: [yes, true]}"): (3, "'yes' stands where true or", "write true or"),
    of_space("size: {choice: [{blocks: 1}, {widen: 2}]}"): (3, "this choice sets widen, the first blocks", "the same"),
    of_space("size: {choice: [{blocks: 1}, {}]}"): (3, "this choice sets nothing, the first blocks", "the same"),
    of_space("size: {choice: [{blocks: 1}, 2]}"): (3, "'2' stands where a mapping is expected", "key: value"),
    of_space("size: {choice: [{blocks: 1}, {blocks: 1}]}"): (3, "this choice stands twice", "remove one"),
    of_space("size: {choice: [{seed: 1}]}"): (3, "devel UARs of different seed", "under options"),
    of_space("size: {choice: [{blocks: 1}]}\n  blocks: {choice: [2]}"): (4, "under space.size already", "remove one"),
    "train: cnn\noptions: {blocks: 1}\nspace: {blocks: {int: [1, 2]}}": (3, "set under options already", "remove one"),
    "train: cnn\noptions: {dropuot: 1}\nspace: {blocks: {int: [1, 2]}}": (2, "unknown option", "mean 'dropout'?"),
    "train: cnn\noptions: {dropout: x}\nspace: {blocks: {int: [1, 2]}}": (2, "'x' stands where a number", "0.01 or"),
    "train: cnn\noptions: {dropout: 1}\nspace: {blocks: {int: [1, 2]}}": (2, "1.0 is above 0.9", "0.9 or less"),
    "train: cnn\noptions: {partition: 5}\nspace: {blocks: {int: [1, 2]}}": (2, "5 is a number to YAML", "it: '5'"),
    "train: cnn\noptions:\nspace: {blocks: {int: [1, 2]}}": (2, "nothing stands where a mapping", "key: value"),
    GRID.replace("grid", "gird"): (6, "unknown sampler 'gird'", "did you mean 'grid'?"),
    GRID.replace("grid", "grid, trials: 0"): (6, "a search of 0 trials does nothing", "write 1 or more"),
    GRID.replace("grid", "grid, seed: -1"): (6, "'-1' stands where a number is expected", "write it as in"),
    GRID.replace("grid", "grid, objective: test UAR"): (6, "unknown objective 'test UAR'", "known: mean devel UAR"),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_told_with_its_line(text, tmp_path):
    line, problem, mend = WRONG[text]
    with pytest.raises(EmosetError, match=problem) as caught:
        read(tmp_path / "p.yaml", text)
    assert caught.value.problem.startswith(f"p.yaml:{line}: ")
    with pytest.raises(EmosetError, match=mend):
        raise EmosetError("", caught.value.mend)


def test_all_mistakes_are_told_at_once(tmp_path):
    text = WIDE.replace("quick", "quik").replace("int: [1, 3]", "int: [3, 1]").replace("seed: 3", "seed: x")
    with pytest.raises(EmosetError) as caught:
        read(tmp_path / "p.yaml", text)
    assert "3 mistakes in p.yaml" in caught.value.problem
    assert [f"p.yaml:{line}:" in caught.value.problem for line in (4, 8, 11)] == [True] * 3


_WORDS = st.sampled_from(["train", "cnn", "svm", "space", "options", "choice", "log", "int", "dropout", "blocks", "no",
                          "1e-4", "[", "]", "{", "}", ":", ",", "\n", "  ", "-", "null", "0", "grid", "'", "&a", "*a",
                          "size", "search", "\t", "#", "é", "\0"])  # fmt: skip
_YAML = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(WIDE)), st.integers(0, 30), st.lists(_WORDS, max_size=3).map("".join), st.none() | _YAML)
def test_broken_plans_end_in_an_error_with_a_line(tmp_path_factory, start, cut, put, space):
    text = (
        WIDE[:start] + put + WIDE[start + cut :] if space is None else yaml.safe_dump({"train": "cnn", "space": space})
    )
    try:
        plan = read(tmp_path_factory.mktemp("p") / "p.yaml", text)
    except EmosetError as error:
        assert "p.yaml" in error.problem and error.mend
    else:
        assert plan.space and plan.trials > 0


def test_options_become_the_words_of_the_command_line_and_back(wide):
    trial = Trial(1, {"learning-rate": 1e-4, "dropout": 0.2, "blocks": 2, "share-feature-layer": "true",
                      "size": "filters 16, widen 2"})  # fmt: skip
    words = search_options.command_line("cnn", options_of(wide, trial), [ARIA, CORA])
    assert shlex.join(words) == (
        "emoset train cnn -t demo-aria,demo-cora --preset quick --multi-task --no-balanced-weights --labels common "
        "--learning-rate 0.0001 --dropout 0.2 --blocks 2 --share-feature-layer --filters 16 --widen 2"
    )
    values = search_options.given("cnn", words[3:])
    assert (values["first_lr"], values["multi_task"], values["balanced_weights"]) == (1e-4, True, False)
    assert (values["filters"], values["widen"], values["max_epochs"]) == (16, 2, None)


@pytest.mark.parametrize("train", search_options.commands())
def test_every_option_of_every_command_is_known(train):
    command = search_options.command(train)
    shown = {word for option in vars_of(train) for word in option.opts if word.startswith("--")}
    assert {f"--{name}" for name in [*command.knobs, *command.refused]} == shown
    assert command.knobs["partition"].fixed and command.knobs["partition"].kind is str


def vars_of(train):
    from typer.main import get_command

    return get_command(search_options.app).commands[train].params


# ---------------------------------------------------------------- what is tried


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_a_grid_is_the_product_each_point_once(sizes):
    space = [Dimension(f"o{i}", "choice", choices=tuple({f"o{i}": v} for v in range(n))) for i, n in enumerate(sizes)]
    points = [tuple(grid_point(space, index).values()) for index in range(grid_size(space))]
    assert points == list(product(*(map(str, range(size)) for size in sizes)))


def score(options):
    """A smooth function of the options, in place of a training."""
    return round(0.5 - abs(options["dropout"] - 0.3) - 0.01 * options["blocks"], 6), ["run"]


def engine(plan, folder, attempt=score, **more):
    return search(plan, folder, attempt, lambda options: "emoset " + json.dumps(options), **more)


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_what_is_drawn_lies_within_the_space(wide, tmp_path, sampler):
    plan = read(tmp_path / "p.yaml", WIDE.replace("tpe", sampler)).asking(30)
    trials = engine(plan, tmp_path / "s")
    drawn = [options_of(plan, trial) for trial in trials]
    assert [trial.number for trial in trials] == list(range(1, 31))
    assert len({json.dumps(trial.values) for trial in trials}) == 30
    for options in drawn:
        assert 1e-4 <= options["learning-rate"] <= 0.1 and 0 <= options["dropout"] <= 0.6
        assert options["learning-rate"] == float(f"{options['learning-rate']:.4g}")
        assert options["blocks"] in {1, 2, 3} and type(options["blocks"]) is int
        assert (options["filters"], options["widen"]) in {(16, 2), (32, 1)}
        assert options["preset"] == "quick"
    assert sum(options["learning-rate"] < 3e-3 for options in drawn) in range(5, 26)  # log: about half of them
    assert {options["share-feature-layer"] for options in drawn} == {True, False}


def test_tpe_learns_and_random_does_not(tmp_path):
    def mirrored(options):
        return -score(options)[0], ["run"]

    for sampler in ("tpe", "random"):
        plan = read(tmp_path / f"{sampler}.yaml", WIDE.replace("tpe", sampler)).asking(14)
        one, other = engine(plan, tmp_path / sampler / "1"), engine(plan, tmp_path / sampler / "2", mirrored)
        same = [a.values == b.values for a, b in zip(one, other, strict=True)]
        assert all(same[:10]) and all(same) == (sampler == "random")


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_an_interrupted_search_tries_the_same_as_an_undisturbed_one(tmp_path, sampler):
    plan = read(tmp_path / "p.yaml", WIDE.replace("tpe", sampler)).asking(14)
    undisturbed = engine(plan, tmp_path / "quiet")
    for stop in (0, 3, 11):
        calls = []

        def interrupted(options, calls=calls, stop=stop):
            calls.append(options)
            if len(calls) > stop:
                raise KeyboardInterrupt
            return score(options)

        with pytest.raises(KeyboardInterrupt):
            engine(plan, tmp_path / f"{stop}", interrupted)
        assert engine(plan, tmp_path / f"{stop}") == undisturbed
        for name in ("trials.csv", "best.yaml", "plan.yaml"):
            assert (tmp_path / f"{stop}" / name).read_bytes() == (tmp_path / "quiet" / name).read_bytes()
    assert engine(plan.asking(4), tmp_path / "fewer") == undisturbed[:4]
    assert engine(plan, tmp_path / "fewer") == undisturbed
    assert engine(plan.asking(4), tmp_path / "fewer") == undisturbed  # what is done stays


def test_a_journal_cut_at_any_byte_goes_on(wide, tmp_path):
    plan = wide.asking(3)
    whole = engine(plan, tmp_path / "s")
    raw = (tmp_path / "s" / "journal.log").read_bytes()
    ends = [place for place, byte in enumerate(raw) if byte == ord("\n")]
    assert len(ends) == 4  # the study, then the trials
    for cut in [*range(0, len(raw), 31), *ends, *(end + 1 for end in ends)]:
        path = tmp_path / "cut" / "journal.log"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(raw[:cut])
        kept = max(0, sum(end < cut for end in ends) - 1)
        assert list(Journal(path).trials().values()) == whole[:kept]
        if cut in ends:
            assert engine(plan, path.parent) == whole


def test_a_damaged_journal_is_told(wide, tmp_path):
    engine(wide.asking(2), tmp_path)
    path = tmp_path / "journal.log"
    path.write_bytes(b"x" + path.read_bytes())
    with pytest.raises(EmosetError, match="is not the journal of a search") as caught:
        engine(wide.asking(2), tmp_path)
    assert "delete" in caught.value.mend and "what is trained is found again" in caught.value.mend


def test_a_failed_trial_is_kept_and_the_search_goes_on(wide, tmp_path):
    seen = []

    def failing(options):
        seen.append(options)
        if len(seen) == 2:
            raise EmosetError("the loss is not finite", "train with a lower --learning-rate")
        return score(options)

    trials = engine(wide.asking(4), tmp_path, failing)
    assert trials[1] == Trial(2, trials[1].values, None, [], "the loss is not finite (train with a lower "
                              "--learning-rate)")  # fmt: skip
    assert engine(wide.asking(4), tmp_path, failing) == trials and len(seen) == 4
    again = engine(wide.asking(4), tmp_path, failing, retry=True)
    assert len(seen) == 5 and seen[4] == seen[1] and again[1].uar == score(seen[1])[0]
    assert engine(wide.asking(4), tmp_path) == again
    assert [trial.number for trial in again] == [1, 2, 3, 4]


def test_an_error_of_the_system_ends_the_search_and_counts_for_nothing(wide, tmp_path):
    def full(options):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError):
        engine(wide.asking(2), tmp_path, full)
    assert Journal(tmp_path / "journal.log").trials() == {}


def test_the_best_is_the_first_among_equals():
    trials = [Trial(1, {}, 0.4), Trial(2, {}, 0.5), Trial(3, {}, 0.5), Trial(4, {}, problem="x")]
    assert best_of(trials) == trials[1] and best_of(trials[3:]) is None


def test_the_folder_is_of_plan_and_data_not_of_the_number_of_trials(wide, tmp_path):
    def name(text=WIDE, data=None, trials=9):
        return search_folder(tmp_path, read(tmp_path / "p.yaml", text).asking(trials), data or {"demo-cora": "1"}).name

    assert name() == name(trials=10) == name(WIDE.replace("Everything", "All")) and name().startswith("p_")
    others = {name(WIDE.replace("tpe", "random")), name(WIDE.replace("seed: 3", "seed: 4")), name(data={"a": "2"}),
              name(WIDE.replace("0.6", "0.5")), name(WIDE.replace("preset: quick, ", ""))}  # fmt: skip
    assert len(others | {name()}) == 6


# ---------------------------------------------------------------- the command


def test_a_grid_of_svms(emoset, workspace, tmp_path):
    (tmp_path / "plan.yaml").write_text(GRID.replace("standard", "folds:3"), "utf-8")
    words = ["search", tmp_path / "plan.yaml", "-t", f"{ARIA},{CORA}", "--workers", 1, "-d", workspace]
    answer = emoset(*words, "--json")
    assert answer.code == 0, answer.err
    found = answer.json()
    points = {(row["options"]["normalise"], row["options"]["class-weight"]) for row in found["trials"]}
    assert points == set(product(["train", "corpus"], ["none", "balanced"])) and len(found["trials"]) == 4
    uars = [row["devel_uar"] for row in found["trials"]]
    assert uars == sorted(uars, reverse=True) and [row["rank"] for row in found["trials"]] == [1, 2, 3, 4]
    for row in found["trials"]:
        trained = [runs.find_run(workspace, name) for name in row["runs"]]
        assert [run.config["corpora"] for run in trained] == [[ARIA], [CORA]]
        assert row["devel_uar"] == pytest.approx(mean(devel_uar(run) for run in trained), abs=1e-5)
    assert "trial 4 of 4: devel UAR " in answer.err and ", best " in answer.err
    stamps = {path: path.stat().st_mtime_ns for path in workspace.glob("runs/*/done.json")}
    assert len(stamps) == 8
    best = emoset(*shlex.split(found["best"]["command"])[1:], "-d", workspace)
    assert best.code == 0 and best.err.count("already trained") == 2
    assert emoset(*words, "--json", "-q") == type(answer)(0, answer.out, "")
    assert {path: path.stat().st_mtime_ns for path in workspace.glob("runs/*/done.json")} == stamps
    folder = Path(found["search"])
    assert {path.name for path in folder.iterdir()} == {"plan.yaml", "journal.log", "trials.csv", "best.yaml"}
    told = yaml.safe_load((folder / "best.yaml").read_text("utf-8"))
    assert (told["command"], told["of"]) == (found["best"]["command"], 4) and told["devel_uar"] == uars[0]
    assert [row["trial"] for row in rows(workspace)] == list("1234")


def devel_uar(run):
    """Mean over folds, from the predictions."""
    table = run.predictions()
    known = sorted(set(run.config["labels"][run.config["corpora"][0]]))
    devel = table[table["partition"] == "devel"].groupby("fold")
    return mean(metrics.uar(part["truth"].to_numpy(), part["prediction"].to_numpy(), known) for _, part in devel)


def test_the_table_shows_devel_only_and_the_best_command(emoset, little, tmp_path):
    answer = emoset("search", tmp_path / "plan.yaml", "-d", little, "-q")
    assert answer.code == 0 and answer.err == ""
    assert "devel UAR [%]" in answer.out and "emoset train svm -t demo-cora --partition standard --nor" in answer.out
    assert "test" not in answer.out.lower().replace("test: emoset evaluate run", "")
    first = emoset("search", tmp_path / "plan.yaml", "-d", little, "--json", "-q").json()
    assert set(first["trials"][0]) == {"rank", "trial", "devel_uar", "options", "runs", "state", "problem"}


def test_predictions_on_test_cannot_change_the_choice(emoset, little, tmp_path):
    """The runs are there before the search; then every test prediction in them is replaced by the truth."""
    words = ["search", tmp_path / "plan.yaml", "-d", little, "-q", "--json"]
    honest = emoset(*words)
    shutil.rmtree(little / "searches")
    for number, path in enumerate(sorted(little.glob("runs/*/predictions.csv"))):
        table = path.read_text("utf-8").splitlines()
        head = table[0].split(",")
        place, right = head.index("prediction"), head.index("truth")
        for line, text in enumerate(table[1:], start=1):
            cells = text.split(",")
            if cells[head.index("partition")] == "test":
                cells[place] = cells[right] if number % 2 else "anger"
                table[line] = ",".join(cells)
        path.write_text("\n".join(table) + "\n", "utf-8")
    assert emoset(*words) == honest
    for path in little.glob("runs/*/predictions.csv"):
        path.unlink()
    shutil.rmtree(little / "searches")
    assert emoset(*words) == honest


def test_a_network_is_searched_by_its_best_epoch(emoset, little, tmp_path):
    (tmp_path / "cnn.yaml").write_text(
        "train: cnn\n"
        "options: {preset: quick, patience: 1, epochs: 2, steps-per-epoch: 2, batch-size: 8, num-mels: 16, window: 1,\n"
        "          precision: fp32, learning-rate: 0.01}\n"
        "space: {size: {choice: [{filters: 4, blocks: 1}, {filters: 2, blocks: 1}]}}\nsearch: {sampler: grid}\n",
        "utf-8",
    )
    answer = emoset("search", tmp_path / "cnn.yaml", "-t", CORA, "-d", little, "--json", "--device", "cpu")
    assert answer.code == 0, answer.err
    for row in answer.json()["trials"]:
        run = runs.find_run(little, row["runs"][0])
        history = csv.DictReader((run.folder / "history.csv").read_text("utf-8").splitlines())
        assert row["devel_uar"] == pytest.approx(max(float(epoch["devel_uar"]) for epoch in history))
        assert run.config["options"]["network"] == {"filters": row["options"]["filters"], "blocks": 1}
    assert "epoch 1, lr 0.01" in answer.err or "trained: " in answer.err


def test_a_shared_network_that_is_tuned_does_not_count(monkeypatch):
    made = [SimpleNamespace(name=str(uar), config={"chosen": {"1": {"devel_uar": uar}, "2": {"devel_uar": uar}}})
            for uar in (0.9, 0.5, 0.7)]  # fmt: skip
    monkeypatch.setattr(cli.deep, "trained", lambda model, given, attempt: (made, True))
    assert cli._trained("cnn", {"tune": "adapters"}) == (pytest.approx(0.6), ["0.9", "0.5", "0.7"])
    assert cli._trained("cnn", {})[0] == pytest.approx(0.7)


def test_a_trial_with_a_corpus_that_fails_is_no_trial(emoset, done, tmp_path):
    """One of two corpora has no features: the mean of the other would be another objective."""
    workspace = Path(shutil.copytree(done, tmp_path / "w"))
    for path in workspace.glob(f"features/*/{ARIA}.*"):
        path.rename(tmp_path / path.name)
    (tmp_path / "p.yaml").write_text("train: svm\nspace: {class-weight: {choice: [balanced]}}\n", "utf-8")
    words = ["search", tmp_path / "p.yaml", "-t", f"{CORA},{ARIA}", "-d", workspace, "--json", "--trials", 1]
    answer = emoset(*words)
    assert (answer.code, answer.out) == (1, "")
    assert "trial 1 of 1 failed: demo-aria has no egemaps-v02 features" in answer.err and "--retry" in answer.err
    for path in tmp_path.glob(f"{ARIA}.*"):
        path.rename(next(workspace.glob("features/egemaps*")) / path.name)
    assert emoset(*words).code == 1
    again = emoset(*words, "--retry", "-q")
    assert again.json()["trials"][0]["state"] == "done" and again.err == ""


def test_if_all_fail_the_exit_code_says_so(emoset, little, tmp_path):
    (tmp_path / "plan.yaml").write_text(GRID.replace("{partition", "{feature: emobase, partition"), "utf-8")
    for more in ([], ["--json"]):
        answer = emoset("search", tmp_path / "plan.yaml", "-d", little, "-q", *more)
        assert (answer.code, answer.out) == (1, "")
        assert answer.err == (
            "error: all 4 trials failed, the last: demo-cora has no emobase features (emoset extract emobase "
            "demo-cora)\n  mend: mend that, then give the command again with --retry\n"
        )
    assert [row["devel_uar"] for row in rows(little)] == [""] * 4


def test_other_data_are_another_search(emoset, little, tmp_path):
    def folder(*more):
        answer = emoset("search", tmp_path / "plan.yaml", "-d", little, "-q", "--json", "--trials", 1, *more)
        return Path(answer.json()["search"])

    (tmp_path / "plan.yaml").write_text(GRID.replace("options: {partition: standard}\n", ""), "utf-8")
    first = folder()
    assert folder("-t", CORA) == first
    (little / "label_spaces.yaml").write_text("mine: {map: {a: [anger], b: [calm]}, source: me}\n", "utf-8")
    assert folder() != first
    (little / "label_spaces.yaml").unlink()
    path = little / "corpora" / CORA / "partition.json"
    path.write_text(path.read_text("utf-8").replace('"seed": 0', '"seed": 1'), "utf-8")
    assert folder() != first


def test_a_dry_run_shows_what_would_be_tried_and_writes_nothing(emoset, tmp_path):
    (tmp_path / "grid.yaml").write_text(GRID, "utf-8")
    (tmp_path / "wide.yaml").write_text(WIDE, "utf-8")
    answer = emoset("search", tmp_path / "grid.yaml", "--dry-run", "--json", "-d", tmp_path / "w")
    assert answer.code == 0 and answer.err == ""
    assert [(one["normalise"], one["class-weight"]) for one in answer.json()["trials"]] == list(
        product(["train", "corpus"], ["none", "balanced"])
    )
    assert len(emoset("search", tmp_path / "grid.yaml", "--dry-run", "--json", "-n", 2).json()["trials"]) == 2
    table = emoset("search", tmp_path / "grid.yaml", "--dry-run").out
    assert (
        "4 trials (grid)" in table
        and "emoset train svm -t CORPORA --partition standard" in table
        and "balanced" in table
    )
    wide = emoset("search", tmp_path / "wide.yaml", "--dry-run", "-n", 7).out
    assert "0.0001 to 0.1, log" in wide and "filters 16, widen 2; filters 32, widen 1" in wide and "7 trials" in wide
    plan = emoset("search", tmp_path / "wide.yaml", "--dry-run", "--json").json()["plan"]
    assert plan["space"]["blocks"] == {"int": [1, 3]}
    assert not (tmp_path / "w").exists()


def test_errors_of_a_plan_leave_stdout_empty(emoset, tmp_path):
    (tmp_path / "plan.yaml").write_text(GRID.replace("corpus]", "corpse]"), "utf-8")
    answer = emoset("search", tmp_path / "plan.yaml", "-d", tmp_path)
    assert (answer.code, answer.out) == (1, "")
    assert "plan.yaml:4: space.normalise.choice[1]: unknown value 'corpse'" in answer.err
    assert "mend: did you mean 'corpus'? known: corpus, speaker, train" in answer.err


def test_a_search_is_one_process(emoset, done, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    answer = emoset("search", "emonet-lr", "-t", CORA, "-d", done)
    assert (answer.code, answer.out) == (1, "")
    assert "emoset search is not for several processes, and 2 were started" in answer.err
    assert "start it without torchrun or accelerate launch" in answer.err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")
def test_a_killed_search_goes_on_to_the_same_trials(emoset, small, little, tmp_path):
    quiet = Path(shutil.copytree(small / "w", tmp_path / "quiet"))
    assert emoset("search", tmp_path / "plan.yaml", "-d", quiet, "-q").code == 0
    command = [sys.executable, "-c", "from emoset_cli.cli.main import main; main()", "search",
               str(tmp_path / "plan.yaml"), "-d", str(little), "-q", "--workers", "1"]  # fmt: skip
    for wanted in ("searches/*/journal.log", "searches/*/best.yaml"):
        process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
        while process.poll() is None and not list(little.glob(wanted)):
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert 1 <= len(rows(little)) < 4
    assert emoset("search", tmp_path / "plan.yaml", "-d", little, "-q").code == 0
    (one,), (other,) = quiet.glob("searches/*"), little.glob("searches/*")
    assert one.name == other.name and {path.name for path in one.iterdir()} == {path.name for path in other.iterdir()}
    for name in ("trials.csv", "best.yaml", "plan.yaml"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    assert {path.name for path in quiet.glob("runs/*")} == {path.name for path in little.glob("runs/*")}
