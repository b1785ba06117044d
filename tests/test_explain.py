"""emoset explain: groups and mistakes worked by hand, attention where it is known, and the page."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from emoset_cli import runs
from emoset_cli.errors import EmosetError
from emoset_cli.report import explain as explained
from emoset_cli.report.plots_attention import attention_plot

LABELS = ["anger", "joy"]
ALL = "demo-aria+demo-cora_cnn"


def table():
    """Four utterances of each of two women, of whom all is right, and two men, of whom half is."""
    rows = []
    for number in range(16):
        speaker, man = f"s{number // 4}", number >= 8
        truth = LABELS[number % 2]
        wrong = man and number % 4 < 2
        prediction = LABELS[1 - number % 2] if wrong else truth
        rows.append({
            "corpus": "mine", "utterance": f"mine/{number:02d}", "fold": "1", "partition": "test", "speaker": speaker,
            "gender": "male" if man else "female", "language": "deu", "duration_s": 1 + number % 4,
            "truth": truth, "prediction": prediction,
            f"probability_{prediction}": 0.6 + number / 100,
            f"probability_{LABELS[1 - LABELS.index(prediction)]}": 0.4 - number / 100,
        })  # fmt: skip
    return pd.DataFrame(rows)


def test_scores_of_groups_are_those_counted_by_hand():
    rows = table()
    found = explained.group_scores(rows.assign(correct=rows["truth"] == rows["prediction"]), LABELS)
    genders = {one["group"]: one for one in found if one["by"] == "gender"}
    assert [genders[name]["uar"]["value"] for name in ("female", "male")] == [1.0, 0.5]
    assert [genders[name]["wa"]["value"] for name in ("female", "male")] == [1.0, 0.5]
    assert all((one["n"], one["speakers"], one["chance"]) == (8, 2, 0.5) for one in genders.values())
    assert genders["male"]["wa"]["low"] < 0.5 < genders["male"]["wa"]["high"]
    assert {one["by"] for one in found} == {"gender", "speaker", "duration"}  # one language makes no groups
    speakers = [one for one in found if one["by"] == "speaker"]
    assert [one["group"] for one in speakers] == ["s0", "s1", "s2", "s3"]
    assert all(one["uar"]["low"] is None for one in speakers)  # one speaker says nothing about others
    assert sum(one["n"] for one in found if one["by"] == "duration") == 16


def run_of(folder, rows, name="mine_cnn"):
    config = {"model": "cnn", "corpora": ["mine"], "labels": {"mine": LABELS}, "partition": {"folds": ["1"]}}
    runs.finish(folder / name, config, rows.drop(columns="duration_s"))
    return runs.Run(folder / name, config)


def test_the_surest_mistakes_come_first_and_right_ones_are_of_each_label_in_turn(tmp_path):
    rows = table()
    found = explained.explain(run_of(tmp_path, rows), None, rows, "test", 3)
    assert [row["utterance"] for row in found["mistakes"]] == ["mine/13", "mine/12", "mine/09"]
    assert found["n_mistakes"] == 4 and found["surety"] == "probability"
    assert [row["truth"] for row in found["right"]] in (["joy", "anger", "joy"], ["anger", "joy", "anger"])
    assert found["mistakes"][0]["surety"] == pytest.approx(0.73)
    told = explained.sentences(found)
    assert any("mine, gender: male is served worst, UAR 50.0 against 100.0 of female" in one for one in told)
    assert any(one.endswith("but rest on 2 speakers only.") for one in told), told


def test_disagreements_are_counted_by_who_is_right(tmp_path):
    rows = table()
    theirs = rows.copy()
    theirs.loc[13, "prediction"] = theirs.loc[13, "truth"]  # they are right where this run is not
    theirs.loc[0, "prediction"] = "joy"  # and wrong where this run is right
    other = run_of(tmp_path, theirs, "other")
    found = explained.explain(run_of(tmp_path, rows), other, rows, "test", 8)
    assert (found["n_disagreements"], found["only_right"], found["only_other_right"]) == (2, 1, 1)
    assert [(row["utterance"], row["other"]) for row in found["disagreements"]] == [
        ("mine/13", "joy"),
        ("mine/00", "joy"),
    ]
    fewer = run_of(tmp_path, rows.head(12), "fewer")
    with pytest.raises(EmosetError, match="not tested on the same utterances"):
        explained.explain(run_of(tmp_path, rows), fewer, rows, "test", 8)


def test_the_margin_of_scores_is_the_best_minus_the_second():
    rows = pd.DataFrame({"score_a": [1.0, 0.2], "score_b": [0.5, 0.9], "score_c": [-2.0, np.nan]})
    values, kind = explained.surety(rows)
    assert kind == "margin" and values == pytest.approx([0.5, 0.7])
    with pytest.raises(EmosetError, match="no probabilities or scores"):
        explained.surety(rows[[]])


def test_a_map_holds_the_spectrogram_and_a_row_for_each_head():
    spectrogram = np.random.default_rng(0).random((8, 30))
    one = attention_plot(spectrogram, np.full((2, 15), 1 / 30), 1.5, False, "a map")
    assert one.count("data:image/png;base64,") == 3 and ">sum<" in one and ">1.50 s<" in one
    heads = attention_plot(spectrogram, np.full((4, 15), 1 / 15), 1.5, True, "heads")
    assert heads.count("data:image/png;base64,") == 5 and ">head 4<" in heads


@pytest.mark.usefixtures("one_thread")
def test_attention_of_a_network_is_over_bands_and_frames_and_sums_to_one(crossed):
    from emoset_cli.train.deep.attended import attended, has_attention
    from emoset_cli.train.deep.members import members
    from emoset_cli.train.deep.use import open_network

    run = runs.find_run(crossed, ALL)
    network = open_network(run)
    table = members(run, crossed)
    cora = table[table["corpus"] == "demo-cora"]
    one = attended(network, crossed, cora.iloc[[0]], "demo-cora")
    assert has_attention(network) and not one.heads
    assert one.weights.shape[0] == 16 // 8 and one.spectrogram.shape[0] == 16  # three modules halve 16 mels
    assert one.weights.shape[1] == -(-one.spectrogram.shape[1] // 8)
    assert one.weights.sum() == pytest.approx(1, abs=1e-4) and (one.weights >= 0).all()
    assert one.seconds == pytest.approx(cora.iloc[0]["duration_s"], abs=0.01)


@pytest.mark.usefixtures("one_thread")
def test_the_page_of_a_network_lets_one_hear_and_see(emoset, crossed, tmp_path):
    done = emoset("explain", ALL, "--most", 2, "-d", crossed, "--out", tmp_path / "page", "--json")
    assert done.code == 0, done.err
    found, page = done.json(), (tmp_path / "page" / "report.html").read_text("utf-8")
    shown = {row["utterance"] for kind in ("mistakes", "right") for row in found[kind]}
    assert set(found["maps"]) == shown and shown
    assert page.count("<audio") == len(found["mistakes"]) + len(found["right"])
    assert len(list((tmp_path / "page" / "figures").glob("attention_*.svg"))) == len(shown)
    assert "Pass it on only where their licences allow" in page
    assert json.loads((tmp_path / "page" / "explain.json").read_text("utf-8"))["run"] == found["run"]


def test_two_baselines_are_set_side_by_side_without_sound_or_maps(emoset, trained, tmp_path):
    line = ["explain", "demo-cora_svm", "demo-cora_forest", "-d", trained, "--no-audio"]
    done = emoset(*line, "--out", tmp_path / "page")
    page = (tmp_path / "page" / "report.html").read_text("utf-8")
    assert done.code == 0 and "Who is served worse" in done.out and "says something else" in done.out
    assert "<audio" not in page and "data:image/png" not in page
    assert re.search(r"emoset explain \S+ \S+ --on test --most 8 --no-audio", page)
    again = emoset(*line, "--out", tmp_path / "again")
    assert again.code == 0 and (tmp_path / "again" / "report.html").read_text("utf-8") == page
    assert "not tested on the same utterances" in emoset(*line[:2], "demo-aria_svm", "-d", trained).err
    assert emoset(*line, "--on", "train").code == 1
