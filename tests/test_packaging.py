"""What is packaged is what lies in the folders, and everything imported is declared."""

from __future__ import annotations

import ast
import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

from adapter_stilts import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
FOLDERS = {"adapter_stilts": "adapter_stilts", "adapter_stilts_cli": "cli", "adapter_stilts_configs": "configs"}
# The module that is imported, where its distribution has another name.
MODULES = {"faiss": "faiss-cpu", "yaml": "pyyaml", "pydantic_core": "pydantic"}
DISTRIBUTED = {"py.typed"}


def sources() -> list[Path]:
    return [path for folder in FOLDERS.values() for path in sorted((ROOT / folder).rglob("*.py"))]


def imported(path: Path) -> set[str]:
    """The top-level modules a file imports, relative ones left out."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.add(node.module.split(".")[0])
    return found


def test_lists_every_folder_as_a_package():
    found = set()
    for name, folder in FOLDERS.items():
        for path in [ROOT / folder, *(ROOT / folder).rglob("*")]:
            if path.is_dir() and (path / "__init__.py").is_file():
                found.add(".".join([name, *path.relative_to(ROOT / folder).parts]))
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(found)


def test_leaves_no_python_file_outside_a_package():
    assert [str(path) for path in sources() if not (path.parent / "__init__.py").is_file()] == []


def test_ships_every_file_that_is_no_code():
    listed = subprocess.run(
        ["git", "ls-files", *FOLDERS.values()], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout: the list of files is git's")
    patterns = PROJECT["tool"]["setuptools"]["package-data"]
    roots = {
        f"{FOLDERS[package.split('.')[0]]}/{'/'.join(package.split('.')[1:])}".rstrip("/"): globs
        for package, globs in patterns.items()
    }
    left_out = []
    for name in listed.stdout.splitlines():
        matches = [
            glob
            for root, globs in roots.items()
            if name.startswith(f"{root}/")
            for glob in globs
            if _matches(name.removeprefix(f"{root}/"), glob)
        ]
        if not name.endswith(".py") and not matches:
            left_out.append(name)
    assert left_out == []


def _matches(name: str, glob: str) -> bool:
    return fnmatch.fnmatch(name, glob) or fnmatch.fnmatch(name, glob.removeprefix("**/"))


def test_declares_every_package_it_imports():
    declared = {
        re.split(r"[><=~!\[ ]", line)[0].lower().replace("_", "-") for line in PROJECT["project"]["dependencies"]
    }
    optional = {
        re.split(r"[><=~!\[ ]", line)[0].lower()
        for lines in PROJECT["project"]["optional-dependencies"].values()
        for line in lines
    }
    used = {module for path in sources() for module in imported(path)} - set(sys.stdlib_module_names) - set(FOLDERS)
    missing = {
        module for module in used if MODULES.get(module, module).replace("_", "-").lower() not in declared | optional
    }
    assert missing == set()


def test_never_imports_cli_click_or_pickle():
    banned = {"cli", "configs", "click", "pickle", "dill", "joblib"}
    assert {
        str(path.relative_to(ROOT)): sorted(banned & imported(path)) for path in sources() if banned & imported(path)
    } == {}


def test_installs_no_module_called_cli():
    assert "/site-packages/" not in str(getattr(find_spec("cli"), "origin", ""))
    assert find_spec("adapter_stilts_cli") is not None
    assert find_spec("adapter_stilts_configs") is not None


def test_takes_its_version_from_one_place():
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


@pytest.mark.slow
def test_builds_a_wheel_with_every_package_and_data_file(tmp_path):
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("setuptools here is too old to build; a real build fetches its own")
    for folder in FOLDERS.values():
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", "out", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "out").glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for package, folder in FOLDERS.items():
        files = [
            path.relative_to(ROOT / folder)
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        ]
        assert {f"{package}/{path.as_posix()}" for path in files} - names == set()
