"""A folder that means harm: it runs nothing, reaches nothing and allocates nothing, and is refused with a sentence."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from trunk_forms import write_form

from adapter_stilts.encoder.trunk.config import read_config
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import ArtefactError, MissingError, StiltsError

CODE = "import pathlib; pathlib.Path(__file__).with_name('ran').touch()\n"


@pytest.fixture(scope="module", params=["xlm-r", "mbert", "mmbert"])
def clean(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_form(request.param, tmp_path_factory.mktemp("hostile") / request.param)


@pytest.fixture
def folder(clean: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to spoil, with code beside it; whoever asks the network fails."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    for name in ("connect", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    copy = Path(shutil.copytree(clean, tmp_path / "trunk"))
    for name in ("modeling.py", "configuration.py", "tokenization.py", "custom.py"):
        (copy / name).write_text(CODE, encoding="utf-8")
    return copy


def edit(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | changes
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def refused(folder: Path, match: str) -> None:
    """Refused with that sentence, with nothing run and no memory taken."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((ArtefactError, MissingError), match=match):
        load_trunk(str(folder), precision="fp32")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 18  # KiB
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"auto_map": {"AutoModel": "modeling.Evil"}}, "'auto_map' asks for code"),
        ({"text_config": {"auto_map": {"AutoConfig": "configuration.Evil"}}}, "'auto_map' asks for code"),
        ({"trust_remote_code": True}, "asks for code"),
        ({"_attn_implementation_internal": "evil/kernels"}, "chooses code to run"),
        ({"attn_implementation": "evil/kernels"}, "chooses code to run"),
        ({"_attn_implementation_autoset": "evil/kernels"}, "chooses code to run"),
    ],
)
def test_names_no_code(folder: Path, changes: dict[str, Any], match: str) -> None:
    edit(folder, **changes)
    refused(folder, match)


def test_obeys_no_tokenizer_configuration(folder: Path) -> None:
    evil = {"auto_map": {"AutoTokenizer": ["tokenization.Evil", None]}, "tokenizer_class": "Evil"}
    (folder / "tokenizer_config.json").write_text(json.dumps(evil), encoding="utf-8")
    (folder / "tokenizer.py").write_text(CODE, encoding="utf-8")
    load_trunk(str(folder), precision="fp32")
    assert not (folder / "ran").exists()


def test_takes_what_transformers_itself_writes(folder: Path) -> None:
    plain = load_trunk(str(folder), precision="fp32")
    edit(folder, _attn_implementation_autoset=True, eos_token_id=[2, 3], torch_dtype="float16", use_cache=True)
    assert load_trunk(str(folder), precision="fp32").config.num_hidden_layers == plain.depth


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("vocab_size", "'vocab_size' cannot be 1000000000"),
        ("max_position_embeddings", "'max_position_embeddings' cannot be"),
        ("num_hidden_layers", "'num_hidden_layers' cannot be"),
        ("hidden_size", "'hidden_size' cannot be"),
        ("intermediate_size", "'intermediate_size' cannot be"),
    ],
)
def test_makes_no_room_for_sizes_that_are_not_there(folder: Path, name: str, match: str) -> None:
    edit(folder, **{name: 10**9})
    refused(folder, match)
    edit(folder, **{name: 200 if name == "num_hidden_layers" else 1000})
    if (name, read_config(folder).model_type) != ("max_position_embeddings", "modernbert"):  # has no rows of them
        refused(folder, "shape|lack|split")


def test_follows_no_link_to_what_is_no_file(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    secret = tmp_path / "secret"
    secret.write_text("hunter2 is no JSON", encoding="utf-8")
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        kept = (folder / name).read_bytes()
        for target in (Path("/dev/zero"), tmp_path / "pipe", tmp_path, secret, tmp_path / "nowhere"):
            (folder / name).unlink()
            (folder / name).symlink_to(target)
            with pytest.raises(StiltsError) as caught:
                load_trunk(str(folder), precision="fp32")
            assert "hunter2" not in str(caught.value)
        (folder / name).unlink()
        (folder / name).write_bytes(kept)
    load_trunk(str(folder), precision="fp32")


def test_reads_no_pooling_from_elsewhere(folder: Path, tmp_path: Path) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").symlink_to("/dev/zero")

    def pooled(path: str) -> None:
        types = {"Transformer": "", "Pooling": path}
        modules = [{"type": f"sentence_transformers.models.{type}", "path": place} for type, place in types.items()]
        (folder / "modules.json").write_text(json.dumps(modules), encoding="utf-8")

    pooled("1_Pooling")
    refused(folder, r"no file config\.json")
    for path in (str(tmp_path), ".."):
        pooled(path)
        pooling = load_trunk(str(folder), precision="fp32").pooling
        assert pooling is not None
        assert "asks for" in pooling.problem


def test_a_link_to_the_right_file_is_a_file(folder: Path, tmp_path: Path) -> None:
    """The hub's cache is made of links."""
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).rename(tmp_path / f"blob-{name}")
        (folder / name).symlink_to(tmp_path / f"blob-{name}")
    load_trunk(str(folder), precision="fp32")


def test_reads_half_precision_shards_and_bare_names(folder: Path) -> None:
    whole = load_trunk(str(folder), precision="fp32")
    tensors = load_file(folder / "model.safetensors")

    def bare(name: str) -> str:
        return name.removeprefix("bert.").removeprefix("roberta.").removeprefix("model.")

    (folder / "model.safetensors").unlink()
    index = {bare(name): f"model-{place % 2}.safetensors" for place, name in enumerate(tensors)}
    for file in set(index.values()):
        save_file({bare(name): tensors[name] for name in tensors if index[bare(name)] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}), encoding="utf-8")
    assert load_trunk(str(folder), precision="fp32").fingerprint == whole.fingerprint
    for file in set(index.values()):
        save_file({name: tensor.half() for name, tensor in load_file(folder / file).items()}, folder / file)
    halved = load_trunk(str(folder), precision="fp32")
    assert halved.fingerprint != whole.fingerprint
    assert all(parameter.dtype == torch.float32 for parameter in halved.model.parameters())


@pytest.mark.parametrize(("form", "rows"), [("xlm-r", 901_629), ("mbert", 501_153)])
def test_reads_long_positions_and_large_vocabularies(form: str, rows: int, tmp_path: Path) -> None:
    numbers = {"hidden_size": 8, "intermediate_size": 8, "vocab_size": rows, "max_position_embeddings": 8194}
    write_form(form, tmp_path / form, **numbers)
    trunk = load_trunk(str(tmp_path / form), precision="fp32")
    assert (trunk.config.vocab_size, trunk.config.max_length) == (rows, 8192 if form == "xlm-r" else 8194)


def test_says_what_to_install_for_a_tokenizer_that_is_only_sentencepiece(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "sentencepiece.bpe.model").write_bytes(b"not a model")
    with pytest.raises(StiltsError, match="sentencepiece") as caught:
        load_trunk(str(folder), precision="fp32")
    assert "pip install sentencepiece protobuf" in caught.value.do


def test_answers_a_broken_configuration(folder: Path) -> None:
    for changes in ({"eos_token_id": ["x"]}, {"eos_token_id": True}, {"pad_token_id": -5}, {"hidden_act": "evil"}):
        kept = (folder / "config.json").read_bytes()
        edit(folder, **changes | ({"hidden_activation": "evil"} if "hidden_act" in changes else {}))
        with pytest.raises(ArtefactError, match="cannot be"):
            read_config(folder)
        (folder / "config.json").write_bytes(kept)


@pytest.mark.parametrize("table", ["", "AAAA", "////////", "A" * 9999, "not base64!", "AQAAAA==", "BAAAAAAAAAA="])
def test_refuses_a_table_of_characters_that_ends_the_library(folder: Path, table: str) -> None:
    document = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    document["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": table}
    (folder / "tokenizer.json").write_text(json.dumps(document), encoding="utf-8")
    refused(folder, "the tokenizer cannot be read")


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "null", "[]", "{}"])
def test_refuses_a_list_of_shards_that_is_none(folder: Path, text: str) -> None:
    (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")
    refused(folder, "the list of shards cannot be read")
