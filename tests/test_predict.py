"""Predictions of recordings by finished runs: the numbers of the training, windows, concerns, errors."""

import csv
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from emoset_cli import runs
from emoset_cli.audio import Condition
from emoset_cli.calibration import fitted_temperature, probabilities
from emoset_cli.predict import predicting, reading
from emoset_cli.predict.baselines import BaselineModel
from emoset_cli.predict.concerns import KINDS, concerns
from emoset_cli.predict.inputs import Recording, find_recordings
from emoset_cli.predict.windows import Cut, Cutter
from emoset_cli.prepare import read_utterances

ARIA, CORA = "demo-aria", "demo-cora"
pytestmark = pytest.mark.usefixtures("one_thread")


def written(workspace, run, partitions=("test",), fold=None):
    """What the training wrote of a run's utterances of demo-cora: a row by path."""
    table = runs.find_run(workspace, run).predictions()
    table = table[(table["corpus"] == CORA) & table["partition"].isin(partitions)]
    table = table[table["fold"] == fold] if fold else table
    paths = read_utterances(workspace, CORA).set_index("utterance")["path"]
    return table.assign(path=table["utterance"].map(paths)).set_index("path")


def assert_equal(answer, table, folder, head=CORA, prefix="probability_"):
    """The numbers of an answer are those of the table, to 1e-5."""
    said = {Path(one["recording"]).relative_to(folder).as_posix(): one["said"][head] for one in answer["recordings"]}
    assert len(table) >= 3
    for path, row in table.iterrows():
        kind = "scores" if prefix == "score_" else "probabilities"
        for label, value in said[path][kind].items():
            assert value == pytest.approx(float(row[f"{prefix}{label}"]), abs=1e-5), (path, label)
        assert said[path]["prediction"] == row["prediction"]


# ---------------- the numbers of the training


def test_a_network_says_what_it_said_when_it_was_trained(emoset, crossed, recordings):
    run = next(name for name in runs.list_runs(crossed) if name.startswith(f"{ARIA}+{CORA}_cnn"))
    answer = emoset("predict", run, recordings[CORA], "-d", crossed, "--json").json()
    assert list(answer["heads"]) == [ARIA, CORA]
    assert_equal(answer, written(crossed, run, ("devel", "test")), recordings[CORA])
    final = emoset("predict", f"{run}:final", recordings[CORA], "--as", CORA, "-d", crossed, "--json").json()
    assert list(final["heads"]) == [CORA]
    assert_equal(final, written(crossed, f"{run}:final", ("devel", "test")), recordings[CORA])


def test_several_processes_say_the_same(emoset, small, monkeypatch):
    predict = ["predict", f"{CORA}_svm", small / "recordings", "-d", small / "w", "--json"]
    alone = emoset(*predict, "--workers", "1").json()
    monkeypatch.setattr(predicting, "_MANY", 0)
    monkeypatch.setattr(BaselineModel, "together", 5)
    assert emoset(*predict, "--workers", "2").json() == alone
    refused = emoset(*predict, "--speakers", "one")
    assert (refused.code, refused.out) == (1, "")
    assert "leave --speakers out" in refused.err


def test_an_svm_says_what_it_said_when_it_was_trained(emoset, small):
    workspace, place = small / "w", small / "recordings"
    answer = emoset("predict", f"{CORA}_svm", place, "-d", workspace, "--json").json()
    assert_equal(answer, written(workspace, f"{CORA}_svm"), place, prefix="score_")
    shares = [list(one["said"][CORA]["probabilities"].values()) for one in answer["recordings"]]
    assert np.allclose(np.sum(shares, axis=1), 1)


def test_a_forest_says_what_it_said_when_it_was_trained(emoset, small):
    workspace, place = small / "w", small / "recordings"
    answer = emoset("predict", f"{CORA}_forest", place, "-d", workspace, "--json").json()
    assert_equal(answer, written(workspace, f"{CORA}_forest"), place)


def test_folds_are_averaged_or_chosen_and_speakers_standardised_as_in_training(emoset, small, tmp_path):
    workspace, place = Path(shutil.copytree(small / "w", tmp_path / "w")), small / "recordings"
    train = ["train", "svm", "-t", CORA, "--partition", "loso", "--normalise", "speaker", "--workers", "1"]
    assert emoset(*train, "-d", workspace, "-q").code == 0
    run = f"{CORA}_svm-egemaps-v02_loso-speaker"
    table = written(workspace, run)
    fold, speaker = table["fold"].iloc[0], table["speaker"].iloc[0]
    own = [place / path for path in table.index[table["speaker"] == speaker]]
    common = ["predict", run, *own, "-d", workspace, "--json"]
    refused = emoset(*common)
    assert (refused.code, refused.out) == (1, "")
    assert "--speakers one if all are of one person" in refused.err
    answer = emoset(*common, "--speakers", "one", "--fold", fold).json()
    assert answer["folds"] == [fold]
    assert_equal(answer, table[table["speaker"] == speaker], place, prefix="score_")
    one_by_one = [
        emoset(*common, "--speakers", "one", "--fold", name).json()["recordings"][0]["said"][CORA]["probabilities"]
        for name in sorted(set(table["fold"]))
    ]
    mean = emoset(*common, "--speakers", "one").json()["recordings"][0]["said"][CORA]["probabilities"]
    assert "is the only one of its speaker" in emoset(*common, "--speakers", "folder").err  # folders are labels here
    for label, value in mean.items():
        assert value == pytest.approx(np.mean([one[label] for one in one_by_one]), abs=1e-9)


def test_stored_features_of_an_encoder_are_made_again_from_the_same_weights(emoset, small, tmp_path):
    import speech_models

    workspace = Path(shutil.copytree(small / "w", tmp_path / "w"))
    encoder, other = tmp_path / "encoder", tmp_path / "other"
    speech_models.save(encoder)
    speech_models.save(other, seed=1)
    place, common = small / "recordings", ["-d", workspace, "-q", "--workers", "1"]
    for pool, train in (("mean", ["svm"]), ("frames", ["embedding", "-e", "1", "-spe", "1", "-bs", "4"])):
        extract = ["extract", "wav2vec2", "--model", encoder, "--pool", pool, "--precision", "fp32"]
        assert emoset(*extract, *common).code == 0
        feature = next(path.name for path in (workspace / "features").glob(f"wav2vec2-*{pool}_*"))
        trained = emoset("train", *train, "-t", CORA, "--feature", feature, *common, "--json")
        assert trained.code == 0, trained.err
        run = trained.json()[0]["run"]
        predict = ["predict", run, place, "-d", workspace, "--json"]
        if pool == "mean":
            assert "--weights FOLDER" in emoset(*predict).err
            assert "with other weights than" in emoset(*predict, "--weights", other).err
        answer = emoset(*predict, "--weights", encoder).json()
        prefix = "score_" if pool == "mean" else "probability_"
        assert_equal(answer, written(workspace, run), place, prefix=prefix)


# ---------------- label spaces


def test_a_label_space_is_the_mean_of_the_heads(emoset, crossed, recordings):
    run = next(name for name in runs.list_runs(crossed) if name.startswith(f"{ARIA}+{CORA}_cnn"))
    files = sorted(recordings[CORA].rglob("*.*"))[:2]
    own = emoset("predict", run, *files, "-d", crossed, "--json").json()
    mapped = emoset("predict", run, *files, "-d", crossed, "--space", "three-class", "--json").json()
    assert (list(mapped["heads"]), mapped["mean_of"]) == (["three-class"], [ARIA, CORA])
    assert f"{CORA} has no label that is neutral" in mapped["notes"]
    from emoset_cli.labels import spaces

    to = spaces()["three-class"].map
    for one, other in zip(own["recordings"], mapped["recordings"], strict=True):
        shares = []
        for said in one["said"].values():
            known = {word: share for word, share in said["probabilities"].items() if word in to}
            positive = sum(share for word, share in known.items() if to[word] == "positive")
            shares.append(positive / sum(known.values()))
        assert other["said"]["three-class"]["probabilities"]["positive"] == pytest.approx(np.mean(shares), abs=1e-6)


# ---------------- windows


@settings(max_examples=40, deadline=None)
@given(
    blocks=st.lists(st.integers(0, 40), max_size=12), window=st.integers(1, 20), hop=st.integers(1, 20),
    whole=st.integers(0, 30),
)  # fmt: skip
def test_windows_cover_a_recording_whatever_its_blocks(blocks, window, hop, whole):
    hop, whole = min(hop, window), whole + window
    samples = np.arange(sum(blocks))
    pieces = []
    cutter = Cutter(0, Cut(window, hop, whole), pieces.append)
    for block in np.split(samples, np.cumsum(blocks)[:-1]) if blocks else []:
        cutter.add(block)
    cutter.end()
    assert cutter.pieces == len(pieces)
    assert cutter.windows == (len(samples) > whole)
    for number, piece in enumerate(pieces):
        assert piece.number == number
        assert np.array_equal(piece.samples, samples[piece.start : piece.start + len(piece.samples)])
        assert len(piece.samples) == (window if cutter.windows else len(samples))
    covered = set().union(*(piece.samples.tolist() for piece in pieces)) if pieces else set()
    assert covered == set(samples.tolist())
    assert [piece.start for piece in pieces[:-1]] == [hop * number for number in range(len(pieces) - 1)]


def test_what_is_read_ahead_is_bounded_and_readers_stop_when_nobody_listens(tmp_path, monkeypatch):
    file = tmp_path / "long.wav"
    soundfile.write(file, np.zeros(1_000_000, np.int16), 16000)
    monkeypatch.setattr(reading, "_AHEAD", 40_000)
    held = []

    class Watched(reading._Buffer):
        def put(self, item, size):
            super().put(item, size)
            held.append(self._held)

    monkeypatch.setattr(reading, "_Buffer", Watched)
    before = threading.active_count()
    records = [Recording(str(number), file, 0) for number in range(3)]
    with reading.reading(records, Cut(16_000, 16_000, 16_000), 3) as items:
        for _ in range(20):
            next(items)
    assert len(held) >= 20 and max(held) <= 40_000
    assert threading.active_count() == before


def test_a_mistake_of_ours_in_a_reader_is_not_swallowed(monkeypatch):
    monkeypatch.setattr(reading, "_read", lambda *given: 1 / 0)
    with (
        reading.reading([Recording("a", Path("a"), 0)], Cut(1, 1, 1), 1) as items,
        pytest.raises(ZeroDivisionError),
    ):
        list(items)


@pytest.fixture(scope="module")
def long(recordings, tmp_path_factory):
    """Some sentences of demo-cora end to end, more than 30 s, at 44.1 kHz and in stereo."""
    import soxr

    parts, seconds = [], 0.0
    for path in sorted(path for path in recordings[CORA].rglob("*") if path.is_file()):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        parts.append(soxr.resample(samples[:, 0], rate, 44100))
        seconds += len(parts[-1]) / 44100
        if seconds > 30.5:
            break
    file = tmp_path_factory.mktemp("long") / "a talk.flac"
    whole = np.concatenate(parts)
    soundfile.write(file, np.stack([whole, whole], 1), 44100)
    return file, len(whole) / 44100


def test_a_long_recording_has_a_timeline(emoset, crossed, long, tmp_path):
    file, seconds = long
    run = next(name for name in runs.list_runs(crossed) if name.startswith(f"{ARIA}+{CORA}_cnn"))
    out = tmp_path / "out"
    words = ["predict", run, file, "--window", "3", "--hop", "1.5", "--out", out, "-d", crossed, "--json"]
    done = emoset(*words)
    assert done.code == 0, done.err
    answer = done.json()
    assert "resampled to 16 kHz: 1 of 44100 Hz" in answer["notes"]
    assert "mixed down to one channel: 1" in answer["notes"]
    (one,) = answer["recordings"]
    starts = [window["start_s"] for window in one["windows"]]
    assert starts[:3] == [0.0, 1.5, 3.0]
    assert all(window["end_s"] - window["start_s"] == pytest.approx(3, abs=2e-3) for window in one["windows"])
    assert one["windows"][-1]["end_s"] == pytest.approx(seconds, abs=0.01)
    for head, said in one["said"].items():
        for label, value in said["probabilities"].items():
            inner = [window["said"][head]["probabilities"][label] for window in one["windows"]]
            assert value == pytest.approx(np.mean(inner), abs=1e-6)
    assert json.loads((out / "predictions.json").read_text("utf-8")) == answer
    names = {path.name for path in (out / "timelines").iterdir()}
    each = {f"a-talk.flac.{head}.{kind}" for head in (ARIA, CORA) for kind in ("txt", "svg")}
    assert names == {"a-talk.flac.csv", "a-talk.flac.json", *each}
    rows = list(csv.DictReader((out / "timelines" / "a-talk.flac.csv").read_text("utf-8").splitlines()))
    assert len(rows) == 2 * len(starts)
    track = [line.split("\t") for line in (out / "timelines" / f"a-talk.flac.{CORA}.txt").read_text().splitlines()]
    assert [begin for begin, _, _ in track[1:]] == [end for _, end, _ in track[:-1]]
    assert float(track[0][0]) == 0 and float(track[-1][1]) == pytest.approx(seconds, abs=0.01)
    assert {label for *_, label in track} <= set(answer["heads"][CORA])
    picture = (out / "timelines" / f"a-talk.flac.{CORA}.svg").read_text("utf-8")
    assert all(f">{label}</text>" in picture for label in answer["heads"][CORA])
    again = emoset(*words)
    assert (again.code, again.out) == (1, "")
    assert "holds predictions already" in again.err
    assert emoset(*words[:3], "--out", out, "--as", CORA, "-d", crossed, "--force").code == 0
    assert {path.suffix for path in (out / "timelines").iterdir()} == {".csv", ".json", ".txt", ".svg"}
    assert len(list((out / "timelines").iterdir())) == 4


def test_without_a_window_only_long_recordings_are_cut(emoset, small, long):
    short = min((small / "recordings").rglob("*.*"))
    answer = emoset("predict", f"{CORA}_svm", short, long[0], "-d", small / "w", "--json").json()
    first, second = answer["recordings"]
    assert (first["windows"], len(second["windows"]) > 10) == ([], True)
    learnt = runs.find_run(small / "w", f"{CORA}_svm").config["heard"]["seconds"]
    assert answer["window_s"] == max(1.5, round(2 * learnt["median"]) / 2)


# ---------------- recordings that are bad, or not like those of the training


def test_bad_recordings_are_named_and_the_others_go_on(emoset, small, tmp_path):
    folder = tmp_path / "mixed"
    (folder / "below").mkdir(parents=True)
    good = min((small / "recordings").rglob("*.*"))
    (folder / "below" / good.name).write_bytes(good.read_bytes())
    (folder / "empty.wav").touch()
    (folder / "text.mp3").write_text("no sound")
    soundfile.write(folder / "tiny.wav", np.ones(800, np.int16), 16000)
    soundfile.write(folder / "nan.wav", np.full(16000, np.nan), 16000, subtype="FLOAT")
    (folder / "notes.txt").write_text("no recording")
    done = emoset("predict", f"{CORA}_svm", folder, tmp_path / "none.wav", "-d", small / "w", "--json")
    assert done.code == 1
    value = done.json()
    assert [Path(one["recording"]).name for one in value["recordings"]] == [good.name]
    assert {Path(one["recording"]).name for one in value["failed"]} == {
        "empty.wav", "nan.wav", "text.mp3", "tiny.wav"}  # fmt: skip
    for words in ("none.wav is not there", "empty.wav: the file has 0 bytes", "tiny.wav: 50 ms are too short",
                  "nan.wav: it holds NaN", "text.mp3: it cannot be decoded"):  # fmt: skip
        assert words in done.err
    assert done.err.count("  mend: ") == 5
    alone = emoset("predict", f"{CORA}_svm", folder / "empty.wav", "-d", small / "w")
    assert (alone.code, alone.out) == (1, "")


def test_recordings_unlike_the_training_are_told(emoset, small, tmp_path):
    speech, rate = soundfile.read(min((small / "recordings").rglob("*.*")), always_2d=True)
    speech = np.tile(speech[:, 0] / np.abs(speech).max(), 8)
    soundfile.write(tmp_path / "telephone.wav", speech[:: rate // 8000], 8000)
    soundfile.write(tmp_path / "clipped.wav", np.clip(4 * speech, -0.9, 0.9), rate)
    soundfile.write(tmp_path / "silent.wav", np.zeros(2 * rate), rate)
    soundfile.write(tmp_path / "short.wav", speech[: rate // 4], rate)
    done = emoset("predict", f"{CORA}_forest", tmp_path, "--language", "urd", "-d", small / "w", "--json")
    assert done.code == 0
    told = {Path(one["recording"]).stem: [c["kind"] for c in one["concerns"]] for one in done.json()["recordings"]}
    assert "narrow" in told["telephone"] and "longer" in told["telephone"]
    assert "clipped" in told["clipped"]
    assert told["silent"][0] == "silent"
    assert told["short"] == ["shorter"]
    assert "has not learnt from urd" in done.err
    assert "WARNING: narrow: 1 of 4, the first is" in done.err
    assert "4 kHz" in done.err


def test_every_kind_of_concern_can_be_raised_and_what_is_usual_raises_none():
    learnt = {"seconds": {"least": 1.0, "median": 2.0, "most": 4.0}, "sample_rates": [16000], "languages": ["deu"]}
    usual = Condition(native_sample_rate=44100, channels=2, samples=32000, peak=0.5, rms=0.1, span=30000)
    assert concerns(usual, False, learnt) == []
    changes = [
        {"span": 1}, {"peak": 0.005}, {"at_extreme": 40}, {"missing": 1.0}, {"native_sample_rate": 8000},
        {"samples": 8000}, {"samples": 160000},
    ]  # fmt: skip
    found = [kind for change in changes for kind, _ in concerns(Condition(**(vars(usual) | change)), False, learnt)]
    assert set(found) == set(KINDS) and len(found) == len(KINDS)
    assert concerns(Condition(**(vars(usual) | {"samples": 160000})), True, learnt) == []
    telephone = learnt | {"sample_rates": [8000, 16000]}
    assert concerns(Condition(**(vars(usual) | {"native_sample_rate": 8000})), False, telephone) == []


def test_the_page_explains_every_concern():
    page = (Path(__file__).parents[1] / "docs" / "predict.md").read_text("utf-8")
    for kind, words in KINDS.items():
        assert f"| `{kind}` | {words} |" in page


def test_each_recording_is_taken_once(tmp_path):
    for name in ("a.wav", "below/b.FLAC", "c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found, errors = find_recordings([tmp_path / "c.txt", tmp_path, tmp_path / "a.wav"])
    assert [one.path.name for one in found] == ["c.txt", "a.wav", "b.FLAC"]
    assert errors == []


# ---------------- decision values as probabilities


def test_the_temperature_of_scores_fits_how_often_they_are_right():
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((4000, 3)) * 2
    truth = [str(rng.choice(3, p=row)) for row in probabilities(scores, 2.5)]
    assert fitted_temperature(scores, truth, ["0", "1", "2"]) == pytest.approx(2.5, rel=0.1)
    assert fitted_temperature(scores, ["other"] * 4000, ["0", "1", "2"]) == 1.0
