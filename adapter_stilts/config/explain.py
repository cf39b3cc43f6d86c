"""Every key of a configuration with its default and what it means, and where two configurations differ.

    explain(RunConfig, "training.")[0]         Explained("training.max_steps", None, "optimiser steps; None: ...")
    different(one, other)                      [("training.max_steps", 120, 72)]

Meanings are the docstrings of the schema's sections, where each is written once: "name    what it means".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import cleandoc
from typing import Any, get_args

from pydantic import BaseModel

from adapter_stilts.config.schema import RunConfig
from adapter_stilts.config.study import StudyConfig

PAGE = """# Settings

Every key of a run's configuration: in a YAML file for `--config`, as `--set KEY=VALUE`, or as `settings` in Python.
"-" is none. What a protocol, a recipe or a command's option says goes before the default here; a run's `config.yaml`
has what it was trained with. The same list:

    adapter-stilts list settings training.

This page is made by `make settings`; a test holds it against the schema.
"""
STUDY_PAGE = """## A study's file

    adapter-stilts list settings --study

`[]` stands for each entry of a list.
"""
ROW = re.compile(r"^(\w+(?:, \w+)*)(?: {2,}|$)(.*)$")


@dataclass(frozen=True)
class Explained:
    """One key; those of a section are "section.key", of each of a list of sections "section[].key"."""

    key: str
    default: object
    meaning: str


def explain(section: type[BaseModel], prefix: str = "") -> list[Explained]:
    """The keys that begin with a prefix, in the schema's order."""
    return [row for row in _keys(section, "") if row.key.startswith(prefix)]


def written(value: object) -> str:
    """A value as it is written in YAML; "-" of none."""
    if value is None or value in ((), [], {}, ""):
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(written, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def page() -> str:
    """docs/settings.md: every key of a run's configuration and of a study's file, a table each."""
    tables = {PAGE: explain(RunConfig), STUDY_PAGE: explain(StudyConfig)}
    lines = []
    for text, rows in tables.items():
        cells = ((f"`{row.key}`", written(row.default), row.meaning.replace("|", "\\|")) for row in rows)
        lines += [
            text,
            "| key | default | meaning |",
            "|---|---|---|",
            *(f"| {' | '.join(row)} |" for row in cells),
            "",
        ]
    return "\n".join(lines)


def different(one: RunConfig, other: RunConfig) -> list[tuple[str, object, object]]:
    """(key, its value here, its value there) wherever two configurations differ."""
    here, there = (dict(_flat(config.model_dump(mode="json"), "")) for config in (one, other))
    every = dict.fromkeys([*here, *there])
    return [(key, here.get(key), there.get(key)) for key in every if here.get(key) != there.get(key)]


def _keys(section: type[BaseModel], place: str) -> Iterator[Explained]:
    meanings = _meanings(section)
    for name, field in section.model_fields.items():
        inner = next(_sections(field.annotation), None)
        if inner is not None:
            yield from _keys(inner, f"{place}{name}{'' if field.annotation is inner else '[]'}.")
        else:
            default = None if field.is_required() else field.get_default(call_default_factory=True)
            yield Explained(f"{place}{name}", default, meanings.get(name, ""))


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """The section that a field is, or a list of which it is."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _sections(part)


def _meanings(section: type[BaseModel]) -> dict[str, str]:
    """name -> what its docstring says of it."""
    meanings: dict[str, str] = {}
    names: list[str] = []
    for line in cleandoc(section.__doc__ or "").split("\n")[1:]:
        if (row := ROW.match(line)) and all(name in section.model_fields for name in row[1].split(", ")):
            names = row[1].split(", ")
            meanings |= dict.fromkeys(names, row[2].strip())
        elif names and line.startswith("   "):
            meanings |= {name: f"{meanings[name]} {line.strip()}" for name in names}
        else:
            names = []
    return meanings


def _flat(tree: Mapping[str, Any], place: str) -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{place}{name}.")
        else:
            yield f"{place}{name}", value
