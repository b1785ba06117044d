"""Labels that are numbers or have an order: from the registry through training to the report and to new recordings."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rated_corpora
import torch
from attribute_runs import finish, utterances
from conftest import Result
from sklearn.metrics import cohen_kappa_score
from test_report import Page

from emoset_cli import concordance, prepare, runs
from emoset_cli.cli.main import main
from emoset_cli.corpora import load_corpora
from emoset_cli.errors import EmosetError
from emoset_cli.models import MODELS
from emoset_cli.models.build import build_network
from emoset_cli.models.layers.dimensions import dimensions_of
from emoset_cli.report.dimensions import dimension_scores, dimensions_table, level_scores, levels_table
from emoset_cli.train.deep.settings import Settings, settings_of

TINY = ["-nf", "4", "-N", "1", "-nm", "16", "-w", "1.5", "-bs", "16", "--precision", "fp32", "--workers", "1", "-q"]
THREE = ["-t", "moods,rated,named", "-mt", "--preset", "quick", "--rounds", "4", "-spe", "2"]


@pytest.fixture(scope="module")
def place(tmp_path_factory, recordings):
    """``corpora.yaml``, the recordings and ``w``, a workspace with the four corpora prepared. Never write there."""
    folder = rated_corpora.write(tmp_path_factory.mktemp("rated"), recordings)
    where = [f"{key}={folder / key}" for key in ("moods", "rated", "named", "sleepy")]
    assert main(["prepare", *where, *registry(folder), "-d", str(folder / "w"), "-q"]) == 0
    return folder


@pytest.fixture(scope="module")
def learnt(place, tmp_path_factory):
    """A workspace with a run on corpora with both kinds of labels, with dimensions only, and with labels only."""
    work = tmp_path_factory.mktemp("learnt") / "w"
    shutil.copytree(place / "w", work)
    words = ["--dimensions", "arousal,valence", *THREE, *TINY]
    assert main(["train", "cnn", *words, *registry(place), "-d", str(work)]) == 0
    return work


@pytest.fixture
def work(place, tmp_path):
    """A copy of the prepared workspace to write to."""
    return Path(shutil.copytree(place / "w", tmp_path / "w"))


def registry(place):
    return ["--registry", str(place / "corpora.yaml")]


def train(emoset, place, work, *words, model="cnn"):
    answer: Result = emoset("train", model, *words, *TINY, *registry(place), "-d", work, "--json")
    assert answer.code == 0, answer.err
    return answer.json()[0]


# ---------------------------------------------------------------- the registry


ENTRY = r"""
mine:
  language: deu
  path: '(?P<speaker>\w)_(?P<arousal>[\d.x]+)$'
  dimensions: {arousal: {low: 1, high: 5}}
"""
LEVELS = r"""
mine:
  language: deu
  path: '(?P<speaker>\w)_(?P<label>\d)$'
  levels: ["1", "2", "3"]
"""


def entry(tmp_path, text):
    (tmp_path / "my.yaml").write_text(text, encoding="utf-8")
    return load_corpora(tmp_path / "my.yaml")["mine"]


def test_an_entry_names_dimensions_and_levels(tmp_path):
    rated, ordered = entry(tmp_path, ENTRY), entry(tmp_path, LEVELS)
    assert rated.dimensions == ("arousal",) and rated.scales == {"arousal": (1.0, 5.0)} and not rated.labelled
    assert ordered.label_names == ("1", "2", "3") and ordered.labels == {"1": "1", "2": "2", "3": "3"}
    named = entry(tmp_path, LEVELS.replace('["1", "2", "3"]', "[low, high]") + '  labels: {"2": high, "1": low}\n')
    assert named.label_names == ("low", "high")


@pytest.mark.parametrize(
    ("text", "problem", "mend"),
    [
        (ENTRY.replace(", high: 5", ""), "mine.dimensions.arousal: 'high' is missing", "{low: 1, high: 7}"),
        (ENTRY.replace("high: 5", "high: 1"), "'low' 1 is not below 'high' 1", "correct one"),
        (ENTRY.replace("{arousal:", "{arousel:"), "there is no column 'arousel'", "did you mean 'arousal'"),
        (ENTRY.replace("{arousal:", "{speaker:"), "column 'speaker' holds texts", "known: arousal"),
        (ENTRY.replace("low: 1", "low: one"), "'one' stands where a number is expected", "80 or 0.5"),
        (LEVELS.replace('"3"]', '"3", "3"]'), "mine.levels[3]: level '3' stands here twice", "remove one"),
        (LEVELS.replace('"1", "2", "3"', "1, 2"), "1 is a number to YAML", "quote it"),
        (LEVELS + '  labels: {"1": low, "2": high}\n', "'1' is no label of this corpus", "known: high, low"),
        (LEVELS.replace('["1", "2", "3"]', "[low]") + '  labels: {"1": low, "2": high}\n',
         "label 'high' has no place among the levels", "from low to high"),
        (LEVELS.replace('["1", "2", "3"]', '["1"]'), "there is one level only", "name all labels"),
    ],
)  # fmt: skip
def test_what_an_entry_may_not_say(tmp_path, text, problem, mend):
    text = text.replace("(?P<label>\\d)", "(?P<label>[123]+)") if "levels" in text else text
    with pytest.raises(EmosetError) as caught:
        entry(tmp_path, text)
    assert problem in str(caught.value) and mend in str(caught.value)


def test_workspaces_of_before_are_still_read(tmp_path):
    """An entry without scales has the hash that it had, and a run without dimensions the signature."""
    listed = entry(tmp_path, ENTRY.replace("{arousal: {low: 1, high: 5}}", "[arousal]"))
    assert listed.dimensions == ("arousal",) and not listed.scales
    parts = (
        listed.path, listed.id, listed.labels, listed.genders, listed.gender_codes, listed.speaker_alias,
        listed.languages, listed.speaker_languages, listed.where, listed.exclude, listed.tables, listed.subsets,
        listed.speaker, listed.label, listed.language_codes, listed.ages, listed.dimensions,
    )  # fmt: skip
    assert prepare.entry_hash(listed) == runs.digest(repr(parts))
    assert prepare.entry_hash(entry(tmp_path, ENTRY)) != prepare.entry_hash(listed)
    assert not any(name.startswith("dimension") for name in Settings().as_dict())


# ---------------------------------------------------------------- prepare


def test_the_utterance_table_holds_numbers(place):
    table = prepare.read_utterances(place / "w", "moods").set_index("utterance")
    assert table["arousal"].dtype == float and table["arousal"].isna().sum() == 3
    assert table.loc["moods/f01_s02_F1", "arousal"] == pytest.approx(rated_corpora.arousal("f01_s02_F1"))
    rated = prepare.read_utterances(place / "w", "rated")
    assert set(rated["label"]) == {""} and rated["arousal"].between(0, 100).all()
    with (place / "w" / "corpora" / "moods" / "problems.csv").open(encoding="utf-8") as file:
        told = {row["problem"]: row for row in csv.DictReader(file)}
    assert told["value not known"]["detail"] == "3 of 50 utterances have no arousal"
    outside = told["value out of range"]
    assert outside["detail"] == "its arousal is 9.5, not within 1 to 7" and outside["action"] == "kept"
    assert outside["utterance"] == f"moods/{rated_corpora.OUTSIDE}" and "low and high of arousal" in outside["mend"]


def test_numbers_of_names_are_looked_at_too(emoset, place, tmp_path):
    source = next((place / "moods").glob("*.wav"))
    (tmp_path / "rec").mkdir()
    for name in ("a_2.5", "a_x", "b_7"):
        shutil.copy(source, tmp_path / "rec" / f"{name}.wav")
    (tmp_path / "my.yaml").write_text(ENTRY, encoding="utf-8")
    words = [f"mine={tmp_path / 'rec'}", "--registry", tmp_path / "my.yaml", "-d", tmp_path / "w"]
    answer = emoset("prepare", *words)
    assert answer.code == 0 and "no number" in answer.err and "its arousal is 'x'" in answer.err
    assert "its arousal is 7, not within 1 to 5" in answer.err
    values = prepare.read_utterances(tmp_path / "w", "mine")["arousal"]
    assert values.tolist()[0] == 2.5 and values.isna().tolist() == [False, True, True]


def test_a_text_in_a_column_of_numbers_stops_prepare(emoset, place, tmp_path):
    folder = Path(shutil.copytree(place / "rated", tmp_path / "rated"))
    text = (folder / "ratings.csv").read_text()
    (folder / "ratings.csv").write_text(text.replace(text.splitlines()[1].split(",")[1], "loud", 1))
    answer = emoset("prepare", f"rated={folder}", *registry(place), "-d", tmp_path / "w")
    assert (answer.code, answer.out) == (1, "")
    assert "ratings.csv holds 'loud' in column act, where numbers are expected" in answer.err


def test_show_tells_scales_and_levels(emoset, place):
    shown = emoset("corpora", "show", "moods", *registry(place))
    assert "arousal (1 to 7), valence (-1 to 1)" in shown.out
    assert "1 < 2 < 3" in emoset("corpora", "show", "sleepy", *registry(place)).out
    facts = emoset("corpora", "show", "moods", *registry(place), "--json").json()
    assert facts["scales"] == {"arousal": [1.0, 7.0], "valence": [-1.0, 1.0]}


def test_statistics_of_a_corpus_without_labels(emoset, place):
    answer = emoset("corpora", "stats", "-d", place / "w", "-q", "--json", *registry(place))
    assert answer.code == 0, answer.err
    assert emoset("corpora", "check", "-d", place / "w", *registry(place)).code in {0, 1}


# ---------------------------------------------------------------- networks


def test_heads_of_dimensions_change_no_other_weight():
    """A network begins with the same weights with and without, and a head gets a gradient of its own corpus only."""
    labels = {"a": ["x", "y"], "b": [], "c": ["x", "y"]}
    made = [build_with(labels, dims) for dims in (None, {"heads": {"a": ["arousal", "valence"], "b": ["arousal"]}})]
    plain, both = ({name: one.clone() for name, one in network.state_dict().items()} for network in made)
    assert all(torch.equal(one, both[name]) for name, one in plain.items())
    assert {name.split(".")[2] for name in both.keys() - plain.keys()} == {"a", "b"}
    network = made[1]
    waves, lengths = torch.randint(-3000, 3000, (2, 8000), dtype=torch.int16), torch.tensor([8000, 6000])
    embedding = network.embed(waves, lengths, "b")
    regression = dimensions_of(network)
    values = regression(embedding, "b")
    assert values.shape == (2, 1) and ((values > 0) & (values < 1)).all()
    assert network.classify(embedding, "b").shape == (2, 0) and regression(embedding, "c") is None
    values.sum().backward()
    given = {name for name, weight in network.named_parameters() if weight.grad is not None and weight.grad.any()}
    assert any(name.startswith("dimensions.heads.b.") for name in given)
    assert not any(name.startswith(("dimensions.heads.a.", "heads.")) for name in given)


def build_with(labels, dimensions):
    torch.manual_seed(3)
    network = {"blocks": 1, "filters": 4}
    return build_network("cnn", labels, False, network, {"mels": 16}, dimensions=dimensions)


@pytest.mark.parametrize("model", [name for name, entry in MODELS.items() if entry.attributes])
def test_all_networks_have_room_for_them(model):
    chosen = settings_of(model, {"dimensions": ["arousal"], "batch_size": 16})
    assert chosen.as_dict()["dimensions"] == ["arousal"]


def test_what_was_trained_in_each_mode_has_its_new_heads_trained():
    from emoset_cli.models import parts

    network = build_with({"a": ["x", "y"]}, {"heads": {"a": ["arousal"]}})
    parts.freeze(network, "last-layer", ["a"])
    whose = parts.roles(network)
    trained = {name: whose[name][0] for name, weight in network.named_parameters() if weight.requires_grad}
    assert set(trained.values()) == {"head"} and any(name.startswith("dimensions.") for name in trained)


# ---------------------------------------------------------------- training


def test_a_run_of_corpora_with_either_both_and_only_dimensions(learnt):
    (name,) = runs.list_runs(learnt)
    run = runs.find_run(learnt, name)
    assert run.config["setting"] == "all + arousal+valence"
    told = run.config["dimensions"]
    assert told["heads"] == {"moods": ["arousal", "valence"], "rated": ["arousal"]}
    assert told["scales"]["rated"] == {"arousal": [0.0, 100.0]} and set(told["unknown"]) == {"moods"}
    table = run.dimensions()
    assert list(table) == runs.DIMENSION_COLUMNS and set(table["partition"]) == {"devel", "test"}
    rated = table[table["corpus"] == "rated"]
    source = prepare.read_utterances(learnt, "rated").set_index("utterance")["arousal"]
    assert rated["truth"].tolist() == pytest.approx(source[rated["utterance"]].tolist(), abs=1e-3)
    assert rated["prediction"].between(0, 100).all() and len(rated) == 20
    moods = table[table["corpus"] == "moods"]
    assert moods["truth"].isna().sum() + sum(told["unknown"]["moods"].values()) == 3
    assert set(run.predictions()["corpus"]) == {"moods", "named"}
    with (run.folder / "history.csv").open() as file:
        best = [row for row in csv.DictReader(file) if row["best"] == "1"][-1]
    concordances = [float(best[f"devel_ccc:{key}"]) for key in ("moods:arousal", "moods:valence", "rated:arousal")]
    assert float(best["devel_ccc"]) == pytest.approx(np.mean(concordances), abs=2e-6)
    devel = table[(table["partition"] == "devel") & (table["dimension"] == "arousal") & (table["corpus"] == "rated")]
    assert concordance.ccc(devel["truth"], devel["prediction"]) == pytest.approx(concordances[2], abs=1e-4)
    assert {"dimensions.csv", "dimensions-final.csv"} <= {path.name for path in run.folder.iterdir()}
    runs.check_run(run.folder)


def test_the_best_epoch_is_that_of_all_heads(emoset, place, work):
    folder = Path(train(emoset, place, work, "--dimensions", "arousal", *THREE)["folder"])
    with (folder / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    each = ["devel_uar:moods", "devel_uar:named", "devel_ccc:moods:arousal", "devel_ccc:rated:arousal"]
    reached = [np.mean([float(row[name]) for name in each]) for row in rows]
    assert [row["best"] for row in rows].count("1") >= 1
    assert max(int(row["epoch"]) for row in rows if row["best"] == "1") == 1 + int(np.argmax(reached))


@pytest.mark.parametrize("loss", ["ccc", "mse"])
def test_dimensions_alone(emoset, place, work, loss):
    words = ["-t", "rated", "--preset", "quick", "-e", "2", "-spe", "4", "--dimensions", "arousal"]
    run = train(emoset, place, work, *words, "--dimension-loss", loss)
    assert run["devel_uar"] is None and run["final_devel_uar"] is None and run["devel_ccc"] > 0.3
    found = runs.find_run(work, run["run"])
    assert found.predictions().empty and found.config["labels"] == {"rated": []}
    answer = emoset("evaluate", "-d", work, "--json", "-q")
    assert answer.code == 0, answer.err
    facts = answer.json()
    assert facts["scores"][0]["corpora"] == {} and {row["corpus"] for row in facts["dimensions"]} == {"rated"}
    shown = emoset("runs", "list", "-d", work, "--json").json()
    assert shown[0]["devel_uar"] is None
    told = emoset("runs", "show", run["run"], "-d", work, "--json").json()
    assert told["scores"] == [] and told["dimensions"][0]["ccc"]["value"] is not None
    page = (Path(facts["report"])).read_text(encoding="utf-8")
    assert "devel CCC" in page and "devel UAR [%]</text>" not in page


def test_segments_are_put_together(emoset, place, work):
    words = ["-t", "rated", "-e", "1", "-spe", "1", "--dimensions", "arousal", "--precision", "fp32"]
    words += ["-bs", "8", "--workers", "1", "-q", *registry(place), "-d", work]
    answer = emoset("train", "cnn", "-nf", "4", "-N", "1", "-nm", "16", "--segment", "1", "--shift", "0.5", *words)
    assert answer.code == 0, answer.err
    table = runs.find_run(work, "rated_cnn").dimensions()
    assert len(table) == 20 and not table["utterance"].duplicated().any()


@pytest.mark.slow
def test_a_transfer_learns_those_that_a_corpus_has(emoset, place, work):
    words = ["--dimensions", "arousal", "--tune", "finetune", *THREE]
    answer = emoset("train", "cnn", *words, *TINY, *registry(place), "-d", work, "--json")
    assert answer.code == 0, answer.err
    settings = {run["corpora"][0]: run["setting"] for run in answer.json()[1:]}
    assert settings == {
        "moods": "all > finetune + arousal", "rated": "all > finetune + arousal", "named": "all > finetune",
    }  # fmt: skip


def test_corpora_pooled_have_one_head(emoset, place, work):
    """In a label space there is one head for all, whose values are in each corpus's own units."""
    words = ["-t", "moods,named", "--pool", "--labels", "valence", "--preset", "quick", "-e", "1", "-spe", "2"]
    run = runs.find_run(work, train(emoset, place, work, *words, "--dimensions", "arousal")["run"])
    assert run.config["dimensions"]["heads"] == {"valence": ["arousal"]}
    assert set(run.dimensions()["corpus"]) == {"moods"}  # named has no scale to tell them on


@pytest.mark.slow
def test_a_stopped_training_ends_with_the_same_bits(emoset, place, work, monkeypatch):
    from emoset_cli.train.deep import loop

    words = ["--dimensions", "arousal,valence", *THREE]
    folder = Path(train(emoset, place, work, *words)["folder"])
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    before = loop._one_epoch
    done = []

    def once(training):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(before(training))

    monkeypatch.setattr(loop, "_one_epoch", once)
    assert emoset("train", "cnn", *words, *TINY, *registry(place), "-d", work, "--force").code != 0
    monkeypatch.setattr(loop, "_one_epoch", before)
    train(emoset, place, work, *words, "--force")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept


@pytest.mark.parametrize(
    ("words", "problem", "mend"),
    [
        (["cnn", "-t", "rated"], "rated has no labels, only dimensions: arousal", "--dimensions arousal"),
        (["svm", "-t", "rated"], "rated has no labels, only dimensions: arousal", "--dimensions arousal"),
        (["svm", "-t", "moods", "--dimensions", "arousal"], "svm learns labels, no --dimensions", "emoset train cnn"),
        (["cnn", "-t", "named", "--dimensions", "arousal"], "unknown dimension of named 'arousal'", "known: none"),
        (["cnn", "-t", "moods", "--dimensions", "arousel"], "'arousel'", "did you mean 'arousal'"),
        (["cnn", "-t", "rated", "--dimensions", "arousal", "--labels", "valence"], "rated has no labels", "its own"),
        (["wccn", "-t", "moods", "--dimensions", "arousal"], "wccn has no --dimensions", "embedding"),
        (["embedding", "-t", "moods", "--dimensions", "arousal", "-bs", "1"], "of one utterance is not defined", "mse"),
        (["cnn", "-t", "moods", "--dimension-loss", "mse"], "and none is named", "add --dimensions"),
        (["cnn", "-t", "moods", "--dimensions", "arousal", "--dimension-weight", "0"], "is 0", "above 0"),
        (["cnn", "-t", "moods,rated", "-mt", "--dimensions", "valence"], "rated has no labels", "leave rated out"),
    ],
)
def test_what_training_refuses(emoset, place, tmp_path, words, problem, mend):
    shutil.copytree(place / "w", tmp_path / "w")
    answer = emoset("train", *words, *registry(place), "-d", tmp_path / "w", "-q")
    assert (answer.code, answer.out) == (1, "") and "Traceback" not in answer.err
    *_, first, second = answer.err.rstrip("\n").split("\n")
    assert problem in first and mend in second


def test_a_dimension_without_a_scale_cannot_be_learnt(emoset, place, tmp_path):
    text = (place / "corpora.yaml").read_text().replace("{arousal: {low: 0, high: 100}}", "[arousal]")
    (tmp_path / "my.yaml").write_text(text, encoding="utf-8")
    words = ["--registry", tmp_path / "my.yaml", "-d", tmp_path / "w", "-q"]
    assert emoset("prepare", f"rated={place / 'rated'}", *words).code == 0
    answer = emoset("train", "cnn", "-t", "rated", "--dimensions", "arousal", *words)
    assert answer.code == 1 and "from where to where the arousal of rated goes" in answer.err
    assert "dimensions: {arousal: {low: 1, high: 7}}" in answer.err


# ---------------------------------------------------------------- scores


def test_evaluate_writes_its_table_everywhere(emoset, learnt):
    answer = emoset("evaluate", "-d", learnt, "--json")
    assert answer.code == 0, answer.err
    rows = answer.json()["dimensions"]
    run = runs.find_run(learnt, "moods+rated+named")
    assert rows == json.loads(json.dumps(dimension_scores([run])))
    assert [(row["partition"], row["dimension"], row["corpus"]) for row in rows[:3]] == [
        ("test", "arousal", "moods"), ("test", "arousal", "rated"), ("test", "valence", "moods"),
    ]  # fmt: skip
    table = run.dimensions()
    part = table[(table["partition"] == "test") & (table["corpus"] == "rated")]
    error = part["truth"] - part["prediction"]
    assert rows[1]["rmse"]["value"] == pytest.approx(float(np.sqrt((error**2).mean())))
    assert rows[1]["pearson"]["value"] == pytest.approx(float(np.corrcoef(part["truth"], part["prediction"])[0, 1]))
    folder = Path(answer.json()["report"]).parent
    assert {"dimensions"} <= Page((folder / "report.html").read_text(encoding="utf-8")).ids
    assert "## Dimensions" in (folder / "results.md").read_text(encoding="utf-8")
    assert r"\caption{Dimensions}" in (folder / "results.tex").read_text(encoding="utf-8")
    written = pd.read_csv(next((folder / "tables").glob("*-dimensions.csv")))
    assert {"ccc", "ccc_low", "ccc_high", "pearson", "rmse"} <= set(written.columns)
    assert json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["dimensions"] == rows
    final = emoset("evaluate", f"{run.name}:final", "-d", learnt, "--json", "-q").json()["dimensions"]
    assert final[0]["run"].endswith(":final") and final[0]["n"] == rows[0]["n"]


def said(corpus, speakers, truths, guesses, fold="1", partition="test"):
    pairs = enumerate(zip(speakers, truths, guesses, strict=True))
    return [
        dict(zip(runs.DIMENSION_COLUMNS, [corpus, f"{corpus}/{partition}{number:02d}", speaker, fold, partition,
                                          "arousal", truth, guess], strict=True))
        for number, (speaker, truth, guess) in pairs
    ]  # fmt: skip


def with_dimensions(folder, rows, **config):
    table = pd.DataFrame(rows)[runs.DIMENSION_COLUMNS]
    told = {"heads": {"emodb": ["arousal"]}, "scales": {"emodb": {"arousal": [1, 7]}}, "values": "0", "unknown": {}}
    made = finish(folder, "cnn scratch + arousal", utterances("emodb", [True] * 4), **config)
    return runs.finish(folder, made.config | {"dimensions": told}, made.predictions(), {"dimensions": table})


def test_scores_worked_by_hand(tmp_path):
    rows = said("emodb", "aabb", [1, 2, 3, 4], [2, 2, 4, 6]) + said("emodb", "c", [None], [5.0], partition="test")
    rows[-1]["utterance"] = "emodb/unknown"
    (row,) = dimension_scores([with_dimensions(tmp_path / "run", rows)])
    assert (row["n"], row["n_unknown"], row["n_speakers"], row["how"]) == (4, 1, 2, "one partition")
    assert row["ccc"]["value"] == pytest.approx(0.7) and row["rmse"]["value"] == pytest.approx(np.sqrt(1.5))
    assert row["ccc"]["low"] <= 0.7 <= row["ccc"]["high"] and "2 speakers only" in row["ccc"]["note"]
    assert (row["lowest"], row["highest"]) == (1, 7)
    table = dimensions_table([row])
    assert table.cells()[0][3:7] == ["arousal", "4", "1", "2"] and table.cells()[0][-1] == "1 to 7"
    assert "chance" in table.note and "emodb test arousal" in table.note


def test_folds_are_pooled_or_averaged(tmp_path):
    one, two = said("emodb", "ab", [1, 5], [2, 5]), said("emodb", "cd", [2, 4], [2, 5], fold="2")
    for row in two:
        row["utterance"] += "-2"
    devel = [row for fold in "12" for row in said("emodb", "ab", [1, 5], [1 + int(fold), 5], fold, "devel")]
    test, of_devel = dimension_scores([with_dimensions(tmp_path / "run", one + two + devel)])
    assert test["how"] == "pooled" and test["n"] == 4
    assert test["ccc"]["value"] == pytest.approx(concordance.ccc([1, 5, 2, 4], [2, 5, 2, 5]))
    assert of_devel["how"] == "mean over folds" and of_devel["ccc"]["low"] is None and of_devel["n"] == 2
    each = [concordance.ccc([1, 5], [2, 5]), concordance.ccc([1, 5], [3, 5])]
    assert of_devel["ccc"]["value"] == pytest.approx(np.mean(each))


def test_nothing_known_is_no_score(tmp_path):
    (row,) = dimension_scores([with_dimensions(tmp_path / "run", said("emodb", "ab", [None, None], [2.0, 3.0]))])
    assert row["n"] == 0 and row["ccc"] == {
        "value": None, "low": None, "high": None, "note": "no utterance has a value",
    }  # fmt: skip
    assert dimensions_table([row]).cells()[0][7] == "–"


def test_a_changed_table_is_refused(tmp_path):
    run = with_dimensions(tmp_path / "run", said("emodb", "ab", [1, 2], [2, 3]))
    (run.folder / "dimensions.csv").write_text("changed", encoding="utf-8")
    with pytest.raises(EmosetError, match=r"dimensions.csv was changed after the training wrote it\n.*--force"):
        dimension_scores([run])


def test_runs_of_before_have_none_of_it(tmp_path):
    plain = finish(tmp_path / "plain", "cnn scratch", utterances("emodb", [True] * 4))
    assert plain.dimensions() is None and dimension_scores([plain]) == [] == level_scores([plain])


# ---------------------------------------------------------------- levels


@pytest.mark.slow
def test_ordered_levels_are_scored_by_how_far_off(emoset, place, work):
    words = ["-t", "sleepy", "--preset", "quick", "-e", "1", "-spe", "3", "-l", "ordinal", "--partition", "folds:3"]
    run = runs.find_run(work, train(emoset, place, work, *words)["run"])
    assert run.config["levels"] == {"sleepy": ["1", "2", "3"]} and run.config["labels"]["sleepy"] == ["1", "2", "3"]
    answer = emoset("evaluate", run.name, "-d", work, "--json", "-q").json()
    test = next(row for row in answer["levels"] if row["partition"] == "test")
    table = run.predictions()
    table = table[table["partition"] == "test"]
    truth, guess = table["truth"].astype(int), table["prediction"].astype(int)
    assert test["n"] == 50 and test["mae"]["value"] == pytest.approx((truth - guess).abs().mean())
    assert test["kappa"]["value"] == pytest.approx(cohen_kappa_score(truth, guess, weights="quadratic"))
    assert test["kappa"]["low"] <= test["kappa"]["value"] <= test["kappa"]["high"]
    shown = levels_table(answer["levels"])
    assert "1 < 2 < 3" in shown.cells()[0] and "quadratic" in shown.note
    assert "Levels" in emoset("evaluate", run.name, "-d", work, "-q").out


def test_a_baseline_learns_levels_too(emoset, place, work):
    assert emoset("extract", "egemaps", "sleepy", "-d", work, "-q", "--workers", 1).code == 0
    words = ["train", "svm", "-t", "sleepy", *registry(place), "-d", work, "-q", "--workers", 1, "--json"]
    (run,) = emoset(*words).json()
    assert level_scores([runs.find_run(work, run["run"])])


# ---------------------------------------------------------------- new recordings


def test_predict_tells_values_in_their_units(emoset, learnt, place, tmp_path):
    files = sorted((place / "rated").glob("f01_s01_[WT]1.wav"))
    answer = emoset("predict", "moods+rated", *files, "-d", learnt, "--json", "-q", "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    told = answer.json()
    assert told["dimensions"]["rated"] == {"arousal": [0.0, 100.0]} and told["heads"]["rated"] == []
    run = runs.find_run(learnt, "moods+rated")
    own = run.dimensions().set_index(["corpus", "utterance", "dimension"])["prediction"]
    for one in told["recordings"]:
        rated = one["said"]["rated"]
        assert rated["prediction"] is None and rated["probabilities"] == {}
        assert set(one["said"]["moods"]["dimensions"]) == {"arousal", "valence"}
        assert "dimensions" not in one["said"]["named"] and 0 <= rated["dimensions"]["arousal"] <= 100
        name = f"rated/{Path(one['recording']).stem}"
        if ("rated", name, "arousal") in own.index:
            assert rated["dimensions"]["arousal"] == pytest.approx(own["rated", name, "arousal"], rel=1e-3)
    written = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert {"dimension_arousal", "dimension_valence"} <= set(written.columns)
    shown = emoset("predict", "moods+rated", *files, "-d", learnt, "-q", "--as", "rated").out
    assert "arousal (0 to 100)" in shown and "prediction" not in shown
    spoken = emoset("predict", "moods+rated", *files, "-d", learnt, "-q", "--space", "valence", "--json").json()
    assert spoken["dimensions"] == {} and list(spoken["recordings"][0]["said"]) == ["valence"]


def test_windows_have_values_of_their_own(emoset, learnt, place, tmp_path):
    file = next((place / "rated").glob("f01_s01_W1.wav"))
    words = ["-d", learnt, "-q", "--window", "1", "--as", "rated,moods", "--out", tmp_path / "out"]
    assert emoset("predict", "moods+rated", file, *words).code == 0
    lines = pd.read_csv(tmp_path / "out" / "timelines" / f"{file.name}.csv")
    assert lines[lines["head"] == "rated"]["dimension_arousal"].between(0, 100).all()
    assert {path.name for path in (tmp_path / "out" / "timelines").glob("*.txt")} == {f"{file.name}.moods.txt"}


def test_a_shared_model_carries_them(emoset, learnt, place, tmp_path):
    answer = emoset("share", "moods+rated", tmp_path / "model", "-d", learnt, *registry(place), "-q", "--json")
    assert answer.code == 0, answer.err
    card = (tmp_path / "model" / "README.md").read_text(encoding="utf-8")
    assert "| rated |  | arousal |" in card and "## Dimensions" in card
    file = next((place / "rated").glob("f01_s01_W1.wav"))
    ours, theirs = (
        emoset("predict", model, file, "-d", where, "--json", "-q").json()["recordings"][0]["said"]
        for model, where in (("moods+rated", learnt), (tmp_path / "model", tmp_path / "nowhere"))
    )
    assert ours == theirs


def test_what_a_stranger_may_not_say_of_them(emoset, learnt, place, tmp_path):
    from emoset_cli.files import digest

    folder = tmp_path / "model"
    assert emoset("share", "moods+rated", folder, "-d", learnt, *registry(place), "-q").code == 0
    text, mark = (folder / "model.json").read_text(), json.loads((folder / "emoset.json").read_text())
    file = next((place / "rated").glob("f01_s01_W1.wav"))
    for before, after, told in (
        ('"rated": []', '"rated": ["a"]', "damaged"),
        ('"dimensions": {', '"dimension": {', "head 'rated' has neither labels nor dimensions"),
    ):
        (folder / "model.json").write_text(text.replace(before, after, 1))
        mark["files"]["model.json"] = digest((folder / "model.json").read_bytes())
        (folder / "emoset.json").write_text(json.dumps(mark))
        answer = emoset("predict", folder, file, "-d", tmp_path / "w", "-q")
        assert answer.code == 1 and told in answer.err, answer.err


@pytest.mark.slow
def test_what_needs_labels_says_so(emoset, place, work):
    words = ["-t", "rated", "--preset", "quick", "-e", "1", "-p", "1", "-spe", "1", "--dimensions", "arousal"]
    name = train(emoset, place, work, *words)["run"]
    other = train(emoset, place, work, *words, "--seed", "1", "--partition", "speakers")["run"]
    for command in (["calibrate", name], ["evaluate", "--cross", name], ["compare", name, other]):
        answer = emoset(*command, "-d", work, "-q")
        assert answer.code == 1 and "has learnt no labels, only dimensions" in answer.err, answer.err
    answer = emoset("share", name, work / "model", "--onnx", "-d", work, *registry(place), "-q")
    assert answer.code == 1 and "leave --onnx out" in answer.err
    assert emoset("plot", "embedding", name, "-d", work, "-q").code == 0


# ---------------------------------------------------------------- the page


PAGE = Path(__file__).parents[1] / "docs" / "dimensions.md"


@pytest.fixture
def wake(place, tmp_path):
    """The example of the page: its entry, its table, and recordings of six speakers."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = {kind: text.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("yaml", "csv")}
    (tmp_path / "wake.yaml").write_text(blocks["yaml"], encoding="utf-8")
    sounds = iter(sorted((place / "named").glob("*.wav")))
    (tmp_path / "wake").mkdir()
    rows = blocks["csv"].splitlines()
    for speaker in range(1, 7):
        for number in range(1, 9):
            name = f"p{speaker:02d}_read{number}.wav"
            shutil.copy(next(sounds), tmp_path / "wake" / name)
            if not any(row.startswith(name) for row in rows):
                rows.append(f"{name},{1 + (speaker + number) % 9},{1 + (speaker * number) % 6}.5")
    (tmp_path / "wake" / "ratings.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def test_the_example_of_the_page_works(emoset, wake):
    words = ["--registry", wake / "wake.yaml", "-d", wake / "w", "-q"]
    assert emoset("prepare", f"wake={wake / 'wake'}", *words).code == 0
    table = prepare.read_utterances(wake / "w", "wake")
    assert len(table) == 48 and set(table["label"]) == set("123456789") and table["arousal"].isna().sum() == 1
    line = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("emoset train cnn"))
    line = line.partition(" --registry")[0].split()[1:]
    answer = emoset(*line, *TINY, "--preset", "quick", "-e", "1", "-spe", "1", *words)
    assert answer.code == 0, answer.err
    facts = emoset("evaluate", "-d", wake / "w", "-q", "--json").json()
    assert {row["dimension"] for row in facts["dimensions"]} == {"arousal"} and facts["levels"][0]["corpus"] == "wake"


def test_the_page_tells_the_problems(emoset, wake):
    text = PAGE.read_text(encoding="utf-8").replace("\n", " ")
    assert all(f"`{word}`" in text for word in ("no number", "value out of range", "value not known"))
