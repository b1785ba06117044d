"""The whole state of a training in one file: weights, optimiser, random streams and where everything stands."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open

from emoset_cli.files import write_bytes

_FACTS = "emoset"


def save(path: Path, tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
    """Write tensors and JSON-able facts as one safetensors file, atomically."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, safetensors.torch.save(plain, {_FACTS: json.dumps(facts)}))


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]] | None:
    """What `save` wrote; None where there is no whole file."""
    try:
        with safe_open(path, "pt") as file:
            facts = json.loads(file.metadata()[_FACTS])
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 (it is no dict)
    except (FileNotFoundError, SafetensorError, KeyError, TypeError):
        return None


def optimizer_state(optimizer: Any) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The optimiser's tensors and numbers; parameters are named by their place."""
    tensors: dict[str, torch.Tensor] = {}
    numbers: dict[str, Any] = {}
    for place, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            kind: dict[str, Any] = tensors if isinstance(value, torch.Tensor) else numbers
            if value is not None:
                kind[f"{place}/{key}"] = value
    return tensors, numbers


def restore_optimizer(optimizer: Any, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
    """Put back what `optimizer_state` took."""
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **numbers}.items():
        place, key = name.split("/", 1)
        state.setdefault(int(place), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def random_state(rng: np.random.Generator) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Where the random streams of torch (CPU and GPUs) and of ``rng`` stand."""
    gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    tensors = {"cpu": torch.get_rng_state()} | {f"cuda{number}": state for number, state in enumerate(gpus)}
    return tensors, dict(rng.bit_generator.state)


def restore_random(rng: np.random.Generator, tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> None:
    """Put back what `random_state` took."""
    torch.set_rng_state(tensors["cpu"])
    gpus = [tensors[f"cuda{number}"] for number in range(len(tensors) - 1)]
    if gpus and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(gpus[: torch.cuda.device_count()])
    rng.bit_generator.state = numbers


def under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with ``prefix/``, without it."""
    return {name.removeprefix(f"{prefix}/"): one for name, one in tensors.items() if name.startswith(f"{prefix}/")}


def prefixed(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors with ``prefix/`` before their names."""
    return {f"{prefix}/{name}": one for name, one in tensors.items()}
