"""How many parameters adapters, fusions, heads and trunks have: each is built on torch's `meta` device, without memory.

    adapter_parameters("seq_bn", resolve(kinds["seq_bn"], {}), LARGE)      3,171,840

Stored in float32, four bytes each. Building takes PyTorch; what a trunk's numbers are (`trunk.config.known_config`)
does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import torch

from adapter_stilts.encoder.heads import USUAL, build_head
from adapter_stilts.encoder.kinds import Setting, kinds
from adapter_stilts.encoder.model import count
from adapter_stilts.encoder.modules.base import build
from adapter_stilts.encoder.modules.fusion import FusionParts
from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.encoder.trunk.loading import empty_model
from adapter_stilts.formats.base import formats

BYTES = 4
_model = cache(empty_model)


def trunk_parameters(trunk: TrunkConfig) -> int:
    """All of the trunk: what full fine-tuning stores."""
    return count(_model(trunk))


def adapter_parameters(kind: str, settings: Mapping[str, Setting], trunk: TrunkConfig) -> int:
    """One adapter of a kind, with all of its settings (kinds.resolve); UsageError for settings that cannot be built."""
    return _adapter_parameters(kind, tuple(settings.items()), trunk)


@cache
def _adapter_parameters(kind: str, settings: tuple[tuple[str, Setting], ...], trunk: TrunkConfig) -> int:
    with torch.device("meta"):
        return count(build(kinds[kind], dict(settings), _model(trunk)))


@cache
def fusion_parameters(trunk: TrunkConfig) -> int:
    """AdapterFusion at one site of every layer; the number of adapters fused does not matter."""
    with torch.device("meta"):
        return count(FusionParts(("output",), _model(trunk)))


@cache
def head_parameters(format: str, labels: int, trunk: TrunkConfig, pool: str = USUAL.head_pool) -> int:
    """A task's head; `labels` counts its classes or tags, 0 where unknown: left out. pool: of a ranking head."""
    outputs = trunk.vocab_size if formats[format].masked else max(labels, 1)
    with torch.device("meta"):
        tensors = build_head(format, trunk.hidden_size, outputs, seed=0, pool=pool).named_tensors()
    left_out = labels == 0 and formats[format].classes
    return sum(tensor.numel() for name, tensor in tensors.items() if not (left_out and name.startswith("out.")))
