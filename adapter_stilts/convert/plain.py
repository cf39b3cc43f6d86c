"""A trunk with its adapters as a model of transformers' own, which needs nothing of ours.

    lora rslora dora vera ia3    in the weights themselves (encoder/baking.py)
    par_bn                       in the feed-forward block, made wider: a bottleneck beside it adds as more units do
    seq_bn                       as X-MOD's adapter, which reads the layer norm of what the layer computed, too

X-MOD and the feed-forward block have the trunk's non-linearity. A bottleneck with ReLU is written for a trunk with GELU
as gelu(c x) / c, which is relu(x) up to 0.2 / c. Pfeiffer et al. (2022), https://arxiv.org/abs/2205.06266
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from adapter_stilts.encoder.activations import activation
from adapter_stilts.encoder.baking import LINEAR, baked_weights
from adapter_stilts.encoder.composition import Average, Composition, Name, Stack, names
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.modules.bottleneck import Bottleneck
from adapter_stilts.encoder.trunk.config import TrunkConfig

SHARP = 2.0**20  # c: a power of two, so that nothing is rounded; too much for half precision, not for bfloat16
LANGUAGE = "adapter"  # the only language of the X-MOD
CLASSES = {"xlm-roberta": "XLMRobertaModel", "bert": "BertModel"}


@dataclass(frozen=True)
class Plain:
    """config.json and the tensors of model.safetensors."""

    config: dict[str, Any]
    tensors: dict[str, Tensor]


@dataclass(frozen=True)
class Units:
    """What a bottleneck adds: up f(down x + b) + c, with down [R, H], b [R], up [H, R], c [H]."""

    down: Tensor
    bias: Tensor
    up: Tensor
    up_bias: Tensor


def plain_model(encoder: AdapterEncoder, layers: int, settings: Mapping[str, Mapping[str, Any]]) -> Plain | str:
    """The layers up to `layers` with the active composition in them, or why they are no model of transformers.

    settings   of each adapter
    """
    config, depth = encoder.trunk.config, encoder.trunk.depth
    if config.model_type not in CLASSES:
        return f"{config.model_type} normalises its last layer alone, so that it cannot be cut"
    assert layers == depth, "the encoder holds the layers that are read"
    terms = _terms(encoder, settings)
    if isinstance(terms, str):
        return terms
    weights = {name: tensor.float() for name, tensor in baked_weights(encoder, beside=frozenset({"output"})).items()}
    beside, after = ([term for term in terms if term[2] is place] for place in (True, False))
    numbers = {**asdict(config), "num_hidden_layers": depth}
    numbers.pop("pair_types", None)
    if beside:
        numbers["intermediate_size"] += _widen(encoder, weights, beside)
    kind, name = config.model_type, CLASSES[config.model_type]
    if after and depth:
        kind, name = "xmod", "XmodModel"
        numbers |= _xmod(encoder, weights, after)
        if config.model_type == "bert":
            numbers["max_position_embeddings"] = _moved_positions(config, weights)
    width = config.hidden_size
    weights |= {"pooler.dense.weight": torch.zeros(width, width), "pooler.dense.bias": torch.zeros(width)}  # unused
    about = {"model_type": kind, "architectures": [name], "dtype": "float32"}
    return Plain({**about, **numbers}, {key: tensor.contiguous() for key, tensor in weights.items()})


def _terms(encoder: AdapterEncoder, settings: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, float, bool]] | str:
    """The bottlenecks as (name, what it counts, whether it lies beside the block), or why they do not add up."""
    if encoder.composition is None:
        return []
    kinds, whole = encoder.active_kinds(), encoder.composition
    terms: list[tuple[str, float, bool]] = []
    for part in whole.parts if isinstance(whole, Stack) else (whole,):
        used = {kinds[name].name for name in names(part)}
        if all(kinds[name].places <= LINEAR | {"trunk"} for name in names(part)):
            continue
        if used not in ({"seq_bn"}, {"par_bn"}):
            return f"{part} is of kind {', '.join(sorted(used))}, which no model of transformers has"
        beside = used == {"par_bn"}
        if any(not term[2] for term in terms):
            return f"{part} would read what the bottleneck below it left, and X-MOD has one in a layer"
        for name, share in _shares(part, 1.0):
            if not name:
                return f"{part} has blocks within it, which no model of transformers has"
            if reason := _misfit(name, settings[name], encoder.trunk.config):
                return reason
            terms.append((name, share, beside))
    return terms


def _shares(part: Composition, weight: float) -> Iterator[tuple[str, float]]:
    """Each adapter of a mean with what it counts; "" for a block that is none."""
    if isinstance(part, Name):
        yield part.name, weight
    elif isinstance(part, Average):
        for inner, share in zip(part.parts, part.weights or (1 / len(part.parts),) * len(part.parts), strict=True):
            yield from _shares(inner, weight * share)
    else:
        yield "", weight


def _misfit(name: str, settings: Mapping[str, Any], config: TrunkConfig) -> str:
    """Why a bottleneck has no place in a model of transformers."""
    if settings.get("ln_before"):
        return f"'{name}' has a norm of its own (ln_before)"
    if settings["non_linearity"].lower() != "prelu":
        own, trunk = activation(settings["non_linearity"]), activation(config.hidden_act)
        if own is trunk or (own is activation("relu") and trunk is activation("gelu")):
            return ""
    return f"the non-linearity of '{name}' is {settings['non_linearity']}, and the trunk's {config.hidden_act}"


def _units(encoder: AdapterEncoder, layer: int, terms: list[tuple[str, float, bool]]) -> list[Units]:
    """The bottlenecks of a layer, scaled by what each counts, for the trunk's own non-linearity."""
    units, trunk = [], activation(encoder.trunk.config.hidden_act)
    for name, share, _ in terms:
        module = encoder.adapters[name].site(layer, "output")
        if module is None:
            continue
        assert isinstance(module, Bottleneck)
        down, up, function = module.adapter_down[0], module.adapter_up, module.non_linearity.f
        assert isinstance(down, nn.Linear)
        assert isinstance(up, nn.Linear)
        sharp = 1.0 if function is trunk else SHARP
        scale = share * (torch.as_tensor(module.scaling).detach().float())
        rows = scale.expand(up.out_features) if scale.numel() > 1 else scale.reshape(1).expand(up.out_features)
        upward = up.weight.detach() * rows[:, None] / sharp
        units.append(Units(down.weight.detach() * sharp, down.bias.detach() * sharp, upward, up.bias.detach() * rows))
    return units


def _widen(encoder: AdapterEncoder, weights: dict[str, Tensor], terms: list[tuple[str, float, bool]]) -> int:
    """Add units to every layer's feed-forward block; returns how many."""
    of_layers = [_units(encoder, layer, terms) for layer in range(encoder.trunk.depth)]
    most = max((sum(len(each.bias) for each in units) for units in of_layers), default=0)
    for layer, units in enumerate(of_layers):
        names = [f"encoder.layer.{layer}.{place}.dense" for place in ("intermediate", "output")]
        down, bias, up, up_bias = _padded(units, most, encoder.trunk.config.hidden_size)
        weights[f"{names[0]}.weight"] = torch.cat([weights[f"{names[0]}.weight"], down])
        weights[f"{names[0]}.bias"] = torch.cat([weights[f"{names[0]}.bias"], bias])
        weights[f"{names[1]}.weight"] = torch.cat([weights[f"{names[1]}.weight"], up], dim=1)
        weights[f"{names[1]}.bias"] = weights[f"{names[1]}.bias"] + up_bias
    return most


def _xmod(encoder: AdapterEncoder, weights: dict[str, Tensor], terms: list[tuple[str, float, bool]]) -> dict[str, Any]:
    """Add an adapter to every layer; returns the settings of the X-MOD that has them."""
    width, of_layers = (
        encoder.trunk.config.hidden_size,
        [_units(encoder, layer, terms) for layer in range(encoder.trunk.depth)],
    )
    factor = width // max(sum(len(each.bias) for each in units) for units in of_layers) or 1
    wide = width // factor
    for layer, units in enumerate(of_layers):
        place = f"encoder.layer.{layer}.output.adapter_modules.{LANGUAGE}"
        for name, tensor in zip(
            ("dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias"), _padded(units, wide, width), strict=True
        ):
            weights[f"{place}.{name}"] = tensor
    own = {"adapter_reduction_factor": factor, "adapter_layer_norm": False, "adapter_reuse_layer_norm": True}
    return {**own, "ln_before_adapter": False, "pre_norm": False, "languages": [LANGUAGE], "default_language": LANGUAGE}


def _padded(units: list[Units], wide: int, width: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """All units side by side, ending in zeros."""
    rest = wide - sum(len(each.bias) for each in units)
    empty = Units(torch.zeros(rest, width), torch.zeros(rest), torch.zeros(width, rest), torch.zeros(width))
    every = [*units, empty]
    return (
        torch.cat([each.down for each in every]),
        torch.cat([each.bias for each in every]),
        torch.cat([each.up for each in every], dim=1),
        torch.stack([each.up_bias for each in every]).sum(0),
    )


def _moved_positions(config: TrunkConfig, weights: dict[str, Tensor]) -> int:
    """BERT's positions where X-MOD looks for them, from one above its padding on; returns how many there are."""
    name = "embeddings.position_embeddings.weight"
    weights[name] = torch.cat([torch.zeros(config.pad_token_id + 1, config.hidden_size), weights[name]])
    return len(weights[name])
