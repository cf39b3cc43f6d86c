"""What layers keep for the backward pass, counted in the modules while they run, and what follows from it."""

from dataclasses import replace

import pytest
import torch

from adapter_stilts.encoder.composition import fusions, parse
from adapter_stilts.encoder.kinds import kinds
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.config import LARGE, ModernBertConfig, TrunkConfig
from adapter_stilts.encoder.trunk.loading import MODELS, Trunk
from adapter_stilts.encoder.trunk.precision import storage
from adapter_stilts.planning.memory import Work, _bytes, _kept, _kept_below, memory, peak

ROWS, LENGTH = 16, 48
TRAINED = [kind for kind in kinds if kind not in ("full", "prefix_tuning", "mam", "compacter")]
SIZES = (1000, 192, 3, 4, 768)


def counted(config, composition, names, precision, kind, checkpointing=False):
    """Bytes that a pass keeps, the trunk's and the adapters' own tensors left out."""
    model = MODELS[config.model_type](config)
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            parameter.data = parameter.data.to(storage(precision, module))
    encoder = AdapterEncoder(Trunk(model, None, config, "x", "", "", precision, None))
    for name in names:
        encoder.add(name, kind, seed=1)
    whole = parse(composition)
    for fuse in fusions(whole):
        encoder.add_fusion(fuse)
    encoder.activate(whole)
    encoder.train_parts(list(encoder.fusions) or names[-1:])
    encoder.train()
    encoder.gradient_checkpointing(checkpointing)
    own = {tensor.untyped_storage().data_ptr() for tensor in [*encoder.parameters(), *encoder.buffers()]}
    kept = {}

    def keep(tensor):
        memory = tensor.untyped_storage()
        if memory.data_ptr() not in own:
            kept[memory.data_ptr()] = memory
        return tensor

    ids = torch.randint(5, 1000, (ROWS, LENGTH), generator=torch.Generator().manual_seed(1))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        encoder.hidden(ids, torch.ones_like(ids))
    return sum(memory.nbytes() for memory in kept.values())


def told(config, precision, kind, **more):
    return Work(config, kind, tokens=ROWS * LENGTH, length=LENGTH, precision=precision, **more)


def layer(config, *what):
    return counted(config, *what) - counted(replace(config, num_hidden_layers=config.num_hidden_layers - 1), *what)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("kind", TRAINED)
def test_a_layer_keeps_what_was_counted(kind, precision):
    config = TrunkConfig(*SIZES)
    work = told(config, precision, kind)
    assert layer(config, "a", ["a"], precision, kind) == pytest.approx(_bytes(work, _kept(work)), rel=0.05)
    lowest = counted(replace(config, num_hidden_layers=1), "a", ["a"], precision, kind)
    if kinds[kind].places == {"output"}:
        assert lowest == pytest.approx(_bytes(work, _kept_below(work)), rel=0.1)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
@pytest.mark.parametrize("kind", ["seq_bn", "lora"])
def test_knows_modernbert(kind, precision):
    config = ModernBertConfig(*SIZES)
    work = told(config, precision, kind)
    assert layer(config, "a", ["a"], precision, kind) == pytest.approx(_bytes(work, _kept(work)), rel=0.06)


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_knows_fusions_and_what_lies_below(precision):
    config, names = TrunkConfig(*SIZES), ["a", "b", "c"]
    fused = told(config, precision, "seq_bn", fused=3)
    found = layer(config, "fuse(a, b, c)", names, precision, "seq_bn")
    assert found == pytest.approx(_bytes(fused, _kept(fused)), rel=0.05)
    below = told(config, precision, "seq_bn", below=2)
    found = layer(config, "stack(a, b, c)", names, precision, "seq_bn")
    assert found == pytest.approx(_bytes(below, _kept(below)), rel=0.05)


def test_checkpointing_keeps_the_input_of_each_layer():
    config = TrunkConfig(*SIZES)
    found = counted(config, "a", ["a"], "fp32", "seq_bn", True)
    assert found == pytest.approx(config.num_hidden_layers * ROWS * LENGTH * 4 * 192, rel=0.05)


def test_tells_the_causes_of_large():
    work = Work(LARGE, tokens=1024, length=128, data=100_000)
    parts = memory(work)
    causes = {"libraries", "trunk", "rows", "embeddings", "trained", "activations", "workspace", "logits", "operators"}
    assert causes == set(parts)
    assert parts["trunk"] == pytest.approx(24 * 12_596_224 * 2, rel=0.01)
    assert peak(replace(work, checkpointing=True)) < peak(work) < peak(replace(work, precision="fp32"))
    assert peak(replace(work, lowest=12)) < peak(work)
    assert peak(replace(work, training=False)) < peak(replace(work, checkpointing=True))
    assert memory(replace(work, masked=True))["embeddings"] > 250_002 * 1024 * 2


def test_the_tokenizer_counts_where_it_is_the_peak():
    small = TrunkConfig(250_002, 64, 2, 2, 128)
    assert "tokenizer" in memory(Work(small, tokens=64, length=32))
    assert "tokenizer" not in memory(Work(LARGE, tokens=8192))
