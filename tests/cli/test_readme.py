"""Every command in the README and in docs/ is one that the program accepts."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
README = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
COMMANDS = [line.strip() for line in README.split("\n") if re.match(r" {4}adapter-stilts ", line)]
CALLS = [command for command in COMMANDS if command.split()[1] in ("demo", "train", "fuse", "eval")]


def test_has_commands_to_show():
    assert len(CALLS) >= 20


@pytest.mark.parametrize("command", CALLS)
def test_shows_a_command_that_is_accepted(run, calls, tmp_path, command):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    result = run(*shlex.split(command)[1:])
    assert result.exit_code == 0, result.stderr
    assert len(calls) == 1


@pytest.mark.parametrize("target", re.findall(r"^ {4}make (\w+)$", README, re.MULTILINE))
def test_shows_a_target_that_make_has(target):
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(
    "name", re.findall(r"`([\w/]+\.(?:yaml|py))`", README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
)
def test_names_files_that_exist(name):
    if name not in ("config.yaml", "local.yaml", "files.py", "registry.py", "seeding.py", "errors.py"):
        assert (ROOT / name).is_file() or (ROOT / "adapter_stilts" / name).is_file()
