"""What AdapterFusion looks at: the mean attention per layer and source adapter, for each language scored.

    fusion/attention.json   {"fuse(nli, qa)": {"nli-target": {"sw": [[0.7, 0.3], ...], ...}}}   [L, A] per task and language

The weight of a source in a layer is averaged over all tokens that are not padding; a row sums to 1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from adapter_stilts.encoder.composition import Fuse, fusion_name
from adapter_stilts.files import write_json

FILE = "attention.json"


def store_attention(folder: Path, task: str, language: str, weights: Mapping[str, Tensor]) -> None:
    """Add one language's attention [L, A] per fusion to fusion/attention.json."""
    path = folder / "fusion" / FILE
    stored: dict[str, Any] = read_attention(folder)
    for fusion, table in weights.items():
        stored.setdefault(fusion, {}).setdefault(task, {})[language] = [[round(float(value), 6) for value in row] for row in table]
    write_json(path, stored)


def read_attention(folder: Path) -> dict[str, Any]:
    """All stored attention of a run, {} where there is none."""
    path = folder / "fusion" / FILE
    return json.loads(path.read_bytes()) if path.is_file() else {}


def source_names(fuse: Fuse) -> tuple[str, ...]:
    """The fused parts as texts, in the order of attention's last axis."""
    return tuple(str(part) for part in fuse.parts)


def attention_table(attention: Mapping[str, Any], fuses: tuple[Fuse, ...]) -> list[tuple[str, str, str, float]]:
    """(task, language, source, mean weight over layers) for a table on the screen."""
    rows = []
    for fuse in fuses:
        for task, languages in attention.get(fusion_name(fuse), {}).items():
            for language, layers in languages.items():
                for number, source in enumerate(source_names(fuse)):
                    rows.append((task, language, source, sum(layer[number] for layer in layers) / len(layers)))
    return rows
