"""Adapters to merge."""

import runpy
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def made_of():
    return runpy.run_path(str(Path(__file__).with_name("made.py")))


@pytest.fixture(scope="session")
def made(made_of, tiny_folder):
    from adapter_stilts.encoder.trunk.loading import load_trunk

    return made_of["Made"](load_trunk(str(tiny_folder), precision="fp32"))


@pytest.fixture(scope="session")
def apart(made_of):
    return made_of["apart"]


@pytest.fixture(scope="session")
def same(made_of):
    return made_of["same"]
