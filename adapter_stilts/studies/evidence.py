"""What a stage leaves behind that another study of the same configuration must leave behind as well.

    of_training(manifest)     {"trunk": ..., "weights": {"adapter/nli.safetensors": sha256, ...}, "data": ..., ...}
    of_reading(results)       {"rows": [key, ...], "scores": [0.613, ...], "versions": ...}

study.json keeps it, so that a study can be made again and compared where its runs are not at hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from adapter_stilts.environment import versions
from adapter_stilts.sharing.manifest import DataFacts, Manifest
from adapter_stilts.statistics.result import Result

WEIGHTS = ".safetensors"


def of_training(manifest: Manifest) -> dict[str, Any]:
    """Trunk, weights and data of a run by their hashes, and what it was made with."""
    weights = {name: digest for name, digest in manifest.files.items() if name.endswith(WEIGHTS)}
    data = {f"{part.task} {part.split} {part.language}".strip(): _digest(part) for part in manifest.data}
    made = {"trunk": manifest.trunk.fingerprint, "weights": weights, "data": data}
    return {**made, "versions": manifest.versions, "device": manifest.device}


def of_reading(results: Iterable[Result]) -> dict[str, Any]:
    """Every score of a reading by its key."""
    results = list(results)
    scores = [result.score for result in results]
    return {"rows": [list(result.key) for result in results], "scores": scores, "versions": versions()}


def _digest(part: DataFacts) -> str:
    """Of the rows of one split: the hash of their text where that is known, else of what they were read from."""
    if part.rows_sha256:
        return part.rows_sha256
    facts = part.model_dump(mode="json", include={"kind", "hub", "config", "revision", "rows"})
    facts["files"] = [file.sha256 for file in part.files]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
