"""The weights of a network from a file that may be a stranger's, and the network that they are for."""

import json
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch.utils._python_dispatch import TorchDispatchMode

from emoset_cli.errors import EmosetError

_SLACK = 2**28  # bytes beyond the weights that building a network may take: filters, windows, tables
_COPIES = 6  # of the weights, while a network is built
_PICKLES = (b"PK\x03\x04", b"\x80")  # torch.save's archives, and pickles
_BYTES = 4  # of a number
_NUMBER = 8  # bytes of the header's length at the beginning of a file


def read_weights(
    path: Path, wanted: Mapping[str, torch.Tensor], optional: Set[str], mend: str, finite: bool = False
) -> dict[str, torch.Tensor]:
    """The tensors of a file, which must be those of a network; nothing is read before names and shapes are known to be.

    Args:
        path: safetensors
        wanted: the network's tensors by name
        optional: names that may be missing
        mend: of a file that is not as it should be
        finite: refuse NaN and infinite numbers

    Raises:
        EmosetError: naming the file and the first tensor that does not fit
    """
    _refuse_pickle(path, mend)
    try:
        with safe_open(path, "pt") as file:
            found = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (it is no dict)
            _compare(path, found, wanted, optional, mend)
            tensors = {name: file.get_tensor(name) for name in found}
    except (SafetensorError, OSError) as error:
        raise EmosetError(f"{path} is damaged: it is no whole safetensors file ({error})", mend) from None
    for name, tensor in tensors.items():
        if tensor.dtype != wanted[name].dtype:
            raise EmosetError(f"{path} is damaged: {name} is {tensor.dtype}, not {wanted[name].dtype}", mend)
        if finite and not bool(torch.isfinite(tensor).all()):
            raise EmosetError(f"{path} is damaged: {name} holds numbers that are none (NaN or infinite)", mend)
    return tensors


def _refuse_pickle(path: Path, mend: str) -> None:
    with path.open("rb") as file:
        start = file.read(_NUMBER)
    if start.startswith(_PICKLES) and not _is_header(path, start):
        raise EmosetError(f"{path} is damaged: it is a pickle, which could run code, and no safetensors file", mend)


def _is_header(path: Path, start: bytes) -> bool:
    """Whether a file begins with the length of a header that it has room for: that may begin as a pickle does."""
    return len(start) == _NUMBER and int.from_bytes(start, "little") <= path.stat().st_size - _NUMBER


def _compare(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any], optional: Set[str], mend: str) -> None:
    faults = [f"{name} is missing" for name in wanted if name not in found and name not in optional]
    faults += [f"{name} is no part of this network" for name in found if name not in wanted]
    for name in wanted.keys() & found.keys():
        here, there = tuple(found[name].get_shape()), tuple(wanted[name].shape)
        if here != there:
            faults.append(f"{name} has the shape {here}, not {there}")
    if faults:
        more = f", and {len(faults) - 1} more faults" if len(faults) > 1 else ""
        raise EmosetError(f"{path} is damaged: {sorted(faults)[0]}{more}", mend)


class _Counted(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of new tensors before they are made, and refuses what is too much."""

    def __init__(self, most: int, refusal: EmosetError) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._left, self._refusal = most, refusal

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        size = args[0] if args and isinstance(args[0], list | tuple) else ()
        if size and all(isinstance(one, int) for one in size):  # a new tensor of that size
            self._left -= _BYTES * prod(size)
        shapes = [one.shape for one in args if isinstance(one, torch.Tensor)]
        if self._left < 0 or _BYTES * _spread(shapes) > self._left:
            raise self._refusal
        return func(*args, **(kwargs or {}))


def _spread(shapes: list[torch.Size]) -> int:
    """How many numbers tensors make when they are spread over one another."""
    try:
        return prod(torch.broadcast_shapes(*shapes)) if len(shapes) > 1 else 0  # type: ignore[no-untyped-call]
    except RuntimeError:  # a product of matrices
        return 0


@contextmanager
def bounded(folder: Path, described: Path, mend: str) -> Iterator[None]:
    """Let a network be built that is not larger than the weights in a folder allow.

    Raises:
        EmosetError: if ``described``, the file that describes it, makes it larger, or something of it makes no network
    """
    there = sum(file.stat().st_size for file in folder.rglob("*.safetensors"))
    refusal = EmosetError(
        f"{described} is damaged: it describes a network far larger than its weights of {there:,} bytes", mend
    )
    try:
        with _Counted(_COPIES * there + _SLACK, refusal):
            yield
    except EmosetError as error:
        if error is refusal:
            raise
        raise EmosetError(f"{described} is damaged: {error.problem}", mend) from None
    except (TypeError, ValueError, RuntimeError, ArithmeticError, IndexError, KeyError) as error:
        told = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise EmosetError(f"{described} is damaged: it describes no network ({json.dumps(told)})", mend) from None
