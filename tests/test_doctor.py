"""`emoset doctor`: every kind of damage is found and named with its mend, what is whole is not complained of."""

import json
import os
import shutil

import pytest

from emoset_cli import files, runs
from emoset_cli.doctor import machine, slow, speed, state
from emoset_cli.doctor.workspace import checks
from emoset_cli.errors import EmosetError

DEAD = 2**22 + 1  # no process has this number
FACTS = {
    "versions": dict.fromkeys(machine.PACKAGES, "1.0") | {"torch": "2.11.0", "torchaudio": "2.11.0+cpu",
                                                        "torchvision": "0.26.0"},
    "cores": 4, "cores_of_machine": 4, "threads": 4, "bf16": "AMX", "load": 1.0,
    "gpus": [{"name": "a GPU", "memory": 8e9, "bf16": True}],
    "memory": {"total": 32e9, "free": 20e9},
    "disk": {"folder": "/data", "free": 100e9, "total": 200e9, "writable": True},
}  # fmt: skip


def checked(workspace):
    return [one for check in checks(workspace) for one in check()]


def not_whole(workspace):
    return [one for one in checked(workspace) if one.state != state.WHOLE]


@pytest.fixture
def copy(small, tmp_path):
    """A small workspace to damage: a corpus, a feature set, two runs."""
    return shutil.copytree(small / "w", tmp_path / "w")


# ---------------- workspaces


def test_what_emoset_made_is_whole(trained, crossed):
    for workspace in (trained, crossed):
        found = checked(workspace)
        assert {one.state for one in found} == {state.WHOLE}
        assert {one.part for one in found} >= {"corpora", "runs"}


def first(folder, pattern):
    return next(iter(sorted(folder.rglob(pattern))))


def flip(path):
    """Change a byte in the middle."""
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)


def cut(path):
    path.write_bytes(path.read_bytes()[:-9])


def scribble(path):
    path.write_bytes(b"\x00nonsense")


# What is done to the first file of a pattern, and what part and which words tell of it.
DAMAGES = {
    "a sample": ("corpora", "*.i16", flip, "the samples of 1 utterances are not what was written"),
    "samples": ("corpora", "*.i16", cut, "the samples of 1 utterances"),
    "the table": ("corpora", "utterances.parquet", flip, "utterances.parquet is not what `emoset prepare` wrote"),
    "the start of the table": ("corpora", "utterances.parquet", scribble, "half written or damaged"),
    "no table": ("corpora", "utterances.parquet", lambda path: path.unlink(), "half written or damaged"),
    "problems": ("corpora", "problems.csv", scribble, "problems.csv lacks the column"),
    "prepare.json": ("corpora", "prepare.json", scribble, "is not valid JSON"),
    "prepare.json, no table": ("corpora", "prepare.json", lambda path: path.write_text("[]"), "damaged"),
    "who is where": (
        "corpora", "partition.csv",
        lambda path: path.write_text(path.read_text("utf-8").replace("devel", "test"), "utf-8"),
        "partition.csv is not what partition.json tells of",
    ),
    "no partition.json": ("corpora", "partition.json", lambda path: path.unlink(), "partition.json is missing"),
    "features": ("features", "*.npy", flip, "is not what `emoset extract` wrote"),
    "features' names": ("features", "demo-cora.json", scribble, "is not valid JSON"),
    "settings": ("runs", "config.yaml", flip, "was changed after the training wrote it"),
    "predictions": ("runs", "predictions.csv", cut, "was changed after the training wrote it"),
    "the mark": ("runs", "done.json", lambda path: path.write_text("[]"), "AttributeError"),
    "weights": ("runs", "model.safetensors", scribble, "model.safetensors is damaged"),
    "cut weights": ("runs", "model.safetensors", cut, "model.safetensors is damaged"),
    "no weights": ("runs", "model.safetensors", lambda path: path.unlink(), "model.safetensors is missing"),
    "the model": ("runs", "model.json", lambda path: path.write_text("{}"), "KeyError: 'folds'"),
    "the partition": ("runs", "partition.csv", lambda path: path.unlink(), "partition.csv is missing"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found(copy, name):
    part, pattern, do, words = DAMAGES[name]
    do(first(copy / part, pattern))
    found = [one for one in checked(copy) if one.state == state.DAMAGED]
    assert len(found) == 1, found
    assert found[0].part == part
    assert words in found[0].detail
    assert "emoset " in found[0].mend or "train" in found[0].mend


def test_the_command_tells_damage_with_its_mend_and_exits_1(emoset, copy):
    answer = emoset("doctor", "-d", copy)
    assert answer.code == 0, answer.err
    assert answer.err == f"{copy} is whole\n"
    assert "Not whole" not in answer.out
    first(copy, "predictions.csv").write_text("")
    answer = emoset("doctor", "-d", copy)
    assert answer.code == 1
    assert answer.err == f"{copy} is damaged\n"
    assert "Not whole" in answer.out
    assert "damaged" in answer.out
    value = json.loads(emoset("doctor", "-d", copy, "--json").out)
    (bad,) = [one for one in value["workspace"]["checked"] if one["state"] == "damaged"]
    assert "predictions.csv was changed after the training wrote it" in bad["detail"]
    assert "with --force" in bad["mend"]
    assert value["workspace"]["damaged"] is True
    assert value["speeds"] == []


def test_the_mends_mend(emoset, copy, small):
    flip(first(copy, "*.i16"))
    flip(first(copy, "*.npy"))
    folder = first(copy / "runs", "demo-cora_svm*")
    cut(folder / "predictions.csv")
    corpus, features, run = not_whole(copy)
    assert corpus.mend == f"emoset prepare demo-cora={small / 'recordings'} --force"
    assert features.mend == "emoset extract egemaps-v02 demo-cora --force"
    assert "--force" in run.mend
    assert emoset(*corpus.mend.split()[1:], "-d", copy, "-q").code == 0
    assert emoset(*features.mend.split()[1:], "-d", copy, "-q", "--workers", 1).code == 0
    assert emoset("train", "svm", "--force", "-d", copy, "-q", "--workers", 1).code == 0
    assert not_whole(copy) == []


def test_the_mend_names_the_feature_set_it_means(emoset, copy):
    assert emoset("extract", "egemaps-v01b", "-d", copy, "-q", "--workers", 1).code == 0
    flip(first(copy / "features", "egemaps-v01b*/*.npy"))
    (features,) = not_whole(copy)
    assert features.mend == "emoset extract egemaps-v01b demo-cora --force"


def test_what_was_interrupted_is_no_damage(emoset, copy):
    (copy / "corpora" / "emodb" / "audio").mkdir(parents=True)
    (copy / "runs" / "demo-cora_cnn_1" / "folds").mkdir(parents=True)
    features = first(copy / "features", "*.npy").parent
    (features / "demo-cora.parts").mkdir()
    (features / "emodb.parts").mkdir()
    (copy / "searches" / "mine").mkdir(parents=True)
    (copy / "searches" / "mine" / "journal.log").write_text('{"a": 1}\n{"half')
    (copy / f".left.{DEAD}.tmp").touch()
    (first(copy, "*.i16").parent / "old.i16").touch()
    found = {(one.part, one.name): one for one in not_whole(copy)}
    assert {key: one.state for key, one in found.items()} == {
        ("corpora", "emodb"): "unfinished", ("corpora", "demo-cora"): "left over",
        ("features", f"{features.name}/demo-cora"): "unfinished", ("features", f"{features.name}/emodb"): "unfinished",
        ("runs", "demo-cora_cnn_1"): "unfinished", ("searches", "mine"): "unfinished",
        ("files", f".left.{DEAD}.tmp"): "left over",
    }  # fmt: skip
    assert all(one.mend for one in found.values())
    answer = emoset("doctor", "-d", copy, "-q")
    assert (answer.code, answer.err) == (0, "")
    assert "of a command that was killed" in answer.out


def test_a_run_that_is_being_trained_is_no_damage(copy):
    folder = first(copy / "runs", "demo-cora_svm*")
    with files.at_work([folder]):
        (one,) = not_whole(copy)
    assert (one.state, one.detail) == ("unfinished", "it is being trained")


def test_features_of_other_recordings_are_outdated(emoset, copy):
    shutil.rmtree(copy / "corpora")
    (one,) = not_whole(copy)
    assert (one.part, one.state, one.detail) == ("features", "outdated", "demo-cora is not prepared here")


def test_searches_plans_jobs_and_aggregates_are_looked_at(copy):
    (copy / "searches" / "s").mkdir(parents=True)
    (copy / "searches" / "s" / "journal.log").write_text("nonsense\n")
    (copy / "plans" / "p").mkdir(parents=True)
    (copy / "plans" / "p" / "events.jsonl").write_text('{"a": 1}\nnonsense\n{"half')
    (copy / "jobs").mkdir()
    (copy / "jobs" / "one.json").write_text('{"strange": 1}')
    record = dict.fromkeys(("name", "kind", "command"), "x") | {"id": "two", "state": "done", "seconds": 1.0}
    files.write_json(copy / "jobs" / "two.json", record | {"utterances": 1, "runs": ["gone"]})
    (copy / "aggregates").mkdir()
    (copy / "aggregates" / "a.json").write_text("{}")
    (copy / "corpora.yaml").write_text("mine: {langwidge: deu}\n")
    (copy / "label_spaces.yaml").write_text("- 1\n")
    found = {(one.part, one.name): one.state for one in not_whole(copy)}
    assert found == {
        ("searches", "s"): "damaged", ("plans", "p"): "damaged", ("jobs", "one"): "damaged",
        ("jobs", "two"): "outdated", ("aggregates", "a"): "damaged", ("registry", "corpora.yaml"): "damaged",
        ("registry", "label_spaces.yaml"): "damaged",
    }  # fmt: skip


def test_an_initial_model_that_is_gone_is_told(copy):
    folder = first(copy / "runs", "demo-cora_svm*")
    config = folder / "config.yaml"
    config.write_text(config.read_text("utf-8") + "initial: {run: 'gone_1:final'}\n", "utf-8")
    done = files.read_json(folder / "done.json")
    files.write_json(folder / "done.json", done | {"config.yaml": files.digest(config.read_bytes())})
    (one,) = not_whole(copy)
    assert (one.state, one.name) == ("outdated", folder.name)
    assert "its initial model gone_1 is not here" in one.detail


def test_frames_and_predictions_across_corpora_are_looked_at(emoset, copy, small, tmp_path):
    import speech_models

    speech_models.save(tmp_path / "encoder")
    assert emoset("extract", "wav2vec2", "--model", tmp_path / "encoder", "--pool", "frames", "--workers", 1, "-q",
                  "-d", copy).code == 0  # fmt: skip
    cross = runs.find_run(copy, "demo-cora_svm").folder / "cross"
    cross.mkdir()
    files.write_json(cross / "a_b_1.json", {"digest": files.digest(b"rows")})
    (cross / "a_b_1.csv").write_bytes(b"rows")
    assert not_whole(copy) == []
    (cross / "a_b_1.csv").write_bytes(b"other")
    flip(first(copy / "features", "*.f16"))
    features, run = not_whole(copy)
    assert (features.state, run.state) == ("damaged", "damaged")
    assert ".f16 is not what `emoset extract` wrote" in features.detail
    assert "emoset extract wav2vec2 demo-cora" in features.mend
    assert run.detail == "cross/a_b_1.csv is not what was predicted"


def test_no_workspace(emoset, tmp_path):
    for folder, words in ((tmp_path / "none", "none is not there"), (tmp_path, "holds nothing that emoset made")):
        answer = emoset("doctor", "-d", folder)
        assert (answer.code, answer.out) == (1, "")
        assert words in answer.err


def test_looking_changes_nothing(copy):
    (copy / f".left.{DEAD}.tmp").touch()
    flip(first(copy, "*.i16"))
    before = {path: path.stat().st_mtime_ns for path in sorted(copy.rglob("*"))}
    assert not_whole(copy)
    assert {path: path.stat().st_mtime_ns for path in sorted(copy.rglob("*"))} == before


# ---------------- the machine


def test_the_machine_is_told(emoset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answer = emoset("doctor", "--no-benchmark", "--json")
    facts = answer.json()["machine"]
    assert facts["versions"]["torch"].startswith("2.")
    assert 1 <= facts["cores"] <= facts["cores_of_machine"] == os.cpu_count()
    assert 0 < facts["disk"]["free"] <= facts["disk"]["total"]
    assert answer.json()["speeds"] == []
    out = emoset("doctor", "--no-benchmark").out
    for title in ("Versions", "Machine"):
        assert title in out
    assert list(tmp_path.iterdir()) == []


def test_speeds_are_measured_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "_SPEECH_S", 1)
    monkeypatch.setattr(speed, "_DISK_MB", 1)
    monkeypatch.setattr(speed, "_BATCH", 2)
    found = list(speed.measure(tmp_path / "not" / "there", seconds=0))
    assert {"matrix product, fp32", "matrix product, bf16", *slow._LEAST} < {one["what"] for one in found}
    assert all(one["value"] > 0 and one["unit"] and one["of"] for one in found)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_said_of_a_fine_machine():
    speeds = [{"what": name, "value": 10 * least, "unit": "x"} for name, (least, *_) in slow._LEAST.items()]
    speeds += [{"what": f"matrix product, {kind}", "value": value, "unit": "x", "chosen": kind == "bf16"}
               for kind, value in (("fp32", 1.0), ("bf16", 2.0))]  # fmt: skip
    assert slow.findings(FACTS, speeds) == []


@pytest.mark.parametrize(
    ("change", "what", "fault"),
    [
        ({"gpus": []}, "no GPU", False),
        ({"gpus": [], "bf16": ""}, "no units for bfloat16", False),
        ({"cores": 1, "threads": 1}, "one core", False),
        ({"cores": 2, "threads": 2}, "may use 2 of 4 cores", False),
        ({"threads": 1}, "a network may use 1 of 4 cores", False),
        ({"load": 9.0}, "9.0 processes want 4 cores", False),
        ({"disk": FACTS["disk"] | {"free": 2e9}}, "2.0 GB are free", False),
        ({"disk": FACTS["disk"] | {"free": 5e7}}, "GB are free", True),
        ({"disk": FACTS["disk"] | {"writable": False}}, "/data cannot be written to", True),
        ({"memory": {"total": 4e9, "free": 3e9}}, "4.0 GB of memory", False),
        ({"memory": {"total": 16e9, "free": 1e9}}, "1.0 GB of memory are free", False),
        ({"versions": FACTS["versions"] | {"opensmile": None}}, "opensmile cannot be found", True),
        ({"versions": FACTS["versions"] | {"torchaudio": "2.10.0"}}, "with torchaudio 2.10.0", True),
        ({"versions": FACTS["versions"] | {"torchvision": "0.25.0"}}, "with torchvision 0.25.0", True),
    ],
)
def test_what_would_be_slow_or_wrong_is_said_with_a_mend(change, what, fault):
    found = slow.findings(FACTS | change, [])
    (one,) = [one for one in found if what in one.what]
    assert one.fault is fault
    assert one.why and one.mend


def test_slow_measurements_are_said():
    speeds = [{"what": "disk write", "value": 3.0, "unit": "MB/s"},
              {"what": "matrix product, fp32", "value": 9.0, "unit": "GFLOP/s", "chosen": False},
              {"what": "matrix product, bf16", "value": 1.0, "unit": "GFLOP/s", "chosen": True}]  # fmt: skip
    assert [one.what for one in slow.findings(FACTS, speeds)] == [
        "disk write: 3 MB/s", "bfloat16 is slower than float32 here"
    ]  # fmt: skip


def test_a_fault_of_the_installation_is_exit_code_1(emoset, monkeypatch):
    monkeypatch.setattr(machine, "_version", lambda package: None if package == "soxr" else "2.11.0")
    monkeypatch.setattr(slow, "_release", lambda version: None)
    answer = emoset("doctor", "--no-benchmark")
    assert answer.code == 1
    assert "soxr cannot be found" in answer.out


def test_the_nearest_folder_that_is_there(tmp_path):
    assert machine.existing(tmp_path / "a" / "b") == tmp_path
    with pytest.raises(EmosetError, match="is not there"):
        checks(tmp_path / "a")
