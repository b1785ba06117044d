"""ONNX files of a network, one for each head, checked with onnxruntime before they are kept."""

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

import numpy as np
import torch

from emoset_cli.errors import EmosetError
from emoset_cli.share.folder import TOLERANCE
from emoset_cli.share.graph import OPSET, Exportable
from emoset_cli.share.probes import batch_of
from emoset_cli.train.deep.use import Network


def onnx_files(
    network: Network, probes: Sequence[np.ndarray], temperatures: Mapping[str, float]
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files by name, and what ``onnx.json`` says of them: head -> file, labels, inputs and the check.

    Args:
        network: of `emoset_cli.train.deep.use.open_network`, on the CPU
        probes: of `emoset_cli.share.probes.probes`
        temperatures: head -> temperature of calibration; none for what is not calibrated

    Raises:
        EmosetError: if onnx or onnxruntime are not installed, the network cannot be exported or has learnt no labels,
            or a probability differs by more than `TOLERANCE`
    """
    _need()
    if not any(network.made["heads"].values()):
        raise EmosetError(f"{network.run} has learnt dimensions only, which have no ONNX here", "leave --onnx out")
    files: dict[str, bytes] = {}
    told: dict[str, Any] = {}
    for head, labels in ((head, labels) for head, labels in network.made["heads"].items() if labels):
        name = _name(head, files)
        graph = Exportable(network.model, head, temperatures.get(head, 1.0))
        files[name] = _exported(graph, probes)
        told[head] = {
            "file": name, "labels": list(labels), "opset": OPSET, "temperature": graph.temperature,
            "inputs": _inputs(network.made), "output": "probabilities, float32 (batch, labels)",
            **check_onnx(network, head, graph.temperature, files[name], probes),
        }  # fmt: skip
    return files, told


def _need() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ModuleNotFoundError as error:
        raise EmosetError(f"--onnx needs {error.name}", "pip install 'emoset[onnx]'") from None


def _name(head: str, taken: Mapping[str, Any]) -> str:
    """A plain file name for a head, which no other has."""
    plain = re.sub(r"[^A-Za-z0-9+.-]", "-", head)[:80]
    name = f"model-{plain}.onnx"
    return name if name not in taken else f"model-{plain}-{len(taken)}.onnx"


def _inputs(made: Mapping[str, Any]) -> dict[str, str]:
    if made["feature"]:
        return {"heard": "stored frames, float32 (batch, frames, values), zero behind each utterance",
                "lengths": "frames of each, int64 (batch,)"}  # fmt: skip
    return {"heard": "16 kHz waveforms, float32 (batch, samples) in -1 to 1, zero behind each utterance",
            "lengths": "samples of each, int64 (batch,)"}  # fmt: skip


def _heard(some: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A batch as the graph takes it."""
    batch, lengths = batch_of(list(some))
    values = batch.astype(np.float32)
    return (values / 32768 if batch.dtype == np.int16 else values), lengths


def _exported(graph: Exportable, probes: Sequence[np.ndarray]) -> bytes:
    """The graph as ONNX, of free batch and length."""
    heard, lengths = map(torch.from_numpy, _heard(probes[1:4] if len(probes) > 3 else probes))
    free = torch.export.Dim.DYNAMIC
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with warnings.catch_warnings(action="ignore"), redirect_stdout(io.StringIO()), torch.no_grad():
            program = torch.onnx.export(
                graph, (heard, lengths), dynamo=True, verbose=False, opset_version=OPSET,
                input_names=["heard", "lengths"], output_names=["probabilities"],
                dynamic_shapes={"heard": {0: free, 1: free}, "lengths": {0: free}},
            )  # fmt: skip
    except torch.onnx.errors.OnnxExporterError as error:
        told = str(error.__cause__ or error).strip().splitlines()[0][:200]
        raise EmosetError(f"this network cannot be exported to ONNX ({told})", "share it without --onnx") from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    assert program is not None
    written: bytes = program.model_proto.SerializeToString()
    return written


def check_onnx(
    network: Network, head: str, temperature: float, file: bytes, probes: Sequence[np.ndarray]
) -> dict[str, Any]:
    """Each probe alone, and all of them as one batch, through onnxruntime and through the network in float32.

    Raises:
        EmosetError: if a probability differs by more than `TOLERANCE`
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    largest, relative = 0.0, 0.0
    for some in [*([one] for one in probes), list(probes)]:
        heard, lengths = _heard(some)
        (got,) = session.run(["probabilities"], {"heard": heard, "lengths": lengths})
        batch, _ = batch_of(list(some))
        with torch.no_grad():
            logits = network.model(torch.from_numpy(batch), torch.from_numpy(lengths), head).float()
        due = (logits / temperature).softmax(1).numpy()
        difference = np.abs(got - due)
        largest = max(largest, float(difference.max()))
        relative = max(relative, float((difference / np.maximum(due, np.finfo(np.float32).tiny)).max()))
    if not largest <= TOLERANCE:
        raise EmosetError(
            f"the ONNX of head {head} differs by {largest:.2g} in a probability, more than {TOLERANCE:g}",
            "share the model without --onnx, and report it: this network's graph is not exact enough",
        )
    return {
        "difference": largest, "relative_difference": relative, "tolerance": TOLERANCE,
        "checked_on": [len(one) for one in probes], "runtime": f"onnxruntime {onnxruntime.__version__}",
    }  # fmt: skip
