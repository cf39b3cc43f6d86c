"""Names to things: a dictionary that suggests the nearest right name and imports the files beside it.

    indexes = Registry[Index]("index", package="adapter_stilts.retrieval.indexes")

    @indexes.register("exact")
    def exact(vectors): ...

    indexes["exact"]      # imports every file of the package first, so a new file is a new entry
    indexes["exactt"]     # UnknownName: no index called 'exactt' ... do: did you mean 'exact'?
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from adapter_stilts.errors import UnknownName

T = TypeVar("T")


def unknown_name(noun: str, wrong: str, known: Iterable[str], where: str = "") -> UnknownName:
    """The error for a wrong name: suggests the nearest right one, or lists them all."""
    names = sorted(known)
    near = difflib.get_close_matches(wrong.lower(), [name.lower() for name in names], n=1, cutoff=0.5)
    original = {name.lower(): name for name in names}
    listed = ", ".join(names[:40]) + (", ..." if len(names) > 40 else "")
    advice = f"did you mean '{original[near[0]]}'? " if near else ""
    return UnknownName(f"no {noun} called '{wrong}'", where=where, do=f"{advice}one of: {listed}")


class Registry(Generic[T]):
    """A mapping from names to things; `package` is imported, file by file, at the first look-up."""

    def __init__(self, noun: str, package: str = "") -> None:
        self._noun = noun
        self._package = package
        self._things: dict[str, T] = {}
        self._imported = not package

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that puts a thing under a name, once."""

        def put(thing: T) -> T:
            self.add(name, thing)
            return thing

        return put

    def add(self, name: str, thing: T) -> None:
        if name in self._things:
            raise ValueError(f"{self._noun} '{name}' is registered twice")
        self._things[name] = thing

    def __getitem__(self, name: str) -> T:
        self._import_package()
        if name not in self._things:
            raise unknown_name(self._noun, name, self._things)
        return self._things[name]

    def check(self, *names: str) -> None:
        """Raises UnknownName, which suggests the nearest right one, for a name that is not here."""
        for name in names:
            self[name]

    def __contains__(self, name: object) -> bool:
        self._import_package()
        return name in self._things

    def __iter__(self) -> Iterator[str]:
        self._import_package()
        return iter(sorted(self._things))

    def __len__(self) -> int:
        self._import_package()
        return len(self._things)

    def values(self) -> list[T]:
        self._import_package()
        return [self._things[name] for name in self]

    def _import_package(self) -> None:
        if self._imported:
            return
        self._imported = True
        package = importlib.import_module(self._package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self._package}.{module.name}")
