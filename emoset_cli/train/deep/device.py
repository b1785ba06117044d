"""Where a training computes: the accelerator of one or several devices, and its precision."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from emoset_cli.models.hardware import bf16_units, choose_device


def name(device: torch.device) -> str:
    """The device as tables name it."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return f"CPU {bf16_units()}".strip()


def accelerator(device: str) -> Any:
    """`accelerate.Accelerator` for the device asked for; several GPUs are those `accelerate launch` names.

    Raises:
        EmosetError: if there is no such device
    """
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs

    # A batch is of one corpus: the parts of the others get no gradient.
    spread = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(cpu=choose_device(device) == "cpu", kwargs_handlers=[spread])


@contextmanager
def computing(device: torch.device, precision: str) -> Iterator[None]:
    """Matrix products in the precision chosen; sums, norms and losses stay float32."""
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        yield
