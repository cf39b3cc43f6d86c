"""Parameters counted without memory are those of the modules themselves, and those the papers give for XLM-R."""

from __future__ import annotations

import pytest

from adapter_stilts.encoder.composition import fusions, parse
from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.sizes import adapter_parameters, fusion_parameters, head_parameters, trunk_parameters
from adapter_stilts.encoder.trunk.config import BASE, LARGE, known_config

OVERRIDES = [
    *((kind, {}) for kind in kinds if kind not in ("full", "compacter")),
    ("compacter", {"reduction_factor": 8.0}),
    ("seq_bn", {"reduction_factor": 3.0, "ln_before": True}),
    ("seq_bn", {"leave_out": [1]}),
    ("seq_bn", {"scaling": "learned"}),
    ("seq_bn_inv", {"inv_adapter_reduction_factor": 4.0}),
    ("compacter", {"reduction_factor": 4.0, "shared_phm_rule": False, "phm_rank": 2}),
    ("lora", {"r": 3, "attn_matrices": ["q", "k", "v"], "intermediate_lora": True}),
    ("lora", {"selfattn_lora": False, "output_lora": True}),
    ("ia3", {"output_lora": True}),
    ("prefix_tuning", {"flat": True, "prefix_length": 7}),
]


@pytest.mark.parametrize(
    ("kind", "overrides"),
    OVERRIDES,
    ids=lambda value: value if isinstance(value, str) else ",".join(value) or "default",
)
def test_counts_the_parameters_that_an_adapter_has(tiny_trunk, kind, overrides):
    encoder = AdapterEncoder(tiny_trunk)
    encoder.add("a", kind, resolve(kinds[kind], overrides), seed=1)
    assert adapter_parameters(kind, resolve(kinds[kind], overrides), tiny_trunk.config) == sum(
        tensor.numel() for tensor in encoder.tensors("a").values()
    )


def test_counts_the_parameters_of_a_fusion_and_of_the_trunk(tiny_trunk):
    encoder = AdapterEncoder(tiny_trunk)
    for name in ("a", "b"):
        encoder.add(name, "seq_bn", {}, seed=1)
    (fuse,) = fusions(parse("fuse(a, b)"))
    encoder.add_fusion(fuse, 1)
    assert fusion_parameters(tiny_trunk.config) == sum(
        tensor.numel() for tensor in encoder.fusion_tensors(fuse).values()
    )
    assert trunk_parameters(tiny_trunk.config) == encoder.table()[0].parameters


@pytest.mark.parametrize(
    ("format", "labels"),
    [("pair", 3), ("single", 2), ("choice", 1), ("tags", 17), ("span", 2), ("text", 320), ("ranking", 1)],
)
def test_counts_the_parameters_of_a_head(tiny_trunk, format, labels):
    vocabulary = tiny_trunk.config.vocab_size if format == "text" else labels
    head = build_head(format, tiny_trunk.config.hidden_size, vocabulary, seed=1)
    assert head_parameters(format, labels, tiny_trunk.config) == sum(
        tensor.numel() for _, tensor in head.named_parameters()
    )


def test_knows_xlm_r_without_the_network():
    assert known_config("FacebookAI/xlm-roberta-large") == LARGE
    assert known_config("miniature").hidden_size == 128
    assert known_config("someone/else") is None
    assert adapter_parameters("seq_bn", resolve(kinds["seq_bn"], {}), LARGE) == 3_171_840
    assert adapter_parameters("seq_bn", resolve(kinds["seq_bn"], {}), BASE) == 894_528
    assert adapter_parameters("lora", resolve(kinds["lora"], {}), LARGE) == 786_432
    assert adapter_parameters("seq_bn_inv", resolve(kinds["seq_bn_inv"], {}), LARGE) - 3_171_840 == 525_824
    assert fusion_parameters(LARGE) == 24 * (3 * 1024**2 + 2 * 1024)
    assert round(trunk_parameters(LARGE) / 1e6, 1) == 558.8  # 559.9 million with the pooler, which is not used
