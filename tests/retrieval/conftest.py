"""An encoder on the tiny XLM-R, sentences in several scripts, and vectors with and without ties."""

import numpy as np
import pytest

SENTENCES = (
    "Anna lives in an old house near the river.",
    "Anna wohnt in einem alten Haus am Fluss.",
    "Анна живёт в старом доме у реки.",
    "安娜住在河边的一座老房子里。",
    "The train to Rome leaves at nine.",
    "Der Zug nach Rom fährt um neun.",
    "Nobody knew where the small dog came from, and nobody asked.",
)


@pytest.fixture
def encoder(tiny_trunk):
    from adapter_stilts.encoder.model import AdapterEncoder

    return AdapterEncoder(tiny_trunk)


@pytest.fixture(scope="session")
def sentences():
    return SENTENCES


@pytest.fixture(scope="session")
def make_units():
    """make(seed, rows, width=24): random unit vectors, without ties."""

    def make(seed, rows, width=24):
        vectors = np.random.default_rng(seed).normal(size=(rows, width)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return make


@pytest.fixture(scope="session")
def make_tied():
    """make(seed, rows): unit vectors of sixteen times +-1/4, so that every inner product is an exact eighth and ties
    are many, in any arithmetic."""

    def make(seed, rows):
        return np.random.default_rng(seed).choice(np.array([-0.25, 0.25], dtype=np.float32), size=(rows, 16))

    return make


@pytest.fixture(scope="session")
def flip():
    """`flip(path, place, mask)` changes one byte of a file."""

    def change(path, place, mask):
        content = bytearray(path.read_bytes())
        content[place % len(content)] ^= mask
        path.write_bytes(content)

    return change
