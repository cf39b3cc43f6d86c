"""How many numbers a trunk's layers, adapters and heads have, by arithmetic: PyTorch need not be imported for it.

`encoder/sizes.py` builds the modules instead; tests/planning compares the two for every kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapter_stilts.encoder.kinds import Setting, kinds
from adapter_stilts.encoder.trunk.config import TrunkConfig


def layer_parameters(config: TrunkConfig) -> tuple[int, int]:
    """Numbers in the matrices of one layer, and in its vectors."""
    width, wide = config.hidden_size, config.intermediate_size
    if config.model_type == "modernbert":  # a gated feed-forward block, and no biases
        return 4 * width * width + 3 * width * wide, 2 * width
    return 4 * width * width + 2 * width * wide, 9 * width + wide


def adapter_parameters(kind: str, settings: Mapping[str, Setting], config: TrunkConfig) -> int:
    """Of one adapter with all of its settings (kinds.resolve)."""
    left_out = len(settings.get("leave_out", ()))  # type: ignore[arg-type]
    layers = config.num_hidden_layers - left_out
    return sum(_part(part.module, {**settings, **part.fixed}, config, layers) for part in kinds[kind].parts)


def head_parameters(outputs: int, masked: bool, config: TrunkConfig) -> int:
    """Of a head: a projection of its own, and one to the outputs or a bias for each piece of the vocabulary."""
    width = config.hidden_size
    return width * width + 3 * width + (config.vocab_size if masked else (width + 1) * outputs)


def _part(module: str, settings: Mapping[str, Any], config: TrunkConfig, layers: int) -> int:
    return int(_numbers(module, settings, config, layers))


def _numbers(module: str, settings: Mapping[str, Any], config: TrunkConfig, layers: int) -> Any:
    width = config.hidden_size
    match module:
        case "whole_trunk":
            rows = config.vocab_size + config.max_position_embeddings + config.type_vocab_size + 2
            return layers * sum(layer_parameters(config)) + rows * width
        case "bottleneck":
            narrow = int(width // settings["reduction_factor"])
            norm = 2 * width if settings["ln_before"] else 0
            learned = {"learned": 1, "channel": width}.get(settings["scaling"], 0)
            return layers * len(settings["sites"]) * (2 * width * narrow + narrow + width + norm + learned)
        case "compacter":
            narrow, dim, rank = int(width // settings["reduction_factor"]), settings["phm_dim"], settings["phm_rank"]
            rule = dim**3
            pair = 2 * rank * (width + narrow) + width + narrow + (0 if settings["shared_phm_rule"] else 2 * rule)
            return layers * len(settings["sites"]) * pair + (rule if settings["shared_phm_rule"] else 0)
        case "invertible":
            half, factor = width // 2, settings["inv_adapter_reduction_factor"]
            ways = ((width - half, half), (half, width - half))
            return sum(int(inputs // factor) * (width + 1) + outputs for inputs, outputs in ways)
        case "prefix":
            outputs = 2 * layers * width
            if settings["flat"]:
                return settings["prefix_length"] * outputs
            narrow = settings["bottleneck_size"]
            return settings["prefix_length"] * width + narrow * (width + 1) + outputs * (narrow + 1)
    return layers * sum(_at_projection(module, settings, word, config) for word in changed(settings))


def changed(settings: Mapping[str, Any]) -> list[str]:
    """The projections of a layer that settings name: q, k, v, o, intermediate, output."""
    attention = list(settings["attn_matrices"]) if settings["selfattn_lora"] else []
    return attention + [word for word in ("intermediate", "output") if settings[f"{word}_lora"]]


def _at_projection(module: str, settings: Mapping[str, Any], word: str, config: TrunkConfig) -> int:
    width, wide = config.hidden_size, config.intermediate_size
    inputs, outputs = {"intermediate": (width, wide), "output": (wide, width)}.get(word, (width, width))
    if module.startswith("ia3"):
        return inputs if word in settings.get("scaled_inputs", ()) else outputs
    if module == "vera":
        return int(settings["r"]) + outputs
    return int(settings["r"]) * (inputs + outputs) + (outputs if module == "dora" else 0)
