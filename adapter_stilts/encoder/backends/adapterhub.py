"""Adapters from the `adapters` library: the only file that imports it.

The library gives the modules (bottlenecks, invertible blocks, low-rank changes, prefixes, fusion) with their
initialisation. Where they attach and how they compose is ours (`encoder/sites.py`), because the library's own
composition is wrong in several nestings: a mean is divided by its length twice, a fresh LoRA stacked on a trained one
erases it, a stack inside a fusion is normalised twice, a parallel bottleneck drops what lies below it in a stack.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from adapters.configuration import ADAPTER_CONFIG_MAP, ADAPTERFUSION_CONFIG_MAP, AdapterConfig
from adapters.methods.lora import IA3, LoRA
from adapters.methods.modeling import (
    Adapter,
    BertFusion,
    NICECouplingBlock,
    ParallelAdapter,
    PHMLayer,
    init_shared_parameters,
)
from adapters.methods.prefix_tuning import FlatPrefixTuning, PrefixTuning
from torch import Tensor, nn

from adapter_stilts.encoder.backends.base import AdapterParts, Change, FusionParts, Invertible, Norm, Prefix
from adapter_stilts.encoder.kinds import Kind, Setting
from adapter_stilts.encoder.trunk_config import TrunkConfig
from adapter_stilts.errors import UsageError

if TYPE_CHECKING:
    from transformers import XLMRobertaModel

STREAM = {"attention": "attention.output", "output": "output"}
LINEAR = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "intermediate": "intermediate.dense",
    "output_dense": "output.dense",
}
PREFIX = "prefix_tuning.prefix_tunings.self_prefix"
SHARED_RULE = "shared_parameters"
INVERTIBLE = "invertible_adapters"


def build(
    kind: Kind, settings: Mapping[str, Setting], shape: TrunkConfig, depth: int, trunk: XLMRobertaModel
) -> AdapterParts:
    """A fresh adapter; settings the library cannot build are UsageError."""
    parts = LibraryParts(depth)
    try:
        for part in kind.library or (kind.name,):
            config = _configured(ADAPTER_CONFIG_MAP[part], settings)
            BUILDERS[config.architecture](parts, config, shape)
    except (AssertionError, ValueError, KeyError, AttributeError, ZeroDivisionError, RuntimeError) as error:
        what = f"cannot build {kind.name} with these settings: {error}"
        raise UsageError(what, where="adapter.settings", do=f"its defaults are {dict(kind.settings)}") from error
    return parts


def build_fusion(sites: tuple[str, ...], shape: TrunkConfig, depth: int) -> FusionParts:
    """A fresh AdapterFusion: queries and keys N(0, 0.02), values the identity with 1e-6 beside the diagonal."""
    return LibraryFusion(sites, shape, depth)


class LibraryParts(AdapterParts):
    """The library's modules of one adapter in the lowest `depth` layers."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth
        self.prefix_layers: tuple[int, ...] = ()
        self._sites: dict[tuple[int, str], Change] = {}

    def site(self, layer: int, site: str) -> Change | None:
        return self._sites.get((layer, site))

    def prefixes(self, batch: int) -> Mapping[int, Prefix]:
        module: Any = self.at(PREFIX)
        if module is None:
            return {}
        rows = batch if self.training and module.dropout.p > 0 else 1
        return {layer: Prefix(*pair) for layer, pair in zip(self.prefix_layers, module(rows), strict=True)}

    def invertible(self) -> Invertible | None:
        module = self.at(INVERTIBLE)
        return module if isinstance(module, NICECouplingBlock) else None

    def attach(self, layer: int, site: str, module: nn.Module, change: Callable[[Any], Change]) -> None:
        """Put a module at a site of a layer, unless the layer is above those built."""
        if layer < self.depth:
            place = f"{STREAM[site]}.adapters" if site in STREAM else f"{LINEAR[site]}.loras"
            self.put(f"encoder.layer.{layer}.{place}", module)
            self._sites[layer, site] = change(module)


@dataclass(frozen=True)
class Bottleneck(Change):
    """A bottleneck after its block: what it adds to the block's output, before that is added back to the stream."""

    module: Adapter

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        inputs, _, _ = self.module.pre_forward(hidden, source, norm)
        change: Tensor = self.module(inputs, residual_input=hidden.new_zeros(()))[0]
        return change

    def query(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        inputs: Tensor = self.module.pre_forward(hidden, source, norm)[0]
        return inputs


@dataclass(frozen=True)
class LowRank(Change):
    """A low-rank change of a projection."""

    module: LoRA

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        change: Tensor = self.module(None, source)[0]
        return change


@dataclass(frozen=True)
class Scale(Change):
    """A scale on a projection's output, as what it adds: y * s is y + y * (s - 1)."""

    module: IA3

    def change(self, hidden: Tensor, source: Tensor, norm: Norm | None) -> Tensor:
        scale: Tensor = self.module.lora_B.view(-1) * self.module.scaling
        return hidden * (scale - 1).to(hidden.dtype)


class LibraryFusion(FusionParts):
    """The library's fusion modules; the forward pass is ours, since the library's returns attention as NumPy."""

    def __init__(self, sites: tuple[str, ...], shape: TrunkConfig, depth: int) -> None:
        super().__init__()
        for layer in range(depth):
            for site in sites:
                sizes = (shape.hidden_size, shape.attention_probs_dropout_prob)
                self.put(_fusion_place(layer, site), BertFusion(ADAPTERFUSION_CONFIG_MAP["dynamic"], *sizes))

    def fuse(self, layer: int, site: str, query: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        module = self.at(_fusion_place(layer, site))
        assert isinstance(module, BertFusion)
        scores = (module.query(query).unsqueeze(2) @ module.key(values).transpose(-2, -1)).squeeze(2)
        attention = torch.softmax(module.dropout(scores), dim=-1)  # [B, T, A]
        mixed = (attention.to(scores.dtype).unsqueeze(2) @ module.value(values)).squeeze(2)
        return mixed, attention

    def value_matrices(self) -> list[Tensor]:
        return [module.value.weight for module in self.children() if isinstance(module, BertFusion)]


def _fusion_place(layer: int, site: str) -> str:
    return f"encoder.layer.{layer}.{STREAM[site]}.adapter_fusion_layer"


def _configured(config: AdapterConfig, settings: Mapping[str, Setting]) -> AdapterConfig:
    known = {name: settings[name] for name in config.__dataclass_fields__ if name in settings}
    return config.replace(**{name: list(value) if isinstance(value, tuple) else value for name, value in known.items()})


def _kept_layers(config: AdapterConfig, shape: TrunkConfig) -> list[int]:
    outside = [layer for layer in config["leave_out"] if not 0 <= layer < shape.num_hidden_layers]
    if outside:
        raise ValueError(f"leave_out names layer {outside[0]}, and layers run from 0 to {shape.num_hidden_layers - 1}")
    kept = [layer for layer in range(shape.num_hidden_layers) if layer not in config["leave_out"]]
    if not kept:
        raise ValueError("leave_out leaves no layer")
    return kept


def _add_bottlenecks(parts: LibraryParts, config: AdapterConfig, shape: TrunkConfig) -> None:
    wanted = {"attention": config["mh_adapter"], "output": config["output_adapter"]}
    make = ParallelAdapter if config["is_parallel"] else Adapter
    width = int(shape.hidden_size // config["reduction_factor"])
    if width < 1:
        factor = f"reduction_factor {config['reduction_factor']:g}"
        raise ValueError(f"{factor} leaves no bottleneck in {shape.hidden_size} dimensions")
    for layer in _kept_layers(config, shape):
        for site in (site for site in STREAM if wanted[site]):
            parts.attach(layer, site, make("adapter", shape.hidden_size, width, config), Bottleneck)
    if config["phm_layer"] and config["shared_phm_rule"]:
        _share_rule(parts, init_shared_parameters(config, shape.hidden_size, torch.get_default_device()))
    if config["inv_adapter"]:
        sizes = {"non_linearity": config["non_linearity"], "reduction_factor": config["inv_adapter_reduction_factor"]}
        block = NICECouplingBlock([[shape.hidden_size]], **sizes)
        parts.put(INVERTIBLE, block.apply(Adapter.init_bert_weights))


def _share_rule(parts: LibraryParts, shared: nn.ParameterDict) -> None:
    """Give every hypercomplex layer the shared rule as a plain attribute.

    The library passes it through a thread-local forward context, which a recomputation under gradient checkpointing
    does not see.
    """
    parts.put(SHARED_RULE, shared)
    for module in parts.modules():
        if isinstance(module, PHMLayer):
            module.shared_phm_rule = False
            module.__dict__["phm_rule"] = shared["phm_rule"]


def _add_low_rank(parts: LibraryParts, config: AdapterConfig, shape: TrunkConfig) -> None:
    unknown = set(config["attn_matrices"]) - {"q", "k", "v"}
    if unknown:
        raise ValueError(f"attn_matrices holds '{sorted(unknown)[0]}', which is not one of: q, k, v")
    asked = {
        **{site: config["selfattn_lora"] and site[0] in config["attn_matrices"] for site in ("query", "key", "value")},
        "intermediate": config["intermediate_lora"],
        "output_dense": config["output_lora"],
    }
    wanted = [site for site in LINEAR if asked[site]]
    if not wanted:
        raise ValueError("attn_matrices, intermediate_lora and output_lora leave no projection to change")
    make, change = (IA3, Scale) if config["composition_mode"] == "scale" else (LoRA, LowRank)
    sizes = {
        "intermediate": (shape.hidden_size, shape.intermediate_size),
        "output_dense": (shape.intermediate_size, shape.hidden_size),
    }
    for layer in _kept_layers(config, shape):
        for site in wanted:
            inputs, outputs = sizes.get(site, (shape.hidden_size, shape.hidden_size))
            module = make((config["r"], inputs), (outputs, config["r"]), config)
            parts.attach(layer, site, module, change)


def _add_prefix(parts: LibraryParts, config: AdapterConfig, shape: TrunkConfig) -> None:
    parts.prefix_layers = tuple(_kept_layers(config, shape))
    make = FlatPrefixTuning if config["flat"] else PrefixTuning
    parts.put(PREFIX, make(len(parts.prefix_layers), shape.num_attention_heads, shape.hidden_size, config))


BUILDERS: dict[str | None, Callable[[LibraryParts, AdapterConfig, TrunkConfig], None]] = {
    None: _add_bottlenecks,
    "lora": _add_low_rank,
    "prefix_tuning": _add_prefix,
}
