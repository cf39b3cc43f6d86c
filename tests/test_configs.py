"""Every ready-made configuration opens with its command, and the command runs (at miniature size, as a dry run)."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from adapter_stilts_cli.app import app
from typer.testing import CliRunner

from adapter_stilts.config.load import load
from adapter_stilts.config.recipes import named_recipe
from adapter_stilts.studies.study_file import read_study
from adapter_stilts.tasks.user import find_task

ROOT = Path(__file__).parent.parent
CONFIGS = ROOT / "configs"
TASKS = sorted((CONFIGS / "tasks").glob("*.yaml"))
OTHERS = ("tasks", "studies")  # recipes.yaml and the studies have tests of their own
RECIPES = [path for path in sorted(CONFIGS.rglob("*/*.yaml")) if path.relative_to(CONFIGS).parts[0] not in OTHERS]
STUDIES = sorted((CONFIGS / "studies").rglob("*.yaml"))
STUDIED = [path for path in STUDIES if path.parent.name == "tasks"]


def opening(recipe: Path) -> list[str]:
    return [line.removeprefix("# ") for line in recipe.read_text(encoding="utf-8").split("\n")[:2]]


def test_has_recipes_to_offer():
    assert len(RECIPES) >= 5


@pytest.mark.parametrize("recipe", [*RECIPES, *TASKS], ids=lambda path: path.stem)
def test_opens_with_its_command_and_its_purpose(recipe):
    command, purpose = opening(recipe)
    assert command.startswith("adapter-stilts ")
    assert f"{'train' if recipe in TASKS else '--config'} {recipe.relative_to(ROOT).as_posix()}" in command
    assert purpose.endswith(".")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_holds_no_mistake(recipe):
    load(recipe)


@pytest.mark.parametrize("study", [path for path in STUDIES if path not in STUDIED], ids=lambda path: path.stem)
def test_opens_with_its_command_and_names_tasks_that_are_there(study, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    name = study.relative_to(CONFIGS).with_suffix("").as_posix()
    assert opening(study)[0].startswith(f"adapter-stilts study {name} ")
    read = read_study(study)
    assert read.targets
    assert named_recipe(name).path == study


@pytest.mark.parametrize("path", [*TASKS, *STUDIED], ids=lambda path: f"{path.parent.parent.name}-{path.stem}")
def test_describes_a_task_without_a_mistake(path):
    assert find_task(str(path)).name == {"text": "mlm"}.get(path.stem, path.stem)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_runs_at_miniature_size(recipe, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    words = shlex.split(opening(recipe)[0])[1:]
    result = CliRunner().invoke(
        app,
        [*words, "--trunk", "miniature", "--data", "miniature", "-o", str(tmp_path / "out"), "--dry-run", "--json"],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["results"] == []
    assert not (tmp_path / "out").exists()
