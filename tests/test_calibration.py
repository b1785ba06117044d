"""Calibration: the error against a case worked by hand, temperatures that fit, the command, and who applies them."""

import json
import math

import numpy as np
import pytest

from emoset_cli import calibration, runs
from emoset_cli.errors import EmosetError

CORA = "demo-cora"


def test_the_error_of_a_case_worked_by_hand():
    """Five bins of width 0.2. Bin 0.4-0.6: 0.5 and 0.6 (it is closed above), one right: |0.5 - 0.55| = 0.05 of 2.

    Bin 0.8-1: 0.9, 0.9 and 1.0, two right: |2/3 - 2.8/3| = 0.8/3 of 3. ECE = (2 * 0.05 + 0.8) / 5 = 0.18.
    """
    confidence = np.array([0.5, 0.6, 0.9, 0.9, 1.0])
    bins = calibration.reliability(np.array([True, False, True, False, True]), confidence, 5)
    assert [one.n for one in bins] == [0, 0, 2, 0, 3]
    assert bins[2].confidence == pytest.approx(0.55) and bins[4].accuracy == pytest.approx(2 / 3)
    assert math.isnan(bins[0].accuracy)
    assert calibration.expected_calibration_error(bins) == pytest.approx(0.18)


def test_who_is_as_often_right_as_sure_has_no_error():
    hits = np.array([True] * 3 + [False])
    assert calibration.expected_calibration_error(calibration.reliability(hits, np.full(4, 0.75))) == pytest.approx(0)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_was_put_in_is_found(temperature):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 3))
    shares = calibration.probabilities(logits, 1.0)
    truth = [str((row.cumsum() > rng.random()).argmax()) for row in shares]
    found = calibration.fitted_temperature(logits * temperature, truth, ["0", "1", "2"])
    assert found == pytest.approx(temperature, rel=0.05)
    again = calibration.calibrated(calibration.probabilities(logits * temperature, 1.0), temperature)
    assert np.allclose(again, shares, atol=1e-6)


def test_a_temperature_changes_no_prediction_and_bears_zeros():
    shares = np.array([[0.0, 1.0, 0.0], [0.2, 0.5, 0.3]])
    for temperature in (0.01, 1.0, 100.0):
        found = calibration.calibrated(shares, temperature)
        assert found.argmax(1).tolist() == [1, 1] and np.allclose(found.sum(1), 1) and np.isfinite(found).all()


def test_the_command_fits_on_devel_and_draws(emoset, results):
    answer = emoset("calibrate", f"{CORA}_forest", f"{CORA}_svm", "-d", results, "--json", "--bins", "4")
    assert answer.code == 0, answer.err
    value = answer.json()
    assert {(one["corpus"], one["partition"]) for one in value["scores"]} == {(CORA, "devel"), (CORA, "test")}
    for run, folds in value["temperatures"].items():
        table = runs.find_run(results, run).predictions()
        devel = table[table["partition"] == "devel"]
        scores, labels = calibration.said(devel)
        due = calibration.fitted_temperature(scores, devel["truth"].tolist(), labels)
        assert folds == {"1": {CORA: pytest.approx(due)}}
        kept = json.loads((results / "runs" / run / "calibration.json").read_text("utf-8"))
        assert kept["folds"] == folds
    for one in value["scores"]:
        assert one["n"] == sum(b["n"] for b in one["before"]["bins"]) and len(one["after"]["bins"]) == 4
        gaps = [b["n"] * abs(b["accuracy"] - b["confidence"]) for b in one["before"]["bins"] if b["n"]]
        assert one["before"]["ece"] == pytest.approx(sum(gaps) / one["n"])
    from xml.etree import ElementTree

    from emoset_cli.files import read_json

    report = results / "reports" / value["report"].rpartition("/")[2]
    figures = sorted((report / "figures").glob("*_reliability.svg"))
    assert len(figures) == 4 and all(ElementTree.fromstring(path.read_text("utf-8")) is not None for path in figures)
    assert read_json(report / "calibration.json")["bins"] == 4


def test_predictions_and_shared_models_are_calibrated_when_asked(emoset, results, recordings, tmp_path):
    run, file = f"{CORA}_forest", sorted(recordings[CORA].rglob("*.wav"))[0]

    def said(name, *options):
        answer = emoset("predict", name, file, "-d", results, "--json", *options)
        assert answer.code == 0, answer.err
        return np.array([[*answer.json()["recordings"][0]["said"][CORA]["probabilities"].values()]])

    refused = emoset("predict", run, file, "-d", results, "--calibrated")
    assert refused.code == 1 and "is not calibrated" in refused.err and "mend: emoset calibrate" in refused.err
    assert emoset("share", run, tmp_path / "plain", "-d", results, "-q").code == 0
    assert emoset("calibrate", run, "-d", results, "-q").code == 0
    (temperature,) = calibration.read(runs.find_run(results, run))["1"].values()
    assert temperature != pytest.approx(1, abs=0.05)
    due = calibration.calibrated(said(run), temperature)
    assert np.allclose(said(run, "--calibrated"), due, atol=1e-6)
    assert emoset("share", run, tmp_path / "sure", "-d", results, "-q", "--calibrated").code == 0
    assert np.allclose(said(tmp_path / "sure", "--calibrated"), due, atol=1e-6)
    assert np.allclose(said(tmp_path / "sure"), said(run), atol=1e-6)
    refused = emoset("predict", tmp_path / "plain", file, "-d", results, "--calibrated")
    assert refused.code == 1 and "was shared without temperatures" in refused.err


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"of": "other", "folds": {"1": {CORA: 1.0}}}, "is of another training"),
        ({"folds": {"1": {CORA: -1.0}}}, "a temperature is no number above 0"),
        ({"folds": {"1": {CORA: "2"}}}, "a temperature is no number above 0"),
        ({"folds": {"1": 2}}, "'folds' is no table of tables"),
        ({"folds": {}}, "it lacks temperatures of a fold"),
    ],
)
def test_temperatures_are_checked(results, value, problem):
    run = runs.find_run(results, f"{CORA}_forest")
    done = json.loads((run.folder / "done.json").read_text("utf-8"))
    (run.folder / "calibration.json").write_text(json.dumps({"of": done["predictions.csv"]} | value), "utf-8")
    with pytest.raises(EmosetError, match=rf"calibration.json .*{problem}"):
        calibration.read(run)
