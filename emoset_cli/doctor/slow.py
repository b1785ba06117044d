"""What of a machine would be slow or would not work, why, and what helps."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from emoset_cli.doctor.machine import PACKAGES

_GB = 1e9
# Of the measurements in `speed`: what is so much slower than on a machine of today that it should be said.
_LEAST = {
    "disk write": (50.0, "preparing, and saving models", "a workspace on a local disk: --workspace"),
    "decode and resample": (100.0, "preparing", "fewer other programs; more --workers do not help a slow disk"),
    "eGeMAPS": (10.0, "extracting features", "fewer other programs"),
}


class Finding(NamedTuple):
    """Something to know; ``fault``: it will not work so, rather than be slow."""

    what: str
    why: str
    mend: str
    fault: bool = False


def findings(facts: dict[str, Any], speeds: list[dict[str, Any]]) -> list[Finding]:
    """What `machine.facts` and the measurements of `speed.measure` mean; faults first."""
    found = [*_installation(facts), *_processor(facts), *_room(facts), *_measured(speeds)]
    return sorted(found, key=lambda one: not one.fault)


def _installation(facts: dict[str, Any]) -> Iterator[Finding]:
    versions = facts["versions"]
    again = "install emoset again: pip install -c constraints.txt ."
    if lacking := [name for name in PACKAGES if versions[name] is None]:
        yield Finding(f"{', '.join(lacking)} cannot be found", "emoset needs them", again, True)
    torch, audio, vision = (_release(versions[name]) for name in ("torch", "torchaudio", "torchvision"))
    if torch and audio and torch != audio:
        why = "they are built for each other, release by release"
        yield Finding(f"torch {versions['torch']} with torchaudio {versions['torchaudio']}", why, again, True)
    if torch and vision and (torch[1] + 15 != vision[1]):  # 2.6 with 0.21, 2.11 with 0.26
        why = "they are built for each other, release by release"
        yield Finding(f"torch {versions['torch']} with torchvision {versions['torchvision']}", why, again, True)


def _release(version: str | None) -> tuple[int, int] | None:
    parts = (version or "").split("+")[0].split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit() else None


def _processor(facts: dict[str, Any]) -> Iterator[Finding]:
    if not facts["gpus"]:
        why = "networks are trained on the processor"
        yield Finding("no GPU", why, "--preset quick for a first look, small networks, or a machine with a GPU")
        if not facts["bf16"]:
            yield Finding(
                "the processor has no units for bfloat16", "networks are trained in float32, at about half the speed",
                "nothing to do: --precision bf16 would be slower here",
            )  # fmt: skip
    if facts["cores"] == 1:
        yield Finding("one core", "recordings, folds and runs are done one by one", "a machine with more cores")
    elif facts["cores"] < facts["cores_of_machine"]:
        what = f"this process may use {facts['cores']} of {facts['cores_of_machine']} cores"
        yield Finding(what, "the system or a container limits it", "raise the limit (taskset, cgroups)")
    if facts["threads"] < facts["cores"]:
        what = f"a network may use {facts['threads']} of {facts['cores']} cores"
        yield Finding(what, "OMP_NUM_THREADS or MKL_NUM_THREADS says so", "unset it, unless you share the machine")
    if facts["load"] is not None and facts["load"] > 1.5 * facts["cores_of_machine"]:
        what = f"{facts['load']:.1f} processes want {facts['cores_of_machine']} cores"
        yield Finding(what, "other programs run", "wait for them, or use fewer --workers")


def _room(facts: dict[str, Any]) -> Iterator[Finding]:
    disk, memory = facts["disk"], facts["memory"]
    if not disk["writable"]:
        why = "the workspace would lie there"
        yield Finding(f"{disk['folder']} cannot be written to", why, "choose a folder with --workspace", True)
    if disk["free"] < 5 * _GB:
        what = f"{disk['free'] / _GB:.1f} GB are free in {disk['folder']}"
        why = "an hour of speech takes 0.12 GB, frames of a speech encoder many times that"
        yield Finding(what, why, "free some space, or another --workspace", disk["free"] < 0.1 * _GB)
    if memory["total"] is not None and memory["total"] < 6 * _GB:
        what = f"{memory['total'] / _GB:.1f} GB of memory"
        yield Finding(what, "speech encoders and vgg16 want 4 to 16 GB", "--batch-size 8 --accumulate 8, --workers 1")
    elif memory["free"] is not None and memory["free"] < 2 * _GB:
        what = f"{memory['free'] / _GB:.1f} GB of memory are free"
        yield Finding(what, "each worker takes about 1 GB", "close other programs, or use fewer --workers")


def _measured(speeds: list[dict[str, Any]]) -> Iterator[Finding]:
    by_name = {one["what"]: one for one in speeds}
    for name, (least, why, mend) in _LEAST.items():
        one = by_name.get(name)
        if one and one["value"] < least:
            what = f"{name}: {one['value']:.3g} {one['unit']}"
            yield Finding(what, f"{why} will take long", mend)
    fp32, bf16 = (by_name.get(f"matrix product, {kind}") for kind in ("fp32", "bf16"))
    if fp32 and bf16 and bf16["value"] < fp32["value"] and bf16.get("chosen"):
        yield Finding("bfloat16 is slower than float32 here", "--precision auto chooses it", "--precision fp32")
