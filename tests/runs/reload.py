"""Loads finished runs in a process of its own and writes their logits: python reload.py TRUNK OUT RUN...

The file holds one tensor per run and head, named by the run's folder; the head's name follows where there are several.
"""

import sys
from pathlib import Path

import safetensors.torch
import torch

from adapter_stilts.data.batches import collate
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.formats.base import Cut, formats
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.text import PlainText
from adapter_stilts.runs.build import finished_models
from adapter_stilts.sharing.bundle import load_bundle

SENTENCES = (
    "Anna bought two red apples in Paris.",
    "Who bought the apples?",
    "The small cat sleeps under the old table.",
    "Пусто.",
)
TEXTS = [PlainText(str(number), one) for number, one in enumerate(SENTENCES)]
EXAMPLES = [
    Classified(str(number), one, other, "")
    for number, (one, other) in enumerate(zip(SENTENCES, reversed(SENTENCES), strict=True))
]


@torch.no_grad()
def logits(model):
    """The logits [B, C] of four sentence pairs of different lengths, or [tokens, V] of four texts, in one batch."""
    examples, format = (TEXTS, "text") if model.format.masked else (EXAMPLES, "pair")
    found = formats[format].features(
        examples, model.encoder.trunk.tokenizer, Cut(labels=("a", "b", "c"), max_length=64, training=False)
    )
    batch = collate(found, model.encoder.trunk.config.pad_token_id)
    return model.eval()({name: tensor for name, tensor in batch.items() if name != "labels"}).contiguous()


def main():
    trunk, out, *folders = map(Path, sys.argv[1:])
    found = {}
    for folder in folders:
        bundle = load_bundle(folder)
        models = finished_models(load_trunk(str(trunk), precision=bundle.manifest.trunk.precision), bundle)
        for name, model in models.items():
            found[folder.name if len(models) == 1 else f"{folder.name}/{name}"] = logits(model)
    out.write_bytes(safetensors.torch.save(found))


if __name__ == "__main__":
    main()
