"""Expected chunks are worked out by hand from the rule; the slow oracle restates seqeval 0.0.x case by case."""

import numpy as np
import pytest
from at_once import entity_f1, token_accuracy
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.errors import TaskDataError, UnknownName
from adapter_stilts.metrics.tags import chunk_counts, chunks

# Two wrong tags of twelve: a run that begins too late, and a SCONJ for a CCONJ.
GOLD = ["DET", "NOUN", "NOUN", "SCONJ", "CCONJ", "VERB", "ADP", "DET", "NOUN", "CCONJ", "PRON", "PUNCT"]
GUESS = ["DET", "DET", "NOUN", "SCONJ", "CCONJ", "VERB", "ADP", "DET", "NOUN", "SCONJ", "PRON", "PUNCT"]


def oracle_chunks(tags, type_of):
    """One sentence at a time, every case of the rule on a line of its own."""
    found = []
    before, type_before, first = "O", None, None
    for place, tag in enumerate([*tags, "O"]):
        prefix, kind = tag[0], type_of(tag)
        changed = type_before != kind
        ends = False
        if before == "E":
            ends = True
        if before == "S":
            ends = True
        if before == "B" and prefix in ("B", "S", "O"):
            ends = True
        if before == "I" and prefix in ("B", "S", "O"):
            ends = True
        if before not in ("O", ".") and changed:
            ends = True
        if ends:
            found.append((type_before, first, place - 1))
        starts = prefix in ("B", "S")
        if before in ("E", "S", "O") and prefix in ("E", "I"):
            starts = True
        if prefix not in ("O", ".") and changed:
            starts = True
        if starts:
            first = place
        before, type_before = prefix, kind
    return found


def oracle_f1(gold, predicted):
    right = guessed = wanted = 0
    for one, other in zip(gold, predicted, strict=True):
        a, b = oracle_chunks(one, lambda tag: tag.split("-")[-1]), oracle_chunks(other, lambda tag: tag.split("-")[-1])
        right, guessed, wanted = right + len([chunk for chunk in b if chunk in a]), guessed + len(b), wanted + len(a)
    precision, recall = right / guessed if guessed else 0, right / wanted if wanted else 0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0


def test_merges_runs_of_one_bare_tag_but_not_those_that_begin_with_s():
    assert chunks([["NOUN", "NOUN", "SCONJ", "SCONJ", "VERB"]]) == [
        {("NOUN", 0, 1), ("SCONJ", 2, 2), ("SCONJ", 3, 3), ("VERB", 4, 4)}
    ]


def test_reads_entities_in_iob2():
    assert chunks([["B-PER", "I-PER", "O", "B-LOC", "B-LOC"]]) == [{("PER", 0, 1), ("LOC", 3, 3), ("LOC", 4, 4)}]


def test_takes_a_chunk_from_an_i_that_no_b_opened():
    assert chunks([["O", "I-ORG", "I-ORG", "I-PER"]]) == [{("ORG", 1, 2), ("PER", 3, 3)}]


def test_closes_every_sentence():
    assert chunks([["NOUN"], ["NOUN"]]) == [{("NOUN", 0, 0)}, {("NOUN", 2, 2)}]


def test_scores_the_worked_example_differently_under_the_two_rules():
    # By hand: 11 chunks on both sides; rule 0.0 loses DET, NOUN and CCONJ; rule 1.2 takes SCONJ and CCONJ for one type.
    assert entity_f1([GOLD], [GUESS], "0.0") == pytest.approx(8 / 11, abs=1e-12)
    assert entity_f1([GOLD], [GUESS], "1.2") == pytest.approx(9 / 11, abs=1e-12)
    assert token_accuracy([GOLD], [GUESS]) == pytest.approx(10 / 12)


def test_gives_the_third_decimals_of_the_protocol():
    assert [round(entity_f1([GOLD], [GUESS], rule), 3) for rule in ("0.0", "1.2")] == [0.727, 0.818]


def test_lets_no_chunk_end_between_x_and_o_under_rule_1_2_as_seqeval_does():
    # seqeval 1.2.2's own answer; X loses its only letter and then has the type of O.
    assert chunks([["X"], ["O", "X", "NOUN"]], "1.2") == [set(), {("_", 0, 3), ("OUN", 4, 4)}]


UPOS = ["NOUN", "VERB", "SCONJ", "CCONJ", "SYM", "X", "PUNCT", "DET", "O"]
ENTITIES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "E-PER", "S-ORG", "I-MISC-X"]


@pytest.mark.parametrize("tags", [UPOS, ENTITIES])
@given(data=st.data())
def test_agrees_with_the_slow_oracle(tags, data):
    lengths = data.draw(st.lists(st.integers(1, 8), min_size=1, max_size=4))
    gold, guess = (
        [data.draw(st.lists(st.sampled_from(tags), min_size=n, max_size=n)) for n in lengths] for _ in range(2)
    )
    assert entity_f1(gold, guess) == pytest.approx(oracle_f1(gold, guess), abs=1e-12)


@pytest.mark.parametrize(("version", "rule"), [("0.0", "0.0"), ("1.2", "1.2")])
def test_agrees_with_seqeval_where_it_is_installed(version, rule):
    seqeval = pytest.importorskip("seqeval.metrics", reason="seqeval is not installed")
    from importlib.metadata import version as installed

    if not installed("seqeval").startswith(version):
        pytest.skip(f"seqeval {version} is not installed")
    draw = np.random.default_rng(5)
    gold, guess = ([[str(tag) for tag in draw.choice(UPOS, n)] for n in [3, 8, 1, 20] * 10] for _ in range(2))
    assert entity_f1(gold, guess, rule) == pytest.approx(seqeval.f1_score(gold, guess), abs=1e-12)


def test_counts_by_sentence_what_it_counts_over_the_file():
    gold, guess = [["NOUN", "VERB"], ["DET", "NOUN", "NOUN"]], [["NOUN", "NOUN"], ["DET", "NOUN", "NOUN"]]
    assert chunk_counts(gold, guess).tolist() == [[0, 1, 2], [2, 2, 2]]


@pytest.mark.parametrize(
    ("gold", "guess", "message"),
    [
        ([["O"], ["O"]], [["O"]], "1 predicted sentences for 2 gold ones"),
        ([["O", "O"]], [["O"]], "1 predicted tags for 2 words\n  where: sentence 1"),
        ([["O", ""]], [["O", "O"]], "an empty tag"),
    ],
)
def test_refuses_tags_that_do_not_stand_beside_the_gold(gold, guess, message):
    with pytest.raises(TaskDataError, match=message):
        chunk_counts(gold, guess)


def test_suggests_the_nearest_rule():
    with pytest.raises(UnknownName, match=r"no chunk rule called '1\.2\.2'"):
        chunks([["O"]], "1.2.2")


def test_compares_types_whole_and_no_letter_of_a_bare_tag_under_the_rule_of_own_tasks():
    gold, guess = [["B-GPE-LOC", "O", "B-ORG"]], [["B-FAC-LOC", "O", "B-ORG"]]
    assert entity_f1(gold, guess, "own") == 0.5
    assert entity_f1(gold, guess, "0.0") == 1.0
    bare, other = [["O", "SYM", "SYM", "ORG"]], [["O", "SYM", "SYM", "O"]]
    assert entity_f1(bare, other, "own") == pytest.approx(2 / 3)  # O, SYM SYM, ORG against O, SYM SYM, O
    assert entity_f1([["B", "I", "O", "B"]], [["B", "I", "B", "O"]], "own") == 0.5
    assert entity_f1([["O", "O"]], [["O", "O"]], "own") == 0


@given(data=st.data())
def test_finds_the_same_entities_in_iob2_under_every_rule(data):
    tags = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    gold, guess = (data.draw(st.lists(st.sampled_from(tags), min_size=6, max_size=6)) for _ in range(2))
    assert entity_f1([gold], [guess], "own") == entity_f1([gold], [guess], "0.0")
