"""A few hundred mutated bundles; `benchmarks/mutated_bundles.py` tries ten thousand."""

from __future__ import annotations

import runpy
import socket
from collections import Counter
from pathlib import Path

import pytest

MUTATIONS = runpy.run_path(str(Path(__file__).with_name("mutations.py")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("block", range(4))
def test_refuses_a_mutated_bundle_or_reads_exactly_what_it_says(tmp_path, monkeypatch, block):
    pristine = MUTATIONS["whole"](tmp_path / "pristine")
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("it reached for the network"))
    came: Counter[str] = Counter()
    for seed in range(100 * block, 100 * (block + 1)):
        done, how = MUTATIONS["trial"](seed, pristine, tmp_path / "trial")
        came[how] += 1
        assert not (tmp_path / "trial").exists(), done
    assert came["refused"] > 60
    assert came["read"] > 0
