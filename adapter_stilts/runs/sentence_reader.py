"""An encoder to read sentences with: a run's trunk and adapters, or a bare trunk, as far as the layer that is read.

Layers above it are not loaded, and adapters there are not built.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk import load_trunk, trunk_config
from adapter_stilts.errors import UsageError
from adapter_stilts.retrieval.protocols import Layer, protocol
from adapter_stilts.retrieval.reading import check_layers
from adapter_stilts.runs.build import finished_encoder
from adapter_stilts.sharing.bundle import Bundle, load_bundle
from adapter_stilts.training.devices import pick_device

OWN = protocol("own", "bucc2018").layer
CPU_BUDGET, GPU_BUDGET = 2048, 16384  # tokens read at once; on a CPU a larger batch falls out of the cache and is read a third slower


@dataclass(frozen=True)
class SentenceReader:
    """An encoder and the layer it is read at.

    made   what the vectors depend on: trunk, precision, composition, the hashes of its adapters, layer
    """

    encoder: AdapterEncoder
    layer: int
    made: dict[str, Any]

    @property
    def token_budget(self) -> int:
        return GPU_BUDGET if next(self.encoder.parameters()).device.type == "cuda" else CPU_BUDGET


def sentence_reader(
    run: Path | None, trunk: str | None, *, layer: int | None = None, usual: Layer = OWN, revision: str | None = None, precision: str = "auto"
) -> SentenceReader:
    """The encoder of a run, or of a trunk alone.

    layer  None: the usual one, at the same relative depth; that of `own` for mining is 14 of 24

    Raises what `load_bundle` and `load_trunk` raise, UsageError for a layer that is not there.
    """
    if run is None and trunk is None:
        raise UsageError("nothing to encode with", do="name a run with --run, or a trunk with --trunk")
    bundle = load_bundle(run) if run is not None else None
    if bundle is not None:
        facts = bundle.manifest.trunk
        revision = facts.revision if trunk is None else revision
        trunk, precision = trunk or facts.name, facts.precision if precision == "auto" else precision
    assert trunk is not None
    depth = trunk_config(trunk, revision=revision).num_hidden_layers
    chosen = usual.at_depth(depth) if layer is None else layer
    check_layers((chosen,), depth)
    device = str(pick_device())
    loaded = load_trunk(trunk, revision=revision, precision=precision, device=device, layers=chosen)
    encoder = AdapterEncoder(loaded) if bundle is None else finished_encoder(loaded, bundle)
    encoder.to(device).eval()
    made = {"trunk": loaded.fingerprint, "trunk_name": loaded.name, "precision": loaded.precision, **active_parts(bundle), "layer": chosen}
    return SentenceReader(encoder, chosen, made)


def trunk_of(config: RunConfig, run: Path | None) -> str | None:
    """The trunk that a configuration names; None where a run brings its own."""
    return config.trunk.name if "name" in config.trunk.model_fields_set or run is None else None


def active_parts(bundle: Bundle | None) -> dict[str, Any]:
    """The composition, and the hash of each of its adapters and fusions."""
    if bundle is None:
        return {"composition": "", "adapters": {}}
    files = {name: hash for name, hash in sorted(bundle.manifest.files.items()) if name.startswith(("adapter/", "fusion/"))}
    return {"composition": bundle.manifest.composition, "adapters": files}
