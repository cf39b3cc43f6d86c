"""How many parameters adapters, fusions, heads and trunks have, by arithmetic on a trunk's numbers: nothing is loaded.

    adapter_parameters("seq_bn", resolve(kinds["seq_bn"], {}), XLMR["FacebookAI/xlm-roberta-large"])      3,171,840

H hidden, L layers, I intermediate, R bottleneck, V vocabulary. Stored in float32, four bytes each.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapter_stilts.encoder.trunk_config import TrunkConfig, read_config
from adapter_stilts.miniature.datasets import trunk_folder

BYTES = 4
BASE = TrunkConfig(250_002, 768, 12, 12, 3072)
LARGE = TrunkConfig(250_002, 1024, 24, 16, 4096)
XLMR = {f"{owner}xlm-roberta-{size}": config for owner in ("FacebookAI/", "") for size, config in (("base", BASE), ("large", LARGE))}


def known_config(trunk: str) -> TrunkConfig | None:
    """A trunk's numbers without the network: a folder's, the miniature's or XLM-R's; None for anything else of the hub.

    Raises ArtefactError or MissingError for a folder that is no trunk.
    """
    if trunk in XLMR:
        return XLMR[trunk]
    folder = trunk_folder() if trunk == "miniature" else Path(trunk)
    return read_config(folder) if folder.is_dir() else None


def trunk_parameters(trunk: TrunkConfig) -> int:
    """All of the trunk: what full fine-tuning stores."""
    hidden, inner = trunk.hidden_size, trunk.intermediate_size
    embeddings = (trunk.vocab_size + trunk.max_position_embeddings + trunk.type_vocab_size + 2) * hidden
    attention = 4 * (hidden**2 + hidden) + 2 * hidden
    return embeddings + trunk.num_hidden_layers * (attention + 2 * hidden * inner + inner + hidden + 2 * hidden)


def adapter_parameters(kind: str, settings: Mapping[str, Any], trunk: TrunkConfig) -> int:
    """One adapter of a kind, with all of its settings (kinds.resolve)."""
    if kind == "full":
        return trunk_parameters(trunk)
    hidden = trunk.hidden_size
    layers = trunk.num_hidden_layers - len({layer for layer in settings.get("leave_out", ()) if layer < trunk.num_hidden_layers})
    match kind:
        case "seq_bn" | "par_bn":
            return layers * _bottleneck(hidden, settings)
        case "double_seq_bn":
            return layers * 2 * _bottleneck(hidden, settings)
        case "seq_bn_inv":
            return layers * _bottleneck(hidden, settings) + 2 * _coupling(hidden // 2, settings["inv_adapter_reduction_factor"])
        case "compacter":
            return _compacter(hidden, layers, settings)
        case "lora":
            return layers * _lora(trunk, settings)
        case "ia3":
            return layers * _scales(trunk, settings)
        case "prefix_tuning":
            return _prefix(hidden, layers, settings)
        case "mam":
            return _prefix(hidden, layers, settings) + layers * _bottleneck(hidden, settings)
    raise AssertionError(f"no arithmetic for the kind {kind}")


def fusion_parameters(trunk: TrunkConfig) -> int:
    """AdapterFusion's query and key with bias and value without, in every layer; the number of adapters fused does not matter."""
    return trunk.num_hidden_layers * (3 * trunk.hidden_size**2 + 2 * trunk.hidden_size)


def head_parameters(format: str, labels: int, trunk: TrunkConfig, pool: str = "pooler") -> int:
    """A task's head; `labels` counts its classes or tags. pool: of a ranking head."""
    hidden = trunk.hidden_size
    dense = hidden**2 + hidden
    match format:
        case "pair" | "single":
            return dense + labels * (hidden + 1)
        case "choice":
            return dense + hidden + 1
        case "tags":
            return labels * (hidden + 1)
        case "span":
            return 2 * (hidden + 1)
        case "text":
            return dense + 2 * hidden + trunk.vocab_size
        case "ranking":
            return (dense if pool == "pooler" else 0) + 1
    raise AssertionError(f"no head for the format {format}")


def _bottleneck(hidden: int, settings: Mapping[str, Any]) -> int:
    narrow = max(1, int(hidden / settings["reduction_factor"]))
    norm = 2 * hidden if settings.get("ln_before") else 0
    return 2 * hidden * narrow + narrow + hidden + norm + int(settings.get("scaling") == "learned")


def _coupling(half: int, factor: float) -> int:
    """One of the two networks of an invertible block, each from half of the embedding to the other half."""
    narrow = int(half / factor)
    return 2 * half * narrow + narrow + half


def _compacter(hidden: int, layers: int, settings: Mapping[str, Any]) -> int:
    """Two bottlenecks a layer, of low-rank Kronecker factors over a shared rule of n^3 numbers."""
    parts, rank, narrow = settings["phm_dim"], settings["phm_rank"], max(1, int(hidden / settings["reduction_factor"]))
    matrix = rank * (hidden + narrow)  # both factors of all n parts
    rule: int = parts**3
    every: int = 2 * layers * (2 * matrix + narrow + hidden)
    return every + (rule if settings["shared_phm_rule"] else 4 * layers * rule)


def _lora(trunk: TrunkConfig, settings: Mapping[str, Any]) -> int:
    hidden, inner, rank = trunk.hidden_size, trunk.intermediate_size, settings["r"]
    attention: int = 2 * hidden * rank * len(settings["attn_matrices"]) if settings["selfattn_lora"] else 0
    return attention + int(rank) * (hidden + inner) * (bool(settings["intermediate_lora"]) + bool(settings["output_lora"]))


def _scales(trunk: TrunkConfig, settings: Mapping[str, Any]) -> int:
    attention = trunk.hidden_size * len(settings["attn_matrices"]) if settings["selfattn_lora"] else 0
    return attention + trunk.intermediate_size * bool(settings["intermediate_lora"]) + trunk.hidden_size * bool(settings["output_lora"])


def _prefix(hidden: int, layers: int, settings: Mapping[str, Any]) -> int:
    """Keys and values of every layer from one small network; "flat" stores them as they are."""
    length, narrow, both = settings["prefix_length"], settings["bottleneck_size"], 2 * layers * hidden
    if settings.get("flat"):
        return int(length * both)
    return int(length * hidden + narrow * (hidden + 1) + both * (narrow + 1))
