"""An adapter of AdapterHub's as one of ours: its safetensors form, and the older one, whose weights are a pickle.

A pickle is read by a process of its own, as tensors alone (encoder/trunk/unpickle.py). Names and settings of the years
before the library `adapters` are translated as that library does it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from adapter_stilts.convert.adapterhub import CONTAINERS, FLAGS, HEAD_CONFIG, HEAD_WEIGHTS, HEADS, WEIGHTS
from adapter_stilts.convert.base import CONFIG, Foreign, read_config, read_head, readers
from adapter_stilts.encoder.heads import heads
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.encoder.trunk.base import TrunkModel
from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.encoder.trunk.unpickle import to_safetensors
from adapter_stilts.errors import ArtefactError
from adapter_stilts.sharing.bundle import Part

LEGACY = {  # of adapter-transformers
    "attention_text_task_adapters": "adapters",
    "attention_text_lang_adapters": "adapters",
    "layer_text_task_adapters": "adapters",
    "layer_text_lang_adapters": "adapters",
    "invertible_lang_adapters": "invertible_adapters",
}
FUNCTIONS = {"gelu_orig": "gelu_python", "leakyrelu": "leaky_relu", "gelu_new": "gelu_new"}
FORMATS = {"sentence": "single", "choice": "choice", "tags": "tags", "span": "span"}  # one with each head
OF_TRAINING = (  # keys that decide nothing once an adapter is trained, or nothing in an encoder
    *("init_weights", "init_weights_seed", "phm_c_init", "phm_init_range", "hypercomplex_nonlinearity", "learn_phm"),
    *("dtype", "stochastic_depth", "cross_adapter", "cross_prefix", "shared_gating", "new_attention_norm"),
)
RIGHT_SCALE = (1, 1)  # the version of `adapters` from which alpha / r is what LoRA was trained with


@readers.register("adapterhub")
def read(folder: Path, model: TrunkModel, config: TrunkConfig) -> Foreign:
    """The adapter of a folder, and the head beside it."""
    content, where = read_config(folder), str(folder / CONFIG)
    if content.get("hidden_size") != config.hidden_size or content.get("model_type") != config.model_type:
        own = f"{content.get('model_type')} of width {content.get('hidden_size')}"
        what = f"the adapter is for a trunk of form {own}, and this one is {config.model_type} of {config.hidden_size}"
        raise ArtefactError(what, where=where, do="name the trunk it was trained on with --trunk")
    name = str(content.get("name", ""))
    tensors = {_canonical(key, name, model): tensor for key, tensor in _tensors(folder, WEIGHTS, "adapter").items()}
    said = content.get("config")
    if not isinstance(said, dict):
        what = f"config is {said!r}, a name of settings that are not in the folder"
        raise ArtefactError(what, where=where, do="save the adapter again with the library `adapters`")
    kind, settings = _settings(said, content, tensors, where)
    if kind == "lora" and not isinstance(settings["alpha"], int):  # scales here are whole numbers over the rank
        scale = settings["alpha"] / settings["r"]
        tensors |= {key: tensor * scale for key, tensor in tensors.items() if key.endswith(".lora_B")}
        settings["alpha"] = settings["r"]
    return Foreign(name or folder.resolve().name, kind, settings, tensors, _head(folder))


def _tensors(folder: Path, file: str, noun: str) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of the pickle that lies there in its place."""
    path, pickled = folder / file, folder / ("pytorch_adapter.bin" if file == WEIGHTS else "pytorch_model_head.bin")
    with tempfile.TemporaryDirectory() as made:
        if not path.is_file():
            if not pickled.is_file():
                what = f"there is neither {file} nor {pickled.name}"
                raise ArtefactError(what, where=str(folder), do="name the folder of one adapter")
            path = Path(made) / file
            if reason := to_safetensors(pickled, path):
                do = "save it with use_safetensors=True where you trust it"
                raise ArtefactError(f"the {noun}'s weights cannot be read: {reason}", where=str(pickled), do=do)
        try:
            return {name: tensor.float() for name, tensor in safetensors.torch.load(path.read_bytes()).items()}
        except (SafetensorError, OSError) as error:
            raise ArtefactError(
                f"not a whole safetensors file: {error}", where=str(path), do="fetch it again"
            ) from error


def _canonical(key: str, name: str, model: TrunkModel) -> str:
    """A tensor's name without trunk and adapter, under today's words; what is none of an adapter's stays as it is."""
    for old, new in LEGACY.items():
        key = key.replace(f"{old}.", f"{new}.")
    key = key.removeprefix(model.stored)
    for container in CONTAINERS:
        key = key.replace(f"{container}.{name}.", f"{container}.", 1)
    return key.replace(".attention.output.attention.", ".attention.output.")


def _settings(
    said: Mapping[str, Any], content: Mapping[str, Any], tensors: Mapping[str, Tensor], where: str
) -> tuple[str, dict[str, Any]]:
    """The kind that a configuration means, with its settings; ArtefactError names a key that no kind has."""
    own = dict(said)
    if own.get("architecture") == "union":
        return _union(own, content, tensors, where)
    if isinstance(old := own.pop("invertible_adapter", None), dict):
        own |= {"inv_adapter": old.get("block_type"), "inv_adapter_reduction_factor": old.get("reduction_factor")}
    if not any(key.startswith("invertible_adapters.") for key in tensors):  # older task adapters say so and have none
        own |= {"inv_adapter": None}
    if "non_linearity" in own:
        own["non_linearity"] = FUNCTIONS.get(own["non_linearity"], own["non_linearity"])
    kind = _kind(own)
    settings = {key: own[key] for key in kinds[kind].settings if own.get(key) is not None}
    if kind == "lora" and not _scaled_rightly(str(content.get("version", ""))):
        settings["alpha"] = settings["r"]  # its library scaled by 1 then
    told = own.get("inv_adapter") is not None, bool(own.get("phm_layer"))
    for key, value in own.items():
        idle = (key.startswith("inv_") and not told[0]) or ("phm" in key.lower() and not told[1])
        if key in settings or key in OF_TRAINING or key == "architecture" or idle or value is None:
            continue
        if value != FLAGS[kind].get(key, False):
            what = f"{key} is {value!r}, which has no equal in kind {kind}"
            raise ArtefactError(what, where=where, do="convert adapters without it")
    return kind, {key: float(value) if _number(kind, key, value) else value for key, value in settings.items()}


def _kind(own: Mapping[str, Any]) -> str:
    if own.get("architecture") == "lora":
        return "ia3" if own.get("composition_mode") == "scale" else "lora"
    if own.get("architecture") == "prefix_tuning":
        return "prefix_tuning"
    if own.get("phm_layer"):
        return "compacter"
    if own.get("is_parallel"):
        return "par_bn"
    if own.get("inv_adapter"):
        return "seq_bn_inv"
    return "double_seq_bn" if own.get("mh_adapter") else "seq_bn"


def _union(
    own: Mapping[str, Any], content: Mapping[str, Any], tensors: Mapping[str, Tensor], where: str
) -> tuple[str, dict[str, Any]]:
    """mam, which is the only union that we have."""
    parts = dict(_settings(each, content, tensors, where) for each in own.get("configs", ()))
    usual = {"flat": False, "non_linearity": "tanh"}
    beside, prefix = parts.get("par_bn", {}), parts.get("prefix_tuning", {})
    same = all(prefix.get(key) == value for key, value in usual.items()) and beside.get("non_linearity") == "relu"
    if set(parts) != {"par_bn", "prefix_tuning"} or not same or prefix.get("dropout") != beside.get("dropout"):
        what = f"a union of {' and '.join(parts) or 'nothing'} with these settings has no equal here"
        raise ArtefactError(what, where=where, do="convert its parts one by one")
    return "mam", {key: value for key, value in (prefix | beside).items() if key in kinds["mam"].settings}


def _number(kind: str, key: str, value: Any) -> bool:
    """Whether a whole number stands where a fraction is expected."""
    return isinstance(kinds[kind].settings.get(key), float) and isinstance(value, int) and not isinstance(value, bool)


def _scaled_rightly(version: str) -> bool:
    found = re.match(r"adapters\.(\d+)\.(\d+)", version)
    return found is None or (int(found[1]), int(found[2])) >= RIGHT_SCALE


def _head(folder: Path) -> Part | None:
    """The head beside an adapter, where it is one of ours."""
    if not (folder / HEAD_CONFIG).is_file():
        return None
    content = read_config(folder, HEAD_CONFIG)
    own = content.get("config") or {}
    for head, (type, places, settings) in HEADS.items():
        shape = {key: value for key, value in settings.items() if key not in ("num_choices", "bias")}
        tanh = head in ("tags", "span") or own.get("activation_function") == "tanh"
        if own.get("head_type") == type and all(own.get(key) == value for key, value in shape.items()) and tanh:
            stored = _tensors(folder, HEAD_WEIGHTS, "head")
            start = f"heads.{content.get('name')}."
            named = {key.removeprefix(start): tensor for key, tensor in stored.items()}
            pairs = [
                (f"{place}.{leaf}", f"{ours}.{leaf}") for ours, place in places.items() for leaf in ("weight", "bias")
            ]
            if set(named) != {theirs for theirs, _ in pairs}:
                what = f"the head holds {', '.join(sorted(named)[:3])}, where {', '.join(dict(pairs))} were expected"
                raise ArtefactError(what, where=str(folder / HEAD_WEIGHTS), do="fetch it again")
            tensors = {ours: named[theirs] for theirs, ours in pairs}
            labels = 0 if heads[head].outputs else len(tensors["out.weight"])
            part = read_head(folder, FORMATS[head], labels, tensors)
            ids = own.get("label2id")
            if labels and isinstance(ids, dict) and sorted(ids.values()) == list(range(labels)):
                part = replace(part, facts={**part.facts, "labels": sorted(ids, key=ids.__getitem__)})
            return part
    what = f"the head is of type {own.get('head_type')!r} with these settings, which has no equal here"
    raise ArtefactError(what, where=str(folder / HEAD_CONFIG), do=f"remove {HEAD_CONFIG} to read the adapter alone")
