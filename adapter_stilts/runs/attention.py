"""What AdapterFusion looks at: the mean attention per layer and source adapter, for each language scored.

    fusion/attention.json   {"fuse(nli, qa)": {"xnli": {"test": {"sw": [[0.7, 0.3], ...], ...}}}}   [L, A] per task,
                            split and language

The weight of a source in a layer is averaged over all tokens that are not padding; a row sums to 1. The file
carries a checksum of the rest and notices a changed byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from adapter_stilts.encoder.composition import Fuse, fusion_name
from adapter_stilts.sharing.sealed import CHECKSUM, read_sealed, write_sealed

FILE = "attention.json"


def store_attention(folder: Path, task: str, split: str, language: str, weights: Mapping[str, Tensor]) -> None:
    """Add one language's attention [L, A] per fusion to fusion/attention.json."""
    stored: dict[str, Any] = read_attention(folder)
    for fusion, table in weights.items():
        of_split = stored.setdefault(fusion, {}).setdefault(task, {}).setdefault(split, {})
        of_split[language] = [[round(float(value), 6) for value in row] for row in table]
    write_sealed(folder / "fusion" / FILE, stored)


def read_attention(folder: Path) -> dict[str, Any]:
    """All stored attention of a run, {} where there is none."""
    path = folder / "fusion" / FILE
    found = (
        read_sealed(path, "the stored attention", do="remove the file and evaluate again with --overwrite")
        if path.is_file()
        else {}
    )
    return {name: weights for name, weights in found.items() if name != CHECKSUM}


def source_names(fuse: Fuse) -> tuple[str, ...]:
    """The fused parts as texts, in the order of attention's last axis."""
    return tuple(str(part) for part in fuse.parts)


def attention_table(attention: Mapping[str, Any], fuses: tuple[Fuse, ...]) -> list[tuple[str, str, str, str, float]]:
    """(task, split, language, source, mean weight over layers) for a table on the screen."""
    return [
        (task, split, language, source, sum(layer[number] for layer in layers) / len(layers))
        for fuse in fuses
        for task, splits in attention.get(fusion_name(fuse), {}).items()
        for split, languages in splits.items()
        for language, layers in languages.items()
        for number, source in enumerate(source_names(fuse))
    ]
