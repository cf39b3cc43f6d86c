"""A schema's complaints as sentences: the key, the value, what would do, and the nearest right name.

training.lerning_rate = 0.1: no such key; did you mean training.learning_rate? (nli.yaml, line 3)
training.epochs = 'many': should be a whole number (--set training.epochs=many)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic_core import ErrorDetails

from adapter_stilts.config.schema import OTHER_NAMES, keys
from adapter_stilts.config.yaml_text import Key
from adapter_stilts.registry import nearest

LONGEST_VALUE = 60
SENTENCES = {
    "int": "should be a whole number",
    "float": "should be a number",
    "number": "should be a number",
    "finite": "should be a finite number",
    "bool": "should be true or false",
    "string": "should be text",
    "tuple": "should be a list",
    "list": "should be a list",
    "dict": "should be a mapping of names to values",
    "model": "should be a section: keys and values, indented under it",
}
BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("above", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("below", "lt"),
}


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong: its key, the value found there, and a sentence."""

    path: tuple[Key, ...]
    value: object
    sentence: str
    shows_value: bool = True

    def text(self, place: str) -> str:
        shown = f" = {short(self.value)}" if self.shows_value else ""
        return f"{dotted(self.path)}{shown}: {self.sentence}" + (f" ({place})" if place else "")


def mistake(error: ErrorDetails) -> Mistake:
    """One of pydantic's errors in our words."""
    path = tuple(part for part in error["loc"] if part != "[key]")
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "conflict":
        return Mistake(tuple(context["key"].split(".")), None, context["message"], shows_value=False)
    if kind == "extra_forbidden":
        return Mistake(path, value, f"no such key; {nearest_key(path)}", not isinstance(value, dict | list))
    if kind in ("literal_error", "named"):
        choices = context["choices"] if kind == "named" else re.findall(r"'([^']*)'", context["expected"])
        return Mistake(path, value, f"should be one of: {', '.join(choices)}{nearest_value(value, choices)}")
    if kind in BOUNDS:
        words, limit = BOUNDS[kind]
        return Mistake(path, value, f"should be {words} {context[limit]:g}")
    return Mistake(path, value, SENTENCES.get(kind.split("_")[0], error["msg"]))


def second_time(key: str, line: int) -> str:
    """What is wrong with a key that is repeated, maybe by another name."""
    others = [other for other, ours in OTHER_NAMES.items() if key.endswith(f"training.{ours}")]
    return f"stands here a second time (line {line})" + "".join(f"; {other} is another name of it" for other in others)


def nearest_key(path: Sequence[Key]) -> str:
    """ "did you mean ...?" for a key that does not exist; else the keys that do."""
    known = [key.split(".") for key in keys()]
    section, name = [str(part) for part in path[:-1]], str(path[-1])
    here = [key[-1] for key in known if key[:-1] == section]
    if near := nearest(name, here):
        return f"did you mean {dotted((*section, near))}?"
    elsewhere = [".".join(key) for key in known if len(key) > 1 and key[-1] == name]
    if elsewhere := elsewhere or list(filter(None, [nearest(dotted(path), keys(), cutoff=0.75)])):
        return f"did you mean {' or '.join(elsewhere)}?"
    return f"keys here: {', '.join(here)}" if here else "see `adapter-stilts train --help`"


def nearest_value(value: object, choices: Iterable[str]) -> str:
    near = nearest(str(value), choices)
    return f"; did you mean '{near}'?" if near else ""


def dotted(path: Iterable[Key]) -> str:
    return ".".join(str(part) for part in path)


def short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 4] + " ..."
