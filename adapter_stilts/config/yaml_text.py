"""YAML as text that keeps its lines: values for the schema, and the line and wording of each for its mistakes.

Scalars follow YAML 1.2's core schema, not PyYAML's YAML 1.1: `no` is Norwegian, not false; `1e-4` is a number, not
text; `12:30` is text, not 750. What `dump` writes reads the same under both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from adapter_stilts.errors import ConfigError

Key: TypeAlias = str | int
TAG = "tag:yaml.org,2002:"
LARGEST, DEEPEST, MOST_VALUES = 1 << 22, 32, 20_000  # characters, levels and values of a document
FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
SCALARS: Sequence[tuple[str, str, Sequence[str]]] = (  # what each looks like, and the characters it may begin with
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", FLOAT, "-+.0123456789"),
)
READ: Mapping[str, Callable[[str], object]] = {
    "str": str,
    "null": lambda text: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": lambda text: float(text.replace(".inf", "inf").replace(".nan", "nan")),
}


@dataclass(frozen=True)
class Document:
    """A YAML text: `value` as plain Python, `root` to find lines in, `name` to call it by, `repeated` keys with their
    lines."""

    name: str
    value: Any
    root: yaml.Node | None
    repeated: tuple[tuple[tuple[Key, ...], int], ...] = ()

    def line(self, path: Sequence[Key]) -> int | None:
        """The line of a key, or of the nearest thing above it that exists; counted from 1."""
        lines = [line for line, _ in self._along(path)]
        return lines[-1] if lines else None

    def wording(self, path: Sequence[Key]) -> str | None:
        """How a plain scalar was written ("007" for 7); None for anything else."""
        nodes = [self.root, *(node for _, node in self._along(path))]
        node = nodes[-1] if len(nodes) > len(path) else None
        return node.value if isinstance(node, yaml.ScalarNode) and node.style is None and node.value else None

    def _along(self, path: Sequence[Key]) -> Iterator[tuple[int, yaml.Node]]:
        """The line and node of each key on the way, as far as they exist."""
        node = self.root
        for key in path:
            child = _child(node, key)
            if child is None:
                return
            yield child
            node = child[1]


def parse(text: str, name: str, our_name: Callable[[str], str] = str) -> Document:
    """Read one YAML document; raises ConfigError naming the line for anything that is not plain YAML.

    our_name  a dotted key, as written, to the key it is another name of
    """
    if len(text) > LARGEST:
        raise _not_yaml(f"more than {LARGEST:,} characters", name, None)
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _not_yaml(str(error.problem or error.context), name, mark.line + 1 if mark else None) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise _not_yaml(str(error).split("\n")[0], name, None) from error
    reader = _Reader(name, our_name)
    return Document(name, reader.value(root, ()) if root is not None else None, root, tuple(reader.repeated))


def dump(value: object) -> str:
    """A value of dictionaries, lists and scalars as YAML, keys in their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2's scalars in place of YAML 1.1's, for documents of a size that a person can mean."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._count = 0
        self._sizes: dict[int, int] = {}  # of a node: the values in it

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A node and those in it; what an alias stands for counts each time it is used."""
        before, alias = self._count, self.check_event(yaml.AliasEvent)
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > DEEPEST:
            raise yaml.MarkedYAMLError(problem=f"more than {DEEPEST} levels", problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        self._count += self._sizes.get(id(node), 1) if alias else 1  # 1 within itself
        if self._count > MOST_VALUES:
            raise yaml.MarkedYAMLError(problem=f"more than {MOST_VALUES:,} values", problem_mark=mark)
        if not alias:
            self._sizes[id(node)] = self._count - before
        return node


class _Dumper(yaml.SafeDumper):
    """SafeDumper that quotes whatever either version of YAML would not read as text."""

    def ignore_aliases(self, data: object) -> bool:
        return True

    def text(self, data: str) -> yaml.Node:
        """Text with a line break other than "\\n" is escaped: PyYAML writes it as it is and reads a "\\n" back."""
        style = '"' if any(mark in data for mark in "\r\x85\u2028\u2029\ufeff") else None
        return self.represent_scalar(TAG + "str", data, style=style)


_Dumper.add_representer(str, _Dumper.text)
_Loader.yaml_implicit_resolvers = {}
for _kind, _pattern, _first in SCALARS:
    for _either in (_Loader, _Dumper):
        _either.add_implicit_resolver(TAG + _kind, re.compile(rf"^(?:{_pattern})$"), list(_first))


class _Reader:
    """Nodes to values; an alias is read once however often it is used, and one that contains itself is refused."""

    def __init__(self, name: str, our_name: Callable[[str], str]) -> None:
        self.name, self.our_name = name, our_name
        self.repeated: list[tuple[tuple[Key, ...], int]] = []
        self._known: dict[int, object] = {}
        self._open: set[int] = set()

    def value(self, node: yaml.Node, path: tuple[Key, ...]) -> object:
        if id(node) in self._known:
            return self._known[id(node)]
        if id(node) in self._open:
            raise _not_yaml("an alias that contains itself", self.name, _line(node))
        self._open.add(id(node))
        self._known[id(node)] = self._read(node, path)
        return self._known[id(node)]

    def _read(self, node: yaml.Node, path: tuple[Key, ...]) -> object:
        if isinstance(node, yaml.MappingNode) and node.tag == TAG + "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == TAG + "seq":
            return [self.value(child, (*path, number)) for number, child in enumerate(node.value)]
        read = READ.get(node.tag.removeprefix(TAG))
        if not isinstance(node, yaml.ScalarNode) or read is None:
            raise _not_yaml(f"the tag {node.tag} is not used here", self.name, _line(node))
        try:
            return read(node.value)
        except ValueError:  # an explicit tag on other text, or a number of thousands of digits
            return node.value

    def _mapping(self, node: yaml.MappingNode, path: tuple[Key, ...]) -> dict[str, object]:
        values: dict[str, object] = {}
        section = "".join(f"{part}." for part in path)
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _not_yaml("a key that is a list or a mapping", self.name, _line(key))
            key.value = self.our_name(section + key.value).removeprefix(section)
            if key.value in values:
                self.repeated.append(((*path, key.value), _line(key)))
            values[key.value] = self.value(child, (*path, key.value))
        return values


def _child(node: yaml.Node | None, key: Key) -> tuple[int, yaml.Node] | None:
    """The line and node under a key, the last one where it is repeated."""
    if isinstance(node, yaml.MappingNode):
        named = [pair for pair in node.value if isinstance(pair[0], yaml.ScalarNode) and pair[0].value == str(key)]
        return (_line(named[-1][0]), named[-1][1]) if named else None
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return _line(node.value[key]), node.value[key]
    return None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _not_yaml(problem: str, name: str, line: int | None) -> ConfigError:
    where = f"{name}, line {line}" if line else name
    do = "correct the line; values with special characters go in quotes"
    return ConfigError(f"not valid YAML: {problem}", where=where, do=do)
