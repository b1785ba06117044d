"""What the machine computes with: device, precision, memory."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from emoset_cli import ranks
from emoset_cli.errors import EmosetError, unknown

PRECISIONS = ("auto", "fp32", "bf16")
DEVICES = ("auto", "cpu", "cuda")
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h
_KERNELS = 64  # a batch of EmoNet's network makes 23


def choose_device(asked: str) -> str:
    """``cpu`` or ``cuda``; ``auto`` is CUDA where there is a usable device.

    Raises:
        EmosetError: if there is no such device
    """
    if asked not in DEVICES:
        raise unknown("device", asked, DEVICES)
    if asked == "cuda" and not torch.cuda.is_available():
        raise EmosetError("no CUDA device is usable here", "--device cpu, or install a torch build for this GPU")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"


def gpus(device: str) -> int:
    """How many GPUs there are for this process to compute on, 0 on a CPU; processes that share the work share them."""
    return max(1, torch.cuda.device_count() // ranks.local()[1]) if device == "cuda" else 0


def own_gpu(device: str) -> str:
    """The device of this process among several that share the work: each takes the GPU of its own number."""
    from multiprocessing import current_process

    count = torch.cuda.device_count() if device == "cuda" else 0
    number = current_process().name.rpartition("-")[2]
    own = int(number) % gpus(device) if count > 1 and number.isdecimal() else 0
    return f"{device}:{(ranks.local()[0] * gpus(device) + own) % count}" if count > 1 else device


def bf16_units() -> str:
    """The processor's units for bfloat16 matrix products: "AMX", "AVX512-bf16" or "" (it would emulate them)."""
    amx = getattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    avx = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return "AMX" if amx() else "AVX512-bf16" if avx() else ""


def choose_precision(asked: str, device: str) -> tuple[str, str]:
    """``fp32`` or ``bf16``, and why, in words for the user.

    ``auto`` is bfloat16 where the device has units for it. Measured on a processor with AVX512-bf16 and without AMX:
    1.3 to 2.5 times as many images a second as in float32, for each of eight torchvision networks.

    Args:
        asked: one of `PRECISIONS`
        device: auto, cpu or cuda

    Raises:
        EmosetError: for another word
    """
    if asked not in PRECISIONS:
        raise unknown("precision", asked, PRECISIONS)
    if asked != "auto":
        return asked, "as asked"
    if choose_device(device) == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
        return ("bf16", "this GPU has bfloat16 units") if able else ("fp32", "this GPU has no bfloat16 units")
    units = bf16_units()
    return ("bf16", f"this processor has {units}") if units else ("fp32", "this processor has no bfloat16 units")


@contextmanager
def enough_memory(problem: str, mend: str) -> Iterator[None]:
    """Turn a device's want of memory into an error that says what to lower.

    Raises:
        EmosetError: with these words
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise EmosetError(problem, mend) from error
    except RuntimeError as error:  # torch has no class of its own for a processor's memory
        if "not enough memory" not in str(error):
            raise
        raise EmosetError(problem, mend) from error


def keep_memory() -> None:
    """Let glibc keep freed blocks for the next step instead of giving them back to the system and asking anew.

    Measured: VGG16 forward 1.05 to 1.2 times, training 1.1 to 1.25 times faster on a CPU. Does nothing with another C
    library.
    """
    import ctypes

    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_MAX, 0)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def keep_few_kernels() -> None:
    """Let oneDNN keep the kernels of the latest two batches or so, not of a thousand shapes it may never meet again.

    It makes a kernel for each shape of each layer, and keeps 1,024. Batches of speech hardly ever have a shape twice,
    and what is kept of each lies between blocks that are free again after it: the free memory goes to pieces, and the
    heap grows batch after batch. Making a kernel takes 0.3 ms. Must come before the first convolution of a process; a
    number that the user has set stays.
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", str(_KERNELS))
