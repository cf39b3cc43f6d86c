"""A sealed document notices every changed byte, those that leave its meaning alone as well."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_stilts.errors import ArtefactError
from adapter_stilts.sharing.sealed import read_sealed, write_sealed

FIELDS = {"name": "Ä ✓", "score": 0.1, "rows": [{"n": 3, "interval": None}], "empty": {}}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    st.lists,
    max_leaves=8,
)


@settings(max_examples=25)
@given(st.dictionaries(TEXT.filter(lambda name: name != "checksum"), VALUES, max_size=5))
def test_gives_back_what_was_written(tmp_path_factory, fields):
    path = tmp_path_factory.mktemp("sealed") / "document.json"
    found = write_sealed(path, fields)
    assert read_sealed(path, "it", do="") == {**fields, "checksum": found}


def test_is_plain_json_with_a_hash_of_the_rest(tmp_path):
    write_sealed(tmp_path / "a.json", FIELDS)
    write_sealed(tmp_path / "b.json", {**FIELDS, "checksum": "stale"})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert len(json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["checksum"]) == 64


def test_notices_every_single_changed_byte(tmp_path):
    path = tmp_path / "document.json"
    write_sealed(path, FIELDS)
    whole = path.read_bytes()
    for place in range(len(whole)):
        for mask in (3, 128):  # 3 makes a tab of a line break
            path.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
            with pytest.raises(
                ArtefactError,
                match=r"the thing (is damaged|does not match its checksum)(.|\n)*where:(.|\n)*do: +mend it",
            ):
                read_sealed(path, "the thing", do="mend it")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"a": 1}',
        '{"a": NaN, "checksum": "0"}',
        '{"a": "\\ud800", "checksum": "0"}',
        "[" * 100000,
    ],
)
def test_refuses_what_is_no_sealed_document(tmp_path, text):
    path = tmp_path / "document.json"
    path.write_text(text)
    with pytest.raises(ArtefactError):
        read_sealed(path, "it", do="")


def test_refuses_a_number_that_json_does_not_have(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_sealed(tmp_path / "document.json", {"score": float("nan")})
    assert not list(tmp_path.iterdir())


def test_keeps_a_path_that_is_no_utf8(tmp_path):
    write_sealed(tmp_path / "results.json", {"run": "d\udcc3\udcbc"})
    assert read_sealed(tmp_path / "results.json", "results", do="")["run"] == "d\udcc3\udcbc"


def test_does_not_advise_to_remove_what_cannot_be_read(tmp_path):
    """A folder stands for a file that may not be read: root may read every file."""
    with pytest.raises(
        ArtefactError, match=r"cannot read: Is a directory(.|\n)*do: +check the file and its permissions"
    ):
        read_sealed(tmp_path, "it", do="remove it")
