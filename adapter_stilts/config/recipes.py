"""The ready-made configurations that ship with the package: what each is for, and the text behind a name.

    recipes.yaml  one table, task x protocol: a task by the numbers of a published protocol, each with its source
    train/  small runs on the miniature     eval/  readings     tasks/  tasks of one's own     studies/  grids

Each opens with comments: its command line, then what it is for. `--config xnli-jiant` finds that row of the table
wherever the package is installed; where two hold a name, `--config train/nli` tells them apart.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import takewhile
from pathlib import Path
from typing import Any

from adapter_stilts.config import yaml_text
from adapter_stilts.config.schema import Training
from adapter_stilts.errors import UsageError
from adapter_stilts.registry import unknown_name

TABLE = "recipes.yaml"
STUDIED = "studies/real/tasks"  # task files of ready-made studies, found beside them
LEGEND = "[S] read in a public source, [D] derived from one, [M] remembered and not verified, [own] our choice."
SOURCE = re.compile(r"; | (?=\[(?:S|D|M|own)\])")  # between a setting's value and where it comes from


@dataclass(frozen=True)
class Recipe:
    """One ready-made configuration.

    name      "recipes/xnli-jiant" for a row of the table, else its file's path without the ending
    task      as the command names it, several with commas
    protocol  as the name ends; "" for those that are no row of the table
    path      the file it stands in
    text      the configuration as YAML, each number of the table with its source
    """

    name: str
    task: str
    protocol: str
    command: str
    summary: str
    path: Path
    text: str

    @property
    def title(self) -> str:
        return self.name.rpartition("/")[2]


@cache
def recipes() -> tuple[Recipe, ...]:
    """Every ready-made configuration, by name."""
    root = _root()
    named = [(f"recipes/{name}", protocol, root / TABLE, text) for name, protocol, text in _rows_of_table()]
    found = {path.relative_to(root).with_suffix(""): path for path in root.rglob("*/*.yaml")}
    plain = {name: path for name, path in found.items() if name.parent.as_posix() != STUDIED}
    named += [(name.as_posix(), "", path, path.read_text("utf-8")) for name, path in plain.items()]
    return tuple(_recipe(*facts) for facts in sorted(named))


def protocols() -> tuple[str, ...]:
    """Those of the table, as a recipe's name ends."""
    return tuple(_table()["tables"])


def find_recipe(config: Path) -> Recipe | None:
    """What --config names: None for a file of the user's own, else as `named_recipe`."""
    own = config.is_file() or config.suffix in (".yaml", ".yml")
    return None if own else named_recipe(config.as_posix())


def named_recipe(name: str, flag: str = "--config") -> Recipe:
    """A ready-made configuration; raises UnknownName with the nearest, and UsageError for a name that several have."""
    named = [recipe for recipe in recipes() if name in (recipe.name, recipe.title)]
    if len(named) > 1:
        listed = ", ".join(recipe.name for recipe in named)
        raise UsageError(f"{len(named)} recipes are called '{name}'", do=f"write one of: {listed}")
    if not named:
        raise unknown_name("recipe", name, [recipe.title for recipe in recipes()], where=flag)
    return named[0]


def recipe_file(config: Path) -> Path:
    """The file of a ready-made configuration, or of the user's own; raises as `find_recipe` does."""
    recipe = find_recipe(config)
    return recipe.path if recipe else config


def _root() -> Path:
    return Path(str(files("adapter_stilts_configs")))


@cache
def _table() -> dict[str, Any]:
    content: dict[str, Any] = yaml_text.parse((_root() / TABLE).read_text("utf-8"), TABLE).value
    return content


def _rows_of_table() -> Iterator[tuple[str, str, str]]:
    """Every recipe's name, its protocol, and its configuration as YAML with each number's source."""
    table = _table()
    tasks = {row["task"]: row for row in _rows(table["tasks"])}
    for protocol, blocks in table["tables"].items():
        rows = [(task, row) for block in blocks for row in _rows(block) for task in row["task"].split()]
        for task, row in rows:
            name = f"{task}-{protocol}"
            keys = {"name": name, "protocol": protocol, **tasks.get(task, {})}
            for group in row["as"].split():
                keys |= _group(table["groups"], group)
            yield name, protocol, _text(keys | row | {"task": task}, table["notes"])


def _rows(block: str) -> list[dict[str, str]]:
    header, *lines = [re.split(r"\s{2,}", line.strip()) for line in block.strip().split("\n")]
    return [{key: cell for key, cell in zip(header, line, strict=False) if cell != "-"} for line in lines]


def _group(groups: Mapping[str, Mapping[str, Any]], name: str) -> dict[str, str]:
    """The keys of a group, over those of the group it is `like`."""
    group = {key: str(value) for key, value in groups[name].items()}
    return (_group(groups, group["like"]) if "like" in group else {}) | group


def _text(keys: Mapping[str, str], notes: Mapping[str, str]) -> str:
    """A recipe in full: its command, what it is for, and its settings, each with its source."""
    words = {key: value for key, value in keys.items() if not _setting(key)}
    words |= _arithmetic(words, keys.get("max_length", "").split(" ")[0])
    lines = [words["command"], words["summary"], words.get("whole", "")]
    lines += [notes[note] for note in words.get("also", "").split()] + [LEGEND]
    comments = [" ".join(line.split()) for text in lines if text for line in _filled(text, words).split("\n")]
    tree: dict[str, Any] = {}
    for key, value in keys.items():
        if value and (setting := _setting(key)):
            _put(tree, setting.split("."), _filled(value, words))
    return "".join(f"# {line}\n" for line in comments) + "".join(_lines(tree))


def _setting(key: str) -> str:
    """The setting a key of the table stands for; "" for a word of its texts."""
    if key in Training.model_fields:
        return f"training.{key}"
    return key if "." in key or key == "how" else ""


def _arithmetic(words: Mapping[str, str], max_length: str) -> dict[str, str]:
    """The rows of a step, and the padded tokens of a pass at most: `size` rows of so many tokens, `passes` times."""
    if "size" not in words:
        return {}
    size, row = int(words["size"]), words.get("row", "{max_length}").format(max_length=max_length)
    numbers = [int(number) for number in re.findall(r"\d+", row)]
    tokens = size * (sum(numbers) if "+" in row else math.prod(numbers))
    step = size * int(words.get("passes", "1"))
    return {"step": str(step), "budget": f"token_budget {size} x {row} = {tokens:,}"}


def _filled(text: str, words: Mapping[str, str]) -> str:
    """A text with its words in place of the names in braces; words may hold such names themselves."""
    filled = text.format_map({"needs": "", **words}) if "{" in text else text
    return _filled(filled, words) if "{" in filled else filled


def _put(tree: dict[str, Any], path: Sequence[str], value: str) -> None:
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value


def _lines(tree: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield f"{indent}{key}:\n"
            yield from _lines(value, indent + "  ")
        else:
            number, *source = SOURCE.split(value, maxsplit=1)
            yield f"{indent}{key}: {number}" + "".join(f"  # {text}" for text in source) + "\n"


def _recipe(name: str, protocol: str, path: Path, text: str) -> Recipe:
    comments = takewhile(lambda line: line.startswith("#"), text.split("\n"))
    command, *summary = [line.removeprefix("#").strip() for line in comments] or [""]
    words = shlex.split(command)
    named = words[words.index("--tasks") + 1] if "--tasks" in words else ""
    task = words[2] if words[1:2] == ["train"] else named  # what its command trains or reads
    return Recipe(name, task, protocol, command, " ".join(summary), path, text)
