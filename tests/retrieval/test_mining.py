"""Mining is checked against the algorithm of XTREME and LASER written slowly, pair by pair, from its description."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter_stilts.errors import UnknownName
from adapter_stilts.retrieval.compared import pair_similarities
from adapter_stilts.retrieval.margin import margin_scores
from adapter_stilts.retrieval.mining import Pairs, mine, one_to_one
from adapter_stilts.retrieval.search import both_ways

MARGINS = {
    "ratio": lambda a, b: a / b,
    "distance": lambda a, b: a - b,
    "absolute": lambda a, b: a,
    "csls": lambda a, b: 2 * a - 2 * b,
}


def slowly(source, target, k, margin, retrieval):
    """(source, target, score) in the order found; one pair at a time, in float64, the lower number first among
    equals."""
    cosine = [[float(np.dot(x.astype(np.float64), y.astype(np.float64))) for y in target] for x in source]
    near_x = [sorted(range(len(target)), key=lambda j, i=i: (-cosine[i][j], j))[:k] for i in range(len(source))]
    near_y = [sorted(range(len(source)), key=lambda i, j=j: (-cosine[i][j], i))[:k] for j in range(len(target))]
    mean_x = [sum(cosine[i][j] for j in near) / len(near) for i, near in enumerate(near_x)]
    mean_y = [sum(cosine[i][j] for i in near) / len(near) for j, near in enumerate(near_y)]

    def score(i, j):
        below = (mean_x[i] + mean_y[j]) / 2
        if margin == "ratio" and below == 0:
            return np.inf if cosine[i][j] > 0 else -np.inf
        return MARGINS[margin](cosine[i][j], below)

    forward = []
    for i, near in enumerate(near_x):
        best = max(near, key=lambda j: score(i, j))
        forward.append((i, best, score(i, best)))
    backward = []
    for j, near in enumerate(near_y):
        best = max(near, key=lambda i: score(i, j))
        backward.append((best, j, score(best, j)))
    if retrieval == "forward":
        return sorted(forward, key=lambda pair: -pair[2])
    if retrieval == "backward":
        return sorted(backward, key=lambda pair: -pair[2])
    if retrieval == "intersection":
        return sorted([pair for pair in forward if backward[pair[1]][0] == pair[0]], key=lambda pair: -pair[2])
    kept, used_source, used_target = [], set(), set()
    for i, j, value in sorted(forward + backward, key=lambda pair: -pair[2]):
        if i not in used_source and j not in used_target:
            used_source.add(i)
            used_target.add(j)
            kept.append((i, j, value))
    return kept


def mined(source, target, k, margin, retrieval):
    return mine(*both_ways(source, target, k), margin=margin, retrieval=retrieval)


def assert_same(pairs, expected):
    assert list(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)) == [(i, j) for i, j, _ in expected]
    np.testing.assert_allclose(pairs.score, [value for _, _, value in expected], atol=1e-5)


MODES = ["max", "forward", "backward", "intersection"]


@pytest.mark.parametrize("retrieval", MODES)
@pytest.mark.parametrize("margin", list(MARGINS))
@pytest.mark.parametrize("seed", range(6))
def test_finds_the_pairs_that_the_slow_algorithm_finds(make_units, seed, margin, retrieval):
    shared = make_units(1000, 1) * 2  # a common direction, so that the means are positive as they are for sentences
    source, target = (make_units(seed + side, rows) + shared for side, rows in ((0, 23), (50, 31)))
    target[:15] = source[:15] + 0.5 * (target[:15] - shared)
    source, target = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (source, target))
    assert_same(mined(source, target, 4, margin, retrieval), slowly(source, target, 4, margin, retrieval))


@pytest.mark.parametrize("retrieval", MODES)
@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 16),
    m=st.integers(1, 16),
    k=st.sampled_from([1, 2, 4]),
    margin=st.sampled_from(sorted(MARGINS)),
)
def test_agrees_with_it_under_duplicates_and_ties(make_tied, retrieval, seed, n, m, k, margin):
    draw = np.random.default_rng(seed)
    source, target = make_tied(seed, n)[draw.integers(0, n, n)], make_tied(seed + 1, m)[draw.integers(0, m, m)]
    k = k if k <= min(n, m) else 1  # a mean over three would round, and ties with it
    pairs, expected = mined(source, target, k, margin, retrieval), slowly(source, target, k, margin, retrieval)
    assert list(zip(pairs.source.tolist(), pairs.target.tolist(), strict=True)) == [(i, j) for i, j, _ in expected]
    np.testing.assert_allclose(pairs.score, [value for _, _, value in expected], atol=1e-5)


def test_uses_no_sentence_twice_in_max_mode(make_units):
    pairs = mined(make_units(1, 40), make_units(2, 30), 4, "distance", "max")
    assert len(set(pairs.source.tolist())) == len(pairs) == len(set(pairs.target.tolist()))


def test_gives_the_best_pair_first(make_units):
    for retrieval in MODES:
        score = mined(make_units(1, 40), make_units(2, 30), 4, "distance", retrieval).score
        assert (np.diff(score) <= 0).all()


def test_keeps_pairs_at_a_threshold_and_drops_them_below_it():
    pairs = Pairs(np.arange(3), np.arange(3), np.array([1.2, 1.1, 1.0], dtype=np.float32))
    assert pairs.above(float(np.float32(1.1))).source.tolist() == [0, 1]


def test_compares_with_a_threshold_in_full_precision():
    score = np.array([1.0, np.nextafter(np.float32(1.0), np.float32(0))], dtype=np.float32)
    middle = (float(score[0]) + float(score[1])) / 2  # rounds to one of the two in float32
    assert len(Pairs(np.arange(2), np.arange(2), score).above(middle)) == 1


def test_scores_given_pairs_against_their_neighbourhoods(make_units):
    source, target = make_units(1, 20) + 0.5, make_units(2, 20) + 0.5
    source, target = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (source, target))
    forward, backward = both_ways(source, target, 4)
    cosines = source.astype(np.float64) @ target.astype(np.float64).T
    means = (np.sort(cosines, 1)[:, -4:].mean(1) + np.sort(cosines, 0)[-4:].mean(0)) / 2
    scores = margin_scores(pair_similarities(source, target), forward.mean, backward.mean)
    np.testing.assert_allclose(scores, np.diag(cosines) / means, atol=1e-5)


def test_suggests_the_nearest_mode(make_units):
    with pytest.raises(UnknownName, match="did you mean 'intersection'"):
        mined(make_units(1, 4), make_units(2, 4), 2, "ratio", "intersect")


PAIRS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=60)


def walked(pairs):
    kept, used_source, used_target = [], set(), set()
    for place, (source, target) in enumerate(pairs):
        if source not in used_source and target not in used_target:
            kept.append(place)
            used_source.add(source)
            used_target.add(target)
    return kept


@given(PAIRS)
def test_keeps_the_pairs_that_a_greedy_walk_keeps(pairs):
    columns = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    assert one_to_one(columns[:, 0], columns[:, 1]).tolist() == walked(pairs)


def test_follows_a_chain_that_is_longer_than_its_rounds():
    chain = [
        (number // 2 + number % 2, number // 2) for number in range(401)
    ]  # every pair shares a sentence with the next
    columns = np.array(chain)
    assert one_to_one(columns[:, 0], columns[:, 1]).tolist() == walked(chain) == list(range(0, 401, 2))
