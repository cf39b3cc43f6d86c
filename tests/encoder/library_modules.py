"""The adapters library's own modules behind our interface: the oracle of ours, bit by bit."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import XLMRobertaModel

from adapter_stilts.encoder.composition import Fuse, Name
from adapter_stilts.encoder.kinds import Kind
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.modules.base import INVERTIBLE, PREFIX, PROJECTIONS, STREAM, AdapterParts, Change, Prefix
from adapter_stilts.encoder.trunk.base import TrunkModel

CONTAINERS = ("adapters", "loras", "prefix_tunings", "invertible_adapters", "shared_parameters", "adapter_fusion_layer")
PEFTS = ("rslora", "dora", "vera", "ia3_ff")  # kinds of peft's form, which are compared with it (test_peft_modules.py)
UNITED = {"mam": ("prefix_tuning", "par_bn")}  # kinds that the library makes of several


def import_library() -> ModuleType:
    """The library; skips the test where it, or the transformers that it needs, is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reason = "needs the library that our modules are compared with: pip install 'adapter-stilts[adapterhub]'"
        library = pytest.importorskip("adapters", reason=reason, exc_type=ImportError)
        try:
            library.init  # the library imports itself lazily  # noqa: B018
        except (ImportError, RuntimeError) as error:
            pytest.skip(f"the library does not import beside this transformers: {error}")
    return library


def library_name(canonical: str, adapter: str) -> str:
    """The name the library's state dict gives a tensor of the adapter called `adapter`."""
    words = canonical.split(".")
    at = next(index for index, word in enumerate(words) if word in CONTAINERS)
    return ".".join([*words[: at + 1], adapter, *words[at + 1 :]])


def librarys_model(
    folder: Path,
    encoder: AdapterEncoder,
    adapters: Mapping[str, str],
    settings: Mapping[str, dict[str, Any]],
    fuse: tuple[str, ...] = (),
) -> Any:
    """The library's model with the same trunk and, copied by name, the same adapters and fusions as our encoder.

    adapters  name to kind; settings: by kind
    """
    library = import_library()
    model = XLMRobertaModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="sdpa")
    library.init(model)
    weights = {}
    for name, kind in adapters.items():
        model.add_adapter(name, config=library_config(kind, settings[kind]))
        weights |= {library_name(canonical, name): tensor for canonical, tensor in encoder.tensors(name).items()}
    if fuse:
        model.add_adapter_fusion(list(fuse))
        tensors = encoder.fusion_tensors(Fuse(tuple(map(Name, fuse))))
        weights |= {library_name(canonical, ",".join(fuse)): tensor for canonical, tensor in tensors.items()}
    assert not model.load_state_dict(weights, strict=False).unexpected_keys  # our canonical names are the library's
    return model.eval()


def library_config(kind: str, settings: Mapping[str, Any]) -> Any:
    """The library's configuration of a kind."""
    library = import_library()
    if kind == "mam":
        prefix = {key: value for key, value in settings.items() if key != "reduction_factor"}
        parts = library.PrefixTuningConfig(**prefix), library.ParBnConfig(reduction_factor=settings["reduction_factor"])
        return library.ConfigUnion(*parts)
    return copy.deepcopy(library.AdapterConfig.load(kind, **settings))


def build(kind: Kind, settings: Mapping[str, Any], trunk: TrunkModel) -> AdapterParts:
    """What `modules.base.build` makes, of the library's modules."""
    from adapters.configuration import ADAPTER_CONFIG_MAP

    parts = LibraryParts(len(trunk.layers))
    for name in UNITED.get(kind.name, (kind.name,)):
        config = ADAPTER_CONFIG_MAP[name]
        known = {field: settings[field] for field in config.__dataclass_fields__ if field in settings}
        lists = {field: list(value) if isinstance(value, tuple) else value for field, value in known.items()}
        config = config.replace(**lists)
        kept = [layer for layer in range(trunk.shape.layers) if layer not in config["leave_out"]]
        {None: _bottlenecks, "lora": _low_rank, "prefix_tuning": _prefix}[config.architecture](
            parts, config, trunk, kept
        )
    return parts


class LibraryParts(AdapterParts):
    """The library's modules, each called as the library calls it."""

    kept: tuple[int, ...] = ()

    def hang(self, layer: int, site: str, module: nn.Module) -> None:
        place = f"{STREAM[site]}.adapters" if site in STREAM else f"{PROJECTIONS[site]}.loras"
        self.put(f"encoder.layer.{layer}.{place}", module)
        self._sites[layer, site] = LibraryChange(module)

    @property
    def lowest(self) -> int:
        return 0  # the library's prefixes do not say which layers they are for

    def prefixes(self, batch: int) -> Mapping[int, Prefix]:
        module: Any = self.at(PREFIX)
        if module is None:
            return {}
        pairs = module(batch if self.training and module.dropout.p > 0 else 1)
        return {layer: Prefix(*pair) for layer, pair in zip(self.kept, pairs, strict=True)}


class LibraryChange(Change):
    """What a module of the library adds, as we call it."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.__dict__["module"] = module  # it is the parts' already

    def change(self, hidden: Tensor, source: Tensor, norm: Any) -> Tensor:
        module: Any = self.module
        if hasattr(module, "adapter_up"):
            change: Tensor = module(self.query(hidden, source, norm), residual_input=hidden.new_zeros(()))[0]
        elif hasattr(module, "lora_A"):
            change = module(None, source)[0]
        else:
            change = hidden * (module.lora_B.view(-1) * module.scaling - 1).to(hidden.dtype)
        return change

    def query(self, hidden: Tensor, source: Tensor, norm: Any) -> Tensor:
        whole = None if norm is None else lambda _: norm(hidden)  # the library adds the residual itself
        inputs: Tensor = self.module.pre_forward(hidden, source, whole)[0]
        return inputs


class LibraryFusion(AdapterParts):
    """The library's fusion modules, in the place of FusionParts."""

    def __init__(self, sites: tuple[str, ...], trunk: TrunkModel) -> None:
        from adapters.configuration import ADAPTERFUSION_CONFIG_MAP
        from adapters.methods.modeling import BertFusion

        super().__init__(len(trunk.layers))
        for layer in range(self.depth):
            for site in sites:
                module = BertFusion(ADAPTERFUSION_CONFIG_MAP["dynamic"], trunk.shape.hidden, trunk.shape.dropout)
                self.put(_fusion_place(layer, site), module)

    def fuse(self, layer: int, site: str, query: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        module: Any = self.at(_fusion_place(layer, site))
        mixed: Tensor = module(query, values, values, query.new_zeros(()))
        return mixed, values.new_zeros(values.shape[:3])

    def value_matrices(self) -> list[Tensor]:
        return [module.value.weight for module in self.children()]  # type: ignore[union-attr,misc]


def _fusion_place(layer: int, site: str) -> str:
    return f"encoder.layer.{layer}.{STREAM[site]}.adapter_fusion_layer"


def _bottlenecks(parts: LibraryParts, config: Any, trunk: TrunkModel, kept: list[int]) -> None:
    from adapters.methods import modeling

    width = trunk.shape.hidden
    make = modeling.ParallelAdapter if config["is_parallel"] else modeling.Adapter
    for layer in kept:
        for site, wanted in (("attention", config["mh_adapter"]), ("output", config["output_adapter"])):
            if wanted:
                parts.hang(layer, site, make("adapter", width, int(width // config["reduction_factor"]), config))
    if config["phm_layer"] and config["shared_phm_rule"]:
        shared = modeling.init_shared_parameters(config, width, torch.get_default_device())
        parts.put("shared_parameters", shared)
        for module in parts.modules():
            if isinstance(module, modeling.PHMLayer):
                module.shared_phm_rule = False
                module.__dict__["phm_rule"] = shared["phm_rule"]
    if config["inv_adapter"]:
        sizes = {"non_linearity": config["non_linearity"], "reduction_factor": config["inv_adapter_reduction_factor"]}
        block = modeling.NICECouplingBlock([[width]], **sizes)
        parts.put(INVERTIBLE, block.apply(modeling.Adapter.init_bert_weights))


def _low_rank(parts: LibraryParts, config: Any, trunk: TrunkModel, kept: list[int]) -> None:
    from adapters.methods.lora import IA3, LoRA

    asked = {site: config["selfattn_lora"] and site[0] in config["attn_matrices"] for site in ("query", "key", "value")}
    asked |= {"intermediate": config["intermediate_lora"], "output_dense": config["output_lora"]}
    make = IA3 if config["composition_mode"] == "scale" else LoRA
    for layer in kept:
        for site in (site for site in PROJECTIONS if asked.get(site)):
            inputs, outputs = trunk.shape.projections[site]
            parts.hang(layer, site, make((config["r"], inputs), (outputs, config["r"]), config))


def _prefix(parts: LibraryParts, config: Any, trunk: TrunkModel, kept: list[int]) -> None:
    from adapters.methods.prefix_tuning import FlatPrefixTuning, PrefixTuning

    parts.kept = tuple(kept)
    make = FlatPrefixTuning if config["flat"] else PrefixTuning
    parts.put(PREFIX, make(len(kept), trunk.shape.heads, trunk.shape.hidden, config))
