"""The whole trunk as an "adapter" (kind full): a trained copy beside the frozen original, for comparison only."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn

from adapter_stilts.encoder.backends.base import AdapterParts, FusionParts, TrunkShape
from adapter_stilts.encoder.kept_rows import KeptRows
from adapter_stilts.encoder.kinds import Kind, Setting
from adapter_stilts.errors import UsageError

if TYPE_CHECKING:
    from transformers import XLMRobertaModel


def build(kind: Kind, settings: Mapping[str, Setting], shape: TrunkShape, depth: int, trunk: XLMRobertaModel) -> AdapterParts:
    """A copy of the lowest `depth` layers as they are; nothing is drawn."""
    if any(parameter.dtype != torch.float32 for parameter in trunk.parameters()):
        raise UsageError("kind full trains the trunk itself, which must then be in float32", where="trunk.precision", do="set trunk.precision to fp32")
    if isinstance(trunk.embeddings.word_embeddings, KeptRows):
        raise UsageError("kind full holds all rows of the word embeddings, and only some were loaded", do="load the trunk without `rows`")
    copied = copy.deepcopy(trunk)
    copied.encoder.layer = copied.encoder.layer[:depth]
    return WholeTrunk(copied)


def build_fusion(sites: tuple[str, ...], shape: TrunkShape, depth: int) -> FusionParts:
    raise UsageError("a whole trunk cannot be fused", do="fuse bottleneck adapters")


class WholeTrunk(AdapterParts):
    """A trained copy of the trunk; its tensors carry the trunk's own names."""

    def __init__(self, copied: XLMRobertaModel) -> None:
        super().__init__()
        self.copied = copied

    def named_tensors(self) -> dict[str, nn.Parameter]:
        return dict(self.copied.named_parameters())

    def layers(self) -> frozenset[int]:
        return frozenset({0})

    def trunk(self) -> XLMRobertaModel | None:
        return self.copied
