"""How far is a merged LoRA from the arithmetic it stands for: by us, by peft (add_weighted_adapter), by adapters?

Measured: |(merged - exact) x| / |exact x| over all projections, for random inputs x. Exact is the weighted sum of the
matrices (alpha / r) B A, or TIES on them, written out in float64 here and nowhere else. The inputs are random LoRAs on
the query and value projections of a two-layer XLM-R of 64 dimensions, the same in all three libraries; adapters
(average_adapter) is told not to normalise weights. Not measured: how good a merged adapter is at a task.

    python benchmarks/merging.py [--adapters-python PYTHON]      of an environment that has the library adapters
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

WIDTH, LAYERS, SITES = 64, 2, ("query", "value")
PLACES = [f"encoder.layer.{layer}.attention.self.{site}" for layer in range(LAYERS) for site in SITES]
SIZES = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "intermediate_size": 64}
CONFIG = SIZES | {"vocab_size": 100, "max_position_embeddings": 32}
CASES: dict[str, dict[str, Any]] = {
    "one adapter, weight 1": {"ranks": [8], "weights": [1.0]},
    "one adapter, weight 2": {"ranks": [8], "weights": [2.0]},
    "one rsLoRA, weight 1": {"ranks": [8], "weights": [1.0], "root": True},
    "mean of three": {"ranks": [8, 8, 8], "weights": [1 / 3] * 3},
    "1, 0.5, -0.5": {"ranks": [8, 8, 8], "weights": [1.0, 0.5, -0.5]},
    "1, -1": {"ranks": [8, 8], "weights": [1.0, -1.0]},
    "mean of ranks 4, 8, 16": {"ranks": [4, 8, 16], "weights": [1 / 3] * 3},
    "TIES, density 0.2, full rank": {"ranks": [8, 8, 8], "weights": [1.0] * 3, "ties": 0.2},
}
PEFT = {False: ("linear", "cat", "svd"), True: ("ties", "ties_svd")}
ADAPTERS = ("linear", "lora_linear_only_negate_b", "lora_delta_w_svd")


def main() -> None:
    from record import options, record

    python = options(__doc__ or "", adapters_python=str).adapters_python
    rows = []
    for name, case in CASES.items():
        loras = [random_lora(seed, rank) for seed, rank in enumerate(case["ranks"])]
        exact = reference(loras, case)
        found = {"adapter-stilts": ours(loras, case)}
        found |= {f"peft {kind}": peft(loras, case, kind) for kind in PEFT["ties" in case]}
        if python and not case.keys() & {"ties", "root"}:
            found |= {f"adapters {kind}": theirs(loras, case, kind, python) for kind in ADAPTERS}
        errors = {how: said if isinstance(said, str) else error(said, exact) for how, said in found.items()}
        rows.append((name, errors))
        for how, value in errors.items():
            print(f"{name:30} {how:36} {value if isinstance(value, str) else f'{value:.1e}'}", file=sys.stderr)
    record("merging", {"errors": dict(rows)})


def random_lora(seed: int, rank: int) -> dict[str, Tensor]:
    """A and B of every place; alpha is twice the rank."""
    draw = torch.Generator().manual_seed(seed)
    shapes = {
        f"{place}.lora_{leaf}": shape
        for place in PLACES
        for leaf, shape in (("A", (rank, WIDTH)), ("B", (WIDTH, rank)))
    }
    return {name: torch.randn(shape, generator=draw) / 8 for name, shape in shapes.items()}


def reference(loras: list[dict[str, Tensor]], case: dict[str, Any]) -> dict[str, Tensor]:
    """The exact merged matrices."""
    merged = {}
    for place in PLACES:
        deltas = []
        for lora, rank in zip(loras, case["ranks"], strict=True):
            scale = 2 * rank / (rank**0.5 if case.get("root") else rank)
            deltas.append(scale * lora[f"{place}.lora_B"].double() @ lora[f"{place}.lora_A"].double())
        if "ties" in case:
            merged[place] = ties(deltas, case["ties"])
        else:
            merged[place] = sum(weight * delta for weight, delta in zip(case["weights"], deltas, strict=True))
    return merged


def ties(deltas: list[Tensor], density: float) -> Tensor:
    """Yadav et al. (2023), entry by entry: trim, elect, mean of those that agree."""
    trimmed = []
    for delta in deltas:
        least = delta.abs().flatten().sort(descending=True).values[round(density * delta.numel()) - 1]
        trimmed.append(torch.where(delta.abs() >= least, delta, 0.0))
    total = torch.stack(trimmed)
    agree = (total.sign() == total.sum(0).sign()) & (total != 0)
    return (total * agree).sum(0) / agree.sum(0).clamp(min=1)


def error(merged: dict[str, Tensor], exact: dict[str, Tensor]) -> float:
    inputs = torch.randn(WIDTH, 256, generator=torch.Generator().manual_seed(99), dtype=torch.float64)
    apart = sum(float(((merged[place].double() - exact[place]) @ inputs).square().sum()) for place in PLACES)
    return (apart / sum(float((exact[place] @ inputs).square().sum()) for place in PLACES)) ** 0.5


def ours(loras: list[dict[str, Tensor]], case: dict[str, Any]) -> dict[str, Tensor]:
    from adapter_stilts.encoder.kinds import kinds, resolve
    from adapter_stilts.merging.merge import merge
    from adapter_stilts.merging.places import Adapter

    kind = "rslora" if case.get("root") else "lora"
    adapters = [
        Adapter(
            f"lora {number}",
            kind,
            resolve(kinds[kind], {"r": rank, "alpha": 2 * rank}),
            {name.replace(".lora_", ".loras.lora_"): tensor for name, tensor in lora.items()},
        )
        for number, (lora, rank) in enumerate(zip(loras, case["ranks"], strict=True))
    ]
    how = {"method": "ties", "density": case["ties"], "rank": WIDTH} if "ties" in case else {"method": "linear"}
    merged = merge(adapters, weights=case["weights"], **how)
    rank, alpha = merged.settings["r"], merged.settings["alpha"]
    scale = alpha / (rank**0.5 if case.get("root") else rank)
    tensors = {name: tensor.double() for name, tensor in merged.tensors.items()}
    return {place: scale * tensors[f"{place}.loras.lora_B"] @ tensors[f"{place}.loras.lora_A"] for place in PLACES}


def peft(loras: list[dict[str, Tensor]], case: dict[str, Any], kind: str) -> dict[str, Tensor] | str:
    warnings.simplefilter("ignore")
    from peft import LoraConfig, get_peft_model
    from transformers import XLMRobertaConfig, XLMRobertaModel

    def config(rank: int) -> LoraConfig:
        more = {"target_modules": list(SITES), "use_rslora": bool(case.get("root"))}
        return LoraConfig(r=rank, lora_alpha=2 * rank, **more)

    names = [f"a{number}" for number in range(len(loras))]
    model = get_peft_model(XLMRobertaModel(XLMRobertaConfig(**CONFIG)), config(case["ranks"][0]), adapter_name=names[0])
    for name, rank in list(zip(names, case["ranks"], strict=True))[1:]:
        model.add_adapter(name, config(rank))
    modules = dict(model.base_model.model.named_modules())
    for name, lora in zip(names, loras, strict=True):
        for place in PLACES:
            for leaf in "AB":
                getattr(modules[place], f"lora_{leaf}")[name].weight.data = lora[f"{place}.lora_{leaf}"].clone()
    more = {"density": case["ties"]} if "ties" in case else {}
    more |= {"svd_rank": WIDTH} if "svd" in kind else {}
    try:
        model.add_weighted_adapter(names, case["weights"], "merged", combination_type=kind, **more)
        return {place: modules[place].get_delta_weight("merged").detach() for place in PLACES}
    except Exception as failure:  # noqa: BLE001
        return f"{type(failure).__name__}: {str(failure).strip().split(chr(10))[0][:80]}"


def theirs(loras: list[dict[str, Tensor]], case: dict[str, Any], kind: str, python: str) -> dict[str, Tensor] | str:
    """The library adapters, in its own environment."""
    with tempfile.TemporaryDirectory() as work:
        for number, lora in enumerate(loras):
            save_file(lora, f"{work}/{number}.safetensors")
        asked = {**{name: case[name] for name in ("ranks", "weights")}, "kind": kind}
        command = [python, __file__, "--inside", work, json.dumps(asked)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode:
            return run.stderr.strip().split("\n")[-1][:100]
        return load_file(f"{work}/merged.safetensors")


def inside(work: Path, asked: dict[str, Any]) -> None:
    from adapters import LoRAConfig, XLMRobertaAdapterModel
    from transformers import XLMRobertaConfig

    model = XLMRobertaAdapterModel(XLMRobertaConfig(**CONFIG))
    names = [f"a{number}" for number in range(len(asked["ranks"]))]
    for number, rank in enumerate(asked["ranks"]):
        model.add_adapter(names[number], config=LoRAConfig(r=rank, alpha=2 * rank, attn_matrices=["q", "v"]))
        lora, modules = load_file(work / f"{number}.safetensors"), dict(model.named_modules())
        for place in PLACES:
            module = modules[f"roberta.{place}"].loras[names[number]]
            for leaf in "AB":
                getattr(module, f"lora_{leaf}").data = lora[f"{place}.lora_{leaf}"].clone()
    more = {"normalize_weights": False} | ({"svd_rank": WIDTH} if "svd" in asked["kind"] else {})
    model.average_adapter("merged", names, weights=asked["weights"], combine_strategy=asked["kind"], **more)
    modules = dict(model.named_modules())
    merged = {}
    for place in PLACES:
        module = modules[f"roberta.{place}"].loras["merged"]
        merged[place] = (module.scaling * module.lora_B @ module.lora_A).detach().contiguous()
    save_file(merged, work / "merged.safetensors")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(Path(sys.argv[2]), json.loads(sys.argv[3]))
    else:
        main()
