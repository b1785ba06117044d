"""Training networks through the command line: run folders, modes, several corpora, resuming, and what is refused."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from emoset_cli import runs
from emoset_cli.train.deep import batches, checkpoint
from emoset_cli.train.deep.settings import PRESETS, Settings

ARIA, BRIO, CORA = "demo-aria", "demo-brio", "demo-cora"
TINY = ["-nf", 4, "-N", 1, "-nm", 16, "-w", 1.5, "-bs", 16, "--precision", "fp32", "-q", "--workers", 1]
SHORT = ["-p", 1, "-e", 2, *TINY]


def train(emoset, workspace, *words, model="cnn"):
    """Train and answer the runs; the command must end well."""
    answer = emoset("train", model, *words, "-d", workspace, "--json")
    assert answer.code == 0, answer.err
    return answer.json()


def weights(workspace, run, file="model.safetensors"):
    return checkpoint.load(Path(workspace) / "runs" / run / file)[0]


# ---------------------------------------------------------------- a run and its folder


def test_a_run_holds_both_epochs_and_what_made_them(emoset, workspace):
    run = train(emoset, workspace, "-t", CORA, *SHORT)[0]
    folder = Path(run["folder"])
    assert {path.name for path in folder.iterdir()} == {
        "config.yaml", "done.json", "history.csv", "model.json", "model.safetensors", "model-final.safetensors",
        "partition.csv", "predictions.csv", "predictions-final.csv", "seen.csv",
    }  # fmt: skip
    history = pd.read_csv(folder / "history.csv")
    assert history["epoch"].tolist() == list(range(1, len(history) + 1)) and set(history["step"]) == {0, 1, 2}
    best = history[history["best"] == 1].iloc[-1]
    assert run["epoch"] == [best["epoch"]] and run["devel_uar"] == pytest.approx(best["devel_uar"])
    assert best["devel_uar"] == history["devel_uar"].max()
    table = pd.read_csv(folder / "predictions.csv")
    shares = table.filter(like="probability_")
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-4) and set(table["partition"]) == {"devel", "test"}
    winners = shares.idxmax(axis=1).str.removeprefix("probability_")
    assert (winners == table["prediction"]).all()
    scores = emoset("evaluate", run["run"], "-d", workspace, "--json", "-q").json()["scores"][0]
    assert scores["corpora"][CORA]["devel"]["uar"]["value"] == pytest.approx(best["devel_uar"], abs=1e-5)
    final = emoset("evaluate", run["run"] + ":final", "-d", workspace, "--json", "-q").json()["scores"][0]
    assert final["corpora"][CORA]["devel"]["uar"]["value"] == pytest.approx(history["devel_uar"].iloc[-1], abs=1e-5)


@pytest.mark.slow
def test_a_finished_run_is_not_trained_again_and_other_settings_are_another_run(emoset, workspace):
    first = train(emoset, workspace, "-t", CORA, *SHORT)[0]
    stamp = (Path(first["folder"]) / "done.json").stat().st_mtime_ns
    again = emoset("train", "cnn", "-t", CORA, *[w for w in SHORT if w != "-q"], "-d", workspace)
    assert "already trained" in again.err
    assert (Path(first["folder"]) / "done.json").stat().st_mtime_ns == stamp
    names = {first["run"]}
    for change in (["--seed", 1], ["-lr", 0.05], ["-l", "focal"], ["-c", "avgpool"], ["--noise", 0.1], ["-o", "adam"]):
        names.add(train(emoset, workspace, "-t", CORA, *SHORT, *change)[0]["run"])
    assert len(names) == 7


def test_the_same_seed_is_the_same_run(emoset, workspace, tmp_path):
    first = Path(train(emoset, workspace, "-t", CORA, *SHORT)[0]["folder"])
    kept = {path.name: path.read_bytes() for path in first.iterdir()}
    train(emoset, workspace, "-t", CORA, *SHORT, "--force")
    assert {path.name: path.read_bytes() for path in first.iterdir()} == kept


@pytest.mark.slow
def test_folds_are_trained_side_by_side(emoset, workspace):
    words = ["-t", CORA, "--partition", "folds:3", "-p", 1, "-e", 1, *TINY[:-1], 2]
    run = train(emoset, workspace, *words)[0]
    table = pd.read_csv(Path(run["folder"]) / "predictions.csv", dtype={"fold": str})
    test = table[table["partition"] == "test"]
    assert len(run["epoch"]) == 3 and not test["utterance"].duplicated().any()
    assert len(list(Path(run["folder"]).glob("model-?.safetensors"))) == 3


def test_what_is_predicted_does_not_depend_on_the_batch(emoset, workspace, monkeypatch):
    run = train(emoset, workspace, "-t", CORA, *SHORT)[0]
    many = pd.read_csv(Path(run["folder"]) / "predictions.csv").filter(like="probability_")
    monkeypatch.setattr(batches, "_EVAL_UTTERANCES", 1)
    train(emoset, workspace, "-t", CORA, *SHORT, "--force")
    alone = pd.read_csv(Path(run["folder"]) / "predictions.csv").filter(like="probability_")
    assert np.abs(many.to_numpy() - alone.to_numpy()).max() < 1e-3


# ---------------------------------------------------------------- modes


@pytest.mark.parametrize("mode", ["finetune", "last-layer", "adapters"])
def test_a_transfer_trains_what_its_mode_says(emoset, workspace, mode):
    first = train(emoset, workspace, "-t", ARIA, *SHORT)[0]
    run = train(emoset, workspace, "-t", CORA, "-m", mode, "-im", first["run"], *SHORT)[0]
    assert run["setting"] == f"{ARIA} > {mode}"
    before, after = weights(workspace, first["run"]), weights(workspace, run["run"])
    convolutions = [name for name in before if before[name].ndim == 4 and name in after]
    same = [torch.equal(before[name], after[name]) for name in convolutions]
    assert convolutions and all(same) == (mode != "finetune") and any(same) == (mode != "finetune")
    assert run["trained"] < run["total"] or mode == "finetune"
    learnt = {"last-layer": run["parameters"]["head"][CORA], "finetune": run["total"]}
    both = run["parameters"]["head"][CORA] + run["parameters"]["adapter"].get(CORA, 0)
    assert run["trained"] == learnt.get(mode, both)


def test_last_layer_moves_no_running_statistics(emoset, workspace):
    first = train(emoset, workspace, "-t", ARIA, *SHORT)[0]
    run = train(emoset, workspace, "-t", CORA, "-m", "last-layer", "-im", first["run"], *SHORT)[0]
    before, after = weights(workspace, first["run"]), weights(workspace, run["run"])
    trunk = [name for name in after if name in before and "running" in name]
    assert trunk and all(torch.equal(before[name], after[name]) for name in trunk)


def test_several_corpora_share_a_network_then_each_is_tuned(emoset, workspace):
    words = ["-t", f"{ARIA},{CORA}", "-mt", "--tune", "adapters", "--rounds", 4, "-spe", 2, *SHORT]
    shared, *tuned = train(emoset, workspace, *words)
    assert (shared["setting"], [run["setting"] for run in tuned]) == ("all", ["all > adapters"] * 2)
    assert shared["epochs"] == [6]  # 4 rounds at each of three rates, 2 rounds an epoch
    table = pd.read_csv(Path(shared["folder"]) / "predictions.csv")
    truths = table.groupby("corpus")["truth"].agg(set)
    for corpus, rows in table.groupby("corpus"):
        assert set(rows["prediction"]) <= truths[corpus]
        other = [f"probability_{label}" for label in set.union(*truths) - truths[corpus]]
        assert rows[other].isna().all(axis=None)
    scores = emoset("evaluate", shared["run"], "-d", workspace, "--json", "-q").json()["scores"][0]
    assert set(scores["corpora"]) == {ARIA, CORA}
    before = weights(workspace, shared["run"])
    for run in tuned:
        corpus = run["corpora"][0]
        after = weights(workspace, run["run"])
        kept = [name for name in after if name in before and f".{corpus}." not in name]
        assert kept and all(torch.equal(before[name], after[name]) for name in kept)


@pytest.mark.parametrize("sampling", ["proportional", "sqrt", "temperature"])
def test_corpora_can_be_drawn_by_size(emoset, workspace, sampling):
    words = ["-t", f"{ARIA},{CORA}", "-mt", "--sampling", sampling, "--rounds", 1, "-spe", 1, *SHORT]
    assert train(emoset, workspace, *words)[0]["epochs"] == [3]


def test_aggregated_domains_are_one_network_with_two_heads(emoset, workspace):
    words = ["-t", f"{ARIA},{CORA}", "--pool", "--aggregate", "--labels", "arousal,valence", "--rounds", 2, "-spe", 2]
    shared, *tuned = train(emoset, workspace, *words, "--tune", "adapters", *SHORT)
    assert shared["setting"] == "A+V" and shared["corpora"] == ["arousal", "valence"]
    assert {run["setting"] for run in tuned} == {"A+V > adapters"}
    config = runs.find_run(workspace, shared["run"]).config
    assert config["heads"] == {"arousal": ["low", "high"], "valence": ["negative", "neutral", "positive"]}
    assert emoset("evaluate", shared["run"], "-d", workspace, "-q").code == 0


def test_pooled_corpora_share_a_head_and_are_scored_each(emoset, workspace):
    words = ["-t", f"{ARIA},{BRIO}", "--pool", "--aggregate", "--labels", "arousal", *SHORT]
    shared = train(emoset, workspace, *words)[0]
    assert shared["setting"] == "arousal" and shared["corpora"] == [ARIA, BRIO]
    assert list(shared["parameters"]["head"]) == ["arousal"]
    scores = emoset("evaluate", shared["run"], "-d", workspace, "--json", "-q").json()["scores"][0]
    assert set(scores["corpora"]) == {ARIA, BRIO}


# ---------------------------------------------------------------- killed and taken up again

SLOW = ["-p", "3", "-e", "4", *map(str, TINY)]


def start(workspace):
    code = "from emoset_cli.cli.main import main; main()"
    words = [sys.executable, "-c", code, "train", "cnn", "-t", CORA, "-d", str(workspace), *SLOW]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def epochs_done(workspace):
    found = list(Path(workspace).glob("runs/*/folds/*/progress.json"))
    return json.loads(found[0].read_text())["epoch"] if found else 0


@pytest.mark.slow
def test_a_killed_training_ends_as_one_that_was_not(emoset, workspace, prepared, tmp_path):
    whole = Path(train(emoset, workspace, "-t", CORA, *SLOW)[0]["folder"])
    expected = {path.name: path.read_bytes() for path in whole.iterdir()}
    again = whole.rename(tmp_path / "whole")
    for after in (1, 4):
        process = start(workspace)
        while epochs_done(workspace) < after and process.poll() is None:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert not (whole / "done.json").exists() and epochs_done(workspace) >= after
    train(emoset, workspace, "-t", CORA, *SLOW)
    assert {path.name: path.read_bytes() for path in whole.iterdir()} == expected
    assert again.is_dir()


def test_a_damaged_state_is_begun_anew(emoset, workspace):
    whole = Path(train(emoset, workspace, "-t", CORA, *SHORT)[0]["folder"])
    expected = (whole / "predictions.csv").read_bytes()
    (whole / "done.json").unlink()
    part = whole / "folds" / runs.digest("1")
    part.mkdir(parents=True)
    (part / "state.safetensors").write_bytes(b"broken")
    train(emoset, workspace, "-t", CORA, *SHORT)
    assert (whole / "predictions.csv").read_bytes() == expected


# ---------------------------------------------------------------- refused


def refused(emoset, workspace, *words, model="cnn"):
    answer = emoset("train", model, *SHORT, *words, "-d", workspace)
    assert (answer.code, answer.out) == (1, ""), answer
    problem, mend = answer.err.rstrip("\n").split("\n")[-2:]
    return f"{problem}\n{mend}"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-m", "adapters"], "starts from a trained network"),
        (["-im", "demo-cora_svm"], "holds no network"),
        (["-m", "finetune", "-im", "nothing"], "unknown run 'nothing'"),
        (["-m", "finetune", "-im", "demo-aria_svm"], "holds no network"),
        (["--cell", "lstm"], "cnn has no --cell"),
        (["--tune", "adapters"], "add --multi-task"),
        (["-mt"], "--multi-task needs several corpora"),
        (["--labels", "arousal,valence"], "are several domains"),
        (["--window", "0"], "--window is 0"),
        (["--labels", "nothing"], "unknown label space"),
    ],
)
def test_what_cannot_be_is_said_with_its_mend(emoset, results, words, told):
    assert told in refused(emoset, results, "-t", ARIA, *words)


def test_several_corpora_at_once_must_be_asked_for_in_one_way(emoset, workspace):
    assert "one to all" in refused(emoset, workspace, "-t", f"{ARIA},{CORA}", "-mt", "--pool")
    assert "divides by corpus" in refused(emoset, workspace, "-t", f"{ARIA},{CORA}", "-mt", "--partition", "loco")


def test_an_initial_model_that_heard_the_test_speakers_is_refused(emoset, workspace):
    first = train(emoset, workspace, "-t", CORA, "--partition", "speakers", "--seed", 0, *SHORT)[0]
    told = [
        refused(
            emoset, workspace, "-t", CORA, "--partition", f"speakers:{shares}", "-m", "adapters", "-im", first["run"]
        )
        for shares in ("20/20/60", "20/60/20")
        if shares == "20/20/60"
    ]
    assert "was trained on" in told[0] and "same partition" in told[0]


def test_a_transfer_keeps_its_network(emoset, workspace):
    first = train(emoset, workspace, "-t", ARIA, *SHORT)[0]
    told = refused(emoset, workspace, "-t", CORA, "-m", "adapters", "-im", first["run"], "-nf", "8")
    assert "was built with filters 4, not 8" in told


def test_a_loss_that_explodes_stops_with_the_step_named(emoset, workspace):
    told = refused(emoset, workspace, "-t", CORA, "-lr", 1e30)
    assert "not finite in epoch" in told and "--learning-rate" in told


def test_a_damaged_store_is_named(emoset, workspace):
    shard = next((workspace / "corpora" / CORA / "audio").glob("*.i16"))
    raw = bytearray(shard.read_bytes())
    raw[1000:3000] = b"\1" * 2000
    shard.write_bytes(raw)
    assert "is not what `emoset prepare` wrote" in refused(emoset, workspace, "-t", CORA)


# ---------------------------------------------------------------- batches


def test_a_pass_holds_each_utterance_once_in_batches_of_like_length():
    samples = np.random.default_rng(0).integers(8000, 160000, 300)
    stream = batches.Shuffled("x", np.arange(300), samples, 64, 80000)
    rng = np.random.default_rng(1)
    plans = [stream.next(rng) for _ in range(stream.batches)]
    assert sorted(np.concatenate([plan.rows for plan in plans]).tolist()) == list(range(300))
    assert max(len(plan.rows) for plan in plans) - min(len(plan.rows) for plan in plans) <= 1
    assert all((plan.starts + plan.lengths <= samples[plan.rows]).all() for plan in plans)
    padded = sum(len(plan.rows) * plan.lengths.max() for plan in plans)
    assert padded < 1.25 * np.minimum(samples, 80000).sum()


def test_a_stream_goes_on_where_its_state_was_taken():
    samples = np.full(50, 16000)
    one, other = (batches.Shuffled("x", np.arange(50), samples, 8, 8000) for _ in range(2))
    rng = np.random.default_rng(2)
    for _ in range(3):
        one.next(rng)
    other.restore(json.loads(json.dumps(one.state())))
    twin = np.random.default_rng()
    twin.bit_generator.state = rng.bit_generator.state
    for _ in range(12):
        left, right = one.next(rng), other.next(twin)
        assert left.rows.tolist() == right.rows.tolist() and left.starts.tolist() == right.starts.tolist()


def test_evaluation_crops_the_middle_or_takes_the_whole():
    samples = np.array([16000, 48000, 32000])
    whole = batches.to_predict("x", np.arange(3), samples, None)
    assert sorted(length for plan in whole for length in plan.lengths.tolist()) == [16000, 32000, 48000]
    crop = batches.to_predict("x", np.arange(3), samples, 20000)
    starts = {row: start for plan in crop for row, start in zip(plan.rows.tolist(), plan.starts.tolist(), strict=True)}
    assert starts == {0: 0, 1: 14000, 2: 6000}


def test_a_preset_is_spelt_out_in_the_signature():
    spelt = Settings(preset="quick", patience=3).as_dict()
    assert (spelt["patience"], spelt["max_epochs"]) == (3, PRESETS["quick"].max_epochs)
