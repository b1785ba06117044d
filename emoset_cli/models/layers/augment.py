"""What is changed at random in training spectrograms: noise, masks (SpecAugment), speed and pitch.

All that is random comes from torch's global generator of the processor, on whatever device the spectrograms are.
"""

import torch
from torch import Tensor

GRID = 9  # speeds and pitches to draw from: few, so that their filters need be made only once


def draw(middle: float, reach: float) -> float:
    """One of `GRID` numbers, equally far apart, from ``middle - reach`` to ``middle + reach``."""
    step = int(torch.randint(GRID, ()))
    return middle + reach * (2 * step / (GRID - 1) - 1)


def add_noise(spectrogram: Tensor, deviation: float) -> Tensor:
    """Add Gaussian noise; the values stay between 0 and 1, and what is at the floor stays there.

    Args:
        spectrogram: ``(batch, 1, mels, frames)``, 0 is the floor
        deviation: standard deviation of the noise, in the unit of the spectrogram
    """
    noise = torch.randn(spectrogram.shape).to(spectrogram.device).mul_(deviation)
    return noise.add_(spectrogram).clamp_(0, 1).mul_(spectrogram > 0)


def mask_frames(spectrogram: Tensor, frames: Tensor, count: int, widest: int) -> Tensor:
    """Give some stretches of each utterance the utterance's mean value (SpecAugment's time masks).

    A stretch has 0 to ``widest`` frames, each number equally likely, but not more than half of the utterance's.

    Args:
        spectrogram: ``(batch, 1, mels, frames)``, 0 behind an utterance's end
        frames: ``(batch,)``, of each utterance
        count: stretches in each utterance
        widest: in frames

    Source:
        Park et al. 2019; there, too, the value is the mean.
    """
    return _mask(spectrogram, _means(spectrogram, frames), frames, count, widest, 3)


def mask_mels(spectrogram: Tensor, frames: Tensor, count: int, widest: int) -> Tensor:
    """As `mask_frames`, for 0 to ``widest`` neighbouring mels of an utterance's frames."""
    mels = torch.full_like(frames, spectrogram.shape[2])
    inside = torch.arange(spectrogram.shape[3], device=frames.device) < frames[:, None]
    means = _means(spectrogram, frames) * inside[:, None, None, :]  # padding stays 0
    return _mask(spectrogram, means, mels, count, widest, 2)


def _means(spectrogram: Tensor, frames: Tensor) -> Tensor:
    """Mean of the values of each utterance, ``(batch, 1, 1, 1)``."""
    return spectrogram.sum((1, 2, 3), keepdim=True) / (frames * spectrogram.shape[2])[:, None, None, None]


def _mask(spectrogram: Tensor, means: Tensor, sizes: Tensor, count: int, widest: int, axis: int) -> Tensor:
    """``sizes`` are the places along ``axis`` that an utterance has, ``(batch,)``."""
    places = torch.arange(spectrogram.shape[axis], device=spectrogram.device)
    hit = torch.zeros(len(sizes), len(places), dtype=torch.bool, device=spectrogram.device)
    for _ in range(count):
        first, second = torch.rand(2, len(sizes)).to(sizes.device)
        widths = (first * ((sizes // 2).clamp(max=widest) + 1)).long()
        starts = (second * (sizes - widths + 1)).long()[:, None]
        hit |= (places >= starts) & (places < starts + widths[:, None])
    shape = [len(sizes), 1, 1, 1]
    shape[axis] = len(places)
    return torch.where(hit.view(shape), means, spectrogram)
