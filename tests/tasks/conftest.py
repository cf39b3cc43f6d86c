"""Files written by a test, and where real data lies."""

import gzip
import os
import socket
from pathlib import Path

import pytest


@pytest.fixture
def no_network(monkeypatch):
    """A test that opens a connection fails."""

    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def write(tmp_path):
    """Write a text under a name, gzip where the name ends so; returns the path."""

    def put(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        content = text if isinstance(text, bytes) else text.encode("utf-8")
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return put


@pytest.fixture(scope="session")
def shared():
    """The folder of real data beside the repository; the test is skipped where it is absent."""
    folder = Path(os.environ.get("ADAPTER_STILTS_SHARED", Path(__file__).parents[3] / "shared")) / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}")
    return folder
