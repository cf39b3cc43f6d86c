"""Every line of Python in the README, docs/python.md and its notebook runs, from top to bottom, as it says."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE = BLOCK.findall((DOCS / "python.md").read_text("utf-8"))
README = BLOCK.findall((DOCS.parent / "README.md").read_text("utf-8"))
CELLS = [
    "".join(cell["source"])
    for cell in json.loads((DOCS / "python.ipynb").read_text("utf-8"))["cells"]
    if cell["cell_type"] == "code"
]


@pytest.fixture
def ran(tmp_path, monkeypatch, few_rows):
    """Runs pieces of a program one after another in an empty folder, and returns its names."""

    def run(name, pieces):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "news.de").write_text("Guten Morgen.\n\nDer Zug fährt um neun.\n", encoding="utf-8")
        names: dict[str, object] = {}
        for number, piece in enumerate(pieces):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the Trainer's own
                exec(compile(piece, f"{name}, piece {number}", "exec"), names)
        return names

    return run


def test_runs_the_page(ran, capsys):
    names = ran("python.md", PAGE)
    shown = capsys.readouterr().out
    assert len(PAGE) >= 9
    assert "trade " in shown
    assert "no task called 'nlii' | did you mean 'nli'?" in shown
    assert names["vectors"].shape == (2, 128)
    assert names["kept"].shape == (3, 128)
    assert (names["kept"][1] == 0).all()
    rows = names["rows"]
    assert names["again"].predict(rows[:4]) == names["run"].predict(rows[:4])
    lines = Path("labels.csv").read_text("utf-8").splitlines()
    assert lines[0] == "id,text,label,probability"
    assert len(lines) == len(rows) + 1


def test_runs_the_readme(ran, capsys):
    names = ran("README.md", README)
    assert names["run"].encode(["Ben buys two books."]).shape == (1, 128)
    assert "'label': 'trade'" in capsys.readouterr().out


def test_runs_the_notebook(ran, capsys):
    names = ran("python.ipynb", CELLS)
    assert len(CELLS) >= 5
    assert names["vectors"].dtype == "float32"
    assert "travel" in capsys.readouterr().out
