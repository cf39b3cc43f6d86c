"""The row as it is written to results.json."""

from pathlib import Path

from adapter_stilts.statistics.result import Result


def test_gives_the_keys_of_a_row_in_json():
    row = Result("tatoeba", "xtreme", "sw", "accuracy", 0.25, 390, (0.2, 0.3)).to_dict()
    named = {"task": "tatoeba", "protocol": "xtreme", "language": "sw", "metric": "accuracy", "split": "test"}
    assert row == named | {"score": 0.25, "n": 390, "interval": [0.2, 0.3]}


def test_adds_settings_and_units_where_there_are_any():
    row = Result("bucc", "own", "de", "f1", 0.5, 10, settings={"layer": 4}, units=Path("units") / "bucc-de.npy").to_dict()
    assert (row["settings"], row["units"], row["interval"]) == ({"layer": 4}, "units/bucc-de.npy", None)
