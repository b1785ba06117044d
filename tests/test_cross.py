"""Networks in use: their own predictions again, other corpora's heads, and what of it is scored, worked by hand."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emoset_cli import runs
from emoset_cli.errors import EmosetError
from emoset_cli.prepare import read_utterances
from emoset_cli.train.deep import use
from emoset_cli.train.deep.cross import crossing, predict_crossing
from emoset_cli.train.deep.initial import known_to
from emoset_cli.train.deep.members import heads_of, members

ARIA, BRIO, CORA = "demo-aria", "demo-brio", "demo-cora"
ALL = f"{ARIA}+{CORA}_cnn"


@pytest.fixture
def own(crossed, tmp_path):
    """A copy of `crossed` to write to."""
    return Path(shutil.copytree(crossed, tmp_path / "crossed"))


# ---------------------------------------------------------------- a network in use


def alone(workspace, corpus):
    """The network trained on one corpus."""
    return runs.find_run(workspace, next(name for name in runs.list_runs(workspace) if name.startswith(f"{corpus}_")))


@pytest.mark.parametrize("name", [ALL, f"{ALL}:final", f"{CORA}_cnn"])
def test_a_network_in_use_predicts_what_its_training_predicted(crossed, name):
    run = runs.find_run(crossed, name) if name.startswith(ALL) else alone(crossed, CORA)
    network = use.open_network(run, "1", "cpu")
    table = run.predictions()
    for corpus in run.config["corpora"]:
        whole = read_utterances(crossed, corpus).set_index("utterance", drop=False)
        labels = network.labels(corpus)
        for part in ("devel", "test"):
            kept = table[(table["corpus"] == corpus) & (table["partition"] == part)]
            shares = use.probabilities(network, crossed, whole.loc[kept["utterance"]], corpus)
            assert shares.dtype == np.float32 and shares.shape == (len(kept), len(labels))
            written = [[float(f"{value:.6g}") for value in row] for row in shares.tolist()]
            assert written == kept[[f"probability_{label}" for label in labels]].to_numpy(float).tolist()
            assert np.array(labels)[shares.argmax(1)].tolist() == kept["prediction"].tolist()


def test_any_prepared_utterance_goes_through_any_head(crossed):
    network = use.open_network(runs.find_run(crossed, ALL), "1", "cpu")
    strangers = read_utterances(crossed, BRIO)
    for head in (ARIA, CORA):
        shares = use.probabilities(network, crossed, strangers, head)
        assert np.allclose(shares.sum(1), 1, atol=1e-5)
        order = np.random.default_rng(0).permutation(len(strangers))
        turned = use.probabilities(network, crossed, strangers.iloc[order], head)
        assert np.abs(turned - shares[order]).max() < 1e-3


def test_embeddings_are_what_the_head_reads(crossed):
    import torch

    network = use.open_network(runs.find_run(crossed, ALL), "1", "cpu")
    rows = read_utterances(crossed, CORA).head(7)
    found = use.embeddings(network, crossed, rows, CORA)
    assert found.shape == (7, 8 * 4) and found.dtype == np.float32
    with torch.no_grad():
        shares = network.model.heads.pick(CORA)(torch.from_numpy(found)).softmax(1).numpy()
    assert np.allclose(shares, use.probabilities(network, crossed, rows, CORA), atol=1e-6)
    other = use.embeddings(network, crossed, rows, ARIA)  # adapters and attention of the other corpus
    assert np.abs(other - found).max() > 1e-4


def test_what_no_network_can_do_is_said(own):
    run = runs.find_run(own, ALL)
    made = run.folder / "model.json"
    text = made.read_text()
    made.write_text('{"model": "svm", "columns": []}')
    with pytest.raises(EmosetError, match=r"holds no network, it is of a svm\n  mend: name a run of emoset train cnn"):
        use.open_network(run)
    made.write_text(text)
    with pytest.raises(EmosetError, match=r"unknown fold of .*'2'\n.*known: 1"):
        use.open_network(run, "2")
    network = use.open_network(run)
    with pytest.raises(EmosetError, match=f"unknown head of {run.folder.name.replace('+', '.')} 'demo-brio'"):
        use.probabilities(network, own, read_utterances(own, BRIO), BRIO)
    with pytest.raises(EmosetError, match=f"known: {ARIA}, {CORA}"):
        use.embeddings(network, own, read_utterances(own, BRIO), BRIO)
    weights = run.folder / "model.safetensors"
    whole = weights.read_bytes()
    other = alone(own, CORA).folder / "model.safetensors"
    for damaged in (whole[: len(whole) // 2], b"", other.read_bytes()):
        weights.write_bytes(damaged)
        with pytest.raises(EmosetError, match=r"model.safetensors is damaged: .*\n.*train the run again with --force"):
            use.open_network(run)
    weights.unlink()
    with pytest.raises(EmosetError, match=r"model.safetensors is missing"):
        use.open_network(run)


# ---------------------------------------------------------------- the utterances of a run


def test_members_are_those_of_the_partition(crossed):
    run = runs.find_run(crossed, ALL)
    table = members(run, crossed)
    said = run.predictions()
    for part in ("devel", "test"):
        ours = table[table["partition"] == part].set_index("utterance")
        theirs = said[said["partition"] == part].set_index("utterance")
        assert set(ours.index) == set(theirs.index)
        assert (ours["truth"] == theirs["truth"].reindex(ours.index)).all()
    assert heads_of(run) == {ARIA: [ARIA], CORA: [CORA]}


def test_members_must_be_as_they_were(own, recordings):
    file = own / "corpora" / CORA / "utterances.parquet"
    table = pd.read_parquet(file).iloc[1:]
    table.to_parquet(file, index=False)
    made = file.with_name("prepare.json")
    from emoset_cli.prepare import data_hash

    made.write_text(json.dumps(json.loads(made.read_text()) | {"data": data_hash(table)}))
    with pytest.raises(EmosetError, match=r"demo-cora was prepared anew since .* was trained"):
        members(runs.find_run(own, ALL), own)


def test_runs_without_corpora_of_their_own_are_refused(crossed):
    from dataclasses import replace

    run = runs.find_run(crossed, ALL)
    domains = replace(run, config=run.config | {"label_space": "arousal,valence"})
    with pytest.raises(EmosetError, match=r"the heads of .* are of label spaces"):
        heads_of(domains)
    out = replace(run, config=run.config | {"partition": run.config["partition"] | {"name": "loco"}})
    with pytest.raises(EmosetError, match="across corpora already: its partition loco"):
        heads_of(out)


# ---------------------------------------------------------------- predictions across corpora


def test_what_a_network_knows_is_recognised_by_name_and_by_voice(crossed):
    run = runs.find_run(crossed, ALL)
    table = members(run, crossed)
    by_name, by_voice = known_to(run.folder, table["corpus"], table["utterance"], table["speaker"])
    learnt = table["partition"].isin(["train", "devel"]).to_numpy()
    assert (by_name == learnt).all() and (by_voice == learnt).all()
    assert not known_to(run.folder, ["x"], ["y"], [""]).any()


def test_utterances_of_another_corpus_are_predicted_once(own, monkeypatch):
    run = runs.find_run(own, ALL)
    one = crossing(run, CORA, ARIA, own)
    assert one.source == "test of pool-standard" or one.source.startswith("test of pool")
    assert set(one.rows["partition"]) == {"test"} and not one.known
    file = predict_crossing(one, own, "cpu")
    facts = json.loads(file.read_text())
    table = pd.read_csv(file.with_suffix(".csv"), dtype={"fold": str})
    assert file.name.startswith(f"{CORA}_{ARIA}_") and facts["head_labels"] == run.config["labels"][CORA]
    assert facts["labels"] == run.config["labels"][ARIA]
    assert [c for c in table if c.startswith("prob")] == [f"probability_{x}" for x in facts["head_labels"]]
    network = use.open_network(run, "1", "cpu")
    shares = use.probabilities(network, own, one.rows, CORA)
    assert np.allclose(table.filter(like="probability_").to_numpy(), shares, rtol=1e-5, atol=1e-9)
    stamp = file.with_suffix(".csv").stat().st_mtime_ns
    assert predict_crossing(one, own, "cpu") == file and file.with_suffix(".csv").stat().st_mtime_ns == stamp
    file.with_suffix(".csv").write_text("damaged")
    assert predict_crossing(one, own, "cpu") == file and file.with_suffix(".csv").stat().st_mtime_ns != stamp
    final = predict_crossing(crossing(run.final_epoch(), CORA, ARIA, own), own, "cpu")
    assert final != file and final.parent == file.parent


def test_a_corpus_the_run_does_not_have_is_tested_as_prepared_or_whole(own):
    run = runs.find_run(own, ALL)
    one = crossing(run, CORA, BRIO, own)
    assert one.source.endswith(", as prepared") and 0 < len(one.rows) < len(read_utterances(own, BRIO))
    (own / "corpora" / BRIO / "partition.csv").unlink()
    whole = crossing(run, CORA, BRIO, own)
    assert whole.source == "all utterances, for want of a partition"
    assert len(whole.rows) == len(read_utterances(own, BRIO))
    theirs = crossing(alone(own, CORA), CORA, ARIA, own, run)
    assert theirs.rows["utterance"].tolist() == crossing(run, CORA, ARIA, own).rows["utterance"].tolist()


def test_what_the_network_has_heard_is_left_out(own):
    run = alone(own, CORA)
    rows = crossing(run, CORA, ARIA, own).rows
    voice = rows["speaker"].iloc[0]
    seen = pd.read_csv(run.folder / "seen.csv", dtype=str)
    seen.loc[len(seen)] = [ARIA, "another utterance", voice]
    seen.to_csv(run.folder / "seen.csv", index=False)
    left = crossing(run, CORA, ARIA, own)
    assert left.known == {"utterances": int((rows["speaker"] == voice).sum()), "speakers": [voice]}
    assert voice not in set(left.rows["speaker"])
    (run.folder / "seen.csv").unlink()
    with pytest.raises(EmosetError, match=r"seen.csv is missing"):
        crossing(run, CORA, ARIA, own)
