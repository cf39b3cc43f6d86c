"""Every command of the README that needs no data of the reader's own does what the README says, cut to two training
steps."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from adapter_stilts_cli.app import app
from typer.testing import CliRunner

ROOT = Path(__file__).parents[1]
LINES = re.findall(r"^ {4}(adapter-stilts .*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
OWN = (
    "FacebookAI",
    "mnli",
    "--data data",
    "train.tsv",
    "demo",
    "--jobs",
)  # the reader's models and data; the demo and a study have tests of their own
COMMANDS = [line for line in LINES if not any(word in line for word in OWN)]


def test_runs_the_readme_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("configs", "tests"):
        (tmp_path / folder).symlink_to(ROOT / folder)
    (tmp_path / "news.de").write_text(
        "Guten Morgen.\n\nDer Zug nach Rom fährt um neun.\nGuten Morgen.\n", encoding="utf-8"
    )
    assert len(COMMANDS) >= 12
    for command in COMMANDS:
        words = [
            *shlex.split(command)[1:],
            *(
                ["--set", "training.max_steps=2", "--set", "training.rows=60"]
                if command.split()[1] in ("train", "fuse")
                else []
            ),
        ]
        words += ["--languages", "de,ja"] if command.split()[1] == "eval" else []
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0, f"{command}\n{result.stderr}"
    made = {path.name for path in (tmp_path / "runs").iterdir()}
    assert {
        "hellaswag",
        "paraphrase",
        "xcopa-after-hellaswag",
        "xcopa-direct",
        "xcopa-fused",
        "hellaswag-shuffled",
    } <= made
    assert (tmp_path / "vectors/de/vectors-00000.npy").is_file()
    assert sorted(json.loads((tmp_path / "runs/xcopa-fused/fusion/attention.json").read_text())) == [
        "checksum",
        "fuse(hellaswag, paraphrase)",
    ]


@pytest.mark.parametrize(
    "verb", ["demo", "train", "fuse", "eval", "encode", "score", "mine", "sweep", "study", "list", "info", "doctor"]
)
def test_shows_an_example_in_the_help_of_every_verb(verb):
    assert "Example" in CliRunner().invoke(app, [verb, "--help"]).stdout
