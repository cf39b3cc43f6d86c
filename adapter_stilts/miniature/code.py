"""A toy programming language: small functions over a list of numbers, in three styles, and what they do in English.

A program is a filter, a change and a total, for example "square the even ones and add up". Programs of the same meaning differ in style
and names; a program of another meaning differs in one part or number.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from adapter_stilts.miniature.sampling import split_of_name

FILTERS = ("all", "even", "odd", "positive", "negative", "over", "under")
CHANGES = ("none", "add", "times", "square", "negate")
TOTALS = ("sum", "count", "largest", "smallest", "product")
NUMBERS = (2, 3, 4, 5, 7, 9, 10)
NUMBERED = ("over", "under", "add", "times")
STYLES = ("pipe", "loop", "list")
LISTS, ITEMS, RESULTS, NAMES = ("xs", "items", "values", "data"), ("x", "n", "item", "v"), ("total", "result", "acc", "out"), ("f", "run", "solve", "compute")


@dataclass(frozen=True, slots=True)
class Program:
    """What a function does; `limit` and `amount` are the numbers of its filter and change, 0 where they have none."""

    filter: str
    limit: int
    change: str
    amount: int
    total: str


def split_of_program(program: Program) -> str:
    """The split a program belongs to, by a hash of its meaning."""
    return split_of_name(repr(program))


def draw(rng: random.Random, split: str) -> Program:
    """A program of a split."""
    while True:
        which, change = rng.choice(FILTERS), rng.choice(CHANGES)
        found = Program(which, rng.choice(numbers(which)), change, rng.choice(numbers(change)), rng.choice(TOTALS))
        if sensible(found) and split_of_program(found) == split:
            return found


def sensible(program: Program) -> bool:
    """Whether every part of the program matters: it does something, and nothing is changed only to be counted."""
    return (program.filter, program.change) != ("all", "none") and (program.total != "count" or program.change == "none")


def neighbours(program: Program, split: str) -> list[Program]:
    """All programs of the split that differ in one part or one number."""
    found = [replace(program, filter=which, limit=limit) for which in FILTERS for limit in numbers(which)]
    found += [replace(program, change=change, amount=amount) for change in CHANGES for amount in numbers(change)]
    found += [replace(program, total=total) for total in TOTALS]
    return [other for other in found if other != program and sensible(other) and split_of_program(other) == split]


def numbers(part: str) -> tuple[int, ...]:
    return NUMBERS if part in NUMBERED else (0,)


def source(program: Program, rng: random.Random) -> str:
    """The program as text, in a random style with random names."""
    style, xs, x, result, name = rng.choice(STYLES), rng.choice(LISTS), rng.choice(ITEMS), rng.choice(RESULTS), rng.choice(NAMES)
    test = {"even": f"{x} % 2 == 0", "odd": f"{x} % 2 == 1", "positive": f"{x} > 0", "negative": f"{x} < 0"}
    test |= {"over": f"{x} > {program.limit}", "under": f"{x} < {program.limit}", "all": ""}
    value = {"none": x, "add": f"{x} + {program.amount}", "times": f"{x} * {program.amount}", "square": f"{x} * {x}", "negate": f"- {x}"}[program.change]
    if style == "pipe":
        keep = "" if program.filter == "all" else f" | keep {program.filter}" + (f" {program.limit}" if program.limit else "")
        change = "" if program.change == "none" else f" | {program.change}" + (f" {program.amount}" if program.amount else "")
        return f"def {name} ( {xs} ) = {xs}{keep}{change} | {program.total}"
    if style == "list":
        condition = f" if {test[program.filter]}" if test[program.filter] else ""
        return f"def {name} ( {xs} ) {{ return {program.total} ( [ {value} for {x} in {xs}{condition} ] ) }}"
    return loop(program, (xs, x, result, name), test[program.filter], value)


def loop(program: Program, names: tuple[str, str, str, str], test: str, value: str) -> str:
    """The program as a loop that keeps a running result."""
    xs, x, result, name = names
    start = {"sum": "0", "count": "0", "product": "1", "largest": "none", "smallest": "none"}[program.total]
    step = {"sum": f"{result} + {value}", "product": f"{result} * ( {value} )", "count": f"{result} + 1"}
    step |= {"largest": f"max ( {result} , {value} )", "smallest": f"min ( {result} , {value} )"}
    body = f"{result} = {step[program.total]}"
    inner = f"if {test} {{ {body} }}" if test else body
    return f"def {name} ( {xs} ) {{ {result} = {start} ; for {x} in {xs} {{ {inner} }} ; return {result} }}"


WHICH = {"all": "all numbers", "even": "the even numbers", "odd": "the odd numbers", "positive": "the positive numbers"}
WHICH |= {"negative": "the negative numbers", "over": "the numbers over {}", "under": "the numbers under {}"}
CHANGING = {"none": "", "add": ", add {} to each", "times": ", multiply each by {}", "square": ", square each", "negate": ", negate each"}
TOTALLING = {
    "sum": ("add them up", "return their sum"),
    "count": ("count them", "return how many there are"),
    "product": ("multiply them together", "return their product"),
    "largest": ("return the largest", "find the maximum"),
    "smallest": ("return the smallest", "find the minimum"),
}


def description(program: Program, rng: random.Random) -> str:
    """What the program does, in English."""
    which, change = WHICH[program.filter].format(program.limit), CHANGING[program.change].format(program.amount)
    return f"{rng.choice(('Take', 'Keep'))} {which}{change} and {rng.choice(TOTALLING[program.total])}."


def pairs(rng: random.Random, split: str, described: bool) -> Iterator[tuple[str, str, str]]:
    """Two texts and "1" where they mean the same: two programs, or an English description and a program."""
    while True:
        program, label = draw(rng, split), rng.choice("01")
        others = [program] if label == "1" else neighbours(program, split)
        if not others:
            continue
        second = rng.choice(others)
        first = description(program, rng) if described else source(program, rng)
        text = source(second, rng)
        if text != first:
            yield first, text, label
