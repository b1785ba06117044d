"""Adapters: one convolution for two, what is whose, and that what is frozen or another corpus's stays as it is."""

from collections.abc import Iterator

import pytest
import torch
from torch.nn import functional

from emoset_cli.errors import EmosetError
from emoset_cli.models import MODELS, SHARED
from emoset_cli.models.layers.adapters import AdaptedConv2d
from emoset_cli.models.layers.frames import Frames
from emoset_cli.models.layers.norm import Norm
from emoset_cli.models.layers.per_corpus import PerCorpus
from emoset_cli.models.parts import count, freeze, roles, train_mode

LABELS = {"emodb": ["anger", "fear", "neutral"], "crema.d": ["anger", "sadness"]}
SMALL = {"cnn": {"filters": 2, "blocks": 1}, "rnn": {"units": 6}, "cnn-rnn": {"filters": 2, "blocks": 1, "units": 6}}
ADAPTED = pytest.mark.parametrize("name", SMALL)


@pytest.fixture(autouse=True)
def seeded() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


def small(name: str, **options) -> torch.nn.Module:
    return MODELS[name].load().build(LABELS, adapters=True, **SMALL[name], **options)


def train(model: torch.nn.Module, corpus: str, steps: int = 2) -> None:
    """Some steps with everything that could move a parameter without a gradient: momentum and weight decay."""
    train_mode(model)
    waves, lengths = torch.randn(4, 6000), torch.tensor([6000, 5000, 3000, 6000])
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(trained, 0.1, momentum=0.9, weight_decay=0.1)
    truth = torch.tensor([0, 1, 0, 1])
    for _ in range(steps):
        optimiser.zero_grad()
        functional.cross_entropy(model(waves, lengths, corpus), truth).backward()
        optimiser.step()


def changed(model: torch.nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


def copied(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frozen", [False, True])
def test_one_convolution_is_the_sum_of_both(stride: int, frozen: bool) -> None:
    conv = AdaptedConv2d(3, 5, stride, ["emodb"])
    adapter = conv.adapters.pick("emodb").weight
    torch.nn.init.normal_(adapter)
    conv.weight.requires_grad_(not frozen)
    x = torch.randn(2, 3, 7, 9, requires_grad=True)
    weights = [x, adapter] if frozen else [x, adapter, conv.weight]
    separate = functional.conv2d(x, conv.weight, None, stride, 1) + functional.conv2d(x, adapter, None, stride)
    pull = torch.randn_like(separate)
    merged = conv(x, "emodb")
    assert merged.shape == (2, 5, -(-7 // stride), -(-9 // stride))
    torch.testing.assert_close(merged, separate, atol=1e-5, rtol=0)
    expected = torch.autograd.grad(separate, weights, pull)
    for one, other in zip(torch.autograd.grad(merged, weights, pull), expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-5)


def test_an_adapter_starts_at_zero_and_in_bfloat16_is_near() -> None:
    conv = AdaptedConv2d(8, 8, 1, ["emodb"])
    x = torch.randn(2, 8, 6, 6)
    plain = functional.conv2d(x, conv.weight, None, 1, 1)
    torch.testing.assert_close(conv(x, "emodb"), plain, atol=1e-6, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        y = conv(x, "emodb")
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), plain, atol=0.05, rtol=0.02)
    y.sum().backward()
    assert conv.weight.grad is not None and conv.weight.grad.dtype == torch.float32


def test_kernels_are_he_normal() -> None:
    kernel = AdaptedConv2d(64, 64, 1, []).weight
    assert kernel.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)


@ADAPTED
def test_each_part_has_a_role(name: str) -> None:
    model = small(name)
    whose = roles(model)
    assert set(whose) == {n for n, _ in model.named_parameters()} | {n for n, _ in model.named_buffers()}
    assert set(whose.values()) == {("shared", "")} | {(r, c) for r in ("adapter", "head") for c in LABELS}
    for part, (role, corpus) in whose.items():
        assert (corpus == "") == (role == "shared")
        assert ("adapter" in part or "norm" in part) == (
            role == "adapter" or (part.startswith("heads") and "norm" in part)
        )
        assert role == "head" if part.startswith("heads") or ".attention." in part else role != "head"


@ADAPTED
def test_counts_add_up(name: str) -> None:
    counted = count(model := small(name))
    parts = counted["shared"] + sum(counted["adapter"].values()) + sum(counted["head"].values())
    assert parts == counted["total"] == sum(p.numel() for p in model.parameters())
    assert counted["head"]["emodb"] - counted["head"]["crema.d"] == 128 + 1  # a label more


@ADAPTED
def test_without_adapters_norms_are_shared(name: str) -> None:
    model = MODELS[name].load().build(LABELS, share_attention=True, **SMALL[name])
    counted = count(model)
    assert counted["adapter"] == {}
    assert {part for part, (role, _) in roles(model).items() if role == "head"} == {
        part for part in roles(model) if part.startswith("heads.")
    }
    assert any(f"norm.{SHARED}.running_mean" in part for part in roles(model))


@ADAPTED
@pytest.mark.parametrize(
    ("mode", "trained"),
    [
        ("scratch", {"shared", "adapter", "head"}),
        ("finetune", {"shared", "adapter", "head"}),
        ("last-layer", {"head"}),
        ("adapters", {"adapter", "head"}),
    ],
)
def test_training_moves_what_the_mode_trains_and_of_its_corpus_only(name: str, mode: str, trained: set[str]) -> None:
    model = small(name)
    freeze(model, mode, ["emodb"])
    before, whose = copied(model), roles(model)
    train(model, "emodb")
    moved = changed(model, before)
    assert {whose[part] for part in moved} == {(r, "emodb" if r != "shared" else "") for r in trained}
    parameters = {part for part, _ in model.named_parameters()}
    expected = {part for part in parameters if whose[part] in {whose[other] for other in moved}}
    # A bias before a batch norm has no influence, so it need not move.
    assert {part for part in expected - moved if not part.endswith("hidden.bias")} == set()


def test_frozen_norms_keep_their_statistics_and_new_modes_are_refused() -> None:
    model = small("cnn")
    freeze(model, "last-layer", ["emodb"])
    train_mode(model)
    norms = [part for part in model.modules() if isinstance(part, Norm)]
    heads = [part for part in model.heads.pick("emodb").modules() if isinstance(part, Norm)]
    assert [part for part in norms if part.training] == heads
    with pytest.raises(EmosetError, match=r"unknown training mode 'adapter'\n  mend: did you mean 'adapters'"):
        freeze(model, "adapter", ["emodb"])


def test_what_is_always_frozen_is_trained_in_no_mode() -> None:
    model = small("cnn")
    model.trunks["cnn"].stem.always_frozen = True
    freeze(model, "finetune", LABELS)
    assert not any(parameter.requires_grad for parameter in model.trunks["cnn"].stem.parameters())
    assert all(parameter.requires_grad for parameter in model.heads.parameters())


def test_any_corpus_key_will_do() -> None:
    made = PerCorpus("head", ["pop", "keys", "a.b"], lambda: torch.nn.Linear(1, 1))
    assert made.corpora == ["pop", "keys", "a.b"]
    assert made.pick("pop") is not made.pick("a.b")
    made.load_state_dict(made.state_dict())
    assert PerCorpus("head", [SHARED], lambda: torch.nn.Linear(1, 1)).pick("emodb") is not None


@ADAPTED
def test_tuning_starts_from_the_function_of_the_base(name: str) -> None:
    """New adapters on shared kernels, and norms that have seen nothing: as the network without adapters."""
    base = MODELS[name].load().build(LABELS, **SMALL[name])
    adapted = small(name)
    shared = {part: tensor for part, tensor in base.state_dict().items() if part in adapted.state_dict()}
    adapted.load_state_dict(shared, strict=False)
    x, frames = torch.rand(2, 1, 64, 20), Frames([20, 13], 20, torch.device("cpu"))
    x[1, ..., 13:] = 0
    for trunk, model in ((trunk, model) for trunk in base.trunks for model in (base, adapted)):
        model.eval()
        model.embedded = model.trunks[trunk](x, frames, "emodb")
        assert torch.isfinite(model.embedded).all()
    torch.testing.assert_close(base.embedded, adapted.embedded, atol=1e-5, rtol=1e-5)
