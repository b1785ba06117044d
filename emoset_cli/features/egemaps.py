"""openSMILE functionals: eGeMAPS and every other standard set, bit for bit what `opensmile.Smile` answers."""

from collections.abc import Callable
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

    def extract(waveforms: list[np.ndarray]) -> np.ndarray:
        rows = []
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Segment too short")
            for waveform in waveforms:
                # int16 / 2^15 lies in [-1, 1 - 2^-15]: openSMILE turns it into the same int16 again.
                signal = waveform.astype(np.float32) / np.float32(32768)
                rows.append(smile(signal, SAMPLE_RATE)[0, :, 0])
        return np.stack(rows).astype(np.float32)

    return list(smile.feature_names), extract
