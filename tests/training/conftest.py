"""The toy model, and how tests compare two trainings."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def toy():
    """The module toy.py, from beside this file."""
    spec = importlib.util.spec_from_file_location("training_toy", Path(__file__).with_name("toy.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def same_bits():
    """Whether two sets of tensors have the same names and the same bits."""

    def same(one, other):
        return one.keys() == other.keys() and all(
            torch.equal(one[name].view(torch.int32), other[name].view(torch.int32)) for name in one
        )

    return same


@pytest.fixture(scope="session")
def rows_without_times():
    """The rows of a metrics.jsonl but for their times."""

    def read(folder):
        lines = (folder / "metrics.jsonl").read_text().splitlines()
        return [{name: value for name, value in json.loads(line).items() if name != "seconds"} for line in lines]

    return read
