"""Every family of trunks against transformers' own classes: hidden states and gradients, and what a folder may hold."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForMaskedLM, PreTrainedTokenizerFast
from trunk_forms import FORMS, TEXTS, write_form

from adapter_stilts.data.pieces import cut_texts, marks
from adapter_stilts.encoder.heads import build_head
from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.task_model import TaskModel
from adapter_stilts.encoder.trunk.loading import Trunk, load_trunk, save_trunk

PAIRS = [(TEXTS[0], TEXTS[1]), (TEXTS[6], TEXTS[7]), (TEXTS[5], None)]


@pytest.fixture(scope="module", params=list(FORMS))
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_form(request.param, tmp_path_factory.mktemp("forms") / request.param)


def load(folder: Path, **options: Any) -> Trunk:
    return load_trunk(str(folder), **{"precision": "fp32"} | options)


def library(folder: Path, kind: Any = AutoModel, **options: Any) -> Any:
    return kind.from_pretrained(folder, attn_implementation="sdpa", **options).eval()


def their_batch(folder: Path, trunk: Trunk) -> dict[str, torch.Tensor]:
    """Two pairs and a text by the tokenizer's own template, token types among them where the family has several."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    rows = [tokenizer(*(text for text in pair if text), return_token_type_ids=True) for pair in PAIRS]
    longest = max(len(row["input_ids"]) for row in rows)
    padding = {"input_ids": trunk.config.pad_token_id, "attention_mask": 0, "token_type_ids": 0}
    batch = {
        name: torch.tensor([row[name] + [fill] * (longest - len(row[name])) for row in rows])
        for name, fill in padding.items()
    }
    if trunk.config.model_type != "bert":
        del batch["token_type_ids"]
    return batch


def ours(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: batch[name] for name in ("input_ids", "attention_mask")}


def states(model: Any, batch: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """transformers' hidden states; the last is what the model gives, which in ModernBERT is normalised once more."""
    given = model(**batch, output_hidden_states=True)
    return [*given.hidden_states[:-1], given.last_hidden_state]


def close(one: torch.Tensor, other: torch.Tensor, mask: torch.Tensor) -> bool:
    return torch.allclose(one * mask[..., None], other * mask[..., None], rtol=1e-5, atol=1e-5)


def test_gives_the_librarys_hidden_states(folder: Path) -> None:
    trunk = load(folder)
    batch = their_batch(folder, trunk)
    with torch.no_grad():
        theirs = states(library(folder), batch)
        mine = AdapterEncoder(trunk).eval().states(**ours(batch))
    assert len(mine) == len(theirs) == trunk.config.num_hidden_layers + 1
    assert all(close(one, other, batch["attention_mask"]) for one, other in zip(mine, theirs, strict=True))
    assert all(not torch.allclose(one, other, atol=0.1) for one, other in itertools.pairwise(mine))


def test_gives_the_librarys_gradients(folder: Path) -> None:
    trunk = load(folder)
    batch = their_batch(folder, trunk)
    shape = (*batch["input_ids"].shape, trunk.config.hidden_size)
    weights = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    weights *= batch["attention_mask"][..., None]
    reference = library(folder, pad_token_id=trunk.config.pad_token_id)  # padding's row has no gradient
    (states(reference, batch)[-1] * weights).sum().backward()
    encoder = AdapterEncoder(trunk).eval()
    encoder.base = copy.deepcopy(trunk.model).requires_grad_(True)  # as the whole trunk is trained: every row is there
    (encoder.hidden(**ours(batch)) * weights).sum().backward()
    wanted = {name: parameter.grad for name, parameter in reference.named_parameters() if "pooler" not in name}
    mine = {name: parameter.grad for name, parameter in encoder.base.named_parameters()}
    assert set(mine) == set(wanted)
    for name, gradient in wanted.items():
        assert torch.allclose(mine[name], gradient, rtol=1e-4, atol=1e-5 * float(gradient.abs().max())), name


def test_puts_the_tokenizers_marks_around_texts(folder: Path) -> None:
    trunk = load(folder)
    reference = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    rows = cut_texts(trunk.tokenizer, PAIRS, 128)
    assert [list(row) for row in rows] == [reference(*(text for text in pair if text))["input_ids"] for pair in PAIRS]
    short = cut_texts(trunk.tokenizer, PAIRS, 16)
    assert [len(row) for row in short] == [16, 16, min(16, len(rows[2]))]
    assert marks(trunk.tokenizer).before == (trunk.tokenizer.cls_token_id,)


def test_has_the_librarys_masked_lm_head(folder: Path) -> None:
    trunk = load(folder)
    if trunk.mask_head is None:
        assert not any("predictions" in name or "head" in name for name in load_file(folder / "model.safetensors"))
        return
    batch = their_batch(folder, trunk)
    head = build_head("text", 32, trunk.config.vocab_size, 1, trunk.mask_head)
    model = TaskModel(AdapterEncoder(trunk), head, "text").eval()
    with torch.no_grad():
        theirs = library(folder, AutoModelForMaskedLM)(**batch).logits[batch["attention_mask"].bool()]
        assert torch.allclose(model(ours(batch)), theirs, rtol=1e-3, atol=1e-3)


def test_saves_what_the_library_reads(folder: Path, tmp_path: Path) -> None:
    trunk = load(folder)
    save_trunk(trunk, tmp_path / "again")
    again = load(tmp_path / "again")
    assert (again.fingerprint, again.config) == (trunk.fingerprint, trunk.config)
    batch = their_batch(folder, trunk)
    with torch.no_grad():
        theirs = states(library(tmp_path / "again"), batch)[-1]
        assert close(AdapterEncoder(again).eval().hidden(**ours(batch)), theirs, batch["attention_mask"])


def rename(folder: Path, out: Path, names: Callable[[str], str]) -> Path:
    out.mkdir()
    for name in ("config.json", "tokenizer.json"):
        (out / name).write_bytes((folder / name).read_bytes())
    tensors = load_file(folder / "model.safetensors")
    save_file({names(name): tensor for name, tensor in tensors.items()}, out / "model.safetensors")
    return out


def test_reads_the_names_of_the_first_berts(tmp_path: Path) -> None:
    folder = write_form("mbert", tmp_path / "mbert")

    def old(name: str) -> str:
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    renamed = load(rename(folder, tmp_path / "old", old))
    assert renamed.fingerprint == load(folder).fingerprint
    assert renamed.mask_head is not None


def test_pads_with_what_the_tokenizer_pads_with_where_positions_do_not_hang_on_it(tmp_path: Path) -> None:
    folder = write_form("e5", tmp_path / "e5")
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["pad_token_id"] == 0
    trunk = load(folder)
    assert (trunk.config.pad_token_id, trunk.config.eos_token_id) == (1, 2)
    assert trunk.config.max_length == 128
