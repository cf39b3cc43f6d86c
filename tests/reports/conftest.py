"""Studies to report on: one made up in study.json alone, with a row of every verdict; and a tiny one that was run."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from adapter_stilts.reporting import Silent
from adapter_stilts.reports.verb import report
from adapter_stilts.studies import grid

VOID = {"meta", "line", "rect", "circle", "br"}
SETTINGS = {
    "training.max_steps": 2,
    "training.rows": 24,
    "training.batch_rows": 8,
    "training.validation_rows": 20,
    "training.evaluate_steps": 1,
    "training.max_length": 48,
    "training.learning_rate": 0.01,
}


def entry(intermediate: str, how: str, target: str, gain: float | None = None, verdict: str = "", **more: object):
    """A row of a table, of five seeds and three languages."""
    by_language = {"de": 0.60, "sw": 0.50, "hi": 0.55}
    row = {"intermediate": intermediate, "how": how, "target": target, "control": False, "metric": "accuracy"}
    row |= {"retrieval": target == "tatoeba", "seeds": [1, 2, 3, 4, 5], "compared": [1, 2, 3, 4, 5] if gain else []}
    row |= {"leaks": [], "unlearned": [], "languages": 3, "n": 3000, "score": 0.55 + (gain or 0)}
    row |= {"spread": [0.5, 0.6], "by_language": {code: score + (gain or 0) for code, score in by_language.items()}}
    row |= {"gain": gain, "interval": None, "p": None, "p_holm": None}
    if gain is not None:
        row |= {"interval": [gain - 0.01, gain + 0.01], "p": 0.001, "p_holm": 0.004, "verdict": verdict}
        row |= {"gain_by_language": {"de": gain - 0.005, "sw": gain + 0.005, "hi": gain}, "detectable": 0.0153}
        row |= {"elsewhere": {"interval": [gain - 0.2, gain + 0.2], "p": 0.3}}
    return row | more


@pytest.fixture(scope="session")
def made_up():
    """`made_up(name="study", entries=[...], **changes)` is the document of a finished study."""

    def make(entries: list[dict[str, object]] | None = None, **changes: object) -> dict[str, object]:
        rows = [
            entry("", "direct", "xnli"),
            entry("", "direct", "tatoeba"),
            entry("nli", "sequential", "xnli", 0.0912, "helped"),
            entry("qa", "sequential", "xnli", -0.0421, "hurt", leaks=["xnli: 12 test rows are training rows of qa"]),
            entry("ner", "sequential", "xnli", 0.0037, "no clear difference", p_holm=0.6),
            entry("pos", "sequential", "xnli", 0.0011, "equal", p_holm=1.0),
            entry("choice", "sequential", "xnli", 0.0777, "not interpreted", unlearned=["choice"]),
            entry("nli", "read", "tatoeba", -0.0333, "hurt"),
        ]
        config = {"name": "example", "trunk": {"name": "/home/me/xlm-r"}, "seeds": [1, 2, 3, 4, 5]}
        config |= {"table": {"holm": "all", "equal_within": 0.01, "nested": False}}
        config |= {"data": ["/home/me/data", "train=/home/me/rows.tsv"]}
        stages = [
            {
                "stage": "nli-s1",
                "key": "aa",
                "work": "train",
                "tasks": ["nli"],
                "how": "direct",
                "seed": 1,
                "state": "done",
            }
        ]
        document = {"study": "example", "out": "/home/me/studies/example", "config": config, "counts": {"done": 1}}
        return {**document, "stages": stages, "entries": rows if entries is None else entries, "means": [], **changes}

    return make


@pytest.fixture
def written(tmp_path, made_up):
    """`written(suffix=".html", **changes)` reports on a made-up study and returns the text."""

    def write(suffix: str = ".html", **changes: object) -> str:
        folder = tmp_path / "study"
        folder.mkdir(exist_ok=True)
        (folder / "study.json").write_text(json.dumps(made_up(**changes)), encoding="utf-8")
        out = tmp_path / f"report{suffix}"
        report([folder], out, overwrite=True)
        return out.read_text(encoding="utf-8")

    return write


class Page(HTMLParser):
    """A page as its elements: (tag, attributes), whether all are closed, and the text under each tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        for tag in set(self.open):
            self.texts[tag][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="session")
def page():
    return Page


@pytest.fixture(scope="session")
def small_study(tiny_folder, tmp_path_factory) -> Path:
    """The folder of a study that was run: two sources, fused, one trained target and one that is read, one seed."""
    folder = tmp_path_factory.mktemp("studied")
    study = {
        "name": "small",
        "trunk": {"name": str(tiny_folder), "precision": "fp32"},
        "adapter": {"kind": "seq_bn", "settings": {"reduction_factor": 4}},
        "data": ["miniature"],
        "intermediate": ["nli", "paraphrase"],
        "hows": ["fuse"],
        "targets": [{"task": "panx", "languages": ["de", "sw"]}, {"task": "tatoeba", "languages": ["de"]}],
        "settings": SETTINGS,
    }
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(study), encoding="utf-8")
    grid.study(file, out=folder / "small", jobs=1, dry_run=False, report=Silent())
    return folder / "small"
