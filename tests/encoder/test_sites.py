"""What compositions mean: each against a simpler one, or against arithmetic by hand.

And every nesting runs, or says why not.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping

import pytest
import torch

from adapter_stilts.encoder.composition import (
    Average,
    Composition,
    Fuse,
    Name,
    Stack,
    fusion_name,
    fusions,
    names,
    parse,
    validate,
    walk,
)
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.errors import CompositionError

Batch = dict[str, torch.Tensor]
Make = Callable[..., AdapterEncoder]
KINDS = ["seq_bn", "double_seq_bn", "par_bn", "seq_bn_inv", "compacter", "lora", "rslora", "dora", "vera", "ia3"]
KINDS += ["ia3_ff", "prefix_tuning", "mam", "full"]
ADDITIVE = ["seq_bn", "double_seq_bn", "par_bn", "compacter", "lora", "ia3"]


def run(encoder: AdapterEncoder, text: str, batch: Batch) -> torch.Tensor:
    composition = parse(text)
    for fuse in fusions(composition):
        if fusion_name(fuse) not in encoder.fusions:
            encoder.add_fusion(fuse, seed=5)
    encoder.activate(composition)
    with torch.no_grad():
        return encoder.hidden(**batch)


def close(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=5e-6)


def differ(*states: torch.Tensor) -> None:
    for one, other in itertools.combinations(states, 2):
        assert (one - other).abs().max() > 1e-3


# ---- meaning


@pytest.mark.parametrize("kind", ADDITIVE)
def test_averaging_an_adapter_with_itself_returns_it(kind: str, make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder({"a": kind, "b": kind})
    alone = run(encoder, "a", batch)
    close(run(encoder, "average(a, a, a)", batch), alone)
    close(run(encoder, "average(a, b, weights=1.0/0.0)", batch), alone)
    close(
        run(encoder, "average(a, b, weights=0.25/0.75)", batch), run(encoder, "average(b, a, weights=0.75/0.25)", batch)
    )
    differ(run(encoder, "average(a, b)", batch), alone)


def test_an_average_is_the_weighted_sum_of_what_each_adds(make_encoder: Make, batch: Batch) -> None:
    """One projection of one layer, by hand: y + 0.25 * 2 * B1 A1 x + 0.75 * 2 * B2 A2 x (alpha / r = 2)."""
    encoder = make_encoder({"a": "lora", "b": "lora"}, "average(a, b, weights=0.25/0.75)")
    seen: list[tuple[torch.Tensor, torch.Tensor]] = []
    query = encoder.base.encoder.layer[0].attention.self.query
    query.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
    encoder.hidden(**batch, layer=1)
    source, plain = seen[0]
    expected = plain.clone()
    for name, weight in (("a", 0.25), ("b", 0.75)):
        tensors = encoder.tensors(name)
        place = "encoder.layer.0.attention.self.query.loras"
        expected += weight * 2 * source @ tensors[f"{place}.lora_A"].T @ tensors[f"{place}.lora_B"].T
    with torch.no_grad():
        active = encoder._active(batch["attention_mask"])
        assert active is not None
        close(active.at(0, "query", plain, source), expected)


@pytest.mark.parametrize("kind", ["seq_bn", "double_seq_bn", "par_bn", "compacter"])
@pytest.mark.parametrize(
    "parts", [("a", "b"), ("stack(a, c)", "b"), ("stack(a, c)", "stack(b, d)"), ("average(a, c)", "b")]
)
def test_a_fusion_that_attends_evenly_is_an_average(
    kind: str, parts: tuple[str, str], make_encoder: Make, batch: Batch
) -> None:
    encoder = make_encoder(dict.fromkeys("abcd", kind))
    fuse = parse(f"fuse({', '.join(parts)})")
    assert isinstance(fuse, Fuse)
    encoder.add_fusion(fuse)
    for name, parameter in encoder.fusions[fusion_name(fuse)].named_tensors().items():
        parameter.data = torch.eye(32) if name.endswith("value.weight") else torch.zeros_like(parameter)
    close(run(encoder, str(fuse), batch), run(encoder, f"average({', '.join(parts)})", batch))


@pytest.mark.parametrize("kind", ["seq_bn", "par_bn", "compacter"])
def test_a_fusion_that_attends_to_one_part_is_that_part(
    kind: str, make_encoder: Make, kind_settings: Mapping[str, dict[str, object]], batch: Batch
) -> None:
    """Keys zero and equal values: whatever the attention, fusing a part with its twin returns it."""
    encoder = make_encoder({"a": kind, "c": kind})
    encoder.load("twin", kind, kind_settings[kind], encoder.tensors("a"))
    fuse = Fuse((Stack((Name("c"), Name("a"))), Stack((Name("c"), Name("twin")))))
    encoder.add_fusion(fuse)
    for name, parameter in encoder.fusions[fusion_name(fuse)].named_tensors().items():
        if name.endswith("value.weight"):
            parameter.data = torch.eye(32)
    close(run(encoder, str(fuse), batch), run(encoder, "stack(c, a)", batch))


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_a_fresh_adapter_on_top_does_not_erase_the_one_below(
    kind: str, make_encoder: Make, batch: Batch, kind_settings: dict[str, dict[str, object]]
) -> None:
    encoder = make_encoder({"below": kind})
    encoder.add("fresh", "lora", kind_settings["lora"], seed=1)
    encoder.add("beside", "par_bn", kind_settings["par_bn"], seed=1)
    alone = run(encoder, "below", batch)
    close(run(encoder, "stack(below, fresh, beside)", batch), alone)
    close(run(encoder, "stack(fresh, below)", batch), alone)


def test_order_matters_in_a_stack_of_bottlenecks_and_not_of_low_rank_changes(make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder({"a": "seq_bn", "b": "seq_bn", "x": "lora", "y": "lora"})
    differ(
        run(encoder, "stack(a, b)", batch),
        run(encoder, "stack(b, a)", batch),
        run(encoder, "a", batch),
        run(encoder, "b", batch),
    )
    close(run(encoder, "stack(x, y)", batch), run(encoder, "stack(y, x)", batch))


def test_a_trained_trunk_lies_under_a_stack(make_encoder: Make, batch: Batch) -> None:
    encoder = make_encoder({"whole": "full", "a": "seq_bn"})
    states = [run(encoder, text, batch) for text in ("whole", "stack(whole, a)", "a")]
    differ(*states)


# ---- every nesting


def nestings(depth: int, leaves: tuple[str, ...]) -> Iterator[Composition]:
    """Every composition of blocks with one or two parts, up to so many levels."""
    below: list[Composition] = [Name(leaf) for leaf in leaves]
    yield from below
    for _ in range(depth - 1):
        level: list[Composition] = []
        for block in (Stack, Fuse, Average):
            level += [block((one,)) for one in below]
            level += [block(pair) for pair in itertools.product(below, repeat=2)]
        yield from level
        below = [*below, *level]


def runs_or_is_refused(encoder: AdapterEncoder, composition: Composition, batch: Batch, train: bool) -> bool:
    """Whether it runs; anything but a result or a CompositionError is a failure of the test."""
    try:
        whole = validate(composition, encoder._kinds)
    except CompositionError as refused:
        return not (refused.what and refused.do)
    for fuse in fusions(whole):
        if fusion_name(fuse) not in encoder.fusions:
            encoder.add_fusion(fuse)
    encoder.activate(whole)
    state = encoder.hidden(**batch)
    assert state.shape[:2] == batch["input_ids"].shape
    assert state.isfinite().all()
    if train and any(isinstance(node, (Stack, Fuse)) for node in walk(whole)):
        encoder.train_parts([*names(whole), *map(fusion_name, fusions(whole))])
        encoder.hidden(**batch).sin().mean().backward()
        for name, parameter in encoder.trainable():
            assert parameter.grad is not None, f"{composition}: {name}"
            parameter.grad = None
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_every_nesting_of_two_levels_runs_and_trains_or_is_refused(kind: str, make_encoder: Make, batch: Batch) -> None:
    small = {name: tensor[:2, :5] for name, tensor in batch.items()}
    encoder = make_encoder({"a": kind, "b": kind})
    ran = [runs_or_is_refused(encoder, composition, small, train=True) for composition in nestings(2, ("a", "b"))]
    allowed = kinds[kind].composes
    assert sum(ran) >= 2 + 2 * len(allowed) if kind != "full" else sum(ran) == 4


@pytest.mark.parametrize("other", KINDS)
def test_every_mixture_of_kinds_runs_and_trains_or_is_refused(other: str, make_encoder: Make, batch: Batch) -> None:
    small = {name: tensor[:2, :5] for name, tensor in batch.items()}
    for kind in KINDS:
        encoder = make_encoder({"a": kind, "b": other})
        ran = [runs_or_is_refused(encoder, composition, small, train=True) for composition in nestings(2, ("a", "b"))]
        assert any(ran)


@pytest.mark.parametrize("kind", ["seq_bn", "lora", "mam", "seq_bn_inv"])
def test_nestings_of_three_levels_run_or_are_refused(kind: str, make_encoder: Make, batch: Batch) -> None:
    """Every second of the 1,300 or so that there are over two names, after the 20 of two levels; the slow test takes
    all of them over three kinds at once."""
    small = {name: tensor[:1, :4] for name, tensor in batch.items()}
    encoder = make_encoder({"a": kind, "b": kind})
    ran = [
        runs_or_is_refused(encoder, composition, small, train=False)
        for composition in itertools.islice(nestings(3, ("a", "b")), 20, None, 2)
    ]
    assert any(ran)


@pytest.mark.slow
@pytest.mark.parametrize(
    "leaves",
    [
        ("seq_bn", "lora", "seq_bn_inv"),
        ("double_seq_bn", "prefix_tuning", "compacter"),
        ("par_bn", "seq_bn", "full"),
        ("ia3", "mam", "seq_bn"),
    ],
)
def test_every_nesting_of_three_levels_runs_and_trains_or_is_refused(
    leaves: tuple[str, ...], make_encoder: Make, batch: Batch
) -> None:
    small = {name: tensor[:1, :4] for name, tensor in batch.items()}
    encoder = make_encoder(dict(zip("abc", leaves, strict=True)))
    ran = [runs_or_is_refused(encoder, composition, small, train=True) for composition in nestings(3, ("a", "b", "c"))]
    assert 100 < sum(ran) < len(ran)
