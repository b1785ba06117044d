"""Metrics against hand-worked tables and scikit-learn, on any labels and any order."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from emoset_cli import metrics
from emoset_cli.errors import EmosetError

LABELS = ["anger", "fear", "joy", "sadness"]
OTHERS = ["boredom", "", "Anger"]  # predictions that are no label

# The table behind the hand-worked numbers: 3 x anger (2 hits, 1 outside), 2 x joy (1 hit), 1 x sadness (missed).
TRUTH = ["anger", "anger", "anger", "joy", "joy", "sadness"]
PREDICTION = ["anger", "anger", "boredom", "joy", "anger", "fear"]

pairs = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS + OTHERS)), min_size=1, max_size=40)
fast = settings(deadline=None, max_examples=100)


def split(rows):
    return [truth for truth, _ in rows], [prediction for _, prediction in rows]


def occurring(truth):
    return [label for label in LABELS if label in truth]


def test_confusion_by_hand():
    counts = metrics.confusion(TRUTH, PREDICTION, LABELS)
    assert counts.dtype == np.int64
    assert counts.tolist() == [[2, 0, 0, 0, 1], [0, 0, 0, 0, 0], [1, 0, 1, 0, 0], [0, 1, 0, 0, 0]]


def test_scores_by_hand():
    assert metrics.uar(TRUTH, PREDICTION, LABELS) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)
    assert metrics.wa(TRUTH, PREDICTION, LABELS) == 3 / 6
    # anger: 3 true, 3 predicted, 2 hits; joy: 2 true, 1 predicted, 1 hit; sadness: never predicted
    assert metrics.macro_f1(TRUTH, PREDICTION, LABELS) == pytest.approx((4 / 6 + 2 / 3 + 0) / 3)
    assert metrics.chance(occurring(TRUTH)) == 1 / 3


def test_recalls_by_hand():
    found = metrics.recalls(TRUTH, PREDICTION, LABELS)
    assert found == {"anger": (2 / 3, 3), "fear": (None, 0), "joy": (1 / 2, 2), "sadness": (0.0, 1)}
    assert list(found) == LABELS
    assert json.loads(json.dumps(found))["joy"] == [0.5, 2]  # plain numbers, not numpy's


def test_the_four_rows_on_which_tools_disagree():
    """Other tools say 0.5 or 1.0 (style anchors): a prediction outside the labels is an error, and no label."""
    truth = ["anger", "anger", "sadness", "sadness"]
    assert metrics.uar(truth, ["anger", "neutral", "sadness", "sadness"], ["anger", "sadness"]) == 0.75


@fast
@given(pairs)
def test_equals_scikit_learn(rows):
    truth, prediction = split(rows)
    present = occurring(truth)
    f1 = f1_score(truth, prediction, labels=present, average="macro", zero_division=0)
    assert metrics.macro_f1(truth, prediction, LABELS) == pytest.approx(f1)
    assert metrics.uar(truth, prediction, LABELS) == pytest.approx(
        recall_score(truth, prediction, labels=present, average="macro")
    )
    assert metrics.wa(truth, prediction, LABELS) == pytest.approx(accuracy_score(truth, prediction))
    inside = confusion_matrix(truth, prediction, labels=LABELS)
    counts = metrics.confusion(truth, prediction, LABELS)
    assert (counts[:, :-1] == inside).all()
    assert counts[:, -1].sum() == len(rows) - inside.sum()


@pytest.mark.parametrize("name", metrics.METRICS)
@fast
@given(pairs, st.randoms(use_true_random=False))
def test_order_of_rows_and_labels_does_not_matter(name, rows, random):
    metric = metrics.METRICS[name]
    shuffled, labels = random.sample(rows, len(rows)), random.sample(LABELS, len(LABELS))
    expected = metric(*split(rows), LABELS)
    assert metric(*split(shuffled), LABELS) == expected
    assert metric(*split(rows), labels) == pytest.approx(expected)


@pytest.mark.parametrize("name", metrics.METRICS)
@fast
@given(pairs)
def test_names_of_labels_do_not_matter(name, rows):
    metric, renamed = metrics.METRICS[name], dict(zip(LABELS, LABELS[1:] + LABELS[:1], strict=True))
    truth, prediction = split([(renamed[t], renamed.get(p, p)) for t, p in rows])
    assert metric(truth, prediction, LABELS) == pytest.approx(metric(*split(rows), LABELS))


@pytest.mark.parametrize("name", metrics.METRICS)
@fast
@given(pairs)
def test_metrics_are_plain_shares_and_perfect_is_one(name, rows):
    metric = metrics.METRICS[name]
    truth, prediction = split(rows)
    value = metric(truth, prediction, LABELS)
    assert type(value) is float and 0 <= value <= 1
    assert metric(truth, truth, LABELS) == 1
    assert metric(truth, ["boredom"] * len(truth), LABELS) == 0


@fast
@given(pairs)
def test_uar_is_the_mean_of_the_recalls(rows):
    truth, prediction = split(rows)
    found = [recall for recall, _ in metrics.recalls(truth, prediction, LABELS).values() if recall is not None]
    assert metrics.uar(truth, prediction, LABELS) == pytest.approx(sum(found) / len(found))


@pytest.mark.parametrize("label", LABELS)
def test_one_label_for_all_has_the_uar_of_chance(label):
    truth = ["anger"] * 97 + ["fear", "joy", "sadness"]
    assert metrics.uar(truth, [label] * 100, LABELS) == pytest.approx(metrics.chance(LABELS))


def test_lists_arrays_and_pandas_columns_give_the_same():
    import pandas as pd

    kinds = [list, tuple, np.array, lambda values: np.array(values, dtype=object), pd.Series, iter]
    found = {metrics.uar(kind(TRUTH), kind(PREDICTION), LABELS) for kind in kinds}
    assert len(found) == 1


def test_codes_are_positions_and_outside():
    found = metrics.codes(["sadness", "boredom", "anger"], LABELS)
    assert found.tolist() == [3, metrics.OUTSIDE, 0]
    assert found.dtype == np.int64


@pytest.mark.parametrize("score", [*metrics.METRICS.values(), metrics.confusion, metrics.recalls])
def test_mistakes_end_in_an_error(score):
    with pytest.raises(EmosetError, match="truth holds 'boredom', which is no label of anger, fear, joy, sadness"):
        score(["anger", "boredom"], ["anger", "anger"], LABELS)
    with pytest.raises(EmosetError, match=r"train again with --force"):
        score(["anger", "boredom"], ["anger", "anger"], LABELS)
    with pytest.raises(EmosetError, match=r"no label of \(no labels\)"):
        score(["anger"], ["anger"], [])
    with pytest.raises(EmosetError, match="there are no utterances to score\n  mend: check that the partition"):
        score([], [], LABELS)
    with pytest.raises(EmosetError, match="lengths differ: truth 2, prediction 1\n  mend: give one value an utterance"):
        score(["anger", "joy"], ["anger"], LABELS)


def test_our_own_mistakes_are_asserted():
    with pytest.raises(AssertionError, match="a label twice"):
        metrics.uar(["anger"], ["anger"], ["anger", "anger"])
    with pytest.raises(AssertionError, match="no labels"):
        metrics.chance([])


def test_nothing_heavy_is_imported():
    code = "import sys, emoset_cli.metrics, emoset_cli.stats; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in loaded
    assert not {"sklearn", "scipy", "statsmodels", "pandas", "torch"} & set(loaded)
