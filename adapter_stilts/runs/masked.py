"""Masked language modelling as something to score: the fraction of masked tokens that the model names, under fixed
masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk import Trunk
from adapter_stilts.formats.base import Cut, Example, Format
from adapter_stilts.metrics.base import Options, Score, metrics
from adapter_stilts.seeding import Seeds
from adapter_stilts.statistics.intervals import REPLICATES
from adapter_stilts.training.course import Order
from adapter_stilts.training.plan import Prepare
from adapter_stilts.training.rows import feature_data, masker

SCORED = 0.15  # of the tokens of a text, when masked language modelling is scored


def masking_of(format: Format[Any], trunk: Trunk, rate: float = SCORED) -> Prepare | None:
    """How batches of a text task are masked; None for every other format."""
    if not format.masked:
        return None
    tokenizer = trunk.tokenizer
    return masker(trunk.vocabulary, tokenizer.mask_token_id, tokenizer.all_special_ids, rate)


def masked_score(
    model: TaskModel,
    examples: Sequence[Example],
    max_length: int,
    token_budget: int,
    seed: int,
    *,
    replicates: int = REPLICATES,
) -> Score:
    """Accuracy on masked tokens, 15 % of each text; the masks depend on `seed` alone, so that runs can be compared.

    A unit is a text, or a piece of one that is longer than max_length. The model is left in the mode it was in.
    """
    was_training = model.training
    model.eval()
    try:
        units = _units(model, examples, max_length, token_budget, seed)
    finally:
        model.train(was_training)
    return metrics["masked_accuracy"].score(units, None, Options(seed=seed, replicates=replicates))


@torch.no_grad()
def _units(
    model: TaskModel, examples: Sequence[Example], max_length: int, token_budget: int, seed: int
) -> NDArray[np.float64]:
    """(right, masked) of each text, [N, 2]."""
    trunk = model.encoder.trunk
    found = model.format.features(examples, trunk.tokenizer, Cut(max_length=max_length, training=False))
    data = feature_data(found, model.format, trunk.pad_id, masking_of(model.format, trunk))
    assert data.prepare is not None
    device = next(model.parameters()).device
    units = np.zeros((len(found), 2))
    for number, rows in enumerate(Order(data.lengths, token_budget, 1, seed).batches(0)):
        prepared = data.prepare(data.collate(rows), Seeds(seed).torch(f"masked/{number}"))
        batch = {name: tensor.to(device) for name, tensor in prepared.items()}
        picked = batch["labels"] != -100  # [B, T]
        right = torch.zeros_like(picked)
        right[picked] = model(batch).argmax(-1) == batch["labels"][picked]
        units[batch["rows"].cpu().numpy()] = torch.stack([right.sum(-1), picked.sum(-1)], dim=-1).cpu().numpy()
    return units
