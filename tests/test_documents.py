"""Every command of the README and of docs/ does what they say, cut to two training steps: on the miniature where they
name a trunk of the hub, and on small files of ours where they name the reader's own."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from adapter_stilts_cli.app import app
from typer.testing import CliRunner

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
# the hub; what has a test of its own
ELSEWHERE = ("mnli", "demo", "--jobs", "study studies/paper", "report studies", "replay", "ray", "hf:")
LABELS = ("sports", "news")
FILES = {
    "news.de": "Guten Morgen.\n\nDer Zug nach Rom fährt um neun.\nGuten Morgen.\n",
    "news.en": "Good morning.\nThe train to Rome leaves at nine.\nA third sentence.\n",
    "train.tsv": "text\tlabel\n" + "".join(f"sentence number {row}\t{LABELS[row % 2]}\n" for row in range(24)),
    "dev.tsv": "text\tlabel\n" + "".join(f"another sentence {row}\t{LABELS[row % 2]}\n" for row in range(24)),
    "pairs.train.tsv": "Satz1\ttext2\tlabel\n"
    + "".join(f"a {row}\tb {row}\tyes\na {row}\tc\tno\n" for row in range(9)),
    "pairs.csv": "de;en\nGuten Morgen, Anna.;Good morning, Anna.\nDie Katze schläft.;The cat sleeps.\n",
    "new.tsv": "text\n" + "".join(f"what is this {row}\n" for row in range(5)),
}


def commands(page: Path) -> list[str]:
    lines = re.findall(r"^ {4}(adapter-stilts .*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [line for line in lines if not any(word in line for word in ELSEWHERE)]


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)], ids=lambda page: page.stem)
def test_does_what_a_page_says_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for folder in ("configs", "tests"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    lines = commands(page)
    before = commands(ROOT / "docs" / "training.md")[:3] if "runs/xcopa-direct" in lines[0] else []
    for command in [*before, *lines]:
        for trunk in ("FacebookAI/xlm-roberta-base", "intfloat/multilingual-e5-small"):
            command = command.replace(trunk, "miniature")
        verb, *words = shlex.split(command)[1:]
        short = ["--set", "training.max_steps=2", "--set", "training.rows=60"] if verb in ("train", "fuse") else []
        few = ["--languages", "de,ja"] if verb == "eval" else []
        result = CliRunner().invoke(app, [verb, *words, *short, *few], catch_exceptions=False)
        assert result.exit_code == 0, f"{command}\n{result.stderr}"


def test_leaves_the_runs_that_training_names(tmp_path):
    """The page on training has the whole of what used to stand in the README."""
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    for run in ("hellaswag", "paraphrase", "xcopa-after-hellaswag", "xcopa-direct", "xcopa-fused", "joint", "lareqa"):
        assert f"-o runs/{run}" in text


def test_keeps_the_readme_to_two_screens():
    assert (ROOT / "README.md").stat().st_size <= 10_240


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_to_pages_that_exist(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(#[^)]*)?\)", text):
        assert (page.parent / target[0]).exists(), target[0]
    for target in re.findall(r"\]\(([^)#]*)#([^)]+)\)", text):
        other = (page.parent / target[0]).read_text(encoding="utf-8") if target[0] else text
        anchors = {
            re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.+)$", other, re.M)
        }
        assert target[1] in anchors, target


@pytest.mark.parametrize(
    "verb",
    [
        *("demo", "train", "fuse", "eval", "encode", "score", "mine", "search", "sweep", "study", "list", "info"),
        *("compare", "convert", "push", "pull", "report", "replay", "merge", "plan", "predict"),
    ],
)
def test_shows_an_example_in_the_help_of_every_verb(verb):
    assert "Example" in CliRunner().invoke(app, [verb, "--help"]).stdout


def test_prints_the_json_that_a_script_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["list", "settings", "fusion.", "--json"], catch_exceptions=False)
    assert next(row["key"] for row in json.loads(result.stdout)["settings"]) == "fusion.target_adapter"
