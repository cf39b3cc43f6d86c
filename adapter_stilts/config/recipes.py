"""The ready-made configurations that ship with the package: what each is for, and the file behind a name.

    recipes/   TASK-PROTOCOL.yaml: a task by the numbers of a published protocol, each number with its source
    train/     small runs on the miniature        eval/      readings        tasks/    tasks of one's own        studies/  grids

A recipe opens with comments: its command line, then what it is for. `--config xnli-jiant` finds recipes/xnli-jiant.yaml wherever the
package is installed; where two folders hold a name, `--config train/nli` tells them apart.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from adapter_stilts.errors import UsageError
from adapter_stilts.registry import unknown_name

PROTOCOLS = ("xtreme-r", "xtreme", "jiant", "madx", "own")  # as a recipe's name ends


@dataclass(frozen=True)
class Recipe:
    """One file. name: "recipes/xnli-jiant"; task: as the command names it, several with commas; protocol: "" outside recipes/."""

    name: str
    task: str
    protocol: str
    command: str
    summary: str
    path: Path


def recipes() -> list[Recipe]:
    """Every ready-made configuration, by name."""
    root = Path(str(files("adapter_stilts_configs")))
    return [_read(path, root) for path in sorted(root.rglob("*.yaml"))]


def recipe_file(given: Path) -> Path:
    """The file that --config names: one of the user's own, else a recipe by its name.

    Raises UnknownName with the nearest recipe, and UsageError for a name that several have. A path ending in .yaml is left as it is.
    """
    if given.is_file() or given.suffix in (".yaml", ".yml"):
        return given
    name, known = given.as_posix(), recipes()
    found = [one for one in known if name in (one.name, one.name.rpartition("/")[2])]
    if len(found) > 1:
        raise UsageError(f"{len(found)} recipes are called '{name}'", do=f"write one of: {', '.join(one.name for one in found)}")
    if not found:
        raise unknown_name("recipe", name, [one.name.rpartition("/")[2] for one in known], where="--config")
    return found[0].path


def _read(path: Path, root: Path) -> Recipe:
    name = path.relative_to(root).with_suffix("").as_posix()
    opening: list[str] = []
    for line in path.read_text(encoding="utf-8").split("\n"):
        if not line.startswith("#"):
            break
        opening.append(line.removeprefix("#").strip())
    command = opening[0] if opening else ""
    folder, _, stem = name.partition("/")
    protocol = next((one for one in PROTOCOLS if stem.endswith(f"-{one}")), "") if folder == "recipes" else ""
    return Recipe(name, _task(shlex.split(command)), protocol, command, " ".join(opening[1:]), path)


def _task(words: Sequence[str]) -> str:
    """What a command line trains or reads: "" where it names no task."""
    if words[1:2] == ["train"]:
        return words[2]
    return words[words.index("--tasks") + 1] if "--tasks" in words else ""
