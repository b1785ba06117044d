"""VGG16 in learnt colours, against torchvision's and against itself alone."""

import pytest
import torch
from torchvision.models import vgg

from emoset_cli.errors import EmosetError
from emoset_cli.models import imagenet, parts
from emoset_cli.models.layers.frames import Frames
from emoset_cli.models.vgg import BLOCKS, VGG16, build

LABELS = {"emodb": ["anger", "joy", "sadness"], "urdu": ["angry", "neutral"]}


def waves(*lengths, seed=0):
    torch.manual_seed(seed)
    batch = torch.zeros(len(lengths), max(lengths))
    for row, length in zip(batch, lengths, strict=True):
        row[:length] = torch.randn(length) * torch.logspace(-4, -0.7, length)
    return batch, torch.tensor(lengths)


def network(**options):
    torch.manual_seed(0)
    return build(LABELS, weights="none", **options)


@pytest.fixture(scope="module")
def trained_norms():
    """A network in evaluation mode whose norms have seen a batch."""
    model = network()
    with torch.no_grad():
        model.train()(*waves(16_000, 12_000, seed=1), "emodb")
    return model.eval()


@pytest.fixture(scope="module")
def features():
    """The convolutional part as torchvision builds it."""
    torch.manual_seed(3)
    made = vgg.make_layers(vgg.cfgs["D"], batch_norm=False)
    return {f"features.{name}": tensor for name, tensor in made.state_dict().items()}, made.eval()


def test_it_is_torchvisions_vgg16(monkeypatch, features):
    tensors, reference = features
    monkeypatch.setattr(imagenet, "read_weights", lambda name, weights: imagenet.Weights(tensors, [], []))
    model = build({"emodb": LABELS["emodb"]}, weights="IMAGENET1K_V1", classifier="avgpool").eval()
    trunk = model.trunks["vgg16"]
    x = torch.rand(2, 1, 64, 70)
    with torch.no_grad():
        ours = trunk(x, Frames([70, 70], 70, x.device), "emodb")
        coloured = trunk.norm(torch.relu(trunk.colours(x)), relu=False)
        theirs = reference(coloured).mean((2, 3))
    assert ours.shape == (2, 512) and torch.allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_parameters_by_hand():
    counted = parts.count(network())
    channels, convolutions = 3, 0
    for filters, count in BLOCKS:
        for _ in range(count):
            convolutions += channels * filters * 9 + filters
            channels = filters
    assert convolutions == 14_714_688  # Simonyan and Zisserman 2015, without the dense layers
    assert counted["shared"] == convolutions + (3 + 3) + 2 * 3  # colours and their norm
    attention, head = 512 * 256 + 256 + 256, 512 * 128 + 128 + 2 * 128
    assert counted["head"] == {"emodb": attention + head + 3 * 129, "urdu": attention + head + 2 * 129}
    assert counted["adapter"] == {}


def test_a_prediction_depends_neither_on_batch_nor_on_padding(trained_norms):
    lengths = (16_000, 9_300, 12_345, 5_000, 700)
    batch, counts = waves(*lengths)
    with torch.no_grad():
        together = trained_norms(torch.nn.functional.pad(batch, (0, 5_000)), counts, "emodb")
        for row, length, logits in zip(batch, lengths, together, strict=True):
            alone = trained_norms(row[None, :length], torch.tensor([length]), "emodb")[0]
            assert torch.allclose(alone, logits, rtol=1e-5, atol=1e-5)
    assert together.std(0).min() > 1e-4  # utterances differ


def test_gradients_do_not_depend_on_padding():
    model = network(classifier="avgpool", front={"mels": 32}).eval()
    batch, lengths = waves(12_000, 8_500)  # 47 and 34 frames: both are odd at some resolution

    def gradient(samples, counts):
        model.zero_grad()
        model.embed(samples, counts, "emodb").square().sum().backward()
        return [weight.grad.clone() for weight in model.trunks.parameters()]

    alone = [
        gradient(row[None, :count], torch.tensor([count])) for row, count in zip(batch, (12_000, 8_500), strict=True)
    ]
    for together, first, second in zip(gradient(batch, lengths), *alone, strict=True):
        assert torch.allclose(together, first + second, rtol=1e-3, atol=1e-5 * float(together.abs().max()))


def test_the_shortest_utterances_work_and_are_heard_with_silence_behind(trained_norms):
    batch, lengths = waves(300, 160)
    with torch.no_grad():
        short = trained_norms(batch, lengths, "urdu")
        assert short.shape == (2, 2) and short.isfinite().all()
        x, frames = trained_norms.front(batch, lengths)
        trunk = trained_norms.trunks["vgg16"]
        longer = torch.nn.functional.pad(x, (0, 32 - x.shape[-1]))
        own = [Frames(frames.tolist(), x.shape[-1], x.device), Frames([32, 32], 32, x.device)]
        assert torch.equal(trunk(x, own[0], "urdu"), trunk(longer, own[1], "urdu"))


@pytest.mark.parametrize("blocks", [0, 2, 5])
def test_only_the_upper_blocks_are_trained(blocks):
    model = network(trainable_blocks=blocks)
    parts.freeze(model, "scratch", LABELS)
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    for place in range(len(BLOCKS)):
        own = {name for name, _ in model.named_parameters() if name.startswith(f"trunks.vgg16.blocks.{place}.")}
        assert own and (own <= trained if place >= len(BLOCKS) - blocks else not own & trained)
    assert {"trunks.vgg16.colours.weight", "trunks.vgg16.norm.weight"} <= trained
    assert any("heads" in name for name in trained)


def test_last_layer_trains_a_corpuss_head_only():
    model = network()
    parts.freeze(model, "last-layer", ["emodb"])
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert trained and all("emodb" in name for name in trained)


def test_a_training_step_moves_everything_but_the_other_corpus():
    model = network(trainable_blocks=5, front={"mels": 32}).train()
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    loss = torch.nn.functional.cross_entropy(model(*waves(9_000, 8_400), "emodb"), torch.tensor([0, 2]))
    loss.backward()
    torch.optim.SGD(model.parameters(), 0.5).step()
    for name, weight in model.named_parameters():
        if "urdu" in name:
            assert weight.grad is None and torch.equal(weight, before[name])
        else:
            assert weight.grad is not None and weight.isfinite().all()
    moved = {name for name, weight in model.named_parameters() if not torch.equal(weight, before[name])}
    assert {"trunks.vgg16.colours.bias", "trunks.vgg16.blocks.0.convs.0.weight"} <= moved


def test_colours_differ_and_have_the_range_of_normalised_images():
    trunk = VGG16(["emodb"], 5, "attention", 0.3, False).train()
    x, _ = network().front(*waves(48_000, 48_000))
    coloured = trunk.norm(torch.relu(trunk.colours(x)), relu=False)
    assert coloured.mean((0, 2, 3)).tolist() == pytest.approx([0.0] * 3, abs=1e-3)
    assert coloured.std((0, 2, 3)).tolist() == pytest.approx([1.0] * 3, abs=1e-2)
    assert (coloured[:, 0] - coloured[:, 2]).abs().mean() > 0.05


def test_shared_attention():
    own, shared = network(), network(share_attention=True)
    assert sorted(own.trunks["vgg16"].attention.corpora) == ["emodb", "urdu"]
    assert shared.trunks["vgg16"].attention.corpora == ["shared"]


@pytest.mark.parametrize(
    ("options", "problem", "mend"),
    [
        ({"adapters": True}, "vgg16 has no adapters", "-m finetune"),
        ({"trainable_blocks": 6}, "6 blocks of VGG16", "give 0 to 5"),
        ({"front": {"mels": 31}}, "VGG16 halves 31 mels five times", "give 32 mels or more"),
        ({"weights": "nowhere/vgg16.pth"}, "there is no weights file nowhere/vgg16.pth", "check the path"),
        ({"classifier": "max"}, "unknown classifier 'max'", "attention"),
    ],
)
def test_impossible_settings(options, problem, mend):
    with pytest.raises(EmosetError) as caught:
        build(LABELS, **{"weights": "none"} | options)
    assert problem in caught.value.problem and mend in caught.value.mend
