"""Adapter kinds as data, and the sizes they come out at."""

from __future__ import annotations

import pytest
import torch

from adapter_stilts.encoder.kinds import Kind, kinds, part, resolve
from adapter_stilts.encoder.modules.base import build
from adapter_stilts.encoder.modules.fusion import FusionParts
from adapter_stilts.encoder.trunk.config import BASE, LARGE, TrunkConfig
from adapter_stilts.encoder.trunk.loading import empty_model
from adapter_stilts.errors import UnknownName, UsageError


def size(kind: str, shape: TrunkConfig, **settings: object) -> int:
    with torch.device("meta"):
        parts = build(kinds[kind], resolve(kinds[kind], settings), empty_model(shape))
    return sum(parameter.numel() for parameter in parts.parameters())


# The project's protocol notes, section 5.1, and hand calculation from the papers' shapes.
@pytest.mark.parametrize(
    ("kind", "base", "large"),
    [
        ("seq_bn", 894_528, 3_171_840),
        ("double_seq_bn", 2 * 894_528, 2 * 3_171_840),
        ("lora", 294_912, 786_432),
        ("rslora", 294_912, 786_432),
        ("dora", 294_912 + 12 * 2 * 768, 786_432 + 24 * 2 * 1024),
        ("vera", 12 * 2 * (256 + 768), 24 * 2 * (256 + 1024)),
        ("seq_bn_inv", 894_528 + 2 * (384 * 192 * 2 + 192 + 384), 3_171_840 + 525_824),
        ("par_bn", 12 * (768 * 384 * 2 + 384 + 768), 24 * (1024 * 512 * 2 + 512 + 1024)),
        ("ia3", 12 * (768 + 768 + 3072), 24 * (1024 + 1024 + 4096)),
        ("compacter", 57_088, 2 * 24 * (3 * 1024 + 3 * 32) + 4**3),
        (
            "prefix_tuning",
            30 * 768 + 768 * 512 + 512 + 513 * 2 * 12 * 768,
            30 * 1024 + 1024 * 512 + 512 + 513 * 2 * 24 * 1024,
        ),
    ],
)
def test_has_the_published_number_of_parameters(kind: str, base: int, large: int) -> None:
    assert (size(kind, BASE), size(kind, LARGE)) == (base, large)


def test_fusion_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        sizes = [
            sum(p.numel() for p in FusionParts(("output",), empty_model(shape)).parameters())
            for shape in (BASE, LARGE)
        ]
    assert sizes == [12 * (3 * 768**2 + 2 * 768), 24 * (3 * 1024**2 + 2 * 1024)]  # 21.3 M and 75.5 M


def test_a_language_adapter_of_mad_x_is_wider() -> None:
    assert size("seq_bn", BASE, reduction_factor=2) == 12 * (768 * 384 * 2 + 384 + 768)


def test_leaves_out_layers() -> None:
    assert size("seq_bn", BASE, leave_out=[0, 11]) == 894_528 // 12 * 10
    assert size("lora", BASE, leave_out=(3,)) == 294_912 // 12 * 11


def test_defaults_are_all_there_and_may_be_overridden() -> None:
    settings = resolve(kinds["seq_bn"], {"reduction_factor": 2})
    assert settings["reduction_factor"] == 2.0
    assert settings["non_linearity"] == "relu"
    assert set(settings) == set(kinds["seq_bn"].settings)
    assert resolve(kinds["par_bn"], {"scaling": "learned"})["scaling"] == "learned"
    assert resolve(kinds["lora"], {"attn_matrices": ["q"]})["attn_matrices"] == ("q",)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("seq_bn", {"reduction_facto": 2}, "did you mean 'reduction_factor'"),
        ("full", {"r": 8}, "no setting of full called 'r'"),
    ],
)
def test_suggests_the_nearest_setting(kind: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        resolve(kinds[kind], settings)


def test_suggests_the_nearest_kind() -> None:
    with pytest.raises(UnknownName, match="did you mean 'seq_bn'"):
        kinds["seq_bm"]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("lora", {"r": 0}),
        ("lora", {"r": 2.5}),
        ("lora", {"r": True}),
        ("lora", {"attn_matrices": "qv"}),
        ("lora", {"leave_out": ["0"]}),
        ("lora", {"selfattn_lora": 1}),
        ("seq_bn", {"reduction_factor": "16"}),
        ("seq_bn", {"reduction_factor": float("nan")}),
        ("seq_bn", {"scaling": "learn"}),
        ("seq_bn", {"non_linearity": None}),
    ],
)
def test_refuses_a_value_of_another_type(kind: str, settings: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        resolve(kinds[kind], settings)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("seq_bn", {"reduction_factor": 2000}, "leaves no bottleneck"),
        ("seq_bn", {"reduction_factor": -1.0}, "leaves no bottleneck"),
        ("seq_bn", {"reduction_factor": 0.0}, "cannot build"),
        ("seq_bn", {"non_linearity": "rely"}, "cannot build"),
        ("seq_bn", {"init_weights": "zero"}, "Unknown init_weights"),
        ("seq_bn", {"leave_out": [12]}, "layers run from 0 to 11"),
        ("seq_bn", {"leave_out": list(range(12))}, "leaves no layer"),
        ("seq_bn", {"dropout": 2.0}, "cannot build"),
        ("compacter", {"reduction_factor": 768 / 3}, "cannot build"),
        ("lora", {"attn_matrices": ["q", "x"]}, "not one of: q, k, v, o"),
        ("lora", {"attn_matrices": []}, "leave no projection"),
        ("ia3", {"init_weights": "vera"}, "cannot build"),
    ],
)
def test_refuses_settings_that_cannot_be_built(kind: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        size(kind, BASE, **settings)


def test_a_new_kind_is_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = kinds["compacter"].settings
    summary, paper = "one hypercomplex bottleneck per layer", "https://arxiv.org/abs/2106.04647"
    module = part("compacter", sites=("output",), reads="norm", ln_before=False)
    kind = Kind("compacter++", summary, paper, settings, frozenset({"output"}), 1e-3, 0.01, (module,))
    monkeypatch.setitem(kinds._things, kind.name, kind)
    assert size("compacter++", BASE) == 12 * (3 * 768 + 3 * 24) + 4**3  # 28,576 in the library's own table
    assert kinds["compacter++"].composes == {"stack", "fuse", "average"}


def test_every_kind_says_what_it_is() -> None:
    assert len(kinds) == 14
    for kind in kinds.values():
        assert kind.summary
        assert kind.paper.startswith("https://arxiv.org/abs/")
        assert kind.composes <= {"stack", "fuse", "average"}
