"""Numbers by arithmetic are those of the modules themselves."""

import pytest

from adapter_stilts.encoder import sizes
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.trunk.config import BASE, LARGE, TrunkConfig
from adapter_stilts.planning.parameters import adapter_parameters, layer_parameters

SMALL = TrunkConfig(1000, 96, 3, 4, 288)
OTHERS = [
    ("seq_bn", {"reduction_factor": 7.0, "ln_before": True, "scaling": "channel", "leave_out": (0,)}),
    ("lora", {"r": 3, "attn_matrices": ("q", "k", "v", "o"), "intermediate_lora": True, "output_lora": True}),
    ("dora", {"selfattn_lora": False, "output_lora": True}),
    ("compacter", {"reduction_factor": 8.0, "shared_phm_rule": False}),
    ("prefix_tuning", {"flat": True}),
]


@pytest.mark.parametrize("trunk", [SMALL, BASE, LARGE], ids=["small", "base", "large"])
@pytest.mark.parametrize("kind", list(kinds))
def test_has_as_many_numbers_as_the_modules(kind, trunk):
    settings = resolve(kinds[kind], {"reduction_factor": 8.0} if kind == "compacter" else {})
    assert adapter_parameters(kind, settings, trunk) == sizes.adapter_parameters(kind, settings, trunk)


@pytest.mark.parametrize(("kind", "settings"), OTHERS)
def test_follows_the_settings(kind, settings):
    chosen = resolve(kinds[kind], settings)
    assert adapter_parameters(kind, chosen, SMALL) == sizes.adapter_parameters(kind, chosen, SMALL)


def test_knows_the_trunk():
    embeddings = (1000 + 514 + 1 + 2) * 96
    assert 3 * sum(layer_parameters(SMALL)) + embeddings == sizes.trunk_parameters(SMALL)
