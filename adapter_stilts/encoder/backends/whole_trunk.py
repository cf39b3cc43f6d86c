"""The whole trunk as an "adapter" (kind full): a trained copy beside the frozen original, for comparison only."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn

from adapter_stilts.encoder.backends.base import AdapterParts, FusionParts
from adapter_stilts.encoder.kinds import Kind, Setting
from adapter_stilts.encoder.trunk_config import TrunkConfig
from adapter_stilts.errors import UsageError

if TYPE_CHECKING:
    from transformers import XLMRobertaModel


def build(
    kind: Kind, settings: Mapping[str, Setting], config: TrunkConfig, depth: int, trunk: XLMRobertaModel
) -> AdapterParts:
    """A copy of the lowest `depth` layers as they are; nothing is drawn."""
    if any(parameter.dtype != torch.float32 for parameter in trunk.parameters()):
        what = "kind full trains the trunk itself, which must then be in float32"
        raise UsageError(what, where="trunk.precision", do="set trunk.precision to fp32")
    copied = copy.deepcopy(trunk)
    copied.encoder.layer = copied.encoder.layer[:depth]
    return WholeTrunk(copied)


def build_fusion(sites: tuple[str, ...], config: TrunkConfig, depth: int) -> FusionParts:
    raise UsageError("a whole trunk cannot be fused", do="fuse bottleneck adapters")


class WholeTrunk(AdapterParts):
    """A trained copy of the trunk; its tensors carry the trunk's own names."""

    def __init__(self, copied: XLMRobertaModel) -> None:
        super().__init__()
        self.copied = copied

    def named_tensors(self) -> dict[str, nn.Parameter]:
        return dict(self.copied.named_parameters())

    def trunk(self) -> XLMRobertaModel | None:
        return self.copied
