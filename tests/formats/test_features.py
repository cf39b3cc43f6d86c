"""Features and batches of all formats, against transformers' own encoding of the same texts."""

import pytest
import torch

from adapter_stilts.data.batches import collate
from adapter_stilts.data.feature import length
from adapter_stilts.errors import TaskDataError, UsageError
from adapter_stilts.formats.aligned import Bitext
from adapter_stilts.formats.base import Cut, formats
from adapter_stilts.formats.choice import MultipleChoice
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.tags import Tagged
from adapter_stilts.formats.text import PlainText

NLI = ("contradiction", "entailment", "neutral")
LONG = "The Panthers defense gave up just 308 points, ranking sixth in the league. "


def pairs():
    texts = [
        ("A man is riding", "a child"),
        (LONG * 3, "sixth"),
        ("sixth", LONG * 3),
        (LONG * 2, LONG * 2),
        ("黑豹队", "x"),
    ]
    return [Classified(str(number), *pair, NLI[number % 3]) for number, pair in enumerate(texts)]


@pytest.mark.parametrize("max_length", [16, 31, 32, 64])
def test_encodes_pairs_as_transformers_does(tokenizer, max_length):
    found = formats["pair"].features(pairs(), tokenizer, Cut(labels=NLI, max_length=max_length, training=True))
    for feature, row in zip(found, pairs(), strict=True):
        assert (
            list(feature.input_ids)
            == tokenizer(row.text, row.pair, truncation=True, max_length=max_length)["input_ids"]
        )
    assert [feature.target for feature in found] == [0, 1, 2, 0, 1]
    assert [(feature.row, feature.example) for feature in found] == [(number, number) for number in range(5)]


def test_encodes_single_texts_as_transformers_does(tokenizer):
    rows = [Classified("0", LONG, None, "b"), Classified("1", "x", None, "a")]
    found = formats["single"].features(rows, tokenizer, Cut(labels=("a", "b"), max_length=12, training=True))
    assert [list(feature.input_ids) for feature in found] == [
        tokenizer(row.text, truncation=True, max_length=12)["input_ids"] for row in rows
    ]
    assert [feature.target for feature in found] == [1, 0]


def test_pairs_the_prompt_with_every_choice(tokenizer):
    rows = [MultipleChoice("0", "Why? " + LONG, ("The league", LONG), 1), MultipleChoice("1", "Why?", ("a", "b"), -1)]
    found = formats["choice"].features(rows, tokenizer, Cut(max_length=24, training=False))
    for feature, row in zip(found, rows, strict=True):
        expected = [
            tokenizer(row.prompt, choice, truncation=True, max_length=24)["input_ids"] for choice in row.choices
        ]
        assert [list(ids) for ids in feature.input_ids] == expected
    assert [feature.target for feature in found] == [1, -100]
    assert length(found[0]) == 2 * 24


def test_refuses_questions_with_different_numbers_of_choices(tokenizer):
    rows = [MultipleChoice("0", "p", ("a", "b"), 0), MultipleChoice("1", "p", ("a", "b", "c"), 0)]
    with pytest.raises(TaskDataError, match="questions with 2 and with 3 choices"):
        formats["choice"].features(rows, tokenizer, Cut(max_length=24, training=False))


def test_chunks_text_and_loses_nothing(tokenizer):
    whole = tokenizer(LONG * 3, add_special_tokens=False)["input_ids"]
    found = formats["text"].features(
        [PlainText("0", LONG * 3), PlainText("1", "a", "b")], tokenizer, Cut(max_length=20, training=True)
    )
    chunks = [feature for feature in found if feature.example == 0]
    assert [id for chunk in chunks for id in chunk.input_ids[1:-1]] == whole
    assert all(len(chunk.input_ids) <= 20 for chunk in chunks)
    assert list(found[-1].input_ids) == tokenizer("a", "b")["input_ids"]


def test_refuses_to_train_without_labels_and_marks_them_unknown_otherwise(tokenizer):
    for format, row in (
        ("pair", Classified("7", "a", "b", "")),
        ("choice", MultipleChoice("7", "p", ("a", "b"), -1)),
        ("tags", Tagged("7", ("a",), ())),
    ):
        with pytest.raises(TaskDataError, match=r"without a label cannot be trained on(.|\n)*example '7'"):
            formats[format].features([row], tokenizer, Cut(labels=NLI, max_length=16, training=True))
        (feature,) = formats[format].features([row], tokenizer, Cut(labels=NLI, max_length=16, training=False))
        assert feature.target == (-100 if format != "tags" else (-100,) * len(feature.input_ids))


def test_refuses_a_label_the_head_does_not_have(tokenizer):
    with pytest.raises(TaskDataError, match=r"label 'neutrall' is not one of(.|\n)*did you mean 'neutral'"):
        formats["pair"].features(
            [Classified("0", "a", "b", "neutrall")], tokenizer, Cut(labels=NLI, max_length=16, training=False)
        )


def test_refuses_formats_that_train_nothing(tokenizer):
    with pytest.raises(UsageError, match="'aligned' is not trained"):
        formats["aligned"].features([Bitext("0", "a", "b")], tokenizer, Cut(max_length=16, training=True))


def test_pads_a_batch_and_says_where(tokenizer):
    found = formats["pair"].features(pairs(), tokenizer, Cut(labels=NLI, max_length=32, training=True))
    batch = collate([found[4], found[0]], tokenizer.pad_token_id)
    expected = tokenizer([("黑豹队", "x"), ("A man is riding", "a child")], padding=True, return_tensors="pt")
    assert batch["input_ids"].equal(expected["input_ids"])
    assert batch["attention_mask"].equal(expected["attention_mask"])
    assert batch["labels"].tolist() == [1, 0]
    assert batch["rows"].tolist() == [4, 0]
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_gives_choices_three_axes_and_tags_a_label_per_token(tokenizer):
    questions = [MultipleChoice("0", "Why?", ("a", "The league", "b"), 2)] * 2
    batch = collate(formats["choice"].features(questions, tokenizer, Cut(max_length=32, training=True)), 1)
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (2, 3, batch["input_ids"].shape[-1])
    assert batch["labels"].tolist() == [2, 2]
    sentences = [Tagged("0", ("The", "Panthers"), ("A", "B")), Tagged("1", ("x",), ("B",))]
    batch = collate(
        formats["tags"].features(sentences, tokenizer, Cut(labels=("A", "B"), max_length=32, training=True)), 1
    )
    assert batch["labels"].shape == batch["input_ids"].shape
    assert [[label for label in row if label != -100] for row in batch["labels"].tolist()] == [[0, 1], [1]]
    text = collate(formats["text"].features([PlainText("0", "a")], tokenizer, Cut(max_length=32, training=True)), 1)
    assert "labels" not in text
