"""Which frames of a batch are an utterance's own and which are padding."""

from functools import cached_property

import torch


class Frames:
    """The frames of each utterance of a batch, at one resolution.

    Args:
        own: number of each utterance's frames
        longest: frames of the batch
        device: of the batch
    """

    def __init__(self, own: list[int], longest: int, device: torch.device) -> None:
        self.own, self.longest, self.device = own, longest, device

    def halved(self, keep_odd: bool = True) -> "Frames":
        """After a layer of stride 2; of an odd number, does the last frame count (padded convolution) or not?"""
        odd = int(keep_odd)
        return Frames([(own + odd) // 2 for own in self.own], (self.longest + odd) // 2, self.device)

    def at_least(self, least: int, longest: int) -> "Frames":
        """Where shorter utterances are heard with silence behind them, in a batch of ``longest`` frames."""
        return Frames([max(own, least) for own in self.own], longest, self.device)

    def even(self) -> "Frames":
        """Without an odd last frame, which has no partner to be pooled with."""
        return Frames([own - own % 2 for own in self.own], self.longest, self.device)

    def counts(self) -> torch.Tensor:
        """Frames of each utterance, ``(batch,)``."""
        return torch.tensor(self.own, device=self.device)

    @property
    def padded(self) -> bool:
        """Whether any utterance is shorter than the batch."""
        return min(self.own) < self.longest

    @property
    def valid_share(self) -> float:
        """Share of the batch's frames that are an utterance's own."""
        return sum(self.own) / (len(self.own) * self.longest)

    @cached_property
    def valid(self) -> torch.Tensor:
        """``(batch, frames)``, bool: whether a frame is the utterance's own."""
        ends = torch.tensor(self.own).unsqueeze(1)
        return (torch.arange(self.longest) < ends).to(self.device)

    @torch.no_grad()
    def clear_(self, x: torch.Tensor) -> None:
        """Set what lies behind each utterance's end to zero, in place and unseen by autograd.

        Only the frames behind the shortest utterance's end are touched.

        Shape:
            x: ``(batch, ..., frames)``
        """
        if self.padded:
            start = min(self.own)
            x[..., start:].mul_(self.valid[:, start:].view(len(self.own), *[1] * (x.dim() - 2), -1))
