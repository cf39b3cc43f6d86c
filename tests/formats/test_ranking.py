"""Queries and their positives as token ids, and batches of them."""

from __future__ import annotations

import torch

from adapter_stilts.data.batches import collate
from adapter_stilts.data.feature import length
from adapter_stilts.formats.base import Cut, formats
from adapter_stilts.formats.queries import Candidate, Query
from adapter_stilts.formats.ranking import candidate_features

PARAGRAPH = "A man is riding a red motorcycle. The Panthers defense gave up just 308 points."
RED = Candidate("c1", "A man is riding a red motorcycle.", PARAGRAPH)
PANTHERS = Candidate("c2", "The Panthers defense gave up just 308 points.", PARAGRAPH)
QUERIES = [
    Query("q1", "Who is riding?", RED),
    Query("q2", "How many points?", PANTHERS),
    Query("q3", "Which defense?", None),
    Query("q4", "What colour?", RED),
    Query("q5", "points", Candidate("c3", PANTHERS.text, PARAGRAPH)),  # the same text under another id
]


def made(tokenizer, training=True, max_length=128, query_length=16):
    return formats["ranking"].features(
        QUERIES, tokenizer, Cut(max_length=max_length, query_length=query_length, training=training)
    )


def test_encodes_both_sides_as_xlm_r_does(tokenizer):
    first = made(tokenizer)[0]
    assert list(first.input_ids) == tokenizer("Who is riding?")["input_ids"]
    assert list(first.candidate) == tokenizer(RED.text, PARAGRAPH)["input_ids"]
    assert length(first) == len(first.input_ids) + len(first.candidate)


def test_cuts_each_side_to_its_own_length(tokenizer):
    first = made(tokenizer, max_length=20, query_length=5)[0]
    assert list(first.input_ids) == tokenizer("Who is riding?", max_length=5, truncation=True)["input_ids"]
    assert (
        list(first.candidate) == tokenizer(RED.text, PARAGRAPH, max_length=20, truncation="longest_first")["input_ids"]
    )


def test_leaves_out_queries_without_a_positive_and_counts_them(tokenizer):
    assert [feature.example for feature in made(tokenizer)] == [0, 1, 3, 4]
    assert sum(map(formats["ranking"].misplaced, QUERIES)) == 1
    assert [feature.example for feature in made(tokenizer, training=False)] == [0, 1, 2, 3, 4]


def test_numbers_equal_positives_by_id_and_by_text(tokenizer):
    targets = [feature.target for feature in made(tokenizer)]
    assert targets == [(0, 0), (1, 1), (0, 0), (2, 1)]


def test_pads_the_two_sides_apart(tokenizer):
    rows = made(tokenizer)
    batch = collate(rows, tokenizer.pad_token_id)
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (4, max(len(row.input_ids) for row in rows))
    assert batch["candidate_ids"].shape == batch["candidate_mask"].shape == (4, max(len(row.candidate) for row in rows))
    assert batch["candidate_mask"].sum(1).tolist() == [len(row.candidate) for row in rows]
    assert torch.equal(batch["labels"], torch.tensor([[0, 0], [1, 1], [0, 0], [2, 1]]))


def test_reads_candidates_as_it_reads_queries(tokenizer):
    plain = Candidate("c9", "Panthers")
    rows = candidate_features([RED, plain], tokenizer, 128)
    assert list(rows[0].input_ids) == tokenizer(RED.text, PARAGRAPH)["input_ids"]
    assert list(rows[1].input_ids) == tokenizer("Panthers")["input_ids"]
    assert set(collate(rows, tokenizer.pad_token_id)) == {"input_ids", "attention_mask", "rows"}
