"""Networks on log-mel spectrograms: sizes counted by hand, what padding must not change, and that they learn."""

import inspect
from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional

from emoset_cli.errors import EmosetError
from emoset_cli.models import MODELS
from emoset_cli.models.layers.attention import AveragePool
from emoset_cli.models.layers.frames import Frames
from emoset_cli.models.layers.norm import Norm
from emoset_cli.models.parts import count, train_mode
from emoset_cli.models.resnet import ResNet, build

LABELS = {"emodb": list("afnsbdh"), "emovo": list("afns")}
SMALL = {
    "cnn": {"filters": 4, "blocks": 1},
    "rnn": {"units": 16},
    "cnn-rnn": {"filters": 4, "blocks": 1, "units": 16, "cell": "lstm"},
}
EACH = pytest.mark.parametrize("name", SMALL)


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def small(name: str, **options) -> torch.nn.Module:
    return MODELS[name].load().build(LABELS, **SMALL[name], **options)


def utterances(lengths: list[int], loud: float = 0.1) -> tuple[torch.Tensor, torch.Tensor]:
    waves = torch.randn(len(lengths), max(lengths)) * loud
    for wave, length in zip(waves, lengths, strict=True):
        wave[length:] = 0
    return waves, torch.tensor(lengths)


def test_the_networks_size_is_that_of_the_paper() -> None:
    kernels = [
        9 * (1 * 32),
        9 * (32 * 64 + 3 * 64 * 64),
        9 * (64 * 128 + 3 * 128 * 128),
        9 * (128 * 256 + 3 * 256 * 256),
    ]
    assert sum(kernels) == 2_709_792
    adapters = sum(kernels) // 9  # 301,088
    norms = 2 * (32 + 4 * 64 + 4 * 128 + 4 * 256 + 256)  # scale and shift; the last is the final norm
    attention = 256 * 256 + 256 + 256  # W, b, u
    head = 256 * 128 + 128 + 2 * 128 + 128 * 7 + 7  # dense, norm, dense
    counted = count(build({"emodb": LABELS["emodb"]}, adapters=True))
    assert counted == {
        "shared": sum(kernels),
        "adapter": {"emodb": adapters + norms},
        "head": {"emodb": attention + head},
        "total": 3_115_143,
    }
    # Section 5.2: "around 3 million parameters in total of which 300 000 are domain specific": adapters and norms.
    assert adapters + norms == 305_248
    scratch = count(build({"emodb": LABELS["emodb"]}))
    assert scratch["shared"] == sum(kernels) + norms
    assert scratch["total"] == 3_115_143 - adapters
    shared = count(build(LABELS, adapters=True, share_attention=True))
    assert shared["shared"] == sum(kernels) + attention
    assert shared["head"]["emodb"] == head


def test_the_recurrent_networks_size() -> None:
    gru = [3 * 256 * (inputs + 256 + 2) for inputs in (64, 256)]  # three gates, two biases each
    adapters, norms = 64 * 256 + 256 * 256, 2 * 2 * 256
    counted = count(MODELS["rnn"].load().build({"emodb": LABELS["emodb"]}, adapters=True))
    assert counted["shared"] == sum(gru)
    assert counted["adapter"] == {"emodb": adapters + norms}
    lstm = count(MODELS["rnn"].load().build({"emodb": LABELS["emodb"]}, cell="lstm"))
    assert lstm["shared"] == sum(gru) * 4 // 3 + norms


@pytest.mark.parametrize(("widen", "blocks"), [(1, 2), (2, 1)])
def test_shapes(widen: int, blocks: int) -> None:
    model = build(LABELS, filters=2, widen=widen, blocks=blocks)
    waves, lengths = utterances([9000, 4000])
    trunk = model.trunks["cnn"]
    assert len(trunk.blocks) == 3 * blocks
    seen = []
    for block in trunk.blocks:
        block.register_forward_hook(lambda _, __, y: seen.append(tuple(y.shape)))
    model.eval()
    assert model.embed(waves, lengths, "emodb").shape == (2, 16 * widen)
    frames = 1 + 9000 // 256  # 36, 18, 9, 5
    expected = [(2, 2 * widen * 2**m, 64 >> m, -(-frames // 2**m)) for m in (1, 2, 3) for _ in range(blocks)]
    assert seen == expected
    assert model(waves, lengths, "emovo").shape == (2, 4)


@EACH
def test_a_prediction_depends_neither_on_padding_nor_on_the_batch(name: str) -> None:
    model = small(name, adapters=True)
    train_mode(model)
    waves, lengths = utterances([16000, 3000, 9000, 700, 11025])
    model(waves, lengths, "emodb")  # statistics that are not those of a new norm
    model.eval()
    with torch.no_grad():
        together = model(waves, lengths, "emodb")
        longer = model(functional.pad(waves, (0, 5000)), lengths, "emodb")
        alone = [model(waves[i : i + 1, :n], lengths[i : i + 1], "emodb") for i, n in enumerate(lengths.tolist())]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together, longer, atol=1e-5, rtol=1e-5)


@EACH
def test_padding_changes_nothing_in_training_either(name: str) -> None:
    model = small(name, dropout=0.0)
    waves, lengths = utterances([8000, 3000, 6000])
    train_mode(model)
    state = {part: tensor.clone() for part, tensor in model.state_dict().items()}
    truth = torch.tensor([0, 1, 2])
    found = []
    for padding in (0, 4000):
        model.load_state_dict(state)
        model.zero_grad()
        logits = model(functional.pad(waves, (0, padding)), lengths, "emodb")
        functional.cross_entropy(logits, truth).backward()
        gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        found.append((logits.detach(), gradients, [buffer.clone() for buffer in model.buffers()]))
    torch.testing.assert_close(*found, atol=1e-4, rtol=1e-3)


@EACH
def test_int16_is_heard_as_float(name: str) -> None:
    model = small(name).eval()
    waves, lengths = utterances([8000, 5000])
    whole = (waves * 32768).round().clamp(-32768, 32767)
    torch.testing.assert_close(
        model(whole.to(torch.int16), lengths, "emodb"), model(whole / 32768, lengths, "emodb"), atol=1e-6, rtol=1e-6
    )


@EACH
def test_it_fits_eight_utterances_and_the_same_seed_gives_the_same(name: str) -> None:
    waves, lengths = utterances([6000, 5000, 6000, 4500, 5500, 6000, 5000, 4000])
    rate = torch.arange(6000) / 16000 * 2 * torch.pi
    truth = torch.tensor([0, 1, 2, 3, 0, 1, 2, 3])
    for wave, length, label in zip(waves, lengths, truth.tolist(), strict=True):
        wave[:length] += torch.sin(rate[:length] * (300, 900, 2200, 5000)[label])
    ends = []
    for _ in range(2):
        torch.manual_seed(1)
        model = small(name)
        train_mode(model)
        optimiser = torch.optim.SGD(model.parameters(), 0.02, momentum=0.9)
        for step in range(40):
            optimiser.param_groups[0]["lr"] = 0.02 if step < 30 else 0.002
            optimiser.zero_grad()
            functional.cross_entropy(model(waves, lengths, "emovo"), truth).backward()
            optimiser.step()
        model.eval()
        with torch.no_grad():
            ends.append(model(waves, lengths, "emovo"))
    assert (ends[0].argmax(1) == truth).all()
    assert torch.equal(*ends)


@EACH
def test_in_bfloat16_it_trains_and_is_near(name: str) -> None:
    model = small(name, adapters=True).to(memory_format=torch.channels_last).eval()
    waves, lengths = utterances([8000, 5000])
    exact = model(waves, lengths, "emodb")
    train_mode(model)
    with torch.autocast("cpu", torch.bfloat16):
        model(waves, lengths, "emodb").sum().backward()
        assert all(p.grad.dtype == torch.float32 for p in model.parameters() if p.grad is not None)
        model.eval()
        for part in model.modules():
            if isinstance(part, Norm):
                part.running_mean.zero_()
                part.running_var.fill_(1)
        near = model(waves, lengths, "emodb")
    assert near.dtype == torch.float32
    torch.testing.assert_close(near, exact, atol=0.05, rtol=0.05)


def test_short_utterances_and_one_only() -> None:
    model = small("cnn-rnn")
    train_mode(model)
    assert torch.isfinite(model(*utterances([1]), "emodb")).all()
    model.eval()
    assert torch.isfinite(model(torch.zeros(2, 400), torch.tensor([400, 1]), "emodb")).all()


def test_options_out_of_range_are_refused() -> None:
    rnn = MODELS["rnn"].load().build
    for attempt, words in (
        (lambda: build(LABELS, blocks=0), "the network has 0 blocks"),
        (lambda: build(LABELS, widen=0), "the network has 0 filters"),
        (lambda: build(LABELS, dropout=1.0), "a dropout is 1\n  mend: give a share from 0 to below 1"),
        (lambda: build(LABELS, classifier="attentions"), "did you mean 'attention'"),
        (lambda: build(LABELS, attention_scale=-1), "the attention scale is -1"),
        (lambda: rnn(LABELS, cell="LSTM"), "unknown recurrent cell 'LSTM'\n  mend: did you mean 'lstm'"),
        (lambda: rnn(LABELS, units=0), "the network has 0 units"),
    ):
        with pytest.raises(EmosetError) as told:
            attempt()
        assert words in str(told.value)
    averaging = build(LABELS, filters=2, blocks=1, classifier="avgpool")
    assert isinstance(averaging.trunks["cnn"].attention.pick("emodb"), AveragePool)


@pytest.mark.parametrize("name", MODELS)
def test_each_model_tells_its_options(name: str) -> None:
    build_model = MODELS[name].load().build
    options = inspect.signature(build_model).parameters
    assert list(options)[:2] == ["labels", "adapters"]
    for option, parameter in list(options.items())[1:]:
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert parameter.default is not inspect.Parameter.empty
        assert f"{option}:" in build_model.__doc__
    assert MODELS[name].help.splitlines()[-1].startswith(f"Example: emoset train {name} -t emodb")


def test_block_dropout_is_used() -> None:
    trunk = ResNet(["emodb"], False, 1, 2, 0.5, "avgpool", 0.3, False).train()
    x, frames = torch.rand(2, 1, 64, 16), Frames([16, 16], 16, torch.device("cpu"))
    assert not torch.equal(trunk(x, frames, "emodb"), trunk(x, frames, "emodb"))
