"""The row that every score ends in, in memory and in JSON."""

import pytest

from adapter_stilts.statistics.result import Result


def test_gives_the_keys_of_a_row_in_json():
    row = Result("tatoeba", "xtreme", "sw", "accuracy", 0.25, 390, (0.2, 0.3)).to_json()
    named = {"task": "tatoeba", "protocol": "xtreme", "language": "sw", "metric": "accuracy", "split": "test"}
    assert row == named | {"score": 0.25, "n": 390, "interval": [0.2, 0.3]}


def test_adds_settings_and_units_where_there_are_any():
    row = Result("bucc", "own", "de", "f1", 0.5, 10, settings={"layer": 4}, paths={"units": "units/de.npy"}).to_json()
    assert (row["settings"], row["units"], row["interval"]) == ({"layer": 4}, "units/de.npy", None)


@pytest.mark.parametrize(
    "result",
    [
        Result("xnli", "own", "sw", "accuracy", 0.5, 10, split=""),
        Result(
            *("panx", "jiant", "de", "f1", 0.25, 7, (0.125, 0.5), "validation", True, False),
            settings={"max_length": 128},
            data=[{"path": "a.tsv", "sha256": "00"}],
            paths={"predictions": "predictions/panx/test-de.tsv", "units": "units/panx/test-de.npy"},
            statistic="f1",
            hashes={"units": "ff"},
            notes={"substitutions": ["a note"], "words_lost": 3},
        ),
    ],
)
def test_comes_back_from_json_as_it_was(result):
    assert Result.from_json(result.to_json()) == result


def test_says_nothing_beside_a_score_where_there_is_nothing_to_say():
    result = Result("xnli", "own", "sw", "accuracy", 0.5, 10)
    assert result.with_notes(seen=[], leaks=["a leak"]).notes == {"leaks": ["a leak"]}


def test_tells_scores_of_other_settings_apart():
    result, other = (Result("bucc", "own", "de", "f1", 0.5, 10, settings={"layer": layer}) for layer in (4, 5))
    assert result.key != other.key
