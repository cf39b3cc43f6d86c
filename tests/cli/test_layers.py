"""Scores at several layers are one table: layers down, languages across, the best and the protocol's own marked."""

from __future__ import annotations

import numpy as np
import pytest
from adapter_stilts_cli import layers

from adapter_stilts.statistics.result import Result


@pytest.fixture
def row(tmp_path):
    def make(layer, language, score, headline=True):
        name = f"{layer}-{language}-{score}.npy"
        np.save(tmp_path / name, np.stack([np.arange(40) < 40 * score, np.ones(40)], axis=1).astype(float))
        settings = {"layer": layer, "protocol_layer": 1, "pool": "mean"}
        facts = {"headline": headline, "settings": settings, "paths": {"units": name}, "statistic": "ratio"}
        return Result("tatoeba", "own", language, "accuracy", score, 40, (score - 0.1, score + 0.1), **facts)

    return make


def test_has_a_row_for_each_layer_and_a_column_for_each_language(row, tmp_path, capsys):
    rows = [
        row(layer, code, score)
        for layer, scores in ((1, (0.2, 0.4)), (2, (0.5, 0.7)))
        for code, score in zip(("de", "sw"), scores, strict=True)
    ]
    rows.append(row(2, "de", 0.9, headline=False))
    layers.show(layers.of_several(rows), tmp_path)
    lines = [line.split() for line in capsys.readouterr().out.split("\n") if line]
    assert lines[0] == ["tatoeba", "(accuracy,", "own,", "test)"]
    assert lines[1] == ["layer", "mean", "95", "%", "interval", "de", "sw"]
    assert lines[2][:3] == ["1", "default", "30.0"]
    assert lines[2][-2:] == ["20.0", "40.0"]
    assert lines[3][:3] == ["2", "best", "60.0"]
    low, high = float(lines[3][3]), float(lines[3][5])
    assert 40 < low < 60 < high < 80  # an item that is right in both languages counts once
    assert "n 80 in all" in " ".join(lines[4])


def test_names_the_lowest_and_the_highest_of_many_languages(row, tmp_path, capsys):
    rows = [row(layer, f"x{number}", number / 20) for layer in (1, 2) for number in range(12)]
    layers.show(layers.of_several(rows), tmp_path)
    out = capsys.readouterr().out
    assert "x0 0.0" in out
    assert "x11 55.0" in out


def test_leaves_a_task_alone_that_was_read_at_one_layer(row):
    assert layers.of_several([row(1, "de", 0.5), row(1, "sw", 0.5)]) == []
