"""An adapter of peft's as one of ours; safetensors only.

What peft says otherwise than we can is read as the same change, or refused with the key's name: of ranks and alphas by
pattern, shorter matrices end in zeros and other scales are multiplied into B.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from adapter_stilts.convert.base import CONFIG, Foreign, read_config, read_head, readers
from adapter_stilts.convert.heads import heads_of
from adapter_stilts.convert.peft import (
    FRONT,
    LEAVES,
    METHODS,
    SCALE,
    SHARED,
    WEIGHTS,
    Place,
    canonical,
    modules_of,
    settings_of,
    vera_projections,
)
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.modules.projections import WORDS
from adapter_stilts.encoder.trunk.base import TrunkModel
from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.errors import ArtefactError
from adapter_stilts.sharing.bundle import Part

STARTS = (True, False, "gaussian", "eva", "orthogonal")  # of init_lora_weights: those that leave the trunk as it is
HEEDED = frozenset(
    [
        *("peft_type", "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "modules_to_save"),
        *("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "lora_dropout", "d_initial"),
        *("vera_dropout", "projection_prng_key", "save_projection", "feedforward_modules", "init_lora_weights"),
        "fan_in_fan_out",  # means nothing for linear layers, which all of these are
        # what decides nothing once an adapter is trained
        *("base_model_name_or_path", "revision", "task_type", "inference_mode", "auto_mapping", "peft_version"),
        *("init_weights", "init_ia3_weights", "loftq_config", "eva_config", "megatron_core", "qalora_group_size"),
        *("ephemeral_gpu_offload", "ensure_weight_tying"),
    ]
)


@readers.register("peft")
def read(folder: Path, model: TrunkModel, config: TrunkConfig) -> Foreign:
    """The adapter of a folder, and its head where a class of transformers with one of ours has it."""
    from adapter_stilts.convert.libraries import peft_configs  # only now: it takes seconds to import

    content, where = read_config(folder), str(folder / CONFIG)
    method = str(content["peft_type"])
    if method not in METHODS.values():
        do = "convert LoRA, rsLoRA, DoRA, VeRA or IA3"
        raise ArtefactError(f"peft_type is {method}, which has no equal here", where=where, do=do)
    asked = peft_configs.read(content, HEEDED, where)
    start = getattr(asked, "init_lora_weights", True)
    if start not in STARTS:
        what = f"init_lora_weights is {start!r}: such an adapter belongs to a trunk whose weights it has changed"
        raise ArtefactError(what, where=where, do="convert it to a plain LoRA first, as peft's guide to it says")
    places, rest, base = _by_place(_tensors(folder), model)
    modules = {place: f"{base}{name}" for place, name in modules_of(model).items()}
    _check_targets(asked, places, modules, where)
    settings = {**settings_of({site for _, site in places}), "leave_out": _left_out(places, model)}
    notes: list[str] = []
    kind = {"LORA": "lora", "VERA": "vera", "IA3": "ia3"}[method]
    if kind == "lora":
        kind = "dora" if asked.use_dora else "rslora" if asked.use_rslora else "lora"
        said = {place: _scale(asked, modules[place]) for place in places}
        more, notes = _one_scale(places, kind, said, asked.lora_alpha)
        settings |= {**more, "dropout": float(asked.lora_dropout)}
    elif kind == "vera":
        settings |= {"r": asked.r, "dropout": float(asked.vera_dropout), "d_initial": float(asked.d_initial)}
        settings["projection_seed"] = asked.projection_prng_key
        _check_projections(rest, resolve(kinds[kind], settings), model, where)
    elif inputs := {place for place in places if peft_configs.is_feedforward(asked, modules[place])}:
        kind, scaled = "ia3_ff", {site for _, site in inputs}
        if any(site in scaled and (layer, site) not in inputs for layer, site in places):
            what = f"feedforward_modules name {', '.join(sorted(scaled))} in some layers alone, which has no equal here"
            raise ArtefactError(what, where=where, do="train it with the same modules in every layer")
        settings["scaled_inputs"] = tuple(word for site, word in WORDS.items() if site in scaled)
        for place in inputs:
            places[place] = {"lora_A": places[place]["lora_B"]}
    tensors = {f"{canonical(place)}.{leaf}": tensor for place, of in places.items() for leaf, tensor in of.items()}
    return Foreign(folder.resolve().name, kind, settings, tensors, _head(folder, rest, config), tuple(notes))


def _tensors(folder: Path) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    if not path.is_file():
        what, do = f"there is no {WEIGHTS}", "save the adapter with safe_serialization=True"
        if (folder / "adapter_model.bin").exists():
            what += ", and adapter_model.bin is a pickle, which is not read"
        raise ArtefactError(what, where=str(folder), do=do)
    try:
        return safetensors.torch.load_file(path)
    except (SafetensorError, OSError) as error:
        raise ArtefactError(f"not a whole safetensors file: {error}", where=str(path), do="fetch it again") from error


def _by_place(
    tensors: Mapping[str, Tensor], model: TrunkModel
) -> tuple[dict[Place, dict[str, Tensor]], dict[str, Tensor], str]:
    """The tensors of each place under our names, all others, and what modules' names begin with in the model."""
    leaves = {theirs: own for own, theirs in LEAVES.items()} | {SCALE: "lora_B", "lora_magnitude_vector": "magnitude"}
    place_of = {name: place for place, name in modules_of(model).items()}
    places: dict[Place, dict[str, Tensor]] = {}
    rest, base = {}, ""
    for name, tensor in tensors.items():
        module = name.removeprefix(FRONT)
        if module.startswith(f"{model.stored}{next(iter(place_of)).partition('.')[0]}."):
            base, module = model.stored, module.removeprefix(model.stored)
        leaf = next((leaf for leaf in leaves if module.endswith(f".{leaf}")), "")
        place = place_of.get(module.removesuffix(f".{leaf}")) if leaf else None
        if place is None:
            rest[name] = tensor
        else:
            places.setdefault(place, {})[leaves[leaf]] = tensor.float()
    return places, rest, base


def _check_targets(asked: Any, places: Mapping[Place, object], modules: Mapping[Place, str], where: str) -> None:
    """Refuse weights that peft would not put into the model, and modules it would leave at random."""
    from adapter_stilts.convert.libraries import peft_configs

    for place, module in modules.items():
        if peft_configs.means(asked, module) != (place in places):
            what = f"'{module}' has weights, and target_modules do not name it"
            what = what if place in places else f"'{module}' is one of target_modules, and has no weights"
            raise ArtefactError(what, where=where, do="save the adapter again with peft")
    if not places:
        what = "no weights for any projection of the trunk"
        raise ArtefactError(what, where=where, do="name the trunk it was trained on with --trunk")


def _left_out(places: Mapping[Place, object], model: TrunkModel) -> tuple[int, ...]:
    return tuple(layer for layer in range(model.shape.layers) if all(layer != other for other, _ in places))


def _scale(asked: Any, module: str) -> tuple[int, float]:
    """The rank of a module, and what multiplies B A there."""
    from adapter_stilts.convert.libraries import peft_configs

    rank = peft_configs.of_pattern(asked.rank_pattern, module, asked.r)
    alpha = peft_configs.of_pattern(asked.alpha_pattern, module, asked.lora_alpha)
    return rank, alpha / (math.sqrt(rank) if asked.use_rslora else rank)


def _one_scale(
    places: Mapping[Place, dict[str, Tensor]], kind: str, said: Mapping[Place, tuple[int, float]], alpha: float
) -> tuple[dict[str, int], list[str]]:
    """Settings r and alpha for all places, whose tensors are changed to fit; and what is to be said of that."""
    ranks, scales = {rank for rank, _ in said.values()}, {scale for _, scale in said.values()}
    rank = max(ranks)
    divisor = math.sqrt(rank) if kind == "rslora" else rank
    as_said = len(ranks) == 1 and len(scales) == 1 and alpha == int(alpha) > 0 and scales == {alpha / divisor}
    ours = int(alpha) if as_said else rank
    for place, of in places.items():
        own, scale = said[place]
        if set(of) != {"lora_A", "lora_B"} | ({"magnitude"} if kind == "dora" else set()):
            what = f"'{canonical(place)}' holds {', '.join(sorted(of))}"
            raise ArtefactError(what, do="save the adapter again with peft")
        if of["lora_A"].shape[0] != own or of["lora_B"].shape[1] != own:
            what = f"rank_pattern and r say {own} for '{canonical(place)}', which has {list(of['lora_A'].shape)}"
            raise ArtefactError(what, do="save the adapter again with peft")
        if own < rank:
            down, up = of["lora_A"], of["lora_B"]
            of["lora_A"] = torch.cat([down, down.new_zeros(rank - own, down.shape[1])])
            of["lora_B"] = torch.cat([up, up.new_zeros(up.shape[0], rank - own)], dim=1)
        if not as_said:
            of["lora_B"] = (of["lora_B"].double() * (scale / (ours / divisor))).float()
    several = f"the ranks {', '.join(map(str, sorted(ranks)))} become one of {rank} that ends in zeros"
    notes = [several] if len(ranks) > 1 else []
    notes += [] if as_said else ["the scales of its modules are multiplied into B"]
    return {"r": rank, "alpha": ours}, notes


def _check_projections(rest: dict[str, Tensor], settings: Mapping[str, Any], model: TrunkModel, where: str) -> None:
    """Take VeRA's random matrices out of the tensors; they must be those of their seed."""
    shared = vera_projections(settings, model)
    for own, theirs in SHARED.items():
        stored = rest.pop(theirs, None)
        if stored is not None and not torch.equal(stored.float(), getattr(shared, own)):
            what = f"{theirs} is not what projection_prng_key {settings['projection_seed']} gives here"
            raise ArtefactError(what, where=where, do="an adapter with random matrices of its own cannot be read")


def _head(folder: Path, rest: Mapping[str, Tensor], config: TrunkConfig) -> Part | None:
    """What is left as a head of ours; ArtefactError for tensors that are none."""
    if not rest:
        return None
    named = {name.removeprefix(FRONT): tensor.float() for name, tensor in rest.items()}
    for head in heads_of(config).values():
        try:
            tensors = head.ours(named)
        except KeyError:
            continue
        labels = tensors["out.weight"].shape[0]
        if len(tensors) == len(named) and (head.outputs is None or head.outputs == labels):
            return read_head(folder, head.format, 0 if head.outputs else labels, tensors)
    first = sorted(named)[0]
    what = f"modules_to_save holds '{first}' ({len(named)} tensors), which is no head that is known here"
    raise ArtefactError(what, where=str(folder / WEIGHTS), do="save the adapter without it")
