"""What hangs on a trunk: fresh, trained, frozen, saved, loaded, named."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from adapter_stilts.encoder.composition import Fuse, Name, fusions, names, parse
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.encoder.model import AdapterEncoder, count
from adapter_stilts.encoder.trunk.config import TrunkConfig
from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk, new_trunk
from adapter_stilts.errors import ArtefactError, CompositionError, UnknownName, UsageError

KINDS = ["seq_bn", "double_seq_bn", "par_bn", "seq_bn_inv", "compacter", "lora", "rslora", "dora", "vera", "ia3"]
KINDS += ["ia3_ff", "prefix_tuning", "mam", "full"]
Batch = dict[str, torch.Tensor]
Make = Callable[..., AdapterEncoder]
Settings = Mapping[str, dict[str, object]]


def step(encoder: AdapterEncoder, batch: Batch) -> None:
    """One step of training on an arbitrary loss that reaches every state."""
    encoder.train()
    optimiser = torch.optim.SGD([parameter for _, parameter in encoder.trainable()], lr=0.1)
    states = encoder.states(**batch)
    (torch.stack([state.sin().mean() for state in states]).sum() + encoder.fusion_penalty()).backward()
    optimiser.step()
    encoder.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_adapter_leaves_the_output_within_its_kinds_bound(
    kind: str, tiny_trunk: Trunk, batch: Batch, kind_settings: Settings
) -> None:
    encoder = AdapterEncoder(tiny_trunk).eval()
    before = encoder.states(**batch)
    encoder.add("a", kind, kind_settings[kind], seed=3)
    encoder.activate(Name("a"))
    after = encoder.states(**batch)
    bound = kinds[kind].fresh
    if bound == 0:
        assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    elif bound is not None:
        assert all((other - one).norm() <= bound * one.norm() for one, other in zip(before, after, strict=True))
        assert not torch.equal(before[-1], after[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_initial_weights_depend_on_the_seed_alone(kind: str, tiny_trunk: Trunk, kind_settings: Settings) -> None:
    encoder = AdapterEncoder(tiny_trunk)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    encoder.add("a", kind, kind_settings[kind], seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    encoder.add("b", kind, kind_settings[kind], seed=3)
    encoder.add("c", kind, kind_settings[kind], seed=4)
    a, b, c = (encoder.tensors(name) for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    if kind not in ("full", "ia3", "ia3_ff", "vera"):
        assert any(not torch.equal(a[name], c[name]) for name in a)


def test_initial_fusion_depends_on_the_seed_alone(make_encoder: Make) -> None:
    encoder = make_encoder({"a": "seq_bn", "b": "seq_bn", "c": "seq_bn"})
    first, second = Fuse((Name("a"), Name("b"))), Fuse((Name("b"), Name("c")))
    state = torch.get_rng_state()
    encoder.add_fusion(first, seed=9)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    encoder.add_fusion(second, seed=9)
    one, other = encoder.fusion_tensors(first), encoder.fusion_tensors(second)
    assert all(torch.equal(one[name], other[name]) for name in one)
    value = one["encoder.layer.0.output.adapter_fusion_layer.value.weight"]
    assert torch.equal(value.diagonal(), torch.ones(32))
    torch.testing.assert_close(value - torch.eye(32), 1e-6 * (1 - torch.eye(32)), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_changes_what_trains_and_no_trunk_weight(
    kind: str, make_encoder: Make, tiny_trunk: Trunk, batch: Batch
) -> None:
    encoder = make_encoder({"a": kind, "b": "seq_bn"}, "stack(a, b)")
    trunk = {name: tensor.clone() for name, tensor in tiny_trunk.model.state_dict().items()}
    a, b = encoder.tensors("a"), encoder.tensors("b")
    encoder.train_parts(["a"])
    step(encoder, batch)
    assert all(torch.equal(tensor, trunk[name]) for name, tensor in tiny_trunk.model.state_dict().items())
    assert all(torch.equal(tensor, b[name]) for name, tensor in encoder.tensors("b").items())
    moved = [name for name, tensor in encoder.tensors("a").items() if not torch.equal(tensor, a[name])]
    assert len(moved) >= 0.9 * len(a)


def test_trains_a_fusion_inside_a_stack_parameter_by_parameter(make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder({"a": "seq_bn", "b": "seq_bn", "c": "seq_bn"}, "stack(fuse(a, b), c)")
    encoder.train_parts(["fuse(a, b)", "c"])
    trained = {name for name, _ in encoder.trainable()}
    assert {name.rsplit("/", 1)[0] for name in trained} == {"fusion/fuse(a, b)", "adapter/c"}
    assert sum(parameter.requires_grad for parameter in encoder.parameters()) == len(trained)
    before = {part: encoder.tensors(part) for part in "abc"}
    step(encoder, batch)
    assert all(torch.equal(encoder.tensors(part)[name], before[part][name]) for part in "ab" for name in before[part])
    assert not all(torch.equal(encoder.tensors("c")[name], before["c"][name]) for name in before["c"])


def test_training_nothing_freezes_everything(make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder({"a": "seq_bn", "b": "full"}, "a")
    encoder.train_parts(["a", "b"])
    encoder.train_parts([])
    assert encoder.trainable() == []
    assert not any(parameter.requires_grad for parameter in encoder.parameters())
    assert not encoder.hidden(**batch).requires_grad
    with pytest.raises(UnknownName, match="did you mean 'a'"):
        encoder.train_parts(["A"])


def test_kind_full_needs_a_float32_trunk(tiny_folder: Path) -> None:
    with pytest.raises(UsageError, match="must then be in float32"):
        AdapterEncoder(load_trunk(str(tiny_folder), precision="bf16")).add("a", "full")


@pytest.mark.parametrize("kind", KINDS)
def test_saves_and_loads_bit_equal_under_another_name(
    kind: str, make_encoder: Make, tiny_folder: Path, kind_settings: Settings, batch: Batch
) -> None:
    first = make_encoder({"a": kind}, "a")
    first.train_parts(["a"])
    step(first, batch)
    second = AdapterEncoder(load_trunk(str(tiny_folder), precision="fp32")).eval()
    tensors = first.tensors("a")
    assert all(tensor.dtype == torch.float32 for tensor in tensors.values())
    assert not any(".a." in name for name in tensors)
    second.load("other", kind, kind_settings[kind], tensors)
    second.activate(Name("other"))
    assert torch.equal(second.hidden(**batch), first.hidden(**batch))
    tensors[next(iter(tensors))] += 1  # a copy: neither encoder sees it
    assert torch.equal(second.hidden(**batch), first.hidden(**batch))


@pytest.mark.parametrize("text", ["stack(a, fuse(b, c), d)", "fuse(stack(b, d), c)", "average(b, d)"])
def test_saves_and_loads_compositions_bit_equal(
    text: str, make_encoder: Make, tiny_folder: Path, kind_settings: Settings, batch: Batch
) -> None:
    adapters = {"a": "seq_bn_inv", "b": "seq_bn", "c": "seq_bn", "d": "seq_bn"}
    first = make_encoder(adapters, text)
    second = AdapterEncoder(load_trunk(str(tiny_folder), precision="fp32")).eval()
    for name in names(parse(text)):
        second.load(name, adapters[name], kind_settings[adapters[name]], first.tensors(name))
    for fuse in fusions(parse(text)):
        second.load_fusion(fuse, first.fusion_tensors(fuse))
    second.activate(parse(text))
    assert torch.equal(second.hidden(**batch), first.hidden(**batch))


def test_verifies_every_name_and_shape(make_encoder: Make, kind_settings: Settings) -> None:
    encoder = make_encoder({"a": "seq_bn", "b": "seq_bn"}, "fuse(a, b)")
    good = encoder.tensors("a")
    name = "encoder.layer.1.output.adapters.adapter_up.bias"

    def load(tensors: dict[str, torch.Tensor]) -> None:
        encoder.load("new", "seq_bn", kind_settings["seq_bn"], tensors)

    with pytest.raises(ArtefactError, match=f"adapter 'new' lacks '{name}'"):
        load({key: tensor for key, tensor in good.items() if key != name})
    with pytest.raises(ArtefactError, match=r"holds 'encoder\.layer\.2\..*' and 3 more tensors, which has no place"):
        load(good | {key.replace("layer.1.", "layer.2."): tensor for key, tensor in good.items() if "layer.1." in key})
    with pytest.raises(ArtefactError, match=rf"holds '{name}' of shape \[31\], and \[32\] fits"):
        load(good | {name: torch.zeros(31)})
    with pytest.raises(ArtefactError, match=r"as torch\.int64"):
        load(good | {name: torch.zeros(32, dtype=torch.long)})
    with pytest.raises(ArtefactError, match=r"lacks"):
        load({})
    assert "new" not in encoder.adapters
    load(good)

    fuse = Fuse((Name("new"), Name("b")))
    with pytest.raises(ArtefactError, match=r"fusion 'fuse\(new, b\)' lacks"):
        encoder.load_fusion(fuse, {})
    encoder.load_fusion(fuse, encoder.fusion_tensors(parse("fuse(a, b)")))


def test_refuses_an_adapter_of_another_depth_or_width(make_encoder: Make, tiny_folder: Path) -> None:
    deep = AdapterEncoder(new_trunk(tiny_folder, TrunkConfig(0, 32, 3, 4, 64, 66), seed=1))
    deep.add("a", "seq_bn", {"reduction_factor": 4})
    wide = AdapterEncoder(new_trunk(tiny_folder, TrunkConfig(0, 64, 2, 4, 64, 66), seed=1))
    wide.add("a", "seq_bn", {"reduction_factor": 8})
    encoder = make_encoder({})
    with pytest.raises(ArtefactError, match=r"layer\.2"):
        encoder.load("a", "seq_bn", {"reduction_factor": 4}, deep.tensors("a"))
    with pytest.raises(ArtefactError, match="of shape"):
        encoder.load("a", "seq_bn", {"reduction_factor": 4}, wide.tensors("a"))


@pytest.mark.parametrize("name", ["", "a b", "a,b", "fuse(a)", "a=b"])
def test_refuses_a_name_that_a_composition_cannot_hold(name: str, make_encoder: Make) -> None:
    with pytest.raises(UsageError, match="cannot name an adapter"):
        make_encoder({}).add(name, "seq_bn")


@pytest.mark.parametrize("name", ["train", "type", "keys", "forward", "x.y", "mnli-3f2a", "de_DE"])
def test_takes_names_that_modules_use_themselves(name: str, make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder({name: "seq_bn"}, name)
    assert encoder.hidden(**batch).shape[-1] == 32
    assert encoder.table()[1].part == name


def test_refuses_a_name_twice_and_an_unknown_kind(make_encoder: Make) -> None:
    encoder = make_encoder({"a": "seq_bn", "b": "seq_bn"}, "fuse(a, b)")
    with pytest.raises(UsageError, match="already an adapter called 'a'"):
        encoder.add("a", "lora")
    with pytest.raises(UsageError, match=r"already a fusion called 'fuse\(a, b\)'"):
        encoder.add_fusion(parse("fuse(stack(a), b)"))
    with pytest.raises(UnknownName, match="did you mean 'lora'"):
        encoder.add("c", "lorra")
    with pytest.raises(UsageError, match=r"no fusion weights for fuse\(b, a\)"):
        encoder.activate(parse("fuse(b, a)"))
    with pytest.raises(CompositionError, match="single part"):
        encoder.add_fusion(parse("fuse(a)"))


def test_tells_what_it_is_made_of(make_encoder: Make, tiny_trunk: Trunk) -> None:
    encoder = make_encoder({"a": "seq_bn", "b": "seq_bn", "c": "lora", "f": "full"}, "stack(fuse(a, b), c)")
    encoder.train_parts(["fuse(a, b)", "c"])
    rows = {row.part: row for row in encoder.table()}
    assert list(rows) == ["trunk", "a", "b", "c", "f", "fuse(a, b)"]
    assert [row.role for row in rows.values()] == ["trunk", "adapter", "adapter", "adapter", "adapter", "fusion"]
    assert [row.active for row in rows.values()] == [True, True, True, True, False, True]
    assert [row.trained for row in rows.values()] == [False, False, False, True, False, True]
    assert rows["a"].parameters == 2 * (32 * 8 + 8 + 8 * 32 + 32)
    assert rows["c"].parameters == 2 * 2 * 2 * 4 * 32
    assert rows["fuse(a, b)"].parameters == 2 * (3 * 32 * 32 + 2 * 32)
    assert rows["f"].parameters == rows["trunk"].parameters == count(tiny_trunk.model)
    encoder.activate(Name("f"))
    assert [row.part for row in encoder.table() if row.active] == ["f"]
