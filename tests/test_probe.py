"""Linear probes: embeddings in which the answer is known, and the command on a tiny network."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.preprocessing import StandardScaler

from emoset_cli import probe, runs
from emoset_cli.report.probe_tables import probe_tables
from emoset_cli.train.deep.embedded import embedded

ARIA, CORA = "demo-aria", "demo-cora"
ALL = f"{ARIA}+{CORA}_cnn"


def part(seed, n=60, speakers=6, strength=3.0, width=5):
    """Embeddings in which dimension 0 is the gender and dimension 1 the speaker's own; genders alternate by speaker."""
    rng = np.random.default_rng(seed)
    numbers = np.arange(n) % speakers
    values = rng.normal(0, 1, (n, width)).astype(np.float32)
    values[:, 0] = strength * (2 * (numbers % 2) - 1) + rng.normal(0, 0.1, n)
    values[:, 1] = 4 * numbers + rng.normal(0, 0.1, n)
    who = [f"{seed}-{number}" for number in numbers]
    return values, ["female" if number % 2 else "male" for number in numbers], who


def test_what_is_in_one_dimension_is_read_from_speakers_never_heard():
    found = probe.held_out(part(0), part(1), part(2))
    assert (found["n"], found["n_unknown"], found["classes"], found["chance"]) == (60, 0, 2, 0.5)
    assert found["uar"]["value"] == found["wa"] == 1.0 and found["majority"] == 0.5
    assert found["uar"]["low"] == found["uar"]["high"] == 1.0 and "6 speakers" in found["uar"]["note"]
    assert found["C"] in probe.GRID and found["converged"] is True and found["note"] == ""


def test_what_is_not_there_is_not_read():
    parts = [part(seed, n=400, speakers=40, strength=0.0) for seed in range(3)]
    for values, *_ in parts:
        values[:, 1] = 0
    found = probe.held_out(*parts)
    assert abs(found["uar"]["value"] - 0.5) < 0.1 and found["uar"]["low"] <= 0.5 <= found["uar"]["high"] + 0.05


def test_it_is_the_logistic_regression_of_scikit_learn():
    train, devel, test = (part(seed, strength=0.4) for seed in range(3))
    found = probe.held_out(train, devel, test)
    scaler = StandardScaler().fit(train[0].astype(float))
    uars, scores = {}, {}
    for C in probe.GRID:
        model = LogisticRegression(C=C, max_iter=500).fit(scaler.transform(train[0].astype(float)), train[1])
        uars[C] = balanced_accuracy_score(devel[1], model.predict(scaler.transform(devel[0])))
        scores[C] = balanced_accuracy_score(test[1], model.predict(scaler.transform(test[0].astype(float))))
    best = next(C for C in probe.GRID if uars[C] == max(uars.values()))  # of equal ones the smallest
    assert found["C"] == best and found["uar"]["value"] == pytest.approx(scores[best])


def test_neither_scale_nor_a_dimension_that_never_changes_matters():
    plain, scaled = [part(seed, strength=0.4) for seed in range(3)], []
    for values, names, who in plain:
        wide = np.concatenate([1000 * values + 7, np.ones((len(values), 1))], axis=1)
        scaled.append((wide, names, who))
    one, other = probe.held_out(*plain), probe.held_out(*scaled)
    assert one["uar"]["value"] == pytest.approx(other["uar"]["value"]) and one["C"] == other["C"]


def test_unknown_values_are_left_out_and_counted():
    train, devel, (values, names, who) = part(0), part(1), part(2)
    names = ["" if number < 12 else "other" if number < 15 else name for number, name in enumerate(names)]
    values[:15, 0] *= -1  # those that are left out would all be wrong
    found = probe.held_out(train, devel, (values, names, who))
    assert (found["n"], found["n_unknown"], found["wa"]) == (45, 15, 1.0)
    nobody = probe.held_out(train, devel, (values[15:], names[15:], [""] * 45))
    assert nobody["uar"]["low"] is None and nobody["uar"]["note"] == "no interval: the speakers are not known"
    unchosen = probe.held_out(train, (devel[0], [""] * 60, devel[2]), part(2))
    assert unchosen["C"] == 0.1 and unchosen["wa"] == 1.0


@pytest.mark.parametrize(
    ("in_train", "in_test", "told"),
    [
        ("female", "female", "one value only: female"), ("", "", "nothing is known"), ("", "male", "nothing is known"),
        (None, "male", "one value only in test: male"), (None, "", "nothing is known"),
    ],
)  # fmt: skip
def test_one_value_is_told_and_is_no_error(in_train, in_test, told):
    train, devel, test = part(0), part(1), part(2)
    if in_train is not None:
        train = (train[0], [in_train] * 60, train[2])
    found = probe.held_out(train, devel, (test[0], [in_test] * 60, test[2]))
    assert found["note"] == told and found["uar"] is None and found["wa"] is None and found["C"] is None


def test_speakers_are_read_from_other_utterances_of_theirs():
    def spoken(seed):
        values, _, who = part(seed)
        return values, who, who

    found = probe.within(spoken(0), spoken(1), 3)
    assert found["wa"] > 0.9 and found["classes"] == 6 and found["chance"] == pytest.approx(1 / 6)
    assert found["uar"]["low"] is None and found["uar"]["note"] == "no interval: the speakers are the classes"
    assert found == probe.within(spoken(0), spoken(1), 3)
    values, who, _ = spoken(1)
    values[:, :2] = 0
    assert probe.within(spoken(0), (values, who, who), 3)["wa"] < 0.4  # nothing of a speaker is left
    few = [name if number < 46 or name != "1-0" else "" for number, name in enumerate(who)]
    few = [name if name != "1-1" or number < 24 else "" for number, name in enumerate(few)]  # 4 utterances
    found = probe.within(spoken(0), (spoken(1)[0], few, few))
    assert found["classes"] == 5 and found["n_unknown"] == few.count("") + 4
    assert probe.within(spoken(0), (values, ["a"] * 60, ["a"] * 60))["note"] == "one value only: a"
    assert probe.within((values, [""] * 60, [""] * 60), spoken(1))["C"] == 0.1


# ---------------------------------------------------------------- the command


def test_networks_stand_side_by_side(emoset, crossed):
    names = [ALL, next(name for name in runs.list_runs(crossed) if name.startswith(f"{CORA}_cnn"))]
    answer = emoset("probe", *names, "--device", "cpu", "-d", crossed, "--json", "-q")
    assert answer.code == 0, answer.err
    found = answer.json()
    assert [one["attribute"] for one in found["probes"]] == list(probe.ATTRIBUTES) * 2 and not found["same"]
    told = {(one["run"][:12], one["attribute"]): one for one in found["probes"]}
    shared, alone = ALL[:12], f"{CORA}_cnn"[:12]
    run = runs.find_run(crossed, ALL)
    table, values = embedded(run, crossed, ["train", "devel", "test"], device="cpu")
    tested = table[table["partition"] == "test"]
    assert told[shared, "corpus"]["n"] == len(tested) and told[shared, "corpus"]["width"] == values.shape[1]
    commonest = tested["corpus"].value_counts(normalize=True).max()
    assert told[shared, "corpus"]["majority"] == pytest.approx(commonest)
    assert told[shared, "corpus"]["uar"]["value"] > 0.5
    assert told[shared, "label"]["classes"] == tested["truth"].nunique()
    assert told[shared, "speaker"]["classes"] == len(set(tested["corpus"] + "/" + tested["speaker"]))
    for name in ("corpus", "language"):
        assert told[alone, name]["uar"] is None and told[alone, name]["note"].startswith("one value only: ")
    side, each = probe_tables(found)
    assert len(side.rows) == 5 and len(each.rows) == 10
    assert side.cells()[0][1:] == ["–", side.cells()[0][2], "–"]  # no chance that both have
    assert "cannot be compared" in side.note and "seed 0" in each.note
    assert [len(table.rows) for table in probe_tables(found | {"probes": found["probes"][:5], "same": True})] == [5]


def test_chosen_attributes_are_a_table(emoset, crossed):
    answer = emoset("probe", ALL, "--attributes", "gender,label", "--device", "cpu", "-d", crossed)
    assert answer.code == 0 and "Probes" in answer.out and "side by side" not in answer.out
    assert "gender" in answer.out and "language" not in answer.out
    assert f"probing {runs.find_run(crossed, ALL).name}" in answer.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--attributes", "gender,age"], "unknown attribute 'age'"),
        (["--fold", "7"], "unknown fold of"),
        (["--device", "tpu"], "unknown device 'tpu'"),
    ],
)
def test_a_mistake_is_told_in_two_lines(emoset, crossed, words, told):
    answer = emoset("probe", ALL, *words, "-d", crossed, "-q")
    assert (answer.code, answer.out) == (1, "") and f"error: {told}" in answer.err and "\n  mend: " in answer.err
