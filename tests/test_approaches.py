"""Attributes of speech: the layers, the three losses, and who is updated in which step."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch

from emoset_cli.errors import EmosetError
from emoset_cli.models import parts
from emoset_cli.models.approaches import APPROACHES
from emoset_cli.models.build import build_network
from emoset_cli.models.layers.attributes import Attributes, encoder_weights, reverse
from emoset_cli.models.layers.front import Front
from emoset_cli.partition import Partition
from emoset_cli.train.deep.approaches import Discriminators, Lesson, attribute_losses, weight_at
from emoset_cli.train.deep.attributes import UNKNOWN, classes_of, codes_of, unknown
from emoset_cli.train.deep.settings import Settings, settings_of

pytestmark = pytest.mark.usefixtures("one_thread")

HEADS = {"x": ["anger", "joy", "calm"], "y": ["anger", "joy"]}
FRONT = {"mels": 16, "win": 400, "hop": 320}


def made(approach="mtl", names=("corpus",), heads=HEADS, model="cnn-lstm"):
    torch.manual_seed(0)
    classes = {name: ["a", "b"] for name in names}
    return build_network(model, heads, False, {}, FRONT, {"approach": approach, "classes": classes})


def waves(batch=4, samples=16_000):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, samples, generator=generator) * 0.1, torch.full((batch,), samples)


# ---------------------------------------------------------------- layers


def test_reversal_keeps_values_and_turns_gradients():
    x = torch.randn(3, 5, requires_grad=True)
    assert torch.equal(reverse(x), x)
    weights = torch.randn(3, 5)
    (reverse(x) * weights).sum().backward()
    assert torch.equal(x.grad, -weights)


@pytest.mark.parametrize("approach", ["mtl", "gr", "ad", "train", "adversarial"])
def test_a_network_is_the_same_with_attributes_and_without(approach):
    heads = {"one": ["anger", "joy"]}
    plain = build_network("cnn-lstm", heads, False, {}, FRONT)
    torch.manual_seed(0)
    plain = build_network("cnn-lstm", heads, False, {}, FRONT)
    after = torch.rand(1)
    own = made(approach, heads=heads)
    assert torch.equal(torch.rand(1), after), "dropout would draw other numbers"
    weights = own.state_dict()
    assert all(torch.equal(weights[name], value) for name, value in plain.state_dict().items())
    assert parts.count(own)["attribute"].keys() == {"corpus"}
    assert parts.count(own)["shared"] == parts.count(plain)["shared"]


def test_sizes_are_the_papers():
    """Parry et al.: 1.8 million shared weights, 1 million in a discriminator, within 5 %."""
    network = build_network("cnn-lstm", {"s": list("abc")}, False, {}, {"mels": 40, "win": 400, "hop": 160})
    by_hand = 40 * 128 * 5 + 128 + 128 * 256 * 5 + 256 + 4 * 512 * (256 + 512 + 2) + 512 * 128 + 128
    assert parts.count(network)["shared"] == by_hand and abs(by_hand / 1.8e6 - 1) < 0.05
    for classes in (2, 80):
        own = Attributes(128, [3], {"speaker": list(map(str, range(classes)))}, "ad")
        counted = sum(weight.numel() for weight in own.parameters())
        assert counted == 3 * 980 + 980 + 980 * 980 + 980 + 980 * classes + classes
        assert abs(counted / 1e6 - 1) < 0.05


def test_a_discriminator_of_zhu_and_sato_has_three_layers_of_128():
    own = Attributes(128, [7, 6], {"corpus": ["emodb", "crema-d"]}, "adversarial")
    shapes = [tuple(weight.shape) for name, weight in own.named_parameters() if name.endswith("weight")]
    assert shapes == [(128, 128)] * 3 + [(2, 128)]


def test_what_attributes_refuse():
    with pytest.raises(EmosetError, match="have the same language: deu"):
        Attributes(8, [3], {"language": ["deu"]}, "mtl")
    with pytest.raises(EmosetError, match="reads one softmax, and there are 2 classifiers"):
        Attributes(8, [3, 2], {"corpus": ["a", "b"]}, "ad")


# ---------------------------------------------------------------- values


def table():
    return pd.DataFrame({
        "utterance": ["x/1", "x/2", "y/1", "y/2"], "store": ["x", "x", "y", "y"], "speaker": ["1", "2", "1", ""],
        "gender": ["female", "male", "", "male"], "language": ["deu", "deu", "eng", "eng"],
    })  # fmt: skip


def split(*where):
    index = pd.Index(table()["utterance"], name="utterance")
    return Partition("p", 0, pd.DataFrame({"1": list(where)}, index=index, dtype="str"))


def test_values_are_those_of_training_utterances_and_others_are_unknown():
    classes = classes_of(table(), split("train", "test", "train", "train"), ["corpus", "speaker", "gender"])
    assert classes == {"corpus": ["x", "y"], "speaker": ["x/1", "y/1"], "gender": ["female", "male"]}
    codes = codes_of(table(), classes)
    assert codes["speaker"].tolist() == [0, UNKNOWN, 1, UNKNOWN]
    assert codes["gender"].tolist() == [0, 1, UNKNOWN, 1]
    counted = unknown(table(), split("train", "test", "train", "train"), ["corpus", "speaker", "gender"])
    assert counted == {"speaker": 1, "gender": 1}


def test_an_unknown_attribute_is_masked_and_not_dropped():
    logits = torch.randn(4, 2, requires_grad=True)
    codes = {"gender": torch.tensor([0, UNKNOWN, 1, UNKNOWN])}
    loss = attribute_losses({"gender": logits}, codes)["gender"]
    by_hand = -logits.log_softmax(1)[[0, 2], [0, 1]].mean()
    assert loss.item() == pytest.approx(by_hand.item())
    loss.backward()
    assert logits.grad[[1, 3]].abs().sum() == 0 and logits.grad[[0, 2]].abs().sum() > 0
    nothing = attribute_losses({"gender": logits}, {"gender": torch.full((4,), UNKNOWN)})["gender"]
    assert nothing.item() == 0.0


def test_the_weight_of_gradient_reversal_grows_to_its_end():
    chosen = Settings(attributes=["corpus"], approach="gr")
    assert [round(weight_at(chosen, epoch, 6), 3) for epoch in range(6)] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    assert weight_at(chosen, 0, 1) == 0.0
    assert weight_at(Settings(attributes=["corpus"], approach="mtl"), 0, 6) == 0.1
    assert weight_at(Settings(attributes=["corpus"], approach="ad", attribute_weight=0.2), 3, 6) == 0.2


# ---------------------------------------------------------------- who learns what


def gradients(approach, weight=0.5):
    """Gradients of the shared layers and of the attribute's classifier, of emotions and of the attribute alone."""
    network = made(approach).eval()
    heard, lengths = waves()
    said = Lesson(network)([(heard, lengths, "x")], [torch.tensor([0, 1, 2, 0])])
    loss = attribute_losses(said.attributes, {"corpus": torch.tensor([0, 1, 0, 1])})["corpus"]
    (weight * loss).backward()
    shared = network.trunks["cnn-lstm"].dense.weight.grad.clone()
    return shared, network.attributes.heads["corpus"].out.weight.grad.clone()


def test_gradient_reversal_turns_only_what_reaches_the_shared_layers():
    shared, head = gradients("mtl")
    turned, same = gradients("gr")
    assert torch.allclose(turned, -shared) and shared.abs().max() > 0
    assert torch.equal(same, head)


def states(network):
    encoder = {name for name, _ in encoder_weights(network)}
    now = {name: one.detach().clone() for name, one in network.named_parameters()}
    return now, encoder


def changed(before, network):
    return {name for name, one in network.named_parameters() if not torch.equal(one, before[name])}


@pytest.mark.parametrize(("optimizer", "rate"), [("adam", 1e-4), ("sgd", 0.1)])
def test_three_steps_move_one_part_each(optimizer, rate):
    """After step 2 the encoder is bit-equal, after step 3 the discriminator and the classifiers are."""
    network = made("adversarial")
    options = Settings(attributes=["corpus"], approach="adversarial", optimizer=optimizer, adversarial_lr=rate)
    own = Discriminators(network, options, 1e-2)
    pair = [(*waves(), "x"), (*waves(3), "y")]
    codes = {"corpus": torch.tensor([0, 0, 0, 0, 1, 1, 1])}
    said = Lesson(network)(pair, [torch.zeros(4, dtype=torch.long), torch.zeros(3, dtype=torch.long)])
    assert said.embedding.shape == (7, 128) and said.attributes == {}
    before, encoder = states(network)
    first = own.learn(said, codes, 1e-2)["corpus"]
    moved = changed(before, network)
    assert moved and all(name.startswith("attributes.") for name in moved)
    before, _ = states(network)
    network.eval()  # the same embedding before and after, but for the step
    frozen = attribute_losses(network.attributes(Lesson(network)(pair, []).embedding, said.logits[0]), codes)["corpus"]
    own.unlearn(pair, codes)
    moved = changed(before, network)
    assert moved and moved <= encoder and not any(name.startswith(("heads.", "attributes.")) for name in moved)
    after = attribute_losses(network.attributes(Lesson(network)(pair, []).embedding, said.logits[0]), codes)["corpus"]
    assert after > frozen and np.isfinite(first.item())
    assert all(one.grad is None for one in network.parameters())


def test_train_has_no_third_step_and_discriminators_learn_at_the_rate_they_are_given():
    network = made("train")
    own = Discriminators(network, Settings(attributes=["corpus"], approach="train", optimizer="sgd"), 0.5)
    assert own.optimizers.keys() == {"discriminator"}
    before, _ = states(network)
    pair = [(*waves(), "x")]
    own.unlearn(pair, {"corpus": torch.tensor([0, 1, 0, 1])})
    assert not changed(before, network)
    said = Lesson(network)(pair, [torch.zeros(4, dtype=torch.long)])
    own.learn(said, {"corpus": torch.tensor([0, 1, 0, 1])}, 0.0)
    assert not changed(before, network)


def test_an_adversarial_discriminator_reads_the_softmax_and_the_network_is_against_it():
    """Parry et al., eq 3, against a reckoning by hand."""
    network = made("ad", heads={"s": ["anger", "joy", "calm"]}).eval()
    heard = [(*waves(), "s")]
    codes = {"corpus": torch.tensor([0, 1, 0, 1])}
    said = Lesson(network)(heard, [torch.tensor([0, 1, 2, 0])])
    inner = network.attributes.heads["corpus"]
    x = said.logits[0].softmax(1)
    for layer in inner.hidden:
        x = torch.relu(x @ layer.weight.T + layer.bias)
    expected = torch.nn.functional.cross_entropy(x @ inner.out.weight.T + inner.out.bias, codes["corpus"])
    found = attribute_losses(network.attributes(said.embedding, said.logits[0]), codes)["corpus"]
    assert found.item() == pytest.approx(expected.item(), rel=1e-5)
    copied = copy.deepcopy(network)
    (-found).backward()
    optimizer = torch.optim.SGD([one for name, one in network.named_parameters() if "attributes" not in name], lr=1.0)
    optimizer.step()
    again = Lesson(network)(heard, [torch.tensor([0, 1, 2, 0])])
    assert attribute_losses(copied.attributes(again.embedding, again.logits[0]), codes)["corpus"] > found


# ---------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"attributes": ["corpus"]}, "and not what becomes of them"),
        ({"approach": "gr"}, "is about attributes, and none is named"),
        ({"approach": "gr", "attributes": ["age"]}, "unknown attribute 'age'"),
        ({"approach": "mad", "attributes": ["corpus"]}, "unknown approach 'mad'"),
        ({"approach": "train", "attributes": ["corpus"], "attribute_weight": 0.1}, "no such weight"),
        ({"approach": "adversarial", "attributes": ["corpus"], "accumulate": 2}, "cannot be accumulated"),
        ({"approach": "mtl", "attributes": ["corpus"], "mode": "last-layer"}, "attributes change nothing"),
        ({"segment_s": 3.0}, "segments of 3 s every 0 s"),
        ({"segment_s": 1.0, "shift_s": 2.0}, "segments of 1 s every 2 s"),
        ({"epoch_decay": 0.0}, "--epoch-decay is 0"),
        ({"least_lr": -1.0}, "--least-lr is -1"),
        ({"choose_by": "f1"}, "unknown measure to choose by 'f1'"),
        ({"front": {"normalise": "speaker"}}, None),
    ],
)
def test_what_settings_refuse(given, problem):
    if problem is None:
        with pytest.raises(EmosetError, match="unknown normalisation 'speaker'"):
            Front(**given["front"])
        return
    with pytest.raises(EmosetError) as error:
        settings_of("cnn", given)
    assert problem in f"{error.value.problem} {error.value.mend}"


def test_wccn_has_no_attributes():
    with pytest.raises(EmosetError, match="wccn has no --attributes"):
        settings_of("wccn", {"attributes": ["corpus"], "approach": "mtl"})


def test_recipes_are_the_papers():
    """Zhu & Sato 2020, sections 3.1 and 3.3; Parry et al. 2022, section 4."""
    acrnn = settings_of("acrnn", {})
    assert (acrnn.first_lr, acrnn.epoch_decay, acrnn.least_lr, acrnn.adversarial_lr) == (1e-4, 0.91, 1e-5, 5e-8)
    assert (acrnn.batch_size, acrnn.budget.patience, acrnn.segment_s, acrnn.shift_s) == (64, 500, 3.0, 1.0)
    assert acrnn.front == {"mels": 40, "win": 400, "hop": 160, "normalise": "global"} and acrnn.choose_by == "wa"
    assert settings_of("acrnn", {"segment_s": 2.0}).network == {"window_s": 2.0}
    parry = settings_of("cnn-lstm", {"front": {"mels": 20}})
    assert (parry.first_lr, parry.optimizer, parry.budget.max_epochs) == (2e-3, "sgd", 150)
    assert parry.front["mels"] == 20 and parry.front["time_mask_frames"] == 30 and parry.front["freq_mask_mels"] == 3
    assert {name: one.weight for name, one in APPROACHES.items() if one.weight} == {"mtl": 0.1, "gr": 0.5, "ad": 0.5}


# ---------------------------------------------------------------- z-scores


def test_z_scores_of_an_utterance():
    heard, lengths = waves(3)
    lengths = torch.tensor([16_000, 9_000, 16_000])
    heard[1, 9_000:] = 0
    heard[2] = 0  # silence
    front = Front(mels=16, win=400, hop=320, normalise="utterance").eval()
    found, frames = front(heard, lengths)
    plain, _ = Front(mels=16, win=400, hop=320).eval()(heard, lengths)
    own = plain[1, 0, :, : frames[1]]
    expected = (own - own.mean(1, keepdim=True)) / own.std(1, unbiased=False, keepdim=True)
    assert torch.allclose(found[1, 0, :, : frames[1]], expected, atol=1e-4)
    assert found[1, 0, :, frames[1] :].abs().max() == 0 and found[2].abs().max() == 0


def test_global_z_scores_are_of_all_frames_that_were_fitted_and_keep_loudness():
    front = Front(mels=16, win=400, hop=320, normalise="global").eval()
    heard, lengths = waves(3)
    front.fit([(heard[:1], lengths[:1]), (heard[1:], lengths[1:])])
    found, _ = front(heard, lengths)
    assert found.mean((0, 1, 3)).abs().max() < 1e-4 and (found.std((0, 1, 3), unbiased=False) - 1).abs().max() < 1e-3
    quieter, _ = front(heard / 2, lengths)
    decibels = (found - quieter) * front.scale[:, None] * 80  # the floor is 80 dB below
    assert torch.allclose(decibels, torch.full_like(decibels, 20 * np.log10(2.0)), atol=1e-2)
