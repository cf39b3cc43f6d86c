"""The command line in this process, and a library that writes down how it was called instead of training."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from adapter_stilts_cli.app import app
from typer.testing import CliRunner

from adapter_stilts import runs, studies
from adapter_stilts.runs.evaluate import Evaluated
from adapter_stilts.statistics.result import Result

ROW = Result("xnli", "own", "sw", "accuracy", 0.5, 10, (0.25, float("nan")))


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Call `adapter-stilts` in an empty folder; stdout and stderr are kept apart."""
    monkeypatch.chdir(tmp_path)
    return lambda *words, env=None: CliRunner().invoke(app, list(words), env=env, catch_exceptions=False)


@pytest.fixture
def calls(monkeypatch):
    """The keyword and other arguments of every library call, by verb; each call returns one made-up score."""
    found: dict[str, dict[str, object]] = {}

    def recorder(verb):
        def record(*values, **named):
            found[verb] = {"values": values, **named}
            made = Evaluated(Path("runs/xnli-00000000"), results=(ROW,))
            return made.to_json() if verb == "demo" else made

        return record

    for package, name, verbs in (
        (runs, "train", ("train", "fuse")),
        (runs, "evaluate", ("evaluate",)),
        (studies, "demo", ("demo",)),
    ):
        module = ModuleType(f"{package.__name__}.{name}")
        module.__dict__.update({verb: recorder(verb) for verb in verbs})
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(package, name, module, raising=False)
    return found
