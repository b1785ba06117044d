"""One openSMILE engine, reset after each utterance, answers what a new one for each utterance does."""

import os
import signal
import sys
import warnings

import numpy as np
import opensmile
import pytest

from emoset_cli.features import egemaps


def recordings():
    rng = np.random.default_rng(0)
    time_s = np.arange(12000) / 16000
    voiced = np.sign(np.sin(2 * np.pi * (140 + 30 * time_s) * time_s)) * np.hanning(12000) * 9000
    noise = rng.normal(size=9000) * 3000
    short, silent, cut = np.zeros(100), np.zeros(8000), voiced[:900]
    return [wave.astype(np.int16) for wave in (voiced, short, noise, silent, cut, voiced[::-1], short, voiced)]


@pytest.mark.parametrize("official", egemaps.SETS.values())
def test_a_reset_engine_answers_bit_for_bit_as_a_new_one(official):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # v01b is deprecated
        smile = opensmile.Smile(opensmile.FeatureSet[official], opensmile.FeatureLevel.Functionals)
    reused, plain = egemaps._reusing(smile), egemaps._plainly(smile)
    rows = [(reused(waveform), plain(waveform)) for waveform in recordings()]
    for ours, theirs in rows:
        assert ours.dtype == theirs.dtype or not np.isfinite(ours).any()
        assert np.array_equal(ours, theirs, equal_nan=True)
    assert np.array_equal(rows[0][0], rows[-1][0])  # nothing is left of what came between


def test_an_engine_of_another_version_is_not_reused(monkeypatch):
    monkeypatch.setattr(egemaps, "_RESETTABLE", set())
    monkeypatch.setattr(egemaps, "_reusing", None)
    names, extract = egemaps.build("eGeMAPSv02")
    voiced = recordings()[0]
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    expected = smile.process_signal(voiced.astype(np.float32) / 32768, 16000)
    assert names == list(expected.columns)
    assert np.array_equal(extract([voiced]), expected.to_numpy(np.float32))


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal to itself")
def test_ctrl_c_waits_for_the_end_of_the_utterance(monkeypatch, capfd):
    real, heard = opensmile.Smile._sink_callback, []

    def collecting(*lists):
        hear = real(*lists)

        def callback(*data):
            os.kill(os.getpid(), signal.SIGINT)  # raised here, it would be printed, and the numbers lost
            hear(*data)
            heard.append(lists[0])

        return callback

    monkeypatch.setattr(opensmile.Smile, "_sink_callback", staticmethod(collecting))
    _, extract = egemaps.build("eGeMAPSv02")
    with pytest.raises(KeyboardInterrupt):
        extract(recordings())
    assert len(heard) == 1 and len(heard[0]) == 1
    assert capfd.readouterr().err == ""
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
