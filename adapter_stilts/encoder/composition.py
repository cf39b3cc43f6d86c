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
from dataclasses import dataclass, replace
from itertools import chain
from typing import NoReturn, TypeAlias

from adapter_stilts.encoder.kinds import Kind
from adapter_stilts.errors import CompositionError
from adapter_stilts.registry import unknown_name

NAME = re.compile(r"[^\s(),=]+")
WEIGHTS = re.compile(r"weights\s*=\s*([^\s(),=]+)")
DEEPEST = 50  # blocks within blocks; what has a meaning needs a handful


@dataclass(frozen=True)
class Name:
    """One adapter."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class _Parts:
    parts: tuple[Composition, ...]

    @property
    def verb(self) -> str:
        return type(self).__name__.lower()

    def __str__(self) -> str:
        return f"{self.verb}({', '.join(map(str, self.parts))})"


class Stack(_Parts):
    """Adapters one after another; the first is the lowest."""


class Fuse(_Parts):
    """AdapterFusion: attention, learned, over what each part adds.

    Pfeiffer et al. (2021), https://arxiv.org/abs/2005.00247
    """


@dataclass(frozen=True)
class Average(_Parts):
    """A fixed mean of what each part adds; without weights all count the same. Weights sum to 1."""

    weights: tuple[float, ...] | None = None

    def __str__(self) -> str:
        weights = "" if self.weights is None else f", weights={'/'.join(map(repr, self.weights))}"
        return f"average({', '.join(map(str, self.parts))}{weights})"


Block: TypeAlias = Stack | Fuse | Average
Composition: TypeAlias = Name | Block
BLOCKS: dict[str, type[Stack] | type[Fuse] | type[Average]] = {"stack": Stack, "fuse": Fuse, "average": Average}


def parse(text: str) -> Composition:
    """A composition from its text; raises CompositionError that points at the place."""
    return _Reader(text).whole()


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
    if isinstance(composition, Stack):
        parts = tuple(inner for part in parts for inner in (part.parts if isinstance(part, Stack) else (part,)))
        if len(parts) == 1:
            return parts[0]
    return replace(composition, parts=parts)


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
    blocks = [block for block in walk(whole) if not isinstance(block, Name)]
    checks = [check(block, kinds) for block in blocks for check in (_wrong_shape, _wrong_kinds)]
    for what, do in chain(*checks, _wrong_trunk(whole, kinds)):
        raise CompositionError(what, where=str(whole), do=do)
    return whole


def _wrong_shape(block: Block, kinds: Mapping[str, Kind]) -> Iterator[tuple[str, str]]:
    """What is wrong with the parts of a block, whatever they are, and what to do."""
    if not block.parts:
        yield f"{block} has no parts", "name at least two adapters"
    if len(block.parts) == 1:
        what = f"{block} has a single part, so there is nothing to {block.verb}"
        yield what, f"write {block.parts[0]} alone, or add a part"
    if isinstance(block, Stack):
        named = [name for part in block.parts for name in names(part)]
        if twice := [name for place, name in enumerate(named) if name in named[:place]]:
            yield f"'{twice[0]}' is applied twice in {block}", "name each adapter once per stack"
    if isinstance(block, Fuse) and len(set(block.parts)) < len(block.parts):
        yield f"{block} names the same part twice", "fuse different adapters"
    if isinstance(block, Average) and block.weights is not None:
        if len(block.weights) != len(block.parts):
            what = f"{block} has {len(block.parts)} parts and {len(block.weights)} weights"
            yield what, "give one weight per part"
        if not all(map(math.isfinite, block.weights)) or abs(sum(block.weights) - 1) > 1e-6:
            what = f"the weights of {block} sum to {sum(block.weights):g}, not to 1"
            yield what, "make them sum to 1; for other arithmetic use `merge`"


def _wrong_kinds(block: Block, kinds: Mapping[str, Kind]) -> Iterator[tuple[str, str]]:
    """What the kinds of the adapters in a block cannot do, and what to do."""
    for name in names(block):
        kind = kinds[name]
        if block.verb in kind.refuses:
            what = f"'{name}' is of kind {kind.name}, which cannot {block.verb} in {block}: {kind.refuses[block.verb]}"
            yield what, f"its kind allows: {', '.join(sorted(kind.composes))}"
    places = {part: sorted({place for name in names(part) for place in kinds[name].places}) for part in block.parts}
    if isinstance(block, Fuse) and len(set(map(tuple, places.values()))) > 1:
        listed = "; ".join(f"{part} at {', '.join(sites)}" for part, sites in places.items())
        what = f"{block} would fuse adapters that sit at different places of a layer ({listed})"
        yield what, "fuse adapters of one kind"


def _wrong_trunk(whole: Composition, kinds: Mapping[str, Kind]) -> Iterator[tuple[str, str]]:
    """Whether a whole trunk (kind full) lies anywhere but alone or at the bottom, and what to do."""
    full = [name for name in names(whole) if kinds[name].name == "full"]
    lowest = whole.parts[0] if isinstance(whole, Stack) else whole
    if full and (lowest != Name(full[0]) or len(full) > 1):
        what = f"'{full[0]}' is a whole trunk (kind full) and can only lie at the bottom of a stack"
        yield what, f"write it alone, or stack({full[0]}, ...)"
    if full and (reading := [name for name in names(whole) if kinds[name].reads_weights]):
        what = f"'{reading[0]}' is of kind {kinds[reading[0]].name}, which reads the weights of the frozen trunk"
        yield f"{what}, and '{full[0]}' puts others in their place", "use kind lora or rslora above it"


class _Reader:
    """A recursive-descent reader of the text form."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> Composition:
        composition = self._composition()
        if self._next(re.compile(".")):
            self._fail("nothing may follow the composition")
        return composition

    def _composition(self, depth: int = 0) -> Composition:
        name = self._next(NAME)
        if not name:
            self._fail("expected an adapter's name")
        self.at = name.end()
        if not self._take("("):
            return Name(name[0])
        verb = name[0].lower()
        if verb not in BLOCKS:
            self._fail(f"'{name[0]}' is not one of: {', '.join(BLOCKS)}")
        if depth == DEEPEST:
            self._fail(f"more than {DEEPEST} blocks within each other")
        parts: list[Composition] = []
        while not self._take(")"):
            if parts and not self._take(","):
                self._fail("expected ',' or ')'")
            if verb == "average" and (stated := self._next(WEIGHTS)):
                return Average(tuple(parts), self._weights(stated))
            parts.append(self._composition(depth + 1))
        return BLOCKS[verb](tuple(parts))

    def _weights(self, stated: re.Match[str]) -> tuple[float, ...]:
        try:
            weights = tuple(float(number) for number in stated[1].split("/"))
        except ValueError:
            self._fail("weights are numbers separated by '/'")
        self.at = stated.end()
        if not self._take(")"):
            self._fail("weights come last")
        return weights

    def _next(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What comes next, after any space."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return pattern.match(self.text, self.at)

    def _take(self, sign: str) -> bool:
        taken = self._next(re.compile(re.escape(sign)))
        self.at += len(sign) if taken else 0
        return taken is not None

    def _fail(self, what: str) -> NoReturn:
        what = f"{what}, at character {self.at + 1}"
        raise CompositionError(what, where=f"'{self.text}'", do="for example: stack(de, fuse(mnli, squad), xnli)")
