"""Where a training computes: the accelerator of one or several devices, and its precision."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from emoset_cli.models import hardware
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


def is_main() -> bool:
    """Whether this process speaks for all those `accelerate launch` started; alone, it does."""
    return os.environ.get("RANK", "0") == "0"


def several() -> bool:
    """Whether `accelerate launch` started several processes."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def together() -> None:
    """Wait until all processes are here; does nothing in a single one."""
    if several():
        from accelerate import PartialState

        PartialState().wait_for_everyone()


def alike(model: torch.nn.Module) -> None:
    """Give all processes the running statistics of the main one: each has seen only its share of the batches."""
    if several():
        for buffer in model.buffers():
            torch.distributed.broadcast(buffer, 0)


def of_main(value: Any) -> Any:
    """What the main process found, in all of them: all must go the same way."""
    if not several():
        return value
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]


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
