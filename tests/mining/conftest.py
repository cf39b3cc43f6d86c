"""Vectors whose right pairs are known, files of them, and mining in this process."""

from __future__ import annotations

import numpy as np
import pytest

from adapter_stilts.mining.mine import mine
from adapter_stilts.mining.request import Mining
from adapter_stilts.reporting import Silent
from adapter_stilts.retrieval.reading import Overrides


@pytest.fixture(scope="session")
def planted():
    """planted(): source and target vectors of length 1; row i of both belong together for the first twelve rows, the
    other eight are strangers."""

    def make(seed=1, pairs=12, more=8, width=24):
        draw = np.random.default_rng(seed)
        common = draw.normal(size=width)
        source, target = (draw.normal(size=(pairs + more, width)) + common for _ in range(2))
        target[:pairs] = source[:pairs] + 0.15 * draw.normal(size=(pairs, width))
        return tuple(
            (side / np.linalg.norm(side, axis=1, keepdims=True)).astype(np.float32) for side in (source, target)
        )

    return make


@pytest.fixture(scope="session")
def numbers():
    """numbers("s", 3): "s sentence 0", "s sentence 1", "s sentence 2"."""
    return lambda side, count=20: [f"{side} sentence {number}" for number in range(count)]


@pytest.fixture(scope="session")
def read():
    """The cells of a file of pairs."""
    return lambda path: [line.split("\t") for line in path.read_text().split("\n")[:-1]]


@pytest.fixture
def gold_file(tmp_path):
    """gold_file([(1, 1)]): a file of pairs."""

    def write(pairs, name="gold"):
        (tmp_path / name).write_text("".join(f"{one}\t{other}\n" for one, other in pairs))
        return tmp_path / name

    return write


@pytest.fixture
def put(tmp_path):
    """`put(texts=..., vectors=...)` writes both sides and returns the request's fields."""

    def make(vectors, texts=None, **more):
        fields = dict(more)
        for place, name in enumerate(("source", "target")):
            fields[f"{name}_vectors"] = tmp_path / f"{name}.npy"
            np.save(fields[f"{name}_vectors"], vectors[place])
            if texts is not None:
                fields[name] = tmp_path / f"{name}.txt"
                fields[name].write_text("".join(f"{text}\n" for text in texts[place]))
        return fields

    return make


@pytest.fixture
def start(tmp_path):
    def run(overwrite=False, report=None, out="pairs.tsv", **fields):
        wanted = {name: fields.pop(name) for name in ("k", "margin", "retrieval") if name in fields}
        wanted |= {"layers": (fields.pop("layer"),)} if "layer" in fields else {}
        request = Mining(wanted=Overrides(**wanted), **fields)
        return mine(
            request,
            out=tmp_path / out,
            runs=tmp_path / "runs",
            overwrite=overwrite,
            dry_run=False,
            report=report or Silent(),
        )

    return run
