"""openSMILE functionals: eGeMAPS and every other standard set, bit for bit what `opensmile.Smile` answers."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from emoset_cli.audio import SAMPLE_RATE

# Our names -> openSMILE's `FeatureSet`. Sources: Eyben et al. 2016 (GeMAPS, eGeMAPS), Eyben 2015 (emobase),
# Schuller et al. 2009-2016 (the Interspeech challenges' sets).
SETS = {
    "egemaps-v02": "eGeMAPSv02",
    "egemaps-v01b": "eGeMAPSv01b",
    "gemaps-v01b": "GeMAPSv01b",
    "emobase": "emobase",
    "compare-2016": "ComParE_2016",
    "is09": "IS09",
    "is10": "IS10",
    "is11": "IS11",
    "is12": "IS12",
    "is13": "IS13",
}
PACKAGE = "opensmile"
# Versions whose engine, once reset, answers bit for bit what a new one does (compared for all sets). `Smile` makes a
# new one for each utterance and parses all its settings again: 5 to 27 % of the time.
_RESETTABLE = {"2.6.0"}


def build(feature_set: str) -> tuple[list[str], Callable[[list[np.ndarray]], np.ndarray]]:
    """Names of the functionals, and a function from a batch of utterances to their functionals.

    The function takes 16 kHz int16 waveforms, each of shape ``(samples,)``, and answers float32 ``(batch,
    features)``. A row is NaN where openSMILE finds the utterance too short.

    Args:
        feature_set: openSMILE's name of the set, a value of `SETS`
    """
    import warnings

    import opensmile

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Feature set .* is deprecated")  # whoever asks for v01b means it
        smile: Any = opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel.Functionals)

    one = _reusing(smile) if opensmile.__version__ in _RESETTABLE else _plainly(smile)

    def extract(waveforms: list[np.ndarray]) -> np.ndarray:
        rows = []
        for waveform in waveforms:
            with _interrupted_later():
                rows.append(one(waveform))
        return np.stack(rows).astype(np.float32)

    return list(smile.feature_names), extract


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Let Ctrl-C wait for the end of the utterance.

    openSMILE hands over its numbers by a callback from C: an exception there is printed and lost, and the numbers too.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    pressed: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: pressed.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        before(*pressed[0])


def _plainly(smile: Any) -> Callable[[np.ndarray], np.ndarray]:
    import warnings

    def one(waveform: np.ndarray) -> np.ndarray:
        # int16 / 2^15 lies in [-1, 1 - 2^-15]: openSMILE turns it into the same int16 again.
        signal = waveform.astype(np.float32) / np.float32(32768)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Segment too short")
            row: np.ndarray = smile(signal, SAMPLE_RATE)[0, :, 0]
        return row

    return one


def _reusing(smile: Any) -> Callable[[np.ndarray], np.ndarray]:
    """As `_plainly`, by the steps of `Smile._extract` with one engine that is reset after each utterance."""
    from opensmile.core.config import config

    source = Path(smile.default_config_root, config.EXTERNAL_INPUT_CONFIG)
    engine = smile._smile(smile._options() | {"source": str(source), "sampleRate": SAMPLE_RATE, "nBits": 16})

    def one(waveform: np.ndarray) -> np.ndarray:
        frames: list[np.ndarray] = []
        engine.external_sink_set_callback_ex(config.EXTERNAL_OUTPUT_COMPONENT, smile._sink_callback(frames, [], []))
        engine.external_audio_source_write_data(config.EXTERNAL_SOURCE_COMPONENT, waveform.tobytes())
        engine.external_audio_source_set_eoi(config.EXTERNAL_SOURCE_COMPONENT)
        engine.run()
        engine.reset()
        return frames[0].reshape(-1) if frames else np.full(smile.num_features, np.nan)

    return one
