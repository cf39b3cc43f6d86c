"""Scores as tables, and JSON that every reader takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from adapter_stilts_cli import render

from adapter_stilts.runs.evaluate import Evaluated
from adapter_stilts.runs.results import Means, TaskMean
from adapter_stilts.statistics.result import Result


def test_writes_values_as_people_read_them():
    assert [render.cell(value) for value in (None, True, 1234567, 0.123456, ("a", "b"), "two\nlines")] == [
        "",
        "yes",
        "1 234 567",
        "0.1235",
        "a b",
        "two lines",
    ]


def test_writes_json_of_paths_tuples_and_numpy(capsys, tmp_path):
    render.document(
        {
            "path": tmp_path,
            "pair": (1, 2),
            "mean": np.float32(0.5),
            "n": np.int64(3),
            "none": float("nan"),
            "set": {"b", "a"},
            "text": "ü",
        }
    )
    found = json.loads(capsys.readouterr().out)
    assert found == {
        "path": str(tmp_path),
        "pair": [1, 2],
        "mean": 0.5,
        "n": 3,
        "none": None,
        "set": ["a", "b"],
        "text": "ü",
    }


def test_prints_no_table_where_there_is_no_score(capsys):
    render.finish(Evaluated(Path("runs/a")), as_json=False)
    assert capsys.readouterr().out == "run  runs/a\n"


def test_tells_settings_once_and_gives_rows_and_means_their_letter(capsys):
    plain = Result("tatoeba", "own", "fi", "accuracy", 0.5, 10, (0.1, 0.3))
    rows = [
        replace(plain, language=code, score=0.2, settings={"layer": layer, "k": 4})
        for layer in (7, 8)
        for code in ("de", "sw")
    ]
    of_two, of_one = TaskMean("own", "test", {"k": 4, "layer": 8}, 0.2, 2), TaskMean("own", "test", {}, 0.2, 1)
    render.results([*rows, plain], Means({"tatoeba": (of_two,), "one": (of_one,)}, None, None))
    said = capsys.readouterr().out.split("\n")
    assert [line.split()[-1] for line in said[2:7]] == ["a", "a", "b", "b", "10"]
    assert said[8].split() == ["task", "protocol", "languages", "score", "settings"]
    assert said[9].split() == ["tatoeba", "own", "2", "20.0", "b"]
    assert said[10:12] == ["settings a: layer 7, k 4", "settings b: layer 8, k 4"]


def test_counts_on_after_z():
    rows = [Result("t", "own", "de", "f1", 0.2, 1, settings={"layer": layer}) for layer in range(28)]
    assert [render._letter(number) for number in (0, 25, 26, 27, 52)] == ["a", "z", "aa", "ab", "ba"]
    render.results(rows)


def test_puts_the_majority_beside_scores_that_have_one_and_marks_one_class(capsys):
    row = Result("xnli", "own", "sw", "accuracy", 0.34, 500, (0.3, 0.383), headline=True)
    render.results([row])
    assert "majority" not in capsys.readouterr().out
    alike = replace(row, language="de").with_notes(majority=0.34, chance=1 / 3, one_class=True)
    render.results([row.with_notes(majority=0.336), alike, replace(row, metric="f1")])
    lines = capsys.readouterr().out.split("\n")
    assert [line.split("  ")[0].strip() for line in lines[2:5]] == ["xnli", "xnli *", "xnli"]
    assert lines[1].split()[-2:] == ["majority", "n"]
    assert [line.split()[-2:] for line in lines[2:5]] == [["33.6", "500"], ["34.0", "500"], ["38.3", "500"]]
    assert lines[5] == "* xnli de test: every prediction is the same, as of a run that did not learn"
