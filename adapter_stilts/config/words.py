"""The words of the verbs, typed as flags or given as keyword arguments, and the keys of the configuration they set.

    configuration(None, ["training.epochs=2"], {"task": "nli", "seed": 7}, adapter=mistakes)

The command line and the Python door both come this way, so a word means the same in either and has no second default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from adapter_stilts.config.load import AdapterCheck, Given, load
from adapter_stilts.config.schema import RunConfig

# a verb's parameter -> the flag that it comes by, and the key of the configuration that it sets
SETS = {
    "task": ("TASK", "task.name"),
    "target": ("--target", "task.name"),
    "fuse": ("fuse", "how"),
    "merging": ("merge", "how"),
    "sources": ("RUN", "after"),
    "method": ("--method", "merge.method"),
    "weights": ("--weights", "merge.weights"),
    "density": ("--density", "merge.density"),
    "scale": ("--scale", "merge.scale"),
    "rank": ("--rank", "merge.rank"),
    "split": ("--split", "merge.split"),
    "start": ("--start", "merge.start"),
    "trunk": ("--trunk", "trunk.name"),
    "kind": ("--kind", "adapter.kind"),
    "from_layer": ("--from-layer", "adapter.from_layer"),
    "how": ("--how", "how"),
    "after": ("--after", "after"),
    "sampler": ("--sampler", "training.sampler.name"),
    "languages": ("--languages", "evaluation.languages"),
    "protocol": ("--protocol", "evaluation.protocol"),
    "layer": ("--layer", "retrieval.layer"),
    "layers": ("--layers", "retrieval.layer"),
    "pool": ("--pool", "retrieval.pool"),
    "k": ("-k", "retrieval.k"),
    "margin": ("--margin", "retrieval.margin"),
    "centring": ("--centring", "retrieval.centre"),
    "language_adapter": ("--language-adapter", "evaluation.language_adapters"),
    "data": ("--data", "data.sources"),
    "language": ("--language", "data.language"),
    "seed": ("--seed", "training.seed"),
    "control": ("--control", "control"),
}


def configuration(
    path: Path | None, settings: Sequence[str], words: Mapping[str, object], *, adapter: AdapterCheck
) -> RunConfig:
    """The configuration from a file, `--set`, and words of `SETS`; None and nothing are left out.

    adapter  as `load` takes it

    Raises what `load` raises.
    """
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in words.items()}
    flags = [Given(*SETS[name], value) for name, value in values.items() if value is not None and value != []]
    return load(path, settings, flags, adapter=adapter)
