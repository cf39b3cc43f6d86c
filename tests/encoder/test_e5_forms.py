"""multilingual-e5-small, where it has been built, in XLM-R's form and in BERT's: the same vectors, and the library's.

Looked for in E5_SMALL, else in the cache under adapter-stilts/trunks/e5-small; XLM-R's form, 384 wide.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel, XLMRobertaModel
from trunk_forms import TEXTS

from adapter_stilts.encoder.model import AdapterEncoder
from adapter_stilts.encoder.trunk.loading import load_trunk

POSITIONS = "embeddings.position_embeddings.weight"
TYPES = "embeddings.token_type_embeddings.weight"


@pytest.fixture(scope="module")
def xlmr_form() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("E5_SMALL") or cache / "adapter-stilts" / "trunks" / "e5-small")
    if not (folder / "model.safetensors").is_file():
        pytest.skip("no e5-small is built here")
    return folder


def bert_form(folder: Path, out: Path) -> Path:
    """The same encoder as it is published: positions from 0, two types, padding said to be 0."""
    out.mkdir()
    tensors = load_file(folder / "model.safetensors")
    tensors[POSITIONS] = tensors[POSITIONS][2:].clone()
    tensors[TYPES] = torch.cat([tensors[TYPES], torch.ones_like(tensors[TYPES])])
    save_file({f"bert.{name}": tensor for name, tensor in tensors.items()}, out / "model.safetensors")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "bert", "architectures": ["BertModel"], "pad_token_id": 0, "type_vocab_size": 2}
    config |= {"max_position_embeddings": config["max_position_embeddings"] - 2}
    (out / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (out / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    return out


@pytest.mark.slow
@torch.no_grad()
def test_both_forms_give_the_same_vectors(xlmr_form: Path, tmp_path: Path) -> None:
    folders = {XLMRobertaModel: xlmr_form, BertModel: bert_form(xlmr_form, tmp_path / "bert")}
    states = []
    for library, folder in folders.items():
        trunk = load_trunk(str(folder), precision="fp32")
        assert trunk.config.max_length == 512
        words = trunk.tokenizer([f"query: {text}" for text in TEXTS], padding=True, return_tensors="pt")
        batch = {name: words[name] for name in ("input_ids", "attention_mask")}
        mask = batch["attention_mask"][..., None]
        ours = [state * mask for state in AdapterEncoder(trunk).eval().states(**batch)]
        model = library.from_pretrained(folder, add_pooling_layer=False, attn_implementation="sdpa").eval()
        theirs = model(**batch, output_hidden_states=True).hidden_states
        assert all(torch.allclose(one, other * mask, atol=1e-5) for one, other in zip(ours, theirs, strict=True))
        states.append(ours)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in zip(*states, strict=True))
