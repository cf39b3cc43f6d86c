"""A run to send, and a hub to send it to."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from adapter_stilts.exchange.pull import pull
from adapter_stilts.exchange.push import push
from adapter_stilts.reporting import Silent
from adapter_stilts.runs.results import write_results
from adapter_stilts.sharing.bundle import Part, save_parts
from adapter_stilts.sharing.manifest import Manifest, write_manifest
from adapter_stilts.statistics.result import Result

STANDIN = runpy.run_path(str(Path(__file__).with_name("hub_standin.py")))


@pytest.fixture
def hub(monkeypatch):
    """A hub on this machine, with a token that may write."""
    with STANDIN["Hub"]() as standin:
        monkeypatch.setenv("HF_ENDPOINT", standin.url)
        files = f"{standin.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        # read from the environment when it is imported
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", standin.url)
        for module in ("constants", "file_download"):
            monkeypatch.setattr(f"huggingface_hub.{module}.HUGGINGFACE_CO_URL_TEMPLATE", files, raising=False)
        monkeypatch.setenv("HF_TOKEN", STANDIN["TOKEN"])
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        yield standin


@pytest.fixture
def made(tmp_path):
    """A run's folder with weights of no use, which takes no training."""
    facts = {"kind": "seq_bn", "settings": {}, "trained": True, "language": ""}
    head = {"format": "pair", "task": "nli", "labels": ["no", "yes"], "max_length": 64}
    weights = {"down": torch.arange(400.0).view(20, 20)}
    parts = [Part("adapter", "nli", facts, weights), Part("head", "head", head, weights)]
    files = save_parts(tmp_path / "run", parts)
    said = dict.fromkeys(("name", "identity", "format", "language", "how", "control", "device", "licence"), "x")
    trunk = {"name": "miniature", "revision": None, "fingerprint": "ab", "layers": 2, "hidden": 8, "precision": "fp32"}
    empty = {name: [] for name in ("parents", "data", "substitutions", "parts")}
    numbers = {"seconds": 1, "peak_memory": 1, "seeds": {"training": 13}, "versions": {}, "training": {}}
    named = {"task": "nli", "composition": "nli", "trunk": trunk, "files": files, "how": "direct", "control": "none"}
    manifest = Manifest.model_validate({**said, **empty, **numbers, **named})
    write_results(tmp_path / "run", [Result("nli", "own", "en", "accuracy", 0.5, 9, headline=True)])
    write_manifest(tmp_path / "run", manifest)
    return tmp_path / "run"


@pytest.fixture
def sent():
    """`sent(run, where, licence=..., public=..., ...)` pushes."""

    def make(run, where, **asked):
        return push(run, str(where), **{"licence": "", "public": False, "overwrite": False, **asked}, report=Silent())

    return make


@pytest.fixture
def taken():
    """`taken(where, out, revision=...)` pulls; returns the folder."""

    def make(where, out, **asked):
        return Path(pull(str(where), out=out, report=Silent(), **asked)["run"])

    return make
