"""The front end of every network that hears waveforms: log-mel spectrogram, changed at random in training."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from emoset_cli.errors import EmosetError, unknown
from emoset_cli.models.approaches import NORMALISE
from emoset_cli.models.layers import augment
from emoset_cli.models.layers.logmel import LogMel

OCTAVE = 12  # semitones
LEAST_SD = 1e-3  # 0.08 dB: what varies less is silence, and stays 0


class Front(nn.Module):
    """Waveforms to scaled log-mel spectrograms; in training, whatever of noise, masks, speed and pitch is asked for.

    Defaults are the paper's: nothing is changed. Speed and pitch are drawn for a batch, noise and masks for each
    utterance. Changing them costs no time: instead of resampling, frames lie closer or wider and filters lower or
    higher. That is the spectrogram of the resampled sound, but for the length of the analysis window (which stays).

    Args:
        mels: number of mel filters
        win: samples of window and Fourier transform
        hop: samples between frames
        f_min: lower edge of the lowest filter in Hz
        f_max: upper edge of the highest filter in Hz, up to 8000
        floor_db: dB below an utterance's loudest value at which values are clipped
        noise: standard deviation of Gaussian noise on the spectrogram, in dB, from 0 on
        time_masks: stretches of time that are masked, a number from 0 on
        time_mask_frames: most frames of such a stretch, never more than half of the utterance's
        freq_masks: stretches of mels that are masked, a number from 0 on
        freq_mask_mels: most mels of such a stretch, up to half of ``mels``
        speed: greatest change of speed, a share from 0 to 0.5: 0.1 plays at 0.9 to 1.1 times the speed, and pitch and
            formants go along as on a tape
        pitch: greatest change of pitch (and formants) in semitones, 0 to 12; the duration stays
        normalise: z-scores of each mel band, a key of `emoset_cli.models.approaches.NORMALISE`. ``global`` ones are of
            all that `fit` was given; their spectrograms are in dB of full scale, not of the utterance's loudest value

    Masks come after the z-scores. Padding is 0, with z-scores the mean.

    Shape:
        waves: ``(batch, samples)``, int16 or float32, zero behind each utterance
        lengths: ``(batch,)``, samples of each utterance
        spectrogram: ``(batch, 1, mels, frames)``, float32, 0 (floor and padding) to 1; or z-scores
        frames: ``(batch,)``, of each utterance; other speeds give other numbers

    Raises:
        EmosetError: if a setting is out of its range, or there is no such normalisation

    Source:
        Gerczuk et al. 2021, section 5.1; SpecAugment: Park et al. 2019; speed: Ko et al. 2015; shifting the filters:
        Jaitly and Hinton 2013.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        mels: int = 64,
        win: int = 512,
        hop: int = 256,
        f_min: float = 20.0,
        f_max: float = 8000.0,
        floor_db: float = -80.0,
        noise: float = 0.0,
        time_masks: int = 0,
        time_mask_frames: int = 30,
        freq_masks: int = 0,
        freq_mask_mels: int = 8,
        speed: float = 0.0,
        pitch: float = 0.0,
        normalise: str = "none",
    ) -> None:
        super().__init__()
        if normalise not in NORMALISE:
            raise unknown("normalisation", normalise, NORMALISE)
        full_scale = (win / 4) ** 2  # power of a sine of amplitude 1
        self.logmel = LogMel(mels, win, hop, f_min, f_max, floor_db, full_scale if normalise == "global" else "max")
        self.normalise = normalise
        if normalise == "global":
            self.register_buffer("mean", torch.zeros(mels))
            self.register_buffer("scale", torch.ones(mels))
        for name, value, most in (
            ("noise", noise, float("inf")), ("time_masks", time_masks, float("inf")),
            ("time_mask_frames", time_mask_frames, float("inf")), ("freq_masks", freq_masks, float("inf")),
            ("freq_mask_mels", freq_mask_mels, max(mels // 2, 8)), ("speed", speed, 0.5), ("pitch", pitch, OCTAVE),
        ):  # fmt: skip
            if not 0 <= value <= most:
                upper = f"from 0 to {most:g}" if most < float("inf") else "from 0 on"
                raise EmosetError(f"{name} is {value:g}", f"give a number {upper}")
        self.noise, self.speed, self.pitch = noise, speed, pitch
        self.time_masks, self.time_mask_frames = time_masks, time_mask_frames
        self.freq_masks, self.freq_mask_mels = freq_masks, freq_mask_mels
        self._filters: dict[float, Tensor] = {}
        self.logmel.make_filters((1 + speed) * 2 ** (pitch / OCTAVE))  # refuses what is too high for the window

    @torch.no_grad()
    def forward(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Spectrogram and the frames of each utterance."""
        if not self.training:
            spectrogram, frames = self.logmel(waves, lengths)
            return self._normalised(spectrogram, frames), frames
        hop, filters = self._tempo()
        spectrogram, frames = self.logmel(waves, lengths, hop, filters)
        if self.noise:
            spectrogram = augment.add_noise(spectrogram, self.noise / -self.logmel.floor_db)
        spectrogram = self._normalised(spectrogram, frames)
        if self.time_masks:
            spectrogram = augment.mask_frames(spectrogram, frames, self.time_masks, self.time_mask_frames)
        if self.freq_masks:
            spectrogram = augment.mask_mels(spectrogram, frames, self.freq_masks, self.freq_mask_mels)
        return spectrogram, frames

    def _normalised(self, spectrogram: Tensor, frames: Tensor) -> Tensor:
        """Z-scores of each mel band, where they are asked for."""
        if self.normalise == "none":
            return spectrogram
        behind = torch.arange(spectrogram.shape[3], device=frames.device) >= frames[:, None]  # batch, frames
        if self.normalise == "global":
            mean, scale = self.mean.view(1, 1, -1, 1), self.scale.view(1, 1, -1, 1)
            return ((spectrogram - mean) / scale).masked_fill_(behind[:, None, None], 0.0)
        counts = frames.view(-1, 1, 1, 1)
        mean = spectrogram.sum(3, keepdim=True) / counts  # padding is 0
        centred = (spectrogram - mean).masked_fill_(behind[:, None, None], 0.0)
        deviation = (centred.square().sum(3, keepdim=True) / counts).sqrt()
        return centred / deviation.clamp(min=LEAST_SD)

    @torch.no_grad()
    def fit(self, batches: Iterable[tuple[Tensor, Tensor]]) -> None:
        """Take mean and standard deviation of each mel band over all frames of some waveforms and their lengths."""
        assert self.normalise == "global", "only global z-scores are fitted"
        total = torch.zeros(3, self.logmel.mels, dtype=torch.float64)
        for waves, lengths in batches:
            spectrogram, frames = self.logmel(waves, lengths)
            values = spectrogram.squeeze(1).double().cpu()  # batch, mels, frames; padding is 0
            total += torch.stack([values.sum((0, 2)), values.square().sum((0, 2)), frames.sum().cpu().double().repeat(
                self.logmel.mels)])  # fmt: skip
        mean = total[0] / total[2]
        deviation = (total[1] / total[2] - mean.square()).clamp(min=0).sqrt().clamp(min=LEAST_SD)
        self.mean.copy_(mean)
        self.scale.copy_(deviation)

    def _tempo(self) -> tuple[int, Tensor]:
        """Hop and filters of a batch, drawn."""
        hop, ratio = self.logmel.hop, 1.0
        if self.speed:
            hop = round(hop * augment.draw(1.0, self.speed))
            ratio = hop / self.logmel.hop
        if self.pitch:
            ratio *= 2 ** (augment.draw(0.0, self.pitch) / OCTAVE)
        if ratio == 1.0:
            return hop, self.logmel.filters
        if ratio not in self._filters:
            self._filters[ratio] = self.logmel.make_filters(ratio)
        return hop, self._filters[ratio].to(self.logmel.filters.device)
