"""The walks through the house name functions that are there, and are short enough to follow."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOUR = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
STEP = re.compile(r"^\d\. `([\w/]+\.py):(\w+)`", re.MULTILINE)
STEPS = STEP.findall(TOUR)


@pytest.mark.parametrize(("file", "name"), STEPS)
def test_names_what_is_there(file, name):
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_takes_at_most_eight_steps_a_walk():
    walks = re.findall(r"((?:^\d\. .*\n(?:   .*\n)*)+)", TOUR, re.MULTILINE)
    assert [len(STEP.findall(walk)) for walk in walks] == [7, 7, 8, 8]


@pytest.mark.parametrize("folder", sorted(path.name for path in (ROOT / "adapter_stilts").iterdir() if path.is_dir()))
def test_says_who_lives_in_every_folder(folder):
    assert folder.startswith("__") or f"`{folder}/`" in TOUR
