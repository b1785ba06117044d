"""What this machine has: versions, processor, memory, disk, GPU."""

import os
import platform
import re
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from emoset_cli import __version__
from emoset_cli.cores import cores

PACKAGES = (
    "torch", "torchaudio", "torchvision", "accelerate", "transformers", "peft", "opensmile", "scikit-learn", "numpy",
    "pandas", "pyarrow", "soundfile", "soxr", "safetensors", "joblib", "optuna", "typer", "rich",
)  # fmt: skip
OPTIONAL = ("tensorboard", "distributed")
_FLAGS = ("amx_bf16", "amx_tile", "avx512_bf16", "avx512f", "avx2", "bf16", "asimd")


def facts(folder: Path) -> dict[str, Any]:
    """Everything there is to know, as plain values; None where the system does not tell.

    Args:
        folder: of the workspace, whose disk is meant; it need not be there
    """
    import torch

    from emoset_cli.models.hardware import bf16_units

    place = existing(folder)
    disk = shutil.disk_usage(place)
    name, flags = _processor()
    return {
        "versions": {"python": platform.python_version(), "emoset": __version__}
        | {package: _version(package) for package in (*PACKAGES, *OPTIONAL)},
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": name,
        "cores": cores(),
        "cores_of_machine": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "flags": flags,
        "bf16": bf16_units(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "gpus": [_gpu(number) for number in range(torch.cuda.device_count())] if torch.cuda.is_available() else [],
        "memory": _memory(),
        "disk": {"folder": str(place), "free": disk.free, "total": disk.total, "writable": os.access(place, os.W_OK)},
        "environment": {name: os.environ[name] for name in sorted(os.environ) if name in _HEEDED},
    }


_HEEDED = {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "EMOSET_WORKSPACE", "EMOSET_REGISTRY", "EMOSET_DEBUG",
           "CUDA_VISIBLE_DEVICES", "NO_COLOR"}  # fmt: skip


def existing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    folder = folder.expanduser().absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> tuple[str, list[str]]:
    """Its name and those of its flags that matter here."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:  # macOS, Windows
        return _told_by_macos() or platform.processor() or platform.machine(), []
    found = dict(re.findall(r"^(model name|flags|Features)\s*:\s*(.*)$", text, re.MULTILINE))
    flags = set((found.get("flags") or found.get("Features") or "").split())
    return found.get("model name") or platform.machine(), [flag for flag in _FLAGS if flag in flags]


def _told_by_macos() -> str:
    if platform.system() != "Darwin":
        return ""
    try:
        told = subprocess.run(["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()


def _gpu(number: int) -> dict[str, Any]:
    import torch

    told = torch.cuda.get_device_properties(number)
    return {"name": told.name, "memory": told.total_memory, "bf16": torch.cuda.is_bf16_supported(False)}


def _memory() -> dict[str, int | None]:
    """Bytes in all and free to use; what a container may use counts, where it is less."""
    total, free = _of_system()
    limit, used = (_number(Path(f"/sys/fs/cgroup/memory.{name}")) for name in ("max", "current"))
    if limit and total and limit < total:
        return {"total": limit, "free": min(free or limit, limit - (used or 0))}
    return {"total": total, "free": free}


def _of_system() -> tuple[int | None, int | None]:
    try:
        text = Path("/proc/meminfo").read_text(encoding="utf-8")
    except OSError:
        return _of_posix(), None
    found = {name: 1024 * int(kib) for name, kib in re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE)}
    return found.get("MemTotal"), found.get("MemAvailable")


def _of_posix() -> int | None:
    """Of a system without /proc: macOS tells the whole, Windows nothing."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
