"""A toy programming language: small functions over a list of numbers, in three styles, and what they do in English.

A program is a filter, a change and a total, for example "square the even ones and add up". Programs of the same meaning
differ in style and names; a program of another meaning differs in one part or number.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from adapter_stilts.miniature.sampling import split_of_name

NUMBERS = (2, 3, 4, 5, 7, 9, 10)
NUMBERED = ("over", "under", "add", "times")
STYLES = ("pipe", "loop", "list")
LISTS, ITEMS = ("xs", "items", "values", "data"), ("x", "n", "item", "v")
RESULTS, NAMES = ("total", "result", "acc", "out"), ("f", "run", "solve", "compute")

# filter: how it tests the element x, and which numbers it keeps, in English
FILTERS = {
    "all": ("", "all numbers"),
    "even": ("{x} % 2 == 0", "the even numbers"),
    "odd": ("{x} % 2 == 1", "the odd numbers"),
    "positive": ("{x} > 0", "the positive numbers"),
    "negative": ("{x} < 0", "the negative numbers"),
    "over": ("{x} > {number}", "the numbers over {number}"),
    "under": ("{x} < {number}", "the numbers under {number}"),
}
# change: what becomes of the element x
CHANGES = {
    "none": ("{x}", ""),
    "add": ("{x} + {number}", ", add {number} to each"),
    "times": ("{x} * {number}", ", multiply each by {number}"),
    "square": ("{x} * {x}", ", square each"),
    "negate": ("- {x}", ", negate each"),
}
# total: where a loop starts, how it keeps a running result, and two ways to say it
TOTALS = {
    "sum": ("0", "{result} + {value}", "add them up", "return their sum"),
    "count": ("0", "{result} + 1", "count them", "return how many there are"),
    "largest": ("none", "max ( {result} , {value} )", "return the largest", "find the maximum"),
    "smallest": ("none", "min ( {result} , {value} )", "return the smallest", "find the minimum"),
    "product": ("1", "{result} * ( {value} )", "multiply them together", "return their product"),
}


@dataclass(frozen=True, slots=True)
class Program:
    """What a function does; `limit` and `amount` are the numbers of its filter and change, 0 where they have none."""

    filter: str
    limit: int
    change: str
    amount: int
    total: str


def draw(rng: random.Random, split: str) -> Program:
    """A program of a split, to which it belongs by a hash of its meaning."""
    while True:
        which, change = rng.choice([*FILTERS]), rng.choice([*CHANGES])
        limit, amount = rng.choice(numbers(which)), rng.choice(numbers(change))
        program = Program(which, limit, change, amount, rng.choice([*TOTALS]))
        if sensible(program) and split_of_name(repr(program)) == split:
            return program


def sensible(program: Program) -> bool:
    """Whether every part of the program matters: it does something, and nothing is changed only to be counted."""
    if program.change == "none":
        return program.filter != "all"
    return program.total != "count"


def neighbours(program: Program, split: str) -> list[Program]:
    others = [replace(program, filter=which, limit=limit) for which in FILTERS for limit in numbers(which)]
    others += [replace(program, change=change, amount=amount) for change in CHANGES for amount in numbers(change)]
    others += [replace(program, total=total) for total in TOTALS]
    return [other for other in others if other != program and sensible(other) and split_of_name(repr(other)) == split]


def numbers(part: str) -> tuple[int, ...]:
    return NUMBERS if part in NUMBERED else (0,)


def source(program: Program, rng: random.Random) -> str:
    style, xs, x, result, name = (rng.choice(words) for words in (STYLES, LISTS, ITEMS, RESULTS, NAMES))
    if style == "pipe":
        limit, amount = (f" {number}" if number else "" for number in (program.limit, program.amount))
        keep = "" if program.filter == "all" else f" | keep {program.filter}{limit}"
        change = "" if program.change == "none" else f" | {program.change}{amount}"
        return f"def {name} ( {xs} ) = {xs}{keep}{change} | {program.total}"
    test = FILTERS[program.filter][0].format(x=x, number=program.limit)
    value = CHANGES[program.change][0].format(x=x, number=program.amount)
    if style == "list":
        condition = f" if {test}" if test else ""
        return f"def {name} ( {xs} ) {{ return {program.total} ( [ {value} for {x} in {xs}{condition} ] ) }}"
    start, step, *_ = TOTALS[program.total]
    body = f"{result} = {step.format(result=result, value=value)}"
    inner = f"if {test} {{ {body} }}" if test else body
    return f"def {name} ( {xs} ) {{ {result} = {start} ; for {x} in {xs} {{ {inner} }} ; return {result} }}"


def description(program: Program, rng: random.Random) -> str:
    which = FILTERS[program.filter][1].format(number=program.limit)
    change = CHANGES[program.change][1].format(number=program.amount)
    return f"{rng.choice(('Take', 'Keep'))} {which}{change} and {rng.choice(TOTALS[program.total][2:])}."


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
