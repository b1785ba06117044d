"""An utterance as a picture: its mel spectrogram in the colours of magma, as an array; nothing is plotted."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np

SIDE = 224  # pixels, height and width
# DeepSpectrum's own spectrogram at 16 kHz (25 ms, up to the next power of two) with the paper's 128 mels. Slaney's
# scale is librosa's; with HTK's a filter would fall between two frequencies. Paper: Gerczuk et al. 2021, section 4.2.
MEL: dict[str, Any] = {
    "mels": 128, "win": 512, "hop": 256, "f_min": 0.0, "f_max": 8000.0, "floor_db": -80.0, "mel_scale": "slaney",
}  # fmt: skip
# What the picture is made by; a part of the settings of every feature that is read from it.
SETTINGS = {"mel": MEL, "colours": "magma", "side": SIDE, "resize": "bilinear, antialiased"}
# Matplotlib's table: red, green and blue of 256 steps. Source: Smith and van der Walt 2015, CC0.
_MAGMA = base64.b64decode(
    "AAADAAAEAAAGAQAHAQEJAQELAgINAgIPAwMRBAMTBAQVBQQXBgUZBwUbCAYdCQcfCgciCwgkDAkmDQooDgoqDwssEAwvEQwxEg0zFA01FQ44Fg46"
    "Fw88GA8/GhBBGxBEHBBGHhBJHxFLIBFNIhFQIxFSJRFVJhFXKBFZKhFcKxFeLRBgLxBiMBBlMhBnNBBoNQ9qNw9sOQ9uOw9vPA9xPg9yQA9zQg90"
    "Qw91RQ92Rw93SBB4ShB5SxB5TRF6TxF7UBJ7UhJ8UxN8VRN9VxR9WBV+WhV+WxZ+XRd+Xhd/YBh/YRh/Yxl/ZRqAZhqAaBuAaRyAaxyAbB2Abh6B"
    "bx6BcR+Bcx+BdCCBdiGBdyGBeSKBeiKBfCOBfiSBfySBgSWBgiWBhCaBhSaBhyeBiSiBiiiBjCmAjSmAjyqAkSqAkiuAlCuAlSyAlyx/mS1/mi1/"
    "nC5/ni5+ny9+oS9+ozB+pDB9pjF9pzF9qTJ8qzN8rDN7rjR7sDR7sTV6szV6tTZ5tjZ5uDd4uTd4uzh3vTl3vjl2wDp1wjp1wzt0xTx0xjxzyD1y"
    "yj5yyz5xzT9wzkBw0EFv0UJu00Jt1ENt1kRs10Vr2UZq2kdp3Ehp3Ulo3kpn4Etm4Uxm4k1l5E5k5VBj5lFi51Ji6FRh6lVg61Zg7Fhf7Vlf7lte"
    "7l1d715d8GBd8WFc8mNc82Vc82db9Ghb9Wpb9Wxb9m5b9nBb93Fb93Nc+HVc+Hdc+Xlc+Xtd+X1d+n9e+oBe+oJf+4Rg+4Zg+4hh+4pi/Ixj/I5j"
    "/JBk/JJl/JNm/ZVn/Zdo/Zlp/Ztq/Z1r/Z9s/aFu/aJv/aRw/qZx/qhz/qp0/qx1/q52/q94/rF5/rN7/rV8/rd9/rl//ruA/ryC/r6D/sCF/sKG"
    "/sSI/saJ/seL/smN/suO/c2Q/c+S/dGT/dKV/dSX/daY/dia/dqc/dyd/d2f/d+h/eGj/OOl/OWm/Oao/Oiq/Oqs/Oyu/O6w/PCx/PGz/PO1/PW3"
    "+/e5+/m7+/q9+/y/"
)


def magma(values: np.ndarray) -> np.ndarray:
    """The colours of values between 0 and 1, by matplotlib's rule: 256 steps of equal width.

    Shape:
        values: ``(...)``
        colours: ``(..., 3)``, uint8

    Example:
        >>> magma(np.array([0.0, 1.0])).tolist()
        [[0, 0, 3], [251, 252, 191]]
    """
    table = np.frombuffer(_MAGMA, np.uint8).reshape(256, 3)
    colours: np.ndarray = table[np.minimum((values * 256).astype(np.intp), 255)]
    return colours


def painter() -> Callable[[np.ndarray], Any]:
    """A function from an utterance to its picture.

    The whole utterance, whatever its length: time from left to right, low frequencies at the bottom, all mels equally
    high, black at 80 dB below the utterance's loudest value and less. Coloured first, then resized, as a plot would be.
    A picture does not depend on other utterances, nor on the device: it is made on the processor.

    Shape:
        waveform: ``(samples,)``, int16, 16 kHz
        picture: ``(3, 224, 224)``, uint8 tensor: red, green, blue; row 0 is the top
    """
    import torch

    from emoset_cli.models.layers.logmel import LogMel

    spectrogram = LogMel(**MEL)

    def paint(waveform: np.ndarray) -> torch.Tensor:
        waves = torch.from_numpy(waveform)[None]
        scaled, _ = spectrogram(waves, torch.tensor([len(waveform)]))  # 1, 1, mels, frames
        coloured = magma(scaled[0, 0].flip(0).numpy())  # mels, frames, 3
        whole = torch.from_numpy(coloured).permute(2, 0, 1)[None]  # 1, 3, mels, frames
        return torch.nn.functional.interpolate(whole, (SIDE, SIDE), mode="bilinear", antialias=True)[0]

    return paint
