"""The layers below the lowest adapter, as a function of a row of tokens alone: what they give is computed once.

A hidden state that no adapter reaches is the same in every epoch, run and reading, provided that nothing else moves it.
So those layers run without dropout, in the trunk's own precision, and over rows of one length at a time: padding would
change the last bits of a row by what stands beside it, more rows do not. What they give is rounded to the precision of
the trunk, whether it is kept on disk (`kept_rows.py`) or not.

Rows of one length are bit-equal in any number on the CPUs we know; on a GPU the product of more rows may be another
kernel, and rows differ by rounding there.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from adapter_stilts.encoder.kept_rows import KeptRows
from adapter_stilts.encoder.trunk.loading import Trunk

FORMAT = 1  # of what is kept; another one is kept elsewhere


@torch.no_grad()
def lower_state(
    trunk: Trunk, input_ids: Tensor, attention_mask: Tensor, layer: int, kept: KeptRows | None = None
) -> Tensor:
    """Hidden state `layer`, 1 or more, of token ids [B, T] under the bare trunk: [B, T, H] float32, 0 where padding.

    attention_mask  ones, then zeros, in every row
    kept            read instead of computed where a row is there, and added to where it is not

    The trunk is left in evaluation mode.
    """
    lengths: list[int] = attention_mask.sum(-1).tolist()
    shape, where = (*input_ids.shape, trunk.config.hidden_size), input_ids.device if kept is None else "cpu"
    states = torch.zeros(shape, dtype=dtype_of(trunk), device=where)
    missing: Sequence[int] = range(len(lengths))
    if kept is not None:
        keys = _keys(input_ids, lengths)
        plain = states.view(torch.uint8).numpy()  # [B, T, bytes]
        buffers = [plain[row, :length].reshape(-1).data for row, length in enumerate(lengths)]
        missing = kept.read(keys, buffers)
    trunk.model.train(False)
    for length in sorted({lengths[row] for row in missing}):
        rows = [row for row in missing if lengths[row] == length]
        states[rows, :length] = _computed(trunk, input_ids[rows, :length], layer).to(where, states.dtype)
    if kept is not None:
        kept.add([keys[row] for row in missing], [buffers[row] for row in missing])
    return states.to(input_ids.device).float()


def kept_states(
    root: Path, trunk: Trunk, layer: int, device: str, limit: int | None, say: Callable[[str], None]
) -> KeptRows:
    """Where `lower_state` keeps what this trunk gives at this layer; limit, say: as KeptRows has them."""
    made_by = {
        "format": FORMAT,
        "trunk": [trunk.fingerprint, trunk.precision, trunk.config.model_type, asdict(trunk.config)],
        "layer": layer,
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else _processor(),
        "torch": torch.__version__,
    }
    digest = hashlib.blake2b(json.dumps(made_by, sort_keys=True).encode(), digest_size=16)
    return KeptRows(root / digest.hexdigest(), limit, say)


def dtype_of(trunk: Trunk) -> torch.dtype:
    """What a hidden state is rounded to and kept in."""
    return torch.float32 if trunk.precision == "fp32" else torch.bfloat16


def _computed(trunk: Trunk, input_ids: Tensor, layer: int) -> Tensor:
    with torch.autocast(input_ids.device.type, dtype=torch.bfloat16, enabled=trunk.precision != "fp32"):
        state = trunk.model.embed(input_ids)
        for index in range(layer):
            state = trunk.model.run(index, state, None, None)
    return state


def _keys(input_ids: Tensor, lengths: Sequence[int]) -> list[bytes]:
    """16 bytes that tell a row of token ids from every other."""
    ids = input_ids.to("cpu", torch.int32).numpy()
    rows = (np.ascontiguousarray(row[:length]) for row, length in zip(ids, lengths, strict=True))
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]


def _processor() -> str:
    return f"{os.uname().machine} {torch.backends.cpu.get_cpu_capability()}"
