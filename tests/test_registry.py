"""Names are read in the source, where a registry has them in fact."""

from __future__ import annotations

import importlib
from typing import get_args

import pytest

from adapter_stilts.errors import UnknownName
from adapter_stilts.registry import names_in

PLACES = (
    "adapter_stilts.retrieval.pooling:poolings",
    "adapter_stilts.retrieval.margin:margins",
    "adapter_stilts.retrieval.mining:retrievals",
    "adapter_stilts.training.sampler:samplers",
    "adapter_stilts.data.sentences:LAYOUTS",
    "adapter_stilts.mining.cluster:ENGINES",
    "adapter_stilts.retrieval.distinct:duplicates",
    "adapter_stilts.retrieval.gold:threshold_rules",
    "adapter_stilts.retrieval.stored.arrays:DTYPES",
    "adapter_stilts.tasks.source:SPLITS",
)


@pytest.mark.parametrize("place", PLACES)
def test_reads_the_names_that_a_registry_has(place):
    module, _, variable = place.partition(":")
    assert sorted(names_in(place)) == sorted(getattr(importlib.import_module(module), variable))


def test_reads_those_of_a_package_and_of_a_literal():
    from adapter_stilts.config import schema
    from adapter_stilts.metrics.base import metrics
    from adapter_stilts.retrieval.indexes import indexes

    assert sorted(names_in("adapter_stilts.retrieval.indexes:indexes")) == sorted(indexes)
    assert sorted(names_in("adapter_stilts.metrics:metrics")) == sorted(metrics)
    assert names_in("adapter_stilts.config.schema:How") == get_args(schema.How)


def test_checks_names_and_suggests_the_nearest():
    margins = importlib.import_module("adapter_stilts.retrieval.margin").margins
    margins.check("ratio", "csls")
    with pytest.raises(UnknownName, match="did you mean 'distance'"):
        margins.check("ratio", "distanc")
