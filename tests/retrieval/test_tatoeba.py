"""Accuracies are checked against XTREME's rule by brute force: L2 over all pairs, the English sentence asking."""

from dataclasses import replace

import numpy as np
import pytest

from adapter_stilts.errors import StiltsError
from adapter_stilts.retrieval.protocols import protocol
from adapter_stilts.retrieval.tatoeba import repeated, tatoeba

PROTOCOL = protocol("xtreme", "tatoeba")


@pytest.fixture
def aligned(make_units):
    def make(seed, rows=60):
        foreign = make_units(seed, rows)
        english = foreign + make_units(seed + 500, rows) * 1.2
        return foreign, english / np.linalg.norm(english, axis=1, keepdims=True)

    return make


def by_distance(queries, base):
    distances = ((queries[:, None, :].astype(np.float64) - base[None, :, :]) ** 2).sum(-1)
    return distances.argmin(1)


@pytest.mark.parametrize("seed", range(5))
def test_asks_with_every_english_sentence_by_l2_distance(aligned, seed):
    foreign, english = aligned(seed)
    found = tatoeba(foreign, english, PROTOCOL)
    nearest = by_distance(english, foreign)
    assert np.array_equal(found.predictions, nearest)
    assert found.measures[0].metric == "accuracy"
    assert found.measures[0].score == (nearest == np.arange(60)).mean()
    assert 0.2 < found.measures[0].score < 1  # neither trivial nor hopeless


def test_reports_the_other_direction_and_the_mean_under_their_own_names(aligned):
    foreign, english = aligned(7)
    scores = {one.metric: one.score for one in tatoeba(foreign, english, PROTOCOL).measures}
    onward, back = ((by_distance(*sides) == np.arange(60)).mean() for sides in ((english, foreign), (foreign, english)))
    assert onward != back
    assert [scores[name] for name in ("accuracy", "accuracy-xx-en", "accuracy-mean")] == pytest.approx(
        [onward, back, (onward + back) / 2]
    )


def test_reports_the_margin_over_four_neighbours(aligned):
    foreign, english = (side + 0.6 for side in aligned(8))
    foreign, english = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (foreign, english))
    cosine = english.astype(np.float64) @ foreign.astype(np.float64).T
    below = (np.sort(cosine, 1)[:, -4:].mean(1)[:, None] + np.sort(cosine, 0)[-4:].mean(0)[None]) / 2
    ratio = np.where(cosine >= np.sort(cosine, 1)[:, [-4]], cosine / below, -np.inf)
    scores = {one.metric: one.score for one in tatoeba(foreign, english, PROTOCOL).measures}
    assert scores["accuracy-margin"] == (ratio.argmax(1) == np.arange(60)).mean()
    assert {"accuracy-margin-xx-en", "accuracy-margin-mean"} <= set(scores)


def test_gives_a_unit_per_english_query(aligned):
    found = tatoeba(*aligned(9), PROTOCOL)
    assert found.measures[0].units.tolist() == [
        [float(guess == line), 1.0] for line, guess in enumerate(found.predictions)
    ]
    assert all(one.units.sum(0)[0] / one.units.sum(0)[1] == pytest.approx(one.score) for one in found.measures)


def test_turns_around_where_the_protocol_says_so(aligned):
    foreign, english = aligned(7)
    turned = tatoeba(foreign, english, replace(PROTOCOL, direction="xx->en"))
    assert (
        turned.measures[0].score
        == {one.metric: one.score for one in tatoeba(foreign, english, PROTOCOL).measures}["accuracy-xx-en"]
    )
    assert turned.measures[1].metric == "accuracy-en-xx"


def test_centres_each_side_only_when_asked(aligned):
    foreign, english = (side + shift for side, shift in zip(aligned(3), (0.1, -0.2), strict=True))
    foreign, english = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (foreign, english))
    moved = [side - side.mean(0) for side in (foreign, english)]
    moved = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in moved]
    plain, centred = (
        tatoeba(foreign, english, replace(PROTOCOL, centring=centring)).predictions for centring in (False, True)
    )
    assert np.array_equal(plain, by_distance(english, foreign))
    assert np.array_equal(centred, by_distance(moved[1], moved[0]))
    assert not np.array_equal(plain, centred)


def test_does_with_fewer_sentences_than_neighbours(make_units):
    vectors = make_units(1, 2)
    assert tatoeba(vectors, vectors, PROTOCOL).measures[0].score == 1.0


def test_takes_equal_sentences_for_equal_answers_under_own_alone(make_units):
    texts = ["yes", "no", "yes", "why", "no", "yes"]
    place = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    vectors = make_units(4, 3)[[place[text] for text in texts]]
    own = tatoeba(vectors, vectors, protocol("own", "tatoeba"), (texts, texts))
    assert {measure.score for measure in own.measures} == {1.0}
    by_line = tatoeba(vectors, vectors, PROTOCOL, (texts, texts))
    assert by_line.measures[0].score == 0.5  # the first of each is found: 3 of 6


def test_takes_either_translation_of_a_sentence_that_has_two(make_units):
    english, foreign = ["hello", "bread", "hello"], ["hallo", "Brot", "servus"]
    ours, theirs = make_units(5, 2)[[0, 1, 0]], make_units(5, 3)
    found = tatoeba(theirs, ours, protocol("own", "tatoeba"), (foreign, english))
    translations = {"hello": ("hallo", "servus"), "bread": ("Brot",)}
    rows = zip(found.predictions.tolist(), english, strict=True)
    right = [foreign[row] in translations[text] for row, text in rows]
    assert found.measures[0].units[:, 0].tolist() == right


def test_counts_the_lines_that_repeat_another_on_either_side():
    assert repeated((["a", "b", "a", "c"], ["x", "y", "z", "y"])) == 2


def test_refuses_sides_of_unlike_length(make_units):
    with pytest.raises(StiltsError, match="3 foreign and 4 English vectors"):
        tatoeba(make_units(1, 3), make_units(1, 4), PROTOCOL)
