"""A run as the folder of a sentence-transformers model: trunk, cut at the layer that is read, adapters, pooling.

    config.json model.safetensors tokenizer.json     a model of transformers with the adapters in it (plain.py)
    modules.json 1_Pooling 2_Normalize ...           and what makes a vector of its states

What is no model of transformers is written with a module of ours, `adapter_stilts.convert.libraries.sentence_module`:
sentence-transformers loads it where adapter-stilts is installed and `trust_remote_code=True` allows it.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from adapter_stilts.config.schema import DENSE
from adapter_stilts.convert.base import Source, writers
from adapter_stilts.convert.plain import Plain, plain_model
from adapter_stilts.data.sentences import sentence_source, sentences
from adapter_stilts.encoder.kinds import kinds, resolve
from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk, save_trunk
from adapter_stilts.errors import UsageError
from adapter_stilts.files import write_bytes, write_json, write_text
from adapter_stilts.retrieval.embed import embed
from adapter_stilts.retrieval.protocols import MAX_LENGTH
from adapter_stilts.retrieval.reading import Reading
from adapter_stilts.runs.subject import SentenceReader, sentence_reader
from adapter_stilts.sharing.manifest import MANIFEST

OURS = "adapter_stilts.convert.libraries.sentence_module.Encoder"
THEIRS = "sentence_transformers.models."  # where every version looks for its own
POOLS = {"mean": "pooling_mode_mean_tokens", "first": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens"}
SETTINGS = "sentence_encoder.json"  # of our module: layer, pooling and length
PREFIX = "prefix"  # the name of the prompt that stands before every sentence


@dataclass(frozen=True)
class Read:
    """How a run makes vectors, everything decided."""

    reader: SentenceReader
    reading: Reading

    @property
    def layer(self) -> int:
        return self.reader.layer

    @property
    def trunk(self) -> Trunk:
        return self.reader.encoder.trunk


def read_as(source: Source) -> Read:
    """The reader of a run in float32, as `encode` would read with the same options."""
    wanted = source.reading
    options: Any = {"layer": wanted.get("layer"), "pool": wanted.get("pool"), "precision": "fp32"}
    reader = sentence_reader(source.bundle.folder, source.trunk["name"], revision=source.trunk["revision"], **options)
    reader.encoder.to("cpu")
    pool, trunk = wanted.get("pool") or reader.rules.pool, reader.encoder.trunk
    length = min(MAX_LENGTH, reader.rules.max_length, trunk.config.max_length)
    return Read(reader, Reading((reader.layer,), pool, length, reader.token_budget))


@writers.register("sentence-transformers")
def write(source: Source, out: Path) -> list[str]:
    """A plain folder where that is exact, else one with our module."""
    if source.adapter:
        raise UsageError("the whole composition makes the vectors", do="leave --adapter out")
    read = read_as(source)
    pool, dense, _ = read.reading.pool.partition(DENSE)
    adapters = source.adapters.values()
    settings = {part.name: resolve(kinds[part.facts["kind"]], part.facts["settings"]) for part in adapters}
    plain = plain_model(read.reader.encoder, read.layer, settings)
    if pool not in POOLS and isinstance(plain, Plain):
        plain = f"sentence-transformers has no pooling '{pool}'"
    mean = mean_of(read, source.reading.get("centre"))
    write_tokenizer(read.trunk, out)
    modules: list[tuple[str, str]]
    if isinstance(plain, Plain):
        write_json(out / "config.json", plain.config)
        write_bytes(out / "model.safetensors", save(plain.tensors, metadata={"format": "pt"}))
        write_json(
            out / "sentence_bert_config.json", {"max_seq_length": read.reading.max_length, "do_lower_case": False}
        )
        width = {"word_embedding_dimension": read.trunk.config.hidden_size, "include_prompt": True}
        write_json(out / "1_Pooling" / "config.json", {**width, **{flag: name == pool for name, flag in POOLS.items()}})
        modules = [("", f"{THEIRS}Transformer"), ("1_Pooling", f"{THEIRS}Pooling")]
        if dense:
            assert read.trunk.pooling is not None
            for layer in read.trunk.pooling.dense:
                function = f"torch.nn.modules.activation.{layer.function}"
                function = function if layer.function != "Identity" else "torch.nn.modules.linear.Identity"
                modules.append(_dense(out, len(modules), layer.weight, layer.bias, function))
        notes = ["" if not _sharp(settings) else "load it in float32 or bfloat16: half precision does not hold it"]
    else:
        _write_ours(source, read, out)
        modules = [("", OURS)]
        notes = [
            f"{plain}: it needs adapter-stilts where it is loaded, and SentenceTransformer(..., trust_remote_code=True)"
        ]
    modules.append((f"{len(modules)}_Normalize", f"{THEIRS}Normalize"))
    if mean is not None:
        identity = "torch.nn.modules.linear.Identity"
        modules.append(_dense(out, len(modules), torch.eye(len(mean)), -mean, identity))
        modules.append((f"{len(modules)}_Normalize", f"{THEIRS}Normalize"))
    _write_modules(out, modules, read.trunk.prefix)
    write_text(out / "README.md", _read_me(source, read, isinstance(plain, Plain)))
    return [note for note in notes if note]


def _sharp(settings: dict[str, Any]) -> bool:
    return any(each.get("non_linearity") == "relu" for each in settings.values())


def mean_of(read: Read, file: Path | None) -> Tensor | None:
    """The mean vector of a file's sentences, in float64 as `encode --centring` takes it."""
    if file is None:
        return None
    texts = [sentence.text for sentence in sentences(sentence_source(file)) if sentence.text.strip()]
    vectors = embed(read.reader.encoder, texts, read.reading)[read.layer]
    return torch.from_numpy(np.asarray(vectors.mean(axis=0, dtype=np.float64), dtype=np.float32))


def _dense(out: Path, number: int, weight: Tensor, bias: Tensor | None, function: str) -> tuple[str, str]:
    """A dense layer of theirs; returns its folder and class."""
    folder, outputs = f"{number}_Dense", weight.shape[0]
    about = {"in_features": weight.shape[1], "out_features": outputs, "bias": bias is not None}
    write_json(out / folder / "config.json", {**about, "activation_function": function})
    tensors = {"linear.weight": weight.contiguous(), **({} if bias is None else {"linear.bias": bias.contiguous()})}
    write_bytes(out / folder / "model.safetensors", save(tensors, metadata={"format": "pt"}))
    return folder, f"{THEIRS}Dense"


def _write_modules(out: Path, modules: Sequence[tuple[str, str]], prefix: str) -> None:
    listed = [
        {"idx": number, "name": str(number), "path": path, "type": type} for number, (path, type) in enumerate(modules)
    ]
    write_json(out / "modules.json", listed)
    prompts = {"prompts": {PREFIX: prefix}, "default_prompt_name": PREFIX} if prefix else {"prompts": {}}
    about = {"__version__": {}, **prompts, "similarity_fn_name": "cosine"}
    write_json(out / "config_sentence_transformers.json", {"default_prompt_name": None, **about})
    for path, type in modules:
        if type.endswith("Normalize"):
            write_json(out / path / "config.json", {})


def write_tokenizer(trunk: Trunk, out: Path) -> None:
    """The tokenizer as it is; of another class, transformers would build XLM-R's anew, without its normaliser."""
    tokenizer = trunk.tokenizer
    marks = ("bos_token", "eos_token", "cls_token", "sep_token", "unk_token", "pad_token", "mask_token")
    named = {mark: str(token) for mark in marks if (token := getattr(tokenizer, mark, None))}
    own = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": trunk.config.max_length}
    names = {"model_input_names": ["input_ids", "attention_mask"], "clean_up_tokenization_spaces": False}
    write_json(out / "tokenizer_config.json", {**own, **names, **named})
    write_text(out / "tokenizer.json", tokenizer.backend_tokenizer.to_str())


def _write_ours(source: Source, read: Read, out: Path) -> None:
    """The trunk, the run without its heads' scores, and how they are read."""
    whole = load_trunk(source.trunk["name"], revision=source.trunk["revision"], precision="fp32")
    save_trunk(whole, out / "trunk")
    folder = source.bundle.folder
    for name in (MANIFEST, *source.bundle.manifest.files):
        (out / "run" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, out / "run" / name)
    settings = {"layer": read.layer, "pool": read.reading.pool, "max_length": read.reading.max_length}
    write_json(out / SETTINGS, settings)


def _read_me(source: Source, read: Read, plain: bool) -> str:
    more = "" if plain else ", trust_remote_code=True"
    needs = "" if plain else "\nIt needs adapter-stilts installed: its adapters are run by that package's own code.\n"
    said = f"layer {read.layer} of `{source.trunk_name}`, {read.reading.pool} over the tokens, unit length"
    prefix = f", after the prefix {read.trunk.prefix!r}" if read.trunk.prefix else ""
    return f"""---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
---
# {source.bundle.manifest.name}

    from sentence_transformers import SentenceTransformer

    vectors = SentenceTransformer(FOLDER{more}).encode(["A sentence.", "Another."])

The vectors are {said}{prefix}, with `{source.bundle.manifest.composition}` in it.
{needs}"""
