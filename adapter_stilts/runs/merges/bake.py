"""`merge --bake`: low-rank changes and scales in the weights of a copy of the trunk, which then needs no adapter."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from adapter_stilts.encoder.baking import baked_weights
from adapter_stilts.encoder.composition import Composition
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk import hub
from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk, save_trunk
from adapter_stilts.errors import StiltsError, UsageError
from adapter_stilts.files import disk_errors
from adapter_stilts.reporting import Reporter
from adapter_stilts.runs.subject import named_trunk
from adapter_stilts.sharing.bundle import Bundle, Part

BESIDE = ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", "tokenizer_config.json")
CLOSE = 1e-5  # of the largest entry of the hidden states; what is left is rounding
SENTENCES = ("One sentence.", "Noch ein Satz, der länger ist.", "Третье предложение.", "第四句话。")


@dataclass(frozen=True)
class Baked:
    """A trunk's folder with adapters in its weights. error: of its last hidden state, relative to the largest entry."""

    folder: Path
    error: float
    results: tuple[()] = ()
    means: None = None

    def to_json(self) -> dict[str, Any]:
        return {"run": str(self.folder), "baked": True, "error": self.error, "results": []}


def bake(parent: Bundle, composition: Composition, parts: Sequence[Part], out: Path | None, report: Reporter) -> Baked:
    """Write the trunk of a run with a composition of adapters in its weights; read it again and compare.

    Raises UsageError for adapters that are no change of weights, and for a folder that is not empty.
    """
    if out is None:
        raise UsageError("--bake writes a trunk's folder, and none is named", do="name it with -o DIR")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("there is something already", where=str(out), do="name a new folder with -o")
    named = named_trunk(parent) | {"precision": "fp32"}
    trunk = load_trunk(**named)
    encoder = AdapterEncoder(trunk)
    for part in parts:
        encoder.load(part.name, part.facts["kind"], part.facts["settings"], part.tensors)
    encoder.activate(composition)
    weights = baked_weights(encoder.eval())
    save_trunk(trunk, out, weights=weights)
    _copy_beside(hub.find(named["name"], named["revision"]).folder, out)
    wanted = _hidden(encoder)
    error = float((_hidden(AdapterEncoder(load_trunk(str(out), precision="fp32"))) - wanted).abs().max())
    error /= float(wanted.abs().max())
    if not error <= CLOSE:
        what = f"the trunk that was written is {error:.1e} away from the trunk with its adapters"
        raise StiltsError(what, where=str(out), do="report this, with the settings of the runs; do not use the folder")
    report.say(f"{out} is a trunk now: --trunk {out}; its hidden states are {error:.0e} from those with adapters")
    return Baked(out, error)


def _copy_beside(folder: Path, out: Path) -> None:
    """What says how sentences become vectors, and what others read of the tokenizer."""
    with disk_errors(out):
        for path in (*(folder / name for name in BESIDE), *sorted(folder.glob("[0-9]_*/*"))):
            if path.is_file():
                (out / path.relative_to(folder)).parent.mkdir(exist_ok=True)
                shutil.copyfile(path, out / path.relative_to(folder))


@torch.no_grad()
def _hidden(encoder: AdapterEncoder) -> torch.Tensor:
    batch = _read(encoder.trunk)
    return encoder.eval().hidden(batch["input_ids"], batch["attention_mask"])


def _read(trunk: Trunk) -> dict[str, torch.Tensor]:
    encoded = trunk.tokenizer(list(SENTENCES), return_tensors="pt", padding=True)
    return {name: encoded[name] for name in ("input_ids", "attention_mask")}
