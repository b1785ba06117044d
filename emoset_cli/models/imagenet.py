"""torchvision's ImageNet networks as feature extractors: by name and layer, with torchvision's weights or a file's."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from emoset_cli.errors import EmosetError, unknown

# What the last linear layer reads, per family of networks; the longest prefix counts. VGG16's is Keras' ``fc2`` with
# its ReLU, as DeepSpectrum takes it; SqueezeNet has no linear layer: what its last convolution reads.
LAYERS = {
    "alexnet": "classifier.5", "convnext": "classifier.1", "densenet": "flatten", "efficientnet": "avgpool",
    "googlenet": "avgpool", "inception": "avgpool", "maxvit": "classifier.4", "mnasnet": "layers",
    "mobilenet_v2": "features", "mobilenet_v3": "classifier.1", "regnet": "avgpool", "resnet": "avgpool",
    "resnext": "avgpool", "shufflenet": "mean", "squeezenet": "features", "swin": "flatten", "vgg": "classifier.4",
    "vit": "getitem_5", "wide_resnet": "avgpool",
}  # fmt: skip
# Options without which torchvision's builder warns, or does other than with weights.
_BUILD: dict[str, dict[str, Any]] = {
    "googlenet": {"init_weights": False, "transform_input": True},
    "inception_v3": {"init_weights": False, "transform_input": True},
}
# Names in torchvision's own densenet files, older than its code.
_OLD_NAME = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$")


@dataclass(frozen=True)
class Weights:
    """Weights of a network, checked against it.

    Args:
        tensors: by the names of the network's state dict
        mean: of the images it was trained on, per colour (red, green, blue in 0..1)
        sd: standard deviation, likewise
    """

    tensors: dict[str, Tensor]
    mean: list[float]
    sd: list[float]

    @property
    def digest(self) -> str:
        """16 hex digits of names, types and numbers: equal for equal weights, whatever file they came from."""
        state = hashlib.blake2b(digest_size=8)
        for name, tensor in sorted(self.tensors.items()):
            state.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            state.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return state.hexdigest()


def networks() -> list[str]:
    """Names of torchvision's ImageNet classification networks."""
    import torchvision

    return list(torchvision.models.list_models(module=torchvision.models))


def default_layer(network: str) -> str:
    """The layer taken where none is named.

    Raises:
        EmosetError: for an unknown network
    """
    if network not in networks():
        raise unknown("network", network, networks())
    families = [family for family in LAYERS if network.startswith(family)]
    if not families:
        raise EmosetError(f"{network} has no usual layer", "name one by --layer")
    return LAYERS[max(families, key=len)]


def read_weights(network: str, weights: str = "", progress: bool = False) -> Weights:
    """The weights of a network.

    Args:
        network: torchvision's name
        weights: torchvision's name such as ``IMAGENET1K_V1``, taken from its hub cache or fetched there; or a file,
            .safetensors or .pth (a state dict); "" for torchvision's default
        progress: show a bar while fetching

    Raises:
        EmosetError: if there are none: not known, not to be fetched, damaged, or of another network
    """
    from torchvision.models import get_model_weights

    members = get_model_weights(network)
    name = weights.rpartition("_Weights.")[2] or "DEFAULT"
    if name in members.__members__:
        member = members[name]
        file = _fetched(network, member, progress)
    elif re.search(r"[./\\]", weights):
        member, file = members.DEFAULT, Path(weights)
        if not file.is_file():
            raise EmosetError(f"there is no weights file {weights}", "check the path given as --weights")
    else:
        known = [*members.__members__, "a file (.safetensors or .pth)"]
        raise unknown(f"weights of {network}", weights, known)
    transforms = member.transforms()
    tensors = _checked(network, _read(file), str(file))
    return Weights(tensors, list(transforms.mean), list(transforms.std))


def _fetched(network: str, member: Any, progress: bool) -> Path:
    """The file of torchvision's weights in the hub cache, fetched where it is not there yet."""
    url = str(member.url)
    file = Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(url).path).name)
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        promised = re.search(r"-([0-9a-f]{8,})\.", file.name)
        try:
            torch.hub.download_url_to_file(url, str(file), promised[1] if promised else None, progress)
        except (OSError, RuntimeError) as error:
            raise EmosetError(
                f"the weights {member.name} of {network} are not in {file} and cannot be fetched from {url} ({error})",
                f"put {file.name} there, or give a file by --weights FILE (.safetensors or .pth)",
            ) from None
    return file


def _read(file: Path) -> dict[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # both readers have many ways to say that a file is damaged
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise EmosetError(
            f"{file} cannot be read as weights ({reason})",
            "give a .safetensors file, or a .pth file that holds a state dict and nothing else",
        ) from error
    if not isinstance(found, dict) or not all(isinstance(tensor, Tensor) for tensor in found.values()):
        raise EmosetError(f"{file} holds no state dict", "save `model.state_dict()`, not the model or a checkpoint")
    return found


def _checked(network: str, found: dict[str, Tensor], file: str) -> dict[str, Tensor]:
    """The tensors by the names of the network, all there and of its shapes."""
    wanted = build(network).state_dict()
    named = {_OLD_NAME.sub(r"\1\2", name): tensor for name, tensor in found.items()}
    for name, tensor in wanted.items():
        if name.endswith("num_batches_tracked"):  # older files have none; only training reads it
            named.setdefault(name, torch.zeros_like(tensor, device="cpu"))
    missing = [name for name in wanted if name not in named]
    strange = [name for name in named if name not in wanted]
    other = [name for name in wanted if name in named and named[name].shape != wanted[name].shape]
    if missing or strange or other:
        facts = [f"{len(missing)} tensors are missing, first {missing[0]}"] if missing else []
        facts += [f"{len(strange)} are not of this network, first {strange[0]}"] if strange else []
        facts += [
            f"{len(other)} have another shape, first {other[0]}: {tuple(named[other[0]].shape)} "
            f"instead of {tuple(wanted[other[0]].shape)}"
        ] if other else []  # fmt: skip
        raise EmosetError(f"{file} does not fit {network}: {'; '.join(facts)}", "name the network it was made for")
    return named


def build(network: str) -> nn.Module:
    """A torchvision network in evaluation mode whose weights are to be loaded (with ``assign=True``)."""
    from torchvision.models import get_model

    options = _BUILD.get(network, {})
    try:
        with torch.device("meta"):
            whole: nn.Module = get_model(network, weights=None, **options)
    except NotImplementedError:  # RegNet computes its widths with tensors
        whole = get_model(network, weights=None, **options)
    return whole.eval()


class Activations(nn.Module):
    """The activations of one layer of an ImageNet network, averaged over the image where they are spatial.

    Args:
        network: torchvision's name
        layer: a module or node, as `torchvision.models.feature_extraction.get_graph_node_names` lists them; its output
            is taken before whatever follows, even a ReLU that works in place
        weights: of the network

    Shape:
        images: ``(batch, 3, 224, 224)``, uint8
        activations: ``(batch, features)``, float32

    Raises:
        EmosetError: for an unknown layer
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, network: str, layer: str, weights: Weights) -> None:
        super().__init__()
        from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

        whole = build(network)
        state = whole.state_dict()  # with versions of modules, which MNASNet asks for
        state.update(weights.tensors)
        whole.load_state_dict(state, assign=True)
        try:
            trunk = create_feature_extractor(whole, {layer: "out"}, suppress_diff_warning=True)
        except ValueError:
            nodes = get_graph_node_names(whole, suppress_diff_warning=True)[1]
            raise unknown(f"layer of {network}", layer, {".".join(node.split(".")[:2]) for node in nodes}) from None
        self.trunk = trunk.eval().requires_grad_(False)
        self.tokens_last = network.startswith("swin")
        for name, values in (("mean", weights.mean), ("sd", weights.sd)):
            self.register_buffer(name, torch.tensor(values).reshape(3, 1, 1), persistent=False)

    def to_precision(self, precision: str) -> "Activations":
        """The whole network in ``fp32`` or ``bf16``, its images with the colours last: the fastest on a CPU."""
        self.trunk.to(dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
        self.trunk.to(memory_format=torch.channels_last)
        return self

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """Normalise the images, and answer the layer's activations."""
        dtype = next(self.trunk.parameters()).dtype
        scaled = (images.float().div_(255) - self.mean).div_(self.sd)
        out: Tensor = self.trunk(scaled.to(dtype, memory_format=torch.channels_last))["out"].float()
        if out.ndim == 4:
            last = self.tokens_last and out.shape[3] > out.shape[1]  # inside Swin colours come last
            out = out.mean((1, 2) if last else (2, 3))
        elif out.ndim == 3:  # batch, tokens, channels
            out = out.mean(1)
        return out.flatten(1)
