"""Rebuild the embedded tiny XLM-R from the miniature's generated text (`make miniature`).

Measured on the way: the final loss, and how many sentences of the miniature's bitext (validation) lie nearest their
English translation at each layer. The trunk in the package took 2,064 s on one thread of a busy machine; an interrupted
rebuild continues. The same text, recipe, number of threads and kind of processor give the same trunk. A finished trunk
in --out is taken as it is; --plain-start begins with random word embeddings instead of aligned ones.

    python benchmarks/rebuild_miniature_trunk.py                       # into build/miniature-trunk and the package
    python benchmarks/rebuild_miniature_trunk.py --steps 300 --keep    # try the recipe, and leave the package alone
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import torch
from pretrain_trunk import by_layer, make
from record import options, record

from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.text import PlainText
from adapter_stilts.miniature.datasets import FOREIGN, examples, fingerprint, trunk_folder
from adapter_stilts.miniature.languages import LANGUAGES
from adapter_stilts.runs.pretrain import Recipe

ROOT = Path(__file__).resolve().parents[1]
FILES = ("config.json", "model.safetensors", "tokenizer.json", "pretraining.json")


def main() -> None:
    out = ROOT / "build" / "miniature-trunk"
    asked = options(__doc__, out=out, steps=2800, learning_rate=2e-3, plain_start=False, keep=False)
    sizes = {"steps": asked.steps, "vocabulary": 6000, "layers": 4, "hidden": 128, "heads": 4, "max_length": 128}
    pace = {"warmup": 0.06, "learning_rate": asked.learning_rate, "token_budget": 2048, "checkpoint_steps": 200}
    text = {"pair_share": None, "language_exponent": 1.0, "aligned_start": not asked.plain_start}
    recipe = Recipe(**sizes, **pace, **text, precision="bf16")
    rows = {language: examples("mlm", "train", language) for language in LANGUAGES}
    texts = {language: [row for row in known if isinstance(row, PlainText)] for language, known in rows.items()}
    outcome = make(texts, asked.out, recipe, "cpu")
    accuracy = by_layer(asked.out, map(bitext, FOREIGN))
    print("bitext accuracy by layer, mean over languages:", accuracy)
    facts = json.loads((asked.out / "pretraining.json").read_text(encoding="utf-8"))
    if outcome is not None:
        made = {"recipe": asdict(recipe), "loss": facts["loss"], "seconds": facts["seconds"]}
        where = {"threads": torch.get_num_threads(), "text": fingerprint()}
        record("rebuild_miniature_trunk", {**where, **made, "accuracy_by_layer": accuracy})
    if not asked.keep:
        for name in FILES:
            shutil.copyfile(asked.out / name, trunk_folder() / name)
        print(f"copied into {trunk_folder()}")


def bitext(language: str) -> tuple[list[str], list[str]]:
    """The miniature's validation sentences in a language, and their English translations."""
    rows = [row for row in examples("bitext", "validation", language) if isinstance(row, Bitext)]
    return [row.source for row in rows], [row.target for row in rows]


if __name__ == "__main__":
    main()
