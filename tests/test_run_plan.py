"""Plans of runs: how they are read, which jobs they make, and how these are done, resumed, tried again and told of."""

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from emoset_cli import feature_store
from emoset_cli.cli import run_checks, run_over, search_options
from emoset_cli.errors import EmosetError
from emoset_cli.plan import state
from emoset_cli.plan.estimate import in_words, seconds_of, time_left
from emoset_cli.plan.jobs import Job, Over, jobs_of, with_needs
from emoset_cli.plan.plan import Plan, RunSet
from emoset_cli.plan.schedule import EVENTS

ARIA, BRIO, CORA = "demo-aria", "demo-brio", "demo-cora"
SVM = "{train: svm, over: each, options: {partition: speakers}}"
MINE = f"""\
corpora: [{ARIA}, {CORA}]
runs:
  plain: {SVM}
  normed:
    train: svm
    over: each
    options: {{partition: speakers}}
    grid: {{normalise: [train, speaker]}}
"""


def plan_of(folder, text, name="mine"):
    path = folder / f"{name}.yaml"
    path.write_text(text, "utf-8")
    return path


def runner(emoset, workspace, path):
    return lambda *words: emoset("run", path, "-d", workspace, "--workers", 1, *words)


def listed(answer):
    """The jobs of a dry run by name."""
    assert answer.code == 0, answer.err
    return {job["job"]: job for job in answer.json()["jobs"]}


def events(workspace):
    (log,) = workspace.glob("plans/*/events.jsonl")
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


# Reading: every mistake with its line, before anything starts


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("runs: {a: SVM}", ["1: the key 'corpora' is missing", "add corpora: [emodb]"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: svn, over: each}",
         ["3: runs.a.train: unknown command of emoset train 'svn'", "did you mean 'svm'?"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: svm}", ["3: runs.a: the key 'over' is missing", "add over: each"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: svm, over: each, from: b}\n  b: {train: svm, over: each}",
         ["3: runs.a.from: b is not before this set of runs", "move b before a"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: cnn, over: each, from: a}",
         ["a is not before", "name another one"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: cnn, over: each}\n  b: {train: cnn, over: each, from: c}",
         ["4: runs.b.from: unknown set of runs 'c'", "known: a, b"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: svm, over: each}\n  b: {train: svm, over: each, from: a}",
         ["4: runs.b.from: svm does not start from another model", "leave from out"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: cnn, over: each}\n  b: {train: acrnn, over: each, from: a}",
         ["4: runs.b: acrnn cannot start from a, which is of cnn", "write train: cnn"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: cnn, over: each, seeds: [0, 1]}\n"
         "  b: {train: cnn, over: each, from: a, seeds: [1, 2]}",
         ["4: runs.b: it starts from the run of the same seed, and a has none of seed 2", "take seeds from 0, 1"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: svm, over: each, options: {feature: egemap}}",
         ["3: runs.a: unknown feature 'egemap'", "did you mean 'egemaps'?"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: svm, over: each, options: {feature: wav2vec2}}",
         ["3: runs.a: feature wav2vec2 takes options of its own", "add extract: {wav2vec2: "]),
        ("corpora: [demo-cora]\nextract:\n  w: {feature: wav2vec2, options: {weights: x}}\nruns:\n  a: SVM",
         ["3: extract.w: unknown option of feature wav2vec2 'weights'", "known: device, layer, model"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: svm, over: each, options: {wccn: 0.1}, grid: {wccn: [0.5, 1]}}",
         ["3: runs.a: wccn is set to 0.1 under options, and by the grid", "remove one of the two"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: cnn, over: each, options: {dropout: 2}}",
         ["3: runs.a.options.dropout: 2.0 is above 0.9", "take 0.9 or less"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: svm, over: each, options: {seed: 1}}",
         ["3: runs.a.options.seed: --seed is said otherwise in a plan", "write seeds: [0, 1, 2]"]),
        ("corpora: [demo-cora, demo-cora]\nruns: {a: SVM}", ["1: corpora: demo-cora stands twice", "remove one"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: svm, over: each, seeds: [1, 1]}",
         ["3: runs.a: a seed stands twice", "give each seed once"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: svm, over: each, corpora: [demo-aria]}",
         ["3: runs.a: unknown corpus of the plan 'demo-aria'", "known: demo-cora"]),
        ("corpora: [demo-cora]\nunseen: [demo-cora]\nruns: {a: SVM}",
         ["2: unseen: demo-cora is both trained on and unseen", "remove it from one"]),
        ("corpora: [demo-cora]\nruns:\n  a: {train: svm, over: each, unseen: true}",
         ["3: runs.a: it tests unseen corpora, and the plan names none", "add unseen: [KEY]"]),
        ("corpora: [demo-cora]\nruns: {a: SVM}\nsizes: {smoke: {runs: {b: {seeds: [1]}}}}",
         ["3: sizes.smoke.runs.b: unknown set of runs 'b'", "known: a"]),
        ("corpora: [demo-cora]\nruns: {a: SVM}\nsizes:\n  smoke: {runs: {a: {options: {feature: is99}}}}",
         ["4: sizes.smoke.runs.a: unknown feature 'is99'", "known: "]),
        ("corpora: [demo-cora]\nruns: {a: SVM}\nreport:\n  - scores: {}\n    runs: [z]",
         ["5: report[0].runs[0]: unknown set of runs 'z'", "known: a"]),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_line_and_its_mend(emoset, prepared, tmp_path, text, told):
    path = plan_of(tmp_path, text.replace("SVM", SVM))
    answer = emoset("run", path, "-d", prepared, "--dry-run")
    assert (answer.code, answer.out) == (1, "")
    problem, mend = answer.err.removeprefix(f"error: {path}:").split("\n  mend: ")
    assert problem.startswith(told[0]) or told[0] in problem, answer.err
    assert told[1] in mend
    assert not (prepared / "jobs").exists()


def test_all_mistakes_of_a_file_are_told_at_once(emoset, prepared, tmp_path):
    text = "corpora: [demo-cora]\nruns:\n  a: {train: svm, over: all}\n  b: {train: svm, over: each, option: {}}\n"
    answer = emoset("run", plan_of(tmp_path, text), "-d", prepared)
    assert "error: 2 mistakes in" in answer.err and answer.code == 1
    assert "yaml:3: runs.a.over: unknown word 'all'" in answer.err
    assert "yaml:4: runs.b: unknown key 'option' (did you mean 'options'?" in answer.err


# Checks against the corpora


def test_all_that_is_impossible_over_the_corpora_is_told_before_the_first_job(emoset, prepared, tmp_path):
    text = """\
corpora: [demo-aria, demo-cora]
unseen: [demo-brio]
extract: {w: {feature: wav2vec2, options: {model: '@nothing'}}}
runs:
  good: {train: svm, over: each}
  groups: {train: svm, over: each, options: {partition: 'losgo:9'}}
  named: {train: forest, over: each, options: {partition: nothing}}
  space: {train: cnn, over: together, options: {labels: nonsense, multi-task: true}}
  own: {train: forest, over: together, options: {pool: true}}
  single: {train: cnn, over: each, options: {multi-task: true}}
  mode: {train: cnn, over: each, options: {mode: finetune}}
  scratch: {train: cnn, over: each, from: mode}
  outside: {train: svm, over: together, unseen: true, options: {labels: three-class}}
  made: {train: svm, over: each, options: {feature: w}}
"""
    answer = emoset("run", plan_of(tmp_path, text), "-d", prepared)
    assert (answer.code, answer.out) == (1, "") and not (prepared / "jobs").exists()
    for told in (
        "plan mine cannot be run so, for 11 reasons",
        "groups (demo-cora): 'losgo:9' needs a number of groups from 3 to 6 (the number of speakers) (for example",
        "named (demo-aria): unknown partition of demo-aria 'nothing' (known: folds, loco",
        "space (demo-aria+demo-cora): unknown label space 'nonsense' (known: arousal",
        "own (demo-aria+demo-cora): the corpora demo-aria, demo-cora have different labels",
        "single (demo-cora): --multi-task needs several corpora, here is demo-cora",
        "mode (demo-aria), mode (demo-cora): -m finetune starts from a trained network, and none is named",
        "scratch (demo-cora), scratch (demo-aria): -m scratch starts from new weights",
        "outside (demo-aria+demo-cora): demo-aria, demo-cora do not share one classifier",
        "extract (demo-aria), extract (demo-cora): unknown thing that is made on the spot '@nothing' (known: @tiny",
        "mend: mend these, or leave sets of runs out by --only",
    ):
        assert told in answer.err, told
    assert "good (" not in answer.err and "groups (demo-aria)" not in answer.err
    assert emoset("run", tmp_path / "mine.yaml", "-d", prepared, "--only", "good", "--dry-run").code == 0


def test_a_label_space_must_keep_something_of_each_corpus(emoset, prepared, tmp_path):
    workspace = shutil.copytree(prepared, tmp_path / "w")
    space = "odd: {source: mine, map: {dull: [boredom], low: [sadness]}}\n"
    (workspace / "label_spaces.yaml").write_text(space, "utf-8")
    run = "{train: svm, over: together, options: {pool: true, labels: odd, partition: speakers}}"
    path = plan_of(tmp_path, f"corpora: [{ARIA}, {CORA}]\nruns: {{a: {run}}}\n")
    answer = emoset("run", path, "-d", workspace)
    assert answer.code == 1 and "plan mine, a (demo-aria+demo-cora): " in answer.err
    assert (
        "label space odd keeps no utterance of demo-cora\n  mend: choose another one, or leave demo-cora out"
        in answer.err
    )


def test_a_plan_is_shown_to_be_changed(emoset, tmp_path):
    shown = emoset("run", "zhu2020", "--show", "-d", tmp_path)
    assert (shown.code, shown.err) == (0, "") and yaml.safe_load(shown.out)["corpora"] == ["emodb", "crema-d"]
    mine = tmp_path / "mine.yaml"
    mine.write_text(shown.out, "utf-8")
    assert emoset("run", mine, "--show", "--json", "-d", tmp_path).json() == {"plan": "mine", "yaml": shown.out}
    answer = emoset("run", "zhu2021", "--show", "-d", tmp_path)
    assert (answer.code, answer.out) == (1, "") and "did you mean 'zhu2020'?" in answer.err


def test_corpora_that_are_missing_or_unknown(emoset, prepared, tmp_path):
    path = plan_of(tmp_path, f"corpora: [emodb, {CORA}]\nruns: {{a: {SVM}}}\n")
    answer = emoset("run", path, "-d", prepared)
    assert answer.code == 1 and "1 of its 2 corpora is not prepared" in answer.err
    assert "mend: emoset prepare emodb=FOLDER; or run it on those you own: --corpora demo-cora" in answer.err
    answer = emoset("run", path, "-d", prepared, "--corpora", f"emo-db,emovo,{CORA}")
    assert "for 2 reasons" in answer.err and "corpora: unknown corpus 'emo-db' (did you mean 'emodb'?" in answer.err
    assert emoset("run", path, "-d", prepared, "--corpora", CORA, "--dry-run").code == 0
    answer = emoset("run", path, "-d", prepared, "--corpora", CORA, "--unseen", ARIA)
    assert "no runs of plan mine test unseen corpora\n  mend: leave --unseen out" in answer.err
    answer = emoset("run", path, "-d", prepared, "--corpora", CORA, "--only", "b")
    assert "unknown set of runs of plan mine 'b'\n  mend: known: a" in answer.err


@pytest.mark.parametrize(
    ("keys", "unseen", "there", "owned"),
    [
        (["a", "b"], ["x"], ["a"], ""),  # one corpus cannot be both
        (["a", "b"], ["x"], ["a", "b", "c"], "--unseen c"),
        (["a", "b"], ["x"], ["a", "b"], "--corpora a --unseen b"),
        (["a", "b"], ["x", "y"], ["a", "y"], "--corpora a --unseen y"),
        (["a", "b"], [], ["b", "c"], "--corpora b"),
        (["a"], [], ["c"], "--corpora c"),
    ],
)
def test_what_is_owned_is_proposed(keys, unseen, there, owned):
    """The mend for corpora that are not prepared names options that can be given."""
    ((_, error),) = run_checks.of_corpora(keys, unseen, there, {*"abcxy"}, Path("w"))
    assert error.mend.partition("; or run it on those you own: ")[2] == owned


def test_a_set_that_is_of_none_of_the_corpora_is_told(emoset, prepared, tmp_path):
    path = plan_of(tmp_path, f"corpora: [{ARIA}, {CORA}]\nruns:\n  a: {SVM}\n  b: {SVM[:-1]}, corpora: [{ARIA}]}}\n")
    answer = emoset("run", path, "-d", prepared, "--corpora", CORA, "--dry-run")
    assert answer.code == 0 and f"note: b: none of its runs is possible over {CORA}" in answer.err
    answer = emoset("run", path, "-d", prepared, "--corpora", CORA, "--dry-run", "--only", "b")
    assert answer.code == 1 and f"b of plan mine have nothing to do over {CORA}" in answer.err


def test_a_device_that_is_not_there(emoset, prepared, tmp_path):
    path = plan_of(tmp_path, f"corpora: [{CORA}]\nruns: {{a: {{train: cnn, over: each}}}}\n")
    answer = emoset("run", path, "-d", prepared, "--device", "tpu", "--dry-run")
    assert answer.code == 1 and "plan mine, a (demo-cora): unknown device 'tpu'" in answer.err


# Jobs


def made(plan, over, data=lambda key, spec, seed: [key, False], made_by=lambda what: 1):
    def line(train, options, keys):
        return search_options.command_line(train, search_options.plain(train, options), list(keys))[1:]

    return jobs_of(plan, over, line, data, made_by, lambda train: "egemaps" if train in {"svm", "forest"} else "")


def planned(runs, corpora=("a", "b")):
    sets = {one.name: one for one in runs}
    return Plan("p", "P", "", "paper", ("paper",), corpora, (), {}, sets, ())


@st.composite
def plans(draw):
    """Sets of runs, some of them from earlier ones, over one to three corpora."""
    runs = []
    for number in range(draw(st.integers(1, 5))):
        before = [one for one in runs if one.train == "cnn"]
        origin = draw(st.sampled_from(before)) if before and draw(st.booleans()) else None
        train = "cnn" if origin else draw(st.sampled_from(["cnn", "svm", "forest"]))
        seeds = draw(st.sampled_from([(0,), (0, 1), (1, 2)])) if not origin else origin.seeds
        options = {
            "partition": draw(st.sampled_from(["", "loso"])),
            "labels": draw(st.sampled_from(["own", "valence"])),
        }
        corpora = tuple(draw(st.lists(st.sampled_from("abc"), unique=True, max_size=2)))
        points = ({"class-weight": "none"}, {"class-weight": "balanced"}) if train == "svm" else ({},)
        runs.append(RunSet(f"s{number}", train, draw(st.booleans()), corpora, origin.name if origin else "",
                           options=options, points=points, seeds=seeds))  # fmt: skip
    return planned(runs, ("a", "b", "c"))


@settings(max_examples=25, deadline=None)
@given(plans(), st.data())
def test_jobs_stand_behind_what_they_need_and_keep_their_ids(plan, data):
    over = Over(tuple(data.draw(st.lists(st.sampled_from("abc"), unique=True, min_size=1))))
    try:
        jobs = made(plan, over)
    except EmosetError as error:
        assert "has nothing to do over" in error.problem
        return
    ids = [job.id for job in jobs]
    assert len(set(ids)) == len(ids)
    for position, job in enumerate(jobs):
        assert set(job.needs) <= set(ids[:position]), job
        assert job.set == "extract" or set(job.corpora) <= set(over.corpora)
        assert {need for word in job.words for need in ids if f"{{{need}}}" in word} <= set(job.needs)
    shuffled = {name: replace(one, options=dict(reversed(one.options.items()))) for name, one in plan.runs.items()}
    assert [job.id for job in made(replace(plan, runs=shuffled), over)] == ids
    for name in plan.runs:
        chosen = with_needs(jobs, [name])
        kept = {job.id for job in chosen}
        assert all(set(job.needs) <= kept for job in chosen)
        assert {job.id for job in jobs if name in job.sets} <= kept
    other = made(plan, over, lambda key, spec, seed: [key, key == over.corpora[0]])
    for old, new in zip(jobs, other, strict=True):  # other data of one corpus: other jobs where it takes part
        assert (old.id == new.id) == (over.corpora[0] not in old.corpora and set(old.needs) == set(new.needs))
    assert not set(ids) & {job.id for job in made(plan, over, made_by=lambda what: 2)}


def test_runs_start_from_those_of_the_same_seed_and_not_from_their_own_corpus():
    base = RunSet("base", "cnn", seeds=(0, 1))
    tuned = RunSet("tuned", "cnn", origin="base", options={"mode": "finetune"}, seeds=(0, 1))
    jobs = made(planned([base, tuned]), Over(("a", "b")))
    by_id = {job.id: job for job in jobs}
    found = [(job.corpora, by_id[job.needs[0]].corpora, job.name) for job in jobs if job.set == "tuned"]
    assert found == [
        (("b",), ("a",), "tuned from base a seed 0 b seed 0"), (("a",), ("b",), "tuned from base b seed 0 a seed 0"),
        (("b",), ("a",), "tuned from base a seed 1 b seed 1"), (("a",), ("b",), "tuned from base b seed 1 a seed 1"),
    ]  # fmt: skip
    assert [word for word in jobs[-1].words if word.startswith("{")] == [f"{{{jobs[-1].needs[0]}}}"]
    assert jobs[-1].filled({jobs[-1].needs[0]: "RUN"}).count("RUN") == 1


def test_the_order_of_keys_in_a_file_changes_no_job(emoset, prepared, tmp_path):
    text = f"""
corpora: [{ARIA}, {CORA}]
runs:
  a: {{train: svm, over: each, seeds: [0, 1], options: {{partition: loso, normalise: speaker, labels: valence}}}}
  b: {{train: cnn, over: together, options: {{preset: quick, multi-task: true, dropout: 0.1, blocks: 1}}}}
"""
    rng, whole = Random(0), yaml.safe_load(text)

    def shuffled(value, order=True):
        if not isinstance(value, dict):
            return value
        items = list(value.items())
        if order:
            rng.shuffle(items)
        return {key: shuffled(inner, key != "runs") for key, inner in items}

    wanted = {name: job["id"] for name, job in listed(
        emoset("run", plan_of(tmp_path, text), "-d", prepared, "--dry-run", "--json")).items()}  # fmt: skip
    for _ in range(2):
        path = plan_of(tmp_path, yaml.safe_dump(shuffled(whole), sort_keys=False), "other")
        found = listed(emoset("run", path, "-d", prepared, "--dry-run", "--json"))
        assert {name: job["id"] for name, job in found.items()} == wanted


# States and estimates


def job(name, needs=(), of="a"):
    return Job(name, (of,), name, ("train", "svm"), ("a",), tuple(needs), "svm 1")


def record(name, how=state.DONE, **facts):
    return state.Record(name, name, "svm 1", how, "emoset", 1.0, 10, **facts)


def test_states_are_what_lies_on_disk(tmp_path):
    jobs = [job("1"), job("2", ["1"]), job("3", ["2"]), job("4"), job("5"), job("6"), job("7")]
    (tmp_path / "runs" / "r").mkdir(parents=True)
    (tmp_path / "runs" / "r" / "done.json").write_text("{}", "utf-8")
    state.write_record(tmp_path, record("1", state.FAILED, problem="p", mend="m"))
    state.write_record(tmp_path, record("4", runs=["r"]))
    state.write_record(tmp_path, record("5", runs=["r", "gone"]))
    state.write_record(tmp_path, record("6", runs=["r"]))
    state.jobs_folder(tmp_path).joinpath("6.json").write_text('{"id": "6", "odd": 1', "utf-8")
    state.log_file(tmp_path, "5").touch()
    records = state.read_records(tmp_path)
    assert sorted(records) == ["1", "4", "5"] and state.read_record(tmp_path, "6") is None
    with state.held(tmp_path, "7") as log:
        assert log is not None
        with state.held(tmp_path, "7") as second:
            assert second is None
        assert state.is_running(tmp_path, "7")
        found = state.states(tmp_path, jobs, records)
    assert found == dict(
        zip("1234567", ["failed", "blocked", "blocked", "done", "begun", "open", "running"], strict=True)
    )
    assert state.states(tmp_path, jobs, records)["7"] == "begun"
    assert not state.log_file(tmp_path, "1").exists()  # looking makes no files


def test_time_is_estimated_from_jobs_that_were_done_at_one_go():
    records = [
        record("x", whole=True), replace(record("y", whole=True), seconds=3.0, utterances=10),
        replace(record("z"), seconds=0.001), replace(record("u", whole=True), kind="svm 2", seconds=50.0),
    ]  # fmt: skip
    assert seconds_of(job("1"), {"a": 100}, records) == pytest.approx(20)  # the median of 0.1 and 0.3 s
    other = replace(job("1"), kind="svm 3")
    assert seconds_of(other, {"a": 10}, records) == 3.0  # any svm
    assert seconds_of(replace(job("1"), kind="extract egemaps"), {"a": 10}, records) is None
    extracts = [replace(record("e", whole=True), kind="extract egemaps", seconds=2.0)]
    assert seconds_of(replace(job("1"), kind="extract egemaps --x 1"), {"a": 10}, extracts) == 2.0
    assert seconds_of(replace(job("1"), kind="extract wav2vec2"), {"a": 10}, extracts) is None
    assert time_left([job("1"), job("2"), replace(job("3"), kind="cnn 1")], {"a": 100}, records, 2) == (20, 1)
    assert in_words(59.6) == "1 min 0 s"


# Through the command line


@pytest.mark.slow
def test_a_plan_is_done_once_and_its_log_tells_how(emoset, pair, tmp_path):
    workspace = shutil.copytree(pair, tmp_path / "w")
    run = runner(emoset, workspace, plan_of(tmp_path, MINE))
    before = listed(run("--dry-run", "--json"))
    assert list(before) == [f"egemaps {ARIA}", f"plain {ARIA}", f"egemaps {CORA}", f"plain {CORA}",
                            f"normed normalise=speaker {ARIA}", f"normed normalise=speaker {CORA}"]  # fmt: skip
    assert {job["state"] for job in before.values()} == {"open"}
    assert before[f"plain {CORA}"]["command"] == f"emoset train svm -t {CORA} --partition speakers"
    assert not (workspace / "jobs").exists()

    nothing = run("--limit", 0)
    assert nothing.code == 0 and nothing.err == "no report: none of the runs is finished\n"
    first = run("--limit", 3, "--json", "-q")
    assert first.code == 0, first.err
    assert {name: count for name, count in first.json()["jobs"].items() if count} == {"done": 3, "open": 3}
    answer = run("--only", "normed", "--json")
    assert answer.code == 0, answer.err  # the runs of `plain` are its own too
    assert answer.err.splitlines()[0].startswith("[1/3] done: plain demo-cora, devel UAR ")
    value = answer.json()
    assert value["jobs"]["done"] == 6 and value["failed"] == [] and Path(value["report"]).is_file()
    assert len(value["runs"]) == 4 and all(
        (workspace / "runs" / name / "done.json").is_file() for name in value["runs"]
    )

    stamps = {path: path.stat().st_mtime_ns for path in (workspace / "jobs").iterdir()}
    assert run("-q").code == 0
    assert {path: path.stat().st_mtime_ns for path in (workspace / "jobs").iterdir()} == stamps
    log = events(workspace)
    assert {line["event"] for line in log} == {"started", "submitted", "done", "ended"}
    for line in log:
        assert set(line) == {"time", "event", *EVENTS[line["event"]]}, line
    assert [line["todo"] for line in log if line["event"] == "started"] == [3, 3]
    done = [line["name"] for line in log if line["event"] == "done"]
    assert sorted(done) == sorted(before)
    after = listed(run("--dry-run", "--json"))
    assert {job["state"] for job in after.values()} == {"done"}
    assert [job["id"] for job in after.values()] == [job["id"] for job in before.values()]


def test_time_is_told_where_the_like_was_done(emoset, pair, tmp_path):
    workspace = shutil.copytree(pair, tmp_path / "w")
    path = plan_of(tmp_path, MINE)
    assert runner(emoset, workspace, path)("--corpora", CORA, "--only", "plain", "-q").code == 0
    value = runner(emoset, workspace, path)("--dry-run", "--json").json()
    seconds = {job["job"]: job["seconds"] for job in value["jobs"]}
    assert seconds[f"plain {CORA}"] is None  # done
    assert seconds[f"plain {ARIA}"] > 0 and seconds[f"normed normalise=speaker {CORA}"] > 0
    assert value["unknown"] == 1 and seconds[f"egemaps {ARIA}"] is None  # features were there: nothing was measured
    shown = runner(emoset, workspace, path)("--dry-run").out
    assert "4 of 6 jobs would be done: about " in shown and "how long 1 of them take is not known" in shown


def test_a_failure_stops_only_what_needs_it_and_is_tried_again(emoset, small, tmp_path):
    workspace = shutil.copytree(small / "w", tmp_path / "w")
    other = SVM.replace("speakers", "speakers, feature: gemaps")
    path = plan_of(tmp_path, f"corpora: [{CORA}]\nruns:\n  other: {other}\n  plain: {SVM}\n")
    run = runner(emoset, workspace, path)
    obstacle = feature_store.feature_folder(workspace, "gemaps-v01b")
    obstacle.write_text("no folder", "utf-8")
    answer = run("--json")
    assert answer.code == 1
    value = answer.json()
    assert {name: count for name, count in value["jobs"].items() if count} == {"done": 2, "failed": 1, "blocked": 1}
    (failed,) = value["failed"]
    assert failed["job"] == f"gemaps {CORA}" and failed["mend"] and str(obstacle) in failed["problem"]
    log = Path(failed["log"]).read_text("utf-8")
    assert log.startswith(f"$ emoset extract gemaps {CORA}\n") and f"error: {failed['problem']}" in log
    assert f"failed: gemaps {CORA}: {failed['problem']} (mend: {failed['mend']})" in answer.err
    assert {"failed", "blocked", "done"} <= {line["event"] for line in events(workspace)}
    assert [job["state"] for job in listed(run("--dry-run", "--json")).values()] == [
        "failed",
        "blocked",
        "done",
        "done",
    ]
    answer = run("--limit", 0)
    assert answer.code == 0 and "The same command tries them again. 1 jobs that need them were not begun." in answer.out
    obstacle.unlink()
    answer = run("--json")
    assert answer.code == 0, answer.err
    assert answer.json()["jobs"]["done"] == 4 and answer.json()["failed"] == []


def test_without_a_finished_run_the_failures_are_told_all_the_same(emoset, small, tmp_path):
    workspace = shutil.copytree(small / "w", tmp_path / "w")
    shutil.rmtree(workspace / "features")
    (workspace / "features").touch()
    answer = runner(emoset, workspace, plan_of(tmp_path, f"corpora: [{CORA}]\nruns: {{plain: {SVM}}}\n"))()
    assert answer.code == 1 and "report: " in answer.err  # of what failed
    assert f"egemaps {CORA}" in answer.out and "Traceback" not in answer.out + answer.err


def test_what_was_deleted_is_done_again_and_other_data_make_other_jobs(emoset, small, tmp_path):
    workspace = shutil.copytree(small / "w", tmp_path / "w")
    run = runner(emoset, workspace, plan_of(tmp_path, f"corpora: [{CORA}]\nruns: {{plain: {SVM}}}\n"))
    value = run("--json", "-q").json()
    before = listed(run("--dry-run", "--json"))
    shutil.rmtree(workspace / "runs" / value["runs"][0])
    assert [job["state"] for job in listed(run("--dry-run", "--json")).values()] == ["done", "begun"]
    assert run("--json", "-q").json()["runs"] == value["runs"]
    folder = shutil.copytree(small / "recordings", tmp_path / "recordings")
    next(folder.rglob("*.wav")).unlink()
    assert emoset("prepare", f"{CORA}={folder}", "-d", workspace, "-q").code == 0
    after = listed(run("--dry-run", "--json"))
    assert {job["state"] for job in after.values()} == {"open"}
    assert not {job["id"] for job in before.values()} & {job["id"] for job in after.values()}


def test_another_list_of_a_partition_makes_another_job(emoset, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lists = (small / "w" / "corpora" / CORA / "partition.csv").read_text("utf-8")
    path = plan_of(
        tmp_path, f"corpora: [{CORA}]\nruns: {{a: {{train: svm, over: each, options: {{partition: p.csv}}}}}}"
    )
    ids = []
    for text in (lists, lists + "\n"):
        (tmp_path / "p.csv").write_text(text, "utf-8")
        ids.append(
            [job["id"] for job in listed(emoset("run", path, "-d", small / "w", "--dry-run", "--json")).values()]
        )
    assert ids[0][0] == ids[1][0] and ids[0][1] != ids[1][1]  # the features are the same
    (tmp_path / "p.csv").unlink()
    answer = emoset("run", path, "-d", small / "w", "--dry-run")
    assert answer.code == 1 and "there is no partition file p.csv" in answer.err


def test_seeds_and_corpora_are_replaced(emoset, prepared, tmp_path):
    run = runner(emoset, prepared, plan_of(tmp_path, MINE))
    found = listed(run("--dry-run", "--json", "--seed", 3, "--seed", 4, "--corpora", BRIO, "--only", "plain"))
    assert list(found) == [f"egemaps {BRIO}", f"plain {BRIO} seed 3", f"plain {BRIO} seed 4"]
    assert shlex.split(found[f"plain {BRIO} seed 4"]["command"])[-2:] == ["--seed", "4"]


# The page

PAGE = (Path(__file__).parents[1] / "docs" / "plans.md").read_text("utf-8")


def test_every_key_is_explained(emoset, prepared, tmp_path):
    text = f"odd: 1\ncorpora: [{CORA}]\nruns: {{a: {SVM[:-1]}, odd: 1}}}}\nsizes: {{smoke: {{odd: 1}}}}\n"
    told = emoset("run", plan_of(tmp_path, text), "-d", prepared).err
    known = [set(names.split(", ")) for names in re.findall(r"unknown key 'odd' \(.*?known: (.*?)\)", told)]
    keys = PAGE.partition("\n### Keys\n")[2].partition("\n### ")[0].strip().split("\n\n")[:3]
    assert [
        set(re.findall(r"`([\w-]+)`", " ".join(re.findall(r"^\|([^|]*)\|", table, re.M)))) for table in keys
    ] == known


@pytest.mark.slow
def test_the_plan_of_the_page_works(emoset, pair, tmp_path):
    workspace = shutil.copytree(pair, tmp_path / "w")
    path = plan_of(tmp_path, PAGE.partition("```yaml\n")[2].partition("```")[0], "my-plan")
    assert "2 of its 2 corpora are not prepared" in emoset("run", path, "-d", workspace, "--dry-run").err
    run = runner(emoset, workspace, path)
    size = ("--size", "smoke", "--corpora", f"{ARIA},{CORA}")
    answer = run(*size, "--json")
    assert answer.code == 0, answer.err
    value = answer.json()
    assert value["jobs"]["done"] == 10 and len(value["runs"]) == 8 and Path(value["report"]).is_file()
    found = listed(run(*size, "--dry-run", "--json"))
    assert f"tuned from scratch {ARIA} {CORA}" in found and f"svm normalise=speaker {CORA}" in found
    base = json.loads((workspace / "jobs" / f"{found[f'scratch {ARIA}']['id']}.json").read_text("utf-8"))["answer"]
    assert f"--initial-model {base}" in found[f"tuned from scratch {ARIA} {CORA}"]["command"]


# The plans that come with emoset


def test_without_a_plan_those_of_emoset_are_listed(emoset):
    found = emoset("run", "--json").json()
    assert [plan["plan"] for plan in found] == list(run_over.shipped())
    assert all("smoke" in plan["sizes"] and plan["title"] and plan["source"] for plan in found)
    shown = emoset("run")
    assert shown.code == 0 and all(name in shown.out for name in run_over.shipped())


def test_names_of_plans(emoset, prepared):
    answer = emoset("run", "zhu2021", "-d", prepared)
    assert answer.code == 1 and "unknown plan 'zhu2021': no such file" in answer.err and "'zhu2020'" in answer.err
    answer = emoset("run", "svm-features", "-d", prepared)
    assert "is a search of options, not a plan of runs\n  mend: emoset search svm-features" in answer.err
    answer = emoset("run", "zhu2020", "--size", "large", "-d", prepared)
    assert "unknown size of plans/zhu2020.yaml 'large'\n  mend: known: paper, small, smoke" in answer.err
