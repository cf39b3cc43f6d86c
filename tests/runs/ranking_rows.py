"""Loads a finished ranking run in a process of its own and writes its vectors: python ranking_rows.py TRUNK RUN OUT."""

import sys
from pathlib import Path

import numpy as np

from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.formats.queries import Candidate, Query
from adapter_stilts.runs.build import finished_models
from adapter_stilts.runs.ranking import query_vectors, read_pool
from adapter_stilts.runs.rows import Reading
from adapter_stilts.sharing.bundle import load_bundle
from adapter_stilts.tasks.base import tasks

QUERIES = [Query(str(number), text) for number, text in enumerate(("Who bought apples?", "Wo ist Anna?", "小さな猫"))]
CANDIDATES = [
    Candidate("a", "Anna bought two red apples in Paris."),
    Candidate("b", "The cat sleeps.", "The cat sleeps. It is old."),
]

READING = Reading(None, 64, 256)


def vectors(model):
    """Queries and candidates, [5, H]."""
    queries = query_vectors(model, tasks["ranking"], QUERIES, READING)
    return np.concatenate([queries, read_pool(model, CANDIDATES, READING).vectors])


def main():
    trunk, folder, out = map(Path, sys.argv[1:])
    bundle = load_bundle(folder)
    np.save(
        out, vectors(finished_models(load_trunk(str(trunk), precision=bundle.manifest.trunk.precision), bundle)["head"])
    )


if __name__ == "__main__":
    main()
