"""What other tools get wrong without a word: each measured failure of the field ends here in an error or cannot happen.

The sentences are those of the project's list "it must never be wrong in silence".
"""

import csv
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.metrics import balanced_accuracy_score

from emoset_cli import feature_store, features, runs
from emoset_cli.corpora import load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.prepare import read_utterances
from emoset_cli.train import baseline, svm
from emoset_cli.train.task import build_task

ARIA, CORA = "demo-aria", "demo-cora"


@pytest.fixture
def aria(recordings, tmp_path):
    """The recordings of demo-aria, to be changed."""
    return shutil.copytree(recordings[ARIA], tmp_path / "aria")


def refused(answer, problem, mend=""):
    """An error that says ``problem`` and how to mend it, and no result."""
    assert (answer.code, answer.out) == (1, ""), answer
    assert re.search(rf"error: .*{problem}.*\n  mend: .*{mend}", answer.err), answer.err
    return True


def speakers_csv(path, utterances, parts):
    """A partition file: ``parts`` maps speakers, all others train."""
    part = utterances["speaker"].map(parts).fillna("train")
    pd.DataFrame({"utterance": utterances["utterance"], "partition": part}).to_csv(path, index=False)
    return path


# ---------------- "a changed split or feature set answered from a cache"


def test_a_changed_split_of_the_same_name_is_another_run(emoset, workspace, tmp_path):
    utterances = read_utterances(workspace, CORA)
    answers = []
    for test in ("dora", "falk"):
        split = speakers_csv(tmp_path / "split.csv", utterances, {"cleo": "devel", test: "test"})
        answers += emoset("train", "svm", "-t", CORA, "--partition", split, "-d", workspace, "--json").json()
    first, second = (runs.read_run(Path(answer["folder"])) for answer in answers)
    assert first.folder != second.folder
    assert first.config["partition"]["name"] == second.config["partition"]["name"] == "split.csv"
    tested = [set(run.predictions().query("partition == 'test'")["speaker"]) for run in (first, second)]
    assert tested == [{"dora"}, {"falk"}]


def test_a_changed_partition_of_prepare_is_another_run(emoset, workspace, recordings):
    train = ["train", "svm", "-t", CORA, "-d", workspace, "--json"]
    first = emoset(*train).json()[0]["folder"]
    for partition in (["--partition", "speakers", "--seed", 1], ["--partition", "speakers", "--seed", 3]):
        assert emoset("prepare", f"{CORA}={recordings[CORA]}", "-d", workspace, *partition).code == 0
        second = emoset(*train).json()[0]["folder"]
        assert first != second
        first = second


def test_changed_audio_under_the_same_name_is_never_answered_from_the_features(emoset, workspace, aria):
    prepare = ["prepare", f"{ARIA}={aria}", "-d", workspace]
    emoset(*prepare)
    before = emoset("train", "svm", "-t", ARIA, "-d", workspace, "--json").json()[0]
    path = aria / "f01_s01_W1.wav"
    samples, rate = soundfile.read(path, dtype="int16")
    soundfile.write(path, samples[::-1], rate)  # of the same length and size
    emoset(*prepare)
    answer = emoset("train", "svm", "-t", ARIA, "-d", workspace)
    assert refused(answer, "1 utterances of demo-aria are newer than its egemaps-v02 features", "emoset extract")
    emoset("extract", "egemaps", ARIA, "-d", workspace)
    after = emoset("train", "svm", "-t", ARIA, "-d", workspace, "--json").json()[0]
    assert after["folder"] != before["folder"]


def test_a_changed_label_is_another_run(emoset, workspace, aria):
    before = emoset("train", "svm", "-t", ARIA, "-d", workspace, "--json").json()[0]
    first, second = aria / "f01_s01_W1.wav", aria / "f01_s01_N1.wav"
    for source, target in ((first, aria / "aside"), (second, first), (aria / "aside", second)):
        source.rename(target)
    emoset("prepare", f"{ARIA}={aria}", "-d", workspace)
    after = emoset("train", "svm", "-t", ARIA, "-d", workspace, "--json")
    assert after.code == 0  # the audio is the same: no new extraction
    assert after.json()[0]["folder"] != before["folder"]


@pytest.mark.parametrize(("what", "value"), [("version", lambda package: "99.0"), ("FEATURES", None)])
def test_features_of_another_extractor_or_setting_are_not_used(emoset, workspace, monkeypatch, what, value):
    if what == "FEATURES":
        other = features.Feature("emoset_cli.features.egemaps", {"feature_set": "GeMAPSv01b"})
        value = features.FEATURES | {"egemaps-v02": other}
    monkeypatch.setattr(features, what, value)
    answer = emoset("train", "svm", "-t", CORA, "-d", workspace)
    assert refused(answer, "demo-cora has no egemaps-v02 features", "emoset extract egemaps-v02 demo-cora")


def test_another_registry_entry_than_at_prepare_is_noticed(emoset, workspace, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("demo-cora:\n  speakers: {female: [ada, bea, cleo], male: [dora, egon, falk]}\n", "utf-8")
    answer = emoset("train", "svm", "-t", CORA, "-d", workspace, "--registry", own)
    assert refused(answer, "the registry says other things of demo-cora now", "emoset prepare demo-cora=")


def test_a_report_does_not_show_a_corpus_in_another_state_than_trained_on(emoset, results, aria):
    for path in aria.glob("m0*"):
        path.unlink()
    emoset("prepare", f"{ARIA}={aria}", "-d", results)
    answer = emoset("evaluate", "demo-aria_svm", "-d", results, "--out", results / "page")
    assert answer.code == 0
    assert "WARNING: demo-aria was prepared anew since a run was trained" in answer.err
    assert not list((results / "page" / "tables").glob("*corpora*"))


# ---------------- "a mistyped option, label or speaker that matches no file"


def test_mistyped_options_are_refused(emoset, workspace):
    for words in (
        "train svm --partitoin loso",
        "train svm --normalize speaker",
        "extract egemaps --worker 2",
        "evaluate --runs x",
    ):
        answer = emoset(*words.split(), "-d", workspace)
        assert (answer.code, answer.out) == (2, "")
        assert "No such option" in answer.err


def test_an_empty_name_does_not_mean_all(emoset, workspace):
    """As from an unset variable in a script."""
    assert refused(emoset("train", "svm", "-t", "", "-d", workspace), "unknown prepared corpus .* ''")
    assert not (workspace / "runs").exists()


def test_a_corpus_given_twice_is_not_counted_twice(emoset, recordings, tmp_path):
    answer = emoset("prepare", *[f"{CORA}={recordings[CORA]}"] * 2, "-d", tmp_path)
    assert refused(answer, "demo-cora is given 2 times", "one folder")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("partitions: {mine: {devel: [ada], test: [flak], source: us}}", r"partitions\.mine.*'flak'"),
        ("partitions: {mine: {devel: [ada], test: [falk], labels: [angre], source: us}}", r"partitions\.mine.*'angre'"),
        ("subsets: {some: {label: {any_of: [anger, clam]}}}", r"subsets\.some.*'clam'"),
        ("subsets: {some: {lable: {any_of: [anger]}}}", r"subsets\.some.*'lable'"),
        ("default_partition: standart", r"default_partition.*'standart'"),
        ("count: {labels: {angry: 36}}", r"count\.labels\.angry"),
        ("speaker_alias: {flak: falck}", r"speaker_alias.*'falck'"),
        ("take: [speaker, txt]", r"take.*'txt'"),
    ],
)
def test_a_name_in_the_registry_that_matches_nothing_is_refused(emoset, workspace, tmp_path, entry, problem):
    own = tmp_path / "own.yaml"
    own.write_text(f"demo-cora:\n  {entry}\n", "utf-8")
    answer = emoset("train", "svm", "-t", CORA, "-d", workspace, "--registry", own)
    assert (answer.code, answer.out) == (1, "")
    assert re.search(rf"own\.yaml:2: demo-cora\.{problem}", answer.err), answer.err


def test_a_mistyped_utterance_or_partition_in_a_file_is_refused(emoset, workspace, tmp_path):
    path = speakers_csv(tmp_path / "mine.csv", read_utterances(workspace, CORA), {"cleo": "devel", "falk": "test"})
    text = path.read_text("utf-8")
    train = ["train", "svm", "-t", CORA, "--partition", path, "-d", workspace]
    path.write_text(text.replace("angry/ada_p01_v1", "angry/ada_p91_v1"), "utf-8")
    assert refused(emoset(*train), "1 utterances are not in the corpus: demo-cora/angry/ada_p91_v1")
    path.write_text(text.replace(",test", ",tset", 1), "utf-8")
    assert refused(emoset(*train), "'tset' where a partition is expected", "train, devel, test or nothing")


def test_a_speaker_or_label_that_the_registry_does_not_know_is_told_and_left_out(emoset, aria, tmp_path):
    (aria / "f01_s01_W1.wav").rename(aria / "f91_s01_W1.wav")
    (aria / "f01_s02_W1.wav").rename(aria / "f01_s02_X1.wav")
    (aria / "f01_s03_W1.wav").rename(aria / "f01-s03-W1.wav")
    answer = emoset("prepare", f"{ARIA}={aria}", "-d", tmp_path / "w")
    for words in ("unknown speaker, 1 left out", "unknown label, 1 left out", "name not understood, 1 left out"):
        assert f"problem: demo-aria: {words}" in answer.err
    assert "197 utterances found, 200 published" in answer.err
    assert len(read_utterances(tmp_path / "w", ARIA)) == 197


# ---------------- "a speaker in two partitions"


def test_a_speaker_in_two_partitions_is_refused(emoset, workspace, recordings, tmp_path):
    utterances = read_utterances(workspace, CORA)
    part = np.resize(["train", "train", "devel", "test"], len(utterances))
    path = tmp_path / "random.csv"
    pd.DataFrame({"utterance": utterances["utterance"], "partition": part}).to_csv(path, index=False)
    answer = emoset("train", "svm", "-t", CORA, "--partition", path, "-d", workspace)
    assert refused(answer, "6 speakers are in two partitions: demo-cora/ada", "give each speaker to one partition")
    answer = emoset("prepare", f"{CORA}={recordings[CORA]}", "--partition", path, "-d", workspace)
    assert answer.code == 1
    assert "6 speakers are in two partitions" in answer.err
    assert not (workspace / "corpora" / CORA / "partition.csv").exists()


def test_one_utterance_of_a_test_speaker_in_training_is_enough(emoset, workspace, tmp_path):
    path = speakers_csv(tmp_path / "mine.csv", read_utterances(workspace, CORA), {"cleo": "devel", "falk": "test"})
    path.write_text(path.read_text("utf-8").replace(",test", ",train", 1), "utf-8")
    answer = emoset("train", "svm", "-t", CORA, "--partition", path, "-d", workspace)
    assert refused(answer, r"1 speakers are in two partitions: demo-cora/falk \(test and train\)")


def test_equal_recordings_in_train_and_test_are_said_loudly(emoset, aria, tmp_path):
    shutil.copy(aria / "f01_s01_W1.wav", aria / "f05_s01_W1.wav")
    answer = emoset("prepare", f"{ARIA}={aria}", "-d", tmp_path / "w", "--quiet")
    assert answer.code == 0
    assert re.search("WARNING: demo-aria: LEAK .*f01_s01_W1 .train. and .*f05_s01_W1 .test.", answer.err)
    assert emoset("prepare", f"{ARIA}={aria}", "-d", tmp_path / "w", "--strict").code == 1


# ---------------- "an empty corpus"


@pytest.mark.parametrize("content", ["nothing", "no audio", "other names", "silence", "empty files"])
def test_an_empty_corpus_is_refused(emoset, tmp_path, content):
    folder = tmp_path / "aria"
    folder.mkdir()
    if content == "no audio":
        (folder / "README.txt").write_text("see the web page")
    if content == "other names":
        soundfile.write(folder / "one.wav", np.zeros(16000, np.int16), 16000)
    if content == "silence":
        soundfile.write(folder / "f01_s01_W1.wav", np.zeros(16000, np.int16), 16000)
    if content == "empty files":
        (folder / "f01_s01_W1.wav").touch()
    said = {
        "other names": "none of the names in",
        "silence": "no recording of demo-aria",
        "empty files": "no recording of",
    }
    answer = emoset("prepare", f"{ARIA}={folder}", "-d", tmp_path / "w")
    assert refused(answer, said.get(content, "holds no audio"))
    assert refused(emoset("train", "svm", "-d", tmp_path / "w"), "holds no prepared corpus")


@pytest.mark.parametrize("part", ["train", "devel", "test"])
def test_an_empty_partition_is_refused(emoset, workspace, tmp_path, part):
    parts = {"cleo": "devel", "falk": "test"} if part == "train" else dict.fromkeys(["cleo", "falk"], "train")
    if part != "train":
        parts["dora"] = {"devel": "test", "test": "devel"}[part]
    path = speakers_csv(tmp_path / "mine.csv", read_utterances(workspace, CORA), parts)
    if part == "train":
        path.write_text(path.read_text("utf-8").replace(",train", ","), "utf-8")
    answer = emoset("train", "svm", "-t", CORA, "--partition", path, "-d", workspace)
    assert refused(answer, f"partition mine.csv, fold 1: {part} is empty")


# ---------------- "epochs or settings chosen on the test partition"


def test_no_truth_of_the_test_partition_reaches_a_fit_or_a_choice(done, tmp_path, monkeypatch):
    """Whatever the test labels are, even none of the corpus's: the same C, the same model, the same predictions."""
    task = build_task(done, [CORA], load_corpora(), "egemaps-v02", "standard")
    where = task.partition.table["1"].to_numpy()
    seen = []
    fit = svm.fit
    monkeypatch.setattr(
        svm, "fit", lambda features, labels, *rest: seen.append(len(labels)) or fit(features, labels, *rest)
    )
    outcomes = []
    for number, truth in enumerate((task.truth, np.where(where == "test", np.roll(task.truth, 7), task.truth))):
        settings = features.settings("egemaps-v02")
        other = replace(task, truth=truth)
        plan = baseline.plan_run(tmp_path / str(number), other, baseline.Options(), settings, {}, "own", "")
        (run,) = baseline.train([plan], workers=1)
        outcomes.append((run.config["chosen"], run.predictions()["prediction"].tolist(), run.folder.name))
    assert outcomes[0] == outcomes[1]
    counts = {part: int((where == part).sum()) for part in ("train", "devel")}
    assert set(seen) == {counts["train"], counts["train"] + counts["devel"]}


# ---------------- "a devel result printed under the name of test"


def test_devel_is_never_printed_under_the_name_of_test(emoset, results, tmp_path):
    """Every number that stands beside the word test, in each form of the answer, is that of the test rows."""
    emoset("train", "svm", "-t", CORA, "--partition", "loso", "-d", results)
    found = {name: runs.find_run(results, name) for name in runs.list_runs(results)}
    uar = {}
    for name, run in found.items():
        table = run.predictions()
        for part, rows in table.groupby("partition"):
            folds = [fold for _, fold in rows.groupby("fold")] if rows["utterance"].duplicated().any() else [rows]
            uar[name, part] = np.mean([balanced_accuracy_score(fold["truth"], fold["prediction"]) for fold in folds])
    assert all(abs(uar[name, "devel"] - uar[name, "test"]) > 0.001 for name in found)

    page = tmp_path / "page"
    answer = emoset("evaluate", "-d", results, "--out", page, "--json").json()
    scores = {score["run"]: score["corpora"] for score in answer["scores"]}
    assert json.loads((page / "metrics.json").read_text("utf-8"))["scores"] == answer["scores"]
    with (page / "results.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["run"], row["partition"]) for row in rows} == set(uar)
    for row in rows:
        expected = uar[row["run"], row["partition"]]
        assert float(row["uar"]) == pytest.approx(expected)
        assert scores[row["run"]][row["corpus"]][row["partition"]]["uar"]["value"] == pytest.approx(expected)

    html = (page / "report.html").read_text("utf-8")
    section = html[html.index('<section id="results"') : html.index('<section id="corpora"')]
    test, devel = section.split("<details>", 1)
    assert 'tag test">test' in test
    for name in found:
        for part, where in (("test", test), ("devel", devel)):
            (cells,) = [row for row in re.findall(r"<tr.*?</tr>", where, re.S) if name in re.sub("<wbr>", "", row)]
            numbers = re.findall(r"\d+\.\d", re.sub("<.*?>", " ", cells))
            assert f"{100 * uar[name, part]:.1f}" in numbers
            other = {"test": "devel", "devel": "test"}[part]
            wrong = f"{100 * uar[name, other]:.1f}"
            assert f"{wrong} [" not in re.sub("<.*?>", "", cells)
    printed = emoset("evaluate", "-d", results, "--out", page).out
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.split("│")]
        if len(cells) > 5 and cells[2] in found:
            assert cells[8].split(" ")[0] == f"{100 * uar[cells[2], cells[3]]:.1f}"


def test_training_shows_devel_and_says_so(emoset, workspace):
    answer = emoset("train", "svm", "-t", CORA, "-d", workspace)
    assert "devel UAR" in answer.out
    assert not re.search("(?i)test uar", answer.out)
    assert "Devel only, on which C was chosen. Test: emoset evaluate RUN" in answer.out
    (row,) = emoset("train", "svm", "-t", CORA, "-d", workspace, "--json").json()
    devel = runs.read_run(Path(row["folder"])).predictions().query("partition == 'devel'")
    assert row["devel_uar"] == pytest.approx(balanced_accuracy_score(devel["truth"], devel["prediction"]), abs=1e-6)
    assert not [key for key in row if "test" in key]


# ---------------- "a half-written feature file left by a crash and used later"


def whole_and_part(workspace):
    folder = feature_store.feature_folder(workspace, "egemaps-v02")
    return folder / f"{CORA}.npy", folder / f"{CORA}.json"


@pytest.mark.parametrize("harm", ["truncated", "one bit", "rows in another order", "columns renamed", "gone"])
def test_a_damaged_feature_file_is_never_used(emoset, small, tmp_path, harm):
    workspace = shutil.copytree(small / "w", tmp_path / "w")
    npy, facts = whole_and_part(workspace)
    good = npy.read_bytes(), facts.read_bytes()
    if harm == "truncated":
        npy.write_bytes(good[0][: len(good[0]) // 2])
    elif harm == "one bit":
        npy.write_bytes(good[0][:-1] + bytes([good[0][-1] ^ 1]))
    elif harm == "rows in another order":
        np.save(npy, np.load(npy)[::-1])
    elif harm == "columns renamed":
        facts.write_text(facts.read_text("utf-8").replace("loudness_sma3_amean", "loudness"), "utf-8")
    else:
        npy.unlink()
    train = ["train", "svm", "--seed", 2, "-d", workspace]
    assert refused(emoset(*train), "is not what `emoset extract` wrote", "extract it again")
    assert emoset("extract", "egemaps", CORA, "-d", workspace, "--workers", 1).code == 0
    assert (npy.read_bytes(), facts.read_bytes()) == good
    assert emoset(*train).code == 0


def test_what_a_killed_extraction_left_is_not_taken_for_features(emoset, workspace):
    npy, facts = whole_and_part(workspace)
    facts.unlink()  # written last: without it the extraction was not finished
    npy.with_name(f".{npy.name}.4194999.tmp").write_bytes(b"half")
    assert refused(emoset("train", "svm", "-t", CORA, "-d", workspace), "demo-cora has no egemaps-v02 features")


def test_stored_audio_that_changed_is_never_used(emoset, workspace):
    shard = next((workspace / "corpora" / CORA / "audio").glob("*.i16"))
    raw = bytearray(shard.read_bytes())
    raw[1000] ^= 1
    shard.write_bytes(raw)
    answer = emoset("extract", "egemaps", CORA, "-d", workspace, "--force", "--workers", 1)
    assert refused(answer, "is not what `emoset prepare` wrote", "--force")


def test_a_half_written_utterance_table_is_never_used(emoset, workspace):
    path = workspace / "corpora" / CORA / "utterances.parquet"
    table = pd.read_parquet(path)
    table["label"] = table["label"].to_numpy()[::-1]
    table.to_parquet(path, index=False)
    assert refused(emoset("train", "svm", "-t", CORA, "-d", workspace), "demo-cora is half written", "emoset prepare")


# ---------------- "a failed check that exits 0"


def test_a_failed_check_exits_1(emoset, aria, tmp_path):
    prepare = ["prepare", f"{ARIA}={aria}", "-d", tmp_path / "w"]
    assert emoset(*prepare, "--strict").code == 0
    assert emoset("corpora", "check", "-d", tmp_path / "w").code == 0
    (aria / "f01_s01_W1.wav").unlink()
    assert emoset(*prepare).code == 0
    for words in (["corpora", "check", "-d", tmp_path / "w"], [*prepare, "--strict"]):
        for more in ([], ["--quiet"], ["--json"]):
            assert emoset(*words, *more).code == 1
    answer = emoset("corpora", "check", ARIA, "-d", tmp_path / "w", "--json")
    assert {"corpus": ARIA, "utterances": 199, "problem": "missing", "count": 2, "action": "kept"} in answer.json()
    assert "demo-aria: 199 utterances found, 200 published" in answer.err


def test_one_bad_corpus_among_good_ones_fails_the_command_after_the_good_ones(emoset, recordings, tmp_path):
    (tmp_path / "empty").mkdir()
    folders = f"{ARIA}={tmp_path / 'empty'}", f"{CORA}={recordings[CORA]}"
    answer = emoset("prepare", *folders, "-d", tmp_path / "w", "--json")
    assert answer.code == 1
    assert [row["corpus"] for row in answer.json()["corpora"]] == [CORA]
    assert "holds no audio" in answer.err


# ---------------- "unknown keys in YAML ignored"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("demo-cora:\n  lables: {angry: anger}\n", r"own.yaml:2: demo-cora: unknown key 'lables'"),
        ("demo-cora:\n  partitions:\n    mine: {tests: [ada]}\n", r"own.yaml:3: demo-cora.*unknown key 'tests'"),
        ("demo-cora:\n  count: {utterance: 3}\n", r"own.yaml:2: demo-cora.count: unknown key 'utterance'"),
        ("demo-cora:\n  year: 2020\n  year: 2021\n", r"own.yaml:3: demo-cora.year: the key stands already on line 2"),
    ],
)
def test_unknown_keys_in_yaml_are_refused(emoset, workspace, tmp_path, text, problem):
    own = tmp_path / "own.yaml"
    own.write_text(text, "utf-8")
    for words in (["corpora", "list"], ["train", "svm", "-t", CORA]):
        answer = emoset(*words, "-d", workspace, "--registry", own)
        assert (answer.code, answer.out) == (1, "")
        assert re.search(problem, answer.err), answer.err


def test_a_registry_in_the_workspace_is_read_and_checked(emoset, workspace):
    (workspace / "corpora.yaml").write_text("demo-cora:\n  lables: {}\n", "utf-8")
    assert refused(emoset("train", "svm", "-t", CORA, "-d", workspace), "unknown key 'lables'")


# ---------------- results edited after training


def test_edited_predictions_are_refused(emoset, results):
    run = runs.find_run(results, "demo-cora_svm")
    path = run.folder / "predictions.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table["prediction"] = table["truth"]
    table.to_csv(path, index=False)
    for words in (["evaluate", "demo-cora_svm"], ["compare", "demo-cora_forest", "demo-cora_svm"]):
        answer = emoset(*words, "-d", results)
        assert refused(answer, "predictions.csv was changed after the training wrote it", "--force")
    path.unlink()
    assert refused(emoset("evaluate", "demo-cora_svm", "-d", results), "predictions.csv was changed")
    assert emoset("train", "svm", "-t", CORA, "-d", results, "--force").code == 0
    assert emoset("evaluate", "demo-cora_svm", "-d", results).code == 0


@pytest.mark.parametrize("change", [("- calm\n", ""), ("standard", "loso"), ("labels:", "labels: [")])
def test_edited_settings_are_refused(emoset, results, change):
    path = runs.find_run(results, "demo-cora_svm").folder / "config.yaml"
    text = path.read_text("utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change), "utf-8")
    for words in (["evaluate", "demo-cora_svm"], ["train", "svm", "-t", CORA]):
        assert refused(emoset(*words, "-d", results), "config.yaml was changed after the training wrote it")


def test_an_unfinished_run_is_no_result(emoset, results):
    run = runs.find_run(results, "demo-cora_svm")
    (run.folder / "done.json").unlink()
    assert refused(emoset("evaluate", "demo-cora_svm", "-d", results), "unknown run 'demo-cora_svm'")
    assert refused(emoset("evaluate", run.folder, "-d", results), "is an unfinished run", "it resumes")
    with pytest.raises(EmosetError, match="is not a run"):
        runs.read_run(results)


def test_runs_on_other_test_utterances_are_not_compared(emoset, results):
    emoset("train", "svm", "-t", CORA, "--partition", "loso", "-d", results)
    answer = emoset("compare", "demo-cora_svm-egemaps-v02_standard", "demo-cora_svm-egemaps-v02_loso", "-d", results)
    assert refused(
        answer, r"the test utterances differ: 72 only in 'demo-cora_svm-egemaps-v02_loso.*\(demo-cora/angry/ada_"
    )
