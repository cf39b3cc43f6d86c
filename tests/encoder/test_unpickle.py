"""Weights that exist only as a pickle: read once, by a process that reaches nothing, and only where all are tensors."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.torch import load_file

from adapter_stilts.encoder.trunk import weights
from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk
from adapter_stilts.encoder.trunk.unpickle import _bound, _leave_the_network, _tensors
from adapter_stilts.errors import ArtefactError, MissingError


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "adapter-stilts" / "trunks"


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny trunk with its weights as a pickle alone, tied weights among them."""
    copy = Path(shutil.copytree(tiny_folder, tmp_path / "trunk"))
    tensors = OrderedDict(load_file(copy / "model.safetensors"))
    tensors["lm_head.decoder.weight"] = tensors["roberta.embeddings.word_embeddings.weight"]
    tensors["roberta.embeddings.position_ids"] = torch.arange(66)[None]
    tensors.move_to_end("roberta.embeddings.word_embeddings.weight")
    torch.save(tensors, copy / "pytorch_model.bin")
    (copy / "model.safetensors").unlink()
    return copy


def load(folder: Path) -> Trunk:
    return load_trunk(str(folder), precision="fp32")


def save(folder: Path, content: Any) -> None:
    torch.save(content, folder / "pytorch_model.bin")


def test_reads_a_pickle_once_and_says_so(
    folder: Path, tiny_trunk: Trunk, cache: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load(folder)
    assert (first.fingerprint, first.mask_head is not None) == (tiny_trunk.fingerprint, True)
    (copy,) = cache.iterdir()
    assert "lm_head.decoder.weight" not in load_file(copy)
    assert "is a pickle" in caplog.text
    assert str(copy) in caplog.text
    monkeypatch.setattr(weights, "to_safetensors", lambda *_: "it was asked again")
    assert load(folder).fingerprint == tiny_trunk.fingerprint
    assert len(caplog.records) == 1


def test_reads_half_precision_the_old_format_and_shards(folder: Path, tiny_trunk: Trunk) -> None:
    tensors = torch.load(folder / "pytorch_model.bin", weights_only=True)
    torch.save(tensors, folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    assert load(folder).fingerprint == tiny_trunk.fingerprint
    halved = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    save(folder, halved)
    assert len(load(folder).fingerprint) == 32
    names = list(tensors)
    index = {name: f"pytorch_model-0000{1 + place % 2}-of-00002.bin" for place, name in enumerate(names)}
    for file in set(index.values()):
        torch.save({name: tensors[name] for name in names if index[name] == file}, folder / file)
    (folder / "pytorch_model.bin").unlink()
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": index}), encoding="utf-8")
    assert load(folder).fingerprint == tiny_trunk.fingerprint
    (folder / "pytorch_model-00001-of-00002.bin").unlink()
    with pytest.raises(MissingError, match=r"no pytorch_model-00001-of-00002\.bin"):
        load(folder)


def test_prefers_safetensors(folder: Path, tiny_folder: Path, cache: Path) -> None:
    shutil.copy(tiny_folder / "model.safetensors", folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")
    load(folder)
    assert not cache.exists()


def test_fetches_a_pickle_of_the_hub_only_where_there_are_no_safetensors(
    folder: Path, tiny_trunk: Trunk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[bool] = []
    snapshot = tmp_path / "snapshots" / "0123abcd"

    def fetched(name: str, *, allow_patterns: list[str], local_files_only: bool, **_: Any) -> str:
        pickled = any(pattern.endswith(".bin") for pattern in allow_patterns)
        assert not any(pattern.endswith((".py", "*")) for pattern in allow_patterns)
        asked.append(pickled)
        if local_files_only:
            raise LocalEntryNotFoundError("no")
        if not pickled:
            shutil.copytree(folder, snapshot, ignore=shutil.ignore_patterns("*.bin"))
        else:
            shutil.copy(folder / "pytorch_model.bin", snapshot)
        return str(snapshot)

    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", fetched)
    trunk = load_trunk("somebody/pickled", precision="fp32")
    assert (trunk.fingerprint, trunk.revision) == (tiny_trunk.fingerprint, "0123abcd")
    assert asked == [False, False, True]


class Evil:
    """Code that runs when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.system, (f"touch {self.path}",)


def test_runs_no_code_in_a_pickle(folder: Path, tmp_path: Path, cache: Path) -> None:
    touched = tmp_path / "touched"
    for zipped in (True, False):
        content = {"a": torch.ones(1), "b": Evil(touched)}
        torch.save(content, folder / "pytorch_model.bin", _use_new_zipfile_serialization=zipped)
        with pytest.raises(ArtefactError, match="not read: UnpicklingError"):
            load(folder)
    assert not touched.exists()
    assert not list(cache.iterdir())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(2)], "holds a list"),
        ({}, "holds a dict"),
        ({"state_dict": {"a": torch.ones(2)}}, "'state_dict', which is a dict"),
        ({"a": torch.ones(2), "epoch": 3}, "'epoch', which is a int"),
        ({3: torch.ones(2)}, "no tensor"),
        ({"a": torch.ones(2).to_sparse()}, "no plain tensor"),
        ({"a": torch.ones(1).expand(1 << 40)}, "no plain tensor of its own numbers"),
    ],
)
def test_refuses_what_is_more_than_tensors(content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _tensors(content, 1 << 20)


def test_takes_no_more_bytes_than_the_file_has() -> None:
    rows = torch.ones(1 << 10)
    assert set(_tensors({"head": rows, "embeddings": rows}, 1 << 13)) == {"embeddings"}
    overlapping = {str(place): rows[place:] for place in range(9)}
    with pytest.raises(ValueError, match="larger than the file"):
        _tensors(overlapping, 1 << 13)


def test_refuses_a_broken_pickle(folder: Path) -> None:
    whole = (folder / "pytorch_model.bin").read_bytes()
    for content in (b"", whole[: len(whole) // 2]):
        (folder / "pytorch_model.bin").write_bytes(content)
        with pytest.raises(ArtefactError, match="the weights are a pickle, and it is not read"):
            load(folder)


def test_reads_where_nothing_can_be_reached() -> None:
    """In a process like the child: no socket to anywhere, no program, no process."""
    server = socket.create_server(("127.0.0.1", 0))
    here, there = os.pipe()
    if (child := os.fork()) == 0:
        try:
            _leave_the_network()
            reached = []
            try:  # in a namespace of its own there is nobody at that address; before Python refuses anything
                socket.create_connection(server.getsockname(), timeout=1).close()
                reached.append("network")
            except OSError:
                pass
            _bound(1 << 20)
            for ask in (socket.socket, os.fork, lambda: os.system("true")):
                try:
                    ask()
                    reached.append(str(ask))
                except PermissionError:
                    pass
            os.write(there, json.dumps(reached).encode())
        finally:
            os._exit(0)
    os.close(there)
    reached = json.loads(os.read(here, 1000))
    os.waitpid(child, 0)
    server.close()
    assert reached in ([], ["network"])  # the second where the system forbids a user such namespaces
