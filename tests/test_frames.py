"""``emoset extract wav2vec2``: frames and pooled, resumed, found again by training, refused where it should be."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from speech_models import save

from emoset_cli import feature_store, features, frame_store
from emoset_cli.errors import EmosetError
from emoset_cli.features import wav2vec2
from emoset_cli.frame_store import FrameStore
from emoset_cli.models.speech import SpeechEncoder
from emoset_cli.models.speech_load import read_encoder
from emoset_cli.prepare import read_utterances
from emoset_cli.store import AudioStore, audio_hash

CORA = "demo-cora"
NAME = "wav2vec2-tiny-mean"
FRAMES = "wav2vec2-tiny-frames"
WIDTH = 32


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("speech") / "tiny")


@pytest.fixture
def work(small: Path, tmp_path: Path) -> Path:
    """A workspace with the 18 utterances of demo-cora prepared, to write to."""
    shutil.copytree(small / "w" / "corpora", tmp_path / "w" / "corpora")
    return tmp_path / "w"


def extract(emoset: Callable[..., Any], work: Path, model: object, *options: object) -> Any:
    common = ["--workers", 1, "--device", "cpu", "-d", work, "--json"]
    return emoset("extract", "wav2vec2", "--model", model, *options, *common)


def recipe(model: Path, **options: str) -> features.Recipe:
    return features.recipe("wav2vec2", {"model": str(model), "precision": "fp32", **options}, 1)


def states(model: Path, work: Path, layer: str = "last") -> list[np.ndarray]:
    """Frames of each utterance of the table, one by one: ``(frames, ...)``."""
    encoder = SpeechEncoder(read_encoder(str(model)), layer).eval()
    store = AudioStore(work / "corpora" / CORA / "audio")
    found = []
    for row in read_utterances(work, CORA).itertuples():
        wave = torch.from_numpy(store.samples(row.shard, row.offset, row.samples))[None]
        with torch.inference_mode():
            found.append(encoder(wave, torch.tensor([wave.shape[1]]))[0][0].numpy())
    return found


def rows(work: Path, name: str) -> np.ndarray:
    return feature_store.load(work, name, CORA, read_utterances(work, CORA))[1]


# Pooled


def test_extract_then_train(emoset: Callable[..., Any], work: Path, tiny: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "tiny"))
    result = extract(emoset, work, copy, "--precision", "fp32")
    assert (result.code, result.err) == (0, "note: tiny (wav2vec2) in fp32, as asked; on cpu, one process\n")
    (row,) = result.json()
    assert (row["feature"], row["features"], row["utterances"], row["without_features"]) == (NAME, WIDTH, 18, 0)
    folder = Path(row["folder"])
    made = json.loads((folder / f"{CORA}.json").read_text("utf-8"))["settings"]
    assert made["options"] == {"model": "tiny", "layer": "last", "pool": "mean", "precision": "fp32"}
    assert (made["weights"], made["normalise"]) == (read_encoder(str(tiny)).digest, True)
    assert made["package"].startswith("transformers ")
    assert np.load(folder / f"{CORA}.npy").dtype == np.float16
    found = rows(work, NAME)
    expected = np.stack([one.mean(0) for one in states(tiny, work)])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)  # stored as float16
    shutil.rmtree(copy)  # training needs no weights
    folders = set()
    for name in ("wav2vec2", NAME, folder.name):
        (run,) = emoset("train", "svm", "-f", name, "--workers", 1, "-d", work, "--json").json()
        folders.add(run["folder"])
    assert len(folders) == 1 and f"svm-{NAME}_" in run["run"]


def test_layers_and_pooling(emoset: Callable[..., Any], work: Path, tiny: Path) -> None:
    every = states(tiny, work, "all")  # frames, layers + 1, width
    for options, name, expected in (
        (["--layer", "1"], "wav2vec2-tiny-layer1-mean", [one[:, 1].mean(0) for one in every]),
        (["--layer", "2"], NAME, [one[:, 2].mean(0) for one in every]),
        (["--layer", "mean"], "wav2vec2-tiny-layermean-mean", [one.mean((0, 1)) for one in every]),
        (["--layer", "all"], "wav2vec2-tiny-layerall-mean", [one.mean(0).ravel() for one in every]),
        (["--pool", "meansd"], "wav2vec2-tiny-meansd",
         [np.concatenate([one[:, 2].mean(0), one[:, 2].std(0)]) for one in every]),
    ):  # fmt: skip
        (row,) = extract(emoset, work, tiny, "--precision", "fp32", *options).json()
        assert (row["feature"], row["features"]) == (name, len(expected[0]))
        np.testing.assert_allclose(rows(work, name), np.stack(expected), rtol=1e-3, atol=2e-3)
    columns = feature_store.load(work, "wav2vec2-tiny-meansd", CORA, read_utterances(work, CORA))[0]
    assert (columns[0], columns[31], columns[32], columns[-1]) == ("mean_0", "mean_31", "sd_0", "sd_31")


def test_other_weights_have_other_digits(emoset: Callable[..., Any], work: Path, tiny: Path, tmp_path: Path) -> None:
    first = Path(extract(emoset, work, tiny).json()[0]["folder"])
    again = Path(shutil.copytree(tiny, tmp_path / "again" / "tiny"))
    before = {path: path.stat().st_mtime_ns for path in first.iterdir()}
    assert extract(emoset, work, again).json()[0]["folder"] == str(first)
    assert {path: path.stat().st_mtime_ns for path in first.iterdir()} == before
    other = save(tmp_path / "other" / "tiny", seed=1)
    second = Path(extract(emoset, work, other).json()[0]["folder"])
    plain = save(tmp_path / "plain" / "tiny", normalise=False)
    third = Path(extract(emoset, work, plain).json()[0]["folder"])
    assert len({first, second, third}) == 3
    refused = emoset("train", "svm", "-f", NAME, "-d", work, "-q")
    assert refused.code == 1 and f"error: {NAME} was extracted with several settings: " in refused.err
    assert f"{second.name} (weights {read_encoder(str(other)).digest}, normalise True)" in refused.err
    assert emoset("train", "svm", "-f", second.name, "-d", work, "-q", "--workers", 1).code == 0


def test_the_batch_makes_no_difference(work: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = read_utterances(work, CORA)
    found = []
    for seconds in (0.1, 4, 1000):
        monkeypatch.setattr(wav2vec2, "_SECONDS", {"cpu": seconds})
        monkeypatch.setattr(feature_store, "_built", {})
        feature_store.extract(work, recipe(tiny), CORA, table, workers=1, force=True)
        found.append(rows(work, NAME))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=2e-3, atol=1e-4)  # a last bit of float16


def test_batches_hold_no_more_than_the_budget() -> None:
    assert list(wav2vec2.batches([30, 30, 30, 20, 10, 5], 60)) == [[0, 1], [2, 3], [4, 5]]
    assert list(wav2vec2.batches([90, 10], 60)) == [[0], [1]] and list(wav2vec2.batches([], 60)) == []


def test_processes_share_the_cores_and_the_memory(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = sum(one.numel() for one in SpeechEncoder(read_encoder(str(tiny))).parameters())
    for cores, together, expected in (
        (2, 2e9, (2, 1)), (64, 2e9, (8, 8)), (64, 2.5 * weights, (2, 32)), (4, 1, (1, 4)),
    ):  # fmt: skip
        monkeypatch.setattr(wav2vec2, "cores", lambda cores=cores: cores)
        monkeypatch.setattr(wav2vec2, "_TOGETHER", together)
        found = features.recipe("wav2vec2", {"model": str(tiny)})
        assert (found.workers, found.means["threads"]) == expected


# Frames


def test_frames_are_read_back(emoset: Callable[..., Any], work: Path, tiny: Path) -> None:
    for layer, name, kept in (("last", FRAMES, 1), ("all", "wav2vec2-tiny-layerall-frames", 3)):
        result = extract(emoset, work, tiny, "--pool", "frames", "--layer", layer, "--precision", "fp32")
        (row,) = result.json()
        assert result.code == 0 and (row["feature"], row["features"]) == (name, kept * WIDTH)
        store = FrameStore(work, name, CORA)
        assert (store.kept, store.width, store.features) == (kept, WIDTH, kept * WIDTH)
        assert store.name == Path(row["folder"]).name and store.settings["options"]["layer"] == layer
        table = read_utterances(work, CORA)
        expected = states(tiny, work, layer)
        assert store.rows(table).tolist() == [len(one) for one in expected]
        for audio, one in zip(table["audio"], expected, strict=True):
            found = store.read(audio)
            assert found.dtype == np.float16 and isinstance(found, np.memmap) and not found.flags.writeable
            np.testing.assert_allclose(found, one.reshape(len(one), -1), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_a_killed_extraction_goes_on(work: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = """
import os, signal, sys
from pathlib import Path
from emoset_cli import features, frame_store
from emoset_cli.prepare import read_utterances
frame_store._PER_SHARD = 4
work, model, done = Path(sys.argv[1]), sys.argv[2], []
recipe = features.recipe("wav2vec2", {"model": model, "precision": "fp32", "pool": "frames"}, 1)
def progress(count, seconds):
    done.append(count)
    if sum(done) == 8:
        os.kill(os.getpid(), signal.SIGKILL)
frame_store.extract(work, recipe, "demo-cora", read_utterances(work, "demo-cora"), 1, False, progress)
"""
    environment = os.environ | {"PYTHONPATH": str(Path(features.__file__).parents[2])}
    killed = subprocess.run([sys.executable, "-c", script, work, tiny], env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    chosen = recipe(tiny, pool="frames")
    folder = feature_store.feature_folder(work, chosen) / CORA
    assert len(list(folder.glob("*.f16"))) == 2 and not folder.with_suffix(".json").exists()
    with pytest.raises(EmosetError, match="no wav2vec2 features were extracted here"):
        FrameStore(work, "wav2vec2", CORA)
    monkeypatch.setattr(frame_store, "_PER_SHARD", 4)
    table, seen = read_utterances(work, CORA), []
    assert frame_store.extract(work, chosen, CORA, table, 1, progress=lambda count, _: seen.append(count)) == []
    assert seen == [8, 4, 4, 2]
    resumed = [np.array(FrameStore(work, FRAMES, CORA).read(audio)) for audio in table["audio"]]
    assert frame_store.extract(work, chosen, CORA, table, 1, force=True) == []
    again = FrameStore(work, FRAMES, CORA)
    assert all(np.array_equal(again.read(audio), one) for audio, one in zip(table["audio"], resumed, strict=True))


def test_what_is_damaged_is_noticed(work: Path, tiny: Path) -> None:
    table, chosen = read_utterances(work, CORA), recipe(tiny, pool="frames")
    frame_store.extract(work, chosen, CORA, table, 1)
    folder = feature_store.feature_folder(work, chosen) / CORA
    (shard,) = folder.glob("*.f16")
    raw = shard.read_bytes()
    shard.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    with pytest.raises(EmosetError) as caught:
        FrameStore(work, FRAMES, CORA).read(table["audio"][0])
    assert caught.value.problem == f"{shard} is not what `emoset extract` wrote"
    assert caught.value.mend.startswith(f"emoset extract wav2vec2 {CORA} --model tiny --layer last --pool frames")
    index = folder.with_suffix(".json")
    text = index.read_text("utf-8")
    index.write_text(text.replace('"features": 32', '"features": 16'), "utf-8")
    with pytest.raises(EmosetError, match=f"{index} is not what `emoset extract` wrote"):
        FrameStore(work, FRAMES, CORA)
    index.write_text(text, "utf-8")
    sidecar = shard.with_suffix(".json")
    sidecar.write_text(sidecar.read_text("utf-8").replace('"offset"', '"offsets"'), "utf-8")
    with pytest.raises(EmosetError, match="18 utterances of demo-cora are newer than its wav2vec2-tiny-frames_"):
        FrameStore(work, FRAMES, CORA).rows(table)


def test_only_a_damaged_shard_is_extracted_again(work: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_store, "_PER_SHARD", 4)
    table, chosen = read_utterances(work, CORA), recipe(tiny, pool="frames")
    frame_store.extract(work, chosen, CORA, table, 1)
    folder = feature_store.feature_folder(work, chosen) / CORA
    files = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    shard, *_ = sorted(folder.glob("*.f16"))
    raw = files[shard][0]
    sidecar = files[shard.with_suffix(".json")][0]
    count = len(json.loads(sidecar)["audio"])
    for damaged, damage in (
        (shard, raw[:9] + bytes([raw[9] ^ 1]) + raw[10:]), (shard, raw[:100]), (shard, None),
        (shard.with_suffix(".json"), sidecar.replace(b'"offset"', b'"offsets"')),
    ):  # fmt: skip
        damaged.unlink()
        if damage is not None:
            damaged.write_bytes(damage)
        seen: list[int] = []
        frame_store.extract(work, chosen, CORA, table, 1, progress=lambda count, _, seen=seen: seen.append(count))
        assert seen == [18 - count, count]
        assert {path: path.read_bytes() for path in folder.iterdir()} == {path: raw for path, (raw, _) in files.items()}
    untouched = {path for path, (_, time) in files.items() if path.stat().st_mtime_ns == time}
    assert untouched == {path for path in files if path.stem != shard.stem}


def test_only_new_utterances_are_extracted(work: Path, tiny: Path) -> None:
    table, chosen = read_utterances(work, CORA), recipe(tiny, pool="frames")
    frame_store.extract(work, chosen, CORA, table.head(10), 1)
    first = [np.array(FrameStore(work, FRAMES, CORA).read(audio)) for audio in table["audio"][:10]]
    with pytest.raises(EmosetError, match="8 utterances of demo-cora are newer") as caught:
        FrameStore(work, FRAMES, CORA).rows(table)
    options = "--model tiny --layer last --pool frames --precision fp32"
    assert caught.value.mend == (
        f"emoset extract wav2vec2 {CORA} {options}, where --model is the folder or the whole name"
    )
    seen: list[int] = []
    frame_store.extract(work, chosen, CORA, table, 1, progress=lambda count, _: seen.append(count))
    store = FrameStore(work, FRAMES, CORA)
    assert seen == [10, 8] and (store.rows(table) > 0).all()
    assert all(np.array_equal(store.read(audio), one) for audio, one in zip(table["audio"], first, strict=False))


# What a user may do wrong


def wrong(emoset: Callable[..., Any], work: Path, words: list[object], problem: str, mend: str) -> None:
    for form in ([], ["--json"]):
        result = emoset(*words, "-d", work, *form)
        assert (result.code, result.out) == (1, "")
        first, second = result.err.splitlines()[-2:]
        assert first.startswith("error: ") and problem in first, result.err
        assert second.startswith("  mend: ") and mend in second, result.err


def test_mistakes_in_options(emoset: Callable[..., Any], work: Path, tiny: Path, tmp_path: Path) -> None:
    words: list[object] = ["extract", "wav2vec2", "--model", tiny]
    for more, problem, mend in (
        (["--layer", "9"], f"{tiny} has no layer '9'", "--layer last, mean, all or a number from 0 (its input) to 2"),
        (["--pool", "max"], "unknown pooling 'max'", "known: frames, mean, meansd"),
        (["--weights", "x"], "wav2vec2 takes no --weights", "leave it out: it is for deepspectrum"),
        (["--precision", "fp8"], "unknown precision 'fp8'", "known: auto, bf16, fp32"),
    ):  # fmt: skip
        wrong(emoset, work, [*words, *more], problem, mend)
    wrong(emoset, work, words[:2], "no speech encoder is named", "--model FOLDER, or a name of the hub")
    wrong(emoset, work, ["extract", "egemaps", "--pool", "mean"], "takes no --pool", "it is for wav2vec2")
    wrong(emoset, work, ["extract", NAME], f"{NAME} does not say where its encoder lies", "--model")
    wrong(emoset, work, ["extract", FRAMES, "--model", tiny], f"{FRAMES} is not what the options say, {NAME}", "once")
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "config.json").write_text('{"model_type": "bert"}', "utf-8")
    problem = f"{tmp_path / 'text'} is a model of type 'bert', no speech encoder we know"
    wrong(emoset, work, ["extract", "wav2vec2", "--model", tmp_path / "text"], problem, "name a model of one of:")
    assert not (work / "features").exists()


def test_weights_that_are_no_numbers(emoset: Callable[..., Any], work: Path, tiny: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(tiny, tmp_path / "nan"))
    tensors = load_file(folder / "model.safetensors")
    tensors["encoder.layers.1.attention.k_proj.weight"][0, 0] = torch.nan
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    words: list[object] = ["extract", "wav2vec2", "--model", folder]
    wrong(emoset, work, words, "nan answers values that are no numbers", "choose an earlier --layer")
    assert extract(emoset, work, folder, "--layer", "1").code == 0


def test_frames_are_for_models_that_listen_in_time(emoset: Callable[..., Any], work: Path, tiny: Path) -> None:
    full = Path(extract(emoset, work, tiny, "--pool", "frames").json()[0]["folder"]).name
    problem, mend = "holds frames, and one vector an utterance is wanted", "or extract it again with --pool mean"
    for name in ("wav2vec2", FRAMES, full):
        wrong(emoset, work, ["train", "svm", "-f", name], f"{full} {problem}",
              f"emoset train embedding --feature {full}, {mend}")  # fmt: skip
    assert feature_store.find(work, "wav2vec2") == full
    extract(emoset, work, tiny)
    with pytest.raises(EmosetError, match="holds one vector an utterance, and frames are wanted"):
        FrameStore(work, NAME, CORA)
    wrong(emoset, work, ["train", "svm", "-f", "wav2vec2"], "extracted with several settings: ", "choose: --feature")
    with pytest.raises(EmosetError, match=f"demo-aria has no {full} features"):
        FrameStore(work, FRAMES, "demo-aria")


def with_short(work: Path, samples: int = 200) -> Any:
    """The table with its first utterance cut to a few samples."""
    table = read_utterances(work, CORA)
    store = AudioStore(work / "corpora" / CORA / "audio")
    table.loc[0, "samples"] = samples
    table.loc[0, "audio"] = audio_hash(store.samples(table["shard"][0], int(table["offset"][0]), samples))
    return table


@pytest.mark.parametrize("pool", ["frames", "mean", "meansd"])
def test_too_short_utterances_are_named_and_the_others_unharmed(work: Path, tiny: Path, pool: str) -> None:
    table, chosen = with_short(work), recipe(tiny, pool=pool)
    short = table["utterance"][0]
    name = f"wav2vec2-tiny-{pool}"
    module: Any = frame_store if pool == "frames" else feature_store
    assert module.extract(work, chosen, CORA, table, 1) == [short]
    full = feature_store.find(work, name)

    def read(part: Any) -> Any:
        return FrameStore(work, name, CORA).rows(part) if pool == "frames" else feature_store.load(
            work, full, CORA, part
        )  # fmt: skip

    with pytest.raises(EmosetError) as caught:
        read(table)
    assert caught.value.problem == f"1 utterances have no finite {full} features, the first is {short}"
    assert caught.value.mend.startswith("they are too short for the extractor: leave them out by `emoset prepare`")
    read(table.iloc[1:])


def test_what_float16_cannot_hold_is_told(work: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = save(tmp_path / "loud")
    tensors = load_file(folder / "model.safetensors")
    tensors["encoder.layers.1.final_layer_norm.weight"] *= 1e6
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    table = read_utterances(work, CORA)
    for pool, module in (("frames", frame_store), ("meansd", feature_store)):
        chosen = recipe(folder, pool=pool)
        assert len(module.extract(work, chosen, CORA, table, 1)) == len(table)  # type: ignore[attr-defined]


def test_the_command_line_names_what_is_too_short(
    emoset: Callable[..., Any], work: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import emoset_cli.prepare

    table = with_short(work)
    monkeypatch.setattr(emoset_cli.prepare, "read_utterances", lambda *_: table)
    for pool in ("frames", "mean"):
        result = extract(emoset, work, tiny, "--pool", pool)
        assert result.code == 1 and result.json()[0]["without_features"] == 1
        name = f"wav2vec2-tiny-{pool}"
        assert f"problem: {table['utterance'][0]} has no finite {name} features: too short for the" in result.err


def test_the_help_tells_the_options(emoset: Callable[..., Any]) -> None:
    from inspect import signature

    text = " ".join(emoset("extract", "--help").out.split())
    assert "--pool" in text and "XLS-R" in text
    assert set(signature(wav2vec2.plan).parameters) == {*wav2vec2.OPTIONS, "name", "workers", "progress"}


def test_memory_that_does_not_suffice_is_told():
    def encoder(waves: Any, lengths: Any) -> Any:
        raise MemoryError

    waveforms = [np.zeros(16_000, np.int16), np.zeros(32_000, np.int16)]
    with pytest.raises(EmosetError, match=r"out of memory with 4 s of speech at once, the longest utterance has 2 s"):
        wav2vec2._states(encoder, waveforms, "cpu")
