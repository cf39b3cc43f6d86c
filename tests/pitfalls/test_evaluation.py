"""Faults of evaluation scripts in use, one test each: the test states the right behaviour."""

import inspect

import numpy as np
import pytest
from at_once import entity_f1

from adapter_stilts.errors import TaskDataError, UnknownName
from adapter_stilts.formats.base import formats
from adapter_stilts.formats.pair import Classified
from adapter_stilts.formats.pools import Pools
from adapter_stilts.metrics.answers import mlqa_text, squad_text, token_f1
from adapter_stilts.retrieval import mining
from adapter_stilts.retrieval.gold import Gold
from adapter_stilts.retrieval.mining import Pairs
from adapter_stilts.retrieval.pools import mine_pools, named
from adapter_stilts.retrieval.protocols import protocol
from adapter_stilts.retrieval.search import Neighbours


def mined_of(*scored):
    rows = np.array([(source, target) for source, target, _ in scored], dtype=np.int64)
    return Pairs(rows[:, 0], rows[:, 1], np.array([value for *_, value in scored], dtype=np.float32))


def gold_of(*pairs):
    return Gold.of(*np.array(pairs, dtype=np.int64).T, 10, 10)


def unit(vectors):
    vectors = np.array(vectors, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


# XTREME's BUCC script never defines its threshold, reuses dev's candidates for test, and has pooled the first token
# since 2021.


def test_never_mixes_the_candidates_of_dev_into_test():
    dev, test = mined_of((0, 1, 1.5), (2, 9, 1.1)), mined_of((3, 3, 1.4), (4, 4, 1.2))
    threshold = gold_of((0, 1)).best(dev).threshold
    assert threshold == pytest.approx(1.3)
    assert test.above(threshold).source.tolist() == [3]


def test_pools_bucc_by_the_mean_as_the_published_numbers_did():
    assert protocol("xtreme", "bucc2018").pool == "mean"


# XTREME and LASER: a gold pair whose sentence occurs twice can never be found, and the threshold search reads one past
# the end.


def test_finds_a_gold_pair_whose_sentence_occurs_twice():
    x, y = unit([[1, 0.1, 0.1], [0.1, 1, 0.1], [0.1, 1, 0.1]]), unit([[1, 0.1, 0.2], [0.1, 1, 0.2]])
    pools = Pools(
        "p", ("a", "b", "c"), ("one", "two", "two"), ("A", "B"), ("ONE", "TWO"), frozenset({("a", "A"), ("c", "B")})
    )
    ours, theirs = (named(mine_pools(x, y, pools, protocol(name, "bucc2018")), pools) for name in ("own", "xtreme"))
    assert ("c", "B") in ours
    assert ("c", "B") not in theirs  # kept for comparison with their numbers


@pytest.mark.parametrize("rule", ["any", "between"])
def test_ends_the_threshold_search_at_the_last_candidate(rule):
    mined, gold = mined_of((0, 1, 1.5), (1, 2, 1.2)), gold_of((0, 1), (1, 2))
    chosen = gold.best(mined, rule)
    assert chosen.threshold == pytest.approx(1.2)
    assert gold.measures(mined.above(chosen.threshold))[0].score == 1.0


# MTEB scores BUCC as top-1 accuracy over gold rows.


def test_counts_wrong_pairs_against_bucc_and_not_gold_rows_alone():
    mined = mined_of((0, 1, 1.5), (5, 2, 1.4), (6, 3, 1.3))
    f1, precision, recall = gold_of((0, 1)).measures(mined.above(0.0))
    assert (recall.score, precision.score, f1.score) == pytest.approx((1.0, 1 / 3, 0.5))


# sentence-transformers' example fits its threshold on the gold it then scores.


def test_never_calls_a_threshold_fitted_on_its_own_gold_a_score():
    mined, gold = mined_of((0, 1, 1.5), (1, 9, 1.4), (2, 3, 1.3)), gold_of((0, 1), (2, 3))
    dev, dev_gold = mined_of((3, 4, 1.45), (4, 9, 1.42)), gold_of((3, 4))
    threshold = dev_gold.best(dev).threshold
    held, oracle = gold.measures(mined.above(threshold)), gold.oracle(mined)
    assert [measure.metric for measure in held] == ["f1", "precision", "recall"]
    assert [measure.metric for measure in dev_gold.oracle(dev)] == ["f1-oracle", "precision-oracle", "recall-oracle"]
    assert held[0].score < oracle[0].score


# XTREME and LASER score candidates in a Python loop, about 150 times slower than the similarities the search already
# returned.


def test_scores_candidates_from_the_similarities_alone():
    assert not {"source", "target"} & set(inspect.signature(mining.mine).parameters)  # no vector comes near it
    table = np.array([[0.9, 0.8], [0.7, 0.2]], dtype=np.float32)
    number = np.array([[0, 1], [0, 1]])
    found = Neighbours(table, number)
    best = mining.best_partners(found, np.array([0.9, 0.5], dtype=np.float32), "ratio")
    # By hand: row 0 has mean 0.85: 0.9 / 0.875 against 0.8 / 0.675; row 1 has 0.45: 0.7 / 0.675 against 0.2 / 0.475.
    assert best.target.tolist() == [1, 0]
    assert best.score.tolist() == pytest.approx([0.8 / 0.675, 0.7 / 0.675])


# Chinese and Thai answers need their own normalisation; placeholder labels score 0.33 (XTREME threads 24, 28, 29, 38).


def test_gives_a_chinese_answer_its_characters_under_mlqa_and_says_so_under_squad():
    assert token_f1("在北京", ["北京"], squad_text) == 0.0
    assert token_f1("在北京", ["北京"], mlqa_text("zh")) == pytest.approx(0.8)


def test_never_normalises_thai_by_another_languages_rule():
    with pytest.raises(UnknownName, match="no MLQA language called 'th'"):
        mlqa_text("th")


def test_refuses_labels_that_are_placeholders():
    examples = [Classified(str(number), "a", "b", "contradiction") for number in range(150)]
    guesses = ["contradiction", "neutral", "entailment"] * 50
    with pytest.raises(TaskDataError, match="all 150 gold labels are 'contradiction': these are placeholders"):
        formats["pair"].score("accuracy", examples, guesses)


# seqeval 0.0.x and 1.2.2 disagree on bare part-of-speech tags.


def test_scores_bare_tags_by_the_rule_of_the_published_numbers():
    gold, guess = [["NOUN", "CCONJ", "VERB"]], [["NOUN", "SCONJ", "VERB"]]
    assert entity_f1(gold, guess) == pytest.approx(2 / 3)
    assert entity_f1(gold, guess, "1.2") == 1.0
