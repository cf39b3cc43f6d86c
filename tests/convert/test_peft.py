"""Runs as peft's folders and back: equal outputs and logits inside peft, equal bytes of tensors here."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
import transformers
from peft import IA3Config, LoraConfig, PeftModel, VeraConfig, get_peft_model

from adapter_stilts.convert.verb import Taken, convert_from
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import ArtefactError, StiltsError, UsageError
from adapter_stilts.runs.build import finished_encoder, finished_models
from adapter_stilts.sharing.bundle import load_bundle

# peft's, of transformers
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")

EVERYWHERE = {"attn_matrices": ["q", "k", "v", "o"], "intermediate_lora": True, "output_lora": True}
CASES = [
    ("nli", "lora", {"r": 4, "alpha": 6}),
    ("ner", "lora", {"r": 4, "leave_out": [0], "output_lora": True}),
    ("nli", "rslora", {"r": 4, **EVERYWHERE}),
    ("qa", "dora", {"r": 4, "attn_matrices": ["v"], "output_lora": True}),
    ("ner", "vera", {"r": 4, "intermediate_lora": True, "projection_seed": 3}),
    ("choice", "ia3", {"output_lora": True}),
    ("nli", "ia3_ff", {"leave_out": [1]}),
]


def silent():
    return lambda sentence: None


def theirs(auto: str, folder: Path, trunk: Path, **more: object):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # of keys that are missing
        plain = getattr(transformers, auto).from_pretrained(trunk, **more)
        return PeftModel.from_pretrained(plain, folder).eval()


@pytest.mark.parametrize(("task", "kind", "settings"), CASES)
def test_gives_equal_logits_in_peft_and_comes_back_bit_by_bit(
    task, kind, settings, made, converted, tiny_folder, texts, tmp_path
):
    run = made(task, kind, settings)
    bundle = load_bundle(run)
    folder = converted(run, "peft")
    assert not list(folder.glob("*.bin"))
    (head,) = bundle.of("head")
    model = finished_models(load_trunk(str(tiny_folder), precision="fp32"), bundle)["head"]
    labels = {"num_labels": len(head.facts["labels"])} if head.facts["labels"] else {}
    auto = {"nli": "SequenceClassification", "ner": "TokenClassification", "qa": "QuestionAnswering"}
    other = theirs(f"AutoModelFor{auto.get(task, 'MultipleChoice')}", folder, tiny_folder, **labels)
    batch = texts if task != "choice" else {name: tensor[None] for name, tensor in texts.items()}
    with torch.no_grad():
        expected, given = model(batch), other(**batch)
        if task == "qa":
            given, inside = torch.stack([given.start_logits, given.end_logits], -1), texts["attention_mask"].bool()
            torch.testing.assert_close(given[inside], expected[inside], rtol=0, atol=1e-5)
        else:
            torch.testing.assert_close(given.logits, expected, rtol=0, atol=1e-5)
    back = tmp_path / "back"
    convert_from(folder, "", back, Taken(trunk=str(tiny_folder)), say=silent())
    returned = load_bundle(back)
    for role in ("adapter", "head"):
        (one,), (other_part,) = bundle.of(role), returned.of(role)
        assert one.tensors.keys() == other_part.tensors.keys()
        assert all(torch.equal(one.tensors[name], other_part.tensors[name]) for name in one.tensors)
    assert returned.of("head")[0].facts == head.facts
    assert returned.of("adapter")[0].facts["kind"] == kind


def test_goes_without_a_head_into_a_plain_model(made, converted, tiny_folder, texts):
    run = made("nli", "lora", {"r": 4})
    folder = converted(run, "peft", head="")
    other = theirs("AutoModel", folder, tiny_folder, add_pooling_layer=False)
    encoder = finished_encoder(load_trunk(str(tiny_folder), precision="fp32"), load_bundle(run))
    torch.testing.assert_close(other(**texts).last_hidden_state, encoder.hidden(**texts), rtol=0, atol=1e-5)


def test_writes_loras_that_add_up_as_one(made, converted, tiny_folder, texts):
    first = made("paraphrase", "rslora", {"r": 2, "leave_out": [0]}, out="first")
    run = made("nli", "lora", {"r": 3, "attn_matrices": ["k", "v"]}, how="stack", after=(str(first),), out="second")
    folder = converted(run, "peft", head="")
    assert json.loads((folder / "adapter_config.json").read_text())["r"] == 5
    encoder = finished_encoder(load_trunk(str(tiny_folder), precision="fp32"), load_bundle(run))
    other = theirs("AutoModel", folder, tiny_folder, add_pooling_layer=False)
    torch.testing.assert_close(other(**texts).last_hidden_state, encoder.hidden(**texts), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("task", "kind", "wanted", "message"),
    [
        ("nli", "seq_bn", {}, "is of kind seq_bn, and peft has lora, rslora, dora, vera, ia3"),
        ("mlm", "lora", {}, r"the head 'head' \(text\) has no equal in transformers(.|\n)*--no-head"),
        ("nli", "lora", {"head": "heads"}, "did you mean 'head'"),
        ("nli", "lora", {"adapter": "nly"}, "did you mean 'nli'"),
    ],
)
def test_refuses_with_the_reason(task, kind, wanted, message, made, converted):
    with pytest.raises(UsageError, match=message):
        converted(made(task, kind), "peft", **wanted)


def foreign(config, trunk: Path, folder: Path):
    """A folder that peft itself has written, with weights that matter, and its model."""
    plain = transformers.AutoModel.from_pretrained(trunk, add_pooling_layer=False)
    model = get_peft_model(plain, config).eval()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize(
    "config",
    [
        LoraConfig(r=4, lora_alpha=5),
        LoraConfig(r=4, target_modules=["query", "attention.output.dense"], layers_to_transform=[1], use_rslora=True),
        LoraConfig(
            r=4,
            target_modules=r".*layer\.(0\.attention\.self\.(query|key)|1\.output\.dense)",
            rank_pattern={"key": 2},
            alpha_pattern={r"layer\.1\.output\.dense": 16},
        ),
        LoraConfig(r=4, target_modules="all-linear", exclude_modules=["key"], use_dora=True, lora_alpha=5),
        LoraConfig(r=4, rank_pattern={"value": 3}, use_dora=True, use_rslora=True, fan_in_fan_out=False),
        VeraConfig(r=4, target_modules=["query", "intermediate.dense"], projection_prng_key=9),
        IA3Config(target_modules=["key", "value", "intermediate.dense"], feedforward_modules=[]),
        IA3Config(target_modules=["key", "value", "output.dense"], feedforward_modules=["output.dense"]),
        IA3Config(target_modules=["key", "intermediate.dense"], feedforward_modules=r".*intermediate\.dense"),
    ],
    ids=lambda config: str(config.peft_type),
)
def test_reads_what_peft_has_written(config, tiny_folder, texts, tmp_path):
    model = foreign(config, tiny_folder, tmp_path / "theirs")
    convert_from(tmp_path / "theirs", "peft", tmp_path / "run", Taken(trunk=str(tiny_folder)), say=silent())
    encoder = finished_encoder(load_trunk(str(tiny_folder), precision="fp32"), load_bundle(tmp_path / "run"))
    with torch.no_grad():
        expected = model(**texts).last_hidden_state
        torch.testing.assert_close(encoder.hidden(**texts), expected, rtol=0, atol=1e-5)
        encoder.activate(None)
        assert (expected - encoder.hidden(**texts)).abs().max() > 1e-3


def rewritten(folder: Path, **changes: object) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"peft_type": "LOHA"}, "peft_type is LOHA"),
        ({"bias": "all"}, "bias is 'all'"),
        ({"lora_bias": True}, "lora_bias is True"),
        ({"init_lora_weights": "pissa_niter_4"}, "init_lora_weights is 'pissa_niter_4'"),
        ({"layer_replication": [[0, 1]]}, "layer_replication is"),
        ({"trainable_token_indices": [3]}, "trainable_token_indices is"),
        ({"made_up_tomorrow": {"by": 3}}, "made_up_tomorrow is"),
        ({"target_modules": ["query"]}, "'.*value' has weights, and target_modules do not name it"),
        ({"target_modules": ["query", "key", "value"]}, "'.*key' is one of target_modules, and has no weights"),
        ({"r": 8}, "rank_pattern and r say 8"),
    ],
)
def test_names_the_key_that_it_cannot_do(changes, message, tiny_folder, tmp_path):
    foreign(LoraConfig(r=4), tiny_folder, tmp_path / "theirs")
    rewritten(tmp_path / "theirs", **changes)
    with pytest.raises(ArtefactError, match=message):
        convert_from(tmp_path / "theirs", "", tmp_path / "run", Taken(trunk=str(tiny_folder)), say=silent())
    assert not (tmp_path / "run" / "manifest.json").exists()


def test_never_reads_a_pickle(tiny_folder, tmp_path):
    foreign(LoraConfig(r=4), tiny_folder, tmp_path / "theirs")
    (tmp_path / "theirs" / "adapter_model.safetensors").rename(tmp_path / "theirs" / "adapter_model.bin")
    with pytest.raises(ArtefactError, match="adapter_model.bin is a pickle(.|\n)*safe_serialization"):
        convert_from(tmp_path / "theirs", "", tmp_path / "run", Taken(trunk=str(tiny_folder)), say=silent())


def test_becomes_a_part_of_a_composition(trained, tiny_folder, tmp_path):
    foreign(LoraConfig(r=4), tiny_folder, tmp_path / "their.lora")
    convert_from(tmp_path / "their.lora", "", tmp_path / "run", Taken(trunk=str(tiny_folder)), say=silent())
    bundle = load_bundle(trained("nli", how="stack", after=(str(tmp_path / "run"),), adapter__kind="seq_bn"))
    assert bundle.manifest.composition == "stack(their-lora, nli)"


def test_keeps_what_is_not_its_own(made, converted, tmp_path):
    run = made("nli", "lora")
    (tmp_path / "converted").mkdir()
    (tmp_path / "converted" / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(StiltsError, match="the folder is not empty"):
            converted(run, "peft", overwrite=overwrite)
    converted(run, "peft", out="other")
    with pytest.raises(StiltsError, match="--overwrite"):
        converted(run, "peft", out="other")
    converted(run, "peft", out="other", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
