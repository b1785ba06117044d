"""ONNX of each network at its usual size, with new weights: differences from the network, size, seconds of export.

The sounds are noise of 0.7 to 12 s, each alone and all as one batch; see docs/share.md.
"""

import json
import sys
import time
from types import SimpleNamespace
from typing import Any

import torch

from emoset_cli.models.build import build_network
from emoset_cli.share.onnx_files import onnx_files
from emoset_cli.share.probes import frames, noise

HEADS = {"one": ["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness"]}
# name -> model, adapters, options, front
CASES: dict[str, tuple[str, bool, dict[str, Any], dict[str, Any]]] = {
    "cnn": ("cnn", False, {}, {}),
    "cnn, adapters": ("cnn", True, {}, {}),
    "vgg16": ("vgg16", False, {"weights": "none"}, {}),
    "rnn, adapters": ("rnn", True, {}, {}),
    "rnn, LSTM": ("rnn", False, {"cell": "lstm", "classifier": "avgpool"}, {}),
    "cnn-rnn": ("cnn-rnn", False, {}, {}),
    "embedding": ("embedding", False, {}, {}),
    "embedding, Transformer": ("embedding", False, {"cell": "transformer", "layers": 2}, {}),
    "embedding, stored frames": ("embedding", False, {"stored": [1024, 1]}, {}),
    "acrnn": ("acrnn", False, {}, {"normalise": "global"}),
    "cnn-lstm": ("cnn-lstm", False, {}, {"normalise": "utterance"}),
}


def main() -> None:
    """Print a line for each network; write JSON to the file that is named."""
    torch.set_num_threads(1)
    rows = []
    for name, (model, adapters, options, front) in CASES.items():
        torch.manual_seed(0)
        network = build_network(model, HEADS, adapters, options, front).eval()
        for weight in network.parameters():  # adapters begin at zero
            if weight.dim() > 1 and not weight.any():
                torch.nn.init.normal_(weight, std=0.05)
        some = frames(options["stored"][0]) if "stored" in options else noise()
        some = [one[:48_000] for one in some] if model == "acrnn" else some  # it hears segments of 3 s
        made = {"heads": HEADS, "feature": "frames" if "stored" in options else ""}
        start = time.perf_counter()
        files, told = onnx_files(SimpleNamespace(model=network, made=made), some, {})  # type: ignore[arg-type]
        row = {
            "network": name, "difference": told["one"]["difference"], "relative": told["one"]["relative_difference"],
            "megabytes": round(sum(map(len, files.values())) / 1e6, 1),
            "seconds": round(time.perf_counter() - start, 1), "longest": max(told["one"]["checked_on"]),
        }  # fmt: skip
        rows.append(row)
        numbers = f"{row['difference']:.1e} {row['relative']:.1e} {row['megabytes']:6.1f} MB {row['seconds']:5.1f} s"
        print(f"{name:26} {numbers}", flush=True)
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
