"""Faults of transformers 4.57.6 and 5: each test states the right behaviour, and our code shows it."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedTokenizerFast

from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk
from adapter_stilts.errors import ArtefactError

# A planted `_attn_implementation_internal` in config.json reaches the remote-kernel loader even where
# attn_implementation="sdpa" is passed.
PLANTED = [
    "_attn_implementation_internal",
    "_attn_implementation",
    "attn_implementation",
    "_attn_implementation_autoset",
]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every attempt to reach the network, which also fails."""
    asked: list[object] = []

    def refuse(*args: object, **_: object) -> None:
        asked.append(args)
        raise AssertionError("the network was asked")

    for owner, name in (
        (socket.socket, "connect"),
        (socket.socket, "connect_ex"),
        (socket, "getaddrinfo"),
        (socket, "create_connection"),
    ):
        monkeypatch.setattr(owner, name, refuse)
    return asked


@pytest.fixture
def plant(tiny_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the tiny trunk with keys added to its config.json."""

    def make(**keys: object) -> Path:
        folder = Path(shutil.copytree(tiny_folder, tmp_path / "planted"))
        config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | keys
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
        return folder

    return make


@pytest.mark.parametrize("key", PLANTED)
def test_a_planted_attention_is_refused_without_a_network_call(
    key: str, plant: Callable[..., Path], no_network: list[object]
) -> None:
    with pytest.raises(ArtefactError, match=f"'{key}' chooses code to run") as caught:
        load_trunk(str(plant(**{key: "somebody/kernel"})), precision="fp32")
    assert caught.value.exit_code == 4
    assert "config.json" in caught.value.where
    assert not no_network


@pytest.mark.parametrize("value", [True, False])
def test_a_boolean_of_transformers_own_names_no_code(value: bool, plant: Callable[..., Path]) -> None:
    folder = plant(_attn_implementation_autoset=value, text_config={"_attn_implementation_autoset": value})
    assert load_trunk(str(folder), precision="fp32").depth == 2


@pytest.mark.parametrize("value", [1, "true", None, ["kernels/x"], {"": "kernels/x"}])
def test_anything_else_under_its_name_is_refused(value: object, plant: Callable[..., Path]) -> None:
    with pytest.raises(ArtefactError, match="'_attn_implementation_autoset' chooses code to run"):
        load_trunk(str(plant(_attn_implementation_autoset=value)), precision="fp32")


@pytest.mark.parametrize("key", PLANTED)
def test_a_planted_attention_is_refused_at_any_depth(key: str, plant: Callable[..., Path]) -> None:
    with pytest.raises(ArtefactError, match=f"'{key}' chooses code to run"):
        load_trunk(str(plant(text_config={"inner": [{key: "somebody/kernel"}]})), precision="fp32")


def test_code_beside_the_weights_is_refused(plant: Callable[..., Path], no_network: list[object]) -> None:
    folder = plant(auto_map={"AutoModel": "modeling.Evil"})
    (folder / "modeling.py").write_text("raise SystemExit('it ran')", encoding="utf-8")
    with pytest.raises(ArtefactError, match="'auto_map' asks for code"):
        load_trunk(str(folder), precision="fp32")
    assert not no_network


def test_only_listed_keys_are_read(plant: Callable[..., Path], tiny_trunk: Trunk) -> None:
    switches = ("is_decoder", "add_cross_attention", "output_attentions", "torchscript")
    folder = plant(**dict.fromkeys(switches, True), quantization_config={"load_in_8bit": True}, unheard_of=1)
    trunk = load_trunk(str(folder), precision="fp32")
    assert trunk.config == tiny_trunk.config
    assert not any(hasattr(trunk.config, name) for name in (*switches, "quantization_config", "unheard_of"))
    assert type(trunk.model).__module__ == "adapter_stilts.encoder.trunk.xlmr"  # and no class of the library's runs


def test_a_tokenizer_configuration_is_not_obeyed(plant: Callable[..., Path]) -> None:
    folder = plant()
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"auto_map": {"AutoTokenizer": ["evil.Evil", None]}, "tokenizer_class": "Evil"}), encoding="utf-8"
    )
    assert type(load_trunk(str(folder), precision="fp32").tokenizer) is PreTrainedTokenizerFast


def test_a_pickle_is_never_opened(plant: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    folder = plant()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("a pickle was opened"))
    with pytest.raises(ArtefactError, match="a pickle"):
        load_trunk(str(folder), precision="fp32")
