"""Two runs beside each other: what differs in their settings, and their scores over the same rows."""

from __future__ import annotations

import numpy as np
import pytest

from adapter_stilts.errors import UsageError
from adapter_stilts.runs.compare import compare_runs
from adapter_stilts.runs.results import read_results, read_scored
from adapter_stilts.statistics.gains import compare


def test_says_what_differs_and_by_how_much(trained):
    first, second = trained("nli", out="one"), trained("nli", out="two", training__learning_rate=0.02)
    document = compare_runs(first, second)
    assert document["settings"] == [{"key": "training.learning_rate", "values": [0.01, 0.02]}]
    (row,) = document["scores"]
    (one,), (other,) = read_results(first), read_results(second)
    assert (row["task"], row["split"], row["metric"], row["n"]) == ("nli", "validation", "accuracy", one.n)
    assert row["means"] == [one.score, other.score]
    assert row["difference"] == pytest.approx(other.score - one.score)
    scored = [{0: {"en": read_scored(folder, result)}} for folder, result in ((second, other), (first, one))]
    assert row["interval"] == compare(*scored, "ratio").interval
    assert np.isclose(row["languages"][0]["difference"], row["difference"])


def test_names_the_rows_that_differ(trained):
    first, second = trained("nli", out="one"), trained("single", out="two")
    with pytest.raises(UsageError, match=r"no score of the same task(.|\n)*eval RUN --tasks nli"):
        compare_runs(first, second)
    third = trained("nli", out="three", training__rows=10)
    keys = [row["key"] for row in compare_runs(first, third)["settings"]]
    assert "training.rows" in keys
