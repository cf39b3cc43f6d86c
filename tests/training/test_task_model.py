"""The loop on the real thing: an XLM-R of two layers with an adapter, read from a folder."""

import random

import pytest
import torch
from plans import plan as make_plan
from plans import train

from adapter_stilts.encoder.composition import parse
from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import Interrupted
from adapter_stilts.formats.base import Cut, formats
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.text import PlainText
from adapter_stilts.training.checkpoint import snapshot
from adapter_stilts.training.interrupt import StopSignal
from adapter_stilts.training.plan import feature_data, masker

WORDS = ["Anna", "cat", "table", "sleeps", "old", "Katze", "Tisch", "apples", "train", "кошка", "small", "red"]
PLAN = {"max_steps": 12, "learning_rate": 5e-3, "token_budget": 150, "log_steps": 1}


def model_of(folder, format, kind="seq_bn", trunk="fp32"):
    encoder = AdapterEncoder(load_trunk(str(folder), precision=trunk))
    encoder.add("task", kind, {"reduction_factor": 4} if kind == "seq_bn" else {}, seed=1)
    encoder.activate(parse("task"))
    labels = encoder.trunk.config.vocab_size if format == "text" else 2
    model = TaskModel(
        encoder,
        build_head(format, encoder.trunk.config.hidden_size, labels, seed=2, mask_head=encoder.trunk.mask_head),
        format,
    )
    model.train_parts(["task"])
    return model


def data_of(trunk, format):
    draw = random.Random(4)
    sentences = [" ".join(draw.choices(WORDS, k=draw.randint(3, 12))) for _ in range(60)]
    if format == "text":
        examples = [PlainText(str(row), sentence) for row, sentence in enumerate(sentences)]
        special = tuple(trunk.tokenizer.all_special_ids)
        prepare = masker(trunk.config.vocab_size, trunk.tokenizer.mask_token_id, special, 0.15)
    else:
        examples = [
            Classified(str(row), sentence, None, str(sentence.count("a") % 2)) for row, sentence in enumerate(sentences)
        ]
        prepare = None
    return feature_data(
        formats[format].features(examples, trunk.tokenizer, Cut(labels=("0", "1"), max_length=64, training=True)),
        formats[format],
        trunk.config.pad_token_id,
        prepare,
    )


def same(one, other):
    one, other = (snapshot(dict(model.trainable())) for model in (one, other))
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("format", ["single", "text"])
@pytest.mark.parametrize("kind", ["seq_bn", "lora"])
def test_resumes_bit_by_bit(tiny_folder, tmp_path, format, kind):
    """With the trunk's dropout on, and new masks for every batch of text."""
    whole, parts, resumed = (model_of(tiny_folder, format, kind) for _ in range(3))
    data = data_of(whole.encoder.trunk, format)
    unbroken = train(whole, data, make_plan(**PLAN))
    stop = StopSignal()
    with pytest.raises(Interrupted):
        train(
            parts,
            data,
            make_plan(**PLAN),
            folder=tmp_path,
            stop=stop,
            progress=lambda one: one.step == 7 and stop.request(),
        )
    again = train(resumed, data, make_plan(**PLAN), folder=tmp_path, resume=True)
    assert again.losses == unbroken.losses
    assert same(resumed, whole)


def test_masks_anew_every_epoch(tiny_folder):
    model = model_of(tiny_folder, "text")
    data = data_of(model.encoder.trunk, "text")
    seen = [{}, {}]

    def prepare(batch, generator):
        prepared = data.prepare(batch, generator)
        epoch = seen[0].keys() >= set(batch["rows"].tolist())
        seen[epoch] |= {
            row: labels[labels != -100].tolist()
            for row, labels in zip(batch["rows"].tolist(), prepared["labels"], strict=True)
        }
        return prepared

    train(model, type(data)(data.lengths, data.collate, prepare), make_plan(**PLAN | {"max_steps": None, "epochs": 2}))
    assert set(seen[0]) == set(seen[1]) == set(range(60))
    assert sum(seen[0][row] != seen[1][row] for row in range(60)) > 45


def test_gives_the_same_weights_with_recomputed_activations(tiny_folder):
    """Gradient checkpointing runs the forward pass twice, with the same dropout."""
    plain, recomputed = (model_of(tiny_folder, "single") for _ in range(2))
    data = data_of(plain.encoder.trunk, "single")
    train(plain, data, make_plan(**PLAN))
    train(recomputed, data, make_plan(**PLAN, gradient_checkpointing=True))
    assert same(plain, recomputed)


def test_trains_float32_parts_on_a_bfloat16_trunk(tiny_folder):
    model = model_of(tiny_folder, "single", trunk="bf16")
    data = data_of(model.encoder.trunk, "single")
    outcome = train(model, data, make_plan(**PLAN | {"max_steps": 60}))
    assert {parameter.dtype for _, parameter in model.trainable()} == {torch.float32}
    losses = [loss for _, loss in outcome.losses]  # of one batch each
    assert sum(losses[-20:]) < sum(losses[:20])
