"""Merging, method by kind: what a merged adapter adds, against the sum of what its parents' modules add."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.errors import ArtefactError, UnknownName, UsageError
from adapter_stilts.merging.merge import merge
from adapter_stilts.merging.methods import methods

FORMS = {
    "lora": ("lora", {"r": 3, "alpha": 5}),
    "wide lora": ("lora", {"r": 4, "alpha": 4, "attn_matrices": ("q", "k", "v"), "intermediate_lora": True}),
    "rslora": ("rslora", {"r": 4, "alpha": 3, "attn_matrices": ("o",)}),
    "ia3": ("ia3", {"output_lora": True}),
    "seq_bn": ("seq_bn", {"reduction_factor": 8.0, "ln_before": True, "scaling": "channel"}),
    "double_seq_bn": ("double_seq_bn", {"reduction_factor": 8.0, "scaling": "learned"}),
    "par_bn": ("par_bn", {"reduction_factor": 4.0}),
}
ADDITIVE = ("lora", "wide lora", "rslora", "ia3")  # a sum of their parameters' changes is the sum of what they add
forms = st.sampled_from(sorted(FORMS))
weights = st.floats(-2, 2).filter(lambda weight: abs(weight) > 0.05)
FREE = sorted(name for name in methods if not methods[name].fixed and not methods[name].ordered)


@pytest.fixture(scope="module")
def some(made):
    """`some(form, count)` adapters, made once."""
    kept: dict[tuple[str, int], object] = {}

    def make(form: str, count: int):
        kind, chosen = FORMS[form]
        for seed in range(count):
            if (form, seed) not in kept:
                kept[form, seed] = made.adapter(kind, seed, **chosen)
        return [kept[form, seed] for seed in range(count)]

    return make


def options(name: str, form: str) -> dict[str, object]:
    """What a method needs to be told."""
    return {"splits": (1,)} if methods[name].ordered else {}


def fits(name: str, form: str) -> bool:
    return not methods[name].compresses or "lora" in form


@settings(max_examples=20)
@given(form=st.sampled_from(ADDITIVE), numbers=st.lists(weights, min_size=1, max_size=4))
def test_adds_the_weighted_sum_of_what_the_parents_add(made, some, apart, form, numbers):
    adapters = some(form, len(numbers))
    merged = merge(adapters, "linear", weights=numbers)
    assert merged.exact
    assert merged.error < 1e-6
    assert apart(made.adds(made.parts(merged, adapters[0].kind)), made.sum(adapters, numbers)) < 1e-5


@settings(max_examples=15)
@given(form=forms, numbers=st.lists(weights, min_size=1, max_size=3))
def test_concatenates_to_the_weighted_sum_of_outputs(made, some, apart, form, numbers):
    adapters = some(form, len(numbers))
    merged = merge(adapters, "concatenate", weights=numbers)
    assert apart(made.adds(made.parts(merged, adapters[0].kind)), made.sum(adapters, numbers)) < 1e-5


def test_concatenates_bottlenecks_of_different_sizes_and_scalings(made, apart):
    adapters = [
        made.adapter("par_bn", 1, reduction_factor=4.0),
        made.adapter("par_bn", 2, reduction_factor=10.0, scaling="learned"),
        made.adapter("par_bn", 3, reduction_factor=3.0, scaling=0.5),
    ]
    merged = merge(adapters, "concatenate", weights=[0.5, -1, 2])
    assert apart(made.adds(made.parts(merged, "par_bn")), made.sum(adapters, [0.5, -1, 2])) < 1e-5
    with pytest.raises(UsageError, match=r"bottlenecks of 3 and 8 and 10 dimensions .*\n.*concatenate"):
        merge(adapters, "average")


def test_adds_up_loras_of_different_ranks_scalings_and_places(made, apart):
    adapters = [
        made.adapter("lora", 1, r=2, alpha=16),
        made.adapter("lora", 2, r=5, alpha=3, attn_matrices=("k",), leave_out=(0,)),
        made.adapter("lora", 3, r=1, alpha=1, selfattn_lora=False, output_lora=True),
    ]
    merged = merge(adapters, "linear", weights=[1, -0.5, 3])
    assert merged.settings["attn_matrices"] == ("q", "k", "v")
    assert (merged.settings["leave_out"], merged.settings["r"]) == ((), 5)  # no projection has more than one
    assert apart(made.adds(made.parts(merged, "lora")), made.sum(adapters, [1, -0.5, 3])) < 1e-5


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", methods)
def test_leaves_one_adapter_with_a_weight_of_one_as_it_is(some, same, form, name):
    method = methods[name]
    if not fits(name, form):
        pytest.skip("no rank to compress to")
    one, density = some(form, 1)[0], {"density": 1.0} if method.prune else {}
    if method.fewest == 1:
        assert same(merge([one], name, weights=[1], **density), one)
        assert merge([one], name, weights=[1], **density).settings == one.settings
    if not method.elect:
        chosen = {} if method.fixed else {"weights": [1, 1] if method.ordered else [0.25, 0.75]}
        assert same(merge([one, one], name, **chosen, **density, **options(name, form)), one)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [name for name in methods if not methods[name].ordered])
def test_does_not_depend_on_the_order_of_the_adapters(some, same, form, name):
    if not fits(name, form):
        pytest.skip("no rank to compress to")
    count = methods[name].most or 3
    adapters, numbers = some(form, count), [0.5, 1.5, 0.25][:count]
    kept = {} if methods[name].fixed else {"weights": numbers}
    first = merge(adapters, name, **kept)
    for order in ([*range(count)][::-1], [*range(1, count), 0]):
        again = {name: [numbers[place] for place in order] for name in kept}
        other = merge([adapters[place] for place in order], name, **again)
        assert same(other, first)
        assert (other.settings, other.error) == (first.settings, first.error)


@settings(max_examples=20)
@given(form=forms, name=st.sampled_from(["linear", "task_arithmetic", "concatenate"]), a=weights, b=weights)
def test_is_linear_in_its_weights(made, some, apart, form, name, a, b):
    """A linear merge of a linear merge is one linear merge."""
    assume(form in ADDITIVE or name == "concatenate")
    first, second, third = some(form, 3)
    kind = first.kind
    inner = merge([first, second], name, weights=[a, b])
    outer = merge([replace(first, settings=inner.settings, tensors=inner.tensors), third], name, weights=[b, a])
    direct = merge([first, second, third], name, weights=[a * b, b * b, a])
    assert apart(made.adds(made.parts(outer, kind)), made.adds(made.parts(direct, kind))) < 1e-5


@settings(max_examples=20)
@given(form=forms, name=st.sampled_from(FREE), scale=st.floats(0.1, 4))
def test_scales_the_merged_change(made, some, form, name, scale):
    assume(fits(name, form) and (form in ADDITIVE or name != "concatenate"))
    adapters = some(form, 2)
    rank = {"rank": 12} if "lora" in form else {}
    plain, scaled = (merge(adapters, name, weights=[1, 2], scale=factor, **rank) for factor in (1, scale))
    read = rule_of(adapters[0])
    for before, after in zip(read(plain), read(scaled), strict=True):
        assert torch.allclose(before * scale, after, rtol=1e-4, atol=1e-5 * float(before.abs().max()))


def rule_of(adapter):
    """`read(merged)`: its change written out, tensor by tensor, in the space where the kind is added up."""
    from adapter_stilts.merging.deltas import rules
    from adapter_stilts.merging.places import by_place

    rule = rules[adapter.kind]

    def read(merged):
        places = by_place(merged.tensors, rule)
        return [tensor for place in places.values() for tensor in rule.dense(rule.read(place, merged.settings))]

    return read


@pytest.mark.parametrize("form", FORMS)
def test_drops_nothing_at_a_density_of_one(some, form):
    adapters = some(form, 3)
    read = rule_of(adapters[0])
    plain = read(merge(adapters, "linear", weights=[1, 2, -1]))
    for name in ("dare", "magnitude"):
        for found, wanted in zip(read(merge(adapters, name, weights=[1, 2, -1], density=1)), plain, strict=True):
            assert torch.equal(found, wanted)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["ties", "dare_ties"])
def test_is_the_mean_where_all_signs_agree(some, form, name):
    """Adapters that are multiples of each other agree everywhere."""
    one = some(form, 1)[0]
    half = merge([one], "linear", weights=[0.5])
    other = replace(one, settings=half.settings, tensors=half.tensors)
    read = rule_of(one)
    rank = {"rank": one.settings["r"]} if "r" in one.settings else {}
    merged = merge([one, other], name, weights=[1, 3], density=1, **rank)
    for found, wanted in zip(read(merged), read(one), strict=True):
        assert torch.allclose(found, (1 + 3 * 0.5) / 4 * wanted, rtol=1e-4, atol=1e-5)


def test_elects_signs_as_computed_by_hand(made):
    """(IA)^3 has one number an output, so TIES can be written down: keep the largest half, elect, average."""
    changes = torch.tensor([[4.0, -3, 1, 0.5], [1.5, 5, -2, 0.1], [-9, 0.2, -1, 0.3]]).repeat(1, 8)
    base = made.adapter("ia3", 0, attn_matrices=("k",), intermediate_lora=False)
    adapters = [replace(base, tensors={name: 1 + change.view(-1, 1) for name in base.tensors}) for change in changes]
    merged = merge(adapters, "ties", density=0.5)
    # kept: [4, -3, 0, 0], [0, 5, -2, 0] and [-9, 0, -1, 0], whose signs sum to [-, +, -, 0]
    wanted = torch.tensor([-9.0, 5, -1.5, 0]).repeat(8)
    for tensor in merged.tensors.values():
        assert torch.equal(tensor.flatten(), 1 + wanted)


def test_drops_at_random_by_seed_and_adapter(some, same):
    adapters = some("ia3", 2)
    first, again, other = (merge(adapters, "dare", density=0.5, seed=seed) for seed in (1, 1, 2))
    assert same(first, again)
    assert not same(first, other)


def test_keeps_the_mean_of_what_it_drops(made):
    base = made.adapter("ia3", 0)
    large = {name: torch.full((20000, 1), 3.0) for name in base.tensors}
    merged = merge([replace(base, tensors=large)], "dare", weights=[1], density=0.3)
    for tensor in merged.tensors.values():
        assert sorted(set(tensor.flatten().tolist())) == [1.0, pytest.approx(1 + 2 / 0.3)]
        assert float(tensor.mean()) == pytest.approx(3, abs=0.1)


def test_goes_along_the_arc_between_two(some):
    adapters = some("ia3", 2)
    read = rule_of(adapters[0])
    middle = read(merge(adapters, "slerp"))
    for found, a, b in zip(middle, read(adapters[0]), read(adapters[1]), strict=True):
        half = torch.arccos((a * b).sum() / a.norm() / b.norm()) / 2
        assert torch.allclose(found, (a + b) * half.sin() / (2 * half).sin(), rtol=1e-4, atol=1e-6)
    for weights, wanted in (([1, 0], adapters[0]), ([0, 3], adapters[1])):
        for found, end in zip(read(merge(adapters, "slerp", weights=weights)), read(wanted), strict=True):
            assert torch.allclose(found, end, atol=1e-6)


def test_stops_short_of_the_mean_of_models_that_disagree(some):
    """Jang et al. (2024), equation 5: w = t mean, t = A cos / (1 + (A - 1) cos)."""
    adapters = some("ia3", 3)
    read = rule_of(adapters[0])
    changes = [torch.stack(tensors) for tensors in zip(*map(read, adapters), strict=True)]
    for found, of_place in zip(read(merge(adapters, "model_stock")), changes, strict=True):
        flat = torch.nn.functional.normalize(of_place.flatten(1), dim=1)
        cosine = max(0.0, float(sum((flat @ flat.T)[a, b] for a, b in ((0, 1), (0, 2), (1, 2)))) / 3)
        assert torch.allclose(found, of_place.mean(0) * 3 * cosine / (1 + 2 * cosine), atol=1e-6)


def test_takes_low_layers_of_one_and_high_layers_of_another(some):
    for form in FORMS:
        low, high = some(form, 2)
        read = rule_of(low)
        merged = merge([low, high], "layers", splits=[1])
        parts = zip(merged.tensors, read(merged), strict=False)
        assert list(parts)
        by_layer = {0: low, 1: high}
        for layer, parent in by_layer.items():
            mine = replace(parent, tensors={name: t for name, t in parent.tensors.items() if f"layer.{layer}." in name})
            found = replace(
                mine,
                settings=merged.settings,
                tensors={name: t for name, t in merged.tensors.items() if f"layer.{layer}." in name},
            )
            for a, b in zip(read(found), read(mine), strict=True):
                assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_compresses_to_the_nearest_matrix_of_a_rank(some, rank):
    """Eckart and Young: what is lost is the rest of the singular values."""
    adapters = some("lora", 3)
    read = rule_of(adapters[0])
    exact, merged = (
        read(merge(adapters, "linear", weights=[1, -1, 2])),
        merge(adapters, "svd", weights=[1, -1, 2], rank=rank),
    )
    lost = sum(float(torch.linalg.svdvals(delta)[rank:].square().sum()) for delta in exact)
    assert merged.error == pytest.approx((lost / sum(float(delta.square().sum()) for delta in exact)) ** 0.5, rel=1e-3)
    assert (merged.rank, merged.exact) == (rank, False)
    assert all(tensor.shape[0 if "lora_A" in name else 1] == rank for name, tensor in merged.tensors.items())


def test_writes_what_entries_were_chosen_in_the_rank_of_all(some):
    merged = merge(some("lora", 2), "ties")
    assert (merged.rank, merged.exact) == (6, False)
    assert 0 < merged.error < 1


@settings(max_examples=10)
@given(form=st.sampled_from(["seq_bn", "double_seq_bn", "par_bn"]), a=weights, b=weights)
def test_is_relative_to_where_training_began(made, some, form, a, b):
    """Task arithmetic on parameters: start + sum of weight times what training changed."""
    kind, chosen = FORMS[form]
    chosen = {**chosen, "scaling": 1.0}
    begun, first, second = (made.adapter(kind, seed, **chosen) for seed in (50, 51, 52))
    read = rule_of(first)
    merged = merge([first, second], "task_arithmetic", weights=[a, b], start=begun.tensors)
    for found, s, x, y in zip(read(merged), read(begun), read(first), read(second), strict=True):
        assert torch.allclose(found, s + a * (x - s) + b * (y - s), atol=1e-4)


def test_merges_whole_trunks_by_what_they_learned(made, same):
    begun = made.adapter("full", 1)
    first, second = (
        replace(begun, name=name, tensors={key: t + step * torch.ones_like(t) for key, t in begun.tensors.items()})
        for name, step in (("a", 0.5), ("b", 0.25))
    )
    merged = merge([first, second], "task_arithmetic", weights=[1, -1], start=begun.tensors)
    assert all(torch.allclose(merged.tensors[name], begun.tensors[name] + 0.25) for name in begun.tensors)
    assert same(merge([first], start=begun.tensors), first)
    with pytest.raises(UsageError, match="whole trunks are merged by what they learned"):
        merge([first, second])


@pytest.mark.parametrize("kind", ["prefix_tuning", "seq_bn_inv", "compacter", "mam"])
def test_refuses_kinds_that_have_no_sum_but_not_one_of_them(made, same, kind):
    small = {"bottleneck_size": 8, "reduction_factor": 4, "r": 2}
    chosen = {name: value for name, value in small.items() if name in kinds[kind].settings}
    one, other = (made.adapter(kind, seed, **chosen) for seed in (1, 2))
    assert same(merge([one]), one)
    with pytest.raises(UsageError, match=f"adapters of kind {kind} cannot be merged: .*\n.*kinds that can: "):
        merge([one, other])


@pytest.mark.parametrize("kind", ["vera", "dora"])
def test_adds_up_as_lora_what_kinds_without_a_sum_add(made, same, apart, kind):
    """Each adds a matrix to a projection, so the sum is the one of those matrices; alone it stays what it is."""
    sizes = [{"r": 3}, {"r": 2, "attn_matrices": ("k", "v"), "leave_out": (0,)}]
    one, other = (made.adapter(kind, seed, **chosen) for seed, chosen in enumerate(sizes, 1))
    third = made.adapter("lora", 3, r=4, alpha=2)
    merged = merge([one, other, third], "linear", weights=[1, -0.5, 2], trunk=lambda: made.model)
    assert merged.kind == "lora"
    assert merged.exact
    assert merged.settings["attn_matrices"] == ("q", "k", "v")
    most = min(map(min, (made.sizes[site] for site in ("query", "key", "value"))))
    assert merged.settings["r"] <= most  # no matrix of its shape has a higher rank
    assert apart(made.adds(made.parts(merged, "lora")), made.sum([one, other, third], [1, -0.5, 2])) < 1e-5
    nearest = merge([one, other, third], "linear", weights=[1, -0.5, 2], rank=1, trunk=lambda: made.model)
    assert (nearest.settings["r"], nearest.exact) == (1, False)
    assert same(merge([one]), one)
    assert merge([one]).kind == kind
    with pytest.raises(UsageError, match=f"what {kind} changes is read with the trunk"):
        merge([one, other])
    lying = replace(other, settings={**other.settings, "r": 1000})
    with pytest.raises(ArtefactError, match=r"the adapter of run-2"):
        merge([one, lying], trunk=lambda: made.model)


def test_adds_up_scales_of_inputs_and_outputs(made, apart):
    adapters = [made.adapter("ia3_ff", seed) for seed in (1, 2)]
    merged = merge(adapters, "linear", weights=[1, -0.5])
    assert apart(made.adds(made.parts(merged, "ia3_ff")), made.sum(adapters, [1, -0.5])) < 1e-5


def test_refuses_what_does_not_go_together(made, some):
    lora, ia3, bottleneck = some("lora", 2), some("ia3", 2), some("seq_bn", 2)
    swish = made.adapter("seq_bn", 9, reduction_factor=8, ln_before=True, scaling="channel", non_linearity="swish")
    wrong = {
        "adapters of different kinds have no sum: lora, ia3": lambda: merge([lora[0], ia3[0]]),
        "differ in non_linearity: (relu, swish|swish, relu)": lambda: merge([bottleneck[0], swish]),
        "weights -?1, -?1 sum to 0": lambda: merge(lora, weights=[1, -1]),
        "every weight is 0": lambda: merge(lora, "linear", weights=[0, 0]),
        "3 weights for 2 adapters": lambda: merge(lora, weights=[1, 1, 1]),
        "a weight that is no number": lambda: merge(lora, weights=[1, float("nan")]),
        "average drops no entries": lambda: merge(lora, density=0.5),
        "a density of 1.5": lambda: merge(lora, "ties", density=1.5),
        "a density of 0": lambda: merge(lora, "ties", density=0.0),
        "kind ia3 has no rank": lambda: merge(ia3, rank=2),
        "kind seq_bn has no rank": lambda: merge(bottleneck, "svd"),
        "slerp needs 2 adapters, got 1": lambda: merge(lora[:1], "slerp"),
        "slerp merges 2, got 3": lambda: merge(some("lora", 3), "slerp"),
        "a weight is negative": lambda: merge(lora, "slerp", weights=[1, -0.5]),
        "model_stock finds its own weights": lambda: merge(lora, "model_stock", weights=[1, 1]),
        "2 adapters change at 1 layers, and 0 are given": lambda: merge(lora, "layers"),
        "linear does not share out layers": lambda: merge(lora, "linear", splits=[1]),
    }
    for what, call in wrong.items():
        with pytest.raises(UsageError, match=what):
            call()
    with pytest.raises(UnknownName, match="no merging method called 'tie'"):
        merge(lora, "tie")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_refuses_tensors_that_are_not_numbers(some, value):
    first, second = some("lora", 2)
    name = next(iter(second.tensors))
    bad = {**second.tensors, name: torch.full_like(second.tensors[name], value)}
    with pytest.raises(ArtefactError, match=f"'{name}' of run-1 holds values that are not finite"):
        merge([first, replace(second, tensors=bad)])
