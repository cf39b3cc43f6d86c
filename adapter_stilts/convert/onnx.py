"""A run as one ONNX graph, from token ids and their mask to unit vectors or logits.

    model.onnx        input_ids [batch, tokens], attention_mask [batch, tokens] (int64) -> vectors [batch, H] or logits
    tokenizer.json    whose ids it takes
    graph.json        what comes out: layer and pooling of vectors, labels of logits, the prefix of every sentence

The graph has whatever the composition has, fusions too. It is run once with onnxruntime and compared with the run.
"""

from __future__ import annotations

import copy
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from adapter_stilts.convert.base import Source, writers
from adapter_stilts.convert.sentence_transformers import mean_of, read_as, write_tokenizer
from adapter_stilts.encoder.baking import LINEAR, baked_weights
from adapter_stilts.encoder.heads import Head, SentenceHead
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.encoder.trunk.rows import UsedRows
from adapter_stilts.errors import StiltsError, UsageError
from adapter_stilts.files import write_json, write_text
from adapter_stilts.formats.base import formats
from adapter_stilts.retrieval.pooling import pooled
from adapter_stilts.runs.build import finished_models

FILE = "model.onnx"
NEEDED = ("onnx", "onnxscript", "onnxruntime")
PARITY = 1e-4  # that the graph may differ from the run, in anything that comes out
EVERYWHERE = frozenset({"attention", "output", "embedding", "prefix", "trunk"})
HEADS = ("sentence", "choice", "tags", "span", "ranking")


class Graph(nn.Module):
    """Hidden state `layer`, then what is made of it."""

    def __init__(self, encoder: AdapterEncoder, layer: int, head: Head | None, pool: str, mean: Tensor | None) -> None:
        super().__init__()
        self.encoder, self.layer, self.head, self.pool = encoder, layer, head, pool
        self.mean: Tensor | None
        self.register_buffer("mean", mean)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.encoder.traced(input_ids, attention_mask, self.layer)
        if self.head is None:
            vectors = functional.normalize(
                pooled(self.pool, hidden, attention_mask, self.encoder.trunk.pooling), dim=-1
            )
            return vectors if self.mean is None else functional.normalize(vectors - self.mean, dim=-1)
        if isinstance(self.head, SentenceHead):  # of a choice, one score a row
            return SentenceHead.forward(self.head, hidden, {})
        made: Tensor = self.head(hidden, {"input_ids": input_ids, "attention_mask": attention_mask})
        return made


@writers.register("onnx")
def write(source: Source, out: Path) -> list[str]:
    """Logits of the head that goes along, where no layer and no pooling is asked for; else vectors."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        what = f"a graph is written with {', '.join(missing)}, which is not installed"
        raise UsageError(what, do="pip install 'adapter-stilts[onnx]'")
    if source.adapter:
        raise UsageError("the whole composition is in the graph", do="leave --adapter out")
    graph, about = _graph(source)
    from adapter_stilts.convert.libraries import onnx_graph  # only now: it takes seconds to import

    encoder = graph.encoder
    settle(encoder)
    onnx_graph.export(graph, out / FILE, encoder.trunk.config.max_length, about["output"])
    write_tokenizer(encoder.trunk, out)
    write_json(out / "graph.json", about)
    write_text(out / "README.md", _read_me(source, about))
    apart = max(_apart(graph, out / FILE, length, encoder.trunk.config.pad_token_id) for length in (3, 40))
    if not apart <= PARITY:
        what = f"the graph differs from the run by {apart:.2g}, and {PARITY:g} is allowed"
        raise StiltsError(what, where=str(source.bundle.folder), do="report it, with the trunk and the composition")
    return [f"in onnxruntime it differs from the run by {apart:.1g} at most"]


def settle(encoder: AdapterEncoder) -> None:
    """Write low-rank changes and scales into the encoder's own weights, and hold the whole table of embeddings."""
    running = encoder.running()
    for module in list(running.modules()):
        for name, child in module.named_children():
            if isinstance(child, UsedRows):
                setattr(module, name, copy.deepcopy(child))
    linear = [name for name, kind in encoder.active_kinds().items() if kind.places <= LINEAR]
    if linear:
        weights = baked_weights(encoder, beside=EVERYWHERE)
        with torch.no_grad():
            for name, parameter in running.named_parameters():
                parameter.copy_(weights[name])
    for name in linear:
        encoder.adapters[name].detach()


def _graph(source: Source) -> tuple[Graph, dict[str, Any]]:
    """What is exported, and what is said of it."""
    part, wanted = source.head_part, source.reading
    asked = [name for name in ("layer", "pool", "centre") if wanted.get(name) is not None]
    if part is not None and not asked and formats[part.facts["format"]].head in HEADS:
        trunk = load_trunk(**{**source.trunk, "precision": "fp32"})
        model = finished_models(trunk, source.bundle)[part.name]
        about = {"output": "logits", "format": part.facts["format"], "labels": part.facts["labels"]}
        about |= {"max_length": min(part.facts["max_length"], trunk.config.max_length)}
        return Graph(model.encoder, trunk.depth, model.head, "", None).eval(), about
    read = read_as(source)
    mean = mean_of(read, wanted.get("centre"))
    about = {"output": "vectors", "layer": read.layer, "pool": read.reading.pool, "prefix": read.trunk.prefix}
    about |= {"max_length": read.reading.max_length, "centred": mean is not None}
    return Graph(read.reader.encoder, read.layer, None, read.reading.pool, mean).eval(), about


@torch.no_grad()
def _apart(graph: Graph, file: Path, length: int, padding: int) -> float:
    """The largest difference between graph and run, on rows of several lengths."""
    from adapter_stilts.convert.libraries import onnx_graph

    config = graph.encoder.trunk.config
    length = min(length, config.max_length)
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, config.vocab_size, (3, length), generator=generator)
    ids[ids == padding] = config.eos_token_id
    mask = torch.ones_like(ids)
    ids[1:, length // 2 + 1 :], mask[1:, length // 2 + 1 :] = padding, 0
    made = torch.from_numpy(onnx_graph.run(file, ids.numpy(), mask.numpy()))
    expected, inside = graph(ids, mask), mask.bool() if made.ndim == 3 else slice(None)
    return float((made[inside] - expected[inside]).abs().max())


def _read_me(source: Source, about: Mapping[str, Any]) -> str:
    prefix = about.get("prefix", "")
    said = ", ".join(f"{name} {value}" for name, value in about.items() if value not in ("", None, False, []))
    return f"""# {source.bundle.manifest.name}, as an ONNX graph

    import numpy, onnxruntime, tokenizers

    tokenizer = tokenizers.Tokenizer.from_file("tokenizer.json")
    tokenizer.enable_truncation({about["max_length"]})
    tokenizer.enable_padding(pad_id={source.config.pad_token_id})
    batch = tokenizer.encode_batch([{f"{prefix!r} + " if prefix else ""}"A sentence."])
    ids, mask = (numpy.array([getattr(row, name) for row in batch]) for name in ("ids", "attention_mask"))
    session = onnxruntime.InferenceSession("{FILE}")
    ({about["output"]},) = session.run(None, {{"input_ids": ids, "attention_mask": mask}})

Of `{source.bundle.manifest.composition}` over `{source.trunk_name}`: {said}.
"""
