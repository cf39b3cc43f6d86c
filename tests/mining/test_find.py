"""A sentence finds itself and its like in a file, and in vectors that the same encoder made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adapter_stilts.errors import UsageError
from adapter_stilts.mining.encode import Encoding, encode
from adapter_stilts.mining.find import Finder
from adapter_stilts.reporting import Silent
from adapter_stilts.retrieval.reading import Overrides

LINES = ["The train is late.", "", "A cat sleeps.", "The train is late.", "Two cats sleep on the mat."]


@pytest.fixture
def asked(tmp_path, tiny_folder):
    path = tmp_path / "news.en"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return Encoding(path, trunk=str(tiny_folder), precision="fp32")


def find(asked, tmp_path, *sentences, k=3):
    with Finder.open(asked, runs=tmp_path / "runs", report=Silent()) as finder:
        return finder.nearest(sentences, k)


def test_finds_a_sentence_first_with_its_line_and_each_text_once(asked, tmp_path):
    first, second = find(asked, tmp_path, "A cat sleeps.", "The train is late.", k=9)
    assert (first[0].text, first[0].line) == ("A cat sleeps.", 3)
    assert first[0].similarity == pytest.approx(1, abs=1e-5)
    assert [found.similarity for found in first] == sorted((found.similarity for found in first), reverse=True)
    assert (second[0].text, second[0].line) == ("The train is late.", 1)
    assert {found.line for found in second} == {1, 3, 5}  # neither the blank line nor the repeated one


def test_searches_vectors_of_the_same_encoder_and_refuses_others(asked, tmp_path):
    request = Encoding(asked.file, trunk=asked.trunk, precision="fp32")
    made = encode(request, out=tmp_path / "v", runs=tmp_path, overwrite=False, dry_run=False, report=Silent())
    ((found, *_),) = find(replace(asked, file=tmp_path / "v"), tmp_path, "A cat sleeps.")
    assert (found.line, found.text) == (3, "")
    other = 0 if made["layer"] else 1
    with pytest.raises(UsageError, match="the vectors were made otherwise: layer"):
        find(replace(asked, file=tmp_path / "v", wanted=Overrides((other,))), tmp_path, "A cat")
    np.save(tmp_path / "wide.npy", np.ones((4, 7), dtype=np.float32))
    with pytest.raises(UsageError, match="vectors of 7 dimensions"):
        find(replace(asked, file=tmp_path / "wide.npy"), tmp_path, "A cat")
