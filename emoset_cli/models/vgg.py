"""VGG16, known from ImageNet, on log-mel spectrograms in learnt colours."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from emoset_cli.errors import EmosetError
from emoset_cli.models import SHARED
from emoset_cli.models.layers.attention import pooling, positions
from emoset_cli.models.layers.frames import Frames
from emoset_cli.models.layers.norm import Norm
from emoset_cli.models.layers.per_corpus import PerCorpus
from emoset_cli.models.network import Network

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # filters and convolutions before each pooling
LEAST = 2 ** len(BLOCKS)  # mels and frames of which one is left after the last pooling
NO_WEIGHTS = "none"
# Where each colour begins, as a share of the range from floor to maximum: red shows all of a sound, blue the loudest.
COLOURS = (0.0, 0.25, 0.5)


def build(
    labels: dict[str, list[str]],
    *,
    adapters: bool = False,
    weights: str = "",
    trainable_blocks: int = 5,
    dropout: float = 0.2,
    classifier: str = "attention",
    attention_scale: float = 0.3,
    share_attention: bool = False,
    front: dict[str, Any] | None = None,
) -> Network:
    """The network; defaults are the paper's.

    Args:
        labels: of each corpus
        adapters: there are none
        weights: of ImageNet, as `emoset_cli.models.imagenet.read_weights` takes them, "" for torchvision's own;
            "none" for random ones, also where the weights of a run will be loaded
        trainable_blocks: convolution blocks that are trained, 0 to 5, counted from the top; the colours always are.
            EmoNet's command line trains none
        dropout: share dropped before the last layer
        classifier: ``attention`` or ``avgpool``
        attention_scale: smoothing λ of the attention weights
        share_attention: whether all corpora have one attention
        front: options of `emoset_cli.models.layers.front.Front`

    Raises:
        EmosetError: if an option is out of range, or there are no such weights
    """
    if adapters:
        raise EmosetError("vgg16 has no adapters", "choose -m finetune or -m last-layer, or train cnn")
    if not 0 <= trainable_blocks <= len(BLOCKS):
        raise EmosetError(f"{trainable_blocks} blocks of VGG16 are to be trained", f"give 0 to {len(BLOCKS)}")
    trunk = VGG16(labels, trainable_blocks, classifier, attention_scale, share_attention)
    network = Network(labels, {"vgg16": trunk}, dropout, front)
    if (mels := network.front.logmel.mels) < LEAST:
        raise EmosetError(f"VGG16 halves {mels} mels five times", f"give {LEAST} mels or more")
    if weights != NO_WEIGHTS:
        trunk.load_imagenet(weights)
    return network


class VGG16(nn.Module):
    """A learnt colour map, VGG16's convolutions, and attention over what is left of mels and frames.

    The colour map is a 1x1 convolution to three colours, ReLU and batch norm: each colour has mean 0 and standard
    deviation 1 over a batch, as the normalised images VGG16 was trained on. EmoNet's has no bias, so that a colour is
    either black everywhere or a copy of the others; here each starts at another loudness.

    VGG16 halves mels and frames five times and drops odd ones at the edges. An utterance of fewer than 32 frames
    (about half a second) is heard with silence behind it, up to 32 frames.

    Args:
        corpora: keys, each has its own attention
        trainable_blocks: from the top
        classifier: see `build`
        attention_scale: see `build`
        share_attention: see `build`

    Shape:
        x: ``(batch, 1, mels, frames)``; out: ``(batch, 512)``

    Source:
        Simonyan and Zisserman 2015; Gerczuk et al. 2021, section 5, and EmoNet's code (colours).
    """

    def __init__(
        self,
        corpora: Iterable[str],
        trainable_blocks: int,
        classifier: str,
        attention_scale: float,
        share_attention: bool,
    ) -> None:
        super().__init__()
        self.colours = nn.Conv2d(1, len(COLOURS), 1)
        nn.init.ones_(self.colours.weight)
        with torch.no_grad():
            self.colours.bias.copy_(-torch.tensor(COLOURS))  # type: ignore[union-attr]
        self.norm = Norm(len(COLOURS))
        self.blocks = nn.ModuleList()
        channels = len(COLOURS)
        for place, (filters, count) in enumerate(BLOCKS):
            block = Block(channels, filters, count)
            block.always_frozen = place < len(BLOCKS) - trainable_blocks
            block.requires_grad_(not block.always_frozen)
            self.blocks.append(block)
            channels = filters
        self.channels = channels
        self.attention = PerCorpus(
            "head",
            [SHARED] if share_attention or classifier == "avgpool" else corpora,
            lambda: pooling(classifier, channels, attention_scale),
        )

    def load_imagenet(self, weights: str) -> None:
        """Take the convolutions of ImageNet weights.

        Raises:
            EmosetError: if there are no such weights
        """
        from emoset_cli.models.imagenet import read_weights

        tensors = read_weights("vgg16", weights).tensors
        names = [name for name in tensors if name.startswith("features.")]
        ours = self.blocks.state_dict()
        assert len(names) == len(ours), "VGG16 without its dense layers has 13 convolutions"
        # Both list weight and bias of each convolution from the bottom up; torchvision also counts ReLUs and poolings.
        names.sort(key=lambda name: (int(name.split(".")[1]), name.endswith("bias")))
        self.blocks.load_state_dict(dict(zip(ours, [tensors[name] for name in names], strict=True)))

    def forward(self, x: Tensor, frames: Frames, corpus: str) -> Tensor:
        """Embed a batch of one corpus, ``(batch, channels)``."""
        x = functional.pad(x, (0, max(LEAST - x.shape[-1], 0)))
        frames = frames.at_least(LEAST, x.shape[-1])
        x = self.norm(_rectified(self.colours(x), frames), frames, relu=False)  # batch, 3, mels, frames
        for block in self.blocks:
            x = block(x, frames)
            frames = frames.halved(keep_odd=False)
        pooled: Tensor = self.attention.pick(corpus)(*positions(x, frames))  # x: batch, 512, mels / 32, frames / 32
        return pooled


class Block(nn.Module):
    """3x3 convolutions, each with a ReLU, then 2x2 pooling of the greatest value.

    ``always_frozen`` tells `emoset_cli.models.parts.freeze` that no training mode trains the block.

    Shape:
        x: ``(batch, channels, mels, frames)``, zero behind each utterance's end, as the output is
        out: ``(batch, filters, mels // 2, frames // 2)``
    """

    def __init__(self, channels: int, filters: int, count: int) -> None:
        super().__init__()
        self.always_frozen = False
        self.convs = nn.ModuleList()
        for place in range(count):
            conv = nn.Conv2d(filters if place else channels, filters, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
            self.convs.append(conv)

    def forward(self, x: Tensor, frames: Frames) -> Tensor:
        """Filter a batch; ``frames`` are those of the input."""
        even = frames.even()  # an odd last frame is cleared, so that it is not pooled with padding either
        for place, conv in enumerate(self.convs, start=1):
            x = _rectified(conv(x), even if place == len(self.convs) else frames)
        return functional.max_pool2d(x, 2)


def _rectified(x: Tensor, frames: Frames) -> Tensor:
    """ReLU of a convolution's output, without what the bias left behind the utterances' ends."""
    frames.clear_(x)  # unseen by autograd: the ReLU's gradient is zero there too
    return functional.relu_(x)
