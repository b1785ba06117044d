"""Losses, optimisers, schedules, sampling and memory of the training loop, against references by hand."""

import json
import math
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from emoset_cli.errors import EmosetError
from emoset_cli.models import hardware
from emoset_cli.models.layers.per_corpus import PerCorpus
from emoset_cli.train.deep import losses, optim, sampling
from emoset_cli.train.deep.losses import LOSSES, balanced_weights, build_loss
from emoset_cli.train.deep.schedule import Fixed, Plateau, lrs_for

# ---------------- losses


def softmax(row):
    powers = [math.exp(value - max(row)) for value in row]
    return [power / sum(powers) for power in powers]


def one_loss(name, row, truth):
    """The loss of one utterance by its formula."""
    p = softmax(row)
    if name == "focal":
        return -0.25 * (1 - p[truth]) ** 2 * math.log(p[truth])
    if name == "ordinal" and len(row) > 2:
        soft = softmax([-abs(rank - truth) for rank in range(len(row))])
        return -sum(share * math.log(guess) for share, guess in zip(soft, p, strict=True))
    return -math.log(p[truth])


@pytest.mark.parametrize("labels", [2, 5])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_their_formulas(name, weighted, labels):
    rng = np.random.default_rng(labels)
    logits, truth = rng.normal(0, 3, (7, labels)), rng.integers(0, labels, 7)
    weights = torch.tensor([0.5, 3.0, 0.0, 1.0, 2.0][:labels]) if weighted else None
    ours = build_loss(name, labels, weights)(torch.tensor(logits, dtype=torch.float32), torch.tensor(truth))
    each = [one_loss(name, row, true) for row, true in zip(logits.tolist(), truth.tolist(), strict=True)]
    factors = [1.0 if weights is None else float(weights[true]) for true in truth]
    by_hand = sum(factor * loss for factor, loss in zip(factors, each, strict=True)) / 7  # not by the sum of weights
    assert float(ours) == pytest.approx(by_hand, rel=1e-5)


def test_weights_are_keras_not_pytorchs():
    logits, truth, weights = torch.randn(6, 3), torch.tensor([0, 0, 1, 2, 0, 1]), torch.tensor([0.5, 1.0, 4.0])
    own = build_loss("cross-entropy", 3, weights)(logits, truth)
    theirs = nn.functional.cross_entropy(logits, truth, weights)
    assert float(own) == pytest.approx(float(theirs * weights[truth].sum() / 6), rel=1e-6)


def test_ordinal_prefers_a_neighbour_and_is_least_at_the_truth():
    loss = build_loss("ordinal", 5, None)
    at = [float(loss(5.0 * nn.functional.one_hot(torch.tensor([guess]), 5), torch.tensor([1]))) for guess in range(5)]
    assert at[1] == min(at) and at[2] < at[3] < at[4]


@pytest.mark.parametrize("name", LOSSES)
def test_losses_stay_finite_in_bfloat16_and_for_certain_errors(name):
    logits = torch.tensor([[300.0, -300.0, 0.0], [80.0, -80.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    loss = build_loss(name, 3, None)(logits, torch.tensor([1, 0]))
    loss.backward()
    assert loss.dtype == torch.float32 and loss.isfinite() and logits.grad.isfinite().all()


def test_balanced_weights():
    truth = torch.tensor([0] * 6 + [1] * 3 + [3] * 1)
    weights = balanced_weights(truth, 5)
    assert weights.tolist() == pytest.approx([10 / 18, 10 / 9, 0, 10 / 3, 0])
    assert float(weights[truth].mean()) == pytest.approx(1)
    sums = [float(weights[truth][truth == label].sum()) for label in (0, 1, 3)]
    assert sums == pytest.approx([10 / 3] * 3)


def test_unknown_names_say_what_is_known():
    with pytest.raises(EmosetError, match=r"unknown loss 'crossentropy'(.|\n)*did you mean 'cross-entropy'"):
        build_loss("crossentropy", 3, None)
    with pytest.raises(EmosetError, match=r"unknown optimizer 'adadrag'(.|\n)*adadelta, adagrad, adam, rmsprop, sgd"):
        optim.build_optimizer("adadrag", [], 0.1)
    with pytest.raises(EmosetError, match=r"unknown sampling 'random'(.|\n)*proportional, round-robin"):
        sampling.turns({"a": 1}, "random", 1.0, np.random.default_rng(0))
    assert all(entry.help for entry in [*losses.LOSSES.values(), *optim.OPTIMISERS.values()])


# ---------------- optimisers


class Small(nn.Module):
    """A shared kernel, and an adapter, a norm and a head for each of two corpora."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Conv2d(1, 2, 3)
        keys = ["emodb", "urdu"]
        self.adapter = PerCorpus("adapter", keys, lambda: nn.Conv2d(1, 2, 1, bias=False))
        self.norm = PerCorpus("adapter", keys, lambda: nn.BatchNorm2d(2))
        self.head = PerCorpus("head", keys, lambda: nn.Linear(2, 3))


def by_decay(model, weight_decay):
    names = {id(weight): name for name, weight in model.named_parameters()}
    groups = optim.groups(model, weight_decay)
    return {group["weight_decay"]: {names[id(weight)] for weight in group["params"]} for group in groups}


def test_only_kernels_decay():
    model = Small()
    kernels = {name for name, weight in model.named_parameters() if weight.ndim > 1}
    others = {name for name, _ in model.named_parameters()} - kernels
    assert len(kernels) == 5 and by_decay(model, 1e-6) == {2e-6: kernels, 0.0: others}


def test_each_corpus_has_its_own_decay():
    found = by_decay(Small(), {"emodb": 5e-3, "urdu": 5e-4})
    assert set(found) == {2e-6, 1e-2, 1e-3, 0.0}
    assert found[2e-6] == {"trunk.weight"}
    assert len(found[1e-2]) == 2 and all("emodb" in name for name in found[1e-2])
    assert len(found[1e-3]) == 2 and all("urdu" in name for name in found[1e-3])


def test_frozen_weights_are_left_out():
    model = Small()
    model.trunk.requires_grad_(False)
    assert not any("trunk" in name for names in by_decay(model, 0.1).values() for name in names)


def test_decay_is_that_of_keras():
    weight = nn.Parameter(torch.tensor([[2.0, -1.0]]))
    optimizer = optim.build_optimizer("sgd", [{"params": [weight], "weight_decay": 2 * 0.05}], 0.1)
    (0.0 * weight.sum()).backward()
    optimizer.step()
    assert weight.tolist()[0] == pytest.approx([2 - 0.1 * 2 * 0.05 * 2, -1 + 0.1 * 2 * 0.05])


RATES = {
    "sgd": 0.02,
    "rmsprop": 0.02,
    "adam": 0.05,
    "adagrad": 0.5,
    "adadelta": 100.0,
}  # adadelta finds its own pace, very slowly


@pytest.mark.parametrize("name", optim.OPTIMISERS)
def test_optimisers_go_downhill(name):
    torch.manual_seed(0)
    inputs, model = torch.randn(64, 4), nn.Linear(4, 1)
    truth = inputs @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]])
    optimizer = optim.build_optimizer(name, [{"params": list(model.parameters())}], RATES[name])
    found = []
    for _ in range(100):
        optimizer.zero_grad()
        loss = (model(inputs) - truth).square().mean()
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    assert found[-1] < 0.6 * found[0]


def test_sgd_has_momentum():
    optimizer = optim.build_optimizer("sgd", [{"params": [nn.Parameter(torch.zeros(1))]}], 0.1)
    assert optimizer.param_groups[0]["momentum"] == 0.9 and optimizer.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize(
    ("utterances", "decay"),
    [(0, 5e-3), (499, 5e-3), (500, 2e-3), (999, 2e-3), (1_000, 5e-4), (9_999, 5e-4), (10_000, 1e-6), (10**6, 1e-6)],
)
def test_individual_decay_is_emonets(utterances, decay):
    assert optim.individual_decay(utterances) == decay


def test_decayed_lr():
    assert optim.decayed_lr(0.1, 0.0, 10**6) == 0.1
    assert optim.decayed_lr(0.1, 5e-4, 2_000) == pytest.approx(0.05)


# ---------------- schedules

scores = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]), min_size=1, max_size=60)


def run(machine, values):
    """(answer, lr of the epoch, improved) for each value until the machine stops."""
    seen = []
    for value in values:
        if machine.finished:
            break
        lr = machine.lr
        seen.append((machine.update(value), lr, machine.improved))
    return seen


@settings(max_examples=150, deadline=None)
@given(scores, st.integers(1, 5), st.integers(0, 6), st.sampled_from([(0.1, 0.01, 0.001), (0.01, 0.001)]))
def test_plateau(values, patience, most, lrs):
    machine = Plateau(lrs, patience, most)
    seen = run(machine, values)
    answers = [answer for answer, _, _ in seen]
    # No more learning rates than there are, in order; "stop" is the last word.
    assert answers.count("step") <= len(lrs) - 1 and "stop" not in answers[:-1]
    assert [lr for _, lr, _ in seen] == sorted((lr for _, lr, _ in seen), reverse=True)
    assert machine.finished == (answers[-1] == "stop")
    # The best is the first of the highest, and "improved" marks exactly the records.
    taken = values[: len(seen)]
    assert machine.best == max(taken) and machine.best_epoch == taken.index(max(taken)) + 1
    records = [value > max(taken[:place], default=-1) for place, value in enumerate(taken)]
    assert [improved for _, _, improved in seen] == records
    # Patience: a learning rate ends exactly at the first of `patience` epochs without a record, or at `most` epochs.
    since = epochs = 0
    for answer, _, record in seen:
        since, epochs = 0 if record else since + 1, epochs + 1
        assert (answer != "go") == (since == patience or epochs == most)
        if answer != "go":
            since = epochs = 0


@settings(max_examples=80, deadline=None)
@given(scores, st.integers(0, 60), st.booleans())
def test_schedules_go_on_from_their_state(values, cut, plateau):
    def new():
        return Plateau((0.1, 0.01, 0.001), 3, 7) if plateau else Fixed((0.1, 0.01, 0.001), 5)

    undisturbed = new()
    whole = run(undisturbed, values)
    first = new()
    part = run(first, values[:cut])
    second = type(first).from_dict(json.loads(json.dumps(first.to_dict())))
    assert second == first
    assert part + run(second, values[cut:]) == whole and second == undisturbed


def test_fixed_rounds():
    machine = Fixed((0.1, 0.01, 0.001), 2)
    seen = run(machine, [0.5, 0.4, 0.3, 0.6, 0.2, 0.1, 0.9])
    assert [answer for answer, _, _ in seen] == ["go", "lower", "go", "lower", "go", "stop"]
    assert [lr for _, lr, _ in seen] == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    assert (machine.best, machine.best_epoch) == (0.6, 4)


def test_a_plateau_at_nothing_still_has_a_best_epoch():
    machine = Plateau((0.1,), 2)
    assert [answer for answer, _, _ in run(machine, [0.0, 0.0, 0.0, 0.0])] == ["go", "go", "stop"]
    assert machine.best_epoch == 1


def test_learning_rates_by_mode():
    assert lrs_for("scratch") == lrs_for("adapters") == (0.1, 0.01, 0.001)
    assert lrs_for("finetune") == lrs_for("last-layer") == (0.01, 0.001)
    assert lrs_for("scratch", 0.02) == pytest.approx((0.02, 0.002, 0.0002))
    assert lrs_for("finetune", 0.1) == (0.1, 0.01)


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Plateau((0.1,), 0), "--patience is 0"),
        (lambda: Plateau((0.1,), 3, -1), "--max-epochs -1"),
        (lambda: Fixed((0.1,), 0), "0 rounds at each learning rate"),
        (lambda: lrs_for("scratch", 0.0), "--learning-rate is 0"),
        (lambda: sampling.turns({"a": 1}, "temperature", 0.0, np.random.default_rng(0)), "--temperature is 0"),
    ],
)
def test_impossible_settings(make, problem):
    with pytest.raises(EmosetError) as caught:
        make()
    assert problem in caught.value.problem and caught.value.mend.startswith("give ")


# ---------------- sampling

SIZES = {"emodb": 100, "urdu": 400, "meld": 9_500}


def drawn(how, temperature=1.0, seed=0, count=6_000):
    order = list(islice(sampling.turns(SIZES, how, temperature, np.random.default_rng(seed)), count))
    return np.array([order.count(key) / count for key in SIZES])


def test_round_robin_is_in_order_and_draws_nothing():
    rng = np.random.default_rng(3)
    assert list(islice(sampling.turns(SIZES, "round-robin", 1.0, rng), 7)) == [*SIZES, *SIZES, "emodb"]
    assert rng.random() == np.random.default_rng(3).random()


def test_shares():
    assert drawn("proportional") == pytest.approx([0.01, 0.04, 0.95], abs=0.02)
    roots = np.sqrt([100, 400, 9_500])
    assert drawn("sqrt") == pytest.approx(roots / roots.sum(), abs=0.02)
    assert np.array_equal(drawn("temperature", 2.0), drawn("sqrt"))
    assert np.array_equal(drawn("temperature", 1.0), drawn("proportional"))
    assert drawn("temperature", 1e6) == pytest.approx([1 / 3] * 3, abs=0.02)
    assert drawn("temperature", 1e-6) == pytest.approx([0, 0, 1])


def test_the_same_seed_draws_the_same_and_nothing_ahead():
    rng = np.random.default_rng(5)
    first = list(islice(sampling.turns(SIZES, "sqrt", 1.0, rng), 4))
    first += list(islice(sampling.turns(SIZES, "sqrt", 1.0, rng), 4))
    assert first == list(islice(sampling.turns(SIZES, "sqrt", 1.0, np.random.default_rng(5)), 8))


# ---------------- memory


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")
def test_kernels_of_old_shapes_are_forgotten(monkeypatch):
    script = """
import torch
from emoset_cli.models.hardware import keep_few_kernels
keep_few_kernels()
network = torch.nn.Conv2d(16, 16, 3)
with torch.no_grad(), torch.backends.mkldnn.verbose(torch.backends.mkldnn.VERBOSE_ON_CREATION):
    for width in (8, 8, *range(9, 80), 8):
        network(torch.zeros(2, 16, 8, width))
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONEDNN_")}
    environment |= {"PYTHONPATH": str(Path(hardware.__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    made = [line for line in done.stdout.splitlines() if ",convolution," in line and ",create:" in line]
    of_first = ["cache_hit" in line for line in made if "_iw8ow" in line]
    assert of_first == [False, True, False]
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "7")
    hardware.keep_few_kernels()
    assert os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "7"
