"""How reports look: whole in a pipe, as wide as a terminal, one language in full and several in a table."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from adapter_stilts_cli import report as printed
from rich.cells import cell_len

from adapter_stilts.statistics.report import by_length, classes_of

LONG = "a very long sentence of many words " * 9


def report(language="sw", labels=("yes", "no")):
    gold, said = [*labels, labels[0]], [*labels, labels[1]]
    texts = {"id": "2", "text": LONG, "pair": "short"}
    mistake = texts | {"gold": labels[0], "predicted": labels[1], "probability": 0.987}
    facts = {"task": "nli", "protocol": "own", "language": language, "split": "test", "settings": {}}
    facts |= {"metric": "accuracy", "score": 2 / 3, "n": 3, "notes": []}
    return facts | classes_of(gold, said, "rows") | {"mistakes": [mistake] * 7}


@pytest.fixture
def terminal(monkeypatch):
    """`terminal(80)`: standard output is a terminal of that width."""

    def make(width):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(width))

    return make


def test_prints_everything_of_one_language_and_cuts_nothing_in_a_pipe(capsys):
    printed.show([report()])
    shown = capsys.readouterr().out
    assert "nli sw: by class, counted in rows" in shown
    assert "nli sw: predicted (across) for gold (down), in rows" in shown
    assert "the most confident mistakes, 5 of 7" in shown
    assert " 98.7  no, gold yes" in shown
    assert shown.count(LONG.strip()) == 5


def test_prints_a_row_for_each_of_several_languages(capsys):
    printed.show([report("sw"), report("yo") | {"settings": {"limit": 3}}])
    shown = capsys.readouterr().out
    assert "nli by language, F1 of each class, percent" in shown
    assert "by class, counted" not in shown
    assert "--languages sw" in shown


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("labels", [("yes", "no"), [f"class number {n}" for n in range(16)], ["赞成" * 5, "反对" * 5]])
def test_keeps_to_the_width_of_the_terminal(terminal, capsys, width, labels):
    terminal(width)
    printed.show([report(labels=labels)])
    lines = re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert sum("very long sentence" in line for line in lines) <= 10
    assert any(line.endswith(" ...") for line in lines) == (width == 80)


def test_breaks_long_answers_too(terminal, capsys):
    terminal(80)
    made = report()
    made["mistakes"] = [made["mistakes"][0] | {"predicted": "an answer " * 12}]
    printed.detail(made)
    assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines() if "an answer" in line)


def test_prints_scores_by_length(capsys):

    lengths = by_length([1, 1, 9], np.array([[1, 1], [1, 1], [0, 1]]), "ratio", "accuracy", "tokens of an input")
    printed.detail(report() | {"lengths": lengths})
    shown = capsys.readouterr().out.split("by length\n")[1]
    assert [line.split() for line in shown.splitlines()[1:3]] == [["1", "100.0", "2"], ["9", "0.0", "1"]]
