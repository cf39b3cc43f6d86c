"""The whole trunk as an "adapter" (kind full): a trained copy beside the frozen original, for comparison only."""

from __future__ import annotations

import copy

import torch

from adapter_stilts.encoder.modules.base import AdapterParts, Settings, modules
from adapter_stilts.encoder.trunk.base import TrunkModel
from adapter_stilts.errors import UsageError


@modules.register("whole_trunk")
def whole_trunk(parts: AdapterParts, settings: Settings, trunk: TrunkModel) -> None:
    """A copy of the layers held, as they are; nothing is drawn."""
    if any(parameter.dtype != torch.float32 for parameter in trunk.parameters()):
        what = "kind full trains the trunk itself, which must then be in float32"
        raise UsageError(what, where="trunk.precision", do="set trunk.precision to fp32")
    parts.trunk = copy.deepcopy(trunk)
