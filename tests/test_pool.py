"""Several corpora trained together, each with its own partition, joined fold by fold."""

from pathlib import Path

import pytest
from test_deep import ARIA, CORA, TINY
from test_partition import make, people, table

from emoset_cli import runs
from emoset_cli.corpora import load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.partition import Partition, pooled
from emoset_cli.prepare import read_utterances
from emoset_cli.protocols import make_partition

TOGETHER = "demo-aria+demo-brio+demo-cora"


def named(key, women, men):
    utterances = table(people(women, men), corpus=key)
    return utterances.assign(utterance=key + "/" + utterances["utterance"])


def test_fold_k_of_one_joins_fold_k_of_the_other():
    tables = {"a": named("a", 6, 5), "b": named("b", 5, 5)}
    own = {key: make("losgo:10", one, 3) for key, one in tables.items()}
    both = pooled(own)
    assert (both.name, both.seed, both.folds) == ("pool-losgo:10", 3, [str(n + 1) for n in range(10)])
    assert both.notes == ["a: partition losgo:10, seed 3", "b: partition losgo:10, seed 3"]
    for key, one in own.items():
        assert (both.table.loc[tables[key]["utterance"]] == one.table).all(axis=None)
    assert ((both.table == "test").sum(axis=1) == 1).all()
    assert pooled({"b": own["b"], "a": own["a"]}).hash == both.hash


@pytest.mark.parametrize(
    ("specs", "told"),
    [
        (("losgo:5", "losgo:4"), r"by partition losgo:5 and losgo:4: a has the folds 1, 2, 3, 4, 5, b has 1, 2, 3, 4"),
        (("losgo:5", "speakers"), r"by partition losgo:5 and speakers: a has the folds 1, 2, 3, 4, 5, b has 1\n"),
        (
            ("loso", "loso"),
            r"by partition loso: a has the folds f00, .*, m02, \.\.\., b has f00, f01, f02, m00, m01, m02",
        ),
    ],
)
def test_corpora_with_other_folds_are_not_joined(specs, told):
    tables = {"a": named("a", 5, 5), "b": named("b", 3, 3)}
    partitions = {key: make(spec, tables[key]) for key, spec in zip(tables, specs, strict=True)}
    with pytest.raises(EmosetError, match=rf"cannot be joined fold by fold {told}(.|\n)*mend: --partition losgo:5 or"):
        pooled(partitions)


def test_single_folds_are_joined_whatever_they_are_called():
    frames = {key: named(key, 3, 3) for key in "ab"}
    published = {key: make("speakers", one).table.set_axis([f"fold of {key}"], axis=1) for key, one in frames.items()}
    assert pooled({key: Partition("paper", 0, one) for key, one in published.items()}).folds == ["1"]


def test_pooled_groups_are_those_of_each_corpus_and_tested_once(emoset, workspace):
    names = []
    for words in (["svm"], ["forest"], ["forest", "--seed", "1"]):
        common = ["--pool", "--labels", "three-class", "--partition", "losgo:3", "--workers", "1", "-d", workspace]
        answer = emoset("train", *words, *common, "--json", "-q")
        assert answer.code == 0, answer.err
        names += [answer.json()[0]["run"]]
    run, _, other = (runs.read_run(workspace / "runs" / name) for name in names)
    assert names[0].startswith(f"{TOGETHER}_svm-egemaps-v02_pool-losgo-3-three-class_")
    assert (
        run.config["partition"] | {"name": "pool-losgo:3", "seed": 0, "folds": ["1", "2", "3"]}
        == (run.config["partition"])
    )
    for one, seed in ((run, 0), (other, 1)):
        tested = one.predictions().query("partition == 'test'").set_index("utterance")["fold"]
        for key in one.config["corpora"]:
            own = make_partition("losgo:3", read_utterances(workspace, key), load_corpora(), seed).table
            assert (own == "test").idxmax(axis=1).to_dict() == tested[own.index].to_dict()
    shown = emoset("evaluate", names[0], "-d", workspace, "--json", "-q").json()["scores"][0]
    parts = [shown["corpora"][key]["test"] for key in run.config["corpora"]]
    assert [(part["how"], part["n"], part["folds"]["n"]) for part in parts] == [
        ("pooled", n, 3) for n in (200, 128, 108)
    ]
    found = emoset("compare", *names[:2], "-d", workspace, "--json", "-q")
    assert found.code == 0 and found.json()["comparisons"][0]["pooled"]["n"] == 436
    found = emoset("compare", names[1], names[2], "-d", workspace, "-q")
    assert found.code == 0  # another draw of the groups tests the same utterances


@pytest.mark.slow
def test_a_shared_network_is_trained_in_each_fold(emoset, workspace, one_thread):
    words = ["train", "cnn", "-t", f"{ARIA},{CORA}", "--partition", "losgo:3", "--preset", "quick", "-spe", 1]
    short = ["-e", 1, "-p", 1, "--rounds", 1, *TINY, "-d", workspace]
    answer = emoset(*words, *short, "-mt", "--json")
    assert answer.code == 0, answer.err
    run = runs.read_run(Path(answer.json()[0]["folder"]))
    assert run.config["partition"]["name"] == "pool-losgo:3" and len(run.config["chosen"]) == 3
    assert (run.folder / "model-3.safetensors").is_file()
    shown = emoset("evaluate", run.name, f"{run.name}:final", "-d", workspace, "--json", "-q").json()
    for score in shown["scores"]:
        assert {key: part["test"]["how"] for key, part in score["corpora"].items()} == {ARIA: "pooled", CORA: "pooled"}
    assert emoset("compare", run.name, f"{run.name}:final", "-d", workspace, "-q").code == 0
    answer = emoset(*words, *short, "-mt", "--tune", "adapters")
    assert answer.code == 1 and "several folds makes one for each\n  mend: leave --tune out" in answer.err
    answer = emoset(*words, *short, "--pool")
    assert answer.code == 1 and f"{ARIA}, {CORA} have different labels, and they are trained together" in answer.err


def test_leaks_are_looked_for_as_pool_would_train(emoset, prepared):
    (one,) = emoset("corpora", "leaks", "--partition", "losgo:3", "--json", "-d", prepared).json()["partitions"]
    assert one["name"] == "pool-losgo:3"
    several = emoset("corpora", "leaks", "--partition", "loso", "--json", "-d", prepared).json()["partitions"]
    assert [one["name"] for one in several] == ["loso"] * 3
