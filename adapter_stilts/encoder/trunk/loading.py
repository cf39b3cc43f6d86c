"""The trunk: a pretrained encoder of one of the families beside this file, loaded safely, frozen and fingerprinted.

    trunk = load_trunk("miniature")
    trunk = load_trunk("FacebookAI/xlm-roberta-base", revision="...", precision="bf16")

config.json is read as data (`config.py`), weights as safetensors (`weights.py`), and the class of the
tokenizer is ours to choose: no code, no pickle and no tokenizer_config.json is ever obeyed.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save
from torch import Tensor, nn

from adapter_stilts.encoder.transfer import layer_of
from adapter_stilts.encoder.trunk import hub, weights
from adapter_stilts.encoder.trunk.base import TrunkModel
from adapter_stilts.encoder.trunk.bert import Bert
from adapter_stilts.encoder.trunk.config import TrunkConfig, check_config, read_config
from adapter_stilts.encoder.trunk.modernbert import ModernBert
from adapter_stilts.encoder.trunk.precision import resolve_device, resolve_precision, storage
from adapter_stilts.encoder.trunk.quantised import QUANTISED, PackedLinear
from adapter_stilts.encoder.trunk.rows import StoredRows, UsedRows
from adapter_stilts.encoder.trunk.sentence_pooling import SentencePooling, read_pooling
from adapter_stilts.encoder.trunk.xlmr import XLMR
from adapter_stilts.environment import bound_operator_caches, give_back_memory
from adapter_stilts.errors import ArtefactError, UsageError
from adapter_stilts.files import write_bytes, write_json, write_text
from adapter_stilts.seeding import Seeds, draw

if TYPE_CHECKING:  # importing transformers takes seconds
    from transformers import PreTrainedTokenizerFast

MODELS: dict[str, type[TrunkModel]] = {"xlm-roberta": XLMR, "bert": Bert, "modernbert": ModernBert}


@dataclass
class Trunk:
    """A frozen encoder and what identifies it.

    revision      the hub commit it came from; "" for a folder or the miniature
    fingerprint   32 hexadecimal digits from the weights as stored, whatever the precision it runs in
    mask_head     weights of the masked-LM head where the file has them: dense.weight, dense.bias, layer_norm.weight,
                  layer_norm.bias, bias
    pooling       how it makes a vector of a sentence, where its folder says so
    prefix        what stands before every sentence that becomes a vector
    """

    model: TrunkModel = field(repr=False)
    held: HeldTokenizer = field(repr=False)
    config: TrunkConfig
    name: str
    revision: str
    fingerprint: str
    precision: str
    mask_head: dict[str, Tensor] | None = field(repr=False)
    pooling: SentencePooling | None = None
    prefix: str = ""

    @property
    def depth(self) -> int:
        """How many of its layers are held."""
        return len(self.model.layers)

    @property
    def rounding(self) -> float:
        """The largest |packed W - W| / |W| of its projections in 8 or 4 bits; 0 where there are none."""
        packed = (module for module in self.model.modules() if isinstance(module, PackedLinear))
        return max((module.error for module in packed), default=0.0)

    @property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Read again where it was released."""
        return self.held.get()

    def release_tokenizer(self) -> None:
        """Give back the memory of the tokenizer, which for XLM-R's pieces is more than that of a small trunk."""
        self.held.release()


class HeldTokenizer:
    """A tokenizer in memory, and how to read it again once it was let go."""

    def __init__(self, read: Callable[[], PreTrainedTokenizerFast]) -> None:
        self._read = read
        self._held: PreTrainedTokenizerFast | None = read()

    def get(self) -> PreTrainedTokenizerFast:
        if self._held is None:
            self._held = self._read()
        return self._held

    def release(self) -> None:
        self._held = None
        give_back_memory()


def load_trunk(
    name: str,
    *,
    revision: str | None = None,
    precision: str = "auto",
    device: str | torch.device = "cpu",
    layers: int | None = None,
    prefix: str = "",
) -> Trunk:
    """A trunk by name: "miniature", a folder, or a hub id.

    precision   fp32, bf16, int8, nf4 or auto (bf16 where the device has it natively)
    prefix      before every sentence that becomes a vector
    layers      hold only so many of the lowest layers; hidden states above cannot be read

    Raises MissingError or Unreachable where it is not there, ArtefactError where it is corrupt, foreign or would run
    code, UsageError for a precision or device that this machine lacks.
    """
    bound_operator_caches()
    where = resolve_device(device)
    chosen = resolve_precision(precision, where)
    place = hub.find(name, revision)
    config = read_config(place.folder)
    from adapter_stilts.encoder.trunk.tokenizer import load_tokenizer, marked  # only now: it takes seconds to import

    held = HeldTokenizer(partial(load_tokenizer, place.folder, config))
    config = marked(config, held.get(), place.folder)
    source = weights.find_weights(place.folder)
    model = empty_model(config)
    digest = _fill(model, source, chosen, config.num_hidden_layers if layers is None else layers, where)
    model.train(False)
    nn.Module.to(model, where)
    head = weights.mask_head(source, model.mask_head) if config.head_act == "gelu" else None  # the function of ours
    pooling = read_pooling(place.folder, config.hidden_size)
    return Trunk(model, held, config, name, place.revision, digest, chosen, head, pooling, prefix)


def check_local(name: str) -> None:
    """Refuse at once a trunk whose name or config.json cannot be right; a hub id passes, and nothing is fetched."""
    place = hub.local(name)
    if place is not None:
        read_config(place.folder)


def trunk_facts(name: str, *, revision: str | None = None) -> tuple[TrunkConfig, SentencePooling | None]:
    """A trunk's numbers, and how it makes a vector of a sentence: what says which layers are to be loaded."""
    folder = hub.find(name, revision).folder
    config = read_config(folder)
    return config, read_pooling(folder, config.hidden_size)


@functools.cache
def half_copies(name: str, revision: str, fingerprint: str) -> dict[str, str]:
    """The fingerprints that copies of a loaded trunk in half precision have, {"fp16": ..., "bf16": ...}.

    The weights are read again; fingerprint: of those that were loaded, so that each is read once.
    """
    folder = hub.find(name, revision or None).folder
    source = weights.find_weights(folder)
    wanted = [tensor for tensor, _ in empty_model(read_config(folder)).named_parameters()]
    marks = weights.half_fingerprints(source, wanted, fingerprint)
    return {half: mark for half, mark in marks.items() if mark != fingerprint}


def new_trunk(tokenizer_folder: Path, numbers: TrunkConfig, seed: int) -> Trunk:
    """A trunk with random weights N(0, 0.02), for pretraining from scratch; its vocabulary is the tokenizer's."""
    from adapter_stilts.encoder.trunk.tokenizer import load_tokenizer

    stored = json.loads((tokenizer_folder / "tokenizer.json").read_text(encoding="utf-8"))
    added = [token["id"] for token in stored.get("added_tokens", [])]
    numbers = replace(numbers, vocab_size=max(len(stored["model"]["vocab"]), 1 + max(added, default=0)))
    config = check_config(asdict(numbers), str(tokenizer_folder), type(numbers))
    model = draw(Seeds(seed).number("trunk"), lambda: MODELS[config.model_type](config))
    digest = weights.fingerprint(
        {name: (weight.shape, weights.tensor_digest(weight)) for name, weight in model.named_parameters()}
    )
    held = HeldTokenizer(partial(load_tokenizer, tokenizer_folder, config))
    model.requires_grad_(False).train(False)
    return Trunk(model, held, config, f"new, seed {seed}", "", digest, "fp32", None)


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
    if trunk.depth < trunk.config.num_hidden_layers:
        raise UsageError("only a part of this trunk was loaded, so it cannot be saved", do="load it without `layers`")
    own = trunk.model.tensors() if weights is None else weights
    head = trunk.mask_head if mask_head is None else mask_head
    family = type(trunk.model)
    tensors = {f"{family.stored}{name}": _stored(tensor, dtype) for name, tensor in own.items()}
    tensors |= {family.mask_head[name]: _stored(tensor, dtype) for name, tensor in (head or {}).items()}
    facts = {"model_type": trunk.config.model_type, "architectures": [family.architecture], **asdict(trunk.config)}
    write_json(folder / "config.json", facts)
    write_text(folder / "tokenizer.json", trunk.tokenizer.backend_tokenizer.to_str())
    write_bytes(folder / "model.safetensors", save(tensors, metadata={"format": "pt"}))


def empty_model(config: TrunkConfig) -> TrunkModel:
    """The model with no memory behind its weights yet."""
    with torch.device("meta"):
        return MODELS[config.model_type](config)


def _fill(model: TrunkModel, source: weights.Source, precision: str, layers: int, device: torch.device) -> str:
    """Give the model the weights of the file, in the precision asked for; returns the fingerprint of all of them.

    device  where projections in 8 or 4 bits are packed, each as soon as it is read; the rest is the caller's to move
    """
    wanted = {name: parameter.shape for name, parameter in model.named_parameters()}
    weights.check_names(source, wanted)
    digests: dict[str, tuple[torch.Size, bytes]] = {}
    with weights.threads() as pool:
        for name, shape in wanted.items():
            weights.check_tensor(source, name, shape)
            path, _, leaf = name.rpartition(".")
            module = model.get_submodule(path)
            dtype = storage(precision, module)
            if module is model.word_embeddings:
                digests[name] = (shape, weights.digest(source, name, pool))
                parent, _, own = path.rpartition(".")
                setattr(model.get_submodule(parent), own, UsedRows(StoredRows(*source.places[name]), dtype))
                continue
            tensor, digest = weights.read_tensor(source, name, dtype, pool)
            digests[name] = (shape, digest)
            if layer_of(name) >= layers:
                continue
            setattr(module, leaf, nn.Parameter(tensor, requires_grad=False))
            whole = not any(each.is_meta for each in module.parameters())
            if precision in QUANTISED and isinstance(module, nn.Linear) and whole:
                model.set_submodule(path, PackedLinear(module, precision, device))
    del model.layers[layers:]  # those above were never given memory
    return weights.fingerprint(digests)


def _stored(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    stored = tensor.detach().to("cpu", dtype).contiguous()
    if not bool(torch.isfinite(stored).all()):
        raise ArtefactError(f"a weight does not fit {dtype}", do="save it in float32")
    return stored
