"""The log-mel spectrograms that Whisper and w2v-BERT hear, as transformers' feature extractors compute them."""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

WIN, HOP = 400, 160  # samples: 25 and 10 ms
STACKED = 2  # frames of 10 ms that w2v-BERT hears as one


def whisper_mel(pieces: Tensor, mels: int) -> Tensor:
    """Whisper's spectrogram: log10, at most 80 dB below the piece's loudest value, 0 dB at 1.

    Shape:
        pieces: ``(batch, samples)``, float32 in -1..1, each as long as Whisper hears
        spectrogram: ``(batch, mels, samples // 160)``

    Source:
        Radford et al. 2022 (Whisper); numbers as ``WhisperFeatureExtractor``.
    """
    from transformers.audio_utils import mel_filter_bank

    filters = mel_filter_bank(1 + WIN // 2, mels, 0.0, 8000.0, 16_000, norm="slaney", mel_scale="slaney")
    window = torch.hann_window(WIN, device=pieces.device)
    power = torch.stft(pieces, WIN, HOP, window=window, return_complex=True)[..., :-1].abs() ** 2
    values = torch.from_numpy(filters).to(power).T @ power  # batch, mels, frames
    values = values.clamp(min=1e-10).log10()
    return (values.maximum(values.amax((1, 2), keepdim=True) - 8.0) + 4.0) / 4.0


def stacked_frames(samples: Tensor) -> Tensor:
    """Frames that w2v-BERT has of so many samples."""
    return torch.div(samples - WIN, HOP, rounding_mode="floor").add(1).clamp(min=0) // STACKED


def bert_mel(waves: Tensor, lengths: Tensor, mels: int) -> Tensor:
    """w2v-BERT's spectrogram: Kaldi's log-mel, each band with zero mean and unit variance over the utterance.

    Shape:
        waves: ``(batch, samples)``, float32 in -1..1, zero behind each utterance
        lengths: ``(batch,)``, samples of each utterance
        spectrogram: ``(batch, frames, 2 * mels)``, zero behind each utterance

    Source:
        Barrault et al. 2023 (w2v-BERT 2.0); numbers as ``SeamlessM4TFeatureExtractor``.
    """
    longest = max(int(stacked_frames(lengths).max()), 1)
    shape = (1, WIN + HOP * (STACKED * longest))  # a frame more: an odd one counts for mean and variance
    waves = F.pad(waves, (0, max(0, shape[1] - waves.shape[1])))[:, : shape[1]]
    values = _kaldi(waves, mels)  # batch, frames, mels
    own = torch.div(lengths - WIN, HOP, rounding_mode="floor").add(1).clamp(min=0).view(-1, 1, 1)
    valid = torch.arange(values.shape[1], device=waves.device).view(1, -1, 1) < own
    mean = (values * valid).sum(1, keepdim=True) / own.clamp(min=1)
    centred = (values - mean) * valid
    variance = centred.square().sum(1, keepdim=True) / (own - 1).clamp(min=1)
    values = centred / torch.sqrt(variance + 1e-7)
    return values[:, : STACKED * longest].reshape(len(waves), longest, -1).float()


def _kaldi(waves: Tensor, mels: int) -> Tensor:
    """Kaldi's filter bank, in float64: ``(batch, frames, mels)``."""
    from transformers.audio_utils import mel_filter_bank, window_function

    filters = mel_filter_bank(
        257, mels, 20, 8000, 16_000, norm=None, mel_scale="kaldi", triangularize_in_mel_space=True
    )
    window = torch.from_numpy(window_function(WIN, "povey", periodic=False)).to(waves.device, torch.float64)
    rows = (waves.double() * 2**15).unfold(1, WIN, HOP)
    rows = rows - rows.mean(-1, keepdim=True)
    rows = torch.cat([rows[..., :1] * (1 - 0.97), rows[..., 1:] - 0.97 * rows[..., :-1]], -1) * window
    power = torch.fft.rfft(rows, 512).abs().square()
    energy: Tensor = power @ torch.from_numpy(filters).to(power)
    return energy.clamp(min=1.192092955078125e-07).log()
