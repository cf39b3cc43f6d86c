"""How adapters are put together, as plain values and as text; no tensors.

    stack(de, fuse(mnli, squad), xnli)     one after another; the fused pair in the middle
    fuse(a, b)                             learned attention over what each adds
    average(a, b, weights=0.25/0.75)       a fixed weighted mean of what each adds

`parse` and `str` are inverse. `validate` says whether a composition has a meaning with the kinds at hand, and returns
it in normal form: a stack within a stack is flattened, a stack of one is its only part.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from adapter_stilts.encoder.kinds import Kind
from adapter_stilts.errors import CompositionError
from adapter_stilts.registry import unknown_name

NAME = re.compile(r"[^\s(),=]+")
DEEPEST = 50  # blocks within blocks; what has a meaning needs a handful


@dataclass(frozen=True)
class Name:
    """One adapter."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Stack:
    """Adapters one after another; the first is the lowest."""

    parts: tuple[Composition, ...]

    def __str__(self) -> str:
        return f"stack({', '.join(map(str, self.parts))})"


@dataclass(frozen=True)
class Fuse:
    """AdapterFusion: attention, learned, over what each part adds.

    Pfeiffer et al. (2021), https://arxiv.org/abs/2005.00247
    """

    parts: tuple[Composition, ...]

    def __str__(self) -> str:
        return f"fuse({', '.join(map(str, self.parts))})"


@dataclass(frozen=True)
class Average:
    """A fixed mean of what each part adds; without weights all count the same. Weights sum to 1."""

    parts: tuple[Composition, ...]
    weights: tuple[float, ...] | None = None

    def __str__(self) -> str:
        weights = "" if self.weights is None else f", weights={'/'.join(map(repr, self.weights))}"
        return f"average({', '.join(map(str, self.parts))}{weights})"


Composition: TypeAlias = Name | Stack | Fuse | Average
Block: TypeAlias = Stack | Fuse | Average
BLOCKS: dict[str, type[Stack] | type[Fuse] | type[Average]] = {"stack": Stack, "fuse": Fuse, "average": Average}


def parse(text: str) -> Composition:
    """A composition from its text; raises CompositionError that points at the place."""
    reader = _Reader(text)
    composition = reader.composition()
    reader.end()
    return composition


def names(composition: Composition) -> tuple[str, ...]:
    """Every adapter named in it, once, in the order of first appearance."""
    return tuple(dict.fromkeys(node.name for node in walk(composition) if isinstance(node, Name)))


def fusions(composition: Composition) -> tuple[Fuse, ...]:
    """Every Fuse in it, once, outer before inner."""
    return tuple(dict.fromkeys(node for node in walk(composition) if isinstance(node, Fuse)))


def fusion_name(fuse: Fuse) -> str:
    """The name under which a fusion's weights are kept: its text in normal form."""
    return str(normal(fuse))


def normal(composition: Composition) -> Composition:
    """The same meaning without a stack in a stack or a stack of one."""
    if isinstance(composition, Name):
        return composition
    parts = tuple(normal(part) for part in composition.parts)
    if isinstance(composition, Average):
        return Average(parts, composition.weights)
    if not isinstance(composition, Stack):
        return type(composition)(parts)
    flat = tuple(inner for part in parts for inner in (part.parts if isinstance(part, Stack) else (part,)))
    return flat[0] if len(flat) == 1 else Stack(flat)


def walk(composition: Composition) -> Iterator[Composition]:
    """The composition itself and everything in it, outer before inner, left to right."""
    yield composition
    if not isinstance(composition, Name):
        for part in composition.parts:
            yield from walk(part)


def validate(composition: Composition, kinds: Mapping[str, Kind]) -> Composition:
    """Normal form of a composition that can run; CompositionError with the reason for one that cannot.

    kinds: adapter name to its kind, for every adapter there is. An adapter that is not among them is UnknownName.
    """
    for name in names(composition):
        if name not in kinds:
            raise unknown_name("adapter", name, kinds, where=str(composition))
    whole = normal(composition)
    for block in walk(whole):
        if not isinstance(block, Name):
            _check_shape(block, whole)
            _check_kinds(block, whole, kinds)
    _check_whole_trunk(whole, kinds)
    return whole


def _check_shape(block: Block, whole: Composition) -> None:
    if not block.parts:
        _refuse(f"{block} has no parts", whole, "name at least two adapters")
    if len(block.parts) == 1:
        what = f"{block} has a single part, so there is nothing to {_verb(block)}"
        _refuse(what, whole, f"write {block.parts[0]} alone, or add a part")
    if isinstance(block, Stack):
        _check_stack(block, whole)
    if isinstance(block, Fuse) and len(set(block.parts)) < len(block.parts):
        _refuse(f"{block} names the same part twice", whole, "fuse different adapters")
    if isinstance(block, Average):
        _check_weights(block, whole)


def _check_stack(stack: Stack, whole: Composition) -> None:
    seen: set[str] = set()
    for part in stack.parts:
        if twice := seen.intersection(names(part)):
            _refuse(f"'{sorted(twice)[0]}' is applied twice in {stack}", whole, "name each adapter once per stack")
        seen.update(names(part))


def _check_weights(average: Average, whole: Composition) -> None:
    weights = average.weights
    if weights is None:
        return
    if len(weights) != len(average.parts):
        what = f"{average} has {len(average.parts)} parts and {len(weights)} weights"
        _refuse(what, whole, "give one weight per part")
    if not all(map(math.isfinite, weights)) or abs(sum(weights) - 1) > 1e-6:
        what = f"the weights of {average} sum to {sum(weights):g}, not to 1"
        _refuse(what, whole, "make them sum to 1; for other arithmetic use `merge`")


def _check_kinds(block: Block, whole: Composition, kinds: Mapping[str, Kind]) -> None:
    verb = _verb(block)
    for name in names(block):
        if verb not in kinds[name].composes:
            allowed = ", ".join(sorted(kinds[name].composes))
            what = f"'{name}' is of kind {kinds[name].name}, which cannot {verb} in {block}"
            _refuse(f"{what}: {kinds[name].refuses[verb]}", whole, f"its kind allows: {allowed}")
    places = {part: {place for name in names(part) for place in kinds[name].places} for part in block.parts}
    if isinstance(block, Fuse) and len({frozenset(found) for found in places.values()}) > 1:
        listed = "; ".join(f"{part} at {', '.join(sorted(found))}" for part, found in places.items())
        what = f"{block} would fuse adapters that sit at different places of a layer ({listed})"
        _refuse(what, whole, "fuse adapters of one kind")


def _check_whole_trunk(whole: Composition, kinds: Mapping[str, Kind]) -> None:
    full = [name for name in names(whole) if kinds[name].name == "full"]
    if not full or whole == Name(full[0]):
        return
    if not (isinstance(whole, Stack) and whole.parts[0] == Name(full[0])) or len(full) > 1:
        what = f"'{full[0]}' is a whole trunk (kind full) and can only lie at the bottom of a stack"
        _refuse(what, whole, f"write it alone, or stack({full[0]}, ...)")


def _verb(block: Block) -> str:
    return type(block).__name__.lower()


def _refuse(what: str, whole: Composition, do: str) -> NoReturn:
    raise CompositionError(what, where=str(whole), do=do)


class _Reader:
    """A recursive-descent reader of the text form."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def composition(self, depth: int = 0) -> Composition:
        name = self._name()
        if not self._take("("):
            return Name(name)
        if name.lower() not in BLOCKS:
            self._fail(f"'{name}' is not one of: {', '.join(BLOCKS)}")
        if depth == DEEPEST:
            self._fail(f"more than {DEEPEST} blocks within each other")
        parts: list[Composition] = []
        weights: tuple[float, ...] | None = None
        while not self._take(")"):
            if parts and not self._take(","):
                self._fail("expected ',' or ')'")
            weights = self._weights() if name.lower() == "average" else None
            if weights is None:
                parts.append(self.composition(depth + 1))
            elif not self._take(")"):
                self._fail("weights come last")
            else:
                break
        return Average(tuple(parts), weights) if name.lower() == "average" else BLOCKS[name.lower()](tuple(parts))

    def end(self) -> None:
        self._space()
        if self.at < len(self.text):
            self._fail("nothing may follow the composition")

    def _weights(self) -> tuple[float, ...] | None:
        self._space()
        found = re.compile(r"weights\s*=\s*([^\s(),=]+)").match(self.text, self.at)
        if not found:
            return None
        try:
            weights = tuple(float(number) for number in found[1].split("/"))
        except ValueError:
            self._fail("weights are numbers separated by '/'")
        self.at = found.end()
        return weights

    def _name(self) -> str:
        self._space()
        found = NAME.match(self.text, self.at)
        if not found:
            self._fail("expected an adapter's name")
        self.at = found.end()
        return found[0]

    def _take(self, sign: str) -> bool:
        self._space()
        if self.text.startswith(sign, self.at):
            self.at += len(sign)
            return True
        return False

    def _space(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def _fail(self, what: str) -> NoReturn:
        what = f"{what}, at character {self.at + 1}"
        raise CompositionError(what, where=f"'{self.text}'", do="for example: stack(de, fuse(mnli, squad), xnli)")
