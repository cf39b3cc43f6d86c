"""Runs as AdapterHub's folders and back; equal logits inside the library `adapters`, where it is installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from encoder.library_modules import import_library
from safetensors.torch import load_file

from adapter_stilts.convert.verb import Taken, convert_from
from adapter_stilts.encoder.trunk.loading import load_trunk
from adapter_stilts.errors import ArtefactError, UsageError
from adapter_stilts.runs.build import finished_encoder, finished_models
from adapter_stilts.sharing.bundle import load_bundle

CASES = [
    ("nli", "seq_bn", {"reduction_factor": 4, "scaling": "learned"}),
    ("ner", "double_seq_bn", {"reduction_factor": 4, "ln_before": True}),
    ("qa", "par_bn", {"reduction_factor": 4, "leave_out": [0]}),
    ("choice", "seq_bn_inv", {"reduction_factor": 4, "non_linearity": "gelu"}),
    ("nli", "compacter", {"reduction_factor": 4}),
    ("nli", "lora", {"r": 4, "alpha": 6, "output_lora": True}),
    ("nli", "ia3", {}),
    ("nli", "prefix_tuning", {"prefix_length": 3, "bottleneck_size": 8}),
    ("nli", "mam", {"prefix_length": 3, "bottleneck_size": 8, "reduction_factor": 4}),
]


def silent():
    return lambda sentence: None


def ours(run: Path, trunk: Path):
    return finished_models(load_trunk(str(trunk), precision="fp32"), load_bundle(run))["head"]


def logits(output) -> torch.Tensor:
    return output.logits if "logits" in output else torch.stack([output.start_logits, output.end_logits], -1)


def same(run: Path, model, trunk: Path, texts) -> None:
    own = ours(run, trunk)
    choice = own.format.name == "choice"
    inside = slice(None) if own.format.head in ("sentence", "choice") else texts["attention_mask"].bool()
    with torch.no_grad():
        expected = own({name: tensor[None] for name, tensor in texts.items()} if choice else texts)
        given = logits(model.eval()(**{name: tensor.clone() for name, tensor in texts.items()}))
    torch.testing.assert_close(given[inside], expected[inside], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("task", "kind", "settings"), CASES)
def test_gives_equal_logits_in_the_library(task, kind, settings, made, converted, tiny_folder, texts):
    library = import_library()
    run = made(task, kind, settings)
    folder = converted(run, "adapterhub")
    model = library.AutoAdapterModel.from_pretrained(tiny_folder)
    model.load_adapter(str(folder), use_safetensors=True, set_active=True)
    same(run, model, tiny_folder, texts)


def test_gives_equal_logits_of_a_stack_with_a_fusion(made, converted, tiny_folder, texts):
    library = import_library()
    parents = [str(made(task, "seq_bn", {"reduction_factor": 4}, out=task)) for task in ("paraphrase", "ner")]
    run = made("nli", "seq_bn", {"reduction_factor": 4}, how="fuse", after=tuple(parents), fusion__target_adapter=True)
    folder = converted(run, "adapterhub")
    model = library.AutoAdapterModel.from_pretrained(tiny_folder)
    model.load_adapter_setup(str(folder), use_safetensors=True, set_active=True)
    same(run, model, tiny_folder, texts)


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize(
    ("kind", "settings"), [("seq_bn_inv", {"reduction_factor": 4}), ("lora", {"r": 4}), ("ia3", {}), ("par_bn", {})]
)
def test_reads_what_the_library_has_saved(kind, settings, safe, tiny_folder, texts, tmp_path):
    library = import_library()
    model = library.AutoAdapterModel.from_pretrained(tiny_folder)
    model.add_adapter("sw", config=library.AdapterConfig.load(kind, **settings), set_active=True)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".sw." in name:
                parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    model.save_adapter(str(tmp_path / "theirs"), "sw", use_safetensors=safe)
    convert_from(tmp_path / "theirs", "", tmp_path / "run", Taken(trunk=str(tiny_folder)), say=silent())
    encoder = finished_encoder(load_trunk(str(tiny_folder), precision="fp32"), load_bundle(tmp_path / "run"))
    with torch.no_grad():
        expected = model.eval()(**{name: tensor.clone() for name, tensor in texts.items()}).last_hidden_state
    torch.testing.assert_close(encoder.hidden(**texts), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("task", "kind", "settings"), [*CASES, ("single", "rslora", {"r": 4})])
def test_comes_back_bit_by_bit(task, kind, settings, made, converted, tiny_folder, tmp_path):
    run = made(task, kind, settings)
    back = tmp_path / "back"
    convert_from(converted(run, "adapterhub"), "", back, Taken(trunk=str(tiny_folder)), say=silent())
    before, after = load_bundle(run), load_bundle(back)
    for role in ("adapter", "head"):
        (one,), (other,) = before.of(role), after.of(role)
        assert one.tensors.keys() == other.tensors.keys()
        if kind != "rslora":
            assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)
    assert after.of("head")[0].facts == before.of("head")[0].facts
    if kind != "rslora":
        assert after.of("adapter")[0].facts["kind"] == kind


def rewritten(folder: Path, **changes: object) -> None:
    path = folder / "adapter_config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "config": {**content["config"], **changes}}))


def test_reads_the_names_of_the_years_before(made, converted, tiny_folder, tmp_path):
    run = made("nli", "seq_bn_inv", {"reduction_factor": 4})
    folder = converted(run, "adapterhub", head="")
    tensors = {
        name.replace("output.adapters", "output.layer_text_lang_adapters").replace(
            "invertible_adapters", "invertible_lang_adapters"
        ): tensor
        for name, tensor in load_file(folder / "adapter.safetensors").items()
    }
    torch.save(tensors, folder / "pytorch_adapter.bin")
    (folder / "adapter.safetensors").unlink()
    old = {"invertible_adapter": {"block_type": "nice", "non_linearity": "relu", "reduction_factor": 2}}
    rewritten(
        folder, **old, inv_adapter=None, inv_adapter_reduction_factor=None, reduction_factor=4, attention_type=None
    )
    convert_from(folder, "", tmp_path / "back", Taken(trunk=str(tiny_folder), language="sw"), say=silent())
    before, after = load_bundle(run).of("adapter")[0], load_bundle(tmp_path / "back").of("adapter")[0]
    assert (after.facts["kind"], after.facts["language"]) == ("seq_bn_inv", "sw")
    assert all(torch.equal(after.tensors[name], before.tensors[name]) for name in before.tensors)


def test_never_runs_a_pickle(made, converted, tiny_folder, tmp_path):
    folder = converted(made("nli", "seq_bn", {"reduction_factor": 4}), "adapterhub", head="")
    (folder / "adapter.safetensors").unlink()
    planted = tmp_path / "planted"
    # protocol 0: posix.system("touch ...")
    program = f"cposix\nsystem\n(S'touch {planted}'\ntR.".encode()
    (folder / "pytorch_adapter.bin").write_bytes(program)
    with pytest.raises(ArtefactError, match=r"the adapter's weights cannot be read(.|\n)*use_safetensors"):
        convert_from(folder, "", tmp_path / "back", Taken(trunk=str(tiny_folder)), say=silent())
    assert not planted.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_gating": True}, "use_gating is True"),
        ({"ln_after": True}, "ln_after is True"),
        ({"original_ln_before": False}, "original_ln_before is False"),
        ({"mystery": 3}, "mystery is 3"),
    ],
)
def test_names_the_key_that_it_cannot_do(changes, message, made, converted, tiny_folder, tmp_path):
    folder = converted(made("nli", "seq_bn", {"reduction_factor": 4}), "adapterhub", head="")
    rewritten(folder, **changes)
    with pytest.raises(ArtefactError, match=message):
        convert_from(folder, "", tmp_path / "back", Taken(trunk=str(tiny_folder)), say=silent())


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("dora", {}, "is of kind dora, which AdapterHub has not"),
        ("vera", {}, "is of kind vera"),
        ("lora", {"attn_matrices": ["o"]}, "attention's output projection"),
        ("full", {}, "is of kind full"),
    ],
)
def test_refuses_with_the_reason(kind, settings, message, made, converted):
    with pytest.raises(UsageError, match=message):
        converted(made("nli", kind, settings), "adapterhub")
