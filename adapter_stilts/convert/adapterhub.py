"""A run as AdapterHub's folder, in the safetensors form of the library `adapters`.

    adapter_setup.json                           the composition and the head: model.load_adapter_setup(FOLDER)
    nli/adapter.safetensors adapter_config.json  each adapter; fusions and the head lie beside them
    a,b/model_adapter_fusion.safetensors
    head/model_head.safetensors head_config.json

Our tensors carry that library's names already: a name of the adapter is put into them. Each kind's flags are FLAGS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from adapter_stilts.convert.base import CONFIG, HEAD, Source, writers
from adapter_stilts.encoder.composition import Average, Composition, Fuse, Name, Stack, fusions, names
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.trunk.loading import MODELS
from adapter_stilts.errors import UsageError
from adapter_stilts.files import write_bytes, write_json, write_text
from adapter_stilts.formats.base import formats
from adapter_stilts.sharing.bundle import Part

WEIGHTS, HEAD_WEIGHTS, HEAD_CONFIG = "adapter.safetensors", "model_head.safetensors", "head_config.json"
FUSION_WEIGHTS, FUSION_CONFIG = "model_adapter_fusion.safetensors", "adapter_fusion_config.json"
VERSION = "adapters.1.3.0"  # whose forms these are
CLASSES = {"xlm-roberta": "XLMRobertaAdapterModel", "bert": "BertAdapterModel"}
CONTAINERS = ("adapters", "loras", "prefix_tunings", "invertible_adapters", "shared_parameters", "adapter_fusion_layer")

BOTTLENECK: dict[str, Any] = {
    "mh_adapter": False,
    "output_adapter": True,
    "original_ln_before": True,
    "original_ln_after": True,
    "ln_before": False,
    "ln_after": False,
    "init_weights": "bert",
    "init_weights_seed": None,
    "is_parallel": False,
    "use_gating": False,
    "residual_before_ln": True,
    "adapter_residual_before_ln": False,
    "inv_adapter": None,
    "inv_adapter_reduction_factor": None,
    "cross_adapter": False,
    "phm_layer": False,
    "phm_dim": 4,
    "factorized_phm_W": True,
    "shared_W_phm": False,
    "shared_phm_rule": True,
    "factorized_phm_rule": False,
    "phm_c_init": "normal",
    "phm_init_range": 0.0001,
    "learn_phm": True,
    "phm_rank": 1,
    "phm_bias": True,
    "hypercomplex_nonlinearity": "glorot-uniform",
    "stochastic_depth": 0.0,
    "non_linearity": "relu",
}
LOW_RANK: dict[str, Any] = {"architecture": "lora", "composition_mode": "add", "init_weights_seed": None}
LOW_RANK |= {"use_gating": False, "use_dora": False, "vera_d": None, "vera_b": None, "dtype": None}
PREFIX: dict[str, Any] = {"architecture": "prefix_tuning", "encoder_prefix": True, "cross_prefix": True}
PREFIX |= {
    "use_gating": False,
    "shared_gating": True,
    "init_weights_seed": None,
    "flat": False,
    "non_linearity": "tanh",
}
BESIDE = BOTTLENECK | {"original_ln_before": False, "is_parallel": True}
FLAGS: Mapping[str, dict[str, Any]] = {
    "seq_bn": BOTTLENECK,
    "double_seq_bn": BOTTLENECK | {"mh_adapter": True, "original_ln_before": False},
    "par_bn": BESIDE,
    "seq_bn_inv": BOTTLENECK | {"inv_adapter": "nice"},
    "compacter": BOTTLENECK | {"mh_adapter": True, "original_ln_before": False, "phm_layer": True},
    "lora": LOW_RANK,
    "ia3": LOW_RANK | {"composition_mode": "scale", "r": 1, "alpha": 1, "dropout": 0.0},
    "prefix_tuning": PREFIX,
}
FUSION: dict[str, Any] = {"dropout_prob": None, "key": True, "query": True, "query_before_ln": False, "value": True}
FUSION |= {"regularization": True, "residual_before": False, "temperature": False, "value_before_softmax": True}
FUSION |= {"value_initialized": True}
HEADS: Mapping[str, tuple[str, Mapping[str, str], dict[str, Any]]] = {  # ours -> their type, names, settings
    "sentence": ("classification", {"dense": "1", "out": "4"}, {"layers": 2, "use_pooler": False, "bias": True}),
    "choice": ("multiple_choice", {"dense": "1", "out": "4"}, {"layers": 2, "use_pooler": False, "num_choices": 2}),
    "tags": ("tagging", {"out": "1"}, {"layers": 1}),
    "span": ("question_answering", {"out": "1"}, {"layers": 1, "num_labels": 2}),
}


@writers.register("adapterhub")
def write(source: Source, out: Path) -> list[str]:
    """The composition with its fusions, and the head."""
    config, composition = source.config, source.composition
    if config.model_type not in CLASSES:
        raise UsageError(f"the library `adapters` has no {config.model_type}", do="convert it --to onnx")
    _check(source, composition)
    about = {"model_type": config.model_type, "hidden_size": config.hidden_size, "version": VERSION}
    about |= {"model_class": CLASSES[config.model_type], "model_name": source.trunk_name}
    alone = isinstance(composition, Name)
    base = MODELS[config.model_type].stored
    for name in names(composition):
        part, folder = source.adapters[name], out if alone else out / name
        own = config_of(part)
        _write(folder / WEIGHTS, {f"{base}{hung(key, name)}": tensor for key, tensor in part.tensors.items()})
        write_json(folder / CONFIG, {**about, "name": name, "config": own})
    stored = {part.name: part for part in source.bundle.of("fusion")}
    for fuse in fusions(composition):
        name = ",".join(map(str, fuse.parts))
        fused = stored[str(fuse)].tensors
        _write(out / name / FUSION_WEIGHTS, {f"{base}{hung(key, name)}": tensor for key, tensor in fused.items()})
        fused_by = {"name": name, "adapter_names": list(map(str, fuse.parts)), "config": FUSION}
        write_json(out / name / FUSION_CONFIG, {**about, **fused_by})
    if head := source.head_part:
        _write_head(head, out if alone else out / head.name, about)
    if not alone:
        setup = {"adapter_setup": setup_of(composition), "head_setup": source.head or None, "version": VERSION}
        write_json(out / "adapter_setup.json", setup)
    write_text(out / "README.md", _read_me(source, alone))
    return []


def config_of(part: Part) -> dict[str, Any]:
    """That library's configuration of an adapter; UsageError for a kind that it has not, or has otherwise."""
    kind = part.facts["kind"]
    settings: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in resolve(kinds[kind], part.facts["settings"]).items()
    }
    if "o" in settings.get("attn_matrices", ()):
        what = f"'{part.name}' changes attention's output projection (attn_matrices o), which AdapterHub has not"
        raise UsageError(what, do="convert it --to peft")
    if kind == "rslora":  # with the same scale, under another alpha
        kind, settings["alpha"] = "lora", settings["alpha"] * math.sqrt(settings["r"])
    if kind == "mam":
        prefix = {name: settings[name] for name in ("prefix_length", "bottleneck_size", "dropout")}
        own = {name: settings[name] for name in ("reduction_factor", "scaling", "dropout")}
        union = [PREFIX | prefix, BESIDE | {"init_weights": "mam_adapter"} | own]
        return {"architecture": "union", "configs": [{**each, "leave_out": settings["leave_out"]} for each in union]}
    if kind not in FLAGS:
        do = "convert it --to peft" if kind in ("dora", "vera") else "convert it --to onnx or sentence-transformers"
        raise UsageError(f"'{part.name}' is of kind {kind}, which AdapterHub has not in this form", do=do)
    return {**FLAGS[kind], **settings}


def hung(canonical: str, name: str) -> str:
    """A tensor's name with the adapter's in it."""
    words = canonical.split(".")
    at = next(place for place, word in enumerate(words) if word in CONTAINERS)
    return ".".join([*words[: at + 1], name, *words[at + 1 :]])


def setup_of(composition: Composition) -> dict[str, Any]:
    """A composition as adapter_setup.json has it."""
    if isinstance(composition, Name):
        return {"type": "single", "children": [composition.name]}
    setup: dict[str, Any] = {
        "type": type(composition).__name__,
        "children": [setup_of(part) for part in composition.parts],
    }
    if isinstance(composition, Average):
        weights = composition.weights or (1 / len(composition.parts),) * len(composition.parts)
        setup["kwargs"] = {"weights": list(weights)}
    return setup


def _check(source: Source, composition: Composition) -> None:
    """Refuse what the library does otherwise, or not at all."""
    whole = composition.parts if isinstance(composition, Stack) else (composition,)
    for part in whole:
        if not isinstance(part, Name) and not all(isinstance(inner, Name) for inner in part.parts):
            what = f"{part} has blocks within it, which `adapters` runs otherwise or not at all"
            raise UsageError(what, do="convert it --to onnx")
    invertible = [name for name in names(composition) if source.kinds[name].name == "seq_bn_inv"]
    if len(invertible) > 1:
        what = f"of several invertible adapters ({', '.join(invertible)}) `adapters` runs the first alone"
        raise UsageError(what, do="convert one of them with --adapter, or all --to onnx")
    for name in names(composition):
        if "." in name:
            what = f"'{name}' has a dot in it, and `adapters` takes none in a name"
            raise UsageError(what, do="convert the run --to onnx")
    if isinstance(composition, Average | Stack | Fuse) and any("," in name for name in names(composition)):
        raise UsageError(f"a name in {composition} has a comma", do="convert the run --to onnx")


def _write(path: Path, tensors: Mapping[str, Tensor]) -> None:
    plain = {name: tensor.float().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(plain, metadata={"format": "pt"}))


def _write_head(part: Part, folder: Path, about: Mapping[str, Any]) -> None:
    head = formats[part.facts["format"]].head
    if head not in HEADS:
        what = f"the head '{part.name}' ({part.facts['format']}) has no equal in AdapterHub's flexible heads"
        raise UsageError(what, do="leave it out with --no-head")
    type, places, settings = HEADS[head]
    labels = part.facts["labels"]
    own: dict[str, Any] = {"head_type": type, "activation_function": "tanh", "dropout_prob": None, **settings}
    own["label2id"] = {label: number for number, label in enumerate(labels)} if labels else None
    own |= {"num_labels": len(labels)} if labels else {}
    write_json(folder / HEAD_CONFIG, {**about, "name": part.name, "config": own})
    split = {name: name.partition(".") for name in part.tensors}
    named = {f"heads.{part.name}.{places[own]}.{leaf}": part.tensors[name] for name, (own, _, leaf) in split.items()}
    _write(folder / HEAD_WEIGHTS, named)
    write_json(folder / HEAD, dict(part.facts))


def _read_me(source: Source, alone: bool) -> str:
    load = "model.load_adapter(FOLDER, use_safetensors=True, set_active=True)"
    load = load if alone else "model.load_adapter_setup(FOLDER, use_safetensors=True, set_active=True)"
    return f"""# {source.bundle.manifest.name}, for the library `adapters`

    from adapters import AutoAdapterModel

    model = AutoAdapterModel.from_pretrained({source.trunk_name!r})
    {load}

`{source.composition}` over `{source.trunk_name}`.
"""
