"""Names to things: a dictionary that suggests the nearest right name and imports the files beside it.

    metrics = Registry[Metric]("metric", package="adapter_stilts.metrics")

    @metrics.register("f1_tags")
    def f1_tags(gold, predictions): ...

    metrics["f1_tags"]    # imports every file of the package first, so a new file is a new entry
    metrics["f1_tagz"]    # UnknownName: no metric called 'f1_tagz' ... do: did you mean 'f1_tags'?

A command's help shows the names without importing what they name: `names_in` reads them in the source.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

from adapter_stilts.errors import UnknownName, few

T = TypeVar("T")


def nearest(wrong: str, names: Iterable[str], cutoff: float = 0.6) -> str:
    """The name most like a wrong one, in whatever case, "-" or "_"; "" where none is."""
    plain = {name.lower().replace("-", "_"): name for name in names}
    near = difflib.get_close_matches(wrong.lower().replace("-", "_"), plain, n=1, cutoff=cutoff)
    return plain[near[0]] if near else ""


def unknown_name(noun: str, wrong: str, known: Iterable[str], where: str = "") -> UnknownName:
    """The error for a wrong name: suggests the nearest right one, or lists them all."""
    names = sorted(known)
    near = nearest(wrong, names, cutoff=0.5)
    advice = f"did you mean '{near}'? " if near else ""
    return UnknownName(f"no {noun} called '{wrong}'", where=where, do=f"{advice}one of: {few(names, 40)}")


class Registry(Mapping[str, T]):
    """Names, in their order, to things; `package` is imported, file by file, at the first look-up."""

    def __init__(self, noun: str, package: str = "") -> None:
        self._noun, self._package = noun, package
        self._things: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        def put(thing: T) -> T:
            self.add(name, thing)
            return thing

        return put

    def add(self, name: str, thing: T) -> None:
        if name in self._things:
            raise ValueError(f"{self._noun} '{name}' is registered twice")
        self._things[name] = thing

    def __getitem__(self, name: str) -> T:
        if name not in self._all():
            raise unknown_name(self._noun, name, self._things)
        return self._things[name]

    def check(self, *names: str) -> None:
        """Raises UnknownName, which suggests the nearest right one, for a name that is not here."""
        for name in names:
            self[name]

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._all()))

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, T]:
        if self._package:
            name, self._package = self._package, ""
            for module in pkgutil.iter_modules(importlib.import_module(name).__path__):
                importlib.import_module(f"{name}.{module.name}")
        return self._things


@cache
def names_in(place: str) -> tuple[str, ...]:
    """The names that are registered, read in the source of a module or a package: nothing is imported.

    place  "adapter_stilts.retrieval.margin:margins": a registry, in the order of its `register` and `add`, or the
           strings (a dictionary's keys) of a table or of a Literal
    """
    module, _, variable = place.partition(":")
    spec = importlib.util.find_spec(module)
    assert spec is not None, place
    folders = spec.submodule_search_locations
    files = sorted(Path(folders[0]).glob("*.py")) if folders else [Path(str(spec.origin))]
    return tuple(name for file in files for name in _names(ast.parse(file.read_text("utf-8")), variable))


def _names(tree: ast.AST, variable: str) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(ast.Attribute(ast.Name(name), "register" | "add"), [ast.Constant(str(registered)), *_]):
                if name == variable:
                    yield registered
            case ast.Assign([ast.Name(name)], value) | ast.AnnAssign(target=ast.Name(name), value=value):
                if name == variable:
                    table = value.slice if isinstance(value, ast.Subscript) else value  # within Literal[...]
                    keys = table.keys if isinstance(table, ast.Dict) else getattr(table, "elts", [])
                    yield from (str(key.value) for key in keys if isinstance(key, ast.Constant))
