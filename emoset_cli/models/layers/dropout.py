"""Dropout with a mask that costs little on a CPU."""

import torch
from torch import nn

from emoset_cli.errors import EmosetError

_LEAST = -(2**63)


class Dropout(nn.Module):
    """Zero a random share of the values in training and scale up the rest.

    One 64-bit random number decides over eight values, so the share is rounded to 1/256: 0.2 is 51/256. The numbers
    come from torch's global generator of the processor, whatever the device: a run can be resumed from its state.

    Args:
        share: of values that become zero, in [0, 1)
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise EmosetError(f"a dropout is {share:g}", "give a share from 0 to below 1")
        self.dropped = min(round(share * 256), 255)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop in training, pass through in evaluation."""
        if not self.training or not self.dropped:
            return x
        numbers = torch.empty(-(-x.numel() // 8), dtype=torch.int64).random_(_LEAST, None).to(x.device)
        kept = numbers.view(torch.uint8)[: x.numel()] >= self.dropped
        mask = torch.empty_like(x)
        # In the order of memory, whatever the layout: numbers, mask and x are run through from end to end.
        mask.as_strided((x.numel(),), (1,)).copy_(kept).mul_(256 / (256 - self.dropped))
        return x * mask
