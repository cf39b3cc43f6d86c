"""Masked language modelling as something to score: the fraction of masked tokens that the model names, under fixed masks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from adapter_stilts.data.examples import Example
from adapter_stilts.data.features import features
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk import Trunk
from adapter_stilts.evaluation.intervals import REPLICATES, bootstrap_interval, score_of
from adapter_stilts.evaluation.scoring import Measure, Score
from adapter_stilts.seeding import Seeds
from adapter_stilts.training.order import Order
from adapter_stilts.training.rows import Masking, feature_data


def masking_of(format: str, trunk: Trunk) -> Masking | None:
    """How batches of a text task are masked; None for every other format."""
    if format != "text":
        return None
    tokenizer = trunk.tokenizer
    return Masking(trunk.vocabulary, tokenizer.mask_token_id, tuple(tokenizer.all_special_ids))


@torch.no_grad()
def masked_score(model: TaskModel, examples: Sequence[Example], max_length: int, token_budget: int, seed: int, *, replicates: int = REPLICATES) -> Score:
    """Accuracy on masked tokens, 15 % of each text; the masks depend on `seed` alone, so that runs can be compared."""
    trunk = model.encoder.trunk
    found = features("text", examples, trunk.tokenizer, max_length=max_length, training=False)
    data = feature_data(found, "text", trunk.pad_id, masking_of("text", trunk))
    order = Order(data.lengths, token_budget, 1, seed)
    device = next(model.parameters()).device
    model.eval()
    rows = []
    for number, batch_rows in enumerate(order.batches(0)):
        assert data.prepare is not None
        batch = {name: tensor.to(device) for name, tensor in data.prepare(data.collate(batch_rows), Seeds(seed).torch(f"masked/{number}")).items()}
        picked = batch["labels"] != -100
        right = model(batch).argmax(-1) == batch["labels"][picked]
        rows.append((float(right.sum()), float(picked.sum())))
    units = np.array(rows, dtype=np.float64)
    interval = bootstrap_interval(units, "ratio", seed=seed, replicates=replicates) if replicates else None
    return Score((Measure("masked_accuracy", score_of(units, "ratio"), interval, units, "ratio"),), "masked_accuracy", int(units[:, 1].sum()))
