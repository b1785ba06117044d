"""Where a training computes: the accelerator of one or several devices, and its precision."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch

from emoset_cli import ranks
from emoset_cli.models import hardware
from emoset_cli.models.hardware import bf16_units, choose_device


def name(device: torch.device) -> str:
    """The device as tables name it; how many there are, where several share the training."""
    own = str(torch.cuda.get_device_name(device)) if device.type == "cuda" else f"CPU {bf16_units()}".strip()
    return f"{ranks.world()} x {own}" if ranks.several() else own


def accelerator(device: str) -> Any:
    """`accelerate.Accelerator` for the device asked for; several GPUs are those of `emoset_cli.ranks`.

    Raises:
        EmosetError: if there is no such device
    """
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs

    # A batch is of one corpus: the parts of the others get no gradient.
    spread = DistributedDataParallelKwargs(find_unused_parameters=True)
    return Accelerator(cpu=choose_device(device) == "cpu", kwargs_handlers=[spread])


def merged(values: np.ndarray, device: torch.device) -> np.ndarray:
    """Rows that are each known to one of the processes, NaN in the others, put together in all of them."""
    if not ranks.several():
        return values
    known = torch.from_numpy(~np.isnan(values)).float().to(device)
    found = torch.from_numpy(np.nan_to_num(values)).to(device)
    for one in (known, found):
        torch.distributed.all_reduce(one)
    return found.where(known > 0, torch.nan).cpu().numpy()


@contextmanager
def computing(device: torch.device, precision: str) -> Iterator[None]:
    """Matrix products in the precision chosen; sums, norms and losses stay float32."""
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        yield


def enough_memory(options: Any) -> AbstractContextManager[None]:
    """Say what to lower where the memory of the device does not suffice.

    Args:
        options: `emoset_cli.train.deep.settings.Settings`

    Raises:
        EmosetError: if it does not
    """
    return hardware.enough_memory(
        f"out of memory with --batch-size {options.batch_size} and --window {options.window_s:g}",
        f"--batch-size {max(1, options.batch_size // 2)} --accumulate {2 * options.accumulate} needs less and is "
        "nearly the same; a shorter --window and --checkpointing help as well",
    )
