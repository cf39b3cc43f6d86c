"""The packaged trunk is small, complete and a real XLM-R."""

from __future__ import annotations

import json

import pytest
import torch
from transformers import XLMRobertaForMaskedLM, XLMRobertaModel, XLMRobertaTokenizerFast

from adapter_stilts.formats.text import PlainText
from adapter_stilts.miniature.datasets import examples, trunk_folder
from adapter_stilts.miniature.languages import LANGUAGES

MOST = 4 * 1024 * 1024


def test_takes_at_most_four_megabytes() -> None:
    files = {path.name for path in trunk_folder().iterdir()}
    assert files >= {
        "README.md",
        "config.json",
        "model.safetensors",
        "special_tokens_map.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert {path.suffix for path in trunk_folder().iterdir()} == {".md", ".json", ".safetensors"}
    assert sum(path.stat().st_size for path in trunk_folder().iterdir()) <= MOST


def test_loads_as_any_other_xlm_r() -> None:
    assert json.loads((trunk_folder() / "config.json").read_text())["model_type"] == "xlm-roberta"
    model, loading = XLMRobertaModel.from_pretrained(trunk_folder(), add_pooling_layer=False, output_loading_info=True)
    assert not loading["missing_keys"]
    assert not loading["mismatched_keys"]
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


@pytest.mark.parametrize("language", LANGUAGES)
def test_has_a_piece_for_every_character_of_a_language(language: str) -> None:
    tokenizer = XLMRobertaTokenizerFast.from_pretrained(trunk_folder())
    for example in examples("mlm", "test", language):
        assert isinstance(example, PlainText)
        assert tokenizer.unk_token_id not in tokenizer(example.text)["input_ids"]


def test_keeps_the_conventions_of_xlm_r() -> None:
    tokenizer = XLMRobertaTokenizerFast.from_pretrained(trunk_folder())
    assert [tokenizer.bos_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id, tokenizer.unk_token_id] == [
        0,
        1,
        2,
        3,
    ]
    first, second = (
        tokenizer("Anna", add_special_tokens=False)["input_ids"],
        tokenizer("Peter", add_special_tokens=False)["input_ids"],
    )
    assert tokenizer("Anna", "Peter")["input_ids"] == [0, *first, 2, 2, *second, 2]


def test_fills_a_masked_word_better_than_by_chance() -> None:
    tokenizer = XLMRobertaTokenizerFast.from_pretrained(trunk_folder())
    model = XLMRobertaForMaskedLM.from_pretrained(trunk_folder(), dtype=torch.float32).eval()
    rows = [example.text for example in examples("mlm", "test", "en")[:20] if isinstance(example, PlainText)]
    losses = []
    for text in rows:
        ids = tokenizer(text, return_tensors="pt", truncation=True, max_length=128)["input_ids"]
        position = ids.shape[1] // 2
        masked = ids.clone()
        masked[0, position] = tokenizer.mask_token_id
        with torch.no_grad():
            losses.append(float(torch.nn.functional.cross_entropy(model(masked).logits[0, position], ids[0, position])))
    assert sum(losses) / len(losses) < 0.7 * float(torch.tensor(float(len(tokenizer))).log())
