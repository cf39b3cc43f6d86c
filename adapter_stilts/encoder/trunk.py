"""The trunk: a pretrained XLM-R, loaded safely, frozen and fingerprinted.

    trunk = load_trunk("miniature")
    trunk = load_trunk("FacebookAI/xlm-roberta-base", revision="...", precision="bf16")

config.json is read as data (`trunk_config.py`), weights as safetensors (`trunk_weights.py`); no code and no pickle is
ever loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save
from torch import Tensor, nn

from adapter_stilts.encoder import hub
from adapter_stilts.encoder.backends.base import draw
from adapter_stilts.encoder.fingerprint import fingerprint, tensor_digest
from adapter_stilts.encoder.precision import quantise, resolve_device, resolve_precision, storage
from adapter_stilts.encoder.tokenizer import load_tokenizer
from adapter_stilts.encoder.transfer import layer_of
from adapter_stilts.encoder.trunk_config import TrunkConfig, check_config, library_config, read_config
from adapter_stilts.encoder.trunk_weights import (
    Source,
    check_names,
    check_tensor,
    find_weights,
    mask_head,
    read_tensor,
    threads,
)
from adapter_stilts.errors import ArtefactError, UsageError
from adapter_stilts.files import write_bytes, write_json, write_text
from adapter_stilts.seeding import Seeds

if TYPE_CHECKING:
    from transformers import XLMRobertaModel, XLMRobertaTokenizerFast


@dataclass
class Trunk:
    """A frozen XLM-R and what identifies it.

    revision      the hub commit it came from; "" for a folder or the miniature
    fingerprint   32 hexadecimal digits from the weights as stored, whatever the precision it runs in
    mask_head     weights of the masked-LM head where the file has them: dense.weight, dense.bias, layer_norm.weight,
                  layer_norm.bias, bias
    """

    model: XLMRobertaModel = field(repr=False)
    tokenizer: XLMRobertaTokenizerFast = field(repr=False)
    config: TrunkConfig
    name: str
    revision: str
    fingerprint: str
    precision: str
    mask_head: dict[str, Tensor] | None = field(repr=False)

    @property
    def layers(self) -> int:
        return self.config.num_hidden_layers

    @property
    def depth(self) -> int:
        """How many of its layers are held."""
        return len(self.model.encoder.layer)

    @property
    def hidden(self) -> int:
        return self.config.hidden_size

    @property
    def vocabulary(self) -> int:
        return self.config.vocab_size

    @property
    def max_length(self) -> int:
        return self.config.max_length

    @property
    def pad_id(self) -> int:
        return self.config.pad_token_id


def load_trunk(
    name: str,
    *,
    revision: str | None = None,
    precision: str = "auto",
    device: str | torch.device = "cpu",
    layers: int | None = None,
) -> Trunk:
    """A trunk by name: "miniature", a folder, or a hub id.

    precision   fp32, bf16, int8, nf4 or auto (bf16 where the device has it natively)
    layers      hold only so many of the lowest layers; hidden states above cannot be read

    Raises MissingError or Unreachable where it is not there, ArtefactError where it is corrupt, foreign or would run
    code, UsageError for a precision or device that this machine lacks.
    """
    where = resolve_device(device)
    chosen = resolve_precision(precision, where)
    place = hub.find(name, revision)
    config = read_config(place.folder)
    tokenizer = load_tokenizer(place.folder, config)
    source = find_weights(place.folder)
    model = empty_model(config)
    digest = _fill(model, source, chosen, config.num_hidden_layers if layers is None else layers)
    if chosen in ("int8", "nf4"):
        quantise(model, chosen)
    model.train(False)
    nn.Module.to(model, where)
    return Trunk(model, tokenizer, config, name, place.revision, digest, chosen, mask_head(source))


def check_local(name: str) -> None:
    """Refuse at once a trunk whose name or config.json cannot be right; a hub id passes, and nothing is fetched."""
    place = hub.local(name)
    if place is not None:
        read_config(place.folder)


def trunk_config(name: str, *, revision: str | None = None) -> TrunkConfig:
    """A trunk's numbers alone: what says which layers are to be loaded."""
    return read_config(hub.find(name, revision).folder)


def new_trunk(
    tokenizer_folder: Path,
    *,
    hidden: int,
    layers: int,
    heads: int,
    intermediate: int,
    max_length: int,
    seed: int,
    dropout: float = 0.1,
) -> Trunk:
    """A trunk with random weights N(0, 0.02), for pretraining from scratch; its vocabulary is the tokenizer's."""
    size = json.loads((tokenizer_folder / "tokenizer.json").read_text(encoding="utf-8"))
    vocabulary = max(
        len(size["model"]["vocab"]), 1 + max((token["id"] for token in size.get("added_tokens", [])), default=0)
    )
    numbers = {
        "vocab_size": vocabulary,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": intermediate,
    }
    rest = {
        "max_position_embeddings": max_length + 2,
        "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
    }
    config = check_config({**numbers, **rest}, str(tokenizer_folder))
    model = draw(Seeds(seed).number("trunk"), lambda: _random_model(config))
    digest = fingerprint({name: (weight.shape, tensor_digest(weight)) for name, weight in model.named_parameters()})
    tokenizer = load_tokenizer(tokenizer_folder, config)
    model.requires_grad_(False).train(False)
    return Trunk(model, tokenizer, config, f"new, seed {seed}", "", digest, "fp32", None)


def save_trunk(
    trunk: Trunk,
    folder: Path,
    dtype: torch.dtype = torch.float32,
    weights: Mapping[str, Tensor] | None = None,
    mask_head: Mapping[str, Tensor] | None = None,
) -> None:
    """Write a folder that `load_trunk` reads: config.json, model.safetensors, tokenizer.json.

    weights     the trunk's tensors by name, as AdapterEncoder.tensors gives them for kind full; None: its own
    mask_head   the masked-LM head to keep beside them; None: its own
    """
    if trunk.depth < trunk.layers:
        raise UsageError("only a part of this trunk was loaded, so it cannot be saved", do="load it without `layers`")
    own = dict(trunk.model.named_parameters()) if weights is None else weights
    head = trunk.mask_head if mask_head is None else mask_head
    tensors = {f"roberta.{name}": _stored(tensor, dtype) for name, tensor in own.items()}
    tensors |= {f"lm_head.{name}": _stored(tensor, dtype) for name, tensor in (head or {}).items()}
    fields = {name: getattr(trunk.config, name) for name in TrunkConfig.__dataclass_fields__}
    write_json(
        folder / "config.json", {"model_type": "xlm-roberta", "architectures": ["XLMRobertaForMaskedLM"], **fields}
    )
    write_text(folder / "tokenizer.json", trunk.tokenizer.backend_tokenizer.to_str())
    write_bytes(folder / "model.safetensors", save(tensors, metadata={"format": "pt"}))


def empty_model(config: TrunkConfig) -> XLMRobertaModel:
    """The library's model with no memory behind its weights yet."""
    with torch.device("meta"):
        return _random_model(config)


def _random_model(config: TrunkConfig) -> XLMRobertaModel:
    from transformers import XLMRobertaModel

    return XLMRobertaModel(library_config(config), add_pooling_layer=False)  # type: ignore[no-untyped-call]


def _fill(model: XLMRobertaModel, source: Source, precision: str, layers: int) -> str:
    """Give the model the weights of the file, in the precision asked for; returns the fingerprint of all of them."""
    wanted = {name: parameter.shape for name, parameter in model.named_parameters()}
    check_names(source, wanted)
    digests: dict[str, tuple[torch.Size, bytes]] = {}
    with threads() as pool:
        for name, shape in wanted.items():
            check_tensor(source, name, shape)
            tensor, digest = read_tensor(source, name, storage(precision, name), pool)
            digests[name] = (shape, digest)
            if (layer := layer_of(name)) is None or layer < layers:
                _set(model, name, tensor)
    model.encoder.layer = model.encoder.layer[:layers]  # those above were never given memory
    _fill_buffers(model)
    return fingerprint(digests)


def _set(model: nn.Module, name: str, tensor: Tensor) -> None:
    path, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(path), leaf, nn.Parameter(tensor, requires_grad=False))


def _fill_buffers(model: XLMRobertaModel) -> None:
    """Real buffers in place of the empty ones; they hold what is counted, not learned."""
    embeddings, length = model.embeddings, model.config.max_position_embeddings
    embeddings.position_ids = torch.arange(length).expand(1, -1)
    embeddings.token_type_ids = torch.zeros(1, length, dtype=torch.long)


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    stored = tensor.detach().to("cpu", dtype).contiguous()
    if not bool(torch.isfinite(stored).all()):
        raise ArtefactError(f"a weight does not fit {dtype}", do="save it in float32")
    return stored
