"""Which run to build on: states of the right places, an order with its doubt, and "none" among the answers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from adapter_stilts_cli.app import app
from typer.testing import CliRunner

from adapter_stilts.config.load import with_settings
from adapter_stilts.config.schema import RunConfig
from adapter_stilts.data.feature import Feature
from adapter_stilts.errors import StiltsError, UsageError
from adapter_stilts.reporting import Silent
from adapter_stilts.seeding import Seeds
from adapter_stilts.studies.recommend import (
    NONE,
    RESAMPLES,
    Source,
    _advice,
    _centred,
    _places,
    _Read,
    _scored,
    recommend,
)

TARGETS = ("nli", "choice", "ner", "qa")


def places(format: str, *features: Feature) -> list[tuple[int, int, int, int]]:
    return list(_places(features, format, Seeds(1).python("places")))


def test_reads_the_states_that_a_head_reads():
    pair = [Feature(0, 4, (0, 7, 2), target=1), Feature(1, 5, (0, 8, 2), target=-100)]
    assert places("pair", *pair) == [(0, 0, 1, 4)]
    choice = [Feature(0, 0, ((0, 2), (0, 3)), target=1), Feature(1, 1, ((0, 4), (0, 5)), target=0)]
    assert places("choice", *choice) == [(0, 0, 0, 0), (1, 0, 1, 0), (2, 0, 1, 1), (3, 0, 0, 1)]
    tags = Feature(0, 2, (0, 7, 8, 9, 2), target=(-100, 3, -100, 0, -100))
    assert places("tags", tags) == [(0, 1, 3, 2), (0, 3, 0, 2)]
    span = [Feature(0, 0, (0, 5, 6, 7, 8, 2), target=(2, 4)), Feature(1, 0, (0, 5, 2), target=(0, 0))]
    found = places("span", *span)
    assert found[:2] == [(0, 2, 1, 0), (0, 4, 2, 0)]
    assert {(target, row) for row, _, target, _ in found[2:]} == {(0, 0)}
    assert {token for _, token, _, _ in found[2:]} <= {1, 3, 5}


def test_an_answer_counts_by_how_it_differs_from_the_others():
    features = [Feature(0, 0, ((0,), (0,))), Feature(1, 1, ((0,), (0,), (0,)))]
    centred = _centred(np.arange(10.0).reshape(5, 2), features)
    assert np.allclose(centred[:2].sum(0), 0)
    assert np.allclose(centred[2:].sum(0), 0)


@pytest.fixture
def given(data):
    """What `recommend` reads of a target's files."""
    return lambda task: with_settings(RunConfig(), {"data.sources": data(task, 60, 30)})


@pytest.mark.parametrize("target", TARGETS)
def test_ranks_runs_and_the_trunk_alone_for_every_format(trained, given, target):
    runs = [trained("nli", out="a"), trained("paraphrase", out="b", adapter__kind="lora")]
    found = recommend(target, runs, given(target), report=Silent())
    assert sorted(source.name for source in found.sources) == ["a", "b", NONE]
    evidence = [source.evidence for source in found.sources]
    assert evidence == sorted(evidence, reverse=True)
    assert sum(source.best for source in found.sources) == pytest.approx(1)
    assert [source.name for source in found.sources if source.ahead is None] == [NONE]
    for source in found.sources:
        if source.ahead:
            assert source.ahead[1] <= source.ahead[2]
            assert source.rows == 24
    assert recommend(target, runs, given(target), report=Silent()) == found


def test_prefers_states_that_tell_the_labels_and_resamples_whole_examples():
    draw = np.random.default_rng(0)
    targets, owners = draw.integers(0, 3, 400), np.repeat(np.arange(100), 4)
    noise = draw.normal(size=(3, 400, 6))
    noise[1, :, :3] += 2 * np.eye(3)[targets]
    evidence, again = _scored([_Read(states, targets, owners) for states in noise], 3)
    assert evidence.argmax() == 1
    assert again.shape == (RESAMPLES, 3)
    assert (again.argmax(1) == 1).all()
    assert abs(again[:, 1].mean() - evidence[1]) < 0.1
    whole = _scored([_Read(noise[0], targets, np.zeros(400, dtype=np.int64))], 3)
    assert np.allclose(whole[1], whole[0])  # one example alone is drawn again as it is


def test_reads_validation_rows_of_the_languages_asked_for(trained, given):
    run = trained("nli", out="a")
    found = recommend("nli", [run], given("nli"), languages=("en",), rows=20, report=Silent())
    assert found.rows == 20
    assert recommend("nli", [run], given("nli"), rows=20, report=Silent()).sources != found.sources


def test_refuses_what_cannot_be_ranked(trained, given):
    run = trained("nli", out="a")
    with pytest.raises(UsageError, match="no run to choose among"):
        recommend("nli", [], given("nli"), report=Silent())
    for target in ("tatoeba", "mlm"):
        with pytest.raises(UsageError, match="has no labels that states could be compared with"):
            recommend(target, [run], RunConfig(), report=Silent())
    with pytest.raises(UsageError, match="two runs are called 'a'"):
        recommend("nli", [run, run], given("nli"), report=Silent())
    with pytest.raises(StiltsError, match="no such"):
        recommend("nli", [run.parent / "nothing"], given("nli"), report=Silent())


def test_says_no_more_than_the_rows_tell_apart():
    trunk = Source(NONE, "", -0.5, None, 0.0, 0, 0.0)
    sure = Source("a", "x", -0.3, (0.2, 0.1, 0.3), 0.99, 9, 1.0)
    near = Source("b", "y", -0.31, (0.19, 0.1, 0.3), 0.4, 9, 1.0)
    assert _advice([sure, trunk]) == "build on a"
    assert _advice([trunk, sure]).startswith("none: no run's states")
    unsure = Source("a", "x", -0.45, (0.05, -0.1, 0.2), 0.6, 9, 1.0)
    assert _advice([unsure, trunk]) == "none: a is not surely ahead of the trunk alone on these rows"
    first = Source("a", "x", -0.3, (0.2, 0.1, 0.3), 0.6, 9, 1.0)
    assert _advice([first, near, trunk]) == "build on a, or on b: these rows do not tell them apart"


def test_prints_a_table_and_what_a_script_reads(trained, data):
    run = trained("nli", out="a")
    words = ["recommend", str(run), "--target", "nli", *(f"--data={source}" for source in data("nli", 60, 30))]
    shown = CliRunner().invoke(app, words, catch_exceptions=False)
    assert shown.exit_code == 0
    assert "over none" in shown.stdout
    assert "nli, 60 rows: " in shown.stdout
    document = json.loads(CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False).stdout)
    assert {row["name"] for row in document["results"]} == {"a", NONE}
