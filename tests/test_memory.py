"""Files that promise or hold far too much: memory stays where it is, and each of them is named with what to do.

``ru_maxrss`` of the command's own process is compared with that of the same command on recordings of a second.
"""

import csv
import os
import shutil
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from emoset_cli import audio
from emoset_cli.extraction import together

ENV = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
RUN = [sys.executable, "-c", "from emoset_cli.cli.main import main; main()"]
MORE_MB = 80  # that a command may take beyond what it takes for short recordings; an hour of samples has 115 as int16
WHO = "angry/ada"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="needs wait4")]


def peak_mb(*words):
    """The largest memory of a command in MB, its exit code and what it said."""
    process = subprocess.Popen(
        [*RUN, *map(str, words)], env=ENV, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    err = process.stderr.read()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss / (1024 if sys.platform == "linux" else 1024**2), process.returncode, err


def hours(path, count, tone):
    """A FLAC of silence, and with ``tone`` a second of it each minute; written in blocks."""
    minute = np.zeros(16000 * 60, np.int16)
    if tone:
        minute[:16000] = 8000 * np.sin(2 * np.pi * 220 * np.arange(16000) / 16000)
    with soundfile.SoundFile(path, "w", 16000, 1, "PCM_16", format="FLAC") as file:
        for _ in range(round(count * 60)):
            file.write(minute)


def form(rate=16000):
    return struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)


def odd_files(folder, long_h):
    """What promises or holds too much, beside the recordings of ``folder``; the name's number -> problem."""
    raw = np.random.default_rng(0).integers(-3000, 3000, 16000, np.int16).tobytes()
    wav = struct.pack("<4sI4s", b"RIFF", 2_000_000_000, b"WAVE") + form() + struct.pack("<4sI", b"data", 2_000_000_000)
    (folder / f"{WHO}_p11_v1.wav").write_bytes(wav + raw)
    large = struct.pack("<4sI4s", b"RF64", 0xFFFFFFFF, b"WAVE")
    large += struct.pack("<4sIQQQI", b"ds64", 28, 2**33 + 72, 2**33, 2**32, 0) + form()
    (folder / f"{WHO}_p12_v1.wav").write_bytes(large + struct.pack("<4sI", b"data", 0xFFFFFFFF) + raw)
    hours(folder / f"{WHO}_p13_v1.flac", long_h, tone=False)
    hours(folder / f"{WHO}_p14_v1.flac", long_h, tone=True)
    return {"p11": "truncated", "p12": "truncated", "p13": "silent", "p14": "too long"}


@pytest.fixture(scope="module", params=[1, pytest.param(12, marks=pytest.mark.slow)], ids="{}h".format)
def swollen(request, small, tmp_path_factory):
    """A corpus of 18 utterances with such files; its folder and the problem of each file."""
    folder = shutil.copytree(small / "recordings", tmp_path_factory.mktemp("swollen") / "recordings")
    wanted = odd_files(folder, request.param)
    assert sum(path.stat().st_size for path in folder.rglob("*.flac")) < 12e6
    yield folder, wanted
    shutil.rmtree(folder.parent)


def test_prepare_names_what_is_too_much_and_holds_no_more_of_it_than_a_block(swollen, small, tmp_path):
    folder, wanted = swollen
    usual, code, _ = peak_mb("prepare", f"demo-cora={small / 'recordings'}", "-d", tmp_path / "small", "-q")
    assert code == 0
    peak, code, err = peak_mb("prepare", f"demo-cora={folder}", "-d", tmp_path / "w")
    assert code == 0, err
    assert peak < usual + MORE_MB
    told = (tmp_path / "w" / "corpora" / "demo-cora" / "problems.csv").read_text("utf-8")
    rows = list(csv.DictReader(told.splitlines()))
    found = {row["path"].split("_")[1]: row for row in rows if row["action"] == "left out"}
    assert {number: row["problem"] for number, row in found.items()} == wanted
    assert found["p11"]["detail"] == "its header promises 62500.00 s, the file holds 1.00 s"
    assert found["p12"]["detail"] == "its header promises 268435.46 s, the file holds 1.00 s"
    assert "minutes are no utterance" in found["p14"]["detail"] and "--max-duration" in found["p14"]["mend"]
    assert "too long, 1 left out; angry/ada_p14_v1.flac" in err


def test_predict_names_headers_that_promise_gigabytes(small, tmp_path):
    folder = tmp_path / "odd"
    (folder / WHO).parent.mkdir(parents=True)
    odd_files(folder, 1 / 60)
    words = ["-d", small / "w", "--workers", "1"]
    usual, code, _ = peak_mb("predict", "demo-cora_forest", next((small / "recordings").rglob("*.wav")), *words)
    assert code == 0
    peak, code, err = peak_mb("predict", "demo-cora_forest", *sorted(folder.glob(f"{WHO}_p1[12]_*")), *words)
    assert code == 0, err
    assert peak < usual + MORE_MB
    assert "WARNING: truncated: 2 of 2, the first is" in err
    assert "p11_v1.wav (its header promises 62499.00 s more than the file holds)" in err


@pytest.mark.slow
def test_a_network_hears_half_a_day(tmp_path, crossed):
    long, short = tmp_path / "long.flac", tmp_path / "short.flac"
    hours(short, 0.5, tone=True)
    hours(long, 12, tone=True)
    words = ["-d", crossed, "--workers", "1", "--window", "30", "--hop", "30"]
    usual, code, err = peak_mb("predict", "demo-cora_cnn-scratch_standard", short, *words)
    assert code == 0, err
    peak, code, err = peak_mb("predict", "demo-cora_cnn-scratch_standard", long, *words)
    assert code == 0, err
    assert peak < usual + MORE_MB


def test_segments_are_cut_from_hours_but_none_is_an_hour(tmp_path, emoset):
    folder = tmp_path / "talks"
    folder.mkdir()
    hours(folder / "talk.flac", 1, tone=True)
    listed = "file,label,speaker,start,end\ntalk.flac,joy,1,0,1.5\ntalk.flac,anger,2,60,61.5\ntalk.flac,joy,3,0,3500\n"
    (folder / "list.csv").write_text(listed, "utf-8")
    workspace = tmp_path / "w"
    done = emoset("corpora", "import", "talks", folder / "list.csv", "--audio", folder, "--language", "deu",
                  "-d", workspace)  # fmt: skip
    assert done.code == 0, done.err
    done = emoset("prepare", f"talks={folder}", "-d", workspace, "--json")
    assert done.code == 0, done.err
    assert done.json()["corpora"][0]["utterances"] == 2
    assert "too long, 1 left out; talk.flac: 58.3 minutes are no utterance" in done.err
    assert emoset("prepare", f"talks={folder}", "-d", workspace, "--max-duration", "3600", "-q").code == 0


def test_a_recording_of_more_than_a_hundred_hours_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(audio, "_LONGEST_H", 0.01)
    hours(tmp_path / "long.flac", 1 / 60, tone=True)
    assert audio.read(tmp_path / "long.flac", lambda block: None).failure == "it lasts more than 0.01 hours"


def test_long_utterances_are_extracted_a_few_at_a_time():
    cells = [("u", "shard", 0, seconds * 16000, "audio") for seconds in (5000, 600, 600, 500, *[2] * 30)]
    assert [len(job) for job in together(cells, 16)] == [1, 2, 16, 15]


def test_a_speech_encoder_is_not_given_minutes_in_silence(emoset, tmp_path, recordings):
    from emoset_cli.synth.models import tiny_encoder

    folder = shutil.copytree(recordings["demo-cora"], tmp_path / "cora", ignore=shutil.ignore_patterns("*_p0[2-9]_*"))
    sound = np.random.default_rng(0).integers(-3000, 3000, 130 * 16000, np.int16)
    soundfile.write(folder / f"{WHO}_p11_v1.flac", sound, 16000)
    workspace = tmp_path / "w"
    assert emoset("prepare", f"demo-cora={folder}", "-d", workspace, "-q").code == 0
    model = tiny_encoder(tmp_path / "tiny")
    done = emoset("extract", "wav2vec2", "--model", model, "--pool", "mean", "-d", workspace, "--workers", "1", "-q")
    assert done.code == 0, done.err
    told = "WARNING: demo-cora/angry/ada_p11_v1 lasts 130 s (1 last more than 120 s), and a speech encoder hears"
    assert told in done.err and "about 2 GB of memory; emoset prepare --max-duration 120" in done.err
    assert "WARNING" not in emoset("extract", "egemaps", "-d", workspace, "--workers", "1", "-q").err
