"""The whole of mining two pools is checked against XTREME's steps written slowly; thresholds against trying every cut
in fractions."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_stilts.errors import StiltsError, TaskDataError
from adapter_stilts.formats.pools import Pools
from adapter_stilts.retrieval.gold import Gold
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.pools import gold_of, mine_pools, named
from adapter_stilts.retrieval.protocols import protocol

XTREME, JIANT, OWN = (protocol(name, "bucc2018") for name in ("xtreme", "jiant", "own"))


def pools_of(source, target, gold=()):
    ids = ([f"{side}-{number}" for number in range(len(texts))] for side, texts in (("s", source), ("t", target)))
    return Pools("p", tuple(next(ids)), tuple(source), tuple(next(ids)), tuple(target), frozenset(gold))


def slow_candidates(x, y, pools, duplicates):
    """Unify texts (first-seen order, the last vector), mine one-to-one by ratio margin over four neighbours, map texts
    to ids."""

    def unify(texts, vectors):
        last = dict(zip(texts, vectors, strict=True))  # in order of first appearance, with the last value
        return list(last), np.array(list(last.values()), dtype=np.float64)

    (texts_x, x), (texts_y, y) = unify(pools.source, x), unify(pools.target, y)
    cosine = x @ y.T
    near_x = [sorted(range(len(y)), key=lambda j, i=i: (-cosine[i, j], j))[:4] for i in range(len(x))]
    near_y = [sorted(range(len(x)), key=lambda i, j=j: (-cosine[i, j], i))[:4] for j in range(len(y))]
    mean_x = [np.mean([cosine[i, j] for j in near]) for i, near in enumerate(near_x)]
    mean_y = [np.mean([cosine[i, j] for i in near]) for j, near in enumerate(near_y)]
    ratio = [[cosine[i, j] / ((mean_x[i] + mean_y[j]) / 2) for j in range(len(y))] for i in range(len(x))]
    best = [(i, max(near, key=lambda j, i=i: ratio[i][j])) for i, near in enumerate(near_x)]
    best += [(max(near, key=lambda i, j=j: ratio[i][j]), j) for j, near in enumerate(near_y)]
    used_x, used_y, found = set(), set(), {}
    for i, j in sorted(best, key=lambda pair: -ratio[pair[0]][pair[1]]):
        if i in used_x or j in used_y:
            continue
        used_x.add(i)
        used_y.add(j)
        sources = [id for id, text in zip(pools.source_ids, pools.source, strict=True) if text == texts_x[i]]
        targets = [id for id, text in zip(pools.target_ids, pools.target, strict=True) if text == texts_y[j]]
        if ratio[i][j] > 0 and (duplicates == "expand" or (len(sources) == 1 and len(targets) == 1)):
            found |= {(source, target): ratio[i][j] for source in sources for target in targets}
    return found


@pytest.fixture
def pools_and_vectors(make_units):
    def make(seed, n=30, m=26, repeated=6):
        draw = np.random.default_rng(seed)
        x, y = (make_units(seed + side, rows) + make_units(9, 1) for side, rows in ((0, n), (99, m)))
        y[:15] = x[:15] + 0.2 * y[:15]
        x, y = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y))
        source, target = ([f"{side}{number}" for number in range(rows)] for side, rows in (("x", n), ("y", m)))
        for texts, vectors in ((source, x), (target, y)):
            for place in draw.integers(0, len(texts), repeated):
                original = int(draw.integers(0, len(texts)))
                texts[place], vectors[place] = texts[original], vectors[original]
        return pools_of(source, target, [(f"s-{i}", f"t-{i}") for i in range(15)]), x, y

    return make


@pytest.mark.parametrize("rules", [XTREME, JIANT, OWN], ids=lambda rules: rules.name)
@pytest.mark.parametrize("seed", range(8))
def test_finds_the_candidates_that_the_slow_steps_find(pools_and_vectors, seed, rules):
    pools, x, y = pools_and_vectors(seed)
    mined = mine_pools(x, y, pools, rules)
    expected, ids = slow_candidates(x, y, pools, rules.duplicates), named(mined, pools)
    assert len(ids) == len(set(ids))
    assert set(ids) == set(expected)
    np.testing.assert_allclose(mined.score, [expected[pair] for pair in ids], atol=1e-5)
    assert (np.diff(mined.score) <= 0).all()


def test_gives_a_repeated_text_all_its_ids_or_none(make_units):
    vectors = make_units(1, 6) + 0.5
    pools = pools_of(["a", "b", "c", "d", "e", "a"], ["A", "B", "C", "D", "E", "F"])
    x = vectors[[0, 1, 2, 3, 4, 0]] / np.linalg.norm(vectors[[0, 1, 2, 3, 4, 0]], axis=1, keepdims=True)
    y = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert {("s-0", "t-0"), ("s-5", "t-0")} <= set(named(mine_pools(x, y, pools, OWN), pools))
    assert not any(source in ("s-0", "s-5") for source, _ in named(mine_pools(x, y, pools, XTREME), pools))


ROWS = 20


def mined_of(scores):
    rows = np.arange(len(scores))
    return Pairs(rows, rows, np.array(sorted(scores, reverse=True), dtype=np.float32))


def gold_pairs(*pairs):
    return Gold.of(*np.array(pairs, dtype=np.int64).reshape(-1, 2).T, ROWS, ROWS)


def all_cuts(mined, gold, rule):
    """(F1 as a fraction, kept) of the best cut, the first of several."""
    best = (Fraction(0), 0)
    pairs = list(zip(mined.source.tolist(), mined.target.tolist(), strict=True))
    for kept in range(1, len(mined) + 1):
        if rule == "between" and kept < len(mined) and mined.score[kept - 1] == mined.score[kept]:
            continue
        f1 = Fraction(2 * len(set(pairs[:kept]) & set(gold)), kept + len(gold))
        best = max(best, (f1, kept), key=lambda cut: (cut[0], -cut[1]))
    return best


SCORES = st.lists(st.integers(1, 6).map(lambda number: number / 4), min_size=1, max_size=12)


@given(SCORES, st.sets(st.integers(0, 14), min_size=1, max_size=8), st.sampled_from(["any", "between"]))
def test_cuts_where_trying_every_cut_finds_the_best_f1(scores, gold, rule):
    mined, gold = mined_of(scores), {(number, number) for number in gold}
    chosen = gold_pairs(*gold).best(mined, rule)
    f1, kept = all_cuts(mined, gold, rule)
    assert chosen.f1 == pytest.approx(float(f1))
    if f1:
        last = kept == len(scores)
        assert chosen.threshold == (
            mined.score[-1] if last else (float(mined.score[kept - 1]) + float(mined.score[kept])) / 2
        )


@given(SCORES, st.sets(st.integers(0, 14), min_size=1, max_size=8))
def test_reaches_at_its_threshold_the_f1_it_was_chosen_for(scores, gold):
    mined, gold = mined_of(scores), gold_pairs(*((number, number) for number in gold))
    chosen = gold.best(mined, "between")
    assert gold.measures(mined.above(chosen.threshold))[0].score == pytest.approx(chosen.f1)


def test_counts_pairs_by_source_sentence():
    mined = Pairs(np.array([0, 1, 2]), np.array([1, 2, 9]), np.array([3, 2, 1], dtype=np.float32))
    f1, precision, recall = gold_pairs((0, 1), (2, 3), (3, 4)).measures(mined.above(0.5))
    # By hand: 1 right of 3 mined and 3 gold.
    assert [measure.score for measure in (f1, precision, recall)] == pytest.approx([1 / 3, 1 / 3, 1 / 3])
    assert (f1.n, f1.units[:4].tolist()) == (3, [[1, 1, 1], [0, 1, 0], [0, 1, 1], [0, 0, 1]])
    assert f1.units.shape == (ROWS, 3)
    assert not f1.units[4:].any()


def test_scores_nothing_found_as_nought():
    f1, precision, recall = gold_pairs((1, 2)).measures(mined_of([1.0]).above(2.0))
    assert (f1.score, precision.score, recall.score) == (0.0, 0.0, 0.0)


def test_applies_the_threshold_of_dev_to_test_and_names_the_oracles(pools_and_vectors):
    (dev_pools, *dev_vectors), (test_pools, *test_vectors) = pools_and_vectors(1), pools_and_vectors(2)
    dev, test = mine_pools(*dev_vectors, dev_pools, OWN), mine_pools(*test_vectors, test_pools, OWN)
    threshold, gold = gold_of(dev_pools).best(dev, OWN.threshold).threshold, gold_of(test_pools)
    held, oracle = gold.measures(test.above(threshold)), gold.oracle(test, OWN.threshold)
    assert [measure.metric for measure in held] == ["f1", "precision", "recall"]
    assert [measure.metric for measure in oracle] == ["f1-oracle", "precision-oracle", "recall-oracle"]
    assert held[0].score <= oracle[0].score
    kept = set(named(test.above(threshold), test_pools))
    scored = zip(named(test, test_pools), test.score.tolist(), strict=True)
    assert kept == {pair for pair, score in scored if score >= threshold}
    correct = len(kept & test_pools.gold)
    assert held[0].score == pytest.approx(2 * correct / (len(kept) + len(test_pools.gold)))


def test_refuses_gold_without_a_pair():
    with pytest.raises(TaskDataError, match="no gold pair"):
        gold_pairs().best(mined_of([1.0]))
    with pytest.raises(TaskDataError, match="no gold pair"):
        gold_pairs().measures(mined_of([1.0]))


def test_refuses_another_number_of_vectors_than_sentences(make_units):
    with pytest.raises(StiltsError, match="3 and 2 vectors for pools of 2 and 2 sentences"):
        mine_pools(make_units(1, 3), make_units(2, 2), pools_of(["a", "b"], ["A", "B"]), OWN)


def test_centres_only_when_asked(pools_and_vectors):
    pools, *vectors = pools_and_vectors(1)
    plain, centred = (mine_pools(*vectors, pools, replace(OWN, centring=centring)) for centring in (False, True))
    assert not np.allclose(plain.score[: len(centred.score)], centred.score[: len(plain.score)])
