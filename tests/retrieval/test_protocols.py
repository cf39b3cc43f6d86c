"""The values are the protocol sheet's, read off the public scripts."""

import pytest

from adapter_stilts.errors import UnknownName, UsageError
from adapter_stilts.retrieval.protocols import PROTOCOLS, protocol

LAYERS = [
    ("xtreme", "tatoeba", 14, 7, 4),
    ("xtreme", "bucc2018", 20, 10, 5),
    ("jiant", "tatoeba", 14, 7, 4),
    ("jiant", "bucc2018", 14, 7, 4),
    ("own", "bucc2018", 14, 7, 4),
]


@pytest.mark.parametrize(("name", "task", "large", "base", "six"), LAYERS)
def test_reads_the_published_layer_and_its_relative_depth_elsewhere(name, task, large, base, six):
    layer = protocol(name, task).layer
    assert [layer.at_depth(layers) for layers in (24, 12, 6)] == [large, base, six]


def test_differs_where_the_scripts_differ():
    xtreme, jiant, own = (protocol(name, "bucc2018") for name in ("xtreme", "jiant", "own"))
    assert (xtreme.duplicates, jiant.duplicates, own.duplicates) == ("drop", "expand", "expand")
    assert (xtreme.threshold, jiant.threshold, own.threshold) == ("any", "any", "between")


def test_keeps_what_they_all_share():
    shared = {
        (one.pool, one.k, one.margin, one.retrieval, one.minimum, one.centring, one.max_length, one.direction)
        for one in PROTOCOLS
    }
    assert shared == {("mean", 4, "ratio", "max", 0.0, False, 512, "en->xx")}


def test_says_what_a_score_depends_on():
    assert protocol("own", "tatoeba").settings(12) == {
        "layer": 7,
        "layers": 12,
        "pool": "mean",
        "centring": False,
        "k": 4,
        "margin": "ratio",
        "max_length": 512,
        "direction": "en->xx",
        "answers": "by text",
    }
    assert protocol("xtreme", "bucc").settings(24)["duplicates"] == "unique"


def test_suggests_the_nearest_protocol():
    with pytest.raises(UnknownName, match="did you mean 'xtreme'"):
        protocol("xtrem", "tatoeba")


def test_says_which_protocols_have_the_task():
    with pytest.raises(UsageError, match=r"'xtreme-r' has no bucc2018\n  do:    use one of: jiant, own, xtreme"):
        protocol("xtreme-r", "bucc2018")


def test_refuses_an_unknown_task():
    with pytest.raises(UnknownName, match="did you mean 'tatoeba'"):
        protocol("own", "tatoba")
