"""Log-mel spectrograms of a batch of waveforms, on the device where the waveforms are."""

import math
import warnings
from typing import Literal

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks

from emoset_cli.errors import EmosetError

SAMPLE_RATE = 16_000  # of the audio store
CHUNK = 8  # utterances transformed at once: their spectra stay in the cache, 2 times faster than 64
SILENCE = 1e-20  # power below what any int16 sound but a click at a frame's border has


class LogMel(nn.Module):
    """Mel spectrogram in dB: of each utterance, whatever the batch and the padding around it.

    Periodic Hann window, power spectrum, triangular mel filters, dB against the utterance's own loudest value
    (``ref="max"``), nothing below ``floor_db``. Frame ``t`` is centred on sample ``t * hop``; what lies before and
    behind the utterance is zero, not mirrored as in librosa, for a mirror image would depend on the padding.
    An utterance has ``1 + samples // hop`` frames. All of a silent utterance is at the floor.

    Args:
        mels: number of filters; each has to reach at least one frequency of the Fourier transform
        win: samples of window and Fourier transform, even
        hop: samples between frames
        f_min: lower edge of the lowest filter in Hz
        f_max: upper edge of the highest filter in Hz, up to 8000
        floor_db: dB below the reference, negative, at which values are clipped
        ref: "max", or the power that is 0 dB (a sine of amplitude 1 has about ``(win / 4) ** 2`` in its bin)
        mel_scale: formula of the mel scale; with "slaney" each filter also has unit area, as in librosa

    Shape:
        waves: ``(batch, samples)``, int16 (divided by 32768) or float32, zero behind each utterance
        lengths: ``(batch,)``, samples of each utterance
        spectrogram: ``(batch, 1, mels, 1 + samples // hop)``, 0 (floor and padding) to 1 (reference)
        frames: ``(batch,)``, of each utterance

    Raises:
        EmosetError: if the settings leave a filter without any frequency, or make no sense

    Source:
        Gerczuk et al. 2021, section 5.1, and EmoNet's code (64 mels, 20 to 8000 Hz, floor -80 dB).
    """

    window: Tensor
    filters: Tensor

    def __init__(
        self,
        mels: int = 64,
        win: int = 512,
        hop: int = 256,
        f_min: float = 20.0,
        f_max: float = 8000.0,
        floor_db: float = -80.0,
        ref: Literal["max"] | float = "max",
        mel_scale: Literal["htk", "slaney"] = "htk",
    ) -> None:
        super().__init__()
        _check(mels, win, hop, f_min, f_max, floor_db, ref)
        self.mels, self.win, self.hop, self.floor_db = mels, win, hop, floor_db
        self.f_min, self.f_max, self.mel_scale = f_min, f_max, mel_scale
        self.ref: str | float = ref
        # Not persistent: they follow from the settings, which lie beside the weights.
        self.register_buffer("window", torch.hann_window(win), persistent=False)
        self.register_buffer("filters", self.make_filters(1.0), persistent=False)

    @torch.no_grad()
    def forward(
        self, waves: Tensor, lengths: Tensor, hop: int | None = None, filters: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Spectrogram between 0 (the floor) and 1 (the reference), and the frames of each utterance."""
        decibels, frames = self.decibels(waves, lengths, hop, filters)
        scaled = decibels.sub_(self.floor_db).div_(-self.floor_db)
        return scaled.unsqueeze(1), frames

    @torch.no_grad()
    def decibels(
        self, waves: Tensor, lengths: Tensor, hop: int | None = None, filters: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Spectrogram in dB, ``(batch, mels, frames)``, at the floor behind an utterance; and the frames of each.

        Args:
            waves: as told above
            lengths: as told above
            hop: another hop for this batch
            filters: other filters for this batch, from `make_filters`
        """
        hop = hop or self.hop
        filters = self.filters if filters is None else filters
        frames = lengths // hop + 1
        with torch.autocast(waves.device.type, enabled=False):  # bfloat16 has 3 digits, dB need more
            pairs = zip(torch.split(waves, CHUNK), torch.split(frames, CHUNK), strict=True)
            return torch.cat([self._chunk(some, theirs, hop, filters) for some, theirs in pairs]), frames

    def _chunk(self, waves: Tensor, frames: Tensor, hop: int, filters: Tensor) -> Tensor:
        signal = waves.float() / 32768 if waves.dtype == torch.int16 else waves.float()
        signal = nn.functional.pad(signal, (self.win // 2, self.win // 2))
        framed = signal.unfold(1, self.win, hop)  # batch, frames, win
        spectrum = torch.view_as_real(torch.fft.rfft(framed * self.window))  # batch, frames, frequencies, 2
        power = spectrum[..., 0].square().addcmul_(spectrum[..., 1], spectrum[..., 1])  # batch, frames, frequencies
        power = power @ filters  # batch, frames, mels
        behind = torch.arange(power.shape[1], device=power.device) >= frames[:, None]
        power = power.masked_fill_(behind[:, :, None], 0.0)
        decibels = power.clamp_(min=SILENCE).log10_().mul_(10)
        if self.ref == "max":
            loudest = decibels.amax((1, 2), keepdim=True)
            decibels = decibels.sub_(loudest).masked_fill_(loudest <= 10 * math.log10(SILENCE), self.floor_db)
        else:
            decibels = decibels.sub_(10 * math.log10(float(self.ref)))
        return decibels.clamp_(min=self.floor_db).transpose(1, 2).contiguous()  # batch, mels, frames

    def make_filters(self, ratio: float) -> Tensor:
        """``(frequencies, mels)``: the weight of each frequency of the Fourier transform in each filter.

        Args:
            ratio: by how much all frequencies of the sound are to seem higher; 1 for what they are. Below 1 the
                highest filters reach beyond 8000 Hz, where there is nothing

        Raises:
            EmosetError: if a filter lies between two frequencies
        """
        norm = "slaney" if self.mel_scale == "slaney" else None
        rate = 2 * round(ratio * SAMPLE_RATE / 2)  # a sound that is played faster has a higher sample rate
        with warnings.catch_warnings():
            warnings.filterwarnings(
                "ignore", message="At least one mel filterbank has all zero values"
            )  # refused below
            filters: Tensor = melscale_fbanks(
                self.win // 2 + 1, self.f_min, self.f_max, self.mels, rate, norm=norm, mel_scale=self.mel_scale
            )
        heard = filters.amax(0) > 0
        if empty := int((~heard[: int(heard.nonzero().max())]).sum()):  # what lies above the last is beyond 8000 Hz
            raise EmosetError(
                f"{empty} of {self.mels} mel filters lie between the frequencies of a window of {self.win} samples",
                "use fewer mels or a longer window",
            )
        return filters


def _check(
    mels: int, win: int, hop: int, f_min: float, f_max: float, floor_db: float, ref: Literal["max"] | float
) -> None:
    if mels < 1 or win < 2 or win % 2 or not 1 <= hop <= win:
        raise EmosetError(
            f"no spectrogram has {mels} mels, window {win} and hop {hop}",
            "choose 1 mel or more, an even window and 1 <= hop <= window",
        )
    if not 0 <= f_min < f_max <= SAMPLE_RATE / 2:
        raise EmosetError(
            f"mel filters cannot reach from {f_min:g} to {f_max:g} Hz",
            f"choose 0 <= f_min < f_max <= {SAMPLE_RATE // 2}",
        )
    if floor_db >= 0:
        raise EmosetError(f"a floor of {floor_db:g} dB leaves nothing", "choose a negative floor, such as -80")
    if ref != "max" and not float(ref) > 0:
        raise EmosetError(f"a reference power of {ref} has no dB", "choose a power above 0, or max")
