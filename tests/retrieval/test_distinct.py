"""Repeated sentences, worked out by hand and against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.errors import DoesNotFit
from adapter_stilts.retrieval.blocks import Held
from adapter_stilts.retrieval.distinct import by_first_rows, by_vectors, distinct, drop, expand, once
from adapter_stilts.retrieval.mining import Pairs

TEXTS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=12)


def pairs_of(triples):
    source, target, score = zip(*triples, strict=True) if triples else ((), (), ())
    return Pairs(np.array(source, dtype=np.int64), np.array(target, dtype=np.int64), np.array(score, dtype=np.float64))


def as_tuples(pairs):
    return list(zip(pairs.source.tolist(), pairs.target.tolist(), pairs.score.tolist(), strict=True))


def test_takes_the_last_vector_of_a_repeated_text():
    found = distinct(["a", "b", " a ", "c", "b"])
    assert found.of_line.tolist() == [0, 1, 0, 2, 1]
    assert found.rows.tolist() == [2, 4, 3]
    assert found.count.tolist() == [2, 2, 1]
    assert found.lines.tolist() == [0, 2, 1, 4, 3]
    assert found.first.tolist() == [0, 1, 3]


def test_leaves_blank_lines_out():
    found = by_first_rows(np.array([0, 1, 0, 1, 4]), np.array([False, True, False, True, False]))
    assert found.rows.tolist() == [0, 4]
    assert found.of_line.tolist() == [0, -1, 0, -1, 1]
    assert found.lines.tolist() == [0, 2, 4]


@given(TEXTS, TEXTS, st.integers(0, 100))
def test_gives_every_line_of_a_text(left_texts, right_texts, seed):
    left, right = distinct(left_texts), distinct(right_texts)
    draw = np.random.default_rng(seed)
    triples = [
        (int(draw.integers(len(left.rows))), int(draw.integers(len(right.rows))), float(-number)) for number in range(5)
    ]
    lines = [
        [[line for line, text in enumerate(side.of_line) if text == one] for one in range(len(side.rows))]
        for side in (left, right)
    ]
    every = [(a, b, score) for one, other, score in triples for a in lines[0][one] for b in lines[1][other]]
    assert as_tuples(expand(pairs_of(triples), left, right)) == every
    assert as_tuples(once(pairs_of(triples), left, right)) == [
        (lines[0][a][0], lines[1][b][0], score) for a, b, score in triples
    ]
    single = [
        (lines[0][a][0], lines[1][b][0], score) for a, b, score in triples if len(lines[0][a]) == len(lines[1][b]) == 1
    ]
    assert as_tuples(drop(pairs_of(triples), left, right)) == single


def test_refuses_more_pairs_of_lines_than_anybody_wants():
    left = right = distinct(["thank you"] * 20_000)
    with pytest.raises(DoesNotFit, match="1 pairs of texts are 400000000 pairs of lines.*(.|\n)*--duplicates once"):
        expand(pairs_of([(0, 0, 1.0)]), left, right)


def test_expands_nothing_to_nothing():
    assert len(expand(pairs_of([]), distinct(["a"]), distinct(["b"]))) == 0


def test_tells_vectors_apart_by_their_bytes(make_units):
    vectors = make_units(1, 5000)
    numbers = np.random.default_rng(3).integers(0, 1000, 5000)
    vectors = vectors[numbers]
    vectors[7, 0] = np.nextafter(vectors[7, 0], np.float32(2))
    _, first, of_line = np.unique(vectors, axis=0, return_index=True, return_inverse=True)
    found = by_vectors(Held(vectors))
    assert found.rows.tolist() == sorted(first.tolist())
    assert np.array_equal(found.rows[found.of_line], first[of_line.ravel()])


def test_takes_minus_nought_for_nought():
    assert by_vectors(Held(np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, -1.0]], dtype=np.float32))).of_line.tolist() == [
        0,
        0,
        1,
    ]
