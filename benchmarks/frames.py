"""Speed of ``emoset train embedding`` from stored frames of EmoDB: what of an epoch is reading, at several batch sizes.

The frames are as wide as those of wav2vec 2.0 base, 768 float16 values every 20 ms, from an encoder of one layer with
random weights: reading does not depend on the numbers. One thread, as the command takes for a small GRU. "Reading" is
all batches of an epoch taken from the store with nothing running ahead, "epoch" the training itself.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from common import PROJECT, Cost, arguments, claim, conclude, emoset, folders, measure, middle

SIZES = [1, 16, 64]


def main() -> None:
    """Extract the frames once, then measure every batch size in turn."""
    options = arguments(__doc__, rounds=3)
    found = folders(options, ["emodb"])
    with tempfile.TemporaryDirectory() as folder:
        workspace = Path(folder)
        measure(emoset("prepare", f"emodb={found['emodb']}", "-q", "-d", workspace))
        encoder = _encoder(workspace)
        measure(emoset("extract", "wav2vec2", "--model", encoder, "--pool", "frames", "-q", "-d", workspace))
        told = json.loads(measure([sys.executable, __file__, "speed", folder, str(options.rounds)]).out)
    rows: list[list[object]] = []
    shares = {}
    for size in map(str, SIZES):
        epoch, reading = (middle([Cost(one, 0) for one in told[size][what]]) for what in ("epoch", "reading"))
        shares[size] = 100 * reading / epoch
        rows.append([size, f"{told['utterances'] / epoch:.0f}", f"{told['gigabytes'] / reading:.2f}",
                     f"{shares[size]:.1f} %"])  # fmt: skip
    claims = [claim(f"reading, batches of {size}", share, "%", "< 10 %", 10) for size, share in shares.items()]
    heads = ["batch", "utterances/s", "reading [GB/s]", "reading, share of an epoch"]
    words = f"{told['utterances']} training utterances, {told['gigabytes']:.2f} GB of frames"
    conclude("frames", "Emotion embeddings from stored frames of EmoDB", heads, rows, claims, told=words, raw=told)


def _encoder(workspace: Path) -> Path:
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(0)
    folder = workspace / "encoder"
    Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    Wav2Vec2Model(Wav2Vec2Config(num_hidden_layers=1, conv_dim=(32,) * 7)).save_pretrained(folder)
    return folder


def speed(workspace: Path, rounds: int) -> None:
    """All batch sizes in turn, after a first epoch of each; prints JSON."""
    import torch

    from emoset_cli.corpora import load_corpora
    from emoset_cli.feature_store import find
    from emoset_cli.frame_store import FrameStore
    from emoset_cli.models.hardware import keep_memory
    from emoset_cli.train.deep import data, tasks, training
    from emoset_cli.train.deep.settings import settings_of
    from emoset_cli.train.task import build_task

    torch.set_num_threads(1)
    keep_memory()
    name = find(workspace, "wav2vec2")
    store = FrameStore(workspace, name, "emodb")
    task = build_task(workspace, ["emodb"], load_corpora(), None, "alisamir2022", heads=True)
    heard = tasks.with_heads(task, "own", False)
    where = task.partition.table.iloc[:, 0].to_numpy().astype(str)
    found: dict[str, object] = {}
    trainings = {}
    for size in SIZES:
        folder = workspace / f"bench-{size}"
        folder.mkdir()
        given = {"batch_size": size, "feature": name, "network": {"stored": [store.width, store.kept]}}
        options = settings_of("embedding", given | {"precision": "fp32"})
        job = data.Job(
            folder,
            workspace,
            options,
            heard.heads,
            False,
            "1",
            heard.task.utterances,
            task.truth,
            where,
            None,
            "cpu",
            1,
        )
        trainings[size] = training.Training(job)
        trainings[size].train()
        found[str(size)] = {"epoch": [], "reading": []}
    for _ in range(rounds):
        for size, one in trainings.items():
            start = time.perf_counter()
            found["utterances"] = one.train()["rows"]
            middle = time.perf_counter()
            found["gigabytes"] = (
                sum(one.data.waves.read(plan).waves.nbytes for plans in one.data.steps(one.rng) for plan in plans) / 1e9
            )
            costs: dict[str, list[float]] = found[str(size)]  # type: ignore[assignment]
            costs["reading"].append(time.perf_counter() - middle)
            costs["epoch"].append(middle - start)
    print(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1:2] == ["speed"]:
        sys.path.insert(0, str(PROJECT))
        speed(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
