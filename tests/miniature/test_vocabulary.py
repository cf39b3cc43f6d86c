import json

import pytest
from transformers import XLMRobertaTokenizerFast

from adapter_stilts.errors import TaskDataError
from adapter_stilts.miniature.vocabulary import train_tokenizer

TEXTS = {
    "en": [f"the small cat number {number} sleeps under the old table" for number in range(60)],
    "ru": [f"маленькая кошка номер {number} спит под старым столом" for number in range(6)],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("vocabulary")
    train_tokenizer(TEXTS, made, 150, seed=1)
    return made


def test_has_the_special_tokens_of_xlmr(folder):
    tokenizer = XLMRobertaTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    assert tokenizer.convert_tokens_to_ids(["<s>", "<pad>", "</s>", "<unk>"]) == [0, 1, 2, 3]
    assert tokenizer.mask_token_id == len(tokenizer) - 1
    assert len(tokenizer) <= 150
    a, b = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("the cat", "кошка"))
    assert tokenizer("the cat", "кошка")["input_ids"] == [0, *a, 2, 2, *b, 2]


def test_knows_the_characters_of_a_small_language(folder):
    tokenizer = XLMRobertaTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    assert 3 not in tokenizer("маленькая кошка спит")["input_ids"]


def test_is_the_same_every_time(folder, tmp_path):
    train_tokenizer(TEXTS, tmp_path, 150, seed=1)
    assert (tmp_path / "tokenizer.json").read_bytes() == (folder / "tokenizer.json").read_bytes()


def test_keeps_scores_falling_after_the_special_tokens(folder):
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    scores = [score for _, score in vocabulary[4:]]
    assert scores == sorted(scores, reverse=True)
    assert len({piece for piece, _ in vocabulary}) == len(vocabulary)


def test_refuses_to_make_a_vocabulary_of_nothing(tmp_path):
    with pytest.raises(TaskDataError, match="no text"):
        train_tokenizer({"en": []}, tmp_path, 100, seed=1)
