"""The encoder on a CUDA device: close to the CPU, in every precision. Run with `-m gpu`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk.loading import load_trunk

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]
ADAPTERS = {"a": "seq_bn", "b": "seq_bn", "c": "lora", "d": "compacter", "e": "prefix_tuning", "f": "ia3"}
TEXT = "stack(e, fuse(a, b), c, d, f)"


@pytest.mark.parametrize(("precision", "bound"), [("fp32", 1e-3), ("bf16", 0.03), ("int8", 0.1), ("nf4", 0.3)])
def test_runs_and_trains_close_to_the_cpu(
    precision: str,
    bound: float,
    tiny_folder: Path,
    make_encoder: Callable[..., AdapterEncoder],
    batch: dict[str, torch.Tensor],
) -> None:
    if precision in ("int8", "nf4") and importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("bitsandbytes is not installed")
    exact = make_encoder(ADAPTERS, TEXT).hidden(**batch)
    encoder = make_encoder(ADAPTERS, TEXT, trunk=load_trunk(str(tiny_folder), precision=precision, device="cuda"))
    there = {name: tensor.cuda() for name, tensor in batch.items()} | {"labels": torch.tensor([0, 1, 2]).cuda()}
    state = encoder.hidden(there["input_ids"], there["attention_mask"])
    assert state.dtype == torch.float32
    assert (state.cpu() - exact).norm() < bound * exact.norm()
    model = TaskModel(encoder, build_head("pair", 32, 3, seed=1), "pair").train()
    model.train_parts([*ADAPTERS, "fuse(a, b)"])
    parts = model.loss_parts(there)
    (parts.total / parts.targets + parts.penalty).backward()
    for name, parameter in model.trainable():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
