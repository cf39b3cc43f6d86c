"""Many finished runs over one trunk at once: their adapters in one encoder, each run's composition by itself.

encoder, compositions = together(trunk, bundles)
encoder.hidden_each(compositions, input_ids, attention_mask)          each run's, the shared layers once
encoder.activate(Average(tuple(compositions)))                        the mean of what they add, in one pass
"""

from __future__ import annotations

from collections.abc import Sequence

from adapter_stilts.encoder.composition import Composition, fusion_name, fusions
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import Trunk
from adapter_stilts.runs.build import check_trunk
from adapter_stilts.runs.lineage import Adopted
from adapter_stilts.sharing.bundle import Bundle


def together(trunk: Trunk, bundles: Sequence[Bundle]) -> tuple[AdapterEncoder, list[Composition]]:
    """The adapters of all runs on one trunk, frozen, and each run's composition of them.

    An adapter that several runs share is loaded once; different ones of a name are told apart.

    Raises ArtefactError for a run of another trunk.
    """
    adopted, compositions = Adopted(), []
    for bundle in bundles:
        check_trunk(trunk, bundle)
        compositions.append(adopted.take(bundle))
    encoder = AdapterEncoder(trunk)
    encoder.from_layer = min((bundle.manifest.from_layer for bundle in bundles), default=0)
    for name, part in adopted.adapters.items():
        encoder.load(name, part.facts["kind"], part.facts["settings"], part.tensors)
    for fuse in (fuse for composition in compositions for fuse in fusions(composition)):
        if fusion_name(fuse) not in encoder.fusions:
            encoder.load_fusion(fuse, adopted.fusions[fusion_name(fuse)].tensors)
    return encoder.eval(), compositions
