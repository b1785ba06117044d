"""wav2vec 2.0's masks over time, and the frames that its contrastive loss tells a masked one from.

All that is random comes from torch's global generator of the processor, so that a training can be resumed;
transformers draws from numpy's.
"""

import torch

SPAN = 10  # frames. Source: Baevski et al. 2020, section 4.2
SHARE = 0.65  # of the frames that spans would cover if they did not overlap: a share of 0.065 begins one


def span_mask(batch: int, frames: int, share: float = SHARE, span: int = SPAN) -> torch.Tensor:
    """Which frames are masked, bool ``(batch, frames)``: spans that may overlap, equally many in each utterance.

    Shorter utterances than a span are not masked.

    Source:
        Baevski et al. 2020, section 4.2; spans are rounded at random, as in transformers.
    """
    mask = torch.zeros(batch, frames, dtype=torch.bool)
    places = frames - span + 1
    count = int(share * frames / span + float(torch.rand(())))
    if places < 1 or not count:
        return mask
    starts = torch.stack([torch.randperm(places)[: min(count, places)] for _ in range(batch)])  # batch, spans
    covered = (starts[:, :, None] + torch.arange(span)).flatten(1)  # batch, spans * span
    return mask.scatter_(1, covered, True)


def negatives(mask: torch.Tensor, count: int) -> torch.Tensor:
    """For each masked frame, other masked frames of the same utterance, ``(batch, frames, count)``.

    They are drawn with replacement; numbers count through the frames of the whole batch, as transformers takes them.
    Frames that are not masked have those of nothing, 0.

    Args:
        mask: bool ``(batch, frames)``, with two masked frames or more, or none, in an utterance
        count: for each frame
    """
    batch, frames = mask.shape
    found = torch.zeros(batch, frames, count, dtype=torch.long)
    for row in range(batch):
        masked = mask[row].nonzero().squeeze(1)
        if len(masked) < 2:
            continue
        drawn = torch.randint(len(masked) - 1, (len(masked), count))
        drawn += drawn >= torch.arange(len(masked))[:, None]  # never the frame itself
        found[row, masked] = masked[drawn] + row * frames
    return found
