import json
import math

import pytest
import torch

from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import ArtefactError, ConfigError, Interrupted, UsageError
from adapter_stilts.formats.base import Cut, formats
from adapter_stilts.formats.text import PlainText
from adapter_stilts.runs.pretrain import Recipe, pretrain
from adapter_stilts.training.interrupt import StopSignal
from adapter_stilts.training.plan import feature_data, masker

NAMES = ["Anna", "Boris", "Clara", "David", "Emil", "Fatma", "Greta", "Hugo"]
THINGS = {"apple": "Apfel", "book": "Buch", "lamp": "Lampe", "chair": "Stuhl", "cup": "Tasse"}
RECIPE = Recipe(
    steps=150,
    vocabulary=120,
    layers=2,
    hidden=32,
    heads=2,
    max_length=32,
    learning_rate=5e-3,
    token_budget=600,
    checkpoint_steps=20,
    aligned_start=True,
)


@pytest.fixture(scope="module")
def texts():
    english = [f"{name} sees the {thing} and takes it ." for name in NAMES for thing in THINGS]
    german = [f"{name} sieht {thing} und nimmt es ." for name in NAMES for thing in THINGS.values()]
    both = zip(german, english, strict=True)
    return {
        "en": [PlainText(str(row), text) for row, text in enumerate(english)],
        "de": [PlainText(str(row), *pair) for row, pair in enumerate(both)],
    }


@pytest.fixture(scope="module")
def made(texts, tmp_path_factory):
    out = tmp_path_factory.mktemp("trunk")
    return out, pretrain(texts, out, RECIPE, device="cpu")


def test_makes_a_trunk_that_loads(made):
    out, outcome = made
    trunk = load_trunk(str(out), precision="fp32")
    assert (trunk.config.num_hidden_layers, trunk.config.hidden_size, trunk.config.max_length) == (2, 32, 32)
    assert trunk.config.vocab_size == len(trunk.tokenizer) <= 120
    assert trunk.tokenizer("Anna sees", "Anna sieht")["input_ids"].count(2) == 3
    assert trunk.mask_head is not None
    assert trunk.config.hidden_dropout_prob == 0.1
    assert {path.name for path in out.iterdir()} == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "metrics.jsonl",
        "pretraining.json",
    }
    assert outcome.stopped_by == "steps"


def test_saves_the_weights_and_the_head_that_learned(made, texts):
    """The saved trunk under its own saved head has the loss that training ended with, on fresh masks."""
    out, outcome = made
    last = outcome.losses[-1][1]
    trunk = load_trunk(str(out), precision="fp32")
    assert last < 0.6 * math.log(trunk.config.vocab_size)
    model = TaskModel(
        AdapterEncoder(trunk),
        build_head("text", trunk.config.hidden_size, trunk.config.vocab_size, seed=1, mask_head=trunk.mask_head),
        "text",
    ).eval()
    rows = formats["text"].features(
        [row for language in texts.values() for row in language], trunk.tokenizer, Cut(max_length=32, training=True)
    )
    prepare = masker(
        trunk.config.vocab_size, trunk.tokenizer.mask_token_id, tuple(trunk.tokenizer.all_special_ids), RECIPE.mask_rate
    )
    data = feature_data(rows, formats["text"], trunk.config.pad_token_id, prepare)
    masks = torch.Generator().manual_seed(1)
    with torch.no_grad():  # few rows of few words: one draw of masks says little
        drawn = [model.loss_parts(data.prepare(data.collate(range(len(rows))), masks)) for _ in range(20)]
    loss = sum(float(one.total) for one in drawn) / sum(one.targets for one in drawn)
    assert loss == pytest.approx(last, abs=0.4)  # here each row stands alone, where training joined neighbours


def test_says_what_the_trunk_was_made_of(made):
    facts = json.loads((made[0] / "pretraining.json").read_text())
    assert facts["recipe"]["pair_share"] == 0.5
    assert facts["steps"] == 150
    assert (facts["languages"]["de"]["pairs"], facts["languages"]["en"]["texts"]) == (40, 40)


def test_does_nothing_where_it_is_made(made, texts):
    assert pretrain(texts, made[0], RECIPE, device="cpu") is None


def test_refuses_a_folder_of_another_recipe(made, texts):
    with pytest.raises(UsageError, match="another recipe or of other texts"):
        pretrain(texts, made[0], Recipe(steps=61), device="cpu")


def test_continues_after_an_interruption_to_the_same_bytes(made, texts, tmp_path):
    stop = StopSignal()
    with pytest.raises(Interrupted):
        pretrain(
            texts, tmp_path, RECIPE, device="cpu", stop=stop, progress=lambda one: one.step == 33 and stop.request()
        )
    with pytest.raises(ArtefactError, match="another configuration"):
        pretrain(texts, tmp_path, Recipe(steps=61), device="cpu")
    pretrain(texts, tmp_path, RECIPE, device="cpu")
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert (tmp_path / name).read_bytes() == (made[0] / name).read_bytes()


def test_wants_to_know_how_long():
    with pytest.raises(ConfigError, match="neither steps nor minutes"):
        Recipe()
