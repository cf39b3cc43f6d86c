"""Compositions as text and as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.encoder.composition import (
    Average,
    Composition,
    Fuse,
    Name,
    Stack,
    fusion_name,
    fusions,
    names,
    normal,
    parse,
    validate,
)
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.errors import CompositionError, UnknownName

A, B, C, D = (Name(letter) for letter in "abcd")
KINDS = dict.fromkeys("abcd", kinds["seq_bn"]) | {
    "low": kinds["lora"],
    "scale": kinds["ia3"],
    "dora": kinds["dora"],
    "pre": kinds["prefix_tuning"],
    "mam": kinds["mam"],
    "lang": kinds["seq_bn_inv"],
    "two": kinds["double_seq_bn"],
    "full": kinds["full"],
    "full2": kinds["full"],
}


def compositions() -> st.SearchStrategy[Composition]:
    leaves = st.sampled_from(["a", "b", "mnli-1f2e", "squad_v2", "de", "stack", "x.y/z", "weights"]).map(Name)

    def blocks(inner: st.SearchStrategy[Composition]) -> st.SearchStrategy[Composition]:
        parts = st.lists(inner, min_size=1, max_size=3).map(tuple)
        weights = (
            st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4).map(tuple) | st.none()
        )
        return st.builds(Stack, parts) | st.builds(Fuse, parts) | st.builds(Average, parts, weights)

    return st.recursive(leaves, blocks, max_leaves=8)


@given(compositions())
def test_text_round_trips(composition: Composition) -> None:
    assert parse(str(composition)) == composition


def test_reads_the_example_of_the_design() -> None:
    assert parse("stack(de, fuse(mnli, squad), xnli)") == Stack(
        (Name("de"), Fuse((Name("mnli"), Name("squad"))), Name("xnli"))
    )
    assert parse(" average( a ,b, weights = 0.25/0.75 ) ") == Average((A, B), (0.25, 0.75))
    assert str(Average((A, B), (0.25, 0.75))) == "average(a, b, weights=0.25/0.75)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected an adapter's name, at character 1"),
        ("stack(a", "expected ',' or '\\)', at character 8"),
        ("stack(a,)", "expected an adapter's name, at character 9"),
        ("fuze(a, b)", "'fuze' is not one of: stack, fuse, average"),
        ("stack(a, parallel(b, c))", "'parallel' is not one of: stack, fuse, average, at character 19"),
        ("a b", "nothing may follow the composition, at character 3"),
        ("stack(a b)", "expected ',' or '\\)', at character 9"),
        ("average(a, b, weights=x/1)", "weights are numbers"),
        ("average(a, weights=1, b)", "weights come last"),
        ("stack(a, weights=1)", "expected ',' or '\\)'"),
        ("a)", "nothing may follow"),
        ("stack(" * 2000 + "a" + ")" * 2000, "more than 50 blocks within each other, at character 307"),
    ],
)
def test_points_at_the_mistake_in_a_text(text: str, message: str) -> None:
    with pytest.raises(CompositionError, match=message):
        parse(text)


def test_lists_names_and_fusions_once_in_order() -> None:
    composition = parse("stack(l, fuse(stack(l2, b), a), average(a2, fuse(b2, c2)))")
    assert names(composition) == ("l", "l2", "b", "a", "a2", "b2", "c2")
    assert [fusion_name(fuse) for fuse in fusions(composition)] == ["fuse(stack(l2, b), a)", "fuse(b2, c2)"]
    assert names(parse("average(stack(l, a), stack(l, b))")) == ("l", "a", "b")


def test_flattens_stacks_and_names_a_fusion_by_its_meaning() -> None:
    assert normal(parse("stack(stack(a, stack(b)), c)")) == Stack((A, B, C))
    assert normal(parse("stack(stack(a))")) == A
    assert fusion_name(Fuse((Stack((A,)), Stack((Stack((B, C)),))))) == "fuse(a, stack(b, c))"


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "stack(a, b, c)",
        "stack(lang, fuse(a, b), c)",
        "stack(lang, low, pre, mam, two)",
        "fuse(stack(a, c), stack(b, c))",
        "fuse(average(a, b), c)",
        "fuse(fuse(a, b), c)",
        "average(fuse(a, b), c)",
        "average(low, scale)",
        "average(a, a)",
        "average(a, b, weights=1.5/-0.5)",
        "stack(full, a)",
        "full",
    ],
)
def test_accepts_what_has_a_meaning(text: str) -> None:
    assert validate(parse(text), KINDS) == normal(parse(text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fuse(a)", r"single part, so there is nothing to fuse"),
        ("average(stack(a))", r"single part, so there is nothing to average"),
        ("stack(a, b, a)", r"'a' is applied twice in stack"),
        ("stack(a, fuse(stack(a, b), c))", r"'a' is applied twice"),
        ("fuse(a, a)", r"names the same part twice"),
        ("fuse(a, low)", r"'low' is of kind lora, which cannot fuse .* fusion weighs what bottlenecks add"),
        ("fuse(stack(pre, a), b)", r"kind prefix_tuning, which cannot fuse"),
        ("fuse(lang, a)", r"invertible part sits below all layers"),
        ("average(pre, pre)", r"two prefixes have no mean"),
        ("average(mam, a)", r"two prefixes have no mean"),
        ("average(lang, a)", r"cannot be inverted"),
        ("fuse(a, two)", r"different places of a layer"),
        ("stack(a, full)", r"can only lie at the bottom"),
        ("stack(full, full2)", r"can only lie at the bottom"),
        ("stack(full, dora)", r"'dora' is of kind dora, which reads the weights of the frozen trunk"),
        ("average(a, b, weights=0.5/0.4)", r"sum to 0.9, not to 1"),
        ("average(a, b, weights=1/-1)", r"sum to 0, not to 1"),
        ("average(a, b, weights=1)", r"2 parts and 1 weights"),
        ("average(a, b, weights=nan/1)", r"not to 1"),
    ],
)
def test_refuses_with_a_sentence(text: str, message: str) -> None:
    with pytest.raises(CompositionError, match=message) as caught:
        validate(parse(text), KINDS)
    assert caught.value.do
    assert caught.value.exit_code == 2


def test_refuses_an_empty_block() -> None:
    with pytest.raises(CompositionError, match="has no parts"):
        validate(Stack(()), KINDS)


def test_suggests_the_nearest_adapter() -> None:
    with pytest.raises(UnknownName, match="did you mean 'scale'"):
        validate(parse("stack(a, scales)"), KINDS)
