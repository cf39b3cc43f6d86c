"""A fingerprint is a short hash of a value's canonical text."""

from __future__ import annotations

import hashlib

import pytest

from adapter_stilts.config.fingerprint import fingerprint
from adapter_stilts.config.schema import RunConfig


def test_is_the_start_of_a_sha256_of_canonical_json():
    assert fingerprint({"b": 1, "a": [0.1, None]}) == hashlib.sha256(b'[{"a":[0.1,null],"b":1}]').hexdigest()[:8]


def test_does_not_depend_on_the_order_of_keys():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_takes_a_section_of_a_configuration_as_its_values():
    section = RunConfig().training
    assert fingerprint({"x": section}) == fingerprint({"x": section.model_dump(mode="json")})


@pytest.mark.parametrize(("value", "error"), [(float("nan"), ValueError), ({1, 2}, TypeError), (object(), TypeError)])
def test_refuses_what_has_no_canonical_text(value, error):
    with pytest.raises(error):
        fingerprint(value)
