"""Loading a trunk: what is accepted, what is refused, and what identifies it."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import XLMRobertaModel, XLMRobertaTokenizerFast

from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk import weights
from adapter_stilts.encoder.trunk.config import TrunkConfig, read_config
from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk, new_trunk, save_trunk
from adapter_stilts.encoder.trunk.tokenizer import load_tokenizer
from adapter_stilts.errors import ArtefactError, MissingError, StiltsError, UnknownName, Unreachable, UsageError


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A copy of the tiny trunk that a test may spoil."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "trunk"))


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def edit(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | changes
    (folder / "config.json").write_text(
        json.dumps({key: value for key, value in config.items() if value != "-"}), encoding="utf-8"
    )


def rewrite(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors")


def load(folder: Path, **options: Any) -> Trunk:
    return load_trunk(str(folder), **{"precision": "fp32"} | options)


# ---- what is accepted


def test_reads_numbers_weights_and_tokenizer(tiny_trunk: Trunk) -> None:
    config = tiny_trunk.config
    numbers = (config.num_hidden_layers, config.hidden_size, config.max_length, config.pad_token_id)
    assert numbers == (2, 32, 64, 1)
    assert tiny_trunk.config.vocab_size == len(tiny_trunk.tokenizer)
    assert tiny_trunk.tokenizer("a", "b")["input_ids"][0] == 0
    assert tiny_trunk.mask_head is not None
    assert set(tiny_trunk.mask_head) == {"dense.weight", "dense.bias", "layer_norm.weight", "layer_norm.bias", "bias"}
    assert not any(parameter.requires_grad for parameter in tiny_trunk.model.parameters())
    assert tiny_trunk.revision == ""
    assert len(tiny_trunk.fingerprint) == 32


def test_runs_bit_equal_to_the_library(tiny_folder: Path, tiny_trunk: Trunk, batch: dict[str, torch.Tensor]) -> None:
    reference = XLMRobertaModel.from_pretrained(tiny_folder, add_pooling_layer=False, attn_implementation="sdpa").eval()
    with torch.no_grad():
        ours = AdapterEncoder(tiny_trunk).eval().states(**batch)
        theirs = reference(**batch, output_hidden_states=True).hidden_states
    assert len(ours) == 3
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_runs_bit_equal_to_the_library_on_a_trunk_of_real_text(shared_path: Callable[[str], Path]) -> None:
    place = shared_path("models/nano-xlmr")
    trunk = load(place)
    reference = XLMRobertaModel.from_pretrained(
        place, add_pooling_layer=False, attn_implementation="sdpa", dtype=torch.float32
    ).eval()
    sentences = ["Das ist ein Haus.", "これは古い家です。", "A longer sentence about a house near the river."]
    words = dict(trunk.tokenizer(sentences, padding=True, return_tensors="pt"))
    with torch.no_grad():
        ours = AdapterEncoder(trunk).eval().states(**words)
        theirs = reference(**words, output_hidden_states=True).hidden_states
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def without_prefix(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    kept = {
        name.removeprefix("roberta."): tensor for name, tensor in tensors.items() if not name.startswith("lm_head.")
    }
    pooler = {"pooler.dense.weight": torch.ones(32, 32), "pooler.dense.bias": torch.ones(32)}
    return kept | pooler | {"embeddings.position_ids": torch.arange(66)[None]}


def test_fingerprint_does_not_see_names_shards_heads_or_precision(folder: Path, tiny_trunk: Trunk) -> None:
    assert load(folder, precision="bf16").fingerprint == tiny_trunk.fingerprint
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    index: dict[str, str] = {}
    for number, name in enumerate(sorted(tensors)):
        index[name] = f"model-{number % 3}.safetensors"
    for shard in set(index.values()):
        save_file({name: tensors[name] for name in index if index[name] == shard}, folder / shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}), encoding="utf-8")
    sharded = load(folder)
    assert sharded.fingerprint == tiny_trunk.fingerprint
    assert sharded.mask_head is not None

    (folder / "model.safetensors.index.json").unlink()
    save_file(without_prefix(tensors), folder / "model.safetensors")
    bare = load(folder)
    assert bare.fingerprint == tiny_trunk.fingerprint
    assert bare.mask_head is None


def test_fingerprint_of_half_precision_survives_widening_but_rounding_is_seen(folder: Path, tiny_trunk: Trunk) -> None:
    rewrite(folder, lambda tensors: {name: tensor.half() for name, tensor in tensors.items()})
    halved = load(folder).fingerprint
    rewrite(folder, lambda tensors: {name: tensor.float() for name, tensor in tensors.items()})
    assert load(folder).fingerprint == halved
    assert halved != tiny_trunk.fingerprint


def test_fingerprint_sees_one_changed_weight(folder: Path, tiny_trunk: Trunk) -> None:
    def nudge(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        tensors["roberta.encoder.layer.1.output.dense.weight"][3, 4] += 1e-6
        return tensors

    rewrite(folder, nudge)
    assert load(folder).fingerprint != tiny_trunk.fingerprint


def test_fingerprint_does_not_depend_on_the_number_of_threads(tiny_trunk: Trunk, tiny_folder: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1 if before > 1 else 2)
    try:
        assert load(tiny_folder).fingerprint == tiny_trunk.fingerprint
    finally:
        torch.set_num_threads(before)


def test_loads_only_layers_asked_for_with_the_same_fingerprint(
    tiny_folder: Path, tiny_trunk: Trunk, batch: dict[str, torch.Tensor]
) -> None:
    part = load(tiny_folder, layers=1)
    assert part.fingerprint == tiny_trunk.fingerprint
    assert (part.depth, part.config.num_hidden_layers, tiny_trunk.depth) == (1, 2, 2)
    full = AdapterEncoder(tiny_trunk).eval().hidden(**batch, layer=1)
    assert torch.equal(AdapterEncoder(part).eval().hidden(**batch), full)
    with pytest.raises(UsageError, match="choose one from 0 \\(embeddings\\) to 1"):
        AdapterEncoder(part).hidden(**batch, layer=2)
    with pytest.raises(UsageError, match="cannot be saved"):
        save_trunk(part, tiny_folder / "never")


def test_tokenizer_is_the_librarys(shared_path: Callable[[str], Path]) -> None:
    place = shared_path("models/nano-xlmr")
    ours = load_tokenizer(place, read_config(place))
    theirs = XLMRobertaTokenizerFast(tokenizer_file=str(place / "tokenizer.json"))
    for text in (
        "Das ist <mask> altes Haus.",
        "これは  古い\u3000家です。",
        "سلام دنیا",
        "ab\u2028cd\tef </s> <unk>",
        "",
        "🙂🙃",
    ):
        assert ours(text)["input_ids"] == theirs(text)["input_ids"], text
        assert ours(text, "b")["input_ids"] == theirs(text, "b")["input_ids"], text
    assert ours.all_special_ids == theirs.all_special_ids
    assert ours.model_max_length == 256


def test_tokenizer_comes_alone(tiny_folder: Path, tiny_trunk: Trunk) -> None:
    text = "Anna kaufte zwei Äpfel."
    assert (
        load_tokenizer(tiny_folder, read_config(tiny_folder))(text)["input_ids"]
        == tiny_trunk.tokenizer(text)["input_ids"]
    )


def test_saves_what_it_loads(tiny_trunk: Trunk, tmp_path: Path) -> None:
    save_trunk(tiny_trunk, tmp_path / "again")
    again = load(tmp_path / "again")
    assert again.fingerprint == tiny_trunk.fingerprint
    assert again.config == tiny_trunk.config
    assert again.tokenizer("Wer schläft?")["input_ids"] == tiny_trunk.tokenizer("Wer schläft?")["input_ids"]
    assert again.mask_head is not None
    assert tiny_trunk.mask_head is not None
    assert all(torch.equal(again.mask_head[name], tensor) for name, tensor in tiny_trunk.mask_head.items())
    XLMRobertaModel.from_pretrained(tmp_path / "again", add_pooling_layer=False)  # and the library loads it


def test_makes_a_new_trunk_from_a_tokenizer_and_a_seed(tiny_folder: Path, tmp_path: Path) -> None:
    def make(seed: int) -> Trunk:
        torch.rand(3)  # the state of the global generator does not matter
        return new_trunk(tiny_folder, TrunkConfig(0, 16, 3, 2, 32, 22), seed=seed)

    before = torch.get_rng_state()
    one, same, other = make(1), make(1), make(2)
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert (one.config.num_hidden_layers, one.config.hidden_size, one.config.max_length) == (3, 16, 20)
    save_trunk(one, tmp_path / "new")
    assert load(tmp_path / "new").fingerprint == one.fingerprint
    torch.set_rng_state(before)


# ---- what is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "roberta"}, "model_type is 'roberta'"),
        ({"model_type": "-"}, "model_type is None"),
        ({"hidden_size": "-"}, "'hidden_size' is missing"),
        ({"hidden_size": "32"}, "'hidden_size' cannot be '32'"),
        ({"num_hidden_layers": 0}, "'num_hidden_layers' cannot be 0"),
        ({"num_attention_heads": 5}, "cannot be split over 5 heads"),
        ({"hidden_act": "evil"}, "'hidden_act' cannot be 'evil'"),
        ({"layer_norm_eps": -1}, "'layer_norm_eps' cannot be -1"),
        ({"position_embedding_type": "relative_key"}, "positions are not absolute"),
        ({"max_position_embeddings": 2}, "leave no room"),
        ({"hidden_size": 64}, r"'embeddings.word_embeddings.weight' has shape .* calls for \[.*64\]"),
        ({"num_hidden_layers": 3}, "lack 'encoder.layer.2.* and 15 more tensors"),
        ({"num_hidden_layers": 1}, "hold 'encoder.layer.1.* config.json does not call for"),
        ({"vocab_size": 100}, "tokenizer knows .* tokens and the trunk 100"),
        ({"pad_token_id": 3}, "pads with 1, the trunk with 3"),
    ],
)
def test_refuses_a_configuration_that_does_not_fit(folder: Path, changes: dict[str, object], message: str) -> None:
    edit(folder, **changes)
    with pytest.raises(ArtefactError, match=message):
        load(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1', "nul"])
def test_refuses_a_broken_configuration(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"config\.json"):
        load(folder)


def test_refuses_truncated_weights_at_any_point(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    for length in (0, 4, 100, len(whole) // 2, len(whole) - 1):
        (folder / "model.safetensors").write_bytes(whole[:length])
        with pytest.raises(ArtefactError, match=r"cannot be read") as caught:
            load(folder)
        assert "model.safetensors" in str(caught.value)


def test_refuses_missing_tensors_and_values_that_are_not_numbers(folder: Path) -> None:
    name = "roberta.encoder.layer.0.attention.self.key.bias"

    def spoil(value: float) -> Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]:
        return lambda tensors: tensors | {name: torch.full((32,), value)}

    for value in (float("nan"), float("inf")):
        rewrite(folder, spoil(value))
        with pytest.raises(ArtefactError, match=r"key\.bias' holds values that are not finite"):
            load(folder)
    rewrite(folder, lambda tensors: tensors | {name: torch.zeros(32, dtype=torch.int32)})
    with pytest.raises(ArtefactError, match="stored as I32"):
        load(folder)
    rewrite(folder, lambda tensors: {key: tensor for key, tensor in tensors.items() if key != name})
    with pytest.raises(ArtefactError, match="lack 'encoder.layer.0.attention.self.key.bias'"):
        load(folder)


def test_never_unpickles_code(folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (folder / "model.safetensors").unlink()
    with pytest.raises(MissingError, match=r"no model\.safetensors"):
        load(folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(ArtefactError, match="a pickle, and it is not read"):
        load(folder)


@pytest.mark.parametrize("shard", ["../model.safetensors", "/etc/passwd", "model.bin", 3])
def test_refuses_shards_from_elsewhere(folder: Path, shard: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}), encoding="utf-8")
    with pytest.raises(ArtefactError, match="not a safetensors file beside it"):
        load(folder)


def test_names_a_missing_shard_and_a_broken_list(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-2.safetensors"}}), encoding="utf-8")
    with pytest.raises(MissingError, match=r"no model-2\.safetensors"):
        load(folder)
    for text in ("{", "{}", '{"weight_map": 3}'):
        index.write_text(text, encoding="utf-8")
        with pytest.raises(ArtefactError, match="list of shards cannot be read"):
            load(folder)


def test_refuses_a_missing_or_broken_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ArtefactError, match="the tokenizer cannot be read"):
        load(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(MissingError, match=r"no tokenizer\.json"):
        load(folder)
    (folder / "sentencepiece.bpe.model").write_bytes(b"not a model")
    with pytest.raises(StiltsError, match=r"not installed|cannot be converted"):
        load(folder)


def test_names_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"no config\.json"):
        load(tmp_path)
    with pytest.raises(MissingError, match="no such folder"):
        load(tmp_path / "nothing")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(MissingError, match="this is a file"):
        load(tmp_path / "file")
    for typo in ("minature", "miniatur", "Miniature"):
        with pytest.raises(MissingError, match="did you mean 'miniature'"):
            load_trunk(typo)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_means_offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    for other in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(Unreachable, match="hub is switched off") as caught:
        load_trunk("FacebookAI/xlm-roberta-base")
    assert caught.value.exit_code == 3


def test_says_when_the_hub_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import errors

    def silent(*_: object, local_files_only: bool, **__: object) -> str:
        raise errors.LocalEntryNotFoundError("no")

    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.snapshot_download", silent)
    with pytest.raises(Unreachable, match="did not answer"):
        load_trunk("FacebookAI/xlm-roberta-base")


def test_takes_a_hub_trunk_from_the_cache_without_the_network(
    monkeypatch: pytest.MonkeyPatch, tiny_folder: Path, tmp_path: Path
) -> None:
    asked: list[bool] = []

    def cached(
        name: str, *, revision: str | None, allow_patterns: list[str], local_files_only: bool, etag_timeout: float
    ) -> str:
        asked.append(local_files_only)
        assert not any(pattern.endswith((".bin", ".py", "*")) for pattern in allow_patterns)
        snapshot = tmp_path / "snapshots" / "0123abcd"
        if not snapshot.exists():
            shutil.copytree(tiny_folder, snapshot)
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", cached)
    trunk = load_trunk("somebody/tiny", precision="fp32")
    assert trunk.revision == "0123abcd"
    assert asked == [True]


# ---- precision


def test_chooses_bf16_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch, tiny_folder: Path) -> None:
    monkeypatch.setattr("adapter_stilts.encoder.trunk.precision.processor_flags", lambda: frozenset({"avx512_bf16"}))
    assert load(tiny_folder, precision="auto").precision == "bf16"
    monkeypatch.setattr("adapter_stilts.encoder.trunk.precision.processor_flags", lambda: frozenset({"avx2"}))
    assert load(tiny_folder, precision="auto").precision == "fp32"


def test_refuses_a_precision_or_device_this_machine_lacks(tiny_folder: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean 'fp32'"):
        load(tiny_folder, precision="fp31")
    with pytest.raises(UsageError, match="no device called 'warp'"):
        load(tiny_folder, device="warp")
    if not torch.cuda.is_available():
        with pytest.raises(UsageError, match="no cuda device"):
            load(tiny_folder, device="cuda")


def test_says_that_quantised_trunks_need_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from adapter_stilts.encoder.trunk.precision import resolve_precision

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"adapter-stilts\[bnb\]"):
        resolve_precision("nf4", torch.device("cuda"))


def test_holds_the_trunk_in_bf16_and_its_norms_in_float32(tiny_folder: Path) -> None:
    for name, parameter in load(tiny_folder, precision="bf16").model.named_parameters():
        assert parameter.dtype == (torch.float32 if "LayerNorm" in name else torch.bfloat16), name


def test_remembers_the_fingerprints_of_half_precision_of_a_large_trunk(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(weights, "LARGE", 1)
    source = weights.find_weights(tiny_folder)
    names = [name for name in source.places if name.startswith(weights.OWN)]
    made = weights.half_fingerprints(source, names, "f" * 32)
    assert set(made) == {"fp16", "bf16"}
    kept = tmp_path / "adapter-stilts" / "trunks" / f"{'f' * 32}.json"
    assert json.loads(kept.read_text()) == made
    assert weights.half_fingerprints(source, [], "f" * 32) == made  # nothing is read again
    kept.write_text('{"fp16": 1}')
    assert weights.half_fingerprints(source, names, "f" * 32) == made
