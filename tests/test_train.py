"""Training against scikit-learn and by hand: the recipe, what it may not see, and what makes a run another run."""

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import yaml
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from emoset_cli import feature_store, runs
from emoset_cli.corpora import load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.features import settings
from emoset_cli.partition import PARTITIONS
from emoset_cli.prepare import entry_hash, read_utterances
from emoset_cli.train import baseline, forest, svm
from emoset_cli.train.baseline import Options, plan_run
from emoset_cli.train.fold import standardise
from emoset_cli.train.task import build_task

REGISTRY = load_corpora()
ARIA, BRIO, CORA = "demo-aria", "demo-brio", "demo-cora"


def task_of(workspace, keys=(CORA,), partition="standard", seed=0, space="own", subset="", registry=REGISTRY):
    return build_task(workspace, list(keys), registry, "egemaps-v02", partition, seed, space, subset)


def plan(workspace, task, options=Options(), space="own", subset=""):  # noqa: B008
    entries = {key: entry_hash(REGISTRY[key]) for key in task.corpora}
    return plan_run(workspace, task, options, settings("egemaps-v02"), entries, space, subset)


def train(workspace, task, options=Options(), **how):  # noqa: B008
    return baseline.train([plan(workspace, task, options)], **{"workers": 1, **how})[0]


def model_of(run):
    return safetensors.numpy.load_file(run.folder / "model.safetensors"), json.loads(
        (run.folder / "model.json").read_text("utf-8")
    )


def changed(task, where, rng):
    """The task with other features where ``where`` is true."""
    features = task.features.copy()
    features[where] = rng.normal(size=features[where].shape) * 1000
    return replace(task, features=features)


def blobs(labels, rows=60, columns=7, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.array(labels)[rng.integers(0, len(labels), rows)]
    codes = np.unique(truth, return_inverse=True)[1]
    return rng.normal(size=(rows, columns)) + 1.5 * np.eye(columns)[codes], truth


# ---------------- classifiers


@pytest.mark.parametrize("labels", [["calm", "anger"], ["anger", "fear", "joy", "sadness"]])
@pytest.mark.parametrize("weight", [None, "balanced"])
@pytest.mark.parametrize("columns", [7, 90], ids=["primal", "dual"])
def test_svm_arrays_score_as_scikit_learn(labels, weight, columns):
    features, truth = blobs(labels, columns=columns)
    unseen = blobs(labels, columns=columns, seed=1)[0]
    model = svm.fit(features, truth, {"C": 0.1}, weight, 3)
    reference = LinearSVC(C=0.1, dual=columns > 60, class_weight=weight, random_state=3, max_iter=10_000)
    decided = reference.fit(features, truth).decision_function(unseen)
    if len(labels) == 2:
        decided = np.column_stack([-decided, decided])
    assert model["labels"] == reference.classes_.tolist() == sorted(labels)
    assert model["converged"]
    np.testing.assert_allclose(svm.scores(model, unseen), decided, rtol=1e-12, atol=1e-12)
    winners = np.array(model["labels"])[svm.scores(model, unseen).argmax(axis=1)]
    assert (winners == reference.predict(unseen)).all()


@pytest.mark.parametrize("labels", [["calm", "anger"], ["anger", "fear", "joy", "sadness"]])
@pytest.mark.parametrize("weight", [None, "balanced"])
def test_forest_arrays_score_as_scikit_learn(labels, weight):
    features, truth = blobs(labels)
    unseen = blobs(labels, seed=1, rows=200)[0]
    model = forest.fit(features, truth, forest.GRID[0], weight, 3)
    reference = RandomForestClassifier(100, max_depth=5, class_weight=weight, random_state=3).fit(features, truth)
    assert model["labels"] == reference.classes_.tolist()
    np.testing.assert_allclose(forest.scores(model, unseen), reference.predict_proba(unseen), rtol=0, atol=1e-12)


def test_an_svm_that_does_not_converge_says_so():
    features, truth = blobs(["anger", "fear"], columns=90)
    features *= np.logspace(0, 8, 90)
    assert not svm.fit(features, truth[::-1], {"C": 1.0}, None, 0)["converged"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        LinearSVC(C=1.0, dual=True, random_state=0, max_iter=10_000).fit(features, truth[::-1])
    assert [warning.category for warning in caught] == [ConvergenceWarning]


def test_the_grid_is_that_of_the_paper():
    assert [setting["C"] for setting in svm.GRID] == pytest.approx(
        [1, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9]
    )
    assert forest.GRID == [{"trees": 100, "depth": 5}]


# ---------------- standardising


def test_standardise_by_training_utterances():
    features = np.array([[0, 5, 1], [4, 5, 3], [100, 7, 2]], np.float32)
    mean, scale, values = standardise(features, np.zeros(3, int), np.array([True, True, False]), "train")
    assert mean.tolist() == [[2, 5, 2]]
    assert scale.tolist() == [[2, 1, 1]]  # the second is constant in training: it is only shifted
    assert values.tolist() == [[-1, 0, -1], [1, 0, 1], [49, 2, 0]]


def test_standardise_by_corpus_uses_all_of_a_corpus_that_is_not_trained_on():
    features = np.array([[0], [4], [100], [10], [30]], np.float32)
    groups, trained = np.array([0, 0, 0, 1, 1]), np.array([True, True, False, False, False])
    mean, scale, values = standardise(features, groups, trained, "corpus")
    assert (mean.tolist(), scale.tolist()) == ([[2], [20]], [[2], [10]])
    assert values[:, 0].tolist() == [-1, 1, 49, -1, 1]


def test_standardise_by_speaker_uses_all_utterances_of_each():
    features = np.array([[0], [4], [10], [30], [7]], np.float32)
    mean, scale, values = standardise(
        features, np.array([0, 0, 1, 1, 2]), np.array([True, False] * 2 + [True]), "speaker"
    )
    assert (mean.tolist(), scale.tolist()) == ([[2], [20], [7]], [[2], [10], [1]])
    assert values[:, 0].tolist() == [-1, 1, -1, 1, 0]


def test_standardise_computes_in_double_precision():
    features = np.full((1000, 1), 1e6, np.float32) + np.arange(1000, dtype=np.float32)[:, None] % 7
    mean, scale, _ = standardise(features, np.zeros(1000, int), np.ones(1000, bool), "train")
    scaler = StandardScaler().fit(features.astype(float))
    np.testing.assert_allclose([mean[0], scale[0]], [scaler.mean_, scaler.scale_], rtol=1e-12)


# ---------------- the recipe


def by_hand(features, truth, where, weight=None):
    """EmoNet's baseline, written anew: (C, devel UAR, test predictions)."""
    train, devel, test = (where == part for part in PARTITIONS)
    scaler = StandardScaler().fit(features[train].astype(float))
    values = scaler.transform(features.astype(float))
    dual = train.sum() <= features.shape[1]
    scores = {}
    for power in range(10):
        model = LinearSVC(C=10.0**-power, dual=dual, class_weight=weight, random_state=0, max_iter=10_000)
        guess = model.fit(values[train], truth[train]).predict(values[devel])
        scores[10.0**-power] = balanced_accuracy_score(truth[devel], guess)
    best = max(scores, key=scores.get)  # the largest C among equals
    dual = (train | devel).sum() <= features.shape[1]
    final = LinearSVC(C=best, dual=dual, class_weight=weight, random_state=0, max_iter=10_000)
    return best, scores[best], final.fit(values[train | devel], truth[train | devel]).predict(values[test])


@pytest.mark.parametrize("weight", [None, "balanced"])
@pytest.mark.parametrize(
    ("key", "devel", "test"),
    [(ARIA, {"f04", "m04"}, {"f05", "m05"}), (BRIO, {"05", "06"}, {"07", "08"}), (CORA, {"cleo"}, {"dora", "falk"})],
)
def test_the_baseline_equals_an_independent_one(done, tmp_path, key, devel, test, weight):
    run = train(tmp_path, task_of(done, [key]), Options(class_weight=weight))
    utterances = read_utterances(done, key)
    _, features = feature_store.load(done, "egemaps-v02", key, utterances)
    where = utterances["speaker"].map(lambda name: "devel" if name in devel else "test" if name in test else "train")
    best, reached, guess = by_hand(features, utterances["label"].to_numpy(), where.to_numpy(), weight)
    table = run.predictions()
    rows = table[table["partition"] == "test"]
    assert run.config["chosen"] == {"1": {"C": best, "devel_uar": pytest.approx(reached, abs=1e-6)}}
    assert rows["utterance"].tolist() == utterances["utterance"][where == "test"].tolist()
    assert rows["prediction"].tolist() == guess.tolist()
    known = table[table["partition"] == "devel"]
    assert balanced_accuracy_score(known["truth"], known["prediction"]) == pytest.approx(reached)
    assert set(table["partition"]) == {"devel", "test"}


def test_a_classifier_does_better_than_chance_and_worse_than_perfect(done, tmp_path):
    table = train(tmp_path, task_of(done, [ARIA], "loso"), Options(normalise="speaker")).predictions()
    rows = table[table["partition"] == "test"]
    assert 0.5 < balanced_accuracy_score(rows["truth"], rows["prediction"]) < 0.99


def test_the_forest_equals_an_independent_one(done, tmp_path):
    task = task_of(done)
    run = train(tmp_path, task, Options("forest", seed=5))
    where = task.partition.table["1"].to_numpy()
    values = StandardScaler().fit(task.features[where == "train"].astype(float)).transform(task.features.astype(float))
    model = RandomForestClassifier(100, max_depth=5, random_state=5)
    model.fit(values[where != "test"], task.truth[where != "test"])
    rows = run.predictions().query("partition == 'test'")
    names = [f"probability_{label}" for label in model.classes_]
    np.testing.assert_allclose(rows[names].to_numpy(), model.predict_proba(values[where == "test"]), atol=1e-5)
    assert rows[names].sum(axis=1).to_numpy() == pytest.approx(1, abs=1e-5)
    assert run.config["chosen"]["1"]["trees"] == 100


# ---------------- what a model may not see


@pytest.mark.parametrize("normalise", ["train", "corpus"])
def test_other_test_audio_leaves_the_model_bit_equal(done, tmp_path, normalise):
    task = task_of(done, [CORA], "folds:3")
    options = Options(normalise=normalise)
    plain, _ = model_of(train(tmp_path / "plain", task, options))
    for fold in task.partition.folds:
        other = changed(task, task.partition.members(fold, "test"), np.random.default_rng(1))
        tensors, _ = model_of(train(tmp_path / fold, other, options))
        mine = [name for name in plain if name.startswith(f"{fold}/")]
        assert {name.split("/", 1)[1] for name in mine} == {"mean", "scale", "model.coef", "model.intercept"}
        assert all(np.array_equal(plain[name], tensors[name]) for name in mine)


def test_normalising_by_speaker_touches_the_test_speakers_own_row_only(done, tmp_path):
    task = task_of(done)
    plain, facts = model_of(train(tmp_path / "a", task, Options(normalise="speaker")))
    other = changed(task, task.partition.members("1", "test"), np.random.default_rng(1))
    tensors, _ = model_of(train(tmp_path / "b", other, Options(normalise="speaker")))
    taught = [i for i, name in enumerate(facts["groups"]) if name not in {f"{CORA}/dora", f"{CORA}/falk"}]
    assert len(taught) == len(facts["groups"]) - 2
    assert np.array_equal(plain["1/mean"][taught], tensors["1/mean"][taught])
    assert np.array_equal(plain["1/model.coef"], tensors["1/model.coef"])


def test_test_labels_change_neither_the_model_nor_the_choice_of_c(done, tmp_path):
    task = task_of(done)
    plain = train(tmp_path / "plain", task)
    truth = task.truth.copy()
    test = task.partition.members("1", "test")
    truth[test] = np.roll(truth[test], 1)
    other = train(tmp_path / "other", replace(task, truth=truth))
    assert plain.config["chosen"] == other.config["chosen"]
    first, second = model_of(plain)[0], model_of(other)[0]
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert plain.predictions()["prediction"].tolist() == other.predictions()["prediction"].tolist()


def test_c_is_chosen_on_devel(done, tmp_path):
    """With devel labels drawn at random the choice follows devel, not what would be best on train or test."""
    task = task_of(done)
    chosen = set()
    for seed in range(4):
        truth = task.truth.copy()
        devel = task.partition.members("1", "devel")
        truth[devel] = np.random.default_rng(seed).permutation(truth[devel])
        run = train(tmp_path / str(seed), replace(task, truth=truth))
        best, reached, _ = by_hand(task.features, truth, task.partition.table["1"].to_numpy())
        assert run.config["chosen"]["1"] == {"C": best, "devel_uar": pytest.approx(reached, abs=1e-6)}
        chosen.add(best)
    assert len(chosen) > 1


# ---------------- label spaces, subsets, folds, several corpora


def test_label_space_counts_and_names_what_it_leaves_out(emoset, workspace):
    answer = emoset(
        "train",
        "svm",
        "-t",
        f"{ARIA},{BRIO},{CORA}",
        "--partition",
        "loco",
        "--labels",
        "arousal",
        "-d",
        workspace,
        "--json",
    )
    assert answer.code == 0
    assert "note: demo-cora/calm has no entry in label space arousal: 36 utterances left out" in answer.err
    (row,) = answer.json()
    run = runs.read_run(Path(row["folder"]))
    assert run.config["left_out"] == {"demo-cora/calm": 36}
    assert run.config["label_space"] == "arousal"
    assert run.config["labels"] == {key: ["low", "high"] for key in (ARIA, BRIO, CORA)}
    table = run.predictions().query("partition == 'test'")
    assert len(table) == 200 + 128 + 108 - 36
    assert (table["fold"] == table["corpus"]).all()
    assert set(table["truth"]) == {"high", "low"}


def test_loco_tests_on_a_corpus_that_was_not_trained_on(done, tmp_path):
    task = task_of(done, [ARIA, BRIO], "loco", space="common")
    assert set(task.truth) == {"anger", "sadness"}
    assert task.left_out == {
        "demo-aria/boredom": 40,
        "demo-aria/happiness": 40,
        "demo-aria/neutral": 40,
        "demo-brio/fear": 32,
        "demo-brio/joy": 32,
    }
    where = task.partition.table[BRIO].to_numpy()
    corpora = task.utterances["corpus"].to_numpy()
    assert set(corpora[where == "test"]) == {BRIO}
    assert set(corpora[where != "test"]) == {ARIA}
    rows = train(tmp_path, task).predictions()
    for fold, part in rows[rows["partition"] == "devel"].groupby("fold"):
        assert fold not in set(part["corpus"])


def test_own_labels_cannot_be_tested_across_corpora(done):
    with pytest.raises(EmosetError, match="have different labels, and this partition tests across corpora") as error:
        task_of(done, [ARIA, BRIO], "loco")
    assert "--labels three-class" in error.value.mend


def test_a_label_space_that_leaves_one_label_is_refused(done):
    with pytest.raises(EmosetError, match="all utterances are labelled high") as error:
        task_of(done, space="arousal")
    assert "needs two labels" in error.value.mend


def test_a_fold_with_one_label_to_train_on_is_refused_before_anything_is_trained(emoset, workspace, tmp_path):
    utterances = read_utterances(workspace, CORA)
    part = utterances["speaker"].map({"ada": "devel", "bea": "test"}).fillna("train")
    part[(part == "train") & (utterances["label"] != "calm")] = ""
    pd.DataFrame({"utterance": utterances["utterance"], "partition": part}).to_csv(tmp_path / "calm.csv", index=False)
    answer = emoset("train", "svm", "-t", CORA, "--partition", tmp_path / "calm.csv", "-d", workspace)
    assert (answer.code, answer.out) == (1, "")
    assert "all training utterances of demo-cora, fold 1, are labelled calm" in answer.err
    assert not (workspace / "runs").exists()


def test_subset_of_the_registry(done, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("demo-cora:\n  subsets:\n    first-texts: {text: {any_of: [p01, p02]}}\n", "utf-8")
    corpora = load_corpora(own)
    prepared = shutil.copytree(done / "corpora", tmp_path / "corpora")
    shutil.copytree(done / "features", tmp_path / "features")
    facts = json.loads((prepared / CORA / "prepare.json").read_text("utf-8"))
    (prepared / CORA / "prepare.json").write_text(json.dumps(facts | {"entry": entry_hash(corpora[CORA])}), "utf-8")
    task = task_of(tmp_path, subset="first-texts", registry=corpora)
    assert len(task.utterances) == 108 / 3
    assert set(task.utterances["text"]) == {"p01", "p02"}
    assert plan(tmp_path, task, subset="first-texts").folder != plan(tmp_path, task).folder
    with pytest.raises(EmosetError, match=r"unknown subset of demo-cora 'first-text'\n.*did you mean 'first-texts'"):
        task_of(tmp_path, subset="first-text", registry=corpora)


@pytest.mark.parametrize("partition", ["loso", "folds:3"])
def test_over_folds_each_utterance_is_tested_once(done, tmp_path, partition):
    task = task_of(done, [CORA], partition)
    table = train(tmp_path, task).predictions()
    test, devel = (table[table["partition"] == part] for part in ("test", "devel"))
    assert sorted(test["utterance"]) == sorted(task.utterances["utterance"])
    assert sorted(test["fold"].unique()) == sorted(task.partition.folds)
    for fold in task.partition.folds:
        assert not set(test["speaker"][test["fold"] == fold]) & set(devel["speaker"][devel["fold"] == fold])
    if partition == "loso":
        assert (test["fold"] == test["speaker"]).all()


def test_several_corpora_are_trained_in_one_command(emoset, workspace):
    answer = emoset("train", "svm", "-t", ARIA, "-t", f"{BRIO},{CORA}", "-d", workspace, "--workers", 1, "--json")
    assert [row["corpora"] for row in answer.json()] == [[ARIA], [BRIO], [CORA]]
    assert [row["counts"]["test"] for row in answer.json()] == [40, 32, 36]


def test_one_corpus_that_cannot_be_trained_does_not_stop_the_others(emoset, workspace):
    (workspace / "features" / feature_store.feature_folder(workspace, "egemaps-v02").name / f"{BRIO}.json").unlink()
    answer = emoset("train", "svm", "-t", f"{ARIA},{BRIO},{CORA}", "-d", workspace, "--json")
    assert answer.code == 1
    assert [row["corpora"] for row in answer.json()] == [[ARIA], [CORA]]
    assert "error: demo-brio has no egemaps-v02 features\n  mend: emoset extract egemaps-v02 demo-brio" in answer.err


# ---------------- sameness and signatures


@pytest.mark.parametrize("model", ["svm", "forest"])
def test_same_seed_same_bytes_whatever_the_workers(done, tmp_path, model):
    task = task_of(done, [CORA], "loso")
    folders = [train(tmp_path / str(n), task, Options(model, seed=7), workers=n).folder for n in (1, 2)]
    for name in ("predictions.csv", "config.yaml", "model.json", "model.safetensors", "partition.csv"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name
    assert folders[0].name == folders[1].name


def test_whatever_can_change_a_result_changes_the_signature(done, monkeypatch):
    task = task_of(done, [ARIA])
    variants = {
        "plain": plan(done, task),
        "seed": plan(done, task, Options(seed=1)),
        "model": plan(done, task, Options("forest")),
        "normalise": plan(done, task, Options(normalise="speaker")),
        "class weight": plan(done, task, Options(class_weight="balanced")),
        "partition": plan(done, task_of(done, [ARIA], "loso")),
        "partition's seed": plan(done, task_of(done, [ARIA], "speakers", seed=1)),
        "another seed of it": plan(done, task_of(done, [ARIA], "speakers", seed=2)),
        "labels": plan(done, task_of(done, [ARIA], space="arousal"), space="arousal"),
        "audio": plan(done, replace(task, data={ARIA: "other"})),
    }
    feature = settings("egemaps-v02") | {"package": "opensmile 99"}
    variants["extractor's version"] = plan_run(
        done, task, Options(), feature, {ARIA: entry_hash(REGISTRY[ARIA])}, "own", ""
    )
    variants["registry entry"] = plan_run(done, task, Options(), settings("egemaps-v02"), {ARIA: "other"}, "own", "")
    monkeypatch.setattr(baseline, "RECIPE", baseline.RECIPE + 1)
    variants["recipe"] = plan(done, task)
    signatures = {name: run.folder.name.rpartition("_")[2] for name, run in variants.items()}
    assert len(set(signatures.values())) == len(variants), signatures


def test_names_of_folders_do_not_change_the_signature(emoset, workspace, recordings, tmp_path):
    elsewhere = shutil.copytree(recordings[CORA], tmp_path / "somewhere else")
    assert emoset("prepare", f"{CORA}={elsewhere}", "-d", tmp_path / "w2").code == 0
    shutil.copytree(workspace / "features", tmp_path / "w2" / "features")
    first = emoset("train", "svm", "-t", CORA, "-d", workspace, "--json").json()[0]
    second = emoset("train", "svm", "-t", CORA, "-d", tmp_path / "w2", "--json", "--workers", 2).json()[0]
    assert first["run"] == second["run"]
    assert first["folder"] != second["folder"]


def test_config_tells_how_the_run_was_made(done, tmp_path):
    run = train(tmp_path, task_of(done, [CORA], "loso"), Options(normalise="speaker", seed=4))
    config = yaml.safe_load((run.folder / "config.yaml").read_text("utf-8"))
    assert config == run.config == runs.read_run(run.folder).config
    assert (config["model"], config["feature"], config["corpora"], config["seed"]) == ("svm", "egemaps-v02", [CORA], 4)
    assert config["options"] == {"normalise": "speaker", "class_weight": None}
    assert config["labels"] == {CORA: ["anger", "calm", "happiness"]}
    assert config["partition"]["folds"] == ["ada", "bea", "cleo", "dora", "egon", "falk"]
    assert (config["counts"]["test"], config["left_out"], config["not_converged"]) == (18, {}, [])
    assert set(config["packages"]) >= {"numpy", "scikit-learn"}
    assert config["feature_settings"] == settings("egemaps-v02")


def test_unknown_options_are_refused():
    for options, text in (
        ({"model": "smv"}, "unknown model 'smv'\n.*did you mean 'svm'"),
        ({"normalise": "speakers"}, "unknown normalisation 'speakers'\n.*did you mean 'speaker'"),
        ({"class_weight": "balance"}, "unknown class weight 'balance'\n.*did you mean 'balanced'"),
    ):
        with pytest.raises(EmosetError, match=text):
            Options(**options)


# ---------------- resuming


@pytest.fixture
def unfinished(done, tmp_path, monkeypatch):
    """(a finished run, the same run planned in another workspace with its folds done but nothing more)."""
    task = task_of(done, [CORA], "loso")
    whole = train(tmp_path / "whole", task)
    run = plan(tmp_path / "broken", task)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(baseline, "_assemble", lambda run: (_ for _ in ()).throw(KeyboardInterrupt))
        baseline.train([run], workers=1)
    assert len(list((run.folder / "folds").iterdir())) == 6
    assert not run.done
    return whole, run


def same_files(first, second):
    assert sorted(path.name for path in first.iterdir()) == sorted(path.name for path in second.iterdir())
    return all((first / path.name).read_bytes() == path.read_bytes() for path in second.iterdir())


@pytest.mark.parametrize("harm", ["nothing", "delete", "truncate", "empty", "garbage"])
def test_an_unfinished_run_goes_on_to_the_same_result(unfinished, harm):
    whole, run = unfinished
    part = sorted((run.folder / "folds").iterdir())[2]
    raw = part.read_bytes()
    if harm == "delete":
        part.unlink()
    elif harm != "nothing":
        part.write_bytes({"truncate": raw[: len(raw) // 2], "empty": b"", "garbage": b"\xff" * 200}[harm])
    fitted = []
    (again,) = baseline.train([run], workers=1, progress=fitted.append)
    assert fitted == ([6] if harm == "nothing" else [5, 1])
    assert same_files(whole.folder, again.folder)


def test_what_killed_processes_left_in_a_run_is_removed(unfinished):
    whole, run = unfinished
    for folder in (run.folder, run.folder / "folds"):
        (folder / ".model.safetensors.4194999.tmp").write_text("half")
    (again,) = baseline.train([run], workers=1)
    assert same_files(whole.folder, again.folder)


def test_folds_left_by_a_run_killed_at_its_very_end_are_removed(done, tmp_path):
    task = task_of(done)
    run = train(tmp_path, task)
    (run.folder / "folds").mkdir()
    (run.folder / "folds" / "left.safetensors").write_text("x")
    train(tmp_path, task)
    assert not (run.folder / "folds").exists()


def test_a_finished_run_is_not_trained_again_unless_forced(done, tmp_path, monkeypatch):
    task = task_of(done)
    run = train(tmp_path, task)
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    with monkeypatch.context() as patch:
        patch.setattr(baseline, "fit_fold", lambda *job: pytest.fail("trained again"))
        assert train(tmp_path, task).config == run.config
    times = (run.folder / "predictions.csv").stat().st_mtime_ns
    train(tmp_path, task, force=True)
    assert (run.folder / "predictions.csv").stat().st_mtime_ns > times
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before


# ---------------- the model on disk


def leaves(tensors, fold, values):
    """Probabilities of the forest on disk, walked utterance by utterance."""
    get = {
        name: tensors[f"{fold}/model.{name}"] for name in ("start", "feature", "threshold", "left", "right", "share")
    }
    rows = []
    for row in values.astype(np.float32):
        shares = []
        for start in get["start"]:
            node = start
            while get["left"][node] >= 0:
                side = "left" if row[get["feature"][node]] <= get["threshold"][node] else "right"
                node = start + get[side][node]
            shares.append(get["share"][node])
        rows.append(np.mean(shares, axis=0))
    return np.array(rows)


@pytest.mark.parametrize(
    ("options", "partition"),
    [
        (Options(), "loso"),
        (Options(normalise="speaker"), "loso"),
        (Options(normalise="corpus"), "standard"),
        (Options("forest"), "standard"),
    ],
)
def test_the_files_of_a_run_hold_what_scores_new_utterances(done, tmp_path, options, partition):
    run = train(tmp_path, task_of(done, [CORA], partition), options)
    tensors, facts = model_of(run)
    utterances = read_utterances(done, CORA)
    columns, features = feature_store.load(done, facts["feature"]["feature"], CORA, utterances)
    assert facts["columns"] == columns
    names = {"train": "all", "corpus": CORA, "speaker": CORA + "/" + utterances["speaker"]}[facts["normalise"]]
    group = [facts["groups"].index(name) for name in ([names] * len(utterances) if isinstance(names, str) else names)]
    table = run.predictions().query("partition == 'test'").set_index("utterance")
    assert set(table["fold"]) == set(facts["folds"])
    for fold, fit in facts["folds"].items():
        values = (features - tensors[f"{fold}/mean"][group]) / tensors[f"{fold}/scale"][group]
        rows = table[table["fold"] == fold]
        values = values[utterances["utterance"].isin(rows.index)]
        if options.model == "svm":
            scores = values @ tensors[f"{fold}/model.coef"].T + tensors[f"{fold}/model.intercept"]
        else:
            scores = leaves(tensors, fold, values)
        prefix = {"svm": "score_", "forest": "probability_"}[options.model]
        written = rows[[f"{prefix}{label}" for label in fit["labels"]]].to_numpy()
        np.testing.assert_allclose(scores, written, rtol=2e-5, atol=1e-6)
        assert rows["prediction"].tolist() == np.array(fit["labels"])[scores.argmax(axis=1)].tolist()
