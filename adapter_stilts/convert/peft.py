"""A run as peft's folder: adapter_model.safetensors with adapter_config.json, of LoRA, rsLoRA, DoRA, VeRA and (IA)^3.

    base_model.model.roberta.encoder.layer.0.attention.self.query.lora_A.weight       lora_A of our `query`
    base_model.model.classifier.out_proj.weight                                       the head, in modules_to_save

Tensors are written as they are. Several LoRAs that add up (stack, average) are written as one of all their ranks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import safetensors.torch
import torch
from torch import Tensor

from adapter_stilts.convert.base import CONFIG, HEAD, Source, one_adapter, writers
from adapter_stilts.convert.heads import their_head
from adapter_stilts.encoder.composition import Average, Composition, Fuse, Name
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.modules.base import PROJECTIONS
from adapter_stilts.encoder.modules.projections import ATTENTION, WORDS, sites_asked
from adapter_stilts.encoder.modules.vera import Projections
from adapter_stilts.encoder.trunk.base import TrunkModel
from adapter_stilts.errors import UsageError
from adapter_stilts.files import write_bytes, write_json, write_text
from adapter_stilts.sharing.bundle import Part

Place: TypeAlias = tuple[int, str]  # a layer and a site
Settings: TypeAlias = Mapping[str, Any]

WEIGHTS = "adapter_model.safetensors"
FRONT = "base_model.model."
METHODS = {"lora": "LORA", "rslora": "LORA", "dora": "LORA", "vera": "VERA", "ia3": "IA3", "ia3_ff": "IA3"}
LEAVES = {  # ours -> theirs; of (IA)^3 the only one
    "lora_A": "lora_A.weight",
    "lora_B": "lora_B.weight",
    "magnitude": "lora_magnitude_vector.weight",
    "vera_lambda_d": "vera_lambda_d",
    "vera_lambda_b": "vera_lambda_b",
}
SCALE = "ia3_l"
SHARED = {"down": "base_model.vera_A", "up": "base_model.vera_B"}
SCALES: Mapping[str, Callable[[Settings], float]] = {
    "lora": lambda settings: settings["alpha"] / settings["r"],
    "dora": lambda settings: settings["alpha"] / settings["r"],
    "rslora": lambda settings: settings["alpha"] / math.sqrt(settings["r"]),
}


@writers.register("peft")
def write(source: Source, out: Path) -> list[str]:
    """The adapter, and the head in the class of transformers that has it."""
    from adapter_stilts.convert.libraries import peft_configs  # only now: it takes seconds to import

    part = _adapter(source)
    kind, settings = part.facts["kind"], _settings(part)
    head = source.head_part
    theirs = their_head(head, source.config) if head is not None else None
    base = source.model.stored if theirs is not None else ""
    tensors = _named(part, kind, settings, source.model, base)
    fields = {**_method(kind, settings), **_targets(kind, settings, source.model)}
    fields |= {"base_model_name_or_path": source.trunk_name, "revision": source.trunk["revision"]}
    fields["inference_mode"] = True
    if head is not None and theirs is not None:
        tensors |= {f"{FRONT}{name}": tensor for name, tensor in theirs.named(head.tensors).items()}
        fields |= {"modules_to_save": list(theirs.modules), "task_type": theirs.task_type or None}
        write_json(out / HEAD, dict(head.facts))
    tensors = {name: tensor.float().contiguous() for name, tensor in tensors.items()}
    write_json(out / CONFIG, peft_configs.written(METHODS[kind], fields))
    write_bytes(out / WEIGHTS, safetensors.torch.save(tensors, metadata={"format": "pt"}))
    write_text(out / "README.md", _read_me(source, theirs.model if theirs else "", head))
    return []


def modules_of(model: TrunkModel) -> dict[Place, str]:
    """The module of each projection as transformers calls it within the model without a head; those that share a
    module with others (ModernBERT's queries, keys and values) are left out."""
    named = {module: name for name, module in model.named_modules()}
    places = {}
    for layer, held in enumerate(model.layers):
        for site, (place, third) in model.projections.items():
            if third is None:
                places[layer, site] = named[held.get_submodule(place)]
    return places


def canonical(place: Place) -> str:
    """What the tensors of a place are called here begins so."""
    return f"encoder.layer.{place[0]}.{PROJECTIONS[place[1]]}.loras"


def vera_projections(settings: Settings, model: TrunkModel) -> Projections:
    """The random matrices of an adapter with these settings."""
    inputs, outputs = zip(*(model.shape.projections[site] for site in sites_asked(settings)), strict=True)
    return Projections(max(inputs), max(outputs), settings["r"], settings["projection_seed"])


def _adapter(source: Source) -> Part:
    """The adapter to be written: the only one, or several LoRAs as one; UsageError for what peft has not."""
    composition, kinds_used = source.composition, source.kinds
    if isinstance(composition, Name):
        part = one_adapter(source, "peft")
    else:
        leaves = list(_leaves(composition, 1.0))
        if wrong := [name for name, _ in leaves if kinds_used[name].name not in ("lora", "rslora")]:
            what = f"a folder of peft holds one adapter, and the run is {composition}; only LoRAs add up to one, and "
            what += f"'{wrong[0]}' is of kind {kinds_used[wrong[0]].name}"
            raise UsageError(what, where=str(source.bundle.folder), do="name one of them with --adapter NAME")
        part = _as_one([(source.adapters[name], weight) for name, weight in leaves], source.model)
    if part.facts["kind"] not in METHODS:
        what = f"'{part.name}' is of kind {part.facts['kind']}, and peft has {', '.join(METHODS)}"
        raise UsageError(what, do="convert it --to adapterhub, which has bottlenecks")
    return part


def _leaves(composition: Composition, weight: float) -> Iterator[tuple[str, float]]:
    """The adapters of a sum with what each counts."""
    if isinstance(composition, Name):
        yield composition.name, weight
        return
    if isinstance(composition, Fuse):
        raise UsageError(f"{composition} is a fusion, which peft has not", do="convert it --to adapterhub or onnx")
    count = len(composition.parts)
    shares = (1.0,) * count
    if isinstance(composition, Average):
        shares = composition.weights or (1 / count,) * count
    for part, share in zip(composition.parts, shares, strict=True):
        yield from _leaves(part, weight * share)


def _as_one(weighed: list[tuple[Part, float]], model: TrunkModel) -> Part:
    """One LoRA of all their ranks: B' = [w s B, ...], A' = [A; ...]; where one does not sit, it adds zeros."""
    every = []
    for part, weight in weighed:
        settings = _settings(part)
        every.append((part.tensors, settings, weight * SCALES[part.facts["kind"]](settings)))
    ranks: int = sum(settings["r"] for _, settings, _ in every)
    sites = {site for _, settings, _ in every for site in sites_asked(settings)}
    left = set.intersection(*(set(settings["leave_out"]) for _, settings, _ in every))
    tensors: dict[str, Tensor] = {}
    for place in ((layer, site) for layer in range(model.shape.layers) if layer not in left for site in sites):
        (inputs, outputs), start, stem = model.shape.projections[place[1]], 0, canonical(place)
        down, up = torch.zeros(ranks, inputs, dtype=torch.double), torch.zeros(outputs, ranks, dtype=torch.double)
        for own, settings, scale in every:
            rows = slice(start, start := start + settings["r"])
            if f"{stem}.lora_A" in own:
                down[rows], up[:, rows] = own[f"{stem}.lora_A"].double(), own[f"{stem}.lora_B"].double() * scale
        tensors |= {f"{stem}.lora_A": down.float(), f"{stem}.lora_B": up.float()}
    one = {"r": ranks, "alpha": ranks, **settings_of(sites), "leave_out": tuple(sorted(left))}
    return Part("adapter", "sum", {"kind": "lora", "settings": one}, tensors)


def _settings(part: Part) -> dict[str, Any]:
    """All settings of an adapter."""
    return dict(resolve(kinds[part.facts["kind"]], part.facts["settings"]))


def settings_of(sites: set[str]) -> dict[str, Any]:
    """The settings that ask for these projections."""
    letters = tuple(letter for site, letter in ATTENTION.items() if site in sites)
    flags = {"intermediate_lora": "intermediate" in sites, "output_lora": "output_dense" in sites}
    return {"selfattn_lora": bool(letters), "attn_matrices": letters, **flags}


def _named(part: Part, kind: str, settings: Settings, model: TrunkModel, base: str) -> dict[str, Tensor]:
    """Its tensors as peft calls them; UsageError where transformers has no module of their own for them."""
    modules = {canonical(place): module for place, module in modules_of(model).items()}
    tensors: dict[str, Tensor] = {}
    for name, tensor in part.tensors.items():
        place, _, leaf = name.rpartition(".")
        if place not in modules:
            what = f"'{part.name}' changes queries, keys or values, which are one module in transformers' class"
            raise UsageError(what, do="convert it --to sentence-transformers or onnx, where it is baked in")
        tensors[f"{FRONT}{base}{modules[place]}.{SCALE if METHODS[kind] == 'IA3' else LEAVES[leaf]}"] = tensor
    if kind == "vera":
        shared = vera_projections(settings, model)
        tensors |= {theirs: getattr(shared, own) for own, theirs in SHARED.items()}
    return tensors


def _method(kind: str, settings: Settings) -> dict[str, Any]:
    """peft's own settings of a kind."""
    if METHODS[kind] == "IA3":
        return {}
    if kind == "vera":
        own = {"projection_prng_key": settings["projection_seed"], "vera_dropout": settings["dropout"]}
        return {**own, "r": settings["r"], "d_initial": settings["d_initial"], "save_projection": True}
    own = {"r": settings["r"], "lora_alpha": settings["alpha"], "lora_dropout": settings.get("dropout", 0.0)}
    return {**own, "use_rslora": kind == "rslora", "use_dora": kind == "dora"}


def _targets(kind: str, settings: Settings, model: TrunkModel) -> dict[str, Any]:
    """target_modules, and of (IA)^3 those whose inputs are scaled."""
    sites, chosen = sites_asked(settings), settings.get("scaled_inputs", ())
    targets = {"target_modules": _meant(sites, settings["leave_out"], model)}
    if METHODS[kind] == "IA3":
        inputs = [site for site in sites if WORDS[site] in chosen]
        targets["feedforward_modules"] = _meant(inputs, settings["leave_out"], model) if inputs else []
    return targets


def _meant(sites: Sequence[str], left: Sequence[int], model: TrunkModel) -> list[str] | str:
    """The ends of modules' names where they mean these sites alone, else a regular expression."""
    modules = {place: name for place, name in modules_of(model).items() if place[0] == 0}
    ends = {site: model.projections[site][0].removeprefix("attention.self.") for site in sites}
    meant = {place[1] for place, name in modules.items() if any(name.endswith(end) for end in ends.values())}
    if meant == set(sites) and not left:
        return [ends[site] for site in sites]
    layers = [str(layer) for layer in range(model.shape.layers) if layer not in left]
    start = next(iter(modules.values())).partition(".0.")[0].replace(".", r"\.")
    named = "|".join(model.projections[site][0].replace(".", r"\.") for site in sites)
    return rf"(.*\.)?{start}\.({'|'.join(layers)})\.({named})"


def _read_me(source: Source, model: str, head: Part | None) -> str:
    """How to load it."""
    labels = f", num_labels={len(head.facts['labels'])}" if head is not None and len(head.facts["labels"]) else ""
    name, auto = source.trunk_name, f"AutoModel{f'For{model}' if model else ''}"
    names = f"\nLabels, in their order: {', '.join(head.facts['labels'])}\n" if labels and head is not None else ""
    return f"""# {source.bundle.manifest.name}, for peft

    from peft import PeftModel
    from transformers import {auto}

    trunk = {auto}.from_pretrained({name!r}{labels})
    model = PeftModel.from_pretrained(trunk, FOLDER).eval()
{names}"""
