"""Run a bundle's bottleneck adapter over transformers' XLM-R, without adapter-stilts: torch, safetensors and json.

    python read_bundle.py RUN TRUNK "A sentence." "Another one for a pair."

A bundle is a folder. manifest.json lists its files with their sha256; adapter/NAME.json says kind and settings of the
tensors in adapter/NAME.safetensors; head/head.json and .safetensors are the task's output layer. This reads one adapter
of the kinds seq_bn, double_seq_bn and par_bn, and the head of a task that classifies a text or a pair.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

# what the bottleneck of a kind reads: the layer norm of what the block computed and read, the first, or the second
READS = {"seq_bn": "norm", "double_seq_bn": "hidden", "par_bn": "residual"}
FUNCTIONS = {"relu": torch.relu, "gelu": nn.functional.gelu, "swish": nn.functional.silu, "tanh": torch.tanh}
PLACES = {"attention.output": lambda layer: layer.attention, "output": lambda layer: layer}


def read_part(folder: Path, stem: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a part says of itself, and its tensors; ValueError where a file is not the one in the manifest."""
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    for name in (f"{stem}.json", f"{stem}.safetensors"):
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != files[name]:
            raise ValueError(f"{name} was changed or damaged")
    facts = json.loads((folder / f"{stem}.json").read_text(encoding="utf-8"))
    return facts, load_file(folder / f"{stem}.safetensors")


class Adapted(nn.Module):
    """The output of a block with a bottleneck: LayerNorm(computed + residual + scaling * up(f(down(read))))."""

    def __init__(self, output: nn.Module, kind: str, settings: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        super().__init__()
        if settings.get("ln_before"):
            raise ValueError("a norm before the bottleneck (ln_before) is not read here")
        self.output, self.reads, self.function = output, READS[kind], FUNCTIONS[settings["non_linearity"]]
        self.tensors = tensors
        self.scaling = tensors.get("scaling", settings["scaling"])  # learned, or a number

    def forward(self, hidden: Tensor, residual: Tensor) -> Tensor:
        computed = self.output.dropout(self.output.dense(hidden))
        read = {"hidden": computed, "residual": residual}.get(self.reads)
        if read is None:
            read = self.output.LayerNorm(computed + residual)
        down, up = (
            (self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]) for name in ("adapter_down.0", "adapter_up")
        )
        change = nn.functional.linear(self.function(nn.functional.linear(read, *down)), *up)
        return self.output.LayerNorm(computed + change * self.scaling + residual)


def attach(model: nn.Module, folder: Path, name: str) -> None:
    """Put an adapter of a bundle into an XLMRobertaModel, wherever it has tensors."""
    facts, tensors = read_part(folder, f"adapter/{name}")
    if facts["kind"] not in READS:
        raise ValueError(f"'{name}' is of kind {facts['kind']}, and this reads {', '.join(READS)}")
    for number, layer in enumerate(model.encoder.layer):
        for place, block in PLACES.items():
            start = f"encoder.layer.{number}.{place}.adapters."
            own = {key.removeprefix(start): tensor for key, tensor in tensors.items() if key.startswith(start)}
            if own:
                block(layer).output = Adapted(block(layer).output, facts["kind"], facts["settings"], own)


def classify(folder: Path, hidden: Tensor) -> dict[str, float]:
    """Hidden states [1, T, H] to the labels' probabilities, by the head on the first token."""
    facts, tensors = read_part(folder, "head/head")
    first = torch.tanh(nn.functional.linear(hidden[:, 0], tensors["dense.weight"], tensors["dense.bias"]))
    logits = nn.functional.linear(first, tensors["out.weight"], tensors["out.bias"])
    return dict(zip(facts["labels"], logits.softmax(-1)[0].tolist(), strict=True))


def main(folder: str, trunk: str, *texts: str) -> None:
    from transformers import PreTrainedTokenizerFast, XLMRobertaModel

    manifest = json.loads((Path(folder) / "manifest.json").read_text(encoding="utf-8"))
    model = XLMRobertaModel.from_pretrained(trunk, add_pooling_layer=False).eval()
    attach(model, Path(folder), manifest["composition"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(Path(trunk) / "tokenizer.json"))
    with torch.no_grad():
        ids = torch.tensor([tokenizer(*texts)["input_ids"]])
        hidden = model(ids, attention_mask=torch.ones_like(ids)).last_hidden_state
    print(json.dumps(classify(Path(folder), hidden), indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
