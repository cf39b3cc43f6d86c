"""Masked language modelling's masks, drawn anew for every batch."""

from __future__ import annotations

import torch
from torch import Tensor

from adapter_stilts.data.feature import IGNORED

MASKED, REPLACED = 0.8, 0.1  # of the chosen tokens; the rest stay as they are


def mask_tokens(input_ids: Tensor, special_mask: Tensor, vocabulary: int, mask_id: int, rate: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Choose `rate` of the tokens; of these 80 % become the mask, 10 % a random token and 10 % stay.

    input_ids     [B, T] int64; it is left as it was
    special_mask  [B, T] true where a token may not be chosen: special tokens and padding
    generator     lives on the CPU, so that the masks do not depend on the device

    Returns the changed ids and the labels, both [B, T]; labels are -100 where nothing was chosen. At least one token of a batch is
    chosen where any may be, since a batch without a target has no loss.
    Devlin et al. (2019), https://arxiv.org/abs/1810.04805
    """
    device = input_ids.device
    free = ~special_mask.bool().cpu()
    draw = torch.rand(input_ids.shape, generator=generator)
    chosen = (draw < rate) & free
    if free.any() and not chosen.any():
        chosen.view(-1)[draw.masked_fill(~free, 2.0).argmin()] = True
    fate = torch.rand(input_ids.shape, generator=generator)
    random_ids = torch.randint(vocabulary, input_ids.shape, generator=generator)
    masked, replaced = chosen & (fate < MASKED), chosen & (fate >= MASKED) & (fate < MASKED + REPLACED)
    inputs = input_ids.masked_fill(masked.to(device), mask_id)
    inputs = torch.where(replaced.to(device), random_ids.to(device), inputs)
    return inputs, input_ids.masked_fill(~chosen.to(device), IGNORED)
