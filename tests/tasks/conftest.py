"""What a test asks for that must not reach the network."""

import socket

import pytest


@pytest.fixture
def no_network(monkeypatch):
    """A test that opens a connection fails."""

    def refuse(*args, **kwargs):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
