"""A few cases of every kind of `benchmarks/hostile_input.py`: a defined exit, no traceback, nothing that a terminal
obeys, within bounds of time."""

import random
import runpy
from itertools import islice
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
KINDS = ("vectors", "arrays", "trunks", "configurations", "studies", "tasks", "rows", "choices", "runs", "copies")
CASES, SKIPPED = 3, 7  # of each kind: the first ones, and each of the others after so many


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The benchmark's names, and what its cases start from."""
    base = tmp_path_factory.mktemp("hostile") / "base"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        names = runpy.run_path(str(BENCHMARKS / "hostile_input.py"))
        names["stage"](base)
        yield names, base


@pytest.mark.parametrize("kind", KINDS)
def test_ends_as_promised(hostile, tmp_path, kind):
    names, base = hostile
    cases = names["KINDS"][kind](random.Random(13))
    for number, case in enumerate(islice(cases, 0, CASES * SKIPPED, SKIPPED)):
        made = names["outcome"](case, base, tmp_path / f"case-{number}", seconds=120)
        assert not made.problem, f"{case.name}: {made.problem}\n{made.stderr.decode(errors='replace')[-2000:]}"


def test_knows_every_kind(hostile):
    assert tuple(hostile[0]["KINDS"]) == KINDS
