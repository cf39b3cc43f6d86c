"""What a run builds on: compositions, names that do not clash, and refusals that say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapter_stilts.encoder.composition import fusion_name, fusions, names, parse
from adapter_stilts.errors import ArtefactError, UnknownName, UsageError
from adapter_stilts.runs.lineage import HOWS, Lineage, digest, free_name, lineage, renamed
from adapter_stilts.sharing.bundle import Bundle, Part
from adapter_stilts.sharing.manifest import Manifest, TrunkFacts

COUNT = iter(range(10**9))


def finished(
    line: Lineage, kind: str = "seq_bn", trunk: str = "aa", settings: dict[str, object] | None = None
) -> Bundle:
    """The bundle that a run of this lineage would leave: what it was given, and fresh weights for what it trained."""
    number = next(COUNT)
    fresh = {"w": torch.full((2, 3), float(number))}
    parts = []
    for name in names(line.composition):
        own = {
            "kind": line.start.facts["kind"] if line.start else kind,
            "settings": settings or {"reduction_factor": 16.0},
            "trained": True,
        }
        parts.append(Part("adapter", name, own, fresh) if name == line.new else line.frozen[name])
    new = Part("fusion", line.new_fusion, {"trained": True}, {"f": fresh["w"] + 0.5})
    fused = [
        new if name == line.new_fusion else line.fusions[name] for name in map(fusion_name, fusions(line.composition))
    ]
    return Bundle(
        Path(f"runs/{number}"), described(str(line.composition), trunk), (*parts, *fused, Part("head", "head", {}, {}))
    )


def described(composition: str, trunk: str) -> Manifest:
    facts = TrunkFacts(name=f"trunk-{trunk}", revision=None, fingerprint=trunk, layers=2, hidden=8, precision="fp32")
    words = {"format": "pair"} | dict.fromkeys(
        ("name", "identity", "task", "language", "how", "control", "device", "licence"), ""
    )
    empty = {
        "parents": (),
        "data": (),
        "substitutions": (),
        "parts": (),
        "training": {},
        "files": {},
        "seeds": {},
        "versions": {},
    }
    return Manifest(composition=composition, trunk=facts, seconds=0, peak_memory=0, **words, **empty)


def direct(name: str, kind: str = "seq_bn", **more: object) -> Bundle:
    return finished(lineage("direct", [], name, kind), kind, **more)


@pytest.fixture
def nli():
    return direct("nli")


@pytest.fixture
def qa():
    return direct("qa")


def test_makes_a_fresh_adapter_of_its_own():
    line = lineage("direct", [], "xnli", "seq_bn")
    assert (str(line.composition), line.trained, line.start, dict(line.frozen)) == ("xnli", ("xnli",), None, {})


def test_continues_one_adapter(nli):
    line = lineage("sequential", [nli], "xnli", "seq_bn")
    assert (str(line.composition), line.trained, dict(line.frozen)) == ("xnli", ("xnli",), {})
    assert line.start is not None
    assert digest(line.start) == digest(nli.parts[0])


def test_continues_an_adapter_under_its_own_name(nli):
    assert str(lineage("sequential", [nli], "nli", "seq_bn").composition) == "nli"


def test_keeps_what_lies_below_when_it_continues(nli, qa):
    upper = finished(lineage("stack", [nli], "qa", "seq_bn"))
    line = lineage("sequential", [upper], "xnli", "seq_bn")
    assert (str(line.composition), sorted(line.frozen), line.new) == ("stack(nli, xnli)", ["nli"], "xnli")
    fused = finished(lineage("fuse", [nli, qa], "pos", "seq_bn", target_adapter=True))
    line = lineage("sequential", [fused], "nli", "seq_bn")
    assert (str(line.composition), sorted(line.frozen), sorted(line.fusions)) == (
        "stack(fuse(nli, qa), nli-2)",
        ["nli", "qa"],
        ["fuse(nli, qa)"],
    )


def test_stacks_on_one_run_and_on_a_stack(nli):
    one = lineage("stack", [nli], "xnli", "seq_bn")
    assert (str(one.composition), sorted(one.frozen), one.trained) == ("stack(nli, xnli)", ["nli"], ("xnli",))
    assert str(lineage("stack", [finished(one)], "pos", "seq_bn").composition) == "stack(nli, xnli, pos)"


def test_tells_two_adapters_of_one_name_apart(nli):
    assert str(lineage("stack", [nli], "nli", "seq_bn").composition) == "stack(nli, nli-2)"
    other = direct("nli")
    assert (
        str(lineage("fuse", [nli, other], "nli", "seq_bn", target_adapter=True).composition)
        == "stack(fuse(nli, nli-2), nli-3)"
    )


def test_tells_apart_adapters_whose_weights_are_equal_and_whose_settings_are_not(nli):
    (part, head) = nli.parts
    other = Bundle(
        Path("runs/other"),
        nli.manifest,
        (Part("adapter", "nli", {**part.facts, "settings": {"reduction_factor": 8.0}}, part.tensors), head),
    )
    assert str(lineage("fuse", [nli, other], "x", "seq_bn").composition) == "fuse(nli, nli-2)"


def test_fuses_runs_with_and_without_an_adapter_of_the_target(nli, qa):
    plain = lineage("fuse", [nli, qa], "xnli", "seq_bn")
    assert (str(plain.composition), plain.trained, plain.new) == ("fuse(nli, qa)", ("fuse(nli, qa)",), "")
    both = lineage("fuse", [nli, qa], "xnli", "seq_bn", target_adapter=True)
    assert (str(both.composition), both.trained) == ("stack(fuse(nli, qa), xnli)", ("fuse(nli, qa)", "xnli"))


def test_takes_an_adapter_reached_twice_once(nli):
    left, right = (finished(lineage("stack", [nli], name, "seq_bn")) for name in ("a", "b"))
    line = lineage("fuse", [left, right], "xnli", "seq_bn")
    assert (str(line.composition), sorted(line.frozen)) == ("fuse(stack(nli, a), stack(nli, b))", ["a", "b", "nli"])


def test_keeps_two_fusions_of_the_same_adapters_apart(nli, qa):
    left, right = (finished(lineage("fuse", [nli, qa], name, "seq_bn", target_adapter=True)) for name in ("a", "b"))
    line = lineage("fuse", [left, right], "x", "seq_bn")
    assert str(line.composition) == "fuse(stack(fuse(nli, qa), a), stack(fuse(nli-2, qa-2), b))"
    kept = [digest(line.fusions[name]) for name in ("fuse(nli, qa)", "fuse(nli-2, qa-2)")]
    assert kept == [digest(bundle.of("fusion")[0]) for bundle in (left, right)]


def test_lets_a_text_arrange_the_parents(nli, qa):
    de = direct("de")
    line = lineage("stack", [de, nli, qa], "xnli", "seq_bn", composition="stack(de, fuse(nli, qa), xnli)")
    assert (str(line.composition), line.trained) == ("stack(de, fuse(nli, qa), xnli)", ("fuse(nli, qa)", "xnli"))
    fixed = lineage(
        "stack", [nli, qa], "xnli", "seq_bn", composition="stack(average(nli, qa, weights=0.25/0.75), xnli)"
    )
    assert (fixed.trained, sorted(fixed.frozen)) == (("xnli",), ["nli", "qa"])
    assert sorted(lineage("stack", [nli, qa], "xnli", "seq_bn", composition="stack(qa, xnli)").frozen) == ["qa"]


@pytest.mark.parametrize(
    ("how", "parents", "more", "message"),
    [
        ("direct", ["nli"], {}, "direct starts from nothing"),
        ("sequential", [], {}, "exactly one --after RUN, got 0"),
        ("stack", ["nli", "qa"], {}, "exactly one --after RUN, got 2"),
        ("fuse", ["nli"], {}, "two or more --after RUN, got 1"),
        ("stak", ["nli"], {}, "no way to build on earlier runs .* called 'stak'(.|\n)*did you mean 'stack'"),
        ("fuse", ["lora", "lora"], {}, "is of kind lora, which cannot fuse"),
        ("fuse", ["nli", "double_seq_bn"], {}, "sit at different places"),
        ("fuse", ["full", "nli"], {}, "kind full, which cannot fuse"),
        ("direct", [], {"composition": "stack(a, b)"}, "a composition arranges what earlier runs learned"),
        ("stack", ["nli"], {"composition": "stack(nli, "}, "expected an adapter's name"),
        ("stack", ["nli"], {"composition": "stack(qa, xnli)"}, "no adapter of these runs(.|\n)*one of: nli, xnli"),
        ("stack", ["nli", "qa"], {"composition": "stack(nli, qa)"}, "nothing in it would be trained"),
        (
            "fuse",
            ["nli", "qa", "pos"],
            {"composition": "fuse(fuse(nli, qa), pos)"},
            "2 fusions would be trained at once",
        ),
        ("stack", ["nli"], {"composition": "stack(nli, nli, xnli)"}, "'nli' is applied twice"),
    ],
)
def test_refuses_what_has_no_meaning_and_says_what_to_do(how, parents, more, message):
    bundles = [direct(name, name if name in ("lora", "double_seq_bn", "full") else "seq_bn") for name in parents]
    with pytest.raises(UsageError, match=message) as caught:
        lineage(how, bundles, "xnli", "seq_bn", **more)
    assert caught.value.do


def test_refuses_to_fuse_a_run_with_itself(nli):
    with pytest.raises(UsageError, match="fused with itself: .* hold the same weights"):
        lineage("fuse", [nli, nli], "xnli", "seq_bn")


def test_refuses_runs_of_different_trunks_and_names_both(nli):
    with pytest.raises(UsageError, match=r"2 different trunks(.|\n)*trunk-aa \(aa\); .*trunk-bb \(bb\)"):
        lineage("fuse", [nli, direct("qa", trunk="bb")], "xnli", "seq_bn")


def test_refuses_to_continue_where_nothing_was_trained(nli, qa):
    fused = finished(lineage("fuse", [nli, qa], "xnli", "seq_bn"))
    with pytest.raises(UsageError, match=r"fuse\(nli, qa\)' trained none"):
        lineage("sequential", [fused], "xnli", "seq_bn")


def test_refuses_a_bundle_whose_parts_are_not_those_of_its_composition(nli):
    broken = Bundle(nli.folder, described("stack(nli, qa)", "aa"), nli.parts)
    with pytest.raises(ArtefactError, match="disagree about qa"):
        lineage("stack", [broken], "xnli", "seq_bn")


def test_refuses_a_kind_that_does_not_exist():
    with pytest.raises(UnknownName, match="did you mean 'seq_bn'"):
        lineage("direct", [], "xnli", "seq_bm")


STEP = st.tuples(
    st.sampled_from([how for how in HOWS if how != "merge"]),  # whose start is none of its parents' adapters
    st.lists(st.integers(0, 30), max_size=3),
    st.sampled_from(["nli", "qa"]),
    st.booleans(),
)


@settings(max_examples=60)
@given(st.lists(STEP, min_size=1, max_size=7))
def test_gives_every_part_a_place_of_its_own_however_runs_build_on_runs(steps):
    runs: list[Bundle] = []
    for how, chosen, name, target_adapter in steps:
        parents = [runs[number % len(runs)] for number in chosen] if runs else []
        try:
            line = lineage(how, parents, name, "seq_bn", target_adapter=target_adapter)
        except UsageError:
            continue
        check(line, parents)
        runs.append(finished(line))
    assume(runs)


def check(line: Lineage, parents: list[Bundle]) -> None:
    here = set(names(line.composition))
    assert parse(str(line.composition)) == line.composition
    assert here == {*line.frozen, line.new} - {""}
    assert {fusion_name(fuse) for fuse in fusions(line.composition)} == {*line.fusions, line.new_fusion} - {""}
    assert line.trained
    assert line.new not in line.frozen
    theirs = {digest(part) for parent in parents for part in parent.of("adapter")}
    kept = [digest(part) for part in line.frozen.values()] + ([digest(line.start)] if line.start else [])
    assert set(kept) == theirs
    assert {digest(part) for part in line.fusions.values()} == {
        digest(part) for parent in parents for part in parent.of("fusion")
    }
    assert not any(part.facts["trained"] for part in (*line.frozen.values(), *line.fusions.values()))
    assert all(part.name == name for name, part in line.frozen.items())


def test_finds_the_first_free_number():
    assert [free_name("nli", taken) for taken in ({}, {"nli": 1}, {"nli", "nli-2"}, {"nli", "nli-3"})] == [
        "nli",
        "nli-2",
        "nli-3",
        "nli-2",
    ]


@given(
    st.sampled_from(
        ["a", "stack(a, b, c)", "fuse(stack(a, b), c)", "stack(average(a, b, weights=0.25/0.75), fuse(b, c))"]
    )
)
def test_renames_every_place_and_back(text):
    there, back = {"a": "x", "b": "y"}, {"x": "a", "y": "b"}
    other = renamed(parse(text), there)
    assert not {"a", "b"} & set(names(other))
    assert str(renamed(other, back)) == str(parse(text))


def test_tells_weights_apart_by_name_shape_and_value():
    flat, square = torch.arange(4.0), torch.arange(4.0).view(2, 2)
    found = [
        digest(Part("adapter", "a", {}, tensors))
        for tensors in ({"w": flat}, {"v": flat}, {"w": square}, {"w": flat + 1e-6}, {"w": flat.clone()})
    ]
    assert len(set(found)) == 4
    assert found[0] == found[-1]
