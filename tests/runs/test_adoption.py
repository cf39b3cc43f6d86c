"""Adapters that are taken over keep their weights, and get a name that nobody else has."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.encoder.composition import names, parse
from adapter_stilts.runs.adoption import digest, free_name, renamed
from adapter_stilts.sharing.bundle import Part


def test_finds_the_first_free_number():
    assert [free_name("nli", taken) for taken in ({}, {"nli": 1}, {"nli", "nli-2"}, {"nli", "nli-3"})] == ["nli", "nli-2", "nli-3", "nli-2"]


@given(st.sampled_from(["a", "stack(a, b, c)", "fuse(stack(a, b), c)", "stack(average(a, b, weights=0.25/0.75), fuse(b, c))"]))
def test_renames_every_place_and_back(text):
    there, back = {"a": "x", "b": "y"}, {"x": "a", "y": "b"}
    other = renamed(parse(text), there)
    assert not {"a", "b"} & set(names(other))
    assert str(renamed(other, back)) == str(parse(text))


def test_tells_weights_apart_by_name_shape_and_value():
    flat, square = torch.arange(4.0), torch.arange(4.0).view(2, 2)
    found = [digest(Part("adapter", "a", {}, tensors)) for tensors in ({"w": flat}, {"v": flat}, {"w": square}, {"w": flat + 1e-6}, {"w": flat.clone()})]
    assert len(set(found)) == 4
    assert found[0] == found[-1]
